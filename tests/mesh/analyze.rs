//! EXPLAIN ANALYZE asks the question as it is: each body records and releases what it would, and what is told is what the
//! answer and its receipt tell, never what was withheld.

use arrow::array::AsArray;
use serde_json::Value;

use super::support::{Answer, Client, Line, Mesh, until};
use super::tables::with_visits;

const JOINT: &str = "SELECT b.name, SUM(d.households) AS households FROM every.dwellings d JOIN gla.boroughs b \
                     ON d.borough_gss = b.gss GROUP BY b.name";

/// What is told, and the answer that it came in.
fn analysed(client: &mut Client, sql: &str) -> (Value, Answer) {
    let answer = client.statement(&format!("EXPLAIN (ANALYZE, FORMAT JSON) {sql}")).unwrap();
    let lines = answer.batches.iter().flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten());
    (serde_json::from_str(&lines.collect::<String>()).unwrap(), answer)
}

/// Each query that was asked: the body, and what it answered.
fn queries(told: &Value) -> Vec<(&str, &Value)> {
    let asked = told["asked"].as_array().unwrap().iter();
    let queries = asked.flat_map(|remote| remote["queries"].as_array().unwrap());
    queries.map(|query| (query["body"].as_str().unwrap(), &query["answered"])).collect()
}

/// What a body's log says of its part in a query.
#[track_caller]
fn released(mesh: &Mesh, body: &str, query: &str) -> Value {
    let lines = until("the release is in the log", || {
        let lines: Vec<Line> = mesh.records(body).into_iter().filter(|line| line.released() == Some(query)).collect();
        (!lines.is_empty()).then_some(lines)
    });
    assert_eq!(lines.len(), 1, "{lines:?}");
    let release = &lines[0].json["release"];
    ["caller", "on_behalf_of", "purpose", "agreements", "datasets", "rules", "sql"]
        .map(|field| release[field].clone())
        .into_iter()
        .collect()
}

/// The same without times, which may be any number.
fn without_times(mut told: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| !name.ends_with("_ms") && !name.ends_with("_us"));
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    strip(&mut told);
    told
}

#[test]
fn each_body_is_asked_and_its_figures_are_those_of_the_receipt() {
    let mesh = Mesh::small();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let plain = asha.statement(JOINT).unwrap();
    let (told, answer) = analysed(&mut asha, JOINT);
    assert_eq!(told["ran"]["rows"], plain.rows());
    let mut expected: Vec<_> = plain.records().into_iter().filter(|record| record.body != "loda").collect();
    expected.sort_by(|a, b| a.body.cmp(&b.body));
    let mut found = queries(&told);
    found.sort_by_key(|(body, _)| *body);
    assert_eq!(found.len(), expected.len(), "{told}");
    for ((body, answered), record) in found.iter().zip(&expected) {
        assert_eq!(*body, record.body);
        assert_eq!(answered["rows"], record.rows, "{body}: {told}");
        assert_eq!(answered["bytes"], record.bytes, "{body}: {told}");
        assert!(answered["first_ms"].as_u64() <= answered["all_ms"].as_u64() && answered["all_ms"].is_u64(), "{told}");
    }
    // Operators here, over what has arrived.
    let operators = told["ran"]["operators"].as_array().unwrap();
    assert_eq!(operators[0]["rows"], plain.rows(), "{told}");
    let remote = operators.iter().filter(|operator| operator["operator"] == "RemoteExec");
    let arrived: u64 = remote.map(|operator| operator["rows"].as_u64().unwrap()).sum();
    assert_eq!(arrived, expected.iter().map(|record| record.rows).sum::<u64>(), "{told}");
    // Each body, the asker's own included, has recorded the same as for the question, and its receipt is there.
    let (of_plain, of_told) = (plain.records(), answer.records());
    let query = |records: &[meridian_proto::ReleaseRecord]| records[0].query_id.clone();
    assert_eq!(of_told.len(), of_plain.len());
    for record in &expected {
        let logged = |of| released(&mesh, &record.body, &query(of));
        assert_eq!(logged(&of_told), logged(&of_plain), "{}", record.body);
    }
    let own = |of: &[meridian_proto::ReleaseRecord]| of.iter().find(|record| record.body == "loda").unwrap().clone();
    assert_eq!(own(&of_told).datasets, own(&of_plain).datasets);
    assert_eq!(own(&of_told).rules, own(&of_plain).rules);
    assert_eq!(usize::try_from(own(&of_told).rows).unwrap(), answer.rows(), "what left are lines");
}

