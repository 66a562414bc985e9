//! GeoParquet: geometry as bytes through the same scan as any Parquet file, and metadata that can't be used.

use arrow::array::BinaryArray;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::metadata::KeyValue;
use datafusion::prelude::{col, lit};

use super::super::geoparquet::{Elsewhere, check};
use super::*;

/// As geopandas 1.0 writes it with its defaults, but for a shorter `crs`.
const GEO: &str = r#"{"primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB", "crs": {"$schema":
    "https://proj.org/schemas/v0.7/projjson.schema.json", "type": "GeographicCRS", "name": "WGS 84 (CRS84)", "id":
    {"authority": "OGC", "code": "CRS84"}}, "geometry_types": ["Point"], "bbox": [0.0, 50.0, 3.0, 51.0]}}, "version":
    "1.0.0", "creator": {"library": "geopandas", "version": "1.0.1"}}"#;

fn lamps() -> RecordBatch {
    let id: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let point = |x: f64| [&[1, 1, 0, 0, 0][..], &x.to_le_bytes(), &51.0_f64.to_le_bytes()].concat();
    let geometry: ArrayRef = Arc::new(BinaryArray::from_iter([Some(point(0.5)), None, Some(point(3.0))]));
    RecordBatch::try_from_iter_with_nullable([("id", id, true), ("geometry", geometry, true)]).unwrap()
}

fn write(path: &Path, geo: &str) {
    let batch = lamps();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.append_key_value_metadata(KeyValue::new("geo".to_owned(), geo.to_owned()));
    writer.close().unwrap();
}

fn lamps_of(geo: &str, columns: &[&str], mapping: Option<&str>) -> Source {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lamps.parquet");
    write(&path, geo);
    let (dataset, mapping) = (Arc::new(dataset(Form::Open, columns)), mapping.map(str::to_owned));
    Source { folder, spec: SourceSpec::new(dataset, SourceKind::Parquet, path, mapping) }
}

#[tokio::test]
async fn geometry_is_a_column_of_bytes_and_filters_still_reach_the_reader() {
    let mapping = "SELECT id, st_x(geometry) AS x, geometry FROM source";
    let source = lamps_of(GEO, &["id bigint", "x double", "geometry bytea"], Some(mapping));
    let point = "0101000000000000000000e03f0000000000804940";
    let last = "010100000000000000000008400000000000804940";
    assert_rows(&rows(&source).await, &[&format!("|1|0.5|{point}|"), "|2|||", &format!("|3|3.0|{last}|")]);
    let loaded = load(&source.spec, &context(), now()).await.unwrap();
    let frame = context().execute_logical_plan(loaded.plan).await.unwrap();
    let frame = frame.filter(col("id").gt(lit(2))).unwrap().select_columns(&["x"]).unwrap();
    let plan = pretty_format_batches(&frame.explain(false, false).unwrap().collect().await.unwrap()).unwrap();
    let plan = plan.to_string();
    assert!(plan.contains("predicate=") && plan.contains("projection=[id, geometry]"), "{plan}");
    // Files of one layout whose boxes differ are one source.
    let mut folder = source;
    write(&folder.folder.path().join("more.parquet"), &GEO.replace("3.0, 51.0", "4.0, 52.0"));
    folder.spec.path = folder.folder.path().to_path_buf();
    assert_eq!(load(&folder.spec, &context(), now()).await.unwrap().rows, 6);
}

#[tokio::test]
async fn metadata_that_can_not_be_used_names_the_file_and_the_remedy() {
    for (geo, expected) in [
        (
            GEO.replace("\"1.0.0\"", "\"2.0.0\""),
            "it is GeoParquet \"2.0.0\", and 1.0 and 1.1 are known here; write it anew",
        ),
        (GEO.replace("\"1.0.0\"", "\"0.4.0\""), "it is GeoParquet \"0.4.0\""),
        (GEO.replace("\"WKB\"", "\"point\""), "its geometry \"geometry\" is encoded as \"point\"; write it as WKB"),
        (
            GEO.replace("\"primary_column\": \"geometry\"", "\"primary_column\": \"shape\""),
            "the primary column \"shape\"",
        ),
        (GEO.replace("\"geometry\"", "\"shape\""), "its geometry \"shape\" is no column of bytes"),
        (GEO.replace("\"geometry\"", "\"id\""), "its geometry \"id\" is no column of bytes"),
        (GEO.replace("\"geometry_types\"", "\"edges\": \"spherical\", \"geometry_types\""), "arcs on a sphere"),
        (GEO.replace("\"encoding\"", "\"crs\": \"EPSG:4326\", \"was\""), "its metadata `geo` is none of GeoParquet's"),
        ("{".to_owned(), "its metadata `geo` is none of GeoParquet's; write the file anew as GeoParquet 1.1"),
    ] {
        let found = refused(&lamps_of(&geo, &["id bigint"], Some("SELECT id FROM source")), &[]).await;
        assert!(
            found.starts_with("dataset people: lamps.parquet can't be read") && found.contains(expected),
            "{found}"
        );
    }
}

#[test]
fn another_reference_system_is_told_and_the_usual_ones_are_not() {
    let found = |crs: &str| {
        let geo = format!(
            r#"{{"version": "1.1.0", "primary_column": "geometry", "columns": {{"geometry": {{"encoding": "WKB"{crs}}}}}}}"#
        );
        let schema = lamps().schema().as_ref().clone();
        check(&schema.with_metadata([("geo".to_owned(), geo)].into()))
    };
    let elsewhere = |crs: &str| Ok(vec![Elsewhere { column: "geometry".into(), crs: crs.into() }]);
    assert_eq!(found(""), Ok(vec![]));
    assert_eq!(found(r#", "crs": {"name": "WGS 84", "id": {"authority": "EPSG", "code": 4326}}"#), Ok(vec![]));
    assert_eq!(
        found(r#", "crs": {"name": "OSGB36", "id": {"authority": "EPSG", "code": 27700}}"#),
        elsewhere("EPSG:27700")
    );
    assert_eq!(found(r#", "crs": {"name": "local grid"}"#), elsewhere("local grid"));
    assert_eq!(found(r#", "crs": null"#), elsewhere(""));
    assert!(found(r#", "crs": "EPSG:27700""#).is_err());
}
