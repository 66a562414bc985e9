//! Who the node is: certificate, key and anchors, the membership that it holds, and its analysts' certificates.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meridian_certs::{Credentials, Error, Identity, Root};
use meridian_proto::{Membership, Signed};

use super::code::Code;
use super::report::Report;
use super::split;
use crate::app;
use crate::config::NodeConfig;

pub(super) const HOUR: u64 = 3600;
/// A certificate that is renewed each day has more left than this, in hours.
const SOON: u64 = 3 * 24;
/// The authority signs the membership each hour; an older one than this, in hours, is not followed.
const OLD: u64 = 24;
/// A membership that is older than this, in hours, lets only open data leave.
const STALE: u64 = 96;
/// A root that ends within so many days should have a successor.
const ROOT_SOON: u64 = 90;

/// What the node proves who it is with, and who is in.
pub(super) struct Own {
    pub(super) credentials: Arc<Credentials>,
    /// `None` where node.toml names the members, or none could be read.
    pub(super) membership: Option<Membership>,
}

/// Looks at it; `None` where nobody can be asked in the node's name.
pub(super) fn look(node: &NodeConfig, report: &mut Report) -> Option<Own> {
    let credentials = certificate(node, report)?;
    roots(&credentials.roots(), report);
    analysts(node, report);
    let membership = if node.authorities.is_empty() { None } else { membership(node, &credentials, report) };
    Some(Own { credentials, membership })
}

fn certificate(node: &NodeConfig, report: &mut Report) -> Option<Arc<Credentials>> {
    let tls = &node.tls;
    let credentials = match Credentials::load(&tls.ca, &tls.cert, &tls.key) {
        Ok(credentials) => credentials,
        Err(error) => {
            // The text says what to do, too.
            let (what, fix) = split(&error.to_string());
            report.fault(code(&error), what, fix);
            return None;
        }
    };
    let own = Identity::Node { federation: node.federation.clone(), body: node.body.clone() };
    if *credentials.identity() != own {
        let what = format!("{} is of {}, and node.toml says {own}", tls.cert.display(), credentials.identity());
        let fix = "correct federation and body in node.toml, or the path of the certificate";
        report.fault(Code::CertificateIdentity, what, fix);
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
        report.warning(Code::CertificateTime, format!("the certificate ends in {left} hours"), fix);
    } else {
        report.good(Code::CertificateTime, format!("{own}, for another {} days", left / 24));
    }
    if renews && tls.cert != tls.key {
        let what = "certificate and key are two files, and can't be renewed together";
        let fix = "put the key and the chain into one file, for its owner alone, and name it in both of [tls]";
        report.warning(Code::CertificateRenewal, what, fix);
    }
    Some(credentials)
}

/// What kind of error it is.
fn code(error: &Error) -> Code {
    match error {
        Error::KeyMode { .. } => Code::CertificateMode,
        Error::KeyMismatch { .. } => Code::CertificateKey,
        Error::File { problem, .. } if problem.contains("not signed by") => Code::CertificateIssuer,
        Error::File { problem, .. } if problem.contains("another federation") => Code::CertificateIssuer,
        Error::File { problem, .. } if problem.contains("expired on") || problem.contains("valid from") => {
            Code::CertificateTime
        }
        _ => Code::Certificate,
    }
}

/// The roots that count, oldest first, and on which of them the node's own certificate hangs.
fn roots(roots: &[Root], report: &mut Report) {
    let soon = SystemTime::now() + Duration::from_secs(ROOT_SOON * 24 * HOUR);
    let short = |root: &Root| root.facts.fingerprint.chars().take(16).collect::<String>();
    for root in roots {
        let what = format!("the root {} ends {}", short(root), date(root.facts.not_after));
        if root.facts.not_after > soon {
            report.good(Code::RootTime, what);
        } else {
            let fix = "ask the authority's operator for a new root beside it: meridian authority root new";
            report.warning(Code::RootTime, what, fix);
        }
    }
    let [.., before, youngest] = roots else { return };
    let what = format!("two roots count, {} and the younger {}", short(before), short(youngest));
    if youngest.is_own {
        let what =
            format!("{what}, on which the certificate hangs; the authority retires the old one when all have renewed");
        report.good(Code::CertificateRoot, what);
    } else {
        let what = format!("{what}, and the certificate hangs on the old one, which will be retired");
        report.warning(Code::CertificateRoot, what, "renew it: meridian node renew --config node.toml");
    }
}

pub(super) fn date(time: SystemTime) -> String {
    format!("on {}", chrono::DateTime::<chrono::Utc>::from(time).date_naive())
}

