//! The files of the mesh: the authority's, and what each body publishes on which terms.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::SystemTime;

use meridian_certs::Office;
use meridian_examples::london::{self, Body, Data};
use meridian_proto::Name;

use super::super::Error;
use super::super::profile::Profile;
use super::{ASKER, Progress};

/// The federation's name, and so SQL's catalogue.
const FEDERATION: &str = "london";
/// What the agreements of the mesh are about.
pub(super) const PURPOSE: &str = "fire-risk";

/// A mesh, as it is to be.
pub(super) struct Plan {
    pub(super) dir: PathBuf,
    /// Where the authority is served.
    pub(super) authority: SocketAddr,
    /// Where the asker's node serves the register.
    pub(super) public: SocketAddr,
    /// Where it serves its analysts' workbench.
    pub(super) workbench: SocketAddr,
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

impl Site {
    /// Where its node is reached.
    pub(super) fn endpoint(&self) -> String {
        format!("https://{}", self.flight)
    }
}

impl Plan {
    /// The folder of a body's node.
    pub(super) fn folder(&self, slug: &str) -> PathBuf {
        self.dir.join(slug)
    }

    /// The authority's folder.
    pub(super) fn authority_folder(&self) -> PathBuf {
        self.dir.join("authority")
    }

    /// Where the authority is reached.
    pub(super) fn authority_url(&self) -> String {
        format!("https://{}", self.authority)
    }

    /// The folder of the analyst.
    pub(super) fn analyst(&self) -> PathBuf {
        self.dir.join("asha")
    }

    /// The file that makes the analyst's commands short.
    pub(super) fn profile_path(&self) -> PathBuf {
        self.analyst().join("profile.toml")
    }

    /// The analyst's connection to their own node.
    pub(super) fn analyst_profile(&self) -> Profile {
        let at = |name: &str| self.analyst().join(name);
        Profile {
            node: self.sites.iter().find(|site| site.body.slug == ASKER).map(Site::endpoint).unwrap_or_default(),
            cert: at("analyst.pem"),
            key: at("analyst.key"),
            ca: at("ca.pem"),
            other_ca: Vec::new(),
            purpose: Some(PURPOSE.to_owned()),
        }
    }

    /// Writes what is there before anybody joins. When `stop` is set, it ends between two bodies.
    pub(super) fn write(&self, stop: &AtomicBool, progress: &Progress) -> Result<(), Error> {
        Office::found(&name(FEDERATION)?, &self.authority_folder(), SystemTime::now())?;
        self.write_queries()?;
        self.write_sites(stop, progress)?;
        let rows = if self.published.is_some() { "published data" } else { "generated rows" };
        progress.say(&format!("{} bodies have terms and {rows}", self.sites.len()));
        Ok(())
    }

    /// Writes the bodies on all cores.
    fn write_sites(&self, stop: &AtomicBool, progress: &Progress) -> Result<(), Error> {
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let first_error = Mutex::new(None);
        let work = || {
            while let Some(site) = self.sites.get(next.fetch_add(1, Ordering::Relaxed)) {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                match self.write_site(site) {
                    Ok(()) => {
                        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                        progress.update(&format!("terms and data: {done} of {} bodies", self.sites.len()));
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

    fn write_site(&self, site: &Site) -> Result<(), Error> {
        let folder = self.folder(site.body.slug);
        create_dir(&folder)?;
        let data = match &self.published {
            Some(folder) => Data::Published { folder },
            None => Data::Generated { seed: self.seed },
        };
        Ok(london::write_body(site.body.slug, &folder, &data)?)
    }

    fn write_queries(&self) -> Result<(), Error> {
        let folder = self.dir.join("queries");
        create_dir(&folder)?;
        london::queries().iter().try_for_each(|query| {
            let path = folder.join(format!("{}.sql", query.name));
            fs::write(&path, query.sql).map_err(|source| Error::Write { path, source })
        })
    }
}

/// A name that the demo gives.
pub(super) fn name(text: &str) -> Result<Name, Error> {
    text.parse().map_err(|error: meridian_proto::Invalid| Error::Mesh(error.to_string()))
}

fn create_dir(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|source| Error::Write { path: path.to_owned(), source })
}
