//! Looks through a packed workbook before it is parsed: one that unpacks to more than memory is for, or makes the parser
//! reserve more than it holds, is refused.

use std::io::{Cursor, Read};

use zip::ZipArchive;

use super::Fault;

/// Most bytes to which all parts of a workbook unpack.
const LARGEST: u64 = 1024 * 1024 * 1024;
/// Bytes of the shortest text among those that cells share, `<si/>`.
const SHORTEST: u64 = 5;
/// The parser reserves memory for as many texts as this attribute says.
const COUNT: &[u8] = b"uniqueCount";

/// Looks through it.
pub(super) fn check(bytes: &[u8]) -> Result<(), Fault> {
    let damaged = || Fault::Read("it is a damaged .xlsx workbook; save it anew with a spreadsheet program".into());
    let mut parts = ZipArchive::new(Cursor::new(bytes)).map_err(|_| damaged())?;
    let mut left = LARGEST;
    for index in 0..parts.len() {
        let part = parts.by_index(index).map_err(|_| damaged())?;
        let shared = part.name().map_err(|_| damaged())?.to_ascii_lowercase().ends_with("sharedstrings.xml");
        let mut unpacked = part.take(left + 1);
        let length = if shared {
            let mut texts = Vec::new();
            unpacked.read_to_end(&mut texts).map_err(|_| damaged())?;
            let length = texts.len() as u64;
            if most_said(texts) > length / SHORTEST {
                return Err(damaged());
            }
            length
        } else {
            std::io::copy(&mut unpacked, &mut std::io::sink()).map_err(|_| damaged())?
        };
        left = left.checked_sub(length).ok_or_else(|| {
            Fault::Read(format!("it unpacks to more than {} MiB; save it as CSV", LARGEST / 1024 / 1024))
        })?;
    }
    Ok(())
}

/// The largest number that any such attribute says, in whichever of Unicode's encodings.
fn most_said(mut xml: Vec<u8>) -> u64 {
    xml.retain(|byte| *byte != 0);
    let places = xml.windows(COUNT.len()).enumerate().filter(|(_, window)| *window == COUNT);
    let said = places.map(|(at, _)| {
        let behind = xml.iter().skip(at + COUNT.len());
        let value = behind.skip_while(|byte| byte.is_ascii_whitespace() || matches!(byte, b'=' | b'"' | b'\'' | b'+'));
        let digits = value.take_while(|byte| byte.is_ascii_digit()).map(|byte| u64::from(byte - b'0'));
        digits.fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(digit))
    });
    said.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_shared_texts_is_found() {
        let wide: Vec<u8> = r#"<sst uniqueCount="12">"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (xml, expected) in [
            (&b"<sst/>"[..], 0),
            (br#"<sst count="7" uniqueCount="12">"#, 12),
            (b"<!-- uniqueCount='3' --><sst uniqueCount = '99999999999999999999999'>", u64::MAX),
            (&wide, 12),
        ] {
            assert_eq!(most_said(xml.to_vec()), expected);
        }
    }
}
