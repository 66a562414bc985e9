//! What the GLA publishes, all of it open: boroughs and wards, and what is known of them from others.

use std::path::Path;

use rand::Rng;

use super::calibration::HOUSEHOLDS;
use super::facts::{FACTS, Facts};
use super::files::{fill, published, write_text};
use super::spend::{self, Payer};
use super::{Data, Error, boroughs, stream, wards};

/// The year of the residents in [`FACTS`].
const RESIDENTS_YEAR: u32 = 2021;

/// The year of the vacant homes in [`FACTS`].
const VACANT_YEAR: u32 = 2015;

/// The NHS publishes no number of admissions below this.
const LEAST_ADMISSIONS: u32 = 8;

/// A table that is published as a file, in the layout of that file.
struct Table {
    name: &'static str,
    /// The published file, below the folder of published files.
    published: &'static str,
    dataset: &'static str,
    mapping: &'static str,
    heading: &'static str,
    row: fn(gss: &str, facts: &Facts) -> String,
}

static TABLES: [Table; 3] = [
    Table {
        name: "population",
        published: "profiles/gla_population_borough_1999_2050.csv",
        dataset: include_str!("../../london/datasets/population.toml"),
        mapping: include_str!("../../london/mappings/population.sql"),
        heading: "Code,Year,Population,Inland_Area _Hectares",
        row: |gss, facts| format!("{gss},{RESIDENTS_YEAR},{},{}", facts.population, facts.hectares),
    },
    Table {
        name: "air_quality",
        published: "environment/lad21-2019-NO2.csv",
        dataset: include_str!("../../london/datasets/air_quality.toml"),
        mapping: include_str!("../../london/mappings/air_quality.sql"),
        heading: "LAD22CD,NO2-2019-mean",
        row: |gss, facts| format!("{gss},{}", facts.no2),
    },
    Table {
        name: "vacant_homes",
        published: "housing/dclg_long_term_empty_london_2004_2015.csv",
        dataset: include_str!("../../london/datasets/vacant_homes.toml"),
        mapping: include_str!("../../london/mappings/vacant_homes.sql"),
        heading: "New_ONS,Total,Year",
        row: |gss, facts| format!("{gss},{},{VACANT_YEAR}", facts.vacant),
    },
];

/// Writes what the GLA publishes.
pub(super) fn write(dir: &Path, data: &Data<'_>) -> Result<(), Error> {
    boroughs::write(dir)?;
    write_table(dir, "green_space", include_str!("../../london/datasets/green_space.toml"), &green_space())?;
    for table in &TABLES {
        let local = format!("data/{}.csv", table.name);
        let path = match data {
            Data::Published { folder } => published(folder, table.published)?,
            Data::Generated { .. } => {
                write_text(&dir.join(&local), &rows(table.heading, table.row))?;
                local
            }
        };
        let text = fill(table.dataset, &[("mapping", table.mapping), ("path", &path)]);
        write_text(&dir.join("datasets").join(table.name).with_extension("toml"), &text)?;
    }
    if let Data::Generated { seed } = data {
        write_table(dir, "wards", include_str!("../../london/datasets/wards.toml"), &wards::table())?;
        let dataset = include_str!("../../london/datasets/asthma_admissions.toml");
        write_table(dir, "asthma_admissions", dataset, &asthma_admissions(*seed))?;
    }
    spend::write(Payer { place: 100, slug: "gla", name: "the Greater London Authority" }, dir, data)
}

fn write_table(dir: &Path, name: &str, dataset: &str, csv: &str) -> Result<(), Error> {
    write_text(&dir.join("data").join(name).with_extension("csv"), csv)?;
    write_text(&dir.join("datasets").join(name).with_extension("toml"), dataset)
}

/// A line for each borough.
fn rows(heading: &str, row: fn(&str, &Facts) -> String) -> String {
    let lines = boroughs().iter().zip(&FACTS).map(|(borough, facts)| format!("{}\n", row(borough.gss, facts)));
    std::iter::once(format!("{heading}\n")).chain(lines).collect()
}

/// Published in per cent of the area, of which the file of areas is of a later date.
fn green_space() -> String {
    rows("borough_gss,hectares", |gss, facts| format!("{gss},{:.1}", facts.hectares * facts.green_percent / 100.0))
}

/// From one to three admissions a year for every 2,000 households, whatever the air: the figures say nothing about it. The
/// City's are too few to be published.
fn asthma_admissions(seed: u64) -> String {
    let mut random = stream(seed, 101);
    let mut csv = String::from("borough_gss,admissions\n");
    for (borough, kinds) in boroughs().iter().zip(&HOUSEHOLDS) {
        let admissions = kinds.iter().sum::<u32>() * random.random_range(10..=30) / 20_000;
        let shown = if admissions < LEAST_ADMISSIONS { String::new() } else { admissions.to_string() };
        csv.push_str(&format!("{},{shown}\n", borough.gss));
    }
    csv
}
