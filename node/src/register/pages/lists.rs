//! The lists: agreements, bodies, datasets, refusals, each to be searched.

use std::collections::BTreeMap;

use maud::{Markup, html};
use meridian_proto::Name;

use super::Frame;
use super::parts::{Alike, alike, as_of, beside, cut, dates, form, found, search, state, wide};
use crate::register::model::Register;
use crate::register::view::answered;
use crate::register::words::{MonthName, many, number};

/// What a list says of an agreement.
pub(super) struct Summary {
    id: String,
    title: String,
    benefit: String,
    pub(super) in_force: bool,
    dates: String,
    pub(super) bodies: usize,
    /// Answers of this month and of the last.
    pub(super) now: u64,
    pub(super) last: u64,
}

/// All agreements, each as most of its bodies tell it.
pub(super) fn summaries(frame: &Frame<'_>) -> Vec<Summary> {
    let (view, month) = (frame.view, frame.view.month());
    let of = |id: &str| {
        let told = view.told(id);
        let agreements: Vec<_> = told.iter().filter_map(super::super::view::Told::agreement).collect();
        let most = |texts: Vec<String>| super::agreement::variants(texts).into_iter().next().map(|(text, _)| text);
        let sum = |month: MonthName| told.iter().map(|told| answered(told.months(), month)).sum();
        Summary {
            id: id.to_owned(),
            title: most(agreements.iter().map(|it| it.title.to_string()).collect()).unwrap_or_else(|| id.to_owned()),
            benefit: most(agreements.iter().map(|it| it.benefit.to_string()).collect()).unwrap_or_default(),
            in_force: agreements.iter().any(|it| it.in_force),
            dates: most(agreements.iter().map(|it| dates(it)).collect()).unwrap_or_else(|| "withdrawn".into()),
            bodies: told.len(),
            now: sum(month),
            last: sum(month.before()),
        }
    };
    view.ids().into_iter().map(|id| of(id.as_str())).collect()
}

/// An agreement in a list.
pub(super) fn card(frame: &Frame<'_>, summary: &Summary) -> Markup {
    let month = frame.view.month();
    html! {
        li {
            h3 { a href=(frame.to(&format!("agreements/{}", summary.id))) { (summary.title) } " " (state(summary.in_force)) }
            @if !summary.benefit.is_empty() { p { (summary.benefit) } }
            p.meta {
                (many(summary.bodies as u64, "body shares", "bodies share")) " data. " (summary.dates) ". "
                (many(summary.now, "answer", "answers")) " in " (month.told()) " so far, "
                (number(summary.last)) " in " (month.before().told()) "."
            }
        }
    }
}

/// The page of all agreements.
pub(in crate::register) fn agreements(frame: &Frame<'_>) -> String {
    let all = summaries(frame);
    let shown: Vec<&Summary> = all.iter().filter(|it| frame.shows(&[&it.id, &it.title, &it.benefit])).collect();
    let (cards, way) = cut(frame, shown.iter().map(|summary| card(frame, summary)).collect());
    let main = html! {
        h1 { "Agreements" }
        p.lead { "Each is told by every body that shares data under it, from its own files." }
        (search(frame, "agreements", "Find an agreement", "A word of its title or of its benefit"))
        (found(frame, shown.len(), "agreement", "agreements"))
        h2.unseen { "All agreements" }
        ul.cards { (cards) }
        (way)
        (beside(frame))
    };
    frame.page("Agreements", &main)
}

/// The page of all bodies.
pub(in crate::register) fn bodies(frame: &Frame<'_>) -> String {
    let view = frame.view;
    // By name and not by title: most titles begin with what kind of body it is.
    let shown = view.bodies.iter().filter(|(body, _)| frame.shows(&[body.as_str(), view.title(body)]));
    let shown: Vec<_> = shown.collect();
    let main = html! {
        h1 { "Bodies" }
        p.lead { "The public bodies of the federation, and as of when each has told its register." }
        (search(frame, "bodies", "Find your borough or another body", "For example Camden, or fire"))
        (found(frame, shown.len(), "body", "bodies"))
        ul.columns {
            @for (body, register) in shown {
                li {
                    (frame.named(body))
                    @match register {
                        Some(register) => {
                            span.meta {
                                (shares(register))
                                @if !frame.view.is_fresh(register) { ". " (as_of(frame, register)) }
                            }
                        }
                        None => { span.meta { strong { "Has not told its register yet" } } }
                    }
                }
            }
        }
        (beside(frame))
    };
    frame.page("Bodies", &main)
}

