//! GeoJSON: collections, single features and sequences; geometry as a column; what is refused, by line.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn geojson(text: &str, columns: &[&str], mapping: Option<&str>) -> Source {
    file("people.geojson", text, SourceKind::GeoJson, columns, mapping)
}

const COLLECTION: &str = r#"{
"type": "FeatureCollection", "name": "features",
"crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}},
"features": [
{"type": "Feature", "id": 7, "properties": {"name": "a,]}", "height": 3.50}, "geometry":
  {"type": "Point", "coordinates": [-0.5, 51.5, 30.25]}},
{"type": "Feature", "properties": {"height": "tall", "tags": {"x": [1]}}, "geometry": null},
{"type": "Feature", "properties": null, "geometry": {"type": "Polygon", "coordinates": []}}
],
"bbox": [-1, 50, 1, 52]
}
"#;
const MAPPING: &str = "SELECT id, name, height, tags, st_astext(geometry) AS shape FROM source";
const COLUMNS: [&str; 5] = ["id varchar", "name varchar", "height varchar", "tags varchar", "shape varchar"];
const ROWS: [&str; 3] = ["|7|a,]}|3.50||POINT(-0.551.5)|", "|||tall|{\"x\":[1]}||", "||||||"];

#[tokio::test]
async fn properties_are_columns_of_text_and_the_geometry_is_one_of_bytes() {
    assert_rows(&rows(&geojson(COLLECTION, &COLUMNS, Some(MAPPING))).await, &ROWS);
    let bytes = geojson(COLLECTION, &["name varchar", "geometry bytea"], Some("SELECT name, geometry FROM source"));
    // Little-endian, a point, and its two coordinates.
    let point = "0101000000000000000000e0bf0000000000c04940";
    assert_rows(&rows(&bytes).await, &[&format!("|a,]}}|{point}|"), "|||", "|||"]);
}

#[tokio::test]
async fn a_feature_and_sequences_of_them_are_read_like_a_collection() {
    let feature = |name: &str| {
        format!(
            "{{\"type\":\"Feature\",\"properties\":{{\"name\":\"{name}\"}},\"geometry\":{{\"type\":\"Point\",\"coordinates\":[1,2]}}}}"
        )
    };
    let mapping = "SELECT name, st_x(geometry) AS x FROM source";
    let columns = ["name varchar", "x double"];
    let (one, two) = (feature("one"), feature("two"));
    for text in [
        format!("{one}\n{two}\n"),
        format!("\u{feff}{one}\r\n\r\n{two}"),
        format!("\u{1e}{one}\n\u{1e}{two}\n"),
        format!("{}\n{}", one.replace(',', ",\n  "), two.replace('{', "{\n")),
        format!("{{\"features\":[{one},{two}],\"type\":\"FeatureCollection\"}}"),
        format!("{{ \"type\" : \"FeatureCollection\" , \"features\" : [ {one} , {two} ] }}"),
    ] {
        let found = rows(&geojson(&text, &columns, Some(mapping))).await;
        assert_rows(&found, &["|one|1.0|", "|two|1.0|"]);
    }
    assert_rows(&rows(&geojson(&one, &columns, Some(mapping))).await, &["|one|1.0|"]);
    let none = geojson("{\"type\":\"FeatureCollection\",\"features\":[]}", &["geometry bytea"], None);
    assert_rows(&rows(&none).await, &[]);
}

#[tokio::test]
async fn a_packed_file_and_a_folder_are_read_as_well() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(COLLECTION.as_bytes()).unwrap();
    let packed = file("people.geojson.gz", packed.finish().unwrap(), SourceKind::GeoJson, &COLUMNS, Some(MAPPING));
    assert_rows(&rows(&packed).await, &ROWS);
    let mut folder = packed;
    fs::write(folder.folder.path().join("other.geojson"), COLLECTION).unwrap();
    folder.spec.path = folder.folder.path().to_path_buf();
    assert_eq!(load(&folder.spec, &context(), now()).await.unwrap().rows, 6);
}

