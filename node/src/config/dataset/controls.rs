//! The controls that stand for a whole dataset: snapshots, noise, dominance and history.

use std::ops::Range;
use std::path::{Path, PathBuf};

use meridian_disclosure::noise::MOST_NOISE;
use meridian_proto::Form;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::super::problem::{File, Report};
use super::super::raw;
use super::statistics_only;
use crate::sources::AsOf;

/// Contributions that the (n,k) rule adds up at most.
const MOST_CONTRIBUTIONS: u32 = 10;
const DEFAULT_PERCENT: f64 = 10.0;

/// Where the noise of released cells comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum NoiseConfig {
    /// There is none, and the node answers just the declared tables.
    None,
    /// The node makes the table.
    Made {
        /// The largest noise, in units: 1 to [`MOST_NOISE`].
        largest: u32,
        /// Its variance, in units squared: above 0.
        variance: f64,
        /// Results from 1 to this don't occur; 0 for none, `largest` at most.
        forbidden: u32,
        /// The probability of no noise, 0 to below 1; the table's maker chooses it where it is left out.
        stay: Option<f64>,
    },
    /// A file with the columns `pcv,ckey,pvalue` that existed when the configuration was read.
    Table(PathBuf),
}

impl Default for NoiseConfig {
    fn default() -> Self {
        Self::Made { largest: 5, variance: 2.0, forbidden: 0, stay: None }
    }
}

/// When a sum is withheld because few units make most of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DominanceConfig {
    /// The p% rule's p: what is left beside the two largest contributions is at least p% of the largest.
    pub percent: f64,
    /// The (n,k) rule's n, from 1 to 10, and k in per cent: the n largest contributions are at most k% of the sum.
    pub largest: Option<(u32, f64)>,
}

impl Default for DominanceConfig {
    fn default() -> Self {
        Self { percent: DEFAULT_PERCENT, largest: None }
    }
}

/// What earlier answers do to a cell that is near to one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HistoryMode {
    /// A magnitude gets the earliest such answer, a count is recorded.
    #[default]
    Reuse,
    /// Both are recorded only.
    Record,
}

pub(super) fn as_of(file: &File, raw: &raw::Dataset, report: &mut Report) -> AsOf {
    match (&raw.as_of, *raw.form.get_ref()) {
        (Some(said), _) => {
            statistics_only(file, raw, "as_of", said.span(), report);
            *said.get_ref()
        }
        (None, Form::Statistics) => AsOf::Monthly,
        (None, Form::Open | Form::Rows | Form::None) => AsOf::Live,
    }
}

pub(super) fn history(file: &File, raw: &raw::Dataset, report: &mut Report) -> HistoryMode {
    let Some(said) = &raw.history else {
        return HistoryMode::default();
    };
    statistics_only(file, raw, "history", said.span(), report);
    *said.get_ref()
}

/// Nothing where what is said can't be.
pub(super) fn noise(file: &File, base: &Path, raw: &raw::Dataset, report: &mut Report) -> Option<NoiseConfig> {
    let Some(said) = &raw.noise else {
        return Some(NoiseConfig::default());
    };
    if !statistics_only(file, raw, "noise", said.span(), report) {
        return None;
    }
    let parameters = match said.get_ref() {
        raw::Noise::None => return no_noise(file, said.span(), raw, report),
        raw::Noise::Parameters(parameters) => parameters,
    };
    let raw::NoiseParameters { table: Some(table), largest, variance, forbidden, stay } = parameters else {
        return made(file, said.span(), parameters, report);
    };
    let beside = [at(largest), at(variance), at(forbidden), at(stay)];
    if let Some(at) = beside.into_iter().flatten().min_by_key(|at| at.start) {
        let what = "noise names both a table and its parameters";
        file.problem(report, at, what, "write table alone, or leave it out to have the table made");
    }
    file.existing(report, base, "noise.table", table).map(NoiseConfig::Table)
}

/// Without noise nothing but declared tables is answered, the same to everybody, so that there is no history to keep.
fn no_noise(file: &File, at: Range<usize>, raw: &raw::Dataset, report: &mut Report) -> Option<NoiseConfig> {
    if raw.tables.is_empty() {
        let fix = "add one with its dimensions, or leave noise out to have it made";
        file.problem(report, at, "noise is none, and there are no [[tables]], so that nothing is answered", fix);
    }
    if let Some(history) = &raw.history {
        let fix = "leave it out: declared tables are the same to everybody, however often they are asked";
        file.problem(report, history.span(), "history stands in a dataset without noise", fix);
    }
    Some(NoiseConfig::None)
}

