//! What of this body's open data can be had as files, as it is told on a dataset's page.

use std::fmt;
use std::sync::Arc;

use maud::{Markup, html};
use meridian_proto::Form;
use serde::{Deserialize, Serialize};

use super::map::{self, Map};
use super::pages::Frame;
use crate::catalogue::{Distribution, Entry};
use crate::register::{MonthName, many, wide};

/// Where files come from.
pub trait Files: fmt::Debug + Send + Sync {
    /// What there is of a dataset of this body; `None` where it is not for anybody to have whole.
    fn offer(&self, entry: &Entry) -> Option<Offer>;

    /// Somebody looks at the dataset: its first rows are wanted.
    fn wish(&self, entry: &Entry);
}

/// What there is of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Offer {
    /// Another one whenever the files are others.
    pub version: String,
    /// The files; those whose length is not known are made when somebody asks for them.
    pub files: Vec<Distribution>,
    /// The first rows.
    pub sample: Sampled,
    /// How often files were fetched by month, the newest first.
    pub fetched: Vec<(MonthName, u64)>,
}

/// The first rows, or why there are none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Sampled {
    /// There they are.
    Rows(Arc<Sample>),
    /// They come with the file, which is being made.
    Making,
    /// The file would be larger than so many MiB.
    TooLarge(u32),
    /// The file can't be made at the moment.
    Failed,
}

/// The first rows of a dataset, as text; `None` is NULL.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sample {
    /// The columns.
    pub columns: Vec<String>,
    /// At most ten rows.
    pub rows: Vec<Vec<Option<String>>>,
    /// All rows on a map, where they can be drawn.
    #[serde(default)]
    pub map: Option<Map>,
}

/// The part of a dataset's page on its rows; nothing where it is not open.
pub(super) fn part(frame: &Frame<'_>, entry: &Entry) -> Markup {
    if entry.dataset.form != Form::Open {
        return html! {};
    }
    frame.pages.wish(entry);
    let Some(offer) = frame.pages.offer(entry) else {
        return html! { h2 { "The data itself" } (elsewhere(entry)) };
    };
    html! {
        h2 { "The data itself" }
        @if let Sampled::TooLarge(mib) = offer.sample {
            p { "It is larger than " (mib) " MiB." }
            (elsewhere(entry))
        } @else {
            ul {
                @for file in &offer.files {
                    li {
                        a href=(frame.to(&format!("datasets/{}/{}.{}", entry.body, entry.dataset.name, file.ending))) download {
                            "Download as " (file.title)
                        }
                        @if let Some(bytes) = file.bytes { ", " (size(bytes)) }
                    }
                }
            }
            p.meta {
                "The addresses stay, whatever becomes of the rows. In CSV, an apostrophe stands before a text that a spreadsheet would take \
                 for a formula; Parquet has all values as they are."
            }
        }
        (sample(&offer.sample))
        @if let Sampled::Rows(sample) = &offer.sample {
            @if let Some(map) = &sample.map { (map::part(map)) }
        }
        @for (month, fetched) in offer.fetched.iter().take(1) {
            p.meta { "Fetched " (many(*fetched, "time", "times")) " in " (month.told()) ", by whom is not counted." }
        }
    }
}

/// Where somebody turns to for what is not given here.
fn elsewhere(entry: &Entry) -> Markup {
    html! {
        @match &entry.dataset.about.contact {
            Some(whom) => p {
                "This page gives no file of it. Ask " (entry.publisher) ": " (whom.name) ", " (crate::register::contact(&whom.email)) "."
            },
            None => p { "This page gives no file of it. Ask " (entry.publisher) "." },
        }
    }
}

fn sample(sampled: &Sampled) -> Markup {
    match sampled {
        Sampled::Rows(sample) if sample.rows.is_empty() => html! { p { "It has no rows at the moment." } },
        Sampled::Rows(sample) => {
            let table = html! {
                table.broad {
                    caption { "The first " (many(sample.rows.len() as u64, "row", "rows")) " of the CSV file" }
                    thead { tr { @for name in &sample.columns { th scope="col" { code { (name) } } } } }
                    tbody {
                        @for row in &sample.rows {
                            tr { @for value in row { td { @if let Some(value) = value { (value) } } } }
                        }
                    }
                }
            };
            wide("First rows", &table)
        }
        Sampled::Making => html! { p { "Its first rows are shown here in a moment: load the page again." } },
        Sampled::TooLarge(_) => html! {},
        Sampled::Failed => html! { p { "Its first rows can't be shown at the moment." } },
    }
}

/// As people read it: `1.2 MB`.
fn size(bytes: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", bytes / unit, bytes % unit * 10 / unit);
    match bytes {
        0..1_000 => many(bytes, "byte", "bytes"),
        1_000..1_000_000 => format!("{} kB", tenths(1_000)),
        _ => format!("{} MB", tenths(1_000_000)),
    }
}
