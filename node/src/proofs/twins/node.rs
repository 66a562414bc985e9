//! A node in this process: engine, log and Flight service, without transport.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use meridian_federation::remote::Peers;
use prost::Message;
use tempfile::TempDir;

use super::transcript::{Answer, Told, Transcript, records};
use crate::audit::{Keeping, Log, LogKey};
use crate::catalogue::{Catalogue, Own};
use crate::clock::Clock;
use crate::flight::{Limits, Service, service};
use crate::history::History;
use crate::peers::Directory;
use crate::proofs::asked::{now, parties};
use crate::proofs::case::{Case, Question};
use crate::proofs::database::{self, name};
use crate::proofs::sql;
use crate::query::{Engine, Footing, Parts};

/// Larger than any of these answers.
const MESSAGE_BYTES: usize = 4 << 20;

/// One node; its tables are those of a case.
pub(super) struct Node {
    service: Service,
    catalogue: Arc<Catalogue>,
    folder: TempDir,
    /// Lines of the log that are somebody else's.
    seen: usize,
}

impl Node {
    pub(super) fn new() -> Self {
        let folder = scratch();
        let body = name("lfb");
        let credentials = Arc::clone(&parties().owner);
        let peers = Peers::new(name("london"), credentials.client_connector(), HashMap::new());
        let directory =
            Directory::open(Some(body.clone()), credentials.home(), Arc::clone(&peers), folder.path().join("peers"));
        let catalogue = Catalogue::new(body, Default::default(), Arc::clone(&directory), Vec::new());
        let log = LogKey::new("london/lfb/log", &[7; 32]);
        let keeping = Keeping { key: [8; 32], days: 90, log };
        let log = Log::open(&folder.path().join("audit"), &keeping).unwrap();
        let footing = Footing {
            credentials,
            peers,
            directory,
            members: None,
            log,
            seed: [9; 32],
            state: folder.path().to_owned(),
            clock: Clock::by(now),
        };
        let engine = Engine::new(Parts::new(footing, Arc::clone(&catalogue)));
        let limits = Limits {
            streams: 64,
            message_bytes: MESSAGE_BYTES,
            statement_bytes: 1 << 20,
            time: Duration::from_secs(600),
        };
        let service = service(engine.unwrap(), limits).unwrap();
        Self { service, catalogue, folder, seen: 0 }
    }

    /// Publishes the tables of a case, with an empty history.
    pub(super) fn publish(&mut self, case: &Case) {
        for (name, table) in database::tables(case, &History::in_memory()) {
            self.catalogue.replace(name, Own::Ready(table));
        }
    }

    /// What is told of the datasets of a case: to clients, and to the federation.
    pub(super) async fn told(&self, case: &Case) -> Told {
        let described = database::tables(case, &History::in_memory())
            .into_values()
            .map(|table| meridian_proto::wire::Dataset::from(table.terms.dataset.as_ref()).encode_to_vec());
        Told::of(&self.service, described.collect()).await
    }

    /// Asks, and takes down all that leaves.
    pub(super) async fn ask(&self, question: &Question) -> Transcript {
        let statement = sql::statement(question);
        let mut transcript = Transcript::of(&self.service, &statement, question.purpose).await;
        let plan = Transcript::of(&self.service, &format!("EXPLAIN {statement}"), question.purpose).await;
        transcript.plan = match plan.info {
            Ok(_) => plan.answer,
            Err(refused) => Answer { frames: vec![], end: Err(refused) },
        };
        transcript
    }

    /// The records that have been looked at.
    pub(super) fn records(&self) -> usize {
        self.seen
    }

    /// The public records of the log since this was last asked.
    pub(super) async fn log(&mut self) -> Vec<serde_json::Value> {
        // A refusal is on disk when it is answered, and with it all that came before.
        Transcript::of(&self.service, "SELECT * FROM nothing_of_this_name", None).await;
        let all = records(&self.folder.path().join("audit"));
        let new = all.get(self.seen..).unwrap_or_default().to_vec();
        self.seen = all.len();
        new
    }
}

/// A folder in memory where there is one, since each question is written to the log and waited for.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}
