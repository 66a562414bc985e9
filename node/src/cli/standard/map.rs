//! `meridian standard map`: a first dataset's file for a file of records, and how sure each of its columns is.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::super::format::printable;
use super::super::{Error, say};
use super::Known;
use crate::standards::{self, Found, Proposal, Sheet};

/// Options of `meridian standard map`.
#[derive(Debug, Args)]
pub(crate) struct Map {
    /// The file, or a folder of such: CSV, packed or not, a workbook, or JSON lines
    file: PathBuf,
    /// The standard that it is to conform to
    #[arg(long, value_name = "STANDARD")]
    to: String,
    /// What stands between fields, a character or the word tab; what makes the most columns otherwise
    #[arg(long, value_parser = delimiter)]
    delimiter: Option<u8>,
    /// The sheet of a workbook that has several
    #[arg(long)]
    sheet: Option<String>,
    #[command(flatten)]
    known: Known,
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n') => Ok(*byte),
        _ => Err("write one ASCII character that is no quote and no line break, or tab".into()),
    }
}

impl Map {
    /// Writes the file to standard output, and what it rests on to standard error.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let standard = self.known.named(&self.to)?;
        let sheet = Sheet::open(&self.file, self.delimiter, self.sheet.as_deref())
            .map_err(|error| Error::Usage(error.to_string()))?;
        let proposal = standards::propose(&sheet, &standard);
        write!(out, "{}", standards::draft(&sheet, &standard, &proposal))?;
        out.flush()?;
        say(format_args!("{} rows of {} looked at", sheet.rows(), self.file.display()));
        for found in &proposal.found {
            say(printable(&line(found)));
        }
        if !proposal.unused.is_empty() {
            say(printable(&format!("not used: {}", proposal.unused.join(", "))));
        }
        lacks(&proposal, &self.to)
    }
}

fn line(found: &Found) -> String {
    let Found { column, required, from, reason } = found;
    let name = column.as_str();
    match from {
        Some(from) => format!("{name:<18} {:<9} from \"{}\": {reason}", from.confidence, from.name),
        None if *required => format!("{name:<18} {:<9} required, and {reason}", "NOT FOUND"),
        None => format!("{name:<18} {:<9} NULL: {reason}", "not found"),
    }
}

fn lacks(proposal: &Proposal, standard: &str) -> Result<(), Error> {
    let lacks: Vec<&str> = proposal.lacks().into_iter().map(meridian_proto::Name::as_str).collect();
    if lacks.is_empty() {
        return Ok(());
    }
    Err(Error::Unmapped(format!(
        "{standard} requires {}, and no column of the file is like it: write it into the mapping by hand, or choose another \
         standard",
        lacks.join(" and ")
    )))
}
