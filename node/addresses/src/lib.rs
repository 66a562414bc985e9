//! Finds addresses, written as people write them, in a list of addresses: pure, no I/O, no engine.
//!
//! | where | what |
//! | --- | --- |
//! | `text` | a text as words, numbers, flats and a postcode, in British spelling and its abbreviations |
//! | `designator` | house numbers, ranges and flats, and whether two of them are the same |
//! | `postcode` | postcodes, and how near two of them are |
//! | `record` | a row of a list as the parts of an address |
//! | `list` | all addresses of a list, with what finds those that could be meant |
//! | `compare` | how well a text and an address of the list agree |
//!
//! The way is that of the address matching service of the Office for National Statistics (ONS working paper series no 17,
//! *Using data science for the address matching service*): take the text apart, gather candidates that share a postcode or a
//! number and a word (blocking), compare part by part, and give nothing where two candidates are as likely. Numbers and flats
//! are the same or they are not; of other parts, agreement weighs what it tells, the logarithm of how rare the part is in the
//! list (Fellegi and Sunter, *A Theory for Record Linkage*, 1969). Words that are spelled nearly alike agree by Jaro-Winkler
//! of 0.9 or more, as in SoftTFIDF (Cohen, Ravikumar and Fienberg, *A Comparison of String Distance Metrics for Name-Matching
//! Tasks*, 2003).

mod compare;
mod designator;
mod list;
#[cfg(any(test, feature = "testing"))]
pub mod made;
mod postcode;
mod record;
#[cfg(test)]
mod tests;
mod text;

pub use list::{Builder, List, TooLarge};
pub use record::Fields;

/// Scores under this are no matches where nothing else is said.
pub const LEAST_SCORE: f64 = 0.8;

/// What a list says of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// The text holds nothing to look for.
    Nothing,
    /// One address, better than all others.
    Matched(Match),
    /// The best address agrees too little, or none could be meant.
    Under(Option<f64>),
    /// Several addresses agree as well: which one is meant can't be told.
    Ambiguous(Option<f64>),
}

/// An address of the list that a text means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// Its Unique Property Reference Number.
    pub uprn: i64,
    /// How well they agree, from 0 to 1.
    pub score: f64,
}

impl Outcome {
    /// The address, if there is one.
    pub fn uprn(&self) -> Option<i64> {
        match self {
            Self::Matched(found) => Some(found.uprn),
            Self::Nothing | Self::Under(_) | Self::Ambiguous(_) => None,
        }
    }

    /// How well the best address agrees, from 0 to 1, matched or not; `None` if none could be meant.
    pub fn score(&self) -> Option<f64> {
        match self {
            Self::Nothing => None,
            Self::Matched(found) => Some(found.score),
            Self::Under(score) | Self::Ambiguous(score) => *score,
        }
    }
}
