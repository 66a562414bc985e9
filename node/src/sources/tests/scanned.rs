//! Large Parquet datasets with a unit: scanned by every query, and the same as if they were held.

use arrow::array::{AsArray, Float64Array, Int32Array, UInt64Array};
use arrow::datatypes::Int64Type;
use arrow::util::display::array_value_to_string;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::displayable;
use datafusion::prelude::{col, lit};

use super::parquet::write_parquet;
use super::*;

fn rows_of_homes() -> RecordBatch {
    let id: ArrayRef =
        Arc::new(StringArray::from(vec![Some("1"), Some("02"), Some("2 "), Some("3"), Some("4"), None, Some("5")]));
    let home: ArrayRef = Arc::new(Int64Array::from(vec![Some(7), Some(7), Some(8), Some(8), None, Some(9), Some(9)]));
    let town: ArrayRef = Arc::new(StringArray::from(vec![
        Some("hull"),
        Some("leeds"),
        Some("leeds"),
        None,
        Some("york"),
        Some("york"),
        Some("york"),
    ]));
    let age: ArrayRef = Arc::new(Int32Array::from(vec![40, 50, 50, 3, 80, 81, 82]));
    let key: ArrayRef = Arc::new(Int64Array::from(vec![7, 255, 255, 0, 9, 10, 11]));
    let columns =
        [("id", id, true), ("home", home, true), ("town", town, true), ("age", age, true), ("key", key, true)];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

const COLUMNS: [&str; 5] = ["id varchar", "home bigint", "town varchar", "age integer", "key bigint"];

fn homes(unit: UnitSpec) -> Source {
    let folder = tempfile::tempdir().unwrap();
    // Two files, so that equal units are in different ones.
    let rows = rows_of_homes();
    write_parquet(&folder.path().join("a.parquet"), &rows.slice(0, 2));
    write_parquet(&folder.path().join("b.parquet"), &rows.slice(2, 5));
    let columns = Arc::new(dataset(Form::Statistics, &COLUMNS));
    let mut spec = SourceSpec::new(columns, SourceKind::Parquet, folder.path().to_path_buf(), None);
    spec.unit = Some(unit);
    Source { folder, spec }
}

/// The rows with the hashes of their units, sorted; and what else was learnt.
async fn whole(spec: &SourceSpec, context: &SessionContext) -> Result<(Vec<String>, u64, Vec<u64>), SourceError> {
    let loaded = load(spec, context, now()).await?;
    let batches = context.execute_logical_plan(loaded.plan).await.unwrap().collect().await.unwrap();
    let mut rows: Vec<String> = Vec::new();
    for batch in &batches {
        assert_eq!(batch.schema().fields().last().unwrap().name(), crate::gate::UNIT_COLUMN);
        for row in 0..batch.num_rows() {
            let values = batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap());
            rows.push(values.collect::<Vec<_>>().join("|"));
        }
    }
    rows.sort();
    Ok((rows, loaded.rows, loaded.corrected))
}

/// Whether the rows are read from files when they are asked for.
async fn is_scanned(spec: &SourceSpec) -> bool {
    let loaded = load(spec, &context(), now()).await.unwrap();
    let plan = context().execute_logical_plan(loaded.plan).await.unwrap().create_physical_plan().await.unwrap();
    displayable(plan.as_ref()).indent(false).to_string().contains("file_type=parquet")
}

async fn assert_alike(what: &str, mut spec: SourceSpec, scanned: bool) {
    let held = whole(&spec, &context()).await.unwrap();
    assert!(!is_scanned(&spec).await, "{what}");
    spec.most_held = 0;
    assert_eq!(whole(&spec, &context()).await.unwrap(), held, "{what}");
    assert_eq!(is_scanned(&spec).await, scanned, "{what}");
}

fn right(entry: u64, unit: &str, column: &str, value: &str) -> Rectified {
    let column = column.parse().unwrap();
    Rectified { entry, unit: unit_hash(&[3; 16], unit), column, value: value.into() }
}

