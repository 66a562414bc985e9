//! Checks where a dataset's rows come from.

use toml::Spanned;

use super::super::problem::{File, Report};
use super::super::raw;
use crate::sources::SourceKind;

pub(super) fn kind(file: &File, raw: &raw::Source, report: &mut Report) -> Option<SourceKind> {
    match raw.kind {
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
