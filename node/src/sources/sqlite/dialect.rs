//! The SQL of SQLite, which compares texts as a column's collation says and turns values into what a column prefers: only
//! those comparisons go that mean the same.

use crate::sources::remote::{Column, Constant, Dialect, Kind};

/// What is asked of a SQLite file.
#[derive(Debug)]
pub(super) struct SqliteSql;

impl Dialect for SqliteSql {
    fn constant(&self, column: &Column, constant: &Constant) -> Option<String> {
        let same = match (column.kind, constant) {
            (Kind::Bigint, Constant::Exact(digits)) => digits.parse::<i64>().is_ok(),
            (Kind::Double, Constant::Double(_)) | (Kind::Text, Constant::Text(_)) => true,
            _ => false,
        };
        same.then(|| "?".to_owned())
    }

    fn cast(&self, sql: &str, to: Kind) -> String {
        let word = match to {
            Kind::Boolean | Kind::Integer | Kind::Bigint => "INTEGER",
            Kind::Double => "REAL",
            Kind::Decimal(..) | Kind::Date | Kind::Timestamp | Kind::Timestamptz | Kind::Text => "TEXT",
            Kind::Bytes => "BLOB",
        };
        format!("CAST({sql} AS {word})")
    }

    fn binds(&self) -> bool {
        true
    }

    /// Its LIKE takes small letters for large ones.
    fn likes(&self) -> bool {
        false
    }

    fn most_parts(&self) -> usize {
        256
    }

    fn no_column(&self) -> &'static str {
        "NULL"
    }

    fn is_exact(&self) -> bool {
        false
    }

    fn has_whole_queries(&self) -> bool {
        false
    }
}
