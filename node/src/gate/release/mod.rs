//! A release point: what leaves it has passed disclosure control, cell by cell.
//!
//! | where | what |
//! | --- | --- |
//! | `node` | the release in a logical plan, a leaf over plans of its own |
//! | `figures` | the aggregate that gathers what control needs to know of a cell |
//! | `control` | threshold, dominance and noise: from figures to an answer, or none |
//! | `exec`, `settle` | the release at work: all cells, history, allowance |
//! | `seen` | which cells can be seen, in the order in which an allowance is spent |
//! | `solved` | the cells of declared tables in the place of these |
//! | `percentile` | percentiles from the counts of bands |
//! | `answer` | the columns that leave |
//! | `tally` | what became of the cells, for the owner alone |

mod answer;
mod control;
mod exec;
mod figures;
mod node;
mod percentile;
mod seen;
mod settle;
mod single;
mod solved;
mod tally;

use std::sync::Arc;

use arrow::datatypes::DataType;
use chrono::NaiveDate;
use datafusion::common::ScalarValue;

use super::terms::{Controls, Dominance, Precision};
use crate::history::Account;

pub(super) use control::rounded;
pub(super) use exec::ReleaseExec;
pub(super) use figures::{Counted, ShippedFigures, field, function, plain as read_figures, ship as ship_figures};
pub(super) use node::{ReleaseNode, node};
pub(super) use percentile::Percentile;
pub(super) use solved::{Solved, SolvedKey, SolvedSet};
pub use tally::Tally;

/// What one release point gives, and by which rules.
#[derive(Debug)]
pub(super) struct Point {
    /// The full names of the datasets whose rows are below it.
    pub(super) datasets: Vec<String>,
    /// The kind of unit that is protected.
    pub(super) unit: String,
    /// Smallest number of units of a cell that leaves.
    pub(super) threshold: u32,
    /// Cells that differ in fewer units than this are near each other.
    pub(super) nearness: u32,
    /// Group keys of the answer; with none there is exactly one row.
    pub(super) keys: usize,
    /// What is gathered of each cell.
    pub(super) figures: Vec<Figured>,
    /// The columns behind the keys; with none a row leaves where the first figure does.
    pub(super) outputs: Vec<Output>,
    /// The groupings, coarsest first; more than one for GROUPING SETS.
    pub(super) sets: Vec<Set>,
    /// The column of the grouping's number, where SQL asks for several.
    pub(super) numbered: Option<DataType>,
    /// Where the figures come from.
    pub(super) source: Source,
    /// Who asks, as it is recorded.
    pub(super) caller: String,
    /// On whose accounts it goes.
    pub(super) accounts: Vec<Account>,
    /// What is asked, in words that are the same whenever it is asked again.
    pub(super) question: String,
    /// The day, by UTC.
    pub(super) day: NaiveDate,
    /// Where it is noted what became of its cells.
    pub(super) tally: Arc<Tally>,
}

/// By which rules figures of rows leave.
#[derive(Debug)]
pub(super) struct Ruled {
    /// The owner's controls; where several datasets are read, those of the one with the largest noise.
    pub(super) controls: Arc<Controls>,
    /// The dominance rules of all datasets that are read.
    pub(super) dominance: Dominance,
    /// Whether near sums take each other's answer, as any dataset that is read asks for.
    pub(super) reuse: bool,
}

/// Where the figures of a release come from.
#[derive(Debug)]
pub(super) enum Source {
    /// From rows, under the owners' controls.
    Gathered(Ruled),
    /// From declared tables, which were solved when the dataset was loaded.
    Solved(Solved),
}

/// One figure of each cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Figured {
    /// `count` or `sum`.
    pub(super) function: &'static str,
    /// What is counted or summed, in words that are the same however it is asked: `*`, a column, the unit.
    pub(super) of: String,
    /// How it is perturbed.
    pub(super) kind: Kind,
}

/// How a figure is perturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The number of units, by the cell-key method.
    Units,
    /// A sum of contributions, in fixed point.
    Magnitude(Precision),
}

/// A column of the answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Output {
    /// A figure as it was released.
    Figure(usize),
    /// An average: one figure by another.
    Ratio { sum: usize, count: usize },
    /// A percentile, from the counts of bands.
    Percentile(Percentile),
    /// The number of released labels of an inner grouping.
    Labels,
}

/// One grouping.
#[derive(Debug, Clone)]
pub(super) struct Set {
    /// Which keys of the answer it groups by, in order; the other ones are NULL.
    pub(super) keys: Vec<usize>,
    /// Its number, where SQL asks for several.
    pub(super) number: u64,
    /// All values of each key, where all are declared: the answer has a row for each combination.
    pub(super) domain: Option<Vec<Vec<ScalarValue>>>,
    /// For `COUNT(DISTINCT dimension)`: this grouping has one key more, and its released rows are counted for that
    /// output.
    pub(super) inner: Option<usize>,
    /// Which figures it has; the outer groupings have those that outputs name, in order.
    pub(super) figures: Vec<usize>,
}
