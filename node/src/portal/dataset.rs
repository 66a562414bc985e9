//! The page of a dataset.

use maud::{Markup, html};
use meridian_proto::{Column, Covers, Form, Role};

use super::pages::Frame;
use crate::catalogue::{Entry, Freshness, sizes};
use crate::register::{contact, wide};

/// The page.
pub(super) fn page(frame: &Frame<'_>, entry: &Entry) -> String {
    let dataset = &entry.dataset;
    let beside = |ending: &str| frame.to(&format!("datasets/{}/{}.{ending}", entry.body, dataset.name));
    let main = html! {
        p.above { "Dataset of " a href=(frame.to(&format!("bodies/{}", entry.body))) { (entry.publisher) } }
        h1 { (dataset.title) " " (tag(dataset.form)) }
        @if !dataset.description.is_empty() { p.lead { (dataset.description) } }
        (facts(frame, entry))
        h2 { "How new and how good it is" }
        (quality(frame, entry))
        h2 { "Columns" }
        @if dataset.columns.is_empty() { p { "Its rows can be counted; it has no columns that others may know of." } }
        @else { (wide("Columns", &columns(&dataset.columns, dataset.form))) }
        (super::files::part(frame, entry))
        h2 { "How to use it" }
        (usage(entry))
        p.beside-page {
            "This page as " a href=(beside("json")) { "JSON" } " or " a href=(beside("jsonld")) { "DCAT-AP (JSON-LD)" } "."
        }
    };
    frame.page(&dataset.title, &main)
}

/// In which form it leaves, in few words.
pub(super) fn tag(form: Form) -> Markup {
    html! {
        @match form {
            Form::Open => { span.tag.good { "Open data" } }
            Form::Rows => { span.tag { "Records by agreement" } }
            Form::Statistics => { span.tag { "Statistics" } }
            Form::None => { span.tag { "Does not leave" } }
        }
    }
}

fn facts(frame: &Frame<'_>, entry: &Entry) -> Markup {
    let dataset = &entry.dataset;
    let about = &dataset.about;
    html! {
        dl.facts {
            dt { "Who may have it" } dd { (entry.terms()) }
            dt { "Licence" } dd { (contact(&dataset.licence)) }
            dt { "Published by" } dd { (entry.publisher) }
            @if let Some(standard) = &dataset.standard {
                dt { "Keeps to the standard" }
                dd { a href=(frame.to(&format!("standards/{standard}"))) { (standard) } }
            }
            @if !dataset.coverage.is_empty() {
                dt { "In every row" }
                dd {
                    @for coverage in &dataset.coverage {
                        code { (coverage.column) } " " (covers(&coverage.covers)) br;
                    }
                }
            }
            dt { "Size" } dd { (sizes(dataset.size_class)) }
            @if !about.keywords.is_empty() { dt { "Keywords" } dd { (about.keywords.join(", ")) } }
            @if let Some(whom) = &about.contact {
                dt { "Whom to ask" } dd { (whom.name) ", " (contact(&whom.email)) }
            }
            dt { "Identifier" } dd { code { (entry.id()) } }
        }
    }
}

fn covers(covers: &Covers) -> String {
    match covers {
        Covers::Value(value) => format!("is {value}"),
        Covers::Range { from: Some(from), to: Some(to) } => format!("is from {from} to {to}"),
        Covers::Range { from: Some(from), to: None } => format!("is {from} or more"),
        Covers::Range { from: None, to: Some(to) } => format!("is {to} or less"),
        Covers::Range { from: None, to: None } => "has a value".into(),
    }
}

fn quality(frame: &Frame<'_>, entry: &Entry) -> Markup {
    let dataset = &entry.dataset;
    let fresh = Freshness::of(dataset, frame.pages.today);
    html! {
        dl.facts {
            dt { "Last changed" }
            dd {
                @match fresh.last_change {
                    Some(day) => { (day.format("%-d %B %Y")) }
                    None => { "Not known" }
                }
                @if fresh.overdue == Some(true) { ". " strong { "A change is overdue." } }
            }
            dt { "Renewed" }
            dd { @if dataset.update_frequency.trim().is_empty() { "Not said" } @else { (dataset.update_frequency) } }
            dt { "Checked when it was loaded" }
            dd {
                @match &dataset.about.quality {
                    None => { "It can't be read at the moment." }
                    Some(quality) if quality.checks.is_empty() => { "Nothing: it is a view of other datasets." }
                    Some(quality) => {
                        @for check in &quality.checks { (check.told()) br; }
                        @if let Some(class) = quality.failing_class {
                            strong { "Not valid by the standard: at most " (10_u64.saturating_pow(class)) " values" }
                        }
                    }
                }
            }
        }
    }
}

fn columns(columns: &[Column], form: Form) -> Markup {
    html! {
        table.broad {
            caption { "Columns in their order" }
            thead {
                tr {
                    th scope="col" { "Name" }
                    th scope="col" { "Type" }
                    th scope="col" { "What it is" }
                    @if form == Form::Statistics { th scope="col" { "Used as" } }
                }
            }
            tbody {
                @for column in columns {
                    tr {
                        th scope="row" { code { (column.name) } }
                        td { (column.column_type) @if !column.unit.is_empty() { ", " (column.unit) } }
                        td {
                            (column.description)
                            @if !column.concept.is_empty() { " " code { (column.concept) } }
                            @if column.required { " Always there." }
                        }
                        @if form == Form::Statistics { td { (used_as(column.role)) } }
                    }
                }
            }
        }
    }
}

fn used_as(role: Role) -> &'static str {
    match role {
        Role::Dimension => "label, filter",
        Role::Measure => "sum, average",
        Role::Identifier => "counted, never shown",
        Role::Hidden => "not at all",
    }
}

fn usage(entry: &Entry) -> Markup {
    let dataset = &entry.dataset;
    let name = format!("{}.{}", entry.body, dataset.name);
    let label = dataset.columns.iter().find(|column| column.role == Role::Dimension).map(|column| column.name.as_str());
    let question = match (dataset.form, label) {
        (Form::Statistics, Some(label)) => format!("SELECT {label}, COUNT(*) FROM {name} GROUP BY {label}"),
        (Form::Statistics, None) => format!("SELECT COUNT(*) FROM {name}"),
        (Form::Open | Form::Rows | Form::None, _) => format!("SELECT * FROM {name} LIMIT 10"),
    };
    html! {
        p {
            "An analyst of any body of the federation asks in SQL at their own body's node"
            @match dataset.form {
                Form::Open => { "." }
                Form::Statistics | Form::Rows => {
                    ", for a stated purpose" @if dataset.form == Form::Rows || dataset.needs_agreement { " and under an agreement" } ":"
                }
                Form::None => { "; of this dataset nothing is answered:" }
            }
        }
        (wide("Example", &html! { pre { code { (question) } } }))
    }
}
