//! `meridian demo`: London on this machine. Every body is a process of its own, and none of them outlives this one.

mod guide;
mod mesh;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::Args;
use meridian_examples::london::{self, Body, FIRE_RISK};
use meridian_proto::Name;
use tokio::task::spawn_blocking;

use self::mesh::London;
use super::local::{Asker, Folder, Plan, Ports, Processes, Progress};
use super::output::Output;
use super::query;
use super::statement::Statement;
use super::{Error, Interrupts, say};

/// The bodies that are there whichever boroughs are chosen.
const PAN_LONDON: [&str; 3] = ["loda", "gla", "lfb"];
/// The federation's name, and so SQL's catalogue.
const FEDERATION: &str = "london";
/// Where the question is asked.
const ASKER: &str = "loda";
/// Who asks.
const ANALYST: &str = "asha";
/// What the agreements of the mesh are about.
const PURPOSE: &str = "fire-risk";

/// Options of `meridian demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// End after the answer
    #[arg(long)]
    once: bool,
    /// Only these boroughs: camden,hackney,…
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    bodies: Vec<String>,
    /// A new or empty folder for all of it, kept at the end; without it a temporary one is used and removed
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Use the published files in this folder in place of generated rows
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// What the generated rows are drawn from: the same number gives the same rows
    #[arg(long, default_value_t = 1, conflicts_with = "data")]
    seed: u64,
    #[command(flatten)]
    output: Output,
}

impl Demo {
    /// Shows it. Whatever happens, the processes end and a temporary folder goes.
    pub(crate) async fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        self.output.check()?;
        let bodies = chosen(&self.bodies)?;
        let mut interrupts = Interrupts::new()?;
        let folder = Folder::new(self.dir.as_deref())?;
        let progress = Arc::new(Progress::new());
        let mut processes = Processes::default();
        let done = match self.prepare(bodies, &folder, &progress, &mut interrupts).await {
            Ok((london, ports)) => {
                self.live(&london.plan, ports, &progress, &mut processes, &mut interrupts, out).await
            }
            Err(error) => Err(error),
        };
        progress.end();
        processes.stop().await;
        if let Some(kept) = folder.close() {
            say(format_args!("All nodes have ended; their files are kept in {}", kept.display()));
        }
        done
    }

    /// Writes all files, on all cores; stops between two bodies when it is interrupted.
    async fn prepare(
        &self,
        bodies: Vec<Body>,
        folder: &Folder,
        progress: &Arc<Progress>,
        interrupts: &mut Interrupts,
    ) -> Result<(Arc<London>, Ports), Error> {
        let bodies = bodies.into_iter().map(|body| Ok((name(body.slug)?, body.title.to_owned())));
        let bodies = bodies.collect::<Result<Vec<_>, Error>>()?;
        let (body, analyst) = (name(ASKER)?, name(ANALYST)?);
        let asker = Asker { body, analyst, purpose: PURPOSE.to_owned(), folder: ANALYST };
        let (plan, ports) = Plan::new(folder.path().to_owned(), name(FEDERATION)?, asker, bodies)?;
        let london = Arc::new(London { plan, published: self.data.clone(), seed: self.seed });
        let stop = Arc::new(AtomicBool::new(false));
        let mut work = {
            let (london, stop, progress) = (london.clone(), stop.clone(), progress.clone());
            spawn_blocking(move || london.write(&stop, &progress))
        };
        let written = tokio::select! {
            written = &mut work => written,
            () = interrupts.next() => {
                stop.store(true, Ordering::Relaxed);
                let _ = work.await;
                return Err(Error::Interrupted);
            }
        };
        written.map_err(|_| Error::Mesh("writing the files of the mesh stopped: see the report above".into()))??;
        Ok((london, ports))
    }

    /// From the first process to the moment at which somebody has seen enough.
    async fn live(
        &self,
        plan: &Plan,
        ports: Ports,
        progress: &Progress,
        processes: &mut Processes,
        interrupts: &mut Interrupts,
        out: &mut dyn Write,
    ) -> Result<(), Error> {
        tokio::select! {
            shown = self.show(plan, ports, progress, processes, out) => shown?,
            () = interrupts.next() => return Err(Error::Interrupted),
        }
        if self.once {
            return Ok(());
        }
        say(guide::text(plan, self.dir.is_some()));
        tokio::select! {
            ended = processes.watch() => ended,
            () = interrupts.next() => Ok(()),
        }
    }

    async fn show(
        &self,
        plan: &Plan,
        ports: Ports,
        progress: &Progress,
        processes: &mut Processes,
        out: &mut dyn Write,
    ) -> Result<(), Error> {
        let mut client = plan.start(ports, processes, progress).await?;
        progress
            .say("Asked as asha, an analyst of LODA, at LODA's node: dwelling fires per 1,000 households by borough\n");
        let statement = Statement { sql: FIRE_RISK.to_owned(), purpose: None };
        let began = Instant::now();
        query::ask(&mut client, &statement, &self.output, out).await?;
        out.flush()?;
        say(format_args!("Answered in {} ms", began.elapsed().as_millis()));
        Ok(())
    }
}

/// A name that the demo gives.
fn name(text: &str) -> Result<Name, Error> {
    text.parse().map_err(|error: meridian_proto::Invalid| Error::Mesh(error.to_string()))
}

/// The pan-London bodies and the boroughs that were named, or all.
fn chosen(names: &[String]) -> Result<Vec<Body>, Error> {
    let all = london::bodies();
    if names.is_empty() {
        return Ok(all);
    }
    let named: Vec<String> = names.iter().map(|name| name.trim().to_lowercase().replace(['-', ' '], "_")).collect();
    if let Some(unknown) = named.iter().find(|name| !all.iter().any(|body| body.slug == name.as_str())) {
        let boroughs: Vec<&str> = all.iter().map(|body| body.slug).filter(|slug| !PAN_LONDON.contains(slug)).collect();
        return Err(Error::Usage(format!("London has no borough {unknown}; choose from: {}", boroughs.join(", "))));
    }
    let is_chosen = |body: &Body| PAN_LONDON.contains(&body.slug) || named.iter().any(|name| name == body.slug);
    Ok(all.into_iter().filter(is_chosen).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    fn slugs(names: &[&str]) -> Result<Vec<&'static str>, Error> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        Ok(chosen(&names)?.into_iter().map(|body| body.slug).collect())
    }

    #[test]
    fn boroughs_are_chosen_and_the_pan_london_bodies_are_always_there() {
        assert_eq!(slugs(&[]).unwrap().len(), 36);
        assert_eq!(slugs(&["Tower-Hamlets", " camden"]).unwrap(), ["loda", "gla", "lfb", "camden", "tower_hamlets"]);
        let error = slugs(&["camdn"]).unwrap_err().to_string();
        assert!(error.contains("camdn") && error.contains("hackney"), "{error}");
    }
}
