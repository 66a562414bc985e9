//! Who the node is: certificate, key and anchors, the membership that it holds, and its analysts' certificates.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meridian_certs::{Credentials, Identity};
use meridian_proto::{Membership, Signed};

use super::report::Report;
use crate::app;
use crate::config::NodeConfig;

const HOUR: u64 = 3600;
/// A certificate that is renewed each day has more left than this, in hours.
const SOON: u64 = 3 * 24;
/// The authority signs the membership each hour; an older one than this, in hours, is not followed.
const OLD: u64 = 24;
/// A membership that is older than this, in hours, lets only open data leave.
const STALE: u64 = 96;

/// What the node proves who it is with, and who is in.
pub(super) struct Own {
    pub(super) credentials: Arc<Credentials>,
    /// `None` where node.toml names the members, or none could be read.
    pub(super) membership: Option<Membership>,
}

/// Looks at it; `None` where nobody can be asked in the node's name.
pub(super) fn look(node: &NodeConfig, report: &mut Report) -> Option<Own> {
    let credentials = certificate(node, report)?;
    analysts(node, report);
    let membership = if node.authorities.is_empty() { None } else { membership(node, &credentials, report) };
    Some(Own { credentials, membership })
}

fn certificate(node: &NodeConfig, report: &mut Report) -> Option<Arc<Credentials>> {
    let (check, tls) = ("certificate", &node.tls);
    let credentials = match Credentials::load(&tls.ca, &tls.cert, &tls.key) {
        Ok(credentials) => credentials,
        Err(error) => {
            // The text says what to do, too.
            let (what, fix) = split(&error.to_string());
            report.fault(check, what, fix);
            return None;
        }
    };
    let own = Identity::Node { federation: node.federation.clone(), body: node.body.clone() };
    if *credentials.identity() != own {
        let what = format!("{} is of {}, and node.toml says {own}", tls.cert.display(), credentials.identity());
        report.fault(
            "certificate.identity",
            what,
            "correct federation and body in node.toml, or the path of the certificate",
        );
        return None;
    }
    let now = SystemTime::now();
    let left = credentials.valid_until().duration_since(now).unwrap_or_default().as_secs() / HOUR;
    let renews = !node.authorities.is_empty();
    let fix = if renews {
        "see that the node runs and reaches an authority, or renew now: meridian node renew --config node.toml"
    } else {
        "request another one: meridian node request"
    };
    if left < SOON {
        report.warning("certificate.time", format!("the certificate ends in {left} hours"), fix);
    } else {
        report.good("certificate.time", format!("{own}, for another {} days", left / 24));
    }
    if renews && tls.cert != tls.key {
        let what = "certificate and key are two files, and can't be renewed together";
        let fix = "put the key and the chain into one file, for its owner alone, and name it in both of [tls]";
        report.warning("certificate.renewal", what, fix);
    }
    Some(credentials)
}

/// An error's text, and what it says to do.
fn split(text: &str) -> (String, String) {
    let at = text.rfind("; ").or_else(|| text.find(": run "));
    match at.and_then(|at| Some((text.get(..at)?, text.get(at + 2..)?))) {
        Some((what, fix)) => (what.into(), fix.into()),
        None => (text.into(), "put the right files in place, or join again".into()),
    }
}

fn membership(node: &NodeConfig, credentials: &Credentials, report: &mut Report) -> Option<Membership> {
    let (check, path) = ("membership", node.state.join(app::MEMBERSHIP_FILE));
    let shown = path.display();
    let restore = "restore it from the backup, or take the file `membership` of another member's state folder";
    let read = fs::read(&path).map_err(|error| error.to_string());
    let signed = read.and_then(|bytes| Signed::decode(&bytes).map_err(|error| error.to_string()));
    let decoded = signed.and_then(|signed| {
        let membership = Membership::decode(&signed.payload).map_err(|error| error.to_string())?;
        let then = UNIX_EPOCH + Duration::from_millis(membership.signed_at);
        credentials.verify_authority(&signed, then).map_err(|error| error.to_string())?;
        Ok(membership)
    });
    let membership = match decoded {
        Ok(membership) => membership,
        Err(why) => {
            report.fault(check, format!("{shown} can't be used: {why}"), restore);
            return None;
        }
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let age = now.saturating_sub(Duration::from_millis(membership.signed_at)).as_secs() / HOUR;
    let (version, members) = (membership.version, membership.members.len());
    let what = format!("version {version} of {members} members, signed {age} hours ago");
    let follow = "see that the node runs, and that it reaches an authority or other members";
    if age > STALE {
        report.fault("membership.age", format!("{what}: only open data leaves to other bodies"), follow);
    } else if age > OLD {
        report.warning("membership.age", what, follow);
    } else {
        report.good("membership.age", what);
    }
    match membership.member(&node.body) {
        None => {
            let fix = "ask the authority, and join again by an invitation";
            report.fault("membership.own", format!("{} is no member of {}", node.body, node.federation), fix);
        }
        Some(own) if own.suspended => {
            report.fault("membership.own", format!("{} is suspended", node.body), "ask the authority why");
        }
        Some(own) if credentials.valid_from() < UNIX_EPOCH + Duration::from_secs(own.valid_from) => {
            let fix = "ask the authority for an invitation, and join again with a new key";
            report.fault("membership.own", "the node's certificate was revoked", fix);
        }
        Some(own) => report.good("membership.own", format!("{} is a member, reached at {}", node.body, own.endpoint)),
    }
    Some(membership)
}

fn analysts(node: &NodeConfig, report: &mut Report) {
    let check = "analysts";
    let list = match app::analysts(node).list() {
        Ok(list) => list,
        Err(error) => {
            let (what, fix) = split(&error.to_string());
            report.fault(check, what, fix);
            return;
        }
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // Of each the certificate that ends last.
    let mut ends = BTreeMap::new();
    for analyst in list.iter().filter(|analyst| !analyst.removed) {
        let end = ends.entry(&analyst.name).or_insert(0);
        *end = analyst.not_after.max(*end);
    }
    let soon = now.saturating_add(14 * 24 * HOUR);
    let ending: Vec<&str> = ends.iter().filter(|(_, end)| **end < soon).map(|(name, _)| name.as_str()).collect();
    if ending.is_empty() {
        report.good(check, format!("{} may ask", ends.len()));
    } else {
        let what = format!("certificates end within 14 days: {}", ending.join(", "));
        report.warning(check, what, "meridian analyst add NAME --config node.toml --dir DIR");
    }
}
