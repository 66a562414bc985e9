//! The statement to send: where its text comes from, and `SET purpose = '…';` before it.

use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;

use clap::Args;

use super::Error;

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
        let (sql, purpose) = match set_purpose(text)? {
            Some((end, purpose)) => {
                let (set, rest) = text.split_at_checked(end).unwrap_or((text, ""));
                let blank = set.chars().map(|c| if matches!(c, '\n' | '\r') { c } else { ' ' });
                (blank.chain(rest.chars()).collect(), Some(purpose))
            }
            None => (text.to_owned(), None),
        };
        if after_blank(&sql).is_empty() {
            return Err(Error::Usage("the SQL is empty: write one query".into()));
        }
        Ok(Self { sql, purpose })
    }
}

/// The purpose, and the byte behind its statement. None: the text sets no purpose.
fn set_purpose(text: &str) -> Result<Option<(usize, String)>, Error> {
    let head = word(after_blank(text), "set").and_then(|rest| word(after_blank(rest), "purpose"));
    let Some(rest) = head.map(after_blank) else { return Ok(None) };
    let Some(rest) = rest.strip_prefix('=').or_else(|| word(rest, "to")) else { return Err(malformed()) };
    let quoted = after_blank(rest).strip_prefix('\'').ok_or_else(malformed)?;
    let (purpose, rest) = literal(quoted).ok_or_else(malformed)?;
    let rest = after_blank(rest);
    match rest.strip_prefix(';') {
        Some(rest) => Ok(Some((text.len() - rest.len(), purpose))),
        None if rest.is_empty() => Ok(Some((text.len(), purpose))),
        None => Err(malformed()),
    }
}

fn malformed() -> Error {
    Error::Usage(
        "the purpose is not set as it should be: write SET purpose = 'fire-risk'; and the query after it".into(),
    )
}

/// A string literal's value, and what comes behind its closing quote.
fn literal(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let (part, behind) = rest.split_once('\'')?;
        value.push_str(part);
        match behind.strip_prefix('\'') {
            Some(behind) => {
                value.push('\'');
                rest = behind;
            }
            None => return Some((value, behind)),
        }
    }
}

/// What comes behind a keyword, if the text begins with it.
fn word<'a>(text: &'a str, keyword: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(keyword.len())?;
    let ends = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    (head.eq_ignore_ascii_case(keyword) && ends).then_some(rest)
}

/// The text without leading white space and comments.
fn after_blank(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        let behind = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, behind)| behind)
        } else if let Some((_, behind)) = rest.strip_prefix("/*").and_then(|comment| comment.split_once("*/")) {
            behind
        } else {
            return rest;
        };
        rest = behind.trim_start();
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
