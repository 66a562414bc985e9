//! What several pages show: figures, tables of months, what is shared, a field to search with.

use std::collections::BTreeMap;

use maud::{Markup, html};
use meridian_proto::{Form, Name};

use super::Frame;
use crate::register::model::{Agreement, Class, Item, Month, Register};
use crate::register::part::{Cut, Part};
use crate::register::view::Place;
use crate::register::words::{MonthName, number};

/// A figure that stands out: what it counts, how many, and what is to be said beside it.
pub(super) type Figure = (String, u64, String);

/// The figures with which a page begins.
pub(super) fn figures(figures: &[Figure]) -> Markup {
    html! {
        dl.figures {
            @for (label, count, beside) in figures {
                div {
                    dt { (label) }
                    dd.count { (number(*count)) }
                    @if !beside.is_empty() { dd.beside { (beside) } }
                }
            }
        }
    }
}

/// A table that scrolls by itself where the screen is narrow.
pub(crate) fn wide(label: &str, table: &Markup) -> Markup {
    html! { div.wide tabindex="0" role="region" aria-label=(label) { (table) } }
}

/// Use by months, the newest first.
pub(super) fn months(caption: &str, months: &[Month]) -> Markup {
    if months.is_empty() {
        return html! { p { (caption) ": none so far." } };
    }
    let table = html! {
        table.broad {
            caption { (caption) }
            thead {
                tr {
                    th scope="col" { "Month" }
                    th.number scope="col" { "Answers" }
                    th.number scope="col" { "Of these cut off or under way" }
                    th.number scope="col" { "Rows that left" }
                    th.number scope="col" { "Data that left" }
                }
            }
            tbody {
                @for month in months.iter().rev() {
                    tr {
                        th scope="row" { (month.month.told()) }
                        td.number { (number(month.questions)) }
                        td.number { (number(month.interrupted)) }
                        td.number { (class(month.rows)) (unknown(month)) }
                        td.number { (bytes(month.bytes)) (unknown(month)) }
                    }
                }
            }
        }
    };
    wide(caption, &table)
}

/// Volumes don't have those of which nobody knows how much left.
fn unknown(month: &Month) -> &'static str {
    if month.unknown > 0 { ", and more" } else { "" }
}

/// A class as a person reads it.
pub(super) fn class(class: Class) -> String {
    match class.to {
        0 => "0".into(),
        to => format!("{} to {}", number(class.from), number(to)),
    }
}

/// A class of bytes.
pub(super) fn bytes(class: Class) -> String {
    let unit = |bytes: u64| match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{} GB", number(bytes / 1_000_000_000)),
    };
    match class.to {
        0 => "0".into(),
        to => format!("{} to {}", unit(class.from), unit(to.saturating_add(1))),
    }
}

/// A dataset that bodies share alike under an agreement.
pub(super) struct Alike<'a> {
    pub(super) item: &'a Item,
    /// The bodies' own where they say the same, else the dataset's name.
    pub(super) title: String,
    pub(super) agreement: &'a Agreement,
    pub(super) bodies: Vec<&'a Name>,
}

/// Gathers what bodies share alike: what is said of it may name the body, so that titles are not compared.
pub(super) fn alike<'a>(agreements: impl IntoIterator<Item = (&'a Name, &'a Agreement)>) -> Vec<Alike<'a>> {
    let mut found: BTreeMap<_, Alike<'a>> = BTreeMap::new();
    for (body, agreement) in agreements {
        for item in &agreement.items {
            let Item { dataset, title, form, columns, smallest_group, onward } = item;
            let key = (&agreement.id, dataset, form, columns, smallest_group, onward);
            let first = || Alike { item, title: title.to_string(), agreement, bodies: Vec::new() };
            let alike = found.entry(key).or_insert_with(first);
            alike.bodies.push(body);
            if alike.title != title.as_str() {
                alike.title = readable(dataset);
            }
        }
    }
    found.into_values().collect()
}

/// A name as a person reads it.
pub(crate) fn readable(name: &Name) -> String {
    let words = name.as_str().replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().collect::<String>() + letters.as_str()).unwrap_or_default()
}

/// What leaves of a dataset, in words.
pub(super) fn leaves(item: &Item) -> Markup {
    html! {
        @match item.form {
            Form::Statistics => {
                "Leaves as statistics of groups of at least " (number(item.smallest_group.into()))
                ": counts, sums and averages, never a single record. Columns that may be used: "
            }
            Form::Rows => { "Leaves as single records, with the columns " }
            Form::Open => { "Open data, with the columns " }
            Form::None => { "Does not leave. It has the columns " }
        }
        @for (at, column) in item.columns.iter().enumerate() {
            @if at > 0 { ", " }
            code { (column) }
        }
        "."
        @if item.onward { " May be passed on to analysts of other bodies." }
    }
}

