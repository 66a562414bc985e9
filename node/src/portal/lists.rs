//! The search, and lists of datasets.

use maud::{Markup, html};

use super::pages::Frame;
use crate::catalogue::{Entry, Freshness};
use crate::register::{encoded, many};

/// Datasets of one part of a list.
const SHOWN: usize = 50;

/// The page of all datasets, or of those that were found; `None` where the part is beyond the last.
pub(super) fn all(frame: &Frame<'_>) -> Option<String> {
    let pages = frame.pages;
    let found: Vec<&Entry> = match frame.search {
        Some(search) => {
            let hits = pages.known.index.search(search);
            hits.iter().filter_map(|hit| pages.entries().get(hit.at)).collect()
        }
        None => pages.entries().iter().collect(),
    };
    let (cards, way) = cut(frame, &found)?;
    let main = html! {
        h1 { "Find data" }
        p.lead {
            "What the public bodies of the federation hold and publish: what is open to anybody, and what may be used in which form, \
             under which terms."
        }
        form.search method="get" action=(frame.to("")) role="search" aria-label="Find data" {
            label for="q" { "What are you looking for?" }
            p.hint id="q-hint" { "Words of a title, a column, a publisher or a keyword, or how they begin" }
            div.field {
                input type="search" id="q" name="q" aria-describedby="q-hint" maxlength="100" autocomplete="off" value=[frame.search];
                button type="submit" { "Find" }
            }
        }
        @if let Some(search) = frame.search {
            p role="status" {
                (many(found.len() as u64, "dataset", "datasets")) " for “" (search) "”. " a href=(frame.to("")) { "Show all" }
            }
        } @else {
            p { (many(found.len() as u64, "dataset", "datasets")) ", by body and name." }
        }
        h2.unseen { "Datasets" }
        ul.cards { (cards) }
        (way)
    };
    Some(frame.page("Find data", &main))
}

/// The page of what one body publishes; `None` where there is nothing that anybody may know of.
pub(super) fn of_body(frame: &Frame<'_>, body: &str) -> Option<String> {
    let entries: Vec<&Entry> = frame.pages.entries().iter().filter(|entry| entry.body.as_str() == body).collect();
    let publisher = entries.first()?.publisher.as_str();
    let (cards, way) = cut(frame, &entries)?;
    let main = html! {
        p.above { "Body" }
        h1 { "What " (publisher) " publishes" }
        p {
            (many(entries.len() as u64, "dataset", "datasets")) ". "
            a href=(frame.to(&format!("../register/bodies/{body}"))) { "What it shares under agreements" }
        }
        h2.unseen { "Datasets" }
        ul.cards { (cards) }
        (way)
    };
    Some(frame.page(publisher, &main))
}

/// One part of a list, and the way to the next.
fn cut(frame: &Frame<'_>, entries: &[&Entry]) -> Option<(Markup, Markup)> {
    let before = frame.part.checked_sub(1)?.checked_mul(SHOWN)?;
    if before > 0 && before >= entries.len() {
        return None;
    }
    let shown = entries.iter().skip(before).take(SHOWN);
    let more = entries.len() > before + SHOWN;
    let sought = frame.search.map(|search| format!("q={}&", encoded(search))).unwrap_or_default();
    let way = html! {
        @if more || frame.part > 1 {
            p.meta {
                "This is part " (frame.part) " of a long list. "
                @if more { a href={ (frame.to(frame.address)) "?" (sought) "part=" (frame.part + 1) } { "Next part" } }
                @else { a href={ (frame.to(frame.address)) "?" (sought) "part=1" } { "First part" } }
            }
        }
    };
    Some((html! { @for entry in shown { (card(frame, entry)) } }, way))
}

fn card(frame: &Frame<'_>, entry: &Entry) -> Markup {
    let dataset = &entry.dataset;
    let fresh = Freshness::of(dataset, frame.pages.today);
    html! {
        li {
            h3 {
                a href=(frame.to(&format!("datasets/{}/{}", entry.body, dataset.name))) { (first_words(&dataset.title)) } " "
                (super::dataset::tag(dataset.form))
            }
            @if !dataset.description.is_empty() { p { (first_words(&dataset.description)) } }
            p.meta {
                (first_words(&entry.publisher)) "."
                @if let Some(day) = fresh.last_change { " Last changed on " (day.format("%-d %B %Y")) "." }
                @if fresh.overdue == Some(true) { " " strong { "A change is overdue." } }
            }
        }
    }
}

/// As much of a text as a list has room for.
fn first_words(text: &str) -> String {
    const ROOM: usize = 220;
    if text.chars().count() <= ROOM {
        return text.to_owned();
    }
    let cut: String = text.chars().take(ROOM).collect();
    format!("{}…", cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words))
}
