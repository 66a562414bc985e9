//! Views: what can't be one, where it says so, and what follows for one that can.

use std::sync::Arc;

use meridian_proto::{Form, Role};

use super::*;

const FILE: &str = "views/dwelling_fires.toml";

const VIEW: &str = r#"name = "dwelling_fires"
title = "Dwelling fires and their stations"
description = ""
sql = """
SELECT i.borough_gss, i.year, i.pumps * 2 AS twice, s.code AS station
FROM incidents i LEFT JOIN lfb.stations s ON s.code = i.borough_gss
"""

[columns]
station = "The station's code"
"#;

/// The configuration with this view.
fn with(view: &str) -> tempfile::TempDir {
    let folder = baseline();
    write(folder.path(), FILE, view);
    folder
}

/// The view with other SQL: exactly one problem is found, at the SQL's line, and it reads `expected`.
#[track_caller]
fn refused_sql(sql: &str, expected: &str) {
    let head = VIEW.split("sql =").next().unwrap();
    let folder = with(&format!("{head}sql = '''{sql}'''\n"));
    let problems = load(folder.path()).expect_err(sql);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    let expected = format!("{FILE}:4: {expected}");
    assert!(problems[0].starts_with(&expected), "found    {}\nexpected {expected}", problems[0]);
}

#[test]
fn a_view_is_as_strict_as_what_it_is_over() {
    let folder = with(VIEW);
    let config = load(folder.path()).unwrap();
    let [view] = &config.views[..] else { panic!("{:?}", config.views) };
    let own: Vec<_> = config.datasets.iter().map(|config| Arc::clone(&config.dataset)).collect();
    let described = view.described(&own).unwrap();
    assert_eq!(described.bases, [name("incidents"), name("stations")]);
    let dataset = described.dataset;
    assert_eq!((dataset.form, dataset.threshold, dataset.unit_kind.as_str()), (Form::Statistics, 12, "dwelling"));
    assert!(dataset.needs_agreement && dataset.coverage.is_empty() && dataset.standard.is_none());
    let columns: Vec<_> = dataset.columns.iter().map(|c| (c.name.as_str(), c.role, c.required)).collect();
    let expected = [
        ("borough_gss", Role::Dimension, true),
        ("year", Role::Dimension, false),
        // What is computed from a measure is as strict as the measure.
        ("twice", Role::Measure, false),
        // What is published may be grouped by; an outer join may leave it empty.
        ("station", Role::Dimension, false),
    ];
    assert_eq!(columns, expected);
    assert!(dataset.columns[1].ranges && !dataset.columns[2].ranges);
    assert_eq!(dataset.columns[3].description, "The station's code");
}

#[test]
fn what_can_t_be_a_view_is_told_at_its_sql() {
    refused_sql("SELECT 1 AS a", "view dwelling_fires: its SQL names no dataset: write one SELECT");
    refused_sql("SELECT note FROM incidents", "view dwelling_fires: its SQL can't be planned: No field named note");
    refused_sql("SELECT note FROM nothing", "view dwelling_fires: its SQL can't be planned: nothing is no dataset");
    for other in ["loda.population", "every.incidents", "london.loda.population", "paris.lfb.incidents"] {
        let expected = format!("view dwelling_fires: its SQL can't be planned: {other} is no dataset");
        refused_sql(&format!("SELECT a FROM {other}"), &expected);
    }
    refused_sql("SELECT a FROM dwelling_fires", "view dwelling_fires: its SQL can't be planned: dwelling_fires is no");
    for more in [
        "SELECT year, COUNT(*) AS n FROM incidents GROUP BY year",
        "SELECT DISTINCT year FROM incidents",
        "SELECT year FROM incidents ORDER BY year LIMIT 3",
        "SELECT year, ROW_NUMBER() OVER (ORDER BY year) AS n FROM incidents",
        "SELECT borough_gss FROM incidents UNION SELECT code FROM stations",
        "SELECT s.code FROM stations s JOIN (SELECT DISTINCT borough_gss FROM incidents) i ON i.borough_gss = s.code",
    ] {
        refused_sql(more, "view dwelling_fires: incidents is not open, and the view does more");
    }
    refused_sql(
        "SELECT i.year FROM incidents i JOIN visits v ON v.uprn = i.uprn",
        "view dwelling_fires: it is over datasets that protect different units: dwelling, person: make a view of each",
    );
    refused_sql("SELECT code AS \"Code\" FROM stations", "view dwelling_fires: its column \"Code\" has no name");
    refused_sql(
        "SELECT a.code, b.code FROM stations a, stations b",
        "view dwelling_fires: its column code stands twice",
    );
    refused_sql(
        "SELECT code IS NULL AS n, INTERVAL '1 day' AS d FROM stations",
        "view dwelling_fires: its column d has",
    );
    refused_sql("SELECT code FROM stations WHERE code = $1", "view dwelling_fires: ");
    refused_sql("SELECT code, random() AS r FROM stations", "view dwelling_fires: ");
    refused_sql("SELECT code FROM", "sql, line 1, column 17: this is not SQL that can be read");
    refused_sql("SELECT code FROM stations; SELECT 1", "sql: there are 2 statements: send one");
    refused_sql("DROP TABLE stations", "sql: only a query is answered");
    refused_sql("EXPLAIN SELECT code FROM stations", "sql: a view is a query");
    refused_sql("SELECT code FROM stations PREWHERE true", "sql: PREWHERE can't be answered here");
    let many = vec!["stations"; 21].join(", ");
    refused_sql(&format!("SELECT 1 AS a FROM {many}"), "sql: a view is over 20 tables at most, and this one over 21");
}

#[test]
fn names_are_given_once_and_granted_where_they_are_datasets() {
    let folder = with(&VIEW.replacen("dwelling_fires", "stations", 1));
    let problems = load(folder.path()).unwrap_err();
    assert!(problems[0].starts_with(&format!("{FILE}:1: dataset `stations` stands in ")), "{problems:?}");
    let folder = with(&VIEW.replacen("station =", "statoin =", 1));
    let problems = load(folder.path()).unwrap_err();
    assert_eq!(
        problems,
        [format!("{FILE}:4: view dwelling_fires: it has no column statoin: describe the columns that its SQL yields")]
    );
    let folder = with(VIEW);
    let granted = AGREEMENT.replacen("\"incidents\"", "\"dwelling_fires\"", 1);
    write(folder.path(), "agreements/fire-risk.toml", &granted);
    let problems = load(folder.path()).unwrap_err();
    let expected = "agreements/fire-risk.toml:13: the grant names `dwelling_fires`, which is a view: grant the datasets that \
                    it is over (incidents, stations): a view gives nothing";
    assert_eq!(problems, [expected]);
}

#[test]
fn a_view_follows_its_file() {
    let folder = with(VIEW);
    let path = folder.path().join("node.toml");
    let mut reader = Reader::new(&path, Config::load(&path).unwrap());
    assert!(reader.look().is_none());
    write(folder.path(), FILE, &VIEW.replacen("i.year", "i.yaer", 1));
    let news = reader.look().unwrap();
    assert!(news.changed.is_none() && news.problems.len() == 1, "the last good content stays: {news:?}");
    write(folder.path(), FILE, &VIEW.replacen("i.pumps * 2", "i.pumps * 3", 1));
    let news = reader.look().unwrap();
    assert!(news.recovered && news.problems.is_empty(), "{news:?}");
    fs::remove_file(folder.path().join(FILE)).unwrap();
    assert_eq!(reader.look().unwrap().changed.unwrap().views, []);
}
