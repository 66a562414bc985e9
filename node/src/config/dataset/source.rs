//! Checks where a dataset's rows come from.

use std::path::{Path, PathBuf};

use toml::Spanned;

use super::super::problem::{File, Report};
use super::super::{NodeConfig, raw};
use super::postgres;
use crate::sources::SourceKind;

pub(super) fn kind(
    file: &File,
    raw: &raw::Source,
    node: Option<&NodeConfig>,
    report: &mut Report,
) -> Option<SourceKind> {
    postgres::keys_elsewhere(file, raw, report);
    match raw.kind.get_ref() {
        raw::SourceKind::Postgres => postgres::table(file, raw, node, report).map(SourceKind::Postgres),
        raw::SourceKind::Parquet => {
            for at in [raw.delimiter.as_ref().map(Spanned::span), raw.header.as_ref().map(Spanned::span)]
                .into_iter()
                .flatten()
            {
                file.problem(
                    report,
                    at,
                    "delimiter or header stands in a parquet source",
                    "leave it out: it is for csv only",
                );
            }
            Some(SourceKind::Parquet)
        }
        raw::SourceKind::Csv => {
            let header = raw.header.as_ref().is_none_or(|header| *header.get_ref());
            let Some(text) = &raw.delimiter else {
                return Some(SourceKind::Csv { delimiter: b',', header });
            };
            match text.get_ref().as_bytes() {
                [delimiter] if !matches!(delimiter, b'"' | b'\r' | b'\n') => {
                    Some(SourceKind::Csv { delimiter: *delimiter, header })
                }
                _ => {
                    let what = format!("source.delimiter is {:?}", text.get_ref());
                    file.problem(
                        report,
                        text.span(),
                        what,
                        "write one ASCII character that is no quote and no line break",
                    );
                    None
                }
            }
        }
    }
}

/// The file or folder; what messages call it, where it is neither.
pub(super) fn path(
    file: &File,
    base: &Path,
    raw: &raw::Source,
    kind: Option<&SourceKind>,
    report: &mut Report,
) -> Option<PathBuf> {
    match (raw.kind.get_ref(), kind) {
        (raw::SourceKind::Postgres, Some(SourceKind::Postgres(table))) => Some(table.place()),
        (raw::SourceKind::Postgres, _) => None,
        (raw::SourceKind::Parquet | raw::SourceKind::Csv, _) => {
            let path = needed(file, raw, ("path", "data/incidents.csv"), raw.path.as_ref(), report)?;
            file.existing(report, base, "source.path", path)
        }
    }
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
