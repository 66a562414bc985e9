//! What the descriptions promise of every row: one value of a column, or a range, by which bodies are not asked and are told apart.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, DFSchemaRef, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::interval_arithmetic::{Interval, NullableInterval};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, Operator, TryCast};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use meridian_proto::{Column, Covers, Dataset};

use crate::alternative::Part;
use crate::narrowed;
use crate::normal;
use crate::rel::{self, Rel, ScanColumn};
use crate::tables::arrow_type;

/// What is known to stand in a column in every row of a part: the body's name, or the one value of its coverage.
pub(crate) fn known(rel: &Rel, index: usize, part: &Part) -> Option<ScalarValue> {
    match origin(rel, index, part)? {
        Origin::Body => Some(ScalarValue::from(part.name.body.as_str())),
        Origin::Column(dataset, column) => match covers(column, dataset)? {
            Covers::Value(text) => constant(text, column),
            Covers::Range { .. } => None,
        },
    }
}

/// Between which values a column lies in every row of a part; it is NULL in none.
fn range(rel: &Rel, index: usize, part: &Part) -> Option<Interval> {
    let Origin::Column(dataset, column) = origin(rel, index, part)? else { return None };
    let Covers::Range { from, to } = covers(column, dataset)? else { return None };
    if !column.column_type.has_ranges() {
        return None;
    }
    let end = |text: &Option<String>| match text {
        Some(text) => constant(text, column),
        None => ScalarValue::try_from(&arrow_type(column.column_type)).ok(),
    };
    Interval::try_new(end(from)?, end(to)?).ok()
}

/// The least and the greatest value that may stand in a column of a part; NULL where there is none.
pub(crate) struct Span {
    from: ScalarValue,
    to: ScalarValue,
}

/// Between which values a column of a part lies, none of which is NULL. Floating point has no spans: a join takes -0 for 0, an order
/// does not.
pub(crate) fn span(rel: &Rel, index: usize, part: &Part) -> Option<Span> {
    if let Some(value) = known(rel, index, part) {
        if value.data_type().is_floating() {
            return None;
        }
        return Some(Span { from: value.clone(), to: value });
    }
    let range = range(rel, index, part)?;
    Some(Span { from: range.lower().clone(), to: range.upper().clone() })
}

/// Whether nothing that lies in a span of one owner lies in a span of another.
pub(crate) fn are_apart<T: PartialEq>(mut spans: Vec<(T, Span)>) -> bool {
    let types = spans.iter().map(|(_, span)| span.from.data_type());
    if types.collect::<HashSet<_>>().len() > 1 {
        return false;
    }
    // NULL is less than any value, and so is the end of nothing before it.
    spans.sort_by(|(_, one), (_, other)| one.from.partial_cmp(&other.from).unwrap_or(Ordering::Equal));
    let mut last: Option<(T, ScalarValue)> = None;
    for (owner, Span { from, to }) in spans {
        last = match last {
            Some((known, end)) if known == owner => {
                Some((owner, if end.is_null() || !to.is_null() && to < end { end } else { to }))
            }
            Some((_, end)) if end.is_null() || end.partial_cmp(&from) != Some(Ordering::Less) => return false,
            _ => Some((owner, to)),
        };
    }
    true
}

/// What stands at a position of a part's query.
enum Origin<'a> {
    Body,
    Column(&'a Dataset, &'a Column),
}

fn origin<'a>(rel: &Rel, index: usize, part: &'a Part) -> Option<Origin<'a>> {
    let (source, column) = rel.origin(index)?;
    let part = part.of(source)?;
    match column {
        ScanColumn::Body => Some(Origin::Body),
        ScanColumn::Named(name) => part.dataset.column(name).map(|column| Origin::Column(&part.dataset, column)),
    }
}

fn covers<'a>(column: &Column, dataset: &'a Dataset) -> Option<&'a Covers> {
    dataset.coverage.iter().find(|coverage| coverage.column == column.name).map(|coverage| &coverage.covers)
}

/// A constant of the column's own type.
fn constant(text: &str, column: &Column) -> Option<ScalarValue> {
    let value = ScalarValue::try_from_string(text.to_owned(), &arrow_type(column.column_type)).ok()?;
    (!value.is_null()).then_some(value)
}

/// Whether some conjunct can't be true in any row of the part.
pub(crate) fn rules_out(rel: &Rel, conjuncts: &[Expr], part: &Part) -> bool {
    conjuncts.iter().any(|conjunct| never(conjunct, rel, part).unwrap_or(false))
}

