//! `meridian query`: an answer on stdout, its receipt on stderr.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use clap::Args;

use super::client::Client;
use super::format::{Format, Sheet};
use super::profile::Connection;
use super::receipt::{self, Detail};
use super::statement::{Source, Statement};
use super::{Error, say};

/// Options of `meridian query`.
#[derive(Debug, Args)]
pub(crate) struct Query {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    connection: Connection,
    /// Answer without bodies of every.* that can't be reached, refuse or are too slow, and name them
    #[arg(long)]
    partial: bool,
    #[command(flatten)]
    output: Output,
}

/// How an answer and its receipt are written.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Output {
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// How much of the receipt is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) receipt: Detail,
    /// Keep the receipt in this file, for `meridian receipt`
    #[arg(long, value_name = "FILE")]
    pub(crate) receipt_file: Option<PathBuf>,
}

impl Query {
    /// Asks and prints.
    pub(crate) async fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        self.output.check()?;
        let profile = self.connection.resolve()?;
        let statement = self.source.read()?;
        let mut client = Client::new(&profile)?;
        if self.partial {
            client.take_partial();
        }
        ask(&mut client, &statement, &self.output, out).await
    }
}

impl Output {
    /// Refuses to spill bytes onto a terminal.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.format == Format::Arrow && io::stdout().is_terminal() {
            return Err(Error::Usage("arrow is a binary format: redirect the output into a file or a program".into()));
        }
        Ok(())
    }
}

/// Asks a statement, writes the answer to `out`, then says what its receipt proves.
pub(crate) async fn ask(
    client: &mut Client,
    statement: &Statement,
    output: &Output,
    out: &mut dyn Write,
) -> Result<(), Error> {
    if let Some(purpose) = &statement.purpose {
        client.set_purpose(purpose)?;
    }
    let mut answer = client.query(&statement.sql).await?;
    let mut sheet = Sheet::new(output.format, answer.schema())?;
    let mut has_null = false;
    while let Some(batch) = answer.next().await? {
        has_null |= batch.columns().iter().any(|column| column.null_count() > 0);
        sheet.write(&batch, out)?;
    }
    let whole = answer.receipt()?;
    if let Some(file) = &output.receipt_file {
        let written = fs::write(file, whole.encode());
        written.map_err(|source| Error::Write { path: file.clone(), source })?;
    }
    let receipt = receipt::check(&whole, |signed, _| client.verify(signed));
    let null = if receipt.has_statistics() { "(withheld)" } else { "NULL" };
    sheet.finish(null, out)?;
    if has_null && receipt.has_statistics() {
        say("A cell without a value is unknown, never 0: withheld under a threshold, or not there.");
    }
    let text = receipt.render(output.receipt);
    if !text.is_empty() {
        say(format_args!("\n{}", text.trim_end()));
    }
    match receipt.broken().len() {
        0 => Ok(()),
        broken => Err(Error::Receipt(broken)),
    }
}
