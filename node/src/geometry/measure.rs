//! Areas, distances and centroids: in the plane by the coordinates, or on the WGS 84 ellipsoid in metres.
//!
//! On the ellipsoid they are those of C. F. F. Karney, Algorithms for geodesics, J. Geodesy 87 (2013), as GeographicLib has them.

use geo::{
    Area, Centroid, CoordsIter, Distance, Euclidean, Geodesic, GeodesicArea, Geometry, HasDimensions, LineString,
    Point, Polygon,
};

use super::{NoGeometry, guarded};

/// Most pairs of vertices that two geometries may have between which each pair may be looked at.
const MOST_PAIRS: usize = 1_000_000_000;

/// The area in the plane.
pub(super) fn area(geometry: &Geometry) -> f64 {
    geometry.unsigned_area()
}

/// The area in square metres, whichever way rings run.
pub(super) fn area_spheroid(geometry: &Geometry) -> Result<f64, NoGeometry> {
    degrees(geometry)?;
    Ok(area_of_degrees(geometry))
}

fn area_of_degrees(geometry: &Geometry) -> f64 {
    match geometry {
        Geometry::Polygon(polygon) => area_of_polygon(polygon),
        Geometry::MultiPolygon(polygons) => polygons.iter().map(area_of_polygon).sum(),
        Geometry::GeometryCollection(parts) => parts.iter().map(area_of_degrees).sum(),
        Geometry::Rect(rect) => area_of_polygon(&rect.to_polygon()),
        Geometry::Triangle(triangle) => area_of_polygon(&triangle.to_polygon()),
        Geometry::Point(_)
        | Geometry::Line(_)
        | Geometry::LineString(_)
        | Geometry::MultiPoint(_)
        | Geometry::MultiLineString(_) => 0.0,
    }
}

fn area_of_polygon(polygon: &Polygon) -> f64 {
    let ring = |ring: &LineString| Polygon::new(ring.clone(), Vec::new()).geodesic_area_signed().abs();
    let holes: f64 = polygon.interiors().iter().map(ring).sum();
    (ring(polygon.exterior()) - holes).max(0.0)
}

/// The least distance in the plane; none to nothing.
pub(super) fn distance(one: &Geometry, other: &Geometry) -> Result<Option<f64>, NoGeometry> {
    if one.is_empty() || other.is_empty() {
        return Ok(None);
    }
    if one.coords_count().saturating_mul(other.coords_count()) > MOST_PAIRS {
        return Err(NoGeometry("both have too many points to be measured against each other; simplify one"));
    }
    let distance = guarded(|| Euclidean.distance(one, other))?;
    Ok(distance.is_finite().then_some(distance))
}

/// The length of the shortest way between two points, in metres.
pub(super) fn distance_spheroid(one: &Geometry, other: &Geometry) -> Result<Option<f64>, NoGeometry> {
    degrees(one)?;
    degrees(other)?;
    let (Some(one), Some(other)) = (point(one)?, point(other)?) else { return Ok(None) };
    Ok(Some(Geodesic.distance(one, other)))
}

/// The centre of mass of what has the most dimensions; none of nothing.
pub(super) fn centroid(geometry: &Geometry) -> Result<Option<Geometry>, NoGeometry> {
    let centre = guarded(|| geometry.centroid())?;
    Ok(centre.filter(|centre| centre.x().is_finite() && centre.y().is_finite()).map(Geometry::Point))
}

/// The point that it is; none where it is nothing.
pub(super) fn point(geometry: &Geometry) -> Result<Option<Point>, NoGeometry> {
    match geometry {
        Geometry::Point(point) => Ok(Some(*point)),
        other if other.is_empty() => Ok(None),
        _ => Err(NoGeometry("it is no point; take its st_centroid")),
    }
}

fn degrees(geometry: &Geometry) -> Result<(), NoGeometry> {
    if geometry.coords_iter().all(|point| point.x.abs() <= 360.0 && point.y.abs() <= 90.0) {
        Ok(())
    } else {
        Err(NoGeometry("its coordinates are no longitudes and latitudes in degrees"))
    }
}
