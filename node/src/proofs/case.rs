//! What a generated case is made of: datasets with rows and terms, and the questions that are asked of them, one after
//! the other, over one history.
//!
//! Everything is plain data without boxes, so that the `Debug` form of a case, with `[` written as `vec![`, is the Rust
//! that makes it: a case that fails is printed as a test.

use super::value::{Type, Value};

/// A body's datasets, and what is asked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Case {
    pub(super) datasets: Vec<Dataset>,
    pub(super) questions: Vec<Question>,
}

/// One dataset.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dataset {
    pub(super) name: &'static str,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Row>,
    /// What it protects; none for an open one.
    pub(super) protection: Option<Protection>,
}

/// A row, under a number that stays its own whatever becomes of other rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) number: u32,
    pub(super) values: Vec<Value>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) of: Type,
    pub(super) role: Role,
    /// A dimension whose ranges are declared.
    pub(super) ranges: bool,
    pub(super) bounds: Option<(f64, f64)>,
    /// Decimals, and the step between released values.
    pub(super) precision: (u8, u64),
    pub(super) bands: Option<Vec<Value>>,
    pub(super) domain: Option<Vec<Value>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Dimension,
    Measure,
    Identifier,
    Hidden,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Protection {
    pub(super) kind: &'static str,
    /// The column that names the unit; none where each row is one.
    pub(super) unit: Option<&'static str>,
    pub(super) unique: bool,
    /// The kind that the unit is part of, and the column that names it.
    pub(super) belongs_to: Option<(&'static str, &'static str)>,
    pub(super) threshold: u32,
    /// Which of the noise tables; none for a dataset without noise.
    pub(super) noise: Option<usize>,
    /// Dominance: p, in hundredths of a percent.
    pub(super) percent: u32,
    /// Dominance: n and k, in hundredths of a percent.
    pub(super) largest: Option<(usize, u32)>,
    pub(super) reuse: bool,
    pub(super) needs_agreement: bool,
    pub(super) grants: Vec<Granted>,
}

/// What an agreement grants of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Granted {
    pub(super) agreement: &'static str,
    pub(super) purpose: &'static str,
    pub(super) columns: Option<Vec<&'static str>>,
    pub(super) threshold: Option<u32>,
    pub(super) allowance: Option<u64>,
    pub(super) in_force: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Question {
    pub(super) purpose: Option<&'static str>,
    pub(super) ask: Release,
    pub(super) above: Above,
}

/// A release point: what is grouped, by what, and the cells of each group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Release {
    pub(super) from: Select,
    pub(super) keys: Vec<Key>,
    pub(super) grouping: Grouping,
    pub(super) cells: Vec<Cell>,
    /// SELECT DISTINCT of the keys, not GROUP BY; then there are no cells.
    pub(super) distinct: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub(super) of: Expr,
    pub(super) name: &'static str,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Grouping {
    Plain,
    Rollup,
    Cube,
    /// By number of key.
    Sets(Vec<Vec<usize>>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cell {
    pub(super) call: Call,
    pub(super) filter: Option<Predicate>,
    /// Whether the condition is written as CASE inside of the aggregate.
    pub(super) as_case: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Call {
    /// COUNT(*)
    Rows,
    /// COUNT(x)
    Count(Expr),
    /// COUNT(DISTINCT unit)
    Units(Expr),
    /// APPROX_DISTINCT(unit)
    Approximate(Expr),
    /// COUNT(DISTINCT dimension)
    Labels(Expr),
    Sum(Expr),
    /// SUM(1)
    Ones,
    Average(Expr),
    /// A function that is never admitted.
    Never(&'static str, Expr),
}

/// Rows, and which of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Select {
    pub(super) from: Vec<From>,
    pub(super) conditions: Vec<Predicate>,
    /// Conditions `column IN (SELECT …)`.
    pub(super) within: Vec<Within>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Within {
    pub(super) column: Named,
    pub(super) of: Projected,
}

/// One relation; `Select::from` holds exactly one, without a box.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum From {
    Scan { dataset: &'static str, alias: &'static str },
    Derived { of: Projected, alias: &'static str, cte: bool },
    Joined { sides: Vec<From>, kind: Joining, on: Vec<(Named, Named)>, rest: Vec<Predicate> },
    United { branches: Vec<Projected>, alias: &'static str },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joining {
    Inner,
    LeftOuter,
    RightOuter,
    FullOuter,
}

/// SELECT items FROM …
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Projected {
    pub(super) items: Vec<Key>,
    pub(super) from: Select,
}

/// A column of a relation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Named {
    pub(super) relation: &'static str,
    pub(super) column: &'static str,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    Reference(Named),
    Constant(Value),
    /// date_trunc; the argument is one expression, in a list to need no box, as in all that follow.
    Truncated(&'static str, Vec<Expr>),
    /// EXTRACT
    Part(&'static str, Vec<Expr>),
    /// left(x, n)
    Left(Vec<Expr>, i64),
    /// substr(x, 1, n)
    Start(Vec<Expr>, i64),
    /// upper, lower, btrim, ltrim, rtrim
    Spelling(&'static str, Vec<Expr>),
    Coalesce(Vec<Expr>),
    Nullif(Vec<Expr>, Value),
    /// CASE WHEN … THEN … ELSE … END
    Choice(Vec<(Predicate, Expr)>, Vec<Expr>),
    Casted(Vec<Expr>, Type),
    /// x + n, never admitted below a release.
    Plus(Vec<Expr>, i64),
    /// length(x), never admitted below a release.
    Length(Vec<Expr>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Predicate {
    Compare(Expr, Op, Value),
    Among(Expr, Vec<Value>, bool),
    Missing(Expr, bool),
    Between(Expr, Value, Value, bool),
    /// LIKE 'prefix%'
    Prefix(Expr, &'static str, bool),
    StartsWith(Expr, &'static str),
    /// LIKE '%text%', never admitted.
    Contains(Expr, &'static str),
    Distinct(Expr, Value, bool),
    Holds(Expr),
    Not(Vec<Predicate>),
    All(Vec<Predicate>),
    Any(Vec<Predicate>),
    /// IS [NOT] TRUE, FALSE or UNKNOWN
    Is(Vec<Predicate>, Truth, bool),
    Always(bool),
    /// Two columns, never admitted.
    Same(Expr, Expr),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    Yes,
    No,
    Unknown,
}

/// What is done with released cells. Columns are numbered: keys first, then cells.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Above {
    Nothing,
    /// HAVING cell op n
    Having(usize, Op, i64),
    /// ORDER BY cell [DESC], then all keys, LIMIT n OFFSET m
    Limited {
        by: usize,
        descending: bool,
        limit: usize,
        offset: usize,
    },
    /// The quotient of two cells as a double, in place of all cells.
    Quotient(usize, usize),
    /// A query around the release that keeps rows whose cell is NULL, or is not.
    Kept(usize, bool),
}
