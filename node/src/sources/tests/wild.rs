//! CSV as it is found in the wild, by the settings that its owner gives, and what mappings make of its cells.

use datafusion::logical_expr::registry::FunctionRegistry;

use super::*;

/// The text in a layout.
fn laid_out(text: impl AsRef<[u8]>, format: CsvFormat, columns: &[&str], mapping: Option<&str>) -> Source {
    file("people.csv", text, SourceKind::Csv(format), columns, mapping)
}

#[tokio::test]
async fn an_encoding_is_said_or_marked_and_what_is_neither_is_told() {
    let columns = ["name varchar", "pay varchar"];
    let found = |bytes: &[u8], label: &str| {
        let format = CsvFormat { encoding: encoding_rs::Encoding::for_label(label.as_bytes()), ..CsvFormat::default() };
        laid_out(bytes, format, &columns, None)
    };
    let expected = ["|Zoë|£5|"];
    assert_rows(&rows(&found(b"name,pay\nZo\xeb,\xa35\n", "windows-1252")).await, &expected);
    assert_rows(&rows(&found(b"name,pay\rZo\xeb,\xa35\r", "latin1")).await, &expected);
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    assert_rows(&rows(&found(&wide("name,pay\r\nZoë,£5"), "utf-16le")).await, &expected);
    assert_rows(&rows(&found(&wide("\u{feff}name,pay\r\nZoë,£5"), "")).await, &expected);

    let told = refused(&found(b"name,pay\nann,1\nsecret,\xa34711\n", ""), &["secret", "4711"]).await;
    let expected = "dataset people: people.csv line 3: text that is not UTF-8; save the file as UTF-8, or say how it is \
                    encoded, such as encoding = \"windows-1252\"";
    assert_eq!(told, expected);
    let half_a_character = [wide("name,pay\nann,1\nsecret,"), vec![0x00, 0xD8]].concat();
    let told = refused(&found(&half_a_character, "utf-16le"), &["secret"]).await;
    assert!(told.starts_with("dataset people: people.csv line 3: text that is not UTF-16LE"), "{told}");
}

#[tokio::test]
async fn lines_above_the_heading_are_skipped_and_counted() {
    let format = CsvFormat { skip: 3, ..CsvFormat::default() };
    let text = "Payments over £500,\r\n\"Q1, 2024\",,,\r\n\r\nname,pay\r\nann,1\r\nbob,4x7\r\n";
    let columns = ["name varchar", "pay integer"];
    let told = refused(&laid_out(text, format.clone(), &columns, None), &["4x7"]).await;
    assert!(told.starts_with("dataset people: people.csv line 6: column pay can't be computed as integer"), "{told}");
    let found = rows(&laid_out(text.replace("4x7", "2"), format.clone(), &columns, None)).await;
    assert_rows(&found, &["|ann|1|", "|bob|2|"]);
    let told = refused(&laid_out("a\nb\n", format, &columns, None), &[]).await;
    assert!(told.contains("people.csv can't be read: it has no more than 3 lines; lower `skip`"), "{told}");
}

#[tokio::test]
async fn headings_are_named_by_what_is_seen() {
    let text = "\u{feff} Name\u{a0},\"Net\namount\u{200b} (£)\",\nann,1,x\n";
    let mapping = r#"SELECT "Name" AS name, "Net amount (£)" AS pay, column_3 AS note FROM source"#;
    let found = rows(&csv(text, &["name varchar", "pay integer", "note varchar"], Some(mapping))).await;
    assert_rows(&found, &["|ann|1|x|"]);
    let told = refused(&csv("a,b, a \n", &["a varchar"], None), &[]).await;
    assert!(told.starts_with("dataset people: people.csv line 1: the heading names column 3 twice"), "{told}");
}

