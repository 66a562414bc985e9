//! Metadata and bytes: what travels beside an answer, and what buffers hold beyond their rows.

use arrow_flight::sql::{CommandGetDbSchemas, CommandGetTables, ProstMessageExt};
use meridian_proto::DESCRIBE_ACTION;

use super::attacker::Attacker;
use super::town::{self, Person, Published};
use crate::support::{remote_ticket, statement, until};

/// What no caller may have: of everybody, in a hidden column.
const HIDDEN: &str = "NOTE-";

pub(super) fn datasets() -> Vec<Published> {
    let columns = [("id", "bigint", "role = \"dimension\""), ("label", "varchar", "role = \"dimension\"")];
    let mut csv = "id,label\n".to_owned();
    for id in 0..50 {
        csv += &format!("{id},LABEL-{id:03}-LONGER-THAN-TWELVE-BYTES\n");
    }
    vec![
        Published::people("many", &people()),
        Published::people("fewer", &people()[..300]),
        Published::new("labels", "", &columns, csv).in_form("open"),
    ]
}

fn people() -> Vec<Person> {
    town::people(51, 900)
}

/// Gains nothing: EXPLAIN says of nine hundred people what it says of three hundred, and with ANALYZE a peer is told nothing.
#[test]
fn explain_analyze_and_statistics() {
    let mut attacker = Attacker::new();
    for sql in [
        "EXPLAIN ANALYZE SELECT * FROM lfb.many",
        "EXPLAIN VERBOSE SELECT * FROM lfb.many",
        "EXPLAIN FORMAT TREE SELECT note FROM lfb.many",
    ] {
        attacker.ask(sql).expect_err(sql);
    }
    let query = "SELECT street, age, COUNT(*) AS n, SUM(income) AS s FROM lfb.@ WHERE ill GROUP BY street, age";
    for explain in ["EXPLAIN ANALYZE", "EXPLAIN ANALYZE VERBOSE", "EXPLAIN (ANALYZE)", "EXPLAIN (ANALYZE, FORMAT JSON)"]
    {
        let said = attacker.refusal(&format!("{explain} {query}").replace('@', "many"));
        assert!(said.starts_with("PermissionDenied") && said.contains("own analysts"), "{said}");
    }
    let mut told = Vec::new();
    for explain in ["EXPLAIN", "EXPLAIN VERBOSE", "EXPLAIN (ANALYZE OFF)"] {
        for name in ["many", "fewer"] {
            let Ok(lines) = attacker.ask(&format!("{explain} {query}").replace('@', name)) else { continue };
            told.push(
                lines
                    .into_iter()
                    .map(|row| row[0].clone().unwrap().replace(&format!("lfb.{name}"), "@"))
                    .collect::<Vec<_>>(),
            );
        }
    }
    assert!(told.len() >= 2 && told.iter().all(|lines| *lines == told[0]), "{told:?}");
    assert!(!told[0].concat().contains(HIDDEN) && !told[0].concat().contains("elapsed"), "{told:?}");
}

/// Gains nothing: what one body released does not go to another as the bounds of a join or as its keys.
#[test]
fn dynamic_filter_bounds() {
    let mesh = super::mesh();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let sql = "SELECT w.ward, w.name, t.n FROM camden.wards AS w JOIN (SELECT ward, COUNT(*) AS n FROM lfb.many WHERE ill \
               GROUP BY ward HAVING COUNT(*) > 20) AS t ON t.ward = w.ward";
    let answer = asha.statement(sql).unwrap();
    assert!(answer.rows() > 0, "{}", answer.text());
    for record in answer.records().iter().filter(|record| record.body == "camden") {
        let asked = record.sql.to_uppercase();
        assert!(!asked.contains("WHERE") && !asked.contains(" IN ") && !asked.contains("BETWEEN"), "{}", record.sql);
    }
    assert!(answer.records().iter().any(|record| record.body == "camden"));
}

/// What Camden publishes openly, for a join.
pub(super) fn of_camden() -> Vec<Published> {
    let columns = [("ward", "varchar", "role = \"dimension\""), ("name", "varchar", "role = \"dimension\"")];
    let rows: String = (0..20).map(|ward| format!("w{ward},Ward {ward}\n")).collect();
    vec![Published::new("wards", "", &columns, format!("ward,name\n{rows}")).in_form("open")]
}

/// Gains nothing: before an answer is run, nothing is said of how many rows and bytes it will have.
#[test]
fn flight_info_totals() {
    let mut attacker = Attacker::new();
    for sql in [
        "SELECT street, COUNT(*) AS n FROM lfb.many GROUP BY street",
        "SELECT street, age, sex, COUNT(*) AS n FROM lfb.many GROUP BY street, age, sex",
        "SELECT id FROM lfb.labels",
    ] {
        let info = attacker.client.info(statement(sql)).unwrap();
        assert!(info.total_records < 0 && info.total_bytes < 0, "{sql}: {} {}", info.total_records, info.total_bytes);
        assert!(info.app_metadata.is_empty(), "{sql}");
        assert!(info.endpoint.iter().all(|endpoint| endpoint.location.is_empty()), "{sql}");
    }
}

