//! The words of SQL as an editor sees them, also where a text is not finished; and where one statement ends and the next begins.

use std::ops::Range;

/// What a piece of a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or a name.
    Word,
    /// A name in double quotes.
    Quoted,
    /// A text in single quotes.
    Text,
    Number,
    Comment,
    Blank,
    /// The end of a statement.
    Semicolon,
    /// An operator, a bracket, a comma, a dot.
    Symbol,
}

/// A piece of a text; all of them together are the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Bytes of the text.
    pub(super) at: Range<usize>,
    /// Whether its closing quote or the end of its comment is there.
    pub(super) is_closed: bool,
}

impl Token {
    /// Whether it says something.
    pub(super) fn is_said(&self) -> bool {
        !matches!(self.kind, Kind::Blank | Kind::Comment)
    }
}

/// The pieces of a text.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut begin = 0;
    while let Some(rest) = text.get(begin..).filter(|rest| !rest.is_empty()) {
        let (kind, length, is_closed) = first(rest);
        found.push(Token { kind, at: begin..begin + length, is_closed });
        begin += length;
    }
    found
}

/// The first piece of a text that is not empty: its kind, its bytes, and whether it is closed.
fn first(text: &str) -> (Kind, usize, bool) {
    let Some(c) = text.chars().next() else { return (Kind::Blank, 0, true) };
    let while_ = |is: fn(char) -> bool| text.find(|c| !is(c)).unwrap_or(text.len());
    if let Some(rest) = text.strip_prefix("--") {
        // Without its line break a comment still goes on, but what is before it is finished.
        return (Kind::Comment, 2 + rest.find('\n').unwrap_or(rest.len()), true);
    }
    if let Some(rest) = text.strip_prefix("/*") {
        let end = rest.find("*/");
        return (Kind::Comment, end.map_or(text.len(), |end| end + 4), end.is_some());
    }
    match c {
        '\'' => quoted(Kind::Text, text, c),
        '"' => quoted(Kind::Quoted, text, c),
        ';' => (Kind::Semicolon, 1, true),
        c if c.is_whitespace() => (Kind::Blank, while_(char::is_whitespace), true),
        c if c.is_ascii_digit() => (Kind::Number, while_(|c| c.is_alphanumeric() || matches!(c, '.' | '_')), true),
        c if is_of_word(c) => (Kind::Word, while_(is_of_word), true),
        c => (Kind::Symbol, c.len_utf8(), true),
    }
}

/// Whether a character may stand in a name that is not quoted.
pub(super) fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

/// What a quote begins: two of them within it are one.
fn quoted(kind: Kind, text: &str, quote: char) -> (Kind, usize, bool) {
    let mut rest = text.get(1..).unwrap_or_default();
    while let Some(end) = rest.find(quote) {
        let behind = rest.get(end + 1..).unwrap_or_default();
        match behind.strip_prefix(quote) {
            Some(behind) => rest = behind,
            None => return (kind, text.len() - behind.len(), true),
        }
    }
    (kind, text.len(), false)
}

/// A part of a script: a statement without its semicolon, or the line of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// SQL, and whether its semicolon is there.
    Statement {
        sql: String,
        /// On which line of the text it begins, from 1.
        line: usize,
        is_ended: bool,
    },
    /// A command without its backslash.
    Command { text: String, line: usize },
}

/// The statements and commands of a text, in order.
pub(super) fn entries(text: &str) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut begin = 0;
    while let Some(rest) = text.get(begin..).filter(|rest| !rest.is_empty()) {
        let tokens = tokens(rest);
        let line_at = |at: usize| 1 + text.get(..begin + at).unwrap_or_default().matches('\n').count();
        // A comment may stand before a command, and is a part of a statement.
        let said = tokens.iter().find(|token| token.is_said()).map_or(rest.len(), |token| token.at.start);
        if let Some(command) = rest.get(said..).and_then(|rest| rest.strip_prefix('\\')) {
            let (line, end) = (line_at(said), command.find('\n').unwrap_or(command.len()));
            found.push(Entry::Command { text: command.get(..end).unwrap_or_default().trim().to_owned(), line });
            begin += said + 1 + end;
            continue;
        }
        let line = line_at(rest.len() - rest.trim_start().len());
        let end = tokens.iter().find(|token| token.kind == Kind::Semicolon);
        let sql = rest.get(..end.map_or(rest.len(), |end| end.at.start)).unwrap_or_default();
        let says = tokens.iter().take_while(|token| token.kind != Kind::Semicolon).any(Token::is_said);
        if says {
            found.push(Entry::Statement { sql: sql.trim().to_owned(), line, is_ended: end.is_some() });
        }
        begin += end.map_or(rest.len(), |end| end.at.end);
    }
    found
}

