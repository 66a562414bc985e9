//! Files of every kind and encoding that a source reads, as they come: what is proposed for them loads.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use rust_xlsxwriter::Workbook;

use super::*;

/// A file of that name: supplier, day and amount that are found in it, and what is told to the source.
#[track_caller]
fn check(name: &str, bytes: impl AsRef<[u8]>, keys: &[&str], amounts: &[i128], expected_days: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    of(&path, keys, amounts, expected_days)
}

#[track_caller]
fn of(path: &Path, keys: &[&str], amounts: &[i128], expected_days: &[&str]) -> String {
    let (proposal, draft) = proposed(path, "spend");
    assert!(proposal.lacks().is_empty(), "{proposal:#?}");
    let source: Vec<&str> = draft.split("[source]\n").nth(1).unwrap().split("\n\n").next().unwrap().lines().collect();
    let said: Vec<&str> = source.into_iter().filter(|line| !line.starts_with("path")).collect();
    assert_eq!(said, keys, "{draft}");
    let sql = draft.split("'''").nth(1).unwrap();
    assert!(sql.trim().lines().count() <= 20, "{sql}");
    let (_, rows) = loaded(&draft);
    assert_eq!(pence(&rows), amounts, "{draft}");
    let days: Vec<String> = days(&rows).into_iter().flatten().collect();
    assert_eq!(days, expected_days, "{draft}");
    draft
}

fn windows_1252(text: &str) -> Vec<u8> {
    encoding_rs::WINDOWS_1252.encode(text).0.into_owned()
}

const CSV: &str = "Payee,Paid on,Net amount\nAcme Ltd,01/04/2024,(250.00)\nBeta plc,15/04/2024,\"1,075.00\"\n";
const PENCE: [i128; 2] = [-25_000, 107_500];
const DAYS: [&str; 2] = ["2024-04-01", "2024-04-15"];

#[test]
fn the_expressions_are_those_that_mappings_offer() {
    let draft = check("a.csv", CSV, &["kind = \"csv\"", "trim = true"], &PENCE, &DAYS);
    for call in ["parse_money(\"Net amount\") AS", "parse_date_uk(\"Paid on\") AS", "\"Payee\" AS"] {
        assert!(draft.contains(call), "{call}: {draft}");
    }
    assert!(!draft.contains("regexp"), "{draft}");
}

