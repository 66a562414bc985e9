//! Who somebody is: the node of a body or an analyst of one, written as a SPIFFE ID.

use std::fmt;
use std::str::FromStr;

use meridian_proto::Name;

use crate::{Error, Result};

/// An identity of a federation. `Display` writes the SPIFFE ID, `FromStr` reads exactly what `Display` writes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Identity {
    /// The node of a body: `spiffe://london/body/lfb/node`.
    Node {
        /// The federation.
        federation: Name,
        /// The body.
        body: Name,
    },
    /// A person who works for a body: `spiffe://london/body/loda/analyst/asha`.
    Analyst {
        /// The federation.
        federation: Name,
        /// The body.
        body: Name,
        /// The person.
        name: Name,
    },
}

impl Identity {
    /// The federation.
    pub fn federation(&self) -> &Name {
        match self {
            Self::Node { federation, .. } | Self::Analyst { federation, .. } => federation,
        }
    }

    /// The body.
    pub fn body(&self) -> &Name {
        match self {
            Self::Node { body, .. } | Self::Analyst { body, .. } => body,
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node { federation, body } => write!(f, "spiffe://{federation}/body/{body}/node"),
            Self::Analyst { federation, body, name } => {
                write!(f, "spiffe://{federation}/body/{body}/analyst/{name}")
            }
        }
    }
}

impl FromStr for Identity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse(text).ok_or_else(|| Error::Identity { text: text.chars().take(200).collect() })
    }
}

fn parse(text: &str) -> Option<Identity> {
    let mut parts = text.strip_prefix("spiffe://")?.split('/');
    let federation = parts.next()?.parse().ok()?;
    if parts.next()? != "body" {
        return None;
    }
    let body = parts.next()?.parse().ok()?;
    let identity = match parts.next()? {
        "node" => Identity::Node { federation, body },
        "analyst" => Identity::Analyst { federation, body, name: parts.next()?.parse().ok()? },
        _ => return None,
    };
    parts.next().is_none().then_some(identity)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["spiffe://london/body/lfb/node", "spiffe://london/body/loda/analyst/asha"] {
            assert_eq!(text.parse::<Identity>().unwrap().to_string(), text);
        }
        let asha: Identity = "spiffe://london/body/loda/analyst/asha".parse().unwrap();
        assert_eq!((asha.federation().as_str(), asha.body().as_str()), ("london", "loda"));
    }

    #[test]
    fn nothing_else_is_an_identity() {
        for text in [
            "",
            "spiffe://london",
            "spiffe://london/",
            "spiffe://london/body/lfb",
            "spiffe://london/body/lfb/",
            "spiffe://london/body/lfb/node/",
            "spiffe://london/body/lfb/node/x",
            "spiffe://london/body/lfb/node?x=1",
            "spiffe://london/body/lfb/node#x",
            "spiffe://london/body//node",
            "spiffe:///body/lfb/node",
            "spiffe://london:443/body/lfb/node",
            "spiffe://x@london/body/lfb/node",
            "spiffe://London/body/lfb/node",
            "SPIFFE://london/body/lfb/node",
            "spiffe://london/body/LFB/node",
            "spiffe://london/body/%6cfb/node",
            "spiffe://london/body/lfb/Node",
            "spiffe://london/body/../node",
            "spiffe://london/body/lfb/analyst",
            "spiffe://london/body/lfb/analyst/",
            "spiffe://london/body/lfb/analyst/asha/node",
            "spiffe://london/body/lfb/analyst/asha ",
            " spiffe://london/body/lfb/node",
            "spiffe://london/body/lfb/node\n",
            "https://london/body/lfb/node",
            "london/body/lfb/node",
        ] {
            assert!(text.parse::<Identity>().is_err(), "{text:?}");
        }
    }
}
