//! Who asks: made only from a verified identity.

use meridian_certs::{Identity, Verified};
use meridian_proto::{BodyName, Name};

use super::Refused;

/// Longest purpose or name of an analyst elsewhere that is taken, in characters.
const LONGEST_TEXT: usize = 200;

/// Who is asking this node: an analyst of its own body, or the node of a body, of its own federation or of another that it
/// trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    identity: Identity,
    /// The federation of the node that is asked.
    own: Name,
    /// The caller's body, as that node names it.
    body: BodyName,
    purpose: Option<String>,
    on_behalf_of: Option<String>,
    groups: Vec<Name>,
    via: Vec<BodyName>,
}

/// As a node names the asker of a question to the bodies that it asks in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Onward {
    /// The analyst, or the node that named none.
    pub asker: String,
    /// The groups that the analyst is in.
    pub groups: Vec<Name>,
    /// The bodies whose nodes have passed the question on.
    pub via: Vec<BodyName>,
}

/// Most bodies whose nodes may pass a question on before it reaches this one.
const LONGEST_WAY: usize = 3;

impl Caller {
    /// The caller behind a verified identity. `own` is the federation and the body whose node this is. A purpose and
    /// the analyst behind a peer are claims: they are recorded, and a purpose is compared with agreements. Of which
    /// other federations a node may call at all, the handshake has decided.
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
        let theirs = BodyName::of(identity.federation(), identity.body(), federation);
        let is_analyst = matches!(identity, Identity::Analyst { .. });
        if is_analyst && !theirs.is_own() {
            return Err(Refused::new(
                "caller.federation",
                format!("{identity} is not of the federation {federation}"),
                format!("ask the node of {} in your own federation: it asks this one", identity.body()),
            ));
        }
        if is_analyst && theirs != *body {
            return Err(Refused::new(
                "caller.analyst",
                format!("{identity} is an analyst of another body, and this is the node of {body}"),
                format!("ask the node of {}: it asks this one", identity.body()),
            ));
        }
        let purpose = claim("purpose", purpose)?;
        let on_behalf_of = claim("name of the analyst", on_behalf_of)?;
        let (own, groups, via) = (federation.clone(), Vec::new(), Vec::new());
        Ok(Self { identity, own, body: theirs, purpose, on_behalf_of, groups, via })
    }

    /// The same caller, whose analyst is in these groups: as this body's own list says, or as a peer claims.
    pub fn in_groups(self, groups: Vec<Name>) -> Self {
        Self { groups, ..self }
    }

    /// The same caller, who says that the nodes of these bodies, as it names them, passed the question on to theirs. `own` is
    /// the body whose node this is: a question that was here before is refused, and so is one that came a long way.
    pub fn by_way_of(self, via: Vec<BodyName>, own: &Name) -> Result<Self, Refused> {
        let via: Vec<BodyName> = via.iter().map(|body| body.told_by(self.identity.federation(), &self.own)).collect();
        let own = BodyName::from(own.clone());
        let mut seen: Vec<&BodyName> = vec![&own, self.body()];
        for body in &via {
            if seen.contains(&body) {
                return Err(Refused::new(
                    "via.cycle",
                    format!(
                        "the question has been at the node of {body} before, and comes back by that of {}",
                        self.body()
                    ),
                    "ask each body from your own node",
                ));
            }
            seen.push(body);
        }
        if via.len() > LONGEST_WAY {
            return Err(Refused::new(
                "via.depth",
                format!("the question was passed on by more than {LONGEST_WAY} nodes"),
                "ask each body from your own node",
            ));
        }
        Ok(Self { via, ..self })
    }

    /// As this node names the asker to the bodies that it asks in turn.
    pub fn onward(&self) -> Onward {
        let groups = self.groups.clone();
        if !self.is_peer() {
            return Onward { asker: self.spiffe(), groups, via: Vec::new() };
        }
        let asker = self.on_behalf_of.clone().unwrap_or_else(|| self.spiffe());
        Onward { asker, groups, via: self.via.iter().chain([self.body()]).cloned().collect() }
    }

    /// The bodies, other than its own, for which a node says that it asks; `None` where it names somebody whose body can't
    /// be told. A name that is no identity is one of its own.
    pub(super) fn others(&self) -> Option<Vec<BodyName>> {
        let mut others = self.via.clone();
        if let Some(asker) = self.on_behalf_of().filter(|asker| self.is_peer() && asker.contains("://")) {
            let asker: Identity = asker.parse().ok()?;
            others.push(BodyName::of(asker.federation(), asker.body(), &self.own));
        }
        others.retain(|body| body != self.body());
        others.sort_unstable();
        others.dedup();
        Some(others)
    }

    /// Whether a node asks, not an analyst of this body.
    pub fn is_peer(&self) -> bool {
        matches!(self.identity, Identity::Node { .. })
    }

    /// The body that asks, as this node names it.
    pub fn body(&self) -> &BodyName {
        &self.body
    }

    /// The federation of the body that asks, where it is another than this node's.
    pub fn abroad(&self) -> Option<&Name> {
        self.body.abroad()
    }

    /// Whether the node of a member of this node's federation asks, and by its own account for members alone. What members
    /// may have without an agreement, they may not fetch for others.
    pub(super) fn is_for_members(&self) -> bool {
        self.body.is_own() && self.others().is_some_and(|others| others.iter().all(BodyName::is_own))
    }

    /// The SPIFFE ID.
    pub fn spiffe(&self) -> String {
        self.identity.to_string()
    }

    /// The purpose that was stated.
    pub fn purpose(&self) -> Option<&str> {
        self.purpose.as_deref()
    }

    /// The name of the analyst for whom a node says that it asks, who must be of this body.
    pub(super) fn analyst_of(&self, body: &BodyName) -> Option<&str> {
        let federation = body.abroad().unwrap_or(&self.own);
        let of = format!("spiffe://{federation}/body/{}/analyst/", body.slug());
        self.on_behalf_of()?.strip_prefix(&of)
    }

    /// The groups that the analyst is in, as their own body's list says.
    pub fn groups(&self) -> &[Name] {
        &self.groups
    }

    /// The bodies whose nodes passed the question on before it came to the caller's, as the caller says.
    pub fn via(&self) -> &[BodyName] {
        &self.via
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
