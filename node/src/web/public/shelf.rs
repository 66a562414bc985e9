//! What is answered to readers of register and catalogue: documents as they are made, kept for the next reader until something is new.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::Full;

use super::files::OpenData;
use super::sent::Sent;
use crate::clock::Clock;
use crate::portal::{Pages, Portal};
use crate::register::{Document, Registers, View};

/// Below it stands the register.
const ROOT: &str = "/register/";
/// Below it stands the catalogue.
const CATALOGUE: &str = "/catalogue/";
/// The most documents that are kept for the next who reads them.
const MOST_DOCUMENTS: usize = 4_096;
/// The most of these in bytes.
const MOST_SHOWN: usize = 64 << 20;

/// Said with every answer. Nothing runs, nothing comes from elsewhere, nothing is told to others.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "interest-cohort=()"),
];

/// Where documents are taken from.
#[derive(Debug)]
pub(super) struct Shelf {
    registers: Arc<Registers>,
    portal: Portal,
    files: Option<OpenData>,
    clock: Clock,
    shown: Mutex<Shown<View>>,
    catalogue: Mutex<Shown<Pages>>,
}

/// What is known at one moment, of which documents are made.
trait Moment: Clone {
    /// Whether another one says the very same.
    fn is(&self, other: &Self) -> bool;

    /// What else a document depends on: another number where that is another.
    fn stamp(&self, address: &str) -> u64;

    /// A part of the document at an address, from 1.
    fn part(&self, address: &str, search: Option<&str>, part: usize) -> Option<Document>;

    /// What is said to somebody who asks for what is not there.
    fn missing(&self, address: &str) -> Document;
}

macro_rules! moments {
    ($($moment:ty: $stamp:expr),*) => {$(
        impl Moment for $moment {
            fn is(&self, other: &Self) -> bool {
                <$moment>::is(self, other)
            }

            fn stamp(&self, address: &str) -> u64 {
                ($stamp)(self, address)
            }

            fn part(&self, address: &str, search: Option<&str>, part: usize) -> Option<Document> {
                <$moment>::part(self, address, search, part)
            }

            fn missing(&self, address: &str) -> Document {
                <$moment>::missing(self, address)
            }
        }
    )*};
}

moments!(View: |_: &View, _: &str| 0, Pages: Pages::stamp);

/// What was made of a moment, for the next who reads it.
#[derive(Debug)]
struct Shown<M> {
    of: Option<M>,
    documents: HashMap<Wanted, Made>,
    bytes: usize,
}

impl<M> Default for Shown<M> {
    fn default() -> Self {
        Self { of: None, documents: HashMap::new(), bytes: 0 }
    }
}

/// A document below one of these addresses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Wanted {
    address: String,
    search: Option<String>,
    part: usize,
    stamp: u64,
}

/// A document as it is sent.
#[derive(Debug, Clone)]
struct Made {
    media: &'static str,
    text: Bytes,
    next: Option<usize>,
}

impl From<Document> for Made {
    fn from(Document { media, text, next }: Document) -> Self {
        Self { media, text: text.into(), next }
    }
}

impl<M: Moment> Shown<M> {
    /// A document of this moment, made if it was not before; none where there is no such.
    fn get(&mut self, now: &M, wanted: &Wanted) -> Option<Made> {
        if self.of.as_ref().is_none_or(|shown| !shown.is(now)) {
            *self = Self { of: Some(now.clone()), ..Self::default() };
        }
        if let Some(made) = self.documents.get(wanted) {
            return Some(made.clone());
        }
        let made = Made::from(now.part(&wanted.address, wanted.search.as_deref(), wanted.part)?);
        self.bytes += made.text.len();
        if self.bytes > MOST_SHOWN || self.documents.len() >= MOST_DOCUMENTS {
            (self.documents, self.bytes) = (HashMap::new(), made.text.len());
        }
        self.documents.insert(wanted.clone(), made.clone());
        Some(made)
    }
}

impl Shelf {
    pub(super) fn new(registers: Arc<Registers>, portal: Portal, files: Option<OpenData>, clock: Clock) -> Self {
        Self { registers, portal, files, clock, shown: Mutex::default(), catalogue: Mutex::default() }
    }

    /// Answers a request.
    pub(super) async fn respond(&self, request: &Parts, secure: bool) -> Response<Sent> {
        let is_head = request.method == Method::HEAD;
        let mut response = match request.method {
            Method::GET | Method::HEAD => match self.file(request).await {
                Some(response) => response,
                None => self.read(request.uri.path(), request.uri.query().unwrap_or_default()).map(Sent::Text),
            },
            _ => {
                let text = Bytes::from_static(b"the register can only be read: GET and HEAD\n");
                let said = Made { media: "text/plain", text, next: None };
                let mut response = document(StatusCode::METHOD_NOT_ALLOWED, said);
                response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
                response.map(Sent::Text)
            }
        };
        let headers = response.headers_mut();
        for (name, value) in HEADERS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if secure {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        }
        if is_head {
            let length = hyper::body::Body::size_hint(response.body()).exact().unwrap_or(0);
            response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
            *response.body_mut() = Sent::Text(Full::default());
        }
        response
    }

