//! The mark in a logical plan.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use datafusion::common::DFSchemaRef;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};

use super::Mark;

/// A marked plan; its rows are its input's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd)]
pub(in super::super) struct GovernedNode {
    mark: Mark,
    dataset: String,
    input: Arc<LogicalPlan>,
}

/// A marked plan.
pub(in super::super) fn node(mark: Mark, dataset: &str, input: LogicalPlan) -> LogicalPlan {
    let node = GovernedNode { mark, dataset: dataset.to_owned(), input: Arc::new(input) };
    LogicalPlan::Extension(Extension { node: Arc::new(node) })
}

impl GovernedNode {
    pub(in super::super) fn mark(&self) -> Mark {
        self.mark
    }

    pub(in super::super) fn dataset(&self) -> &str {
        &self.dataset
    }
}

impl UserDefinedLogicalNodeCore for GovernedNode {
    fn name(&self) -> &str {
        "Governed"
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

    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        match self.mark {
            Mark::Protected => HashSet::new(),
            Mark::Barrier => self.schema().fields().iter().map(|field| field.name().clone()).collect(),
        }
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![output_columns.to_vec()])
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Governed: {}, {:?}", self.dataset, self.mark)
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let Ok([input]) = <[_; 1]>::try_from(inputs) else {
            return Err(DataFusionError::Internal("a mark has one input".into()));
        };
        if !exprs.is_empty() {
            return Err(DataFusionError::Internal("a mark has no expressions".into()));
        }
        Ok(Self { mark: self.mark, dataset: self.dataset.clone(), input: Arc::new(input) })
    }
}
