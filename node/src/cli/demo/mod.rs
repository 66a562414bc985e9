//! `meridian demo`: London on this machine. Every body is a process of its own, and none of them outlives this one.

mod folder;
mod guide;
mod joining;
mod mesh;
mod ports;
mod process;
mod progress;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use meridian_examples::london::{self, Body, FIRE_RISK};
use tokio::task::spawn_blocking;

use self::folder::Folder;
use self::mesh::{Plan, Site};
use self::ports::{Ports, Reserved};
use self::process::Processes;
use self::progress::Progress;
use super::client::Client;
use super::output::Output;
use super::query;
use super::statement::Statement;
use super::{Error, Interrupts, catalogue, say};

/// The bodies that are there whichever boroughs are chosen.
const PAN_LONDON: [&str; 3] = ["loda", "gla", "lfb"];
/// Where the question is asked.
const ASKER: &str = "loda";
/// Within this all nodes have to be ready.
const START_TIME: Duration = Duration::from_secs(120);
/// Within this the asker's node has to know what the others publish.
const LEARN_TIME: Duration = Duration::from_secs(60);

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
            Ok((plan, ports)) => self.live(&plan, ports, &progress, &mut processes, &mut interrupts, out).await,
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
    ) -> Result<(Arc<Plan>, Ports), Error> {
        let reserve = |_: &Body| Ok([Reserved::new()?, Reserved::new()?]);
        let nodes = bodies.iter().map(reserve).collect::<Result<Vec<_>, Error>>()?;
        let ports = Ports { authority: Reserved::new()?, nodes, public: Reserved::new()?, workbench: Reserved::new()? };
        let sites = bodies.into_iter().zip(&ports.nodes).map(|(body, [flight, health])| Site {
            body,
            flight: flight.address(),
            health: health.address(),
        });
        let plan = Arc::new(Plan {
            dir: folder.path().to_owned(),
            authority: ports.authority.address(),
            public: ports.public.address(),
            workbench: ports.workbench.address(),
            sites: sites.collect(),
            published: self.data.clone(),
            seed: self.seed,
        });
        let stop = Arc::new(AtomicBool::new(false));
        let mut work = {
            let (plan, stop, progress) = (plan.clone(), stop.clone(), progress.clone());
            spawn_blocking(move || plan.write(&stop, &progress))
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
        Ok((plan, ports))
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
        let Ports { authority, nodes, public, workbench } = ports;
        processes.start_authority(plan, authority).await?;
        joining::join(plan, progress).await?;
        let began = Instant::now();
        drop((public, workbench));
        processes.start(plan, nodes)?;
        let mut client = Client::new(&plan.analyst_profile())?;
        tokio::time::timeout(START_TIME, processes.ready(plan, progress)).await.map_err(|_| {
            let (limit, dir) = (START_TIME.as_secs(), plan.dir.display());
            Error::Mesh(format!(
                "not every node was ready within {limit} s: see {dir}/*/node.log, or choose fewer --bodies"
            ))
        })??;
        know_each_other(plan, &mut client, progress).await?;
        let (nodes, seconds) = (plan.sites.len(), began.elapsed().as_secs_f64());
        progress.say(&format!(
            "{nodes} nodes are ready after {seconds:.1} s, each a process with its own keys, data and terms"
        ));
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

/// Waits until the asker's node has learned what every body publishes.
async fn know_each_other(plan: &Plan, client: &mut Client, progress: &Progress) -> Result<(), Error> {
    let began = Instant::now();
    let mut pause = Duration::from_millis(25);
    loop {
        let known = catalogue::bodies(client).await?;
        let publishing = plan.sites.iter().map(|site| site.body.slug).filter(|&slug| slug != ASKER);
        let missing: Vec<&str> = publishing.filter(|slug| !known.iter().any(|body| body == slug)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        if began.elapsed() > LEARN_TIME {
            let (limit, dir, missing) = (LEARN_TIME.as_secs(), plan.dir.display(), missing.join(", "));
            let why = format!(
                "LODA's node has not learned within {limit} s what these publish: {missing}; see their {dir}/*/node.log"
            );
            return Err(Error::Mesh(why));
        }
        progress.update(&format!("LODA's node waits for the descriptions of {} bodies", missing.len()));
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(400));
    }
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