    /// What is said where the address is that of a file of open data.
    async fn file(&self, request: &Parts) -> Option<Response<Sent>> {
        let (files, address) = (self.files.as_ref()?, request.uri.path().strip_prefix(CATALOGUE)?);
        files.respond(address, &request.method, &request.headers).await
    }

    fn read(&self, path: &str, query: &str) -> Response<Full<Bytes>> {
        let today = self.clock.now().date_naive();
        if path == "/" || path == ROOT.trim_end_matches('/') {
            return moved(ROOT);
        }
        if path == CATALOGUE.trim_end_matches('/') {
            return moved(CATALOGUE);
        }
        if let Some(address) = path.strip_prefix(CATALOGUE) {
            return shown(&self.catalogue, &self.portal.pages(today), address, query);
        }
        let view = self.registers.view(today);
        match path.strip_prefix(ROOT) {
            Some(address) => shown(&self.shown, &view, address, query),
            None => document(StatusCode::NOT_FOUND, view.missing("").into()),
        }
    }
}

/// The document at an address, of what is known now.
fn shown<M: Moment>(kept: &Mutex<Shown<M>>, now: &M, address: &str, query: &str) -> Response<Full<Bytes>> {
    let part = value(query, "part").and_then(|part| part.parse().ok()).unwrap_or(1);
    let wanted = Wanted { address: address.to_owned(), search: search(query), part, stamp: now.stamp(address) };
    let found = kept.lock().unwrap_or_else(PoisonError::into_inner).get(now, &wanted);
    let Some(found) = found else { return document(StatusCode::NOT_FOUND, now.missing(address).into()) };
    let is_data = [".json", ".jsonld", ".csv"].iter().any(|ending| address.ends_with(ending));
    let next = found.next;
    let mut response = document(StatusCode::OK, found);
    if is_data {
        // Anybody's pages may use it, as anybody may read it.
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        let file = address.rsplit('/').next().unwrap_or_default();
        let link = next.map(|next| format!("<{file}?part={next}>; rel=\"next\""));
        if let Some(link) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
            headers.insert(header::LINK, link);
        }
    }
    response
}

/// A value of a form that was sent by GET, as it was sent.
fn value<'a>(query: &'a str, key: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
}

/// What somebody looks for: the value of `q`.
fn search(query: &str) -> Option<String> {
    let value = value(query, "q")?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    let text = String::from_utf8(bytes).ok()?;
    Some(text.chars().filter(|c| !c.is_control()).take(100).collect())
}

