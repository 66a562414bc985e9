//! Files that are read in pieces are what they are in order: the same rows, and whatever is wrong is found there.

use arrow::compute::concat_batches;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::files::{Files, LeftOut};
use super::*;
use crate::sources::pieces::Columns;

/// Of pieces, in bytes: so small that each cell is cut at each of its bytes, and large enough for all.
const SIZES: [usize; 9] = [1, 2, 3, 5, 8, 13, 31, 64, 1 << 20];

type Read = Option<(RecordBatch, LeftOut)>;

fn in_order(files: &Arc<Files>) -> Read {
    let batches = files.parts().map(|part| part.map(|part| part.batch)).collect::<Result<Vec<_>, _>>().ok()?;
    Some((concat_batches(files.schema(), &batches).unwrap(), files.left_out()))
}

/// These columns in pieces.
fn in_pieces(files: &Arc<Files>, bytes: usize, columns: &[usize]) -> Read {
    let (mut batches, mut left_out) = (Vec::new(), LeftOut::default());
    let schema = Arc::new(files.schema().project(columns).unwrap());
    let of = Columns { places: columns.to_vec(), schema: Arc::clone(&schema) };
    for piece in files.pieces(bytes)? {
        let (rows, without) = files.parsed(&piece.ok()?, &of).ok()?;
        batches.extend(rows);
        left_out = left_out + without;
    }
    Some((concat_batches(&schema, &batches).unwrap(), left_out))
}

/// All columns, and each alone, the last ones first.
fn check(source: &Source, readable: bool) {
    let files = Arc::new(Files::open(&source.spec.path, &source.spec.kind).unwrap());
    let whole = in_order(&files);
    let shown = String::from_utf8_lossy(&fs::read(&source.spec.path).unwrap_or_default()).into_owned();
    assert_eq!(whole.is_some(), readable, "{shown:?}");
    let all: Vec<usize> = (0..files.schema().fields().len()).collect();
    let choices = all.iter().map(|index| vec![*index]).chain([all.clone(), all.iter().rev().copied().collect()]);
    for columns in choices {
        let expected = whole.as_ref().map(|(rows, left_out)| (rows.project(&columns).unwrap(), *left_out));
        for bytes in SIZES {
            assert_eq!(
                in_pieces(&files, bytes, &columns),
                expected,
                "{shown:?}, {columns:?} in pieces of {bytes} bytes"
            );
        }
    }
}

fn laid_out(text: impl AsRef<[u8]>, format: &CsvFormat) -> Source {
    file("people.csv", text, SourceKind::Csv(format.clone()), &["a varchar"], None)
}

#[test]
fn records_are_cut_where_they_end() {
    let format = CsvFormat::default();
    for text in [
        "a,b\n1,\"x\ny\"\n2,z\n",
        "a,b\n1,\"x,\n\n\n,\"\r\n\"\n\",\"\n\"\n2,z",
        "a,b\r1,2\r3,4\r",
        "a,b\r\n1,2\r\n\r\n3,4\r\n",
        "a,b\n\r1,2\n\r3,4\n\r",
        "\u{feff}a,b\r\n1,2\r\n3,4",
        "\n\r\n\na,b\n\n1,2\n\n\n3,4\n\n",
        "a,b\n1,\"x\"\"y\"\n\"\"\"\",\"\"\n\"\"\"\n\"\"\",\"\"\"\"\"\"\n",
        "a,b\nx\"y,\"z\"w\"\n\"1\"\"\"2,\"3\"\"4\"5\n\"\"6,\"\"\"7\"\n",
        "a,b\n\",\n\",\"\"\"\n,\"\"\n\"\"\"\n",
        "a,b\n,\n1,\n,2\n",
        "a\n1\n\"\"\n2",
        "a,b\né,£\n\"€\n\",\u{1F600}\n\u{feff},\u{feff}x\n",
        "a,b\n\u{feff}1,2\n\u{feff}\"3\",4\n",
        "a,b\n\u{0},\t \n x , y\n",
        "a,b\n0123456789012345678901234567890123456789,0123456789012345\n1,2\n",
        "a,b",
        "a,b\n",
    ] {
        check(&laid_out(text, &format), true);
        check(&laid_out(text.replace(',', "|"), &CsvFormat { delimiter: b'|', ..format.clone() }), true);
        if !text.starts_with('\u{feff}') {
            check(&laid_out(format!("x\n\n{text}"), &CsvFormat { skip: 2, ..format.clone() }), true);
            check(&laid_out(text, &CsvFormat { header: false, ..format.clone() }), true);
            let wide = text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
            let encoding = Some(encoding_rs::UTF_16BE);
            check(&laid_out(wide, &CsvFormat { encoding, ..format.clone() }), true);
        }
    }
}

