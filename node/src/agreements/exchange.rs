//! How nodes tell each other of documents and signatures: each says what it holds, and is given what it lacks.
//!
//! A node asks all others when it starts, those whom a signature of its own concerns as long as they have not taken it, and
//! whoever turns out to hold something else when it asks for news. So a body that was away learns of everything, whoever has it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use meridian_certs::Verified;
use meridian_proto::{AGREEMENTS_ACTION, Name, wire};
use prost::Message;
use sha2::{Digest, Sha256};

use super::kept::{DISCARDED, Kept, file};
use super::{Act, AgreementError, Agreements, node_of};

/// Time between looks for what this body has said.
const LOOK: Duration = Duration::from_secs(1);
/// Looks between rounds in which those are asked again who could not be told.
const ROUND: u32 = 8;
/// Bodies that are asked in a round.
const AT_ONCE: usize = 4;
/// Longest wait for one of them.
const PATIENCE: Duration = Duration::from_secs(5);
/// Documents that one message says something of.
const MOST_HELD: usize = 10_000;
/// About the most that one answer gives (bytes); the rest comes with the next.
const MOST_GIVEN: usize = 2 << 20;

impl Agreements {
    /// Answers another node.
    pub fn answer(&self, by: &Verified, request: &[u8], now: SystemTime) -> Result<Vec<u8>, AgreementError> {
        let refused = |why: String| AgreementError::Refused(why);
        let from = node_of(by, &self.federation);
        let from = from.ok_or_else(|| refused("only nodes of one federation tell each other of agreements".into()))?;
        let request = wire::AgreementExchange::decode(request).map_err(|error| refused(error.to_string()))?;
        if request.held.len() > MOST_HELD {
            return Err(refused(format!("a message says something of {MOST_HELD} documents at most")));
        }
        if !request.given.is_empty() {
            self.receive_all(from, request.given, now)?;
            return Ok(wire::AgreementExchange::default().encode_to_vec());
        }
        let kept = self.kept()?;
        let given = self.lacking(&kept, from, &request.held, now);
        Ok(wire::AgreementExchange { held: self.held(&kept, from)?, given }.encode_to_vec())
    }

    /// A digest of what is held of the documents that concern a body: the same at its node, where both hold the same.
    pub fn digest(&self, body: &Name) -> Result<Vec<u8>, AgreementError> {
        let mut held = self.held(&self.kept()?, body)?;
        held.sort_by(|one, other| one.id.cmp(&other.id));
        let mut hash = Sha256::new();
        for wire::HeldAgreement { id, mut marks } in held {
            marks.sort();
            hash.update(format!("{id} {}\n", marks.join(" ")));
        }
        Ok(hash.finalize().to_vec())
    }

    /// Learns what another body's node has to tell, and tells it what it lacks.
    pub async fn exchange(&self, body: &Name) -> Result<(), String> {
        let held = self.held(&self.now()?, body).map_err(|error| error.to_string())?;
        let answer = self.ask(body, wire::AgreementExchange { held, given: Vec::new() }).await?;
        let now = self.clock.now().into();
        if let Err(error) = self.receive_all(body, answer.given, now) {
            tracing::warn!(from = %body, %error, "something about an agreement is not accepted");
        }
        // What it does not take is no reason to keep the rest from it.
        let mut first = Ok(());
        for given in self.lacking(&self.now()?, body, &answer.held, now) {
            let told = self.ask(body, wire::AgreementExchange { held: Vec::new(), given: vec![given] }).await;
            first = first.and(told.map(drop));
        }
        first
    }

    /// Exchanges with bodies, and says which of them could not be told, and why.
    pub async fn exchange_with(&self, bodies: BTreeSet<Name>) -> BTreeMap<Name, String> {
        let others = bodies.into_iter().filter(|body| *body != self.own);
        let asked = stream::iter(others).map(|body| async move {
            let done = self.exchange(&body).await;
            done.err().map(|why| (body, why))
        });
        asked.buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await
    }

    /// Tells and asks for as long as the node runs.
    pub async fn follow(self: Arc<Self>) {
        let mut said = BTreeSet::new();
        let mut untold: BTreeSet<Name> = self.peers.bodies().into_iter().collect();
        let mut looks = 0_u32;
        loop {
            match self.own_signatures() {
                Ok(signatures) => {
                    let news = signatures.iter().filter(|(mark, _)| !said.contains(*mark));
                    let (marks, bodies): (Vec<_>, Vec<_>) = news.map(|(mark, to)| (mark.clone(), to.clone())).unzip();
                    let is_news = !marks.is_empty();
                    said.extend(marks);
                    untold.extend(bodies.into_iter().flatten());
                    if is_news || looks % ROUND == 0 {
                        let failed = self.exchange_with(std::mem::take(&mut untold)).await;
                        for (body, why) in &failed {
                            tracing::debug!(%body, why, "agreements were not exchanged");
                        }
                        let known: BTreeSet<Name> = self.peers.bodies().into_iter().collect();
                        untold.extend(failed.into_keys().filter(|body| known.contains(body)));
                    }
                }
                Err(error) => tracing::error!(%error, "agreements that many sign can't be told"),
            }
            looks = looks.wrapping_add(1);
            tokio::time::sleep(LOOK.mul_f64(rand::random_range(0.8..1.2))).await;
        }
    }

