//! A valid configuration, and what is said about each way to break it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::fs;
use std::path::Path;

use super::*;
use crate::sources::SourceKind;

const NODE: &str = r#"federation = "london"
body = "lfb"
title = "London Fire Brigade"
listen = "127.0.0.1:50051"
health = "127.0.0.1:50052"
state = "state"

[tls]
ca = "tls/ca.pem"
cert = "tls/node.pem"
key = "tls/node.key"

[limits]
streams = 8

[[members]]
body = "loda"
endpoint = "https://127.0.0.1:50061"
"#;

const INCIDENTS: &str = r#"name = "incidents"
title = "Dwelling fires attended"
description = "One row per dwelling"
licence = "OGL-UK-3.0"
form = "statistics"
recipients = "agreement"
threshold = 12
coverage = { borough_gss = "E09000007", year = 2024 }

[unit]
kind = "dwelling"
column = "uprn"
unique = true

[source]
kind = "csv"
path = "data/incidents.csv"
delimiter = ";"

[mapping]
sql = 'SELECT "UPRN No" AS uprn, ward, borough_gss, year, pumps, note FROM source'

[[columns]]
name = "uprn"
type = "bigint"
role = "identifier"

[[columns]]
name = "borough_gss"
type = "varchar"
role = "dimension"
required = true

[[columns]]
name = "year"
type = "integer"
role = "dimension"
ranges = true

[[columns]]
name = "pumps"
type = "decimal(6,2)"
role = "measure"
bounds = [0, 10.5]

[[columns]]
name = "note"
type = "varchar"
"#;

const STATIONS: &str = r#"name = "stations"
title = "Fire stations"
description = ""
licence = "OGL-UK-3.0"
form = "rows"
size = "1e2"

[source]
kind = "parquet"
path = "data/stations.parquet"

[[columns]]
name = "code"
type = "varchar"

[[columns]]
name = "opened"
type = "date"
"#;

const AGREEMENT: &str = r#"id = "fire-risk-2026"
title = "Fire risk by borough"
purpose = "fire-risk"
benefit = "Fewer fires"
legal_power = "Fire and Rescue Services Act 2004, section 6"
lawful_basis = "UK GDPR article 6(1)(e)"
recipients = ["loda"]
start = "2026-01-01"
end = "2027-12-31"
contact = "data@example.org"

[[grants]]
dataset = "incidents"
form = "statistics"
columns = ["borough_gss", "year"]
threshold = 20

[[grants]]
dataset = "stations"
form = "rows"
filter = "opened >= DATE '2015-01-01'"
"#;

const FILES: [(&str, &str); 8] = [
    ("node.toml", NODE),
    ("datasets/incidents.toml", INCIDENTS),
    ("datasets/stations.toml", STATIONS),
    ("agreements/fire-risk.toml", AGREEMENT),
    ("data/incidents.csv", ""),
    ("data/stations.parquet", ""),
    ("tls/ca.pem", ""),
    ("tls/node.pem", ""),
];

fn write(root: &Path, file: &str, text: &str) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn baseline() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in FILES {
        write(folder.path(), file, text);
    }
    write(folder.path(), "tls/node.key", "");
    folder
}

fn load(root: &Path) -> Result<Config, Vec<String>> {
    let prefix = format!("{}/", root.display());
    let lines = |error: ConfigError| error.to_string().lines().map(|line| line.replace(&prefix, "")).collect();
    Config::load(&root.join("node.toml")).map_err(lines)
}

/// Replaces `from` by `to` in one file of the valid configuration: exactly one problem is found, and it reads `expected`.
#[track_caller]
fn check(file: &str, from: &str, to: &str, expected: &str) {
    let folder = baseline();
    let path = folder.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} holds no {from:?}");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
    let problems = load(folder.path()).expect_err(to);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].starts_with(expected), "found    {}\nexpected {expected}", problems[0]);
}

