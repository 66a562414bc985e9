//! Takes JSON apart without reading its values: an array into its elements, an object into keys and the texts of values.
//!
//! Numbers stay as they are written, whatever their length; no parser makes doubles of them.

use std::collections::HashSet;
use std::io::BufRead;
use std::mem;

use serde::de::IgnoredAny;

use super::super::{Fault, LONGEST_RECORD, RecordFault};

/// Where in a text of JSON one is.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Nesting {
    depth: usize,
    quoted: bool,
    escaped: bool,
}

impl Nesting {
    /// Goes on by one byte; whether it stands outside of all brackets and quotes.
    pub(super) fn step(&mut self, byte: u8) -> bool {
        let outside = self.depth == 0 && !self.quoted;
        if self.quoted {
            let ends = byte == b'"' && !self.escaped;
            self.escaped = byte == b'\\' && !self.escaped;
            self.quoted = !ends;
            return false;
        }
        match byte {
            b'"' => self.quoted = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        outside
    }

    /// Whether all that was opened is closed.
    pub(super) fn is_closed(self) -> bool {
        self.depth == 0 && !self.quoted
    }
}

/// Splits an array, whose opening bracket has been read, into its elements.
#[derive(Debug, Default)]
pub(super) enum Splitter {
    /// Behind the opening bracket.
    #[default]
    Opened,
    /// Behind a comma.
    Within,
    /// Behind the closing bracket.
    Closed,
}

impl Splitter {
    /// The next element, and the line on which it starts; none behind the closing bracket.
    pub(super) fn next(&mut self, text: &mut impl BufRead, line: &mut u64) -> Result<Option<(u64, Vec<u8>)>, Fault> {
        let (mut nesting, mut start, mut element) = (Nesting::default(), *line, Vec::new());
        while !matches!(self, Self::Closed) {
            let Some(byte) = first(text)? else { return Err(json(start, "the file ends within the array")) };
            text.consume(1);
            let blank = element.is_empty() && byte.is_ascii_whitespace();
            if nesting.step(byte) && matches!(byte, b',' | b']') {
                let before = mem::replace(self, if byte == b',' { Self::Within } else { Self::Closed });
                match (element.is_empty(), byte, before) {
                    (false, ..) => return Ok(Some((start, element))),
                    // An array of none.
                    (true, b']', Self::Opened) => continue,
                    (true, ..) => return Err(json(*line, "a comma without an element")),
                }
            }
            if element.is_empty() {
                start = *line;
            }
            if !blank {
                element.push(byte);
            }
            *line += u64::from(byte == b'\n');
            if element.len() > LONGEST_RECORD {
                return Err(Fault::at_line(start, RecordFault::Long));
            }
        }
        Ok(None)
    }
}

/// The byte that comes next.
pub(super) fn first(text: &mut impl BufRead) -> Result<Option<u8>, Fault> {
    Ok(text.fill_buf().map_err(|error| Fault::of_reading(&error))?.first().copied())
}

/// Goes on behind what `is_blank`, and counts the lines of it; the byte that comes next.
pub(super) fn behind_blanks(
    text: &mut impl BufRead,
    line: &mut u64,
    is_blank: impl Fn(u8) -> bool,
) -> Result<Option<u8>, Fault> {
    while let Some(blank) = first(text)?.filter(|byte| is_blank(*byte)) {
        *line += u64::from(blank == b'\n');
        text.consume(1);
    }
    first(text)
}

/// Refuses whatever stands behind the end of an array or an object.
pub(super) fn nothing_behind(text: &mut impl BufRead, line: &mut u64) -> Result<(), Fault> {
    match behind_blanks(text, line, |byte| byte.is_ascii_whitespace())? {
        None => Ok(()),
        Some(_) => Err(json(*line, "something stands behind its end")),
    }
}

pub(super) fn json(line: u64, why: &'static str) -> Fault {
    Fault::at_line(line, RecordFault::Json(why))
}

/// The keys of an object, each with the text of its value: strings without quotes, numbers as they are written, what is
/// nested as JSON; nothing for null.
pub(super) fn members(text: &str) -> Result<Vec<(String, Option<String>)>, RecordFault> {
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace());
    // The parser's words may quote values: they are not passed on.
    serde_json::from_str::<IgnoredAny>(text).map_err(|_| RecordFault::Json("its syntax is not JSON's"))?;
    let inside = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    let inside = inside.ok_or(RecordFault::Json("it is another value than an object"))?;
    if inside.bytes().all(|byte| byte.is_ascii_whitespace()) {
        return Ok(Vec::new());
    }
    let mut members: Vec<(String, Option<String>)> = Vec::new();
    let mut seen = HashSet::new();
    let mut rest = Some(inside);
    while let Some(text) = rest {
        let (member, behind) = cut(text, b',').map_or((text, None), |(member, behind)| (member, Some(behind)));
        let (key, value) = cut(member, b':').ok_or(RecordFault::Json("a key without a value"))?;
        let key = string(key.trim())?;
        if !seen.insert(key.clone()) {
            return Err(RecordFault::Json("it has a key twice"));
        }
        members.push((key, scalar(value.trim())?));
        rest = behind;
    }
    Ok(members)
}

