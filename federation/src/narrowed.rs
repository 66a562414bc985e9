//! An optimizer rule: a cast that can take two values for one stays where it is compared.
//!
//! DataFusion 55.2 moves a cast from one side of a comparison to the constant on the other, in its plans ("unwrap cast in comparison" of
//! `simplify_expressions`) and again over files (`PhysicalExprSimplifier`). Of `CAST(cost AS INTEGER) = 12` it makes `cost = 12.00`, and
//! 12.40 is not found; of `TRY_CAST(id AS INTEGER) <> 5` it makes `id <> 5`, and finds what has no INTEGER. It does so for whole numbers,
//! decimals, dates and timestamps, and keeps its hands off only where timestamps become coarser. Where they become finer it cuts the
//! constant off instead: `at = TIMESTAMP '… 00:00:00.0000005'` finds midnight.
//!
//! The rule puts a function around such casts, which gives what it is given, so that neither place finds a cast there. Nobody can call
//! it by its name; SQL for another body is written without it ([`bare`]), and the session of that body puts it there again.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, FieldRef, TimeUnit};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ScalarValue, internal_datafusion_err};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, TryCast, Volatility,
};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use crate::normal;

static NARROWED: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    Arc::new(ScalarUDF::new_from_impl(Narrowed { signature: Signature::any(1, Volatility::Immutable) }))
});

/// The rule. It comes before the one that moves casts, and again after all others, which may have put a cast into a comparison.
#[derive(Debug)]
pub(crate) struct KeepNarrowed {
    name: &'static str,
}

impl KeepNarrowed {
    /// Before all other rules.
    pub(crate) const FIRST: Self = Self { name: "keep_narrowed" };
    /// Behind all other rules: what is left in a plan goes to the files.
    pub(crate) const LAST: Self = Self { name: "keep_narrowed_at_last" };
}

impl OptimizerRule for KeepNarrowed {
    fn name(&self) -> &str {
        self.name
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let schema = match &plan {
            // What is read of a table may be fewer columns than its filters are over.
            LogicalPlan::TableScan(scan) => {
                DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?
            }
            plan => merge_schema(&plan.inputs()),
        };
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expr| {
            let name = names.save(&expr);
            Ok(marked(expr, &schema)?.update_data(|expr| name.restore(expr)))
        })
    }
}

/// The expression with a mark around each cast in a comparison that can take two values for one, or none for some.
pub(crate) fn marked(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    expr.transform_down(|part| {
        if !compares(&part) {
            return Ok(Transformed::no(part));
        }
        let grain = grain(&part)?;
        let part = part.map_children(|operand| {
            operand.transform_down(|part| match part {
                Expr::ScalarFunction(call) if is_mark(&call) => Ok(jump(Transformed::no(Expr::ScalarFunction(call)))),
                part if is_narrowed(&part, schema, grain) => Ok(jump(Transformed::yes(mark(part, schema, grain)?))),
                part => Ok(Transformed::no(part)),
            })
        })?;
        Ok(jump(part))
    })
}

/// The expression without marks.
pub(crate) fn bare(expr: Expr) -> Result<Expr> {
    expr.transform_up(|part| match part {
        Expr::ScalarFunction(call) if is_mark(&call) => {
            let within = call.args.into_iter().next();
            Ok(Transformed::yes(within.ok_or_else(|| internal_datafusion_err!("a mark is around one expression"))?))
        }
        part => Ok(Transformed::no(part)),
    })
    .data()
}

/// A cast within its mark, and those within it within theirs: once an outer cast is moved, an inner one stands in the comparison.
fn mark(cast: Expr, schema: &DFSchema, grain: i64) -> Result<Expr> {
    let cast = cast.map_children(|within| {
        within.transform_down(|part| match part {
            Expr::ScalarFunction(call) if is_mark(&call) => Ok(jump(Transformed::no(Expr::ScalarFunction(call)))),
            part if is_narrowed(&part, schema, grain) => Ok(jump(Transformed::yes(mark(part, schema, grain)?))),
            part => Ok(Transformed::no(part)),
        })
    })?;
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&NARROWED), vec![cast.data])))
}

fn is_mark(call: &ScalarFunction) -> bool {
    call.func.as_ref() == NARROWED.as_ref()
}

/// The same, where what is within is not looked at.
fn jump(mut done: Transformed<Expr>) -> Transformed<Expr> {
    done.tnr = TreeNodeRecursion::Jump;
    done
}

