//! Noise of counts, by number of units and cell key.

use std::{fmt, io::Read};

use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore, SeedableRng},
};

use super::{Parameters, TableError, file, keys, probabilities::Row};

/// Last row of a table.
pub(super) const ROWS: u64 = 750;
/// Rows that larger counts take in turns: the last 250.
const TURNS: u64 = 250;

/// The noise of one count for each key.
pub(super) type Keys = [i16; 256];

/// Noise of counts by number of units and cell key.
#[derive(Clone)]
pub struct CountTable {
    /// Rows 0 to [`ROWS`]; row 0 is without noise.
    rows: Vec<Keys>,
}

impl CountTable {
    /// Makes the table of `parameters`. Which keys take which noise is drawn row by row from `seed`: whoever knows it knows the table.
    /// The same parameters and seed make the same table for ever.
    ///
    /// # Errors
    /// Where a row has no noise with mean 0 and the variance asked for, or the parameters are out of range.
    pub fn made(parameters: &Parameters, seed: [u8; 32]) -> Result<Self, TableError> {
        parameters.check()?;
        let distinct = (1..=parameters.symmetric()).map(|units| unshuffled(parameters, units));
        let distinct = distinct.collect::<Result<Vec<Keys>, _>>()?;
        let later = distinct.last().copied().into_iter().cycle();
        let rows = (1..=ROWS).zip(distinct.into_iter().chain(later)).map(|(units, row)| shuffled(row, seed, units));
        Ok(Self { rows: std::iter::once([0; 256]).chain(rows).collect() })
    }

    /// Reads a table in the form of the Office for National Statistics: columns `pcv` (1 to 750), `ckey` (0 to 255) and `pvalue`, the
    /// noise. A pair that is not there has none.
    ///
    /// # Errors
    /// [`TableError::File`] with the line that is wrong.
    pub fn read(csv: impl Read) -> Result<Self, TableError> {
        Ok(Self { rows: file::rows(csv)? })
    }

    /// Noise of a count of `units` whose cell has this key, in units.
    pub fn noise(&self, units: u64, key: u8) -> i64 {
        let row = usize::try_from(Self::pcv(units)).ok().and_then(|row| self.rows.get(row));
        row.and_then(|row| row.get(usize::from(key))).copied().map_or(0, i64::from)
    }

    /// Row of a count of `units`, its perturbation cell value.
    pub fn pcv(units: u64) -> u64 {
        match units {
            0..=ROWS => units,
            _ => (units - 1) % TURNS + ROWS - TURNS + 1,
        }
    }

    /// Largest absolute noise in the table, in units.
    pub fn largest(&self) -> u64 {
        self.rows.iter().flatten().map(|noise| noise.unsigned_abs()).max().unwrap_or_default().into()
    }

    /// Standard deviation of the noise of large counts, in units: over all keys of the rows that counts above 750 take.
    pub fn deviation(&self) -> f64 {
        let large = self.rows.iter().rev().zip(0..TURNS).flat_map(|(row, _)| row);
        let (mut number, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for &noise in large {
            let noise = f64::from(noise);
            (number, sum, squares) = (number + 1.0, sum + noise, squares + noise * noise);
        }
        let mean: f64 = sum / number;
        (squares / number - mean * mean).max(0.0).sqrt()
    }

    /// Whether the keys matter in every row from `threshold` on. A row that gives all its keys the same noise rounds, and rounding
    /// alone does not protect sequences of answers.
    pub fn keyed(&self, threshold: u64) -> bool {
        let constant = |row: &Keys| row.iter().min() == row.iter().max();
        let from = threshold.clamp(1, ROWS);
        !(0..).zip(&self.rows).any(|(units, row)| units >= from && constant(row))
    }
}

/// Says nothing: noise in a log could be taken off again.
impl fmt::Debug for CountTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountTable").finish_non_exhaustive()
    }
}

/// A row with its keys ascending by noise.
fn unshuffled(parameters: &Parameters, units: u32) -> Result<Keys, TableError> {
    let row = Row::of(parameters, units);
    let probabilities = row.probabilities()?;
    let spread = keys::spread(&probabilities, parameters.variance).ok_or_else(|| row.too_few_keys())?;
    let noise = probabilities.iter().zip(spread).flat_map(|(&(v, _), keys)| (0..keys).map(move |_| v));
    let mut keys = [0; 256];
    for (key, noise) in keys.iter_mut().zip(noise) {
        *key = i16::try_from(noise).map_err(|_| row.too_few_keys())?;
    }
    Ok(keys)
}

/// Fisher and Yates's shuffle, each row from a stream of its own. Not the one of `rand`, which may differ from version to version: a
/// table that changed would give every cell a second answer.
fn shuffled(mut row: Keys, seed: [u8; 32], units: u64) -> Keys {
    let mut random = ChaCha20Rng::from_seed(seed);
    random.set_stream(units);
    for (last, choices) in (1..row.len()).zip(2..) {
        row.swap(last, below(choices, &mut random));
    }
    row
}

/// A uniform index below `choices`.
fn below(choices: u16, random: &mut ChaCha20Rng) -> usize {
    let fair = u16::MAX - u16::MAX % choices;
    loop {
        let [low, high, ..] = random.next_u32().to_le_bytes();
        let drawn = u16::from_le_bytes([low, high]);
        if drawn < fair {
            return usize::from(drawn % choices);
        }
    }
}
