//! Ways round the road: other statements, files as tables, other calls, and peers that ask for more.

use arrow_flight::sql::{
    ActionBeginTransactionRequest, ActionCreatePreparedSubstraitPlanRequest, Any, CommandStatementIngest,
    CommandStatementSubstraitPlan, CommandStatementUpdate, ProstMessageExt,
};
use arrow_flight::{FlightData, FlightDescriptor};
use bytes::Bytes;
use prost::Message;
use tonic::Code;

use super::attacker::Attacker;
use super::town::{self, Published};
use crate::support::{Mesh, PURPOSE};

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

/// Gains nothing: whatever is no single query is refused, at the analyst's own node and at a peer's, and no file is written.
#[test]
fn copy_insert_create_external_table_set_and_several_statements() {
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

/// Gains nothing: files, addresses and the engine's own tables are no datasets.
#[test]
fn files_and_urls_as_tables() {
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

/// Gains nothing: a name that one may not know of and one that is nowhere are refused in the same words.
#[test]
fn unknown_against_forbidden_names() {
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

/// Gains nothing: calls that a node does not have are refused by name, and the connection goes on.
#[test]
fn substrait_do_put_do_exchange_and_unknown_actions() {
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

/// Gains the names of datasets that are listed, and nothing else.
#[test]
fn paths_as_descriptors() {
    let mesh = Mesh::shared();
    let listed = mesh.client("loda", Some(&mesh.asha())).flights().unwrap();
    // Eight of the GLA, three of the brigade, five of each of 33 boroughs, and five that are asked of all at once.
    assert_eq!(listed, 181);
}

/// Gains nothing: clauses that the engine would pass over in silence are refused by asker and owner.
#[test]
fn clauses_that_the_engine_would_pass_over() {
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

pub(super) fn datasets() -> Vec<Published> {
    vec![Published::people("for_asha", &town::people(71, 300)).with("recipients = \"agreement\"")]
}

/// Writes the agreement that is for one of LODA's analysts alone.
pub(super) fn agree(mesh: &Mesh) {
    let agreement = "id = \"asha-alone\"\ntitle = \"Asha alone\"\npurpose = \"fire-risk\"\nbenefit = \"none\"\n\
                     legal_power = \"none\"\nlawful_basis = \"none\"\nrecipients = [\"loda\"]\nanalysts = [\"asha\"]\n\
                     start = \"2026-01-01\"\nend = \"2027-12-31\"\ncontact = \"data@lfb.example\"\n[[grants]]\n\
                     dataset = \"for_asha\"\nform = \"statistics\"\n";
    std::fs::write(mesh.folder("lfb").join("agreements/asha-alone.toml"), agreement).unwrap();
}

/// Gains nothing: the owner's node plans the SQL itself, so that what a peer adds is refused by the owner's own terms:
/// columns that are not granted, rows outside of the filter, rows in place of cells, another purpose.
#[test]
fn a_planner_that_asks_for_more_than_the_query_needs() {
    let mut attacker = Attacker::new();
    attacker.all_refused(&[
        "SELECT ward_gss, COUNT(*) FROM lfb.incidents GROUP BY ward_gss",
        "SELECT COUNT(*) FROM lfb.incidents WHERE ward_gss = 'E05000026'",
        "SELECT easting, northing FROM lfb.incidents",
        "SELECT AVG(easting) FROM lfb.incidents",
        "SELECT borough_gss, year FROM lfb.incidents",
        "SELECT open FROM lfb.granted_clean",
        "SELECT id FROM lfb.granted_clean WHERE NOT open",
        "SELECT a.id FROM lfb.granted_clean a JOIN lfb.granted_clean b ON a.open = b.open",
        "SELECT COUNT(*) FROM camden.both",
    ]);
    // Of a body whose labels the brigade refers to nothing else can be had through it.
    let shared = Mesh::shared();
    let mut loda = shared.client("lfb", Some(&shared.node_pair("loda")));
    for sql in ["SELECT gss FROM gla.boroughs", "SELECT name FROM gla.wards"] {
        let status = loda.remote(sql).unwrap_err();
        assert!(matches!(status.code(), Code::PermissionDenied | Code::InvalidArgument), "{sql}: {status}");
    }
    // What is not granted is not in *, and rows that the filter leaves out are in no answer.
    let all = attacker.ask("SELECT * FROM lfb.granted_clean").map(|table| (table.len(), table[0].len()));
    assert!(all.is_err() || all.unwrap() == (20, 5));
    assert_eq!(attacker.number("SELECT COUNT(*) AS n FROM lfb.granted_clean"), Some(20.0));
    assert_eq!(attacker.number("SELECT COUNT(*) AS n FROM lfb.granted_clean WHERE id > 20 OR id IS NULL"), Some(0.0));
    let status = attacker.client.remote_for("SELECT id FROM lfb.granted_clean", "", "curiosity").unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
}

/// Gains nothing with another body's analyst, whom no node can speak for. A body's own node is believed when it names
/// one of its own: the owner trusts the body for that, and the name is in its log.
#[test]
fn a_peer_that_presents_anothers_analyst() {
    let mesh = super::mesh();
    let sql = "SELECT COUNT(*) AS n FROM lfb.for_asha";
    let (asha, others) = ("spiffe://london/body/loda/analyst/asha", "spiffe://london/body/camden/analyst/asha");
    assert!(Attacker::by(mesh, "loda", "lfb").client.remote_for(sql, asha, PURPOSE).is_ok());
    for (asker, claimed) in [
        ("loda", "spiffe://london/body/loda/analyst/bola"),
        ("loda", others),
        ("loda", "asha"),
        ("loda", ""),
        ("camden", asha),
        ("camden", others),
    ] {
        let status = Attacker::by(mesh, asker, "lfb").client.remote_for(sql, claimed, PURPOSE).unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{asker} for {claimed}: {status}");
    }
}
