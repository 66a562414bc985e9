//! Geometry: well-known binary as columns hold it, and SQL functions over it, which mappings and questions may call.
//!
//! | function | what it gives |
//! | --- | --- |
//! | `st_point(x, y)` | a point |
//! | `st_geomfromtext(text)`, `st_geomfromgeojson(text)` | the geometry of well-known text, of a GeoJSON geometry |
//! | `st_geomfromwkb(bytes)`, `st_geomfromhexwkb(text)` | that of well-known binary, also with an SRID, which is left out |
//! | `st_astext(g)`, `st_asgeojson(g)` | the other way |
//! | `st_x(g)`, `st_y(g)` | the coordinates of a point |
//! | `st_area(g)` | the area, in the square of the coordinates' unit |
//! | `st_area_spheroid(g)` | the area in square metres, of longitudes and latitudes in degrees |
//! | `st_distance(g, g)` | the least distance, in the coordinates' unit |
//! | `st_distance_spheroid(g, g)` | the distance of two points in metres, of longitudes and latitudes in degrees |
//! | `st_centroid(g)` | the centre of mass |
//! | `st_contains(g, g)`, `st_within(g, g)`, `st_intersects(g, g)` | as DE-9IM says; a boundary is not contained |
//!
//! Names and meanings are those of SQL/MM (ISO/IEC 13249-3), as PostGIS and DuckDB's spatial extension have them; `x` is
//! the longitude and `y` the latitude, as in GeoJSON. NULL gives NULL, and so does what has no value, such as the centroid
//! of nothing. Heights are left out. What is no geometry is an error that says nothing of it.
//!
//! | where | what |
//! | --- | --- |
//! | `binary`, `written` | well-known binary; well-known text and GeoJSON |
//! | `measure`, `relation` | areas, distances, centroids; whether one contains or meets another |
//! | `function` | all of these as functions of SQL |

mod binary;
mod function;
mod measure;
mod relation;
mod written;

#[cfg(test)]
mod tests;

pub(crate) use function::all as functions;

use geo::{CoordsIter, Geometry};

use crate::telemetry;

/// Why bytes or a text are no geometry, or none that can be computed with. Holds nothing of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoGeometry(pub(crate) &'static str);

/// Does what the crate asserts something of that does not hold for every geometry, such as for rings that cross themselves.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, NoGeometry> {
    let invalid =
        "it is not valid, as where rings cross or overlap; make it valid first, as PostGIS does with ST_MakeValid";
    telemetry::quietly(work).ok_or(NoGeometry(invalid))
}

/// The geometry of well-known text.
pub(crate) fn of_text(text: &str) -> Result<Geometry, NoGeometry> {
    written::of_text(text)
}

/// A GeoJSON geometry as well-known binary; `None` where it is null or has no coordinates, which RFC 7946 (3.1) lets one
/// take for the same.
pub(crate) fn of_geojson(text: &str) -> Result<Option<Vec<u8>>, NoGeometry> {
    written::of_geojson(text)?.map(|geometry| binary::write(&geometry)).transpose()
}

/// Well-known binary as a GeoJSON geometry, which is of longitudes and latitudes (RFC 7946, 4): other coordinates are refused.
pub(crate) fn to_geojson(bytes: &[u8]) -> Result<String, NoGeometry> {
    let geometry = binary::read(bytes)?;
    let is_on_earth = |x: f64, y: f64| x.abs() <= 180.0 && y.abs() <= 90.0;
    if geometry.coords_iter().all(|point| is_on_earth(point.x, point.y)) {
        Ok(written::geojson(&geometry))
    } else {
        Err(NoGeometry("its coordinates are no longitudes and latitudes, which GeoJSON is made of"))
    }
}
