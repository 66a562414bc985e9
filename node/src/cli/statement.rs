//! The statement to send: where its text comes from, and `SET purpose = '…';` before it.

use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;

use clap::Args;

use super::Error;
use crate::query;

/// Where the SQL comes from: the argument, a file, or standard input.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The SQL; without it and without --file it is read from standard input
    #[arg(value_name = "SQL", conflicts_with = "file", allow_hyphen_values = true)]
    sql: Option<String>,
    /// Read the SQL from this file; - is standard input
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// A statement and the purpose that was set in front of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    /// The SQL; what was taken out of it is blank, so that lines and columns still point into the analyst's own text.
    pub(crate) sql: String,
    /// The purpose of `SET purpose = '…';`.
    pub(crate) purpose: Option<String>,
}

impl Source {
    /// Reads the statement.
    pub(crate) fn read(self) -> Result<Statement, Error> {
        let text = match (self.sql, self.file) {
            (Some(sql), _) if sql != "-" => sql,
            (None, Some(path)) if path.as_os_str() != "-" => {
                fs::read_to_string(&path).map_err(|source| Error::Read { path, source })?
            }
            _ => from_stdin()?,
        };
        Statement::parse(&text)
    }
}

fn from_stdin() -> Result<String, Error> {
    let mut stdin = io::stdin().lock();
    if stdin.is_terminal() {
        return Err(Error::Usage(
            "no SQL was given: write it as an argument, name a file with --file, or pipe it in".into(),
        ));
    }
    let mut text = String::new();
    stdin.read_to_string(&mut text).map_err(|source| Error::Read { path: "standard input".into(), source })?;
    Ok(text)
}

impl Statement {
    /// Takes the purpose out of the text, if the first statement sets it.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let (sql, purpose) = query::without_purpose(text).map_err(|malformed| Error::Usage(malformed.to_string()))?;
        if query::is_blank(&sql) {
            return Err(Error::Usage("the SQL is empty: write one query".into()));
        }
        Ok(Self { sql, purpose })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    #[test]
    fn a_purpose_in_front_is_taken_out_and_places_stay() {
        let text = "-- why\nset PURPOSE = 'fire''s risk' ;\nSELECT 1";
        let statement = Statement::parse(text).unwrap();
        assert_eq!(statement.purpose.as_deref(), Some("fire's risk"));
        assert_eq!(statement.sql.lines().count(), 3);
        assert_eq!(statement.sql.lines().nth(2), Some("SELECT 1"));
        assert!(statement.sql.trim_start().starts_with("SELECT 1"));
        let same_line = Statement::parse("SET purpose TO 'é'; SELECT 1").unwrap();
        assert_eq!(same_line.sql.chars().count(), "SET purpose TO 'é'; SELECT 1".chars().count());
    }

    #[test]
    fn other_statements_stay_as_they_are() {
        for text in
            ["SELECT 'SET purpose = 1;'", "SET time_zone = 'UTC'; SELECT 1", "/* a */ SELECT 1", "settle purpose"]
        {
            assert_eq!(Statement::parse(text).unwrap(), Statement { sql: text.into(), purpose: None });
        }
    }

    #[test]
    fn what_cannot_be_meant_is_said() {
        for text in
            ["", " -- only a comment", "SET purpose = 'x';", "SET purpose = x; SELECT 1", "SET purpose = 'x' SELECT 1"]
        {
            assert!(matches!(Statement::parse(text), Err(Error::Usage(_))), "{text}");
        }
    }
}
