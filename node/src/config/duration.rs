//! Reads lengths of time: a number with its unit.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;

use super::problem::{File, Report};

/// A second, and a year.
const SECONDS: RangeInclusive<u64> = 1..=366 * 24 * 3600;

/// A number with its unit: s, m, h or d.
pub(super) fn check(file: &File, key: &str, said: &Spanned<String>, report: &mut Report) -> Option<Duration> {
    let text = said.get_ref();
    let units = [("s", 1), ("m", 60), ("h", 3600), ("d", 24 * 3600)];
    let read = units
        .iter()
        .find_map(|(unit, seconds)| text.strip_suffix(unit)?.trim().parse::<u64>().ok()?.checked_mul(*seconds));
    let seconds = read.filter(|seconds| SECONDS.contains(seconds));
    if seconds.is_none() {
        let what = format!("{key} is {text:?}, which is no length of time");
        file.problem(report, said.span(), what, "write a number and s, m, h or d, such as \"15m\"; a year at most");
    }
    seconds.map(Duration::from_secs)
}
