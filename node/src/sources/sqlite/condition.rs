//! Conditions that go into the SELECT: each holds at least where the engine's own holds, which looks at the rows again.
//!
//! SQLite compares texts as a column's collation says and turns values into what a column prefers: only those comparisons go
//! that mean the same, of texts by their bytes.

use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};
use datafusion::scalar::ScalarValue;
use rusqlite::types::Value;

use super::columns::{Column, Found, Kind, quoted};

/// Most values of a list.
const MOST_VALUES: usize = 256;

/// A condition and the values of its parameters, in order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

impl Condition {
    fn joined(self, word: &str, other: Self) -> Self {
        let values = self.values.into_iter().chain(other.values).collect();
        Self { sql: format!("({} {word} {})", self.sql, other.sql), values }
    }
}

/// The condition, if it means the same in SQLite.
pub(super) fn condition(expr: &Expr, table: &Found) -> Option<Condition> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            Some(condition(left, table)?.joined("AND", condition(right, table)?))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            Some(condition(left, table)?.joined("OR", condition(right, table)?))
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (left.as_ref(), right.as_ref()) {
            (Expr::Column(_), Expr::Literal(..)) => compared(left, *op, right, table),
            (Expr::Literal(..), Expr::Column(_)) => compared(right, op.swap()?, left, table),
            _ => None,
        },
        Expr::Between(Between { expr, negated: false, low, high }) => {
            let low = compared(expr, Operator::GtEq, low, table)?;
            Some(low.joined("AND", compared(expr, Operator::LtEq, high, table)?))
        }
        Expr::IsNull(of) => Some(bare(format!("{} IS NULL", quoted(&column(of, table)?.name)))),
        Expr::IsNotNull(of) => Some(bare(format!("{} IS NOT NULL", quoted(&column(of, table)?.name)))),
        Expr::InList(InList { expr, list, negated }) if list.len() <= MOST_VALUES => {
            let column = column(expr, table)?;
            let values = list.iter().map(|value| constant(column, value)).collect::<Option<Vec<_>>>()?;
            let (places, not) = (vec!["?"; values.len()].join(", "), if *negated { " NOT" } else { "" });
            Some(Condition { sql: format!("{}{not} IN ({places})", side(column)), values })
        }
        _ => None,
    }
}

fn bare(sql: String) -> Condition {
    Condition { sql, values: Vec::new() }
}

fn compared(of: &Expr, op: Operator, with: &Expr, table: &Found) -> Option<Condition> {
    let column = column(of, table)?;
    let value = constant(column, with)?;
    let word = match op {
        Operator::Eq => "=",
        Operator::NotEq => "<>",
        Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq if column.kind == Kind::Text && !table.utf8 => {
            return None;
        }
        Operator::Lt => "<",
        Operator::LtEq => "<=",
        Operator::Gt => ">",
        Operator::GtEq => ">=",
        _ => return None,
    };
    Some(Condition { sql: format!("{} {word} ?", side(column)), values: vec![value] })
}

/// The column as it is compared: texts by their bytes, whatever the column's collation.
fn side(column: &Column) -> String {
    let own = quoted(&column.name);
    if column.kind == Kind::Text { format!("{own} COLLATE BINARY") } else { own }
}

fn column<'a>(expr: &Expr, table: &'a Found) -> Option<&'a Column> {
    let Expr::Column(named) = expr else { return None };
    table.columns.iter().find(|column| column.name == named.name)
}

/// A constant that SQLite compares with the column's values as the engine does.
fn constant(column: &Column, expr: &Expr) -> Option<Value> {
    let Expr::Literal(value, _) = expr else { return None };
    match (column.kind, value) {
        (Kind::Bigint, ScalarValue::Int64(Some(value))) => Some(Value::Integer(*value)),
        // The engine tells zeros of both signs apart.
        (Kind::Double, ScalarValue::Float64(Some(value))) if value.is_finite() && *value != 0.0 => {
            Some(Value::Real(*value))
        }
        (Kind::Text, ScalarValue::Utf8(Some(value))) if column.holds_text => Some(Value::Text(value.clone())),
        _ => None,
    }
}
