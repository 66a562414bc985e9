//! `meridian sprint serve`: the bodies of a sprint on this machine, each a process of its own, until its time is over.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{NaiveDate, Utc};
use clap::Args;

use super::super::local::paste::{absolute, program, quoted, workbench};
use super::super::local::{Asker, Plan, Ports, Processes, Progress};
use super::super::{Error, Interrupts, say};
use super::file::{Rows, Sprint};

/// The folder of the analyst's key, certificate and profile; no body is called so, since a name has no hyphen.
const ANALYST: &str = "the-analyst";
/// How often it is looked whether the last day is over.
const LOOK: Duration = Duration::from_secs(20);

/// Options of `meridian sprint serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The folder that `meridian sprint new` made
    folder: PathBuf,
}

impl Serve {
    /// Runs it. Whatever happens, the processes end; the folder is kept.
    pub(super) async fn run(self) -> Result<(), Error> {
        let sprint = Sprint::read(&self.folder)?;
        sprint.is_on(today())?;
        let _held = Sprint::lock(&self.folder)?;
        let mut interrupts = Interrupts::new()?;
        clear(&sprint, &self.folder)?;
        let (plan, ports) = plan(&sprint, &self.folder)?;
        plan.found()?;
        let (progress, mut processes) = (Progress::new(), Processes::default());
        let done = live(&sprint, &plan, ports, &progress, &mut processes, &mut interrupts).await;
        progress.end();
        processes.stop().await;
        say(format_args!("All nodes have ended; the sprint is kept in {}", self.folder.display()));
        done
    }
}

fn today() -> NaiveDate {
    Utc::now().date_naive()
}

/// Keys, ports and logs are new each time: certificates end within days, and somebody else may have the ports by now.
fn clear(sprint: &Sprint, folder: &Path) -> Result<(), Error> {
    let of_node = ["node.toml", "ca.pem", "identity.pem", "joining.key", "node.log", "state"];
    let nodes = sprint.bodies.iter().flat_map(|body| of_node.map(|name| folder.join(body.body.as_str()).join(name)));
    let others = ["authority", "authority.log", ANALYST].map(|name| folder.join(name));
    nodes.chain(others).try_for_each(|path| {
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::Write { path, source: error }),
            _ => Ok(()),
        }
    })
}

fn plan(sprint: &Sprint, folder: &Path) -> Result<(Plan, Ports), Error> {
    let asker = Asker {
        body: sprint.from.body.clone(),
        analyst: sprint.from.analyst.clone(),
        purpose: sprint.purposes.first().cloned().unwrap_or_else(|| sprint.name.to_string()),
        folder: ANALYST,
    };
    let bodies = sprint.bodies.iter().map(|body| (body.body.clone(), body.title.clone())).collect();
    Plan::new(folder.to_owned(), sprint.federation.clone(), asker, bodies)
}

/// From the first process to the moment at which somebody has seen enough, or the last day is over.
async fn live(
    sprint: &Sprint,
    plan: &Plan,
    ports: Ports,
    progress: &Progress,
    processes: &mut Processes,
    interrupts: &mut Interrupts,
) -> Result<(), Error> {
    tokio::select! {
        started = plan.start(ports, processes, progress) => drop(started?),
        () = interrupts.next() => return Err(Error::Interrupted),
    }
    say(guide(sprint, plan));
    tokio::select! {
        ended = processes.watch() => ended,
        () = interrupts.next() => Ok(()),
        over = until_over(sprint) => {
            say(over);
            Ok(())
        }
    }
}

/// Returns what is said when the sprint has ended. Clocks are looked at, since a machine that sleeps is no timer.
async fn until_over(sprint: &Sprint) -> Error {
    loop {
        match sprint.is_on(today()) {
            Ok(()) => tokio::time::sleep(LOOK).await,
            Err(over) => return over,
        }
    }
}

/// What to do in the sprint, and what comes behind it.
fn guide(sprint: &Sprint, plan: &Plan) -> String {
    let Sprint { name, until, from, .. } = sprint;
    let (program, profile, dir) = (program(), quoted(&absolute(&plan.profile_path())), absolute(&plan.dir));
    let query = |file: &str| quoted(&dir.join("queries").join(file));
    let asked: String = sprint
        .queries
        .iter()
        .map(|file| format!("  {program} query --profile {profile} -f {}\n", query(file)))
        .collect();
    let made: Vec<&str> = sprint
        .datasets
        .iter()
        .filter(|dataset| dataset.rows == Rows::Synthetic)
        .map(|dataset| dataset.name.as_str())
        .collect();
    let real = from.profile.as_ref().map(|profile| format!(" --profile {}", quoted(profile))).unwrap_or_default();
    let question = sprint.queries.first().map_or_else(|| "question.sql".to_owned(), |file| query(file));
    let (workbench, dir, purpose) = (workbench(plan), quoted(&dir), &plan.asker.purpose);
    let made = if made.is_empty() { "none".to_owned() } else { made.join(", ") };
    format!(
        "
The sprint {name} is up, until {until} at the latest. Made rows, of which no figure says anything: {made}

Ask, from another terminal:
{asked}  {program} shell --profile {profile}
Rows lie in {dir}/*/data, terms in {dir}/*/datasets: what is changed there is asked within seconds.

{workbench}

When a question is right, it becomes the draft of an agreement at your own node, {}, and once all have signed the same
words run on the real rows:
  {program} agreement draft{real} --purpose {purpose} -f {question} > agreement.toml

Ctrl-C ends all nodes; the folder is kept.",
        from.node
    )
}
