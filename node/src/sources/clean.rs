//! Takes from texts what nobody sees: blanks around them, and characters without width.

use std::borrow::Cow;

/// Whether a character takes no room and means nothing: byte-order marks, zero-width spaces, soft hyphens, marks of
/// direction. The joiners of scripts that need them are none of these.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{00AD}'
            | '\u{180E}'
            | '\u{200B}'
            | '\u{200E}'
            | '\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'
            | '\u{2066}'..='\u{2069}'
            | '\u{FEFF}'
    )
}

/// A blank of any kind, control characters and joiners that join nothing among them.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || is_invisible(c) || matches!(c, '\u{200C}' | '\u{200D}')
}

/// The text without invisible characters and without blanks around it, each blank that doesn't break the line a plain
/// one; `None` if nothing is left.
pub fn clean(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim_matches(is_blank);
    if text.is_empty() {
        return None;
    }
    let odd = |c: char| is_invisible(c) || c.is_whitespace() && !matches!(c, ' ' | '\t' | '\n' | '\r');
    if !text.contains(odd) {
        return Some(Cow::Borrowed(text));
    }
    let seen = text.chars().filter(|c| !is_invisible(*c));
    Some(Cow::Owned(seen.map(|c| if odd(c) { ' ' } else { c }).collect()))
}

/// A column's heading: clean, and on one line. Empty if it names nothing.
pub(super) fn heading(text: &str) -> String {
    let cleaned = clean(text).unwrap_or_default();
    cleaned.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_taken_away() {
        for (text, expected) in [
            ("a", Some("a")),
            ("  a b\t", Some("a b")),
            ("\u{feff}a\u{200b}b\u{a0}", Some("ab")),
            ("a\u{a0}b\u{2009}c", Some("a b c")),
            ("a\n b", Some("a\n b")),
            ("co\u{ad}operative", Some("cooperative")),
            ("\u{a0}\u{200b} \u{200d}", None),
            ("", None),
            ("می\u{200c}خواهم", Some("می\u{200c}خواهم")),
            ("\u{0}x\u{0}", Some("x")),
        ] {
            assert_eq!(clean(text).as_deref(), expected, "{text:?}");
        }
        assert_eq!(heading(" Total\n amount\u{a0}\u{200b} (£) "), "Total amount (£)");
        assert_eq!(heading("\u{feff}"), "");
    }
}
