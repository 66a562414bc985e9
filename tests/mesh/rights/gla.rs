//! The GLA whose datasets persons have rights over, and what is asked of it.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use serde_json::Value;

use crate::protection::{found, number, text};
use crate::support::{Client, Mesh, Ran, chained, described, meridian, parquet, until};

/// Whoever objects.
pub(super) const UNIT: i64 = 7_733_104_711_000_291;
pub(super) const TOWN: &str = "CANARY-TOWN";
/// Units of the statistics.
pub(super) const STATISTICS: i64 = 60;

pub(super) const PEOPLE: &str = r#"
name = "people"
title = "People"
description = "Tests"
licence = "OGL-UK-3.0"
form = "rows"
[unit]
kind = "person"
column = "person_id"
belongs_to = { kind = "household", column = "household_id" }
[source]
kind = "csv"
path = "data/people.csv"
"#;

pub(super) const VISITS: &str = r#"
name = "visits"
title = "Visits"
description = "Tests"
licence = "OGL-UK-3.0"
form = "open"
[unit]
kind = "person"
column = "person_id"
[source]
kind = "parquet"
path = "data/visits.parquet"
"#;

pub(super) const INCOMES: &str = r#"
name = "incomes"
title = "Incomes"
description = "Tests"
licence = "OGL-UK-3.0"
form = "statistics"
recipients = "members"
as_of = "monthly"
[unit]
kind = "person"
column = "person_id"
unique = true
[source]
kind = "csv"
path = "data/incomes.csv"
"#;

pub(super) const AGREEMENT: &str = r#"
id = "people-2026"
title = "People"
purpose = "fire-risk"
benefit = "Tests"
legal_power = "Tests"
lawful_basis = "Tests"
recipients = ["loda"]
start = "2020-01-01"
end = "2099-12-31"
contact = "data@gla.example"
[[grants]]
dataset = "people"
form = "rows"
filter = "age >= 18"
"#;

/// The GLA with three more datasets: live rows under an agreement, open Parquet, and statistics by the month.
pub(super) fn prepared() -> Mesh {
    let mesh = Mesh::prepared();
    let folder = mesh.folder("gla");
    let (person, household) = ("person_id bigint identifier", "household_id bigint identifier");
    let income = "income integer measure\nbounds = [0, 100000]\nprecision = 100";
    for (name, file, columns) in [
        ("people", PEOPLE, &[person, household, "town varchar dimension", "age integer dimension"][..]),
        ("visits", VISITS, &[person, "place varchar dimension"]),
        ("incomes", INCOMES, &[person, "ward varchar dimension", income]),
    ] {
        fs::write(folder.join(format!("datasets/{name}.toml")), format!("{file}{}", described(columns))).unwrap();
    }
    fs::create_dir_all(folder.join("agreements")).unwrap();
    fs::write(folder.join("agreements/people-2026.toml"), AGREEMENT).unwrap();
    fs::create_dir_all(folder.join("data")).unwrap();
    people(
        &mesh,
        &[("1", "7", "leeds", 40), (&UNIT.to_string(), "7", TOWN, 41), ("3", "8", "york", 42), ("4", "8", "child", 9)],
    );
    let mut incomes = String::from("person_id,ward,income\n");
    for person in 1..STATISTICS {
        incomes.push_str(&format!(
            "{person},{},{}\n",
            if person % 2 == 0 { "even" } else { "odd" },
            20_000 + 371 * person
        ));
    }
    incomes.push_str(&format!("{UNIT},even,31000\n"));
    fs::write(folder.join("data/incomes.csv"), incomes).unwrap();
    let id: ArrayRef = Arc::new(Int64Array::from(vec![1, UNIT, UNIT, 3]));
    let place: ArrayRef = Arc::new(StringArray::from(vec!["library", TOWN, TOWN, "pool"]));
    let visits = RecordBatch::try_from_iter([("person_id", id), ("place", place)]).unwrap();
    parquet(&folder.join("data/visits.parquet"), &visits);
    mesh
}

pub(super) fn people(mesh: &Mesh, rows: &[(&str, &str, &str, u32)]) {
    let mut text = String::from("person_id,household_id,town,age\n");
    for (person, household, town, age) in rows {
        text.push_str(&format!("{person},{household},{town},{age}\n"));
    }
    let path = mesh.folder("gla").join("data/people.csv");
    let made = path.with_extension("new");
    fs::write(&made, text).unwrap();
    fs::rename(made, path).unwrap();
}

/// LODA's node at the GLA's.
pub(super) fn loda(mesh: &Mesh) -> Client {
    mesh.client("gla", Some(&mesh.node_pair("loda")))
}

