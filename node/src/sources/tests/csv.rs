//! CSV files as they are read, and what is said of those that can't be.

use super::*;

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
async fn csv_without_a_mapping_takes_columns_by_name_and_casts_them() {
    let found = rows(&csv("b,a,c\n1,true,x\n,false,y\n", &["a boolean", "b integer"], None)).await;
    assert_rows(&found, &["|true|1|", "|false||"]);
    let mut source = csv("5|x\n6|y\n", &["column_2 varchar", "column_1 integer"], None);
    source.spec.kind = SourceKind::Csv(CsvFormat { delimiter: b'|', header: false, ..CsvFormat::default() });
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
    case(b"", "dataset people: people.csv can't be read: it has no record").await;
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
}
