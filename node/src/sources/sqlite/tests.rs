//! Files that Python's own sqlite3 wrote, and such as are locked, damaged, changed or something else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::MemTable;
use meridian_proto::Form;
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::remote::{Asked, Constant, EngineTable, Kind, Origin, Select, Shape, condition};
use super::super::tests::{context, dataset_called, now};
use super::super::{Loaded, RightsSpec, SourceKind, SourceSpec, load};
use super::*;

/// Has Python's sqlite3 run statements on a file.
fn python(path: &Path, script: &str) {
    let program = std::env::var("MERIDIAN_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let script =
        "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.executescript(sys.argv[2])\nc.commit()\nc.close()\n"
            .replace("sys.argv[2]", &format!("{script:?}"));
    let ran = Command::new(&program).args(["-c", &script]).arg(path).output().expect("Python is not there");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

fn file(script: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trees of [1] 100%.db");
    python(&path, script);
    (folder, path)
}

fn spec(path: &Path, table: &str, columns: &[&str], mapping: Option<&str>) -> SourceSpec {
    let kind = SourceKind::Sqlite(Sqlite { table: table.into(), as_text: vec![] });
    let dataset = dataset_called("trees", Form::Open, columns);
    SourceSpec::new(dataset, kind, path.to_path_buf(), mapping.map(str::to_owned))
}

fn as_text(mut spec: SourceSpec, columns: &[&str]) -> SourceSpec {
    let SourceKind::Sqlite(source) = &mut spec.kind else { panic!("no table") };
    source.as_text = columns.iter().map(|name| (*name).to_owned()).collect();
    spec
}

async fn loaded(spec: &SourceSpec) -> Loaded {
    load(spec, &context(), now()).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn asked(loaded: &Loaded, sql: &str) -> Result<Vec<RecordBatch>, String> {
    let context = context();
    let frame = context.execute_logical_plan(loaded.plan.clone()).await.unwrap();
    context.register_table("trees", frame.into_view()).unwrap();
    let frame = context.sql(sql).await.map_err(|error| error.to_string())?;
    frame.collect().await.map_err(|error| error.to_string())
}

/// Rows as lines of cells.
fn lines(batches: &[RecordBatch]) -> Vec<String> {
    let text = pretty_format_batches(batches).unwrap().to_string();
    let rows = text.lines().filter(|line| line.starts_with('|')).skip(1);
    rows.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>().join("|")).collect()
}

async fn refused(spec: &SourceSpec) -> String {
    let error = load(spec, &context(), now()).await.expect_err("it must be refused");
    let text = error.to_string();
    assert!(!text.contains("4711") && !format!("{error:?}").contains("4711"), "{text}");
    text.replace(&format!("{}", spec.path.display()), "FILE")
}

const TYPES: &str = "CREATE TABLE trees (id INTEGER PRIMARY KEY, height DOUBLE, girth REAL, kind VARCHAR(20), felled BOOLEAN, \
    picture BLOB, planted DATE, cost DECIMAL(10,2), note, shape POINT); \
    INSERT INTO trees VALUES (1, 7, 1.5, 'oak', 1, x'00ff', '2024-02-29', 12.5, 'x', x'0101000000000000000000f03f0000000000000040'), \
    (9223372036854775807, 2.25, NULL, 'élm', 0, NULL, NULL, 100, 3, NULL), (-3, NULL, 1e300, 42, NULL, x'', 'soon', 'free', 2.5, NULL);";
const COLUMNS: [&str; 10] = [
    "id bigint",
    "height double",
    "girth double",
    "kind varchar",
    "felled boolean",
    "picture bytea",
    "planted varchar",
    "cost varchar",
    "note varchar",
    "x double",
];

#[tokio::test]
async fn declared_types_are_read_and_what_has_none_is_text() {
    let (_folder, path) = file(TYPES);
    let mapping = "SELECT id, height, girth, kind, felled, picture, planted, cost, note, st_x(shape) AS x FROM source";
    let loaded = loaded(&spec(&path, "Trees", &COLUMNS, Some(mapping))).await;
    let found = lines(&asked(&loaded, "SELECT * FROM trees ORDER BY id").await.unwrap());
    let expected = [
        "|-3||1e300|42|||soon|free|2.5||",
        "|1|7.0|1.5|oak|true|00ff|2024-02-29|12.5|x|1.0|",
        "|9223372036854775807|2.25||élm|false|||100|3||",
    ];
    assert_eq!((found, loaded.rows), (expected.map(str::to_owned).to_vec(), 3));
    // What is not asked for is not read, and neither is more than is asked for.
    let (_folder, path) = file("CREATE TABLE trees (a INT); INSERT INTO trees VALUES (1), (2), (3)");
    let loaded = self::loaded(&spec(&path, "trees", &["a bigint"], None)).await;
    assert_eq!(lines(&asked(&loaded, "SELECT count(*) FROM trees").await.unwrap()), ["|3|"]);
    assert_eq!(asked(&loaded, "SELECT a FROM trees LIMIT 2").await.unwrap()[0].num_rows(), 2);
}

#[tokio::test]
async fn views_tables_without_rowid_and_generated_columns_are_tables_as_well() {
    let (_folder, path) = file(
        "CREATE TABLE t (k TEXT PRIMARY KEY, n INT, double INT AS (n * 2)) WITHOUT ROWID; \
         INSERT INTO t VALUES ('a', 1), ('b', 2); CREATE VIEW v AS SELECT k, n, n / 2.0 AS half, upper(k) AS big FROM t;",
    );
    let columns = ["k varchar", "n bigint", "double bigint"];
    let found = loaded(&spec(&path, "t", &columns, None)).await;
    assert_eq!(lines(&asked(&found, "SELECT * FROM trees WHERE k > 'a'").await.unwrap()), ["|b|2|4|"]);
    let columns = ["k varchar", "half varchar", "big varchar"];
    let mapping = Some("SELECT k, half, big FROM source");
    let found = loaded(&spec(&path, "v", &columns, mapping)).await;
    assert_eq!(lines(&asked(&found, "SELECT * FROM trees WHERE half = '0.5'").await.unwrap()), ["|a|0.5|A|"]);
}

#[tokio::test]
async fn a_value_that_is_not_of_its_type_is_named_by_column_and_row_and_not_quoted() {
    for (column, bad, found) in [
        ("INTEGER", "'secret4711'", "text"),
        ("INTEGER", "4711.5", "real"),
        ("REAL", "'secret4711'", "text"),
        ("BOOLEAN", "4711", "integer"),
        ("TEXT", "x'4711'", "blob"),
        ("BLOB", "'secret4711'", "text"),
        ("NUMERIC", "x'4711'", "blob"),
    ] {
        let script = format!(
            "CREATE TABLE trees (id INTEGER PRIMARY KEY, height {column}); CREATE INDEX i ON trees (height DESC); \
             INSERT INTO trees VALUES (5, NULL), (4711, {bad}), (10, NULL), (4712, {bad})"
        );
        let (_folder, path) = file(&script);
        let source = spec(&path, "trees", &["id bigint"], Some("SELECT id FROM source"));
        let told = refused(&source).await;
        let expected = format!("dataset trees: FILE: column height row 3 holds {found} where \"{column}\" is declared");
        assert!(told.starts_with(&expected) && told.contains("as_text"), "{told}");
        assert_eq!(loaded(&as_text(source, &["height"])).await.rows, 4);
    }
    let (_folder, path) = file("CREATE TABLE trees (a BLOB); INSERT INTO trees VALUES (x'00ff'), ('b'), (1.5), (NULL)");
    let found = loaded(&as_text(spec(&path, "trees", &["a varchar"], None), &["a"])).await;
    assert_eq!(lines(&asked(&found, "SELECT a FROM trees").await.unwrap()), ["|00ff|", "|b|", "|1.5|", "||"]);
    let (_folder, path) = file("CREATE TABLE trees (a TEXT); INSERT INTO trees VALUES (CAST(x'ff4711' AS TEXT))");
    let told = asked(&loaded(&spec(&path, "trees", &["a varchar"], None)).await, "SELECT a FROM trees").await;
    let told = told.unwrap_err();
    assert!(told.contains("dataset trees: its database can't be read") && !told.contains("4711"), "{told}");
}

/// Rows on which collations, zeros and NULL would tell a careless translation.
const TRAPS: &str = "CREATE TABLE trees (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, n INT, r REAL, d NUMERIC); \
    INSERT INTO trees VALUES (1, 'oak', 1, 0.0, '1'), (2, 'OAK', 2, 1.0, 1.0), (3, 'Oak ', NULL, 1.5, 'x'), (4, NULL, -1, NULL, NULL), \
    (5, 'élm', 2, -0.5, 10), (6, '', 0, 1e300, '010'), (7, '7', 7, 7.0, 7);";

#[tokio::test]
async fn conditions_mean_the_same_there() {
    let (_folder, path) = file(TRAPS);
    let columns = ["id bigint", "name varchar", "n bigint", "r double", "d varchar"];
    let found = loaded(&spec(&path, "trees", &columns, None)).await;
    let batches = asked(&found, "SELECT * FROM trees").await.unwrap();
    let here = context();
    here.register_table("trees", Arc::new(MemTable::try_new(batches[0].schema(), vec![batches]).unwrap())).unwrap();
    for condition in [
        "name = 'oak'",
        "name <> 'oak'",
        "name IN ('oak', 'élm', '')",
        "name NOT IN ('oak', 'x')",
        "name < 'a'",
        "name >= 'a' OR n = 2",
        "name BETWEEN 'O' AND 'P'",
        "name IS NULL OR n IS NULL",
        "n <> 2 AND name IS NOT NULL",
        "n IN (1, 2, NULL)",
        "n > 1 AND n < 9",
        "3 > n",
        "n / 2 = 0",
        "n = 1.5",
        "r = 0.0",
        "r <> 0.0",
        "r > 1",
        "r <= -0.5 OR r > 1e299",
        "d = '1'",
        "d = '010'",
        "d < '2'",
        "d IS NOT NULL",
        "NOT (name = 'oak')",
        "name LIKE 'o%'",
    ] {
        let sql = format!("SELECT id FROM trees WHERE {condition} ORDER BY id");
        let expected = lines(&here.sql(&sql).await.unwrap().collect().await.unwrap());
        assert_eq!(lines(&asked(&found, &sql).await.unwrap()), expected, "{condition}");
    }
}

#[test]
fn conditions_and_limits_go_into_the_select_with_their_values_beside_it() {
    use datafusion::catalog::TableProvider;
    use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
    use datafusion::prelude::{col, lit};

    let (_folder, path) = file(TRAPS);
    let source = Sqlite { table: "trees".into(), as_text: vec![] };
    let (engine, query) = find(&path, &source).unwrap();
    let origin = Origin::new(engine, &"trees".parse().unwrap(), &Arc::default(), &query);
    let table = EngineTable::of_table(query.clone(), origin, true);
    let written = |expr: &Expr| condition(expr, &query).map(|condition| condition.sql);
    for (expr, sql) in [
        (col("name").eq(lit("'; --")), Some("\"name\" COLLATE BINARY = ?")),
        (lit(3_i64).gt(col("n")), Some("\"n\" < ?")),
        (col("n").in_list(vec![lit(1_i64), lit(2_i64)], true), Some("\"n\" NOT IN (?, ?)")),
        (col("n").eq(lit(1_i64)).or(col("r").gt(lit(1.5))), Some("(\"n\" = ? OR \"r\" > ?)")),
        (col("d").is_null(), Some("\"d\" IS NULL")),
        (col("d").eq(lit("1")), None),
        (col("r").eq(lit(0.0)), None),
        (col("r").eq(lit(f64::NAN)), None),
        ((col("n") / lit(2_i64)).eq(lit(0_i64)), None),
        (col("name").like(lit("o%")), None),
    ] {
        assert_eq!(written(&expr).as_deref(), sql, "{expr}");
        let pushed = table.supports_filters_pushdown(&[&expr]).unwrap();
        assert_eq!(pushed[0] == TableProviderFilterPushDown::Inexact, sql.is_some(), "{expr}");
    }
    let condition = condition(&col("n").gt(lit(1_i64)), &query).unwrap();
    let select = query.select(&[&query.columns[0], &query.columns[1]], &[condition], Some(5));
    assert_eq!(select.sql, "SELECT \"id\", \"name\" FROM \"trees\" WHERE \"n\" > ? LIMIT 5");
    assert_eq!(select.values, [Constant::Exact("1".into())]);
}

#[tokio::test]
async fn a_file_that_is_missing_or_damaged_or_something_else_is_named_with_the_remedy() {
    let (folder, path) = file(TYPES);
    let of = |path: &Path, table: &str| spec(path, table, &["id bigint"], Some("SELECT id FROM source"));
    let told = refused(&of(&path, "shrubs")).await;
    assert!(told.starts_with("dataset trees: FILE: it has no table or view \"shrubs\""), "{told}");
    let told = refused(&as_text(of(&path, "trees"), &["width"])).await;
    assert!(told.contains("no column \"width\""), "{told}");
    let other = folder.path().join("other.db");
    for (bytes, expected) in [
        (
            &b"4711 is no database, nor is a file that was encrypted"[..],
            "it is no SQLite database, or an encrypted one",
        ),
        (&b""[..], "it has no table or view"),
    ] {
        fs::write(&other, bytes).unwrap();
        let told = refused(&of(&other, "trees")).await;
        assert!(told.contains(expected), "{told}");
    }
    fs::remove_file(&other).unwrap();
    let told = refused(&of(&other, "trees")).await;
    assert!(told.contains("can't be read"), "{told}");
    assert!(refused(&of(folder.path(), "trees")).await.contains("can't be read"));
    // Every cut, and noise in every page: a fault, or a table as it was; never a panic.
    python(
        &other,
        "CREATE TABLE trees (id INTEGER PRIMARY KEY, note TEXT); \
        WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 2000) INSERT INTO trees SELECT x, 'note' || x FROM c;",
    );
    let whole = fs::read(&other).unwrap();
    let mut faults = 0;
    for at in (0..whole.len()).step_by(997) {
        let mut noisy = whole.clone();
        noisy[at..].iter_mut().take(64).for_each(|byte| *byte ^= 0xA5);
        for bytes in [whole[..at].to_vec(), noisy] {
            fs::write(&other, bytes).unwrap();
            let source = spec(&other, "trees", &["id bigint", "note varchar"], None);
            if let Ok(found) = load(&source, &context(), now()).await {
                faults += usize::from(asked(&found, "SELECT count(id), max(note) FROM trees").await.is_err());
            } else {
                faults += 1;
            }
        }
    }
    assert!(faults > 10, "{faults}");
}

#[tokio::test]
async fn a_lock_is_waited_for_and_then_named() {
    let (_folder, path) = file("CREATE TABLE trees (id INTEGER); INSERT INTO trees VALUES (1)");
    let source = spec(&path, "trees", &["id bigint"], None);
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let told = refused(&source).await;
    assert!(told.contains("another program keeps it locked"), "{told}");
    writer.execute_batch("COMMIT").unwrap();
    assert_eq!(loaded(&source).await.rows, 1);
}

#[tokio::test]
async fn what_is_written_is_noticed_and_nothing_is_written_by_reading() {
    for mode in ["DELETE", "WAL"] {
        let (folder, path) = file(&format!(
            "PRAGMA journal_mode = {mode}; CREATE TABLE trees (id INTEGER); INSERT INTO trees VALUES (1)"
        ));
        let source = spec(&path, "trees", &["id bigint"], None);
        let found = loaded(&source).await;
        assert_eq!(lines(&asked(&found, "SELECT * FROM trees").await.unwrap()), ["|1|"]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{mode}: reading left a file");
        assert!(!found.is_stale(&RightsSpec::default(), now()));
        // It stays open, so that what is written ahead stays beside the file.
        let writer = Connection::open(&path).unwrap();
        writer.execute_batch("INSERT INTO trees VALUES (2)").unwrap();
        assert_eq!(lines(&asked(&found, "SELECT * FROM trees").await.unwrap()), ["|1|", "|2|"], "{mode}");
        assert!(found.is_stale(&RightsSpec::default(), now()), "{mode}");
        let again = loaded(&source).await;
        assert_eq!(again.rows, 2);
        writer.execute_batch("ALTER TABLE trees ADD COLUMN note TEXT").unwrap();
        let told = asked(&again, "SELECT * FROM trees").await.unwrap_err();
        assert!(told.contains("dataset trees: its database can't be read"), "{told}");
        assert!(again.is_stale(&RightsSpec::default(), now()) && loaded(&source).await.rows == 2);
    }
}

#[tokio::test]
async fn many_rows_come_in_batches_and_a_scan_that_nobody_waits_for_ends() {
    let (_folder, path) = file(
        "CREATE TABLE trees (id INTEGER PRIMARY KEY, note TEXT); WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 \
         FROM c WHERE x < 100000) INSERT INTO trees SELECT x, 'tree' FROM c;",
    );
    let found = loaded(&spec(&path, "trees", &["id bigint", "note varchar"], None)).await;
    assert_eq!(found.rows, 100_000);
    let batches = asked(&found, "SELECT * FROM trees").await.unwrap();
    assert!(batches.iter().all(|batch| batch.num_rows() <= 8192) && batches.len() > 12);
    let sum = asked(&found, "SELECT sum(id), count(note) FROM trees WHERE id > 10").await.unwrap();
    assert_eq!(lines(&sum), ["|5000049945|99990|"]);
    // One that would never end, and yields no row.
    let endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c WHERE x < 0";
    let source = Sqlite { table: "trees".into(), as_text: vec![] };
    let (engine, query) = find(&path, &source).unwrap();
    let origin = Origin::new(Arc::clone(&engine), &"trees".parse().unwrap(), &Arc::default(), &query);
    let before = Arc::strong_count(&engine);
    let select = Select { sql: endless.into(), values: vec![] };
    let shape = Arc::new(Shape { select, columns: vec![("id".into(), Kind::Bigint)] });
    let schema = Arc::new(query.schema().project(&[0]).unwrap());
    let mut rows = Arc::clone(&engine).run(Asked { origin: origin.clone(), shape, schema });
    assert!(futures::poll!(futures::StreamExt::next(&mut rows)).is_pending());
    drop(rows);
    while Arc::strong_count(&engine) > before {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_dataset_with_a_unit_is_held_and_its_promises_are_kept() {
    let (_folder, path) = file("CREATE TABLE trees (id INTEGER, h TEXT); INSERT INTO trees VALUES (1, '5'), (1, '6')");
    let mut source = spec(&path, "trees", &["id bigint", "h integer"], None);
    let unit = |unique| super::super::UnitSpec {
        kind: "tree".parse().unwrap(),
        column: Some("id".parse().unwrap()),
        unique,
        record_key: None,
        key: [3; 16],
        belongs_to: None,
    };
    source.unit = Some(unit(false));
    assert_eq!(loaded(&source).await.rows, 2);
    source.unit = Some(unit(true));
    assert!(refused(&source).await.contains("1 rows repeat a unit"));
    python(&path, "UPDATE trees SET h = 'x4711' WHERE h = '6'");
    source.unit = Some(unit(false));
    assert!(refused(&source).await.contains("column h: 1 rows hold no integer"));
}
