//! Who asks: made only from a verified identity.

use meridian_certs::{Identity, Verified};
use meridian_proto::Name;

use super::Refused;

/// Longest purpose or name of an analyst elsewhere that is taken, in characters.
const LONGEST_TEXT: usize = 200;

/// Who is asking this node: an analyst of its own body, or the node of a body of the federation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    identity: Identity,
    purpose: Option<String>,
    on_behalf_of: Option<String>,
}

impl Caller {
    /// The caller behind a verified identity. `own` is the federation and the body whose node this is. A purpose and
    /// the analyst behind a peer are claims: they are recorded, and a purpose is compared with agreements.
    pub fn new(
        verified: &Verified,
        own: (&Name, &Name),
        purpose: Option<String>,
        on_behalf_of: Option<String>,
    ) -> Result<Self, Refused> {
        Self::known(verified.identity().clone(), own, purpose, on_behalf_of)
    }

    pub(super) fn known(
        identity: Identity,
        (federation, body): (&Name, &Name),
        purpose: Option<String>,
        on_behalf_of: Option<String>,
    ) -> Result<Self, Refused> {
        if identity.federation() != federation {
            return Err(Refused::new(
                "caller.federation",
                format!("{identity} is not of the federation {federation}"),
                "use a certificate of this federation",
            ));
        }
        if matches!(identity, Identity::Analyst { .. }) && identity.body() != body {
            return Err(Refused::new(
                "caller.analyst",
                format!("{identity} is an analyst of another body, and this is the node of {body}"),
                format!("ask the node of {}: it asks this one", identity.body()),
            ));
        }
        let purpose = claim("purpose", purpose)?;
        let on_behalf_of = claim("name of the analyst", on_behalf_of)?;
        Ok(Self { identity, purpose, on_behalf_of })
    }

    /// Whether a node asks, not an analyst of this body.
    pub fn is_peer(&self) -> bool {
        matches!(self.identity, Identity::Node { .. })
    }

    /// The body that asks.
    pub fn body(&self) -> &Name {
        self.identity.body()
    }

    /// The SPIFFE ID.
    pub fn spiffe(&self) -> String {
        self.identity.to_string()
    }

    /// The purpose that was stated.
    pub fn purpose(&self) -> Option<&str> {
        self.purpose.as_deref()
    }

    /// The name of the analyst for whom a node says that it asks, who must be of the body that asks.
    pub(super) fn analyst(&self) -> Option<&str> {
        let of = format!("spiffe://{}/body/{}/analyst/", self.identity.federation(), self.identity.body());
        self.on_behalf_of()?.strip_prefix(&of)
    }

    /// The analyst for whom a node says that it asks.
    pub fn on_behalf_of(&self) -> Option<&str> {
        self.on_behalf_of.as_deref()
    }
}

/// A claim as it is recorded: trimmed, `None` where nothing is left; refused where it would spoil a log.
fn claim(what: &str, text: Option<String>) -> Result<Option<String>, Refused> {
    let Some(text) = text else { return Ok(None) };
    let text = text.trim();
    if text.chars().count() > LONGEST_TEXT || text.chars().any(char::is_control) {
        return Err(Refused::new(
            "caller.claim",
            format!("the {what} is longer than {LONGEST_TEXT} characters or holds control characters"),
            "shorten it to one line of plain text",
        ));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}
