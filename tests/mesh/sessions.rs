//! Sessions: a purpose that is stated once, its cookie, and whose it is.

use std::collections::BTreeMap;

use arrow_flight::sql::{ActionCreatePreparedStatementRequest, CommandStatementUpdate, ProstMessageExt};
use arrow_flight::{FlightData, FlightDescriptor};
use prost::Message;
use tonic::Code;

use super::support::{Client, Mesh, statement};

const FIRES: &str = "SELECT COUNT(*) AS n FROM lfb.incidents";

/// Flight's SetSessionOptionsRequest and GetSessionOptionsResult, as far as their values are texts.
#[derive(Clone, PartialEq, prost::Message)]
struct Options {
    #[prost(btree_map = "string, message", tag = "1")]
    options: BTreeMap<String, Text>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Text {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
    #[prost(bool, optional, tag = "2")]
    truth: Option<bool>,
}

/// Flight's SetSessionOptionsResult.
#[derive(Clone, PartialEq, prost::Message)]
struct Errors {
    #[prost(btree_map = "string, message", tag = "1")]
    errors: BTreeMap<String, Error>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Error {
    #[prost(int32, tag = "1")]
    value: i32,
}

const INVALID_NAME: i32 = 1;
const INVALID_VALUE: i32 = 2;

fn text(text: &str) -> Text {
    Text { text: Some(text.into()), truth: None }
}

/// Sets options, and says which were not set and why.
fn set(client: &mut Client, options: &[(&str, Text)]) -> BTreeMap<String, i32> {
    let options = options.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let results = client.action("SetSessionOptions", Options { options }.encode_to_vec()).unwrap();
    let errors = Errors::decode(results[0].as_slice()).unwrap().errors;
    errors.into_iter().map(|(name, error)| (name, error.value)).collect()
}

/// Begins a session, and keeps its cookie.
fn begin(client: &mut Client, purpose: &str) -> String {
    assert!(set(client, &[("purpose", text(purpose))]).is_empty());
    let cookie = client.set_cookie.take().expect("a cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("Secure") && cookie.contains("Max-Age="), "{cookie}");
    let pair = cookie.split(';').next().unwrap().to_owned();
    assert!(pair.starts_with("arrow_flight_session_id=") && pair.len() >= 24 + 32, "{pair}");
    client.cookie = Some(pair.clone());
    pair
}

fn analyst(mesh: &Mesh) -> Client {
    let mut client = mesh.client("loda", Some(&mesh.asha()));
    client.purpose = None;
    client
}

#[test]
fn the_purpose_of_a_session_stands_for_the_calls_that_follow() {
    let mesh = Mesh::shared();
    let mut asha = analyst(mesh);
    let status = asha.statement(FIRES).unwrap_err();
    assert!(status.message().contains("purpose"), "{status}");
    begin(&mut asha, "fire-risk");
    assert_eq!(asha.statement(FIRES).unwrap().rows(), 1);
    let options = asha.action("GetSessionOptions", Vec::new()).unwrap();
    assert_eq!(Options::decode(options[0].as_slice()).unwrap().options["purpose"], text("fire-risk"));
    // A header goes before it.
    asha.purpose = Some("curiosity");
    assert_eq!(asha.statement(FIRES).unwrap_err().code(), Code::PermissionDenied);
    asha.purpose = None;
    // It can be changed and taken away.
    assert!(set(&mut asha, &[("purpose", text("curiosity"))]).is_empty());
    assert_eq!(asha.statement(FIRES).unwrap_err().code(), Code::PermissionDenied);
    assert!(set(&mut asha, &[("purpose", Text { text: None, truth: None })]).is_empty());
    assert!(asha.statement(FIRES).unwrap_err().message().contains("no purpose is stated"));
    // Closed it is over, and says so.
    asha.action("CloseSession", Vec::new()).unwrap();
    assert!(asha.set_cookie.take().unwrap().contains("Max-Age=0"));
    let status = asha.statement("SELECT 1").unwrap_err();
    assert_eq!(status.code(), Code::NotFound, "{status}");
    asha.cookie = None;
    assert_eq!(asha.statement("SELECT 1").unwrap().rows(), 1);
    assert_eq!(asha.action("GetSessionOptions", Vec::new()).unwrap_err().code(), Code::NotFound);
}

#[test]
fn a_session_is_its_callers_own() {
    let mesh = Mesh::shared();
    let mut asha = analyst(mesh);
    let cookie = begin(&mut asha, "fire-risk");
    let others = [
        mesh.analyst("loda", "bola"),
        mesh.node_pair("loda"),
        // Of the same name, but another certificate.
        mesh.analyst("loda", "asha"),
    ];
    for pair in others {
        let mut other = mesh.client("loda", Some(&pair));
        other.cookie = Some(cookie.clone());
        assert_eq!(other.statement("SELECT 1").unwrap_err().code(), Code::NotFound);
        assert_eq!(other.action("CloseSession", Vec::new()).unwrap_err().code(), Code::NotFound);
    }
    for made_up in ["", "0", &"0".repeat(32), "../../etc/passwd"] {
        let mut other = analyst(mesh);
        other.cookie = Some(format!("arrow_flight_session_id={made_up}"));
        assert_eq!(other.statement("SELECT 1").unwrap_err().code(), Code::NotFound, "{made_up}");
    }
    assert_eq!(asha.statement(FIRES).unwrap().rows(), 1, "it is still open");
}

#[test]
fn a_session_holds_the_purpose_and_nothing_else() {
    let mesh = Mesh::shared();
    let mut asha = analyst(mesh);
    let truth = Text { text: None, truth: Some(true) };
    let errors = set(&mut asha, &[("schema", text("lfb")), ("purpose", truth.clone())]);
    assert_eq!(errors, BTreeMap::from([("schema".into(), INVALID_NAME), ("purpose".into(), INVALID_VALUE)]));
    assert_eq!(asha.set_cookie.take(), None, "nothing was set, and nothing began");
    let errors = set(&mut asha, &[("timeout", truth), ("purpose", text("fire-risk"))]);
    assert_eq!(errors, BTreeMap::from([("timeout".into(), INVALID_NAME)]));
    assert!(asha.set_cookie.take().is_some());
    let long = "x".repeat(201);
    for bad in ["a\nb", "\u{1b}[2J", long.as_str()] {
        assert_eq!(set(&mut asha, &[("purpose", text(bad))])["purpose"], INVALID_VALUE);
    }
    assert_eq!(asha.action("SetSessionOptions", vec![0xff]).unwrap_err().code(), Code::InvalidArgument);
}

#[test]
fn set_purpose_is_done_in_a_session_and_refused_with_advice_without() {
    let mesh = Mesh::shared();
    let mut asha = analyst(mesh);
    let set_purpose = "SET purpose = 'fire-risk'";
    let prepare = |asha: &mut Client, sql: &str| {
        let request = ActionCreatePreparedStatementRequest { query: sql.into(), transaction_id: None };
        asha.action("CreatePreparedStatement", request.as_any().encode_to_vec())
    };
    let update = |asha: &mut Client, sql: &str| {
        let command = CommandStatementUpdate { query: sql.into(), transaction_id: None }.as_any();
        let descriptor = FlightDescriptor::new_cmd(command.encode_to_vec());
        asha.send(false, vec![FlightData { flight_descriptor: Some(descriptor), ..FlightData::default() }])
    };
    for status in [
        asha.info(statement(set_purpose)).unwrap_err(),
        prepare(&mut asha, set_purpose).unwrap_err(),
        update(&mut asha, set_purpose).unwrap_err(),
    ] {
        assert_eq!(status.code(), Code::PermissionDenied, "{status}");
        for advice in ["meridian-purpose", "JDBC", "SetSessionOptions", "with_cookie_middleware"] {
            assert!(status.message().contains(advice), "{advice}: {status}");
        }
    }
    begin(&mut asha, "curiosity");
    assert_eq!(asha.statement(FIRES).unwrap_err().code(), Code::PermissionDenied);
    assert!(asha.info(statement("-- now\nset purpose to 'fire-risk';")).unwrap().endpoint.is_empty());
    assert_eq!(asha.statement(FIRES).unwrap().rows(), 1);
    prepare(&mut asha, "SET purpose = 'curiosity'").unwrap();
    assert_eq!(asha.statement(FIRES).unwrap().rows(), 1, "prepared is not done");
    update(&mut asha, "SET purpose = 'curiosity'").unwrap();
    assert_eq!(asha.statement(FIRES).unwrap_err().code(), Code::PermissionDenied);
    for (sql, word) in [
        ("SET purpose = fire", "write SET purpose = 'fire-risk'"),
        ("SET time_zone = 'UTC'", "SET changes nothing here but the purpose"),
        ("SET purpose = 'x'; SELECT 1", "2 statements"),
    ] {
        let status = asha.info(statement(sql)).unwrap_err();
        assert!(status.message().contains(word), "{sql}: {status}");
    }
}
