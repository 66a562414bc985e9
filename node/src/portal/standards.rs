//! The standards, agreed shapes of data, and who keeps to them.

use maud::{Markup, html};

use super::pages::Frame;
use crate::catalogue::Entry;
use crate::register::{many, wide};
use crate::standards::{Standard, StandardColumn, ValidValues};

/// The page of all standards.
pub(super) fn list(frame: &Frame<'_>) -> String {
    let main = html! {
        h1 { "Standards" }
        p.lead { "Agreed shapes of data, so that one question can be asked of all bodies that hold the same." }
        h2.unseen { "All standards" }
        ul.cards {
            @for standard in &frame.pages.standards {
                li {
                    h3 { a href=(frame.to(&format!("standards/{}", standard.name))) { (standard.title) } }
                    p.meta {
                        code { (standard.name) } ". " (many(standard.columns.len() as u64, "column", "columns")) ". "
                        (many(conforming(frame, standard).count() as u64, "dataset keeps", "datasets keep")) " to it."
                    }
                }
            }
        }
    };
    frame.page("Standards", &main)
}

fn conforming<'a>(frame: &'a Frame<'_>, standard: &'a Standard) -> impl Iterator<Item = &'a Entry> {
    frame.pages.entries().iter().filter(move |entry| entry.dataset.standard.as_ref() == Some(&standard.name))
}

/// The page of one.
pub(super) fn one(frame: &Frame<'_>, standard: &Standard) -> String {
    let datasets: Vec<&Entry> = conforming(frame, standard).collect();
    let main = html! {
        p.above { "Standard" }
        h1 { (standard.title) }
        dl.facts {
            dt { "Name" } dd { code { (standard.name) } }
            @if !standard.keys.is_empty() {
                dt { "No two rows have the same" }
                dd { @for (at, key) in standard.keys.iter().enumerate() { @if at > 0 { ", " } code { (key) } } }
            }
            dt { "Asked of all at once" } dd { code { "every." (standard.name) } }
        }
        h2 { "Columns" }
        (wide("Columns", &columns(standard)))
        h2 { "Datasets that keep to it" }
        @if datasets.is_empty() { p { "None that anybody may know of." } }
        ul.plain {
            @for entry in datasets {
                li {
                    a href=(frame.to(&format!("datasets/{}/{}", entry.body, entry.dataset.name))) { (entry.dataset.title) }
                    ", " (entry.publisher)
                }
            }
        }
    };
    frame.page(&standard.title, &main)
}

fn columns(standard: &Standard) -> Markup {
    html! {
        table.broad {
            caption { "Columns in their order" }
            thead {
                tr {
                    th scope="col" { "Name" }
                    th scope="col" { "Type" }
                    th scope="col" { "What it is" }
                    th scope="col" { "Valid values" }
                }
            }
            tbody {
                @for column in &standard.columns {
                    tr {
                        th scope="row" { code { (column.name) } }
                        td { (column.column_type) @if column.required { ", required" } }
                        td { (column.description) @if !column.concept.is_empty() { " " code { (column.concept) } } }
                        td { (valid(column)) }
                    }
                }
            }
        }
    }
}

fn valid(column: &StandardColumn) -> Markup {
    html! {
        @match &column.values {
            None => { "all" }
            Some(ValidValues::List(values)) => { (values.join(", ")) }
            Some(ValidValues::Range { from, to }) => {
                @if let Some(from) = from { "from " (from) " " }
                @if let Some(to) = to { "to " (to) }
            }
            Some(ValidValues::Pattern(pattern)) => { "like " code { (pattern) } }
        }
    }
}
