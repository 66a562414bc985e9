//! Each format with numbers, texts that need care, and NULL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use super::*;

fn batch(names: Vec<Option<&str>>, fires: Vec<Option<i64>>, rates: Vec<Option<f64>>) -> RecordBatch {
    let schema = Schema::new(vec![
        Field::new("borough", DataType::Utf8, true),
        Field::new("fires", DataType::Int64, true),
        Field::new("rate", DataType::Float64, true),
    ]);
    let columns: Vec<arrow::array::ArrayRef> = vec![
        Arc::new(StringArray::from(names)),
        Arc::new(Int64Array::from(fires)),
        Arc::new(Float64Array::from(rates)),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

fn sample() -> Vec<RecordBatch> {
    vec![
        batch(vec![Some("Camden"), Some("a|b, \"c\"")], vec![Some(1200), None], vec![Some(0.1 + 0.2), Some(2.0)]),
        batch(vec![None], vec![Some(7)], vec![None]),
    ]
}

fn written(format: Format, batches: &[RecordBatch]) -> Vec<u8> {
    let schema = batch(vec![], vec![], vec![]).schema();
    let mut sheet = Sheet::new(format, schema).unwrap();
    let mut out = Vec::new();
    for batch in batches {
        sheet.write(batch, &mut out).unwrap();
    }
    sheet.finish(&WHOLE, &mut out).unwrap();
    out
}

const WHOLE: Whole<'_> = Whole { null: "(withheld)", meaning: Some("unknown, never 0"), width: None };

fn text(format: Format, batches: &[RecordBatch]) -> String {
    String::from_utf8(written(format, batches)).unwrap()
}

#[test]
fn csv_quotes_what_must_be_and_prints_floats_in_full() {
    assert_eq!(
        text(Format::Csv, &sample()),
        "borough,fires,rate\nCamden,1200,0.30000000000000004\n\"a|b, \"\"c\"\"\",,2.0\n,7,\n"
    );
}

#[test]
fn an_empty_answer_still_has_its_frame() {
    assert_eq!(text(Format::Csv, &[]), "borough,fires,rate\n");
    assert_eq!(text(Format::Json, &[]), "[]\n");
    assert_eq!(text(Format::Jsonl, &[]), "");
    assert_eq!(text(Format::Markdown, &[]), "| borough | fires | rate |\n| --- | --: | --: |\n");
    assert_eq!(text(Format::Table, &[]), "borough  fires  rate\n───────  ─────  ────\n");
}

#[test]
fn json_is_one_array_and_its_null_is_null() {
    assert_eq!(
        text(Format::Json, &sample()),
        concat!(
            r#"[{"borough":"Camden","fires":1200,"rate":0.30000000000000004},"#,
            r#"{"borough":"a|b, \"c\"","fires":null,"rate":2.0},{"borough":null,"fires":7,"rate":null}]"#,
            "\n"
        )
    );
    assert_eq!(text(Format::Jsonl, &sample()).lines().count(), 3);
}

#[test]
fn a_table_is_aligned_and_marks_what_is_null() {
    let expected = "\
borough          fires                 rate
──────────  ──────────  ───────────────────
Camden            1200  0.30000000000000004
a|b, \"c\"    (withheld)                  2.0
(withheld)           7           (withheld)
";
    assert_eq!(text(Format::Table, &sample()), expected);
}

#[test]
fn markdown_escapes_bars_and_line_breaks() {
    let rows = [batch(vec![Some("a|b\nc")], vec![None], vec![Some(1.5)])];
    assert_eq!(
        text(Format::Markdown, &rows),
        "| borough | fires | rate |\n| --- | --: | --: |\n| a\\|b<br>c | (withheld) | 1.5 |\n"
    );
}

#[test]
fn nothing_in_a_table_controls_the_terminal() {
    let rows = [batch(vec![Some("\u{1b}[31mred\u{7}\u{202e}x\ny")], vec![None], vec![None])];
    let table = text(Format::Table, &rows);
    assert!(table.contains("\\u{1b}[31mred\\u{7}\\u{202e}x\\ny"), "{table}");
    assert!(!table.contains('\u{1b}') && !table.contains('\u{202e}'));
}

#[test]
fn arrow_comes_back_as_it_was() {
    let bytes = written(Format::Arrow, &sample());
    let reader = arrow::ipc::reader::StreamReader::try_new(bytes.as_slice(), None).unwrap();
    assert_eq!(reader.map(Result::unwrap).collect::<Vec<_>>(), sample());
}

#[test]
fn an_arrow_file_and_parquet_come_back_as_they_were_and_say_what_null_means() {
    let bytes = written(Format::ArrowFile, &sample());
    let reader = arrow::ipc::reader::FileReader::try_new(std::io::Cursor::new(bytes), None).unwrap();
    assert_eq!(reader.custom_metadata().get("meridian.null").map(String::as_str), Some("unknown, never 0"));
    assert_eq!(reader.map(Result::unwrap).collect::<Vec<_>>(), sample());

    let bytes = bytes::Bytes::from(written(Format::Parquet, &sample()));
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    let said = reader.metadata().file_metadata().key_value_metadata().unwrap().clone();
    assert!(said.iter().any(|pair| pair.key == "meridian.null" && pair.value.as_deref() == Some("unknown, never 0")));
    let read: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    let expected = arrow::compute::concat_batches(&sample()[0].schema(), &sample()).unwrap();
    // Its schema also has what NULL means.
    assert_eq!(arrow::compute::concat_batches(&read[0].schema(), &read).unwrap().columns(), expected.columns());
}

#[test]
fn what_is_streamed_is_not_held() {
    let fires: Vec<Option<i64>> = (0..50_000).map(Some).collect();
    let rows = fires.len();
    let names = (0..rows).map(|_| Some("Camden"));
    let batch = batch(names.collect(), fires, (0..rows).map(|row| Some(row as f64 / 7.0)).collect());
    for format in [Format::Csv, Format::Json, Format::Jsonl, Format::Arrow, Format::ArrowFile] {
        let mut sheet = Sheet::new(format, batch.schema()).unwrap();
        let mut out = Vec::new();
        sheet.write(&batch, &mut out).unwrap();
        let (before, _) = (out.len(), sheet.finish(&WHOLE, &mut out).unwrap());
        assert!(before > rows * 8 && out.len() - before < 4096, "{format:?}: {} at the end", out.len() - before);
    }
    let mut sheet = Sheet::new(Format::Parquet, batch.schema()).unwrap();
    let mut out = Vec::new();
    for _ in 0..20 {
        sheet.write(&batch, &mut out).unwrap();
    }
    let before = out.len();
    sheet.finish(&WHOLE, &mut out).unwrap();
    assert!(before > out.len() / 2, "{before} of {}", out.len());
}

/// A point as well-known binary.
fn point(x: f64, y: f64) -> Vec<u8> {
    [vec![1, 1, 0, 0, 0], x.to_le_bytes().to_vec(), y.to_le_bytes().to_vec()].concat()
}

fn places(names: &[&str], rows: &[(Option<Vec<u8>>, Option<i64>)]) -> RecordBatch {
    let kinds = names.iter().map(|name| if *name == "fires" { DataType::Int64 } else { DataType::Binary });
    let fields = names.iter().zip(kinds).map(|(name, kind)| Field::new(*name, kind, true));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    let column = |name: &&str| -> arrow::array::ArrayRef {
        match *name {
            "fires" => Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>()),
            _ => Arc::new(rows.iter().map(|row| row.0.as_deref()).collect::<arrow::array::BinaryArray>()),
        }
    };
    RecordBatch::try_new(Arc::new(schema), names.iter().map(column).collect()).unwrap()
}

fn geojson(batches: &[RecordBatch]) -> Result<String, FormatError> {
    let mut sheet = Sheet::new(Format::Geojson, batches[0].schema())?;
    let mut out = Vec::new();
    for batch in batches {
        sheet.write(batch, &mut out)?;
    }
    sheet.finish(&WHOLE, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn geojson_has_a_feature_for_each_row() {
    let rows = [(Some(point(-0.125, 51.5)), Some(7)), (None, None)];
    let text = geojson(&[places(&["fires", "place"], &rows), places(&["fires", "place"], &rows[..1])]).unwrap();
    let read: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read["features"].as_array().unwrap().len(), 3);
    let first = serde_json::json!({
        "type": "Feature",
        "geometry": { "type": "Point", "coordinates": [-0.125, 51.5] },
        "properties": { "fires": 7 },
    });
    assert_eq!(read["features"][0], first);
    assert_eq!(read["features"][1]["geometry"], serde_json::Value::Null);
    assert_eq!(read["features"][1]["properties"], serde_json::json!({ "fires": null }));
    assert_eq!(read["meridian_null"], "unknown, never 0");
    assert!(text.parse::<geojson::GeoJson>().is_ok());
    // Nothing but geometries, and nothing at all.
    let alone = geojson(&[places(&["place"], &rows)]).unwrap();
    assert_eq!(alone.matches("\"properties\":{}").count(), 2);
    let empty: serde_json::Value = serde_json::from_str(&geojson(&[places(&["place"], &[])]).unwrap()).unwrap();
    assert_eq!(empty["features"], serde_json::json!([]));
}

#[test]
fn geojson_says_what_it_lacks() {
    let eastings = [(Some(point(530_000.0, 180_000.0)), None)];
    for (batch, expected) in [
        (places(&["fires"], &[]), "st_point"),
        (places(&["a", "b"], &[]), "AS geometry"),
        (places(&["place"], &eastings), "longitudes"),
        (places(&["place"], &[(Some(vec![9, 9]), None)]), "well-known binary"),
    ] {
        let error = geojson(&[batch]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(geojson(&[places(&["a", "geom"], &[])]).is_ok());
}

#[test]
fn a_table_that_has_to_fit_says_what_it_leaves_out() {
    let name = "a name that is much longer than others";
    let rows = batch(vec![Some(name), Some("Camden")], vec![Some(1_234_567_890_123), None], vec![Some(0.5), None]);
    let shown = |width: usize| {
        let mut sheet = Sheet::new(Format::Table, rows.schema()).unwrap();
        let mut out = Vec::new();
        sheet.write(&rows, &mut out).unwrap();
        let extent = sheet.extent("NULL").unwrap();
        let cut = sheet.finish(&Whole { null: "NULL", meaning: None, width: Some(width) }, &mut out).unwrap();
        (String::from_utf8(out).unwrap(), cut, extent)
    };
    let (whole, cut, extent) = shown(200);
    assert!(whole.contains(name) && cut.note().is_none());
    assert_eq!(extent, (whole.lines().map(|line| line.chars().count()).max().unwrap(), whole.lines().count()));

    let (cells, cut, _) = shown(40);
    assert!(cells.lines().all(|line| line.chars().count() <= 40), "{cells}");
    assert!(cells.contains("1234567890123") && cells.contains("a name that is muc…"), "{cells}");
    assert_eq!(cut.note().unwrap(), "Cut to the width of the terminal: 1 cell ends in …");

    let (columns, cut, _) = shown(30);
    assert!(columns.lines().all(|line| line.chars().count() <= 30), "{columns}");
    assert_eq!(cut.columns, ["rate"]);
    assert!(
        columns.contains("1234567890123  …") && cut.note().unwrap().contains("the column rate is left out"),
        "{columns}"
    );
}

#[test]
fn endings_stand_for_formats() {
    for (file, format) in [
        ("a.CSV", Some(Format::Csv)),
        ("b.ndjson", Some(Format::Jsonl)),
        ("c.feather", Some(Format::ArrowFile)),
        ("d", None),
    ] {
        assert_eq!(Format::of(Path::new(file)), format, "{file}");
    }
}
