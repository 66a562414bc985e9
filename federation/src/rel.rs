//! What one body computes: a small relational algebra whose columns are positions, written `c0`, `c1` and so on in its expressions.
//!
//! A query may have more columns than the plan that it stands for: those behind the plan's own are never read.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::BinaryExpr;
use datafusion::logical_expr::{AggregateUDF, Expr, Operator, WindowFrameUnits, WindowUDF};
use meridian_proto::{DatasetName, Name};

use crate::tables::BODY_COLUMN;

/// A query over datasets of one body, over each dataset of a standard, or over datasets and what their owner joins them with.
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
        /// Grouping sets, each by positions among the group keys; the keys that are not in a set are NULL in its rows.
        sets: Option<Vec<Vec<usize>>>,
        /// Aggregates.
        aggs: Vec<Agg>,
    },
    /// The rows, and behind their columns one for each window function.
    Window {
        /// Over these rows.
        input: Box<Rel>,
        /// The functions.
        calls: Vec<Call>,
    },
    /// The rows of two sides with each other. The columns are those of the left side, then those of the right one where
    /// its rows show. The right side may belong to another body, whose rows the left one's owner fetches and joins at home.
    Join {
        /// These rows.
        left: Box<Rel>,
        /// And these.
        right: Box<Rel>,
        /// Which rows stay.
        how: How,
        /// What must be true of a pair, over the columns of both sides; all of it.
        on: Vec<Expr>,
    },
    /// The rows of all, each as often as it is there.
    Union {
        /// Two or more of the same width.
        inputs: Vec<Rel>,
    },
    /// The first rows by an order. The order of the result itself means nothing.
    Sort {
        /// Over these rows.
        input: Box<Rel>,
        /// The order.
        keys: Vec<Key>,
        /// How many to leave out.
        skip: usize,
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
    /// Pairs, and rows of the right side that have no partner.
    Right,
    /// Pairs, and rows of either side that have no partner.
    Full,
    /// Rows of the left side that have a partner.
    Semi,
    /// Rows of the left side that have no partner.
    Anti,
    /// `NOT IN`: rows of the left side that have no partner and can't have one, were the NULLs known. One equality.
    NotIn,
    /// Rows of the left side, and behind them the first column of the right side's one row, NULL if there is none: the value of
    /// a subquery. More rows are an error.
    Value,
}

impl How {
    /// Whether the right side's columns are among those of the join.
    pub fn shows_right(self) -> bool {
        match self {
            Self::Inner | Self::Left | Self::Right | Self::Full | Self::Value => true,
            Self::Semi | Self::Anti | Self::NotIn => false,
        }
    }

    /// Whether a value of the left side, of the right side stands unchanged in the join, rather than perhaps NULL in its place.
    fn keeps(self) -> (bool, bool) {
        match self {
            Self::Inner => (true, true),
            Self::Left | Self::Value => (true, false),
            Self::Right => (false, true),
            Self::Full => (false, false),
            Self::Semi | Self::Anti | Self::NotIn => (true, false),
        }
    }
}

/// The two sides of an equality in which NULL equals nothing.
pub fn equality(conjunct: &Expr) -> Option<(&Expr, &Expr)> {
    match conjunct {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => Some((left, right)),
        _ => None,
    }
}

