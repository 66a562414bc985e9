//! Counts that another body may withhold: their fields are nullable here, before anything is optimised.
//!
//! SQL's COUNT is never NULL, and an optimizer that knows this turns `COALESCE(fires, 0)` into `fires` and
//! `fires IS NULL` into false. A count over a foreign `statistics` dataset is NULL where it was withheld
//! (invariant I9), so such aggregates get a COUNT whose result may be NULL.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchemaRef, Result, ScalarValue};
use datafusion::datasource::source_as_provider;
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::count::Count;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, Aggregate, AggregateUDF, AggregateUDFImpl, Expr, Extension, GroupsAccumulator, LogicalPlan, Signature,
    UserDefinedLogicalNodeCore,
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

/// Keeps filters above the aggregates that other bodies release as statistics, while a plan is optimised.
///
/// `HAVING property_type LIKE 'House%'`, or a condition on an open table that a join implies for the group key, is a
/// choice among released cells. Pushed below the aggregate it would be a choice of rows, which the owner refuses.
/// What the analyst wrote below the aggregate stays there.
pub fn keep_filters_above(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|node| match node {
        // Correlated aggregates are turned into joins by the optimizer, which must see them.
        LogicalPlan::Aggregate(_) if correlated(&node) => Ok(Transformed::no(node)),
        LogicalPlan::Aggregate(ref aggregate)
            if reads_statistics(&aggregate.input)? && !holds_cells(&aggregate.input)? =>
        {
            Ok(Transformed::yes(LogicalPlan::Extension(Extension { node: Arc::new(CellsNode { input: node }) })))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(plan.data)
}

/// Takes away again what [`keep_filters_above`] put in.
pub(crate) fn without_marks(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Extension(Extension { node }) if node.as_any().is::<CellsNode>() => {
            let input = node.inputs().first().map(|input| (*input).clone());
            let input = input.ok_or_else(|| DataFusionError::Internal("a mark without input".into()))?;
            Ok(Transformed::yes(input))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(plan.data)
}

fn holds_cells(plan: &LogicalPlan) -> Result<bool> {
    plan.exists(|node| {
        Ok(matches!(node, LogicalPlan::Extension(Extension { node }) if node.as_any().is::<CellsNode>()))
    })
}

fn correlated(plan: &LogicalPlan) -> bool {
    plan.exists(|node| Ok(!node.all_out_ref_exprs().is_empty())).unwrap_or(true)
}

/// Marks the cells of a release: nothing is pushed through it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd)]
struct CellsNode {
    input: LogicalPlan,
}

impl UserDefinedLogicalNodeCore for CellsNode {
    fn name(&self) -> &str {
        "Cells"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Cells")
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        match <[LogicalPlan; 1]>::try_from(inputs) {
            Ok([input]) => Ok(Self { input }),
            Err(_) => Err(DataFusionError::Internal("marked cells have one input".into())),
        }
    }
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

/// Whether a plan scans a dataset of another body that leaves as statistics.
pub(crate) fn reads_statistics(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let provider = source_as_provider(&scan.source)?;
            let foreign = provider.downcast_ref::<ForeignTable>();
            let every = provider.downcast_ref::<EveryTable>();
            found |= foreign.is_some_and(|table| table.dataset.form == Form::Statistics)
                || every.is_some_and(|table| table.has_statistics);
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
