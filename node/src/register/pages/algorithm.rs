//! The pages of algorithms: records of the Algorithmic Transparency Recording Standard, each with its query.

use maud::html;

use super::Frame;
use super::parts::{beside, contact, cut};
use crate::register::model::{Algorithm, Register};
use crate::register::view::Place;

/// The page of all algorithms.
pub(in crate::register) fn algorithms(frame: &Frame<'_>) -> String {
    let card = |(register, algorithm): (&Register, &Algorithm)| {
        html! {
            li {
                h2 {
                    a href=(frame.to(&format!("algorithms/{}/{}", register.body, algorithm.id))) { (algorithm.first("name")) }
                }
                p { (algorithm.first("description")) }
                p.meta { (register.title) }
            }
        }
    };
    let (cards, way) = cut(frame, frame.view.algorithms().map(card).collect());
    let main = html! {
        h1 { "Algorithms" }
        p.lead {
            "Queries and models that help to decide about people, each with a record after the UK Algorithmic Transparency Recording \
             Standard and with the query itself."
        }
        @if frame.view.algorithms().next().is_none() { p { "No body has published one." } }
        ul.cards { (cards) }
        (way)
        (beside(frame))
    };
    frame.page("Algorithms", &main)
}

/// The page of one.
pub(in crate::register) fn algorithm(frame: &Frame<'_>, register: &Register, algorithm: &Algorithm) -> String {
    let name = algorithm.first("name");
    let main = html! {
        p.above { "Algorithm of " (frame.named(&register.body)) }
        h1 { (name) }
        @for section in &algorithm.sections {
            h2 { "Tier " (section.tier) ": " (section.title) }
            dl.facts {
                @for field in &section.fields {
                    dt { (field.label) }
                    dd { (contact(field.text.as_str())) }
                }
            }
        }
        h2 { "Data that it uses" }
        ul { @for dataset in &algorithm.datasets { li { code { (dataset) } } } }
        h2 { "The query" }
        @if algorithm.sql.is_empty() { p { "It can't be read at the moment." } }
        div.wide tabindex="0" role="region" aria-label="The query" { pre { code { (algorithm.sql) } } }
        @if frame.place == Place::Served { p.meta { "As it is in force now; the address of this page stays." } }
        (beside(frame))
    };
    frame.page(name, &main)
}
