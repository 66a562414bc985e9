//! Keeps the node's certificate valid: renews it each day, and takes another one that somebody puts into its file. Follows
//! the list of the body's analysts, too, and keeps the certificate of the cluster.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use meridian_certs::{Cluster, Credentials, KeyAndRequest};
use meridian_proto::wire;
use prost::Message;

use crate::authority::client::{self, AuthorityError};
use crate::config::NodeConfig;
use crate::membership::Members;

/// A certificate is renewed when it is about this old; each node's day has another length.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Time between looks at the file.
const LOOK: Duration = Duration::from_millis(500);
/// Time after which a renewal that did not succeed is tried again.
const AGAIN: Duration = Duration::from_secs(600);

/// Why a certificate was not renewed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RenewalError {
    /// The configuration names no authority.
    #[error(
        "node.toml names no authority: add authorities = [\"https://HOST:PORT\"], or request a certificate by hand"
    )]
    NoAuthority,
    /// Chain and key stand in two files, which can't be changed at once.
    #[error(
        "[tls] cert and key are two files: put the key and the chain into one, and name it in both, to have it renewed"
    )]
    TwoFiles,
    /// The authority gave none.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// What it gave can't be used.
    #[error(transparent)]
    Certs(#[from] meridian_certs::Error),
}

/// Has an authority, the first that does, certify a new key, and returns what else it said.
pub(crate) async fn renew(
    node: &NodeConfig,
    credentials: &Credentials,
) -> Result<meridian_certs::Joined, RenewalError> {
    if node.tls.cert != node.tls.key {
        return Err(RenewalError::TwoFiles);
    }
    let (key, request) = KeyAndRequest::generate()?;
    let signed = credentials.sign(wire::RenewRequest { request }.encode_to_vec())?;
    let connector = credentials.authority_connector();
    let mut why = RenewalError::NoAuthority;
    for authority in &node.authorities {
        match client::renew(&connector, authority, &signed).await {
            Ok(joined) => {
                credentials.renew(&joined.chain, &key, &node.tls.cert)?;
                return Ok(joined);
            }
            Err(error) => why = error.into(),
        }
    }
    Err(why)
}

/// Does so for as long as the node runs.
pub(super) async fn keep(node: NodeConfig, credentials: Arc<Credentials>, members: Option<Arc<Members>>) {
    let analysts = super::analysts(&node);
    // Both are read once more: they may have changed since the node read them and before this began.
    let (mut file, mut list) = (None, None);
    let (mut day, mut not_before) = (a_day(), SystemTime::UNIX_EPOCH);
    loop {
        tokio::time::sleep(LOOK).await;
        let now = SystemTime::now();
        if changed(&node.tls.cert) != file {
            file = changed(&node.tls.cert);
            match credentials.reload(&node.tls.cert, &node.tls.key) {
                Ok(true) => tracing::info!("another certificate is in force"),
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(%error, "the certificate's file can't be used; the one before stays in force")
                }
            }
        }
        if changed(&analysts.file()) != list {
            list = changed(&analysts.file());
            match credentials.trust(&analysts) {
                Ok(()) => tracing::info!("another list of analysts is in force"),
                Err(error) => {
                    tracing::error!(%error, "the list of analysts can't be used; the one before stays in force")
                }
            }
        }
        let Some(members) = &members else { continue };
        if now < not_before || now.duration_since(credentials.valid_from()).unwrap_or_default() < day {
            continue;
        }
        match renew(&node, &credentials).await {
            Ok(joined) => {
                tracing::info!("the certificate is renewed");
                (day, file) = (a_day(), changed(&node.tls.cert));
                if let Err(why) = members.accept(joined.membership) {
                    tracing::warn!(why, "the authority's membership is not accepted");
                }
            }
            Err(error) => {
                let left = credentials.valid_until().duration_since(now).unwrap_or_default().as_secs() / 3600;
                tracing::warn!(%error, hours_left = left, "the certificate is not renewed; it is tried again");
                not_before = now + AGAIN.mul_f64(rand::random_range(0.5..1.5));
            }
        }
    }
}

/// Keeps the node's certificate of its body's cluster valid, for as long as the node runs.
pub(super) async fn keep_cluster(cluster: Cluster, credentials: Arc<Credentials>) {
    loop {
        tokio::time::sleep(a_day()).await;
        match cluster.renew(&credentials) {
            Ok(true) => tracing::info!("the certificate of the cluster is renewed"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "the certificate of the cluster is not renewed; it is tried again"),
        }
    }
}

fn a_day() -> Duration {
    DAY.mul_f64(rand::random_range(0.8..1.2))
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
