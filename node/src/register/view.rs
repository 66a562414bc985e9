//! What is known of all bodies' registers at one moment, and the documents that are made of it, by address.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;
use meridian_proto::Name;
use serde_json::{Value, json};

use super::model::{Agreement, Algorithm, Ended, Month, Register};
use super::pages::{self, Frame};
use super::part::Part;
use super::tables::{self, Table};
use super::words::{Id, MonthName};

/// Where documents stand: that decides what their links look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A node answers for them; pages have no ending, and lists can be searched.
    Served,
    /// They are files in a folder.
    Files,
}

/// A document as it is sent or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its media type.
    pub media: &'static str,
    /// Its content.
    pub text: String,
    /// The number of the part that comes next, where this is a part of a table and there is more.
    pub next: Option<usize>,
}

/// What is known of all bodies at one moment.
#[derive(Debug, Clone)]
pub struct View {
    pub(super) federation: Name,
    pub(super) today: NaiveDate,
    pub(super) bodies: BTreeMap<Name, Option<Arc<Register>>>,
}

pub(crate) const HTML: &str = "text/html; charset=utf-8";
pub(crate) const JSON: &str = "application/json";
const CSV: &str = "text/csv; charset=utf-8; header=present";

/// The longest page that is served (bytes): with what belongs to it, no page weighs more than 1.5 MB.
pub(crate) const MOST_PAGE: usize = 1_400_000;

/// The pages that stand for lists, and the tables beside them; the first is the one at the root.
const LISTS: [&str; 7] = ["", "agreements", "bodies", "datasets", "algorithms", "refused", "about"];

impl View {
    /// Of these bodies; those that never told their register have none.
    pub fn new(
        federation: Name,
        today: NaiveDate,
        bodies: impl IntoIterator<Item = (Name, Option<Arc<Register>>)>,
    ) -> Self {
        Self { federation, today, bodies: bodies.into_iter().collect() }
    }

    /// The document at an address below the register's own, such as `bodies/lfb` or `agreements.csv`; `search` is what
    /// somebody looks for in a list. None where there is no such document. Where it is served it may be the first part.
    pub fn document(&self, address: &str, search: Option<&str>, place: Place) -> Option<Document> {
        match place {
            Place::Served => self.part(address, search, 1),
            Place::Files => {
                let address = address.strip_suffix(".html").unwrap_or(address);
                self.made(if address == "index" { "" } else { address }, None, (place, Part::Whole))
            }
        }
    }

    /// A part of a document that is served, from 1.
    pub fn part(&self, address: &str, search: Option<&str>, part: usize) -> Option<Document> {
        self.made(address, search, (Place::Served, Part::Number(part)))
    }

    fn made(&self, address: &str, search: Option<&str>, (place, part): (Place, Part)) -> Option<Document> {
        let data = |media, (text, next)| Document { media, text, next };
        let table = |address: &str| match address {
            "usage" => tables::usage(self, |_, _| true).cut(part),
            address => self.table(address)?.cut(part),
        };
        if let Some(address) = address.strip_suffix(".csv") {
            return table(address).map(|(table, next)| data(CSV, (table.csv(), next)));
        }
        if let Some(address) = address.strip_suffix(".json") {
            let is_table = address != "register" && !address.contains('/');
            let of_table = |(table, next): (Table, _)| (table.json(), next);
            let made = if is_table { table(address).map(of_table) } else { self.json(address, part) };
            return made.map(|made| data(JSON, made));
        }
        // What has no parts is there once, so that nobody has it made again under many addresses.
        if !part.is_first() && !LISTS.contains(&address) {
            return None;
        }
        match address {
            "style.css" => return Some(data("text/css; charset=utf-8", (pages::STYLE.to_owned(), None))),
            "icon.svg" => return Some(data("image/svg+xml", (pages::ICON.to_owned(), None))),
            _ => {}
        }
        let search = search.filter(|search| !search.trim().is_empty());
        let frame = Frame { view: self, place, part, address, search };
        let text = self.page(&frame)?;
        let is_long = place == Place::Served && text.len() > MOST_PAGE;
        Some(data(HTML, (if is_long { pages::too_long(&frame) } else { text }, None)))
    }