/// In how few words a form can be said.
pub(super) fn form(item: &Item) -> String {
    match item.form {
        Form::Statistics => format!("statistics of groups of at least {}", number(item.smallest_group.into())),
        Form::Rows => "single records".into(),
        Form::Open => "open data".into(),
        Form::None => "nothing".into(),
    }
}

/// Whether an agreement holds.
pub(super) fn state(in_force: bool) -> Markup {
    html! {
        @if in_force { span.tag.good { "In force" } }
        @else { span.tag { "Not in force" } }
    }
}

/// From when to when an agreement holds: its first and its last day.
pub(super) fn dates(agreement: &Agreement) -> String {
    let last = agreement.end.0.pred_opt().map_or(agreement.end, crate::register::Day);
    format!("{} to {}", agreement.start.told(), last.told())
}

/// As of when a body's register is.
pub(super) fn as_of(frame: &Frame<'_>, register: &Register) -> Markup {
    html! {
        "As of " (register.made.told())
        @if !frame.view.is_fresh(register) { ", " strong { "not heard of since" } }
    }
}

/// A month and the one before, as the labels of figures say it.
pub(super) fn two_months(month: MonthName, last: u64) -> String {
    format!("{}: {}", month.before().told(), number(last))
}

/// A field to search a list with; files can't be searched.
pub(super) fn search(frame: &Frame<'_>, address: &str, label: &str, hint: &str) -> Markup {
    html! {
        @if frame.place == Place::Served {
            form.search method="get" action=(frame.to(address)) role="search" aria-label=(label) {
                label for="q" { (label) }
                p.hint id="q-hint" { (hint) }
                div.field {
                    input type="search" id="q" name="q" aria-describedby="q-hint" maxlength="100" autocomplete="off"
                        value=[frame.search.filter(|_| frame.address == address)];
                    button type="submit" { "Find" }
                }
            }
        }
    }
}

/// How many of a list are shown, where it was searched.
pub(super) fn found(frame: &Frame<'_>, count: usize, one: &str, more: &str) -> Markup {
    let count = crate::register::words::many(count as u64, one, more);
    html! {
        @if let Some(search) = frame.search {
            p role="status" { (count) " for “" (search) "”. " a href=(frame.to(frame.address)) { "Show all" } }
        }
    }
}

/// The items of a list that are shown, and the way to the others.
pub(super) fn cut(frame: &Frame<'_>, items: Vec<Markup>) -> (Markup, Markup) {
    let cut = frame.part.of(items, |item| item.0.len()).unwrap_or(Cut { items: Vec::new(), next: None });
    let sought = frame.search.map(|search| format!("q={}&", encoded(search))).unwrap_or_default();
    let way = html! {
        @if let (Part::Number(number), true) = (frame.part, cut.next.is_some() || frame.part != Part::Number(1)) {
            p.meta {
                "This is part " (number) " of a long list. "
                @if let Some(next) = cut.next { a href={ (frame.to(frame.address)) "?" (sought) "part=" (next) } { "Next part" } }
                @else { a href=(frame.to(frame.address)) { "First part" } }
            }
        }
    };
    (html! { @for item in cut.items { (item) } }, way)
}

/// A text as it stands in an address.
pub(crate) fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// The same as tables for programs.
pub(super) fn beside(frame: &Frame<'_>) -> Markup {
    let at = |ending: &str| frame.file(&format!("{}.{ending}", frame.address));
    html! {
        p.beside-page { "This page as " a href=(at("json")) { "JSON" } " or " a href=(at("csv")) { "CSV" } "." }
    }
}

/// A contact or an address: a link where it is an address of mail or of the web and nothing else.
pub(crate) fn contact(text: &str) -> Markup {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@.-_+".contains(c);
    let is_mail = text.matches('@').count() == 1 && text.chars().all(is_plain) && !text.starts_with('@');
    let is_web = text.starts_with("https://") && !text.contains(char::is_whitespace) && !text.contains(['"', '<', '>']);
    html! {
        @if is_mail { a href={ "mailto:" (text) } { (text) } }
        @else if is_web { a href=(text) rel="noreferrer" { (text) } }
        @else { (text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_bytes_are_told_in_units() {
        for (count, told) in [
            (0, "0"),
            (7, "1 B to 10 B"),
            (320, "100 B to 1 kB"),
            (99_999, "10 kB to 100 kB"),
            (1 << 30, "1 GB to 10 GB"),
        ] {
            assert_eq!(bytes(Class::of(count)), told);
        }
        assert_eq!(class(Class::of(12_345)), "10,000 to 99,999");
    }

    #[test]
    fn only_addresses_become_links() {
        assert!(contact("data@lfb.example").into_string().starts_with("<a href=\"mailto:data@lfb.example\""));
        assert!(contact("https://lfb.example/x").into_string().starts_with("<a href=\"https://lfb.example/x\""));
        for text in ["javascript:alert(1)", "data:text/html,x", "https://x \" onclick=1", "a@b@c", "Jo <jo@x.example>"]
        {
            assert!(!contact(text).into_string().contains("<a"), "{text}");
        }
    }
}
