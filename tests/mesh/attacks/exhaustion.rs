//! Exhaustion: statements and connections made to bring a node down, or to leave nothing for others.

use std::fs;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock};

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any, CommandPreparedStatementQuery,
    ProstMessageExt,
};
use arrow_flight::{FlightData, FlightDescriptor};
use prost::Message;
use tonic::Code;

use super::attacker::Attacker;
use super::town::Random;
use crate::support::{Client, Mesh, remote_ticket, until};

/// Answers that the GLA's node gives at once.
const STREAMS: usize = 8;
/// Memory that a node may hold, whatever is asked: many times what it takes idle, a fraction of what is asked for.
const MOST_MIB: u64 = 2_500;
/// An answer of millions of rows.
const BIG: &str = "SELECT a.gss FROM gla.boroughs a, gla.boroughs b, gla.boroughs c, gla.boroughs d, gla.boroughs e";

/// LODA's and the GLA's nodes, to be brought down.
fn mesh() -> &'static Mesh {
    static MESH: OnceLock<Mesh> = OnceLock::new();
    MESH.get_or_init(|| {
        let mesh = Mesh::prepared();
        let file = mesh.folder("gla").join("node.toml");
        let mut node: toml::Table = fs::read_to_string(&file).unwrap().parse().unwrap();
        node["limits"].as_table_mut().unwrap().insert("streams".into(), i64::try_from(STREAMS).unwrap().into());
        fs::write(&file, toml::to_string(&node).unwrap()).unwrap();
        mesh.start("gla");
        mesh.start("loda");
        mesh
    })
}

/// One at a time, since they compete for what they exhaust.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn long(head: &str, part: &str, times: usize) -> String {
    format!("{head}{}", part.repeat(times))
}

/// Each is answered or refused in few words, at the analyst's node and at a peer's, and then both answer others.
fn leaves_them_up(statements: &[String]) {
    let _alone = alone();
    let mesh = mesh();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let mut at_gla = mesh.client("gla", Some(&mesh.node_pair("loda")));
    for sql in statements {
        let case: String = sql.chars().take(60).collect();
        for (body, answer) in [("loda", asha.statement(sql)), ("gla", at_gla.remote(sql))] {
            if let Err(status) = answer {
                assert_ne!(status.code(), Code::Internal, "{case} at {body}: {status}");
                let length = status.message().len();
                assert!(length < 10_000, "{case} at {body}: an error of {length} bytes");
            }
        }
        // The same connection goes on: the process did not end.
        assert_eq!(asha.statement("SELECT 1 AS one").unwrap().rows(), 1, "LODA's node after {case}");
        goes_on(&mut at_gla);
    }
    for body in ["loda", "gla"] {
        let held = mesh.most_memory(body);
        assert!(held < MOST_MIB, "the node of {body} has held {held} MiB");
    }
    mesh.assert_sound();
}

#[track_caller]
fn goes_on(client: &mut Client) {
    assert_eq!(client.remote("SELECT gss FROM gla.boroughs").unwrap().rows(), 33);
}

/// Gains nothing: chains of operators that overflow a stack elsewhere are answered or refused.
#[test]
fn chained_additions_and_ors() {
    leaves_them_up(&[
        long("SELECT 1", " + 1", 2_000),
        long("SELECT 1", " + 1", 20_000),
        long("SELECT gss FROM gla.boroughs WHERE gss = 'x'", " OR gss = 'x'", 20_000),
        long("SELECT gss FROM gla.boroughs WHERE gss = 'x'", " OR gss = 'x' AND name = 'y'", 10_000),
        long("SELECT 'x'", " || 'x'", 5_000),
    ]);
}

