//! The functions against figures that were found by other means, and against bytes that are meant to do harm.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryArray, RecordBatch};
use arrow::datatypes::Float64Type;
use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;

use super::*;

fn session() -> SessionContext {
    let session = SessionContext::new();
    functions().for_each(|function| session.register_udf(function));
    session
}

async fn asked(session: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>, String> {
    let frame = session.sql(sql).await.map_err(|error| error.to_string())?;
    frame.collect().await.map_err(|error| error.to_string())
}

/// The value of an expression as text.
async fn value(expression: &str) -> Result<String, String> {
    let batches = asked(&session(), &format!("SELECT arrow_cast({expression}, 'Utf8') AS v")).await?;
    Ok(batches[0].column(0).as_string::<i32>().value(0).to_owned())
}

async fn number(expression: &str) -> f64 {
    value(expression).await.unwrap().parse().unwrap()
}

const SQUARE: &str = "st_geomfromtext('POLYGON((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 1 2, 2 2, 2 1, 1 1))')";

#[tokio::test]
async fn figures_in_the_plane_are_those_that_one_works_out_by_hand() {
    for (expression, expected) in [
        (format!("st_area({SQUARE})"), "15.0"),
        ("st_area(st_geomfromtext('MULTIPOLYGON(((0 0, 0 1, 1 1, 1 0, 0 0)), ((5 5, 7 5, 7 7, 5 5)))'))".into(), "3.0"),
        ("st_area(st_geomfromtext('LINESTRING(0 0, 3 4)'))".into(), "0.0"),
        ("st_distance(st_point(0, 0), st_point(3, 4))".into(), "5.0"),
        (format!("st_distance({SQUARE}, st_point(7, 8))"), "5.0"),
        (format!("st_distance({SQUARE}, st_point(1.5, 1.75))"), "0.25"),
        (format!("st_distance({SQUARE}, st_point(3, 3))"), "0.0"),
        ("st_astext(st_centroid(st_geomfromtext('POLYGON((0 0, 4 0, 4 2, 0 2, 0 0))')))".into(), "POINT(2 1)"),
        ("st_astext(st_centroid(st_geomfromtext('LINESTRING(0 0, 4 0)')))".into(), "POINT(2 0)"),
        ("st_x(st_point(-0.12, 51.5)) + st_y(st_point(1, 2))".into(), "1.88"),
        // Of the hole's edge nothing is inside; a boundary is met and not contained.
        (format!("st_contains({SQUARE}, st_point(3, 3))"), "true"),
        (format!("st_contains({SQUARE}, st_point(1.5, 1.5))"), "false"),
        (format!("st_contains({SQUARE}, st_point(0, 2))"), "false"),
        (format!("st_intersects({SQUARE}, st_point(0, 2))"), "true"),
        (format!("st_within(st_point(3, 3), {SQUARE})"), "true"),
        (format!("st_contains({SQUARE}, st_geomfromtext('LINESTRING(3 1, 3 3)'))"), "true"),
        (format!("st_contains({SQUARE}, st_geomfromtext('LINESTRING(0.5 1.5, 3 1.5)'))"), "false"),
        (format!("st_intersects({SQUARE}, st_geomfromtext('POLYGON((3 3, 9 3, 9 9, 3 3))'))"), "true"),
        (format!("st_intersects({SQUARE}, st_geomfromtext('POLYGON((5 5, 9 5, 9 9, 5 5))'))"), "false"),
        (format!("st_within({SQUARE}, {SQUARE})"), "true"),
    ] {
        assert_eq!(value(&expression).await.as_deref(), Ok(expected), "{expression}");
    }
}

/// Areas and distances on the ellipsoid: the O2 in London is the geo crate's own published example; a degree along the
/// equator is 2πa/360 of the ellipsoid's radius a = 6,378,137 m; from pole to equator is its quarter meridian, 10,001,965.729 m.
#[tokio::test]
async fn figures_on_the_ellipsoid_are_the_published_ones() {
    let o2 = "0.00388383 51.501574, 0.00538587 51.502278, 0.00553607 51.503299, 0.00467777 51.504181, 0.00327229 51.504435, \
              0.00187754 51.504168, 0.00087976 51.50338, 0.00107288 51.502324, 0.00185608 51.50177, 0.00388383 51.501574";
    let backwards = o2.split(", ").collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join(", ");
    for ring in [o2, &backwards] {
        let area = number(&format!("st_area_spheroid(st_geomfromtext('POLYGON(({ring}))'))")).await;
        assert_eq!(area.round(), 78_596.0, "{ring}");
    }
    let degree = number("st_distance_spheroid(st_point(0, 0), st_point(1, 0))").await;
    assert!((degree - 2.0 * std::f64::consts::PI * 6_378_137.0 / 360.0).abs() < 1e-6, "{degree}");
    let quarter = number("st_distance_spheroid(st_point(0, 0), st_point(0, 90))").await;
    assert!((quarter - 10_001_965.729).abs() < 1e-3, "{quarter}");
    // An eighth of the ellipsoid's 510,065,621,724,088 m².
    let eighth = number("st_area_spheroid(st_geomfromtext('POLYGON((0 0, 90 0, 0 90, 0 0))'))").await;
    assert!((eighth - 63_758_202_715_511.0).abs() < 10.0, "{eighth}");
}

#[tokio::test]
async fn what_is_written_is_read_back_and_null_gives_null() {
    for text in [
        "POINT(1 2)",
        "LINESTRING(1 2,3 4.5)",
        "POLYGON((0 0,4 0,4 4,0 0))",
        "MULTIPOINT((1 2),(3 4))",
        "MULTILINESTRING((1 2,3 4),(5 6,7 8))",
        "MULTIPOLYGON(((0 0,4 0,4 4,0 0)),((5 5,6 5,6 6,5 5)))",
        "GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(1 2,3 4))",
    ] {
        assert_eq!(value(&format!("st_astext(st_geomfromtext('{text}'))")).await.unwrap(), text);
        let through = format!("st_astext(st_geomfromgeojson(st_asgeojson(st_geomfromtext('{text}'))))");
        assert_eq!(value(&through).await.unwrap(), text);
        assert_eq!(value(&format!("st_astext(st_geomfromwkb(st_geomfromtext('{text}')))")).await.unwrap(), text);
    }
    // EWKB, as PostGIS writes SRID=27700;POINT(530000 180000).
    let hex = "0101000020346C000000000000A02C20410000000000F90541";
    assert_eq!(value(&format!("st_astext(st_geomfromhexwkb('{hex}'))")).await.unwrap(), "POINT(530000 180000)");
    let high = "st_astext(st_geomfromgeojson('{\"type\":\"Point\",\"coordinates\":[1,2,30]}'))";
    assert_eq!(value(high).await.unwrap(), "POINT(1 2)");
    for null in [
        "st_area(NULL)",
        "st_point(1, NULL)",
        "st_contains(st_point(1, 2), NULL)",
        "st_geomfromtext(NULL)",
        "st_x(st_geomfromtext('POINT EMPTY'))",
        "st_centroid(st_geomfromtext('POLYGON EMPTY'))",
        "st_distance(st_geomfromtext('POLYGON EMPTY'), st_point(1, 2))",
        "st_geomfromgeojson('null')",
        "st_geomfromgeojson('{\"type\":\"Polygon\",\"coordinates\":[]}')",
    ] {
        let found = asked(&session(), &format!("SELECT {null} IS NULL AS v")).await.unwrap();
        assert!(found[0].column(0).as_boolean().value(0), "{null}");
    }
}

#[tokio::test]
async fn what_is_no_geometry_is_an_error_that_says_nothing_of_it() {
    for (expression, expected) in [
        ("st_area(X'4711')", "it is no well-known binary"),
        ("st_geomfromtext('POINT(4711')", "it is no well-known text"),
        ("st_geomfromhexwkb('4711x')", "it is no well-known binary in hexadecimal"),
        (
            "st_geomfromgeojson('{\"type\":\"Point\",\"coordinates\":[4711]}')",
            "it is no geometry of GeoJSON|fewer than two numbers",
        ),
        ("st_geomfromgeojson('{\"type\":\"Cube\",\"coordinates\":[4711]}')", "it is no geometry of GeoJSON"),
        ("st_point(4711, CAST('NaN' AS DOUBLE))", "a coordinate is no finite number"),
        ("st_x(st_geomfromtext('LINESTRING(4711 1, 2 2)'))", "it is no point"),
        ("st_area_spheroid(st_geomfromtext('POINT(1 4711)'))", "no longitudes and latitudes"),
        ("st_area('4711')", "takes geometry as well-known binary"),
        ("st_area(st_point(1, 2), 4711)", "st_area takes 1 arguments"),
    ] {
        let told = value(expression).await.unwrap_err();
        assert!(expected.split('|').any(|expected| told.contains(expected)), "{expression}: {told}");
        assert!(!told.contains("4711") || expected.contains("takes"), "{told}");
    }
}

/// A generator, so that a seed says it all.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

fn valid() -> Vec<Vec<u8>> {
    let texts = [
        "POINT(1 2)",
        "POINT EMPTY",
        "LINESTRING(1 2,3 4,5 6)",
        "POLYGON((0 0,4 0,4 4,0 4,0 0),(1 1,1 2,2 2,2 1,1 1))",
        "MULTIPOINT((1 2),(3 4))",
        "MULTILINESTRING((1 2,3 4),(5 6,7 8))",
        "MULTIPOLYGON(((0 0,4 0,4 4,0 0)),((5 5,6 5,6 6,5 5)))",
        "GEOMETRYCOLLECTION(POINT(1 2),GEOMETRYCOLLECTION(LINESTRING(1 2,3 4)))",
    ];
    texts.iter().map(|text| binary::write(&written::of_text(text).unwrap()).unwrap()).collect()
}

/// Every function over two geometries, as far as they can be read.
fn try_all(bytes: &[u8]) {
    let Ok(geometry) = binary::read(bytes) else { return };
    for other in valid().iter().map(|bytes| binary::read(bytes).unwrap()).chain([geometry.clone()]) {
        let _ = (measure::distance(&geometry, &other), measure::distance_spheroid(&geometry, &other));
        let _ = (relation::contains(&geometry, &other), relation::contains(&other, &geometry));
        let _ = relation::intersects(&geometry, &other);
    }
    let _ = (measure::area(&geometry), measure::area_spheroid(&geometry), measure::centroid(&geometry));
    let _ = (written::text(&geometry), written::geojson(&geometry));
    assert!(binary::read(&binary::write(&geometry).unwrap()).is_ok());
}

#[test]
fn bytes_that_are_cut_or_changed_are_refused_or_read_and_nothing_panics() {
    telemetry::report_panics(std::panic::take_hook());
    let mut draw = Draw(20_261_127);
    for bytes in valid() {
        for end in 0..bytes.len() {
            assert!(binary::read(&bytes[..end]).is_err(), "{end} of {bytes:?}");
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(binary::read(&longer).is_err());
        for _ in 0..4_000 {
            let mut bytes = bytes.clone();
            for _ in 0..=draw.below(4) {
                let at = draw.below(bytes.len());
                let any = u8::try_from(draw.below(256)).unwrap();
                bytes[at] = [0, 1, 2, 3, 7, 0x20, 0x7F, 0xF0, 0xFF, any][draw.below(10)];
            }
            try_all(&bytes);
        }
    }
}

#[test]
fn counts_depth_and_crossings_that_are_meant_to_fill_memory_or_stack_are_refused() {
    for kind in 1..=7_u8 {
        for order in [0, 1] {
            let mut bytes = vec![order, 0, 0, 0, 0];
            bytes[if order == 1 { 1 } else { 4 }] = kind;
            bytes.extend([0xFF; 4]);
            bytes.extend([0; 64]);
            assert!(kind == 1 || binary::read(&bytes).is_err(), "{kind}");
        }
    }
    let mut deep = Vec::new();
    for _ in 0..100_000 {
        deep.extend([1, 7, 0, 0, 0, 1, 0, 0, 0]);
    }
    deep.extend(&valid()[0]);
    assert!(binary::read(&deep).is_err());
    assert!(written::of_text(&"GEOMETRYCOLLECTION(".repeat(100_000)).is_err());
    assert!(written::of_geojson(&"{\"type\":\"GeometryCollection\",\"geometries\":[".repeat(100_000)).is_err());
    assert!(written::of_geojson(&format!("{{\"type\":\"Polygon\",\"coordinates\":{}", "[".repeat(100_000))).is_err());
    assert!(binary::read(&vec![0; 16 * 1024 * 1024 + 1]).is_err());
    // Two combs across each other: 4,000 teeth each, 16 million crossings.
    let comb = |upright: bool| {
        let points = (0..8_000).map(|tooth| {
            let (along, across) =
                (f64::from(tooth / 2), f64::from(u8::from(tooth % 4 == 1 || tooth % 4 == 2)) * 4_000.0);
            if upright { (along, across) } else { (across, along) }
        });
        geo::Geometry::LineString(points.collect())
    };
    let told = relation::intersects(&comb(true), &comb(false)).unwrap_err();
    assert!(told.to_string().contains("cross too often"), "{told}");
    assert_eq!(relation::intersects(&comb(true), &comb(true)), Ok(true));
}

#[tokio::test]
async fn a_constant_is_no_array_and_rows_keep_their_places() {
    let session = session();
    let points: ArrayRef = Arc::new(BinaryArray::from_iter((0..20_000).map(|row| {
        (row % 7 != 0).then(|| binary::write(&geo::Geometry::Point(geo::Point::new(f64::from(row), 1.0))).unwrap())
    })));
    let batch = RecordBatch::try_from_iter_with_nullable([("p", points, true)]).unwrap();
    session.register_batch("points", batch).unwrap();
    let sql = format!(
        "SELECT count(*) FILTER (WHERE st_contains({SQUARE}, p)) a, count(st_x(p)) b, sum(st_x(p)) c FROM points"
    );
    let found = asked(&session, &sql).await.unwrap();
    let found = pretty_format_batches(&found).unwrap().to_string();
    // Only x = 3 is inside; 2 is on the hole's edge and 1 as well; 17,142 rows have a point.
    assert!(found.contains("| 1 | 17142 |"), "{found}");
    let sum = asked(&session, "SELECT sum(st_x(p)) FROM points").await.unwrap();
    let expected: f64 = (0..20_000).filter(|row| row % 7 != 0).map(f64::from).sum();
    assert_eq!(sum[0].column(0).as_primitive::<Float64Type>().value(0), expected);
}
