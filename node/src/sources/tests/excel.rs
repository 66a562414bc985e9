//! Workbooks: `.xlsx` as a program of today writes it, `.xls` as Excel 97 had it.

use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook};

use super::*;

/// A workbook of the older format, with the same payments: a title, the heading in row 3, a blank row. Made with Python's
/// xlwt 1.3.0; what writes this format in Rust is not to be had.
pub(super) const OLD: &[u8] = include_bytes!("files/payments.xls");

const COLUMNS: [&str; 4] = ["supplier varchar!", "paid timestamp", "amount decimal(10,2)", "approved boolean"];
const MAPPING: &str =
    r#"SELECT "Supplier" AS supplier, "Paid" AS paid, "Amount" AS amount, "Approved" AS approved FROM source"#;

/// The same payments as in [`OLD`], and what else cells may be.
pub(super) fn workbook() -> Vec<u8> {
    let mut book = Workbook::new();
    let money = Format::new().set_num_format("£#,##0.00;(£#,##0.00)");
    let date = |format: &str| Format::new().set_num_format(format);
    let time = |text: &str| ExcelDateTime::parse_from_str(text).unwrap();
    let sheet = book.add_worksheet().set_name("Payments").unwrap();
    sheet.merge_range(0, 0, 0, 3, "Payments over £500", &Format::new().set_bold()).unwrap();
    for (column, heading) in (0..).zip(["Supplier ", "Paid", "Amount", "Approved"]) {
        sheet.write(2, column, heading).unwrap();
    }
    sheet.write(3, 0, "Zoë Ltd").unwrap();
    sheet.write_with_format(3, 1, &time("2024-12-31"), &date("dd/mm/yyyy")).unwrap();
    sheet.write_with_format(3, 2, 1234.5, &money).unwrap();
    sheet.write(3, 3, true).unwrap();
    sheet.write(4, 0, "Bob & Co").unwrap();
    sheet.write_with_format(4, 1, &time("2025-01-01T09:30:00"), &date("dd/mm/yyyy hh:mm")).unwrap();
    sheet.write_formula_with_format(4, 2, Formula::new("-C4+984.5").set_result("-250"), &money).unwrap();
    sheet.write(6, 0, "0042").unwrap();
    sheet.write(6, 2, 3).unwrap();
    book.add_worksheet().set_name("Notes").unwrap().write(0, 0, "nothing").unwrap();
    book.save_to_buffer().unwrap()
}

fn excel(bytes: &[u8], format: ExcelFormat, columns: &[&str], mapping: Option<&str>) -> Source {
    file("payments.xlsx", bytes, SourceKind::Excel(format), columns, mapping)
}

fn payments() -> ExcelFormat {
    ExcelFormat { sheet: Some("Payments".into()), skip: 2, ..ExcelFormat::default() }
}

#[tokio::test]
async fn a_sheet_is_read_alike_from_either_format() {
    for bytes in [&workbook(), OLD] {
        let found = rows(&excel(bytes, payments(), &COLUMNS, Some(MAPPING))).await;
        assert_rows(
            &found,
            &["|ZoëLtd|2024-12-31T00:00:00|1234.50|true|", "|Bob&Co|2025-01-01T09:30:00|-250.00||", "|0042||3.00||"],
        );
        let texts = r#"SELECT "Paid" AS paid, "Amount" AS amount, "Approved" AS approved FROM source"#;
        let found =
            rows(&excel(bytes, payments(), &["paid varchar", "amount varchar", "approved varchar"], Some(texts))).await;
        assert_rows(&found, &["|2024-12-31|1234.5|true|", "|2025-01-01T09:30:00|-250||", "||3||"]);
    }
}

#[tokio::test]
async fn a_value_that_does_not_fit_is_named_by_sheet_and_row() {
    let mapping = r#"SELECT CAST("Supplier" AS INTEGER) AS number FROM source WHERE "Amount" = '3'"#;
    let good = excel(OLD, payments(), &["number integer"], Some(mapping));
    assert_rows(&rows(&good).await, &["|42|"]);
    let mapping = mapping.replace(" WHERE \"Amount\" = '3'", " WHERE \"Approved\" IS NULL");
    for bytes in [&workbook(), OLD] {
        let told = refused(&excel(bytes, payments(), &["number integer"], Some(&mapping)), &["Bob"]).await;
        assert!(told.starts_with("dataset people: payments.xlsx sheet Payments row 5: column number"), "{told}");
    }
}