#[test]
fn a_valid_configuration_is_read_in_full() {
    let folder = baseline();
    let config = load(folder.path()).unwrap();
    assert_eq!(config.node.body.as_str(), "lfb");
    assert_eq!((config.node.limits.streams, config.node.limits.seconds), (8, 300));
    assert_eq!(config.node.members[0].endpoint, "https://127.0.0.1:50061");
    assert_eq!(config.node.tls.ca, folder.path().join("tls/ca.pem"));

    let incidents = config.dataset("incidents").unwrap();
    assert!(incidents.dataset.needs_agreement && incidents.listed && !incidents.sized);
    assert_eq!((incidents.dataset.threshold, incidents.dataset.unit_kind.as_str()), (12, "dwelling"));
    let key = UnitKey::Column { name: "uprn".parse().unwrap(), unique: true };
    assert_eq!(incidents.unit.as_ref().unwrap().key, key);
    assert_eq!(incidents.bounds[&"pumps".parse::<Name>().unwrap()], (0.0, 10.5));
    assert_eq!(incidents.source.kind, SourceKind::Csv { delimiter: b';', header: true });
    assert_eq!(incidents.source.unique.as_ref().unwrap().as_str(), "uprn");
    let coverage: Vec<_> = incidents.dataset.coverage.iter().map(|c| (c.column.as_str(), c.value.as_str())).collect();
    assert_eq!(coverage, [("borough_gss", "E09000007"), ("year", "2024")]);

    let stations = config.dataset("stations").unwrap();
    assert_eq!((stations.own, stations.sized, stations.dataset.size_class), (Form::Rows, true, 2));
    let agreement = &config.agreements[0];
    assert_eq!((agreement.id.as_str(), agreement.recipients[0].as_str()), ("fire-risk-2026", "loda"));
    assert_eq!(agreement.grants[0].threshold, Some(20));
    assert!(agreement.grants[1].filter.as_ref().unwrap().starts_with("opened"));
}

#[test]
fn node_toml() {
    let node = "node.toml";
    check(node, "health", "helth", "node.toml:5: unknown key `helth`: did you mean `health`?");
    check(node, "state = \"state\"\n", "", "node.toml:1: `state` is missing: add it");
    check(node, "body = \"lfb\"", "body = \"LFB\"", "node.toml:2: body is \"LFB\", which is no name: write");
    check(node, "body = \"lfb\"", "body = \"every\"", "node.toml:2: body is `every`, which is reserved: choose");
    check(
        node,
        "\"127.0.0.1:50051\"",
        "\"localhost\"",
        "node.toml:4: listen is \"localhost\", which is no address: write",
    );
    check(
        node,
        "127.0.0.1:50052",
        "0.0.0.0:50052",
        "node.toml:5: health is 0.0.0.0:50052, which is no loopback address: write",
    );
    check(node, "127.0.0.1:50052", "127.0.0.1:50051", "node.toml:5: health is 127.0.0.1:50051, as is listen: choose");
    check(node, "tls/ca.pem", "tls/anchors.pem", "node.toml:9: tls.ca is tls/anchors.pem, which can't be read:");
    check(node, "streams = 8", "streams = 0", "node.toml:14: limits.streams is 0: write");
    check(
        node,
        "https://",
        "http://",
        "node.toml:18: endpoint is \"http://127.0.0.1:50061\", which is no https address: write",
    );
    check(node, "50061\"", "50061/x\"", "node.toml:18: endpoint is");
    check(
        node,
        "state = ",
        "datasets = \"sets\"\nstate = ",
        "node.toml:6: datasets is sets, which is no folder: correct",
    );
    check(node, "[limits]", "[limits", "node.toml:13: ");
    let twice = "[[members]]\nbody = \"loda\"\nendpoint = \"https://a.example:1\"\n\n[[members]]";
    check(node, "[[members]]", twice, "node.toml:21: member `loda` stands twice: remove one");
}

