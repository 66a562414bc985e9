//! What a witness takes, what it refuses, and what it keeps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use meridian_certs::Verified;
use meridian_proto::{Said, WitnessRequest};

use super::*;
use crate::audit::{Entry, Keeping, LogKey, Private, WitnessVerifier, origin};
use crate::testing::Federation;

trait Witnesses {
    /// The node of a body whose log lies in this folder.
    fn node(&self, body: &str, seed: u8, state: &Path) -> Arc<Witnessing>;
}

impl Witnesses for Federation {
    fn node(&self, body: &str, seed: u8, state: &Path) -> Arc<Witnessing> {
        let credentials = self.credentials(body);
        let key = LogKey::new(&origin("london", body), &[seed; 32]);
        let keeping = Keeping { key: [3; 32], days: 90, log: key };
        let nobody = HashMap::new();
        Witnessing::open(Parts {
            federation: name("london"),
            body: name(body),
            log: Log::open(&state.join("audit"), &keeping).unwrap(),
            seed: [seed + 1; 32],
            peers: Peers::new(name("london"), credentials.client_connector(), nobody),
            credentials,
            folder: state.join("witness"),
        })
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

async fn grow(node: &Witnessing, records: usize, id: &str) {
    for _ in 0..records {
        let entry = Entry { query_id: id.into(), ..Entry::default() };
        node.parts.log.refusal(entry, &Private::default()).await.unwrap();
    }
}

fn request(node: &Witnessing, old_size: u64) -> WitnessRequest {
    let head = node.parts.log.head();
    let proof = match old_size {
        0 => Vec::new(),
        size => node.parts.log.continues(&head, size).unwrap().iter().map(|hash| hash.0).collect(),
    };
    WitnessRequest { keys: node.signed_keys().unwrap(), checkpoint: head.note.clone(), old_size, proof }
}

/// The proof that a connection is a node's.
fn proved(witness: &Witnessing, node: &Witnessing) -> Verified {
    witness.parts.credentials.verify(&node.signed_keys().unwrap(), SystemTime::now()).unwrap()
}

fn asked(witness: &Witnessing, node: &Witnessing, request: &WitnessRequest) -> Said {
    witness.answer(&proved(witness, node), request).unwrap().said
}

fn evidence(state: &Path, body: &str) -> Vec<String> {
    let files = fs::read_dir(state.join("witness").join(body)).unwrap().flatten();
    let files = files.filter(|entry| entry.file_name().to_string_lossy().starts_with("evidence-"));
    files.map(|entry| fs::read_to_string(entry.path()).unwrap()).collect()
}

#[tokio::test]
async fn a_witness_cosigns_what_continues_what_it_holds_and_remembers_it() {
    let (federation, lfb, gla) = (Federation::new(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (log, witness) = (federation.node("lfb", 1, lfb.path()), federation.node("gla", 5, gla.path()));
    let verifier = WitnessVerifier::new(&witness.keys().witness).unwrap();
    grow(&log, 3, "a").await;
    let first = request(&log, 0);
    let Said::Cosigned(line) = asked(&witness, &log, &first) else { panic!("the first is taken as it is") };
    let cosigned = audit::Signed::verify(&[first.checkpoint.as_slice(), &line].concat(), &log.keys().log).unwrap();
    assert_eq!(cosigned.cosigned_by(std::slice::from_ref(&verifier)), ["london/gla/witness"]);
    grow(&log, 4, "b").await;
    assert!(
        matches!(asked(&witness, &log, &request(&log, 0)), Said::Held(note) if note.starts_with(&first.checkpoint))
    );
    // Another witness of the same folder holds the same.
    drop(witness);
    let witness = federation.node("gla", 5, gla.path());
    assert!(matches!(asked(&witness, &log, &request(&log, 2)), Said::Held(_)));
    assert!(matches!(asked(&witness, &log, &request(&log, 3)), Said::Cosigned(_)));
    assert!(matches!(asked(&witness, &log, &request(&log, 7)), Said::Cosigned(_)), "the same once more");
    assert!(evidence(gla.path(), "lfb").is_empty());
}

#[tokio::test]
async fn a_fork_and_a_rollback_are_refused_and_kept_as_evidence() {
    let (federation, gla) = (Federation::new(), tempfile::tempdir().unwrap());
    let (one, other, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let witness = federation.node("gla", 5, gla.path());
    let log = federation.node("lfb", 1, one.path());
    grow(&log, 5, "a").await;
    let good = request(&log, 0);
    assert!(matches!(asked(&witness, &log, &good), Said::Cosigned(_)));
    // The same key over other records: of the same number, more, and fewer.
    let fork = federation.node("lfb", 1, other.path());
    grow(&fork, 5, "b").await;
    assert!(matches!(asked(&witness, &fork, &request(&fork, 0)), Said::Refused(_)));
    grow(&fork, 4, "b").await;
    assert!(matches!(asked(&witness, &fork, &request(&fork, 5)), Said::Refused(_)));
    let rolled = federation.node("lfb", 1, old.path());
    grow(&rolled, 2, "a").await;
    assert!(
        matches!(asked(&witness, &rolled, &request(&rolled, 0)), Said::Refused(note) if note.starts_with(&good.checkpoint))
    );
    let kept = evidence(gla.path(), "lfb");
    assert_eq!(kept.len(), 3);
    for pair in kept {
        let (held, shown) = pair.split_once("\n\nlondon/lfb/log\n").unwrap();
        for note in [format!("{held}\n"), format!("london/lfb/log\n{shown}")] {
            audit::Signed::verify(note.as_bytes(), &log.keys().log).expect("signed by the log's own key");
        }
    }
    // What went well before goes on.
    grow(&log, 1, "a").await;
    assert!(matches!(asked(&witness, &log, &request(&log, 5)), Said::Cosigned(_)));
}

#[tokio::test]
async fn a_log_speaks_for_itself_with_one_key_for_good() {
    let (federation, lfb, gla) = (Federation::new(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (log, witness) = (federation.node("lfb", 1, lfb.path()), federation.node("gla", 5, gla.path()));
    grow(&log, 1, "a").await;
    let refused = |by: &Witnessing, request: &WitnessRequest| {
        witness.answer(&proved(&witness, by), request).unwrap_err().to_string()
    };
    let good = request(&log, 0);
    assert!(refused(&witness, &good).contains("its own log"), "somebody else hands it over");
    let mut text = String::from_utf8(good.checkpoint.clone()).unwrap();
    text = text.replacen("\n1\n", "\n2\n", 1);
    assert!(refused(&log, &WitnessRequest { checkpoint: text.into_bytes(), ..good.clone() }).contains("not signed"));
    assert!(refused(&log, &WitnessRequest { checkpoint: b"x".to_vec(), ..good.clone() }).contains("no signed"));
    let mut forged = good.clone();
    forged.keys.payload = LogKeys { log: witness.keys().log.clone(), ..log.keys().clone() }.encode();
    assert!(witness.answer(&proved(&witness, &log), &forged).is_err());
    assert!(matches!(asked(&witness, &log, &good), Said::Cosigned(_)));
    let other_key = tempfile::tempdir().unwrap();
    let other = federation.node("lfb", 9, other_key.path());
    grow(&other, 3, "a").await;
    assert!(refused(&other, &request(&other, 0)).contains("another key"));
}
