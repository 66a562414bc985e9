//! Engines that speak Flight SQL, and their tables as sources.

use std::time::Duration;

use super::*;
use crate::sources::{EngineDialect, EngineLogin, SourceKind};

const ENGINE: &str = r#"
[[engines]]
name = "lake"
address = "grpc+tls://lake.example.org:32010"
ca = "tls/ca.pem"
user = "meridian"
password_file = "tls/password"
dialect = "spark"
"#;
const SOURCE: &str = "kind = \"flight_sql\"\nengine = \"lake\"\ntable = \"census.dwellings\"";
const FILE: &str = "kind = \"parquet\"\npath = \"data/stations.parquet\"";

/// The valid configuration with an engine and a table of it, changed so.
fn changed(engine: impl Fn(&str) -> String, source: impl Fn(&str) -> String) -> Result<Config, Vec<String>> {
    elsewhere(&engine(ENGINE), &["tls/password", "tls/token"], (FILE, &source(SOURCE)))
}

#[test]
fn a_table_of_an_engine_is_a_source() {
    let config = changed(str::to_owned, |source| format!("{source}\nrefresh = \"2h\"")).unwrap();
    let source = &config.dataset("stations").unwrap().source;
    let SourceKind::FlightSql(table) = &source.kind else { panic!("no table") };
    assert_eq!((table.table.join("/").as_str(), table.refresh), ("census/dwellings", Duration::from_secs(7200)));
    assert_eq!(source.path, Path::new("table census.dwellings of engine lake"));
    let engine = table.engine.config();
    assert_eq!((engine.host.as_str(), engine.port, engine.request_seconds), ("lake.example.org", 32010, 300));
    assert!(engine.tls.as_ref().is_some_and(|tls| tls.identity.is_none()), "{engine:?}");
    assert!(matches!(&engine.login, EngineLogin::Password { user, .. } if user == "meridian"), "{engine:?}");
    assert_eq!(engine.dialect, EngineDialect::Spark);

    let bare = |_: &str| "\n[[engines]]\nname = \"lake\"\naddress = \"grpc://[::1]:50051\"\n".to_owned();
    let config = changed(bare, |source| source.replace("census.", "")).unwrap();
    let engine = config.node.engines[0].config();
    assert_eq!((engine.host.as_str(), &engine.tls, &engine.login), ("::1", &None, &EngineLogin::None));
    assert_eq!(engine.dialect, EngineDialect::Generic);
    let certified = |text: &str| {
        let login = "user = \"meridian\"\npassword_file = \"tls/password\"";
        text.replace(login, "certificate = \"tls/node.pem\"\nkey = \"tls/node.key\"\ntoken_file = \"tls/token\"")
    };
    let config = changed(certified, str::to_owned).unwrap();
    let engine = config.node.engines[0].config();
    assert!(engine.tls.as_ref().is_some_and(|tls| tls.identity.is_some()), "{engine:?}");
    assert!(matches!(engine.login, EngineLogin::Token { .. }), "{engine:?}");
}

#[test]
fn what_is_wrong_with_an_engine_names_line_and_fix() {
    let no_ca = "node.toml:22: engines.address is under TLS, and there is no ca: add ca";
    for (from, to, expected) in [
        (
            "grpc+tls:",
            "grpc:",
            "node.toml:22: engines.address is \"grpc://lake.example.org:32010\", which is another machine, without TLS",
        ),
        (
            ":32010",
            "",
            "node.toml:22: engines.address is \"grpc+tls://lake.example.org\", which is no address of an engine",
        ),
        (
            "grpc+tls:",
            "https:",
            "node.toml:22: engines.address is \"https://lake.example.org:32010\", which is no address",
        ),
        ("lake.example", "me:secret@lake.example", "node.toml:22: engines.address has something before an @: write"),
        ("ca = \"tls/ca.pem\"\n", "", no_ca),
        ("tls/ca.pem", "tls/gone.pem", "node.toml:23: engines.ca is tls/gone.pem, which can't be read"),
        (
            "grpc+tls://lake.example.org",
            "grpc://127.0.0.1",
            "node.toml:23: engines.ca stands beside an address without TLS",
        ),
        ("user = \"meridian\"\n", "", "node.toml:24: user and password_file belong together, and one is missing"),
        ("dialect", "token_file = \"tls/token\"\ndialect", "node.toml:26: engines.token_file stands beside a user"),
        (
            "dialect",
            "key = \"tls/node.key\"\ndialect",
            "node.toml:26: certificate and key belong together, and one is missing",
        ),
        (
            "\"spark\"",
            "\"oracle\"",
            "node.toml:26: engines.dialect is \"oracle\", which is none that is known: write one of spark, datafusion, generic",
        ),
        ("dialect", "request_seconds = 0\ndialect", "node.toml:26: engines.request_seconds is 0: write"),
    ] {
        complains(changed(|text| text.replace(from, to), |_| FILE.to_owned()), expected);
    }
    let twice = changed(|text| format!("{text}{text}"), |_| FILE.to_owned());
    complains(twice, "node.toml:29: engine `lake` stands twice: rename or remove one");
}

#[test]
fn what_is_wrong_with_a_table_names_line_and_fix() {
    for (from, to, expected) in [
        ("\"lake\"", "\"pond\"", "10: source.engine is \"pond\", which is no engine of node.toml: write one of lake"),
        ("engine = \"lake\"\n", "", "9: `engine` is missing: add it, such as engine = \"lake\""),
        (
            "census.",
            "a.b.c.",
            "11: source.table is \"a.b.c.dwellings\", which is no table's name: write it as schema.table",
        ),
        ("census.", "census..", "11: source.table is \"census..dwellings\", which is no table's name"),
        ("table =", "database = \"x\"\ntable =", "11: database stands in a source of kind flight_sql: leave it out"),
    ] {
        complains(changed(str::to_owned, |text| text.replace(from, to)), &format!("datasets/stations.toml:{expected}"));
    }
    complains(
        changed(|_| String::new(), str::to_owned),
        "datasets/stations.toml:10: source.engine is \"lake\", which is no engine of node.toml: add [[engines]]",
    );
}
