//! What one body computes: a small relational algebra whose columns are positions, written `c0`, `c1` and so on in its expressions.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::{AggregateUDF, Expr};
use meridian_proto::{DatasetName, Name};

use crate::tables::BODY_COLUMN;

/// A query over one dataset, over each dataset of a standard, or over one dataset and what its owner joins it with.
#[derive(Debug, Clone, PartialEq)]
pub enum Rel {
    /// The rows of a dataset.
    Scan {
        /// Whose rows.
        source: Source,
        /// Which columns, in order.
        columns: Vec<ScanColumn>,
    },
    /// The rows for which the predicate is true.
    Filter {
        /// Over these rows.
        input: Box<Rel>,
        /// Over the input's columns.
        predicate: Expr,
    },
    /// One column for each expression.
    Project {
        /// Over these rows.
        input: Box<Rel>,
        /// Over the input's columns.
        exprs: Vec<Expr>,
    },
    /// One row for each group: the group keys, then the aggregates.
    Aggregate {
        /// Over these rows.
        input: Box<Rel>,
        /// Group keys; none means one row over everything.
        groups: Vec<Expr>,
        /// Aggregates.
        aggs: Vec<Agg>,
    },
    /// The rows of a dataset with those of another body's, which the first one's owner fetches and joins at home. Its columns
    /// are those of the left side, then, but for a semi join, those of the right one.
    Join {
        /// The owner's rows.
        left: Box<Rel>,
        /// The other body's, filtered at most.
        right: Box<Rel>,
        /// Which rows stay.
        how: How,
        /// What is equal.
        on: On,
    },
    /// The first rows by an order. The order of the result itself means nothing.
    Sort {
        /// Over these rows.
        input: Box<Rel>,
        /// The order.
        keys: Vec<Key>,
        /// How many rows; all if none.
        fetch: Option<usize>,
    },
    /// Any rows, some left out.
    Limit {
        /// Over these rows.
        input: Box<Rel>,
        /// How many to leave out.
        skip: usize,
        /// How many rows; all if none.
        fetch: Option<usize>,
    },
}

/// Which rows of a join stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Pairs.
    Inner,
    /// Pairs, and rows of the left side that have no partner.
    Left,
    /// Rows of the left side that have a partner.
    Semi,
}

/// The equality by which rows are joined; NULL equals nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct On {
    /// A column of the left side, bare or cast.
    pub left: Expr,
    /// A column of the right side, by its own positions, bare or cast.
    pub right: Expr,
}

impl On {
    /// The position at the left side, if it is a bare column or a cast one.
    pub fn left_column(&self) -> Option<usize> {
        bare_or_cast(&self.left)
    }

    /// The position at the right side, if it is a bare column or a cast one.
    pub fn right_column(&self) -> Option<usize> {
        bare_or_cast(&self.right)
    }
}

fn bare_or_cast(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Cast(cast) => position(&cast.expr),
        other => position(other),
    }
}

/// Whose rows are scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// One dataset.
    Dataset(DatasetName),
    /// Each dataset of a standard: a template.
    Every(Name),
}

/// A column of a scan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScanColumn {
    /// A published column.
    Named(String),
    /// The name of the body; only in a template.
    Body,
}

/// An aggregate.
#[derive(Debug, Clone)]
pub struct Agg {
    /// The function.
    pub func: Arc<AggregateUDF>,
    /// Its arguments over the input's columns.
    pub args: Vec<Expr>,
    /// Over distinct arguments only.
    pub distinct: bool,
    /// Over those rows only.
    pub filter: Option<Expr>,
}

impl PartialEq for Agg {
    fn eq(&self, other: &Self) -> bool {
        let Self { func, args, distinct, filter } = self;
        func.name() == other.func.name()
            && *args == other.args
            && *distinct == other.distinct
            && *filter == other.filter
    }
}

/// One key of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Over the input's columns.
    pub expr: Expr,
    /// Smallest first.
    pub asc: bool,
    /// NULL before all values.
    pub nulls_first: bool,
}