fn at<T>(said: &Option<Spanned<T>>) -> Option<Range<usize>> {
    said.as_ref().map(Spanned::span)
}

/// Whole noise from -largest to largest, with the probability `stay` of 0, can have variances from 1 - stay to
/// (1 - stay) × largest².
fn made(file: &File, all: Range<usize>, said: &raw::NoiseParameters, report: &mut Report) -> Option<NoiseConfig> {
    let number = |said: &Option<Spanned<f64>>| said.as_ref().map(|number| *number.get_ref());
    let count = |said: &Option<Spanned<u32>>| said.as_ref().map(|count| *count.get_ref());
    let largest = count(&said.largest).unwrap_or(5);
    let variance = number(&said.variance).unwrap_or(2.0);
    let forbidden = count(&said.forbidden).unwrap_or(0);
    let stay = number(&said.stay);

    let moves = 1.0 - stay.unwrap_or(0.0);
    let least = stay.map_or(0.0, |stay| 1.0 - stay);
    let (at, what, fix) = if !(1..=MOST_NOISE).contains(&largest) {
        (at(&said.largest), format!("noise.largest is {largest}"), format!("write 1 to {MOST_NOISE}"))
    } else if let Some(stay) = stay.filter(|stay| !(0.0..1.0).contains(stay)) {
        let fix = "write a probability from 0 to below 1, or leave it out".to_owned();
        (at(&said.stay), format!("noise.stay is {stay}"), fix)
    } else if !variance.is_finite() || variance <= 0.0 {
        let fix = "write a number above 0".to_owned();
        (at(&said.variance), format!("noise.variance is {variance}"), fix)
    } else if variance < least || variance > moves * f64::from(largest).powi(2) {
        let what = format!("noise.variance is {variance}, which noise of at most {largest} can't have");
        let fix = "write 1 - stay to (1 - stay) × largest²; stay is 0 where it is left out".to_owned();
        (at(&said.variance), what, fix)
    } else if forbidden > largest {
        let what = format!("noise.forbidden is {forbidden}, above noise.largest, which is {largest}");
        (at(&said.forbidden), what, "write as much as noise.largest, or less".to_owned())
    } else {
        return Some(NoiseConfig::Made { largest, variance, forbidden, stay });
    };
    file.problem(report, at.unwrap_or(all), what, fix);
    None
}

pub(super) fn dominance(file: &File, raw: &raw::Dataset, report: &mut Report) -> DominanceConfig {
    let Some(said) = &raw.dominance else {
        return DominanceConfig::default();
    };
    if !statistics_only(file, raw, "dominance", said.span(), report) {
        return DominanceConfig::default();
    }
    let raw::Dominance { percent, largest, share } = said.get_ref();
    let percent = percent.as_ref().map_or(DEFAULT_PERCENT, |percent| {
        if !(*percent.get_ref() > 0.0 && *percent.get_ref() <= 100.0) {
            let what = format!("dominance.percent is {}", percent.get_ref());
            let fix = format!("write a number above 0, 100 at most; {DEFAULT_PERCENT} is the default");
            file.problem(report, percent.span(), what, fix);
        }
        *percent.get_ref()
    });
    let largest = match (largest, share) {
        (None, None) => None,
        (Some(alone), None) => {
            let fix = "add share, in per cent, or leave largest out";
            file.problem(report, alone.span(), "dominance.largest stands without share", fix);
            None
        }
        (None, Some(alone)) => {
            let fix = "add largest, the number of contributions, or leave share out";
            file.problem(report, alone.span(), "dominance.share stands without largest", fix);
            None
        }
        (Some(largest), Some(share)) => {
            if !(1..=MOST_CONTRIBUTIONS).contains(largest.get_ref()) {
                let what = format!("dominance.largest is {}", largest.get_ref());
                file.problem(report, largest.span(), what, format!("write 1 to {MOST_CONTRIBUTIONS}"));
            }
            if !(*share.get_ref() > 0.0 && *share.get_ref() < 100.0) {
                let what = format!("dominance.share is {}", share.get_ref());
                file.problem(report, share.span(), what, "write per cent: above 0 and below 100");
            }
            Some((*largest.get_ref(), *share.get_ref()))
        }
    };
    DominanceConfig { percent, largest }
}