/// Whether a text can be run as it is: a command, or statements of which the last one has its semicolon.
pub(super) fn is_complete(text: &str) -> bool {
    match entries(text).last() {
        Some(Entry::Statement { is_ended, .. }) => *is_ended,
        Some(Entry::Command { .. }) => true,
        // White space alone, but a comment that goes on does.
        None => tokens(text).iter().all(|token| token.is_closed),
    }
}

/// What a statement that has not ended lacks, where that is a quote.
pub(super) fn open_quote(sql: &str) -> Option<&'static str> {
    match tokens(sql).last() {
        Some(Token { kind: Kind::Text, is_closed: false, .. }) => Some("the quote ' of a text is not closed"),
        Some(Token { kind: Kind::Quoted, is_closed: false, .. }) => Some("the quote \" of a name is not closed"),
        Some(Token { kind: Kind::Comment, is_closed: false, .. }) => Some("a comment /* is not closed"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    fn said(text: &str) -> Vec<(Kind, &str)> {
        let all = tokens(text);
        assert_eq!(all.iter().map(|token| &text[token.at.clone()]).collect::<String>(), text);
        all.iter().filter(|token| token.is_said()).map(|token| (token.kind, &text[token.at.clone()])).collect()
    }

    #[test]
    fn words_texts_and_comments_are_told_apart() {
        let found = said("SELECT \"a\"\"b\", 'it''s; ' -- c;\n/* ; */ FROM x1 WHERE é >= 1.5e3;");
        let kinds = [
            (Kind::Word, "SELECT"),
            (Kind::Quoted, "\"a\"\"b\""),
            (Kind::Symbol, ","),
            (Kind::Text, "'it''s; '"),
            (Kind::Word, "FROM"),
            (Kind::Word, "x1"),
            (Kind::Word, "WHERE"),
            (Kind::Word, "é"),
            (Kind::Symbol, ">"),
            (Kind::Symbol, "="),
            (Kind::Number, "1.5e3"),
            (Kind::Semicolon, ";"),
        ];
        assert_eq!(found, kinds);
    }

    #[test]
    fn a_text_is_cut_into_statements_and_commands() {
        let text = "-- first\nSELECT 1;-- then\n\\d lfb.incidents\n;; SELECT\n  ';'; SELECT 3";
        let statement = |sql: &str, line, is_ended| Entry::Statement { sql: sql.into(), line, is_ended };
        let expected = [
            statement("-- first\nSELECT 1", 1, true),
            Entry::Command { text: "d lfb.incidents".into(), line: 3 },
            statement("SELECT\n  ';'", 4, true),
            statement("SELECT 3", 5, false),
        ];
        assert_eq!(entries(text), expected);
    }

    #[test]
    fn an_entry_goes_on_until_its_semicolon() {
        for complete in ["", " \n", "\\d", "SELECT 1;", "SELECT 1; -- done", "SELECT ';';", "-- nothing"] {
            assert!(is_complete(complete), "{complete}");
        }
        for more in ["SELECT 1", "SELECT ';", "SELECT \";", "SELECT 1; SELECT 2", "/* ;", "SELECT 1 -- ;"] {
            assert!(!is_complete(more), "{more}");
        }
        assert!(open_quote("SELECT 'a").unwrap().contains('\''));
        assert_eq!(open_quote("SELECT 'a'"), None);
    }
}
