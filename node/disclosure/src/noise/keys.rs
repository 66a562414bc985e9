//! Spreads the 256 keys of a row over its noise values.

use super::changes::{Change, changes};

/// Keys of a row: cell keys are sums modulo 256.
const KEYS: i64 = 256;
/// Parts of a key in which the distance from the probabilities is measured. Whole numbers, so that the last bit of an exponential,
/// which differs between platforms, does not decide which of two tables is made.
const PARTS: i64 = 1_000_000;
/// How far the variance may be off.
const TOLERANCE: f64 = 0.01;
/// How far the sum of the noise over all keys may be off: the mean is then within 0.01.
const SLACK: i64 = 2;
/// Below this many changes, three at once are tried: a row of few values leaves few ways.
const FEW: usize = 100;

/// How many keys each noise value of `row` (ascending) gets: near to the probabilities, with mean 0, or within 0.01 of it where no other
/// way was found, and with `variance` within 0.01. `None` where no such spread was found.
///
/// Starts from the largest remainders and makes the best few changes for as long as that helps.
pub(super) fn spread(row: &[(i32, f64)], variance: f64) -> Option<Vec<i64>> {
    let values: Vec<i64> = row.iter().map(|&(noise, _)| noise.into()).collect();
    let changes = changes(&values);
    let depth = if changes.len() < FEW { 3 } else { 2 };
    [0, SLACK].into_iter().find_map(|slack| {
        let mut spread = Spread::of_largest_remainders(row, Aim { variance, slack });
        while let Some(better) = Search::of(&spread, &changes, depth) {
            better.into_iter().for_each(|change| spread.apply(change, 1));
        }
        spread.holds().then(|| spread.values.into_iter().map(|value| value.keys).collect())
    })
}

/// The best few changes so far.
struct Search<'a> {
    best: Rank,
    path: Vec<&'a Change>,
    found: Vec<&'a Change>,
}

impl<'a> Search<'a> {
    /// The best `depth` changes or fewer, if any make `spread` better.
    fn of(spread: &Spread, changes: &'a [Change], depth: usize) -> Option<Vec<&'a Change>> {
        let mut search = Self { best: spread.rank(), path: Vec::new(), found: Vec::new() };
        search.explore(&mut spread.clone(), changes, depth);
        Some(search.found).filter(|found| !found.is_empty())
    }

    /// Tries up to `depth` of `changes`; `spread` ends as it was.
    fn explore(&mut self, spread: &mut Spread, changes: &'a [Change], depth: usize) {
        let reach = self.best.off.excess_of_sum + spread.aim.slack;
        let tried = if depth == 1 { with_sums(changes, -reach - spread.sum, reach - spread.sum) } else { changes };
        for (index, change) in tried.iter().enumerate() {
            if depth == 1 && spread.off(change.sum, change.squares) > self.best.off {
                continue;
            }
            spread.apply(change, 1);
            self.path.push(change);
            let rank = spread.rank();
            if rank < self.best && spread.values.iter().all(|value| value.keys >= 0) {
                self.best = rank;
                self.found.clone_from(&self.path);
            }
            if depth > 1 {
                self.explore(spread, tried.get(index..).unwrap_or_default(), depth - 1);
            }
            self.path.pop();
            spread.apply(change, -1);
        }
    }
}

/// Those of `changes`, which ascend by sum, whose sums lie between these.
fn with_sums(changes: &[Change], least: i64, greatest: i64) -> &[Change] {
    let first = changes.partition_point(|change| change.sum < least);
    let end = changes.partition_point(|change| change.sum <= greatest);
    changes.get(first..end).unwrap_or_default()
}

/// What the moments of a spread should be.
#[derive(Debug, Clone, Copy)]
struct Aim {
    variance: f64,
    /// How far the sum may be off.
    slack: i64,
}

/// How far the moments of a spread are off, what matters most first.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
struct Off {
    excess_of_sum: i64,
    excess_of_variance: f64,
    sum: i64,
}

/// How good a spread is; less is better.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
struct Rank {
    off: Off,
    distance: i64,
}

#[derive(Debug, Clone, Copy)]
struct Value {
    noise: i64,
    keys: i64,
    /// Keys that the probabilities ask for, in parts.
    target: i64,
}

impl Value {
    fn distance(&self) -> i64 {
        (self.keys * PARTS - self.target).pow(2)
    }
}

#[derive(Debug, Clone)]
struct Spread {
    values: Vec<Value>,
    aim: Aim,
    /// Sum of the noise over all keys.
    sum: i64,
    /// Sum of its squares.
    squares: i64,
    distance: i64,
}

impl Spread {
    /// Whole keys, and one more where the remainders are largest; of equal ones, nearest to 0 first.
    fn of_largest_remainders(row: &[(i32, f64)], aim: Aim) -> Self {
        let whole = |&(noise, probability): &(i32, f64)| {
            let target = parts(probability);
            Value { noise: noise.into(), keys: target / PARTS, target }
        };
        let mut values: Vec<Value> = row.iter().map(whole).collect();
        let missing = KEYS - values.iter().map(|value| value.keys).sum::<i64>();
        let mut order: Vec<&mut Value> = values.iter_mut().collect();
        order.sort_by_key(|value| (-(value.target % PARTS), value.noise.abs(), value.noise));
        order.into_iter().zip(0..missing).for_each(|(value, _)| value.keys += 1);
        let total = |of: fn(&Value) -> i64| values.iter().map(of).sum();
        Self {
            sum: total(|value| value.keys * value.noise),
            squares: total(|value| value.keys * value.noise.pow(2)),
            distance: total(Value::distance),
            values,
            aim,
        }
    }

    /// Makes a change, 1 time, or takes it back, -1 times.
    fn apply(&mut self, change: &Change, times: i64) {
        for &(place, keys) in &change.gains {
            if let Some(value) = self.values.get_mut(place) {
                self.distance -= value.distance();
                value.keys += keys * times;
                self.distance += value.distance();
            }
        }
        self.sum += change.sum * times;
        self.squares += change.squares * times;
    }

    fn holds(&self) -> bool {
        let off = self.off(0, 0);
        off.excess_of_sum == 0 && off.excess_of_variance <= 0.0
    }

    fn rank(&self) -> Rank {
        Rank { off: self.off(0, 0), distance: self.distance }
    }

    /// How far the moments would be off after a change.
    fn off(&self, sum: i64, squares: i64) -> Off {
        let sum = self.sum + sum;
        let mean = exact(sum) / exact(KEYS);
        let variance = exact(self.squares + squares) / exact(KEYS) - mean * mean;
        Off {
            excess_of_sum: (sum.abs() - self.aim.slack).max(0),
            excess_of_variance: ((variance - self.aim.variance).abs() - TOLERANCE).max(0.0),
            sum: sum.abs(),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "256 keys are 256 million parts")]
fn parts(probability: f64) -> i64 {
    (probability * (KEYS * PARTS) as f64).round() as i64
}

#[expect(clippy::cast_precision_loss, reason = "sums over 256 keys of squares up to 625 are far below 2^53")]
fn exact(sum: i64) -> f64 {
    sum as f64
}
