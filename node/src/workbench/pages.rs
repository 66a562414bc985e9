//! The page, and the files that belong to it: all of them stand in the binary.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::said::{self, Body};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const TEXT: &str = "text/plain; charset=utf-8";

macro_rules! assets {
    ($($name:literal: $kind:ident),* $(,)?) => {
        /// What `/assets/…` gives.
        const ASSETS: &[(&str, &str, &[u8])] = &[$(($name, $kind, include_bytes!(concat!("assets/", $name)))),*];
    };
}

assets! {
    "style.css": CSS,
    "icon.svg": SVG,
    "vendor.js": JS,
    "vendor-licences.txt": TEXT,
    "main.js": JS,
    "answer.js": JS,
    "ask.js": JS,
    "before.js": JS,
    "boroughs.js": JS,
    "chart.js": JS,
    "completion.js": JS,
    "datasets.js": JS,
    "dom.js": JS,
    "downloads.js": JS,
    "editor.js": JS,
    "first.js": JS,
    "flows.js": JS,
    "history.js": JS,
    "map.js": JS,
    "receipt.js": JS,
    "refusal.js": JS,
    "saved.js": JS,
    "shapes.js": JS,
    "table.js": JS,
    "tabs.js": JS,
    "values.js": JS,
}

/// The page. What stands on it, it asks for itself.
pub(super) fn page() -> Response<Body> {
    said::answer(StatusCode::OK, HTML, Bytes::from_static(include_bytes!("assets/index.html")))
}

/// A file of the page.
pub(super) fn asset(name: &str) -> Option<Response<Body>> {
    let &(_, kind, bytes) = ASSETS.iter().find(|(known, ..)| *known == name)?;
    Some(said::answer(StatusCode::OK, kind, Bytes::from_static(bytes)))
}
