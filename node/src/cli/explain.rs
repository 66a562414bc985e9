//! `meridian explain`: what a query would ask of which body, without asking it.

use std::io::Write;

use arrow::array::Array;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use clap::{Args, ValueEnum};

use super::Error;
use super::client::Client;
use super::format::{FormatError, printable_lines};
use super::profile::Connection;
use super::statement::Source;

/// Options of `meridian explain`.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    connection: Connection,
    /// How the explanation is written
    #[arg(long, value_enum, default_value_t)]
    format: Written,
}

/// How an explanation is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Written {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

impl Explain {
    /// Asks for the plan and prints its lines.
    pub(crate) async fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let (mut client, statement) = Client::with(self.connection, self.source)?;
        explain(&mut client, &statement.sql, self.format, out).await
    }
}

/// Asks for the explanation of a query and writes its lines.
pub(crate) async fn explain(client: &mut Client, sql: &str, format: Written, out: &mut dyn Write) -> Result<(), Error> {
    let mut answer = client.query(&explained(sql, format)).await?;
    while let Some(batch) = answer.next().await? {
        let Some(plan) = batch.column_by_name("plan").or_else(|| batch.columns().last()) else { continue };
        write_lines(plan.as_ref(), out)?;
    }
    out.flush()?;
    Ok(())
}

/// Whether a statement asks for an explanation by itself.
pub(crate) fn is_explain(sql: &str) -> bool {
    sql.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("explain"))
}

/// The query behind EXPLAIN, unless it is there already. Where the text begins with white space, the words take its
/// place, so that an error's line and column still point into the analyst's own text.
fn explained(sql: &str, written: Written) -> String {
    let words = match written {
        Written::Text => "EXPLAIN ",
        Written::Json => "EXPLAIN (FORMAT JSON) ",
    };
    let query = sql.trim_start();
    if is_explain(query) {
        return sql.to_owned();
    }
    let indent = sql.strip_suffix(query).unwrap_or_default();
    let room = indent.chars().rev().take_while(|&c| c == ' ').count();
    match indent.len().checked_sub(words.len()).filter(|_| room >= words.len()) {
        Some(cut) => format!("{}{words}{query}", indent.get(..cut).unwrap_or_default()),
        None => format!("{indent}{words}{query}"),
    }
}

fn write_lines(plan: &dyn Array, out: &mut dyn Write) -> Result<(), Error> {
    let options = FormatOptions::default();
    let encode = |source| FormatError::Encode { format: "text", source };
    let formatter = ArrayFormatter::try_new(plan, &options).map_err(encode)?;
    for row in 0..plan.len() {
        let text = formatter.value(row).try_to_string().map_err(encode)?;
        writeln!(out, "{}", printable_lines(text.trim_end()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::{Written, explained};

    #[test]
    fn explain_is_said_once_and_moves_nothing_where_there_is_room() {
        assert_eq!(explained("SELECT 1", Written::Text), "EXPLAIN SELECT 1");
        assert_eq!(explained("SELECT 1", Written::Json), "EXPLAIN (FORMAT JSON) SELECT 1");
        assert_eq!(explained(" explain SELECT 1", Written::Text), " explain SELECT 1");
        assert_eq!(explained("\n            SELECT 1", Written::Text), "\n    EXPLAIN SELECT 1");
        assert_eq!(explained("\n  SELECT 1", Written::Text), "\n  EXPLAIN SELECT 1");
    }
}
