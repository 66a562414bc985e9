//! The document of an agreement that many sign: one text, the same for all, named by its SHA-256.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use meridian_proto::Name;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The longest document (bytes).
pub const MOST_BYTES: usize = 64 << 10;
/// The most bodies that a document names as parties or as trustees.
const MOST_BODIES: usize = 256;

/// Why a text is no document that can be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the document {0}")]
pub struct Unfit(String);

/// What of a document says who it is between. Its terms are read by whoever enforces them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The lower-case hexadecimal SHA-256 of the text.
    pub id: String,
    /// The text, in the one form that it can have.
    pub text: String,
    /// The agreement's own identifier, as queries and records name it.
    pub name: String,
    /// For people.
    pub title: String,
    /// All bodies that the agreement is between.
    pub parties: BTreeSet<Name>,
    /// Those of them that it lets ask.
    pub recipients: BTreeSet<Name>,
    /// Those of them that it grants something of.
    pub owners: BTreeSet<Name>,
    /// The bodies that watch over it.
    pub trustees: BTreeSet<Name>,
    /// How many of the trustees must have signed.
    pub trustees_needed: usize,
    /// In force from this day, UTC.
    pub start: NaiveDate,
    /// No longer in force from this day, UTC.
    pub end: NaiveDate,
}

#[derive(Deserialize)]
struct Raw {
    id: String,
    title: String,
    parties: Vec<Name>,
    recipients: Vec<Name>,
    #[serde(default)]
    trustees: Vec<Name>,
    #[serde(default)]
    trustees_needed: usize,
    start: String,
    end: String,
    grants: Vec<Grant>,
}

#[derive(Deserialize)]
struct Grant {
    body: Option<Name>,
    bodies: Option<Vec<Name>>,
}

impl Document {
    /// Reads a document in its one form; any other text is refused, so that nobody signs what others read differently.
    pub fn read(text: &str) -> Result<Self, Unfit> {
        if text.len() > MOST_BYTES {
            return Err(Unfit(format!("is longer than {MOST_BYTES} bytes")));
        }
        if canonical(text)? != text {
            return Err(Unfit("is not in the one form in which documents are signed".into()));
        }
        let raw: Raw = toml::from_str(text).map_err(|error| Unfit(one_line(&error)))?;
        let date = |key: &str, text: &str| {
            NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| Unfit(format!("has a {key} that is no date")))
        };
        let (start, end) = (date("start", &raw.start)?, date("end", &raw.end)?);
        if raw.parties.len() + raw.trustees.len() > MOST_BODIES {
            return Err(Unfit(format!("names more than {MOST_BODIES} bodies")));
        }
        let owners = raw.grants.into_iter().flat_map(|grant| match (grant.body, grant.bodies) {
            (Some(body), _) => vec![body],
            (None, Some(bodies)) => bodies,
            (None, None) => raw.parties.clone(),
        });
        let document = Self {
            id: hex::encode(Sha256::digest(text)),
            text: text.to_owned(),
            name: raw.id,
            title: raw.title,
            owners: owners.collect(),
            parties: raw.parties.into_iter().collect(),
            recipients: raw.recipients.into_iter().collect(),
            trustees: raw.trustees.into_iter().collect(),
            trustees_needed: raw.trustees_needed,
            start,
            end,
        };
        document.check()?;
        Ok(document)
    }

    /// Whether a body is a party or a trustee: nobody else is told of the document.
    pub fn concerns(&self, body: &Name) -> bool {
        self.parties.contains(body) || self.trustees.contains(body)
    }

    /// Everybody whom it concerns.
    pub fn bodies(&self) -> BTreeSet<Name> {
        self.parties.union(&self.trustees).cloned().collect()
    }

    fn check(&self) -> Result<(), Unfit> {
        if self.recipients.is_empty() {
            return Err(Unfit("names no recipient".into()));
        }
        if let Some(body) = self.recipients.union(&self.owners).find(|body| !self.parties.contains(*body)) {
            return Err(Unfit(format!("gives {body} a part, which is none of its parties")));
        }
        if let Some(body) = self.trustees.intersection(&self.recipients).next() {
            return Err(Unfit(format!("has {body} as recipient and as trustee, who would watch over itself")));
        }
        let (needed, of) = (self.trustees_needed, self.trustees.len());
        if needed > of || (needed == 0 && of > 0) {
            return Err(Unfit(format!(
                "needs {needed} signatures of {of} trustees: write 1 at least, and {of} at most"
            )));
        }
        Ok(())
    }
}

/// The one form of a document: keys in order, no comments.
pub fn canonical(text: &str) -> Result<String, Unfit> {
    let table: toml::Table = text.parse().map_err(|error| Unfit(one_line(&error)))?;
    let made = toml::to_string(&table).map_err(|error| Unfit(format!("can't be written again: {error}")))?;
    let again: toml::Table = made.parse().map_err(|error| Unfit(one_line(&error)))?;
    // A value that does not come back as it was can't be signed.
    if again != table {
        return Err(Unfit("holds a value that has no one form".into()));
    }
    Ok(made)
}

fn one_line(error: &toml::de::Error) -> String {
    format!("can't be read: {}", error.message().lines().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Two owners, a recipient, two of three trustees.
    pub(crate) const TEXT: &str = r#"# A comment that nobody signs
title = "Fire risk"
id = "fire-risk-2026"
parties = ["camden", "hackney", "loda"]
recipients = ["loda"]
trustees = ["gla", "lfb", "barnet"]
trustees_needed = 2
start = "2026-01-01"
end = "2099-12-31"

[[grants]]
standard = "dwellings"
bodies = ["camden", "hackney"]
form = "statistics"
"#;

    pub(crate) fn document(from: &str, to: &str) -> Result<Document, Unfit> {
        assert!(TEXT.contains(from), "no {from:?}");
        Document::read(&canonical(&TEXT.replacen(from, to, 1))?)
    }

    #[test]
    fn a_document_has_one_form() {
        let one = document("", "").unwrap();
        assert!(!one.text.contains('#'));
        assert_eq!(canonical(&one.text).unwrap(), one.text);
        assert_eq!(one, document("title = \"Fire risk\"", "title   =  'Fire risk'").unwrap());
        assert_ne!(one.id, document("\"Fire risk\"", "\"Fire risks\"").unwrap().id);
        for other in [TEXT.to_owned(), format!("{}\n", one.text), format!("{}# x\n", one.text)] {
            let error = Document::read(&other).unwrap_err().to_string();
            assert!(error.contains("not in the one form"), "{error}");
        }
        assert!(canonical("a = nan").is_err());
        assert!(Document::read(&format!("x = \"{}\"\n", "x".repeat(MOST_BYTES))).is_err());
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        for (from, to, expected) in [
            ("trustees_needed = 2", "trustees_needed = 4", "needs 4 signatures of 3 trustees"),
            ("trustees_needed = 2", "trustees_needed = 0", "needs 0 signatures of 3 trustees"),
            ("[\"loda\"]", "[]", "names no recipient"),
            ("[\"loda\"]", "[\"gla\"]", "gives gla a part"),
            ("[\"gla\", ", "[\"loda\", ", "loda as recipient and as trustee"),
            ("bodies = [\"camden\"", "bodies = [\"islington\"", "gives islington a part"),
            ("2099-12-31", "2099-12-32", "end that is no date"),
            ("\"camden\", \"hackney\", \"loda\"]", "\"Camden\"]", "can't be read"),
        ] {
            let error = document(from, to).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(document("bodies = [\"camden\", \"hackney\"]", "").unwrap().owners.len(), 3, "all parties");
    }
}
