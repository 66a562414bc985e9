//! Percentiles of a measure that declares bands: made of the counts of its bands, each a cell of its own.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, lit};

use super::aggregates::{Asked, Asking, Contribution};
use super::constants::constant;
use super::totals::{CastKind, cast_kind};
use super::{Below, Kind, Origin};
use crate::gate::Refused;
use crate::gate::facts::Decision;
use crate::gate::release::{Output, Percentile};

/// Whether an aggregate function is a percentile.
pub(super) fn is_percentile(name: &str) -> bool {
    matches!(name, "median" | "approx_median" | "percentile_cont" | "approx_percentile_cont")
}

impl Below {
    /// MEDIAN and the percentile functions, with or without WITHIN GROUP.
    pub(super) fn percentile(
        &self,
        call: &AggregateFunction,
        asking: &mut Asking,
        decision: &mut Decision,
    ) -> Result<(), Refused> {
        let params = &call.params;
        if params.distinct || params.null_treatment.is_some() {
            return Err(self.aggregate_refused(call, "of distinct values"));
        }
        let Some((measure, rest)) = params.args.split_first() else {
            return Err(self.aggregate_refused(call, "of nothing"));
        };
        let share = match (call.func.name(), rest.first()) {
            ("median" | "approx_median", _) => 0.5,
            (_, Some(share)) => self.share(call, share, decision)?,
            (_, None) => return Err(self.aggregate_refused(call, "without the percentile")),
        };
        let descending = match params.order_by.as_slice() {
            [] => false,
            [order] if self.uncast(&order.expr)? == self.uncast(measure)? => !order.asc,
            _ => return Err(self.aggregate_refused(call, "in the order of anything but its measure")),
        };
        let share = if descending { 1.0 - share } else { share };
        let filter = params.filter.as_ref().map(|filter| self.predicate(filter, decision)).transpose()?;
        let (value, origin) = self.value(self.uncast(measure)?, decision)?;
        if origin.kind != Kind::Measure || !origin.bare {
            return Err(origin.misused("take a percentile of"));
        }
        let (edges, conditions) = self.bands(call, &value, &origin)?;
        let counted = conditions.into_iter().map(|condition| {
            let condition = [condition, filter.clone()].into_iter().flatten().reduce(Expr::and);
            asking.figure(Asked { contribution: Contribution::Rows { of: Some(value.clone()) }, filter: condition })
        });
        let figures = counted.collect();
        asking.outputs.push(Output::Percentile(Percentile { share, edges, figures }));
        decision.rule("statistics.percentile");
        decision.notice(&format!(
            "percentiles of {} of {} are interpolated within its declared bands ({}), from released counts",
            origin.name,
            origin.leaf.name,
            origin.bands()
        ));
        Ok(())
    }

    /// The measure without the cast that a function puts around its argument.
    fn uncast<'a>(&self, mut value: &'a Expr) -> Result<&'a Expr, Refused> {
        while let Expr::Cast(Cast { expr, field }) = value {
            let from = expr.get_type(self.plan.schema())?;
            if cast_kind(&from, field.data_type()) != CastKind::Lossless {
                break;
            }
            value = expr;
        }
        Ok(value)
    }

    fn share(&self, call: &AggregateFunction, share: &Expr, decision: &Decision) -> Result<f64, Refused> {
        let known = constant(share, decision.now)?.and_then(|share| {
            match share.cast_to(&arrow::datatypes::DataType::Float64) {
                Ok(ScalarValue::Float64(share)) => share,
                _ => None,
            }
        });
        let known = known.filter(|share| (0.0..=1.0).contains(share));
        known.ok_or_else(|| self.aggregate_refused(call, "of anything but a constant from 0 to 1"))
    }

    /// The edges of the bands, and of each band the condition that a value is in it: none where there is one band.
    #[expect(clippy::type_complexity, reason = "edges and conditions, side by side")]
    fn bands(
        &self,
        call: &AggregateFunction,
        value: &Expr,
        origin: &Origin,
    ) -> Result<(Vec<f64>, Vec<Option<Expr>>), Refused> {
        let bounds = origin.leaf.column(&origin.name).and_then(|column| column.bounds);
        let (Some(bands), Some((low, high))) = (origin.leaf.bands(&origin.name), bounds) else {
            return Err(self.aggregate_refused(call, "of a measure that declares no bands"));
        };
        let number = |band: &ScalarValue| match band.cast_to(&arrow::datatypes::DataType::Float64) {
            Ok(ScalarValue::Float64(number)) => number,
            _ => None,
        };
        let cuts: Vec<(f64, ScalarValue)> =
            bands.iter().filter_map(|band| Some((number(band)?, band.clone()))).collect();
        let cuts: Vec<(f64, ScalarValue)> = cuts.into_iter().filter(|(cut, _)| *cut > low && *cut < high).collect();
        let edges = [low].into_iter().chain(cuts.iter().map(|(cut, _)| *cut)).chain([high]).collect();
        let from = |at: usize| cuts.get(at).map(|(_, cut)| value.clone().gt_eq(lit(cut.clone())));
        let until = |at: usize| cuts.get(at).map(|(_, cut)| value.clone().lt(lit(cut.clone())));
        let condition = |band: usize| {
            let from = band.checked_sub(1).and_then(from);
            [from, until(band)].into_iter().flatten().reduce(Expr::and)
        };
        Ok((edges, (0..=cuts.len()).map(condition).collect()))
    }
}
