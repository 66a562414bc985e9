//! What a node keeps of agreements that many sign: a folder for each document, a file for each signature.
//!
//! Signatures are only ever added, one of each kind for each body, so that nodes that have told each other everything hold
//! the same, in whatever order it came; a consent that counts no more is kept under another name. Of a document that was
//! discarded nothing stays but that it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use chrono::{DateTime, Days, NaiveDate};
use meridian_proto::{Name, Signed};

use super::document::Document;
use super::statement::{Act, Statement};

/// The document's file in its folder.
pub(super) const DOCUMENT: &str = "document.toml";
/// The file that names who brought the document, where another body did, and when: in milliseconds since the Unix epoch.
pub(super) const FROM: &str = "from";
/// The only file of a document that was discarded. Messages say so by this mark.
pub(super) const DISCARDED: &str = "discarded";
/// What the file of a consent begins with whose certificate was revoked.
const REVOKED: &str = "revoked";
/// Days after which a document that this body has not signed is discarded.
pub const OPEN_DAYS: u64 = 90;

/// A document and the signatures that are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The document.
    pub document: Document,
    /// The signatures that count.
    pub signatures: BTreeMap<(Act, Name), (Statement, Signed)>,
    /// Bodies of which a consent counts no more, since its certificate was revoked; another one may.
    pub revoked: BTreeSet<Name>,
    /// The body that brought it; `None` where it was proposed here.
    pub from: Option<Name>,
    /// When it was brought or proposed, in milliseconds since the Unix epoch; `None` where that is not known.
    pub came: Option<u64>,
}

impl Kept {
    /// A document of which nothing else is known.
    pub(super) fn new(document: Document) -> Self {
        Self { document, signatures: BTreeMap::new(), revoked: BTreeSet::new(), from: None, came: None }
    }

    /// Whether a body has said so.
    pub fn said(&self, act: Act, body: &Name) -> bool {
        self.signatures.contains_key(&(act, body.clone()))
    }

    /// Whether a body has consented and not withdrawn.
    pub fn agrees(&self, body: &Name) -> bool {
        self.said(Act::Consent, body) && !self.said(Act::Withdrawal, body)
    }

    /// Whether a body has said anything of it but that it proposes it.
    pub(super) fn is_answered_by(&self, body: &Name) -> bool {
        self.said(Act::Consent, body) || self.said(Act::Withdrawal, body) || self.revoked.contains(body)
    }

    /// When a body consented, in milliseconds since the Unix epoch, as it says.
    pub(super) fn consented_at(&self, body: &Name) -> Option<u64> {
        self.signatures.get(&(Act::Consent, body.clone())).map(|(statement, _)| statement.at)
    }

    /// The bodies that propose it.
    pub fn proposers(&self) -> impl Iterator<Item = &Name> {
        self.signatures.keys().filter(|(act, _)| *act == Act::Proposal).map(|(_, body)| body)
    }

    /// When it is discarded at a body's node, if that does not sign it.
    pub fn discarded_on(&self, own: &Name) -> Option<NaiveDate> {
        let came = i64::try_from(self.came?).ok().and_then(DateTime::from_timestamp_millis)?;
        let last = came.date_naive().checked_add_days(Days::new(OPEN_DAYS))?.min(self.document.end);
        (!self.is_answered_by(own)).then_some(last)
    }

    /// Why it is not in force at a body's node, whatever the day; nothing where it is.
    pub fn lacks(&self, owner: &Name) -> Vec<String> {
        let document = &self.document;
        let mut lacks = Vec::new();
        let must = std::iter::once(owner).chain(document.recipients.iter().filter(|body| *body != owner));
        for body in must {
            if self.said(Act::Withdrawal, body) {
                lacks.push(format!("{body} has withdrawn"));
            } else if !self.said(Act::Consent, body) {
                let why = if self.revoked.contains(body) { REVOKED_SINCE } else { "has not signed" };
                lacks.push(format!("{body} {why}"));
            }
        }
        let consented: Vec<&Name> = document.trustees.iter().filter(|body| self.said(Act::Consent, body)).collect();
        // A trustee that never signed can't stop what enough others let pass.
        for body in consented.iter().filter(|body| self.said(Act::Withdrawal, body)) {
            lacks.push(format!("its trustee {body} has withdrawn"));
        }
        let (signed, needed) = (consented.len(), document.trustees_needed);
        if signed < needed {
            lacks.push(format!("{signed} of its trustees have signed, and {needed} must"));
        }
        lacks
    }

    /// How messages name the signatures that are kept.
    pub(super) fn marks(&self) -> Vec<String> {
        self.signatures.keys().map(|(act, body)| file(*act, body)).collect()
    }
}

/// What is said of a body whose consent counts no more.
pub const REVOKED_SINCE: &str = "signed with a certificate that was revoked since, and must sign anew";