fn membership(node: &NodeConfig, credentials: &Credentials, report: &mut Report) -> Option<Membership> {
    let path = node.state.join(app::MEMBERSHIP_FILE);
    let checked = read(&path).and_then(|(signed, membership)| {
        let then = UNIX_EPOCH + Duration::from_millis(membership.signed_at);
        credentials.verify_authority(&signed, then).map_err(|error| error.to_string())?;
        Ok(membership)
    });
    let membership = match checked {
        Ok(membership) => membership,
        Err(why) => {
            let fix = "restore it from the backup, or take the file `membership` of another member's state folder";
            report.fault(Code::Membership, format!("{} can't be used: {why}", path.display()), fix);
            return None;
        }
    };
    report.good(Code::Membership, format!("{} is the authority's", path.display()));
    age(Code::MembershipAge, &membership, report);
    let own = Code::MembershipOwn;
    match membership.member(&node.body) {
        None => {
            let fix = "ask the authority, and join again by an invitation";
            report.fault(own, format!("{} is no member of {}", node.body, node.federation), fix);
        }
        Some(it) if it.suspended => {
            report.fault(own, format!("{} is suspended", node.body), "ask the authority why, and to resume it");
        }
        Some(it) if credentials.valid_from() < UNIX_EPOCH + Duration::from_secs(it.valid_from) => {
            let fix = "ask the authority for an invitation, and join again with a new key";
            report.fault(own, "the node's certificate was revoked", fix);
        }
        Some(it) => report.good(own, format!("{} is a member, reached at {}", node.body, it.endpoint)),
    }
    Some(membership)
}

/// A membership that is kept in a file; who signed it is not checked.
pub(super) fn read(path: &Path) -> Result<(Signed, Membership), String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let signed = Signed::decode(&bytes).map_err(|error| error.to_string())?;
    let membership = Membership::decode(&signed.payload).map_err(|error| error.to_string())?;
    Ok((signed, membership))
}

/// How long ago a membership was signed.
pub(super) fn age(code: Code, membership: &Membership, report: &mut Report) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let age = now.saturating_sub(Duration::from_millis(membership.signed_at)).as_secs() / HOUR;
    let (version, members) = (membership.version, membership.members.len());
    let what = format!("version {version} of {members} members, signed {age} hours ago");
    let follow = "see that the node runs, and that it reaches an authority or other members";
    if age > STALE {
        report.fault(code, format!("{what}: only open data leaves to other bodies"), follow);
    } else if age > OLD {
        report.warning(code, what, follow);
    } else {
        report.good(code, what);
    }
}

fn analysts(node: &NodeConfig, report: &mut Report) {
    let code = Code::Analysts;
    let list = match app::analysts(node).list() {
        Ok(list) => list,
        Err(error) => {
            let (what, fix) = split(&error.to_string());
            report.fault(code, what, fix);
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
        report.good(code, format!("{} may ask", ends.len()));
    } else {
        let what = format!("certificates end within 14 days: {}", ending.join(", "));
        report.warning(code, what, "meridian analyst add NAME --config node.toml --dir DIR");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use meridian_certs::Facts;

    use super::super::report::Level;
    use super::*;

    #[test]
    fn a_membership_is_told_as_old_before_it_is_stale() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        for (hours, level) in [(1, Level::Good), (30, Level::Warning), (97, Level::Fault)] {
            let signed_at = u64::try_from((now - Duration::from_secs(hours * HOUR)).as_millis()).unwrap();
            let federation = "london".parse().unwrap();
            let membership =
                Membership { federation, version: 3, signed_at, members: vec![], roots: vec![], links: vec![] };
            let mut report = Report::default();
            age(Code::MembershipAge, &membership, &mut report);
            assert_eq!(report.levels(), [level], "{hours} hours");
        }
    }

    #[test]
    fn a_root_that_ends_and_one_that_has_a_successor_are_told() {
        let now = SystemTime::now();
        let root = |days: u64, is_own| Root {
            facts: Facts {
                fingerprint: format!("{days:064}"),
                not_before: now,
                not_after: now + Duration::from_secs(days * 24 * HOUR),
                hosts: vec![],
            },
            is_own,
        };
        let levels = |of: &[Root]| {
            let mut report = Report::default();
            roots(of, &mut report);
            report.levels()
        };
        assert_eq!(levels(&[root(1000, true)]), [Level::Good]);
        assert_eq!(levels(&[root(80, true)]), [Level::Warning]);
        assert_eq!(levels(&[root(80, true), root(1000, false)]), [Level::Warning, Level::Good, Level::Warning]);
        assert_eq!(levels(&[root(200, false), root(1000, true)]), [Level::Good; 3]);
    }
}