#[test]
fn people_are_told_the_same_as_programs() {
    let mesh = Mesh::small();
    let text = mesh.run(&["explain", "--", &format!("EXPLAIN ANALYZE {JOINT}")]).ok().to_owned();
    for words in [
        "gla asked",
        "    gla: ",
        "    camden: ",
        "all after",
        "What it came to:",
        "rows of the answer",
        "RemoteExec  ",
    ] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    assert!(!text.contains("would be asked"), "{text}");
    // Without rows that are needed nobody is waited for.
    let text = mesh.run(&["explain", "--", "EXPLAIN ANALYZE SELECT 1 AS n"]).ok().to_owned();
    assert!(text.contains("1 rows of the answer"), "{text}");
}

#[test]
fn what_fails_the_query_fails_it_and_who_may_be_left_out_is() {
    let mesh = Mesh::small();
    mesh.kill("hackney");
    let sql = format!("EXPLAIN ANALYZE {JOINT}");
    assert!(mesh.ask(&sql).fails(1).contains("hackney"));
    let ran = mesh.run(&["query", "--partial", "--format", "csv", "--", &sql]);
    assert!(ran.ok().contains("camden: ") && !ran.ok().contains("hackney: "), "{}", ran.ok());
    assert!(ran.stderr.contains("partial answer") && ran.stderr.contains("hackney"), "{}", ran.stderr);
}

#[test]
fn nothing_tells_how_many_rows_there_are_or_what_was_withheld() {
    // 4,711 visits.
    let mesh = with_visits(&"west,home,2022,10\n".repeat(4_462));
    let sql = "SELECT ward, kind, COUNT(*) AS n, SUM(cost) AS c FROM lfb.visits WHERE year = 2023 GROUP BY ward, kind";
    let li = mesh.analyst("lfb", "li");
    let mut li = mesh.client("lfb", Some(&li));
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    for (client, released) in [(&mut li, true), (&mut asha, false)] {
        let cells = |answer: &Answer| -> usize {
            let figures = answer.batches.iter().flat_map(|batch| batch.columns()[2..].to_vec());
            figures.map(|column| column.len() - column.null_count()).sum()
        };
        let plain = client.statement(sql).unwrap();
        assert_eq!((plain.rows(), cells(&plain)), (6, 4), "{}", plain.text());
        let (told, _) = analysed(client, sql);
        assert_eq!(told["ran"]["rows"], 6, "{told}");
        let here = serde_json::json!([{ "datasets": ["london.lfb.visits"], "visible_cells": 4 }]);
        assert_eq!(told["ran"].get("released"), released.then_some(&here), "{told}");
        let operators = told["ran"]["operators"].as_array().unwrap();
        for operator in operators {
            assert!(operator["rows"].as_u64().is_none_or(|rows| rows == 6), "{told}");
            assert!(!released || operator["compute_us"].is_null(), "{told}");
        }
        if released {
            assert_eq!(
                operators.last().unwrap(),
                &serde_json::json!({ "depth": operators.len() - 1, "operator": "ReleaseExec" })
            );
        }
        let text = without_times(told).to_string();
        assert!(!text.contains("4711"), "{text}");
    }
    // A single cell that is withheld is a row without one.
    let one = "SELECT COUNT(*) AS n FROM lfb.visits WHERE year = 2023 AND ward = 'north' AND kind = 'school'";
    let (told, _) = analysed(&mut li, one);
    assert_eq!((&told["ran"]["rows"], &told["ran"]["released"][0]["visible_cells"]), (&1.into(), &0.into()), "{told}");
    // Another body's node is told nothing of a run, and the brigade sees that it asked.
    let refusals = || mesh.records("lfb").iter().filter(|line| line.json["refusal"].is_object()).count();
    let before = refusals();
    let mut loda = mesh.client("lfb", Some(&mesh.node_pair("loda")));
    let said = loda.remote(&format!("EXPLAIN ANALYZE {sql}")).unwrap_err();
    assert!(said.message().contains("ask the query itself"), "{said}");
    until("the refusal is in the log", || (refusals() > before).then_some(()));
}
