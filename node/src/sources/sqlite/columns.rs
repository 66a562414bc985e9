//! The columns of a table: how each is read by its declared type, and whether its values are of that.
//!
//! | declared (<https://sqlite.org/datatype3.html>) | read as |
//! | --- | --- |
//! | with INT | bigint |
//! | with CHAR, CLOB or TEXT | text |
//! | with BLOB; a geometry | bytes |
//! | with REAL, FLOA or DOUB | double |
//! | with BOOL | boolean, of 0 and 1 |
//! | anything else, such as NUMERIC, DECIMAL, DATE, or nothing | text, numbers as digits |

use rusqlite::{Connection, OptionalExtension};

use super::Sqlite;
use super::dialect::SqliteSql;
use super::fault::SqliteFault;
use super::file::fault;
use crate::sources::remote::{self, Dialect};

/// Types of geometry, one of which has INT in its name.
const GEOMETRIES: [&str; 8] = [
    "GEOMETRY",
    "POINT",
    "LINESTRING",
    "POLYGON",
    "MULTIPOINT",
    "MULTILINESTRING",
    "MULTIPOLYGON",
    "GEOMETRYCOLLECTION",
];

/// How a column is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bigint,
    Double,
    Boolean,
    Bytes,
    /// Text, or what is written as such.
    Text,
    /// Text also of bytes, which are written in hexadecimal.
    Any,
}

/// A column as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    declared: String,
    pub(super) kind: Kind,
    /// Whether SQLite turns whatever is put there into text.
    holds_text: bool,
}

/// What is known of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) columns: Vec<Column>,
    pub(super) is_view: bool,
    /// Whether texts order by their bytes as they do here.
    pub(super) utf8: bool,
}

impl Column {
    fn new(name: String, declared: String, as_text: bool, is_view: bool) -> Self {
        let upper = declared.to_ascii_uppercase();
        let has = |parts: &[&str]| parts.iter().any(|part| upper.contains(part));
        let is_text = !has(&["INT"]) && has(&["CHAR", "CLOB", "TEXT"]);
        let kind = match () {
            () if as_text => Kind::Any,
            () if GEOMETRIES.contains(&upper.as_str()) => Kind::Bytes,
            () if has(&["INT"]) => Kind::Bigint,
            () if is_text => Kind::Text,
            () if has(&["BLOB"]) => Kind::Bytes,
            () if has(&["REAL", "FLOA", "DOUB"]) => Kind::Double,
            () if has(&["BOOL"]) => Kind::Boolean,
            () => Kind::Text,
        };
        Self { name, declared, kind, holds_text: is_text && !is_view && kind == Kind::Text }
    }

    /// The same, as it is asked for and compared: texts by their bytes, whatever the column's collation.
    pub(super) fn asked(&self) -> remote::Column {
        let own = quoted(&self.name);
        let (kind, comparable) = match self.kind {
            Kind::Bigint => (remote::Kind::Bigint, true),
            Kind::Double => (remote::Kind::Double, true),
            // Its values are numbers there.
            Kind::Boolean => (remote::Kind::Boolean, false),
            Kind::Bytes => (remote::Kind::Bytes, false),
            Kind::Text => (remote::Kind::Text, self.holds_text),
            Kind::Any => (remote::Kind::Text, false),
        };
        let collation = if comparable && kind == remote::Kind::Text { " COLLATE BINARY" } else { "" };
        let compared = format!("{own}{collation}");
        remote::Column { compared, comparable, ..remote::Column::new(&self.name, kind, own) }
    }

    /// SQL that holds where a value is none that is read so; never NULL.
    fn misfits(&self) -> Option<String> {
        let own = quoted(&self.name);
        Some(match self.kind {
            Kind::Bigint => format!("typeof({own}) NOT IN ('integer', 'null')"),
            Kind::Double => format!("typeof({own}) NOT IN ('real', 'integer', 'null')"),
            Kind::Boolean => format!("{own} IS NOT NULL AND (typeof({own}) <> 'integer' OR {own} NOT IN (0, 1))"),
            Kind::Bytes => format!("typeof({own}) NOT IN ('blob', 'null')"),
            Kind::Text => format!("typeof({own}) = 'blob'"),
            Kind::Any => return None,
        })
    }
}

fn quoted(name: &str) -> String {
    SqliteSql.name(name)
}

/// The columns of a table or view, as it is now.
pub(super) fn of(connection: &Connection, source: &Sqlite) -> Result<Found, SqliteFault> {
    let failed = |error: rusqlite::Error| fault(&error);
    let found = connection
        .query_row(
            "SELECT type FROM pragma_table_list WHERE schema = 'main' AND name = ?1 COLLATE NOCASE",
            [&source.table],
            |row| row.get::<_, String>(0),
        )
        .optional()
        .map_err(failed)?;
    let is_view = found.ok_or_else(|| SqliteFault::NoTable(source.table.clone()))? == "view";
    let encoding: String = connection.query_row("PRAGMA encoding", [], |row| row.get(0)).map_err(failed)?;
    let sql = "SELECT name, type FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid";
    let mut statement = connection.prepare(sql).map_err(failed)?;
    let columns = statement.query_map([&source.table], |row| {
        let (name, declared): (String, String) = (row.get(0)?, row.get(1)?);
        let as_text = source.as_text.contains(&name);
        Ok(Column::new(name, declared, as_text, is_view))
    });
    let columns = columns.and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(failed)?;
    if let Some(none) = source.as_text.iter().find(|name| columns.iter().all(|column| column.name != **name)) {
        return Err(SqliteFault::NoColumn(none.clone()));
    }
    Ok(Found { columns, is_view, utf8: encoding == "UTF-8" })
}

/// Refuses a table a value of which is none of its column's type; SQLite itself takes any.
pub(super) fn check(connection: &Connection, table: &str, found: &Found) -> Result<(), SqliteFault> {
    let failed = |error: rusqlite::Error| fault(&error);
    let checked: Vec<_> = found.columns.iter().filter_map(|column| Some((column, column.misfits()?))).collect();
    if checked.is_empty() {
        return Ok(());
    }
    // In the table's own order, which a scan of an index is not.
    let table = if found.is_view { quoted(table) } else { format!("{} NOT INDEXED", quoted(table)) };
    let any: Vec<String> = checked.iter().map(|(_, misfits)| format!("total({misfits})")).collect();
    let sums = connection.query_row(&format!("SELECT {} FROM {table}", any.join(", ")), [], |row| {
        (0..checked.len()).map(|index| row.get::<_, f64>(index)).collect::<Result<Vec<_>, _>>()
    });
    for ((column, misfits), sum) in checked.iter().zip(sums.map_err(failed)?) {
        if sum > 0.0 {
            let own = quoted(&column.name);
            let first = format!(
                "SELECT number, found FROM (SELECT row_number() OVER () AS number, typeof({own}) AS found, {misfits} AS \
                 misfits FROM {table}) WHERE misfits LIMIT 1"
            );
            let (row, found) =
                connection.query_row(&first, [], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
            let (column, declared) = (column.name.clone(), column.declared.clone());
            return Err(SqliteFault::Value { column, row, found, declared });
        }
    }
    Ok(())
}
