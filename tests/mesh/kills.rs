//! Kills at any moment: no byte leaves a node without its record, and the log holds whatever happens.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use arrow_flight::Ticket;
use arrow_flight::sql::Any;
use meridian_proto::wire::RemoteQuery;
use prost::Message;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::support::{Mesh, Running, chained, is_soak, meridian};

/// Kills in the test suite, and in a longer run.
const KILLS: usize = 200;
const KILLS_SOAK: usize = 1000;
/// Within this a node is ready again; held to it in a longer run, on a machine that does nothing else.
const READY: Duration = Duration::from_secs(2);
/// The longest that a node lives (milliseconds), where half of the lives have an answer by then.
const LIFE: u64 = 60;
/// By how much longer nodes live as long as they do not, and shorter again (milliseconds).
const STEP: u64 = 10;

/// A question with an id of its own, so that its record can be found.
fn ticket(id: &str) -> Ticket {
    let sql = "SELECT a.gss FROM gla.boroughs a, gla.boroughs b";
    let query =
        RemoteQuery { query_id: id.into(), sql: sql.into(), purpose: "fire-risk".into(), ..RemoteQuery::default() };
    let any =
        Any { type_url: "type.googleapis.com/meridian.v1.RemoteQuery".into(), value: query.encode_to_vec().into() };
    Ticket { ticket: any.encode_to_vec().into() }
}

/// Gains nothing: `kill -9` at random points of a loop of queries.
#[test]
fn killed_at_any_moment_a_node_has_a_record_of_every_byte() {
    let seed = std::env::var("MERIDIAN_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(rand::random);
    println!("MERIDIAN_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let kills = if is_soak() { KILLS_SOAK } else { KILLS };
    let mesh = Mesh::prepared();
    let pair = mesh.node_pair("loda");
    // What came back, in part or whole.
    let mut answered = BTreeSet::new();
    let mut receipts = Vec::new();
    let (mut slowest, mut life_ms) = (Duration::ZERO, LIFE);
    for life in 0..kills {
        let began = Instant::now();
        mesh.start("gla");
        slowest = slowest.max(began.elapsed());
        let moment = Duration::from_millis(random.random_range(0..life_ms));
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| {
                let mut client = mesh.client("gla", Some(&pair));
                let (mut answered, mut receipts) = (Vec::new(), Vec::new());
                for number in 0.. {
                    let id = format!("kill-{life}-{number}");
                    let answer = client.read_with(ticket(&id), |_| answered.push(id.clone()));
                    match answer {
                        Ok(answer) if answer.receipt.is_some() => receipts.extend(answer.records()),
                        _ => break,
                    }
                }
                (answered, receipts)
            });
            std::thread::sleep(moment);
            mesh.kill("gla");
            let (some, whole) = asked.join().expect("the client");
            life_ms = if some.is_empty() { life_ms + STEP } else { (life_ms - STEP).max(LIFE) };
            answered.extend(some);
            receipts.extend(whole);
        });
    }
    assert!(!is_soak() || slowest < READY, "ready after {slowest:?}");
    mesh.start("gla");
    let records = mesh.records("gla");
    chained(&records);
    let recorded: BTreeSet<&str> = records.iter().filter_map(|line| line.released()).collect();
    // Enough to tell anything.
    assert!(answered.len() > kills / 10, "{} answers in {kills} lives", answered.len());
    let missing: Vec<&String> = answered.iter().filter(|id| !recorded.contains(id.as_str())).collect();
    assert!(missing.is_empty(), "left without a record: {missing:?}");
    for receipt in &receipts {
        let line = &records[usize::try_from(receipt.log_index).expect("an index")];
        assert_eq!(line.hash, hex::encode(&receipt.log_hash), "a receipt's record");
    }
    let ended = |index: usize| records.iter().filter(|line| line.outcome_of() == Some(index as u64)).count();
    for (index, _) in records.iter().enumerate().filter(|(_, line)| line.released().is_some()) {
        assert_eq!(ended(index), 1, "the end of release {index}");
    }
    mesh.stop("gla");
    let mut command = meridian();
    command.args(["audit", "verify", "--config"]).arg(mesh.folder("gla").join("node.toml"));
    let said = Running::start(&mut command).end();
    assert!(said.ok().contains("The log of gla holds"), "{}", said.ok());
    println!("{kills} kills, {} answers, {} records; slowest start {slowest:?}", answered.len(), records.len());
}
