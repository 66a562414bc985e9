//! A mesh on this machine: an authority and bodies, each a process with its own keys, and none of them outlives this one.

mod folder;
mod joining;
pub(crate) mod paste;
mod ports;
mod process;
mod progress;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use meridian_certs::Office;
use meridian_proto::Name;

use super::Error;
use super::catalogue;
use super::client::Client;
use super::profile::Profile;
pub(crate) use folder::{Folder, create_dir};
pub(crate) use ports::Ports;
pub(crate) use process::Processes;
pub(crate) use progress::Progress;

/// Within this all nodes have to be ready.
const START_TIME: Duration = Duration::from_secs(120);
/// Within this the asker's node has to know what the others publish.
const LEARN_TIME: Duration = Duration::from_secs(60);

/// A mesh, as it is to be.
pub(crate) struct Plan {
    /// The folder of all of it: of each body one, of the authority, and of the asker.
    pub(crate) dir: PathBuf,
    /// Who asks.
    pub(crate) asker: Asker,
    /// Where the asker's node serves the register.
    pub(crate) public: SocketAddr,
    /// Where it serves its analysts' workbench.
    pub(crate) workbench: SocketAddr,
    /// The bodies.
    pub(crate) sites: Vec<Site>,
    federation: Name,
    authority: SocketAddr,
}

/// Who asks, at which body's node, and for which purpose where they say nothing else.
pub(crate) struct Asker {
    pub(crate) body: Name,
    pub(crate) analyst: Name,
    pub(crate) purpose: String,
    /// The folder of key, certificate and profile, below that of the mesh.
    pub(crate) folder: &'static str,
}

/// A body and where its node listens.
pub(crate) struct Site {
    pub(crate) body: Name,
    /// The body's name for people.
    pub(crate) title: String,
    flight: SocketAddr,
    health: SocketAddr,
}

impl Site {
    /// Where its node is reached.
    fn endpoint(&self) -> String {
        format!("https://{}", self.flight)
    }
}

impl Plan {
    /// A mesh of these bodies, each with its name for people, at ports that are held until the processes start.
    pub(crate) fn new(
        dir: PathBuf,
        federation: Name,
        asker: Asker,
        bodies: Vec<(Name, String)>,
    ) -> Result<(Self, Ports), Error> {
        let ports = Ports::reserve(bodies.len())?;
        let sites = bodies.into_iter().zip(&ports.nodes).map(|((body, title), [flight, health])| Site {
            body,
            title,
            flight: flight.address(),
            health: health.address(),
        });
        let plan = Self {
            dir,
            asker,
            public: ports.public.address(),
            workbench: ports.workbench.address(),
            sites: sites.collect(),
            federation,
            authority: ports.authority.address(),
        };
        Ok((plan, ports))
    }

    /// The folder of a body's node.
    pub(crate) fn folder(&self, body: &Name) -> PathBuf {
        self.dir.join(body.as_str())
    }

    /// The authority's folder.
    pub(crate) fn authority_folder(&self) -> PathBuf {
        self.dir.join("authority")
    }

    /// Where the authority is reached.
    fn authority_url(&self) -> String {
        format!("https://{}", self.authority)
    }

    /// The folder of the analyst.
    pub(crate) fn analyst(&self) -> PathBuf {
        self.dir.join(self.asker.folder)
    }

    /// The file that makes the analyst's commands short.
    pub(crate) fn profile_path(&self) -> PathBuf {
        self.analyst().join("profile.toml")
    }

    /// The analyst's connection to their own node.
    pub(crate) fn analyst_profile(&self) -> Profile {
        let at = |name: &str| self.analyst().join(name);
        Profile {
            node: self.sites.iter().find(|site| site.body == self.asker.body).map(Site::endpoint).unwrap_or_default(),
            cert: at("analyst.pem"),
            key: at("analyst.key"),
            ca: at("ca.pem"),
            other_ca: Vec::new(),
            purpose: Some(self.asker.purpose.clone()),
        }
    }

    /// Makes the authority, in a folder that is not there yet.
    pub(crate) fn found(&self) -> Result<(), Error> {
        Office::found(&self.federation, &self.authority_folder(), SystemTime::now())?;
        Ok(())
    }

    /// Has all bodies join, starts their nodes, and waits until the asker's knows what the others publish.
    pub(crate) async fn start(
        &self,
        ports: Ports,
        processes: &mut Processes,
        progress: &Progress,
    ) -> Result<Client, Error> {
        let Ports { authority, nodes, public, workbench } = ports;
        processes.start_authority(self, authority).await?;
        joining::join(self, progress).await?;
        let began = Instant::now();
        drop((public, workbench));
        processes.start(self, nodes)?;
        let mut client = Client::new(&self.analyst_profile())?;
        tokio::time::timeout(START_TIME, processes.ready(self, progress)).await.map_err(|_| {
            let (limit, dir) = (START_TIME.as_secs(), self.dir.display());
            Error::Mesh(format!(
                "not every node was ready within {limit} s: see {dir}/*/node.log, or choose fewer bodies"
            ))
        })??;
        self.know_each_other(&mut client, progress).await?;
        let (nodes, seconds) = (self.sites.len(), began.elapsed().as_secs_f64());
        progress.say(&format!(
            "{nodes} nodes are ready after {seconds:.1} s, each a process with its own keys, data and terms"
        ));
        Ok(client)
    }

    /// Waits until the asker's node has learned what every body publishes.
    async fn know_each_other(&self, client: &mut Client, progress: &Progress) -> Result<(), Error> {
        let (began, asker) = (Instant::now(), &self.asker.body);
        let mut pause = Duration::from_millis(25);
        loop {
            let known = catalogue::bodies(client).await?;
            let publishing = self.sites.iter().map(|site| site.body.as_str()).filter(|&body| body != asker.as_str());
            let missing: Vec<&str> = publishing.filter(|&body| !known.iter().any(|known| known == body)).collect();
            if missing.is_empty() {
                return Ok(());
            }
            if began.elapsed() > LEARN_TIME {
                let (limit, dir, missing) = (LEARN_TIME.as_secs(), self.dir.display(), missing.join(", "));
                let why = format!(
                    "the node of {asker} has not learned within {limit} s what these publish: {missing}; see their \
                     {dir}/*/node.log"
                );
                return Err(Error::Mesh(why));
            }
            progress.update(&format!("the node of {asker} waits for the descriptions of {} bodies", missing.len()));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(400));
        }
    }
}
