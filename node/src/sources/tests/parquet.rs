//! Parquet files: mappings that filters reach, folders, and expressions that may not fail.

use super::*;

fn people() -> RecordBatch {
    let id: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 3]));
    let pay: ArrayRef = Arc::new(StringArray::from(vec![Some("10"), Some("oops4711"), None, Some("30")]));
    let part: ArrayRef = Arc::new(Int64Array::from(vec![1, 0, 2, 4]));
    RecordBatch::try_from_iter_with_nullable([("Person No", id, true), ("pay", pay, true), ("part", part, true)])
        .unwrap()
}

pub(super) fn write_parquet(path: &Path, batch: &RecordBatch) {
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
async fn what_is_no_parquet_is_refused() {
    let broken = parquet(Form::Rows, &["pay varchar"], None);
    fs::write(&broken.spec.path, "this is no parquet").unwrap();
    let found = refused(&broken, &[]).await;
    assert!(found.starts_with("dataset people: ") && found.contains("can't be read"), "{found}");
}
