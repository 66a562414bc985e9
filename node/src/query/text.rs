//! The SQL text itself: limits before it is parsed, and that it is one query.

use std::borrow::Cow;

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::{QueryError, dialect};

/// Most operators in one statement. Chains of operators nest as deep as they are long, and planning recurses.
const MOST_OPERATORS: usize = 500;
/// Most tokens in one statement: a bound on its plan. An IN list grows several times when it travels to another body.
const MOST_TOKENS: usize = 1_000_000;
/// Deepest nesting of parentheses.
const DEEPEST: usize = 64;
/// Parser's own recursion limit.
const PARSER_RECURSION: usize = 100;

/// What a statement asks for.
#[derive(Debug)]
pub(super) enum Ask {
    /// An answer.
    Query(Box<Statement>),
    /// What one would ask of whom, or has.
    Explain(Box<Statement>, Explain),
}

/// How a query is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Explain {
    pub(super) written: Written,
    /// Whether it is asked for that, and told what it came to.
    pub(super) analyze: bool,
}

/// How a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// Line by line, for people.
    Text,
    /// As the lines of one JSON text, for programs.
    Json,
}

/// Parses exactly one query, or EXPLAIN of one.
pub(super) fn parse(sql: &str) -> Result<Ask, QueryError> {
    let tokens = bound(sql)?;
    let (read, explain) = options(sql, &tokens);
    let mut statements = DFParserBuilder::new(read.as_ref())
        .with_dialect(&GenericDialect {})
        .with_recursion_limit(PARSER_RECURSION)
        .build()
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|error| {
            let text = error.strip_backtrace();
            let text = text.strip_prefix("SQL error: ").unwrap_or(&text);
            let text = text.strip_prefix("ParserError(\"").and_then(|t| t.strip_suffix("\")")).unwrap_or(text);
            let at = position_in(text).or_else(|| text.contains("found: EOF").then(|| end_of(sql)));
            let what = text.split(" at Line:").next().unwrap_or(text);
            QueryError::sql(sql, at, format!("this is not SQL that can be read: {what}"))
        })?;
    let one = match (statements.pop_front(), statements.len()) {
        (Some(one), 0) => one,
        (None, _) => return Err(QueryError::sql(sql, None, "there is no statement: send one SELECT".into())),
        (Some(_), more) => {
            return Err(QueryError::sql(
                sql,
                None,
                format!("there are {} statements: send one, or run them one by one in meridian shell", more + 1),
            ));
        }
    };
    classify(sql, one, explain)
}

/// The statement without `(ANALYZE, FORMAT JSON)` behind EXPLAIN, in whose place there are blanks, so that errors still
/// point into it: the parser knows other formats, which are none of ours.
fn options<'a>(sql: &'a str, tokens: &[TokenWithSpan]) -> (Cow<'a, str>, Explain) {
    let none = Explain { written: Written::Text, analyze: false };
    let mut tokens = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    let explain = tokens.next().is_some_and(|token| upper(&token.token) == "EXPLAIN");
    let Some(open) = tokens.next().filter(|token| explain && token.token == Token::LParen) else {
        return (Cow::Borrowed(sql), none);
    };
    let mut words = Vec::new();
    let Some(close) = tokens.find(|token| {
        words.push(upper(&token.token));
        token.token == Token::RParen
    }) else {
        return (Cow::Borrowed(sql), none);
    };
    words.pop();
    // What is asked for stands within the parentheses: behind them it is no option.
    if tokens.next().is_some_and(|token| matches!(upper(&token.token).as_str(), "ANALYZE" | "VERBOSE")) {
        return (Cow::Borrowed(sql), none);
    }
    let mut explain = none;
    for option in words.split(|word| word == ",") {
        let option: Vec<&str> = option.iter().map(String::as_str).collect();
        match option[..] {
            ["ANALYZE"] | ["ANALYZE", "TRUE" | "ON" | "1"] => explain.analyze = true,
            ["ANALYZE", "FALSE" | "OFF" | "0"] => explain.analyze = false,
            ["FORMAT", "JSON"] => explain.written = Written::Json,
            ["FORMAT", "TEXT"] => explain.written = Written::Text,
            _ => return (Cow::Borrowed(sql), none),
        }
    }
    let (from, to) = (open.span.start, close.span.end);
    let (mut at, mut read) = ((1, 1), String::with_capacity(sql.len()));
    for character in sql.chars() {
        let within = ((from.line, from.column)..(to.line, to.column)).contains(&at);
        read.push(if within && character != '\n' { ' ' } else { character });
        at = if character == '\n' { (at.0 + 1, 1) } else { (at.0, at.1 + 1) };
    }
    (Cow::Owned(read), explain)
}

