//! The catalogue for anybody: what the bodies publish and on which terms, to be searched and read without an account, as pages
//! and in the forms that other catalogues take, at addresses that stay.
//!
//! | address below `/catalogue/` | what |
//! | --- | --- |
//! | `` | the search, and all datasets |
//! | `datasets/<body>/<dataset>` | a dataset; with `.json` all that is told of it, with `.jsonld` the same as DCAT-AP |
//! | `datasets/<own body>/<dataset>.csv`, `.geojson`, `.parquet` | its rows, where they are open and the node gives files: [`Files`] |
//! | `bodies/<body>` | what one body publishes |
//! | `standards`, `standards/<name>` | the agreed shapes of data |
//! | `catalogue.json`, `catalogue.jsonld`, `exchange-model.json` | everything: as it is told, as DCAT-AP, as records of the UK model |
//!
//! It holds what anybody may know of, and nothing else: a dataset for members alone is as one that is not there.

mod dataset;
mod files;
mod lists;
mod map;
mod pages;
mod standards;

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDate;
use meridian_proto::Name;
use serde_json::{Value, json};

use crate::catalogue::{self, Addresses, Distribution, Entry, Index};
use crate::peers::Directory;
use crate::register::{Document, HTML, JSON, MOST_PAGE};
use crate::standards::Standard;

pub use files::{Files, Offer, Sample, Sampled};
pub use map::{Map, Shaded};
use pages::Frame;

/// JSON-LD, as IANA knows it.
const JSON_LD: &str = "application/ld+json";

/// The standards that the node knows now.
type Standards = Box<dyn Fn() -> Vec<Arc<Standard>> + Send + Sync>;

/// Makes the catalogue's documents of what is known now.
pub struct Portal {
    body: Name,
    directory: Arc<Directory>,
    standards: Standards,
    address: Option<String>,
    files: Option<Arc<dyn Files>>,
    kept: Mutex<Option<([u64; 2], Arc<Known>)>>,
}

impl fmt::Debug for Portal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Portal").field("body", &self.body).finish_non_exhaustive()
    }
}

/// What is known of all datasets, and where its words stand.
#[derive(Debug)]
struct Known {
    entries: Vec<Entry>,
    index: Index,
}

/// The catalogue at one moment, of which documents are made.
#[derive(Debug, Clone)]
pub struct Pages {
    federation: Name,
    body: Name,
    today: NaiveDate,
    known: Arc<Known>,
    standards: Vec<Arc<Standard>>,
    /// Where it is known to be, with a slash at its end.
    address: Option<String>,
    files: Option<Arc<dyn Files>>,
}

impl Portal {
    /// The catalogue that a body's node shows; `address` is where its public pages are known to be, with a slash at its end.
    pub fn new(
        body: Name,
        directory: Arc<Directory>,
        standards: impl Fn() -> Vec<Arc<Standard>> + Send + Sync + 'static,
        address: Option<String>,
    ) -> Self {
        let address = address.map(|address| address + "catalogue/");
        Self { body, directory, standards: Box::new(standards), address, files: None, kept: Mutex::default() }
    }

    /// The same, with open data of the body as files.
    pub fn with_files(self, files: impl Files + 'static) -> Self {
        Self { files: Some(Arc::new(files)), ..self }
    }

    /// The body whose node shows this.
    pub fn body(&self) -> &Name {
        &self.body
    }

    /// As it is now, on a day.
    pub fn pages(&self, today: NaiveDate) -> Pages {
        Pages {
            federation: self.directory.federation().clone(),
            body: self.body.clone(),
            today,
            known: self.known(),
            standards: (self.standards)(),
            address: self.address.clone(),
            files: self.files.clone(),
        }
    }

    /// What is known: made anew where something has been told since.
    fn known(&self) -> Arc<Known> {
        let stamp = self.directory.stamp();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((of, known)) if *of == stamp => Arc::clone(known),
            Some(_) | None => {
                let entries = catalogue::public(&self.directory);
                let index = Index::of(&entries);
                let known = Arc::new(Known { entries, index });
                *kept = Some((stamp, Arc::clone(&known)));
                known
            }
        }
    }
}

impl Pages {
    /// Whether another one says the very same.
    pub fn is(&self, other: &Self) -> bool {
        let alike = |(one, other): (&Arc<Standard>, &Arc<Standard>)| Arc::ptr_eq(one, other);
        Arc::ptr_eq(&self.known, &other.known)
            && self.today == other.today
            && self.standards.len() == other.standards.len()
            && self.standards.iter().zip(&other.standards).all(alike)
    }