fn shares(register: &Register) -> String {
    let in_force = register.agreements.iter().filter(|agreement| agreement.in_force).count();
    if in_force == 0 {
        "No agreement in force".into()
    } else {
        many(in_force as u64, "agreement", "agreements") + " in force"
    }
}

/// The page of what is shared.
pub(in crate::register) fn datasets(frame: &Frame<'_>) -> String {
    let agreements =
        frame.view.registers().flat_map(|it| it.agreements.iter().map(move |agreement| (&it.body, agreement)));
    let mut shared = alike(agreements);
    shared.retain(|Alike { item, title, agreement, bodies }| {
        let of_body = || bodies.iter().any(|body| frame.shows(&[body.as_str(), frame.view.title(body)]));
        frame.shows(&[item.dataset.as_str(), title, item.title.as_str(), agreement.title.as_str()]) || of_body()
    });
    let line = |Alike { item, title, agreement, bodies }: &Alike<'_>| {
        html! {
            tr {
                th scope="row" { (title) br; code { (item.dataset) } }
                td { (form(item)) }
                td { a href=(frame.to(&format!("agreements/{}", agreement.id))) { (agreement.title) } }
                td { (some(frame, bodies)) }
            }
        }
    };
    let (lines, way) = cut(frame, shared.iter().map(line).collect());
    let table = html! {
        table.broad {
            caption { "Datasets and the agreements under which they are shared" }
            thead {
                tr {
                    th scope="col" { "Dataset" }
                    th scope="col" { "Leaves as" }
                    th scope="col" { "Agreement" }
                    th scope="col" { "Of" }
                }
            }
            tbody { (lines) }
        }
    };
    let main = html! {
        h1 { "Datasets" }
        p.lead { "What is shared under agreements, and in which form it may leave the body that keeps it." }
        (search(frame, "datasets", "Find a dataset", "A word of its title, an agreement, or a body such as Camden"))
        (found(frame, shared.len(), "line", "lines"))
        @if shared.is_empty() { p { "Nothing is shared under an agreement." } }
        @else { (wide("Datasets", &table)) }
        (way)
        (beside(frame))
    };
    frame.page("Datasets", &main)
}

/// A few bodies by name, many by their number.
pub(super) fn some(frame: &Frame<'_>, bodies: &[&Name]) -> Markup {
    html! {
        @if bodies.len() > 3 {
            details {
                summary { (many(bodies.len() as u64, "body", "bodies")) }
                (listed(frame, bodies))
            }
        } @else { (listed(frame, bodies)) }
    }
}

fn listed(frame: &Frame<'_>, bodies: &[&Name]) -> Markup {
    html! { ul.plain { @for body in bodies { li { (frame.named(body)) } } } }
}

/// The page of what was refused.
pub(in crate::register) fn refused(frame: &Frame<'_>) -> String {
    let mut months: BTreeMap<MonthName, Vec<(&Name, u64)>> = BTreeMap::new();
    for register in frame.view.registers() {
        for refused in &register.refused {
            months.entry(refused.month).or_default().push((&register.body, refused.questions));
        }
    }
    let month = |(month, bodies): (&MonthName, &Vec<(&Name, u64)>)| {
        html! {
            h2 { (month.told()) ": " (many(bodies.iter().map(|(_, count)| count).sum(), "question", "questions")) }
            (wide(&format!("Refused in {}", month.told()), &html! {
                table {
                    caption { "Refused in " (month.told()) ", by the body that refused" }
                    thead { tr { th scope="col" { "Body" } th.number scope="col" { "Questions" } } }
                    tbody {
                        @for (body, count) in bodies {
                            tr { th scope="row" { (frame.named(body)) } td.number { (number(*count)) } }
                        }
                    }
                }
            }))
        }
    };
    let (shown, way) = cut(frame, months.iter().rev().map(month).collect());
    let main = html! {
        h1 { "What was refused" }
        p.lead {
            "Questions that a body's node did not answer since its terms do not allow it: no agreement for the purpose, data that \
             must not leave, groups that are too small. Nothing left."
        }
        @if months.is_empty() { p { "Nothing was refused so far." } }
        (shown)
        (way)
        (beside(frame))
    };
    frame.page("What was refused", &main)
}