fn document(status: StatusCode, Made { media, text, .. }: Made) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn moved(to: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(to));
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use meridian_federation::remote::Peers;
    use meridian_proto::Name;
    use serde_json::json;

    use super::*;
    use crate::peers::Directory;
    use crate::register::{MOST_PAGE, Place, Register};
    use crate::testing::Federation;

    #[test]
    fn what_is_looked_for_is_read_from_the_address() {
        for (query, expected) in [
            ("q=Camden", Some("Camden")),
            ("x=1&q=fire+brigade", Some("fire brigade")),
            ("q=%C3%A9%00%3Cb%3E", Some("é<b>")),
            ("q=%zz", None),
            ("q=%e", None),
            ("q=%ff", None),
            ("", None),
        ] {
            assert_eq!(search(query).as_deref(), expected, "{query}");
        }
        assert_eq!(search(&format!("q={}", "x".repeat(9_999))).map(|text| text.len()), Some(100));
    }

    /// LFB's node, alone in its federation.
    fn shelf(folder: &Path) -> Shelf {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let credentials = Federation::new().credentials("lfb");
        let peers = Peers::new(name("london"), credentials.client_connector(), HashMap::new());
        let directory =
            Directory::open(Some(name("lfb")), credentials.home(), Arc::clone(&peers), folder.join("peers"));
        let portal = Portal::new(name("lfb"), directory, Vec::new, None);
        let registers = Registers::open(name("lfb"), name("london"), credentials, peers, folder.join("registers"));
        Shelf::new(registers, portal, None, Clock::system())
    }

    /// A register with so many agreements.
    fn register(title: &str, agreements: usize) -> Register {
        let agreement = |number: usize| {
            json!({ "id": format!("agreement-{number}"), "title": title, "in_force": true, "purpose": "p",
                "benefit": "b".repeat(4_000), "legal_power": "l", "lawful_basis": "l", "parties": ["lfb"],
                "recipients": ["loda"], "start": "2026-01-01", "end": "2027-01-01", "contact": "c", "months": [],
                "items": [{ "dataset": "d", "title": "t", "form": "rows", "columns": [], "smallest_group": 0,
                    "onward": false }] })
        };
        let agreements: Vec<_> = (0..agreements).map(agreement).collect();
        serde_json::from_value(json!({ "federation": "london", "body": "lfb", "title": title, "made": "2026-01-31",
            "counts_are_recent": false, "ended": [], "open": [], "refused": [], "agreements": agreements }))
        .unwrap()
    }

    #[test]
    fn a_page_is_made_once_for_all_until_something_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = shelf(folder.path());
        let read = |address: &str| {
            let view = shelf.registers.view(shelf.clock.now().date_naive());
            let wanted = Wanted { address: address.into(), search: None, part: 1, stamp: 0 };
            shelf.shown.lock().unwrap().get(&view, &wanted).map(|made| made.text)
        };
        shelf.registers.say(register("Brigade", 1));
        let first = read("bodies/lfb").unwrap();
        for _ in 0..3 {
            shelf.registers.say(register("Brigade", 1));
            assert_eq!(read("bodies/lfb").unwrap().as_ptr(), first.as_ptr(), "the very same");
        }
        shelf.registers.say(register("Fire Brigade", 1));
        let second = read("bodies/lfb").unwrap();
        assert!(second != first && String::from_utf8_lossy(&second).contains("Fire Brigade"));
        // What is not there is not kept, and of what is there not without end.
        assert!(read("bodies/nobody").is_none());
        for number in 0..MOST_DOCUMENTS + 10 {
            let found = shelf.read("/register/bodies", &format!("q={number}"));
            assert_eq!(found.status(), StatusCode::OK);
        }
        let shown = shelf.shown.lock().unwrap();
        assert!(shown.documents.len() <= MOST_DOCUMENTS && shown.bytes <= MOST_SHOWN);
        assert_eq!(shown.bytes, shown.documents.values().map(|made| made.text.len()).sum::<usize>());
    }

    #[test]
    fn what_is_long_comes_in_parts() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = shelf(folder.path());
        shelf.registers.say(register("Brigade", 1_000));
        let get = |path: &str, query: &str| {
            let response = shelf.read(&format!("/register/{path}"), query);
            let link = response.headers().get(header::LINK).map(|link| link.to_str().unwrap().to_owned());
            let status = response.status();
            let body = futures::executor::block_on(http_body_util::BodyExt::collect(response.into_body()));
            (status, link, String::from_utf8(body.unwrap().to_bytes().to_vec()).unwrap())
        };
        let view = shelf.registers.view(shelf.clock.now().date_naive());
        let whole = view.document("agreements.csv", None, Place::Files).unwrap().text;
        let (mut lines, mut part) = (Vec::new(), 1);
        loop {
            let (status, link, text) = get("agreements.csv", &format!("part={part}"));
            assert!(status == StatusCode::OK && text.len() < 5 << 20, "{}", text.len());
            lines.extend(text.lines().skip(usize::from(part > 1)).map(str::to_owned));
            part += 1;
            match link {
                Some(link) => assert_eq!(link, format!("<agreements.csv?part={part}>; rel=\"next\"")),
                None => break,
            }
        }
        assert!(part > 2 && lines == whole.lines().collect::<Vec<_>>(), "{part}");
        assert_eq!(get("agreements.csv", &format!("part={part}")).0, StatusCode::NOT_FOUND);
        let page = get("agreements", "q=brigade").2;
        assert!(page.contains("href=\"agreements?q=brigade&amp;part=2\"") && page.len() < MOST_PAGE, "{}", page.len());
        assert!(get("agreements", "q=brigade&part=2").2.contains("This is part 2 of a long list"));
        let one = get("agreements/agreement-7.json", "");
        assert!(one.1.is_none() && one.2.contains("\"agreement-7\""));
        for part in ["bodies/lfb", "bodies/lfb.json", "style.css"] {
            assert_eq!(get(part, "part=2").0, StatusCode::NOT_FOUND, "{part}");
        }
        // What is no list can't be in parts.
        shelf.registers.say(register("Brigade", 100));
        assert!(get("bodies/lfb", "").2.contains("id=\"main\"") && !get("bodies/lfb", "").2.contains("too long"));
        shelf.registers.say(register("Brigade", 500));
        let page = get("bodies/lfb", "").2;
        assert!(page.contains("This page is too long") && page.contains("lfb.csv") && page.len() < 10_000, "{page}");
    }
}
