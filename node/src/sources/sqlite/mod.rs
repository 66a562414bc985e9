//! A table or view of a SQLite file as a source: read only, by every query anew, columns, conditions and limits worked out
//! there as far as they mean the same.
//!
//! | file | what |
//! | --- | --- |
//! | `file` | how a file is opened: never written, and nothing beside it |
//! | `columns` | the columns of a table, and whether their values are what they are declared as |
//! | `dialect` | the SQL that is its own |
//! | `rows` | SQLite's values into Arrow's columns |
//! | `scan` | one SELECT, on a thread that may block and can be interrupted |
//! | `fault` | what goes wrong, for the operator |

mod columns;
mod dialect;
mod fault;
mod file;
mod rows;
mod scan;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use super::Fault;
use super::remote::{Engine, Query};

pub use fault::SqliteFault;
pub(super) use file::{SQLITE, is_database};

use dialect::SqliteSql;
use scan::SqliteFile;

/// A table or view of a SQLite file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sqlite {
    /// Its name.
    pub table: String,
    /// Columns that are read as text, whatever they are declared as and hold; bytes in hexadecimal.
    pub as_text: Vec<String>,
}

/// A table as it is now; its values are what its columns are declared as.
pub(super) fn find(path: &Path, source: &Sqlite) -> Result<(Arc<dyn Engine>, Query), Fault> {
    let file = SqliteFile::open(path, source).map_err(Fault::Sqlite)?;
    let columns = file.found.columns.iter().map(columns::Column::asked).collect();
    let query = Query::of_table(&SqliteSql, &[&source.table], columns, file.found.utf8);
    Ok((Arc::new(file), query))
}
