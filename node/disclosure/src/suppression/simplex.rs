//! Linear programs that begin at a solution: maximise c·x where A·x = 0 and each x lies within bounds around 0.
//!
//! The primal simplex method for bounded variables (Dantzig; Chvátal, *Linear Programming*, chapter 8), on a tableau. Since 0
//! is a solution there is no first phase: rows begin with artificial variables that are always 0. Its answers are proposals:
//! whoever uses them checks them exactly, so that rounding errors cost a proposal and nothing else. The same program always
//! has the same answer: no clock, no randomness, ties by index.

/// Entries of the tableau below this are 0.
const ZERO: f64 = 1e-9;
/// Gains below this are none.
const GAIN: f64 = 1e-7;
/// Steps that move nothing, after which entering variables are taken by index, so that none comes in a circle (Bland).
const MOST_IDLE: usize = 50;
/// Steps for each variable and row, after which there is no answer.
const MOST_STEPS: usize = 40;

/// A linear program.
#[derive(Debug, Default)]
pub(super) struct Program {
    low: Vec<f64>,
    high: Vec<f64>,
    gain: Vec<f64>,
    rows: Vec<Vec<(usize, f64)>>,
}

impl Program {
    /// A new variable between `low` <= 0 and `high` >= 0; each unit of it gains so much.
    pub(super) fn variable(&mut self, low: f64, high: f64, gain: f64) -> usize {
        self.low.push(low.min(0.0));
        self.high.push(high.max(0.0));
        self.gain.push(gain);
        self.gain.len() - 1
    }

    /// These variables with these factors add up to 0.
    pub(super) fn row(&mut self, terms: Vec<(usize, f64)>) {
        self.rows.push(terms);
    }

    /// The values of the variables where the gain is the largest, or where `enough` is at a bound in the direction of its
    /// gain; `None` where that takes too long.
    pub(super) fn maximise(&self, enough: Option<usize>) -> Option<Vec<f64>> {
        let mut tableau = Tableau::new(self);
        let mut idle = 0;
        for _ in 0..MOST_STEPS * (self.gain.len() + self.rows.len() + 1) {
            if enough.is_some_and(|variable| tableau.is_done(variable)) {
                return Some(tableau.values);
            }
            let Some((variable, up)) = tableau.entering(idle > MOST_IDLE) else { return Some(tableau.values) };
            let moved = tableau.step(variable, up)?;
            idle = if moved { 0 } else { idle + 1 };
        }
        None
    }
}

/// The state of the method: the rows solved for their basic variables.
struct Tableau<'a> {
    program: &'a Program,
    /// By row: the factor of each variable.
    rows: Vec<Vec<f64>>,
    /// By row: the variable that it is solved for; `None` for an artificial one, which is 0.
    basic: Vec<Option<usize>>,
    is_basic: Vec<bool>,
    values: Vec<f64>,
    /// What each variable gains, all that it moves taken into account.
    gains: Vec<f64>,
}

/// What stops a variable that enters.
enum Limit {
    /// Its own bound.
    Own,
    /// The basic variable of a row, and whether it stops at its upper bound.
    Row { row: usize, high: bool },
}

impl<'a> Tableau<'a> {
    fn new(program: &'a Program) -> Self {
        let columns = program.gain.len();
        let dense = |terms: &Vec<(usize, f64)>| {
            let mut row = vec![0.0; columns];
            for (variable, factor) in terms {
                if let Some(slot) = row.get_mut(*variable) {
                    *slot += factor;
                }
            }
            row
        };
        let rows: Vec<Vec<f64>> = program.rows.iter().map(dense).collect();
        let (basic, is_basic) = (vec![None; rows.len()], vec![false; columns]);
        Self { program, rows, basic, is_basic, values: vec![0.0; columns], gains: program.gain.clone() }
    }

    fn value(&self, variable: usize) -> f64 {
        self.values.get(variable).copied().unwrap_or_default()
    }

