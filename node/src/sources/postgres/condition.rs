//! Conditions as PostgreSQL reads them: only what is true there exactly where it is true here. Whatever else there is stays
//! above the scan.
//!
//! A condition keeps rows for which it is true. Whether it is false or NULL for the others makes no difference as long as
//! nothing negates it, and so NOT is written into what it negates. What has no place in Arrow, an infinite date or NaN in a
//! numeric, is NULL here: no comparison is true of it.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{InList, Like};
use datafusion::logical_expr::{Between, BinaryExpr, Cast, Expr, Operator};

use super::kind::Kind;
use super::literal::{Class, Constant, constant, string};
use super::query::{Column, Query};

/// Parts of a condition at most: a server's parser has a stack of its own.
const PARTS: usize = 2_000;

/// SQL that is true for the same rows of a relation; `None` where there is none, or it may not be.
pub(super) fn condition(expr: &Expr, over: &Query) -> Option<String> {
    Writer { over, parts: 0 }.written(expr, false)
}

/// Makes texts compare by their bytes.
const BY_BYTES: &str = " COLLATE \"C\"";

struct Writer<'a> {
    over: &'a Query,
    parts: usize,
}

/// One side of a comparison.
enum Side<'a> {
    Column(&'a Column),
    Constant(Constant),
}

impl<'a> Writer<'a> {
    /// An expression, or what it is not.
    fn written(&mut self, expr: &Expr, negated: bool) -> Option<String> {
        self.parts += 1;
        if self.parts > PARTS {
            return None;
        }
        match expr {
            Expr::Not(inner) => self.written(inner, !negated),
            Expr::BinaryExpr(BinaryExpr { op: op @ (Operator::And | Operator::Or), .. }) => {
                self.chain(expr, *op, negated)
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let op = if negated { op.negate()? } else { *op };
                self.comparison(left, op, right)
            }
            Expr::Between(Between { expr, negated: not, low, high }) => {
                let (below, above, word) = if negated == *not {
                    (Operator::GtEq, Operator::LtEq, "AND")
                } else {
                    (Operator::Lt, Operator::Gt, "OR")
                };
                let (low, high) = (self.comparison(expr, below, low)?, self.comparison(expr, above, high)?);
                Some(format!("({low} {word} {high})"))
            }
            Expr::InList(list) => self.in_list(list, negated),
            Expr::IsNull(inner) => self.is_null(inner, !negated),
            Expr::IsNotNull(inner) => self.is_null(inner, negated),
            Expr::Like(like) => self.like(like, negated),
            Expr::Column(_) => match self.column(expr)? {
                column if column.kind == Kind::Boolean => {
                    Some(if negated { format!("(NOT {})", column.sql) } else { column.sql.clone() })
                }
                _ => None,
            },
            Expr::Literal(ScalarValue::Boolean(Some(value)), _) => Some((*value != negated).to_string()),
            _ => None,
        }
    }

    /// A chain of AND or OR, in one pair of parentheses: its length is no depth.
    fn chain(&mut self, expr: &Expr, op: Operator, negated: bool) -> Option<String> {
        let (mut links, mut todo) = (Vec::new(), vec![expr]);
        while let Some(next) = todo.pop() {
            match next {
                Expr::BinaryExpr(BinaryExpr { left, op: found, right }) if *found == op => {
                    todo.extend([right.as_ref(), left.as_ref()]);
                }
                link => links.push(self.written(link, negated)?),
            }
        }
        let word = if (op == Operator::And) != negated { " AND " } else { " OR " };
        Some(format!("({})", links.join(word)))
    }

    fn is_null(&self, inner: &Expr, is: bool) -> Option<String> {
        let column = self.column(inner)?;
        let Some(place) = column.kind.has_place(&column.compared).filter(|_| column.beyond) else {
            return Some(format!("{} IS {}NULL", column.compared, if is { "" } else { "NOT " }));
        };
        Some(if is { format!("(({place}) IS NOT TRUE)") } else { place })
    }

    fn in_list(&mut self, list: &InList, negated: bool) -> Option<String> {
        let InList { expr, list, negated: not } = list;
        let Side::Column(column) = self.side(expr)? else { return None };
        self.parts += list.len();
        if self.parts > PARTS {
            return None;
        }
        let constants = list.iter().map(|item| match self.side(item)? {
            Side::Constant(constant) => self.fitted(column, &constant),
            Side::Column(_) => None,
        });
        let constants = constants.collect::<Option<Vec<_>>>()?.join(", ");
        let is_not = negated != *not;
        let found = format!("{} {}IN ({constants})", column.compared, if is_not { "NOT " } else { "" });
        Some(if is_not { and_has_place(column, found) } else { found })
    }

    fn like(&self, like: &Like, negated: bool) -> Option<String> {
        let Like { negated: not, expr, pattern, escape_char: None, case_insensitive: false } = like else {
            return None;
        };
        let (Side::Column(column), Side::Constant(pattern)) = (self.side(expr)?, self.side(pattern)?) else {
            return None;
        };
        // An escape at the end is an error there.
        let text = pattern.text.filter(|text| column.kind == Kind::Text && !text.contains('\\'))?;
        let text = self.spoken(&text)?;
        Some(format!("{} {}LIKE {text}", column.sql, if negated != *not { "NOT " } else { "" }))
    }

