//! Datasets over a PostgreSQL server: the same answers as over files, much of it done there, and what becomes of them where
//! the server or a table of it is not there.

use std::fs;
use std::path::Path;

use postgres::Postgres;

use super::support::{Mesh, STREAMED, know, publish_source, until};

#[path = "../postgres/mod.rs"]
mod postgres;

fn server() -> Postgres {
    Postgres::start(&["log_statement=all", "log_line_prefix=%a: "])
        .unwrap_or_else(|why| panic!("{why}: run tests/run, which installs it"))
}

/// Tells a node of a database.
fn know_database(folder: &Path, server: &Postgres) {
    let (host, port) = (server.path().display(), server.port());
    let database = "[[databases]]\nname = \"housing\"\ndatabase = \"postgres\"\nuser = \"postgres\"\n";
    know(folder, &format!("{database}host = \"{host}\"\nport = {port}\n"));
}

/// An open dataset of a table.
fn publish(folder: &Path, name: &str, columns: &[&str]) {
    publish_source(
        folder,
        name,
        &format!("kind = \"postgres\"\ndatabase = \"housing\"\ntable = \"public.{name}\""),
        columns,
    );
}

/// What the node has had the server do.
fn done(server: &Postgres) -> String {
    server.log().lines().filter(|line| line.starts_with("meridian: ")).collect::<Vec<_>>().join("\n")
}

const HOMES: &str = "CREATE TABLE homes (id int PRIMARY KEY, town text, price numeric(12,2)); \
    INSERT INTO homes SELECT i, CASE i % 2 WHEN 0 THEN 'York' ELSE 'Hull' END, i FROM generate_series(1, 100) i; \
    CREATE TABLE towns (name text, people int); INSERT INTO towns VALUES ('York', 200000), ('Hull', 260000)";

#[test]
fn a_broken_database_is_named_and_comes_back_and_all_else_goes_on() {
    let mut server = server();
    server.run("postgres", HOMES);
    let mesh = Mesh::prepared();
    let folder = mesh.folder("gla");
    know_database(&folder, &server);
    publish(&folder, "homes", &["id integer", "town varchar", "price decimal(12,2)"]);
    publish(&folder, "towns", &["name varchar", "people integer"]);
    mesh.start_each();

    // What can be done there is done there, in one query, also for another body.
    let sql = "SELECT town, SUM(price) AS pounds FROM gla.homes WHERE id > 50 GROUP BY town ORDER BY town";
    assert_eq!(mesh.answered(sql), "town,pounds\nHull,1875.00\nYork,1900.00\n");
    let sent = done(&server);
    assert!(sent.contains("GROUP BY \"town\"") && sent.contains("\"id\" > 50"), "{sent}");
    let joined = "SELECT t.people, COUNT(*) AS homes FROM gla.homes h JOIN gla.towns t ON h.town = t.name GROUP BY t.people \
                  ORDER BY t.people";
    assert_eq!(mesh.answered(joined), "people,homes\n200000,50\n260000,50\n");
    let sent = done(&server);
    assert!(sent.lines().any(|line| line.contains(" JOIN ") && line.contains("GROUP BY")), "{sent}");
    let caller_sees_no_server = |said: &str| assert!(!said.contains(&server.port().to_string()), "{said}");

    // A column that is gone: the question fails, the operator is told its name, and the other table goes on.
    server.run("postgres", "ALTER TABLE homes RENAME COLUMN town TO place");
    mesh.complains(sql, &["gla", "homes"]);
    caller_sees_no_server(&mesh.ask(sql).stderr);
    until("the log names the column", || {
        mesh.log("gla").lines().any(|line| line.contains("out of order") && line.contains("`town`")).then_some(())
    });
    assert_eq!(mesh.ask("SELECT COUNT(*) AS n FROM gla.towns").ok(), "n\n2\n");
    server.run("postgres", "ALTER TABLE homes RENAME COLUMN place TO town");
    assert_eq!(mesh.answered(sql), "town,pounds\nHull,1875.00\nYork,1900.00\n");

    // A server that is gone: what is not on it goes on.
    server.kill();
    mesh.complains(sql, &["gla", "homes"]);
    assert_eq!(mesh.ask("SELECT gss FROM gla.boroughs").csv().len(), 34);
    mesh.stop("gla");
    mesh.start("gla");
    mesh.complains(sql, &["homes"]);
    assert_eq!(mesh.ask("SELECT gss FROM gla.boroughs").csv().len(), 34);
    let told = |line: &str| line.contains("homes") && line.contains("[[databases]]");
    assert!(mesh.log("gla").lines().any(told), "{}", mesh.log("gla"));
    server.up().unwrap();
    assert_eq!(mesh.answered(sql), "town,pounds\nHull,1875.00\nYork,1900.00\n");
}