#[test]
fn what_is_no_record_is_left_to_whoever_reads_in_order() {
    let format = CsvFormat::default();
    let padded = CsvFormat { pad: true, ..format.clone() };
    for text in [
        &b"a,b\n1,2\n3\n4,5\n"[..],
        b"a,b\n1,2\n\"3\n\"\n4,5\n",
        b"a,b\n1,2\n3,\"4\n5,6\n7,8\n",
        b"a,b\n1,2\n\"3\n\n4,5\n7,8",
        b"a,b\n1,2\n3,4\"\"\n5,\"6\"\"\n7,8\n",
        b"a,b\n1,2\n3,\xff\n4,5\n",
        b"a,b\n1,2\n3,\"\xc3\n\xa9\"\n4,5\n",
        b"a,b\n1,2\n3,4\xc3",
    ] {
        check(&laid_out(text, &format), false);
    }
    check(&laid_out("a,b\n1,2\n3\n\"4\n\"\n5,6", &padded), true);
    check(&laid_out("a,b,c\n1\n3,\n4,5\n,,6\n\"\"\n", &padded), true);
    check(&laid_out("a,b\n1,2\n3,4,5\n6,7\n", &format), false);
    check(&laid_out("a,b\n1,2\n3,4,\n6,7\n", &padded), false);
    // A second mark, which is none of a cell.
    let marked = laid_out("\u{feff}\u{feff}a,b\n1,2\n", &format);
    let files = Arc::new(Files::open(&marked.spec.path, &marked.spec.kind).unwrap());
    assert_eq!(in_pieces(&files, 1, &[0]), None);
}

#[test]
fn a_record_longer_than_any_may_be_is_left_to_whoever_reads_in_order() {
    let long = "x".repeat(17 << 20);
    for text in [format!("a\n1\n{long}\n2\n"), format!("a\n1\n\"{long}\n"), format!("a\n1\n{long}")] {
        let source = laid_out(text, &CsvFormat::default());
        let files = Arc::new(Files::open(&source.spec.path, &source.spec.kind).unwrap());
        for bytes in [3 << 20, 20 << 20] {
            assert_eq!(in_pieces(&files, bytes, &[0]), None);
        }
    }
}

#[test]
fn rows_that_are_none_are_left_out_of_pieces() {
    let text = "name,pay\nann,1\n,\n \u{a0},\u{200b}\nname, pay \n\nbob,2\nname,pay\ncem,x\n , \n";
    for bits in 0..8 {
        let tidy = Tidy { trim: bits & 1 > 0, blank_rows: bits & 2 > 0, repeated_headings: bits & 4 > 0 };
        check(&laid_out(text, &CsvFormat { tidy, ..CsvFormat::default() }), true);
    }
}

#[test]
fn whatever_is_read_in_pieces_is_what_is_read_in_order() {
    let seed = rand::rng().random();
    eprintln!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut source = laid_out("", &CsvFormat::default());
    let mut good = 0;
    for _ in 0..3_000 {
        fs::write(&source.spec.path, random::bytes(&mut random)).unwrap();
        source.spec.kind = random::kind(&mut random);
        let Ok(files) = Files::open(&source.spec.path, &source.spec.kind) else { continue };
        let files = Arc::new(files);
        let columns: Vec<usize> = (0..files.schema().fields().len()).collect();
        let bytes = SIZES[random.random_range(0..SIZES.len())];
        if let Some(found) = in_pieces(&files, bytes, &columns) {
            assert_eq!(Some(found), in_order(&files), "{:?} in pieces of {bytes}", fs::read(&source.spec.path));
            good += 1;
        }
    }
    assert!(good > 20, "only {good} of 3000 could be read: the cases are too wild to test anything");
}

/// What the mapping makes of it in order; the same in pieces of each size if it is done so at all, or nothing.
async fn check_mapped(source: &Source, pieces: bool) {
    let spec = &source.spec;
    let files = Arc::new(Files::open(&spec.path, &spec.kind).unwrap());
    let whole = materialise::in_order(spec, &files, &context()).await;
    let shown = |batches: &Vec<RecordBatch>| pretty_format_batches(batches).unwrap().to_string();
    let expected = whole.as_ref().ok().filter(|_| pieces).map(shown);
    for bytes in [1, 7, 100, 1 << 20] {
        let found = crate::sources::pieces::read(spec, &files, &context(), bytes).await;
        assert_eq!(found.as_ref().map(shown), expected, "in pieces of {bytes}");
    }
}