#[tokio::test]
async fn what_is_left_out_is_left_out_by_a_setting_alone_and_lines_stay_right() {
    let text = "name,pay\nann,1\n,\n \u{a0},\u{200b}\nname, pay \n\nbob,2\nname,pay\ncem,x\n";
    let columns = ["name varchar", "pay varchar"];
    let all = ["|ann|1|", "|||", "||\u{200b}|", "|name|pay|", "|bob|2|", "|name|pay|", "|cem|x|"];
    assert_rows(&rows(&csv(text, &columns, None)).await, &all);
    let tidied = |tidy| CsvFormat { tidy, ..CsvFormat::default() };
    let blank = Tidy { blank_rows: true, ..Tidy::default() };
    let found = rows(&laid_out(text, tidied(blank), &columns, None)).await;
    assert_rows(&found, &["|ann|1|", "|name|pay|", "|bob|2|", "|name|pay|", "|cem|x|"]);
    let headings = Tidy { repeated_headings: true, ..Tidy::default() };
    let found = rows(&laid_out(text, tidied(headings), &columns, None)).await;
    assert_rows(&found, &["|ann|1|", "|||", "||\u{200b}|", "|bob|2|", "|cem|x|"]);

    let both = Tidy { blank_rows: true, repeated_headings: true, trim: true };
    let source = laid_out(text, tidied(both), &["name varchar", "pay integer"], None);
    let told = refused(&source, &["cem"]).await;
    assert!(told.starts_with("dataset people: people.csv line 9: column pay can't be computed"), "{told}");
    let files = Arc::new(files::Files::open(&source.spec.path, &source.spec.kind).unwrap());
    assert_eq!(files.parts().map(|part| part.unwrap().batch.num_rows()).sum::<usize>(), 3);
    assert_eq!(files.left_out(), files::LeftOut { blank_rows: 2, repeated_headings: 2 });
}

#[tokio::test]
async fn cells_are_trimmed_by_a_setting_and_by_a_function() {
    let text = "name,town\n \u{feff}ann \u{a0}, \n\"bob \",\u{a0}hull\n";
    let columns = ["name varchar!", "town varchar"];
    let format = CsvFormat { tidy: Tidy { trim: true, ..Tidy::default() }, ..CsvFormat::default() };
    let mapping = "SELECT name || '!' AS name, coalesce(town, '-') AS town FROM source";
    assert_rows(&rows(&laid_out(text, format, &columns, Some(mapping))).await, &["|ann!|-|", "|bob!|hull|"]);
    let mapping = "SELECT clean(name) || '!' AS name, coalesce(clean(town), '-') AS town FROM source";
    assert_rows(&rows(&csv(text, &columns, Some(mapping))).await, &["|ann!|-|", "|bob!|hull|"]);
}

#[tokio::test]
async fn short_lines_are_padded_by_a_setting_and_long_ones_never() {
    let columns = ["a varchar", "b varchar", "c varchar"];
    let text = "a,b,c\n1\n2,3\n4,5,6\n";
    let told = refused(&csv(text, &columns, None), &[]).await;
    assert!(told.starts_with("dataset people: people.csv line 2: 1 fields where the first record has 3"), "{told}");
    let padded = CsvFormat { pad: true, ..CsvFormat::default() };
    let found = rows(&laid_out(text, padded.clone(), &columns, None)).await;
    assert_rows(&found, &["|1|||", "|2|3||", "|4|5|6|"]);
    let told = refused(&laid_out("a,b,c\n1\n1,2,3,4\n", padded, &columns, None), &[]).await;
    assert!(told.starts_with("dataset people: people.csv line 3: 4 fields where the first record has 3"), "{told}");
}

#[tokio::test]
async fn a_record_has_an_end() {
    let mut text = b"a,b\n1,2\n3,\"".to_vec();
    text.resize(18 * 1024 * 1024, b'x');
    let told = refused(&csv(text, &["a varchar"], None), &[]).await;
    assert!(told.starts_with("dataset people: people.csv line 3: a record of more than 16 MiB"), "{told}");
}

