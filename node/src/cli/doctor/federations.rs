//! The other federations that the node trusts: their roots, who is in them, and whether they can be reached.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meridian_certs::{Credentials, Facts, Federation};
use meridian_proto::Membership;
use tokio::time::timeout;

use super::code::Code;
use super::identity::{self, HOUR};
use super::network::{self, PATIENCE};
use super::report::Report;
use super::{members, split};
use crate::app;
use crate::authority::client;
use crate::config::{FederationConfig, NodeConfig};

/// A root that ends within so many days should have a successor.
const SOON: u64 = 90;

/// Looks at each.
pub(super) async fn look(node: &NodeConfig, report: &mut Report) {
    for config in &node.federations {
        let tls = &node.tls;
        let trusting = [(Some(config.name.clone()), config.ca.as_path())];
        let loaded = Credentials::load_trusting(&tls.ca, &tls.cert, &tls.key, &trusting);
        let federation = match loaded.map(|credentials| credentials.abroad(&config.name)) {
            Ok(Some(federation)) => federation,
            Ok(None) => continue,
            Err(error) => {
                let (what, _) = split(&error.to_string());
                let fix = format!("trust {} anew, with the fingerprint of its root: meridian node trust", config.name);
                report.fault(Code::FederationRoot, what, fix);
                continue;
            }
        };
        report.good(Code::FederationRoot, format!("{} is of {}", config.ca.display(), config.name));
        roots(config, report);
        let members = match config.authorities.is_empty() {
            true => config.members.iter().map(network::known).collect(),
            false => {
                for authority in &config.authorities {
                    self::authority(config, authority, &federation, report).await;
                }
                membership(node, config, &federation, report).map(|held| held.members).unwrap_or_default()
            }
        };
        members::abroad(&federation.connector(), &config.name, members, report).await;
    }
}

fn roots(config: &FederationConfig, report: &mut Report) {
    let (now, shown) = (SystemTime::now(), config.ca.display());
    let soon = now + Duration::from_secs(SOON * 24 * HOUR);
    // That they can be read was seen before.
    let facts = Facts::of_file(&config.ca).unwrap_or_default();
    let Some(last) = facts.iter().map(|root| root.not_after).max() else { return };
    let fix = format!("ask the authority of {} for its new root, and trust it anew: meridian node trust", config.name);
    if last < now {
        report.fault(Code::FederationTime, format!("the root in {shown} ended {}", identity::date(last)), fix);
    } else if last < soon {
        report.warning(Code::FederationTime, format!("the root in {shown} ends {}", identity::date(last)), fix);
    } else {
        report.good(Code::FederationTime, format!("the root in {shown} holds until {}", identity::date(last)));
    }
}

async fn authority(config: &FederationConfig, endpoint: &str, federation: &Federation, report: &mut Report) {
    let code = Code::FederationAuthority;
    let asked = timeout(PATIENCE, client::membership(&federation.authority_connector(), endpoint)).await;
    let (name, shown) = (&config.name, config.ca.display());
    match asked {
        Ok(Ok(_)) => report.good(code, format!("{endpoint} answers for {name}")),
        Ok(Err(error)) if network::is_another(&error) => {
            let what = format!("who answers at {endpoint} has another root than {shown}: {error}");
            let fix = format!(
                "compare the fingerprint with the operator of {name}'s authority, and trust it anew: meridian node trust"
            );
            report.fault(Code::FederationRoot, what, fix);
        }
        Ok(Err(error)) => {
            let fix = format!("correct authorities of {name} in node.toml, or ask its operator whether it is served");
            report.warning(code, error.to_string(), fix);
        }
        Err(_) => {
            let what = format!("{endpoint} did not answer within {} s", PATIENCE.as_secs());
            report.warning(code, what, "see whether a firewall is between, or correct authorities in node.toml");
        }
    }
}

fn membership(
    node: &NodeConfig,
    config: &FederationConfig,
    federation: &Federation,
    report: &mut Report,
) -> Option<Membership> {
    let path = node.state.join(app::membership_file(&config.name));
    let checked = identity::read(&path).and_then(|(signed, membership)| {
        let then = UNIX_EPOCH + Duration::from_millis(membership.signed_at);
        federation.verify_authority(&signed, then).map_err(|error| error.to_string())?;
        Ok(membership)
    });
    match checked {
        Ok(membership) => {
            identity::age(Code::FederationMembership, &membership, report);
            Some(membership)
        }
        Err(why) => {
            let fix = format!("fetch it again, with its root: meridian node trust {}", config.name);
            report.fault(Code::FederationMembership, format!("{} can't be used: {why}", path.display()), fix);
            None
        }
    }
}
