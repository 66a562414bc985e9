//! A dataset on a map, as a picture of the page itself: it asks nothing of anybody, and the same stands below as a table.

use std::collections::BTreeMap;

use maud::{Markup, html};
use meridian_examples::london::{TILES_ACROSS, Tile, tiles};
use serde::{Deserialize, Serialize};

use crate::register::{many, wide};

/// Width of a tile, and with what is between it and the next.
const TILE: usize = 86;
const STEP: usize = 90;

/// What can be drawn of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Map {
    /// London's boroughs.
    Boroughs {
        /// What is told of each: a column, or how many rows there are.
        figure: String,
        /// By GSS code, those of which something is told.
        boroughs: BTreeMap<String, Shaded>,
        /// What shades mean, the lightest first.
        legend: Vec<(usize, String)>,
        /// Rows with a code that none of them has.
        others: u64,
    },
    /// Shapes on a picture.
    Shapes {
        /// Of the picture.
        width: u32,
        /// Of the picture.
        height: u32,
        /// Areas, each a path of SVG.
        areas: Vec<String>,
        /// Lines, each a path of SVG.
        lines: Vec<String>,
        /// All points, as one path of SVG.
        dots: String,
        /// Rows whose shape is on it.
        drawn: u64,
        /// All rows.
        rows: u64,
    },
}

/// What is told of a borough.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shaded {
    /// From 0, the lightest, to 4.
    pub shade: usize,
    /// So short that it fits on a tile.
    pub short: String,
    /// As it is.
    pub whole: String,
}

/// The part of a dataset's page.
pub(super) fn part(map: &Map) -> Markup {
    html! {
        h2 { "On a map" }
        @match map {
            Map::Boroughs { figure, boroughs, legend, others } => { (london(figure, boroughs, legend, *others)) }
            Map::Shapes { width, height, areas, lines, dots, drawn, rows } => {
                figure.map {
                    svg viewBox={ "0 0 " (width) " " (height) } role="img" aria-label={ "The shapes of " (many(*drawn, "row", "rows")) ", north at the top" } {
                        @for area in areas { path.area d=(area) {} }
                        @for line in lines { path.line d=(line) {} }
                        @if !dots.is_empty() { path.dots d=(dots) {} }
                    }
                    figcaption {
                        @if drawn == rows { "All " (many(*rows, "row", "rows")) "." }
                        @else { (many(*drawn, "row", "rows")) " of " (rows) ": the others have no shape, or there are too many of them for a page." }
                    }
                }
            }
        }
    }
}

fn london(figure: &str, boroughs: &BTreeMap<String, Shaded>, legend: &[(usize, String)], others: u64) -> Markup {
    let side = TILES_ACROSS * STEP;
    let told = |tile: &Tile| boroughs.get(tile.borough.gss);
    html! {
        figure.map {
            svg.tiles viewBox={ "0 0 " (side) " " (side) } role="img" aria-label={ "London's boroughs as tiles, by " (figure) "; the same stands below as a table" } {
                @for tile in tiles() {
                    g class=(told(&tile).map_or_else(|| "absent".to_owned(), |told| format!("shade-{}", told.shade))) {
                        title { (tile.borough.name) ": " (told(&tile).map_or("nothing", |told| told.whole.as_str())) }
                        rect x=(tile.column * STEP + 2) y=(tile.row * STEP + 2) width=(TILE) height=(TILE) rx="5" {}
                        text.short x=(tile.column * STEP + STEP / 2) y=(tile.row * STEP + 42) { (tile.short) }
                        @if let Some(told) = told(&tile) {
                            text x=(tile.column * STEP + STEP / 2) y=(tile.row * STEP + 68) { (told.short) }
                        }
                    }
                }
            }
            figcaption {
                p { "By borough: " (figure) "." @if others > 0 { " " (many(others, "row", "rows")) " with another code." } }
                ul.legend { @for (shade, range) in legend { li { span class={ "swatch shade-" (shade) } {} (range) } } }
            }
        }
        details {
            summary { "The map as a table" }
            (wide("The map as a table", &html! {
                table {
                    caption { "By borough: " (figure) }
                    thead { tr { th scope="col" { "Borough" } th scope="col" { "Code" } th.number scope="col" { (figure) } } }
                    tbody {
                        @for tile in tiles() {
                            @if let Some(told) = told(&tile) {
                                tr { th scope="row" { (tile.borough.name) } td { code { (tile.borough.gss) } } td.number { (told.whole) } }
                            }
                        }
                    }
                }
            }))
        }
    }
}
