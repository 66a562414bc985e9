//! Checks a source that is a table of PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use super::super::problem::{File, Report};
use super::super::{NodeConfig, duration, raw};
use super::source::needed;
use crate::sources::Postgres;

const DEFAULT_REFRESH: Duration = Duration::from_secs(15 * 60);

/// A table of a database that node.toml knows. Where node.toml is bad, that is what is reported.
pub(super) fn table(
    file: &File,
    raw: &raw::Source,
    node: Option<&NodeConfig>,
    report: &mut Report,
) -> Option<Postgres> {
    let database = needed(file, raw, ("database", "housing"), raw.database.as_ref(), report);
    let table = needed(file, raw, ("table", "public.dwellings"), raw.table.as_ref(), report);
    let refresh = raw
        .refresh
        .as_ref()
        .map_or(Some(DEFAULT_REFRESH), |said| duration::check(file, "source.refresh", said, report));
    let database = database?;
    let node = node?;
    let found = node.databases.iter().find(|server| server.config().name.as_str() == database.get_ref());
    if found.is_none() {
        let known: Vec<&str> = node.databases.iter().map(|server| server.config().name.as_str()).collect();
        let what = format!("source.database is {:?}, which is no database of node.toml", database.get_ref());
        let fix = match known.as_slice() {
            [] => "add [[databases]] with this name to node.toml, and restart the node".to_owned(),
            known => format!("write one of {}, or add it under [[databases]]", known.join(", ")),
        };
        file.problem(report, database.span(), what, fix);
    }
    let (schema, table) = file.text(report, "source.table", table?).map(|text| match text.split_once('.') {
        Some((schema, table)) => (schema.to_owned(), table.to_owned()),
        None => ("public".to_owned(), text),
    })?;
    Some(Postgres { server: Arc::clone(found?), schema, table, refresh: refresh? })
}
