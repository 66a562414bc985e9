//! Finds the features in a file of GeoJSON without reading all of it: a collection, one feature, or one after another.

use std::io::BufRead;
use std::path::Path;

use super::super::text::{self, Text};
use super::super::{Fault, LONGEST_RECORD, RecordFault};
use super::object::{self, Nesting, Splitter, behind_blanks, first, json};

/// Stands before each feature of a sequence after RFC 8142.
const RECORD_SEPARATOR: u8 = 0x1E;

/// The features of a file as text, each with the line on which it starts.
pub(super) struct Features {
    text: Text,
    line: u64,
    stage: Stage,
}

enum Stage {
    /// The first object has been read.
    Begun(u64, Vec<u8>),
    /// Objects one after another.
    Sequence,
    /// Within the features of a collection.
    Collection(Splitter),
    Ended,
}

impl Features {
    /// Opens a file, and reads what stands in a collection before its features.
    pub(super) fn of(path: &Path) -> Result<Self, Fault> {
        let mut found = Self { text: text::open(path, None, 0)?, line: 1, stage: Stage::Ended };
        if !found.opens()? {
            return Err(Fault::Read("it holds no feature".into()));
        }
        found.stage = found.begin()?;
        Ok(found)
    }

    /// Goes on to the next object; whether there is one.
    fn opens(&mut self) -> Result<bool, Fault> {
        let blank = |byte: u8| byte.is_ascii_whitespace() || byte == RECORD_SEPARATOR;
        match behind_blanks(&mut self.text, &mut self.line, blank)? {
            None => Ok(false),
            Some(b'{') => Ok(true),
            Some(_) => Err(json(self.line, "it is no feature and no collection of features")),
        }
    }

    /// The members of the first object, as far as its `features` if it has such, otherwise all of it.
    fn begin(&mut self) -> Result<Stage, Fault> {
        let (start, mut nesting, mut object) = (self.line, Nesting::default(), vec![b'{']);
        self.text.consume(1);
        let mut member = object.len();
        loop {
            let byte = self.next_byte(start, &mut object)?;
            match (nesting.step(byte), byte) {
                (true, b',') => member = object.len(),
                (true, b'}') => return Ok(Stage::Begun(start, object)),
                (true, b':') if is_features(object.get(member..)) && self.array_follows()? => {
                    self.text.consume(1);
                    object.truncate(member);
                    self.around(start, object)?;
                    return Ok(Stage::Collection(Splitter::default()));
                }
                _ => {}
            }
        }
    }

    fn next_byte(&mut self, start: u64, into: &mut Vec<u8>) -> Result<u8, Fault> {
        let byte = first(&mut self.text)?.ok_or_else(|| json(start, "the file ends within it"))?;
        self.text.consume(1);
        self.line += u64::from(byte == b'\n');
        into.push(byte);
        if into.len() > LONGEST_RECORD { Err(Fault::at_line(start, RecordFault::Long)) } else { Ok(byte) }
    }

    fn array_follows(&mut self) -> Result<bool, Fault> {
        Ok(behind_blanks(&mut self.text, &mut self.line, |byte| byte.is_ascii_whitespace())? == Some(b'['))
    }

    /// Checks what stands around the features of a collection, a piece of an object without its end.
    fn around(&self, line: u64, mut piece: Vec<u8>) -> Result<(), Fault> {
        while piece.last().is_some_and(|byte| byte.is_ascii_whitespace() || *byte == b',') {
            piece.pop();
        }
        piece.push(b'}');
        let (line, text) = super::text_of(line, piece)?;
        let members = super::members(line, &text)?;
        match members.iter().find(|(key, _)| key == "type") {
            Some((_, Some(found))) if found != "FeatureCollection" => {
                return Err(json(line, "what has features is no FeatureCollection"));
            }
            _ => {}
        }
        wgs84(&members)
    }

    /// What stands behind the features of a collection.
    fn end(&mut self) -> Result<(), Fault> {
        let (start, mut nesting, mut rest) = (self.line, Nesting::default(), Vec::new());
        loop {
            let byte = self.next_byte(start, &mut rest)?;
            if nesting.step(byte) && byte == b'}' {
                break;
            }
        }
        rest.pop();
        let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        match rest.get(blanks..) {
            None | Some([]) => {}
            Some([b',', members @ ..]) => self.around(start, [b"{", members].concat())?,
            Some(_) => return Err(json(start, "a comma is missing behind its features")),
        }
        object::nothing_behind(&mut self.text, &mut self.line)
    }

    /// An object that opens here.
    fn object(&mut self) -> Result<(u64, Vec<u8>), Fault> {
        let (start, mut nesting, mut object) = (self.line, Nesting::default(), Vec::new());
        loop {
            let byte = self.next_byte(start, &mut object)?;
            nesting.step(byte);
            if nesting.is_closed() {
                return Ok((start, object));
            }
        }
    }

    fn feature(&mut self) -> Result<Option<(u64, Vec<u8>)>, Fault> {
        match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Ended => Ok(None),
            Stage::Begun(line, object) => {
                self.stage = Stage::Sequence;
                Ok(Some((line, object)))
            }
            Stage::Sequence => {
                if !self.opens()? {
                    return Ok(None);
                }
                let object = self.object()?;
                self.stage = Stage::Sequence;
                Ok(Some(object))
            }
            Stage::Collection(mut splitter) => match splitter.next(&mut self.text, &mut self.line)? {
                Some(feature) => {
                    self.stage = Stage::Collection(splitter);
                    Ok(Some(feature))
                }
                None => self.end().map(|()| None),
            },
        }
    }
}

impl Iterator for Features {
    type Item = Result<(u64, String), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.feature().transpose()?;
        Some(found.and_then(|(line, bytes)| super::text_of(line, bytes)))
    }
}

/// Whether the text before a colon is the key `features`.
fn is_features(member: Option<&[u8]>) -> bool {
    let text = member.and_then(|member| std::str::from_utf8(member).ok()).unwrap_or_default();
    text.trim().trim_end_matches(':').trim_end() == "\"features\""
}

/// Refuses a `crs` that is another than WGS 84; GeoJSON has had none else since RFC 7946 (4), and older files have theirs.
pub(super) fn wgs84(members: &[(String, Option<String>)]) -> Result<(), Fault> {
    let Some((_, Some(crs))) = members.iter().find(|(key, _)| key == "crs") else { return Ok(()) };
    let crs: serde_json::Value = serde_json::from_str(crs).unwrap_or_default();
    let name = crs.pointer("/properties/name").and_then(|name| name.as_str()).unwrap_or("something else");
    let known = name.to_ascii_uppercase();
    if known.ends_with("CRS84") || known.contains("EPSG") && known.ends_with(":4326") {
        return Ok(());
    }
    let name: String = name.chars().take(64).flat_map(char::escape_debug).collect();
    Err(Fault::Read(format!(
        "its coordinates are in {name} and not in longitude and latitude of WGS 84, as GeoJSON has them; convert it, as \
         ogr2ogr does with -t_srs EPSG:4326"
    )))
}
