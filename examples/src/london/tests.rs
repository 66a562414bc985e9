//! What the mesh promises: figures as published, the same bytes for the same seed, files that parse.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::csv;
use arrow::util::display::array_value_to_string;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::calibration::{FIRES_BY_PROPERTY, FIRES_BY_YEAR, HOUSEHOLDS, PROPERTIES};
use super::files::schema;
use super::shapes::{Content, Shape, shape_of};
use super::*;

const SEED: Data<'static> = Data::Generated { seed: 7 };

/// One borough of each shape.
const SAMPLE: [&str; 6] = ["city", "camden", "richmond", "merton", "sutton", "islington"];

#[test]
fn the_mesh_has_36_bodies() {
    let slugs: std::collections::BTreeSet<_> = bodies().iter().map(|b| b.slug).collect();
    assert_eq!(slugs.len(), 36);
    for (number, borough) in (1..).zip(boroughs()) {
        assert_eq!(borough.gss, format!("E09{number:06}"));
    }
    assert_eq!(boroughs().iter().filter(|b| !shape_of(b.slug).parquet).count(), 4);
}

#[test]
fn totals_are_as_published() {
    assert_eq!(HOUSEHOLDS.iter().flatten().sum::<u32>(), 3_423_897);
    assert_eq!(FIRES_BY_YEAR.iter().flatten().sum::<u32>(), 90_146);
    for (years, properties) in FIRES_BY_YEAR.iter().zip(FIRES_BY_PROPERTY) {
        assert_eq!(years.iter().sum::<u32>(), properties.iter().sum::<u32>());
    }
}

#[test]
fn dwellings_are_as_counted() {
    let dir = tempfile::tempdir().unwrap();
    for slug in SAMPLE {
        write_body(slug, dir.path(), &SEED).unwrap();
        let index = boroughs().iter().position(|b| b.slug == slug).unwrap();
        let shape = shape_of(slug);
        let (counts, uprns) = read_dwellings(dir.path(), shape);
        assert_eq!(counts, expected_dwellings(shape, &HOUSEHOLDS[index]), "{slug}");
        assert_eq!(uprns.len() as u32, HOUSEHOLDS[index].iter().sum::<u32>(), "{slug}: UPRNs are unique");
        let prefix = format!("990{:02}", index + 1);
        assert!(uprns.iter().all(|u| u.len() == 12 && u.starts_with(&prefix)), "{slug}");
    }
}

#[test]
fn fires_are_as_published() {
    let dir = tempfile::tempdir().unwrap();
    write_body("lfb", dir.path(), &SEED).unwrap();
    assert_fires(&dir.path().join("data/dwelling_fires.csv"));
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let write = |slug: &str, seed| {
        let dir = tempfile::tempdir().unwrap();
        write_body(slug, dir.path(), &Data::Generated { seed }).unwrap();
        bytes_below(dir.path())
    };
    for slug in ["gla", "lfb", "city", "richmond"] {
        assert_eq!(write(slug, 1), write(slug, 1), "{slug}");
    }
    assert_ne!(write("city", 1), write("city", 2));
}

#[test]
fn configuration_is_toml_in_both_forms() {
    let folder = stand_in_for_published();
    let out = tempfile::tempdir().unwrap();
    let generated = ["gla", "lfb"].into_iter().chain(SAMPLE);
    for slug in generated {
        let dir = out.path().join("generated").join(slug);
        write_body(slug, &dir, &SEED).unwrap();
        check_configuration(&dir, if slug == "gla" { "open" } else { "statistics" });
        assert_eq!(dir.join("agreements/fire-risk-2026.toml").exists(), slug != "gla");
    }
    for body in bodies().iter().filter(|b| b.slug != "loda") {
        let dir = out.path().join("published").join(body.slug);
        write_body(body.slug, &dir, &Data::Published { folder: folder.path() }).unwrap();
        check_configuration(&dir, "open");
        assert!(!dir.join("agreements/fire-risk-2026.toml").exists());
    }
    write_body("loda", &out.path().join("loda"), &SEED).unwrap();
    assert_eq!(fs::read_dir(out.path().join("loda/datasets")).unwrap().count(), 0);
}

