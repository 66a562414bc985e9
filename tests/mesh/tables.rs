//! A dataset without noise, from its files to another body's analyst: its declared tables are exact, what is withheld of
//! them is told by no margin, and nothing else is answered.

use std::fmt::Write;
use std::fs;

use super::support::{Mesh, until};

/// How many visits of each ward, kind and year there are: three are the secret.
const CELLS: [(&str, &str, i32, usize); 8] = [
    ("north", "home", 2023, 40),
    ("north", "school", 2023, 3),
    ("south", "home", 2023, 25),
    ("south", "school", 2023, 31),
    ("west", "home", 2023, 52),
    ("west", "school", 2023, 44),
    ("north", "home", 2022, 30),
    ("west", "school", 2022, 24),
];

const VISITS: &str = r#"
name = "visits"
title = "Home fire safety visits"
description = "One row per visit"
licence = "OGL-UK-3.0"
form = "statistics"
own = "statistics"
noise = "none"

[unit]
kind = "visit"
rows = true

[source]
kind = "csv"
path = "data/visits.csv"

[mapping]
sql = "SELECT ward, kind, CAST(year AS INTEGER) AS year, CAST(cost AS INTEGER) AS cost FROM source"

[[columns]]
name = "ward"
type = "varchar"
role = "dimension"
domain = ["north", "south", "west"]

[[columns]]
name = "kind"
type = "varchar"
role = "dimension"
domain = ["home", "school"]

[[columns]]
name = "year"
type = "integer"
role = "dimension"
domain = [2022, 2023]

[[columns]]
name = "cost"
type = "integer"
role = "measure"
bounds = [0, 100]

[[tables]]
name = "by_ward"
dimensions = ["ward", "kind"]
filter = { year = 2023 }
sum = "cost"

[[tables]]
name = "by_year"
dimensions = ["kind", "year"]
"#;

/// A mesh whose brigade has the dataset, of these rows beside the usual ones.
pub(crate) fn with_visits(more: &str) -> Mesh {
    let mesh = Mesh::prepared();
    let folder = mesh.folder("lfb");
    let mut rows = "ward,kind,year,cost\n".to_owned();
    for (ward, kind, year, count) in CELLS {
        (0..count).for_each(|_| writeln!(rows, "{ward},{kind},{year},10").unwrap());
    }
    rows.push_str(more);
    fs::write(folder.join("data/visits.csv"), rows).unwrap();
    fs::write(folder.join("datasets/visits.toml"), VISITS).unwrap();
    mesh.start_all();
    until("LODA's node knows of the visits", || {
        mesh.run(&["catalogue", "--format", "csv"]).ok().contains("london.lfb.visits").then_some(())
    });
    mesh
}