/// Gains nothing: a list is as long as a statement may be.
#[test]
fn huge_in_lists() {
    leaves_them_up(&[
        format!("{})", long("SELECT gss FROM gla.boroughs WHERE gss IN ('x'", ", 'y'", 50_000)),
        format!("{})", long("SELECT gss FROM gla.boroughs WHERE gss NOT IN (gss", ", name", 20_000)),
        format!("SELECT {} FROM gla.boroughs", vec!["gss"; 20_000].join(", ")),
        long("SELECT 1 AS x", " UNION ALL SELECT 1", 3_000),
        long("SELECT 1 -- ", "x", 3 << 20),
        "\0".repeat(1_000),
        long("SELECT '", "x", 100_000),
    ]);
}

/// Gains nothing: what nests deeper than anybody writes is refused.
#[test]
fn deep_nesting() {
    let doubling = |times: usize| {
        let each = (1..=times).map(|n| format!(", a{n} AS (SELECT a.x FROM a{m} a, a{m} b)", m = n - 1));
        format!("WITH a0 AS (SELECT 1 AS x){} SELECT count(*) FROM a{times}", each.collect::<String>())
    };
    leaves_them_up(&[
        format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000)),
        format!("{}SELECT 1 AS x{}", "SELECT x FROM (".repeat(500), ") AS t".repeat(500)),
        format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(1_500), " END".repeat(1_500)),
        long("SELECT ", "NOT ", 5_000) + "true",
        format!("SELECT {}'x'{}", "upper(".repeat(2_000), ")".repeat(2_000)),
        format!("SELECT {}1{}", "array[".repeat(1_000), "]".repeat(1_000)),
        doubling(25),
    ]);
}

/// Gains nothing: joins without a condition and values without bound end at a limit.
#[test]
fn cross_joins() {
    let tables = |number: usize| (1..number).map(|i| format!(", gla.boroughs b{i}")).collect::<String>();
    leaves_them_up(&[
        format!("SELECT count(*) FROM gla.boroughs b0{}", tables(8)),
        format!("SELECT 1 FROM gla.boroughs b0{}", tables(400)),
        "SELECT length(repeat('x', 2000000000))".to_owned(),
        "SELECT sum(length(lpad(gss, 20000000))) FROM gla.boroughs".to_owned(),
        "SELECT count(*) FROM generate_series(1, 9000000000000)".to_owned(),
    ]);
}

/// Gains nothing: groups without bound end at a limit, on open rows and on statistics.
#[test]
fn group_explosion() {
    leaves_them_up(&[
        "SELECT COUNT(DISTINCT a.gss || b.gss || c.gss || d.gss || e.gss) FROM gla.boroughs a, gla.boroughs b, \
         gla.boroughs c, gla.boroughs d, gla.boroughs e"
            .to_owned(),
        "SELECT a.gss, b.gss, c.gss, d.gss, e.gss, COUNT(*) FROM gla.boroughs a, gla.boroughs b, gla.boroughs c, \
         gla.boroughs d, gla.boroughs e GROUP BY CUBE (a.gss, b.gss, c.gss, d.gss, e.gss)"
            .to_owned(),
    ]);
    let mut attacker = Attacker::new();
    let each = (0..60).map(|n| format!("COUNT(*) FILTER (WHERE age = {n})")).collect::<Vec<_>>().join(", ");
    for sql in [
        "SELECT COUNT(*) FROM lfb.many GROUP BY CUBE (ward, street, age, sex, ill, left(street, 1), left(street, 2))",
        &format!("SELECT street, age, sex, {each} FROM lfb.many GROUP BY CUBE (street, age, sex)"),
    ] {
        if let Err(status) = attacker.ask(sql) {
            assert_ne!(status.code(), Code::Internal, "{status}");
        }
    }
    assert!(attacker.number("SELECT COUNT(*) AS n FROM lfb.many").is_some());
}

/// A client that has begun to read a big answer, and reads on when it is told to.
struct Reader {
    go_on: Sender<()>,
    ended: Receiver<Result<(), tonic::Status>>,
}

