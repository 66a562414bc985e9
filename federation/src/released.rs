//! Counts that another body may withhold: their fields are nullable here, before anything is optimised.
//!
//! SQL's COUNT is never NULL, and an optimizer that knows this turns `COALESCE(fires, 0)` into `fires` and
//! `fires IS NULL` into false. A count over a foreign `statistics` dataset is NULL where it was withheld
//! (invariant I9), so such aggregates get a COUNT whose result may be NULL.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::source_as_provider;
use datafusion::functions_aggregate::count::Count;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, Aggregate, AggregateUDF, AggregateUDFImpl, Expr, GroupsAccumulator, LogicalPlan, Signature,
};
use meridian_proto::Form;

use crate::tables::{EveryTable, ForeignTable};

/// Makes the counts over foreign `statistics` datasets nullable, in an analysed plan.
pub fn nullable_counts(plan: LogicalPlan) -> Result<LogicalPlan> {
    let count = Arc::new(AggregateUDF::from(ReleasedCount::default()));
    let plan = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Aggregate(aggregate) if reads_statistics(&aggregate.input)? => {
            let exprs = aggregate.aggr_expr.into_iter().map(|expr| replaced(expr, &count));
            let exprs = exprs.collect::<Result<Vec<_>>>()?;
            let aggregate = Aggregate::try_new(aggregate.input, aggregate.group_expr, exprs)?;
            Ok(Transformed::yes(LogicalPlan::Aggregate(aggregate)))
        }
        other => Ok(Transformed::yes(other.recompute_schema()?)),
    })?;
    Ok(plan.data)
}

fn replaced(expr: Expr, count: &Arc<AggregateUDF>) -> Result<Expr> {
    let expr = expr.transform_up(|expr| match expr {
        Expr::AggregateFunction(call) if call.func.inner().is::<Count>() => {
            Ok(Transformed::yes(Expr::AggregateFunction(AggregateFunction { func: Arc::clone(count), ..call })))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(expr.data)
}

fn reads_statistics(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let provider = source_as_provider(&scan.source)?;
            let foreign = provider.downcast_ref::<ForeignTable>();
            let every = provider.downcast_ref::<EveryTable>();
            found |= foreign.is_some_and(|table| table.dataset.form == Form::Statistics)
                || every.is_some_and(|table| table.parts.iter().any(|part| part.dataset.form == Form::Statistics));
        }
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// SQL's COUNT, but for that its result may be NULL: withheld. Computed here, it counts as COUNT does.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
struct ReleasedCount(Count);

impl AggregateUDFImpl for ReleasedCount {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.0.return_type(types)
    }

    fn is_nullable(&self) -> bool {
        true
    }

    /// What an absent group stands for: unknown, not 0.
    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        ScalarValue::try_from(data_type)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.0.state_fields(args)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.0.accumulator(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.0.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        self.0.create_groups_accumulator(args)
    }
}