impl Rel {
    /// Number of columns.
    pub fn width(&self) -> usize {
        match self {
            Self::Scan { columns, .. } => columns.len(),
            Self::Project { exprs, .. } => exprs.len(),
            Self::Aggregate { groups, aggs, .. } => groups.len() + aggs.len(),
            Self::Join { left, how: How::Semi, .. } => left.width(),
            Self::Join { left, right, how: How::Inner | How::Left, .. } => left.width() + right.width(),
            Self::Filter { input, .. } | Self::Sort { input, .. } | Self::Limit { input, .. } => input.width(),
        }
    }

    /// What stands at this position, for people: a published column, or what is made of some.
    pub fn label(&self, index: usize) -> String {
        let over = |input: &Rel, expr: &Expr| {
            let named = replace(expr.clone(), |index| Expr::Column(Column::new_unqualified(input.label(index))));
            named.map_or_else(|_| "an expression".to_owned(), |expr| expr.human_display().to_string())
        };
        match self {
            Self::Scan { columns, .. } => match columns.get(index) {
                Some(ScanColumn::Named(name)) => name.clone(),
                Some(ScanColumn::Body) => BODY_COLUMN.to_owned(),
                None => String::new(),
            },
            Self::Project { input, exprs } => exprs.get(index).map_or_else(String::new, |expr| over(input, expr)),
            Self::Aggregate { input, groups, aggs } => {
                match (groups.get(index), aggs.get(index.wrapping_sub(groups.len()))) {
                    (Some(group), _) => over(input, group),
                    (None, Some(Agg { func, args, distinct, filter })) => {
                        let args: Vec<String> = args
                            .iter()
                            .map(|arg| match arg {
                                Expr::Literal(..) => "*".to_owned(),
                                arg => over(input, arg),
                            })
                            .collect();
                        let distinct = if *distinct { "DISTINCT " } else { "" };
                        let filter = filter
                            .as_ref()
                            .map_or_else(String::new, |filter| format!(" where {}", over(input, filter)));
                        format!("{}({distinct}{}){filter}", func.name(), args.join(", "))
                    }
                    (None, None) => String::new(),
                }
            }
            Self::Join { left, .. } if index < left.width() => left.label(index),
            Self::Join { left, right, .. } => right.label(index - left.width()),
            Self::Filter { input, .. } | Self::Sort { input, .. } | Self::Limit { input, .. } => input.label(index),
        }
    }

    /// The scanned column that stands unchanged at this position, if it is one of the dataset that the query is over.
    pub fn origin(&self, index: usize) -> Option<&ScanColumn> {
        match self {
            Self::Scan { columns, .. } => columns.get(index),
            Self::Project { input, exprs } => input.origin(position(exprs.get(index)?)?),
            Self::Aggregate { input, groups, .. } => input.origin(position(groups.get(index)?)?),
            Self::Join { left, .. } => left.origin(index),
            Self::Filter { input, .. } | Self::Sort { input, .. } | Self::Limit { input, .. } => input.origin(index),
        }
    }
}

/// The column at a position.
pub fn column(index: usize) -> Expr {
    Expr::Column(Column::new_unqualified(format!("c{index}")))
}

/// The position, if the expression is nothing but a column.
pub fn position(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Column(Column { relation: None, name, .. }) => name.strip_prefix('c')?.parse().ok(),
        _ => None,
    }
}

/// The positions that an expression uses.
pub fn used(expr: &Expr) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    // The closure never fails.
    let _ = expr.apply(|part| {
        found.extend(position(part));
        Ok(TreeNodeRecursion::Continue)
    });
    found
}

/// The expression with every column replaced.
pub fn replace(expr: Expr, mut by: impl FnMut(usize) -> Expr) -> Result<Expr> {
    expr.transform_up(|part| {
        Ok(match position(&part) {
            Some(index) => Transformed::yes(by(index)),
            None => Transformed::no(part),
        })
    })
    .data()
}
