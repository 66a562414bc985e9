//! Geometry and SQLite through the mesh: published by one body, computed with by another.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::support::{Mesh, until};

const PARKS: &str = r#"{"type": "FeatureCollection", "features": [
{"type": "Feature", "properties": {"name": "square"}, "geometry": {"type": "Polygon", "coordinates":
  [[[0, 51], [0.01, 51], [0.01, 51.01], [0, 51.01], [0, 51]]]}},
{"type": "Feature", "properties": {"name": "nowhere"}, "geometry": null}
]}"#;

/// An open dataset of a file in the body's folder.
fn publish(folder: &Path, name: &str, source: &str, columns: &[&str]) {
    let columns = columns.iter().map(|column| {
        let (column, column_type) = column.split_once(' ').unwrap();
        format!("\n[[columns]]\nname = \"{column}\"\ntype = \"{column_type}\"\n")
    });
    let columns: String = columns.collect();
    let dataset = format!(
        "name = \"{name}\"\ntitle = \"{name}\"\ndescription = \"\"\nlicence = \"OGL-UK-3.0\"\nform = \"open\"\n\n\
         [source]\n{source}\n{columns}"
    );
    fs::write(folder.join("datasets").join(format!("{name}.toml")), dataset).unwrap();
}

/// Has Python's own sqlite3 make the file anew.
fn trees(path: &Path, rows: &str) {
    let python = std::env::var("MERIDIAN_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.commit()";
    let table = "DROP TABLE IF EXISTS trees; CREATE TABLE trees (id INTEGER PRIMARY KEY, x REAL, y REAL)";
    // All at once: whoever reads meanwhile meets no table without rows.
    let statements = format!("BEGIN; {table}; INSERT INTO trees VALUES {rows}; COMMIT");
    let ran = Command::new(python).args(["-c", script]).arg(path).arg(statements).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn shapes_of_one_body_are_measured_by_another_and_a_broken_file_leaves_the_rest() {
    let mesh = Mesh::prepared();
    let folder = mesh.folder("gla");
    fs::write(folder.join("data/parks.geojson"), PARKS).unwrap();
    publish(&folder, "parks", "kind = \"geojson\"\npath = \"data/parks.geojson\"", &["name varchar", "geometry bytea"]);
    let file = folder.join("data/trees.db");
    trees(&file, "(1, 0.005, 51.005), (2, 0.005, 52), (3, NULL, NULL)");
    let source = "kind = \"sqlite\"\npath = \"data/trees.db\"\ntable = \"trees\"";
    publish(&folder, "trees", source, &["id bigint", "x double", "y double"]);
    mesh.start_each();
    let answered = |sql: &str| {
        until(&format!("an answer to {sql}"), || Some(mesh.ask(sql)).filter(|ran| ran.code == Some(0))).ok().to_owned()
    };

    // 0.01 degrees of longitude at latitude 51 are 702 m, of latitude 1,113 m.
    let area = "SELECT name, CAST(round(st_area_spheroid(geometry) / 10000) AS BIGINT) AS hectares FROM gla.parks ORDER BY name";
    assert_eq!(answered(area), "name,hectares\nnowhere,\nsquare,78\n");
    let within = "SELECT p.name, t.id FROM gla.parks p JOIN gla.trees t ON st_contains(p.geometry, st_point(t.x, t.y))";
    assert_eq!(answered(within), "name,id\nsquare,1\n");
    // As bytes, which the command line writes in hexadecimal.
    let bytes = answered("SELECT geometry FROM gla.parks WHERE name = 'square'");
    assert!(bytes.starts_with("geometry\n0103000000010000000500000000000000"), "{bytes}");
    let count = "SELECT COUNT(*) AS n FROM gla.trees WHERE x IS NOT NULL AND id > 0";
    assert_eq!(answered(count), "n\n2\n");

    // A value that is none: the operator is told column and row, nobody the value, and the parks go on.
    trees(&file, "(1, 0.005, 51.005), (2, 'secret', 52)");
    until("the log names column and row", || {
        let told = |line: &str| line.contains("trees") && line.contains("column x row 2 holds text");
        mesh.log("gla").lines().any(told).then_some(())
    });
    assert!(!mesh.log("gla").contains("secret"));
    until("the question is refused", || (mesh.ask(count).code == Some(1)).then_some(()));
    assert_eq!(answered("SELECT COUNT(*) AS n FROM gla.parks"), "n\n2\n");
    trees(&file, "(1, 0.005, 51.005), (2, 0.006, 51.006)");
    assert_eq!(answered(within).lines().count(), 3);
}
