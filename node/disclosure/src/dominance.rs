//! When few units make up most of a sum: the p% rule and the (n,k) rule.

/// The dominance rules, over absolute contributions: x1 the largest, x2 the second, X their total.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dominance {
    /// Withheld where X - x1 - x2 < percent / 100 * x1: the second could tell the first's value this closely.
    pub percent: f64,
    /// Withheld where the `n` largest make up more than `k` percent of X.
    pub largest: Option<(usize, f64)>,
}

impl Dominance {
    /// Whether few units make up most of a sum; a sum of nothing is dominated by whoever adds to it.
    ///
    /// `absolute` is the total of absolute contributions, `largest` the largest of them in descending order: two, or as
    /// many as the (n,k) rule adds up.
    pub fn holds(&self, absolute: i128, largest: &[i128]) -> bool {
        let kept = |n: usize| largest.iter().take(n).fold(0_i128, |sum, size| sum.saturating_add(*size));
        let by_share =
            self.largest.is_some_and(|(n, share)| approximate(kept(n)) * 100.0 > share * approximate(absolute));
        // Whole numbers first, and then products: what a limit meets exactly it is to meet, however large.
        let rest = approximate(absolute.saturating_sub(kept(2)));
        rest * 100.0 < self.percent * approximate(kept(1)) || by_share
    }

    /// What both ask for: of datasets that are asked together none gives up its own rule.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let largest = match (self.largest, other.largest) {
            (Some((n, k)), Some((m, l))) => Some((n.max(m), k.min(l))),
            (one, other) => one.or(other),
        };
        Self { percent: self.percent.max(other.percent), largest }
    }
}

#[expect(clippy::cast_precision_loss, reason = "shares are compared, to 53 bits")]
fn approximate(value: i128) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_or_two_units_that_make_up_most_of_a_sum_are_dominant() {
        let percent = |percent| Dominance { percent, largest: None };
        let table = [
            (vec![100, 5, 5, 5], percent(10.0), false),
            (vec![100, 5, 4, 5], percent(10.0), true),
            (vec![-100, 5, 4, 5], percent(10.0), true),
            (vec![100, 5, 4, 3], percent(7.0), false),
            (vec![18_000_000_000_000_000_000, 6, 2], percent(0.0), false),
            (vec![1000, 1000, 1, 1, 1], percent(10.0), true),
            (vec![10, 10, 10, 10], percent(10.0), false),
            (vec![10, 10, 10, 10], Dominance { percent: 10.0, largest: Some((2, 50.0)) }, false),
            (vec![11, 10, 10, 10], Dominance { percent: 10.0, largest: Some((2, 50.0)) }, true),
            (vec![30, 30, 30, 1, 1], Dominance { percent: 1.0, largest: Some((3, 90.0)) }, true),
        ];
        for (contributions, rules, expected) in table {
            let mut largest: Vec<i128> = contributions.iter().map(|c: &i128| c.abs()).collect();
            let absolute = largest.iter().sum();
            largest.sort_unstable_by(|a, b| b.cmp(a));
            largest.truncate(3);
            assert_eq!(rules.holds(absolute, &largest), expected, "{contributions:?} {rules:?}");
        }
    }
}
