//! Why a perturbation table cannot be made or read.

/// Why a perturbation table cannot be made or read. For the owner only: the texts name the table's parameters.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TableError {
    /// No noise of this row has the mean 0 and the variance asked for.
    #[error(
        "no perturbation table has variance {variance}: noise of a count of {units} with mean 0 has a variance from {least} to \
         {greatest} (rounded to 6 places); choose a variance in that range, or change the largest noise, the forbidden results or `stay`"
    )]
    Infeasible {
        /// Row of the table: the count before noise.
        units: u32,
        /// Variance that was asked for.
        variance: f64,
        /// Least variance that the row allows.
        least: f64,
        /// Greatest variance that the row allows.
        greatest: f64,
    },
    /// The probabilities exist, but 256 keys are too few to come within 0.01 of their mean and variance.
    #[error(
        "no perturbation table has variance {variance}: 256 keys cannot be spread over the noise of a count of {units} so that mean \
         and variance hold within 0.01; choose a variance further from the ends of {least} to {greatest}, what that row allows"
    )]
    Keys {
        /// Row of the table: the count before noise.
        units: u32,
        /// Variance that was asked for.
        variance: f64,
        /// Least variance that the row allows.
        least: f64,
        /// Greatest variance that the row allows.
        greatest: f64,
    },
    /// A parameter that no table can be made with.
    #[error("no perturbation table has {parameter} = {value}: {remedy}")]
    Parameter {
        /// Name of the parameter.
        parameter: &'static str,
        /// Its value.
        value: f64,
        /// What to choose instead.
        remedy: String,
    },
    /// A table file that cannot be read. The text holds no noise: that would give part of the table away.
    #[error("perturbation table, line {line}: {problem}")]
    File {
        /// Line of the file, from 1.
        line: u64,
        /// What is wrong there, and what is expected.
        problem: String,
    },
}