#[test]
fn both_forms_publish_the_columns_of_the_standard() {
    let columns = |text: &str| -> Vec<(String, String, Option<String>)> {
        let table: toml::Table = toml::from_str(text).unwrap();
        let text = |c: &toml::Value, key| c.get(key).map(|v| v.as_str().unwrap().to_owned());
        let columns = table["columns"].as_array().unwrap().iter();
        columns.map(|c| (text(c, "name").unwrap(), text(c, "type").unwrap(), text(c, "concept"))).collect()
    };
    let dwellings = columns(include_str!("../../london/datasets/dwellings.toml"));
    assert_eq!(dwellings, columns(include_str!("../../london/datasets/dwellings-published.toml")));
    assert_eq!(dwellings, columns(standard("dwellings").unwrap()));
    let incidents = columns(include_str!("../../london/datasets/incidents.toml"));
    assert_eq!(incidents, columns(include_str!("../../london/datasets/incidents-published.toml")));
}

#[test]
fn a_missing_published_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for (slug, file) in [("lfb", "lfb_dwelling_fires"), ("camden", "census2021_hmo")] {
        let error = write_body(slug, dir.path(), &Data::Published { folder: dir.path() }).unwrap_err();
        assert!(error.to_string().contains(file), "{error}");
    }
    let error = write_body("surrey", dir.path(), &SEED).unwrap_err();
    assert!(error.to_string().contains("no body surrey"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_that_names_the_file() {
    for (slug, file) in [("lfb", "dwelling_fires.csv"), ("city", "dwellings.csv"), ("camden", "dwellings.parquet")] {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("data")).unwrap();
        std::os::unix::fs::symlink("/dev/full", dir.path().join("data").join(file)).unwrap();
        let error = write_body(slug, dir.path(), &SEED).unwrap_err().to_string();
        assert!(error.contains(file) && error.contains("No space left"), "{error}");
    }
}

#[test]
fn queries_have_titles() {
    assert_eq!(queries()[0].sql, FIRE_RISK);
    for query in queries() {
        assert!(query.sql.starts_with("-- ") && query.title.len() > 20, "{}", query.name);
        assert!(query.sql.contains("SELECT") && !query.sql.contains(';'), "{}", query.name);
    }
}

#[test]
fn calibration_is_as_in_the_published_files() {
    let Some(folder) = published_files() else {
        return;
    };
    assert_fires(&folder.join("fire/lfb_dwelling_fires_2009_2024.csv"));
    let mut counts = [[0; 15]; 33];
    let census = fs::read_to_string(folder.join("housing/census2021_hmo_by_accommodation_lad.csv")).unwrap();
    for line in census.lines() {
        let fields: Vec<_> = line.split(',').collect();
        let Some(borough) = fields[0].strip_prefix("E09").and_then(|n| n.parse::<usize>().ok()) else {
            continue;
        };
        let hmo = ["-8.0", "1.0", "2.0"].iter().position(|code| *code == fields[2]).unwrap();
        let kind = ["1.0", "2.0", "3.0", "4.0", "5.0"].iter().position(|code| *code == fields[4]).unwrap();
        counts[borough - 1][hmo * 5 + kind] += fields.last().unwrap().parse::<f64>().unwrap() as u32;
    }
    assert_eq!(counts, HOUSEHOLDS);
}

/// The published files, where they lie beside the checkout or where `MERIDIAN_PUBLISHED` says.
fn published_files() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("MERIDIAN_PUBLISHED").map_or(beside, PathBuf::from);
    folder.exists().then_some(folder)
}

fn stand_in_for_published() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("quote\" and \\").tempdir().unwrap();
    for file in ["fire/lfb_dwelling_fires_2009_2024.csv", "housing/census2021_hmo_by_accommodation_lad.csv"] {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "heading\n").unwrap();
    }
    folder
}

