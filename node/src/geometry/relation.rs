//! Whether one geometry contains another, or meets it, as the dimensionally extended nine-intersection model (DE-9IM) says.

use geo::{BoundingRect, Contains, Geometry, Intersects, LinesIter, Rect, Relate};

use super::{NoGeometry, guarded};

/// Most pairs of segments that lie so that they may meet, beyond four for each segment: for each the comparison keeps a place.
const MOST_MEETING: usize = 1_000_000;
/// Most pairs of segments that are looked at to find those.
const MOST_LOOKED_AT: usize = 100_000_000;

/// Whether no part of the second lies outside of the first, and some of its inside within that.
pub(super) fn contains(one: &Geometry, other: &Geometry) -> Result<bool, NoGeometry> {
    match (boxes(one, other), other) {
        (None, _) => Ok(false),
        (Some(_), Geometry::Point(point)) => Ok(one.contains(point)),
        (Some(_), _) => {
            bounded(one, other)?;
            guarded(|| one.relate(other).is_contains())
        }
    }
}

/// Whether both have a point in common.
pub(super) fn intersects(one: &Geometry, other: &Geometry) -> Result<bool, NoGeometry> {
    match (boxes(one, other), one, other) {
        (None, ..) => Ok(false),
        (Some(_), geometry, Geometry::Point(point)) | (Some(_), Geometry::Point(point), geometry) => {
            Ok(geometry.intersects(point))
        }
        (Some(_), ..) => {
            bounded(one, other)?;
            guarded(|| one.relate(other).is_intersects())
        }
    }
}

/// The boxes around both, if they meet: most pairs are told apart by these alone.
fn boxes(one: &Geometry, other: &Geometry) -> Option<(Rect, Rect)> {
    let (one, other) = (one.bounding_rect()?, other.bounding_rect()?);
    one.intersects(&other).then_some((one, other))
}

/// Refuses geometries so many of whose segments may meet, each other's or their own, that the comparison would fill the memory.
fn bounded(one: &Geometry, other: &Geometry) -> Result<(), NoGeometry> {
    let mut segments = Vec::new();
    for geometry in [one, other] {
        gather(geometry, &mut segments);
    }
    segments.sort_unstable_by(|one, other| one.min().x.total_cmp(&other.min().x));
    let (mut looked_at, mut meeting) = (0, 0);
    let most = MOST_MEETING.saturating_add(segments.len().saturating_mul(4));
    for (index, segment) in segments.iter().enumerate() {
        let behind = segments.get(index + 1..).unwrap_or_default();
        for near in behind.iter().take_while(|near| near.min().x <= segment.max().x) {
            looked_at += 1;
            meeting += usize::from(near.min().y <= segment.max().y && segment.min().y <= near.max().y);
            if looked_at > MOST_LOOKED_AT || meeting > most {
                return Err(NoGeometry("its lines cross too often to be compared; simplify it"));
            }
        }
    }
    Ok(())
}

/// The boxes around the segments of a geometry.
fn gather(geometry: &Geometry, into: &mut Vec<Rect>) {
    match geometry {
        Geometry::Line(line) => into.push(Rect::new(line.start, line.end)),
        Geometry::LineString(line) => of_lines(line, into),
        Geometry::MultiLineString(lines) => of_lines(lines, into),
        Geometry::Polygon(polygon) => of_lines(polygon, into),
        Geometry::MultiPolygon(polygons) => of_lines(polygons, into),
        Geometry::Rect(rect) => of_lines(rect, into),
        Geometry::Triangle(triangle) => of_lines(triangle, into),
        Geometry::GeometryCollection(parts) => parts.iter().for_each(|part| gather(part, into)),
        Geometry::Point(_) | Geometry::MultiPoint(_) => {}
    }
}

fn of_lines<'a>(of: &'a impl LinesIter<'a, Scalar = f64>, into: &mut Vec<Rect>) {
    into.extend(of.lines_iter().map(|line| Rect::new(line.start, line.end)));
}