    /// The document at an address below the catalogue's own; `search` is what somebody looks for, and `part` the part of a
    /// list, from 1. None where there is no such document.
    pub fn part(&self, address: &str, search: Option<&str>, part: usize) -> Option<Document> {
        let data = |media, value: &Value| Document { media, text: format!("{value:#}\n"), next: None };
        let is_list = address.is_empty() || address.starts_with("bodies/");
        if part != 1 && !is_list {
            return None;
        }
        let search = search.map(str::trim).filter(|search| !search.is_empty());
        let frame = Frame { pages: self, address, search, part };
        let parts: Vec<&str> = address.split('/').collect();
        let page = match parts.as_slice() {
            [""] => lists::all(&frame)?,
            ["bodies", body] => lists::of_body(&frame, body)?,
            ["standards"] => standards::list(&frame),
            ["standards", name] => standards::one(&frame, self.standard(name)?),
            ["catalogue.json"] => {
                let datasets: Vec<Value> = self.entries().iter().map(|entry| entry.json(self.today)).collect();
                return Some(data(JSON, &json!({ "found": datasets.len(), "datasets": datasets })));
            }
            ["catalogue.jsonld"] => {
                let title = self.publisher();
                let of = (&self.federation, &self.body, title);
                let files = |entry: &Entry| self.distributions(entry);
                let told = catalogue::dcat(self.entries(), of, &self.addresses(address), self.today, &files);
                return Some(data(JSON_LD, &told));
            }
            ["exchange-model.json"] => {
                // Records of their own stand for themselves: a relative address would say nothing.
                let addresses = self.address.clone().map_or(Addresses::Named, Addresses::Below);
                return Some(data(JSON, &catalogue::records(self.entries(), &addresses, self.today)));
            }
            ["datasets", body, name] => {
                if let Some(name) = name.strip_suffix(".jsonld") {
                    let entry = self.entry(body, name)?;
                    let files = |entry: &Entry| self.distributions(entry);
                    let told = catalogue::dcat_of(entry, &self.addresses(address), self.today, &files);
                    return Some(data(JSON_LD, &told));
                }
                if let Some(name) = name.strip_suffix(".json") {
                    return Some(data(JSON, &self.entry(body, name)?.json(self.today)));
                }
                dataset::page(&frame, self.entry(body, name)?)
            }
            _ => return None,
        };
        // Whoever tells of a dataset says how long its texts are.
        let text = if page.len() > MOST_PAGE { pages::too_long(&frame) } else { page };
        Some(Document { media: HTML, text, next: None })
    }

    /// What is said to somebody who asks for what is not there, or for what is not for everybody, alike.
    pub fn missing(&self, address: &str) -> Document {
        let frame = Frame { pages: self, address, search: None, part: 1 };
        Document { media: HTML, text: pages::missing(&frame), next: None }
    }

    /// What else than the moment a document depends on: the files that there are of what it tells.
    pub fn stamp(&self, address: &str) -> u64 {
        let mut parts = address.split('/');
        let mut stamp = DefaultHasher::new();
        match (parts.next(), parts.next(), parts.next()) {
            (Some("datasets"), Some(body), Some(name)) if body == self.body.as_str() => {
                let name = name.split('.').next().unwrap_or_default();
                self.entry(body, name).and_then(|entry| self.offer(entry)).hash(&mut stamp);
            }
            (Some("catalogue.jsonld"), None, None) => {
                let own = self.entries().iter().filter(|entry| entry.body == self.body);
                own.for_each(|entry| self.offer(entry).hash(&mut stamp));
            }
            _ => {}
        }
        stamp.finish()
    }

    /// What there is of a dataset as files.
    fn offer(&self, entry: &Entry) -> Option<Offer> {
        self.files.as_ref().filter(|_| entry.body == self.body)?.offer(entry)
    }

    fn distributions(&self, entry: &Entry) -> Vec<Distribution> {
        let offer = self.offer(entry).filter(|offer| !matches!(offer.sample, Sampled::TooLarge(_)));
        offer.map(|offer| offer.files).unwrap_or_default()
    }

    /// Somebody looks at a dataset.
    fn wish(&self, entry: &Entry) {
        if let Some(files) = self.files.as_ref().filter(|_| entry.body == self.body) {
            files.wish(entry);
        }
    }

    fn entries(&self) -> &[Entry] {
        &self.known.entries
    }

    fn entry(&self, body: &str, name: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.body.as_str() == body && entry.dataset.name.as_str() == name)
    }

    fn standard(&self, name: &str) -> Option<&Standard> {
        self.standards.iter().find(|standard| standard.name.as_str() == name).map(Arc::as_ref)
    }

    /// The name for people of the body whose node shows this.
    fn publisher(&self) -> &str {
        let own = self.entries().iter().find(|entry| entry.body == self.body);
        own.map_or(self.body.as_str(), |entry| entry.publisher.as_str())
    }

    /// How a document at an address names others.
    fn addresses(&self, address: &str) -> Addresses {
        let relative = || "../".repeat(address.matches('/').count());
        Addresses::Below(self.address.clone().unwrap_or_else(relative))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::catalogue::testing::{dataset, entry, name};

    /// Each body says how long its texts are, and the catalogue is everybody's.
    #[test]
    fn long_texts_of_one_body_make_no_page_heavy() {
        let long = meridian_proto::Dataset {
            description: "More and more. ".repeat(MOST_PAGE / 10),
            ..dataset("long", &"A title ".repeat(MOST_PAGE / 8))
        };
        let entries = vec![
            entry("hostile", &"Hostile ".repeat(MOST_PAGE / 8), long),
            entry("lfb", "London Fire Brigade", dataset("fires", "Fires attended")),
        ];
        let pages = Pages {
            federation: name("london"),
            body: name("lfb"),
            today: NaiveDate::default(),
            known: Arc::new(Known { index: Index::of(&entries), entries }),
            standards: Vec::new(),
            address: None,
            files: None,
        };
        let page = |address: &str| pages.part(address, None, 1).unwrap().text;
        assert!(page("").contains("Fires attended") && page("").len() < 20_000, "{}", page("").len());
        assert!(page("datasets/lfb/fires").contains("Fires attended"));
        for address in ["datasets/hostile/long", "bodies/hostile"] {
            assert!(page(address).contains("This page is too long") && page(address).len() < 20_000, "{address}");
        }
    }
}
