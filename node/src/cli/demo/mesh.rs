//! The files of the mesh: the authority's, and what each body publishes on which terms.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use meridian_examples::london::{self, Data};

use super::super::Error;
use super::super::local::{Plan, Progress, Site, create_dir};

/// London, as it is to be.
pub(super) struct London {
    pub(super) plan: Plan,
    pub(super) published: Option<PathBuf>,
    pub(super) seed: u64,
}

impl London {
    /// Writes what is there before anybody joins. When `stop` is set, it ends between two bodies.
    pub(super) fn write(&self, stop: &AtomicBool, progress: &Progress) -> Result<(), Error> {
        self.plan.found()?;
        self.write_queries()?;
        self.write_sites(stop, progress)?;
        let rows = if self.published.is_some() { "published data" } else { "generated rows" };
        progress.say(&format!("{} bodies have terms and {rows}", self.plan.sites.len()));
        Ok(())
    }

    /// Writes the bodies on all cores.
    fn write_sites(&self, stop: &AtomicBool, progress: &Progress) -> Result<(), Error> {
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let first_error = Mutex::new(None);
        let work = || {
            while let Some(site) = self.plan.sites.get(next.fetch_add(1, Ordering::Relaxed)) {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                match self.write_site(site) {
                    Ok(()) => {
                        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                        progress.update(&format!("terms and data: {done} of {} bodies", self.plan.sites.len()));
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
            for _ in 1..cores.min(self.plan.sites.len()) {
                let _ = thread::Builder::new().spawn_scoped(scope, work);
            }
            work();
        });
        first_error.into_inner().ok().flatten().map_or(Ok(()), Err)
    }

    fn write_site(&self, site: &Site) -> Result<(), Error> {
        let folder = self.plan.folder(&site.body);
        create_dir(&folder)?;
        let data = match &self.published {
            Some(folder) => Data::Published { folder },
            None => Data::Generated { seed: self.seed },
        };
        Ok(london::write_body(site.body.as_str(), &folder, &data)?)
    }

    fn write_queries(&self) -> Result<(), Error> {
        let folder = self.plan.dir.join("queries");
        create_dir(&folder)?;
        london::queries().iter().try_for_each(|query| {
            let path = folder.join(format!("{}.sql", query.name));
            fs::write(&path, query.sql).map_err(|source| Error::Write { path, source })
        })
    }
}