#[tokio::test]
async fn what_is_scanned_is_what_would_be_held() {
    let home = OuterUnitSpec { kind: "home".parse().unwrap(), column: "home".parse().unwrap(), key: [5; 16] };
    let plain = || unit("id", false);
    let keyed = || UnitSpec { record_key: Some("key".parse().unwrap()), ..plain() };
    let within = || UnitSpec { belongs_to: Some(home.clone()), ..keyed() };
    for (what, unit) in [("plain", plain()), ("record keys", keyed()), ("within homes", within())] {
        assert_alike(what, homes(unit.clone()).spec, true).await;
        let mut source = homes(unit.clone());
        source.spec.rights = leaving_out(2, &["2", "4"]);
        assert_alike(&format!("{what}, some left out"), source.spec.clone(), true).await;
        source.spec.rights.rectified = vec![
            right(1, "1", "town", "york"),
            right(1, "1", "age", "39"),
            right(2, "2", "age", "50"),
            right(3, "3", "id", "4"),
            right(4, "5", "home", "8"),
            right(5, "5", "home", "9"),
        ];
        assert_alike(&format!("{what}, some rectified"), source.spec, true).await;
    }
    // A home that objects is all who live in it, also by the right value.
    let mut source = homes(within());
    source.spec.rights = RightsSpec { left_out: Arc::new([unit_hash(&[5; 16], "8")].into()), ..leaving_out(1, &[]) };
    source.spec.rights.rectified = vec![right(1, "5", "home", "8")];
    assert_alike("a home left out", source.spec, true).await;

    let each = || UnitSpec { column: None, unique: true, ..plain() };
    assert_alike("each row", homes(each()).spec, true).await;
    let mut source = homes(each());
    write_parquet(&source.folder.path().join("c.parquet"), &rows_of_homes().slice(6, 1));
    assert_alike("each row, and two are equal", source.spec.clone(), false).await;
    source.spec.mapping = Some("SELECT DISTINCT id, home, town, age, key FROM source".into());
    assert_alike("each row, through a mapping", source.spec, true).await;
}

#[tokio::test]
async fn rows_that_their_order_makes_are_held() {
    for (mapping, scanned) in [
        ("SELECT id, home, town, age, key FROM source LIMIT 5", false),
        ("SELECT DISTINCT ON (home) id, home, town, age, key FROM source", false),
        ("SELECT CAST(row_number() OVER () AS VARCHAR) AS id, home, town, age, key FROM source", false),
        ("SELECT first_value(id) AS id, home, town, age, key FROM source GROUP BY home, town, age, key", false),
        ("SELECT id, max(home) AS home, town, sum(age) AS age, count(*) AS key FROM source GROUP BY id, town", true),
        ("SELECT id, home, town, age, key FROM source WHERE age > (SELECT min(age) FROM source)", true),
    ] {
        let mut source = homes(unit("id", false));
        source.spec.mapping = Some(mapping.into());
        assert_alike(mapping, source.spec.clone(), scanned).await;
    }
}

#[tokio::test]
async fn promises_of_what_is_scanned_are_held_as_well() {
    let refusal = async |unit: UnitSpec, change: fn(&mut SourceSpec)| {
        let mut source = homes(unit);
        change(&mut source.spec);
        let held = refused(&source, &["leeds"]).await;
        source.spec.most_held = 0;
        assert_eq!(refused(&source, &["leeds"]).await, held);
        held
    };
    let found = refusal(unit("id", true), |_| ()).await;
    assert!(found.contains("column id is declared unique, but 1 rows repeat a unit"), "{found}");
    let keyed = |column: &str| UnitSpec { record_key: Some(column.parse().unwrap()), ..unit("id", false) };
    let found = refusal(keyed("home"), |_| ()).await;
    assert!(found.contains("home"), "{found}");
    let found = refusal(unit("home", false), |spec| {
        spec.dataset = Arc::new(dataset(Form::Statistics, &["id varchar!", "home double"]));
    });
    assert!(found.await.contains("neither doubles"));
    let found = refusal(unit("id", false), |spec| {
        spec.dataset = Arc::new(dataset(Form::Statistics, &["id varchar", "town varchar!"]));
    });
    assert!(found.await.contains("column town is required, but NULL in 1 rows"));
    let found = refusal(unit("id", false), |spec| {
        spec.rights = RightsSpec { rectified: vec![right(4, "1", "age", "old")], ..leaving_out(4, &[]) };
    });
    assert!(found.await.contains("column age: a rectified value is none of its type"));
}

#[tokio::test]
async fn only_columns_that_a_query_needs_are_read_and_its_filters_reach_the_files() {
    let mut source = homes(unit("id", false));
    source.spec.most_held = 0;
    source.spec.rights = leaving_out(1, &["2"]);
    let loaded = load(&source.spec, &context(), now()).await.unwrap();
    let frame = context().execute_logical_plan(loaded.plan).await.unwrap();
    let frame = frame.filter(col("age").gt(lit(45))).unwrap().select_columns(&["town"]).unwrap();
    let plan = frame.create_physical_plan().await.unwrap();
    let plan = displayable(plan.as_ref()).indent(false).to_string();
    assert!(plan.contains("projection=[id, town, age]") && plan.contains("predicate=age@3 > 45"), "{plan}");
    for secret in ["3, 3, 3", &unit_hash(&[3; 16], "2").to_string()] {
        assert!(!plan.contains(secret), "{plan}");
    }
}