    /// What this body has proposed or signed, and whom that concerns.
    fn own_signatures(&self) -> Result<BTreeMap<String, BTreeSet<Name>>, AgreementError> {
        self.tend(self.clock.now().into())?;
        let mut found = BTreeMap::new();
        for kept in self.kept()? {
            let id = &kept.document.id;
            let acts = kept.signatures.iter().filter(|((_, body), _)| *body == self.own);
            // Signed anew after a revocation it is news again.
            let marks = acts.map(|((act, _), (statement, _))| format!("{id} {act} {}", statement.at));
            found.extend(marks.map(|mark| (mark, kept.document.bodies())));
        }
        Ok(found)
    }

    fn now(&self) -> Result<Vec<Kept>, String> {
        self.kept().map_err(|error| error.to_string())
    }

    async fn ask(&self, body: &Name, message: wire::AgreementExchange) -> Result<wire::AgreementExchange, String> {
        let asked = self.peers.action(body, AGREEMENTS_ACTION, message.encode_to_vec());
        let answer = tokio::time::timeout(PATIENCE, asked).await.map_err(|_| "it did not answer in time".to_owned())?;
        match answer.map_err(|error| error.message)?.as_slice() {
            [result] => wire::AgreementExchange::decode(result.as_slice()).map_err(|error| error.to_string()),
            _ => Err("it gave no one answer".into()),
        }
    }

    /// Takes all that can be taken; the first thing that can't is the error.
    fn receive_all(
        &self,
        from: &Name,
        given: Vec<wire::SharedAgreement>,
        now: SystemTime,
    ) -> Result<(), AgreementError> {
        let done: Vec<_> = given.into_iter().take(MOST_HELD).map(|given| self.receive(from, given, now)).collect();
        done.into_iter().collect()
    }

    /// What a body lacks of the documents that concern it, as far as it can check it now.
    fn lacking(
        &self,
        kept: &[Kept],
        body: &Name,
        holds: &[wire::HeldAgreement],
        now: SystemTime,
    ) -> Vec<wire::SharedAgreement> {
        let holds: BTreeMap<&str, &wire::HeldAgreement> = holds.iter().map(|held| (held.id.as_str(), held)).collect();
        let today = DateTime::<Utc>::from(now).date_naive();
        let mut weight = 0;
        let mut given = Vec::new();
        for kept in kept.iter().filter(|kept| kept.document.concerns(body)) {
            let held = holds.get(kept.document.id.as_str());
            // What it does not want, or is over, it is not given.
            let is_unwanted = match held {
                Some(held) => held.marks.iter().any(|mark| mark == DISCARDED),
                None => kept.document.end <= today,
            };
            if is_unwanted {
                continue;
            }
            // Its own consent it takes from nobody.
            let lacks = |act: Act, by: &Name| {
                let is_taken = by != body || act != Act::Consent;
                is_taken && held.is_none_or(|held| !held.marks.contains(&file(act, by)))
            };
            let signatures = kept.signatures.iter().filter(|((act, by), _)| lacks(*act, by));
            let valid = signatures.filter(|((act, _), (_, signed))| self.signer(*act, signed, now).is_ok());
            let signatures: Vec<wire::Signed> = valid.map(|(_, (_, signed))| signed.into()).collect();
            if held.is_some() && signatures.is_empty() {
                continue;
            }
            let shared = wire::SharedAgreement { document: kept.document.text.clone(), signatures };
            weight += shared.encoded_len();
            given.push(shared);
            if weight > MOST_GIVEN {
                break;
            }
        }
        given
    }

    /// What is held of the documents that concern a body, and which of these were discarded.
    fn held(&self, kept: &[Kept], body: &Name) -> Result<Vec<wire::HeldAgreement>, AgreementError> {
        let shared = kept.iter().filter(|kept| kept.document.concerns(body));
        let shared = shared.map(|kept| wire::HeldAgreement { id: kept.document.id.clone(), marks: kept.marks() });
        let discarded = self.discarded()?.into_iter().filter(|gone| gone.bodies.contains(body));
        let discarded = discarded.map(|gone| wire::HeldAgreement { id: gone.id, marks: vec![DISCARDED.into()] });
        Ok(shared.chain(discarded).collect())
    }
}
