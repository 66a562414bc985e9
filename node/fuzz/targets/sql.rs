//! SQL text to the gate, and on to the answer where it is admitted: no text makes a node panic.
#![no_main]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod body;
#[path = "../../../tests/in_process/mod.rs"]
mod in_process;

use std::sync::LazyLock;
use std::time::Duration;

use futures::TryStreamExt;
use libfuzzer_sys::fuzz_target;
use meridian::gate::Caller;
use meridian::query::Asked;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use in_process::InProcess;

/// Longest time for an answer, as a node has one: small tables can be joined to large ones.
const TIME: Duration = Duration::from_secs(5);

struct Place {
    runtime: Runtime,
    node: InProcess,
    callers: [Caller; 2],
}

static PLACE: LazyLock<Place> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let node = runtime.block_on(async { body::body() });
    let callers = [node.analyst("planning"), node.peer(body::PURPOSE)];
    Place { runtime, node, callers }
});

fuzz_target!(|sql: &str| {
    let Place { runtime, node, callers } = &*PLACE;
    for caller in callers {
        let asked = Asked::new(caller.clone(), sql, "fuzz");
        // On a worker, as a call is answered: planning hands the thread's other work on.
        let engine = node.engine.clone();
        let answered = runtime.spawn(async move {
            let answer = async {
                if let Ok(answer) = engine.answer(asked).await {
                    let _ = answer.released.try_for_each(|_| async { Ok(()) }).await;
                }
            };
            let _ = timeout(TIME, answer).await;
        });
        runtime.block_on(answered).unwrap();
    }
});
