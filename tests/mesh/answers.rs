//! The questions of the demo, in every format, with their receipts; what is withheld is unknown and never 0.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Cursor;

use arrow::ipc::reader::StreamReader;
use meridian_examples::london::queries;
use serde_json::Value;

use super::support::{Mesh, Ran, python, scratch};

/// The bodies that a question draws on, the asker's own included.
fn bodies_of<'a>(mesh: &'a Mesh, sql: &str) -> BTreeSet<&'a str> {
    // Payments are published by the GLA and the brigade, too; every other standard is the boroughs' alone.
    let (every, payments) = (sql.contains("every."), sql.contains("every.spend"));
    let named = |body: &str| body == "loda" || payments || sql.contains(&format!("london.{body}."));
    mesh.bodies().filter(|body| named(body) || (every && mesh.boroughs().any(|borough| borough == *body))).collect()
}

/// The body of each record of a receipt on stderr, from the table below its heading.
fn named_in_receipt(said: &str) -> Vec<&str> {
    let table = said.lines().skip_while(|line| !line.starts_with("Receipt ")).skip(2);
    table.map_while(|line| line.strip_prefix("  ")).filter_map(|line| line.split_whitespace().next()).collect()
}

#[test]
fn every_question_of_the_demo_is_answered_with_a_receipt_of_every_body() {
    let mesh = Mesh::shared();
    for query in queries() {
        let file = mesh.dir.join("queries").join(format!("{}.sql", query.name));
        let ran = mesh.run(&["query", "--format", "csv", "-f", file.to_str().unwrap()]);
        assert!(ran.csv().len() > 1, "{} has no rows", query.name);
        let expected = bodies_of(mesh, query.sql);
        let named = named_in_receipt(&ran.stderr);
        assert_eq!(named.iter().copied().collect::<BTreeSet<_>>(), expected, "{}: {}", query.name, ran.stderr);
        let heading = format!("{} releases, all signatures hold", named.len());
        assert!(ran.stderr.contains(&heading), "{}: {}", query.name, ran.stderr);
    }
    mesh.assert_sound();
}

