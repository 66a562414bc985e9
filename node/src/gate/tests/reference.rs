//! A national statistics office's own table and data, asked in SQL: its published answers, cell by cell.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, UInt64Array};
use datafusion::common::ScalarValue;
use meridian_disclosure::noise::CountTable;
use meridian_proto::Form;

use super::setup::{Body, cells, dimension, exact, loda, name, scan, terms, unit_hash};
use crate::gate::{ColumnTerms, Controls, Terms, UNIT_COLUMN};

/// The published data: where `MERIDIAN_PUBLISHED` says, which must be true then, or beside the checkout if it is there.
fn disclosure() -> Option<PathBuf> {
    let said = std::env::var_os("MERIDIAN_PUBLISHED").map(PathBuf::from);
    let beside = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"));
    let folder = said.clone().unwrap_or(beside).join("disclosure");
    assert!(said.is_none() || folder.is_dir(), "MERIDIAN_PUBLISHED names {}, which is not there", folder.display());
    if !folder.is_dir() {
        eprintln!("not compared: set MERIDIAN_PUBLISHED to the folder of published data");
    }
    folder.is_dir().then_some(folder)
}

/// A CSV file without quoted fields, as these are: its heading and its records.
fn records(file: PathBuf) -> (Vec<String>, Vec<Vec<String>>) {
    let text = fs::read_to_string(file).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    (lines.next().unwrap(), lines.collect())
}

/// One of the office's files of records, and its answers over them.
struct Published {
    microdata: &'static str,
    expected: &'static str,
    dimensions: &'static [&'static str],
}

const PUBLISHED: [Published; 3] = [
    Published {
        microdata: "lfb_dwelling_fires_2023_24_with_record_key.csv",
        expected: "expected_lfb_borough__hmo_yn.csv",
        dimensions: &["borough", "hmo_yn"],
    },
    Published {
        microdata: "microdata_seed111_20000.csv",
        expected: "expected_var2__var3.csv",
        dimensions: &["var2", "var3"],
    },
    Published {
        microdata: "microdata_seed111_20000.csv",
        expected: "expected_none__var1_var5_var8.csv",
        dimensions: &["var1", "var5", "var8"],
    },
];

/// Smallest threshold of all, under which parts of the method show in more cells.
const LEAST: u32 = 3;

/// What is answered of each label: none where it is withheld.
type Answers = BTreeMap<Vec<String>, Option<i64>>;

#[tokio::test]
async fn answers_are_those_of_the_statistics_office() {
    let Some(folder) = disclosure() else { return };
    let unzipped = Command::new("gzip").arg("-dc").arg(folder.join("ptable_10_5_rule.csv.gz")).output().unwrap();
    assert!(unzipped.status.success(), "{}", String::from_utf8_lossy(&unzipped.stderr));
    for published in PUBLISHED {
        // Tables whose noise is the key or the row show which key and row a cell has.
        let of = |value: fn(u64, u64) -> u64| table(value);
        let counts = asked(&folder, &published, exact().counts, LEAST).await;
        let keys = asked(&folder, &published, of(|_, key| key), LEAST).await;
        let rows = asked(&folder, &published, of(|row, _| row), LEAST).await;
        let answers = asked(&folder, &published, CountTable::read(unzipped.stdout.as_slice()).unwrap(), 10).await;
        let (heading, expected) = records(folder.join(published.expected));
        let figures = &heading[published.dimensions.len()..];
        assert_eq!(figures, ["pre_sdc_count", "ckey", "pcv", "pvalue", "count"]);
        assert_eq!(expected.len(), answers.len(), "{}", published.expected);
        let mut with_key = 0;
        for row in expected {
            let (label, figures) = row.split_at(published.dimensions.len());
            let figure = |at: usize| figures[at].parse::<i64>().ok();
            let count = figure(0).unwrap();
            assert_eq!(answers[label], figure(4), "{label:?} of {}", published.expected);
            if let Some(answer) = answers[label] {
                assert_eq!(Some(answer - count), figure(3), "pvalue of {label:?}");
            }
            let enough = count >= i64::from(LEAST);
            assert_eq!(counts[label], enough.then_some(count), "pre_sdc_count of {label:?}");
            assert_eq!(keys[label], enough.then(|| count + figure(1).unwrap()), "ckey of {label:?}");
            assert_eq!(rows[label], enough.then(|| count + figure(2).unwrap()), "pcv of {label:?}");
            with_key += u32::from(enough);
        }
        assert!(with_key > 5, "{}", published.expected);
    }
}

/// A table with this noise for each row and key.
fn table(noise: fn(u64, u64) -> u64) -> CountTable {
    let mut csv = "pcv,ckey,pvalue\n".to_owned();
    for row in 1..=750 {
        (0..256).for_each(|key| csv.push_str(&format!("{row},{key},{}\n", noise(row, key))));
    }
    CountTable::read(csv.as_bytes()).unwrap()
}

/// The office's records in its own groups, asked in SQL.
async fn asked(folder: &Path, published: &Published, counts: CountTable, threshold: u32) -> Answers {
    let dimensions = published.dimensions;
    let (heading, rows) = records(folder.join(published.microdata));
    let place = |column: &str| heading.iter().position(|held| held == column).unwrap();
    let text = |column: &str| rows.iter().map(|row| Some(row[place(column)].clone())).collect::<StringArray>();
    let key = place("record_key");
    let unit = |(at, row): (usize, &Vec<String>)| {
        unit_hash(i64::try_from(at).unwrap()) & !0xff | row[key].parse::<u64>().unwrap()
    };
    let mut columns: Vec<(&str, ArrayRef)> =
        dimensions.iter().map(|column| (*column, Arc::new(text(column)) as ArrayRef)).collect();
    columns.push((UNIT_COLUMN, Arc::new(rows.iter().enumerate().map(unit).collect::<UInt64Array>())));
    let domains = dimensions.iter().map(|column| {
        let labels: BTreeSet<String> = rows.iter().map(|row| row[place(column)].clone()).collect();
        let domain = Some(labels.into_iter().map(|label| ScalarValue::Utf8(Some(label))).collect());
        (name(column), ColumnTerms { domain, ..ColumnTerms::default() })
    });
    let mut described = terms("office", Form::Statistics, dimensions.iter().map(|column| dimension(column)).collect());
    Arc::make_mut(&mut described.dataset).threshold = threshold;
    let terms = Terms {
        unit: Some(super::setup::unit(None, true)),
        columns: domains.collect::<HashMap<_, _>>(),
        controls: Some(Arc::new(Controls { counts, ..exact() })),
        ..described
    };
    let body = Body::new(&[]);
    body.add(terms, scan(columns));
    let keys = dimensions.join(", ");
    let (batches, _) =
        body.run(&format!("SELECT {keys}, count(*) FROM office GROUP BY {keys}"), &loda()).await.unwrap();
    let split = |mut row: Vec<String>| {
        let count = row.pop().unwrap().parse().ok();
        (row, count)
    };
    cells(&batches).into_iter().map(split).collect()
}