#[tokio::test]
async fn of_several_sheets_one_is_named() {
    for bytes in [&workbook(), OLD] {
        let told = refused(&excel(bytes, ExcelFormat::default(), &["a varchar"], None), &[]).await;
        assert!(told.contains("it has several sheets; set `sheet` to one of \"Payments\", \"Notes\""), "{told}");
        let other = ExcelFormat { sheet: Some("Receipts".into()), ..ExcelFormat::default() };
        let told = refused(&excel(bytes, other, &["a varchar"], None), &[]).await;
        assert!(told.contains("it has no sheet \"Receipts\"; set `sheet` to one of \"Payments\", \"Notes\""), "{told}");
        let beyond = ExcelFormat { skip: 7, ..payments() };
        let told = refused(&excel(bytes, beyond, &["a varchar"], None), &[]).await;
        assert!(told.contains("its sheet Payments has no value below the rows that are skipped"), "{told}");
    }
}

#[tokio::test]
async fn what_a_sheet_may_hold_beside_a_table() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (row, cells) in (0..).zip([["a", "b"], ["1", " "], [" ", "\u{a0}"], ["a", " b "], ["2", "x"]]) {
        for (column, cell) in (0..).zip(cells) {
            sheet.write(row, column, cell).unwrap();
        }
    }
    sheet.write(4, 4, "beside").unwrap();
    let bytes = book.save_to_buffer().unwrap();
    // The only sheet needs no name, and a column without a heading has its number.
    let columns = ["a varchar", "b varchar", "note varchar"];
    let mapping = Some("SELECT a, b, column_5 AS note FROM source");
    let tidy = Tidy { trim: true, blank_rows: true, repeated_headings: true };
    let found = rows(&excel(&bytes, ExcelFormat { tidy, ..ExcelFormat::default() }, &columns, mapping)).await;
    assert_rows(&found, &["|1|||", "|2|x|beside|"]);
    let mapping = Some("SELECT column_1 AS a, column_2 AS b, column_5 AS note FROM source");
    let bare = ExcelFormat { header: false, skip: 3, ..ExcelFormat::default() };
    assert_rows(&rows(&excel(&bytes, bare, &columns, mapping)).await, &["|a|b||", "|2|x|beside|"]);
}

#[tokio::test]
async fn an_error_that_a_cell_shows_is_an_error() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write(0, 0, "a").unwrap().write(1, 0, 1).unwrap();
    sheet.write_formula(2, 1, Formula::new("#REF!+1").set_result("#REF!")).unwrap();
    let bytes = book.save_to_buffer().unwrap();
    let told = refused(&excel(&bytes, ExcelFormat::default(), &["a integer"], None), &[]).await;
    let expected =
        "dataset people: payments.xlsx sheet Sheet1 row 3: column B shows the error #REF!; correct the formula";
    assert!(told.starts_with(expected), "{told}");
}

#[tokio::test]
async fn a_workbook_that_claims_more_than_it_holds_is_refused() {
    let mut packed = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    packed.start_file("xl/sharedStrings.xml", zip::write::SimpleFileOptions::default()).unwrap();
    std::io::Write::write_all(&mut packed, b"<sst uniqueCount=\"40000000000\"></sst>").unwrap();
    let packed = packed.finish().unwrap().into_inner();
    let told = refused(&excel(&packed, ExcelFormat::default(), &["a varchar"], None), &[]).await;
    assert!(told.contains("it is a damaged .xlsx workbook"), "{told}");

    // Where the dimensions of a sheet stand: rows from 0 to 7, columns from 0 to 4.
    let dimensions = [0x00, 0x02, 0x0E, 0x00, 0, 0, 0, 0, 7, 0, 0, 0];
    let at = OLD.windows(dimensions.len()).position(|window| window == dimensions).unwrap();
    let mut claims = OLD.to_vec();
    claims[at + 11] = 0x7F;
    let told = refused(&excel(&claims, payments(), &["a varchar"], None), &[]).await;
    assert!(told.contains("it is a damaged .xls workbook"), "{told}");
}

#[tokio::test]
async fn what_is_no_workbook_is_refused() {
    for (bytes, expected) in [
        (
            &b"a,b\n1,2\n"[..],
            "it is neither .xlsx nor .xls, whatever its name; text under such a name is kind = \"csv\"",
        ),
        (b"PK\x03\x04nothing", "it is a damaged .xlsx workbook"),
        (&OLD[..1024], "it is a damaged"),
    ] {
        let told = refused(&excel(bytes, ExcelFormat::default(), &["a varchar"], None), &[]).await;
        assert!(told.starts_with(&format!("dataset people: payments.xlsx can't be read: {expected}")), "{told}");
    }
}
