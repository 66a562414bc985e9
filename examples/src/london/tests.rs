//! What the mesh promises: figures as published, the same bytes for the same seed, files that parse.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::csv;
use arrow::util::display::array_value_to_string;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::calibration::{FIRES_BY_PROPERTY, FIRES_BY_YEAR, HOUSEHOLDS, PROPERTIES};
use super::facts::FACTS;
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
        let (datasets, protected): (&[&str], &[&str]) = match slug {
            "gla" => (&GLA, &[]),
            "lfb" => (&["incidents", "spend", "stations"], &["incidents"]),
            _ => (&BOROUGH, &["dwellings", "homelessness"]),
        };
        check_configuration(&dir, datasets, protected);
        assert_eq!(dir.join("agreements/fire-risk-2026.toml").exists(), slug != "gla");
    }
    for body in bodies().iter().filter(|b| b.slug != "loda") {
        let dir = out.path().join("published").join(body.slug);
        write_body(body.slug, &dir, &Data::Published { folder: folder.path() }).unwrap();
        let datasets: &[&str] = match body.slug {
            "gla" => &["air_quality", "boroughs", "green_space", "population", "spend", "vacant_homes"],
            "lfb" => &["incidents"],
            "barnet" | "lambeth" => &["dwellings", "spend"],
            _ => &["dwellings"],
        };
        check_configuration(&dir, datasets, &[]);
        assert_eq!(fs::read_dir(dir.join("agreements")).unwrap().count(), 0);
    }
    write_body("loda", &out.path().join("loda"), &SEED).unwrap();
    assert_eq!(fs::read_dir(out.path().join("loda/datasets")).unwrap().count(), 0);
}

#[test]
fn datasets_publish_the_columns_of_their_standard_in_both_forms() {
    let columns = |text: &str| -> Vec<(String, String, Option<String>)> {
        let table: toml::Table = toml::from_str(text).unwrap();
        let text = |c: &toml::Value, key| c.get(key).map(|v| v.as_str().unwrap().to_owned());
        let columns = table["columns"].as_array().unwrap().iter();
        columns.map(|c| (text(c, "name").unwrap(), text(c, "type").unwrap(), text(c, "concept"))).collect()
    };
    for (name, dataset) in [
        ("dwellings", include_str!("../../london/datasets/dwellings.toml")),
        ("dwellings", include_str!("../../london/datasets/dwellings-published.toml")),
        ("high_rises", include_str!("../../london/datasets/high_rises.toml")),
        ("hmo_licences", include_str!("../../london/datasets/hmo_licences.toml")),
        ("homelessness", include_str!("../../london/datasets/homelessness.toml")),
        ("spend", include_str!("../../london/datasets/spend.toml")),
    ] {
        let (_, standard) = standards().iter().find(|(known, _)| *known == name).unwrap();
        assert_eq!(columns(dataset), columns(standard), "{name}");
        assert!(dataset.contains(&format!("\nstandard = \"{name}\"\n")), "{name}");
    }
    for (name, standard) in standards() {
        assert!(standard.contains(&format!("\nname = \"{name}\"\n")), "{name}");
    }
    let incidents = columns(include_str!("../../london/datasets/incidents.toml"));
    assert_eq!(incidents, columns(include_str!("../../london/datasets/incidents-published.toml")));
}

#[test]
fn names_and_codes_are_those_of_the_boroughs() {
    let mut lines = BOROUGH_NAMES.lines().skip(1);
    for Borough { gss, name, .. } in boroughs() {
        let line = lines.next().unwrap();
        assert!(line.starts_with(&format!("{gss},{name},")), "{line}");
    }
    assert_eq!(lines.next(), None);
}

#[test]
fn every_borough_has_a_tile_of_its_own() {
    let places: HashSet<_> = tiles().map(|tile| (tile.column, tile.row)).collect();
    assert_eq!(places.len(), boroughs().len());
    assert!(places.iter().all(|(column, row)| *column < TILES_ACROSS && *row < TILES_ACROSS));
    assert!(tiles().all(|tile| (2..=4).contains(&tile.short.chars().count())));
}