/// Whether an expression compares what it is made of, or the simplifier makes a comparison of it.
fn compares(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr(binary) => binary.op.supports_propagation(),
        Expr::InList(_) | Expr::Between(_) => true,
        Expr::Case(case) => case.expr.is_some(),
        Expr::ScalarFunction(call) => call.name() == "nullif",
        _ => false,
    }
}

/// The coarsest unit, in nanoseconds, that has all the moments which a comparison names; 0 where they are not known.
fn grain(comparison: &Expr) -> Result<i64> {
    let mut grain = i64::MAX;
    comparison.apply_children(|operand| {
        grain = grain.min(match constant(operand) {
            Some(ScalarValue::TimestampSecond(Some(_), _)) => nanos(TimeUnit::Second),
            Some(ScalarValue::TimestampMillisecond(Some(value), _)) => of_moment(value, TimeUnit::Millisecond),
            Some(ScalarValue::TimestampMicrosecond(Some(value), _)) => of_moment(value, TimeUnit::Microsecond),
            Some(ScalarValue::TimestampNanosecond(Some(value), _)) => of_moment(value, TimeUnit::Nanosecond),
            Some(_) => i64::MAX,
            None if is_cast(operand) => i64::MAX,
            None => 0,
        });
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(grain)
}

fn of_moment(value: i64, unit: TimeUnit) -> i64 {
    let whole = |coarse: &TimeUnit| value % (nanos(*coarse) / nanos(unit)).max(1) == 0;
    let units = [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond];
    units.into_iter().find(whole).map_or(1, nanos)
}

/// How many nanoseconds one of a unit has.
fn nanos(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

fn is_cast(expr: &Expr) -> bool {
    matches!(expr, Expr::Cast(_) | Expr::TryCast(_))
}

fn constant(expr: &Expr) -> Option<ScalarValue> {
    if let Expr::Literal(value, _) = expr {
        return Some(value.clone());
    }
    let varies =
        |part: &Expr| matches!(part, Expr::Column(_) | Expr::OuterReferenceColumn(..) | Expr::ScalarSubquery(_));
    if expr.exists(|part| Ok(varies(part))).unwrap_or(true) {
        return None;
    }
    match ExprSimplifier::new(SimplifyContext::default()).simplify(expr.clone()) {
        Ok(Expr::Literal(value, _)) => Some(value),
        Ok(_) | Err(_) => None,
    }
}

/// Whether an expression is a cast that DataFusion would move, and that does not keep its values apart.
fn is_narrowed(expr: &Expr, schema: &DFSchema, grain: i64) -> bool {
    let (Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field })) = expr else { return false };
    if matches!(expr.as_ref(), Expr::Literal(..)) {
        return false;
    }
    // Of what has no type here no cast is moved.
    let Ok(from) = expr.get_type(schema) else { return false };
    let to = field.data_type();
    is_moved(&from) && is_moved(to) && !keeps(&from, to, grain)
}

fn is_moved(data_type: &DataType) -> bool {
    data_type.is_integer()
        || data_type.is_decimal()
        || matches!(data_type, DataType::Date32 | DataType::Date64)
        || matches!(data_type, DataType::Timestamp(..))
}

/// Whether a cast keeps all values apart and in order and has one for each, so that it can be moved.
fn keeps(from: &DataType, to: &DataType, grain: i64) -> bool {
    use DataType::{Date32, Date64, Int32, Int64, Timestamp};
    match (from, to) {
        // Tens and hundreds: the constant's power of ten overflows.
        (from, to) if scale(from) < 0 || scale(to) < 0 => false,
        (from, to) if from == to || normal::widens(from, to) => true,
        (Timestamp(coarse, here), Timestamp(fine, there)) => {
            is_zoned(here.as_deref()) == is_zoned(there.as_deref())
                && (coarse == fine || nanos(*coarse) > nanos(*fine) && nanos(*coarse) <= grain)
        }
        // Never moved.
        (Date32 | Date64, Timestamp(..)) | (Timestamp(..), Date32 | Date64) => true,
        // The same number.
        (Date32, Int32 | Int64)
        | (Int32, Date32)
        | (Date64 | Timestamp(..), Int64)
        | (Int64, Date64 | Timestamp(..)) => true,
        (from, to) if from.is_unsigned_integer() && to.is_unsigned_integer() => {
            from.primitive_width() < to.primitive_width()
        }
        (from, to) if from.is_unsigned_integer() && to.is_signed_integer() => {
            from.primitive_width() < to.primitive_width()
        }
        (from, to) => match (digits(from), digits(to)) {
            (Some((whole, scale)), Some((wider, finer))) => to.is_decimal() && wider >= whole && finer >= scale,
            _ => false,
        },
    }
}

/// Whether a timestamp is read in a zone in which it is another number.
fn is_zoned(zone: Option<&str>) -> bool {
    zone.is_some_and(|zone| !matches!(zone, "+00:00" | "UTC"))
}

fn scale(data_type: &DataType) -> i16 {
    digits(data_type).map_or(0, |(_, scale)| scale)
}

/// Digits before and behind the point, of decimals and whole numbers.
fn digits(data_type: &DataType) -> Option<(i16, i16)> {
    Some(match data_type {
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => (i16::from(*precision) - i16::from(*scale), i16::from(*scale)),
        DataType::Int8 | DataType::UInt8 => (3, 0),
        DataType::Int16 | DataType::UInt16 => (5, 0),
        DataType::Int32 | DataType::UInt32 => (10, 0),
        DataType::Int64 => (19, 0),
        DataType::UInt64 => (20, 0),
        _ => return None,
    })
}

/// Gives what it is given.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Narrowed {
    signature: Signature,
}

