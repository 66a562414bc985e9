//! Ways round the road: other statements, files as tables, other calls, and statements made to bring a node down.

use arrow_flight::sql::{
    ActionBeginTransactionRequest, ActionCreatePreparedSubstraitPlanRequest, Any, CommandStatementIngest,
    CommandStatementSubstraitPlan, CommandStatementUpdate, ProstMessageExt,
};
use arrow_flight::{FlightData, FlightDescriptor};
use bytes::Bytes;
use prost::Message;
use tonic::Code;

use super::support::Mesh;

/// Statements that are no query.
const STATEMENTS: [&str; 17] = [
    "COPY (SELECT gss FROM gla.boroughs) TO '/tmp/meridian-test.csv'",
    "COPY gla.boroughs TO '/tmp/meridian-test.parquet' STORED AS PARQUET",
    "INSERT INTO gla.boroughs VALUES ('x', 'y', true)",
    "INSERT INTO gla.boroughs SELECT * FROM gla.boroughs",
    "UPDATE gla.boroughs SET name = 'x'",
    "DELETE FROM gla.boroughs",
    "DROP TABLE gla.boroughs",
    "TRUNCATE TABLE gla.boroughs",
    "CREATE TABLE t AS SELECT 1",
    "CREATE VIEW v AS SELECT 1",
    "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
    "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'http://127.0.0.1/'",
    "CREATE FUNCTION f(BIGINT) RETURNS BIGINT RETURN $1",
    "SET datafusion.execution.batch_size = 1",
    "SHOW TABLES",
    "DESCRIBE gla.boroughs",
    "PREPARE p AS SELECT 1",
];

/// Queries over what is no dataset.
const FILES: [&str; 8] = [
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM \"/etc/passwd\"",
    "SELECT * FROM 'data/dwelling_fires.csv'",
    "SELECT * FROM 'http://127.0.0.1/x.csv'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM lfb.source",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM london.information_schema.columns",
];

#[test]
fn only_queries_are_answered() {
    let mesh = Mesh::shared();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let mut loda = mesh.client("lfb", Some(&mesh.node_pair("loda")));
    let several = ["SELECT 1; SELECT 2", "SELECT 1; DROP TABLE gla.boroughs", "", ";", "--"];
    for sql in STATEMENTS.iter().chain(&several) {
        for status in [asha.statement(sql).unwrap_err(), loda.remote(sql).unwrap_err()] {
            let told = matches!(status.code(), Code::PermissionDenied | Code::InvalidArgument);
            assert!(told && !status.message().is_empty(), "{sql}: {status}");
        }
    }
    assert!(!std::path::Path::new("/tmp/meridian-test.csv").exists());
    mesh.assert_sound();
}

#[test]
fn files_addresses_and_the_engines_own_tables_are_no_datasets() {
    let mesh = Mesh::shared();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let mut loda = mesh.client("lfb", Some(&mesh.node_pair("loda")));
    for sql in FILES {
        for status in [asha.statement(sql).unwrap_err(), loda.remote(sql).unwrap_err()] {
            let told = matches!(status.code(), Code::PermissionDenied | Code::InvalidArgument);
            assert!(told && !status.message().contains("root:"), "{sql}: {status}");
        }
    }
}

#[test]
fn a_dataset_that_one_may_not_know_of_and_one_that_is_not_there_are_refused_alike() {
    let mesh = Mesh::shared();
    let mut camden = mesh.client("lfb", Some(&mesh.node_pair("camden")));
    let refusal = |column: &str| {
        let sql = format!("SELECT COUNT(*) FROM lfb.incidents WHERE {column} > 0");
        let status = camden.remote(&sql).unwrap_err();
        (status.code(), status.message().replace(column, "?"))
    };
    let [hidden, absent] = ["northing", "northern"].map(refusal);
    assert_eq!(hidden, absent, "a hidden column does not exist for whoever asks from outside");
}

#[test]
fn calls_that_a_node_does_not_have_are_refused_by_name() {
    let mesh = Mesh::shared();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let update = CommandStatementUpdate { query: "DELETE FROM gla.boroughs".into(), transaction_id: None };
    for any in [
        update.as_any(),
        CommandStatementIngest { table: "t".into(), ..Default::default() }.as_any(),
        CommandStatementSubstraitPlan::default().as_any(),
        Any { type_url: "type.googleapis.com/arrow.flight.protocol.sql.CommandEverything".into(), value: Bytes::new() },
    ] {
        let put = FlightData {
            flight_descriptor: Some(FlightDescriptor::new_cmd(any.encode_to_vec())),
            ..FlightData::default()
        };
        for status in [
            asha.info(any.clone()).unwrap_err(),
            asha.send(false, vec![put.clone()]).unwrap_err(),
            asha.send(true, vec![put]).unwrap_err(),
        ] {
            let told = [Code::PermissionDenied, Code::Unimplemented, Code::InvalidArgument];
            assert!(told.contains(&status.code()) && !status.message().is_empty(), "{}: {status}", any.type_url);
        }
    }
    assert!(asha.send(false, Vec::new()).is_err(), "nothing at all is put");
    for (kind, body) in [
        ("BeginTransaction", ActionBeginTransactionRequest {}.as_any().encode_to_vec()),
        ("CreatePreparedSubstraitPlan", ActionCreatePreparedSubstraitPlanRequest::default().as_any().encode_to_vec()),
        ("SetSessionOptions", vec![0xff; 20]),
        ("GetSessionOptions", Vec::new()),
        ("meridian.everything", Vec::new()),
        ("", Vec::new()),
        ("CreatePreparedStatement", vec![0xff; 20]),
        ("CancelFlightInfo", vec![0xff; 20]),
    ] {
        let status = asha.action(kind, body).unwrap_err();
        assert!(!status.message().is_empty() && status.code() != Code::Internal, "{kind}: {status}");
    }
    assert_eq!(asha.statement("SELECT 1 AS one").unwrap().rows(), 1, "the connection goes on");
    mesh.assert_sound();
}

