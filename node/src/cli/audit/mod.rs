//! `meridian audit`: a body reads, searches, exports and verifies its own log, and proves what stands in it.

mod export;
mod search;
mod show;
mod verify;

use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::DateTime;
use clap::{Args, Subcommand};

use super::Error;
use crate::audit::{Entry, LogError, LogKey, Recorded, origin, records};
use crate::config::Config;
use crate::secrets::{Purpose, Secret};

/// What is done with the log.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Show a record with its private part, where that still exists, and whether it is what the record commits to
    Show(Show),
    /// List who asked for counts that are near each other, and the alerts about it
    Alerts(Alerts),
    /// List what was released, refused and checked: for whom, for what, and how it ended
    Search(search::Search),
    /// Verify the whole log offline: records, tiles, checkpoints and private parts
    Verify(verify::Verify),
    /// Write the proof that a record is in the log, which anybody can check
    Prove(verify::Prove),
    /// Check such a proof, without the log
    Check(verify::Check),
    /// Archive and remove the records whose days are over ([audit] record_days), and keep their hashes
    Seal(verify::Seal),
    /// Write the records as JSON, one on a line, for an archive
    Export(export::Export),
}

/// Options of `meridian audit show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The record's index, from 0, as receipts name it
    index: u64,
    #[command(flatten)]
    of: Of,
}

/// Options of `meridian audit alerts`.
#[derive(Debug, Args)]
pub(crate) struct Alerts {
    #[command(flatten)]
    of: Of,
}

/// Whose log.
#[derive(Debug, Args)]
struct Of {
    /// The node's configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// A log, with the keys that belong to it.
struct Opened {
    state: PathBuf,
    folder: PathBuf,
    body: String,
    /// Under which private parts are sealed.
    key: [u8; 32],
    days: u32,
    /// The days after which records may be sealed.
    record_days: Option<u32>,
    /// Verifies its checkpoints.
    log: String,
}

impl Audit {
    /// Reads and prints.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        match self {
            Self::Show(show) => Ok(out.write_all(show.of.open()?.show(show.index)?.as_bytes())?),
            Self::Alerts(alerts) => Ok(out.write_all(alerts.of.open()?.alerts()?.as_bytes())?),
            Self::Search(search) => search.run(out),
            Self::Verify(verify) => verify.run(out),
            Self::Prove(prove) => prove.run(out),
            Self::Check(check) => check.run(out),
            Self::Seal(seal) => seal.run(out),
            Self::Export(export) => export.run(out),
        }
    }
}

impl Of {
    fn open(&self) -> Result<Opened, Error> {
        let config = Config::load(&self.config).map_err(|errors| Error::Config(errors.to_string()))?;
        let node = &config.node;
        let state: &Path = &node.state;
        let secret = Secret::read(state).map_err(|error| Error::Config(error.to_string()))?;
        let name = origin(node.federation.as_str(), node.body.as_str());
        Ok(Opened {
            state: state.to_owned(),
            folder: state.join("audit"),
            body: node.body.to_string(),
            key: secret.key(Purpose::Audit),
            days: node.audit.private_days,
            record_days: node.audit.record_days,
            log: LogKey::new(&name, &secret.key(Purpose::Log)).verifier(),
        })
    }
}

impl Opened {
    fn records(&self) -> Result<Vec<Recorded>, Error> {
        records(&self.folder).map_err(log)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err asks for")]
fn log(error: LogError) -> Error {
    Error::Config(error.to_string())
}

fn caller(entry: &Entry) -> String {
    match entry.on_behalf_of.as_str() {
        "" => entry.caller.clone(),
        analyst => format!("{} for {analyst}", entry.caller),
    }
}

fn time(time_ms: u64) -> String {
    let time = i64::try_from(time_ms).ok().and_then(DateTime::from_timestamp_millis);
    time.map_or_else(|| "an unknown time".into(), |time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}
