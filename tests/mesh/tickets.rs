//! Tickets and handles: good once, for the caller who asked; somebody else's, altered, guessed or replayed they are nothing.

use arrow_flight::Ticket;
use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any, CommandPreparedStatementQuery,
    ProstMessageExt, TicketStatementQuery,
};
use bytes::Bytes;
use prost::Message;
use tonic::Code;

use super::support::{Client, Mesh, remote_ticket, statement, ticket_of};

const SQL: &str = "SELECT gss FROM gla.boroughs ORDER BY gss LIMIT 3";

/// The handle in a ticket.
fn handle(ticket: &Ticket) -> Bytes {
    let any = Any::decode(ticket.ticket.clone()).unwrap();
    any.unpack::<TicketStatementQuery>().unwrap().expect("a statement's ticket").statement_handle
}

fn ticket(handle: impl Into<Bytes>) -> Ticket {
    let any = TicketStatementQuery { statement_handle: handle.into() }.as_any();
    Ticket { ticket: any.encode_to_vec().into() }
}

fn is_unknown(client: &mut Client, ticket: Ticket) {
    let status = client.read(ticket).unwrap_err();
    assert_eq!(status.code(), Code::NotFound, "{status}");
    assert!(status.message().contains("ticket"), "{status}");
}

/// Gains nothing: somebody else's ticket is unknown, and so is one that was used.
#[test]
fn a_ticket_is_good_once_and_for_its_caller_alone() {
    let mesh = Mesh::shared();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let mut bola = mesh.client("loda", Some(&mesh.analyst("loda", "bola")));
    let mut node = mesh.client("loda", Some(&mesh.node_pair("loda")));
    let ticket = ticket_of(&asha.info(statement(SQL)).unwrap());
    is_unknown(&mut bola, ticket.clone());
    is_unknown(&mut node, ticket.clone());
    // Whoever tried did not use it up.
    assert_eq!(asha.read(ticket.clone()).unwrap().rows(), 3);
    is_unknown(&mut asha, ticket);
}

/// Gains nothing: a ticket with a bit changed, and one that is guessed, are unknown.
#[test]
fn an_altered_or_guessed_ticket_is_nothing() {
    let mesh = Mesh::shared();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let given = ticket_of(&asha.info(statement(SQL)).unwrap());
    let text = handle(&given);
    for index in [0, text.len() / 2, text.len() - 1] {
        let mut altered = text.to_vec();
        altered[index] ^= 1;
        is_unknown(&mut asha, ticket(altered));
    }
    for guess in ["", "0", "00000000000000000000000000000000", "1", "../../etc/passwd", "\0"] {
        is_unknown(&mut asha, ticket(guess.as_bytes().to_vec()));
    }
    is_unknown(&mut asha, ticket([&text[..], b"0"].concat()));
    assert_eq!(asha.read(given).unwrap().rows(), 3, "the given one is still good");
}

#[test]
fn handles_are_long_and_never_the_same() {
    let mesh = Mesh::shared();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let handles: std::collections::BTreeSet<Vec<u8>> =
        (0..8).map(|_| handle(&ticket_of(&asha.info(statement(SQL)).unwrap())).to_vec()).collect();
    assert_eq!(handles.len(), 8);
    assert!(handles.iter().all(|handle| handle.len() >= 32), "128 bits or more");
}

/// Gains nothing: somebody else's prepared statement is unknown.
#[test]
fn a_prepared_statement_is_its_callers_own() {
    let mesh = Mesh::shared();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let mut bola = mesh.client("loda", Some(&mesh.analyst("loda", "bola")));
    let request = ActionCreatePreparedStatementRequest { query: SQL.into(), transaction_id: None };
    let made = asha.action("CreatePreparedStatement", request.as_any().encode_to_vec()).unwrap();
    let made = Any::decode(made[0].as_slice()).unwrap();
    let made = made.unpack::<ActionCreatePreparedStatementResult>().unwrap().expect("a prepared statement");
    let query = CommandPreparedStatementQuery { prepared_statement_handle: made.prepared_statement_handle }.as_any();
    assert_eq!(bola.info(query.clone()).unwrap_err().code(), Code::NotFound);
    let info = asha.info(query.clone()).unwrap();
    assert_eq!(bola.read(ticket_of(&info)).unwrap_err().code(), Code::NotFound);
    assert_eq!(asha.read(ticket_of(&info)).unwrap().rows(), 3);
    // It is prepared for as long as it is used; only its tickets are used up.
    let again = asha.info(query).unwrap();
    assert_eq!(asha.read(ticket_of(&again)).unwrap().rows(), 3);
}

#[test]
fn an_analyst_cannot_ask_as_a_node() {
    let mesh = Mesh::shared();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let status = asha.read(remote_ticket(SQL, "", "fire-risk")).unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    assert!(status.message().contains("only nodes"), "{status}");
}

#[test]
fn what_is_no_ticket_is_refused_in_words() {
    let mesh = Mesh::shared();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let unknown = Any { type_url: "type.googleapis.com/meridian.v1.Everything".into(), value: Bytes::new() };
    let truncated =
        Any { type_url: "type.googleapis.com/meridian.v1.RemoteQuery".into(), value: vec![10, 200, 1].into() };
    for bytes in [Vec::new(), b"SELECT 1".to_vec(), vec![0xff; 64], unknown.encode_to_vec(), truncated.encode_to_vec()]
    {
        let status = asha.read(Ticket { ticket: bytes.clone().into() }).unwrap_err();
        let told = [Code::InvalidArgument, Code::Unimplemented, Code::PermissionDenied, Code::NotFound];
        assert!(told.contains(&status.code()) && !status.message().is_empty(), "{bytes:?}: {status}");
    }
    assert_eq!(asha.statement("SELECT 1 AS one").unwrap().rows(), 1, "the connection goes on");
    mesh.assert_sound();
}
