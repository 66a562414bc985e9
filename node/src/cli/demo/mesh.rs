//! The files of the mesh: authority, keys made where they are used, certificates, configuration, terms and data.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use meridian_certs::{Authority, Identity, KeyAndRequest, Request, Validity};
use meridian_examples::london::{self, Body, Data};
use meridian_proto::Name;
use serde::Serialize;

use super::super::Error;
use super::super::profile::{Profile, ProfileFile};
use super::{ASKER, Progress};

/// The federation's name, and so SQL's catalogue.
const FEDERATION: &str = "london";
/// Who asks.
const ANALYST: &str = "asha";
/// What the agreements of the mesh are about.
pub(super) const PURPOSE: &str = "fire-risk";
/// Certificates of a demo last as long as a demo may.
const CERTIFICATE_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// A mesh, as it is to be.
pub(super) struct Plan {
    pub(super) dir: PathBuf,
    pub(super) sites: Vec<Site>,
    pub(super) published: Option<PathBuf>,
    pub(super) seed: u64,
}

/// A body and where its node listens.
pub(super) struct Site {
    pub(super) body: Body,
    pub(super) flight: SocketAddr,
    pub(super) health: SocketAddr,
}

impl Plan {
    /// The folder of a body's node.
    pub(super) fn folder(&self, slug: &str) -> PathBuf {
        self.dir.join(slug)
    }

    /// The file that makes the analyst's commands short.
    pub(super) fn profile_path(&self) -> PathBuf {
        self.dir.join("profile.toml")
    }

    /// The analyst's connection to their own node.
    pub(super) fn analyst_profile(&self) -> Profile {
        let path = self.analyst_path();
        Profile {
            node: self.sites.iter().find(|site| site.body.slug == ASKER).map(endpoint).unwrap_or_default(),
            cert: path.with_extension("pem"),
            key: path.with_extension("key"),
            ca: self.dir.join("authority/ca.pem"),
            purpose: Some(PURPOSE.to_owned()),
        }
    }

    /// The analyst's key and certificate, without extension.
    fn analyst_path(&self) -> PathBuf {
        self.folder(ASKER).join("analysts").join(ANALYST)
    }

    /// Writes everything. When `stop` is set, it ends between two bodies.
    pub(super) fn write(&self, stop: &AtomicBool, progress: &Progress) -> Result<(), Error> {
        let federation = name(FEDERATION)?;
        let authority = Authority::create(&federation, &self.dir.join("authority"))?;
        for site in &self.sites {
            create_dir(&self.folder(site.body.slug).join("tls"))?;
        }
        self.write_analyst(&authority)?;
        self.write_queries()?;
        self.write_sites(&authority, stop, progress)?;
        let rows = if self.published.is_some() { "published data" } else { "generated rows" };
        progress.say(&format!("{} bodies have keys, certificates, terms and {rows}", self.sites.len()));
        Ok(())
    }

    /// Writes the bodies on all cores.
    fn write_sites(&self, authority: &Authority, stop: &AtomicBool, progress: &Progress) -> Result<(), Error> {
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let first_error = Mutex::new(None);
        let work = || {
            while let Some(site) = self.sites.get(next.fetch_add(1, Ordering::Relaxed)) {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                match self.write_site(site, authority) {
                    Ok(()) => {
                        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                        progress.update(&format!("keys, terms and data: {done} of {} bodies", self.sites.len()));
                    }
                    Err(error) => {
                        stop.store(true, Ordering::Relaxed);
                        if let Ok(mut first) = first_error.lock() {
                            first.get_or_insert(error);
                        }
                    }
                }
            }
        };
        thread::scope(|scope| {
            let cores = thread::available_parallelism().map_or(1, usize::from);
            // This thread works too, and where no other can be had it works alone.
            for _ in 1..cores.min(self.sites.len()) {
                let _ = thread::Builder::new().spawn_scoped(scope, work);
            }
            work();
        });
        first_error.into_inner().ok().flatten().map_or(Ok(()), Err)
    }

    fn write_site(&self, site: &Site, authority: &Authority) -> Result<(), Error> {
        let slug = site.body.slug;
        let folder = self.folder(slug);
        let identity = Identity::Node { federation: authority.federation().clone(), body: name(slug)? };
        let hosts = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        certify(authority, &identity, &hosts, &folder.join("tls/node"))?;
        create_dir(&folder.join("state"))?;
        write(&folder.join("node.toml"), &self.node_toml(site)?)?;
        let data = match &self.published {
            Some(folder) => Data::Published { folder },
            None => Data::Generated { seed: self.seed },
        };
        Ok(london::write_body(slug, &folder, &data)?)
    }

