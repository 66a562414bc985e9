//! A long answer comes over several connections, as one: recorded once, with one receipt, for nobody but the node that asked.

use std::collections::BTreeSet;
use std::fs;
use std::thread;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow_flight::Ticket;
use meridian_proto::wire::{EndpointEnd, Endpoints, RemoteQuery};
use prost::Message;
use tonic::Code;

use super::support::{Answer, Mesh, PURPOSE, Pair, change, publish, ticket, until};

/// More than 8 MiB.
const ROWS: usize = 400_000;
const LONG: &str = "SELECT number, text FROM london.gla.long";

/// LODA, which reads long answers over so many connections, and the GLA, which has one.
fn mesh(connections: i64) -> Mesh {
    let mesh = Mesh::prepared();
    publish(&mesh.folder("gla"), "long", ROWS);
    change(&mesh.folder("loda").join("node.toml"), |node| {
        node["limits"].as_table_mut().unwrap().insert("endpoints".into(), connections.into());
    });
    mesh.start("gla");
    mesh.start("loda");
    mesh
}

fn numbers(answer: &Answer) -> Vec<i64> {
    let columns = answer.batches.iter().map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec());
    columns.flatten().collect()
}

/// Connections that the GLA's node has accepted and that are open.
fn connections(mesh: &Mesh) -> usize {
    let port = format!(":{:04X}", mesh.address("gla").port());
    let sockets = fs::read_to_string("/proc/net/tcp").unwrap();
    let fields = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields.filter(|fields| fields[1].ends_with(&port) && fields[3] == "01").count()
}

#[test]
fn a_long_answer_comes_over_several_connections_unless_it_has_an_order() {
    let mesh = mesh(4);
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let one = until("the node of LODA knows the dataset", || asha.statement("SELECT * FROM gla.long LIMIT 1").ok());
    assert_eq!(one.rows(), 1);
    let before = connections(&mesh);

    // By a column that the answer does not have.
    let ordered = asha.statement("SELECT -number FROM gla.long ORDER BY number DESC").unwrap();
    assert!(numbers(&ordered).iter().copied().eq((0..ROWS as i64).map(|number| number - ROWS as i64 + 1)));
    assert_eq!(connections(&mesh), before);

    let answer = asha.statement(LONG).unwrap();
    let all: BTreeSet<i64> = numbers(&answer).into_iter().collect();
    assert_eq!((answer.rows(), all.len(), all.first(), all.last()), (ROWS, ROWS, Some(&0), Some(&(ROWS as i64 - 1))));
    assert_eq!(connections(&mesh), before + 3);

    // It left once.
    let records = answer.records();
    let record = records.iter().find(|record| record.body == "gla").unwrap();
    assert_eq!(record.rows, ROWS as u64);
    let completed = until("the log of the GLA tells how it ended", || {
        let lines = mesh.records("gla");
        let released: Vec<_> = lines.iter().filter(|line| line.released() == Some(record.query_id.as_str())).collect();
        assert_eq!(released.len(), 1);
        let outcome = lines.iter().find(|line| line.outcome_of() == Some(record.log_index))?;
        Some(outcome.json["outcome"]["outcome"]["completed"].clone())
    });
    assert_eq!((&completed["rows"], &completed["bytes"]), (&record.rows.into(), &record.bytes.into()));
}

/// The ticket of LODA's node for what it reads at so many endpoints.
fn several(query_id: &str, endpoints: u32) -> Ticket {
    let purpose = PURPOSE.into();
    ticket(&RemoteQuery { query_id: query_id.into(), sql: LONG.into(), purpose, endpoints, ..RemoteQuery::default() })
}

/// Reads the answer at the GLA; `meanwhile` is given the further tickets as soon as they have come, while nothing is read here.
fn read(mesh: &Mesh, query_id: &str, meanwhile: impl FnOnce(Vec<Ticket>) + Send) -> Result<Answer, tonic::Status> {
    let mut loda = mesh.client("gla", Some(&mesh.node_pair("loda")));
    let mut meanwhile = Some(meanwhile);
    let answer = loda.read_each(several(query_id, 3), |message| {
        if message.app_metadata.is_empty() {
            return;
        }
        // The first metadata is theirs, the next the receipt.
        let Some(meanwhile) = meanwhile.take() else { return };
        let Endpoints { tickets } = Endpoints::decode(message.app_metadata.clone()).unwrap();
        let tickets = tickets.into_iter().map(|ticket| Ticket { ticket: ticket.into() }).collect();
        thread::scope(|scope| {
            scope.spawn(|| meanwhile(tickets));
        });
    });
    assert!(meanwhile.is_none(), "no further endpoints were named");
    answer
}

#[test]
fn a_further_endpoint_is_for_the_node_that_asked_and_is_read_once() {
    let mesh = mesh(1);
    let client = |pair: &Pair| mesh.client("gla", Some(pair));
    let (loda, camden) = (mesh.node_pair("loda"), mesh.node_pair("camden"));
    let mut there = 0;
    let (mut tickets, mut end) = (Vec::new(), None);
    let answer = read(&mesh, "several-1", |named| {
        assert_eq!(named.len(), 2);
        let refused = client(&camden).read(named[0].clone()).unwrap_err();
        assert_eq!(refused.code(), Code::NotFound);
        let all = client(&loda).read_each(named[0].clone(), |message| {
            end = Some(message.app_metadata.clone()).filter(|metadata| !metadata.is_empty());
        });
        there = all.unwrap().rows();
        tickets = named;
    });
    let answer = answer.unwrap();
    assert!(there > 0 && answer.rows() > 0);
    assert_eq!(answer.rows() + there, ROWS, "each row leaves once");
    assert_eq!(EndpointEnd::decode(end.unwrap()).unwrap().rows, Some(there as u64));
    assert_eq!(answer.records()[0].rows, ROWS as u64);
    // Those that were read, and those that nobody came for.
    for ticket in tickets {
        assert_eq!(client(&loda).read(ticket).unwrap_err().code(), Code::NotFound);
    }
}

#[test]
fn whoever_leaves_a_further_endpoint_ends_the_answer_and_that_is_recorded() {
    let mesh = mesh(1);
    let loda = mesh.node_pair("loda");
    let left = read(&mesh, "several-2", |named| {
        assert!(mesh.client("gla", Some(&loda)).read_part(named[1].clone(), 3).rows() > 0);
    });
    let left = left.unwrap_err();
    assert_eq!((left.code(), left.message().contains("was left")), (Code::Aborted, true), "{left}");
    until("the log of the GLA has it as interrupted", || {
        let lines = mesh.records("gla");
        let index = lines.iter().position(|line| line.released() == Some("several-2"))? as u64;
        let outcome = lines.iter().find(|line| line.outcome_of() == Some(index))?;
        Some(outcome.json["outcome"]["outcome"]["interrupted"]["rows"].as_u64().unwrap())
    });
}
