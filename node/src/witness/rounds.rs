//! Hands this node's newest checkpoint to its witnesses, and learns from them when its log is not the one they know.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use futures::{StreamExt, stream};
use meridian_certs::Identity;
use meridian_proto::{LogKeys, Name, Said, Signed, WITNESS_ACTION, WitnessAnswer, WitnessRequest, Witnessed};

use super::{ENOUGH, Seen, Witnessing};
use crate::audit::{self, Head, LogError, WitnessVerifier, durable_file};

/// Witnesses of one checkpoint.
const WITNESSES: usize = 3;
/// Time between two rounds while the log grows.
const PAUSE: Duration = Duration::from_secs(2);
/// Longest wait for one witness.
const PATIENCE: Duration = Duration::from_secs(5);

/// A witness's answer, verified.
enum Learnt {
    /// It cosigned, by this signature line.
    Line(Vec<u8>, Signed),
    /// It knows a log that this one does not continue.
    Betrayed(LogError),
}

impl Witnessing {
    /// Asks as many witnesses as are needed before anything is released, no longer than `patience`: a log that was put back
    /// from an old backup is found out before it answers. Bodies that can't be reached are no obstacle.
    pub async fn begin(&self, patience: Duration) {
        let _ = tokio::time::timeout(patience, self.round(&mut HashMap::new())).await;
        self.parts.log.go_on();
    }

    /// Hands over what the log grew by, for as long as the node runs or until the log turns out to be another.
    pub async fn run(&self) {
        let mut sizes = HashMap::new();
        while self.parts.log.stopped().is_none() {
            let size = self.parts.log.head().size();
            let is_seen = self.seen().is_some_and(|seen| {
                seen.checkpoint.size == size && seen.witnesses.len() >= ENOUGH.min(self.parts.peers.bodies().len())
            });
            if !is_seen {
                self.round(&mut sizes).await;
            }
            tokio::time::sleep(PAUSE.mul_f64(rand::random_range(0.8..1.2))).await;
        }
    }

    /// One round. `sizes` holds what each witness holds, as far as that is known.
    async fn round(&self, sizes: &mut HashMap<Name, u64>) {
        let head = self.parts.log.head();
        let known: Vec<(Name, Option<u64>)> = self
            .others()
            .into_iter()
            .map(|body| {
                let size = sizes.get(&body).copied();
                (body, size)
            })
            .collect();
        let asked = stream::iter(known).map(|(body, known)| {
            let head = Arc::clone(&head);
            async move {
                let learnt = self.ask(&body, &head, known).await;
                (body, learnt)
            }
        });
        let mut asked = asked.buffered(WITNESSES);
        let (mut lines, mut witnesses) = (Vec::new(), Vec::new());
        while witnesses.len() < WITNESSES
            && let Some((body, learnt)) = asked.next().await
        {
            match learnt {
                Ok(Learnt::Line(line, keys)) => {
                    sizes.insert(body.clone(), head.size());
                    lines.extend(line);
                    witnesses.push(keys);
                }
                Ok(Learnt::Betrayed(error)) => {
                    tracing::error!(%error, "the log is not the one that was witnessed");
                    self.parts.log.stop(error);
                    return;
                }
                Err(why) => tracing::debug!(%body, why, "no cosignature"),
            }
        }
        drop(asked);
        if !witnesses.is_empty() {
            self.keep(&head, &lines, witnesses);
        }
    }

    /// The other bodies, each node beginning with those that follow it in the order of names: it asks the same ones each
    /// time, and not all ask the same.
    fn others(&self) -> Vec<Name> {
        let mut others: Vec<Name> =
            self.parts.peers.bodies().into_iter().filter(|body| *body != self.parts.body).collect();
        others.sort();
        let first = others.iter().position(|body| *body > self.parts.body).unwrap_or(0);
        others.rotate_left(first);
        others
    }

