//! What each variant of an expression is: the one list of them all, which an upgrade of DataFusion must be put into.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{AggregateFunction, Placeholder, ScalarFunction, WindowFunction};
use datafusion::logical_expr::{Expr, Operator, Subquery};

/// What an expression is, apart from those that it is made of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Variant<'a> {
    /// Another one under a name.
    Named,
    /// A column of the input.
    Column,
    /// A column of the plan around it.
    Outer,
    /// A constant.
    Constant(&'a ScalarValue),
    /// Two of them with an operator between.
    Operator(Operator),
    /// True, false or NULL: LIKE, BETWEEN, IN with a list, IS, NOT.
    Test,
    /// A value that is one of theirs, in another type or with another sign: CASE, casts, minus.
    Value,
    /// A function of one row.
    Scalar(&'a ScalarFunction),
    /// A function of many rows.
    Aggregate(&'a AggregateFunction),
    /// A function of the rows around one.
    Window(&'a WindowFunction),
    /// The one value of a subquery.
    ValueOf(&'a Subquery),
    /// Whether a subquery has a row, or this value.
    TestOf(&'a Subquery),
    /// A comparison with ANY or ALL of a subquery.
    ComparedWith(&'a Subquery),
    /// The sets of ROLLUP, CUBE and GROUPING SETS.
    Sets,
    /// One row for each element of a list.
    Unnested,
    /// A parameter without a value.
    Parameter(&'a Placeholder),
    /// Something else, by its name.
    Other(&'static str),
}

impl<'a> Variant<'a> {
    /// What this expression is.
    #[expect(deprecated, reason = "every variant is named, those of older DataFusion as well")]
    pub(super) fn of(expr: &'a Expr) -> Self {
        match expr {
            Expr::Alias(_) => Self::Named,
            Expr::Column(_) => Self::Column,
            Expr::OuterReferenceColumn(..) => Self::Outer,
            Expr::Literal(value, _) => Self::Constant(value),
            Expr::BinaryExpr(binary) => Self::Operator(binary.op),
            Expr::Like(_)
            | Expr::SimilarTo(_)
            | Expr::Not(_)
            | Expr::IsNotNull(_)
            | Expr::IsNull(_)
            | Expr::IsTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNotFalse(_)
            | Expr::IsNotUnknown(_)
            | Expr::Between(_)
            | Expr::InList(_) => Self::Test,
            Expr::Negative(_) | Expr::Case(_) | Expr::Cast(_) | Expr::TryCast(_) => Self::Value,
            Expr::ScalarFunction(call) => Self::Scalar(call),
            Expr::AggregateFunction(call) => Self::Aggregate(call),
            Expr::WindowFunction(window) => Self::Window(window),
            Expr::ScalarSubquery(subquery) => Self::ValueOf(subquery),
            Expr::InSubquery(within) => Self::TestOf(&within.subquery),
            Expr::Exists(exists) => Self::TestOf(&exists.subquery),
            Expr::SetComparison(comparison) => Self::ComparedWith(&comparison.subquery),
            Expr::GroupingSet(_) => Self::Sets,
            Expr::Unnest(_) => Self::Unnested,
            Expr::Placeholder(placeholder) => Self::Parameter(placeholder),
            Expr::ScalarVariable(..) => Self::Other("a variable"),
            Expr::Wildcard { .. } => Self::Other("* in this place"),
            Expr::HigherOrderFunction(_) | Expr::Lambda(_) | Expr::LambdaVariable(_) => Self::Other("a lambda"),
        }
    }

    /// The subquery that it holds.
    pub(super) fn subquery(self) -> Option<&'a Subquery> {
        match self {
            Self::ValueOf(subquery) | Self::TestOf(subquery) | Self::ComparedWith(subquery) => Some(subquery),
            Self::Named
            | Self::Column
            | Self::Outer
            | Self::Constant(_)
            | Self::Operator(_)
            | Self::Test
            | Self::Value
            | Self::Scalar(_)
            | Self::Aggregate(_)
            | Self::Window(_)
            | Self::Sets
            | Self::Unnested
            | Self::Parameter(_)
            | Self::Other(_) => None,
        }
    }
}
