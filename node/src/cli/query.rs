//! `meridian query`: an answer on stdout or in a file, its receipt on stderr.

use std::io::Write;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use clap::Args;

use super::board::Board;
use super::client::Client;
use super::format::{Sheet, UNKNOWN, Whole};
use super::output::{Output, Target};
use super::profile::Connection;
use super::receipt::{self, Checked};
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

/// An answer that has been written.
pub(crate) struct Answered {
    /// Its receipt, with each record looked at.
    pub(crate) receipt: Checked,
    /// Its rows.
    pub(crate) rows: usize,
    /// From the question to the first row, and to the last.
    pub(crate) took: (Duration, Duration),
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

/// Asks a statement, writes the answer where `output` says, `out` where it says nothing, then says what its receipt proves.
pub(crate) async fn ask(
    client: &mut Client,
    statement: &Statement,
    output: &Output,
    out: &mut dyn Write,
) -> Result<(), Error> {
    if let Some(purpose) = &statement.purpose {
        client.set_purpose(purpose)?;
    }
    let answered = answer(client, &statement.sql, output, out).await?;
    let text = answered.receipt.render(output.receipt);
    if !text.is_empty() {
        say(format_args!("\n{}", text.trim_end()));
    }
    if output.timing {
        say(answered.timing());
    }
    answered.receipt.proven()
}

/// Asks a statement and writes the answer.
pub(crate) async fn answer(
    client: &mut Client,
    sql: &str,
    output: &Output,
    out: &mut dyn Write,
) -> Result<Answered, Error> {
    let mut target = Target::open(output, out)?;
    let began = Instant::now();
    let mut answer = client.query(sql).await?;
    let format = output.format()?;
    let mut sheet = Sheet::new(format, answer.schema())?;
    let (mut has_null, mut rows, mut first) = (false, 0, None);
    let mut board = Board::new(client.follow(&answer));
    while let Some(batch) = board.during(answer.next()).await? {
        if target.is_shown(format) {
            board.end();
        }
        first.get_or_insert_with(|| began.elapsed());
        rows += batch.num_rows();
        has_null |= batch.columns().iter().any(|column| column.null_count() > 0);
        sheet.write(&batch, target.writer())?;
    }
    board.end();
    let took = began.elapsed();
    let whole = answer.receipt()?;
    output.keep_receipt(&whole)?;
    let receipt = receipt::check(&whole, |signed, _| client.verify(signed));
    let withheld = receipt.has_statistics();
    target.finish(sheet, Whole::of(withheld))?;
    if has_null && withheld {
        say(UNKNOWN);
    }
    Ok(Answered { receipt, rows, took: (first.unwrap_or(took), took) })
}

/// Asks a statement and holds its whole answer, every record of whose receipt holds.
pub(crate) async fn whole(client: &mut Client, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>), Error> {
    let mut answer = client.query(sql).await?;
    let schema = answer.schema();
    let mut batches = Vec::new();
    while let Some(batch) = answer.next().await? {
        batches.push(batch);
    }
    receipt::check(&answer.receipt()?, |signed, _| client.verify(signed)).proven()?;
    Ok((schema, batches))
}

impl Answered {
    /// How long it took.
    pub(crate) fn timing(&self) -> String {
        let (first, all) = (self.took.0.as_secs_f64(), self.took.1.as_secs_f64());
        format!("Time: {all:.3} s, the first row after {first:.3} s")
    }
}
