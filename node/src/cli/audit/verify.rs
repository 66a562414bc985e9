//! `meridian audit verify`, `prove` and `check`: the log and its parts, shown to be what was written.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::{Duration, Utc};
use clap::Args;
use meridian_proto::Witnessed;

use super::{Of, Opened, log};
use crate::audit::{Proof, Signed, WitnessVerifier, durable_file, proof, published, record_hash, seal, verify};
use crate::cli::Error;
use crate::cli::format::{printable, printable_json};

/// Options of `meridian audit verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Also that the log continues this earlier checkpoint of it: a signed note, such as a witness or a backup holds
    #[arg(long, value_name = "FILE")]
    against: Vec<PathBuf>,
    #[command(flatten)]
    of: Of,
}

/// Options of `meridian audit prove`.
#[derive(Debug, Args)]
pub(crate) struct Prove {
    /// The record's index, from 0
    index: u64,
    /// Where the proof is written; standard output where it is not given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    of: Of,
}

/// Options of `meridian audit check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The proof, as `meridian audit prove` wrote it
    proof: PathBuf,
    /// The record itself, where the proof does not hold it: an entry of an archived bundle
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// The key of the log, as `meridian audit verify` and receipts print it
    #[arg(long, value_name = "KEY")]
    key: String,
    /// The key of a witness that must have cosigned its checkpoint
    #[arg(long, value_name = "KEY")]
    witness: Vec<String>,
}

/// Options of `meridian audit seal`.
#[derive(Debug, Args)]
pub(crate) struct Seal {
    /// The folder into which the records are copied before they are removed
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    #[command(flatten)]
    of: Of,
}

impl Seal {
    /// Seals only what holds.
    pub(super) fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let opened = self.of.open()?;
        let Some(days) = opened.record_days else {
            return Err(Error::Usage("records are kept for good: node.toml says no [audit] record_days".into()));
        };
        verify(&opened.folder, &opened.log, &opened.key, &[]).map_err(log)?;
        let before = Utc::now() - Duration::days(days.into());
        let before = u64::try_from(before.timestamp_millis()).unwrap_or(0);
        let sealed = seal(&opened.folder, before, self.archive.as_deref()).map_err(log)?;
        match sealed.end.checked_sub(1).filter(|_| !sealed.is_empty()) {
            Some(last) => writeln!(out, "Records {} to {last} are sealed: their hashes stay", sealed.start)?,
            None => writeln!(out, "No bundle of 256 records is older than {days} days; nothing was sealed")?,
        }
        Ok(())
    }
}

impl Verify {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let opened = self.of.open()?;
        let earlier = self.against.iter().map(|file| opened.earlier(file)).collect::<Result<Vec<_>, _>>()?;
        let report = verify(&opened.folder, &opened.log, &opened.key, &earlier).map_err(log)?;
        writeln!(out, "The log of {} holds: {} records, root {}", opened.body, report.records, report.root)?;
        writeln!(out, "  key            {}", opened.log)?;
        if let Some(last) = report.sealed.checked_sub(1) {
            writeln!(out, "  sealed         records 0 to {last}: their hashes are those that were signed")?;
        }
        writeln!(out, "  checkpoint     covers {} of them; the others are in the journal", report.published)?;
        writeln!(out, "  tiles          {} are those of the records", report.tiles)?;
        let (kept, deleted) = (report.private, report.deleted);
        writeln!(
            out,
            "  private parts  {kept} are what their records commit to; {deleted} were deleted, a day at a time"
        )?;
        writeln!(out, "  open           {} releases have no outcome yet", report.open)?;
        for (file, earlier) in self.against.iter().zip(&earlier) {
            writeln!(out, "  continues      the checkpoint of {} records in {}", earlier.size, file.display())?;
        }
        Ok(())
    }
}

impl Opened {
    fn earlier(&self, file: &Path) -> Result<Signed, Error> {
        let note = fs::read(file).map_err(|source| Error::Read { path: file.to_owned(), source })?;
        let why = |error| Error::Usage(format!("{} is no checkpoint of this log: {error}", file.display()));
        Signed::verify(&note, &self.log).map_err(why)
    }

    /// The newest checkpoint that was cosigned, if it covers the record; else the newest that is published.
    fn checkpoint(&self, index: u64) -> Result<Signed, Error> {
        let cosigned = fs::read(self.state.join("witness/cosigned")).ok();
        let cosigned = cosigned.and_then(|bytes| Witnessed::decode(&bytes).ok());
        let cosigned = cosigned.and_then(|kept| Signed::verify(&kept.proof, &self.log).ok());
        match cosigned.filter(|signed| index < signed.size) {
            Some(signed) => Ok(signed),
            None => published(&self.folder, &self.log).map_err(log),
        }
    }
}

impl Prove {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let opened = self.of.open()?;
        let checkpoint = opened.checkpoint(self.index)?;
        if self.index >= checkpoint.size {
            let size = checkpoint.size;
            return Err(Error::Usage(format!("the log has no record {} under its checkpoint of {size}", self.index)));
        }
        let proof = proof(&opened.folder, self.index, &checkpoint).map_err(log)?.encode();
        match self.out {
            Some(path) => durable_file(&path, &proof).map_err(|source| Error::Write { path, source }),
            None => Ok(out.write_all(&proof)?),
        }
    }
}

impl Check {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let bytes = fs::read(&self.proof).map_err(|source| Error::Read { path: self.proof.clone(), source })?;
        let wrong = |why: String| Error::Config(format!("{} proves nothing: {why}", self.proof.display()));
        let proof = Proof::decode(&bytes).map_err(|error| wrong(error.to_string()))?;
        let beside = self
            .record
            .as_ref()
            .map(|path| fs::read(path).map_err(|source| Error::Read { path: path.clone(), source }));
        let record = beside.transpose()?.or_else(|| proof.extra.clone());
        let record = record.ok_or_else(|| wrong("it does not hold the record: give it with --record".into()))?;
        let signed = proof.check(&self.key, record_hash(&record)).map_err(|error| wrong(error.to_string()))?;
        let witnesses = self.witness.iter().map(|key| WitnessVerifier::new(key));
        let witnesses = witnesses.collect::<Result<Vec<_>, _>>().map_err(|error| Error::Usage(error.to_string()))?;
        let cosigned = signed.cosigned_by(&witnesses);
        if let Some(missing) = witnesses.iter().find(|witness| !cosigned.iter().any(|name| name == witness.name())) {
            return Err(wrong(format!("{} has not cosigned its checkpoint", missing.name())));
        }
        let name = self.key.split('+').next().unwrap_or_default();
        writeln!(
            out,
            "Record {} is in the log {}, under its checkpoint of {} records",
            proof.index,
            printable(name),
            signed.size
        )?;
        for name in cosigned {
            writeln!(out, "  cosigned by {}", printable(&name))?;
        }
        Ok(writeln!(out, "{}", printable_json(&String::from_utf8_lossy(&record)))?)
    }
}
