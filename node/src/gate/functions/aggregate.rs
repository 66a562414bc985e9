//! Aggregate functions by their canonical names. Which of them are admitted at a release point is decided there, figure
//! by figure (`below/aggregates`): a release replaces them by its own.

use super::Class::{self, Above};
use super::Totality::{MadeTotal, Total};

/// All of them. Sums of integers wrap and those of floating point become infinite, so that neither fails; of decimals an
/// average can overflow, and is refused for those that are so wide (`total`).
pub(super) const AGGREGATE: &[(&str, Class)] = &[
    ("any_value", Above(Total)),
    ("approx_distinct", Above(Total)),
    ("approx_median", Above(Total)),
    ("approx_percentile_cont", Above(Total)),
    ("approx_percentile_cont_with_weight", Above(Total)),
    ("array_agg", Above(Total)),
    ("avg", Above(MadeTotal)),
    ("bit_and", Above(Total)),
    ("bit_or", Above(Total)),
    ("bit_xor", Above(Total)),
    ("bool_and", Above(Total)),
    ("bool_or", Above(Total)),
    ("corr", Above(Total)),
    ("count", Above(Total)),
    ("covar_pop", Above(Total)),
    ("covar_samp", Above(Total)),
    ("first_value", Above(Total)),
    ("grouping", Above(Total)),
    ("last_value", Above(Total)),
    ("max", Above(Total)),
    ("median", Above(Total)),
    ("min", Above(Total)),
    ("nth_value", Above(Total)),
    ("percentile_cont", Above(Total)),
    ("regr_avgx", Above(Total)),
    ("regr_avgy", Above(Total)),
    ("regr_count", Above(Total)),
    ("regr_intercept", Above(Total)),
    ("regr_r2", Above(Total)),
    ("regr_slope", Above(Total)),
    ("regr_sxx", Above(Total)),
    ("regr_sxy", Above(Total)),
    ("regr_syy", Above(Total)),
    ("stddev", Above(Total)),
    ("stddev_pop", Above(Total)),
    ("string_agg", Above(Total)),
    ("sum", Above(Total)),
    ("var", Above(Total)),
    ("var_pop", Above(Total)),
];