/// The position, if the expression is nothing but a column or the cast of one.
pub fn bare_or_cast(expr: &Expr) -> Option<usize> {
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

/// A window function.
#[derive(Debug, Clone)]
pub struct Call {
    /// The function.
    pub func: Func,
    /// Its arguments over the input's columns.
    pub args: Vec<Expr>,
    /// Over distinct arguments only.
    pub distinct: bool,
    /// Over those rows only.
    pub filter: Option<Expr>,
    /// Whether NULLs are passed over; as the function has it, if none.
    pub ignores_nulls: Option<bool>,
    /// The rows with the same values of these are a partition.
    pub partition: Vec<Expr>,
    /// The order within it.
    pub order: Vec<Key>,
    /// Which of its rows a row sees.
    pub frame: Frame,
}

/// What is computed over a window.
#[derive(Debug, Clone)]
pub enum Func {
    /// An aggregate.
    Aggregate(Arc<AggregateUDF>),
    /// What exists over windows only.
    Window(Arc<WindowUDF>),
}

impl Func {
    /// Its name in SQL.
    pub fn name(&self) -> &str {
        match self {
            Self::Aggregate(func) => func.name(),
            Self::Window(func) => func.name(),
        }
    }
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        let Self { func, args, distinct, filter, ignores_nulls, partition, order, frame } = self;
        let same = match (func, &other.func) {
            (Func::Aggregate(one), Func::Aggregate(other)) => one.name() == other.name(),
            (Func::Window(one), Func::Window(other)) => one.name() == other.name(),
            (Func::Aggregate(_), Func::Window(_)) | (Func::Window(_), Func::Aggregate(_)) => false,
        };
        same && *args == other.args
            && *distinct == other.distinct
            && *filter == other.filter
            && *ignores_nulls == other.ignores_nulls
            && *partition == other.partition
            && *order == other.order
            && *frame == other.frame
    }
}

impl Call {
    /// All its expressions.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        let Self { func: _, args, distinct: _, filter, ignores_nulls: _, partition, order, frame: _ } = self;
        args.iter().chain(filter).chain(partition).chain(order.iter().map(|key| &key.expr))
    }
}

/// The rows of a partition that a row sees.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// What its bounds count.
    pub units: WindowFrameUnits,
    /// Its first row.
    pub start: Bound,
    /// Its last row.
    pub end: Bound,
}

