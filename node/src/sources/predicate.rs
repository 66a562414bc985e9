//! Parses an agreement's row filter into an expression over the published columns.

use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::prelude::SessionContext;
use meridian_proto::Dataset;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNode;

use super::mapping::planner_words;
use super::{SourceError, published_schema};

/// A predicate over `dataset`'s published columns, each named without a qualifier. Types are not coerced yet.
pub fn predicate(dataset: &Dataset, sql: &str) -> Result<Expr, SourceError> {
    let wrong = |why: String| SourceError::Predicate { dataset: dataset.name.clone(), why };
    let schema = DFSchema::try_from(published_schema(dataset)).map_err(|error| wrong(planner_words(&error)))?;
    let parsed = SessionContext::new().parse_sql_expr(sql, &schema).map_err(|error| wrong(planner_words(&error)))?;
    let found = parsed.get_type(&schema).map_err(|error| wrong(planner_words(&error)))?;
    if found != DataType::Boolean {
        return Err(wrong("it is no predicate; write a comparison of published columns".into()));
    }
    if parsed.is_volatile() || parsed.exists(|node| Ok(beyond_the_row(node))).unwrap_or(true) {
        return Err(wrong(
            "it may hold no subquery, aggregate, window or volatile function; write a comparison of published columns"
                .into(),
        ));
    }
    Ok(parsed)
}

fn beyond_the_row(expression: &Expr) -> bool {
    matches!(
        expression,
        Expr::ScalarSubquery(_)
            | Expr::InSubquery(_)
            | Expr::Exists(_)
            | Expr::SetComparison(_)
            | Expr::AggregateFunction(_)
            | Expr::WindowFunction(_)
            | Expr::Placeholder(_)
            | Expr::OuterReferenceColumn(_, _)
            | Expr::Unnest(_)
    )
}
