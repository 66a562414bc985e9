//! Agreements that many sign: one document for all whom it concerns, and each body's signature on it.
//!
//! A document is a text in one form, named by its hash (`document`). A body consents by a signature of its node's key, and
//! withdraws by another, for good (`statement`). What came is kept in the state folder (`kept`), and nodes tell each other
//! what they hold, only of documents that concern the other one (`exchange`). Nothing that another body says has an effect
//! on what this node gives before this body has signed itself.

mod document;
mod exchange;
mod kept;
mod statement;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use meridian_certs::{Credentials, Identity, Verified};
use meridian_federation::remote::Peers;
use meridian_proto::{Name, Signed, wire};

use crate::audit::durable_file;

pub use document::{Document, MOST_BYTES, Unfit, canonical};
pub use kept::{Kept, read};
pub use statement::{Act, Statement};

/// The folder in the state folder.
pub const FOLDER: &str = "agreements";
/// Documents that one body may bring and this one has not signed.
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
    /// Held by whoever adds something.
    turn: Mutex<()>,
}

impl Agreements {
    /// What is kept in a state folder, for the body of `credentials`.
    pub fn new(state: &Path, credentials: Arc<Credentials>, peers: Arc<Peers>) -> Arc<Self> {
        let identity = credentials.identity();
        let (federation, own) = (identity.federation().clone(), identity.body().clone());
        Arc::new(Self { federation, own, folder: state.join(FOLDER), credentials, peers, turn: Mutex::default() })
    }

    /// All of it.
    pub fn kept(&self) -> Result<Vec<Kept>, AgreementError> {
        read(&self.folder).map_err(|source| AgreementError::Disk { path: self.folder.clone(), source })
    }

    /// Keeps a document of one's own to be proposed to others.
    pub fn propose(&self, document: &Document) -> Result<(), AgreementError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if !document.concerns(&self.own) {
            let why = format!("{} is neither party to the document nor its trustee, and can't propose it", self.own);
            return Err(AgreementError::Refused(why));
        }
        self.write(document, kept::DOCUMENT, document.text.as_bytes())
    }

    /// Signs a document that is kept, for this body.
    pub fn say(&self, act: Act, document: &Document, now: DateTime<Utc>) -> Result<(), AgreementError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = self.kept()?;
        let refused = |why: String| Err(AgreementError::Refused(why));
        let Some(kept) = kept.iter().find(|kept| kept.document.id == document.id) else {
            return refused(format!("the document {} is not kept here", document.id));
        };
        match (act, kept.said(Act::Consent, &self.own), kept.said(Act::Withdrawal, &self.own)) {
            (_, _, true) => {
                return refused(format!("{} has withdrawn, for good: agree anew by another document", self.own));
            }
            (Act::Consent, true, _) => return Ok(()),
            (Act::Withdrawal, false, _) => return refused(format!("{} has not signed it", self.own)),
            (Act::Consent, false, _) | (Act::Withdrawal, true, _) => {}
        }
        let statement = Statement {
            act,
            federation: self.federation.clone(),
            body: self.own.clone(),
            document: document.id.clone(),
            at: u64::try_from(now.timestamp_millis()).unwrap_or(0),
        };
        let signed = self.credentials.sign(statement.encode())?;
        self.write(document, &kept::file(act, &self.own), &signed.encode())
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
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = self.kept()?;
        let known = match kept.iter().find(|kept| kept.document.id == document.id) {
            Some(known) => known.clone(),
            None => {
                self.may_bring(from, &document, &kept, now)?;
                self.write(&document, kept::FROM, from.as_str().as_bytes())?;
                self.write(&document, kept::DOCUMENT, document.text.as_bytes())?;
                tracing::info!(agreement = document.name, id = document.id, %from, "an agreement is proposed");
                Kept { document, signatures: Default::default(), from: Some(from.clone()) }
            }
        };
        let mut first = None;
        // Two of a body at most, and no more is looked at.
        for signed in given.signatures.into_iter().take(2 * known.document.bodies().len()) {
            match self.checked(&known, signed, now) {
                Ok(Some((statement, signed))) => {
                    self.write(&known.document, &kept::file(statement.act, &statement.body), &signed.encode())?;
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
        if statement.body == self.own {
            return Err(format!("what {} signs comes from its own node only", self.own));
        }
        if !kept.document.concerns(&statement.body) {
            return Err(format!("{} is neither party to the document nor its trustee", statement.body));
        }
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        if u128::from(statement.at) > since + u128::from(CLOCK_SKEW) {
            return Err(format!("the signature of {} is from the future", statement.body));
        }
        let verified = self.credentials.verify(&signed, now).map_err(|error| error.to_string())?;
        let node = Identity::Node { federation: self.federation.clone(), body: statement.body.clone() };
        if *verified.identity() != node || statement.federation != self.federation {
            return Err(format!("{} signed what is said to be of {}", verified.identity(), statement.body));
        }
        Ok(Some((statement, signed)))
    }

    /// Whether one more document may be kept that this body has not signed.
    fn may_bring(
        &self,
        from: &Name,
        document: &Document,
        kept: &[Kept],
        now: SystemTime,
    ) -> Result<(), AgreementError> {
        let refused = |why: String| Err(AgreementError::Refused(why));
        if document.end <= DateTime::<Utc>::from(now).date_naive() {
            return refused(format!("the agreement ended on {}", document.end));
        }
        let open = kept.iter().filter(|kept| kept.from.as_ref() == Some(from) && !kept.said(Act::Consent, &self.own));
        if open.count() >= MOST_PROPOSALS {
            let why = format!("{MOST_PROPOSALS} documents that {from} brought wait for the signature of {}", self.own);
            return refused(why);
        }
        Ok(())
    }

    /// Signs anew what this body has said, where the certificate has ended since: others take only what they can check now.
    fn renew(&self, now: SystemTime) -> Result<(), AgreementError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        for kept in self.kept()? {
            for ((act, body), (statement, signed)) in &kept.signatures {
                if *body != self.own || self.credentials.verify(signed, now).is_ok() {
                    continue;
                }
                let signed = self.credentials.sign(statement.encode())?;
                // While the body is suspended, another one would be no better.
                if self.credentials.verify(&signed, now).is_ok() {
                    self.write(&kept.document, &kept::file(*act, body), &signed.encode())?;
                }
            }
        }
        Ok(())
    }

    fn write(&self, document: &Document, file: &str, bytes: &[u8]) -> Result<(), AgreementError> {
        let path = self.folder.join(&document.id).join(file);
        durable_file(&path, bytes).map_err(|source| AgreementError::Disk { path, source })
    }
}

/// The documents that grant something of a body's and have all the signatures that this needs, as they lie on disk.
pub fn in_force(state: &Path, owner: &Name) -> io::Result<Vec<(PathBuf, String)>> {
    let folder = state.join(FOLDER);
    let all = read(&folder)?.into_iter();
    let signed = all.filter(|kept| kept.document.owners.contains(owner) && kept.lacks(owner).is_empty());
    Ok(signed.map(|kept| (folder.join(&kept.document.id).join(kept::DOCUMENT), kept.document.text)).collect())
}

/// The body of this federation whose node this is; analysts have no part in agreements between bodies, and bodies of other
/// federations may have the same slug as one of this.
fn node_of<'a>(verified: &'a Verified, own: &Name) -> Option<&'a Name> {
    match verified.identity() {
        Identity::Node { federation, body } if federation == own => Some(body),
        Identity::Node { .. } | Identity::Analyst { .. } => None,
    }
}