#[test]
fn datasets() {
    let file = "datasets/incidents.toml";
    check(
        file,
        "threshold =",
        "treshold =",
        "datasets/incidents.toml:7: unknown key `treshold`: did you mean `threshold`?",
    );
    check(
        file,
        "form = \"statistics\"",
        "form = \"statistic\"",
        "datasets/incidents.toml:5: unknown value `statistic`: did you mean `statistics`?",
    );
    check(file, "threshold = 12", "threshold = 2", "datasets/incidents.toml:7: threshold is 2: write 3 or more");
    check(
        file,
        "kind = \"csv\"",
        "kind = \"excel\"",
        "datasets/incidents.toml:16: unknown value `excel`: known here: parquet, csv",
    );
    check(
        file,
        "column = \"uprn\"",
        "column = \"urn\"",
        "datasets/incidents.toml:12: unit.column is `urn`, which is no published column: add",
    );
    check(
        file,
        "role = \"identifier\"",
        "role = \"dimension\"",
        "datasets/incidents.toml:12: unit.column is `uprn`, which has the role dimension: give",
    );
    check(
        file,
        "column = \"uprn\"",
        "column = \"uprn\"\nrows = true",
        "datasets/incidents.toml:10: [unit] names neither or both of column and rows: write",
    );
    check(
        file,
        "bounds = [0, 10.5]\n",
        "",
        "datasets/incidents.toml:41: column pumps is a measure without bounds: add",
    );
    check(file, "[0, 10.5]", "[11, 10.5]", "datasets/incidents.toml:44: column pumps: bounds are no range: write");
    check(file, "[0, 10.5]", "[0, inf]", "datasets/incidents.toml:44: column pumps: bounds are no range: write");
    check(
        file,
        "decimal(6,2)",
        "varchar",
        "datasets/incidents.toml:42: column pumps is a measure of type varchar: choose",
    );
    check(
        file,
        "decimal(6,2)",
        "decimal(60,2)",
        "datasets/incidents.toml:42: type is \"decimal(60,2)\", which is no column type: write",
    );
    check(
        file,
        "type = \"varchar\"\nrole",
        "type = \"varchar\"\nranges = true\nbounds = [0,1]\nrole",
        "datasets/incidents.toml:32: column borough_gss has bounds, but is no measure: leave",
    );
    check(
        file,
        "name = \"note\"",
        "name = \"note\"\nranges = true",
        "datasets/incidents.toml:48: column note has ranges, but the role hidden: leave",
    );
    check(file, "name = \"note\"", "name = \"year\"", "datasets/incidents.toml:47: column year stands twice: rename");
    check(
        file,
        "year = 2024",
        "yeer = 2024",
        "datasets/incidents.toml:8: coverage names `yeer`, which is no published column: name",
    );
    check(file, "year = 2024", "year = \"last\"", "datasets/incidents.toml:8: coverage of year is no integer: write");
    check(file, "year = 2024", "year = [2024]", "datasets/incidents.toml:8: coverage of year is no integer: write");
    check(
        file,
        "data/incidents.csv",
        "data/gone.csv",
        "datasets/incidents.toml:17: source.path is data/gone.csv, which can't be read:",
    );
    check(
        file,
        "delimiter = \";\"",
        "delimiter = \"; \"",
        "datasets/incidents.toml:18: source.delimiter is \"; \": write",
    );
    check(
        file,
        "'SELECT \"UPRN No\" AS uprn, ward, borough_gss, year, pumps, note FROM source'",
        "' '",
        "datasets/incidents.toml:21: mapping.sql is empty: fill",
    );
    let file = "datasets/stations.toml";
    check(
        file,
        "form =",
        "threshold = 5\nform =",
        "datasets/stations.toml:5: threshold stands in a dataset of form rows: leave",
    );
    check(
        file,
        "form =",
        "recipients = \"members\"\nform =",
        "datasets/stations.toml:5: recipients stands in a dataset of form rows: leave",
    );
    check(
        file,
        "size =",
        "own = \"statistics\"\nsize =",
        "datasets/stations.toml:6: own is statistics, but the form is not: set",
    );
    check(file, "\"1e2\"", "\"100\"", "datasets/stations.toml:6: size is \"100\", which is no power of ten: write");
    check(
        file,
        "name = \"stations\"",
        "name = \"fire stations\"",
        "datasets/stations.toml:1: name is \"fire stations\", which is no name: write",
    );
    check(
        file,
        "kind = \"parquet\"",
        "kind = \"parquet\"\nheader = true",
        "datasets/stations.toml:10: delimiter or header stands in a parquet source: leave",
    );
}

