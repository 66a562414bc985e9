//! `meridian node serve`: the node of one body, until somebody ends it.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;
use std::{io, thread};

use clap::Args;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{Error, Interrupts};
use crate::clock::Clock;
use crate::{app, config, query};

/// Planning recurses through a statement's operators: virtual memory, touched only as far as it is needed (bytes).
const STACK_BYTES: usize = 16 << 20;
/// Answers that are under way when the node is to end have this long to finish.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// Options of `meridian node serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The node's configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Log one JSON object per line
    #[arg(long)]
    pub(super) log_json: bool,
    #[command(flatten)]
    end: End,
}

/// The option of whatever serves until somebody ends it.
#[derive(Debug, Args)]
pub(super) struct End {
    /// End when standard input closes, and so with the process that holds its other end, however that ends
    #[arg(long, hide = true)]
    exit_with_stdin: bool,
}

impl Serve {
    /// Serves until the end.
    pub(crate) fn run(self) -> Result<(), Error> {
        let config = config::Config::load(&self.config).map_err(|errors| Error::Config(errors.to_string()))?;
        let mut threads = runtime::Builder::new_multi_thread();
        threads
            .worker_threads(config.node.limits.worker_threads)
            .max_blocking_threads(query::THREADS_BESIDE)
            .thread_stack_size(STACK_BYTES)
            .thread_name("node");
        self.end.run(threads, async |end| {
            tokio::select! {
                served = app::serve(&self.config, config, Clock::system(), end.clone().cancelled_owned()) => {
                    served.map_err(|error| Error::Serve(error.to_string()))
                }
                () = drained(end) => Ok(()),
            }
        })
    }
}

impl End {
    /// Cancelled when it is time to end.
    pub(super) fn begin(&self) -> Result<CancellationToken, Error> {
        let end = CancellationToken::new();
        tokio::spawn(wait_for_end(Interrupts::new()?, stdin_closed(self.exit_with_stdin)?, end.clone()));
        Ok(end)
    }

    /// Serves on these threads.
    pub(super) fn run(
        &self,
        mut threads: runtime::Builder,
        serve: impl AsyncFnOnce(CancellationToken) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let runtime = threads.enable_all().build().map_err(Error::Runtime)?;
        let served = runtime.block_on(async { serve(self.begin()?).await });
        // A file that is being read on a slow disk does not hold the end up.
        runtime.shutdown_background();
        served
    }
}

/// Resolves when standard input ends, where that matters.
fn stdin_closed(matters: bool) -> Result<Option<oneshot::Receiver<()>>, Error> {
    if !matters {
        return Ok(None);
    }
    let (closed, receiver) = oneshot::channel();
    let watch = move || {
        let mut stdin = io::stdin().lock();
        let mut buffer = [0; 64];
        while matches!(stdin.read(&mut buffer), Ok(1..)) {}
        let _ = closed.send(());
    };
    thread::Builder::new().name("stdin".into()).spawn(watch).map_err(Error::Runtime)?;
    Ok(Some(receiver))
}

/// Cancels it when the process is asked to end.
async fn wait_for_end(mut interrupts: Interrupts, orphaned: Option<oneshot::Receiver<()>>, end: CancellationToken) {
    match orphaned {
        Some(orphaned) => tokio::select! {
            () = interrupts.next() => {}
            _ = orphaned => {}
        },
        None => interrupts.next().await,
    }
    end.cancel();
}

/// Returns when the node should have ended but has not.
async fn drained(end: CancellationToken) {
    end.cancelled().await;
    tokio::time::sleep(DRAIN_TIME).await;
    tracing::warn!(seconds = DRAIN_TIME.as_secs(), "ending with answers under way: they are cut off");
}
