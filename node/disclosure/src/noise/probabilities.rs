//! Probabilities of the noise of a count, before they are spread over keys.

use super::{MOST_NOISE, TableError, entropy};

/// What a table of counts is made from: the parameters of the R package `ptable`, where they are called D, V, js and pstay.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    /// Largest absolute noise, in units.
    pub largest: u32,
    /// Variance of the noise in every row but that of 0, in units squared.
    pub variance: f64,
    /// Results from 1 to this never occur; 0 forbids none.
    pub forbidden: u32,
    /// Probability that a count stays as it is, in the rows where no result is forbidden; `None` leaves it to the entropy.
    pub stay: Option<f64>,
}

impl Parameters {
    /// The first row whose noise runs from -`largest` to `largest`; all later rows have its probabilities.
    pub(super) fn symmetric(&self) -> u32 {
        match self.forbidden {
            0 => self.largest,
            forbidden => self.largest + forbidden + 1,
        }
    }

    /// Refuses what makes no table, whatever the row.
    pub(super) fn check(&self) -> Result<(), TableError> {
        check_largest(self.largest)?;
        check_variance(self.variance)?;
        if self.forbidden >= self.largest {
            // The count after the last forbidden result could not go down, and so not up either.
            let remedy = format!("choose less than the largest noise, {}", self.largest);
            return Err(TableError::Parameter { parameter: "forbidden", value: self.forbidden.into(), remedy });
        }
        match self.stay {
            Some(stay) if !(0.0..1.0).contains(&stay) => {
                let remedy = "choose a probability from 0 to less than 1".to_owned();
                Err(TableError::Parameter { parameter: "stay", value: stay, remedy })
            }
            _ => Ok(()),
        }
    }
}

/// The largest noise, unless it is none, or more than keys can be spread over.
pub(super) fn check_largest(largest: u32) -> Result<i32, TableError> {
    match i32::try_from(largest) {
        Ok(units) if (1..=MOST_NOISE).contains(&largest) => Ok(units),
        _ => {
            let remedy = format!("choose from 1 to {MOST_NOISE}");
            Err(TableError::Parameter { parameter: "largest", value: largest.into(), remedy })
        }
    }
}

/// Refuses a variance that is none.
pub(super) fn check_variance(variance: f64) -> Result<(), TableError> {
    if variance.is_finite() && variance > 0.0 {
        return Ok(());
    }
    let remedy = "choose a number above 0; without variance there is no noise".to_owned();
    Err(TableError::Parameter { parameter: "variance", value: variance, remedy })
}

/// Probabilities of the noise of a count of `units`, ascending by noise: those of greatest entropy among all with mean 0 and the
/// variance asked for. 0 stays 0.
///
/// S. Giessing, "Computational issues in the design of transition probabilities and disclosure risk estimation for additive noise",
/// Privacy in Statistical Databases 2016; J. Marley and V. Leaver, "A method for confidentialising user-defined tables", ISI 2011.
///
/// # Errors
/// [`TableError::Parameter`]; [`TableError::Infeasible`] where this row has no noise of that variance.
pub fn probabilities(parameters: &Parameters, units: u32) -> Result<Vec<(i64, f64)>, TableError> {
    parameters.check()?;
    let row = Row::of(parameters, units);
    Ok(row.probabilities()?.into_iter().map(|(v, p)| (v.into(), p)).collect())
}

/// One row: the noise values that a count may take.
pub(super) struct Row {
    units: u32,
    values: Vec<i32>,
    variance: f64,
    stay: Option<f64>,
}

impl Row {
    /// The row of `units`, for parameters that were checked.
    pub(super) fn of(parameters: &Parameters, units: u32) -> Self {
        // Rows from the symmetric one on are the same but for the count itself.
        let count = i64::from(units.min(parameters.symmetric()));
        let (largest, forbidden) = (i64::from(parameters.largest), i64::from(parameters.forbidden));
        let (values, variance) = match units {
            0 => (vec![0], 0.0),
            _ => {
                let results = ((count - largest).max(0)..=count + largest).filter(|i| !(1..=forbidden).contains(i));
                (results.filter_map(|i| i32::try_from(i - count).ok()).collect(), parameters.variance)
            }
        };
        Self { units, values, variance, stay: parameters.stay.filter(|_| units >= parameters.symmetric()) }
    }

    /// The probabilities, ascending by noise.
    pub(super) fn probabilities(&self) -> Result<Vec<(i32, f64)>, TableError> {
        let (moving, weight) = self.moving();
        let distribution = entropy::distribution(&moving, self.variance / weight).ok_or_else(|| self.infeasible())?;
        let mut row: Vec<_> = moving.into_iter().zip(distribution.into_iter().map(|p| p * weight)).collect();
        if let Some(stay) = self.stay {
            row.push((0, stay));
            row.sort_by_key(|&(v, _)| v);
        }
        Ok(row)
    }

    /// Says that 256 keys cannot be spread over the row.
    pub(super) fn too_few_keys(&self) -> TableError {
        let (least, greatest) = self.range();
        TableError::Keys { units: self.units, variance: self.variance, least, greatest }
    }

    /// The values that the entropy decides on, and their probability together. Given `stay`, the others are a distribution of their
    /// own, with a greater variance.
    fn moving(&self) -> (Vec<i32>, f64) {
        match self.stay {
            Some(stay) => (self.values.iter().copied().filter(|&v| v != 0).collect(), 1.0 - stay),
            None => (self.values.clone(), 1.0),
        }
    }

    fn infeasible(&self) -> TableError {
        let (least, greatest) = self.range();
        TableError::Infeasible { units: self.units, variance: self.variance, least, greatest }
    }

    /// Least and greatest variance of the row.
    fn range(&self) -> (f64, f64) {
        let (moving, weight) = self.moving();
        let range = entropy::variances(&moving);
        let rounded = |v: f64| (v * weight * 1e6).round() / 1e6;
        (rounded(*range.start()), rounded(*range.end()))
    }
}
