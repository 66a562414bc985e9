//! The pages: plain HTML without scripts or anything from elsewhere, for eyes, keyboards and screen readers alike.

mod about;
mod agreement;
mod algorithm;
mod body;
mod home;
mod lists;
mod parts;
mod shell;

use maud::{Markup, html};
use meridian_proto::Name;

use super::part::Part;
use super::view::{Place, View};

pub(super) use about::{about, missing, too_long};
pub(super) use agreement::agreement;
pub(super) use algorithm::{algorithm, algorithms};
pub(super) use body::body;
pub(super) use home::home;
pub(super) use lists::{agreements, bodies, datasets, refused};
pub(crate) use parts::{contact, encoded, readable, wide};
pub(crate) use shell::{Shell, Way, shell};

/// The one style sheet.
pub(super) const STYLE: &str = include_str!("style.css");
/// Three open squares in a frame: cells that left a table.
pub(super) const ICON: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\"><rect width=\"16\" height=\"16\" \
rx=\"3\" fill=\"#14424c\"/><path d=\"M3 3h4v4H3zM9 3h4v4H9zM3 9h4v4H3z\" fill=\"#fff\"/><path d=\"M9.75 9.75h2.5v2.5h-2.5z\" \
fill=\"none\" stroke=\"#ffdd00\" stroke-width=\"1.5\"/></svg>";

/// The parts of the register: address and name.
const PARTS: [(&str, &str); 7] = [
    ("", "Overview"),
    ("agreements", "Agreements"),
    ("bodies", "Bodies"),
    ("datasets", "Datasets"),
    ("algorithms", "Algorithms"),
    ("refused", "Refused"),
    ("about", "About"),
];

/// What a page is made in.
pub(super) struct Frame<'a> {
    pub(super) view: &'a View,
    pub(super) place: Place,
    /// Which part of a list it shows.
    pub(super) part: Part,
    /// Its own address below the register's.
    pub(super) address: &'a str,
    /// What somebody looks for in a list.
    pub(super) search: Option<&'a str>,
}

impl Frame<'_> {
    /// A link to a page.
    fn to(&self, address: &str) -> String {
        match (self.place, address) {
            (Place::Served, "") => self.file("./"),
            (Place::Served, _) => self.file(address),
            (Place::Files, "") => self.file("index.html"),
            (Place::Files, _) => self.file(&format!("{address}.html")),
        }
    }

    /// A link to a file.
    fn file(&self, name: &str) -> String {
        "../".repeat(self.address.matches('/').count()) + name
    }

    /// Whether a list shows what has one of these texts.
    fn shows(&self, texts: &[&str]) -> bool {
        let Some(search) = self.search else { return true };
        let search = search.trim().to_lowercase();
        texts.iter().any(|text| text.to_lowercase().contains(&search))
    }

    /// A body by its name, with a link where the federation has it.
    fn named(&self, body: &Name) -> Markup {
        html! {
            @if self.view.bodies.contains_key(body) {
                a href=(self.to(&format!("bodies/{body}"))) { (self.view.title(body)) }
            } @else { (body) }
        }
    }

    /// The federation's name for people.
    fn federation(&self) -> String {
        parts::readable(&self.view.federation)
    }

    /// The whole page.
    fn page(&self, title: &str, main: &Markup) -> String {
        let part = self.address.split('/').next().unwrap_or_default();
        let parts = PARTS.iter().map(|(address, name)| Way { to: self.to(address), name, here: part == *address });
        // Files have no catalogue beside them.
        let catalogue = Way { to: self.file("../catalogue/"), name: "Catalogue", here: false };
        let ways = parts.chain((self.place == Place::Served).then_some(catalogue)).collect();
        let foot = html! {
            p {
                "Made from each body's own agreements and log by its node of the " (self.federation())
                " federation. No account, no cookies, no tracking."
            }
            p {
                "Everything: " a href=(self.file("register.json")) { "JSON" } ", "
                a href=(self.file("agreements.csv")) { "agreements (CSV)" } ", "
                a href=(self.file("usage.csv")) { "use (CSV)" }
            }
        };
        let site = format!("{} register of shared data", self.federation());
        shell(&Shell { site, home: self.to(""), files: self.file(""), label: "Register", ways, foot }, title, main)
    }
}
