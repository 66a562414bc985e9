//! A national statistics office's own table and data, asked in SQL: its published answers, cell by cell.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, UInt64Array};
use datafusion::common::ScalarValue;
use meridian_disclosure::noise::CountTable;
use meridian_proto::Form;

use super::setup::{Body, dimension, exact, loda, name, scan, terms, unit, unit_hash};
use crate::gate::{ColumnTerms, Controls, Terms, UNIT_COLUMN};

/// The published data, where it is there.
fn disclosure() -> Option<PathBuf> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"));
    let folder = std::env::var_os("MERIDIAN_PUBLISHED").map_or_else(beside, PathBuf::from).join("disclosure");
    folder.is_dir().then_some(folder)
}

/// A CSV file without quoted fields, as these are: its heading and its records.
fn records(file: PathBuf) -> (Vec<String>, Vec<Vec<String>>) {
    let text = fs::read_to_string(file).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    (lines.next().unwrap(), lines.collect())
}

#[tokio::test]
async fn answers_are_those_of_the_statistics_office() {
    let Some(folder) = disclosure() else { return };
    let unzipped = Command::new("gzip").arg("-dc").arg(folder.join("ptable_10_5_rule.csv.gz")).output().unwrap();
    for (microdata, expected, dimensions) in [
        (
            "lfb_dwelling_fires_2023_24_with_record_key.csv",
            "expected_lfb_borough__hmo_yn.csv",
            vec!["borough", "hmo_yn"],
        ),
        ("microdata_seed111_20000.csv", "expected_var2__var3.csv", vec!["var2", "var3"]),
        ("microdata_seed111_20000.csv", "expected_none__var1_var5_var8.csv", vec!["var1", "var5", "var8"]),
    ] {
        let (heading, rows) = records(folder.join(microdata));
        let place = |column: &str| heading.iter().position(|held| held == column).unwrap();
        let text = |column: &str| rows.iter().map(|row| Some(row[place(column)].clone())).collect::<StringArray>();
        let key = place("record_key");
        let units = rows
            .iter()
            .enumerate()
            .map(|(at, row)| unit_hash(i64::try_from(at).unwrap()) & !0xff | row[key].parse::<u64>().unwrap());
        let mut columns: Vec<(&str, ArrayRef)> =
            dimensions.iter().map(|column| (*column, Arc::new(text(column)) as ArrayRef)).collect();
        columns.push((UNIT_COLUMN, Arc::new(units.collect::<UInt64Array>())));
        let domains = dimensions.iter().map(|column| {
            let labels: std::collections::BTreeSet<String> =
                rows.iter().map(|row| row[place(column)].clone()).collect();
            let domain = Some(labels.into_iter().map(|label| ScalarValue::Utf8(Some(label))).collect());
            (name(column), ColumnTerms { domain, ..ColumnTerms::default() })
        });
        let published = dimensions.iter().map(|column| dimension(column)).collect();
        let counts = CountTable::read(unzipped.stdout.as_slice()).unwrap();
        let mut described = terms("office", Form::Statistics, published);
        Arc::make_mut(&mut described.dataset).threshold = 10;
        let terms = Terms {
            unit: Some(unit(None, true)),
            columns: domains.collect::<HashMap<_, _>>(),
            controls: Some(Arc::new(Controls { counts, ..exact() })),
            ..described
        };
        let body = Body::new(&[]);
        body.add(terms, scan(columns));
        let keys = dimensions.join(", ");
        let sql = format!("SELECT {keys}, count(*) FROM office GROUP BY {keys}");
        let (batches, _) = body.run(&sql, &loda()).await.unwrap();
        let found: BTreeMap<Vec<String>, String> = super::setup::cells(&batches).into_iter().map(split).collect();
        let (_, answers) = records(folder.join(expected));
        let answers: BTreeMap<Vec<String>, String> = answers
            .into_iter()
            .map(|mut row| {
                let count = row.last().cloned().unwrap();
                row.truncate(dimensions.len());
                (row, if count.is_empty() { "∅".to_owned() } else { count })
            })
            .collect();
        assert_eq!(found, answers, "{expected}");
    }
}

fn split(mut row: Vec<String>) -> (Vec<String>, String) {
    let count = row.pop().unwrap();
    (row, count)
}
