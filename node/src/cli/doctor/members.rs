//! The other members: whether they can be reached, which version of the program they run, and what their clocks say.

use std::time::SystemTime;

use arrow::array::{Array, StringArray, UnionArray};
use arrow_flight::FlightDescriptor;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{CommandGetSqlInfo, ProstMessageExt, SqlInfo};
use chrono::DateTime;
use futures::{StreamExt, TryStreamExt, stream};
use meridian_certs::{Connector, Identity};
use meridian_proto::{Member, Name};
use prost::Message;
use tokio::time::timeout;

use super::code::Code;
use super::identity::Own;
use super::network::{self, PATIENCE};
use super::report::Report;
use crate::config::NodeConfig;

/// Members that are asked at the same time.
const AT_ONCE: usize = 16;
/// Members whose clocks tell whether this one is wrong.
const CLOCKS: usize = 3;

/// What a member has said of itself.
#[derive(Debug, Default)]
struct Said {
    version: Option<String>,
    date: Option<SystemTime>,
}

/// Looks at all other members, and whether they find this one.
pub(super) async fn look(node: &NodeConfig, own: &Own, members: &[Member], report: &mut Report) {
    let connector = own.credentials.client_connector();
    let others: Vec<Member> =
        members.iter().filter(|member| member.body != node.body && !member.suspended).cloned().collect();
    let asked = ask(&connector, &node.federation, others).await;
    reached(Code::Members, "other members", &asked, report);
    let said: Vec<(&Name, &Said)> = asked.iter().filter_map(|(body, said)| Some((body, said.as_ref().ok()?))).collect();
    for (body, said) in said.iter().take(CLOCKS) {
        network::clock(body.as_str(), said.date, report);
    }
    let versions: Vec<(&Name, &str)> =
        said.iter().filter_map(|(body, said)| Some((*body, said.version.as_deref()?))).collect();
    self::versions(env!("CARGO_PKG_VERSION"), &versions, report);
    if let Some(itself) = members.iter().find(|member| member.body == node.body) {
        itself_reached(node, own, &itself.endpoint, report).await;
    }
}

