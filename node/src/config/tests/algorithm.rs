//! Records of algorithms: what is said about wrong ones, and that a good one is read.

use super::*;

const FILE: &str = "algorithms/visits.toml";
const SQL: &str = "SELECT borough_gss, COUNT(*) AS n FROM incidents GROUP BY borough_gss\n";

const RECORD: &str = r#"id = "visits"
sql = "visits.sql"
datasets = ["lfb.incidents", "loda.plans", "every.dwellings"]

[overview]
name = "Visits"
description = "Where visits are needed"
contact_email = "data@lfb.example"

[owner]
organisation = "London Fire Brigade"
team = "Prevention"
senior_responsible_owner = "Head of prevention"
third_party_involvement = "None"

[rationale]
detailed_description = "It counts"
benefits = "Visits go where fires are"

[decisions]
process_integration = "One input of three"
human_decisions_and_review = "A board reads it"
appeals_and_review = "Ask the contact"

[tool]
system_architecture = "One query"
phase = "Production"

[data]
data_description = "Incidents"

[risks]
impact_assessment = "DPIA 1"
risks_and_mitigations = "Few"
"#;

#[track_caller]
fn refused(from: &str, to: &str, expected: &str) {
    let folder = baseline();
    write(folder.path(), "algorithms/visits.sql", SQL);
    assert!(RECORD.contains(from), "{from}");
    write(folder.path(), FILE, &RECORD.replacen(from, to, 1));
    let problems = load(folder.path()).expect_err(to);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    let expected = format!("{FILE}:{expected}");
    assert!(problems[0].starts_with(&expected), "found    {}\nexpected {expected}", problems[0]);
}

#[test]
fn a_record_has_what_the_standard_asks_for() {
    let folder = baseline();
    write(folder.path(), "algorithms/visits.sql", SQL);
    write(folder.path(), FILE, RECORD);
    let config = load(folder.path()).unwrap();
    let [algorithm] = &config.algorithms[..] else { panic!("{:?}", config.algorithms) };
    assert_eq!((algorithm.id.as_str(), algorithm.sections.len(), algorithm.datasets.len()), ("visits", 7, 3));
    assert_eq!(algorithm.sections.iter().map(|section| section.tier).collect::<Vec<_>>(), [1, 2, 2, 2, 2, 2, 2]);
    assert_eq!(algorithm.sections[0].fields[0], ("name", "Name", "Visits".to_owned()));
}

#[test]
fn wrong_records() {
    refused("id = \"visits\"", "id = \"Visits\"", "1: id is \"Visits\", which is no identifier: write");
    refused("visits.sql", "other.sql", "2: sql is ");
    refused("lfb.incidents", "lfb.nothing", "3: datasets names `nothing`, which is none of this node's: correct");
    refused("loda.plans", "nobody.plans", "3: datasets names a dataset of `nobody`, which is no member of");
    refused("loda.plans", "plans", "3: datasets names \"plans\", which is no dataset: write");
    refused("team = \"Prevention\"\n", "", "1: [owner] lacks `team` (team): add it");
    refused("team = \"Prevention\"", "team = \" \"", "12: team is empty: fill");
    refused("phase = ", "fase = \"x\"\nphase = ", "27: unknown key `fase` in [tool]: known here: system_architecture,");
    refused("[risks]", "[riks]", "32: unknown key `riks`: did you mean `risks`?");
    refused("id = \"visits\"", "id = \"visits\"\nmodel = \"x\"", "2: unknown key `model`: ");
}

#[test]
fn the_query_is_one() {
    let folder = baseline();
    write(folder.path(), "algorithms/visits.sql", "DROP TABLE incidents");
    write(folder.path(), FILE, RECORD);
    let problems = load(folder.path()).unwrap_err();
    assert!(problems[0].starts_with(&format!("{FILE}:2: ")) && problems[0].contains("visits.sql: "), "{problems:?}");
}
