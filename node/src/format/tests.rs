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
    sheet.finish("(withheld)", &mut out).unwrap();
    out
}

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