fn upper(token: &Token) -> String {
    token.to_string().to_ascii_uppercase()
}

fn classify(sql: &str, statement: Statement, own: Explain) -> Result<Ask, QueryError> {
    use datafusion::sql::sqlparser::ast::Statement as Sql;
    let inner = match &statement {
        Statement::Explain(explain) => explain.statement.as_ref(),
        other => other,
    };
    if let Statement::Statement(inner) = inner
        && matches!(**inner, Sql::Query(_))
        && let Err(objection) = dialect::check(inner)
    {
        return Err(QueryError::objection(sql, objection));
    }
    match statement {
        Statement::Explain(explain) if matches!(&*explain.statement, Statement::Statement(s) if matches!(**s, Sql::Query(_))) => {
            let analyze = own.analyze || explain.options.analyze;
            Ok(Ask::Explain(explain.statement, Explain { analyze, ..own }))
        }
        Statement::Statement(inner) if matches!(*inner, Sql::Query(_)) => {
            Ok(Ask::Query(Box::new(Statement::Statement(inner))))
        }
        Statement::Statement(inner) if matches!(*inner, Sql::Set(_)) => Err(QueryError::refused(
            "SET changes nothing here but the purpose, and that in a session or in front of a query of meridian query; \
             state the purpose in the request header meridian-purpose"
                .into(),
        )),
        _ => Err(QueryError::refused(format!(
            "only a query is answered, and EXPLAIN of one; this is another statement\n{}",
            first_line(sql)
        ))),
    }
}

/// The tokens, unless they are too many or chain or nest too deep.
fn bound(sql: &str) -> Result<Vec<TokenWithSpan>, QueryError> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().map_err(|error| {
        let at = (error.location.line > 0).then_some((error.location.line, error.location.column));
        let open = ["Unterminated", "Expected close delimiter", "Unexpected EOF"];
        let is_open = open.iter().any(|words| error.message.starts_with(words));
        let remedy = if is_open { "; what is opened here by a quote or by /* is not closed: close it" } else { "" };
        QueryError::sql(sql, at, format!("this is not SQL that can be read: {}{remedy}", error.message))
    })?;
    let mut depth = 0usize;
    let mut operators = 0usize;
    for token in tokens.iter().map(|token| &token.token) {
        match token {
            Token::LParen => depth += 1,
            // Subscripts chain as operators do.
            Token::LBracket => (depth, operators) = (depth + 1, operators + 1),
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            token if is_operator(token) => operators += 1,
            _ => {}
        }
        if depth > DEEPEST {
            return Err(QueryError::limit(format!("parentheses nest deeper than {DEEPEST}: write it flatter")));
        }
    }
    if operators > MOST_OPERATORS {
        return Err(QueryError::limit(format!(
            "the statement has {operators} operators, {MOST_OPERATORS} are the most: use IN (…) for long lists of values"
        )));
    }
    if tokens.len() > MOST_TOKENS {
        return Err(QueryError::limit(format!(
            "the statement has {} tokens, {MOST_TOKENS} are the most",
            tokens.len()
        )));
    }
    Ok(tokens)
}

/// Words behind or before which an expression or a query can stand again.
const CHAINING: [&str; 29] = [
    "AND",
    "OR",
    "XOR",
    "NOT",
    "IS",
    "ISNULL",
    "NOTNULL",
    "IN",
    "LIKE",
    "ILIKE",
    "RLIKE",
    "REGEXP",
    "SIMILAR",
    "MATCH",
    "MEMBER",
    "OVERLAPS",
    "DIV",
    "COLLATE",
    "ZONE",
    "OPERATOR",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "MINUS",
    "JOIN",
    "CASE",
    "BETWEEN",
    "EXPLAIN",
    "DESCRIBE",
];

/// Whatever can chain: symbols, and the words that join or wrap expressions and queries.
fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => {
            word.quote_style.is_none() && CHAINING.iter().any(|chains| word.value.eq_ignore_ascii_case(chains))
        }
        Token::Number(..)
        | Token::Char(_)
        | Token::SingleQuotedString(_)
        | Token::DollarQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::NationalStringLiteral(_)
        | Token::EscapedStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::Whitespace(_)
        | Token::Comma
        | Token::Period
        | Token::LParen
        | Token::RParen
        | Token::RBracket
        | Token::SemiColon
        | Token::Placeholder(_)
        | Token::EOF => false,
        _ => true,
    }
}

/// Just behind the last word: line and column from 1.
fn end_of(sql: &str) -> (u64, u64) {
    let text = sql.trim_end();
    let line = text.lines().count().max(1);
    let column = text.lines().last().map_or(0, |last| last.chars().count()) + 1;
    (line as u64, column as u64)
}

