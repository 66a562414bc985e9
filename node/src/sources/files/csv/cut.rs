//! Cuts the text of a CSV file into pieces of whole records.
//!
//! The rules are those of the parser that reads the whole file: a quote opens a field only as its first byte, a doubled
//! quote is a literal one. Whether a line end ends a record is known from the start of the file on, and never guessed.

use std::io::{BufRead, Read};

use crate::sources::files::text::Text;
use crate::sources::files::{InOrder, LONGEST_RECORD};

/// A byte-order mark behind the one that the file may begin with; the parser of the whole file takes it out, too.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Some whole records.
pub(in crate::sources::files) struct Piece {
    pub(super) text: Vec<u8>,
    /// Whether the first of them names the columns.
    pub(super) headed: bool,
}

/// The pieces of a text in their order.
pub(in crate::sources::files) struct Cutter {
    input: Text,
    delimiter: u8,
    /// How much is read at once, in bytes.
    bytes: usize,
    /// The start of a record whose end has not been read.
    rest: Vec<u8>,
    begun: bool,
    ended: bool,
    /// Whether a record that names the columns is still to come.
    headed: bool,
}

impl Cutter {
    /// Cuts after about so many bytes.
    pub(super) fn new(input: Text, delimiter: u8, bytes: usize, headed: bool) -> Self {
        Self { input, delimiter, bytes, rest: Vec::new(), begun: false, ended: false, headed }
    }

    fn piece(&mut self) -> Result<Option<Piece>, InOrder> {
        let mut text = std::mem::take(&mut self.rest);
        while !self.ended {
            text.reserve(self.bytes);
            let read = self.input.by_ref().take(self.bytes as u64).read_to_end(&mut text).map_err(|_| InOrder)?;
            self.ended = read < self.bytes;
            if text.len() > LONGEST_RECORD {
                return Err(InOrder);
            }
            if !self.ended
                && let Some(end) = last_end(&text, self.delimiter)
            {
                self.rest = text.split_off(end);
                break;
            }
        }
        if !std::mem::replace(&mut self.begun, true) && text.starts_with(MARK) {
            return Err(InOrder);
        }
        if text.is_empty() {
            return Ok(None);
        }
        // Empty lines are no records.
        let headed = self.headed && !text.iter().all(|byte| is_line_end(*byte));
        self.headed &= !headed;
        Ok(Some(Piece { text, headed }))
    }
}

impl Iterator for Cutter {
    type Item = Result<Piece, InOrder>;

    fn next(&mut self) -> Option<Self::Item> {
        self.piece().transpose()
    }
}

/// Behind the last whole record of a text that begins with one; `None` if it holds no whole one.
fn last_end(text: &[u8], delimiter: u8) -> Option<usize> {
    let (mut end, mut at) = (None, 0);
    loop {
        let quote = quote(text, at);
        let plain = text.get(at..quote.unwrap_or(text.len())).unwrap_or_default();
        if let Some(line_end) = plain.iter().rposition(|byte| is_line_end(*byte)) {
            end = Some(at + line_end + 1);
        }
        let Some(quote) = quote else { return end };
        let before = quote.checked_sub(1).and_then(|before| text.get(before));
        at = quote + 1;
        if before.is_none_or(|before| *before == delimiter || is_line_end(*before)) {
            match closing(text, at) {
                Some(closing) => at = closing + 1,
                None => return end,
            }
        }
    }
}

/// The quote that closes a field whose text begins here.
fn closing(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let found = quote(text, at)?;
        if text.get(found + 1) != Some(&b'"') {
            return Some(found);
        }
        at = found + 2;
    }
}

/// The first quote from here on. Its search is that of the system, which looks at many bytes at once.
fn quote(text: &[u8], from: usize) -> Option<usize> {
    let skipped = text.get(from..)?.skip_until(b'"').ok()?;
    let last = from + skipped.checked_sub(1)?;
    (text.get(last) == Some(&b'"')).then_some(last)
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_line_ends_outside_of_quotes_end_records() {
        for (text, whole) in [
            ("a,b\nc", "a,b\n"),
            ("a,b", ""),
            ("a\r\nb\r", "a\r\nb\r"),
            ("a\n\"b\nc", "a\n"),
            ("\"a\n\"\nb", "\"a\n\"\n"),
            ("\"a\"\"\n\"\"\n\"", ""),
            ("\"a\"\"\n\"\nb\n\"", "\"a\"\"\n\"\nb\n"),
            // A quote within a field opens nothing, nor does one behind a closed one.
            ("a\"b\nc\"\nd", "a\"b\nc\"\n"),
            ("a,\"b\"c\",\"\nd", ""),
            ("\"a\"b\"\nc", "\"a\"b\"\n"),
            ("a,\"\"\n\"\"", "a,\"\"\n"),
        ] {
            assert_eq!(last_end(text.as_bytes(), b',').unwrap_or_default(), whole.len(), "{text:?}");
        }
    }
}
