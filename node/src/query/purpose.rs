//! `SET purpose = '…'`, the one statement beside a query that says something: found in front of a text, or alone.

/// A statement that begins like this one and does not go on like it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the purpose is not set as it should be: write SET purpose = 'fire-risk'; and the query after it")]
pub struct Malformed;

/// The purpose, and the byte behind its statement. None: the text sets no purpose.
pub fn set_purpose(text: &str) -> Result<Option<(usize, String)>, Malformed> {
    let head = word(after_blank(text), "set").and_then(|rest| word(after_blank(rest), "purpose"));
    let Some(rest) = head.map(after_blank) else { return Ok(None) };
    let rest = rest.strip_prefix('=').or_else(|| word(rest, "to")).ok_or(Malformed)?;
    let quoted = after_blank(rest).strip_prefix('\'').ok_or(Malformed)?;
    let (purpose, rest) = literal(quoted).ok_or(Malformed)?;
    let rest = after_blank(rest);
    match rest.strip_prefix(';') {
        Some(rest) => Ok(Some((text.len() - rest.len(), purpose))),
        None if rest.is_empty() => Ok(Some((text.len(), purpose))),
        None => Err(Malformed),
    }
}

/// A text without the statement in front of it that sets a purpose, and the purpose. What was taken out is blank, so that lines
/// and columns still point into the whole.
pub fn without_purpose(text: &str) -> Result<(String, Option<String>), Malformed> {
    let Some((end, purpose)) = set_purpose(text)? else { return Ok((text.to_owned(), None)) };
    let (set, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let blank = set.chars().map(|c| if matches!(c, '\n' | '\r') { c } else { ' ' });
    Ok((blank.chain(rest.chars()).collect(), Some(purpose)))
}

/// Whether a text is white space and comments.
pub fn is_blank(text: &str) -> bool {
    after_blank(text).is_empty()
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
