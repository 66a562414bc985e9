//! What engine and model are both given: hashes that stand for units, noise tables, and the key of sums.

use std::hash::Hasher;
use std::sync::LazyLock;

use meridian_disclosure::noise::{CountTable, MagnitudeTable, Parameters};
use siphasher::sip::SipHasher24;

use super::case::{Dataset, Row};
use super::value::Value;

/// The full name of a dataset.
pub(super) fn full(dataset: &str) -> String {
    format!("london.lfb.{dataset}")
}

/// What stands for the unit of a row; none where it has none, or where nothing is protected.
pub(super) fn unit(dataset: &Dataset, row: &Row) -> Option<u64> {
    let protection = dataset.protection.as_ref()?;
    let text = match protection.unit {
        None => format!("{} row {}", dataset.name, row.number),
        Some(unit) => {
            let at = dataset.columns.iter().position(|column| column.name == unit).unwrap();
            match &row.values[at] {
                Value::Null => return None,
                value => value.sql(),
            }
        }
    };
    let mut hasher = SipHasher24::new_with_keys(7, 11);
    hasher.write(protection.kind.as_bytes());
    hasher.write_u8(0);
    hasher.write(text.as_bytes());
    Some(hasher.finish())
}

/// Noise of a dataset.
#[derive(Debug)]
pub(super) struct Noise {
    pub(super) counts: CountTable,
    pub(super) magnitudes: MagnitudeTable,
    /// Key of the pseudo-random function.
    pub(super) key: [u8; 16],
    /// Largest noise of a count.
    pub(super) largest: u64,
    /// Standard deviation of counts for large numbers of units.
    pub(super) deviation: f64,
}

/// How many there are.
pub(super) const NOISES: usize = 4;

/// One of the noises.
pub(super) fn noise(at: usize) -> &'static Noise {
    static ALL: LazyLock<Vec<Noise>> = LazyLock::new(|| {
        let parameters = [(1, 0.5, 0), (2, 1.08, 1), (3, 1.5, 0), (5, 2.0, 0)];
        let noise = |(seed, (largest, variance, forbidden)): (u8, (u32, f64, u32))| {
            let parameters = Parameters { largest, variance, forbidden, stay: None };
            let mut noise = Noise {
                counts: CountTable::made(&parameters, [seed; 32]).unwrap(),
                magnitudes: MagnitudeTable::made(largest, variance).unwrap(),
                key: [seed; 16],
                largest: largest.into(),
                deviation: 0.0,
            };
            noise.deviation = deviation(&noise);
            noise
        };
        (1..).zip(parameters).map(noise).collect()
    });
    &ALL[at]
}

impl Noise {
    /// The table's entry for a number of units and a cell key. Beyond 750 the last 250 rows are taken in turns.
    pub(super) fn count(&self, units: u64, key: u64) -> i64 {
        let row = if units > 750 { (units - 1) % 250 + 501 } else { units };
        self.counts.noise(row, u8::try_from(key).unwrap())
    }

    /// The multiplier of the largest contribution that a random number stands for, in quarters.
    pub(super) fn quarters(&self, random: u64) -> i64 {
        // Of a contribution of four, a quarter is one.
        i64::try_from(self.magnitudes.noise(random, 4)).unwrap()
    }
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn deviation(noise: &Noise) -> f64 {
    let all = (501..=750).flat_map(|row| (0..256).map(move |key| noise.count(row, key) as f64));
    let (number, sum, squares) = all.fold((0.0, 0.0, 0.0), |(n, s, q), v| (n + 1.0, s + v, q + v * v));
    let mean: f64 = sum / number;
    (squares / number - mean * mean).sqrt()
}
