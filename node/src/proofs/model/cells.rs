//! Cells: the contribution of each unit, and then threshold, dominance and noise.

use std::collections::BTreeMap;
use std::hash::Hasher;

use siphasher::sip::SipHasher24;

use super::expressions::{holds, value};
use super::rows::{Field, position};
use crate::proofs::case::{Call, Cell, Column, Dataset, Expr, Predicate};
use crate::proofs::keys::{self, Noise};
use crate::proofs::value::{Type, Value};

/// Contribution of each unit, in fixed point, none of them zero.
pub(in crate::proofs) type Contributions = BTreeMap<u64, i128>;

/// One figure of a cell: an average has two.
#[derive(Debug, Clone)]
pub(super) struct Figure<'a> {
    pub(super) filter: Option<&'a Predicate>,
    pub(super) adds: Adds<'a>,
}

/// What a row adds to its unit.
#[derive(Debug, Clone)]
pub(super) enum Adds<'a> {
    /// The unit is there.
    Unit,
    /// One, where the expression is not NULL.
    One(Option<&'a Expr>),
    /// The value of a measure, within its bounds.
    Measure { of: &'a Expr, dataset: &'a Dataset, column: &'a Column },
}

/// The rules of a release, over all its datasets the strictest.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) threshold: u64,
    pub(super) nearness: u64,
    pub(super) noise: &'static Noise,
    /// In hundredths of a percent.
    pub(super) percent: i128,
    pub(super) largest: Option<(usize, i128)>,
    pub(super) reuse: bool,
}

impl<'a> Figure<'a> {
    /// Whether it is a number of units; otherwise it is a sum of contributions.
    pub(super) fn counts(&self, single: bool) -> bool {
        match self.adds {
            Adds::Unit => true,
            Adds::One(_) => single,
            Adds::Measure { .. } => false,
        }
    }

    /// What is summed, as the noise is drawn for it and near cells are looked for.
    pub(super) fn scope(&self, single: bool) -> (&'static str, String) {
        match self.adds {
            Adds::Measure { dataset, column, .. } => ("sum", format!("{}.{}", keys::full(dataset.name), column.name)),
            _ if self.counts(single) => ("count", "units".into()),
            _ => ("count", "rows".into()),
        }
    }

    /// Decimals of the fixed point, and the step of what is released.
    pub(super) fn precision(&self) -> (u8, u64) {
        match self.adds {
            Adds::Measure { column, .. } => column.precision,
            _ => (0, 1),
        }
    }

    /// The contributions of some rows.
    pub(super) fn contributions(&self, fields: &[Field], rows: &[(Vec<Value>, u64)]) -> Contributions {
        let mut units = Contributions::new();
        for (row, unit) in rows {
            if self.filter.is_some_and(|filter| holds(filter, fields, row) != Some(true)) {
                continue;
            }
            let added = match &self.adds {
                Adds::Unit => 1,
                Adds::One(of) => i128::from(of.is_none_or(|of| !value(of, fields, row).is_null())),
                Adds::Measure { of, column, .. } => fixed(&value(uncast(of), fields, row), column).unwrap_or(0),
            };
            *units.entry(*unit).or_default() += added;
        }
        units.retain(|_, contribution| *contribution != 0);
        if matches!(self.adds, Adds::Unit) {
            units.values_mut().for_each(|contribution| *contribution = 1);
        }
        units
    }
}

