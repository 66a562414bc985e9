//! Sources loaded from real files: what they yield, and what is said when they can't be loaded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::util::pretty::pretty_format_batches;
use chrono::TimeZone;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::prelude::SessionConfig;
use meridian_proto::{Column, Coverage, Covers, Dataset, Form, Role};
use tempfile::TempDir;

use super::*;

/// A dataset whose columns are written `name type` or `name type!` where required.
fn dataset(form: Form, columns: &[&str]) -> Dataset {
    let column = |text: &&str| {
        let (name, column_type) = text.split_once(' ').unwrap();
        Column {
            name: name.parse().unwrap(),
            column_type: column_type.trim_end_matches('!').parse().unwrap(),
            role: Role::Hidden,
            required: text.ends_with('!'),
            ranges: false,
            concept: String::new(),
            unit: String::new(),
            description: String::new(),
        }
    };
    Dataset {
        name: "people".parse().unwrap(),
        title: String::new(),
        description: String::new(),
        licence: String::new(),
        form,
        needs_agreement: false,
        columns: columns.iter().map(column).collect(),
        unit_kind: String::new(),
        threshold: 0,
        standard: None,
        coverage: vec![],
        size_class: 0,
        update_frequency: String::new(),
        references: vec![],
    }
}

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 6, 15, 12, 0, 0).unwrap()
}

/// A unit that a column names.
fn unit(column: &str, unique: bool) -> UnitSpec {
    let column = Some(column.parse().unwrap());
    UnitSpec { kind: "person".parse().unwrap(), column, unique, record_key: None, key: [3; 16], belongs_to: None }
}

struct Source {
    folder: TempDir,
    spec: SourceSpec,
}

fn csv(text: impl AsRef<[u8]>, columns: &[&str], mapping: Option<&str>) -> Source {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.csv");
    fs::write(&path, text).unwrap();
    let (dataset, mapping) = (Arc::new(dataset(Form::Statistics, columns)), mapping.map(str::to_owned));
    let spec = SourceSpec::new(dataset, SourceKind::Csv { delimiter: b',', header: true }, path, mapping);
    Source { folder, spec }
}

fn people() -> RecordBatch {
    let id: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 3]));
    let pay: ArrayRef = Arc::new(StringArray::from(vec![Some("10"), Some("oops4711"), None, Some("30")]));
    let part: ArrayRef = Arc::new(Int64Array::from(vec![1, 0, 2, 4]));
    RecordBatch::try_from_iter_with_nullable([("Person No", id, true), ("pay", pay, true), ("part", part, true)])
        .unwrap()
}

fn write_parquet(path: &Path, batch: &RecordBatch) {
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

fn parquet(form: Form, columns: &[&str], mapping: Option<&str>) -> Source {
    let folder = tempfile::tempdir().unwrap();
    // A name that would be a pattern if it were not escaped.
    let path = folder.path().join("people [1] 100%.parquet");
    write_parquet(&path, &people());
    let (dataset, mapping) = (Arc::new(dataset(form, columns)), mapping.map(str::to_owned));
    Source { folder, spec: SourceSpec::new(dataset, SourceKind::Parquet, path, mapping) }
}

fn context() -> SessionContext {
    SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2))
}

/// The rows as the session of a query sees them; schema and row count are as promised.
async fn rows(source: &Source) -> String {
    let spec = source.spec.clone();
    // On another thread, as the catalogue loads: the future has to be Send.
    let loaded = tokio::spawn(async move { load(&spec, &context(), now()).await }).await.unwrap().unwrap();
    let frame = context().execute_logical_plan(loaded.plan).await.unwrap();
    let schema = published_schema(&source.spec.dataset);
    let batches = frame.collect().await.unwrap();
    for batch in &batches {
        let types = |schema: &arrow::datatypes::Schema| {
            schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect::<Vec<_>>()
        };
        assert_eq!(types(&batch.schema())[..schema.fields().len()], types(&schema));
    }
    assert_eq!(batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>(), loaded.rows);
    pretty_format_batches(&batches).unwrap().to_string()
}

#[track_caller]
fn assert_rows(found: &str, expected: &[&str]) {
    let rows: Vec<String> = found
        .lines()
        .filter(|line| line.starts_with('|'))
        .skip(1)
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows, expected, "{found}");
}

