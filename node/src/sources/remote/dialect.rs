//! How an engine writes SQL, and what means the same there.

use std::fmt;

use super::kind::Kind;
use super::literal::Constant;
use super::query::Column;

/// The SQL of one engine, as far as it is its own.
pub(in crate::sources) trait Dialect: fmt::Debug + Send + Sync {
    /// A name in quotes.
    fn name(&self, name: &str) -> String {
        format!("\"{}\"", name.replace('"', "\"\""))
    }

    /// A constant that compares with a column of its class as it does here; `None` where that can't be written.
    fn constant(&self, column: &Column, constant: &Constant) -> Option<String>;

    /// A value in another type.
    fn cast(&self, sql: &str, to: Kind) -> String;

    /// A double, every NaN of it the one that is greater than all else.
    fn one_nan(&self, double: &str) -> String {
        double.to_owned()
    }

    /// Whether constants stand beside the SQL, and a place for each in it.
    fn binds(&self) -> bool {
        false
    }

    /// A way of its own to say that a column equals a constant.
    fn equal(&self, _column: &Column, _constant: &Constant) -> Option<String> {
        None
    }

    /// What makes a text behind which it stands compare by its bytes.
    fn by_bytes(&self) -> &'static str {
        ""
    }

    /// Whether texts order by their bytes there; where not, they may still be the same where their bytes are.
    fn orders_texts(&self) -> bool {
        true
    }

    /// Whether LIKE with % and _ means the same.
    fn likes(&self) -> bool {
        true
    }

    /// Whether decimals of all digits compare exactly, whatever the other side's are.
    fn compares_decimals(&self) -> bool {
        true
    }

    /// Parts of a condition at most: its parser has a stack of its own.
    fn most_parts(&self) -> usize {
        2_000
    }

    /// What is selected where no column is asked for.
    fn no_column(&self) -> &'static str {
        "1"
    }

    /// Whether a condition need not be looked at again here.
    fn is_exact(&self) -> bool {
        true
    }

    /// Whether joins, aggregates and sorts mean the same.
    fn has_whole_queries(&self) -> bool {
        true
    }

    /// Whether rows come in the order that was asked for.
    fn keeps_order(&self) -> bool {
        true
    }
}
