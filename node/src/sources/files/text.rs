//! The text of a file: unpacked, as UTF-8, without its byte-order mark and the lines above its first record.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};
use flate2::bufread::MultiGzDecoder;

use super::Fault;

const BUFFER_BYTES: usize = 128 * 1024;
/// How much of a file tells how it is encoded, in bytes.
const LOOKED_AT: u64 = 64 * 1024 * 1024;
/// The first two bytes of every gzip file, and of no text.
const GZIP: [u8; 2] = [0x1F, 0x8B];
/// A byte that no UTF-8 text holds. It stands where bytes are no text of their encoding, for whoever parses the text to
/// find the place.
const NO_TEXT: u8 = 0xFF;

/// Text as it is read.
pub(super) type Text = Box<dyn BufRead + Send>;

/// The text of a file: its byte-order mark says how bytes are text, otherwise `encoding`, otherwise it is UTF-8.
pub(super) fn open(path: &Path, encoding: Option<&'static Encoding>, skip: u32) -> Result<Text, Fault> {
    let opened = || -> io::Result<Text> {
        let file: Text = Box::new(BufReader::with_capacity(BUFFER_BYTES, File::open(path)?));
        let (start, file) = start::<2>(file)?;
        let file: Text = if start == GZIP {
            Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(file)))
        } else {
            file
        };
        decoded(file, encoding)
    };
    let mut text = opened().map_err(|error| Fault::of_reading(&error))?;
    for _ in 0..skip {
        if !skip_line(&mut text).map_err(|error| Fault::of_reading(&error))? {
            return Err(Fault::Read(format!("it has no more than {skip} lines; lower `skip`")));
        }
    }
    Ok(text)
}

/// Whether the text of a file is UTF-8 by its mark or by its bytes; the first of a large file.
pub(super) fn is_utf_8(path: &Path) -> Result<bool, Fault> {
    let mut bytes = Vec::new();
    let read = open(path, None, 0)?.take(LOOKED_AT).read_to_end(&mut bytes);
    read.map_err(|error| Fault::of_reading(&error))?;
    // The last character may be cut off.
    Ok(std::str::from_utf8(&bytes).map_or_else(|error| error.error_len().is_none(), |_| true))
}

fn decoded(mut bytes: Text, encoding: Option<&'static Encoding>) -> io::Result<Text> {
    let (start, all) = start::<3>(bytes)?;
    bytes = all;
    let encoding = match Encoding::for_bom(&start) {
        Some((marked, length)) => {
            // What was looked at is in memory: it can be taken at once.
            bytes.read_exact(&mut vec![0; length])?;
            marked
        }
        None => encoding.unwrap_or(UTF_8),
    };
    // UTF-8 is read as it is: a parser that finds a byte that is none knows the line.
    if encoding == UTF_8 {
        return Ok(bytes);
    }
    let decoder = encoding.new_decoder_without_bom_handling();
    Ok(Box::new(Decoded { bytes, decoder, text: Vec::new(), at: 0, ended: false }))
}

/// The first bytes, fewer in a shorter file, and all of them again.
fn start<const N: usize>(mut bytes: Text) -> io::Result<(Vec<u8>, Text)> {
    let mut start = Vec::with_capacity(N);
    bytes.by_ref().take(N as u64).read_to_end(&mut start)?;
    Ok((start.clone(), Box::new(Cursor::new(start).chain(bytes))))
}

/// Goes on behind the next line end; whether there was a line.
fn skip_line(text: &mut Text) -> io::Result<bool> {
    let mut any = false;
    loop {
        let bytes = text.fill_buf()?;
        if bytes.is_empty() {
            return Ok(any);
        }
        any = true;
        let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
            let length = bytes.len();
            text.consume(length);
            continue;
        };
        let returns = bytes.get(end) == Some(&b'\r');
        text.consume(end + 1);
        if returns && text.fill_buf()?.first() == Some(&b'\n') {
            text.consume(1);
        }
        return Ok(true);
    }
}