/// Asks members of a federation; those that can't be reached come with the reason.
async fn ask(connector: &Connector, federation: &Name, members: Vec<Member>) -> Vec<(Name, Result<Said, String>)> {
    let asked = stream::iter(members).map(|member| async move {
        let expected = Identity::Node { federation: federation.clone(), body: member.body.clone() };
        let said = match timeout(PATIENCE, connector.reach(&member.endpoint, expected.clone())).await {
            Ok(Ok(())) => {
                // It is there; that it says no more is no fault.
                let said = timeout(PATIENCE, said(connector, &member.endpoint, expected)).await;
                Ok(said.ok().flatten().unwrap_or_default())
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        };
        (member.body, said)
    });
    let mut answers: Vec<_> = asked.buffer_unordered(AT_ONCE).collect().await;
    answers.sort_by(|(one, _), (other, _)| one.cmp(other));
    answers
}

/// What a node says of itself to any client of Flight SQL, and the time of its clock.
async fn said(connector: &Connector, endpoint: &str, expected: Identity) -> Option<Said> {
    let mut client = FlightServiceClient::new(connector.channel(endpoint, Some(expected)).ok()?);
    let wanted = CommandGetSqlInfo { info: vec![SqlInfo::FlightSqlServerVersion as u32] };
    let command = FlightDescriptor::new_cmd(wanted.as_any().encode_to_vec());
    let response = client.get_flight_info(command).await.ok()?;
    let date = response.metadata().get("date").and_then(|date| DateTime::parse_from_rfc2822(date.to_str().ok()?).ok());
    let ticket = response.into_inner().endpoint.into_iter().next()?.ticket?;
    let messages = client.do_get(ticket).await.ok()?.into_inner().map_err(Into::into);
    let batches: Vec<_> = FlightRecordBatchStream::new_from_flight_data(messages).try_collect().await.ok()?;
    let version = batches.first().and_then(|batch| {
        let values = batch.column_by_name("value")?.as_any().downcast_ref::<UnionArray>()?;
        let first = (!values.is_empty()).then(|| values.value(0))?;
        let text = first.as_any().downcast_ref::<StringArray>()?;
        (!text.is_empty()).then(|| text.value(0).chars().take(40).collect())
    });
    Some(Said { version, date: date.map(Into::into) })
}

/// Members of another federation.
pub(super) async fn abroad(connector: &Connector, federation: &Name, members: Vec<Member>, report: &mut Report) {
    let members = members.into_iter().filter(|member| !member.suspended).collect();
    let asked = ask(connector, federation, members).await;
    reached(Code::FederationMembers, &format!("members of {federation}"), &asked, report);
}

fn reached(code: Code, of: &str, asked: &[(Name, Result<Said, String>)], report: &mut Report) {
    let away: Vec<(&Name, &String)> =
        asked.iter().filter_map(|(body, said)| Some((body, said.as_ref().err()?))).collect();
    let (all, reached) = (asked.len(), asked.len() - away.len());
    for (body, why) in away {
        let fix =
            format!("ask the operator of {body} whether their node runs, and yours whether a firewall is between");
        report.warning(code, format!("{body} can't be reached: {why}"), fix);
    }
    if all > 0 && reached == 0 {
        let fix = "see whether this machine may connect to others at all: routes, DNS, firewall";
        report.fault(code, format!("none of the {of} can be reached"), fix);
    } else {
        report.good(code, format!("{reached} of {all} {of} can be reached"));
    }
}

/// Bodies upgrade separately, and what a newer version writes an older one may refuse.
fn versions(own: &str, theirs: &[(&Name, &str)], report: &mut Report) {
    let (same, others): (Vec<_>, Vec<_>) = theirs.iter().partition(|(_, version)| *version == own);
    if !same.is_empty() || theirs.is_empty() {
        report.good(Code::MembersVersion, format!("{} other members run version {own}, as this one", same.len()));
    }
    for (body, version) in others {
        let what = format!("{body} runs version {version}, and this is {own}");
        let fix = format!("upgrade the older one, this or {body}'s: a node refuses what it does not understand");
        report.warning(Code::MembersVersion, what, fix);
    }
}

/// Whether others find this node where the federation says that it is.
async fn itself_reached(node: &NodeConfig, own: &Own, endpoint: &str, report: &mut Report) {
    let code = Code::Endpoint;
    let expected = Identity::Node { federation: node.federation.clone(), body: node.body.clone() };
    let connector = own.credentials.client_connector();
    match timeout(PATIENCE, connector.reach(endpoint, expected)).await {
        Ok(Ok(())) => report.good(code, format!("this node answers at {endpoint}, where others look for it")),
        Ok(Err(error)) => report.warning(code, error.to_string(), moved(node)),
        Err(_) => {
            report.warning(code, format!("nothing answers at {endpoint} within {} s", PATIENCE.as_secs()), moved(node))
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
    #![allow(clippy::unwrap_used)]
    use super::super::report::Level;
    use super::*;

    #[test]
    fn another_version_is_told_of_each_member_that_has_one() {
        let [gla, lfb]: [Name; 2] = ["gla", "lfb"].map(|name| name.parse().unwrap());
        let check = |theirs: &[(&Name, &str)], levels: &[Level]| {
            let mut report = Report::default();
            versions("1.2.0", theirs, &mut report);
            assert_eq!(report.levels(), levels, "{theirs:?}");
        };
        check(&[], &[Level::Good]);
        check(&[(&gla, "1.2.0")], &[Level::Good]);
        check(&[(&gla, "1.2.0"), (&lfb, "1.3.0")], &[Level::Good, Level::Warning]);
        check(&[(&gla, "1.1.9"), (&lfb, "2.0.0")], &[Level::Warning, Level::Warning]);
    }
}