#[tokio::test]
async fn packed_files_are_unpacked() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, b"a\n1\n4x7\n").unwrap();
    let packed = packed.finish().unwrap();
    let kind = || SourceKind::Csv(CsvFormat::default());
    let found = rows(&file("people.csv.gz", &packed, kind(), &["a varchar"], None)).await;
    assert_rows(&found, &["|1|", "|4x7|"]);
    let told = refused(&file("people.csv.gz", &packed, kind(), &["a integer"], None), &["4x7"]).await;
    assert!(told.starts_with("dataset people: people.csv.gz line 3: column a"), "{told}");
    let cut = &packed[..packed.len() - 9];
    let told = refused(&file("people.csv.gz", cut, kind(), &["a varchar"], None), &[]).await;
    assert!(told.starts_with("dataset people: people.csv.gz can't be read: "), "{told}");
}

#[tokio::test]
async fn amounts_and_days_are_parsed_or_named_by_line_or_null() {
    let text = "paid,amount\n31/12/2024,(250.00)\n1-Jan-25,\"£1,234.5\"\n,\n";
    let columns = ["paid date", "amount decimal(10,2)"];
    let mapping = "SELECT parse_date_uk(paid) AS paid, parse_money(amount) AS amount FROM source";
    let found = rows(&csv(text, &columns, Some(mapping))).await;
    assert_rows(&found, &["|2024-12-31|-250.00|", "|2025-01-01|1234.50|", "|||"]);

    let broken = format!("{text}2/1/2025,four71\n12/31/2024,1\n");
    let told = refused(&csv(&broken, &columns, Some(mapping)), &["four71", "12/31"]).await;
    assert!(
        told.starts_with("dataset people: people.csv line 5: column amount can't be computed as decimal(10,2)"),
        "{told}"
    );
    assert!(told.contains("NULL with TRY_CAST or a function try_…"), "{told}");
    let first = "SELECT parse_date_uk(paid) AS paid, try_parse_money(amount) AS amount FROM source";
    let told = refused(&csv(&broken, &columns, Some(first)), &["four71", "12/31"]).await;
    assert!(told.starts_with("dataset people: people.csv line 6: column paid can't be computed as date"), "{told}");
    let both =
        "SELECT try_parse_date_uk(paid) AS paid, try_parse_money(amount) AS amount FROM source WHERE amount <> ''";
    let found = rows(&csv(&broken, &columns, Some(both))).await;
    assert_rows(&found, &["|2024-12-31|-250.00|", "|2025-01-01|1234.50|", "|2025-01-02||", "||1.00|"]);
}

#[tokio::test]
async fn functions_of_mappings_take_constants_and_texts_alone_and_are_total_over_what_is_protected() {
    let mapping =
        "SELECT parse_money('£5') AS amount, parse_date_uk('1/2/2024') AS paid, clean(NULL) AS name FROM source";
    let columns = ["amount decimal(10,2)", "paid date", "name varchar"];
    assert_rows(&rows(&csv("a\n1\n2\n", &columns, Some(mapping))).await, &["|5.00|2024-02-01||"; 2]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.parquet");
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("£10"), Some("oops4711"), None]));
    parquet::write_parquet(&path, &RecordBatch::try_from_iter_with_nullable([("pay", texts, true)]).unwrap());
    let mapping = Some("SELECT parse_money(pay) AS amount FROM source".to_owned());
    let dataset = Arc::new(dataset(Form::Rows, &["amount decimal(10,2)"]));
    let source = Source { folder, spec: SourceSpec::new(dataset, SourceKind::Parquet, path, mapping) };
    assert_rows(&rows(&source).await, &["|10.00|", "||", "||"]);
}

#[tokio::test]
async fn no_query_knows_the_functions_of_mappings() {
    let state = meridian_federation::session::session_builder(meridian_federation::session::session_config()).build();
    let queries = SessionContext::new_with_state(state);
    for function in functions::all() {
        assert!(mapping::session(1, queries.runtime_env()).udf(function.name()).is_ok(), "{}", function.name());
        assert!(queries.udf(function.name()).is_err(), "{} is not classified", function.name());
    }
}
