//! The page, and the files that belong to it: all of them stand in the binary.

use std::sync::LazyLock;

use bytes::Bytes;
use http::{Response, StatusCode};
use meridian_examples::london;
use serde_json::{Value, json};

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

/// London's boroughs as tiles, row by row: by GSS code their name, column, row, and what fits on a tile.
static BOROUGHS: LazyLock<Bytes> = LazyLock::new(|| {
    let mut tiles: Vec<london::Tile> = london::tiles().collect();
    tiles.sort_by_key(|tile| (tile.row, tile.column));
    let told = |tile: &london::Tile| json!([tile.borough.gss, [tile.borough.name, tile.column, tile.row, tile.short]]);
    let (across, tiles) = (london::TILES_ACROSS, Value::from_iter(tiles.iter().map(told)));
    let text = format!(
        "export const [COLUMNS, ROWS] = [{across}, {across}];\nexport const BOROUGHS = Object.fromEntries({tiles});\n"
    );
    text.into()
});

/// A file of the page.
pub(super) fn asset(name: &str) -> Option<Response<Body>> {
    if name == "boroughs.js" {
        return Some(said::answer(StatusCode::OK, JS, BOROUGHS.clone()));
    }
    let &(_, kind, bytes) = ASSETS.iter().find(|(known, ..)| *known == name)?;
    Some(said::answer(StatusCode::OK, kind, Bytes::from_static(bytes)))
}
