//! What the brigade publishes: dwelling fires, one row for each, in the layout of the published file.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int32Array, StringArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use chrono::{Datelike, NaiveDate};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::calibration::{EXTENTS, FIRES_BY_PROPERTY, FIRES_BY_YEAR, FIRST_YEAR, LAST_DAY, LAST_YEAR, PROPERTIES};
use super::files::{RowFile, batch, fill, published, schema, write_text};
use super::spend::{self, Payer};
use super::wards::{self, WARDS};
use super::{Data, Error, boroughs, stations, stream};

/// The published file, below the folder of published files.
const PUBLISHED: &str = "fire/lfb_dwelling_fires_2009_2024.csv";

/// One fire in so many has no ward, as in the published file.
const WARDLESS: u32 = 4_500;

/// Writes what the brigade publishes.
pub(super) fn write(dir: &Path, data: &Data<'_>) -> Result<(), Error> {
    let mapping = ("mapping", include_str!("../../london/mappings/incidents.sql"));
    let dataset = dir.join("datasets/incidents.toml");
    match data {
        Data::Published { folder } => {
            let path = published(folder, PUBLISHED)?;
            let template = include_str!("../../london/datasets/incidents-published.toml");
            write_text(&dataset, &fill(template, &[mapping, ("path", &path)]))
        }
        Data::Generated { seed } => {
            write_text(&dataset, &fill(include_str!("../../london/datasets/incidents.toml"), &[mapping]))?;
            let agreement = include_str!("../../london/agreements/lfb.toml");
            write_text(&dir.join("agreements/fire-risk-2026.toml"), agreement)?;
            let by_ward = include_str!("../../london/agreements/lfb-wards.toml");
            write_text(&dir.join("agreements/ward-risk-2026.toml"), by_ward)?;
            write_rows(&dir.join("data/dwelling_fires.csv"), &mut stream(*seed, 0))?;
            stations::write(dir, &mut stream(*seed, 102))?;
            spend::write(Payer { place: 101, slug: "lfb", name: "the London Fire Brigade" }, dir, data)
        }
    }
}

/// A fire; the fields in the order by which fires are sorted.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Fire {
    /// Days since 1970.
    day: i32,
    /// Place in the table of boroughs.
    borough: u32,
    easting: i32,
    northing: i32,
    /// Place in the list of all wards, the last of which is none.
    ward: u32,
    /// Place in the table of property types.
    property: u32,
}

fn write_rows(path: &Path, random: &mut ChaCha8Rng) -> Result<(), Error> {
    let mut fires = Vec::new();
    let tables = FIRES_BY_YEAR.iter().zip(&FIRES_BY_PROPERTY).zip(&EXTENTS);
    for (borough, ((years, properties), extent)) in (0..).zip(tables) {
        add_fires(&mut fires, borough, years, properties, extent, random)?;
    }
    fires.sort_unstable();

    let number = |of: fn(&Fire) -> i32| -> ArrayRef { Arc::new(Int32Array::from_iter_values(fires.iter().map(of))) };
    let text = |values: StringArray, of: fn(&Fire) -> u32| {
        let places = UInt32Array::from_iter_values(fires.iter().map(of));
        take(&values, &places, None).map_err(|source| Error::Rows { path: path.to_owned(), source })
    };
    let columns = vec![
        Arc::new(Date32Array::from_iter_values(fires.iter().map(|f| f.day))) as ArrayRef,
        text(StringArray::from_iter_values(boroughs().iter().map(|b| b.gss)), |f| f.borough)?,
        text(ward_codes(), |f| f.ward)?,
        number(|f| f.easting),
        number(|f| f.northing),
        text(StringArray::from_iter_values(PROPERTIES.iter().map(|p| p.hmo.flag)), |f| f.property)?,
        text(StringArray::from_iter_values(PROPERTIES.iter().map(|p| p.hmo.licence)), |f| f.property)?,
        text(StringArray::from_iter_values(PROPERTIES.iter().map(|p| p.name)), |f| f.property)?,
    ];
    let schema = schema([
        ("date", DataType::Date32),
        ("borough", DataType::Utf8),
        ("ward", DataType::Utf8),
        ("easting_rounded", DataType::Int32),
        ("northing_rounded", DataType::Int32),
        ("hmo_yn", DataType::Utf8),
        ("hmo_license", DataType::Utf8),
        ("property_type", DataType::Utf8),
    ]);
    let mut file = RowFile::csv(path.to_owned())?;
    file.write(&batch(path, &schema, columns)?)?;
    file.finish()
}

/// Adds the fires of a borough: as many as were published of each year and of each property type, paired at random.
fn add_fires(
    fires: &mut Vec<Fire>,
    borough: u32,
    years: &[u32],
    properties: &[u32],
    &[easting, northing, width, height]: &[i32; 4],
    random: &mut ChaCha8Rng,
) -> Result<(), Error> {
    let mut types = Vec::new();
    for (property, &count) in (0..).zip(properties) {
        types.resize(types.len() + count as usize, property);
    }
    types.shuffle(random);
    let mut types = types.into_iter();
    for (year, &count) in (FIRST_YEAR..).zip(years) {
        let (first, days) = days_of(year)?;
        for property in types.by_ref().take(count as usize) {
            fires.push(Fire {
                day: first + random.random_range(0..days),
                borough,
                easting: coordinate(easting, width, random),
                northing: coordinate(northing, height, random),
                ward: ward(borough, random),
                property,
            });
        }
    }
    Ok(())
}

/// The first day of a year, counted from 1970, and how many of its days are covered.
fn days_of(year: i32) -> Result<(i32, i32), Error> {
    let (month, day) = if year == LAST_YEAR { LAST_DAY } else { (12, 31) };
    let first = NaiveDate::from_ymd_opt(year, 1, 1);
    match (first, NaiveDate::from_ymd_opt(year, month, day), NaiveDate::from_ymd_opt(1970, 1, 1)) {
        (Some(first), Some(last), Some(epoch)) => {
            Ok((first.num_days_from_ce() - epoch.num_days_from_ce(), last.ordinal() as i32))
        }
        _ => Err(Error::Tables { what: "the days of a year" }),
    }
}

/// A coordinate near the middle, rounded as the brigade rounds: to the middle of a square of 100 metres.
pub(super) fn coordinate(middle: i32, half: i32, random: &mut ChaCha8Rng) -> i32 {
    let metres = middle + (random.random_range(-half..=half) + random.random_range(-half..=half)) / 2;
    metres / 100 * 100 + 50
}

/// The place of a fire's ward among all wards, or behind the last where it has none.
fn ward(borough: u32, random: &mut ChaCha8Rng) -> u32 {
    if random.random_ratio(1, WARDLESS) {
        WARDS * boroughs().len() as u32
    } else {
        borough * WARDS + wards::of_a_fire(borough, random)
    }
}

/// The codes of all wards; at the end, none.
fn ward_codes() -> StringArray {
    wards::codes().map(Some).chain([None]).collect()
}
