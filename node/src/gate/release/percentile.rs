//! A percentile from the released counts of declared bands.
//!
//! With the counts c1, …, cm of the bands, N their sum and Ci = c1 + … + ci, the percentile p is in the first band with
//! Ci >= p × N and ci > 0, and there, as if its values lay evenly between its edges a and b,
//! a + (b - a) × (p × N - C(i-1)) / ci (the interpolated quantile of grouped data). The outermost edges are the measure's
//! bounds.
//!
//! A withheld band is one of 0 to k - 1. Where such counts could move the percentile into another band it is not known;
//! otherwise they are taken as 0, and the answer is right to within its band.

/// Of which bands a percentile is made.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Percentile {
    /// The percentile as a share of all: 0 to 1.
    pub(in super::super) share: f64,
    /// The edges, ascending, one more than there are bands, in the measure's own unit.
    pub(in super::super) edges: Vec<f64>,
    /// The figure that counts each band.
    pub(in super::super) figures: Vec<usize>,
}

impl Percentile {
    /// The percentile by the released counts of the bands, those under the threshold being withheld.
    pub(super) fn of(&self, counts: &[Option<i128>], threshold: u32) -> Option<f64> {
        let known: Vec<f64> = counts.iter().map(|count| count.map_or(0.0, approximate)).collect();
        let band = self.band(&known)?;
        let most = f64::from(threshold.saturating_sub(1));
        // What was withheld all below the percentile, or all above it: nothing between moves it further.
        for below in [true, false] {
            let moved: Vec<f64> = counts
                .iter()
                .enumerate()
                .map(|(at, count)| match count {
                    Some(count) => approximate(*count),
                    None if (at < band) == below => most,
                    None => 0.0,
                })
                .collect();
            if self.band(&moved) != Some(band) {
                return None;
            }
        }
        let before: f64 = known.iter().take(band).sum();
        let (low, high) = (self.edges.get(band)?, self.edges.get(band + 1)?);
        let within = (self.share * known.iter().sum::<f64>() - before) / known.get(band)?;
        Some(low + (high - low) * within.clamp(0.0, 1.0))
    }

    fn band(&self, counts: &[f64]) -> Option<usize> {
        let wanted = self.share * counts.iter().sum::<f64>();
        let mut so_far = 0.0;
        counts.iter().position(|count| {
            so_far += count;
            *count > 0.0 && so_far >= wanted
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "shares are compared")]
fn approximate(count: i128) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percentile(share: f64, counts: &[Option<i128>]) -> Option<f64> {
        let edges = vec![0.0, 10.0, 20.0, 40.0];
        Percentile { share, edges, figures: vec![0, 1, 2] }.of(counts, 10)
    }

    #[test]
    fn values_lie_evenly_within_a_band() {
        let counts = [Some(20), Some(40), Some(20)];
        for (share, expected) in [(0.5, 15.0), (0.25, 10.0), (0.125, 5.0), (0.75, 20.0), (0.875, 30.0), (1.0, 40.0)] {
            assert_eq!(percentile(share, &counts), Some(expected), "{share}");
        }
        assert_eq!(percentile(0.0, &counts), Some(0.0));
        assert_eq!(percentile(0.5, &[Some(0), Some(0), Some(0)]), None);
    }

    #[test]
    fn a_withheld_band_that_could_move_it_leaves_it_unknown() {
        // Nine more below or above stay in the middle band.
        assert_eq!(percentile(0.5, &[None, Some(40), Some(20)]), Some(17.5));
        assert_eq!(percentile(0.5, &[Some(20), Some(40), None]), Some(12.5));
        assert_eq!(percentile(0.5, &[None, Some(40), None]), Some(15.0));
        // Nine more above are as many as those below.
        assert_eq!(percentile(0.5, &[Some(30), Some(28), None]), None);
        assert_eq!(percentile(0.9, &[Some(30), Some(40), None]), None);
        assert_eq!(percentile(0.1, &[None, Some(40), Some(20)]), None);
        assert_eq!(percentile(0.5, &[None, None, None]), None);
    }
}