impl Reader {
    /// Begins; returns when the first rows are there, or what was said in place of them.
    fn begin(asker: &'static str) -> Result<Self, tonic::Status> {
        let (go_on, told) = channel::<()>();
        let (begun, first) = channel();
        let (end, ended) = channel();
        std::thread::spawn(move || {
            let mesh = mesh();
            let mut client = mesh.client("gla", Some(&mesh.node_pair(asker)));
            let read = client.read_with(remote_ticket(BIG, "", "fire-risk"), |count| {
                if count == 2 {
                    let _ = begun.send(Ok(()));
                    // Until it is told to read on, or nobody is there to tell it.
                    let _ = told.recv();
                    std::panic::resume_unwind(Box::new("the reader goes away"));
                }
            });
            let read = read.map(drop);
            let _ = begun.send(read.clone());
            let _ = end.send(read);
        });
        first.recv().unwrap().map(|()| Self { go_on, ended })
    }

    /// Goes away in the middle of the answer.
    fn leave(self) {
        drop(self.go_on);
        // Its thread ends without an end of the answer.
        self.ended.recv().unwrap_err();
    }
}

/// All go away, and the node notices: whoever asks next finds room.
fn leave(readers: Vec<Reader>) {
    readers.into_iter().for_each(Reader::leave);
    let mut client = mesh().client("gla", Some(&mesh().node_pair("loda")));
    until("there is room", || client.remote("SELECT gss FROM gla.boroughs").ok());
}

/// Gains nothing: whoever goes away in the middle of an answer gives back what it held.
#[test]
fn disconnects() {
    let _alone = alone();
    for _ in 0..3 {
        // As many as one body may have at once: the next round finds room, so that these were given back.
        let readers: Vec<Reader> =
            (0..STREAMS - 1).map(|_| until("there is room", || Reader::begin("loda").ok())).collect();
        leave(readers);
    }
    mesh().assert_sound();
}

/// Gains what one body may have at once: the next answer is refused in words, and a slow reader holds no more than its
/// own.
#[test]
fn stream_floods() {
    let _alone = alone();
    let mut held: Vec<Reader> =
        (0..STREAMS - 1).map(|_| until("there is room", || Reader::begin("loda").ok())).collect();
    for _ in 0..20 {
        match Reader::begin("loda") {
            Ok(reader) => held.push(reader),
            Err(status) => assert_eq!(status.code(), Code::ResourceExhausted, "{status}"),
        }
    }
    assert_eq!(held.len(), STREAMS - 1, "no more than its share");
    leave(held);
}

/// Gains nothing at the cost of others: an eighth of the answers is kept for those who are not asking for all.
#[test]
fn one_body_starving_others() {
    let _alone = alone();
    let mesh = mesh();
    let held: Vec<Reader> = (0..STREAMS - 1).map(|_| until("there is room", || Reader::begin("loda").ok())).collect();
    let status = mesh.client("gla", Some(&mesh.node_pair("loda"))).remote("SELECT gss FROM gla.boroughs").unwrap_err();
    assert!(status.code() == Code::ResourceExhausted && status.message().contains("loda"), "{status}");
    let mut camden = mesh.client("gla", Some(&mesh.node_pair("camden")));
    for _ in 0..5 {
        goes_on(&mut camden);
    }
    leave(held);
}

/// A prepared statement with one parameter.
fn prepared(client: &mut Client, sql: &str) -> Any {
    let request = ActionCreatePreparedStatementRequest { query: sql.into(), transaction_id: None };
    let made = client.action("CreatePreparedStatement", request.as_any().encode_to_vec()).unwrap();
    let made = Any::decode(made[0].as_slice()).unwrap().unpack::<ActionCreatePreparedStatementResult>().unwrap();
    let handle = made.expect("a prepared statement").prepared_statement_handle;
    CommandPreparedStatementQuery { prepared_statement_handle: handle }.as_any()
}

fn put(command: &Any, mut messages: Vec<FlightData>) -> Vec<FlightData> {
    messages[0].flight_descriptor = Some(FlightDescriptor::new_cmd(command.encode_to_vec()));
    messages
}

