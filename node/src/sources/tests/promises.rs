//! What a mapping may do, and what a dataset promises of its rows.

use super::*;

#[tokio::test]
async fn a_mapping_compares_a_cast_as_cast() {
    let mapping = "SELECT id FROM (SELECT id, CAST(cost AS DECIMAL(10,2)) AS cost FROM source LIMIT 9) \
                   WHERE CAST(cost AS INTEGER) = 12";
    let source = csv("id,cost\n1,12.40\n2,12.00\n3,-12.40\n4,\n", &["id bigint"], Some(mapping));
    assert_rows(&rows(&source).await, &["|1|", "|2|"]);
}

#[tokio::test]
async fn promises_are_checked_and_counted() {
    let text = "id,borough\n4711,E09\n4711,E09\n4711,E09\n5,\n6,W1\n";
    let columns = ["id bigint", "borough varchar"];
    let mut source = csv(text, &columns, None);
    source.spec.unit = Some(unit("id", true));
    let found = refused(&source, &["4711"]).await;
    assert!(found.contains("column id is declared unique, but 2 rows repeat a unit"), "{found}");

    let source = csv(text, &["id bigint", "borough varchar!"], None);
    let found = refused(&source, &["4711"]).await;
    assert!(found.contains("column borough is required, but NULL in 1 rows"), "{found}");

    let mut source = csv(text, &columns, None);
    let coverage = vec![Coverage { column: "borough".parse().unwrap(), covers: Covers::Value("E09".into()) }];
    source.spec.dataset = Arc::new(Dataset { coverage, ..dataset(Form::Statistics, &columns) });
    let found = refused(&source, &["W1"]).await;
    assert!(found.contains("column borough: 2 rows lie outside of the declared coverage"), "{found}");
}

#[tokio::test]
async fn rows_out_of_a_range_are_counted() {
    let columns = ["number bigint", "day date", "cost decimal(6,2)"];
    let text = "number,day,cost\n1,2020-01-01,0.50\n5,2020-06-30,1.00\n9,2020-12-31,9.99\n";
    let missing = format!("{text},,\n");
    for (text, column, from, to, outside) in [
        (text, "number", Some("1"), Some("9"), None),
        (text, "number", Some("2"), Some("9"), Some("column number: 1 rows")),
        (text, "number", None, Some("4"), Some("column number: 2 rows")),
        (missing.as_str(), "number", Some("1"), None, Some("column number: 1 rows")),
        (text, "day", Some("2020-01-01"), Some("2020-12-31"), None),
        (missing.as_str(), "day", Some("2020-01-02"), Some("2020-12-30"), Some("column day: 3 rows")),
        (text, "cost", Some("0.5"), Some("9.99"), None),
        (text, "cost", Some("0.51"), None, Some("column cost: 1 rows")),
    ] {
        let covers = Covers::Range { from: from.map(str::to_owned), to: to.map(str::to_owned) };
        let coverage = vec![Coverage { column: column.parse().unwrap(), covers }];
        let mut source = csv(text, &columns, None);
        source.spec.dataset = Arc::new(Dataset { coverage, ..dataset(Form::Statistics, &columns) });
        match outside {
            None => drop(rows(&source).await),
            Some(outside) => {
                let found = refused(&source, &["9.99"]).await;
                assert!(found.contains(&format!("{outside} lie outside of the declared coverage")), "{found}");
            }
        }
    }
}

#[tokio::test]
async fn a_mapping_reads_nothing_but_its_source() {
    let other = tempfile::tempdir().unwrap();
    let path: PathBuf = other.path().join("other.csv");
    fs::write(&path, "a\n1\n").unwrap();
    let from_file = format!("SELECT a FROM '{}'", path.display());
    let copied = format!("COPY (SELECT a FROM source) TO '{}'", other.path().join("out.csv").display());
    let external = format!("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{}'", path.display());
    for (sql, expected) in [
        ("SELECT a FROM other", "table 'other' not found; it may read nothing but `source`"),
        ("SELECT a FROM source WHERE a IN (SELECT a FROM other)", "it may read nothing but `source`"),
        ("SELECT a FROM information_schema.tables", "information_schema"),
        ("SELECT value AS a FROM generate_series(1, 3)", "it may read nothing but `source`"),
        (from_file.as_str(), "it may read nothing but `source`"),
        (copied.as_str(), "only a query is admitted"),
        (external.as_str(), "only a query is admitted"),
        ("CREATE TABLE t AS SELECT a FROM source", "only a query is admitted"),
        ("INSERT INTO source VALUES ('x')", "only a query is admitted"),
        ("SET datafusion.execution.batch_size = 1", "only a query is admitted"),
        ("EXPLAIN SELECT a FROM source", "only a query is admitted"),
        ("SELECT a FROM source; SELECT a FROM source", "single"),
        ("SELECT random() AS a FROM source", "gives something else every time"),
        ("SELECT a, a AS b FROM source", "it yields `b`, which is no published column"),
        ("SELECT a AS b FROM source", "it yields no column `a`"),
        ("SELEC a FROM source", "Expected"),
        ("SELECT b FROM source", "No field named b"),
    ] {
        let found = refused(&csv("a\n1\n", &["a varchar"], Some(sql)), &[]).await;
        assert!(found.starts_with("dataset people: mapping: ") && found.contains(expected), "{sql}\n{found}");
    }
    assert!(!other.path().join("out.csv").exists());
    let found = refused(&csv("A\n1\n", &["a varchar"], None), &[]).await;
    assert!(found.contains("the file has no column `a`"), "{found}");
}

#[test]
fn sizes_are_told_in_powers_of_ten() {
    for (rows, class) in [(0, 0), (1, 0), (2, 1), (10, 1), (11, 2), (100_000, 5), (100_001, 6), (u64::MAX, 20)] {
        assert_eq!(size_class(Form::Open, rows), class, "{rows}");
        for form in [Form::Rows, Form::Statistics, Form::None] {
            assert_eq!(size_class(form, rows), size_class(form, 0), "{form:?}: the number of rows is told");
        }
    }
}

#[test]
fn a_filter_is_a_predicate_over_published_columns() {
    let dataset = dataset(Form::Rows, &["year integer", "name varchar"]);
    assert!(predicate(&dataset, "year >= 2015 AND name LIKE 'a%'").is_ok());
    for sql in
        ["year", "yeer > 1", "year > (SELECT 1)", "random() > 0.5", "year > 1; SELECT 1", "count(year) > 1", "year >"]
    {
        let error = predicate(&dataset, sql).expect_err(sql).to_string();
        assert!(error.starts_with("dataset people: filter: "), "{error}");
    }
}
