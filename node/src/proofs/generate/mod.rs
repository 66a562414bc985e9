//! Random cases: datasets with terms that a configuration could hold, and questions most of which are admitted.

mod datasets;
mod expressions;
mod questions;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::case::{Case, Column, Question};
use super::value::Value;

/// The case of a seed.
pub(super) fn case(seed: u64, questions: usize) -> Case {
    let mut dice = Dice(StdRng::seed_from_u64(seed));
    let mut datasets = datasets::datasets(&mut dice);
    let mut asked: Vec<Question> = Vec::new();
    for _ in 0..questions {
        // Some are asked again, perhaps for another purpose.
        let again = if asked.is_empty() || !dice.percent(8) { None } else { Some(dice.one(&asked).clone()) };
        let new = questions::question(&mut dice, &datasets);
        asked.push(again.map_or_else(|| new.clone(), |again| Question { purpose: new.purpose, ..again }));
    }
    if seed % 4 == 3 {
        datasets::give_few(&mut datasets, 1 + seed / 4 % 4);
    }
    Case { datasets, questions: asked }
}

/// The values of one more row.
pub(super) fn values(dice: &mut Dice, columns: &[Column]) -> Vec<Value> {
    let variety = *dice.one(&[1, 2, 8]);
    columns.iter().map(|column| datasets::value(dice, column, 18, 5, variety)).collect()
}

/// Where all choices come from.
pub(super) struct Dice(StdRng);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// True this often in a hundred times.
    pub(super) fn percent(&mut self, of: u32) -> bool {
        self.0.random_ratio(of, 100)
    }

    /// True seldom: something that a question may not do.
    fn mistake(&mut self) -> bool {
        self.0.random_ratio(1, 70)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end)
    }

    fn from_to(&mut self, from: i64, to: i64) -> i64 {
        self.0.random_range(from..=to)
    }

    pub(super) fn one<'v, T>(&mut self, of: &'v [T]) -> &'v T {
        of.choose(&mut self.0).unwrap()
    }

    /// Some, in the order given.
    fn some<T: Clone>(&mut self, of: &[T], percent: u32) -> Vec<T> {
        of.iter().filter(|_| self.percent(percent)).cloned().collect()
    }

    /// `n` different ones or fewer.
    fn several<T: Clone>(&mut self, of: &[T], n: usize) -> Vec<T> {
        of.choose_multiple(&mut self.0, n).cloned().collect()
    }
}