/// The figures that a cell of a query needs, in the order in which they settle.
pub(super) fn figures<'a>(cell: &'a Cell, fields: &[Field<'a>]) -> Vec<Figure<'a>> {
    let filter = cell.filter.as_ref();
    let measure = |of: &'a Expr| {
        let column = match of {
            Expr::Reference(column) => column,
            Expr::Casted(of, _) => match &of[0] {
                Expr::Reference(column) => column,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        let (dataset, column) = fields[position(fields, column)].of.unwrap();
        Figure { filter, adds: Adds::Measure { of, dataset, column } }
    };
    match &cell.call {
        Call::Rows | Call::Ones => vec![Figure { filter, adds: Adds::One(None) }],
        Call::Count(of) => vec![Figure { filter, adds: Adds::One(Some(of)) }],
        Call::Units(_) | Call::Approximate(_) => vec![Figure { filter, adds: Adds::Unit }],
        Call::Sum(of) => vec![measure(of)],
        Call::Average(of) => vec![measure(of), Figure { filter, adds: Adds::One(Some(of)) }],
        Call::Labels(_) => vec![],
        Call::Never(..) => panic!("{cell:?} is never admitted"),
    }
}

/// A measure in fixed point within its bounds.
#[expect(clippy::cast_possible_truncation, reason = "bounds are far inside")]
fn fixed(value: &Value, column: &Column) -> Option<i128> {
    let (low, high) = column.bounds.unwrap();
    let decimals = column.precision.0;
    let unit = 10_i128.pow(decimals.into());
    match value {
        Value::Whole(value) => Some(i128::from(*value).clamp(low.ceil() as i128, high.floor() as i128) * unit),
        Value::Real(value) if value.is_nan() => None,
        #[expect(clippy::cast_precision_loss, reason = "powers of ten up to 10^22 are exact")]
        Value::Real(value) => Some((value.clamp(low, high) * unit as f64).round() as i128),
        Value::Exact(value, scale) => {
            let bound = |bound: f64| (bound * 10_f64.powi((*scale).into())).round() as i128;
            let within = (*value).clamp(bound(low), bound(high));
            Some(rounded(within * unit, 10_i128.pow((*scale).into())))
        }
        Value::Null => None,
        other => panic!("{other:?} is no measure"),
    }
}

/// What a cast is made of: a sum in another type is the same sum.
fn uncast(of: &Expr) -> &Expr {
    match of {
        Expr::Casted(of, _) => &of[0],
        other => other,
    }
}

/// What is released of a figure before the history is asked; none where it is withheld.
pub(super) fn controlled(units: &Contributions, figure: &Figure, single: bool, rules: &Rules) -> Option<i128> {
    let n = units.len() as u64;
    let sum_of_keys = units.keys().fold(0_u64, |sum, key| sum.wrapping_add(*key));
    let noisy = i128::from(n) + i128::from(rules.noise.count(n, sum_of_keys % 256));
    if n < rules.threshold || noisy < i128::from(rules.threshold) {
        return None;
    }
    if figure.counts(single) {
        return Some(noisy);
    }
    let mut sizes: Vec<i128> = units.values().map(|contribution| contribution.abs()).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    if dominated(&sizes, rules) {
        return None;
    }
    let step = i128::from(figure.precision().1);
    let largest = (sizes[0] + step - 1) / step;
    let sum: i128 = units.values().sum();
    let quarters = i128::from(rules.noise.quarters(random(figure, single, (sum_of_keys, sum), rules)));
    let noise = ((quarters.abs() * largest + 2) / 4).max(1) * quarters.signum();
    Some((rounded(sum, step) + noise) * step)
}

/// Whether one or few units make up too much of a sum; `sizes` in descending order.
fn dominated(sizes: &[i128], rules: &Rules) -> bool {
    let total: i128 = sizes.iter().sum();
    let first = sizes[0];
    let rest = total - sizes.iter().take(2).sum::<i128>();
    let by_share = rules.largest.is_some_and(|(n, share)| sizes.iter().take(n).sum::<i128>() * 10_000 > share * total);
    rest * 10_000 < rules.percent * first || by_share
}

/// The same for the same units, measure and sum.
fn random(figure: &Figure, single: bool, (sum_of_keys, sum): (u64, i128), rules: &Rules) -> u64 {
    let (function, of) = figure.scope(single);
    let keys = sum_of_keys.to_ne_bytes();
    let message = [function.as_bytes(), &[0], of.as_bytes(), &[0], &keys, &sum.to_le_bytes()].concat();
    let mut hasher = SipHasher24::new_with_key(&rules.noise.key);
    hasher.write(&message);
    hasher.finish()
}

/// The quotient to the nearest whole number, halves away from zero.
pub(super) fn rounded(dividend: i128, divisor: i128) -> i128 {
    let away = dividend.signum() * divisor.signum();
    (2 * dividend.abs() + divisor.abs()) / (2 * divisor.abs()) * away
}

/// A released figure as a value of a type of SQL, `over` being what it is divided by.
pub(super) fn released(value: i128, over: i128, to: Type) -> Value {
    match to {
        Type::Big => i64::try_from(rounded(value, over)).map_or(Value::Null, Value::Whole),
        #[expect(clippy::cast_precision_loss, reason = "a double is asked for")]
        Type::Float => Value::Real(value as f64 / over as f64),
        Type::Fixed(precision, scale) => {
            let held = rounded(value * 10_i128.pow(scale.into()), over);
            if held.abs() < 10_i128.pow(precision.into()) { Value::Exact(held, scale) } else { Value::Null }
        }
        other => panic!("no figure is {other:?}"),
    }
}