    /// Asks one body for its cosignature, and once more where it held another checkpoint than was thought.
    async fn ask(&self, body: &Name, head: &Head, known: Option<u64>) -> Result<Learnt, String> {
        let answer = self.request(body, head, known.unwrap_or(0)).await?;
        let held = match &answer.said {
            Said::Held(note) | Said::Refused(note) => note.clone(),
            Said::Cosigned(line) => return self.cosigned(body, head, line, answer.keys),
        };
        let held = match self.compare(body, &held)? {
            Ok(held) => held,
            Err(betrayed) => return Ok(Learnt::Betrayed(betrayed)),
        };
        let answer = self.request(body, head, held.size).await?;
        match &answer.said {
            Said::Cosigned(line) => self.cosigned(body, head, line, answer.keys),
            Said::Held(_) => Err("it takes the checkpoints of another asker in between".into()),
            Said::Refused(_) => Err("it refuses a checkpoint that continues the one that it holds".into()),
        }
    }

    async fn request(&self, body: &Name, head: &Head, old_size: u64) -> Result<WitnessAnswer, String> {
        let proof = if (1..=head.size()).contains(&old_size) {
            self.parts.log.continues(head, old_size).map_err(|error| error.to_string())?
        } else {
            Vec::new()
        };
        let proof = proof.into_iter().map(|hash| hash.0).collect();
        let request = WitnessRequest { keys: self.signed_keys()?, checkpoint: head.note.clone(), old_size, proof };
        let action = self.parts.peers.action(body, WITNESS_ACTION, request.encode());
        let results =
            tokio::time::timeout(PATIENCE, action).await.map_err(|_| "it did not answer in time".to_owned())?;
        match results.map_err(|error| error.message)?.as_slice() {
            [result] => WitnessAnswer::decode(result).map_err(|error| error.to_string()),
            _ => Err("it gave no one answer".into()),
        }
    }

    /// The checkpoint that a witness holds, if this log has been there; else what the log has to say for itself.
    fn compare(&self, body: &Name, note: &[u8]) -> Result<Result<audit::Signed, LogError>, String> {
        let held = audit::Signed::verify(note, self.parts.log.key())
            .map_err(|error| format!("the checkpoint that it holds can't be relied on: {error}"))?;
        // The newest of all: it may have grown since this round began.
        let head = self.parts.log.head();
        let why = if held.size > head.size() {
            format!("it holds a checkpoint of {} records, and the log has {}", held.size, head.size())
        } else if held.size > 0
            && self.parts.log.root_at(&head, held.size).map_err(|error| error.to_string())? != held.root
        {
            format!("its checkpoint of {} records is of other records", held.size)
        } else {
            return Ok(Ok(held));
        };
        Ok(Err(LogError::Betrayed { witness: body.to_string(), why }))
    }

    fn cosigned(&self, body: &Name, head: &Head, line: &[u8], signed: Signed) -> Result<Learnt, String> {
        let verified = self.parts.credentials.verify(&signed, SystemTime::now()).map_err(|error| error.to_string())?;
        let keys = LogKeys::decode(&signed.payload).map_err(|error| error.to_string())?;
        let expected = Identity::Node { federation: self.parts.federation.clone(), body: body.clone() };
        if *verified.identity() != expected || keys.body != *body || keys.federation != self.parts.federation {
            return Err("its keys are another's".into());
        }
        let witness = WitnessVerifier::new(&keys.witness).map_err(|error| error.to_string())?;
        let note = [head.note.as_slice(), line].concat();
        let checkpoint = audit::Signed::verify(&note, self.parts.log.key()).map_err(|error| error.to_string())?;
        if checkpoint.cosigned_by(&[witness]).is_empty() {
            return Err("its cosignature does not hold".into());
        }
        Ok(Learnt::Line(line.to_vec(), signed))
    }

    /// Keeps a cosigned checkpoint, unless an earlier one counts as witnessed and this one does not.
    fn keep(&self, head: &Head, lines: &[u8], witnesses: Vec<Signed>) {
        let fewer = |seen: &Seen| seen.witnesses.len() >= ENOUGH && witnesses.len() < ENOUGH;
        if self.seen().is_some_and(|seen| fewer(&seen)) {
            return;
        }
        let note = [head.note.as_slice(), lines].concat();
        let Ok(checkpoint) = audit::Signed::verify(&note, self.parts.log.key()) else { return };
        let kept = Witnessed { body: self.parts.body.clone(), index: head.size(), proof: note, witnesses };
        if let Err(error) = durable_file(&self.file(), &kept.encode()) {
            tracing::warn!(%error, "a cosigned checkpoint of the log is not kept on disk");
        }
        let seen = Seen { checkpoint, witnesses: kept.witnesses };
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(seen));
    }
}