/// Whether a conjunct is FALSE or NULL in every row of the part, as far as DataFusion finds out.
fn never(conjunct: &Expr, rel: &Rel, part: &Part) -> Result<bool> {
    let all = rel::used(conjunct);
    let values: BTreeMap<usize, ScalarValue> =
        all.iter().filter_map(|index| Some((*index, known(rel, *index, part)?))).collect();
    let conjunct = rel::replace(conjunct.clone(), |index| match values.get(&index) {
        Some(value) => Expr::Literal(value.clone(), None),
        None => rel::column(index),
    })?;
    let open: Vec<usize> = all.into_iter().filter(|index| !values.contains_key(index)).collect();
    let ranges: Vec<(Expr, NullableInterval)> = open
        .iter()
        .filter_map(|index| Some((*index, range(rel, *index, part)?)))
        .filter(|(index, values)| !is_computed_with(&conjunct, *index, &values.data_type()))
        .map(|(index, values)| (rel::column(index), NullableInterval::NotNull { values }))
        .collect();
    if values.is_empty() && ranges.is_empty() && !open.is_empty() {
        return Ok(false);
    }
    let schema = schema(rel, &open, part)?;
    let conjunct = narrowed::marked(conjunct, &schema)?.data;
    let context = SimplifyContext::builder().with_schema(schema).build();
    let found = ExprSimplifier::new(context).with_guarantees(ranges).simplify(conjunct)?;
    Ok(matches!(found, Expr::Literal(value, _) if value.is_null() || value == ScalarValue::from(false)))
}

/// Whether a column stands in anything but comparisons. Intervals know few operators, and some panic where an end overflows.
fn is_computed_with(conjunct: &Expr, index: usize, data_type: &DataType) -> bool {
    let is_found = conjunct.exists(|part| {
        let computes = match part {
            Expr::BinaryExpr(BinaryExpr { op, .. }) => !compares(*op),
            Expr::Cast(Cast { field, .. }) | Expr::TryCast(TryCast { field, .. }) => {
                !normal::widens(data_type, field.data_type())
            }
            _ => false,
        };
        Ok(computes && rel::used(part).contains(&index))
    });
    is_found.unwrap_or(true)
}

fn compares(operator: Operator) -> bool {
    matches!(
        operator,
        Operator::And
            | Operator::Or
            | Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

/// The types of the columns at some positions. Any may be NULL: an outer join may have made it so.
fn schema(rel: &Rel, indices: &[usize], part: &Part) -> Result<DFSchemaRef> {
    let fields = indices.iter().filter_map(|index| {
        let Origin::Column(_, column) = origin(rel, *index, part)? else { return None };
        Some(Field::new(format!("c{index}"), arrow_type(column.column_type), true))
    });
    Ok(Arc::new(DFSchema::try_from(Schema::new(fields.collect::<Vec<_>>()))?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn floating_point_has_no_span() {
        use crate::rel::Source;
        use crate::tests::world::{World, name};

        let mut world = World::default();
        let rows = arrow::array::RecordBatch::new_empty(Arc::new(Schema::empty()));
        let columns = "level:double:dimension,step:integer:dimension";
        world.add("north", "visits", columns, rows, meridian_proto::Form::Open, 1);
        world.covers("level", Covers::Value("-0".into()));
        world.covers("step", Covers::Value("0".into()));
        let holding = &world.holdings[0];
        let part = Part::new(holding.name.body.clone().into(), holding.name.clone(), Arc::clone(&holding.dataset));
        let columns = ["level", "step"].map(|column| ScanColumn::Named(name(column).to_string()));
        let rel = Rel::Scan { source: Source::Dataset(holding.name.clone()), columns: columns.to_vec() };
        assert!(known(&rel, 0, &part).is_some());
        assert!(span(&rel, 0, &part).is_none());
        assert!(span(&rel, 1, &part).is_some());
    }

    #[test]
    fn only_casts_that_keep_every_value_let_a_range_through() {
        let cost = DataType::Decimal128(10, 2);
        for (from, to, kept) in [
            (DataType::Int32, DataType::Int64, true),
            (DataType::Int64, DataType::Int32, false),
            (DataType::Int64, DataType::Decimal128(20, 0), true),
            (DataType::Int64, DataType::Decimal128(20, 2), false),
            (cost.clone(), DataType::Decimal128(12, 3), true),
            (cost.clone(), DataType::Decimal128(12, 1), false),
            (cost.clone(), DataType::Int64, false),
            (cost, DataType::Utf8, false),
            (DataType::Date32, DataType::Date32, true),
        ] {
            let conjunct = datafusion::logical_expr::cast(rel::column(0), to.clone()).is_not_null();
            assert_eq!(is_computed_with(&conjunct, 0, &from), !kept, "{from} as {to}");
        }
    }
}
