//! The page of an agreement, as all its bodies tell it.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use meridian_proto::Name;

use super::Frame;
use super::lists::some;
use super::parts::{Alike, alike, as_of, beside, class, contact, dates, leaves, state, wide};
use crate::register::model::{Agreement, Fact};
use crate::register::view::{Said, Told, answered};
use crate::register::words::{MonthName, many, number};

/// The page.
pub(in crate::register) fn agreement(frame: &Frame<'_>, id: &str, told: &[Told<'_>]) -> String {
    let agreements: Vec<(&Name, &Agreement)> =
        told.iter().filter_map(|told| Some((&told.register.body, told.agreement()?))).collect();
    let titles = variants(agreements.iter().map(|(_, agreement)| agreement.title.to_string()).collect());
    let title = titles.into_iter().next().map_or_else(|| id.to_owned(), |(title, _)| title);
    let main = html! {
        p.above { "Agreement" }
        h1 { (title) " " (state(agreements.iter().any(|(_, agreement)| agreement.in_force))) }
        @if agreements.is_empty() {
            p.lead { "It was withdrawn. What was used of it stays here." }
        } @else {
            p.lead {
                (many(agreements.len() as u64, "body shares", "bodies share")) " data under it. Where they say different things of \
                 it, each is shown."
            }
            (facts(frame, &agreements))
            h2 { "What is shared" }
            (items(frame, &agreements))
        }
        h2 { "How often it was used" }
        (used(told))
        h2 { "Body by body" }
        (bodies(frame, &title, told))
        (beside(frame))
    };
    frame.page(&title, &main)
}

/// Different texts, the one that is said most often first, with the places of those who say it.
pub(super) fn variants(texts: Vec<String>) -> Vec<(String, Vec<usize>)> {
    let mut said: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, text) in texts.into_iter().enumerate() {
        said.entry(text).or_default().push(place);
    }
    let mut said: Vec<_> = said.into_iter().collect();
    said.sort_by_key(|(_, places)| std::cmp::Reverse(places.len()));
    said
}

/// More different answers than this are folded.
const MOST_ANSWERS: usize = 3;

/// What it says of itself.
fn facts(frame: &Frame<'_>, agreements: &[(&Name, &Agreement)]) -> Markup {
    let all: Vec<Vec<Fact>> = agreements.iter().map(|(_, agreement)| agreement.facts()).collect();
    let when = variants(agreements.iter().map(|(_, agreement)| dates(agreement)).collect());
    let first = all.first().map(Vec::as_slice).unwrap_or_default();
    html! {
        dl.facts {
            @for (at, Fact { key, label, .. }) in first.iter().enumerate() {
                @let texts: Vec<String> = all.iter().filter_map(|facts| facts.get(at)).map(|fact| fact.text.clone()).collect();
                @let said = if is_of_bodies(key) { union(&texts) } else { variants(texts) };
                @if said.iter().any(|(text, _)| !text.is_empty()) {
                    dt { (label) }
                    (answers(frame, key, &said, agreements))
                }
            }
            dt { "When" }
            (answers(frame, "when", &when, agreements))
            dt { "Name in the logs" }
            dd { code { (agreements.first().map(|(_, agreement)| agreement.id.as_str()).unwrap_or_default()) } }
        }
    }
}

/// What is said, and by whom where not all say the same.
fn answers(frame: &Frame<'_>, key: &str, said: &[(String, Vec<usize>)], agreements: &[(&Name, &Agreement)]) -> Markup {
    let by = |places: &[usize]| -> Vec<&Name> {
        places.iter().filter_map(|at| agreements.get(*at)).map(|(body, _)| *body).collect()
    };
    html! {
        @if said.len() > MOST_ANSWERS {
            dd {
                details {
                    summary { (many(said.len() as u64, "answer", "different answers")) }
                    ul.plain.said {
                        @for (text, places) in said {
                            li { (value(frame, key, text)) div.by { (some(frame, &by(places))) } }
                        }
                    }
                }
            }
        } @else {
            @for (text, places) in said {
                dd { (value(frame, key, text)) @if said.len() > 1 { div.by { (some(frame, &by(places))) } } }
            }
        }
    }
}