/// The error's text, the path cut to the file's name, and nothing of a row in it.
async fn refused(source: &Source, secrets: &[&str]) -> String {
    let error = load(&source.spec, &context(), now()).await.expect_err("it must be refused");
    let text = error.to_string().replace(&format!("{}/", source.folder.path().display()), "");
    for secret in secrets {
        assert!(!text.contains(secret) && !format!("{error:?}").contains(secret), "{secret} leaks: {error:?}");
    }
    text
}

const MAPPING: &str = r#"SELECT CAST("UPRN No" AS BIGINT) AS uprn, upper(name) AS name, CAST(pay AS DECIMAL(8,2)) AS pay,
    CAST(born AS DATE) AS born FROM source WHERE name <> 'skip'"#;
const COLUMNS: [&str; 4] = ["uprn bigint!", "name varchar", "pay decimal(8,2)", "born date"];

#[tokio::test]
async fn csv_is_read_through_its_mapping() {
    let text = "\u{feff}UPRN No,name,pay,born\r\n1,ann,10.5,1990-01-02\r\n2,\"b\"\"o\r\nb\",,\r\n3,skip,x,y\r\n4,é,1,2000-02-29";
    let found = rows(&csv(text, &COLUMNS, Some(MAPPING))).await;
    assert_rows(&found, &["|1|ANN|10.50|1990-01-02|", "|2|B\"O|||", "||B|||", "|4|É|1.00|2000-02-29|"]);
}

#[tokio::test]
async fn a_mapping_compares_a_cast_as_cast() {
    let mapping = "SELECT id FROM (SELECT id, CAST(cost AS DECIMAL(10,2)) AS cost FROM source LIMIT 9) \
                   WHERE CAST(cost AS INTEGER) = 12";
    let source = csv("id,cost\n1,12.40\n2,12.00\n3,-12.40\n4,\n", &["id bigint"], Some(mapping));
    assert_rows(&rows(&source).await, &["|1|", "|2|"]);
}

#[tokio::test]
async fn csv_without_a_mapping_takes_columns_by_name_and_casts_them() {
    let found = rows(&csv("b,a,c\n1,true,x\n,false,y\n", &["a boolean", "b integer"], None)).await;
    assert_rows(&found, &["|true|1|", "|false||"]);
    let mut source = csv("5|x\n6|y\n", &["column_2 varchar", "column_1 integer"], None);
    source.spec.kind = SourceKind::Csv { delimiter: b'|', header: false };
    assert_rows(&rows(&source).await, &["|x|5|", "|y|6|"]);
    assert_rows(&rows(&csv("a\n", &["a integer!"], None)).await, &[]);
    assert_rows(&rows(&csv("a", &["a integer!"], None)).await, &[]);
}

#[tokio::test]
async fn a_large_csv_is_spread_over_batches_and_partitions() {
    let mut text = String::from("id,name\n");
    for id in 0..100_000 {
        text.push_str(&format!("{id},\"name, {id}\"\n"));
    }
    let mut source = csv(text, &["id integer!", "name varchar!"], None);
    source.spec.unit = Some(unit("id", true));
    let loaded = load(&source.spec, &context(), now()).await.unwrap();
    // Batches as they are held: smaller ones would be slices, each counted with the whole of its buffers.
    let whole =
        SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2).with_batch_size(32 * 1024));
    let batches = whole.execute_logical_plan(loaded.plan).await.unwrap().collect().await.unwrap();
    assert_eq!((loaded.rows, batches.len()), (100_000, 4));
    let bytes: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
    assert!(bytes < 3_000_000, "{bytes} bytes for 2.1 MB of values and 0.8 MB of units");
}

