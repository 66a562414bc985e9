//! Where in the analyst's own SQL a message points: a word's line and column, and a caret under it.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};
use meridian_proto::Place;

/// Where a column of a dataset, a dataset or a function stands in the statement.
///
/// A column that several datasets have is looked for behind its own dataset's name or alias first, then by itself; a
/// name that was given with AS is found last.
pub(super) fn find(sql: &str, needle: &str, dataset: Option<&str>) -> Option<Place> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().ok()?;
    let tokens: Vec<TokenWithSpan> =
        tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    let qualifiers = dataset.map_or_else(Vec::new, |dataset| qualifiers(&tokens, dataset));
    let rank = |at: usize| match (before(&tokens, at, 1), before(&tokens, at, 2)) {
        (Some(Token::Period), Some(Token::Word(word))) => {
            let own = qualifiers.iter().any(|name| word.value.eq_ignore_ascii_case(name));
            if own { 0 } else { 2 }
        }
        (Some(Token::Word(word)), _) if word.keyword == Keyword::AS => 3,
        _ => 1,
    };
    let found = (0..tokens.len()).filter(|at| word(&tokens, *at).is_some_and(|w| w.eq_ignore_ascii_case(needle)));
    let best = found.min_by_key(|at| rank(*at))?;
    let start = tokens.get(best)?.span.start;
    Some(Place { line: start.line, column: start.column })
}

/// The names by which a statement calls a dataset: its own, and its aliases.
fn qualifiers<'a>(tokens: &'a [TokenWithSpan], dataset: &'a str) -> Vec<&'a str> {
    let name = dataset.rsplit('.').next().unwrap_or(dataset);
    let mut names = vec![name];
    for at in (0..tokens.len()).filter(|at| word(tokens, *at).is_some_and(|w| w.eq_ignore_ascii_case(name))) {
        let explicit = matches!(tokens.get(at + 1).map(|t| &t.token), Some(Token::Word(w)) if w.keyword == Keyword::AS);
        if let Some(Token::Word(alias)) = tokens.get(at + 1 + usize::from(explicit)).map(|token| &token.token)
            && (explicit || alias.keyword == Keyword::NoKeyword)
        {
            names.push(&alias.value);
        }
    }
    names
}

fn word(tokens: &[TokenWithSpan], at: usize) -> Option<&str> {
    match tokens.get(at).map(|token| &token.token) {
        Some(Token::Word(word)) => Some(&word.value),
        _ => None,
    }
}

fn before(tokens: &[TokenWithSpan], at: usize, by: usize) -> Option<&Token> {
    tokens.get(at.checked_sub(by)?).map(|token| &token.token)
}

/// The line of the statement that `at` points to, with a caret under the column.
pub fn caret(sql: &str, at: Place) -> Option<String> {
    let text = sql.lines().nth(usize::try_from(at.line.checked_sub(1)?).ok()?)?;
    let before = usize::try_from(at.column.checked_sub(1)?).ok()?.min(text.chars().count());
    // Long lines are shown around the caret.
    let skip = before.saturating_sub(60);
    let shown: String = text.chars().skip(skip).take(100).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let number = at.line.to_string();
    let margin = " ".repeat(number.len());
    Some(format!("{margin} |\n{number} | {shown}\n{margin} | {}^", " ".repeat(before - skip)))
}

/// A message with the place that it is about, where there is one.
pub(super) fn pointed(sql: &str, at: Option<Place>, what: &str) -> String {
    match at.and_then(|at| caret(sql, at).map(|caret| (at, caret))) {
        Some((Place { line, column }, caret)) => format!("line {line}, column {column}: {what}\n{caret}"),
        None => what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_caret_stands_under_the_word() {
        let sql = "SELECT x\n  FROM fires";
        let at = find(sql, "FIRES", None).unwrap();
        assert_eq!((at.line, at.column), (2, 8));
        assert_eq!(caret(sql, at).unwrap(), "  |\n2 |   FROM fires\n  |        ^");
        assert_eq!(caret(sql, Place { line: 2, column: 400 }).unwrap().lines().count(), 3);
        assert_eq!(caret(sql, Place { line: 9, column: 1 }), None);
    }

    #[test]
    fn a_word_is_found_where_it_is_meant() {
        let of = Some("london.lfb.incidents");
        for (sql, needle, dataset, column) in [
            ("SELECT b.cost, i.cost FROM incidents i, boroughs b", "cost", of, 18),
            ("SELECT b.cost, incidents.cost FROM incidents, boroughs b", "cost", of, 26),
            ("SELECT b.cost, cost FROM lfb.incidents, boroughs b", "cost", of, 16),
            ("SELECT b.cost FROM boroughs b", "cost", of, 10),
            ("SELECT year AS cost, cost FROM incidents", "cost", of, 22),
            ("SELECT median(x) FROM t", "median", None, 8),
        ] {
            let at = find(sql, needle, dataset).unwrap();
            assert_eq!((at.line, at.column), (1, column), "{sql}");
        }
        assert_eq!(find("SELECT 'cost' FROM t", "cost", None), None);
    }
}