impl ScalarUDFImpl for Narrowed {
    fn name(&self) -> &str {
        "narrowed"
    }

    /// With the type in it: two casts of one column are two keys of a join.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(format!("{}({})", self.name(), within(args)?))
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Ok(within(args)?.to_string())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        within(types).cloned()
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        within(args.arg_fields).map(Arc::clone)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        within(&args.args).cloned()
    }
}

fn within<T>(args: &[T]) -> Result<&T> {
    args.first().ok_or_else(|| internal_datafusion_err!("a mark is around one expression"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::datatypes::{Field, Schema};
    use datafusion::logical_expr::{cast, lit};

    use super::*;

    const MOMENT: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

    #[test]
    fn only_casts_that_keep_all_values_apart_are_left_to_be_moved() {
        let cost = DataType::Decimal128(10, 2);
        let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("Europe/London".into()));
        for (from, to, kept) in [
            (DataType::Int32, DataType::Int64, true),
            (DataType::UInt8, DataType::Int32, true),
            (DataType::UInt64, DataType::Int64, false),
            (DataType::Int32, DataType::UInt64, false),
            (DataType::Int64, DataType::Int32, false),
            (DataType::Int64, DataType::Decimal128(21, 2), true),
            (DataType::Int64, DataType::Decimal128(20, 2), false),
            (DataType::UInt64, DataType::Decimal64(18, 0), false),
            (cost.clone(), DataType::Decimal128(12, 3), true),
            (cost.clone(), DataType::Decimal128(12, 1), false),
            (cost.clone(), DataType::Int64, false),
            (DataType::Decimal128(8, 0), DataType::Int64, false),
            (DataType::Decimal128(8, -2), DataType::Decimal128(20, 2), false),
            (DataType::Date32, DataType::Int64, true),
            (MOMENT, DataType::Date32, true),
            (MOMENT, DataType::Timestamp(TimeUnit::Nanosecond, None), true),
            (MOMENT, DataType::Timestamp(TimeUnit::Second, None), false),
            (MOMENT, zoned, false),
            // Never moved.
            (DataType::Float64, DataType::Int32, true),
            (cost, DataType::Utf8, true),
        ] {
            let schema = DFSchema::try_from(Schema::new(vec![Field::new("c0", from.clone(), true)])).unwrap();
            let zero = ScalarValue::new_zero(&to).unwrap_or(ScalarValue::from("0"));
            let compared = cast(crate::rel::column(0), to.clone()).eq(lit(zero));
            let found = marked(compared.clone(), &schema).unwrap();
            assert_eq!(found.transformed, !kept, "{from} as {to}");
            assert_eq!(marked(found.data.clone(), &schema).unwrap().data, found.data, "a mark is put once");
            assert_eq!(bare(found.data).unwrap(), compared);
        }
    }

    #[test]
    fn a_moment_between_two_of_the_column_is_not_cut_off() {
        let schema = DFSchema::try_from(Schema::new(vec![Field::new("c0", MOMENT, true)])).unwrap();
        for (value, is_marked) in [(2_000, false), (-5_000_000_000, false), (1, true), (-1_500, true)] {
            let moment = lit(ScalarValue::TimestampNanosecond(Some(value), None));
            let compared = cast(crate::rel::column(0), DataType::Timestamp(TimeUnit::Nanosecond, None)).lt(moment);
            assert_eq!(marked(compared, &schema).unwrap().transformed, is_marked, "{value}");
        }
    }
}
