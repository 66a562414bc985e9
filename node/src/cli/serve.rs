//! `meridian node serve`: the node of one body, until somebody ends it.

use std::io::Read;
use std::path::PathBuf;
use std::{io, thread};

use clap::Args;
use tokio::runtime;
use tokio::sync::oneshot;

use super::{Error, Interrupts};
use crate::{app, config};

/// Planning recurses through a statement's operators: virtual memory, touched only as far as it is needed (bytes).
const STACK_BYTES: usize = 16 << 20;
/// Threads for files: few, since a node has many neighbours on a machine (threads).
const BLOCKING_THREADS: usize = 4;

/// Options of `meridian node serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The node's configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Log one JSON object per line
    #[arg(long)]
    pub(super) log_json: bool,
    /// End when standard input closes, and so with the process that holds its other end, however that ends
    #[arg(long, hide = true)]
    exit_with_stdin: bool,
}

impl Serve {
    /// Serves until the end.
    pub(crate) fn run(self) -> Result<(), Error> {
        let config = config::Config::load(&self.config).map_err(|errors| Error::Config(errors.to_string()))?;
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(config.limits.worker_threads)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_stack_size(STACK_BYTES)
            .thread_name("node")
            .enable_all()
            .build()
            .map_err(Error::Runtime)?;
        let served = runtime.block_on(async {
            let mut interrupts = Interrupts::new()?;
            let orphaned = self.exit_with_stdin.then(stdin_closed).transpose()?;
            let shutdown = async move {
                match orphaned {
                    Some(orphaned) => tokio::select! {
                        () = interrupts.next() => {}
                        _ = orphaned => {}
                    },
                    None => interrupts.next().await,
                }
            };
            app::serve(config, shutdown).await.map_err(|error| Error::Serve(error.to_string()))
        });
        // A file that is being read on a slow disk does not hold the end up.
        runtime.shutdown_background();
        served
    }
}

/// Resolves when standard input ends.
fn stdin_closed() -> Result<oneshot::Receiver<()>, Error> {
    let (closed, receiver) = oneshot::channel();
    let watch = move || {
        let mut stdin = io::stdin().lock();
        let mut buffer = [0; 64];
        while !matches!(stdin.read(&mut buffer), Ok(0)) {}
        let _ = closed.send(());
    };
    thread::Builder::new().name("stdin".into()).spawn(watch).map_err(Error::Runtime)?;
    Ok(receiver)
}