#[test]
fn a_path_as_descriptor_is_a_dataset_and_nothing_else() {
    let mesh = Mesh::shared();
    let listed = mesh.client("loda", Some(&mesh.asha())).flights().unwrap();
    // The GLA's, the brigade's, 33 boroughs', and what is asked of all at once.
    assert_eq!(listed, 36);
}

/// Statements that have brought engines down, and some that only try.
fn exhausting() -> Vec<(&'static str, String)> {
    let long = |head: &str, part: &str, times: usize| format!("{head}{}", part.repeat(times));
    vec![
        ("2,000 chained +", long("SELECT 1", " + 1", 2_000)),
        ("20,000 chained +", long("SELECT 1", " + 1", 20_000)),
        ("20,000 ORs", long("SELECT gss FROM gla.boroughs WHERE gss = 'x'", " OR gss = 'x'", 20_000)),
        ("a huge IN list", format!("{} )", long("SELECT gss FROM gla.boroughs WHERE gss IN ('x'", ", 'y'", 50_000))),
        ("deep parentheses", format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000))),
        ("deep subqueries", format!("{}SELECT 1 AS x{}", "SELECT x FROM (".repeat(500), ") AS t".repeat(500))),
        ("deep CASE", format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(1_500), " END".repeat(1_500))),
        ("deep NOT", long("SELECT ", "NOT ", 5_000) + "true"),
        ("many UNIONs", long("SELECT 1 AS x", " UNION ALL SELECT 1", 3_000)),
        ("table expressions that double each other", doubling(25)),
        ("eight tables without a condition", format!("SELECT count(*) FROM gla.boroughs b0{}", (1..8).map(|i| format!(", gla.boroughs b{i}")).collect::<String>())),
        ("a value of 2 GB", "SELECT length(repeat('x', 2000000000))".into()),
        ("rows of 20 MB", "SELECT sum(length(lpad(gss, 20000000))) FROM gla.boroughs".into()),
        ("many joins", format!("SELECT 1 FROM gla.boroughs b0{}", (1..400).map(|i| format!(", gla.boroughs b{i}")).collect::<String>())),
        ("many columns", format!("SELECT {}", vec!["gss"; 20_000].join(", ")) + " FROM gla.boroughs"),
        ("a statement of 3 MiB", long("SELECT 1 -- ", "x", 3 << 20)),
        ("no text at all", "\0".repeat(1_000)),
        ("a string that does not end", long("SELECT '", "x", 100_000)),
        ("a million rows in memory", "SELECT COUNT(DISTINCT a.gss || b.gss || c.gss || d.gss || e.gss) FROM gla.boroughs a, gla.boroughs b, gla.boroughs c, gla.boroughs d, gla.boroughs e".into()),
    ]
}

fn doubling(times: usize) -> String {
    let each = (1..=times).map(|n| format!(", a{n} AS (SELECT a.x FROM a{m} a, a{m} b)", m = n - 1));
    format!("WITH a0 AS (SELECT 1 AS x){} SELECT count(*) FROM a{times}", each.collect::<String>())
}

#[test]
fn clauses_that_the_engine_would_pass_over_are_refused_at_asker_and_owner() {
    let mesh = Mesh::shared();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let mut loda = mesh.client("lfb", Some(&mesh.node_pair("loda")));
    for sql in [
        "SELECT count(*) FROM lfb.incidents PREWHERE year = 2019",
        "SELECT count(*) FROM lfb.incidents TABLESAMPLE SYSTEM (10)",
        "SELECT count(*) FROM lfb.incidents START WITH year = 2019 CONNECT BY PRIOR year = month",
        "SELECT year, count(*) FROM lfb.incidents GROUP BY year WITH TOTALS",
        "SELECT year FROM lfb.incidents GROUP BY year EXCEPT ALL SELECT year FROM lfb.incidents GROUP BY year",
        "SELECT count(*) AS c FROM lfb.incidents HAVING count(*) >= ALL (SELECT count(*) FROM lfb.incidents GROUP BY year)",
    ] {
        assert!(asha.statement(sql).is_err(), "{sql}");
        assert!(loda.remote(sql).is_err(), "{sql}");
    }
}

#[test]
fn statements_made_to_bring_a_node_down_leave_it_up() {
    let mesh = Mesh::small();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let mut at_gla = mesh.client("gla", Some(&mesh.node_pair("loda")));
    for (case, sql) in exhausting() {
        for (body, answer) in [("loda", asha.statement(&sql)), ("gla", at_gla.remote(&sql))] {
            if let Err(status) = answer {
                assert_ne!(status.code(), Code::Internal, "{case} at {body}: {status}");
                assert!(
                    status.message().len() < 10_000,
                    "{case} at {body}: an error of {} bytes",
                    status.message().len()
                );
            }
        }
        // The same connection goes on: the process did not end.
        assert_eq!(asha.statement("SELECT 1 AS one").unwrap().rows(), 1, "LODA's node after {case}");
        assert_eq!(at_gla.remote("SELECT gss FROM gla.boroughs").unwrap().rows(), 33, "the GLA's node after {case}");
    }
}