    /// Whether another one says the very same.
    pub fn is(&self, other: &Self) -> bool {
        let alike = |(one, other): (&Option<Arc<Register>>, &Option<Arc<Register>>)| match (one, other) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        (&self.federation, self.today) == (&other.federation, other.today)
            && self.bodies.keys().eq(other.bodies.keys())
            && self.bodies.values().zip(other.bodies.values()).all(alike)
    }

    /// What is said to somebody who asks for what is not there.
    pub fn missing(&self, address: &str) -> Document {
        let frame = Frame { view: self, place: Place::Served, part: Part::Whole, address, search: None };
        Document { media: HTML, text: pages::missing(&frame), next: None }
    }

    /// The addresses of all documents, for files.
    pub fn addresses(&self) -> Vec<String> {
        let mut addresses: Vec<String> = Vec::new();
        for list in LISTS {
            addresses.push(format!("{}.html", if list.is_empty() { "index" } else { list }));
            if self.table(list).is_some() {
                addresses.extend(["csv", "json"].map(|ending| format!("{list}.{ending}")));
            }
        }
        let each = |folder: &str, name: &str| ["html", "json", "csv"].map(|ending| format!("{folder}/{name}.{ending}"));
        addresses.extend(self.bodies.keys().flat_map(|body| each("bodies", body.as_str())));
        addresses.extend(self.ids().iter().flat_map(|id| each("agreements", id.as_str())));
        for (register, algorithm) in self.algorithms() {
            addresses.extend(each(&format!("algorithms/{}", register.body), algorithm.id.as_str()));
        }
        addresses.extend(["register.json", "usage.csv", "usage.json", "style.css", "icon.svg"].map(str::to_owned));
        addresses
    }

    fn page(&self, frame: &Frame<'_>) -> Option<String> {
        let parts: Vec<&str> = frame.address.split('/').collect();
        match parts.as_slice() {
            [""] => Some(pages::home(frame)),
            ["agreements"] => Some(pages::agreements(frame)),
            ["bodies"] => Some(pages::bodies(frame)),
            ["datasets"] => Some(pages::datasets(frame)),
            ["algorithms"] => Some(pages::algorithms(frame)),
            ["refused"] => Some(pages::refused(frame)),
            ["about"] => Some(pages::about(frame)),
            ["bodies", body] => {
                let (body, register) = self.bodies.get_key_value(*body)?;
                Some(pages::body(frame, body, register.as_deref()))
            }
            ["agreements", id] => {
                let told = self.told(id);
                (!told.is_empty()).then(|| pages::agreement(frame, id, &told))
            }
            ["algorithms", body, id] => {
                let (register, algorithm) = self.algorithm(body, id)?;
                Some(pages::algorithm(frame, register, algorithm))
            }
            _ => None,
        }
    }

    fn table(&self, address: &str) -> Option<Table> {
        let parts: Vec<&str> = address.split('/').collect();
        match parts.as_slice() {
            ["agreements"] => Some(tables::agreements(self, |_, _| true)),
            ["bodies"] => Some(tables::bodies(self)),
            ["datasets"] => Some(tables::datasets(self)),
            ["refused"] => Some(tables::refused(self)),
            ["algorithms"] => Some(tables::algorithms(self, |_, _| true)),
            ["bodies", body] if self.bodies.contains_key(*body) => {
                Some(tables::agreements(self, |register, _| register.body.as_str() == *body))
            }
            ["agreements", id] if !self.told(id).is_empty() => {
                Some(tables::agreements(self, |_, agreement| agreement.id.as_str() == *id))
            }
            ["algorithms", body, id] => {
                self.algorithm(body, id)?;
                let is_it =
                    |register: &Register, it: &Algorithm| register.body.as_str() == *body && it.id.as_str() == *id;
                Some(tables::algorithms(self, is_it))
            }
            _ => None,
        }
    }

    /// What is JSON of its own and no table.
    fn json(&self, address: &str, part: Part) -> Option<(String, Option<usize>)> {
        let parts: Vec<&str> = address.split('/').collect();
        let (value, next) = match parts.as_slice() {
            ["register"] => self.whole(part)?,
            ["agreements", id] => agreement(id, self.told(id), part)?,
            _ if !part.is_first() => return None,
            ["bodies", body] => (serde_json::to_value(self.bodies.get(*body)?.as_deref()).ok()?, None),
            ["algorithms", body, id] => (serde_json::to_value(self.algorithm(body, id)?.1).ok()?, None),
            _ => return None,
        };
        Some((serde_json::to_string_pretty(&value).ok()? + "\n", next))
    }