#[test]
fn every_question_of_the_demo_is_answered_as_another_engine_answers_it() {
    let mesh = Mesh::shared();
    let answers = scratch("answers");
    let mut arguments = vec![mesh.dir.to_str().unwrap().to_owned()];
    for query in queries() {
        let answer = answers.join(format!("{}.csv", query.name));
        fs::write(&answer, mesh.ask(query.sql).ok()).unwrap();
        arguments.extend([query.name.to_owned(), answer.to_str().unwrap().to_owned()]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    python("generated.py", &arguments).ok();
}

/// How many rows an answer has in its format.
fn rows(ran: &Ran, format: &str) -> usize {
    let printed = || ran.ok();
    match format {
        "csv" => printed().lines().count() - 1,
        // A heading and a rule.
        "table" | "markdown" => printed().lines().count() - 2,
        "json" => serde_json::from_str::<Vec<Value>>(printed()).unwrap().len(),
        "jsonl" => printed().lines().filter(|line| serde_json::from_str::<Value>(line).unwrap().is_object()).count(),
        "arrow" => {
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            let reader = StreamReader::try_new(Cursor::new(&ran.stdout), None).unwrap();
            reader.map(|batch| batch.unwrap().num_rows()).sum()
        }
        other => panic!("{other}"),
    }
}

#[test]
fn all_formats_hold_the_same_rows() {
    let mesh = Mesh::shared();
    for query in queries().iter().step_by(3) {
        let file = mesh.dir.join("queries").join(format!("{}.sql", query.name));
        let count =
            |format: &&str| rows(&mesh.run(&["query", "--format", format, "-f", file.to_str().unwrap()]), format);
        let counts: Vec<usize> = ["table", "csv", "json", "jsonl", "markdown", "arrow"].iter().map(count).collect();
        assert!(counts[0] > 0 && counts.iter().all(|count| *count == counts[0]), "{}: {counts:?}", query.name);
    }
}

#[test]
fn an_answer_without_rows_has_its_heading() {
    let mesh = Mesh::shared();
    let sql = "SELECT gss, name FROM gla.boroughs WHERE gss = 'none'";
    assert_eq!(mesh.ask(sql).ok(), "gss,name\n");
    assert_eq!(mesh.run(&["query", "--format", "json", sql]).ok().trim(), "[]");
    assert_eq!(mesh.run(&["query", "--format", "jsonl", sql]).ok(), "");
}

#[test]
fn explain_names_each_body_and_the_sql_that_it_would_get() {
    let mesh = Mesh::shared();
    let fire_risk = &queries()[0];
    let file = mesh.dir.join("queries/fire_risk.sql");
    let explained = mesh.run(&["explain", "-f", file.to_str().unwrap()]);
    let text = explained.ok();
    for body in bodies_of(mesh, fire_risk.sql).iter().filter(|body| **body != "loda") {
        assert!(text.contains(body), "{body} is not named in\n{text}");
    }
    let upper = text.to_uppercase();
    for words in ["SELECT", "GROUP BY", "STATISTICS", "OPEN", "BOROUGH_GSS"] {
        assert!(upper.contains(words), "{words} is not in\n{text}");
    }
    assert!(text.contains("2019") && text.contains("2023"), "the filter goes down to the brigade:\n{text}");
}

#[test]
fn explain_tells_programs_the_same_as_people() {
    let mesh = Mesh::shared();
    let sql = queries()[0].sql;
    let text = mesh.run(&["explain", "--format", "json", "--", sql]).ok().to_owned();
    let json: Value = serde_json::from_str(&text).unwrap();
    let asked = json["asked"].as_array().unwrap();
    let of = |body: &str| {
        let queries = |remote: &Value| remote["queries"].as_array().unwrap().clone();
        let found = asked.iter().find(|remote| queries(remote).iter().any(|query| query["body"] == body));
        found.unwrap_or_else(|| panic!("{body} is not asked in {text}"))
    };
    assert_eq!(of("lfb")["form"], "statistics");
    assert_eq!(of("lfb")["datasets"], serde_json::json!(["london.lfb.incidents"]));
    assert_eq!(of("lfb")["leaves"]["columns"], serde_json::json!(["borough_gss", "count(*)"]));
    assert_eq!(of("gla")["form"], "open");
    let bodies: usize = asked.iter().map(|remote| remote["queries"].as_array().unwrap().len()).sum();
    assert_eq!(bodies, 35, "{text}");
    let people = mesh.run(&["explain", "--", sql]).ok().to_owned();
    for remote in asked {
        let sql = remote["queries"][0]["sql"].as_str().unwrap();
        assert!(people.contains(sql), "{sql} is not in\n{people}");
    }
    for kept in ["notices", "rejected", "plan"] {
        let lines = json[kept].as_array().unwrap();
        assert!(lines.iter().all(|line| people.contains(line.as_str().unwrap())), "{kept}: {lines:?}\n{people}");
    }
    assert!(!json["plan"].as_array().unwrap().is_empty());
    // Any client may ask so.
    let sql = "EXPLAIN (FORMAT JSON) SELECT gss FROM gla.boroughs";
    let rows = mesh.run(&["query", "--format", "json", sql]).ok().to_owned();
    let rows: Vec<Value> = serde_json::from_str(&rows).unwrap();
    let inner: String = rows.iter().map(|row| row["plan"].as_str().unwrap()).collect();
    let inner: Value = serde_json::from_str(&inner).unwrap();
    assert_eq!(inner["asked"][0]["queries"][0]["body"], "gla");
}

#[test]
fn explain_asks_nobody() {
    let mesh = Mesh::small();
    let asked = |body| mesh.records(body).len();
    let before: Vec<usize> = ["gla", "lfb", "camden"].map(asked).into();
    mesh.run(&["explain", "--", queries()[0].sql]).ok();
    assert_eq!(["gla", "lfb", "camden"].map(asked).to_vec(), before);
    mesh.ask(queries()[0].sql).ok();
    assert!(["gla", "lfb", "camden"].map(asked).iter().zip(&before).all(|(after, before)| after > before));
}

#[test]
fn the_catalogue_lists_what_one_may_see() {
    let mesh = Mesh::shared();
    let listed = mesh.run(&["catalogue", "--format", "jsonl"]);
    let listed: Vec<Value> = listed.ok().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let columns: BTreeMap<&str, &str> =
        listed.iter().map(|entry| (entry["dataset"].as_str().unwrap(), entry["columns"].as_str().unwrap())).collect();
    assert!(columns["london.gla.boroughs"].starts_with("gss varchar, name varchar"), "{columns:?}");
    assert!(columns["london.lfb.incidents"].contains("borough_gss"), "{columns:?}");
    for hidden in ["easting", "northing", "incident_date"] {
        assert!(!columns["london.lfb.incidents"].contains(hidden), "{hidden} is listed");
    }
    assert!(columns["london.every.dwellings"].contains("households"), "{columns:?}");
    for borough in mesh.boroughs() {
        assert!(columns.contains_key(format!("london.{borough}.dwellings").as_str()), "{borough}");
    }
    let of_one = mesh.run(&["catalogue", "--format", "csv", "--body", "lfb"]);
    let of_one: Vec<String> = of_one.csv().into_iter().skip(1).map(|row| row[0].to_owned()).collect();
    assert_eq!(of_one, ["london.lfb.incidents", "london.lfb.spend", "london.lfb.stations"]);
}

#[test]
fn a_total_over_a_withheld_part_is_unknown_and_not_a_smaller_number() {
    let mesh = Mesh::shared();
    // The City has seven detached homes: fewer than a released cell counts.
    let sql = "SELECT SUM(households) AS households FROM every.dwellings WHERE accommodation_type = 'detached'";
    assert_eq!(mesh.ask(sql).csv(), [["households"], [""]], "one row, and its cell is empty");
    let shown = mesh.run(&["query", "--format", "table", sql]);
    assert!(shown.ok().contains("(withheld)"), "{}", shown.ok());
    assert!(shown.stderr.contains("never 0"), "{}", shown.stderr);
    let json = mesh.run(&["query", "--format", "json", sql]);
    assert_eq!(serde_json::from_str::<Value>(json.ok()).unwrap()[0]["households"], Value::Null);
}

#[test]
fn what_is_computed_from_an_unknown_is_unknown() {
    let mesh = Mesh::shared();
    let sql = "SELECT 2 * SUM(households) AS twice, SUM(households) > 0 AS any_at_all, COUNT(*) AS homes \
               FROM every.dwellings WHERE accommodation_type = 'detached'";
    let ran = mesh.ask(sql);
    assert_eq!(ran.csv()[1], ["", "", ""], "{}", ran.ok());
}

#[test]
fn a_choice_among_released_cells_is_no_choice_of_rows() {
    let mesh = Mesh::shared();
    let implied = mesh.ask(
        "SELECT b.gss, f.fires FROM gla.boroughs b JOIN (SELECT borough_gss, COUNT(*) AS fires FROM lfb.incidents \
         GROUP BY borough_gss) f ON f.borough_gss = b.gss WHERE b.gss > 'E09000030'",
    );
    assert_eq!(implied.csv().len(), 4, "{}", implied.ok());
    let having = mesh.ask(
        "SELECT property_type, COUNT(*) AS fires FROM lfb.incidents GROUP BY 1 HAVING property_type LIKE 'House %'",
    );
    assert!(
        having.csv().len() > 1 && having.csv()[1..].iter().all(|row| row[0].starts_with("House ")),
        "{}",
        having.ok()
    );
}

#[test]
fn withheld_cells_come_last_and_totals_over_cells_say_so() {
    let mesh = Mesh::shared();
    let most = mesh.ask("SELECT accommodation_type, hmo, COUNT(*) AS homes FROM every.dwellings GROUP BY 1, 2 ORDER BY homes DESC LIMIT 1");
    assert_eq!(most.csv()[1][..2], ["flat", "none"], "{}", most.ok());
    let total = mesh.ask("SELECT SUM(fires) FROM (SELECT year, COUNT(*) AS fires FROM lfb.incidents GROUP BY year)");
    assert!(total.stderr.contains("released cells"), "{}", total.stderr);
}

#[test]
fn groups_that_every_body_released_are_whole_and_the_others_unknown() {
    let mesh = Mesh::shared();
    let by_borough = mesh.ask(
        "SELECT borough_gss, accommodation_type, SUM(households) AS households FROM every.dwellings \
         GROUP BY borough_gss, accommodation_type",
    );
    let mut parts: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for row in &by_borough.csv()[1..] {
        parts.entry(row[1]).or_default().push(row[2].parse().expect("a released cell has its number"));
    }
    let city: Vec<_> = by_borough.csv().into_iter().filter(|row| row[0] == "E09000001").collect();
    assert!(city.iter().all(|row| row[1] != "detached" && row[1] != "mobile"), "{city:?}");

    let totals = mesh.ask(
        "SELECT accommodation_type, SUM(households) AS households FROM every.dwellings GROUP BY accommodation_type",
    );
    let totals: BTreeMap<&str, &str> = totals.csv()[1..].iter().map(|row| (row[0], row[1])).collect();
    for (kind, parts) in parts {
        let total = totals.get(kind).copied().unwrap_or_default();
        if parts.len() == 33 {
            assert_eq!(total, parts.iter().sum::<u64>().to_string(), "{kind}");
        } else {
            assert_eq!(total, "", "{kind} is not known everywhere, and so not in all");
        }
    }
    assert!(!totals["flat"].is_empty() && !totals["terraced"].is_empty(), "{totals:?}");
}

#[test]
fn a_total_over_known_parts_only_is_whole() {
    let mesh = Mesh::shared();
    // Every borough but the City: its coverage says that it has no part in the answer.
    let sql = "SELECT SUM(households) AS households FROM every.dwellings \
               WHERE accommodation_type = 'detached' AND borough_gss IN ('E09000007', 'E09000012')";
    // Camden 1,564 + 14 + 6 and Hackney 1,367 + 51 + 15: Census 2021; each with noise of at most five dwellings of ten.
    let households: i64 = mesh.ask(sql).csv()[1][0].parse().unwrap();
    assert!((households - 3017).abs() <= 100, "{households}");
}

#[test]
fn a_question_about_nothing_counts_nothing() {
    let mesh = Mesh::shared();
    assert_eq!(mesh.ask("SELECT COUNT(*) AS n FROM gla.boroughs WHERE gss = 'none'").ok(), "n\n0\n");
    // Of protected rows that is not told from a few.
    let few = mesh.ask("SELECT COUNT(*) AS n FROM lfb.incidents WHERE property_type = 'Royal Palace'");
    assert_eq!(few.csv(), [["n"], [""]]);
}

#[test]
fn sql_comes_from_a_file_from_standard_input_and_with_its_purpose() {
    let mesh = Mesh::shared();
    let sql = "SET purpose = 'fire-risk';\nSELECT COUNT(*) > 80000 AS many FROM lfb.incidents";
    assert_eq!(mesh.ask(sql).ok(), "many\ntrue\n");
    let other = mesh.ask("SET purpose = 'curiosity'; SELECT COUNT(*) FROM lfb.incidents");
    let said = other.fails(1);
    assert!(said.contains("lfb") && said.contains("curiosity") && said.contains("fire-risk"), "{said}");
}
