//! What a node does with what it keeps as time goes by: consents whose certificate was revoked stop counting, its own
//! signatures are made anew, and documents that it never signed are discarded.

use std::io;
use std::time::SystemTime;

use chrono::{DateTime, NaiveDate, Utc};
use meridian_proto::{Name, Signed};

use super::kept::{self, Discarded, Kept};
use super::{Act, AgreementError, Agreements, Document, Statement};

impl Agreements {
    /// Brings what is kept up to date with the time, and with who is in the federation.
    pub fn tend(&self, now: SystemTime) -> Result<(), AgreementError> {
        let _turn = self.turn();
        let mut all = self.kept()?;
        for kept in &mut all {
            self.revoke(kept)?;
            self.renew(kept, now)?;
        }
        self.discard_old(&all, DateTime::<Utc>::from(now).date_naive())
    }

    /// Discards a document that this body has not signed: it is taken from nobody any more, until it is proposed here.
    pub fn discard(&self, document: &Document) -> Result<(), AgreementError> {
        let _turn = self.turn();
        let Some(kept) = self.kept()?.into_iter().find(|kept| kept.document.id == document.id) else {
            return Err(AgreementError::Refused(format!("the document {} is not kept here", document.id)));
        };
        if kept.is_answered_by(&self.own) {
            let why = format!("{} has signed it or withdrawn from it: what it has said stays", self.own);
            return Err(AgreementError::Refused(why));
        }
        self.put_aside(&kept)
    }

    /// A consent with a certificate that was revoked since may be anybody's. What takes away goes on counting.
    fn revoke(&self, kept: &mut Kept) -> Result<(), AgreementError> {
        let is_revoked = |(act, _): &(Act, Name), (_, signed): &mut (Statement, Signed)| {
            *act == Act::Consent && self.credentials.has_revoked(signed)
        };
        let Kept { document: Document { id, name, .. }, signatures, revoked, .. } = kept;
        let folder = self.folder.join(&*id);
        for ((act, body), _) in signatures.extract_if(.., is_revoked) {
            let path = folder.join(kept::file(act, &body));
            // A command and the node may see it at once.
            if let Err(source) = std::fs::rename(&path, folder.join(kept::revoked_file(&body)))
                && source.kind() != io::ErrorKind::NotFound
            {
                return Err(AgreementError::Disk { path, source });
            }
            tracing::warn!(agreement = *name, %id, %body, "a signature counts no more: its certificate was revoked");
            revoked.insert(body);
        }
        Ok(())
    }

    /// Signs anew what this body has said, where others would not take it any more.
    fn renew(&self, kept: &Kept, now: SystemTime) -> Result<(), AgreementError> {
        for ((act, body), (statement, signed)) in &kept.signatures {
            if *body != self.own || self.signer(*act, signed, now).is_ok() {
                continue;
            }
            let signed = self.credentials.sign(statement.encode())?;
            // While the body is suspended, another one would be no better.
            if self.signer(*act, &signed, now).is_ok() {
                self.write(&kept.document.id, &kept::file(*act, body), &signed.encode())?;
            }
        }
        Ok(())
    }

    fn discard_old(&self, all: &[Kept], today: NaiveDate) -> Result<(), AgreementError> {
        for kept in all.iter().filter(|kept| kept.discarded_on(&self.own).is_some_and(|day| day <= today)) {
            self.put_aside(kept)?;
            let (name, id) = (&kept.document.name, &kept.document.id);
            tracing::info!(agreement = name, id, "a document that this body has not signed is discarded");
        }
        // Nobody is given what has ended.
        for gone in self.discarded()?.iter().filter(|gone| gone.end <= today) {
            let folder = self.folder.join(&gone.id);
            std::fs::remove_dir_all(&folder).map_err(|source| self.disk(&gone.id, source))?;
        }
        Ok(())
    }

    /// Keeps that it was discarded, and nothing of what it says.
    fn put_aside(&self, kept: &Kept) -> Result<(), AgreementError> {
        let id = &kept.document.id;
        self.write(id, kept::DISCARDED, &Discarded::of(&kept.document).encode())?;
        kept::strip(&self.folder.join(id)).map_err(|source| self.disk(id, source))
    }

    pub(super) fn discarded(&self) -> Result<Vec<Discarded>, AgreementError> {
        kept::discarded(&self.folder).map_err(|source| self.disk("", source))
    }
}
