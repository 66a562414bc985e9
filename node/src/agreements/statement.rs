//! What a body's signature on a document says: that it proposes it, consent, or its withdrawal, which is for good.

use std::fmt;
use std::str::FromStr;

use meridian_proto::Name;

/// Begins every statement. No other payload that a node signs begins so: they are Protocol Buffers, and no message of these
/// can begin with this byte, which is a field of wire type 7.
const DOMAIN: &str = "/meridian/agreement/1";
/// The longest statement (bytes).
const MOST_BYTES: usize = 512;

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// The body brings it before the others.
    Proposal,
    /// The body agrees.
    Consent,
    /// It does no longer. A consent, earlier or later, does not count any more.
    Withdrawal,
}

impl Act {
    /// All that can be said.
    pub(super) const ALL: [Self; 3] = [Self::Proposal, Self::Consent, Self::Withdrawal];

    /// As files and messages name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Proposal => "proposal",
            Self::Consent => "consent",
            Self::Withdrawal => "withdrawal",
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Act {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|act| act.word() == word).ok_or(())
    }
}

/// The payload of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What is said.
    pub act: Act,
    /// The federation of the body.
    pub federation: Name,
    /// Who says it.
    pub body: Name,
    /// Of which document: its id.
    pub document: String,
    /// When, in milliseconds since the Unix epoch.
    pub at: u64,
}

impl Statement {
    /// As it is signed: one line each.
    pub fn encode(&self) -> Vec<u8> {
        let Self { act, federation, body, document, at } = self;
        format!("{DOMAIN}\n{act}\n{federation}\n{body}\n{document}\n{at}\n").into_bytes()
    }

    /// Reads one in the very form in which it is signed.
    pub fn decode(payload: &[u8]) -> Result<Self, String> {
        let wrong = || "it is no statement about an agreement".to_owned();
        let text = std::str::from_utf8(payload).ok().filter(|text| text.len() <= MOST_BYTES).ok_or_else(wrong)?;
        let lines: Vec<&str> = text.lines().collect();
        let [DOMAIN, act, federation, body, document, at] = lines.as_slice() else { return Err(wrong()) };
        let statement = Self {
            act: act.parse().map_err(|()| wrong())?,
            federation: federation.parse().map_err(|_| wrong())?,
            body: body.parse().map_err(|_| wrong())?,
            document: (*document).to_owned(),
            at: at.parse().map_err(|_| wrong())?,
        };
        if statement.encode() == payload { Ok(statement) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use meridian_proto::{Description, LogKeys, Membership, ReleaseRecord};

    use super::*;

    #[test]
    fn a_statement_has_one_form_and_is_nothing_else() {
        let statement = Statement {
            act: Act::Withdrawal,
            federation: "london".parse().unwrap(),
            body: "camden".parse().unwrap(),
            document: "ab".repeat(32),
            at: 17,
        };
        let good = statement.encode();
        assert_eq!(Statement::decode(&good).unwrap(), statement);
        let text = String::from_utf8(good.clone()).unwrap();
        for bad in [
            text.replace("17", "017"),
            text.replace("17\n", "17"),
            text.replace("17\n", "17\n\n"),
            text.replace('\n', "\r\n"),
            text.replace("/1", "/2"),
            text.replace("withdrawal", "consents"),
            String::new(),
        ] {
            assert!(Statement::decode(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(ReleaseRecord::decode(&good).is_err());
        assert!(Membership::decode(&good).is_err());
        assert!(Description::decode(&good).is_err());
        assert!(LogKeys::decode(&good).is_err());
    }
}
