//! What may come next: keywords, functions, bodies, datasets, columns, commands, by what stands before the cursor.

use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use clap::ValueEnum;
use reedline::{Completer, Span, Suggestion};

use super::super::catalogue::Listing;
use super::super::format::Format;
use super::command::COMMANDS;
use super::lex::{Kind, Token, is_of_word, tokens};
use super::names::Names;
use crate::gate;

/// Words of the SQL that a node answers.
pub(super) const KEYWORDS: [&str; 71] = [
    "ALL",
    "AND",
    "ANALYZE",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "CROSS",
    "CUBE",
    "CURRENT",
    "DATE",
    "DESC",
    "DISTINCT",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "EXTRACT",
    "FALSE",
    "FILTER",
    "FIRST",
    "FOLLOWING",
    "FROM",
    "FULL",
    "GROUP",
    "GROUPING",
    "HAVING",
    "ILIKE",
    "IN",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "IS",
    "JOIN",
    "LAST",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "PRECEDING",
    "PURPOSE",
    "RIGHT",
    "ROLLUP",
    "ROW",
    "ROWS",
    "SELECT",
    "SET",
    "SETS",
    "SIMILAR",
    "THEN",
    "TIMESTAMP",
    "TRUE",
    "UNBOUNDED",
    "UNION",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WITH",
];

/// The names as the shell last learned them.
pub(super) type Shared = Arc<RwLock<Names>>;

/// Completes what is before the cursor.
pub(super) struct Completion {
    names: Shared,
    functions: Vec<&'static str>,
}

impl Completion {
    /// Over these names.
    pub(super) fn new(names: Shared) -> Self {
        Self { names, functions: gate::answered_functions() }
    }

    /// What may stand in place of a part of the text, which ends at the cursor.
    fn candidates(&self, text: &str, cursor: usize) -> (Range<usize>, Vec<String>) {
        let before = text.get(..cursor).unwrap_or(text);
        if let Some(command) = before.trim_start().strip_prefix('\\') {
            return self.of_command(before, command);
        }
        let begin =
            before.rfind(|c: char| !is_of_word(c) && !matches!(c, '.' | '"')).map_or(0, |at| at + width(before, at));
        let word = before.get(begin..).unwrap_or_default();
        let in_text = tokens(before).last().is_some_and(|token| match token.kind {
            Kind::Text => !token.is_closed,
            Kind::Comment => !token.is_closed || !before.ends_with('\n'),
            _ => false,
        });
        if in_text {
            return (cursor..cursor, Vec::new());
        }
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        match word.rsplit_once('.') {
            Some((head, tail)) => {
                let begin = before.len() - tail.len();
                (begin..cursor, matching(behind_dot(&names, head, text), tail))
            }
            None => (begin..cursor, self.of_word(&names, text, before, word)),
        }
    }

    fn of_command(&self, before: &str, command: &str) -> (Range<usize>, Vec<String>) {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let at = |word: &str| before.len() - word.len()..before.len();
        match command.split_once(char::is_whitespace) {
            None => {
                let all = COMMANDS.iter().map(|(name, _, _)| (*name).to_owned()).collect();
                (at(command), matching(all, command))
            }
            Some(("d", word)) => {
                let word = word.trim_start();
                let all = names.bodies().into_iter().chain(names.datasets.iter().map(|listing| names.short(listing)));
                (at(word), matching(all.collect(), word))
            }
            Some(("format", word)) => {
                let formats = Format::value_variants().iter().filter_map(ValueEnum::to_possible_value);
                let formats = formats.map(|format| format.get_name().to_owned()).collect();
                (at(word.trim_start()), matching(formats, word.trim_start()))
            }
            Some(("timing" | "pager", word)) => {
                (at(word.trim_start()), matching(vec!["on".into(), "off".into()], word.trim_start()))
            }
            Some(_) => (before.len()..before.len(), Vec::new()),
        }
    }

    /// Columns of the datasets that the statement names come first, then names, functions and keywords.
    fn of_word(&self, names: &Names, text: &str, before: &str, word: &str) -> Vec<String> {
        let said: Vec<Token> = tokens(before.get(..before.len() - word.len()).unwrap_or_default())
            .into_iter()
            .filter(Token::is_said)
            .collect();
        let last = said.last().and_then(|token| before.get(token.at.clone())).unwrap_or_default().to_uppercase();
        let datasets = || names.datasets.iter().map(|listing| names.short(listing));
        let mut all: Vec<String> = Vec::new();
        if matches!(last.as_str(), "FROM" | "JOIN") {
            all.extend(names.bodies());
            all.extend(datasets());
            return matching(all, word);
        }
        if word.is_empty() {
            return Vec::new();
        }
        for (listing, alias) in named(names, text) {
            all.extend(listing.columns().map(quoted));
            all.extend(alias);
        }
        all.extend(names.bodies());
        all.extend(datasets());
        all.extend(self.functions.iter().map(|&name| name.to_owned()));
        let lower = word.chars().all(|c| !c.is_uppercase());
        all.extend(KEYWORDS.map(|keyword| if lower { keyword.to_lowercase() } else { keyword.to_owned() }));
        matching(all, word)
    }
}

impl Completer for Completion {
    fn complete(&mut self, line: &str, pos: usize) -> Vec<Suggestion> {
        let (at, candidates) = self.candidates(line, pos);
        let span = Span { start: at.start, end: at.end };
        let suggestion = |value| Suggestion { value, span, ..Suggestion::default() };
        candidates.into_iter().map(suggestion).collect()
    }
}

fn width(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8)
}

