//! Checks where a dataset's rows come from.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use encoding_rs::Encoding;
use toml::Spanned;

use super::super::NodeConfig;
use super::super::problem::{File, Report};
use super::super::raw::{self, Dropped};
use super::asked;
use crate::sources::{CsvFormat, ExcelFormat, InStore, STORE_SCHEME, SourceKind, Sqlite, Tidy};

/// The keys beside kind, and the kinds of sources that know them.
const KEYS: [(&str, &[raw::SourceKind]); 14] = [
    (
        "path",
        &[
            raw::SourceKind::Parquet,
            raw::SourceKind::Csv,
            raw::SourceKind::Excel,
            raw::SourceKind::Jsonl,
            raw::SourceKind::Geojson,
            raw::SourceKind::Sqlite,
        ],
    ),
    ("delimiter", &[raw::SourceKind::Csv]),
    ("header", &[raw::SourceKind::Csv, raw::SourceKind::Excel]),
    ("encoding", &[raw::SourceKind::Csv]),
    ("skip", &[raw::SourceKind::Csv, raw::SourceKind::Excel]),
    ("pad", &[raw::SourceKind::Csv]),
    ("trim", &[raw::SourceKind::Csv, raw::SourceKind::Excel]),
    ("drop", &[raw::SourceKind::Csv, raw::SourceKind::Excel]),
    ("sheet", &[raw::SourceKind::Excel]),
    ("database", &[raw::SourceKind::Postgres]),
    ("engine", &[raw::SourceKind::FlightSql]),
    ("table", &[raw::SourceKind::Postgres, raw::SourceKind::Sqlite, raw::SourceKind::FlightSql]),
    ("refresh", &[raw::SourceKind::Postgres, raw::SourceKind::FlightSql]),
    ("as_text", &[raw::SourceKind::Sqlite]),
];

pub(super) fn kind(
    file: &File,
    raw: &raw::Source,
    node: Option<&NodeConfig>,
    report: &mut Report,
) -> Option<SourceKind> {
    known_keys(file, raw, report);
    let header = raw.header.as_ref().is_none_or(|header| *header.get_ref());
    let skip = raw.skip.as_ref().map_or(0, |skip| *skip.get_ref());
    match raw.kind.get_ref() {
        raw::SourceKind::Postgres => asked::postgres(file, raw, node, report).map(SourceKind::Postgres),
        raw::SourceKind::FlightSql => asked::flight_sql(file, raw, node, report).map(SourceKind::FlightSql),
        raw::SourceKind::Parquet => Some(SourceKind::Parquet),
        raw::SourceKind::Jsonl => Some(SourceKind::JsonLines),
        raw::SourceKind::Geojson => Some(SourceKind::GeoJson),
        raw::SourceKind::Sqlite => {
            let table = needed(file, raw, ("table", "trees"), raw.table.as_ref(), report)?;
            let table = file.text(report, "source.table", table)?;
            let as_text = raw.as_text.as_ref().map(|names| names.get_ref().clone()).unwrap_or_default();
            Some(SourceKind::Sqlite(Sqlite { table, as_text }))
        }
        raw::SourceKind::Csv => {
            let (delimiter, encoding) = (delimiter(file, raw, report), encoding(file, raw, report));
            let pad = raw.pad.as_ref().is_some_and(|pad| *pad.get_ref());
            let tidy = tidy(file, raw, header, report);
            Some(SourceKind::Csv(CsvFormat { delimiter: delimiter?, header, encoding: encoding?, skip, pad, tidy }))
        }
        raw::SourceKind::Excel => {
            let sheet = raw.sheet.as_ref().map(|sheet| file.text(report, "source.sheet", sheet));
            let tidy = tidy(file, raw, header, report);
            let sheet = match sheet {
                Some(sheet) => Some(sheet?),
                None => None,
            };
            Some(SourceKind::Excel(ExcelFormat { sheet, header, skip, tidy }))
        }
    }
}

/// The file or folder; what messages call it, where it is on a server, and the store that it is in, if it is in one.
pub(super) fn place(
    file: &File,
    base: &Path,
    raw: &raw::Source,
    (kind, node): (Option<&SourceKind>, Option<&NodeConfig>),
    report: &mut Report,
) -> Option<(PathBuf, Option<InStore>)> {
    match (raw.kind.get_ref(), kind) {
        (raw::SourceKind::Postgres, Some(SourceKind::Postgres(table))) => Some((table.place(), None)),
        (raw::SourceKind::FlightSql, Some(SourceKind::FlightSql(table))) => Some((table.place(), None)),
        (raw::SourceKind::Postgres | raw::SourceKind::FlightSql, _) => None,
        (
            raw::SourceKind::Parquet
            | raw::SourceKind::Csv
            | raw::SourceKind::Excel
            | raw::SourceKind::Jsonl
            | raw::SourceKind::Geojson
            | raw::SourceKind::Sqlite,
            _,
        ) => {
            let path = needed(file, raw, ("path", "data/incidents.csv"), raw.path.as_ref(), report)?;
            match path.get_ref().strip_prefix(STORE_SCHEME) {
                Some(_) if *raw.kind.get_ref() == raw::SourceKind::Sqlite => {
                    let what = "source.path names an object, and SQLite reads a file of this machine alone".to_owned();
                    file.problem(
                        report,
                        path.span(),
                        what,
                        "copy the file to this machine, and name it here".to_owned(),
                    );
                    None
                }
                Some(named) => in_store(file, path, named, node?, report).map(|found| (found.place(), Some(found))),
                None => file.existing(report, base, "source.path", path).map(|path| (path, None)),
            }
        }
    }
}