#[tokio::test]
async fn a_line_that_is_no_record_is_named_and_not_quoted() {
    let secrets = ["secret", "4711"];
    let two = ["a varchar", "b varchar"];
    let case = async |text: &[u8], expected: &str| {
        let found = refused(&csv(text, &two, None), &secrets).await;
        assert!(found.starts_with(expected), "found    {found}\nexpected {expected}");
    };
    case(
        b"a,b\n1,2\nsecret,4711,3\n",
        "dataset people: people.csv line 3: 3 fields where the first record has 2; correct",
    )
    .await;
    case(b"a,b\n\"x\ny\",2\n\nsecret\n", "dataset people: people.csv line 5: 1 fields where").await;
    case(b"a,b\n1,2\nsecret,\xff4711\n", "dataset people: people.csv line 3: text that is not UTF-8; save").await;
    case(
        b"a,b\n1,2\n3,\"secret\n4711,5\n",
        "dataset people: people.csv line 3: a quote opens and is never closed; close",
    )
    .await;
    case(b"a,b\n1,2\n3,\"secret", "dataset people: people.csv line 3: a quote opens and is never closed").await;
    case(b"a,b\n1,\"2\nsecret,4711\n", "dataset people: people.csv line 2: a quote opens and is never closed").await;
    case(b"a,b,a\n", "dataset people: people.csv line 1: the heading names column 3 twice").await;
    case(b"", "dataset people: people.csv can't be read: the file is empty").await;
    // A quoted field may end in a line break.
    assert_rows(&rows(&csv("a,b\n1,\"x\n\"", &two, None)).await, &["|1|x|", "|||"]);
}

#[tokio::test]
async fn a_value_that_does_not_fit_is_found_by_line_and_column_and_not_quoted() {
    let mut text = String::from("UPRN No,name,pay,born\n");
    for id in 0..20_000 {
        text.push_str(&format!("{id},\"two\nlines\",1,2000-01-01\n"));
    }
    let line = 2 + 2 * 20_000;
    text.push_str("77,secret,47x11,2000-01-01\n78,b,1,2000-01-01\n");
    let found = refused(&csv(text, &COLUMNS, Some(MAPPING)), &["secret", "47x11", "77"]).await;
    assert!(
        found.starts_with(&format!(
            "dataset people: people.csv line {line}: column pay can't be computed as decimal(8,2); correct"
        )),
        "{found}"
    );

    let source = csv(
        "UPRN No,name\n1,a\n4x7,b\n",
        &["name varchar"],
        Some("SELECT name FROM source WHERE CAST(\"UPRN No\" AS INT) > 0"),
    );
    let found = refused(&source, &["4x7"]).await;
    assert!(found.starts_with("dataset people: people.csv line 3: "), "{found}");

    let found = refused(&csv("a\n3\n4x7\n", &["a integer"], None), &["4x7"]).await;
    assert!(found.starts_with("dataset people: people.csv line 3: column a can't be computed as integer"), "{found}");
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

#[tokio::test]
async fn parquet_is_read_through_its_mapping_and_filters_reach_the_reader() {
    let mapping = r#"SELECT "Person No" AS id, TRY_CAST(pay AS INT) AS pay, 'E09' AS borough FROM source"#;
    let source = parquet(Form::Rows, &["borough varchar!", "id integer!", "pay bigint"], Some(mapping));
    assert_rows(&rows(&source).await, &["|E09|1|10|", "|E09|2||", "|E09|3||", "|E09|3|30|"]);

    let loaded = load(&source.spec, &context(), now()).await.unwrap();
    let frame = context().execute_logical_plan(loaded.plan).await.unwrap();
    let frame = frame.filter(datafusion::prelude::col("id").gt(datafusion::prelude::lit(2))).unwrap();
    let frame = frame.select_columns(&["pay"]).unwrap();
    let plan =
        pretty_format_batches(&frame.explain(false, false).unwrap().collect().await.unwrap()).unwrap().to_string();
    assert!(plan.contains("predicate=") && plan.contains("projection=[Person No, pay], file_type=parquet"), "{plan}");
}

#[tokio::test]
async fn no_expression_of_a_protected_parquet_source_fails() {
    let mapping =
        r#"SELECT "Person No" AS id, CAST(pay AS INT) AS pay, 12 / part AS share, 12 % part AS rest FROM source"#;
    let columns = ["id integer", "pay integer", "share bigint", "rest bigint"];
    for form in [Form::Rows, Form::Statistics, Form::None] {
        let found = rows(&parquet(form, &columns, Some(mapping))).await;
        assert_rows(&found, &["|1|10|12|0|", "|2||||", "|3||6|0|", "|3|30|3|0|"]);
    }
    let columns = ["id integer", "pay integer!", "share bigint", "rest bigint"];
    let found = refused(&parquet(Form::Open, &columns, Some(mapping)), &["oops4711"]).await;
    assert!(found.contains("the mapping can't be computed"), "{found}");
    let parses = "SELECT to_timestamp(pay) AS at FROM source";
    let found = rows(&parquet(Form::Rows, &["at timestamp"], Some(parses))).await;
    assert_rows(&found, &["||"; 4]);
}

#[tokio::test]
async fn promises_of_parquet_are_checked_in_the_same_way() {
    let id = r#"SELECT "Person No" AS id, pay FROM source"#;
    let mut source = parquet(Form::Statistics, &["id integer", "pay varchar"], Some(id));
    source.spec.unit = Some(unit("id", true));
    let found = refused(&source, &[]).await;
    assert!(found.contains("column id is declared unique, but 1 rows repeat a unit"), "{found}");
    for form in [Form::Statistics, Form::Open] {
        let found = refused(&parquet(form, &["id integer", "pay integer"], Some(id)), &["oops4711"]).await;
        assert!(found.contains("column pay: 1 rows hold no integer"), "{found}");
    }
    let found = refused(&parquet(Form::Rows, &["pay varchar!"], None), &[]).await;
    assert!(found.contains("column pay is required, but NULL in 1 rows"), "{found}");
}

#[tokio::test]
async fn a_folder_of_parquet_is_one_source_and_a_new_file_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    write_parquet(&folder.path().join("a.parquet"), &people());
    fs::write(folder.path().join("readme.txt"), "not data").unwrap();
    let columns = Arc::new(dataset(Form::Rows, &["part bigint"]));
    let path = folder.path().to_path_buf();
    let spec = SourceSpec::new(columns, SourceKind::Parquet, path, None);
    let context = context();
    let loaded = load(&spec, &context, now()).await.unwrap();
    assert_eq!((loaded.rows, loaded.is_stale(&RightsSpec::default(), now())), (4, false));
    write_parquet(&folder.path().join("b.parquet"), &people());
    assert!(loaded.is_stale(&RightsSpec::default(), now()));
    assert_eq!(load(&spec, &context, now()).await.unwrap().rows, 8);
}

