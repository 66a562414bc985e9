//! A table or view of another engine that speaks Arrow Flight SQL as a source: columns, conditions and limits are worked out
//! there as far as they mean the same, and its rows are streamed.
//!
//! | file | what |
//! | --- | --- |
//! | `server` | how an engine is reached, and as whom |
//! | `dial` | one connection to it, under TLS where it is another machine |
//! | `reading` | one SELECT, and its answer's messages from wherever the engine says, if that is itself |
//! | `columns` | the columns of a table, and what becomes of their types |
//! | `dialect` | the SQL of each kind of engine |
//! | `fault` | what goes wrong, for the operator |

mod columns;
mod dial;
mod dialect;
mod fault;
mod reading;
mod server;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Fault;
use super::remote::{Engine, Query};

pub use dial::EngineTls;
pub use dialect::EngineDialect;
pub use fault::EngineFault;
pub use server::{EngineConfig, EngineLogin, FlightEngine};

/// A table or view of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlightSql {
    /// The engine.
    pub engine: Arc<FlightEngine>,
    /// The parts of the table's name, the outermost first: `["census", "dwellings"]`.
    pub table: Vec<String>,
    /// How often all rows are read again: for a dataset that holds them to have them, for another to check what it promises.
    pub refresh: Duration,
}

impl FlightSql {
    /// What stands for a path in messages.
    pub fn place(&self) -> PathBuf {
        PathBuf::from(format!("table {} of engine {}", self.table.join("."), self.engine.config().name))
    }
}

/// A table as it is now.
pub(super) async fn find(source: &FlightSql) -> Result<(Arc<dyn Engine>, Query), Fault> {
    let names: Vec<&str> = source.table.iter().map(String::as_str).collect();
    let dialect = source.engine.config().dialect.sql();
    let columns = reading::columns(&source.engine, &names).await.map_err(Fault::Engine)?;
    // Arrow's texts are UTF-8.
    let query = Query::of_table(dialect, &names, columns, true);
    Ok((Arc::clone(&source.engine) as Arc<dyn Engine>, query))
}
