//! Persons' rights end to end: who objects is in no later release, in statistics with the next snapshot; nothing is lost,
//! nothing is ignored, and nothing that is written down names anybody.

mod gla;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::protection::{found, number, text, written_down};
use super::support::{Mesh, meridian, until};
use gla::*;

#[test]
fn who_objects_is_in_no_later_release_and_in_statistics_from_the_next_snapshot() {
    let mesh = prepared();
    mesh.start("gla");
    let mut at_gla = loda(&mesh);
    let own = mesh.analyst("gla", "ann");
    let in_incomes = |mesh: &Mesh| {
        let mut ann = mesh.client("gla", Some(&own));
        let sql = format!("SELECT person_id FROM gla.incomes WHERE person_id = {UNIT}");
        ann.statement(&sql).unwrap().rows()
    };
    assert_eq!(towns(&mut at_gla), [TOWN, "leeds", "york"]);
    let places = "SELECT place FROM gla.visits ORDER BY place";
    assert_eq!(column(&mut at_gla, places), [TOWN, TOWN, "library", "pool"]);
    let of_incomes = "SELECT ward, COUNT(*) AS n, SUM(income) AS total FROM gla.incomes GROUP BY ward";
    let sums = "SELECT ward, SUM(income) AS total FROM gla.incomes GROUP BY ward";
    let (before, sums_before) = (at_gla.remote(of_incomes).unwrap().text(), column(&mut at_gla, sums));
    assert!(before.contains("even"), "{before}");

    let ran =
        rights(&mesh, &["object", "--kind", "person", "--unit", "-", "--reference", "CASE-17", "--reason", "asked"]);
    let said = ran.ok();
    for part in
        ["Entry 1: objection (Article 21)", "1 rows of it", "2 rows of it", "with the next snapshot, on ", "at once"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    until_in_force(&mesh, "people", 1);
    until_in_force(&mesh, "visits", 1);
    assert_eq!(towns(&mut at_gla), ["leeds", "york"]);
    assert_eq!(column(&mut at_gla, places), ["library", "pool"]);
    // No expression of the caller's meets the rows: not in a predicate, not as an error, not in a count.
    for (sql, expected) in [
        (format!("SELECT COUNT(*) FROM gla.people WHERE person_id = {UNIT}"), "0"),
        (format!("SELECT COUNT(*) FROM gla.visits WHERE person_id = {UNIT}"), "0"),
        (format!("SELECT COUNT(*) FROM gla.visits WHERE 1 / (person_id - {UNIT}) > 5"), "0"),
        ("SELECT COUNT(*) FROM gla.visits WHERE length(place) > 8".into(), "0"),
        (
            format!(
                "SELECT COUNT(*) FROM gla.people p JOIN gla.visits v ON p.person_id = v.person_id WHERE place = '{TOWN}'"
            ),
            "0",
        ),
        ("SELECT COUNT(*) FROM gla.visits".into(), "2"),
    ] {
        assert_eq!(column(&mut at_gla, &sql), [expected], "{sql}");
    }
    assert_eq!(at_gla.remote(of_incomes).unwrap().text(), before, "statistics wait");
    assert_eq!(in_incomes(&mesh), 1);
    let (recorded, effects) = logged(&mesh);
    let [recorded] = recorded.as_slice() else { panic!("{recorded:?}") };
    assert_eq!(recorded["right"], "object");
    assert_eq!(recorded["reference"], "CASE-17");
    assert_eq!(recorded["unit_kind"], "person");
    assert_eq!(recorded["datasets"].as_array().unwrap().len(), 3);
    assert!(!effects.iter().any(|(dataset, _)| dataset == "incomes"), "{effects:?}");

    next_snapshot(&mesh);
    until_in_force(&mesh, "incomes", 1);
    assert_eq!(in_incomes(&mesh), 0);
    let mut at_gla = loda(&mesh);
    assert_eq!(towns(&mut at_gla), ["leeds", "york"], "a restart forgets nothing");
    // One unit less is near to what was answered before: the sums don't tell.
    assert_eq!(column(&mut at_gla, sums), sums_before);
    assert_eq!(logged(&mesh).0.len(), 1, "recorded once");
    assert_eq!(audited(&mesh), ["object"]);

    let canaries = [number("the unit", UNIT), text("its town", TOWN), text("the reason", "asked")];
    assert_eq!(found(&canaries[..2], &written_down(&mesh, "gla")), [""; 0]);
    let log = fs::read(mesh.folder("gla").join("state/audit/journal/00000000000000000000")).unwrap();
    assert_eq!(found(&canaries, &log), [""; 0]);
    assert_eq!(found(&canaries, said.as_bytes()), [""; 0]);
}

#[test]
fn a_household_is_all_its_persons_and_what_is_withdrawn_comes_back() {
    let mesh = prepared();
    mesh.start("gla");
    let mut at_gla = loda(&mesh);
    let said = rights_by(&mesh, &["restrict", "--kind", "household", "--unit", " 007"], "");
    assert!(said.ok().contains("2 rows of it"), "{}", said.ok());
    until_in_force(&mesh, "people", 1);
    assert_eq!(towns(&mut at_gla), ["york"]);
    assert_eq!(
        column(&mut at_gla, "SELECT COUNT(*) FROM gla.visits"),
        ["4"],
        "a dataset that does not say who lives where"
    );
    rights_by(&mesh, &["erase", "--kind", "person", "--unit", "3", "--datasets", "people"], "").ok();
    until_in_force(&mesh, "people", 2);
    assert_eq!(towns(&mut at_gla), [""; 0]);
    // The source is read again, and still holds the row.
    people(&mesh, &[("1", "7", "leeds", 40), ("3", "9", "york", 42), ("5", "9", "hull", 50)]);
    until("the file is read again", || (towns(&mut at_gla) == ["hull"]).then_some(()));
    rights_by(&mesh, &["withdraw", "1", "--reference", "CASE-18"], "").ok();
    until_in_force(&mesh, "people", 3);
    // It is on record before it is so.
    until("the unit is back", || (towns(&mut at_gla) == ["hull", "leeds"]).then_some(()));
    let listed = rights_by(&mesh, &["list", "--format", "json", "--all"], "");
    let listed: Value = serde_json::from_str(listed.ok()).unwrap();
    let ended: Vec<&Value> = listed["entries"].as_array().unwrap().iter().map(|entry| &entry["ended_by"]).collect();
    assert_eq!(ended, [&Value::from(3), &Value::Null, &Value::Null]);
    assert_eq!(audited(&mesh), ["restrict", "erase", "withdraw"]);
    let said = rights_by(&mesh, &["withdraw", "1"], "");
    assert!(said.fails(1).contains("no entry 1 stands"), "{}", said.stderr);
}

#[test]
fn a_right_value_overlays_the_source_until_the_source_holds_it() {
    let mesh = prepared();
    mesh.start("gla");
    let mut at_gla = loda(&mesh);
    let stdin = format!("{UNIT}\ntown=bath\nage=17\n");
    rights_by(&mesh, &["rectify", "--dataset", "people", "--unit", "-", "--set", "-", "--until-corrected"], &stdin)
        .ok();
    until_in_force(&mesh, "people", 1);
    // The agreement's filter sees the right age.
    assert_eq!(towns(&mut at_gla), ["leeds", "york"]);
    rights_by(&mesh, &["rectify", "--dataset", "people", "--unit", "3", "--set", "town=hull"], "").ok();
    until_in_force(&mesh, "people", 2);
    assert_eq!(towns(&mut at_gla), ["hull", "leeds"]);
    people(&mesh, &[("1", "7", "leeds", 40), (&UNIT.to_string(), "7", "bath", 17), ("3", "8", "hull", 42)]);
    until_in_force(&mesh, "people", 3);
    // From now on the source is right, whatever it says; the other stands until it is withdrawn.
    people(&mesh, &[("1", "7", "leeds", 40), (&UNIT.to_string(), "7", "wells", 18), ("3", "8", "york", 42)]);
    until("the file is read again", || (towns(&mut at_gla) == ["hull", "leeds", "wells"]).then_some(()));
    let (recorded, _) = logged(&mesh);
    let verbs: Vec<&str> = recorded.iter().map(|right| right["right"].as_str().unwrap()).collect();
    assert_eq!(verbs, ["rectify", "rectify", "corrected"]);
    assert_eq!(audited(&mesh), verbs);
    for (arguments, expected) in [
        (["--dataset", "people", "--unit", "3", "--set", "age=CANARY"], "column age: the value is no integer"),
        (["--dataset", "people", "--unit", "3", "--set", "pay=1"], "column pay: it is not published"),
        (
            ["--dataset", "people", "--unit", "3", "--set", "person_id=1"],
            "column person_id: it tells whom a row is about",
        ),
        (["--dataset", "people", "--unit", "CANARY", "--set", "age=1"], "the unit is no value of the columns"),
        (["--dataset", "boroughs", "--unit", "3", "--set", "inner=true"], "it has no [unit]"),
    ] {
        let ran = rights_by(&mesh, &[&["rectify"], &arguments[..]].concat(), "");
        let said = ran.fails(2);
        assert!(said.contains(expected) && !said.contains("CANARY"), "{said}");
    }
}

#[test]
fn a_report_lists_what_is_held_and_the_releases_that_covered_it_and_nothing_else() {
    let mesh = prepared();
    mesh.start("gla");
    let mut at_gla = loda(&mesh);
    at_gla.remote("SELECT town FROM gla.people WHERE age > 100").unwrap();
    at_gla.remote("SELECT gss FROM gla.boroughs").unwrap();
    at_gla.remote("SELECT SUM(income) AS total FROM gla.incomes").unwrap();
    at_gla.remote("SELECT income FROM gla.incomes").unwrap_err();
    let report = |mesh: &Mesh, more: &[&str]| {
        let arguments = [&["report", "--kind", "person", "--unit", "-", "--format", "json"], more].concat();
        let ran = rights(mesh, &arguments);
        serde_json::from_str::<Value>(ran.ok()).unwrap()
    };
    let listed = |report: &Value, what: &str, field: &str| -> Vec<String> {
        let all = report[what].as_array().unwrap().iter();
        all.map(|one| one[field].as_str().unwrap().to_owned()).collect()
    };
    let file = mesh.dir.join("for-the-person.json");
    let first = report(&mesh, &["--rows", file.to_str().unwrap()]);
    let datasets = ["london.gla.people", "london.gla.incomes"];
    assert_eq!(listed(&first, "releases", "dataset"), datasets, "{first}");
    assert_eq!(listed(&first, "releases", "form"), ["rows", "statistics"]);
    let release = &first["releases"][0];
    assert_eq!(release["caller"], "spiffe://london/body/loda/node");
    assert_eq!(release["purpose"], "fire-risk");
    assert_eq!(release["agreements"], serde_json::json!(["people-2026"]));
    let mut held: Vec<(String, String)> =
        listed(&first, "held", "dataset").into_iter().zip(listed(&first, "held", "held_in")).collect();
    held.sort();
    let expected = [("incomes", "snapshot"), ("incomes", "source"), ("people", "source"), ("visits", "source")];
    assert_eq!(held, expected.map(|(dataset, place)| (dataset.to_owned(), place.to_owned())));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let rows: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let of_people = rows["datasets"].as_array().unwrap().iter().find(|held| held["dataset"] == "people").unwrap();
    assert_eq!(of_people["rows"], serde_json::json!([{"person_id": UNIT, "household_id": 7, "town": TOWN, "age": 41}]));
    assert!(!first.to_string().contains(TOWN), "the report itself has no rows");
    let taken = rights(&mesh, &["report", "--kind", "person", "--unit", "-", "--rows", file.to_str().unwrap()]);
    assert!(taken.fails(1).contains("for-the-person.json"), "no file is overwritten");

    // While it is left out, by a right of its own or of its household, a release does not cover it.
    rights_by(&mesh, &["object", "--kind", "household", "--unit", "7"], "").ok();
    until_in_force(&mesh, "people", 2);
    at_gla.remote("SELECT town FROM gla.people").unwrap();
    at_gla.remote("SELECT COUNT(*) AS n FROM gla.visits").unwrap();
    let second = report(&mesh, &[]);
    let datasets = ["london.gla.people", "london.gla.incomes", "london.gla.visits"];
    assert_eq!(listed(&second, "releases", "dataset"), datasets, "{second}");
    assert_eq!(listed(&second, "rights", "right"), ["object"]);
    rights_by(&mesh, &["withdraw", "2"], "").ok();
    until_in_force(&mesh, "people", 4);
    at_gla.remote("SELECT age FROM gla.people").unwrap();
    assert_eq!(listed(&report(&mesh, &[]), "releases", "dataset").last().unwrap(), "london.gla.people");
    until("every report is in the log", || {
        let (recorded, _) = logged(&mesh);
        let reports = recorded.iter().filter(|right| right["right"] == "report").count();
        (reports == 3).then_some(())
    });
    let text = rights(&mesh, &["report", "--kind", "person", "--unit", "-"]);
    for part in ["rows in its source", "to spiffe://london/body/loda/node", "people-2026", "objection (Article 21)"] {
        assert!(text.ok().contains(part), "{part}: {}", text.ok());
    }
}

#[test]
fn a_list_that_can_not_be_read_stops_the_datasets_concerned() {
    let mesh = prepared();
    mesh.start("gla");
    let mut at_gla = loda(&mesh);
    rights(&mesh, &["object", "--kind", "person", "--unit", "-"]).ok();
    until_in_force(&mesh, "people", 1);
    let path = mesh.folder("gla").join("state/rights.sealed");
    let good = fs::read(&path).unwrap();
    let asked =
        ["SELECT town FROM gla.people", "SELECT place FROM gla.visits", "SELECT COUNT(*) AS n FROM gla.incomes"];
    for (what, bytes) in [
        ("garbage", Some(b"garbage".to_vec())),
        ("a list cut short", Some(good[..good.len() - 3].to_vec())),
        ("no list", None),
    ] {
        match bytes {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        for sql in asked {
            until(&format!("{what} stops {sql}"), || at_gla.remote(sql).err());
        }
        assert!(!column(&mut at_gla, "SELECT gss FROM gla.boroughs").is_empty(), "{what}: others go on");
        let said = rights(&mesh, &["object", "--kind", "person", "--unit", "-"]);
        assert!(said.fails(1).contains("rights.sealed"), "{what}: {}", said.stderr);
        // Nor after a restart, since the log knows that there was an entry.
        mesh.stop("gla");
        mesh.start("gla");
        at_gla = loda(&mesh);
        for sql in asked {
            at_gla.remote(sql).unwrap_err();
        }
        fs::write(&path, &good).unwrap();
        for sql in asked {
            until(&format!("{sql} after {what}"), || at_gla.remote(sql).ok());
        }
        assert_eq!(towns(&mut at_gla), ["leeds", "york"], "{what}");
    }
    // A dataset that no longer says whom its rows are about.
    mesh.stop("gla");
    let file = mesh.folder("gla").join("datasets/visits.toml");
    let visits = fs::read_to_string(&file).unwrap();
    fs::write(&file, visits.replace("[unit]\nkind = \"person\"\ncolumn = \"person_id\"\n", "")).unwrap();
    mesh.start("gla");
    let mut at_gla = loda(&mesh);
    at_gla.remote(asked[1]).unwrap_err();
    assert!(mesh.log("gla").contains("put back its [unit]"), "the operator is told");
    assert_eq!(towns(&mut at_gla), ["leeds", "york"]);
}

#[test]
fn nothing_is_lost_while_the_node_is_down_or_the_command_is_killed() {
    let mesh = prepared();
    let said = rights(&mesh, &["object", "--kind", "person", "--unit", "-", "--datasets", "people"]);
    assert!(said.ok().contains("The log has it."), "{}", said.ok());
    assert_eq!(logged(&mesh).0.len(), 1, "the command writes the log where no node does");
    // Killed at some moment: what it began is whole or not there, and what had been said is kept.
    for delay in [0, 5, 10, 20, 40, 80, 160] {
        let mut child = command(&mesh, &["erase", "--kind", "person", "--unit", "3"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // Somebody else has the log: it is recorded by whoever has it next.
    let log = File::options().append(true).open(mesh.folder("gla").join("state/audit/lock")).unwrap();
    log.lock().unwrap();
    let said = rights_by(&mesh, &["erase", "--kind", "person", "--unit", "1", "--datasets", "visits"], "");
    assert!(said.ok().contains("The node records it"), "{}", said.ok());
    drop(log);
    let listed = rights_by(&mesh, &["list", "--format", "json"], "");
    let listed: Value = serde_json::from_str(listed.ok()).unwrap();
    let numbers: Vec<u64> =
        listed["entries"].as_array().unwrap().iter().map(|entry| entry["number"].as_u64().unwrap()).collect();
    let last = numbers.len() as u64;
    assert_eq!(numbers, (1..=last).collect::<Vec<u64>>());
    mesh.start("gla");
    until_in_force(&mesh, "people", 1);
    until_in_force(&mesh, "visits", last);
    until("all is in the log", || (logged(&mesh).0.len() as u64 == last).then_some(()));
    let mut at_gla = loda(&mesh);
    assert!(!towns(&mut at_gla).contains(&TOWN.to_owned()));
    assert!(!column(&mut at_gla, "SELECT place FROM gla.visits").contains(&"library".to_owned()));
    // A second node of the same state would break the log.
    let second = super::support::Running::start(&mut second_node(&mesh)).end();
    assert!(second.fails(1).contains("is held by another process"), "{}", second.stderr);
}

/// A node with the GLA's state and ports of its own.
fn second_node(mesh: &Mesh) -> Command {
    let file = mesh.folder("gla").join("node.toml");
    let mut node: toml::Table = fs::read_to_string(&file).unwrap().parse().unwrap();
    node.insert("listen".into(), "127.0.0.1:0".into());
    node.insert("health".into(), "127.0.0.1:0".into());
    let other = mesh.folder("gla").join("second.toml");
    fs::write(&other, toml::to_string(&node).unwrap()).unwrap();
    let mut command = meridian();
    command.args(["node", "serve", "--config"]).arg(other);
    command
}

#[test]
fn what_can_not_be_meant_is_said_before_anything_is_done() {
    let mesh = prepared();
    let unit = UNIT.to_string();
    for (arguments, expected) in [
        (vec!["object", "--kind", "person", "--unit", "-", "--datasets", "boroughs"], "dataset boroughs has no [unit]"),
        (
            vec!["object", "--kind", "person", "--unit", "-", "--datasets", "people,nobody"],
            "no dataset \"nobody\" is configured",
        ),
        (
            vec!["object", "--kind", "household", "--unit", "-", "--datasets", "visits"],
            "has no units of kind household, but of person",
        ),
        (vec!["object", "--kind", "dog", "--unit", "-"], "no dataset has units of kind dog; kinds: household, person"),
        (vec!["object", "--kind", "person", "--unit", " "], "the unit is no value"),
        (vec!["object", "--kind", "person", "--unit", "-", "--reference", &unit], "--reference names the unit"),
        (
            vec!["object", "--kind", "person", "--unit", "-", "--reference", "Mrs Jones"],
            "--reference is no case number",
        ),
        (vec!["report", "--kind", "person", "--unit", "x"], "the unit is no value"),
    ] {
        let ran = rights(&mesh, &arguments);
        let said = ran.fails(2);
        assert!(said.contains(expected) && !said.contains(&unit), "{said}");
    }
    let empty = rights_by(&mesh, &["object", "--kind", "person", "--unit", "-"], "");
    assert!(empty.fails(2).contains("standard input holds no unit"), "{}", empty.stderr);
    assert!(!mesh.folder("gla").join("state/rights.sealed").exists());
    assert_eq!(rights_by(&mesh, &["list"], "").ok(), "Nothing stands.\n");
}
