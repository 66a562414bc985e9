//! Agreements that many sign: one document for all whom it concerns, and each body's signature on it.
//!
//! A document is a text in one form, named by its hash (`document`). A body proposes it, consents to it and withdraws, for
//! good, by signatures of its node's key (`statement`). What came is kept in the state folder (`kept`) for as long as it
//! counts or may (`upkeep`), and nodes tell each other what they hold, only of documents that concern the other one
//! (`exchange`). Nothing that another body says has an effect on what this node gives before this body has signed itself.

mod document;
mod exchange;
mod kept;
mod statement;
#[cfg(test)]
mod tests;
mod upkeep;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use meridian_certs::{Credentials, Identity, Verified};
use meridian_federation::remote::Peers;
use meridian_proto::{Name, Signed, wire};

use crate::audit::durable_file;
use crate::clock::Clock;

pub use document::{Document, MOST_BYTES, Unfit, canonical};
pub use kept::{Kept, OPEN_DAYS, REVOKED_SINCE, read};
pub use statement::{Act, Statement};

/// The folder in the state folder.
pub const FOLDER: &str = "agreements";
/// Documents that one body may have proposed and this one has not signed.
const MOST_PROPOSALS: usize = 32;
/// A statement from further in the future than this many milliseconds is a wrong clock's, here or there.
const CLOCK_SKEW: u64 = 600_000;

/// Why nothing is kept.
#[derive(Debug, thiserror::Error)]
pub enum AgreementError {
    /// The text is no document.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// It may not be.
    #[error("{0}")]
    Refused(String),
    /// The state folder can't be read or written.
    #[error("{}: {source}; check the folder's permissions and free space", path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing can be signed.
    #[error(transparent)]
    Certs(#[from] meridian_certs::Error),
}

/// What a node has of agreements that many sign, and its part in them.
#[derive(Debug)]
pub struct Agreements {
    federation: Name,
    own: Name,
    folder: PathBuf,
    credentials: Arc<Credentials>,
    peers: Arc<Peers>,
    clock: Clock,
    /// Held by whoever changes something.
    turn: Mutex<()>,
}

impl Agreements {
    /// What is kept in a state folder, for the body of `credentials`.
    pub fn new(state: &Path, credentials: Arc<Credentials>, peers: Arc<Peers>, clock: Clock) -> Arc<Self> {
        let identity = credentials.identity();
        let (federation, own) = (identity.federation().clone(), identity.body().clone());
        let (folder, turn) = (state.join(FOLDER), Mutex::default());
        Arc::new(Self { federation, own, folder, credentials, peers, clock, turn })
    }

    /// All of it.
    pub fn kept(&self) -> Result<Vec<Kept>, AgreementError> {
        read(&self.folder).map_err(|source| self.disk("", source))
    }

    /// Proposes a document to others, also one that was discarded here.
    pub fn propose(&self, document: &Document, now: DateTime<Utc>) -> Result<(), AgreementError> {
        let _turn = self.turn();
        if !document.concerns(&self.own) {
            let why = format!("{} is neither party to the document nor its trustee, and can't propose it", self.own);
            return Err(AgreementError::Refused(why));
        }
        let (id, file) = (&document.id, kept::file(Act::Proposal, &self.own));
        let has_proposed =
            self.kept()?.iter().any(|kept| kept.document.id == *id && kept.said(Act::Proposal, &self.own));
        if has_proposed {
            return Ok(());
        }
        self.write(id, &file, &self.state(Act::Proposal, document, now)?)?;
        self.write(id, kept::DOCUMENT, document.text.as_bytes())?;
        match std::fs::remove_file(self.folder.join(id).join(kept::DISCARDED)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(self.disk(id, source)),
            _ => Ok(()),
        }
    }

