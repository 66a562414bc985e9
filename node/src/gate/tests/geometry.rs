//! Functions over geometry: below a release point and over columns that are not open they are treated like any other function.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Int32Array};
use meridian_proto::{ColumnType, Form, Role};

use super::super::{Grant, UNIT_COLUMN};
use super::setup::{Body, column, exact, grant, loda, name, scan, terms, unit, unit_hash};

fn wkb(x: f64, y: f64) -> Vec<u8> {
    [&[1, 1, 0, 0, 0][..], &x.to_le_bytes(), &y.to_le_bytes()].concat()
}

/// `homes_at` (statistics) and `places` (rows, granted to loda): shapes of which one is none.
fn body() -> Body {
    let body = Body::new(&[]);
    let columns = || {
        vec![
            column("id", ColumnType::Integer, Role::Identifier, false),
            column("floor", ColumnType::Integer, Role::Dimension, false),
            column("shape", ColumnType::Bytea, Role::Hidden, false),
        ]
    };
    let rows = |hidden: bool| {
        let shapes = [Some(wkb(1.0, 2.0)), None, Some(b"SECRET-SHAPE".to_vec()), Some(wkb(3.0, 4.0))];
        let mut all: Vec<(&str, ArrayRef)> = vec![
            ("id", Arc::new(Int32Array::from(vec![1, 2, 3, 4]))),
            ("floor", Arc::new(Int32Array::from(vec![0, 0, 0, 0]))),
            ("shape", Arc::new(BinaryArray::from_iter(shapes))),
        ];
        let units: arrow::array::UInt64Array = (1..=4).map(|id| Some(unit_hash(id))).collect();
        if hidden {
            all.push((UNIT_COLUMN, Arc::new(units)));
        }
        scan(all)
    };
    let mut protected = terms("homes_at", Form::Statistics, columns());
    protected.unit = Some(unit(Some("id"), true));
    protected.controls = Some(Arc::new(exact()));
    body.add(protected, rows(true));
    let mut granted = terms("places", Form::Rows, columns());
    let columns = Some(vec![name("id"), name("shape")]);
    granted.grants = vec![Grant { columns, ..grant("places-2026", Form::Rows) }];
    body.add(granted, rows(false));
    body
}

#[tokio::test]
async fn below_a_release_point_they_are_refused_like_any_other_function() {
    let body = body();
    for condition in [
        "st_x(shape) > 1",
        "st_intersects(shape, st_point(1, 2))",
        "st_area(st_geomfromtext(CAST(floor AS VARCHAR))) > 1",
        "st_distance(st_point(floor, 0), st_point(0, 0)) < 1",
        // As others are.
        "encode(shape, 'hex') > '1'",
        "power(floor, 2) < 1",
    ] {
        let refusal = body.refusal(&format!("SELECT count(*) FROM homes_at WHERE {condition}"), &loda()).await;
        let why = refusal.rule;
        assert!(why.starts_with("statistics.") && !refusal.remedy.is_empty(), "{condition}: {why}");
    }
    for sql in [
        "SELECT st_astext(shape), count(*) FROM homes_at GROUP BY 1",
        "SELECT sum(st_x(shape)) FROM homes_at",
        "SELECT count(st_x(shape)) FROM homes_at",
        "SELECT st_x(shape) FROM homes_at",
        "SELECT shape, count(*) FROM homes_at GROUP BY shape",
        "SELECT count(*) FROM homes_at h JOIN boroughs b ON st_x(h.shape) = b.people",
    ] {
        let rule = body.refusal(sql, &loda()).await.rule;
        assert!(rule.starts_with("statistics."), "{sql}: {rule}");
    }
}

#[tokio::test]
async fn over_rows_that_are_not_open_what_has_no_value_is_null_and_never_an_error() {
    let body = body();
    for (expression, expected) in [
        ("st_x(shape)", ["1.0", "∅", "∅", "3.0"]),
        ("st_astext(shape)", ["POINT(1 2)", "∅", "∅", "POINT(3 4)"]),
        ("st_area_spheroid(shape)", ["0.0", "∅", "∅", "0.0"]),
        ("st_distance(shape, st_point(1 / (id - 1), 2))", ["∅", "∅", "∅", "3.605551275463989"]),
        ("st_contains(shape, st_point(3, 4))", ["false", "∅", "∅", "true"]),
        ("st_x(st_geomfromtext('POINT(' || id || ')'))", ["∅"; 4]),
    ] {
        let found = body.rows(&format!("SELECT {expression} AS v FROM places ORDER BY id"), &loda()).await.unwrap();
        assert_eq!(found, expected, "{expression}");
        let sql = format!("SELECT id FROM places WHERE ({expression}) IS NOT NULL ORDER BY id");
        assert!(body.rows(&sql, &loda()).await.is_ok(), "{sql}");
    }
}

#[tokio::test]
async fn texts_of_geometry_count_as_long_ones() {
    let body = body();
    let twice = "SELECT st_astext(st_geomfromtext(st_astext(st_geomfromtext(st_astext(shape))))) FROM places";
    assert_eq!(body.refusal(twice, &loda()).await.rule, "expression.growth");
}