    /// How far a variable is from a bound.
    fn room(&self, variable: usize, up: bool) -> f64 {
        let bound = if up { self.program.high.get(variable) } else { self.program.low.get(variable) };
        bound.map_or(0.0, |bound| (bound - self.value(variable)).abs())
    }

    fn is_done(&self, variable: usize) -> bool {
        let gain = self.program.gain.get(variable).copied().unwrap_or_default();
        self.room(variable, gain > 0.0) <= ZERO
    }

    /// The variable that gains the most by moving, and which way; the first that gains anything where `first`.
    fn entering(&self, first: bool) -> Option<(usize, bool)> {
        let mut found: Option<(usize, bool, f64)> = None;
        for (variable, gain) in self.gains.iter().enumerate() {
            let up = *gain > 0.0;
            let better = gain.abs() > found.map_or(GAIN, |(.., best)| best);
            if better && self.is_basic.get(variable) == Some(&false) && self.room(variable, up) > ZERO {
                found = Some((variable, up, gain.abs()));
                if first {
                    break;
                }
            }
        }
        found.map(|(variable, up, _)| (variable, up))
    }

    /// Moves a variable as far as it goes; whether that was any way at all. `None` where nothing stops it.
    fn step(&mut self, variable: usize, up: bool) -> Option<bool> {
        let sign = if up { 1.0 } else { -1.0 };
        let (distance, limit) = self.limit(variable, up);
        if !distance.is_finite() {
            return None;
        }
        for (row, basic) in self.rows.iter().zip(&self.basic) {
            let rate = -sign * row.get(variable).copied().unwrap_or_default();
            if let Some(value) = basic.and_then(|basic| self.values.get_mut(basic)) {
                *value += rate * distance;
            }
        }
        if let Some(value) = self.values.get_mut(variable) {
            *value += sign * distance;
        }
        if let Limit::Row { row, high } = limit {
            // Exactly at its bound, so that errors don't add up.
            if let Some(leaving) = self.basic.get(row).copied().flatten() {
                let bound = if high { self.program.high.get(leaving) } else { self.program.low.get(leaving) };
                if let (Some(value), Some(bound)) = (self.values.get_mut(leaving), bound) {
                    *value = *bound;
                }
            }
            self.pivot(row, variable)?;
        }
        Some(distance > ZERO)
    }

    /// How far a variable can move, and what stops it: of what stops it as early, an artificial variable first, then the
    /// largest entry of the tableau.
    fn limit(&self, variable: usize, up: bool) -> (f64, Limit) {
        let sign = if up { 1.0 } else { -1.0 };
        let mut best = (self.room(variable, up), Limit::Own, f64::NEG_INFINITY);
        for (at, (row, basic)) in self.rows.iter().zip(&self.basic).enumerate() {
            let rate = -sign * row.get(variable).copied().unwrap_or_default();
            if rate.abs() <= ZERO {
                continue;
            }
            let high = rate > 0.0;
            let distance = basic.map_or(0.0, |basic| self.room(basic, high) / rate.abs());
            let rank = if basic.is_none() { f64::INFINITY } else { rate.abs() };
            if distance < best.0 - ZERO || (distance <= best.0 + ZERO && rank > best.2) {
                best = (distance.min(best.0), Limit::Row { row: at, high }, rank);
            }
        }
        (best.0, best.1)
    }

