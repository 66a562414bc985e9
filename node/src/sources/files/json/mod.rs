//! Reads JSON lines, or one array of objects, as text columns: a key is a column, and what is nested stays JSON. The
//! features of GeoJSON are read like it, each with its geometry in one column more.

mod collection;
mod feature;
mod object;

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, Read};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayBuilder, ArrayRef, BinaryBuilder, RecordBatch, RecordBatchOptions, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::text::{self, Text};
use super::{BATCH_ROWS, Batches, Fault, LONGEST_RECORD, LeftOut, RecordFault, RecordPlace, Records, Rows};
use collection::Features;
use feature::{FeatureObjects, GEOMETRY};
use object::Splitter;

/// Most keys of all objects together.
const MOST_KEYS: usize = 4096;
/// Bytes of geometry after which a batch is not filled further.
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// What the objects of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Rows.
    Rows,
    /// Features of GeoJSON.
    Features,
}

/// A row that is to be.
struct Object {
    line: u64,
    /// Each key with the text of its value.
    members: Vec<(String, Option<String>)>,
    /// Of a feature, as well-known binary.
    geometry: Option<Vec<u8>>,
}

/// The objects of a file.
type Found = Box<dyn Iterator<Item = Result<Object, Fault>> + Send>;

/// A file of JSON objects whose keys are known.
#[derive(Debug)]
pub(super) struct JsonFile {
    path: PathBuf,
    kind: Kind,
    schema: SchemaRef,
}

fn objects(path: &Path, kind: Kind) -> Result<Found, Fault> {
    Ok(match kind {
        Kind::Rows => Box::new(Objects::of(path)?.map(|object| {
            let (line, text) = object?;
            Ok(Object { line, members: members(line, &text)?, geometry: None })
        })),
        Kind::Features => Box::new(FeatureObjects(Features::of(path)?)),
    })
}

impl JsonFile {
    /// Opens a file and gathers the keys of all its objects, in the order in which they are met.
    pub(super) fn open(path: &Path, kind: Kind) -> Result<Self, Fault> {
        let (mut seen, mut fields) = (HashSet::new(), Vec::new());
        for object in objects(path, kind)? {
            for (key, _) in object?.members {
                if !seen.contains(&key) {
                    fields.push(Field::new(&key, DataType::Utf8, true));
                    seen.insert(key);
                }
            }
            if seen.len() > MOST_KEYS {
                return Err(Fault::Read(format!("its objects have more than {MOST_KEYS} keys; put names into values")));
            }
        }
        match kind {
            Kind::Features => fields.push(Field::new(GEOMETRY, DataType::Binary, true)),
            Kind::Rows if fields.is_empty() => return Err(Fault::Read("it has no object with a key".into())),
            Kind::Rows => {}
        }
        Ok(Self { path: path.to_path_buf(), kind, schema: Arc::new(Schema::new(fields)) })
    }
}

impl Records for JsonFile {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn rows(self: Arc<Self>) -> Result<Batches, Fault> {
        let objects = objects(&self.path, self.kind)?;
        let texts = self.schema.fields().iter().filter(|field| *field.data_type() == DataType::Utf8);
        let columns = texts.enumerate().map(|(at, field)| (field.name().clone(), at)).collect();
        Ok(Box::new(JsonRows { schema: Arc::clone(&self.schema), kind: self.kind, columns, objects, ended: false }))
    }

    fn place(&self, line: u64) -> Option<RecordPlace> {
        Some(RecordPlace::Line(line))
    }
}

fn members(line: u64, text: &str) -> Result<Vec<(String, Option<String>)>, Fault> {
    object::members(text).map_err(|fault| Fault::at_line(line, fault))
}

struct JsonRows {
    schema: SchemaRef,
    kind: Kind,
    columns: HashMap<String, usize>,
    objects: Found,
    ended: bool,
}

impl JsonRows {
    fn read(&mut self) -> Result<Option<Rows>, Fault> {
        let mut columns: Vec<StringBuilder> = self.columns.iter().map(|_| StringBuilder::new()).collect();
        let (mut geometries, mut bytes, mut numbers) = (BinaryBuilder::new(), 0, Vec::new());
        while numbers.len() < BATCH_ROWS && bytes < BATCH_BYTES {
            let Some(object) = self.objects.next() else { break };
            let Object { line, members, geometry } = object?;
            bytes += geometry.as_ref().map_or(0, Vec::len);
            geometries.append_option(geometry);
            for (key, value) in members {
                // A key that wasn't there when the file was opened: it is changing, and will be read again.
                let column = self.columns.get(&key).and_then(|column| columns.get_mut(*column));
                column.ok_or_else(|| Fault::Read("it changed while it was read".into()))?.append_option(value);
            }
            numbers.push(line);
            for column in columns.iter_mut().filter(|column| column.len() < numbers.len()) {
                column.append_null();
            }
        }
        if numbers.is_empty() {
            return Ok(None);
        }
        let mut columns: Vec<ArrayRef> =
            columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect();
        if self.kind == Kind::Features {
            columns.push(Arc::new(geometries.finish()));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(numbers.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options);
        let batch = batch.map_err(|_| Fault::Read("its rows are no table".into()))?;
        Ok(Some(Rows { batch, numbers, left_out: LeftOut::default() }))
    }
}

impl Iterator for JsonRows {
    type Item = Result<Rows, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.read().transpose();
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }
}

/// The objects of a file as text, each with the line on which it starts.
struct Objects {
    text: Text,
    line: u64,
    /// Where the file is one array of them.
    array: Option<Splitter>,
    ended: bool,
}

impl Objects {
    fn of(path: &Path) -> Result<Self, Fault> {
        let (mut text, mut line) = (text::open(path, None, 0)?, 1);
        let opens = object::behind_blanks(&mut text, &mut line, |byte| byte.is_ascii_whitespace())?;
        let array = (opens == Some(b'[')).then(Splitter::default);
        text.consume(usize::from(array.is_some()));
        Ok(Self { text, line, array, ended: false })
    }

    fn line(&mut self) -> Result<Option<(u64, String)>, Fault> {
        loop {
            let (line, mut bytes) = (self.line, Vec::new());
            let mut limited = self.text.by_ref().take(LONGEST_RECORD as u64 + 1);
            let read = limited.read_until(b'\n', &mut bytes).map_err(|error| Fault::of_reading(&error))?;
            if read == 0 {
                return Ok(None);
            }
            if read > LONGEST_RECORD {
                return Err(Fault::at_line(line, RecordFault::Long));
            }
            self.line += 1;
            if !bytes.iter().all(u8::is_ascii_whitespace) {
                return text_of(line, bytes).map(Some);
            }
        }
    }
}

fn text_of(line: u64, bytes: Vec<u8>) -> Result<(u64, String), Fault> {
    let text = String::from_utf8(bytes).map_err(|_| Fault::at_line(line, RecordFault::Encoding("UTF-8")))?;
    Ok((line, text))
}

impl Iterator for Objects {
    type Item = Result<(u64, String), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(splitter) = &mut self.array else { return self.line().transpose() };
        match splitter.next(&mut self.text, &mut self.line) {
            Ok(None) if mem::replace(&mut self.ended, true) => None,
            Ok(None) => object::nothing_behind(&mut self.text, &mut self.line).err().map(Err),
            Ok(Some((line, bytes))) => Some(text_of(line, bytes)),
            Err(fault) => Some(Err(fault)),
        }
    }
}