/// What is named behind `s3://`, in a bucket that node.toml knows.
fn in_store(
    file: &File,
    said: &Spanned<String>,
    named: &str,
    node: &NodeConfig,
    report: &mut Report,
) -> Option<InStore> {
    let (bucket, key) = named.split_once('/').unwrap_or((named, ""));
    let found = node.stores.iter().find(|store| store.config().bucket == bucket);
    if found.is_none() {
        let known: Vec<&str> = node.stores.iter().map(|store| store.config().bucket.as_str()).collect();
        let what = format!("source.path names the bucket {bucket:?}, which is none of node.toml");
        let fix = match known.as_slice() {
            [] => "add [[stores]] with this bucket to node.toml, and restart the node".to_owned(),
            known => format!("write one of {}, or add it under [[stores]]", known.join(", ")),
        };
        file.problem(report, said.span(), what, fix);
    }
    let odd = key.split('/').rev().skip(1).any(str::is_empty) || key.split('/').any(|part| matches!(part, "." | ".."));
    if odd {
        let what = format!("source.path is {:?}, whose key has an empty part or dots for one", said.get_ref());
        file.problem(report, said.span(), what, "write the key as the store lists it, such as s3://bucket/homes/2024/");
        return None;
    }
    Some(InStore { store: Arc::clone(found?), key: key.to_owned() })
}

/// A key without which a kind of source can't be.
pub(super) fn needed<'a>(
    file: &File,
    raw: &raw::Source,
    (key, example): (&str, &str),
    said: Option<&'a Spanned<String>>,
    report: &mut Report,
) -> Option<&'a Spanned<String>> {
    if said.is_none() {
        let what = format!("`{key}` is missing");
        file.problem(report, raw.kind.span(), what, format!("add it, such as {key} = \"{example}\""));
    }
    said
}

/// Where each key stands, in the order of [`KEYS`].
fn places(raw: &raw::Source) -> [Option<Range<usize>>; 14] {
    [
        raw.path.as_ref().map(Spanned::span),
        raw.delimiter.as_ref().map(Spanned::span),
        raw.header.as_ref().map(Spanned::span),
        raw.encoding.as_ref().map(Spanned::span),
        raw.skip.as_ref().map(Spanned::span),
        raw.pad.as_ref().map(Spanned::span),
        raw.trim.as_ref().map(Spanned::span),
        raw.drop.as_ref().map(Spanned::span),
        raw.sheet.as_ref().map(Spanned::span),
        raw.database.as_ref().map(Spanned::span),
        raw.engine.as_ref().map(Spanned::span),
        raw.table.as_ref().map(Spanned::span),
        raw.refresh.as_ref().map(Spanned::span),
        raw.as_text.as_ref().map(Spanned::span),
    ]
}

fn known_keys(file: &File, raw: &raw::Source, report: &mut Report) {
    for ((key, kinds), at) in KEYS.iter().zip(places(raw)) {
        if let Some(at) = at.filter(|_| !kinds.contains(raw.kind.get_ref())) {
            let kinds: Vec<&str> = kinds.iter().map(|kind| word(*kind)).collect();
            let what = format!("{key} stands in a source of kind {}", word(*raw.kind.get_ref()));
            file.problem(report, at, what, format!("leave it out: it is for {} only", kinds.join(" and ")));
        }
    }
}

fn word(kind: raw::SourceKind) -> &'static str {
    match kind {
        raw::SourceKind::Parquet => "parquet",
        raw::SourceKind::Csv => "csv",
        raw::SourceKind::Excel => "excel",
        raw::SourceKind::Jsonl => "jsonl",
        raw::SourceKind::Geojson => "geojson",
        raw::SourceKind::Sqlite => "sqlite",
        raw::SourceKind::Postgres => "postgres",
        raw::SourceKind::FlightSql => "flight_sql",
    }
}

fn delimiter(file: &File, raw: &raw::Source, report: &mut Report) -> Option<u8> {
    let Some(text) = &raw.delimiter else { return Some(b',') };
    match text.get_ref().as_bytes() {
        [delimiter] if delimiter.is_ascii() && !matches!(delimiter, b'"' | b'\r' | b'\n') => Some(*delimiter),
        _ => {
            let what = format!("source.delimiter is {:?}", text.get_ref());
            file.problem(report, text.span(), what, "write one ASCII character that is no quote and no line break");
            None
        }
    }
}

/// The encoding that is said, if one is.
fn encoding(file: &File, raw: &raw::Source, report: &mut Report) -> Option<Option<&'static Encoding>> {
    let Some(label) = &raw.encoding else { return Some(None) };
    let found = Encoding::for_label(label.get_ref().as_bytes());
    if found.is_none() {
        let what = format!("source.encoding is {:?}, which is no encoding of the web's standard", label.get_ref());
        let fix = "write utf-8, windows-1252, utf-16le or another label of https://encoding.spec.whatwg.org/#names-and-labels";
        file.problem(report, label.span(), what, fix);
    }
    found.map(Some)
}

fn tidy(file: &File, raw: &raw::Source, header: bool, report: &mut Report) -> Tidy {
    let drops = |what| raw.drop.as_ref().is_some_and(|drop| drop.get_ref().contains(&what));
    let tidy = Tidy {
        trim: raw.trim.as_ref().is_some_and(|trim| *trim.get_ref()),
        blank_rows: drops(Dropped::BlankRows),
        repeated_headings: drops(Dropped::RepeatedHeadings),
    };
    if let Some(drop) = raw.drop.as_ref().filter(|_| tidy.repeated_headings && !header) {
        let what = "source.drop names repeated_headings, and the file has none";
        file.problem(report, drop.span(), what, "leave it out, or set header = true");
    }
    tidy
}
