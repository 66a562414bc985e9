//! The page of a body.

use maud::{Markup, html};
use meridian_proto::Name;

use super::Frame;
use super::agreement::value;
use super::home::{answers, refusals};
use super::parts::{Figure, as_of, beside, dates, figures, leaves, months, state, two_months, wide};
use crate::register::model::{Agreement, Register};
use crate::register::words::number;

/// The page.
pub(in crate::register) fn body(frame: &Frame<'_>, body: &Name, register: Option<&Register>) -> String {
    let title = frame.view.title(body);
    let main = html! {
        p.above { "Body" }
        h1 { (title) }
        @match register {
            None => {
                p.inset {
                    (title) " belongs to the federation, and this node has not heard from it yet. Nothing is known here of what it \
                     shares."
                }
            }
            Some(register) => { (told(frame, register)) }
        }
        (beside(frame))
    };
    frame.page(title, &main)
}

fn told(frame: &Frame<'_>, register: &Register) -> Markup {
    let (view, month) = (frame.view, frame.view.month());
    let in_force = register.agreements.iter().filter(|agreement| agreement.in_force).count() as u64;
    let figure = |what: &str, of: &dyn Fn(_) -> u64| -> Figure {
        (format!("{what} in {} so far", month.told()), of(month), two_months(month, of(month.before())))
    };
    html! {
        p.lead {
            (as_of(frame, register)) "."
            @if let Some(day) = register.counted { " Use is counted to the end of " (day.told()) "." }
        }
        @if !view.is_fresh(register) {
            p.inset { "Its node can't be reached at the moment. What it has said before stays here." }
        }
        (figures(&[
            ("Agreements in force".into(), in_force, String::new()),
            figure("Answers", &|month| answers(register, month)),
            figure("Refused", &|month| refusals(register, month)),
        ]))
        h2 { "What it shares under agreements" }
        @if register.agreements.is_empty() { p { "Nothing." } }
        @for agreement in &register.agreements { (section(frame, agreement)) }
        @if !register.ended.is_empty() {
            h2 { "Agreements that were withdrawn" }
            @for ended in &register.ended { (months(&format!("Use of {}", ended.id), &ended.months)) }
        }
        @if !register.algorithms.is_empty() {
            h2 { "Algorithms" }
            ul {
                @for algorithm in &register.algorithms {
                    li {
                        a href=(frame.to(&format!("algorithms/{}/{}", register.body, algorithm.id))) { (algorithm.first("name")) }
                    }
                }
            }
        }
        h2 { "Open data" }
        p { "Anybody may have it, without an agreement." }
        (months("Answers from open data to other bodies", &register.open))
        h2 { "What it refused" }
        @if register.refused.is_empty() { p { "Nothing so far." } }
        @else { (refused(register)) }
        @if register.counts_are_recent {
            p.meta { "Older records of its log are archived, and not counted here." }
        }
    }
}

fn section(frame: &Frame<'_>, agreement: &Agreement) -> Markup {
    html! {
        section.agreement {
            h3 { a href=(frame.to(&format!("agreements/{}", agreement.id))) { (agreement.title) } " " (state(agreement.in_force)) }
            dl.facts {
                @for fact in agreement.facts().iter().filter(|fact| !fact.text.is_empty()) {
                    dt { (fact.label) } dd { (value(frame, fact.key, &fact.text)) }
                }
                dt { "When" } dd { (dates(agreement)) }
                @for item in &agreement.items {
                    dt { "Shares " (item.title) } dd { (leaves(item)) }
                }
            }
            (months(&format!("Use of “{}”", agreement.title), &agreement.months))
        }
    }
}

fn refused(register: &Register) -> Markup {
    wide(
        "Refused questions",
        &html! {
            table {
                caption { "Questions that were refused" }
                thead { tr { th scope="col" { "Month" } th.number scope="col" { "Questions" } } }
                tbody {
                    @for refused in register.refused.iter().rev() {
                        tr { th scope="row" { (refused.month.told()) } td.number { (number(refused.questions)) } }
                    }
                }
            }
        },
    )
}
