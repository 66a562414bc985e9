//! Datasets over an engine that others wrote and that speaks Flight SQL: given to another body, most of it worked out there,
//! and what becomes of them where the engine is not there.

use std::path::Path;

use tokio::runtime::Runtime;

use super::support::{Mesh, STREAMED, know, node_check, publish_source, until};

#[path = "../engine/mod.rs"]
mod engine;

use engine::Sail;

/// An engine that has run these statements.
fn sail(statements: &[&str]) -> Sail {
    let sail = Sail::start().unwrap_or_else(|why| panic!("{why}: run tests/run, which installs it"));
    run(&sail, statements);
    sail
}

fn run(sail: &Sail, statements: &[&str]) {
    Runtime::new().unwrap().block_on(sail.run(statements));
}

/// Tells a node of an engine.
fn know_engine(folder: &Path, sail: &Sail) {
    let address = format!("grpc://127.0.0.1:{}", sail.port());
    know(folder, &format!("[[engines]]\nname = \"lake\"\naddress = \"{address}\"\ndialect = \"spark\"\n"));
}

/// An open dataset of a table.
fn publish(folder: &Path, name: &str, columns: &[&str]) {
    publish_source(
        folder,
        name,
        &format!("kind = \"flight_sql\"\nengine = \"lake\"\ntable = \"default.{name}\""),
        columns,
    );
}

const HOMES: [&str; 2] = [
    "CREATE TABLE homes USING parquet LOCATION 'homes' AS SELECT CAST(id AS INT) AS id, IF(id % 2 = 0, 'York', 'Hull') AS town, \
     CAST(id AS DECIMAL(12,2)) AS price FROM range(1, 101)",
    "CREATE TABLE towns USING parquet LOCATION 'towns' AS SELECT * FROM VALUES ('York', 200000), ('Hull', 260000) AS t(name, people)",
];

#[test]
fn another_body_asks_an_engine_by_its_owners_node_and_one_that_is_gone_is_named() {
    let mut sail = sail(&HOMES);
    let mesh = Mesh::prepared();
    let folder = mesh.folder("gla");
    know_engine(&folder, &sail);
    publish(&folder, "homes", &["id integer", "town varchar", "price decimal(12,2)"]);
    publish(&folder, "towns", &["name varchar", "people integer"]);
    let found = node_check(&folder);
    assert!(found.contains("lake can be reached") && found.contains("homes can be read"), "{found}");
    mesh.start_each();

    // What can be done there is done there, in one query.
    let sql = "SELECT town, SUM(price) AS pounds FROM gla.homes WHERE id > 50 GROUP BY town ORDER BY town";
    let before = sail.log();
    mesh.answers(sql, "town,pounds\nHull,1875.00\nYork,1900.00\n");
    let asked = sail.asked(&before).join("\n");
    assert!(asked.contains("GROUP BY `town`") && asked.contains("`id` > 50"), "{asked}");
    let joined = "SELECT t.people, COUNT(*) AS homes FROM gla.homes h JOIN gla.towns t ON h.town = t.name GROUP BY t.people \
                  ORDER BY t.people";
    let before = sail.log();
    mesh.answers(joined, "people,homes\n200000,50\n260000,50\n");
    let asked = sail.asked(&before);
    assert!(asked.iter().any(|sql| sql.contains(" JOIN ") && sql.contains("GROUP BY")), "{asked:?}");

    // An engine that is gone: the question fails and names no more than the dataset, and what is not on it goes on.
    let port = sail.port().to_string();
    sail.kill();
    mesh.complains(sql, &["gla", "homes"]);
    let said = mesh.ask(sql).stderr;
    assert!(!said.contains(&port) && !said.contains("lake"), "{said}");
    assert_eq!(mesh.ask("SELECT gss FROM gla.boroughs").csv().len(), 34);
    until("the log names the engine", || {
        mesh.log("gla").lines().any(|line| line.contains("homes") && line.contains("lake")).then_some(())
    });
    let found = node_check(&folder);
    assert!(found.contains("lake: the engine can't be reached") && found.contains("[[engines]]"), "{found}");
    // It comes back without its tables, and then with them.
    sail.up().unwrap();
    mesh.complains(sql, &["gla", "homes"]);
    run(
        &sail,
        &["CREATE TABLE homes USING parquet LOCATION 'homes'", "CREATE TABLE towns USING parquet LOCATION 'towns'"],
    );
    mesh.answers(sql, "town,pounds\nHull,1875.00\nYork,1900.00\n");
}

#[test]
fn rows_by_the_million_go_through_a_node_that_holds_few_of_them() {
    let view = format!(
        "CREATE VIEW homes AS SELECT id, concat('a home of the town of York, number ', id) AS town FROM range(1, {})",
        STREAMED + 1
    );
    let sail = sail(&[&view]);
    let mesh = Mesh::prepared();
    let folder = mesh.folder("gla");
    know_engine(&folder, &sail);
    mesh.start_each();
    mesh.streams("gla", || publish(&folder, "homes", &["id bigint", "town varchar"]));
    let asked = sail.asked("");
    assert!(asked.iter().any(|sql| sql == "SELECT `town` FROM `default`.`homes`"), "{asked:?}");
}