/// The lines of a CSV file of a body, without its heading, each in its fields.
fn lines(dir: &Path, name: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(dir.join("data").join(name).with_extension("csv")).unwrap();
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

#[test]
fn wards_share_the_households_of_their_borough() {
    let dir = tempfile::tempdir().unwrap();
    write_body("gla", dir.path(), &SEED).unwrap();
    let (mut households, mut deciles) = ([0; 33], [0; 10]);
    for ward in lines(dir.path(), "wards") {
        let borough = ward[1][3..].parse::<usize>().unwrap() - 1;
        assert_eq!(ward[0][..6], format!("E059{:02}", borough + 1));
        households[borough] += ward[3].parse::<u32>().unwrap();
        deciles[ward[4].parse::<usize>().unwrap() - 1] += 1;
    }
    assert_eq!(households, HOUSEHOLDS.map(|kinds| kinds.iter().sum::<u32>()));
    assert_eq!(deciles, [66; 10]);
}

#[test]
fn the_open_tables_hold_what_was_published() {
    let dir = tempfile::tempdir().unwrap();
    write_body("gla", dir.path(), &SEED).unwrap();
    for name in ["population", "green_space", "air_quality", "asthma_admissions", "vacant_homes"] {
        let found: Vec<String> = lines(dir.path(), name).into_iter().map(|line| line[0].clone()).collect();
        assert_eq!(found, boroughs().iter().map(|borough| borough.gss).collect::<Vec<_>>(), "{name}");
    }
    let camden = |name| lines(dir.path(), name).swap_remove(6);
    assert_eq!(camden("population")[1..], ["2021", "259344", "2178.9"]);
    assert_eq!(camden("green_space")[1..], ["540.4"]);
    assert_eq!(camden("air_quality")[1..], ["33.956"]);
    assert_eq!(camden("vacant_homes")[1..], ["1138", "2015"]);
    let admissions: Vec<Option<u32>> =
        lines(dir.path(), "asthma_admissions").iter().map(|line| line[1].parse().ok()).collect();
    assert_eq!(admissions[0], None, "too few in the City to be published");
    assert!(admissions[1..].iter().all(|number| number.is_some_and(|number| number >= 8)), "{admissions:?}");
}

#[test]
fn registers_hold_as_many_as_the_census_lets_expect() {
    let dir = tempfile::tempdir().unwrap();
    write_body("camden", dir.path(), &SEED).unwrap();
    let count = |name: &str, place: usize, value: &str| -> usize {
        lines(dir.path(), name).iter().filter(|line| line[place].starts_with(value)).count()
    };
    // Census 2021 has 196 households of large and 2,325 of small HMOs, and 80,306 in flats.
    assert_eq!(count("hmo_licences", 3, "mandatory"), 196);
    assert_eq!(count("hmo_licences", 3, "additional"), 232);
    assert_eq!(count("hmo_licences", 2, "E05907"), 196 + 232);
    assert_eq!(count("high_rises", 1, "E09000007"), 160);
    assert!(lines(dir.path(), "high_rises").iter().all(|line| line[3].parse::<u32>().unwrap() >= 7));
    // 13 in a thousand of 92,765 households.
    assert_eq!(count("homelessness", 1, "E09000007"), 1_205);
    let ids: std::collections::HashSet<_> =
        lines(dir.path(), "homelessness").into_iter().map(|line| line[0].clone()).collect();
    assert_eq!(ids.len(), 1_205);
}

#[test]
fn the_brigade_has_102_stations() {
    let dir = tempfile::tempdir().unwrap();
    write_body("lfb", dir.path(), &SEED).unwrap();
    let stations = lines(dir.path(), "stations");
    assert_eq!(stations.len(), 102);
    assert_eq!(stations.iter().filter(|station| station[1] == "E09000006").count(), 4);
}

#[test]
fn nobody_publishes_the_name_of_a_person_and_three_layouts_are_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let mut headings = std::collections::BTreeSet::new();
    for slug in ["gla", "lfb", "city", "barking_dagenham", "barnet"] {
        let dir = dir.path().join(slug);
        write_body(slug, &dir, &SEED).unwrap();
        let text = fs::read_to_string(dir.join("data/spend.csv")).unwrap();
        headings.insert(text.lines().next().unwrap().to_owned());
        let mapping = fs::read_to_string(dir.join("datasets/spend.toml")).unwrap();
        assert!(mapping.contains("'REDACTED PERSONAL DATA') AS supplier"), "{slug}");
    }
    assert_eq!(headings.len(), 3);
}

