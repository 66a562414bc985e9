//! How new a dataset is: when its rows last changed, how often its owner says that they do, and whether that is overdue.

use chrono::{NaiveDate, TimeDelta};
use meridian_proto::{Dataset, Frequency};

/// How much later than declared rows may change without being overdue, as a part of the time between two changes.
const GRACE: f64 = 0.5;

/// How new a dataset is on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// The day on which its rows last changed; `None` where that is not known.
    pub last_change: Option<NaiveDate>,
    /// How often its owner says that they do; `None` where nothing is said, or in words that are not known.
    pub frequency: Option<Frequency>,
    /// Whether they should have changed since, half as much time again as declared included; `None` where that can't be
    /// told.
    pub overdue: Option<bool>,
}

impl Freshness {
    /// As a dataset is described, on a day.
    pub fn of(dataset: &Dataset, today: NaiveDate) -> Self {
        let last_change = dataset.about.last_change.and_then(day);
        let frequency = Frequency::said(&dataset.update_frequency);
        let overdue = frequency.and_then(Frequency::days).zip(last_change).map(|(days, last_change)| {
            let longest = (f64::from(days) * (1.0 + GRACE)).ceil() as i64;
            today.signed_duration_since(last_change) > TimeDelta::days(longest)
        });
        Self { last_change, frequency, overdue }
    }

    /// In one line for people: `overdue`, `as declared`, or nothing where it can't be told.
    pub fn told(&self) -> &'static str {
        match self.overdue {
            Some(true) => "overdue",
            Some(false) => "as declared",
            None => "",
        }
    }
}

/// A day from days since the Unix epoch.
fn day(days: i32) -> Option<NaiveDate> {
    NaiveDate::default().checked_add_signed(TimeDelta::days(days.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::testing::dataset;
    use super::*;

    #[test]
    fn rows_are_overdue_half_a_period_after_they_were_due() {
        let today: NaiveDate = "2026-11-27".parse().unwrap();
        let overdue = |frequency: &str, last_change: Option<&str>| {
            let mut dataset = dataset("incidents", "Fires");
            dataset.update_frequency = frequency.into();
            let days = |day: &str| day.parse::<NaiveDate>().unwrap().signed_duration_since(NaiveDate::default());
            dataset.about.last_change = last_change.map(|day| i32::try_from(days(day).num_days()).unwrap());
            let fresh = Freshness::of(&dataset, today);
            assert_eq!(fresh.last_change.map(|day| day.to_string()).as_deref(), last_change);
            fresh.overdue
        };
        assert_eq!(overdue("monthly", Some("2026-11-01")), Some(false));
        assert_eq!(overdue("monthly", Some("2026-10-11")), Some(false), "47 days are let pass");
        assert_eq!(overdue("monthly", Some("2026-10-10")), Some(true));
        assert_eq!(overdue("daily", Some("2026-11-25")), Some(false));
        assert_eq!(overdue("daily", Some("2026-11-24")), Some(true));
        assert_eq!(overdue("yearly", Some("2025-11-27")), Some(false));
        for (frequency, last_change) in
            [("monthly", None), ("as it changes", Some("1999-01-01")), ("", Some("1999-01-01"))]
        {
            assert_eq!(overdue(frequency, last_change), None, "{frequency}");
        }
    }

    #[test]
    fn a_day_that_is_none_is_not_known() {
        let mut dataset = dataset("incidents", "Fires");
        dataset.about.last_change = Some(i32::MAX);
        assert_eq!(Freshness::of(&dataset, NaiveDate::default()).last_change, None);
    }
}
