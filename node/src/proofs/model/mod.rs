//! The slow, obvious model of the gate: row by row, in plain Rust, after the design and not after the engine.
//!
//! It shares nothing with the engine that decides anything. What it is given are inputs: rows, terms, the noise tables,
//! the secret key of sums and the hashes that stand for units.
//!
//! | where | what |
//! | --- | --- |
//! | `admission` | which rules a question breaks |
//! | `expressions`, `rows` | rows with their units, from FROM and WHERE |
//! | `cells` | contributions, threshold, dominance, noise |
//! | `history` | anchors, and what takes whose answer |
//! | `answer` | groupings, completion, order, and what is done above |

mod admission;
mod answer;
mod cells;
mod expressions;
mod history;
mod rows;

use std::collections::BTreeMap;

use super::case::{Case, Dataset, Protection, Question};
use super::value::Value;

pub(super) use cells::Contributions;
pub(super) use history::{History, Settled};

/// What a question comes to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expected {
    /// Any of these rules may be named, by which it is refused.
    Refused(Vec<&'static str>),
    /// Rows, in order, of keys and cells.
    Answered(Answer),
}

/// An answer, and how it came about.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) rows: Vec<Vec<Value>>,
    /// Every figure of every group, in the order in which they settle.
    pub(super) cells: Vec<Traced>,
    /// Smallest number of units of a cell.
    pub(super) threshold: u64,
    /// Largest noise of a count.
    pub(super) largest: u64,
}

/// One figure of one group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Traced {
    pub(super) place: Place,
    /// Of each unit in it.
    pub(super) contributions: Contributions,
    /// Whether it is a count of units with noise; otherwise a sum.
    pub(super) counts: bool,
    /// In fixed point; none where it is withheld.
    pub(super) answer: Option<i128>,
    pub(super) settled: Settled,
}

/// Where a figure stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    /// The keys of its grouping.
    pub(super) set: Vec<usize>,
    pub(super) label: Vec<Value>,
    /// The cell that is asked for, and which of its figures; none for an answer of labels alone.
    pub(super) cell: Option<(usize, usize)>,
    /// For COUNT(DISTINCT dimension): which of its values.
    pub(super) inner: Option<Value>,
}

/// The model of a body: its datasets, and what has been answered so far.
pub(super) struct Model<'a> {
    case: &'a Case,
    pub(super) history: History,
    /// Visible cells, by agreement and dataset.
    pub(super) spent: BTreeMap<Account, u64>,
    /// How many cells of an answer were given on an account before: they are not counted again.
    given: BTreeMap<(Account, String), u64>,
    /// While an answer of more cells than are left is made: how many more of them are shown.
    rest: Option<u64>,
    /// Which of its ways each dataset goes by.
    chosen: BTreeMap<&'static str, usize>,
}

/// An agreement, and a dataset.
pub(super) type Account = (Option<&'static str>, &'static str);

/// A dataset in the form in which the asker may use it.
struct Access<'a> {
    protection: &'a Protection,
    threshold: u32,
    agreement: Option<&'static str>,
    columns: Option<&'a [&'static str]>,
    allowance: Option<u64>,
}

impl<'a> Model<'a> {
    pub(super) fn new(case: &'a Case) -> Self {
        let (spent, given, chosen) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { case, history: History::default(), spent, given, rest: None, chosen }
    }

    /// Answers the next question. Where several agreements give a dataset, they are tried one after the other; what is
    /// said of a refusal is that of the preferred ones.
    pub(super) fn ask(&mut self, question: &Question) -> Expected {
        let mut preferred = None;
        for chosen in self.ways(question) {
            self.chosen = chosen;
            let broken = self.broken(question);
            if broken.is_empty() {
                return answer::answer(self, question);
            }
            preferred.get_or_insert(broken);
        }
        Expected::Refused(preferred.unwrap())
    }

    fn broken(&self, question: &Question) -> Vec<&'static str> {
        let mut broken = admission::broken(self, question);
        if broken.is_empty() && answer::nothing_left(self, question) {
            broken.push("allowance.spent");
        }
        broken
    }

    /// All combinations of ways to the datasets of a question, those of the last dataset first.
    fn ways(&self, question: &Question) -> Vec<BTreeMap<&'static str, usize>> {
        let mut all = vec![BTreeMap::new()];
        for dataset in rows::named(&question.ask.from) {
            let ways = question.purpose.map_or(0, |purpose| self.accesses(self.dataset(dataset), purpose).len());
            if all[0].contains_key(dataset) {
                continue;
            }
            let with = |held: &BTreeMap<&'static str, usize>, way| {
                let mut held = held.clone();
                held.insert(dataset, way);
                held
            };
            all = all.iter().flat_map(|held| (0..ways.max(1)).map(move |way| with(held, way))).collect();
        }
        all
    }

    /// The rows that a question reads, as far as it reads them: of each dataset or relation the named columns and the
    /// unit. Two databases in which these are equal are the same to it.
    pub(super) fn read(&mut self, question: &Question) -> Vec<String> {
        self.chosen.clear();
        if self.broken(question).is_empty() { rows::read(self, question) } else { Vec::new() }
    }

    fn dataset(&self, name: &str) -> &'a Dataset {
        self.case.datasets.iter().find(|dataset| dataset.name == name).unwrap()
    }

    /// How a protected dataset may be used for a purpose; none where not at all.
    fn access(&self, dataset: &'a Dataset, purpose: &str) -> Option<Access<'a>> {
        let at = self.chosen.get(dataset.name).copied().unwrap_or(0);
        self.accesses(dataset, purpose).into_iter().nth(at)
    }

    /// All ways in which a dataset may be used: the lowest threshold first, then those that are not counted.
    fn accesses(&self, dataset: &'a Dataset, purpose: &str) -> Vec<Access<'a>> {
        let Some(protection) = &dataset.protection else { return Vec::new() };
        let granted = protection.grants.iter().filter(|grant| grant.in_force && grant.purpose == purpose);
        let mut ways: Vec<Access<'a>> = granted
            .map(|grant| Access {
                protection,
                threshold: protection.threshold.max(grant.threshold.unwrap_or(0)),
                agreement: Some(grant.agreement),
                columns: grant.columns.as_deref(),
                allowance: grant.allowance,
            })
            .collect();
        if !protection.needs_agreement {
            let threshold = protection.threshold;
            ways.push(Access { protection, threshold, agreement: None, columns: None, allowance: None });
        }
        ways.sort_by_key(|way| (way.threshold, way.allowance.is_some(), way.agreement));
        ways
    }
}
