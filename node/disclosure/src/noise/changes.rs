//! Small changes of how keys are spread over noise values, from which better spreads are found.

/// How many places of values a change reaches over.
const REACH: usize = 4;

/// A small change of a spread; the number of keys stays.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// Places of values, and how many keys each gains.
    pub(super) gains: Vec<(usize, i64)>,
    /// What it adds to the sum of the noise over all keys.
    pub(super) sum: i64,
    /// What it adds to the sum of squares.
    pub(super) squares: i64,
}

/// Changes over nearby `values` (ascending): one key from a value to another; and of three values, the fewest keys from the middle one
/// to the outer two that leave the sum as it is; and the reverse of all these. Ascending by sum.
pub(super) fn changes(values: &[i64]) -> Vec<Change> {
    let places: Vec<(usize, i64)> = values.iter().copied().enumerate().collect();
    let mut changes = Vec::new();
    for first in 0..places.len() {
        let mut window = places.iter().copied().skip(first).take(REACH + 1);
        let Some(low) = window.next() else { continue };
        for (number, middle) in window.clone().enumerate() {
            changes.push(change([(low, -1), (middle, 1)]));
            for high in window.clone().skip(number + 1) {
                let (below, above) = (middle.1 - low.1, high.1 - middle.1);
                let shared = common_divisor(below, above);
                let (to_low, to_high) = (above / shared, below / shared);
                changes.push(change([(low, to_low), (middle, -to_low - to_high), (high, to_high)]));
            }
        }
    }
    let back: Vec<Change> = changes.iter().map(Change::reversed).collect();
    changes.extend(back);
    changes.sort_by_key(|change| change.sum);
    changes
}

impl Change {
    fn reversed(&self) -> Self {
        let gains = self.gains.iter().map(|&(place, keys)| (place, -keys)).collect();
        Self { gains, sum: -self.sum, squares: -self.squares }
    }
}

fn change<const N: usize>(gains: [((usize, i64), i64); N]) -> Change {
    let total = |of: fn(i64) -> i64| gains.iter().map(|&((_, value), keys)| keys * of(value)).sum();
    let (sum, squares) = (total(|value| value), total(|value| value * value));
    Change { gains: gains.map(|((place, _), keys)| (place, keys)).to_vec(), sum, squares }
}

fn common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}