/// Many small rows, each of a unit of its own.
fn many(rows: i64) -> RecordBatch {
    let id: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    let part: ArrayRef = Arc::new(Int64Array::from_iter_values((0..rows).map(|at| at % 7)));
    let amount: ArrayRef = Arc::new(Float64Array::from_iter_values((0..rows).map(|at| at as f64)));
    RecordBatch::try_from_iter_with_nullable([("id", id, true), ("part", part, true), ("amount", amount, true)])
        .unwrap()
}

#[tokio::test]
async fn more_rows_than_memory_are_counted_within_it() {
    const POOL: usize = 4 << 20;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many.parquet");
    let rows = many(400_000);
    assert!(rows.get_array_memory_size() > 2 * POOL);
    write_parquet(&path, &rows);
    let columns = Arc::new(dataset(Form::Statistics, &["id bigint", "part bigint", "amount double"]));
    let mut spec = SourceSpec::new(columns, SourceKind::Parquet, path, None);
    spec.unit = Some(unit("id", true));
    spec.most_held = 0;
    let pool = Arc::new(GreedyMemoryPool::new(POOL));
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc().unwrap();
    let config = SessionConfig::new().with_target_partitions(2);
    let context = SessionContext::new_with_config_rt(config, runtime);
    let loaded = load(&spec, &context, now()).await.unwrap();
    assert_eq!(loaded.rows, 400_000);
    let count = datafusion::functions_aggregate::expr_fn::count(col(crate::gate::UNIT_COLUMN));
    let frame = context.execute_logical_plan(loaded.plan).await.unwrap();
    let frame = frame.aggregate(vec![col("part")], vec![count]).unwrap();
    let answer = frame.collect().await.unwrap();
    let numbers = |column: usize| -> Vec<i64> {
        let of = |batch: &RecordBatch| batch.column(column).as_primitive::<Int64Type>().values().to_vec();
        answer.iter().flat_map(of).collect()
    };
    // Sorted here, since the engine's sort takes more than the pool has.
    let mut counts: Vec<(i64, i64)> = numbers(0).into_iter().zip(numbers(1)).collect();
    counts.sort_unstable();
    let counts: Vec<i64> = counts.into_iter().map(|(_, count)| count).collect();
    assert_eq!(counts, [57_143, 57_143, 57_143, 57_143, 57_143, 57_143, 57_142]);
}

#[tokio::test]
async fn a_file_that_becomes_another_under_a_query_is_an_error_and_never_a_mixture() {
    let mut source = homes(unit("id", false));
    source.spec.most_held = 0;
    let loaded = load(&source.spec, &context(), now()).await.unwrap();
    let plan = || async { context().execute_logical_plan(loaded.plan.clone()).await.unwrap() };
    let before = plan().await.create_physical_plan().await.unwrap();
    let rows = rows_of_homes();
    let changed = source.folder.path().join("b.parquet");
    let replaced = source.folder.path().join("new");
    // As long as before, and put in its place in one step.
    write_parquet(&replaced, &rows.slice(2, 5));
    fs::rename(&replaced, &changed).unwrap();
    let task = context().task_ctx();
    let error = datafusion::physical_plan::collect(before, task).await.unwrap_err();
    let said = "dataset people: its files have changed while they were read; ask again in a minute";
    assert!(error.to_string().contains(said), "{error}");
    let error = plan().await.collect().await.unwrap_err();
    assert!(error.to_string().contains(said), "{error}");
    assert!(loaded.is_stale(&RightsSpec::default(), now()));
    fs::remove_file(&changed).unwrap();
    let error = plan().await.collect().await.unwrap_err();
    assert!(error.to_string().contains(said), "{error}");
    // What is loaded again is answered again.
    assert_eq!(whole(&source.spec, &context()).await.unwrap().1, 2);
}

#[test]
fn what_is_known_of_units_by_parts_is_known_of_all() {
    let hashes: UInt64Array = (0..1000_u64).map(|at| Some(unit_hash(&[3; 16], &(at % 990).to_string()))).collect();
    let parts = (0..3).map(|index| super::super::units::Part { index, of: 3 });
    let held: Vec<usize> = parts.map(|part| hashes.iter().flatten().filter(|unit| part.holds(*unit)).count()).collect();
    assert_eq!(held.iter().sum::<usize>(), 1000);
    assert!(held.iter().all(|held| *held > 250), "{held:?}");
}