/// Whether a fact lists bodies: then all that are named by any body belong to it.
fn is_of_bodies(key: &str) -> bool {
    matches!(key, "recipients" | "parties")
}

fn union(texts: &[String]) -> Vec<(String, Vec<usize>)> {
    let words: BTreeSet<&str> = texts.iter().flat_map(|text| text.split(' ')).filter(|word| !word.is_empty()).collect();
    vec![(words.into_iter().collect::<Vec<_>>().join(" "), Vec::new())]
}

/// A fact as a page shows it: bodies and addresses are links.
pub(super) fn value(frame: &Frame<'_>, key: &str, text: &str) -> Markup {
    match key {
        key if is_of_bodies(key) => {
            let bodies: Vec<Name> = text.split(' ').filter_map(|word| word.parse().ok()).collect();
            // A body of another federation has no page here.
            let abroad = text.split(' ').filter(|word| word.contains('.'));
            html! {
                @if !bodies.is_empty() { (some(frame, &bodies.iter().collect::<Vec<_>>())) }
                @for body in abroad { " " code { (body) } }
            }
        }
        "purpose" => html! { code { (text) } },
        _ if text.is_empty() => html! { "Not said" },
        _ => contact(text),
    }
}

/// What is shared: what many bodies share alike is said once.
fn items(frame: &Frame<'_>, agreements: &[(&Name, &Agreement)]) -> Markup {
    html! {
        ul.items {
            @for Alike { item, title, bodies, .. } in alike(agreements.iter().copied()) {
                li {
                    h3 { (title) " " code { (item.dataset) } }
                    p { (leaves(item)) }
                    div.by { (some(frame, &bodies)) }
                }
            }
        }
    }
}

/// Use by months at all bodies together.
fn used(told: &[Told<'_>]) -> Markup {
    let mut months: BTreeMap<MonthName, (u64, u64, u64)> = BTreeMap::new();
    for month in told.iter().flat_map(Told::months) {
        let sum = months.entry(month.month).or_default();
        *sum = (sum.0 + 1, sum.1.saturating_add(month.questions), sum.2.saturating_add(month.interrupted));
    }
    if months.is_empty() {
        return html! { p { "It was not used so far." } };
    }
    let table = html! {
        table.broad {
            caption { "Answers by month, at all bodies" }
            thead {
                tr {
                    th scope="col" { "Month" }
                    th.number scope="col" { "Bodies that answered" }
                    th.number scope="col" { "Answers" }
                    th.number scope="col" { "Of these cut off or under way" }
                }
            }
            tbody {
                @for (month, (bodies, questions, interrupted)) in months.iter().rev() {
                    tr {
                        th scope="row" { (month.told()) }
                        td.number { (number(*bodies)) }
                        td.number { (number(*questions)) }
                        td.number { (number(*interrupted)) }
                    }
                }
            }
        }
    };
    html! {
        (wide("Answers by month", &table))
        p.meta { "A question that is put to many bodies is answered by each of them, and counted at each." }
    }
}

fn bodies(frame: &Frame<'_>, title: &str, told: &[Told<'_>]) -> Markup {
    let month = frame.view.month();
    let table = html! {
        table.broad {
            caption { "Who shares data under “" (title) "”" }
            thead {
                tr {
                    th scope="col" { "Body" }
                    th scope="col" { "State" }
                    th.number scope="col" { "Answers in " (month.told()) }
                    th.number scope="col" { "Answers in all" }
                    th.number scope="col" { "Rows that left in the last month of use" }
                    th scope="col" { "Told" }
                }
            }
            tbody {
                @for it in told {
                    tr {
                        th scope="row" { (frame.named(&it.register.body)) }
                        td {
                            @match it.said {
                                Said::Agreement(agreement) => { (state(agreement.in_force)) }
                                Said::Ended(_) => { "Withdrawn" }
                            }
                        }
                        td.number { (number(answered(it.months(), month))) }
                        td.number { (number(it.months().iter().map(|month| month.questions).sum())) }
                        td.number { (it.months().last().map_or_else(|| "–".into(), |last| class(last.rows))) }
                        td { (as_of(frame, it.register)) }
                    }
                }
            }
        }
    };
    wide("Body by body", &table)
}