#[tokio::test]
async fn what_can_not_be_read_is_named_by_line_and_not_quoted() {
    let feature =
        |geometry: &str| format!("{{\"type\":\"Feature\",\"properties\":{{\"a\":1}},\"geometry\":{geometry}}}");
    let good = feature("null");
    let second = |bad: &str| format!("{good}\n{bad}\n");
    let within = |bad: &str| format!("{{\"type\":\"FeatureCollection\",\n\"features\":[{good},\n{bad}\n]}}");
    let shape = "line 2: column geometry holds no geometry, since";
    for (text, expected) in [
        (second(&feature("{\"type\":\"Point\",\"coordinates\":[4711]}")), shape),
        (second(&feature("{\"type\":\"Point\",\"coordinates\":[\"4711\", 2]}")), shape),
        (second(&feature("{\"type\":\"Sphere4711\",\"coordinates\":[1, 2]}")), shape),
        (second(&feature("{\"type\":\"Point\",\"coordinates\":[4711e300, 2]}")), shape),
        (second(&feature("\"4711\"")), shape),
        (within(&feature("{\"type\":\"Polygon\",\"coordinates\":[[[4711]]]}")), &shape.replace('2', "3")),
        (
            second("{\"type\":\"Point\",\"coordinates\":[4711,2]}"),
            "line 2: no row can be made of it, since it is no feature",
        ),
        (
            second("{\"type\":\"Feature\",\"properties\":{\"a\":4711x}}"),
            "line 2: no row can be made of it, since its syntax",
        ),
        (
            second("{\"type\":\"Feature\",\"properties\":{\"a\":4711"),
            "line 2: no row can be made of it, since the file ends",
        ),
        (second("[4711]"), "line 2: no row can be made of it, since it is no feature and no collection"),
        (
            second("{\"type\":\"Feature\",\"properties\":{\"geometry\":4711},\"geometry\":null}"),
            "line 2: no row can be made of it, since a property is named geometry",
        ),
        (within("{\"type\":\"Feature\""), "line 3: no row can be made of it, since the file ends within the array"),
        (format!("{}\n4711", within(&good)), "line 5: no row can be made of it, since something stands behind its end"),
        (
            "{\"type\":\"4711\",\"features\":[]}".into(),
            "line 1: no row can be made of it, since what has features is no",
        ),
        (
            "{\"type\":\"FeatureCollection\",\"features\":[]\n\"a\":4711}".into(),
            "line 1: no row can be made of it, since a comma",
        ),
        (
            "{\"type\":\"FeatureCollection\",\"features\":[]".into(),
            "line 1: no row can be made of it, since the file ends",
        ),
        (String::new(), "can't be read: it holds no feature"),
    ] {
        let told = refused(&geojson(&text, &["a varchar"], Some("SELECT a FROM source")), &["4711"]).await;
        assert!(told.starts_with(&format!("dataset people: people.geojson {expected}")), "{text}\n{told}");
    }
}

#[tokio::test]
async fn coordinates_that_are_no_longitudes_and_latitudes_are_refused_with_the_remedy() {
    let crs = |name: &str| format!("\"crs\":{{\"type\":\"name\",\"properties\":{{\"name\":\"{name}\"}}}}");
    let feature = "{\"type\":\"Feature\",\"properties\":{\"a\":1},\"geometry\":null}";
    let columns = ["a varchar"];
    let mapping = Some("SELECT a FROM source");
    let grid = crs("urn:ogc:def:crs:EPSG::27700");
    for text in [
        format!("{{{grid},\"type\":\"FeatureCollection\",\"features\":[{feature}]}}"),
        format!("{{\"type\":\"FeatureCollection\",\"features\":[{feature}],{grid}}}"),
        feature.replace("\"type\":\"Feature\"", &format!("\"type\":\"Feature\",{grid}")),
    ] {
        let told = refused(&geojson(&text, &columns, mapping), &[]).await;
        assert!(told.contains("EPSG::27700") && told.contains("-t_srs EPSG:4326"), "{told}");
    }
    for name in ["urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:EPSG::4326", "EPSG:4326"] {
        let text = format!("{{{},\"type\":\"FeatureCollection\",\"features\":[{feature}]}}", crs(name));
        assert_rows(&rows(&geojson(&text, &columns, mapping)).await, &["|1|"]);
    }
    let null = format!("{{\"crs\":null,\"type\":\"FeatureCollection\",\"features\":[{feature}]}}");
    assert_rows(&rows(&geojson(&null, &columns, mapping)).await, &["|1|"]);
}

#[tokio::test]
async fn a_mapping_that_fails_over_a_shape_names_its_line() {
    let feature = |shape: &str| format!("{{\"type\":\"Feature\",\"properties\":{{}},\"geometry\":{shape}}}\n");
    let mut text = feature("{\"type\":\"Point\",\"coordinates\":[1,2]}").repeat(9_000);
    text.push_str(&feature("{\"type\":\"LineString\",\"coordinates\":[[4711,2],[3,4]]}"));
    let source = geojson(&text, &["x double"], Some("SELECT st_x(geometry) AS x FROM source"));
    let told = refused(&source, &["4711"]).await;
    assert!(
        told.starts_with("dataset people: people.geojson line 9001: column x can't be computed as double"),
        "{told}"
    );
}
