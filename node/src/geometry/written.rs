//! Geometry as text: well-known text, GeoJSON, and well-known binary in hexadecimal.

use geo::{Geometry, HasDimensions, MultiPoint};
use geojson::{GeometryValue, Position};
use wkt::{ToWkt, Wkt};

use super::NoGeometry;
use super::binary::{checked, read};

/// Deepest nesting of parentheses: the parser calls itself for each.
const DEEPEST: usize = 128;

/// The geometry of well-known text.
pub(super) fn of_text(text: &str) -> Result<Geometry, NoGeometry> {
    if depth(text) > DEEPEST {
        return Err(NoGeometry("it nests too deeply"));
    }
    let none = NoGeometry("it is no well-known text, such as POINT(-0.12 51.5)");
    let found: Wkt = text.parse().map_err(|_| none)?;
    let is_point = matches!(found, Wkt::Point(_));
    match Geometry::try_from(found) {
        Ok(geometry) => checked(geometry),
        // One without coordinates, for which there is no type.
        Err(_) if is_point => Ok(Geometry::MultiPoint(MultiPoint::new(Vec::new()))),
        Err(_) => Err(none),
    }
}

fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        deepest = depth.max(deepest);
    }
    deepest
}

/// Well-known text.
pub(super) fn text(geometry: &Geometry) -> String {
    geometry.wkt_string()
}

/// The geometry of well-known binary in hexadecimal, as PostGIS writes it.
pub(super) fn of_hex(text: &str) -> Result<Geometry, NoGeometry> {
    read(&hex::decode(text).map_err(|_| NoGeometry("it is no well-known binary in hexadecimal"))?)
}

/// The geometry of GeoJSON; `None` where it is null or empty. The JSON parser bounds how deep it nests.
pub(super) fn of_geojson(text: &str) -> Result<Option<Geometry>, NoGeometry> {
    let found: Option<geojson::Geometry> =
        serde_json::from_str(text).map_err(|_| NoGeometry("it is no geometry of GeoJSON"))?;
    let Some(found) = found else { return Ok(None) };
    if matches!(&found.value, GeometryValue::Point { coordinates } if coordinates.is_empty()) {
        return Ok(None);
    }
    if !whole(&found.value) {
        return Err(NoGeometry("a position in it has fewer than two numbers"));
    }
    let geometry = Geometry::try_from(&found.value).map_err(|_| NoGeometry("it is no geometry of GeoJSON"))?;
    let geometry = checked(geometry)?;
    Ok((!geometry.is_empty()).then_some(geometry))
}

/// Whether every position has two numbers at least: the conversion relies on it.
fn whole(value: &GeometryValue) -> bool {
    let all = |positions: &Vec<Position>| positions.iter().all(|position| position.len() >= 2);
    match value {
        GeometryValue::Point { coordinates } => coordinates.len() >= 2,
        GeometryValue::MultiPoint { coordinates } | GeometryValue::LineString { coordinates } => all(coordinates),
        GeometryValue::MultiLineString { coordinates } | GeometryValue::Polygon { coordinates } => {
            coordinates.iter().all(all)
        }
        GeometryValue::MultiPolygon { coordinates } => coordinates.iter().flatten().all(all),
        GeometryValue::GeometryCollection { geometries } => geometries.iter().all(|part| whole(&part.value)),
    }
}

/// GeoJSON.
pub(super) fn geojson(geometry: &Geometry) -> String {
    geojson::Geometry::new(GeometryValue::from(geometry)).to_string()
}