/// The rows of an answer as lines, sorted.
fn asked(mesh: &Mesh, sql: &str) -> Vec<String> {
    let mut lines: Vec<String> = mesh.ask(sql).csv().iter().skip(1).map(|row| row.join(",")).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn declared_tables_are_answered_exactly_and_nothing_else_is() {
    let mesh = with_visits("");
    let table = [
        ("SELECT year, COUNT(*) AS n FROM lfb.visits GROUP BY year", vec!["2022,54", "2023,195"]),
        (
            "SELECT ward, COUNT(*) AS n FROM lfb.visits WHERE year = 2023 GROUP BY ward",
            vec!["north,43", "south,56", "west,96"],
        ),
        (
            "SELECT kind, COUNT(*) AS n, SUM(cost) AS c FROM lfb.visits WHERE year = 2023 GROUP BY kind",
            vec!["home,117,1170", "school,78,780"],
        ),
        // The small cell, in words of which none may bring it about.
        ("SELECT COUNT(*) AS n FROM lfb.visits WHERE year = 2023 AND ward = 'north' AND kind = 'school'", vec![""]),
        (
            "SELECT kind, SUM(cost) AS c FROM lfb.visits WHERE year = 2023 AND ward = 'north' GROUP BY kind",
            vec!["home,", "school,"],
        ),
        // Questions about cells are the asker's own.
        (
            "SELECT kind, n FROM (SELECT kind, COUNT(*) AS n FROM lfb.visits WHERE year = 2023 GROUP BY kind) t \
          WHERE n > 100",
            vec!["home,117"],
        ),
        (
            "SELECT kind, COUNT(*) AS n FROM lfb.visits WHERE year = 2023 GROUP BY kind ORDER BY n DESC LIMIT 1",
            vec!["home,117"],
        ),
        (
            "SELECT kind, COUNT(*) AS n FROM lfb.visits WHERE year = 2023 GROUP BY kind HAVING COUNT(*) < 100",
            vec!["school,78"],
        ),
    ];
    let answers = || table.iter().map(|(sql, _)| asked(&mesh, sql)).collect::<Vec<_>>();
    let first = answers();
    for ((sql, expected), found) in table.iter().zip(&first) {
        assert_eq!(found, expected, "{sql}");
    }
    let by_both =
        "SELECT ward, kind, COUNT(*) AS n, SUM(cost) AS c FROM lfb.visits WHERE year = 2023 GROUP BY ward, kind";
    let cells = asked(&mesh, by_both);
    let withheld = cells.iter().filter(|line| line.ends_with(",,")).count();
    assert_eq!((cells.len(), withheld), (6, 4), "{cells:?}");

    // The brigade decides again what a peer's planner sends, and says what may be asked.
    for sql in [
        "SELECT ward, COUNT(*) AS n FROM lfb.visits GROUP BY ward",
        "SELECT ward, COUNT(*) AS n FROM lfb.visits WHERE year = 2022 GROUP BY ward",
        "SELECT COUNT(*) AS n FROM lfb.visits WHERE year = 2023 AND ward <> 'west'",
        "SELECT SUM(cost) AS c FROM lfb.visits WHERE kind = 'home'",
        "SELECT AVG(cost) AS c FROM lfb.visits WHERE year = 2023",
    ] {
        let complaint = mesh.ask(sql);
        let text = complaint.fails(1);
        assert!(text.contains("by_ward: COUNT(*), SUM(cost) by ward, kind where year = 2023"), "{sql}: {text}");
    }
    let mut loda = mesh.client("lfb", Some(&mesh.node_pair("loda")));
    let status = loda.remote("SELECT ward, COUNT(*) FROM visits GROUP BY ward").unwrap_err();
    assert!(status.message().contains("by_year: COUNT(*) by kind, year"), "{status}");
    let answer =
        loda.remote("SELECT ward, kind, COUNT(*) FROM visits WHERE year = 2023 GROUP BY CUBE (ward, kind)").unwrap();
    assert_eq!(answer.rows(), 12, "{}", answer.text());
    let record = &answer.records()[0];
    assert!(record.rules.iter().any(|rule| rule == "statistics.table"), "{:?}", record.rules);
    assert!(record.rules.iter().any(|rule| rule == "statistics.secondary"), "{:?}", record.rules);
    assert!(record.notices.iter().any(|notice| notice.contains("declared tables")), "{:?}", record.notices);

    // What is withheld is the same after the node has started again.
    mesh.stop("lfb");
    mesh.start("lfb");
    assert_eq!(answers(), first);
    assert_eq!(asked(&mesh, by_both), cells);
}

#[test]
fn tables_that_change_within_a_snapshot_wait_for_the_next_one() {
    let mesh = with_visits("");
    let by_both = "SELECT ward, kind, COUNT(*) AS n FROM lfb.visits WHERE year = 2023 GROUP BY ward, kind";
    let by_ward = "SELECT ward, COUNT(*) AS n FROM lfb.visits GROUP BY ward";
    let cells = asked(&mesh, by_both);
    let folder = mesh.folder("lfb");
    // Other margins: solved anew, another pattern would be published beside the first one of the same rows.
    let more = "\n[[tables]]\nname = \"wards\"\ndimensions = [\"ward\"]\n";
    fs::write(folder.join("datasets/visits.toml"), format!("{VISITS}{more}")).unwrap();
    let waits = "what its file says of these takes effect with its next snapshot";
    until("the change is seen", || mesh.log("lfb").contains(waits).then_some(()));
    assert!(mesh.log("lfb").lines().any(|line| line.contains(waits) && line.contains("tables")));
    for _ in 0..2 {
        assert_eq!(asked(&mesh, by_both), cells);
        assert!(mesh.ask(by_ward).fails(1).contains("by_year: COUNT(*) by kind, year"));
        mesh.stop("lfb");
        mesh.start("lfb");
    }
    // The pattern is kept beside the snapshot, and without it there is no other.
    let kept = |suffix: &str| {
        let files = fs::read_dir(folder.join("state/snapshots")).unwrap().map(|file| file.unwrap().path());
        files.into_iter().find(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with("visits.") && name.ends_with(suffix)
        })
    };
    mesh.stop("lfb");
    let pattern = kept(".pattern").unwrap();
    let mut bytes = fs::read(&pattern).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&pattern, bytes).unwrap();
    mesh.start("lfb");
    mesh.ask(by_both).fails(1);
    assert!(mesh.log("lfb").lines().any(|line| line.contains("out of order") && line.contains("visits")));
    // With the next snapshot the new tables are in force.
    mesh.stop("lfb");
    for suffix in [".pattern", ".controls", ".snapshot"] {
        fs::remove_file(kept(suffix).unwrap()).unwrap();
    }
    mesh.start("lfb");
    assert_eq!(asked(&mesh, by_ward).len(), 3);
}

#[test]
fn a_dataset_whose_tables_can_t_be_solved_is_out_of_order() {
    let mesh = with_visits("elsewhere,home,2023,10\n");
    let complaint = mesh.ask("SELECT year, COUNT(*) AS n FROM lfb.visits GROUP BY year");
    assert!(!complaint.fails(1).contains("elsewhere"), "{}", complaint.stderr);
    let said = mesh.log("lfb");
    let line = said.lines().find(|line| line.contains("out of order")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("ward") && line.contains("outside of its domain") && !line.contains("elsewhere"), "{line}");
}