    fn write_analyst(&self, authority: &Authority) -> Result<(), Error> {
        let identity =
            Identity::Analyst { federation: authority.federation().clone(), body: name(ASKER)?, name: name(ANALYST)? };
        create_dir(&self.folder(ASKER).join("analysts"))?;
        certify(authority, &identity, &[], &self.analyst_path())?;
        let Profile { node, cert, key, ca, purpose } = self.analyst_profile();
        // Relative to the file, so that the folder can be moved.
        let within = |path: PathBuf| path.strip_prefix(&self.dir).map(Path::to_owned).unwrap_or(path);
        let [cert, key, ca] = [cert, key, ca].map(|path| Some(within(path)));
        let profile = ProfileFile { node: Some(node), cert, key, ca, purpose };
        write(&self.profile_path(), &toml_text(&profile)?)
    }

    fn write_queries(&self) -> Result<(), Error> {
        let folder = self.dir.join("queries");
        create_dir(&folder)?;
        london::queries().iter().try_for_each(|query| write(&folder.join(format!("{}.sql", query.name)), query.sql))
    }

    fn node_toml(&self, site: &Site) -> Result<String, Error> {
        let asks = site.body.slug == ASKER;
        toml_text(&NodeToml {
            federation: FEDERATION,
            body: site.body.slug,
            title: site.body.title,
            listen: site.flight,
            health: site.health,
            state: "state",
            tls: Tls { ca: "../authority/ca.pem", cert: "tls/node.pem", key: "tls/node.key" },
            // 36 nodes share one machine: together they stay below 4 GiB even where all use what they may.
            limits: Limits {
                memory_mib: if asks { 256 } else { 64 },
                worker_threads: if asks { 2 } else { 1 },
                target_partitions: 1,
            },
            members: self.sites.iter().map(|site| Member { body: site.body.slug, endpoint: endpoint(site) }).collect(),
        })
    }
}

#[derive(Serialize)]
struct NodeToml<'a> {
    federation: &'a str,
    body: &'a str,
    title: &'a str,
    listen: SocketAddr,
    health: SocketAddr,
    state: &'a str,
    tls: Tls,
    limits: Limits,
    members: Vec<Member<'a>>,
}

#[derive(Serialize)]
struct Tls {
    ca: &'static str,
    cert: &'static str,
    key: &'static str,
}

#[derive(Serialize)]
struct Limits {
    memory_mib: u32,
    worker_threads: u32,
    target_partitions: u32,
}

#[derive(Serialize)]
struct Member<'a> {
    body: &'a str,
    endpoint: String,
}

fn endpoint(site: &Site) -> String {
    format!("https://{}", site.flight)
}

/// Makes a key beside its certificate: `<path>.key` and `<path>.pem`. Only the request goes to the authority.
fn certify(authority: &Authority, identity: &Identity, hosts: &[String], path: &Path) -> Result<(), Error> {
    let made = KeyAndRequest::create(&path.with_extension("key"))?;
    let request = Request::from_pem(made.pem())?;
    let signed = authority.sign(&request, identity, hosts, Validity::from_now(CERTIFICATE_LIFE))?;
    write(&path.with_extension("pem"), &signed)
}

fn name(text: &str) -> Result<Name, Error> {
    text.parse().map_err(|error: meridian_proto::Invalid| Error::Mesh(error.to_string()))
}

fn toml_text(value: &impl Serialize) -> Result<String, Error> {
    toml::to_string(value).map_err(|error| Error::Mesh(format!("writing the demo's configuration: {error}")))
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|source| Error::Write { path: path.to_owned(), source })
}

fn create_dir(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|source| Error::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    fn site(slug: &'static str, port: u16) -> Site {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Site { body: Body { slug, title: "A \"title\"" }, flight: at(port), health: at(port + 1) }
    }

    #[test]
    fn a_mesh_without_rows_has_all_its_files_and_credentials_that_load() {
        let dir = tempfile::tempdir().unwrap();
        let plan = Plan {
            dir: dir.path().into(),
            sites: vec![site("loda", 5000), site("gla", 5002)],
            published: None,
            seed: 1,
        };
        plan.write(&AtomicBool::new(false), &Progress::new()).unwrap();
        let text = fs::read_to_string(dir.path().join("gla/node.toml")).unwrap();
        let written: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(written["title"].as_str(), Some("A \"title\""));
        assert_eq!(written["members"].as_array().unwrap().len(), 2);
        assert_eq!(written["health"].as_str(), Some("127.0.0.1:5003"));
        assert!(dir.path().join("queries/fire_risk.sql").exists());

        let profile = plan.analyst_profile();
        assert_eq!(profile.node, "https://127.0.0.1:5000");
        let asha = meridian_certs::Credentials::load(&profile.ca, &profile.cert, &profile.key).unwrap();
        assert_eq!(asha.identity().to_string(), "spiffe://london/body/loda/analyst/asha");
        let tls = dir.path().join("gla/tls");
        meridian_certs::Credentials::load(&profile.ca, &tls.join("node.pem"), &tls.join("node.key")).unwrap();
    }
}