#[test]
fn agreements() {
    let file = "agreements/fire-risk.toml";
    check(
        file,
        "legal_power = \"Fire and Rescue Services Act 2004, section 6\"",
        "legal_power = \"\"",
        "agreements/fire-risk.toml:5: legal_power is empty: fill",
    );
    check(
        file,
        "\"fire-risk-2026\"",
        "\"Fire risk\"",
        "agreements/fire-risk.toml:1: id is \"Fire risk\", which is no identifier: write",
    );
    check(
        file,
        "2026-01-01",
        "2026-02-30",
        "agreements/fire-risk.toml:8: start is \"2026-02-30\", which is no date: write",
    );
    check(
        file,
        "2027-12-31",
        "2026-01-01",
        "agreements/fire-risk.toml:9: the agreement ends on 2026-01-01, not after its start on 2026-01-01: write",
    );
    check(
        file,
        "[\"loda\"]",
        "[\"lodo\"]",
        "agreements/fire-risk.toml:7: recipient `lodo` is no member of the federation: correct",
    );
    check(file, "[\"loda\"]", "[]", "agreements/fire-risk.toml:7: recipients is empty: name");
    check(
        file,
        "\"incidents\"",
        "\"fires\"",
        "agreements/fire-risk.toml:13: the grant names dataset `fires`, which is none of this node's: correct",
    );
    check(
        file,
        "form = \"statistics\"\ncolumns = [\"borough_gss\", \"year\"]\nthreshold = 20",
        "form = \"rows\"",
        "agreements/fire-risk.toml:14: the grant is of rows, and dataset `incidents` gives statistics at most: write",
    );
    check(
        file,
        "\"year\"]",
        "\"yeer\"]",
        "agreements/fire-risk.toml:15: the grant names column `yeer`, which dataset `incidents` has not: name",
    );
    check(
        file,
        "\"year\"]",
        "\"note\"]",
        "agreements/fire-risk.toml:15: the grant names column `note`, which is hidden: leave",
    );
    check(
        file,
        "threshold = 20",
        "threshold = 11",
        "agreements/fire-risk.toml:16: threshold is 11, below the dataset's 12: write",
    );
    check(
        file,
        "threshold = 20",
        "filter = \"year > 2015\"",
        "agreements/fire-risk.toml:16: filter stands in a grant of statistics: leave",
    );
    check(
        file,
        "\"opened >= DATE '2015-01-01'\"",
        "\"opend >= DATE '2015-01-01'\"",
        "agreements/fire-risk.toml:21: dataset stations: filter: ",
    );
    check(
        file,
        "\"opened >= DATE '2015-01-01'\"",
        "\"code\"",
        "agreements/fire-risk.toml:21: dataset stations: filter: it is no predicate",
    );
    check(
        file,
        "form = \"rows\"\nfilter = \"opened >= DATE '2015-01-01'\"",
        "form = \"statistics\"\nthreshold = 10",
        "agreements/fire-risk.toml:20: a grant of statistics needs a unit, and dataset `stations` has none: add",
    );
    check(
        file,
        "filter =",
        "threshold = 30\nfilter =",
        "agreements/fire-risk.toml:21: threshold stands in a grant of rows: leave",
    );
}

#[test]
fn a_dataset_without_its_unit_is_refused() {
    let folder = baseline();
    let text = INCIDENTS.replace("[unit]\nkind = \"dwelling\"\ncolumn = \"uprn\"\nunique = true\n", "");
    write(folder.path(), "datasets/incidents.toml", &text);
    let problems = load(folder.path()).unwrap_err();
    assert!(
        problems[0].starts_with("datasets/incidents.toml:5: form is statistics, but there is no [unit]: add"),
        "{problems:#?}"
    );
}

#[test]
fn what_is_not_shared_by_rows_or_statistics_is_not_granted() {
    for (form, expected) in [("open", "is open and needs no grant"), ("none", "has the form none and can't be granted")]
    {
        let folder = baseline();
        write(folder.path(), "datasets/stations.toml", &STATIONS.replace("\"rows\"", &format!("\"{form}\"")));
        let problems = load(folder.path()).unwrap_err();
        assert!(problems.len() == 1 && problems[0].contains(expected), "{problems:#?}");
    }
}

#[test]
fn names_and_identifiers_stand_once() {
    let folder = baseline();
    write(folder.path(), "datasets/stations_again.toml", STATIONS);
    write(folder.path(), "agreements/z.toml", AGREEMENT);
    let problems = load(folder.path()).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(
        problems[0]
            .starts_with("datasets/stations_again.toml:1: dataset `stations` stands in datasets/stations.toml already")
    );
    assert!(
        problems[1]
            .starts_with("agreements/z.toml:1: agreement `fire-risk-2026` stands in agreements/fire-risk.toml already")
    );
}

#[test]
fn all_problems_of_all_files_are_reported_at_once() {
    let folder = baseline();
    write(folder.path(), "node.toml", &NODE.replace("https", "http").replace("streams = 8", "streams = 0"));
    write(
        folder.path(),
        "datasets/incidents.toml",
        &INCIDENTS.replace("threshold = 12", "threshold = 1").replace("[0, 10.5]", "[1]"),
    );
    write(folder.path(), "datasets/stations.toml", "nmae = 1");
    let problems = load(folder.path()).unwrap_err();
    let files: Vec<&str> = problems.iter().map(|problem| problem.split(": ").next().unwrap()).collect();
    let expected = [
        "node.toml:14",
        "node.toml:18",
        "datasets/incidents.toml:7",
        "datasets/incidents.toml:44",
        "datasets/stations.toml:1",
    ];
    assert_eq!(&files[..5], expected, "{problems:#?}");
}

#[test]
fn a_missing_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let problems = load(folder.path()).unwrap_err();
    assert!(problems[0].starts_with("node.toml:1: the file can't be read:"), "{problems:#?}");
}