/// Gains nothing: slices, NULLs, views and filtered rows travel in buffers that hold no other row's bytes.
#[test]
fn buffers_of_sliced_null_or_view_arrays() {
    for (sql, shown) in [
        ("SELECT label FROM lfb.labels ORDER BY id LIMIT 3 OFFSET 5", vec![5, 6, 7]),
        ("SELECT label FROM lfb.labels WHERE id IN (11, 13)", vec![11, 13]),
        (
            "SELECT NULLIF(label, 'LABEL-020-LONGER-THAN-TWELVE-BYTES') AS label FROM lfb.labels WHERE id IN (20, 21)",
            vec![21],
        ),
        ("SELECT CASE WHEN id = 30 THEN label END AS label FROM lfb.labels", vec![30]),
        ("SELECT MAX(label) AS label FROM lfb.labels WHERE id < 8", vec![7]),
        ("SELECT arrow_cast(label, 'Utf8View') AS label FROM lfb.labels WHERE id = 40", vec![40]),
        ("SELECT arrow_cast(label, 'Dictionary(Int32, Utf8)') AS label FROM lfb.labels WHERE id = 41", vec![41]),
        ("SELECT array_agg(label) AS label FROM lfb.labels WHERE id = 42", vec![42]),
        ("SELECT struct(label, id) AS label FROM lfb.labels WHERE id = 43", vec![43]),
        ("SELECT label FROM (SELECT label, id FROM lfb.labels UNION ALL SELECT 'x', 99) AS t WHERE id = 44", vec![44]),
    ] {
        let mut attacker = Attacker::new();
        attacker.ask(sql).unwrap_or_else(|status| panic!("{sql}: {status}"));
        let bytes = attacker.client.everything();
        let text = String::from_utf8_lossy(&bytes);
        let found: Vec<usize> = (0..50).filter(|id| text.contains(&format!("LABEL-{id:03}-LONG"))).collect();
        let named = |id: &usize| shown.contains(id) || sql.contains(&format!("LABEL-{id:03}"));
        assert!(found.iter().all(|id| named(id)), "{sql}: {found:?}");
        assert!(shown.iter().all(|id| found.contains(id)), "{sql}: {found:?}");
    }
}

/// Gains nothing: an answer of cells comes as one batch, after all of it has been decided, however many were withheld.
#[test]
fn batch_counts() {
    let mut attacker = Attacker::new();
    for keys in ["ward", "street", "street, age", "street, age, sex", "ward, ill, sex"] {
        let sql = format!("SELECT {keys}, COUNT(*) AS n FROM lfb.many GROUP BY {keys}");
        let mut messages = 0;
        let answer = attacker.client.read_with(remote_ticket(&sql, "", "fire-risk"), |count| messages = count).unwrap();
        // The schema, the cells if there are any, and the receipt.
        let with_rows = answer.batches.iter().filter(|batch| batch.num_rows() > 0).count();
        assert!(with_rows <= 1 && messages <= 3, "{keys}: {with_rows} batches in {messages} messages");
    }
}

/// Gains nothing: the engine's own tables are no datasets, and what Flight SQL lists names no hidden column.
#[test]
fn information_schema() {
    let mut attacker = Attacker::new();
    for sql in [
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM information_schema.columns",
        "SELECT * FROM london.information_schema.df_settings",
        "SELECT * FROM lfb.information_schema",
        "SELECT * FROM pg_catalog.pg_tables",
        "SHOW TABLES",
        "SHOW COLUMNS FROM lfb.many",
        "SHOW ALL",
        "DESCRIBE lfb.many",
    ] {
        attacker.ask(sql).expect_err(sql);
    }
    let client = &mut attacker.client;
    client.action(DESCRIBE_ACTION, Vec::new()).unwrap();
    for command in [
        CommandGetTables { include_schema: true, ..CommandGetTables::default() }.as_any(),
        CommandGetDbSchemas::default().as_any(),
    ] {
        if let Ok(info) = client.info(command) {
            client.read(crate::support::ticket_of(&info)).unwrap();
        }
    }
    client.flights().unwrap();
    let text = String::from_utf8_lossy(&client.everything()).into_owned();
    assert!(text.contains("income") && text.contains("street"), "the catalogue was read");
    let told = text
        .find("note")
        .map(|at| text[..at].chars().rev().take(60).chain(text[at..].chars().take(60)).collect::<String>());
    assert!(told.is_none() && !text.contains(HIDDEN), "the hidden column's name is there: {told:?}");
}

/// Gains nothing: beside Flight a node has one port, on loopback, that says ready or not and counts by labels of fixed sets;
/// what it says and records of a question holds no literal of it and nothing of a row.
#[test]
fn metrics_and_traces() {
    let mesh = super::mesh();
    let mut attacker = Attacker::new();
    attacker.client.headers = vec![("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    attacker.table("SELECT COUNT(*) AS n FROM lfb.many WHERE street = 'ZAMORA-STREET'");
    attacker.refusal("SELECT note FROM lfb.many WHERE street = 'ZAMORA-STREET'");
    let lines = until("both are in the log", || {
        let lines = mesh.records("lfb");
        let of_zamora = |line: &&crate::support::Line| line.json.to_string().contains("lfb.many");
        (lines.iter().filter(of_zamora).count() >= 2).then_some(lines)
    });
    let recorded: String = lines.iter().map(|line| line.json.to_string()).collect();
    for text in [recorded, mesh.log("lfb")] {
        assert!(!text.contains("ZAMORA-STREET") && !text.contains(HIDDEN));
    }
    let metrics = mesh.health("lfb", "/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    for secret in ["ZAMORA", HIDDEN, "street", "traceparent", "0af7651916cd43dd8448eb211c80319c"] {
        assert!(!metrics.contains(secret), "{secret}");
    }
    for path in ["/debug/pprof", "/", "/traces", "/health"] {
        let answer = mesh.health("lfb", path);
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
}
