//! Tables of two engines, an honest or faulty one of DataFusion's made here and one that others wrote: what comes of them,
//! what is done there, and what is said when it can't be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod alike;
mod faults;
mod logins;
mod own;
#[path = "../../../../../tests/engine/mod.rs"]
mod sail;
mod spark;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use meridian_federation::session::{session_builder, session_config};
use meridian_proto::Form;

use super::super::tests::questions::{ask, loaded, session, shown};
use super::super::tests::{dataset_called, now};
use super::super::{Cause, Fault, Loaded, RightsSpec, SourceError, SourceKind, SourceSpec, unanswered};
use super::*;
use own::{Own, Way};

/// An engine on this machine.
fn config(port: u16, dialect: EngineDialect) -> EngineConfig {
    EngineConfig {
        name: "lake".parse().unwrap(),
        host: "127.0.0.1".into(),
        port,
        tls: None,
        login: EngineLogin::None,
        dialect,
        request_seconds: 60,
    }
}

/// A dataset of a table, its columns written `name type`.
fn spec(engine: &Arc<FlightEngine>, form: Form, table: &str, columns: &[&str]) -> SourceSpec {
    let table = table.split('.').map(str::to_owned).collect();
    let source = FlightSql { engine: Arc::clone(engine), table, refresh: Duration::from_secs(900) };
    let place = source.place();
    SourceSpec::new(dataset_called("dwellings", form, columns), SourceKind::FlightSql(source), place, None)
}

/// The same rows in this process.
async fn copied(from: &SessionContext, tables: &[&str]) -> SessionContext {
    let here = SessionContext::new_with_state(session_builder(session_config()).build());
    for table in tables {
        let batches = ask(from, &format!("SELECT * FROM {table}")).await.unwrap();
        let copy = MemTable::try_new(batches[0].schema(), vec![batches]).unwrap();
        here.register_table(*table, Arc::new(copy)).unwrap();
    }
    here
}

fn fault(error: &DataFusionError) -> EngineFault {
    match unanswered::cause(error) {
        Some(Cause::Database(Fault::Engine(fault))) => fault.clone(),
        other => panic!("{error}: {other:?}"),
    }
}

async fn refused(spec: &SourceSpec) -> EngineFault {
    match loaded(spec).await {
        Err(SourceError::Database { fault: Fault::Engine(fault), .. }) => fault,
        other => panic!("{other:?}"),
    }
}
