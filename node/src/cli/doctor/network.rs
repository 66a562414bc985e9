//! What can be reached: the node's own ports, the authorities, and the clock by theirs.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use meridian_proto::{Member, Membership};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::code::Code;
use super::identity::Own;
use super::members;
use super::report::Report;
use crate::authority::client::{self, AuthorityError};
use crate::config::NodeConfig;

/// Nobody is waited for longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Clocks that differ by more than this make certificates and memberships fail.
const SKEW: Duration = Duration::from_secs(120);

/// Whether the node runs, as its ports show.
pub(super) async fn listening(node: &NodeConfig, report: &mut Report) -> bool {
    let ready = match node.health {
        Some(address) => status(address, "/ready").await,
        None => None,
    };
    match (&node.health, ready.as_deref()) {
        (Some(_), Some("200")) => {
            report.good(Code::Ready, "the node runs, and is ready");
            return true;
        }
        (Some(address), Some("503")) => {
            let what = format!("the node runs, and says at {address} that it is not ready");
            let fix = "read what it logs: it waits for its witnesses, or its log can't be trusted";
            report.fault(Code::Ready, what, fix);
            return true;
        }
        (Some(address), Some(_)) => {
            let fix = "stop the other program, or set health in node.toml to another port";
            report.fault(Code::Health, format!("what answers at {address} is no node"), fix);
        }
        (Some(_) | None, None) => {
            report.good(Code::Ready, "no health port answers: the node does not run, or has none")
        }
        (None, Some(_)) => {}
    }
    match TcpListener::bind(node.listen).await {
        Ok(_) => report.good(Code::Listen, format!("{} is free for the node", node.listen)),
        Err(error) if error.kind() == ErrorKind::AddrInUse && node.health.is_none() => {
            report.good(Code::Listen, format!("{} is in use, by the node as it seems", node.listen));
            return true;
        }
        Err(error) => unbound(Code::Listen, node.listen, ("listen", &error), report),
    }
    false
}

/// Why a port can't be had, and what to do.
pub(super) fn unbound(code: Code, address: SocketAddr, (key, error): (&str, &std::io::Error), report: &mut Report) {
    let fix = match error.kind() {
        ErrorKind::AddrInUse => format!("stop the program that uses it, or set {key} in node.toml to another port"),
        ErrorKind::PermissionDenied => format!("set {key} in node.toml to a port from 1024 on"),
        _ => format!("set {key} in node.toml to an address of this machine"),
    };
    report.fault(code, format!("{address} can't be opened: {error}"), fix);
}

/// The status with which a port of plain HTTP answers, empty where it says something else; `None` where nobody answers.
pub(super) async fn status(address: SocketAddr, path: &str) -> Option<String> {
    let ask = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = [0; 12];
        // Whatever answers otherwise is no node.
        let read = stream.read_exact(&mut answer).await;
        let text =
            read.ok().and_then(|_| std::str::from_utf8(&answer).ok()?.strip_prefix("HTTP/1.1 ").map(str::to_owned));
        Some(text.unwrap_or_default())
    };
    timeout(PATIENCE, ask).await.unwrap_or(Some(String::new()))
}

/// Whether spans find their collector, where there is to be one.
pub(super) async fn collector(node: &NodeConfig, report: &mut Report) {
    let Some(telemetry) = &node.telemetry else { return };
    let shown = &telemetry.otlp;
    let address = shown.parse::<http::Uri>().ok().and_then(|uri| uri.authority().map(ToString::to_string));
    let connected = async { TcpStream::connect(address.unwrap_or_default()).await.is_ok() };
    if timeout(PATIENCE, connected).await.unwrap_or(false) {
        report.good(Code::Telemetry, format!("something answers at {shown}, where traces go"));
    } else {
        let fix = "start the collector, or correct or remove [telemetry] in node.toml: until then traces are lost";
        report.warning(Code::Telemetry, format!("nothing answers at {shown}, where traces go"), fix);
    }
}

/// Looks at all others.
pub(super) async fn look(node: &NodeConfig, own: &Own, report: &mut Report) {
    for authority in &node.authorities {
        self::authority(authority, own, report).await;
    }
    let all = match &own.membership {
        Some(membership) => membership.members.clone(),
        None => node.members.iter().map(known).collect(),
    };
    members::look(node, own, &all, report).await;
}

/// A member that node.toml names.
pub(super) fn known(member: &crate::config::Member) -> Member {
    Member { body: member.body.clone(), endpoint: member.endpoint.clone(), suspended: false, valid_from: 0 }
}

async fn authority(endpoint: &str, own: &Own, report: &mut Report) {
    let connector = own.credentials.authority_connector();
    let asked = timeout(PATIENCE, client::look(&connector, endpoint)).await;
    let (signed, date) = match asked {
        Ok(Ok(found)) => found,
        Ok(Err(error)) if is_another(&error) => {
            let fix = "correct authorities in node.toml; if the federation has a new root, restore its ca.pem from the backup \
                       or compare its fingerprint with the authority's operator, and join again";
            report.fault(Code::AuthorityRoot, error.to_string(), fix);
            return;
        }
        Ok(Err(error)) => {
            let fix = "correct authorities in node.toml, or have it served; until then the node follows other members";
            report.warning(Code::Authority, error.to_string(), fix);
            return;
        }
        Err(_) => {
            let what = format!("{endpoint} did not answer within {} s", PATIENCE.as_secs());
            let fix = "see whether a firewall is between, or correct authorities in node.toml";
            report.warning(Code::Authority, what, fix);
            return;
        }
    };
    report.good(Code::Authority, format!("{endpoint} answers"));
    let theirs = Membership::decode(&signed.payload).map(|membership| membership.version).unwrap_or_default();
    if let Some(held) = own.membership.as_ref().filter(|held| held.version < theirs) {
        let what = format!("the authority holds version {theirs} of the membership, and this node {}", held.version);
        report.warning(Code::MembershipVersion, what, "see that the node runs: it takes newer ones within seconds");
    }
    clock(endpoint, date, report);
}

/// Whether somebody answers who is not vouched for by a root that counts here.
pub(super) fn is_another(error: &AuthorityError) -> bool {
    matches!(error, AuthorityError::Certs(meridian_certs::Error::Connection { reason, .. }) if reason.contains("not signed by"))
}

/// Compares this machine's clock with what another one said just now.
pub(super) fn clock(of: &str, date: Option<SystemTime>, report: &mut Report) {
    let Some(theirs) = date else { return };
    let now = SystemTime::now();
    let apart = now.duration_since(theirs).or_else(|_| theirs.duration_since(now)).unwrap_or_default();
    let what = format!("this clock and that of {of} are {} s apart", apart.as_secs());
    if apart > SKEW {
        report.fault(Code::Clock, what, "set this machine's clock, and keep it set: timedatectl set-ntp true");
    } else {
        report.good(Code::Clock, what);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    #[test]
    fn a_clock_that_is_wrong_is_found() {
        let now = SystemTime::now();
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        for (theirs, faults) in [(now, 0), (now - minutes(1), 0), (now - minutes(3), 1), (now + minutes(3), 1)] {
            let mut report = Report::default();
            clock("https://authority.example:7443", Some(theirs), &mut report);
            assert_eq!(report.faults(), faults);
        }
    }
}
