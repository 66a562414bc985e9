//! Finds the physical line of a CSV record, in files whose quoted fields hold line breaks.
//!
//! Runs only when something is wrong, over the file's start once more; the rules are those of the parser that
//! counted the record: a quote opens a field only as its first byte, a doubled quote is a literal one, empty lines are no records.

use std::io::{self, BufRead};

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The line on which it starts, from 1.
    pub(super) line: u64,
    /// How many fields it has.
    pub(super) fields: usize,
    /// The line on which a quote opens that the file's end leaves open.
    pub(super) open_quote: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Record,
    Field,
    Text,
    Quoted,
    Quote,
}

/// The place of the `record`th record, the heading counted as 1; `None` if there are fewer. The input begins on line `first`.
pub(super) fn place(input: impl BufRead, delimiter: u8, record: u64, first: u64) -> io::Result<Option<Place>> {
    let mut state = State::Record;
    let (mut line, mut seen, mut after_return) = (first, 0, false);
    let (mut start, mut quote_line, mut fields) = (first, first, 0);
    for byte in input.bytes() {
        let byte = byte?;
        let line_break = matches!(byte, b'\r' | b'\n');
        let second_half = byte == b'\n' && after_return;
        after_return = byte == b'\r';
        if state == State::Record && !line_break {
            (start, fields, state) = (line, 1, State::Field);
        }
        state = match state {
            State::Record => State::Record,
            State::Quoted if byte == b'"' => State::Quote,
            State::Quoted => State::Quoted,
            State::Quote if byte == b'"' => State::Quoted,
            State::Field if byte == b'"' => {
                quote_line = line;
                State::Quoted
            }
            State::Field | State::Text | State::Quote if line_break => {
                seen += 1;
                if seen == record {
                    return Ok(Some(Place { line: start, fields, open_quote: None }));
                }
                State::Record
            }
            State::Field | State::Text | State::Quote if byte == delimiter => {
                fields += 1;
                State::Field
            }
            State::Field | State::Text | State::Quote => State::Text,
        };
        line += u64::from(line_break && !second_half);
    }
    let open_quote = (state == State::Quoted).then_some(quote_line);
    let last = state != State::Record && seen + 1 == record;
    Ok((last || open_quote.is_some()).then_some(Place { line: start, fields, open_quote }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(text: &str, record: u64, expected: Option<(u64, usize)>) {
        let found = place(text.as_bytes(), b',', record, 1).unwrap();
        assert_eq!(found.map(|place| (place.line, place.fields)), expected, "{text:?} record {record}");
    }

    #[test]
    fn records_stand_where_an_editor_shows_them() {
        check("a,b\n1,2\n", 1, Some((1, 2)));
        check("a,b\n1,2\n", 2, Some((2, 2)));
        check("a,b\n1,2\n", 3, None);
        check("a,b\n1,2", 2, Some((2, 2)));
        check("a\r\nb\r\nc,d\r\n", 3, Some((3, 2)));
        check("a\n\n\nb\n", 2, Some((4, 1)));
        check("a,b\n\"x\ny\",2\n3,4\n", 3, Some((4, 2)));
        check("a,b\n\"x\r\ny\"\"\n,\",2\r\n3,4\n", 3, Some((5, 2)));
        check("a,b\nx\"y,2\n3,4\n", 3, Some((3, 2)));
    }

    #[test]
    fn an_open_quote_is_found_where_it_opens() {
        let place = place(&b"a,b\n1,2\n3,\"4\n5,6\n7,8\n"[..], b',', 3, 1).unwrap().unwrap();
        assert_eq!((place.line, place.open_quote), (3, Some(3)));
    }
}