fn check_configuration(dir: &Path, form: &str) {
    let mut found = 0;
    for folder in ["datasets", "agreements"] {
        for entry in fs::read_dir(dir.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let table: toml::Table = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            for placeholder in ["@gss@", "@name@", "@mapping@", "@path@", "@kind@", "@host@"] {
                assert!(!text.contains(placeholder), "{}: {placeholder}", path.display());
            }
            if let Some(source) = table.get("source") {
                assert_eq!(table["form"].as_str(), Some(form), "{}", path.display());
                assert!(dir.join(source["path"].as_str().unwrap()).exists(), "{}", path.display());
                found += 1;
            }
        }
    }
    assert_eq!(found, 1, "{}", dir.display());
}

/// How many rows have the same values apart from the UPRN, and the UPRNs.
fn read_dwellings(dir: &Path, shape: &Shape) -> (BTreeMap<Vec<String>, u32>, std::collections::HashSet<String>) {
    let (mut counts, mut uprns) = (BTreeMap::new(), std::collections::HashSet::new());
    for batch in read(dir, shape) {
        for row in 0..batch.num_rows() {
            let mut others = Vec::new();
            for (column, values) in shape.columns.iter().zip(batch.columns()) {
                let value = array_value_to_string(values, row).unwrap();
                match column.content {
                    Content::Uprn | Content::UprnText => assert!(uprns.insert(value)),
                    _ => others.push(value),
                }
            }
            *counts.entry(others).or_default() += 1;
        }
    }
    (counts, uprns)
}

fn read(dir: &Path, shape: &Shape) -> Vec<RecordBatch> {
    if shape.parquet {
        let file = File::open(dir.join("data/dwellings.parquet")).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        return reader.map(Result::unwrap).collect();
    }
    let file = File::open(dir.join("data/dwellings.csv")).unwrap();
    let schema = schema(shape.columns.iter().map(|c| (c.heading, c.data_type())));
    csv::ReaderBuilder::new(schema).with_header(true).build(file).unwrap().map(Result::unwrap).collect()
}

fn expected_dwellings(shape: &Shape, households: &[u32; 15]) -> BTreeMap<Vec<String>, u32> {
    let columns: Vec<_> = shape.columns.iter().filter_map(|c| c.values()).collect();
    let mut counts = BTreeMap::new();
    for (kind, &count) in households.iter().enumerate().filter(|(_, count)| **count > 0) {
        let row = columns.iter().map(|values| array_value_to_string(values, kind).unwrap()).collect();
        *counts.entry(row).or_default() += count;
    }
    counts
}

/// Checks layout and counts of a file of fires, generated or published.
fn assert_fires(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let heading = "date,borough,ward,easting_rounded,northing_rounded,hmo_yn,hmo_license,property_type";
    assert_eq!(lines.next(), Some(heading));
    let (mut years, mut properties) = ([[0; 16]; 33], [[0; 20]; 33]);
    for line in lines {
        let fields: Vec<_> = line.split(',').collect();
        let borough = fields[1][3..].parse::<usize>().unwrap() - 1;
        let property = PROPERTIES.iter().position(|p| p.name == fields[7]).unwrap();
        assert_eq!([fields[5], fields[6]], [PROPERTIES[property].hmo.flag, PROPERTIES[property].hmo.licence]);
        assert!(fields[0].len() == 10 && fields[0] <= "2024-08-31", "{line}");
        assert!(fields[2].is_empty() || (fields[2].len() == 9 && fields[2].starts_with("E05")), "{line}");
        assert!((503_000..=562_000).contains(&fields[3].parse().unwrap()), "{line}");
        assert!((155_000..=202_000).contains(&fields[4].parse().unwrap()), "{line}");
        assert!(fields[3].ends_with("50") && fields[4].ends_with("50"), "{line}");
        years[borough][fields[0][..4].parse::<usize>().unwrap() - 2009] += 1;
        properties[borough][property] += 1;
    }
    assert_eq!(years, FIRES_BY_YEAR);
    assert_eq!(properties, FIRES_BY_PROPERTY);
}

fn bytes_below(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap().flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap()) {
        let path = entry.unwrap().path();
        files.insert(path.strip_prefix(dir).unwrap().to_owned(), fs::read(&path).unwrap());
    }
    files
}