#[tokio::test]
async fn a_changed_or_missing_file_is_noticed() {
    let source = csv("a\n1\n", &["a integer"], None);
    let loaded = load(&source.spec, &context(), now()).await.unwrap();
    assert!(!loaded.is_stale(&RightsSpec::default(), now()));
    fs::write(&source.spec.path, "a\n1\n22\n").unwrap();
    assert!(loaded.is_stale(&RightsSpec::default(), now()));
    fs::remove_file(&source.spec.path).unwrap();
    assert!(loaded.is_stale(&RightsSpec::default(), now()));
    let found = refused(&source, &[]).await;
    assert!(found.starts_with("dataset people: people.csv can't be read: "), "{found}");

    let broken = parquet(Form::Rows, &["pay varchar"], None);
    fs::write(&broken.spec.path, "this is no parquet").unwrap();
    let found = refused(&broken, &[]).await;
    assert!(found.starts_with("dataset people: ") && found.contains("can't be read"), "{found}");
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

/// The hashes of the rows' units, in order.
async fn units(spec: &SourceSpec) -> Vec<Option<u64>> {
    let loaded = load(spec, &context(), now()).await.unwrap();
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    let batches = context.execute_logical_plan(loaded.plan).await.unwrap().collect().await.unwrap();
    let column = |batch: &RecordBatch| {
        let units = batch.column_by_name(crate::gate::UNIT_COLUMN).unwrap().clone();
        units.as_any().downcast_ref::<arrow::array::UInt64Array>().unwrap().iter().collect::<Vec<_>>()
    };
    batches.iter().flat_map(column).collect()
}

#[tokio::test]
async fn one_unit_in_several_spellings_is_one_unit() {
    let mut source = csv("id\n0042\n42\n 42 \nA-1\n\"\"\n", &["id varchar"], None);
    source.spec.unit = Some(unit("id", false));
    let found = units(&source.spec).await;
    assert_eq!(found[0], Some(unit_hash(&[3; 16], "42")));
    assert_eq!((found[1], found[2]), (found[0], found[0]));
    assert!(found[3].is_some() && found[3] != found[0]);
    assert_eq!(found[4], None, "no unit");
    let mut numbers = csv("id\n42\n", &["id bigint"], None);
    numbers.spec.unit = Some(unit("id", false));
    assert_eq!(units(&numbers.spec).await, [found[0]], "and the same in a column of numbers");
    numbers.spec.unit = Some(UnitSpec { key: [4; 16], ..unit("id", false) });
    assert_ne!(units(&numbers.spec).await, [found[0]], "for nobody to compute who lacks the key");
    source.spec.unit = Some(unit("id", true));
    assert!(refused(&source, &["0042"]).await.contains("repeat a unit"));
}

#[tokio::test]
async fn equal_rows_are_units_of_their_own_and_others_do_not_change_them() {
    let each = |text: &str| {
        let mut source = csv(text, &["borough varchar"], None);
        source.spec.unit = Some(UnitSpec { column: None, unique: true, ..unit("borough", true) });
        source
    };
    let before = units(&each("borough\nbexley\nbexley\ncamden\n").spec).await;
    assert_eq!(before.iter().collect::<std::collections::HashSet<_>>().len(), 3);
    let after = units(&each("borough\ncamden\nealing\nbexley\nbexley\n").spec).await;
    assert_eq!([after[2], after[3], after[0]], [before[0], before[1], before[2]]);
}

#[tokio::test]
async fn record_keys_of_the_owner_take_the_place_of_the_low_byte() {
    let mut source = csv("id,record_key\n1,7\n2,255\n", &["id bigint", "record_key bigint"], None);
    source.spec.unit = Some(UnitSpec { record_key: Some("record_key".parse().unwrap()), ..unit("id", true) });
    let low: Vec<u64> = units(&source.spec).await.into_iter().map(|unit| unit.unwrap() & 0xff).collect();
    assert_eq!(low, [7, 255]);
    fs::write(&source.spec.path, "id,record_key\n1,7\n2,256\n").unwrap();
    assert!(refused(&source, &["256"]).await.contains("record_key"));
}

#[tokio::test]
async fn a_snapshot_stands_for_its_period_and_is_sealed() {
    let mut source = csv("id,name\n1,CANARY-ONE\n2,CANARY-TWO\n", &["id bigint", "name varchar"], None);
    source.spec.unit = Some(unit("id", true));
    source.spec.as_of = AsOf::Monthly;
    let folder = source.folder.path().join("snapshots");
    source.spec.snapshots = Some(SnapshotStore { folder: folder.clone(), key: [9; 32] });
    source.spec.rights = leaving_out(1, &["2"]);
    let taken = rows(&source).await;
    assert!(taken.contains("CANARY-ONE"), "{taken}");
    assert!(!taken.contains("CANARY-TWO"), "who objected is left out: {taken}");
    // Neither a change of the file nor a withdrawn objection shows before the next period.
    fs::write(&source.spec.path, "id,name\n1,CHANGED\n").unwrap();
    source.spec.rights = RightsSpec::default();
    assert_eq!(rows(&source).await, taken);
    fs::remove_file(&source.spec.path).unwrap();
    assert_eq!(rows(&source).await, taken);
    let files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    let [file] = files.as_slice() else { panic!("{files:?}") };
    let sealed = fs::read(file).unwrap();
    assert!(!sealed.windows(6).any(|bytes| bytes == b"CANARY"), "nothing readable");
    // The next month begins.
    fs::write(&source.spec.path, "id,name\n1,CHANGED\n").unwrap();
    let july = Utc.with_ymd_and_hms(2026, 7, 1, 0, 0, 0).unwrap();
    let loaded = load(&source.spec, &context(), now()).await.unwrap();
    assert!(!loaded.is_stale(&RightsSpec::default(), now()) && loaded.is_stale(&RightsSpec::default(), july));
    // What was altered is an error, not a new snapshot.
    for altered in [sealed[..sealed.len() - 1].to_vec(), flipped(&sealed)] {
        fs::write(file, altered).unwrap();
        let error = load(&source.spec, &context(), now()).await.unwrap_err().to_string();
        assert!(error.contains("remove"), "{error}");
    }
    assert_eq!(load(&source.spec, &context(), july).await.unwrap().rows, 1);
}

#[test]
fn other_ends_of_a_range_make_another_snapshot() {
    let mut source = csv("id\n1\n", &["id bigint"], None);
    source.spec.unit = Some(unit("id", true));
    source.spec.as_of = AsOf::Monthly;
    source.spec.snapshots = Some(SnapshotStore { folder: source.folder.path().into(), key: [9; 32] });
    let end = |text: &str| Some(text.to_owned());
    let all = [
        Covers::Value("1".into()),
        Covers::Value("from 1".into()),
        Covers::Range { from: end("1"), to: None },
        Covers::Range { from: None, to: end("1") },
        Covers::Range { from: end("1"), to: end("1") },
        Covers::Range { from: end("1"), to: end("2") },
    ];
    let paths = all.map(|covers| {
        let coverage = vec![Coverage { column: "id".parse().unwrap(), covers }];
        source.spec.dataset = Arc::new(Dataset { coverage, ..dataset(Form::Statistics, &["id bigint"]) });
        snapshot::Snapshot::of(&source.spec, now()).unwrap().unwrap().path()
    });
    assert_eq!(paths.iter().collect::<std::collections::HashSet<_>>().len(), 6);
}

/// Entries up to this number, which leave these units out.
fn leaving_out(upto: u64, units: &[&str]) -> RightsSpec {
    let left_out = units.iter().map(|unit| unit_hash(&[3; 16], unit)).collect();
    RightsSpec { entries: (1..=upto).collect(), left_out: Arc::new(left_out), ..RightsSpec::default() }
}

#[tokio::test]
async fn who_objects_is_left_out_at_once_where_rows_are_live_and_with_all_others_at_the_next_snapshot() {
    let text = "id,home,name\n1,7,ann\n0002,7,bob\n3,8,cem\n4,,dee\n";
    let mut source = csv(text, &["id bigint", "home bigint", "name varchar"], None);
    let home = OuterUnitSpec { kind: "home".parse().unwrap(), column: "home".parse().unwrap(), key: [5; 16] };
    source.spec.unit = Some(UnitSpec { belongs_to: Some(home), ..unit("id", true) });
    let names = async |spec: &SourceSpec, now| {
        let loaded = load(spec, &context(), now).await.unwrap();
        let batches = context().execute_logical_plan(loaded.plan.clone()).await.unwrap().collect().await.unwrap();
        let text = pretty_format_batches(&batches).unwrap().to_string();
        let names: Vec<&str> = ["ann", "bob", "cem", "dee"].into_iter().filter(|name| text.contains(name)).collect();
        assert_eq!(loaded.rows as usize, names.len(), "who is left out isn't counted either");
        (names.join(" "), loaded)
    };
    let (all, live) = names(&source.spec, now()).await;
    assert_eq!(all, "ann bob cem dee");
    assert!(!live.is_stale(&source.spec.rights, now()));
    source.spec.rights = leaving_out(1, &["2"]);
    assert!(live.is_stale(&source.spec.rights, now()), "live rows are loaded again");
    assert_eq!(names(&source.spec, now()).await.0, "ann cem dee");
    // A home that objects is all who live in it.
    source.spec.rights = RightsSpec { left_out: Arc::new([unit_hash(&[5; 16], "7")].into()), ..leaving_out(1, &[]) };
    assert_eq!(names(&source.spec, now()).await.0, "cem dee");
    source.spec.unit.as_mut().unwrap().column = None;
    assert_eq!(names(&source.spec, now()).await.0, "cem dee", "also where each row is a unit of its own");
    source.spec.unit.as_mut().unwrap().column = Some("id".parse().unwrap());

    source.spec.rights = leaving_out(1, &["1"]);
    source.spec.as_of = AsOf::Monthly;
    let folder = source.folder.path().join("snapshots");
    source.spec.snapshots = Some(SnapshotStore { folder, key: [9; 32] });
    assert_eq!(takes_effect(&source.spec, now()), None, "with the snapshot that is still to be taken");
    let (taken, loaded) = names(&source.spec, now()).await;
    assert_eq!((taken.as_str(), &loaded.rights[..]), ("bob cem dee", &[1][..]));
    source.spec.rights = leaving_out(3, &["1", "3", "4"]);
    assert!(!loaded.is_stale(&source.spec.rights, now()), "they wait for the next one");
    let (same, loaded) = names(&source.spec, now()).await;
    assert_eq!((same.as_str(), &loaded.rights[..]), ("bob cem dee", &[1][..]), "it says what it was made with");
    let july = Utc.with_ymd_and_hms(2026, 7, 1, 0, 0, 0).unwrap();
    assert_eq!(takes_effect(&source.spec, now()), Some(july));
    assert!(loaded.is_stale(&source.spec.rights, july));
    let (next, loaded) = names(&source.spec, july).await;
    assert_eq!((next.as_str(), &loaded.rights[..]), ("bob", &[1, 2, 3][..]), "all together");
}

#[tokio::test]
async fn what_can_not_be_known_stops_a_dataset() {
    let mut source = csv("id\n1\n", &["id bigint"], None);
    source.spec.unit = Some(unit("id", true));
    let loaded = load(&source.spec, &context(), now()).await.unwrap();
    let before = inputs(&source.spec, now());
    source.spec.rights.fault = Some("the list is damaged".into());
    assert!(loaded.is_stale(&source.spec.rights, now()));
    let found = refused(&source, &[]).await;
    assert_eq!(found, "dataset people: the list is damaged; nothing of it is released until then");
    assert_ne!(inputs(&source.spec, now()), before, "and is tried again when it can be");
}

#[tokio::test]
async fn a_right_value_overlays_the_source_and_is_noticed_there() {
    let mut source =
        csv("id,town,age\n1,leeds,40\n1,hull,41\n2,leeds,50\n", &["id bigint", "town varchar", "age integer"], None);
    source.spec.unit = Some(unit("id", false));
    let right = |entry, unit: &str, column: &str, value: &str| Rectified {
        entry,
        unit: unit_hash(&[3; 16], unit),
        column: column.parse().unwrap(),
        value: value.into(),
    };
    let rectified = vec![
        right(1, "1", "town", "york"),
        right(1, "1", "age", "42"),
        right(2, "2", "age", "50"),
        right(3, "9", "age", "1"),
    ];
    source.spec.rights = RightsSpec { rectified, ..leaving_out(3, &[]) };
    assert_rows(&marked(&source).await, &["|1|york|42|", "|1|york|42|", "|2|leeds|50|"]);
    let corrected = async |source: &Source| load(&source.spec, &context(), now()).await.unwrap().corrected;
    assert_eq!(corrected(&source).await, [2], "a unit without rows tells nothing");
    fs::write(&source.spec.path, "id,town,age\n1,york,42\n1,york,41\n2,hull,50\n").unwrap();
    assert_eq!(corrected(&source).await, [2], "one value of one row is still wrong");
    fs::write(&source.spec.path, "id,town,age\n1,york,42\n1,york,42\n2,hull,51\n").unwrap();
    assert_eq!(corrected(&source).await, [1]);
    source.spec.rights.rectified = vec![right(4, "1", "age", "old")];
    assert!(refused(&source, &["old"]).await.contains("column age: a rectified value is none of its type"));
}

/// The published columns of the rows.
async fn marked(source: &Source) -> String {
    let loaded = load(&source.spec, &context(), now()).await.unwrap();
    let columns: Vec<&str> = source.spec.dataset.columns.iter().map(|column| column.name.as_str()).collect();
    let frame = context().execute_logical_plan(loaded.plan).await.unwrap().select_columns(&columns).unwrap();
    pretty_format_batches(&frame.collect().await.unwrap()).unwrap().to_string()
}

#[tokio::test]
async fn the_rows_of_a_unit_are_found_whatever_it_asked_for() {
    let mut source = csv("id,home\n1,7\n2,7\n1,8\n", &["id bigint", "home bigint"], None);
    let home = OuterUnitSpec { kind: "home".parse().unwrap(), column: "home".parse().unwrap(), key: [5; 16] };
    source.spec.unit = Some(UnitSpec { belongs_to: Some(home), ..unit("id", false) });
    source.spec.as_of = AsOf::Monthly;
    let folder = source.folder.path().join("snapshots");
    source.spec.snapshots = Some(SnapshotStore { folder, key: [9; 32] });
    let counts = async |spec: &SourceSpec, key: [u8; 16], unit: &str| {
        let found = found(spec, &[unit_hash(&key, unit)].into(), &context(), now()).await.unwrap();
        found.iter().map(|found| (found.place, found.rows(), found.outer.len())).collect::<Vec<_>>()
    };
    assert_eq!(counts(&source.spec, [3; 16], "1").await, [(Place::Source, 2, 2)]);
    load(&source.spec, &context(), now()).await.unwrap();
    fs::write(&source.spec.path, "id,home\n2,7\n").unwrap();
    source.spec.rights = leaving_out(1, &["1", "2"]);
    assert_eq!(counts(&source.spec, [3; 16], "1").await, [(Place::Source, 0, 0), (Place::Snapshot, 2, 2)]);
    assert_eq!(counts(&source.spec, [5; 16], "7").await, [(Place::Source, 1, 1), (Place::Snapshot, 2, 1)]);
}

fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    flipped
}