/// Parameters as they should be: one row of one text.
fn parameters(text: &str) -> RecordBatch {
    RecordBatch::try_from_iter([("1", std::sync::Arc::new(StringArray::from(vec![text])) as ArrayRef)]).unwrap()
}

/// Gains nothing: messages that are no Arrow, or whose headers say what is not so, are refused before they are decoded, and
/// nothing breaks.
#[test]
fn malformed_ipc() {
    let _alone = alone();
    let mesh = super::mesh();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let command = prepared(&mut asha, "SELECT id FROM lfb.labels WHERE label = $1");
    let batch = parameters("Camden");
    let good = arrow_flight::utils::batches_to_flight_data(&batch.schema(), vec![batch]).unwrap();
    asha.send(false, put(&command, good.clone())).unwrap();
    let mut random = Random(61);
    let mut refused = 0;
    for _ in 0..300 {
        let mut broken = good.clone();
        let message = random.below(broken.len());
        let flip = |bytes: &bytes::Bytes, random: &mut Random| -> bytes::Bytes {
            let mut bytes = bytes.to_vec();
            for _ in 0..=random.below(3) {
                if let Some(last) = bytes.len().checked_sub(1) {
                    let at = random.below(last + 1);
                    bytes[at] ^= 1 << random.below(8);
                }
            }
            bytes.truncate(bytes.len() - random.below(4) / 3 * (bytes.len() / 2));
            bytes.into()
        };
        if random.below(3) == 0 {
            broken[message].data_body = flip(&broken[message].data_body, &mut random);
        } else {
            broken[message].data_header = flip(&broken[message].data_header, &mut random);
        }
        if let Err(status) = asha.send(false, put(&command, broken)) {
            assert!(status.message().len() < 2_000, "{status}");
            refused += 1;
        }
    }
    assert!(refused > 100, "{refused} of 300 were refused");
    assert!(!mesh.log("loda").contains("panicked"), "{}", mesh.log("loda"));
    assert_eq!(asha.statement("SELECT 1 AS one").unwrap().rows(), 1);
    assert!(mesh.most_memory("loda") < MOST_MIB);
}

/// Gains nothing: compressed messages are not taken, nor are buffers that say that they unpack to a terabyte.
#[test]
fn compression_bombs() {
    let _alone = alone();
    let mesh = mesh();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let command = prepared(&mut asha, "SELECT gss FROM gla.boroughs WHERE name = $1");
    let batch = parameters(&"Camden".repeat(10_000));
    for compression in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        let options = IpcWriteOptions::default().try_with_compression(Some(compression)).unwrap();
        let encoder = arrow_flight::encode::FlightDataEncoderBuilder::new().with_options(options);
        let batches = futures::stream::iter([Ok(batch.clone())]);
        let made = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(futures::TryStreamExt::try_collect::<Vec<FlightData>>(encoder.build(batches)));
        let Ok(mut messages) = made else { panic!("{compression:?} can't be made here: {made:?}") };
        for message in &mut messages {
            let mut body = message.data_body.to_vec();
            // Each compressed buffer begins with the length that it unpacks to.
            for at in (0..body.len().saturating_sub(8)).step_by(64) {
                body[at..at + 8].copy_from_slice(&(1_i64 << 40).to_le_bytes());
            }
            message.data_body = body.into();
        }
        if let Err(status) = asha.send(false, put(&command, messages)) {
            assert!(status.message().len() < 2_000, "{status}");
        }
    }
    let mut packed = mesh.client("gla", Some(&mesh.node_pair("loda")));
    packed.headers = vec![("grpc-encoding", "gzip")];
    let status = packed.remote("SELECT gss FROM gla.boroughs").unwrap_err();
    assert!(matches!(status.code(), Code::Unimplemented | Code::InvalidArgument), "{status}");
    assert!(mesh.most_memory("loda") < MOST_MIB);
    assert_eq!(asha.statement("SELECT 1 AS one").unwrap().rows(), 1);
    mesh.assert_sound();
}
