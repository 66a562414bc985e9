//! The first page: figures, the agreements that are used most, and the way to a body.

use maud::html;

use super::Frame;
use super::lists::{card, summaries};
use super::parts::{Figure, figures, search, two_months};
use crate::register::model::Register;
use crate::register::view::{View, answered};
use crate::register::words::{MonthName, many};

/// Agreements that the first page shows.
const SHOWN: usize = 10;

/// The page.
pub(in crate::register) fn home(frame: &Frame<'_>) -> String {
    let (view, month) = (frame.view, frame.view.month());
    let mut agreements = summaries(frame);
    agreements.sort_by_key(|summary| std::cmp::Reverse((summary.in_force, summary.now + summary.last, summary.bodies)));
    let (bodies, told) = (view.bodies.len(), view.registers().count());
    let title = match view.registers().next() {
        Some(only) if bodies == 1 => format!("What {} shares", only.title),
        _ => format!("What the public bodies of {} share", frame.federation()),
    };
    let in_force = agreements.iter().filter(|summary| summary.in_force).count() as u64;
    let missing = (bodies - told) as u64;
    let beside = if missing == 0 { String::new() } else { format!("{missing} not heard from yet") };
    let shown: [Figure; 4] = [
        ("Agreements in force".into(), in_force, String::new()),
        ("Public bodies".into(), bodies as u64, beside),
        used(view, month),
        refused(view, month),
    ];
    let main = html! {
        h1 { (title) }
        p.lead {
            "The agreements under which public bodies let each other have data: what for, to whose benefit, under which law, and \
             how often they were used."
        }
        (figures(&shown))
        @if bodies > 1 { (search(frame, "bodies", "Find your borough or another body", "For example Camden, or fire")) }
        h2 { "Agreements" }
        @if agreements.is_empty() { p { "There is no agreement yet." } }
        ul.cards { @for summary in agreements.iter().take(SHOWN) { (card(frame, summary)) } }
        @if agreements.len() > SHOWN {
            p { a href=(frame.to("agreements")) { "All " (many(agreements.len() as u64, "agreement", "agreements")) } }
        }
        h2 { "How to read this" }
        p {
            "Nothing here was counted by hand: each body's node writes down every answer before it leaves, and these pages add up \
             what is written there. "
            a href=(frame.to("about")) { "What the words and figures mean" } "."
        }
    };
    frame.page(&title, &main)
}

/// Answers of a month, under agreements and from open data.
pub(super) fn used(view: &View, month: MonthName) -> Figure {
    let of = |month: MonthName| view.registers().map(|register| answers(register, month)).sum::<u64>();
    (format!("Answers in {} so far", month.told()), of(month), two_months(month, of(month.before())))
}

/// Answers of one body in a month.
pub(super) fn answers(register: &Register, month: MonthName) -> u64 {
    let agreements = register.agreements.iter().map(|agreement| &agreement.months);
    let all = agreements.chain(register.ended.iter().map(|ended| &ended.months)).chain([&register.open]);
    all.map(|months| answered(months, month)).sum()
}

fn refused(view: &View, month: MonthName) -> Figure {
    let of = |month: MonthName| view.registers().map(|register| refusals(register, month)).sum::<u64>();
    (format!("Refused in {} so far", month.told()), of(month), two_months(month, of(month.before())))
}

/// Refusals of one body in a month.
pub(super) fn refusals(register: &Register, month: MonthName) -> u64 {
    register.refused.iter().filter(|it| it.month == month).map(|it| it.questions).sum()
}
