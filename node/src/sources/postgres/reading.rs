//! One read-only transaction: it looks at the catalogue, or streams the rows of one SELECT.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use tokio_postgres::types::ToSql;
use tokio_postgres::{CopyOutStream, Row};

use super::fault::Fault;
use super::kind::comes_as;
use super::server::{Lease, Server};
use crate::sources::remote::Shape;

/// A transaction, which ends with it.
pub(super) struct Reading {
    lease: Lease,
}

/// How each transaction begins. What is set lasts as long as the transaction does, so that it holds behind a pooler, too.
/// No function or operator is found but the server's own.
fn begin(seconds: u32) -> String {
    format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
         SET LOCAL statement_timeout = '{seconds}s'; SET LOCAL search_path = pg_catalog; SET LOCAL TimeZone = 'UTC'; \
         SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'iso_8601'; SET LOCAL extra_float_digits = 1; \
         SET LOCAL bytea_output = 'hex'; SET LOCAL standard_conforming_strings = on"
    )
}

impl Server {
    /// Begins a transaction.
    pub(super) async fn read(self: &Arc<Self>) -> Result<Reading, Fault> {
        let mut lease = self.lease().await?;
        let begin = begin(self.config().statement_seconds);
        let begun = lease.client()?.batch_execute(&begin).await;
        match begun {
            // A connection that was kept may have died since: the server was started again.
            Err(error) if lease.is_kept && (error.is_closed() || matches!(fault(self, &error), Fault::Gone(_))) => {
                lease.renewed().await?;
                lease.client()?.batch_execute(&begin).await.map_err(|error| fault(self, &error))?;
            }
            begun => begun.map_err(|error| fault(self, &error))?,
        }
        Ok(Reading { lease })
    }
}

fn fault(server: &Server, error: &tokio_postgres::Error) -> Fault {
    Fault::of_statement(error, server.config().statement_seconds)
}

impl Reading {
    /// All rows of a query of the catalogue.
    pub(super) async fn query(&mut self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Fault> {
        self.lease.client()?.query(sql, parameters).await.map_err(|error| fault(self.lease.server(), &error))
    }

    /// Whether a SELECT has the columns that it is to have. Its tables are kept from being altered from here to the end.
    pub(super) async fn check(&mut self, shape: &Shape) -> Result<(), Fault> {
        let prepared = self.lease.client()?.prepare(&shape.select.sql).await;
        let prepared = prepared.map_err(|error| fault(self.lease.server(), &error))?;
        let found = prepared.columns();
        for ((name, kind), found) in shape.columns.iter().zip(found) {
            if !comes_as(*kind, found.type_(), found.type_modifier()) {
                return Err(Fault::Retyped(name.clone()));
            }
        }
        if found.len() == shape.columns.len() { Ok(()) } else { Err(Fault::Catalogue) }
    }

    /// The rows of a SELECT, as COPY sends them. Of what types they are, COPY does not say.
    pub(super) async fn rows(self, select: &str) -> Result<Streaming, Fault> {
        let wrong = |error: tokio_postgres::Error| fault(self.lease.server(), &error);
        let client = self.lease.client()?;
        let copy = format!("COPY ({select}) TO STDOUT (FORMAT binary)");
        let copy = client.copy_out(copy.as_str()).await.map_err(wrong)?;
        Ok(Streaming { copy: Box::pin(copy), reading: self })
    }

    /// Ends the transaction and gives the connection back.
    pub(super) async fn end(self) -> Result<(), Fault> {
        self.lease.client()?.batch_execute("COMMIT").await.map_err(|error| fault(self.lease.server(), &error))?;
        self.lease.end();
        Ok(())
    }
}

/// Rows under way. Where it is dropped before its end, the server is asked to stop.
pub(super) struct Streaming {
    copy: Pin<Box<CopyOutStream>>,
    reading: Reading,
}

impl Streaming {
    /// The next piece; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, Fault>> {
        let next = self.copy.next().await?;
        Some(next.map_err(|error| fault(self.reading.lease.server(), &error)))
    }

    /// All has come: ends the transaction and gives the connection back.
    pub(super) async fn end(self) -> Result<(), Fault> {
        drop(self.copy);
        self.reading.end().await
    }
}