    fn comparison(&self, left: &Expr, op: Operator, right: &Expr) -> Option<String> {
        let word = match op {
            Operator::Eq => "=",
            Operator::NotEq => "<>",
            Operator::Lt => "<",
            Operator::LtEq => "<=",
            Operator::Gt => ">",
            Operator::GtEq => ">=",
            _ => return None,
        };
        let is_order = !matches!(op, Operator::Eq | Operator::NotEq);
        match (self.side(left)?, self.side(right)?) {
            (Side::Column(column), Side::Constant(constant)) => self.against(column, (op, word), &constant, is_order),
            (Side::Constant(constant), Side::Column(column)) => {
                let op = op.swap()?;
                self.against(column, (op, &op.to_string()), &constant, is_order)
            }
            (Side::Column(one), Side::Column(other)) => {
                let comparable = class(one.kind) == class(other.kind)
                    && class(one.kind) != Class::Double
                    && (class(one.kind) != Class::Timestamp || one.kind == other.kind);
                // The columns may have collations that do not go together.
                let order = if one.kind == Kind::Text { self.order(one.kind, is_order).map(|_| BY_BYTES)? } else { "" };
                let found = format!("{}{order} {word} {}{order}", one.sql, other.sql);
                comparable.then(|| and_has_place(one, and_has_place(other, found)))
            }
            (Side::Constant(_), Side::Constant(_)) => None,
        }
    }

    /// A column against a constant.
    fn against(
        &self,
        column: &Column,
        (op, word): (Operator, &str),
        constant: &Constant,
        is_order: bool,
    ) -> Option<String> {
        if let (Some(uuid), Some(text), Operator::Eq) = (&column.uuid, &constant.text, op)
            && is_uuid(text)
        {
            return Some(format!("{uuid} = {}::uuid", string(text)));
        }
        let fitted = self.fitted(column, constant)?;
        let order = self.order(column.kind, is_order)?;
        let found = format!("{}{order} {word} {fitted}", column.compared);
        // Nothing that has no place equals a constant.
        Some(if op == Operator::Eq { found } else { and_has_place(column, found) })
    }

    /// What makes texts order by their bytes; `None` where a server's bytes are not ours.
    fn order(&self, kind: Kind, is_order: bool) -> Option<&'static str> {
        match kind {
            Kind::Text if is_order => self.over.utf8.then_some(BY_BYTES),
            _ => Some(""),
        }
    }

    /// A constant that compares with a column as it does here.
    fn fitted(&self, column: &Column, constant: &Constant) -> Option<String> {
        if class(column.kind) != constant.class {
            return None;
        }
        Some(match (column.kind, &constant.text) {
            (Kind::Timestamp, _) => format!("{}::timestamp", constant.sql),
            (Kind::Timestamptz, _) => format!("{}::timestamptz", constant.sql),
            (Kind::Text, Some(text)) => self.spoken(text)?,
            _ => constant.sql.clone(),
        })
    }

    /// A text that the server's encoding has, whatever it is.
    fn spoken(&self, text: &str) -> Option<String> {
        (self.over.utf8 || text.is_ascii()).then(|| string(text))
    }

    fn side(&self, expr: &Expr) -> Option<Side<'a>> {
        if let Expr::Literal(value, _) = expr {
            return constant(value).map(Side::Constant);
        }
        match expr {
            Expr::Cast(Cast { expr, field }) => {
                let column = self.column(expr)?;
                is_wider(column.kind, field.data_type()).then_some(Side::Column(column))
            }
            _ => self.column(expr).map(Side::Column),
        }
    }

    fn column(&self, expr: &Expr) -> Option<&'a Column> {
        let Expr::Column(column) = expr else { return None };
        self.over.column(column)
    }
}

/// A condition on a column, and that its value is one that has a place here.
fn and_has_place(column: &Column, found: String) -> String {
    match column.kind.has_place(&column.compared).filter(|_| column.beyond) {
        Some(place) => format!("({found} AND {place})"),
        None => found,
    }
}

/// What a kind compares with.
pub(super) fn class(kind: Kind) -> Class {
    match kind {
        Kind::Boolean => Class::Boolean,
        Kind::Integer | Kind::Bigint | Kind::Decimal(..) => Class::Exact,
        Kind::Double => Class::Double,
        Kind::Text => Class::Text,
        Kind::Date => Class::Date,
        Kind::Timestamp | Kind::Timestamptz => Class::Timestamp,
    }
}

/// Whether a cast keeps every value and can't fail, so that what is compared is the same without it.
pub(super) fn is_wider(from: Kind, to: &DataType) -> bool {
    let (digits, scale) = match from {
        Kind::Integer => (10, 0),
        Kind::Bigint => (19, 0),
        Kind::Decimal(precision, scale) => (i16::from(precision) - i16::from(scale), scale),
        Kind::Boolean | Kind::Double | Kind::Date | Kind::Timestamp | Kind::Timestamptz | Kind::Text => {
            return from.arrow() == *to;
        }
    };
    match to {
        DataType::Decimal128(wide, wider) => *wider >= scale && i16::from(*wide) - i16::from(*wider) >= digits,
        DataType::Int64 => matches!(from, Kind::Integer | Kind::Bigint),
        DataType::Int32 => from == Kind::Integer,
        _ => false,
    }
}

/// Whether a text is a UUID as the server writes it.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}
