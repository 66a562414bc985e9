//! Who is in a federation, as its authority signs it.

use std::collections::BTreeSet;

use prost::Message;

use crate::{EVERY, Invalid, Name, wire};

/// The members of a federation and what of them does not count. Decoded only after its signature was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The federation.
    pub federation: Name,
    /// A later version replaces an earlier one.
    pub version: u64,
    /// Milliseconds since the Unix epoch at which the authority said so.
    pub signed_at: u64,
    /// The members, each once.
    pub members: Vec<Member>,
    /// The certificates of the roots that hold, DER, oldest first; empty where nothing is said of them.
    pub roots: Vec<Vec<u8>>,
    /// Certificates by which a root vouches for a younger one, DER.
    pub links: Vec<Vec<u8>>,
}

/// No federation has more roots at a time, nor links that still lead somewhere.
const MOST_ROOTS: usize = 8;

/// A body that is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The body.
    pub body: Name,
    /// Where its node is reached: `https://host:port`.
    pub endpoint: String,
    /// Whether it is shut out for now.
    pub suspended: bool,
    /// Its certificates that are valid from before this time, in seconds since the Unix epoch, are revoked.
    pub valid_from: u64,
}

impl Membership {
    /// Decodes and checks it.
    pub fn decode(bytes: &[u8]) -> Result<Self, Invalid> {
        wire::Membership::decode(bytes).map_err(|error| Invalid::encoding("Membership", &error))?.try_into()
    }

    /// Encodes it for signing.
    pub fn encode(&self) -> Vec<u8> {
        wire::Membership::from(self).encode_to_vec()
    }

    /// Whether it replaces another one. Where two authorities signed the same version, the later one does.
    pub fn is_after(&self, other: &Self) -> bool {
        (self.version, self.signed_at, self.encode()) > (other.version, other.signed_at, other.encode())
    }

    /// The member of that name.
    pub fn member(&self, body: &Name) -> Option<&Member> {
        self.members.iter().find(|member| member.body == *body)
    }
}

impl TryFrom<wire::Membership> for Membership {
    type Error = Invalid;

    fn try_from(message: wire::Membership) -> Result<Self, Invalid> {
        let members = message.members.into_iter().map(Member::try_from).collect::<Result<Vec<_>, _>>()?;
        let mut seen = BTreeSet::new();
        for member in &members {
            if !seen.insert(&member.body) {
                return Err(Invalid::value("Membership", "members", member.body.as_str(), "a body stands once"));
            }
        }
        for (field, certificates) in [("roots", &message.roots), ("links", &message.links)] {
            if certificates.len() > MOST_ROOTS {
                let count = certificates.len().to_string();
                return Err(Invalid::value("Membership", field, &count, "there are 8 at most"));
            }
        }
        let (federation, version, signed_at) = (message.federation.parse()?, message.version, message.signed_at);
        Ok(Self { federation, version, signed_at, members, roots: message.roots, links: message.links })
    }
}

impl TryFrom<wire::Member> for Member {
    type Error = Invalid;

    fn try_from(message: wire::Member) -> Result<Self, Invalid> {
        let body: Name = message.body.parse()?;
        if body.as_str() == EVERY {
            return Err(Invalid::value("Member", "body", EVERY, "the name is reserved"));
        }
        if message.endpoint.is_empty() {
            return Err(Invalid::Missing { message: "Member", field: "endpoint" });
        }
        Ok(Self { body, endpoint: message.endpoint, suspended: message.suspended, valid_from: message.valid_from })
    }
}

impl From<&Membership> for wire::Membership {
    fn from(value: &Membership) -> Self {
        let member = |member: &Member| wire::Member {
            body: member.body.to_string(),
            endpoint: member.endpoint.clone(),
            suspended: member.suspended,
            valid_from: member.valid_from,
        };
        Self {
            federation: value.federation.to_string(),
            version: value.version,
            signed_at: value.signed_at,
            members: value.members.iter().map(member).collect(),
            roots: value.roots.clone(),
            links: value.links.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn membership(bodies: &[&str]) -> Membership {
        let member = |body: &&str| Member {
            body: body.parse().unwrap(),
            endpoint: format!("https://{body}:1"),
            suspended: *body == "gla",
            valid_from: 9,
        };
        Membership {
            federation: "london".parse().unwrap(),
            version: 7,
            signed_at: 1_000,
            members: bodies.iter().map(member).collect(),
            roots: vec![b"root".to_vec()],
            links: vec![b"link".to_vec()],
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let london = membership(&["lfb", "gla"]);
        assert_eq!(Membership::decode(&london.encode()).unwrap(), london);
        assert!(london.member(&"gla".parse().unwrap()).unwrap().suspended);
        assert!(london.member(&"loda".parse().unwrap()).is_none());
    }

    #[test]
    fn what_breaks_its_rules_is_none() {
        let twice = membership(&["lfb", "lfb"]);
        assert!(Membership::decode(&twice.encode()).unwrap_err().to_string().contains("stands once"));
        let nowhere = Membership {
            members: vec![Member {
                body: "lfb".parse().unwrap(),
                endpoint: String::new(),
                suspended: false,
                valid_from: 0,
            }],
            ..membership(&[])
        };
        assert!(Membership::decode(&nowhere.encode()).unwrap_err().to_string().contains("endpoint"));
        assert!(Membership::decode(b"\xff").is_err());
        let rooted = Membership { roots: vec![Vec::new(); 9], ..membership(&[]) };
        assert!(Membership::decode(&rooted.encode()).unwrap_err().to_string().contains("8 at most"));
        let every = Membership::decode(&membership(&["every"]).encode());
        assert!(every.unwrap_err().to_string().contains("reserved"));
    }
}
