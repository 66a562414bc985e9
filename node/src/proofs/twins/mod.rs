//! Non-interference: two databases that differ in one unit's rows are asked the same questions over Flight, and all that
//! leaves is compared.
//!
//! The properties are those of the design, by letter; `properties` says what each asks of a pair of transcripts. What
//! each of them holds of (which cells are affected, what is near) is known from the model, with whose answers both
//! transcripts are compared first.

mod change;
mod node;
mod properties;
mod transcript;

use std::panic::AssertUnwindSafe;
use std::sync::Mutex;

use futures::FutureExt;

use super::case::Case;
use super::{run, shrink, sql};
use node::Node;
use properties::{ANSWERED, APART, COUNTED, ENDED, Pair, Tally, WITHHELD};

/// Pairs that are tried where nothing else is said.
const PAIRS: u64 = 2_000;
/// Questions of one pair.
const QUESTIONS: usize = 4;
/// How often each of these has to be met at least, in a hundred pairs, for the properties to be tested by them.
const LEAST: [(&str, u64); 10] = [
    ("a", 300),
    ("b", 40),
    ("c", 2),
    ("d", 10),
    ("e", 1),
    ("f", 1),
    (ANSWERED, 40),
    (WITHHELD, 80),
    (APART, 15),
    (ENDED, 2),
];

/// A node whose log has so many records is not used again.
const LONGEST_LOG: usize = 300;

/// Pairs of nodes that are not in use; a node is set up once and then holds one pair's tables after the other.
static IDLE: Mutex<Vec<(Node, Node)>> = Mutex::new(Vec::new());

#[test]
fn what_leaves_of_twin_databases_tells_no_more_than_the_design_says() {
    static TALLY: Mutex<Tally> = Mutex::new(Tally::NONE);
    let pairs = run::all("MERIDIAN_TWINS", PAIRS, |seed| async move {
        let pair = change::twins(seed, QUESTIONS);
        let (how, tally) = differs(&pair).await;
        TALLY.lock().unwrap().add(tally);
        how?;
        // A pair that was made smaller may make no sense, and then it panics.
        let fails = |pair| async move {
            AssertUnwindSafe(differs(&pair)).catch_unwind().await.is_ok_and(|how| how.0.is_some())
        };
        let (one, other) = shrink::smallest(pair, shrink::smaller_pairs, fails).await;
        let pasted = shrink::pasted(seed, "tell_nothing", &[&one, &other]);
        Some(format!("{}\n{pasted}", differs(&(one, other)).await.0.unwrap()))
    });
    let tally = *TALLY.lock().unwrap();
    println!("of {pairs} pairs: {:?}", COUNTED.map(|counted| (counted, tally.of(counted))));
    for (counted, least) in LEAST {
        let met = tally.of(counted);
        assert!(pairs < 500 || met * 100 >= least * pairs, "({counted}) was met {met} times in {pairs} pairs");
    }
}

/// How what leaves of two databases tells more of one unit than it may; none where it does not.
pub(super) async fn differs((one, other): &(Case, Case)) -> (Option<String>, Tally) {
    let idle = IDLE.lock().unwrap().pop();
    let (mut node, mut twin) = idle.unwrap_or_else(|| (Node::new(), Node::new()));
    node.publish(one);
    twin.publish(other);
    let mut pair = Pair::new(one, other);
    if let Some(how) = pair.compare_catalogues(&node.told(one).await, &twin.told(other).await) {
        return (Some(how), pair.tally);
    }
    for question in &one.questions {
        let (one, other) = (node.ask(question).await, twin.ask(question).await);
        if let Some(how) = pair.compare(question, (one, other)) {
            return (Some(format!("{}\n{how}", sql::statement(question))), pair.tally);
        }
    }
    let how = pair.compare_logs(node.log().await, twin.log().await);
    // Reading a log takes longer the longer it is.
    if node.records() < LONGEST_LOG {
        IDLE.lock().unwrap().push((node, twin));
    }
    (how, pair.tally)
}
