//! Expressions and conditions over one row, in three-valued logic.

use std::cmp::Ordering;

use super::rows::{Field, position};
use crate::proofs::case::{Expr, Op, Predicate, Truth};
use crate::proofs::value::{NANOS_A_DAY, Type, Value, civil};

/// The value of an expression over a row.
pub(super) fn value(of: &Expr, fields: &[Field], row: &[Value]) -> Value {
    let only = |of: &[Expr]| value(&of[0], fields, row);
    match of {
        Expr::Reference(column) => row[position(fields, column)].clone(),
        Expr::Constant(value) => value.clone(),
        Expr::Truncated(part, of) => truncated(part, &only(of)),
        Expr::Part(part, of) => part_of(part, &only(of)),
        Expr::Left(of, length) => text(only(of), |text| {
            let all = i64::try_from(text.chars().count()).unwrap();
            let kept = if *length < 0 { all + length } else { *length };
            text.chars().take(usize::try_from(kept.max(0)).unwrap()).collect()
        }),
        Expr::Start(of, length) => {
            text(only(of), |text| text.chars().take(usize::try_from(*length).unwrap()).collect())
        }
        Expr::Spelling(function, of) => text(only(of), |text| match *function {
            "upper" => text.to_uppercase(),
            "lower" => text.to_lowercase(),
            "btrim" => text.trim_matches(' ').to_owned(),
            "ltrim" => text.trim_start_matches(' ').to_owned(),
            "rtrim" => text.trim_end_matches(' ').to_owned(),
            other => panic!("{other}"),
        }),
        Expr::Coalesce(of) => {
            let mut values = of.iter().map(|of| value(of, fields, row));
            values.find(|value| !value.is_null()).unwrap_or(Value::Null)
        }
        Expr::Nullif(of, other) => {
            let value = only(of);
            if value.compare(other) == Some(Ordering::Equal) { Value::Null } else { value }
        }
        Expr::Choice(whens, otherwise) => {
            let chosen = whens.iter().find(|(when, _)| holds(when, fields, row) == Some(true));
            let chosen = chosen.map(|(_, then)| then).or(otherwise.first());
            chosen.map_or(Value::Null, |of| value(of, fields, row))
        }
        Expr::Casted(of, to) => cast(only(of), *to),
        Expr::Plus(..) | Expr::Length(_) => panic!("{of:?} is never admitted"),
    }
}

fn text(value: Value, map: impl FnOnce(&str) -> String) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Word(text) => Value::Word(map(&text)),
        other => panic!("{other:?} is no text"),
    }
}

/// The beginning of a year or month, in nanoseconds; NULL for days that have no such number.
fn truncated(part: &str, of: &Value) -> Value {
    let Value::Date(days) = of else { return Value::Null };
    let (_, month, day) = civil(*days);
    let since_month = i32::try_from(day).unwrap() - 1;
    let first = match part {
        "day" => *days,
        "month" => days - since_month,
        "year" => {
            let mut first = days - since_month;
            for _ in 1..month {
                first -= i32::try_from(civil(first - 1).2).unwrap();
            }
            first
        }
        other => panic!("{other}"),
    };
    let nanos = |days: i32| i64::from(days).checked_mul(NANOS_A_DAY);
    match (nanos(*days), nanos(first)) {
        (Some(_), Some(first)) => Value::Time(first),
        _ => Value::Null,
    }
}

fn part_of(part: &str, of: &Value) -> Value {
    let Value::Date(days) = of else { return Value::Null };
    let (year, month, day) = civil(*days);
    Value::Whole(i64::from(match part {
        "year" => year,
        "quarter" => i32::try_from(month.div_ceil(3)).unwrap(),
        "month" => i32::try_from(month).unwrap(),
        "day" => i32::try_from(day).unwrap(),
        // Sunday is 0; the first of January 1970 was a Thursday.
        "dow" => (days + 4).rem_euclid(7),
        other => panic!("{other}"),
    }))
}

fn cast(value: Value, to: Type) -> Value {
    match (value, to) {
        (Value::Null, _) => Value::Null,
        (value @ Value::Whole(_), Type::Int | Type::Big) | (value @ Value::Real(_), Type::Float) => value,
        (value @ Value::Word(_), Type::Text) => value,
        #[expect(clippy::cast_precision_loss, reason = "that is what the cast does")]
        (Value::Whole(value), Type::Float) => Value::Real(value as f64),
        (value, to) => panic!("{value:?} as {to:?}"),
    }
}

/// Whether a condition holds of a row; none where that is unknown.
pub(super) fn holds(of: &Predicate, fields: &[Field], row: &[Value]) -> Option<bool> {
    let value = |of: &Expr| value(of, fields, row);
    let holds = |of: &Predicate| holds(of, fields, row);
    match of {
        Predicate::Compare(of, op, with) => value(of).compare(with).map(|order| compared(order, *op)),
        Predicate::Among(of, among, negated) => {
            let value = value(of);
            let equal = among.iter().map(|one| value.compare(one).map(Ordering::is_eq));
            any(equal).map(|found| found != *negated)
        }
        Predicate::Missing(of, negated) => Some(value(of).is_null() != *negated),
        Predicate::Between(of, low, high, negated) => {
            let value = value(of);
            let above = value.compare(low).map(Ordering::is_ge);
            let below = value.compare(high).map(Ordering::is_le);
            all([above, below].into_iter()).map(|within| within != *negated)
        }
        Predicate::Prefix(of, prefix, negated) => match value(of) {
            Value::Word(text) => Some(text.starts_with(prefix) != *negated),
            _ => None,
        },
        Predicate::StartsWith(of, prefix) => match value(of) {
            Value::Word(text) => Some(text.starts_with(prefix)),
            _ => None,
        },
        Predicate::Distinct(of, with, negated) => {
            let same = match (value(of), with) {
                (Value::Null, with) => with.is_null(),
                (value, with) => value.compare(with) == Some(Ordering::Equal),
            };
            Some(same == *negated)
        }
        Predicate::Holds(of) => match value(of) {
            Value::Flag(flag) => Some(flag),
            _ => None,
        },
        Predicate::Not(of) => holds(&of[0]).map(|held| !held),
        Predicate::All(of) => all(of.iter().map(holds)),
        Predicate::Any(of) => any(of.iter().map(holds)),
        Predicate::Is(of, truth, negated) => {
            let asked = match truth {
                Truth::Yes => Some(true),
                Truth::No => Some(false),
                Truth::Unknown => None,
            };
            Some((holds(&of[0]) == asked) != *negated)
        }
        Predicate::Always(truth) => Some(*truth),
        Predicate::Contains(..) | Predicate::Same(..) => panic!("{of:?} is never admitted"),
    }
}

pub(super) fn compared(order: Ordering, op: Op) -> bool {
    match op {
        Op::Equal => order.is_eq(),
        Op::Unequal => order.is_ne(),
        Op::Less => order.is_lt(),
        Op::LessOrEqual => order.is_le(),
        Op::Greater => order.is_gt(),
        Op::GreaterOrEqual => order.is_ge(),
    }
}

fn any(of: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    of.fold(Some(false), |found, one| match (found, one) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (None, _) | (_, None) => None,
        _ => Some(false),
    })
}

fn all(of: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    any(of.map(|one| one.map(|held| !held))).map(|failed| !failed)
}
