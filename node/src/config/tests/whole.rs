//! A whole configuration: what is read, and problems of several files.

use meridian_proto::{Coverage, Covers, Form};

use super::*;
use crate::sources::{CsvFormat, SourceKind};

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
    assert_eq!(incidents.source.kind, SourceKind::Csv(CsvFormat { delimiter: b';', ..CsvFormat::default() }));
    let covers = |column: &str, value: &str| Coverage { column: name(column), covers: Covers::Value(value.into()) };
    assert_eq!(incidents.dataset.coverage, [covers("borough_gss", "E09000007"), covers("year", "2024")]);

    let stations = config.dataset("stations").unwrap();
    assert_eq!((stations.own, stations.sized, stations.dataset.size_class), (Form::Rows, true, 2));
    let agreement = &config.agreements[0];
    assert_eq!((agreement.id.as_str(), agreement.recipients[0].slug().as_str()), ("fire-risk-2026", "loda"));
    assert_eq!(agreement.grants[0].threshold, Some(20));
    assert!(agreement.grants[1].filter.as_ref().unwrap().starts_with("opened"));
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
