//! The reference of the statistics office: its table and its microdata give its answers, in every column.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

use super::super::CountTable;

/// Counts below this are suppressed, after noise.
const THRESHOLD: i64 = 10;
/// What the office's package says of a cell; an empty `count` is a suppressed one.
const ANSWERS: [&str; 5] = ["pre_sdc_count", "ckey", "pcv", "pvalue", "count"];

/// Units and key of a cell.
type Cells = BTreeMap<Vec<String>, (u64, u8)>;

#[test]
fn answers_of_the_statistics_office_are_reproduced() {
    let Some(folder) = disclosure() else { return };
    let table = table(&folder);
    for (microdata, expected, rows) in [
        ("microdata_seed111_20000.csv", "expected_none__var1_var5_var8.csv", 200),
        ("microdata_seed111_20000.csv", "expected_var2__var3.csv", 8),
        ("lfb_dwelling_fires_2023_24_with_record_key.csv", "expected_lfb_borough__hmo_yn.csv", 66),
    ] {
        assert_eq!(check(&table, &folder.join(microdata), &folder.join(expected)), rows, "{expected}");
    }
}

/// Row 750 and those before it back to 501 are all that large counts take, and none of them looks at the key: the table rounds to 5.
#[test]
fn the_table_of_the_statistics_office_only_rounds() {
    let Some(folder) = disclosure() else { return };
    let table = table(&folder);
    assert!(!table.keyed(10));
    assert_eq!(table.largest(), 9);
    assert!((table.deviation() - 2_f64.sqrt()).abs() < 1e-9, "{}", table.deviation());
    for units in 0..2_000 {
        let result = i64::try_from(units).unwrap() + table.noise(units, 0);
        assert!(result % 5 == 0, "{units} to {result}");
        assert!((1..=255).all(|key| table.noise(units, key) == table.noise(units, 0)), "{units}");
    }
}

/// Compares all rows of a file of answers; how many there are.
fn check(table: &CountTable, microdata: &Path, expected: &Path) -> usize {
    let (header, answers) = read(expected);
    let dimensions: Vec<&str> = header.iter().map(String::as_str).take_while(|name| !ANSWERS.contains(name)).collect();
    assert_eq!(header[dimensions.len()..], ANSWERS, "{}", expected.display());
    let cells = cells(microdata, &dimensions);
    let mut seen = BTreeSet::new();
    for answer in &answers {
        let (labels, answer) = answer.split_at(dimensions.len());
        let (units, key) = cells.get(labels).copied().unwrap_or_default();
        let noise = table.noise(units, key);
        let count = i64::try_from(units).unwrap() + noise;
        let shown = if count < THRESHOLD { String::new() } else { count.to_string() };
        let ours = [units.to_string(), key.to_string(), CountTable::pcv(units).to_string(), noise.to_string(), shown];
        assert_eq!(answer, ours, "{}, {labels:?}", expected.display());
        assert!(seen.insert(labels.to_vec()), "{labels:?} is there twice");
    }
    assert!(cells.keys().all(|labels| seen.contains(labels)), "a cell of {} is not expected", microdata.display());
    answers.len()
}

/// Cells of the microdata: how many records, and the sum of their keys modulo 256.
fn cells(microdata: &Path, dimensions: &[&str]) -> Cells {
    let (header, records) = read(microdata);
    let place =
        |name: &str| header.iter().position(|column| column == name).unwrap_or_else(|| panic!("no column {name}"));
    let (places, key): (Vec<usize>, usize) = (dimensions.iter().map(|name| place(name)).collect(), place("record_key"));
    let mut cells = Cells::new();
    for record in records {
        let labels = places.iter().map(|&place| record[place].clone()).collect();
        let (units, sum) = cells.entry(labels).or_default();
        *units += 1;
        *sum = sum.wrapping_add(record[key].parse().unwrap());
    }
    cells
}

fn read(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let fields = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
    let header = fields(reader.headers().unwrap());
    (header, reader.records().map(|record| fields(&record.unwrap())).collect())
}

fn table(folder: &Path) -> CountTable {
    let unpacked = Command::new("gzip").arg("-dc").arg(folder.join("ptable_10_5_rule.csv.gz")).output().unwrap();
    assert!(unpacked.status.success(), "{}", String::from_utf8_lossy(&unpacked.stderr));
    CountTable::read(unpacked.stdout.as_slice()).unwrap()
}

/// The folder of the reference files: where `MERIDIAN_PUBLISHED` says, which must be true then, or beside the checkout.
fn disclosure() -> Option<PathBuf> {
    let said = std::env::var_os("MERIDIAN_PUBLISHED").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = said.clone().unwrap_or(beside).join("disclosure");
    assert!(said.is_none() || folder.is_dir(), "MERIDIAN_PUBLISHED names {}, which is not there", folder.display());
    folder.is_dir().then_some(folder)
}
