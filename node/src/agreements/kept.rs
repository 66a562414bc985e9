//! What a node keeps of agreements that many sign: a folder for each document, a file for each signature.
//!
//! Signatures are only ever added, one of each kind for each body, so that nodes that have told each other everything hold
//! the same, in whatever order it came.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use meridian_proto::{Name, Signed};

use super::document::Document;
use super::statement::{Act, Statement};

/// The document's file in its folder.
pub(super) const DOCUMENT: &str = "document.toml";
/// The file that names who brought the document, where another body did.
pub(super) const FROM: &str = "from";

/// A document and the signatures that are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The document.
    pub document: Document,
    /// The signatures.
    pub signatures: BTreeMap<(Act, Name), (Statement, Signed)>,
    /// The body that brought it; `None` where it was proposed here.
    pub from: Option<Name>,
}

impl Kept {
    /// Whether a body has said so.
    pub fn said(&self, act: Act, body: &Name) -> bool {
        self.signatures.contains_key(&(act, body.clone()))
    }

    /// Whether a body has consented and not withdrawn.
    pub fn agrees(&self, body: &Name) -> bool {
        self.said(Act::Consent, body) && !self.said(Act::Withdrawal, body)
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
                lacks.push(format!("{body} has not signed"));
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

/// The file of a signature.
pub(super) fn file(act: Act, body: &Name) -> String {
    format!("{act}.{body}")
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
    let text = match fs::read_to_string(folder.join(DOCUMENT)) {
        // Its writer has not come to the document yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(|error| error.to_string())?,
    };
    let document = Document::read(&text).map_err(|error| error.to_string())?;
    if folder.file_name().is_none_or(|name| name != document.id.as_str()) {
        return Err("the folder has the id of another document".into());
    }
    let mut kept = Kept { document, signatures: BTreeMap::new(), from: None };
    for entry in fs::read_dir(folder).map_err(|error| error.to_string())? {
        let entry = entry.map_err(|error| error.to_string())?;
        let name = entry.file_name();
        let name = name.to_str().ok_or("a file's name is no text")?;
        if name == DOCUMENT || name.ends_with(".new") {
            continue;
        }
        let bytes = fs::read(entry.path()).map_err(|error| format!("{name}: {error}"))?;
        if name == FROM {
            let from = String::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
            kept.from = Some(from.ok_or("the file `from` names no body")?);
            continue;
        }
        let (act, body, signature) = signature(&kept.document, name, &bytes).map_err(|why| format!("{name}: {why}"))?;
        kept.signatures.insert((act, body), signature);
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
