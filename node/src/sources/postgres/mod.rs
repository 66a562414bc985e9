//! A table or view of a PostgreSQL server as a source: its rows are streamed in binary form, and what means the same there
//! is done there.
//!
//! | file | what |
//! | --- | --- |
//! | `server` | how a server is reached, and the connections that are kept to it |
//! | `tls` | TLS for these connections, the server's name checked |
//! | `reading` | one read-only transaction that streams the rows of one SELECT |
//! | `fault` | what goes wrong, for the operator |
//! | `columns`, `kind` | the columns of a table, and what becomes of their types |
//! | `numeric`, `rows` | the binary form of values and rows |
//! | `dialect` | the SQL that is its own |
//! | `stream` | the rows of one SELECT as batches |

mod columns;
mod dialect;
mod fault;
mod kind;
mod numeric;
mod reading;
mod rows;
mod server;
mod stream;
mod tls;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::remote::{Engine, Query};

pub use fault::Fault;
pub use server::{Host, Server, ServerConfig};

use columns::Found;
use dialect::PostgresSql;

/// A table or view of a server.
#[derive(Clone, PartialEq, Eq)]
pub struct Postgres {
    /// The server and the database.
    pub server: Arc<Server>,
    /// The schema.
    pub schema: String,
    /// The table or view in it.
    pub table: String,
    /// How often all rows are read again: for a dataset that holds them to have them, for another to check what it promises.
    pub refresh: Duration,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, schema, table, refresh } = self;
        let mut shown = f.debug_struct("Postgres");
        shown.field("server", server).field("schema", schema).field("table", table).field("refresh", refresh).finish()
    }
}

impl Postgres {
    /// What stands for a path in messages.
    pub fn place(&self) -> PathBuf {
        let Self { server, schema, table, .. } = self;
        PathBuf::from(format!("table {schema}.{table} of database {}", server.config().name))
    }
}

/// A table as it is now.
pub(super) async fn find(source: &Postgres) -> Result<(Arc<dyn Engine>, Query), Fault> {
    let Found { columns, utf8 } = columns::of(&source.server, &source.schema, &source.table).await?;
    let query = Query::of_table(&PostgresSql, &[&source.schema, &source.table], columns, utf8);
    Ok((Arc::clone(&source.server) as Arc<dyn Engine>, query))
}