/// What begins with a word, each once, in order.
fn matching(all: Vec<String>, word: &str) -> Vec<String> {
    let word = word.to_lowercase();
    let mut found: Vec<String> = Vec::new();
    for candidate in all {
        if candidate.to_lowercase().starts_with(&word) && !found.contains(&candidate) {
            found.push(candidate);
        }
    }
    found
}

/// A name as it is written in SQL.
fn quoted(name: &str) -> String {
    let plain = !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// The datasets of a body, or the columns of a dataset or of what is called so in the statement.
fn behind_dot(names: &Names, head: &str, text: &str) -> Vec<String> {
    let head = head.replace('"', "").to_lowercase();
    let of_body =
        |listing: &&Listing| names.body_of(listing) == head || format!("{}.{}", listing.catalog, listing.body) == head;
    let mut all: Vec<String> = names.datasets.iter().filter(of_body).map(|listing| listing.table.clone()).collect();
    // Another federation's bodies.
    let bodies = names.bodies();
    all.extend(bodies.iter().filter_map(|body| body.strip_prefix(&format!("{head}."))).map(str::to_owned));
    for (listing, alias) in named(names, text) {
        if alias.as_deref() == Some(&head) || (alias.is_none() && listing.table == head) {
            all.extend(listing.columns().map(quoted));
        }
    }
    let exact = names.datasets.iter().filter(|listing| names.short(listing) == head || listing.name() == head);
    all.extend(exact.flat_map(Listing::columns).map(quoted));
    all
}

/// The datasets that a text names behind FROM and JOIN, and what it calls them.
fn named<'a>(names: &'a Names, text: &str) -> Vec<(&'a Listing, Option<String>)> {
    let said: Vec<&str> =
        tokens(text).into_iter().filter(Token::is_said).filter_map(|token| text.get(token.at)).collect();
    let mut found = Vec::new();
    for (index, word) in said.iter().enumerate() {
        if !["FROM", "JOIN"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword)) {
            continue;
        }
        let mut behind = said.iter().skip(index + 1).copied().peekable();
        let mut name = behind.next().unwrap_or_default().to_owned();
        while behind.peek() == Some(&".") {
            behind.next();
            name = format!("{name}.{}", behind.next().unwrap_or_default());
        }
        let name = name.replace('"', "").to_lowercase();
        if behind.peek().is_some_and(|word| word.eq_ignore_ascii_case("AS")) {
            behind.next();
        }
        let alias = behind.next().filter(|word| {
            word.chars().all(is_of_word) && !KEYWORDS.iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
        });
        let of_name = names.datasets.iter().filter(|listing| names.short(listing) == name || listing.name() == name);
        found.extend(of_name.map(|listing| (listing, alias.map(str::to_lowercase))));
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    fn completion() -> Completion {
        let listing = |body: &str, table: &str, columns: &[&str]| {
            let fields = columns.iter().map(|name| Field::new(*name, DataType::Utf8, true));
            let schema = Schema::new(fields.collect::<Vec<_>>());
            Listing { catalog: "london".into(), body: body.into(), table: table.into(), schema }
        };
        let datasets = vec![
            listing("lfb", "incidents", &["borough_gss", "year", "Property Type"]),
            listing("gla", "boroughs", &["gss", "name"]),
            listing("every", "dwellings", &["households", "_body"]),
        ];
        Completion::new(Arc::new(RwLock::new(Names::for_test("london", datasets))))
    }

    fn at_end(text: &str) -> Vec<String> {
        let mut completion = completion();
        completion.complete(text, text.len()).into_iter().map(|found| found.value).collect()
    }

    #[test]
    fn bodies_datasets_and_columns_come_where_they_can_be_meant() {
        assert_eq!(at_end("SELECT * FROM l"), ["lfb", "lfb.incidents"]);
        assert_eq!(at_end("SELECT * FROM lfb."), ["incidents"]);
        assert_eq!(at_end("SELECT * FROM london.gla.b"), ["boroughs"]);
        assert_eq!(at_end("SELECT * FROM every."), ["dwellings"]);
        assert_eq!(at_end("SELECT 1 FROM lfb.incidents i WHERE i."), ["borough_gss", "year", "\"Property Type\""]);
        assert_eq!(at_end("SELECT 1 FROM lfb.incidents GROUP BY borough"), ["borough_gss"]);
        assert_eq!(at_end("SELECT 1 FROM lfb.incidents AS x JOIN gla.boroughs b ON b.g"), ["gss"]);
    }

    #[test]
    fn what_stands_behind_the_cursor_counts() {
        let text = "SELECT bor FROM lfb.incidents";
        let (at, found) = completion().candidates(text, "SELECT bor".len());
        assert_eq!((at, found), (7..10, vec!["borough_gss".to_owned()]));
    }

    #[test]
    fn keywords_keep_the_case_and_nothing_is_said_in_texts() {
        assert_eq!(at_end("sele"), ["select"]);
        assert_eq!(at_end("SELE"), ["SELECT"]);
        assert!(at_end("SELECT cou").contains(&"count".to_owned()));
        assert!(!at_end("SELECT vers").contains(&"version".to_owned()));
        assert!(at_end("SELECT 'sel").is_empty() && at_end("-- sel").is_empty());
    }

    #[test]
    fn commands_and_what_they_take() {
        assert_eq!(at_end("\\bo"), ["bodies"]);
        assert_eq!(at_end("\\d lf"), ["lfb", "lfb.incidents"]);
        assert_eq!(at_end("\\format geo"), ["geojson"]);
    }
}