/// A bound of a frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    /// So far before the row; none for the partition's first.
    Preceding(Option<ScalarValue>),
    /// The row itself.
    Current,
    /// So far behind the row; none for the partition's last.
    Following(Option<ScalarValue>),
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
            Self::Window { input, calls } => input.width() + calls.len(),
            Self::Join { left, how: How::Value, .. } => left.width() + 1,
            Self::Join { left, right, how, .. } => left.width() + if how.shows_right() { right.width() } else { 0 },
            Self::Union { inputs } => inputs.first().map_or(0, Self::width),
            Self::Filter { input, .. } | Self::Sort { input, .. } | Self::Limit { input, .. } => input.width(),
        }
    }

    /// The first `width` columns and no more.
    pub fn exactly(self, width: usize) -> Self {
        if self.width() == width {
            return self;
        }
        Self::Project { input: Box::new(self), exprs: (0..width).map(column).collect() }
    }

    /// What it is over.
    pub fn inputs(&self) -> Vec<&Self> {
        match self {
            Self::Scan { .. } => Vec::new(),
            Self::Join { left, right, .. } => vec![left, right],
            Self::Union { inputs } => inputs.iter().collect(),
            Self::Filter { input, .. }
            | Self::Project { input, .. }
            | Self::Aggregate { input, .. }
            | Self::Window { input, .. }
            | Self::Sort { input, .. }
            | Self::Limit { input, .. } => vec![input],
        }
    }

    /// Whether all that it scans is datasets of a standard, none by its own name.
    pub fn is_of_every(&self) -> bool {
        match self {
            Self::Scan { source: Source::Every(_), .. } => true,
            Self::Scan { source: Source::Dataset(_), .. } => false,
            _ => self.inputs().into_iter().all(Self::is_of_every),
        }
    }

    /// What stands at this position, for people: a published column, or what is made of some.
    pub fn label(&self, index: usize) -> String {
        match self {
            Self::Scan { columns, .. } => match columns.get(index) {
                Some(ScanColumn::Named(name)) => name.clone(),
                Some(ScanColumn::Body) => BODY_COLUMN.to_owned(),
                None => String::new(),
            },
            Self::Project { input, exprs } => exprs.get(index).map_or_else(String::new, |expr| input.shown(expr)),
            Self::Aggregate { input, groups, sets: _, aggs } => {
                match (groups.get(index), aggs.get(index.wrapping_sub(groups.len()))) {
                    (Some(group), _) => input.shown(group),
                    (None, Some(Agg { func, args, distinct, filter })) => {
                        input.called(func.name(), args, *distinct, filter.as_ref())
                    }
                    (None, None) => String::new(),
                }
            }
            Self::Window { input, .. } if index < input.width() => input.label(index),
            Self::Window { input, calls } => calls.get(index - input.width()).map_or_else(String::new, |call| {
                format!("{} over rows", input.called(call.func.name(), &call.args, call.distinct, call.filter.as_ref()))
            }),
            Self::Join { left, .. } if index < left.width() => left.label(index),
            Self::Join { left, right, .. } => right.label(index - left.width()),
            Self::Union { inputs } => inputs.first().map_or_else(String::new, |input| input.label(index)),
            Self::Filter { input, .. } | Self::Sort { input, .. } | Self::Limit { input, .. } => input.label(index),
        }
    }

    fn shown(&self, expr: &Expr) -> String {
        let named = replace(expr.clone(), |index| Expr::Column(Column::new_unqualified(self.label(index))));
        named.map_or_else(|_| "an expression".to_owned(), |expr| expr.human_display().to_string())
    }

    fn called(&self, function: &str, args: &[Expr], distinct: bool, filter: Option<&Expr>) -> String {
        let args: Vec<String> = args
            .iter()
            .map(|arg| match arg {
                Expr::Literal(..) => "*".to_owned(),
                arg => self.shown(arg),
            })
            .collect();
        let distinct = if distinct { "DISTINCT " } else { "" };
        let filter = filter.map_or_else(String::new, |filter| format!(" where {}", self.shown(filter)));
        format!("{function}({distinct}{}){filter}", args.join(", "))
    }

    /// The scanned column that stands unchanged at this position, if one does.
    pub fn origin(&self, index: usize) -> Option<(&Source, &ScanColumn)> {
        match self {
            Self::Scan { source, columns } => columns.get(index).map(|column| (source, column)),
            Self::Project { input, exprs } => input.origin(position(exprs.get(index)?)?),
            Self::Aggregate { input, groups, sets: None, .. } => input.origin(position(groups.get(index)?)?),
            Self::Aggregate { sets: Some(_), .. } | Self::Union { .. } => None,
            Self::Join { left, right, how, .. } => match how.keeps() {
                (true, _) if index < left.width() => left.origin(index),
                (_, true) if index >= left.width() => right.origin(index - left.width()),
                _ => None,
            },
            Self::Window { input, .. }
            | Self::Filter { input, .. }
            | Self::Sort { input, .. }
            | Self::Limit { input, .. } => input.origin(index),
        }
    }

    /// The scanned columns on whose values what stands at this position draws.
    pub fn sources(&self, index: usize) -> Vec<(&Source, &str)> {
        match self {
            Self::Scan { source, columns } => match columns.get(index) {
                Some(ScanColumn::Named(name)) => vec![(source, name)],
                Some(ScanColumn::Body) | None => Vec::new(),
            },
            Self::Project { input, exprs } => exprs.get(index).map(|expr| input.drawn(expr)).unwrap_or_default(),
            Self::Aggregate { input, groups, .. } => {
                groups.get(index).map(|expr| input.drawn(expr)).unwrap_or_default()
            }
            Self::Join { left, .. } if index < left.width() => left.sources(index),
            Self::Join { left, right, .. } => right.sources(index - left.width()),
            Self::Union { inputs } => inputs.iter().flat_map(|input| input.sources(index)).collect(),
            Self::Window { input, calls } => match calls.get(index.wrapping_sub(input.width())) {
                Some(call) => call.exprs().flat_map(|expr| input.drawn(expr)).collect(),
                None => input.sources(index),
            },
            Self::Filter { input, .. } | Self::Sort { input, .. } | Self::Limit { input, .. } => input.sources(index),
        }
    }

    /// The scanned columns on whose values an expression draws.
    pub fn drawn(&self, expr: &Expr) -> Vec<(&Source, &str)> {
        used(expr).into_iter().flat_map(|index| self.sources(index)).collect()
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
