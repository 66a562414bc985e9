//! A feature of GeoJSON as a row: its properties, its id, and its geometry as well-known binary.

use super::super::{Fault, RecordFault};
use super::collection::{Features, wgs84};
use super::object::json;
use super::{Object, members};
use crate::geometry;

/// The column of the geometry.
pub(super) const GEOMETRY: &str = "geometry";

impl Iterator for FeatureObjects {
    type Item = Result<Object, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.next()?.and_then(|(line, text)| object(line, &text)))
    }
}

/// The features of a file as rows.
pub(super) struct FeatureObjects(pub(super) Features);

fn object(line: u64, text: &str) -> Result<Object, Fault> {
    let feature = members(line, text)?;
    let of = |key: &str| feature.iter().find(|(found, _)| found == key).and_then(|(_, value)| value.as_deref());
    if of("type") != Some("Feature") {
        return Err(json(line, "it is no feature"));
    }
    wgs84(&feature)?;
    let mut members = of("properties").map_or(Ok(Vec::new()), |text| members(line, text))?;
    if members.iter().any(|(key, _)| key == GEOMETRY) {
        return Err(json(line, "a property is named geometry, as is the column of shapes"));
    }
    if let Some(id) = of("id").filter(|_| members.iter().all(|(key, _)| key != "id")) {
        members.push(("id".to_owned(), Some(id.to_owned())));
    }
    let geometry = of(GEOMETRY).map_or(Ok(None), geometry::of_geojson);
    let geometry = geometry.map_err(|why| Fault::at_line(line, RecordFault::Geometry(why.0)))?;
    Ok(Object { line, members, geometry })
}
