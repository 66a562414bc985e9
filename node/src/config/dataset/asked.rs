//! Checks a source that is a table of a database or of another engine.

use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;

use super::super::problem::{File, Report};
use super::super::{NodeConfig, duration, raw};
use super::source::needed;
use crate::sources::{FlightEngine, FlightSql, Postgres, Server};

const DEFAULT_REFRESH: Duration = Duration::from_secs(15 * 60);
/// Parts that a table's name may have: catalogue, schema and table.
const MOST_PARTS: usize = 3;

/// A table of a database that node.toml knows. Where node.toml is bad, that is what is reported.
pub(super) fn postgres(
    file: &File,
    raw: &raw::Source,
    node: Option<&NodeConfig>,
    report: &mut Report,
) -> Option<Postgres> {
    let database = needed(file, raw, ("database", "housing"), raw.database.as_ref(), report);
    let table = needed(file, raw, ("table", "public.dwellings"), raw.table.as_ref(), report);
    let refresh = refresh(file, raw, report);
    let name = |server: &Arc<Server>| server.config().name.to_string();
    let server = known(file, database?, ("database", "databases"), (&node?.databases, &name), report);
    let (schema, table) = file.text(report, "source.table", table?).map(|text| match text.split_once('.') {
        Some((schema, table)) => (schema.to_owned(), table.to_owned()),
        None => ("public".to_owned(), text),
    })?;
    Some(Postgres { server: server?, schema, table, refresh: refresh? })
}

/// A table of an engine that node.toml knows.
pub(super) fn flight_sql(
    file: &File,
    raw: &raw::Source,
    node: Option<&NodeConfig>,
    report: &mut Report,
) -> Option<FlightSql> {
    let engine = needed(file, raw, ("engine", "lake"), raw.engine.as_ref(), report);
    let said = needed(file, raw, ("table", "census.dwellings"), raw.table.as_ref(), report);
    let refresh = refresh(file, raw, report);
    let name = |engine: &Arc<FlightEngine>| engine.config().name.to_string();
    let engine = known(file, engine?, ("engine", "engines"), (&node?.engines, &name), report);
    let table: Vec<String> = file.text(report, "source.table", said?)?.split('.').map(str::to_owned).collect();
    if table.len() > MOST_PARTS || table.iter().any(String::is_empty) {
        let what = format!("source.table is {:?}, which is no table's name", said?.get_ref());
        file.problem(report, said?.span(), what, "write it as schema.table, or as catalogue.schema.table");
        return None;
    }
    Some(FlightSql { engine: engine?, table, refresh: refresh? })
}

fn refresh(file: &File, raw: &raw::Source, report: &mut Report) -> Option<Duration> {
    let said = raw.refresh.as_ref();
    said.map_or(Some(DEFAULT_REFRESH), |said| duration::check(file, "source.refresh", said, report))
}

/// What node.toml calls so.
fn known<T>(
    file: &File,
    said: &Spanned<String>,
    (key, section): (&str, &str),
    (all, name): (&[Arc<T>], &dyn Fn(&Arc<T>) -> String),
    report: &mut Report,
) -> Option<Arc<T>> {
    let found = all.iter().find(|one| name(one) == *said.get_ref());
    if found.is_none() {
        let names: Vec<String> = all.iter().map(name).collect();
        let what = format!("source.{key} is {:?}, which is no {key} of node.toml", said.get_ref());
        let fix = match names.as_slice() {
            [] => format!("add [[{section}]] with this name to node.toml, and restart the node"),
            names => format!("write one of {}, or add it under [[{section}]]", names.join(", ")),
        };
        file.problem(report, said.span(), what, fix);
    }
    found.map(Arc::clone)
}