    /// Consents to a document that is kept, or withdraws from it, for this body. It may withdraw though nothing is known here
    /// of a consent: others may hold one that was lost here.
    pub fn say(&self, act: Act, document: &Document, now: DateTime<Utc>) -> Result<(), AgreementError> {
        let _turn = self.turn();
        let kept = self.kept()?;
        let refused = |why: String| Err(AgreementError::Refused(why));
        let Some(kept) = kept.iter().find(|kept| kept.document.id == document.id) else {
            return refused(format!("the document {} is not kept here", document.id));
        };
        if kept.said(Act::Withdrawal, &self.own) {
            return refused(format!("{} has withdrawn, for good: agree anew by another document", self.own));
        }
        if kept.said(act, &self.own) {
            return Ok(());
        }
        self.write(&document.id, &kept::file(act, &self.own), &self.state(act, document, now)?)
    }

    /// What this body says of a document, signed.
    fn state(&self, act: Act, document: &Document, now: DateTime<Utc>) -> Result<Vec<u8>, AgreementError> {
        let statement = Statement {
            act,
            federation: self.federation.clone(),
            body: self.own.clone(),
            document: document.id.clone(),
            at: u64::try_from(now.timestamp_millis()).unwrap_or(0),
        };
        Ok(self.credentials.sign(statement.encode())?.encode())
    }

    /// Takes what another node gives: the document where it is new, and each signature that holds.
    fn receive(&self, from: &Name, given: wire::SharedAgreement, now: SystemTime) -> Result<(), AgreementError> {
        let document = Document::read(&given.document)?;
        for body in [&self.own, from] {
            if !document.concerns(body) {
                let why = format!("{body} is neither party to the document nor its trustee");
                return Err(AgreementError::Refused(why));
            }
        }
        let _turn = self.turn();
        let kept = self.kept()?;
        let known = match kept.iter().find(|kept| kept.document.id == document.id) {
            Some(known) => known.clone(),
            None if self.folder.join(&document.id).join(kept::DISCARDED).exists() => return Ok(()),
            None => {
                let new = Kept::new(document);
                let Kept { document: Document { id, name, text, .. }, .. } = &new;
                let proposers = self.proposers(&new, &given.signatures, now);
                self.may_be_kept(&new.document, &proposers, &kept, now)?;
                self.write(id, kept::FROM, format!("{from} {}", milliseconds(now)).as_bytes())?;
                self.write(id, kept::DOCUMENT, text.as_bytes())?;
                tracing::info!(agreement = name, id, %from, "an agreement is proposed");
                new
            }
        };
        let mut first = None;
        // One of each kind of a body at most, and no more is looked at.
        for signed in given.signatures.into_iter().take(Act::ALL.len() * known.document.bodies().len()) {
            match self.checked(&known, signed, now) {
                Ok(Some((statement, signed))) => {
                    self.write(&known.document.id, &kept::file(statement.act, &statement.body), &signed.encode())?;
                    let Statement { act, body, .. } = statement;
                    tracing::info!(agreement = known.document.name, id = known.document.id, %act, %body, "signed");
                }
                Ok(None) => {}
                Err(why) => first = first.or(Some(why)),
            }
        }
        first.map_or(Ok(()), |why| Err(AgreementError::Refused(why)))
    }

    /// A signature that is not known and holds now: later nobody can tell any more whether it did.
    fn checked(
        &self,
        kept: &Kept,
        signed: wire::Signed,
        now: SystemTime,
    ) -> Result<Option<(Statement, Signed)>, String> {
        let signed = Signed::try_from(signed).map_err(|error| error.to_string())?;
        let statement = Statement::decode(&signed.payload)?;
        if kept.said(statement.act, &statement.body) {
            return Ok(None);
        }
        if statement.document != kept.document.id {
            return Err("a signature is on another document".into());
        }
        // What was lost here, and gives nobody anything, others give back.
        if statement.body == self.own && statement.act == Act::Consent {
            return Err(format!("a consent of {} comes from its own node only", self.own));
        }
        if !kept.document.concerns(&statement.body) {
            return Err(format!("{} is neither party to the document nor its trustee", statement.body));
        }
        if statement.at > milliseconds(now).saturating_add(CLOCK_SKEW) {
            return Err(format!("the signature of {} is from the future", statement.body));
        }
        let verified = self.signer(statement.act, &signed, now)?;
        let node = Identity::Node { federation: self.federation.clone(), body: statement.body.clone() };
        if *verified.identity() != node || statement.federation != self.federation {
            return Err(format!("{} signed what is said to be of {}", verified.identity(), statement.body));
        }
        Ok(Some((statement, signed)))
    }

