//! Databases and their tables as sources.

use std::time::Duration;

use super::*;
use crate::sources::{Host, SourceKind};

const DATABASE: &str = r#"
[[databases]]
name = "housing"
host = "db.example.org"
database = "homes"
user = "meridian"
password_file = "tls/password"
ca = "tls/ca.pem"
"#;
const SOURCE: &str = "kind = \"postgres\"\ndatabase = \"housing\"\ntable = \"census.dwellings\"";
const FILE: &str = "kind = \"parquet\"\npath = \"data/stations.parquet\"";

/// The valid configuration with a database and a table of it, changed so.
fn changed(database: impl Fn(&str) -> String, source: impl Fn(&str) -> String) -> Result<Config, Vec<String>> {
    elsewhere(&database(DATABASE), &["tls/password"], (FILE, &source(SOURCE)))
}

#[test]
fn a_table_of_a_database_is_a_source() {
    let config = changed(str::to_owned, |source| format!("{source}\nrefresh = \"2h\"")).unwrap();
    let SourceKind::Postgres(table) = &config.dataset("stations").unwrap().source.kind else { panic!("no table") };
    assert_eq!((table.schema.as_str(), table.table.as_str()), ("census", "dwellings"));
    assert_eq!(table.refresh, Duration::from_secs(7200));
    let server = table.server.config();
    assert_eq!(server.host, Host::Network("db.example.org".into()));
    assert_eq!((server.port, server.connections, server.statement_seconds), (5432, 4, 300));
    assert_eq!(
        config.dataset("stations").unwrap().source.path,
        Path::new("table census.dwellings of database housing")
    );
    let here = |text: &str| text.replace("db.example.org", "/run/postgresql").replace("ca = \"tls/ca.pem\"\n", "");
    let config = changed(here, |source| source.replace("census.", "")).unwrap();
    let SourceKind::Postgres(table) = &config.dataset("stations").unwrap().source.kind else { panic!("no table") };
    assert_eq!(
        (table.schema.as_str(), &table.server.config().host),
        ("public", &Host::Socket("/run/postgresql".into()))
    );
}

#[test]
fn what_is_wrong_with_a_database_names_line_and_fix() {
    for (from, to, expected) in [
        (
            "ca = \"tls/ca.pem\"\n",
            "",
            "node.toml:22: databases.host is \"db.example.org\", which is another machine, and there is no ca",
        ),
        ("tls/ca.pem", "tls/gone.pem", "node.toml:26: databases.ca is tls/gone.pem, which can't be read"),
        ("tls/password", "tls/gone", "node.toml:25: databases.password_file is tls/gone, which can't be read"),
        (
            "user = \"meridian\"",
            "user = \"meridian\"\npassword = \"secret\"",
            "node.toml:25: unknown key `password`: known here:",
        ),
        ("user = \"meridian\"", "user = \"\"", "node.toml:24: databases.user is empty: fill"),
        (
            "user = \"meridian\"",
            "user = \"meridian\"\nconnections = 0",
            "node.toml:25: databases.connections is 0: write",
        ),
    ] {
        complains(changed(|text| text.replace(from, to), |_| FILE.to_owned()), expected);
    }
    let twice = changed(|text| format!("{text}{text}"), |_| FILE.to_owned()).expect_err("twice");
    assert_eq!(twice, ["node.toml:29: database `housing` stands twice: rename or remove one"]);
}

#[test]
fn what_is_wrong_with_a_table_names_line_and_fix() {
    for (from, to, expected) in [
        (
            "housing",
            "house",
            "10: source.database is \"house\", which is no database of node.toml: write one of housing",
        ),
        ("table = \"census.dwellings\"", "", "9: `table` is missing: add it, such as table = \"public.dwellings\""),
        ("database = \"housing\"\n", "", "9: `database` is missing: add it, such as"),
        (
            "table =",
            "path = \"x\"\ntable =",
            "11: path stands in a source of kind postgres: leave it out: it is for parquet and csv and excel and jsonl and \
             geojson and sqlite only",
        ),
        ("table =", "refresh = \"soon\"\ntable =", "11: source.refresh is \"soon\", which is no length of time: write"),
        ("table =", "refresh = \"0s\"\ntable =", "11: source.refresh is \"0s\", which is no length of time: write"),
    ] {
        complains(changed(str::to_owned, |text| text.replace(from, to)), &format!("datasets/stations.toml:{expected}"));
    }
    let problems = changed(|_| String::new(), str::to_owned).expect_err("no database");
    assert!(
        problems.len() == 1 && problems[0].contains("add [[databases]] with this name to node.toml"),
        "{problems:?}"
    );
    check(
        "datasets/stations.toml",
        "path = \"data/stations.parquet\"",
        "",
        "datasets/stations.toml:9: `path` is missing: add it, such as",
    );
    check(
        "datasets/stations.toml",
        "path =",
        "table = \"x\"\npath =",
        "datasets/stations.toml:10: table stands in a source of kind parquet: leave it out: it is for postgres and \
         sqlite and flight_sql only",
    );
    let missing = "datasets/stations.toml:9: `table` is missing: add it, such as table = \"trees\"";
    check("datasets/stations.toml", "kind = \"parquet\"", "kind = \"sqlite\"", missing);
}