#[test]
fn a_missing_published_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for (slug, file) in [("lfb", "lfb_dwelling_fires"), ("camden", "census2021_hmo"), ("gla", "gla_population")] {
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
        let (purpose, sql) = query.sql.split_once(';').unwrap_or(("SET purpose", query.sql));
        assert!(purpose.contains("SET purpose"), "{}", query.name);
        assert!(sql.contains("SELECT") && !sql.contains(';'), "{}", query.name);
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
    facts_are_as_in_the_published_files(&folder);
}

fn facts_are_as_in_the_published_files(folder: &Path) {
    let lines = |file: &str| {
        let text = fs::read(folder.join(file)).unwrap();
        let text = String::from_utf8_lossy(&text).replace('\r', "\n");
        let lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect());
        lines.filter(|fields: &Vec<String>| fields.len() > 1).collect::<Vec<_>>()
    };
    let row = |lines: &[Vec<String>], gss: &str, year: (usize, &str), at: usize| {
        let found = lines.iter().find(|line| line.iter().any(|field| field == gss) && line[year.0] == year.1);
        found.unwrap()[at].parse::<f64>().unwrap()
    };
    let population = lines("profiles/gla_population_borough_1999_2050.csv");
    let profiles = lines("profiles/gla_london_borough_profiles_2015_original.csv");
    let air = lines("environment/lad21-2019-NO2.csv");
    let vacant = lines("housing/dclg_long_term_empty_london_2004_2015.csv");
    for (borough, facts) in boroughs().iter().zip(&FACTS) {
        let gss = borough.gss;
        assert_eq!(f64::from(facts.population), row(&population, gss, (2, "2021"), 4), "{gss}");
        assert_eq!(facts.hectares, row(&population, gss, (2, "2021"), 5), "{gss}");
        assert_eq!(facts.green_percent, row(&profiles, gss, (0, gss), 58), "{gss}");
        assert_eq!(facts.no2, row(&air, gss, (0, gss), 3), "{gss}");
        assert_eq!(f64::from(facts.vacant), row(&vacant, gss, (5, "2015"), 4), "{gss}");
    }
}

/// The published files, where they lie beside the checkout or where `MERIDIAN_PUBLISHED` says.
fn published_files() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("MERIDIAN_PUBLISHED").map_or(beside, PathBuf::from);
    folder.exists().then_some(folder)
}

fn stand_in_for_published() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("quote\" and \\").tempdir().unwrap();
    for file in [
        "fire/lfb_dwelling_fires_2009_2024.csv",
        "housing/census2021_hmo_by_accommodation_lad.csv",
        "housing/dclg_long_term_empty_london_2004_2015.csv",
        "profiles/gla_population_borough_1999_2050.csv",
        "environment/lad21-2019-NO2.csv",
        "spend/gla/2017-P01.csv",
        "spend/lambeth/2011-01-payments.csv",
        "spend/barnet/PCard_16-17.csv",
    ] {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "heading\n").unwrap();
    }
    folder
}

/// What the GLA publishes, and what a borough.
const GLA: [&str; 8] =
    ["air_quality", "asthma_admissions", "boroughs", "green_space", "population", "spend", "vacant_homes", "wards"];
const BOROUGH: [&str; 5] = ["dwellings", "high_rises", "hmo_licences", "homelessness", "spend"];

/// All files parse and are filled in; these are the datasets, and of them these protected.
fn check_configuration(dir: &Path, datasets: &[&str], protected: &[&str]) {
    let mut found = Vec::new();
    for folder in ["datasets", "agreements"] {
        for entry in fs::read_dir(dir.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let table: toml::Table = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            for placeholder in ["@gss@", "@name@", "@what@", "@mapping@", "@path@", "@kind@", "@host@"] {
                assert!(!text.contains(placeholder), "{}: {placeholder}", path.display());
            }
            if let Some(source) = table.get("source") {
                let name = table["name"].as_str().unwrap().to_owned();
                let form = if protected.contains(&name.as_str()) { "statistics" } else { "open" };
                assert_eq!(table["form"].as_str(), Some(form), "{}", path.display());
                assert!(dir.join(source["path"].as_str().unwrap()).exists(), "{}", path.display());
                found.push(name);
            }
        }
    }
    found.sort();
    assert_eq!(found, datasets, "{}", dir.display());
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