    /// Solves a row for a variable.
    fn pivot(&mut self, row: usize, variable: usize) -> Option<()> {
        let mut solved = std::mem::take(self.rows.get_mut(row)?);
        let factor = solved.get(variable).copied().filter(|factor| factor.abs() > ZERO)?;
        for entry in &mut solved {
            *entry /= factor;
            if entry.abs() <= ZERO {
                *entry = 0.0;
            }
        }
        let entries: Vec<(usize, f64)> =
            solved.iter().copied().enumerate().filter(|(_, entry)| *entry != 0.0).collect();
        let subtract = |from: &mut Vec<f64>| {
            let times = from.get(variable).copied().unwrap_or_default();
            if times != 0.0 {
                for (at, entry) in &entries {
                    if let Some(slot) = from.get_mut(*at) {
                        *slot -= times * entry;
                    }
                }
                if let Some(slot) = from.get_mut(variable) {
                    *slot = 0.0;
                }
            }
        };
        self.rows.iter_mut().for_each(subtract);
        subtract(&mut self.gains);
        *self.rows.get_mut(row)? = solved;
        if let Some(leaving) = self.basic.get(row).copied().flatten()
            && let Some(is_basic) = self.is_basic.get_mut(leaving)
        {
            *is_basic = false;
        }
        *self.is_basic.get_mut(variable)? = true;
        *self.basic.get_mut(row)? = Some(variable);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn a_known_maximum_is_found() {
        // 3x + 5y with x <= 4, 2y <= 12, 3x + 2y <= 18 (Hillier and Lieberman): 36 at (2, 6).
        let mut program = Program::default();
        let (x, y) = (program.variable(0.0, 4.0, 3.0), program.variable(0.0, 6.0, 5.0));
        let slack = program.variable(-18.0, 0.0, 0.0);
        program.row(vec![(x, 3.0), (y, 2.0), (slack, 1.0)]);
        let found = program.maximise(None).unwrap();
        assert!((found[x] - 2.0).abs() < 1e-6 && (found[y] - 6.0).abs() < 1e-6, "{found:?}");
        // Enough of y is there earlier.
        assert!((program.maximise(Some(y)).unwrap()[y] - 6.0).abs() < 1e-6);
    }

    #[test]
    fn what_nothing_stops_has_no_answer() {
        let mut program = Program::default();
        let (x, y) = (program.variable(0.0, f64::INFINITY, 1.0), program.variable(0.0, f64::INFINITY, 0.0));
        program.row(vec![(x, 1.0), (y, -1.0)]);
        assert_eq!(program.maximise(None), None);
    }

    /// No point of the grid is better, and the answer is a solution.
    #[test]
    fn no_whole_solution_is_better() {
        for seed in 0..300 {
            let mut random = StdRng::seed_from_u64(seed);
            let mut program = Program::default();
            let variables: Vec<usize> = (0..5)
                .map(|_| {
                    let (low, high, gain) =
                        (random.random_range(-2..=0), random.random_range(0..=2), random.random_range(-3..=3));
                    program.variable(f64::from(low), f64::from(high), f64::from(gain))
                })
                .collect();
            for _ in 0..random.random_range(1..4) {
                let terms = variables.iter().map(|at| (*at, f64::from(random.random_range(-1..=1)))).collect();
                program.row(terms);
            }
            let found = program.maximise(None).unwrap();
            let gain = |values: &[f64]| values.iter().zip(&program.gain).map(|(v, g)| v * g).sum::<f64>();
            let is_solution = |values: &[f64]| {
                let adds_up =
                    |row: &Vec<(usize, f64)>| row.iter().map(|(at, f)| f * values[*at]).sum::<f64>().abs() < 1e-6;
                let within = |at: usize| values[at] >= program.low[at] - 1e-6 && values[at] <= program.high[at] + 1e-6;
                program.rows.iter().all(adds_up) && (0..values.len()).all(within)
            };
            assert!(is_solution(&found), "seed {seed}: {found:?}");
            for point in 0..5_usize.pow(5) {
                let values: Vec<f64> =
                    (0..5).map(|at| f64::from(u8::try_from(point / 5_usize.pow(at) % 5).unwrap()) - 2.0).collect();
                assert!(!is_solution(&values) || gain(&values) <= gain(&found) + 1e-6, "seed {seed}: {values:?}");
            }
        }
    }
}