    fn whole(&self, part: Part) -> Option<(Value, Option<usize>)> {
        let bodies = self.bodies.iter();
        let bodies = bodies.map(|(body, register)| json!({ "body": body, "register": register.as_deref() }));
        let cut = part.of(bodies, weight)?;
        let day = self.today.to_string();
        Some((json!({ "federation": self.federation, "made": day, "bodies": cut.items }), cut.next))
    }

    /// The registers that are known.
    pub(super) fn registers(&self) -> impl Iterator<Item = &Register> {
        self.bodies.values().flatten().map(Arc::as_ref)
    }

    /// What is told of an agreement, body by body.
    pub(super) fn told(&self, id: &str) -> Vec<Told<'_>> {
        let told = self.registers().filter_map(|register| {
            let agreement = register.agreements.iter().find(|agreement| agreement.id.as_str() == id);
            let ended = || register.ended.iter().find(|ended| ended.id.as_str() == id).map(Said::Ended);
            Some(Told { register, said: agreement.map(Said::Agreement).or_else(ended)? })
        });
        told.collect()
    }

    /// The identifiers of all agreements, those that ended included.
    pub(super) fn ids(&self) -> BTreeSet<&Id> {
        let ids = self.registers().flat_map(|register| {
            let ended = register.ended.iter().map(|ended| &ended.id);
            register.agreements.iter().map(|agreement| &agreement.id).chain(ended)
        });
        ids.collect()
    }

    /// All algorithms with whose they are.
    pub(super) fn algorithms(&self) -> impl Iterator<Item = (&Register, &Algorithm)> {
        self.registers().flat_map(|register| register.algorithms.iter().map(move |algorithm| (register, algorithm)))
    }

    fn algorithm(&self, body: &str, id: &str) -> Option<(&Register, &Algorithm)> {
        self.algorithms().find(|(register, algorithm)| register.body.as_str() == body && algorithm.id.as_str() == id)
    }

    /// A body's name for people.
    pub(super) fn title<'a>(&'a self, body: &'a Name) -> &'a str {
        let register = self.bodies.get(body).and_then(Option::as_deref);
        register.map(|register| register.title.as_str()).filter(|title| !title.is_empty()).unwrap_or(body.as_str())
    }

    /// The month that it is.
    pub(super) fn month(&self) -> MonthName {
        MonthName::of(self.today)
    }

    /// Whether a register is of today or yesterday, by when each node has made its own anew.
    pub(super) fn is_fresh(&self, register: &Register) -> bool {
        (self.today - register.made.0).num_days() <= 1
    }
}

/// What all bodies tell of an agreement, as JSON.
fn agreement(id: &str, told: Vec<Told<'_>>, part: Part) -> Option<(Value, Option<usize>)> {
    let each = told.iter().map(|told| {
        let ended = match told.said {
            Said::Agreement(_) => None,
            Said::Ended(ended) => Some(ended),
        };
        let (body, made) = (&told.register.body, told.register.made);
        json!({ "body": body, "made": made, "agreement": told.agreement(), "ended": ended })
    });
    let cut = part.of(each, weight)?;
    (!cut.items.is_empty()).then(|| (json!({ "id": id, "bodies": cut.items }), cut.next))
}

/// The bytes of what stands in a list.
fn weight(value: &Value) -> usize {
    format!("{value:#}").len()
}

/// What a body tells of an agreement.
pub(super) struct Told<'a> {
    pub(super) register: &'a Register,
    pub(super) said: Said<'a>,
}

/// An agreement, or what is left of it.
pub(super) enum Said<'a> {
    Agreement(&'a Agreement),
    Ended(&'a Ended),
}

impl<'a> Told<'a> {
    pub(super) fn agreement(&self) -> Option<&'a Agreement> {
        match self.said {
            Said::Agreement(agreement) => Some(agreement),
            Said::Ended(_) => None,
        }
    }

    pub(super) fn months(&self) -> &'a [Month] {
        match self.said {
            Said::Agreement(agreement) => &agreement.months,
            Said::Ended(ended) => &ended.months,
        }
    }
}

/// How many questions of a month were answered.
pub(super) fn answered(months: &[Month], month: MonthName) -> u64 {
    months.iter().filter(|it| it.month == month).map(|it| it.questions).sum()
}