#[test]
fn statistics_over_a_table_are_those_over_the_file() {
    let server = server();
    let mesh = Mesh::small();
    let sql = "SELECT borough_gss, year, COUNT(*) AS fires FROM lfb.incidents GROUP BY borough_gss, year ORDER BY 1, 2";
    let before = mesh.ask(sql).ok().to_owned();
    mesh.stop("lfb");
    let folder = mesh.folder("lfb");
    // What reads as CSV is text, and NULL where a field is empty.
    let file = fs::read_to_string(folder.join("data/dwelling_fires.csv")).unwrap();
    let (heading, rows) = file.split_once('\n').unwrap();
    let columns: Vec<String> = heading.trim().split(',').map(|name| format!("\"{name}\" text")).collect();
    server.run("postgres", &format!("CREATE TABLE fires ({})", columns.join(", ")));
    let copied = server.path().join("fires.csv");
    fs::write(&copied, rows).unwrap();
    server.owned(&copied).unwrap();
    server.run("postgres", &format!("COPY fires FROM '{}' (FORMAT csv)", copied.display()));
    know_database(&folder, &server);
    let description = folder.join("datasets/incidents.toml");
    let text = fs::read_to_string(&description).unwrap();
    let source = "kind = \"csv\"\npath = \"data/dwelling_fires.csv\"";
    assert!(text.contains(source), "{text}");
    let table = "kind = \"postgres\"\ndatabase = \"housing\"\ntable = \"fires\"";
    fs::write(&description, text.replace(source, table)).unwrap();
    mesh.start("lfb");
    assert_eq!(mesh.answered(sql), before);
    let sent = done(&server);
    assert!(
        sent.contains("\"public\".\"fires\"") && !sent.contains("GROUP BY"),
        "rows are read, and nothing else: {sent}"
    );
    let reads = sent.matches("COPY (").count();
    mesh.ask("SELECT year, COUNT(*) AS fires FROM lfb.incidents GROUP BY year").ok();
    assert_eq!(done(&server).matches("COPY (").count(), reads, "the snapshot is what answers");
}

#[test]
fn rows_by_the_million_go_through_a_node_that_holds_few_of_them() {
    let server = server();
    server.run(
        "postgres",
        &format!(
            "CREATE VIEW homes AS SELECT i AS id, 'a home of the town of York, number ' || i AS town, i::numeric(12,2) AS price \
             FROM generate_series(1::bigint, {STREAMED}) i"
        ),
    );
    let mesh = Mesh::prepared();
    let folder = mesh.folder("gla");
    know_database(&folder, &server);
    mesh.start_each();
    mesh.streams("gla", || publish(&folder, "homes", &["id bigint", "town varchar", "price decimal(12,2)"]));
    let sent = done(&server);
    assert!(
        sent.lines()
            .any(|line| line.ends_with("COPY (SELECT \"town\" FROM \"public\".\"homes\") TO STDOUT (FORMAT binary)")),
        "{sent}"
    );
}

#[test]
fn rows_of_a_sqlite_file_by_the_million_go_through_as_well() {
    let mesh = Mesh::prepared();
    let folder = mesh.folder("gla");
    let numbers = format!("WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {STREAMED})");
    let homes =
        format!("CREATE VIEW homes AS {numbers} SELECT 'a home of the town of York, number ' || i AS town FROM c");
    rusqlite::Connection::open(folder.join("data/homes.db")).unwrap().execute_batch(&homes).unwrap();
    mesh.start_each();
    mesh.streams("gla", || {
        let source = "kind = \"sqlite\"\npath = \"data/homes.db\"\ntable = \"homes\"";
        publish_source(&folder, "homes", source, &["town varchar"]);
    });
}
