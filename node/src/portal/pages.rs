//! What the catalogue's pages have in common, in the look of the register.

use maud::{Markup, html};

use super::Pages;
use crate::register::{Shell, Way, readable, shell};

/// The parts of the catalogue: address and name.
const PARTS: [(&str, &str); 2] = [("", "Datasets"), ("standards", "Standards")];

/// What a page is made in.
pub(super) struct Frame<'a> {
    pub(super) pages: &'a Pages,
    /// Its own address below the catalogue's.
    pub(super) address: &'a str,
    /// What somebody looks for.
    pub(super) search: Option<&'a str>,
    /// Which part of a list it shows, from 1.
    pub(super) part: usize,
}

impl Frame<'_> {
    /// A link to another document of the catalogue.
    pub(super) fn to(&self, address: &str) -> String {
        let up = "../".repeat(self.address.matches('/').count());
        if up.is_empty() && address.is_empty() { "./".into() } else { up + address }
    }

    /// The whole page.
    pub(super) fn page(&self, title: &str, main: &Markup) -> String {
        let federation = readable(&self.pages.federation);
        let part = match self.address.split('/').next() {
            Some("standards") => "standards",
            _ => "",
        };
        let parts = PARTS.iter().map(|(address, name)| Way { to: self.to(address), name, here: part == *address });
        let register = Way { to: self.to("../register/"), name: "Register", here: false };
        let foot = html! {
            p {
                "Made from what each body's node of the " (federation)
                " federation describes. No account, no cookies, no tracking."
            }
            p {
                "Everything: " a href=(self.to("catalogue.json")) { "JSON" } ", "
                a href=(self.to("catalogue.jsonld")) { "DCAT-AP (JSON-LD)" } ", "
                a href=(self.to("exchange-model.json")) { "UK metadata exchange model (JSON)" }
            }
        };
        let shown = Shell {
            site: format!("{federation} catalogue of public bodies' data"),
            home: self.to(""),
            files: self.to("../register/"),
            label: "Catalogue",
            ways: parts.chain([register]).collect(),
            foot,
        };
        shell(&shown, title, main)
    }
}

/// What a body tells would make the page too long.
pub(super) fn too_long(frame: &Frame<'_>) -> String {
    let main = html! {
        h1 { "This page is too long" }
        p { "What is told here would make it too long to be read. All of it is in " a href=(frame.to("catalogue.json")) { "the catalogue as JSON" } "." }
        p { a href=(frame.to("")) { "Go to all datasets" } }
    };
    frame.page("This page is too long", &main)
}

/// There is no such page.
pub(super) fn missing(frame: &Frame<'_>) -> String {
    let main = html! {
        h1 { "Page not found" }
        p { "There is no such page in the catalogue." }
        p { a href=(frame.to("")) { "Go to all datasets" } }
    };
    frame.page("Page not found", &main)
}