/// Bytes of another encoding as UTF-8.
struct Decoded {
    bytes: Text,
    decoder: Decoder,
    text: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Decoded {
    fn decode(&mut self) -> io::Result<()> {
        let bytes = self.bytes.fill_buf()?;
        let last = bytes.is_empty();
        self.text.resize(BUFFER_BYTES, 0);
        let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(bytes, &mut self.text, last);
        self.bytes.consume(read);
        self.text.truncate(written);
        self.at = 0;
        match result {
            DecoderResult::Malformed(..) => self.text.push(NO_TEXT),
            DecoderResult::InputEmpty => self.ended = last,
            DecoderResult::OutputFull => {}
        }
        Ok(())
    }
}

impl BufRead for Decoded {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at >= self.text.len() && !self.ended {
            self.decode()?;
        }
        Ok(self.text.get(self.at..).unwrap_or_default())
    }

    fn consume(&mut self, bytes: usize) {
        self.at = self.text.len().min(self.at + bytes);
    }
}

impl Read for Decoded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use std::io::Write;

    use encoding_rs::{SHIFT_JIS, UTF_16LE, WINDOWS_1252};
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn read(bytes: &[u8], encoding: Option<&'static Encoding>, skip: u32) -> Result<Vec<u8>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        std::fs::write(&path, bytes).unwrap();
        let mut found = Vec::new();
        open(&path, encoding, skip).map_err(|fault| fault.to_string())?.read_to_end(&mut found).unwrap();
        Ok(found)
    }

    fn utf_16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn a_mark_decides_then_what_is_said_then_it_is_utf_8() {
        let text = "a,£\n".as_bytes();
        let little = utf_16("\u{feff}a,£\n", u16::to_le_bytes);
        for (bytes, encoding) in [
            (text, None),
            ("\u{feff}a,£\n".as_bytes(), None),
            ("\u{feff}a,£\n".as_bytes(), Some(WINDOWS_1252)),
            (b"a,\xa3\n", Some(WINDOWS_1252)),
            (&little, None),
            (&little, Some(WINDOWS_1252)),
            (&little[2..], Some(UTF_16LE)),
            (&utf_16("\u{feff}a,£\n", u16::to_be_bytes), None),
        ] {
            assert_eq!(read(bytes, encoding, 0).unwrap(), text, "{bytes:?} {encoding:?}");
        }
        let long = "£".repeat(BUFFER_BYTES);
        assert_eq!(read(&utf_16(&long, u16::to_le_bytes), Some(UTF_16LE), 0).unwrap(), long.as_bytes());
    }

    #[test]
    fn what_is_no_text_stays_where_it_is_as_a_byte_that_is_none() {
        assert_eq!(read(b"a\n\xff\n", None, 0).unwrap(), b"a\n\xff\n");
        let mut half = utf_16("a\nb", u16::to_le_bytes);
        half.extend([0x00, 0xD8]);
        assert_eq!(read(&half, Some(UTF_16LE), 0).unwrap(), b"a\nb\xff");
        assert_eq!(read(b"a\n\x81\x00b", Some(SHIFT_JIS), 0).unwrap(), b"a\n\xff\x00b");
    }

    #[test]
    fn lines_are_skipped_whatever_ends_them() {
        for text in
            ["one\n\nthree\nrest\n", "one\r\n\r\nthree\r\nrest\n", "one\r\rthree\rrest\n", "\u{feff}\n\n\nrest\n"]
        {
            assert_eq!(read(text.as_bytes(), None, 3).unwrap(), b"rest\n", "{text:?}");
        }
        assert_eq!(read(b"one\ntwo", None, 2).unwrap(), b"");
        assert_eq!(read(b"one\ntwo\n", None, 3).unwrap_err(), "it has no more than 3 lines; lower `skip`");
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let pack = |text: &[u8]| {
            let mut packed = GzEncoder::new(Vec::new(), Compression::default());
            packed.write_all(text).unwrap();
            packed.finish().unwrap()
        };
        let mut two = pack("\u{feff}a\n".as_bytes());
        two.extend(pack(b"b\n"));
        assert_eq!(read(&two, None, 0).unwrap(), b"a\nb\n");
        assert_eq!(read(&pack(&utf_16("\u{feff}£", u16::to_le_bytes)), None, 0).unwrap(), "£".as_bytes());
        assert!(read(&two[..4], None, 0).is_err());
    }
}
