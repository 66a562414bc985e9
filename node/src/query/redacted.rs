//! The SQL as the log keeps it: without literals, and without names that nobody publishes, since both may be personal data.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer, Word};

/// Longest name that is kept whatever it is, in characters: it tells of nobody.
const SHORT: usize = 3;

/// A statement in two parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redacted {
    /// On one line, `?` in place of each literal and `_1`, `_2`, … in place of names that are not published.
    pub(super) sql: String,
    /// The literals as they were written, in order.
    pub(super) literals: Vec<String>,
    /// What `_1`, `_2`, … stand for.
    pub(super) names: Vec<String>,
}

/// Takes apart a statement; `published` says which names anybody may know: those of bodies, datasets, columns and
/// functions.
pub(super) fn redacted(sql: &str, published: impl Fn(&str) -> bool) -> Redacted {
    let mut redacted = Redacted { sql: String::with_capacity(sql.len()), literals: Vec::new(), names: Vec::new() };
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).tokenize() else {
        redacted.sql = format!("({} bytes that are not SQL)", sql.len());
        return redacted;
    };
    for token in tokens {
        match token {
            Token::Whitespace(_) => {
                if !redacted.sql.ends_with(' ') && !redacted.sql.is_empty() {
                    redacted.sql.push(' ');
                }
            }
            Token::Word(word) => redacted.word(&word, &published),
            Token::Placeholder(name) if numbered(&name) => redacted.sql.push_str(&name),
            other => {
                let text = other.to_string();
                // Operators and punctuation; whatever has letters, digits or quotes is a literal.
                if text.chars().any(char::is_alphanumeric) || text.contains(['\'', '"', '$']) {
                    redacted.literals.push(text);
                    redacted.sql.push('?');
                } else {
                    redacted.sql.push_str(&text);
                }
            }
        }
    }
    redacted.sql.truncate(redacted.sql.trim_end().len());
    redacted
}

impl Redacted {
    fn word(&mut self, word: &Word, published: &impl Fn(&str) -> bool) {
        let keyword = word.quote_style.is_none() && word.keyword != Keyword::NoKeyword;
        // Unquoted names are read in lower case.
        let name = if word.quote_style.is_none() { word.value.to_lowercase() } else { word.value.clone() };
        if keyword || name.chars().count() <= SHORT || published(&name) {
            self.sql.push_str(&word.to_string());
            return;
        }
        let at = self.names.iter().position(|held| *held == name).unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        });
        self.sql.push_str(&format!("_{}", at + 1));
    }
}

/// `$1`, `?`: nothing that a person chose.
fn numbered(placeholder: &str) -> bool {
    placeholder == "?" || placeholder.strip_prefix('$').is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn published(name: &str) -> bool {
        ["lfb", "incidents", "year", "count"].contains(&name)
    }

    #[test]
    fn literals_do_not_reach_the_log() {
        let sql = "SELECT a, 'Zamora' FROM t -- hm\n WHERE b = 42.5 AND c = X'ff' AND \"d\" = N'x'";
        let found = redacted(sql, published);
        assert_eq!(found.sql, "SELECT a, ? FROM t WHERE b = ? AND c = ? AND \"d\" = ?");
        assert_eq!(found.literals, ["'Zamora'", "42.5", "X'ff'", "N'x'"]);
        assert!(!redacted("SELECT 'unterminated Zamora", published).sql.contains("Zamora"));
        for literal in ["$$Zamora$$", "E'Zamora'", "U&'Zamora'", "R'Zamora'", "B'Zamora'", "Q'[Zamora]'"] {
            let found = redacted(&format!("SELECT {literal} AS n FROM lfb.incidents"), published);
            assert!(!found.sql.contains("Zamora"), "{literal}: {}", found.sql);
        }
    }

    #[test]
    fn names_that_nobody_publishes_do_not_reach_the_log() {
        let sql = "SELECT year AS \"Zamora\", COUNT(*) AS zamora FROM lfb.incidents AS i WHERE i.\"year\" = :zamora \
                   GROUP BY \"Zamora\", \"YEAR\"";
        let found = redacted(sql, published);
        assert!(!found.sql.to_lowercase().contains("zamora"), "{}", found.sql);
        assert!(
            found.sql.starts_with("SELECT year AS _1, COUNT(*) AS _2 FROM lfb.incidents AS i WHERE i.\"year\" ="),
            "{}",
            found.sql
        );
        assert!(found.sql.ends_with("GROUP BY _1, _3"), "{}", found.sql);
        assert_eq!(found.names, ["Zamora", "zamora", "YEAR"]);
        assert_eq!(redacted("SELECT $1", published).sql, "SELECT $1");
    }
}
