//! A body's own small authority for the machines of its cluster: the node that gives work, and the workers that do it. It is a
//! root of its own, so that nobody of any federation is let in, and nobody of the cluster is let in anywhere else.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use meridian_proto::Name;

use crate::authority::{Authority, Validity};
use crate::{Credentials, Error, Identity, KeyAndRequest, Request, Result, files};

/// The holder of the node's own certificate, which no worker may be called.
const NODE: &str = "node";
/// How long the node's own certificate holds.
const NODE_LIFE: Duration = Duration::from_secs(90 * 24 * 3600);
/// It is made anew when no more than this is left of it.
const NODE_LEFT: Duration = Duration::from_secs(30 * 24 * 3600);

/// The folder of a cluster's authority, which lies in the node's state.
#[derive(Debug, Clone)]
pub struct Cluster {
    body: Name,
    dir: PathBuf,
}

impl Cluster {
    /// The cluster of a body, in a folder that may not exist yet.
    pub fn new(body: Name, dir: PathBuf) -> Self {
        Self { body, dir }
    }

    /// Signs a certificate for a worker, reached at these hosts, and returns the chain as PEM. The first one makes the authority.
    ///
    /// There is no list of workers: whoever loses a worker's key moves the folder away and adds the others anew.
    pub fn add(&self, worker: &Name, request: &Request, hosts: &[String], validity: Validity) -> Result<String> {
        if worker.as_str() == NODE {
            let problem = "is what the node itself is called here: choose another name".to_owned();
            return Err(Error::Issue { subject: worker.to_string(), problem });
        }
        let authority = if self.anchors_path().exists() {
            Authority::open(&self.dir)?
        } else {
            Authority::create(&self.name()?, &self.dir)?
        };
        authority.sign(request, &self.identity(worker.clone())?, hosts, validity)
    }

    /// The trust anchors, PEM.
    pub fn anchors(&self) -> Result<String> {
        files::text_of("the anchor of the cluster", &self.anchors_path())
    }

    /// The node's own certificate and key, made anew where little is left of it. Workers have to be added before.
    pub fn node(&self) -> Result<Arc<Credentials>> {
        let path = self.node_path();
        let left = |held: &Credentials| held.valid_until().duration_since(SystemTime::now()).unwrap_or_default();
        if let Ok(held) = Credentials::load(&self.anchors_path(), &path, &path)
            && left(&held) > NODE_LEFT
        {
            return Ok(held);
        }
        self.certify_node(NODE_LIFE)?;
        Credentials::load(&self.anchors_path(), &path, &path)
    }

    /// Makes the node's certificate anew where little is left of it, and puts it in force in what [`Cluster::node`] gave. Returns
    /// whether it is another one than before.
    pub fn renew(&self, held: &Credentials) -> Result<bool> {
        self.node()?;
        held.reload(&self.node_path(), &self.node_path())
    }

    fn certify_node(&self, life: Duration) -> Result<()> {
        let authority = Authority::open(&self.dir)?;
        let (key, request) = KeyAndRequest::generate()?;
        let identity = self.identity(node()?)?;
        let chain = authority.sign(&Request::from_pem(&request)?, &identity, &[], Validity::from_now(life))?;
        files::replace_key(&self.node_path(), (key + &chain).as_bytes())
    }

    /// Whether somebody is the node of their cluster, which alone gives work.
    pub fn is_node(identity: &Identity) -> bool {
        matches!(identity, Identity::Node { body, .. } if body.as_str() == NODE)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn node_path(&self) -> PathBuf {
        self.dir.join("node.pem")
    }

    fn anchors_path(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// As the certificates name it: no federation has to have such a name, since nobody but the cluster trusts its root.
    fn name(&self) -> Result<Name> {
        let name = format!("{}_cluster", self.body);
        name.parse().map_err(|_| Error::Issue { subject: name.clone(), problem: "is too long for a name".into() })
    }

    fn identity(&self, holder: Name) -> Result<Identity> {
        Ok(Identity::Node { federation: self.name()?, body: holder })
    }
}

fn node() -> Result<Name> {
    NODE.parse().map_err(|_| Error::Issue { subject: NODE.into(), problem: "is no name".into() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use tempfile::TempDir;

    use super::*;

    fn worker(cluster: &Cluster, folder: &TempDir, name: &str) -> Result<Arc<Credentials>> {
        let key = folder.path().join(format!("{name}.key"));
        let request = KeyAndRequest::create(&key)?;
        let validity = Validity::from_now(Duration::from_secs(3600));
        let chain = cluster.add(&name.parse().unwrap(), &Request::from_pem(request.pem())?, &[], validity)?;
        let (ca, cert) = (folder.path().join(format!("{name}-ca.pem")), folder.path().join(format!("{name}.pem")));
        std::fs::write(&ca, cluster.anchors()?).unwrap();
        std::fs::write(&cert, chain).unwrap();
        Credentials::load(&ca, &cert, &key)
    }

    #[test]
    fn what_the_node_holds_is_renewed_while_it_runs() {
        let folder = tempfile::tempdir().unwrap();
        let cluster = Cluster::new("lfb".parse().unwrap(), folder.path().join("cluster"));
        worker(&cluster, &folder, "one").unwrap();
        let day = Duration::from_secs(24 * 3600);
        cluster.certify_node(day).unwrap();
        let held = Credentials::load(&cluster.anchors_path(), &cluster.node_path(), &cluster.node_path()).unwrap();
        assert!(cluster.renew(&held).unwrap());
        assert!(held.valid_until() > SystemTime::now() + NODE_LEFT);
        assert!(!cluster.renew(&held).unwrap());
    }

    #[test]
    fn a_cluster_has_one_node_and_workers_of_its_own_root() {
        let folder = tempfile::tempdir().unwrap();
        let cluster = Cluster::new("lfb".parse().unwrap(), folder.path().join("cluster"));
        assert!(cluster.node().is_err(), "before any worker there is nothing to give work to");
        let one = worker(&cluster, &folder, "one").unwrap();
        let other = worker(&cluster, &folder, "other").unwrap();
        let node = cluster.node().unwrap();
        assert!(Cluster::is_node(node.identity()) && !Cluster::is_node(one.identity()));
        assert_eq!(other.identity().to_string(), "spiffe://lfb_cluster/body/other/node");
        assert_eq!(cluster.node().unwrap().valid_until(), node.valid_until(), "it is kept");
        assert!(worker(&cluster, &folder, "node").is_err(), "nobody else gives work");
        let stranger = Cluster::new("lfb".parse().unwrap(), folder.path().join("another"));
        worker(&stranger, &folder, "stranger").unwrap();
        let (ca, pair) = (cluster.anchors_path(), stranger.node().unwrap());
        assert_ne!(std::fs::read(&ca).unwrap(), std::fs::read(stranger.anchors_path()).unwrap());
        let own = stranger.dir().join("node.pem");
        assert!(Credentials::load(&ca, &own, &own).is_err(), "{} of another root", pair.identity());
    }
}
