//! The `meridian` binary: sets the process up, runs the command, and turns its outcome into an exit code.

use std::io::{self, BufWriter, Write};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::process::ExitCode;

use clap::Parser;
use meridian::cli::{Cli, Error};
use meridian::telemetry;

fn main() -> ExitCode {
    panic::set_hook(Box::new(defect));
    let cli = Cli::parse();
    let logging = cli.logging();
    telemetry::init(logging.filter, logging.json);
    // An error means that one is installed already, and there is only this one in the program.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut out = BufWriter::new(io::stdout().lock());
    // The hook has said what there is to say.
    let done = panic::catch_unwind(AssertUnwindSafe(|| run(cli, &mut out)));
    match done {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            let _ = writeln!(io::stderr(), "meridian: {error}");
            ExitCode::from(error.exit_code())
        }
        Err(_) => ExitCode::FAILURE,
    }
}

fn run(cli: Cli, out: &mut dyn Write) -> Result<(), Error> {
    match cli.run(out).and_then(|()| Ok(out.flush()?)) {
        // `head` has read enough.
        Err(error) if error.is_broken_pipe() => Ok(()),
        done => done,
    }
}

/// A panic is a defect of the program. Its own text may hold data, so only its place is told.
fn defect(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(
        io::stderr(),
        "meridian: a defect of the program stopped this piece of work ({place}); please report it with what you did"
    );
}
