//! `meridian audit export`: the records as JSON, one on a line.

use std::io::Write;
use std::ops::ControlFlow;

use clap::Args;
use serde_json::{Value, json};

use super::{Of, log};
use crate::audit::{Recorded, each};
use crate::cli::Error;
use crate::cli::format::printable_json;

/// Options of `meridian audit export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The first record, from 0
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    from: u64,
    /// The last record
    #[arg(long, value_name = "INDEX")]
    to: Option<u64>,
    #[command(flatten)]
    of: Of,
}

impl Export {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let opened = self.of.open()?;
        let mut written = Ok(());
        each(&opened.folder, &mut |recorded| {
            if self.to.is_some_and(|to| recorded.index > to) {
                return ControlFlow::Break(());
            }
            if recorded.index >= self.from {
                written = write(&recorded, out);
            }
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .map_err(log)?;
        written
    }
}

fn write(recorded: &Recorded, out: &mut dyn Write) -> Result<(), Error> {
    let record = serde_json::to_value(&recorded.record).map_err(|error| Error::Config(error.to_string()))?;
    let mut line = json!({
        "index": recorded.index,
        "hash": hex::encode(recorded.hash),
        "time_ms": recorded.time_ms,
        "commitment": recorded.commitment,
    });
    if let (Value::Object(line), Value::Object(record)) = (&mut line, record) {
        line.extend(record);
    }
    Ok(writeln!(out, "{}", printable_json(&line.to_string()))?)
}