pub(super) fn towns(client: &mut Client) -> Vec<String> {
    column(client, "SELECT town FROM gla.people ORDER BY town")
}

pub(super) fn column(client: &mut Client, sql: &str) -> Vec<String> {
    let text = client.remote(sql).unwrap_or_else(|status| panic!("{sql}: {status}")).text();
    let cells = text.lines().filter_map(|line| line.strip_prefix('|')).skip(1);
    cells.map(|cell| cell.trim_end_matches('|').trim().to_owned()).collect()
}

/// `meridian rights …` at the GLA, with this on standard input.
pub(super) fn command(mesh: &Mesh, arguments: &[&str]) -> Command {
    let mut command = meridian();
    let (verb, rest) = arguments.split_first().unwrap();
    command.args(["rights", verb, "--config"]).arg(mesh.folder("gla").join("node.toml")).args(rest);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(super) fn rights_by(mesh: &Mesh, arguments: &[&str], stdin: &str) -> Ran {
    let mut child = command(mesh, arguments).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    Ran::of(child.wait_with_output().unwrap())
}

/// The same about whoever objects.
pub(super) fn rights(mesh: &Mesh, arguments: &[&str]) -> Ran {
    rights_by(mesh, arguments, &format!("{UNIT}\n"))
}

/// The rights that the GLA's log tells of, and those that it says are in force: dataset and number.
pub(super) fn logged(mesh: &Mesh) -> (Vec<Value>, Vec<(String, u64)>) {
    let lines = mesh.records("gla");
    chained(&lines);
    let rights = lines.iter().map(|line| line.json["right"].clone()).filter(Value::is_object).collect();
    let effects = lines.iter().filter(|line| line.json["effect"].is_object()).flat_map(|line| {
        let effect = &line.json["effect"];
        let dataset = effect["dataset"].as_str().unwrap().to_owned();
        let numbers: Vec<u64> =
            effect["rights"].as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect();
        numbers.into_iter().map(move |number| (dataset.clone(), number))
    });
    (rights, effects.collect())
}

/// The rights that the GLA's log tells of, each read as the officer reads it, with `meridian audit show`.
pub(super) fn audited(mesh: &Mesh) -> Vec<String> {
    let canaries = [number("the unit", UNIT), text("its town", TOWN)];
    let mut verbs = Vec::new();
    for line in mesh.records("gla") {
        let (right, effect) = (&line.json["right"], &line.json["effect"]);
        if !right.is_object() && !effect.is_object() {
            continue;
        }
        let words = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Array(all) => {
                all.iter().map(|one| one.as_str().map_or(one.to_string(), str::to_owned)).collect::<Vec<_>>().join(", ")
            }
            other => other.to_string(),
        };
        let item = |name: &str, value: &Value| format!("  {name:<10} {}\n", words(value));
        let mut expected = vec![item("hash", &Value::from(line.hash.clone()))];
        if right.is_object() {
            verbs.push(words(&right["right"]));
            expected.push(format!("right exercised: {}\n", words(&right["right"])));
            expected.extend([item("entry", &right["number"]), item("unit", &right["unit_kind"])]);
            expected.push(item("datasets", &right["datasets"]));
            expected.extend(right["reference"].as_str().map(|case| item("reference", &case.into())));
            expected.extend(right["ends"].as_u64().map(|of| item("ends", &format!("entry {of}").into())));
        } else {
            expected.push("rights in force\n".to_owned());
            expected.extend([item("dataset", &effect["dataset"]), item("entries", &effect["rights"])]);
        }
        let mut command = meridian();
        command.args(["audit", "show", &line.json["index"].to_string(), "--config"]);
        let shown = Ran::of(command.arg(mesh.folder("gla").join("node.toml")).output().unwrap());
        for words in expected {
            assert!(shown.ok().contains(&words), "{words} is not in\n{}", shown.ok());
        }
        assert_eq!(found(&canaries, shown.ok().as_bytes()), [""; 0], "{}", shown.ok());
    }
    verbs
}

pub(super) fn until_in_force(mesh: &Mesh, dataset: &str, number: u64) {
    until(&format!("entry {number} is in force in {dataset}"), || {
        logged(mesh).1.contains(&(dataset.to_owned(), number)).then_some(())
    });
}

/// The month ends: the snapshot that is there does not count, and the node takes the next one.
pub(super) fn next_snapshot(mesh: &Mesh) {
    mesh.stop("gla");
    fs::remove_dir_all(mesh.folder("gla").join("state/snapshots")).unwrap();
    mesh.start("gla");
}
