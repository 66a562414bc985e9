//! What a borough publishes: its dwellings, one row for each household, as Census 2021 counted them.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::DataType;
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::calibration::HOUSEHOLDS;
use super::files::{RowFile, batch, fill, published, schema, write_text};
use super::shapes::{Content, Shape, shape_of};
use super::{Borough, Data, Error, boroughs, stream};

/// The published file, below the folder of published files.
const PUBLISHED: &str = "housing/census2021_hmo_by_accommodation_lad.csv";

/// Rows that are generated at once.
const BATCH_ROWS: usize = 32 * 1024;

/// Writes what the borough with this place in [`boroughs()`] publishes.
pub(super) fn write(index: usize, dir: &Path, data: &Data<'_>) -> Result<(), Error> {
    let Some((borough, households)) = boroughs().iter().zip(HOUSEHOLDS).nth(index) else {
        return Err(Error::Tables { what: "the households of a borough" });
    };
    let names = [("gss", borough.gss), ("name", borough.name)];
    match data {
        Data::Published { folder } => {
            let mapping = fill(include_str!("../../london/mappings/census.sql"), &names);
            let path = published(folder, PUBLISHED)?;
            let template = include_str!("../../london/datasets/dwellings-published.toml");
            let text = fill(&fill(template, &names), &[("mapping", &mapping), ("path", &path)]);
            write_text(&dir.join("datasets/dwellings.toml"), &text)
        }
        Data::Generated { seed } => {
            let shape = shape_of(borough.slug);
            let kind = if shape.parquet { "parquet" } else { "csv" };
            let mapping = fill(shape.mapping, &names);
            let template = include_str!("../../london/datasets/dwellings.toml");
            let text = fill(&fill(template, &names), &[("mapping", &mapping), ("kind", kind)]);
            write_text(&dir.join("datasets/dwellings.toml"), &text)?;
            write_agreement(borough, dir)?;
            let mut random = stream(*seed, 1 + index as u64);
            write_rows(&dir.join("data/dwellings").with_extension(kind), shape, index, &households, &mut random)
        }
    }
}

fn write_agreement(borough: &Borough, dir: &Path) -> Result<(), Error> {
    let host = borough.slug.replace('_', "-");
    let text = fill(include_str!("../../london/agreements/borough.toml"), &[("host", &host)]);
    write_text(&dir.join("agreements/fire-risk-2026.toml"), &text)
}

/// One row per household, in random order, each with a UPRN of its own.
fn write_rows(
    path: &Path,
    shape: &Shape,
    index: usize,
    households: &[u32; 15],
    random: &mut ChaCha8Rng,
) -> Result<(), Error> {
    let schema = schema(shape.columns.iter().map(|c| (c.heading, c.data_type())));
    let mut file = if shape.parquet {
        let distinct = shape.columns.iter().find(|c| matches!(c.content, Content::Uprn | Content::UprnText));
        RowFile::parquet(path.to_owned(), &schema, distinct.map_or("", |c| c.heading))?
    } else {
        RowFile::csv(path.to_owned())?
    };
    let mut uprns = Uprns::new(index, random);
    for kinds in shuffled(households, random).chunks(BATCH_ROWS) {
        let kinds = UInt32Array::from(kinds.to_vec());
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(uprns.by_ref().take(kinds.len())));
        let columns = shape.columns.iter().map(|column| match (&column.content, column.values()) {
            (_, Some(values)) => take(&values, &kinds, None),
            (Content::UprnText, None) => cast(&numbers, &DataType::Utf8),
            (_, None) => Ok(numbers.clone()),
        });
        let columns = columns.collect::<Result<_, _>>();
        let columns = columns.map_err(|source| Error::Rows { path: path.to_owned(), source })?;
        file.write(&batch(path, &schema, columns)?)?;
    }
    file.finish()
}

/// The kind of every household (0 to 14), each as often as counted, shuffled.
fn shuffled(households: &[u32; 15], random: &mut ChaCha8Rng) -> Vec<u32> {
    let mut kinds = Vec::with_capacity(households.iter().map(|&n| n as usize).sum());
    for (kind, &count) in (0..).zip(households) {
        kinds.resize(kinds.len() + count as usize, kind);
    }
    kinds.shuffle(random);
    kinds
}

/// Synthetic UPRNs of twelve digits: 990, the borough's number, then seven digits that a walk through the residues of
/// a prime visits once each. So they are unique in London and in no order that tells anything.
struct Uprns {
    first: i64,
    step: i64,
    at: i64,
}

/// The largest prime of seven digits.
const PRIME: i64 = 9_999_991;

impl Uprns {
    fn new(index: usize, random: &mut ChaCha8Rng) -> Self {
        let first = 990_000_000_000 + (1 + index as i64) * 10_000_000;
        Self { first, step: random.random_range(1..PRIME), at: random.random_range(0..PRIME) }
    }
}

impl Iterator for Uprns {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        self.at = (self.at + self.step) % PRIME;
        Some(self.first + self.at)
    }
}