#[tokio::test]
async fn mappings_of_single_rows_are_evaluated_in_pieces() {
    let mut text = String::from("UPRN No,name,pay,born\n");
    for id in 0..300 {
        let name = if id % 7 == 0 { "skip" } else { "\"a\n\"\"b\"\"\"" };
        text.push_str(&format!("{id},{name},{}.{},2000-01-{:02}\n", id * 31, id % 10, 1 + id % 28));
    }
    let cast = r#"CAST("UPRN No" AS BIGINT) AS uprn, upper(name) AS name, CAST(pay AS DECIMAL(8,2)) AS pay,
        TRY_CAST(born AS DATE) AS born FROM source"#;
    let case = r#"CASE WHEN pay = '' THEN NULL ELSE CAST(pay AS DECIMAL(8,2)) * 2 END AS pay FROM source"#;
    let wide = ["uprn bigint!", "name varchar", "pay decimal(8,2)", "born date"];
    let check = async |columns: &[&str], mapping: Option<&str>, pieces| {
        check_mapped(&csv(&text, columns, mapping), pieces).await;
    };
    check(&wide, Some(&format!("SELECT {cast}")), true).await;
    check(&wide, Some(&format!("SELECT {cast} WHERE name <> 'skip' AND CAST(\"UPRN No\" AS INT) % 3 = 1")), true).await;
    check(&["pay decimal(8,2)"], Some(&format!("SELECT {case}")), true).await;
    check(&["born date", "pay decimal(10,1)", "name varchar"], None, true).await;
    check(&["name varchar"], None, true).await;
    check(&["one integer"], Some("SELECT 1 AS one FROM source"), true).await;
    check(&["one integer"], Some("SELECT 1 AS one FROM source WHERE name = 'nobody'"), true).await;
    // A value that fails in one row fails in order, where it is found.
    check(&["born integer"], None, true).await;
    check(&["pay decimal(8,2)"], Some("SELECT CAST(name AS DECIMAL(8,2)) AS pay FROM source"), true).await;
    // What looks at more than one row has to have them in order.
    for sql in [
        "SELECT name FROM source LIMIT 3",
        "SELECT name FROM source WHERE name <> 'skip' LIMIT 3 OFFSET 5",
        "SELECT DISTINCT name FROM source ORDER BY name",
        "SELECT max(name) AS name FROM source",
        "SELECT name FROM source WHERE pay = (SELECT max(pay) FROM source)",
        "SELECT lag(name) OVER (ORDER BY \"UPRN No\") AS name FROM source",
        "SELECT name FROM source UNION ALL SELECT born FROM source",
    ] {
        check(&["name varchar"], Some(sql), false).await;
    }
}

/// Where the parser of the file reads numbers and days itself, they are those that a cast of their text gives.
#[tokio::test]
async fn numbers_and_days_are_those_of_their_texts() {
    let texts = "0|-0|+1|007|1.5|1e3|.5|5.|-.5e-2|inf|-inf|NaN|nan|Infinity|1_0|0x1| 1|1 |'1'|\u{a0}1|\u{663}|--1|+|-|.|9223372036854775807|\
                 9223372036854775808|-9223372036854775808|2147483647|2147483648|-2147483649|1e308|1e309|4.9e-324|true|2024-02-29|\
                 2023-02-29|2024-2-9|2024/02/29|29/02/2024|20240229|2024-02-29T00:00:00|2024-02-29 10:00:00|+12024-02-29|-0001-02-28|0000-01-01|\
                 10000-01-01|2024-02-29Z|2024-02-29T23:59:59+02:00|1.0|12e|1,5|£5";
    for text in texts.split('|') {
        let text = text.replace(',', "");
        for column in ["a bigint", "a integer", "a double", "a date"] {
            let source = csv(format!("a,b\n{text},x\n,y\n"), &[column, "b varchar"], None);
            check_mapped(&source, true).await;
        }
    }
}

#[tokio::test]
async fn many_pieces_stay_in_order_and_batches_are_large() {
    let lines: Vec<String> = (0..40_000).map(|id| format!("{id},\"name\n{id}\"\n")).collect();
    let source = csv(format!("id,name\n{}", lines.concat()), &["id bigint", "name varchar"], None);
    let files = Arc::new(Files::open(&source.spec.path, &source.spec.kind).unwrap());
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(5));
    for bytes in [1 << 10, 100 << 10, 1 << 20] {
        let batches = crate::sources::pieces::read(&source.spec, &files, &context, bytes).await.unwrap();
        assert!(batches.len() < 12, "{} batches", batches.len());
        let all = concat_batches(&published_schema(&source.spec.dataset), &batches).unwrap();
        let expected = Int64Array::from_iter_values(0..40_000);
        assert_eq!(all.column(0).as_ref(), &expected as &dyn arrow::array::Array);
        assert_eq!(all.num_rows(), 40_000);
    }
}

#[tokio::test]
async fn folders_give_their_columns_to_pieces() {
    let folder = tempfile::tempdir().unwrap();
    for (year, text) in [("2023", "a,b\n1,\"x\ny\"\n"), ("2024", "a,b\r\n2,z\r\n3,w"), ("2025", "a,b\n")] {
        let below = folder.path().join(format!("year={year}"));
        fs::create_dir(&below).unwrap();
        fs::write(below.join("people.csv"), text).unwrap();
    }
    let source = csv("", &["b varchar", "year integer", "a bigint"], None);
    let mut spec = source.spec.clone();
    spec.path = folder.path().to_path_buf();
    let source = Source { folder, spec };
    check(&source, true);
    check_mapped(&source, true).await;
    assert_rows(&rows(&source).await, &["|x|2023|1|", "|y|||", "|z|2024|2|", "|w|2024|3|"]);
}
