//! Well-known binary (OGC 06-103r4, and PostGIS's form with an SRID) to geometry and back.

use geo::{CoordsIter, Geometry, MultiPoint};
use geo_traits::to_geo::ToGeoGeometry;
use wkb::reader::{GeometryType, read_wkb};
use wkb::writer::{WriteOptions, write_geometry};

use super::NoGeometry;
use crate::telemetry;

/// The longest geometry, in bytes: of one that is made to fill memory, what it becomes stays bounded.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// The largest coordinate: areas and centres multiply three of them.
const LARGEST: f64 = 1e100;

/// The geometry that all of the bytes are. The crate bounds how deep collections nest, and what a count may ask for; of parts
/// that are cut it asserts that they are not.
pub(super) fn read(bytes: &[u8]) -> Result<Geometry, NoGeometry> {
    telemetry::quietly(|| taken(bytes)).unwrap_or(Err(NoGeometry("it is no well-known binary")))
}

fn taken(bytes: &[u8]) -> Result<Geometry, NoGeometry> {
    if bytes.len() > MOST_BYTES {
        return Err(NoGeometry("it has more than 16 MiB"));
    }
    let found = read_wkb(bytes).map_err(|_| NoGeometry("it is no well-known binary"))?;
    if found.buf().len() != bytes.len() {
        return Err(NoGeometry("something stands behind its end"));
    }
    match found.try_to_geometry() {
        Some(geometry) => checked(geometry),
        // A point without coordinates, for which there is no type.
        None if found.geometry_type() == GeometryType::Point => Ok(Geometry::MultiPoint(MultiPoint::new(Vec::new()))),
        None => Err(NoGeometry("an empty point stands among its points")),
    }
}

/// The geometry, if one can compute with its coordinates.
pub(super) fn checked(geometry: Geometry) -> Result<Geometry, NoGeometry> {
    // Also false for what is no number.
    let fits = |coordinate: f64| coordinate.abs() <= LARGEST;
    if geometry.coords_iter().all(|point| fits(point.x) && fits(point.y)) {
        Ok(geometry)
    } else {
        Err(NoGeometry("a coordinate is no finite number up to 1e100"))
    }
}

/// Well-known binary of two dimensions, little-endian.
pub(super) fn write(geometry: &Geometry) -> Result<Vec<u8>, NoGeometry> {
    let mut bytes = Vec::new();
    write_geometry(&mut bytes, geometry, &WriteOptions::default())
        .map_err(|_| NoGeometry("it has too many parts for well-known binary"))?;
    Ok(bytes)
}
