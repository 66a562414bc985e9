//! Tables of a real server: what comes of them, what is done there, and what is said when it can't be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod alike;
mod faults;
mod pushed;
#[path = "../../../../../tests/postgres/mod.rs"]
mod server;
mod types;
mod whole;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use meridian_proto::Form;

use super::super::tests::questions::{ask, loaded, session, shown};
use super::super::tests::{dataset_called, now};
use super::super::{SourceError, SourceKind, SourceSpec};
use super::{Host, Postgres, Server, ServerConfig};

/// A database of its own on a server that the tests share.
struct Database {
    postgres: Arc<server::Postgres>,
    name: String,
    server: Arc<Server>,
}

impl Database {
    /// With what these statements make.
    fn new(sql: &str) -> Self {
        static SHARED: Mutex<Weak<server::Postgres>> = Mutex::new(Weak::new());
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let postgres = shared.upgrade().unwrap_or_else(|| {
            let logged = ["log_statement=all", "log_line_prefix=%d/%a: "];
            Arc::new(
                server::Postgres::start(&logged)
                    .unwrap_or_else(|why| panic!("{why}: run tests/run, which installs it")),
            )
        });
        *shared = Arc::downgrade(&postgres);
        let name = format!("test{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        // Texts order there as people do, and not by their bytes.
        let order = "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-GB'";
        postgres.run("postgres", &format!("CREATE DATABASE {name} {order}"));
        postgres.run(&name, sql);
        let server = Server::new(config(&postgres, &name));
        Self { postgres, name, server }
    }

    fn run(&self, sql: &str) -> String {
        self.postgres.run(&self.name, sql)
    }

    /// The same database, reached in another way.
    fn reached(&self, change: impl FnOnce(&mut ServerConfig)) -> Arc<Server> {
        let mut config = self.server.config().clone();
        change(&mut config);
        Server::new(config)
    }

    /// A dataset of a table, its columns written `name type`.
    fn dataset(&self, form: Form, table: &str, columns: &[&str], mapping: Option<&str>) -> SourceSpec {
        spec(&self.server, form, table, columns, mapping)
    }

    /// What the node has had it do since the last call, a statement a line.
    fn done(&self, before: &str) -> Vec<String> {
        let log = self.postgres.log();
        let own = format!("{}/meridian: ", self.name);
        let lines = log[before.len()..].lines().filter_map(|line| line.strip_prefix(&own));
        let statement =
            |line: &str| Some(line.split_once("COPY (")?.1.strip_suffix(") TO STDOUT (FORMAT binary)")?.to_owned());
        lines.filter_map(statement).collect()
    }
}

fn config(postgres: &server::Postgres, database: &str) -> ServerConfig {
    ServerConfig {
        name: "housing".parse().unwrap(),
        host: Host::Socket(postgres.path().into()),
        port: postgres.port(),
        database: database.into(),
        user: server::ACCOUNT.into(),
        password_file: None,
        ca: None,
        connections: 4,
        statement_seconds: 60,
    }
}

fn spec(server: &Arc<Server>, form: Form, table: &str, columns: &[&str], mapping: Option<&str>) -> SourceSpec {
    let source = Postgres {
        server: Arc::clone(server),
        schema: "public".into(),
        table: table.into(),
        refresh: std::time::Duration::from_secs(900),
    };
    let place = source.place();
    SourceSpec::new(
        dataset_called("dwellings", form, columns),
        SourceKind::Postgres(source),
        place,
        mapping.map(str::to_owned),
    )
}