/// The text before a byte that stands outside of brackets and quotes, and the text behind it.
fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let mut nesting = Nesting::default();
    let place = text.bytes().position(|byte| nesting.step(byte) && byte == at)?;
    Some((text.get(..place)?, text.get(place + 1..)?))
}

fn scalar(value: &str) -> Result<Option<String>, RecordFault> {
    match value.as_bytes().first() {
        Some(b'"') => string(value).map(Some),
        _ if value == "null" => Ok(None),
        _ => Ok(Some(value.to_owned())),
    }
}

fn string(quoted: &str) -> Result<String, RecordFault> {
    serde_json::from_str(quoted).map_err(|_| RecordFault::Json("a text that is no Unicode"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_object_is_taken_apart_and_numbers_stay_as_they_are() {
        let text = r#" {"a" : "x,\"}:{\\", "b":1.10,"c": 123456789012345678901234567890.5, "d":null,
            "e": {"f": [1, "]"], "g": "\\"}, "h":[ ], "i":true, "j:k,":"", "l":"\u00a3"} "#;
        let found = members(text).unwrap();
        let found: Vec<_> = found.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
        let expected = [
            ("a", Some("x,\"}:{\\")),
            ("b", Some("1.10")),
            ("c", Some("123456789012345678901234567890.5")),
            ("d", None),
            ("e", Some(r#"{"f": [1, "]"], "g": "\\"}"#)),
            ("h", Some("[ ]")),
            ("i", Some("true")),
            ("j:k,", Some("")),
            ("l", Some("£")),
        ];
        assert_eq!(found, expected);
        assert_eq!(members("{ }").unwrap(), []);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in [
            "",
            "{",
            "}",
            "[1]",
            "1",
            "{a:1}",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "{\"a\":1}{",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":1,\"a\":2}",
        ] {
            assert!(members(text).is_err(), "{text}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(members(&deep).unwrap().len(), 1);
    }

    #[test]
    fn an_array_is_split_and_lines_are_counted() {
        let split = |text: &str| {
            let (mut input, mut line, mut splitter) = (text.as_bytes(), 1, Splitter::default());
            let mut found = Vec::new();
            loop {
                match splitter.next(&mut input, &mut line) {
                    Ok(Some((line, element))) => {
                        found.push(format!("{line}: {}", String::from_utf8(element).unwrap().trim()))
                    }
                    Ok(None) => break,
                    Err(fault) => return Err(fault.to_string()),
                }
            }
            nothing_behind(&mut input, &mut line).map(|()| found).map_err(|fault| fault.to_string())
        };
        assert_eq!(split("]").unwrap(), Vec::<String>::new());
        assert_eq!(
            split("{\"a\": [1, 2]},\n\n {\n\"b\": \"],\"}\n,{}]\n\n").unwrap(),
            ["1: {\"a\": [1, 2]}", "3: {\n\"b\": \"],\"}", "5: {}",]
        );
        for (text, expected) in [
            ("{},\n]", "line 2: "),
            (",{}]", "line 1: "),
            ("{},\n{", "line 2: "),
            ("{}]\n\nx", "line 3: "),
            ("", "line 1: "),
        ] {
            let found = split(text).unwrap_err();
            assert!(found.starts_with(expected), "{text:?}: {found}");
        }
    }
}
