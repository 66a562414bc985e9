//! How long every query sees the same rows.

use chrono::{DateTime, Datelike, Days, Months, NaiveTime, Utc};
use serde::Deserialize;

/// How long every query sees the same rows. Periods begin at midnight UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AsOf {
    /// Each query sees the rows of its moment.
    #[default]
    Live,
    /// One day.
    Daily,
    /// One ISO week: it begins on Monday.
    Weekly,
    /// One calendar month.
    Monthly,
}

impl AsOf {
    /// Its word in configuration files.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }
}

/// When the period began that `now` lies in; `None` for live rows, which have no periods.
pub fn period_start(as_of: AsOf, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let today = now.date_naive();
    let day = match as_of {
        AsOf::Live => return None,
        AsOf::Daily => Some(today),
        AsOf::Weekly => today.checked_sub_days(Days::new(today.weekday().num_days_from_monday().into())),
        AsOf::Monthly => today.with_day(1),
    };
    Some(day.unwrap_or(today).and_time(NaiveTime::MIN).and_utc())
}

/// When the period ends that `now` lies in, and the next one begins; `None` for live rows.
pub fn period_end(as_of: AsOf, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let start = period_start(as_of, now)?;
    match as_of {
        AsOf::Live => None,
        AsOf::Daily => start.checked_add_days(Days::new(1)),
        AsOf::Weekly => start.checked_add_days(Days::new(7)),
        AsOf::Monthly => start.checked_add_months(Months::new(1)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn no_period_is_longer_than_the_month_that_the_law_gives() {
        let mut now: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        for _ in 0..800 {
            for as_of in [AsOf::Daily, AsOf::Weekly, AsOf::Monthly] {
                let end = period_end(as_of, now).unwrap();
                assert!(end > now && end <= now.checked_add_months(Months::new(1)).unwrap(), "{as_of:?} {now}");
                assert_eq!(period_start(as_of, end), Some(end), "{as_of:?} {now}");
            }
            now += chrono::TimeDelta::hours(25);
        }
        assert_eq!(period_end(AsOf::Live, now), None);
    }

    #[test]
    fn periods_are_those_of_the_calendar() {
        let check = |as_of, now: &str, start: &str| {
            let now: DateTime<Utc> = now.parse().unwrap();
            let start: DateTime<Utc> = start.parse().unwrap();
            assert_eq!(period_start(as_of, now), Some(start), "{as_of:?} {now}");
        };
        check(AsOf::Daily, "2026-03-01T23:59:59.9Z", "2026-03-01T00:00:00Z");
        check(AsOf::Daily, "2026-03-02T00:00:00Z", "2026-03-02T00:00:00Z");
        check(AsOf::Weekly, "2026-01-01T12:00:00Z", "2025-12-29T00:00:00Z");
        check(AsOf::Weekly, "2026-01-04T23:59:59Z", "2025-12-29T00:00:00Z");
        check(AsOf::Weekly, "2026-01-05T00:00:00Z", "2026-01-05T00:00:00Z");
        check(AsOf::Monthly, "2024-02-29T23:59:59Z", "2024-02-01T00:00:00Z");
        check(AsOf::Monthly, "2024-03-01T00:00:00Z", "2024-03-01T00:00:00Z");
        assert_eq!(period_start(AsOf::Live, DateTime::UNIX_EPOCH), None);
    }
}