/// `… at Line: 1, Column: 8` as the parser writes it.
fn position_in(text: &str) -> Option<(u64, u64)> {
    let (_, rest) = text.rsplit_once("Line: ")?;
    let (line, rest) = rest.split_once(", Column: ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((line.trim().parse().ok()?, digits.parse().ok()?))
}

fn first_line(sql: &str) -> String {
    sql.trim().lines().next().unwrap_or_default().chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;
    use crate::query::ErrorKind;

    #[test]
    fn only_one_query_is_taken() {
        assert!(matches!(parse("SELECT 1"), Ok(Ask::Query(_))));
        assert!(matches!(parse("WITH a AS (SELECT 1) SELECT * FROM a;"), Ok(Ask::Query(_))));
        for bad in [
            "",
            ";",
            "SELECT 1; SELECT 2",
            "DROP TABLE a",
            "SET purpose = 'x'",
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
            "COPY (SELECT 1) TO '/tmp/x.csv'",
            "INSERT INTO a VALUES (1)",
            "EXPLAIN EXPLAIN SELECT 1",
            "EXPLAIN DROP TABLE a",
            "EXPLAIN (FORMAT JSON) EXPLAIN SELECT 1",
            "EXPLAIN (FORMAT YAML) SELECT 1",
            "EXPLAIN (ANALYZE, FORMAT YAML) SELECT 1",
            "EXPLAIN (ANALYZE maybe) SELECT 1",
            "EXPLAIN (ANALYZE, ) SELECT 1",
            "EXPLAIN (FORMAT JSON) ANALYZE SELECT 1",
            "EXPLAIN (FORMAT JSON)\nANALYZE VERBOSE SELECT 1",
            "EXPLAIN (ANALYZE FALSE) /* a */ ANALYZE SELECT 1",
            "EXPLAIN (ANALYZE SELECT 1",
            "EXPLAIN ANALYZE EXPLAIN ANALYZE SELECT 1",
            "EXPLAIN ANALYZE DROP TABLE a",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn explain_takes_its_options_in_the_words_of_postgresql() {
        use Written::{Json, Text};
        for (sql, analyze, written) in [
            ("EXPLAIN SELECT 1", false, Text),
            ("EXPLAIN (SELECT 1)", false, Text),
            ("EXPLAIN (FORMAT TEXT) SELECT 1", false, Text),
            ("explain (format\njson) SELECT 1", false, Json),
            ("EXPLAIN ANALYZE SELECT 1", true, Text),
            ("EXPLAIN ANALYZE VERBOSE SELECT 1", true, Text),
            ("EXPLAIN ANALYZE (SELECT 1)", true, Text),
            ("EXPLAIN (ANALYZE) SELECT 1", true, Text),
            ("EXPLAIN (analyze, format json) SELECT 1", true, Json),
            ("EXPLAIN (FORMAT JSON, ANALYZE ON) SELECT 1", true, Json),
            ("EXPLAIN (ANALYZE false, FORMAT JSON) SELECT 1", false, Json),
            ("EXPLAIN (ANALYZE, VERBOSE) SELECT 1", true, Text),
        ] {
            match parse(sql) {
                Ok(Ask::Explain(_, found)) => assert_eq!(found, Explain { written, analyze }, "{sql}"),
                other => panic!("{sql}: {other:?}"),
            }
        }
    }

    #[test]
    fn errors_point_into_the_statement() {
        let error = parse("SELECT a\nFROM b ORDER c").unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
        assert!(error.contains("2 | FROM b ORDER c"), "{error}");
        assert!(error.contains("^"), "{error}");
        let place = |sql: &str| parse(sql).unwrap_err().to_string();
        let error = place("EXPLAIN (FORMAT JSON) SELECT a FROM b ORDER c");
        assert!(error.contains("line 1, column 39"), "{error}");
    }

    #[test]
    fn long_chains_and_deep_nests_are_refused_before_they_are_parsed() {
        let chain = format!("SELECT 1{}", " + 1".repeat(20_000));
        assert_eq!(parse(&chain).unwrap_err().kind, ErrorKind::TooLarge);
        let ors = format!("SELECT 1 WHERE 1 = 1{}", " OR 1 = 1".repeat(20_000));
        assert_eq!(parse(&ors).unwrap_err().kind, ErrorKind::TooLarge);
        let nest = format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000));
        assert_eq!(parse(&nest).unwrap_err().kind, ErrorKind::TooLarge);
        let list = format!("SELECT 1 WHERE 1 IN (1{})", ", 2".repeat(20_000));
        assert!(parse(&list).is_ok());
    }
}