#[test]
fn encodings_titles_and_line_ends_are_told_to_the_source() {
    let titled = format!("Payments over £500\n\nPrepared by Finance, April 2024\n{CSV}");
    let keys = ["kind = \"csv\"", "encoding = \"windows-1252\"", "skip = 3", "trim = true"];
    check("a.csv", windows_1252(&titled), &keys, &PENCE, &DAYS);
    let keys = ["kind = \"csv\"", "trim = true"];
    check("a.csv", CSV.replace('\n', "\r"), &keys, &PENCE, &DAYS);
    check("a.csv", format!("\u{feff}{}", CSV.replace('\n', "\r\n")), &keys, &PENCE, &DAYS);
    let wide: Vec<u8> = format!("\u{feff}{CSV}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    check("a.csv", wide, &keys, &PENCE, &DAYS);
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(CSV.as_bytes()).unwrap();
    check("a.csv.gz", packed.finish().unwrap(), &keys, &PENCE, &DAYS);
}

#[test]
fn rows_that_are_no_payments_are_left_out() {
    let messy = format!(
        "{CSV},,\nPayee,Paid on,Net amount\n\u{a0}Gamma LLP ,30 April 2024,£3\n,,\nGrand Total:,,828.00\nFigures are provisional\n"
    );
    let keys = ["kind = \"csv\"", "pad = true", "trim = true", "drop = [\"blank_rows\", \"repeated_headings\"]"];
    let days = [DAYS[0], DAYS[1], "2024-04-30"];
    let draft = check("a.csv", &messy, &keys, &[PENCE[0], PENCE[1], 300], &days);
    assert!(draft.contains("clean(\"Net amount\") IS NOT NULL"), "{draft}");
}

#[test]
fn workbooks_are_looked_at_by_sheet() {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.set_name("Payments").unwrap();
    sheet.write(0, 0, "Payments over 500 pounds").unwrap();
    for (column, heading) in (0..).zip(["Beneficiary", "Invoice date", "Amount"]) {
        sheet.write(2, column, heading).unwrap();
    }
    for (row, (name, day, amount)) in
        (3..).zip([("Acme Ltd", "01/04/2024", -250.0), ("Beta plc", "15/04/2024", 1075.5)])
    {
        sheet.write(row, 0, name).unwrap();
        sheet.write(row, 1, day).unwrap();
        sheet.write(row, 2, amount).unwrap();
    }
    let keys = ["kind = \"excel\"", "skip = 2", "trim = true"];
    check("a.xlsx", workbook.save_to_buffer().unwrap(), &keys, &[-25_000, 107_550], &DAYS);

    workbook.add_worksheet().set_name("Notes").unwrap().write(0, 0, "none").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.xlsx");
    fs::write(&path, workbook.save_to_buffer().unwrap()).unwrap();
    let error = Sheet::open(&path, None, None).unwrap_err().to_string();
    assert!(error.contains("it has several sheets; set `sheet` to one of \"Payments\", \"Notes\""), "{error}");
    let sheet = Sheet::open(&path, None, Some("Payments")).unwrap();
    let standard = standard("spend");
    let draft = draft(&sheet, &standard, &propose(&sheet, &standard));
    assert!(draft.contains("sheet = \"Payments\"\n"), "{draft}");
    assert_eq!(loaded(&draft).1.num_rows(), 2);
}

#[test]
fn json_lines_and_folders_are_looked_at() {
    let lines = "{\"payee\":\"Acme Ltd\",\"paid on\":\"2024-04-01\",\"net amount\":\"(250.00)\"}\n\
                 {\"payee\":\" Beta plc \",\"paid on\":\"2024-04-15\",\"net amount\":1075}\n";
    let draft = check("a.jsonl", lines, &["kind = \"jsonl\""], &PENCE, &DAYS);
    assert_eq!(texts(&loaded_again(&draft, "a.jsonl", lines), "supplier")[1].as_deref(), Some("Beta plc"));
    let feature = |name: &str, paid: &str, amount: &str| {
        format!(
            "{{\"type\":\"Feature\",\"geometry\":{{\"type\":\"Point\",\"coordinates\":[0,51]}},\
             \"properties\":{{\"payee\":\"{name}\",\"paid on\":\"{paid}\",\"net amount\":\"{amount}\"}}}}"
        )
    };
    let features = [feature("Acme Ltd", "2024-04-01", "(250.00)"), feature("Beta plc", "2024-04-15", "1075")].join(",");
    let collection = format!("{{\"type\":\"FeatureCollection\",\"features\":[{features}]}}");
    check("a.geojson", collection, &["kind = \"geojson\""], &PENCE, &DAYS);
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("2024-04.csv", CSV), ("2024-05.csv", "Payee,Paid on,Net amount\nGamma LLP,02/05/2024,3\n")] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let days = [DAYS[0], DAYS[1], "2024-05-02"];
    of(folder.path(), &["kind = \"csv\"", "trim = true"], &[PENCE[0], PENCE[1], 300], &days);
}

/// The rows of a draft whose file is gone by now, from the same file at another place.
fn loaded_again(draft: &str, name: &str, text: &str) -> RecordBatch {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    let there = draft.lines().find(|line| line.starts_with("path = ")).unwrap();
    loaded(&draft.replace(there, &format!("path = \"{}\"", path.display()))).1
}

#[test]
fn what_can_t_be_looked_at_is_said() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, expected) in [
        ("a.parquet", &b"PAR1"[..], "its columns have names and types already"),
        ("a.db", b"SQLite format 3\0 and more", "its columns have names and types already"),
        ("a.xlsx", b"PK nothing", "can't be read as records"),
        ("a.jsonl", b"not json\n", "line 1"),
        ("a.csv", b"", "can't be read as records"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let error = Sheet::open(&path, None, None).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
    assert!(Sheet::open(&folder.path().join("gone.csv"), None, None).is_err());
}
