//! Who can be reached: the node's own ports, the authorities, the clock by theirs, and the other members.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use futures::{StreamExt, stream};
use meridian_certs::Identity;
use meridian_proto::{Member, Membership, Name};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::identity::Own;
use super::report::Report;
use crate::authority::client;
use crate::config::NodeConfig;

/// Nobody is waited for longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Members that are asked at the same time.
const AT_ONCE: usize = 16;
/// Clocks that differ by more than this make certificates and memberships fail.
const SKEW: Duration = Duration::from_secs(120);

/// Whether the node runs, as its ports show.
pub(super) async fn listening(node: &NodeConfig, report: &mut Report) -> bool {
    let ready = match node.health {
        Some(address) => ready(address).await,
        None => None,
    };
    match (&node.health, ready.as_deref()) {
        (Some(_), Some("200")) => {
            report.good("node.ready", "the node runs, and is ready");
            return true;
        }
        (Some(address), Some("503")) => {
            let what = format!("the node runs, and says at {address} that it is not ready");
            report.fault(
                "node.ready",
                what,
                "read what it logs: it waits for its witnesses, or its log can't be trusted",
            );
            return true;
        }
        (Some(address), Some(_)) => {
            let fix = "stop the other program, or set health in node.toml to another port";
            report.fault("node.health", format!("what answers at {address} is no node"), fix);
        }
        (Some(_) | None, None) => {
            report.good("node.ready", "no health port answers: the node does not run, or has none")
        }
        (None, Some(_)) => {}
    }
    match TcpListener::bind(node.listen).await {
        Ok(_) => report.good("node.listen", format!("{} is free for the node", node.listen)),
        Err(error) if error.kind() == ErrorKind::AddrInUse && node.health.is_none() => {
            report.good("node.listen", format!("{} is in use, by the node as it seems", node.listen));
            return true;
        }
        Err(error) => {
            let fix = match error.kind() {
                ErrorKind::AddrInUse => "stop the program that uses it, or set listen in node.toml to another port",
                ErrorKind::PermissionDenied => "set listen in node.toml to a port from 1024 on",
                _ => "set listen in node.toml to an address of this machine",
            };
            report.fault("node.listen", format!("{} can't be opened: {error}", node.listen), fix);
        }
    }
    false
}

/// The status with which a health port answers.
async fn ready(address: SocketAddr) -> Option<String> {
    let ask = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request = format!("GET /ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
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

/// Looks at all others.
pub(super) async fn look(node: &NodeConfig, own: &Own, report: &mut Report) {
    for authority in &node.authorities {
        self::authority(authority, own, report).await;
    }
    let members = match &own.membership {
        Some(membership) => membership.members.clone(),
        None => {
            let known = |member: &crate::config::Member| Member {
                body: member.body.clone(),
                endpoint: member.endpoint.clone(),
                suspended: false,
                valid_from: 0,
            };
            node.members.iter().map(known).collect()
        }
    };
    self::members(node, own, &members, report).await;
}

async fn authority(endpoint: &str, own: &Own, report: &mut Report) {
    let check = "authority";
    let connector = own.credentials.authority_connector();
    let asked = timeout(PATIENCE, client::look(&connector, endpoint)).await;
    let (signed, date) = match asked {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            let fix = "correct authorities in node.toml, or have it served; until then the node follows other members";
            report.warning(check, error.to_string(), fix);
            return;
        }
        Err(_) => {
            let what = format!("{endpoint} did not answer within {} s", PATIENCE.as_secs());
            report.warning(check, what, "see whether a firewall is between, or correct authorities in node.toml");
            return;
        }
    };
    report.good(check, format!("{endpoint} answers"));
    let theirs = Membership::decode(&signed.payload).map(|membership| membership.version).unwrap_or_default();
    if let Some(held) = own.membership.as_ref().filter(|held| held.version < theirs) {
        let what = format!("the authority holds version {theirs} of the membership, and this node {}", held.version);
        report.warning("membership.version", what, "see that the node runs: it takes newer ones within seconds");
    }
    clock(endpoint, date, report);
}

fn clock(endpoint: &str, date: Option<SystemTime>, report: &mut Report) {
    let check = "machine.clock";
    let Some(theirs) = date else { return };
    let now = SystemTime::now();
    let apart = now.duration_since(theirs).or_else(|_| theirs.duration_since(now)).unwrap_or_default();
    let what = format!("this clock and that of {endpoint} are {} s apart", apart.as_secs());
    if apart > SKEW {
        report.fault(check, what, "set this machine's clock, and keep it set: timedatectl set-ntp true");
    } else {
        report.good(check, what);
    }
}

async fn members(node: &NodeConfig, own: &Own, members: &[Member], report: &mut Report) {
    let check = "members";
    let others = members.iter().filter(|member| member.body != node.body && !member.suspended);
    let asked = stream::iter(others.cloned().collect::<Vec<_>>()).map(|member| async move {
        let expected = Identity::Node { federation: node.federation.clone(), body: member.body.clone() };
        let connector = own.credentials.client_connector();
        let why = match timeout(PATIENCE, connector.reach(&member.endpoint, expected)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no answer within {} s", PATIENCE.as_secs())),
        };
        (member.body, why)
    });
    let answers: Vec<(Name, Option<String>)> = asked.buffer_unordered(AT_ONCE).collect().await;
    let all = answers.len();
    let mut away: Vec<(Name, String)> = answers.into_iter().filter_map(|(body, why)| Some((body, why?))).collect();
    away.sort();
    report_members(check, all, &away, report);
    if let Some(itself) = members.iter().find(|member| member.body == node.body) {
        itself_reached(node, own, &itself.endpoint, report).await;
    }
}

fn report_members(check: &'static str, all: usize, away: &[(Name, String)], report: &mut Report) {
    let reached = all - away.len();
    for (body, why) in away {
        let fix =
            format!("ask the operator of {body} whether their node runs, and yours whether a firewall is between");
        report.warning(check, format!("{body} can't be reached: {why}"), fix);
    }
    if all > 0 && reached == 0 {
        let fix = "see whether this machine may connect to others at all: routes, DNS, firewall";
        report.fault(check, "no other member can be reached", fix);
    } else {
        report.good(check, format!("{reached} of {all} other members can be reached"));
    }
}

/// Whether others find this node where the federation says that it is.
async fn itself_reached(node: &NodeConfig, own: &Own, endpoint: &str, report: &mut Report) {
    let check = "node.endpoint";
    let expected = Identity::Node { federation: node.federation.clone(), body: node.body.clone() };
    let connector = own.credentials.client_connector();
    match timeout(PATIENCE, connector.reach(endpoint, expected)).await {
        Ok(Ok(())) => report.good(check, format!("this node answers at {endpoint}, where others look for it")),
        Ok(Err(error)) => report.warning(check, error.to_string(), moved(node)),
        Err(_) => {
            report.warning(check, format!("nothing answers at {endpoint} within {} s", PATIENCE.as_secs()), moved(node))
        }
    }
}

fn moved(node: &NodeConfig) -> String {
    format!(
        "start the node; where it listens elsewhere now, have the authority say so: meridian authority move {} --endpoint URL",
        node.body
    )
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