    /// Whose a signature is that counts: a consent while its certificate is valid and its body not suspended; what gives nobody
    /// anything is also taken of those who are out.
    fn signer(&self, act: Act, signed: &Signed, now: SystemTime) -> Result<Verified, String> {
        let verified = match act {
            Act::Consent => self.credentials.verify(signed, now),
            Act::Proposal | Act::Withdrawal => self.credentials.verify_once_valid(signed),
        };
        verified.map_err(|error| error.to_string())
    }

    /// The bodies that say so themselves that they propose a document.
    fn proposers(&self, new: &Kept, signatures: &[wire::Signed], now: SystemTime) -> BTreeSet<Name> {
        let some = signatures.iter().take(Act::ALL.len() * new.document.bodies().len());
        let checked = some.filter_map(|signed| self.checked(new, signed.clone(), now).ok().flatten());
        checked.filter(|(said, _)| said.act == Act::Proposal).map(|(said, _)| said.body).collect()
    }

    /// Whether one more document may be kept that this body has not signed. It counts for who proposed it, not for who brought it.
    fn may_be_kept(
        &self,
        document: &Document,
        proposers: &BTreeSet<Name>,
        kept: &[Kept],
        now: SystemTime,
    ) -> Result<(), AgreementError> {
        let refused = |why: String| Err(AgreementError::Refused(why));
        if document.end <= DateTime::<Utc>::from(now).date_naive() {
            return refused(format!("the agreement ended on {}", document.end));
        }
        let Some(first) = proposers.first() else {
            return refused("nobody whom the document concerns has signed that it proposes it".into());
        };
        let is_open = |kept: &&Kept| !kept.is_answered_by(&self.own);
        let open_of = |body: &Name| kept.iter().filter(is_open).filter(|kept| kept.said(Act::Proposal, body)).count();
        // One's own come back where they were lost.
        if proposers.iter().all(|body| *body != self.own && open_of(body) >= MOST_PROPOSALS) {
            let why =
                format!("{MOST_PROPOSALS} documents that {first} proposed wait for the signature of {}", self.own);
            return refused(why);
        }
        Ok(())
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn disk(&self, file: &str, source: io::Error) -> AgreementError {
        AgreementError::Disk { path: self.folder.join(file), source }
    }

    fn write(&self, id: &str, file: &str, bytes: &[u8]) -> Result<(), AgreementError> {
        let path = self.folder.join(id).join(file);
        durable_file(&path, bytes).map_err(|source| AgreementError::Disk { path, source })
    }
}

/// The documents that grant something of a body's and have all the signatures that this needs, as they lie on disk, in the
/// order in which the body signed them.
pub fn in_force(state: &Path, owner: &Name) -> io::Result<Vec<(PathBuf, String)>> {
    let folder = state.join(FOLDER);
    let all = read(&folder)?.into_iter();
    let signed = all.filter(|kept| kept.document.owners.contains(owner) && kept.lacks(owner).is_empty());
    let mut signed: Vec<Kept> = signed.collect();
    signed.sort_by_cached_key(|kept| (kept.consented_at(owner), kept.document.id.clone()));
    let file = |kept: Kept| (folder.join(&kept.document.id).join(kept::DOCUMENT), kept.document.text);
    Ok(signed.into_iter().map(file).collect())
}

fn milliseconds(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

/// The body of this federation whose node this is; analysts have no part in agreements between bodies, and bodies of other
/// federations may have the same slug as one of this.
fn node_of<'a>(verified: &'a Verified, own: &Name) -> Option<&'a Name> {
    match verified.identity() {
        Identity::Node { federation, body } if federation == own => Some(body),
        Identity::Node { .. } | Identity::Analyst { .. } => None,
    }
}