/// The file of a signature.
pub(super) fn file(act: Act, body: &Name) -> String {
    format!("{act}.{body}")
}

/// The file of a consent that counts no more.
pub(super) fn revoked_file(body: &Name) -> String {
    format!("{REVOKED}.{body}")
}

/// What is left of a document that was discarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Discarded {
    pub(super) id: String,
    /// From this day on nobody gives it any more.
    pub(super) end: NaiveDate,
    /// Those whom it concerns.
    pub(super) bodies: BTreeSet<Name>,
}

impl Discarded {
    pub(super) fn of(document: &Document) -> Self {
        Self { id: document.id.clone(), end: document.end, bodies: document.bodies() }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let bodies: Vec<&str> = self.bodies.iter().map(Name::as_str).collect();
        format!("{} {}\n", self.end, bodies.join(" ")).into_bytes()
    }

    fn decode(id: &str, text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let end = words.next()?.parse().ok()?;
        let bodies = words.map(|word| word.parse().ok()).collect::<Option<_>>()?;
        Some(Self { id: id.to_owned(), end, bodies })
    }
}

/// The documents of a folder that were discarded.
pub(super) fn discarded(folder: &Path) -> io::Result<Vec<Discarded>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let (name, file) = (entry.file_name(), entry.path().join(DISCARDED));
        if let (Some(id), true) = (name.to_str(), file.exists()) {
            found.extend(Discarded::decode(id, &fs::read_to_string(&file)?));
        }
    }
    Ok(found)
}

/// Leaves of a document's folder nothing but that it was discarded.
pub(super) fn strip(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() != DISCARDED {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// All that is kept in a folder. A document that is damaged, or a signature of which is, is left out and said: a
/// withdrawal could be what can't be read.
pub fn read(folder: &Path) -> io::Result<Vec<Kept>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut kept = Vec::new();
    for entry in entries {
        let path = entry?.path();
        match one(&path) {
            Ok(found) => kept.extend(found),
            Err(why) => tracing::error!(
                path = %path.display(),
                why,
                "an agreement is not in force: what is kept of it can't be read; restore it from a backup, or remove it"
            ),
        }
    }
    kept.sort_by(|a, b| (&a.document.name, &a.document.id).cmp(&(&b.document.name, &b.document.id)));
    Ok(kept)
}

fn one(folder: &Path) -> Result<Option<Kept>, String> {
    if folder.join(DISCARDED).exists() {
        return Ok(None);
    }
    let text = match fs::read_to_string(folder.join(DOCUMENT)) {
        // Its writer has not come to the document yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(|error| error.to_string())?,
    };
    let document = Document::read(&text).map_err(|error| error.to_string())?;
    if folder.file_name().is_none_or(|name| name != document.id.as_str()) {
        return Err("the folder has the id of another document".into());
    }
    let mut kept = Kept::new(document);
    for entry in fs::read_dir(folder).map_err(|error| error.to_string())? {
        let entry = entry.map_err(|error| error.to_string())?;
        let name = entry.file_name();
        let name = name.to_str().ok_or("a file's name is no text")?;
        if name == DOCUMENT || name.ends_with(".new") {
            continue;
        }
        let bytes = fs::read(entry.path()).map_err(|error| format!("{name}: {error}"))?;
        if name == FROM {
            let text = String::from_utf8(bytes).unwrap_or_default();
            let mut words = text.split_whitespace();
            let from = words.next().and_then(|word| word.parse().ok());
            kept.from = Some(from.ok_or("the file `from` names no body")?);
            kept.came = words.next().and_then(|word| word.parse().ok());
            continue;
        }
        if let Some(body) = name.strip_prefix(REVOKED).and_then(|rest| rest.strip_prefix('.')) {
            kept.revoked.insert(body.parse().map_err(|_| format!("{name}: it names no body"))?);
            continue;
        }
        let (act, body, signature) = signature(&kept.document, name, &bytes).map_err(|why| format!("{name}: {why}"))?;
        kept.signatures.insert((act, body), signature);
    }
    if kept.from.is_none() {
        // Nobody else's, who may say that it was long ago, makes it older than it is.
        let proposals = kept.signatures.iter().filter(|((act, _), _)| *act == Act::Proposal);
        kept.came = proposals.map(|(_, (statement, _))| statement.at).max();
    }
    Ok(Some(kept))
}

/// A signature that was checked when it came.
fn signature(document: &Document, name: &str, bytes: &[u8]) -> Result<(Act, Name, (Statement, Signed)), String> {
    let signed = Signed::decode(bytes).map_err(|error| error.to_string())?;
    let statement = Statement::decode(&signed.payload)?;
    let (act, body) = (statement.act, statement.body.clone());
    if file(act, &body) != name || statement.document != document.id || !document.concerns(&body) {
        return Err("it is of another document or body".into());
    }
    Ok((act, body, (statement, signed)))
}
