//! The other federations that a node trusts: for each its own nodes, descriptions and membership, never mixed with another's.

use std::collections::HashMap;
use std::sync::Arc;

use meridian_certs::{Credentials, Excluded};
use meridian_federation::remote::Peers;
use meridian_proto::Name;

use super::{Error, MEMBERSHIP_FILE};
use crate::clock::Clock;
use crate::config::NodeConfig;
use crate::membership::{Means, Members};
use crate::peers::Directory;

/// What a node knows of another federation.
pub(super) struct Other {
    pub(super) peers: Arc<Peers>,
    pub(super) directory: Arc<Directory>,
    /// Who is in, where its authority says so.
    pub(super) members: Option<Arc<Members>>,
}

/// The membership of another federation in the state folder.
pub(crate) fn membership_file(federation: &Name) -> String {
    format!("{MEMBERSHIP_FILE}-{federation}")
}

/// The federations that `[[federations]]` names. Who is a member of each is known before anybody of it may call.
pub(super) fn others(node: &NodeConfig, credentials: &Credentials, clock: &Clock) -> Result<Vec<Other>, Error> {
    let mut others = Vec::with_capacity(node.federations.len());
    for config in &node.federations {
        // Its anchors were loaded by that name.
        let Some(federation) = credentials.abroad(&config.name) else { continue };
        let endpoints: HashMap<Name, String> =
            config.members.iter().map(|member| (member.body.clone(), member.endpoint.clone())).collect();
        let named = endpoints.keys().cloned().collect();
        let peers = Peers::abroad(config.name.clone(), federation.connector(), endpoints);
        let members = if config.authorities.is_empty() {
            federation.exclude(Excluded { members: Some(named), ..Excluded::default() });
            None
        } else {
            let means = Means {
                own: None,
                federation: federation.clone(),
                authorities: config.authorities.clone(),
                peers: Arc::clone(&peers),
                clock: clock.clone(),
            };
            Some(Members::open(means, node.state.join(membership_file(&config.name)))?)
        };
        let folder = node.state.join(format!("peers-{}", config.name));
        let directory = Directory::open(None, federation, Arc::clone(&peers), folder);
        others.push(Other { peers, directory, members });
    }
    Ok(others)
}
