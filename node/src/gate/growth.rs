//! How long texts can become: an expression that doubles its text in each of thirty subqueries fills any memory, and
//! no pool counts what expressions hold.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion, TreeNodeVisitor};
use datafusion::error::Result as PlanResult;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::Refused;
use super::functions::{self, Use};
use super::variant::Variant;

/// Most copies of the texts below that one expression may hold, through all subqueries and common table expressions.
const MOST_COPIES: u64 = 256;
/// Characters that one of a date's format, of a text that is encoded or of a geometry can become at most.
const FORMATTED: u64 = 16;
/// Bytes of a constant that count as one copy more: separators don't.
const SHORT: u64 = 32;

/// Refuses a plan in which texts could grow to more than [`MOST_COPIES`] times what they were.
pub(super) fn bounded(plan: &LogicalPlan) -> Result<(), Refused> {
    copies(plan, 1).map(drop)
}

/// How many times as long as the data's the longest text of a plan's rows may be, that of the plan around it being
/// `outer` times as long.
fn copies(plan: &LogicalPlan, outer: u64) -> Result<u64, Refused> {
    let mut below = outer;
    for input in plan.inputs() {
        below = below.max(copies(input, outer)?);
    }
    let mut most = below;
    plan.apply_expressions(|expr| {
        most = most.max(of_expression(expr, below)?);
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(most)
}

fn of_expression(expr: &Expr, below: u64) -> PlanResult<u64> {
    let mut count = Count { below, open: vec![Vec::new()] };
    expr.visit(&mut count)?;
    Ok(count.open.pop().and_then(|of| of.first().copied()).unwrap_or(below))
}

/// Walks an expression; chains of operators are too deep for functions that call themselves.
struct Count {
    below: u64,
    /// The copies of each child seen so far, of every node on the way down to here.
    open: Vec<Vec<u64>>,
}

impl<'n> TreeNodeVisitor<'n> for Count {
    type Node = Expr;

    fn f_down(&mut self, expr: &'n Expr) -> PlanResult<TreeNodeRecursion> {
        let mut children = Vec::new();
        if let Some(subquery) = Variant::of(expr).subquery() {
            children.push(copies(&subquery.subquery, self.below)?);
        }
        self.open.push(children);
        Ok(TreeNodeRecursion::Continue)
    }

    fn f_up(&mut self, expr: &'n Expr) -> PlanResult<TreeNodeRecursion> {
        let children = self.open.pop().unwrap_or_default();
        let copies = together(expr, &children, self.below)?;
        if let Some(around) = self.open.last_mut() {
            around.push(copies);
        }
        Ok(TreeNodeRecursion::Continue)
    }
}

/// What an expression makes of its children's copies.
fn together(expr: &Expr, children: &[u64], below: u64) -> Result<u64, Refused> {
    let most = children.iter().copied().max().unwrap_or(below);
    let copies = match growth(expr) {
        Growth::Constant(text) => return Ok(length(text) / SHORT),
        Growth::Condition => return Ok(below),
        Growth::Together => children.iter().fold(0, |sum: u64, copies| sum.saturating_add(*copies)),
        Growth::Replaced(call) => most.saturating_mul(replacement(call)?),
        Growth::Formatted => most.saturating_mul(FORMATTED),
        Growth::Other => most,
    };
    if copies <= MOST_COPIES {
        return Ok(copies);
    }
    Err(Refused::new(
        "expression.growth",
        format!("texts are put together so often that they could be {MOST_COPIES} times as long as in the data"),
        "put them together once, or at the client",
    ))
}

/// How many characters may stand for one.
fn replacement(call: &ScalarFunction) -> Result<u64, Refused> {
    let mut argument = call.args.get(2);
    while let Some(Expr::Cast(cast)) = argument {
        argument = Some(&cast.expr);
    }
    let text = match argument {
        Some(Expr::Literal(text, _)) => text.try_as_str().flatten().unwrap_or_default(),
        Some(_) => {
            return Err(Refused::new(
                "expression.growth",
                format!("{} puts in a text that is no constant, so that its value can be of any length", call.name()),
                "write the new text as a constant",
            )
            .at(call.name()));
        }
        None => "",
    };
    Ok(length(text).saturating_add(1))
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

/// What an expression does to the length of its texts.
enum Growth<'a> {
    /// Stands in the statement.
    Constant(&'a str),
    /// Puts them together.
    Together,
    /// Puts a constant in the place of parts.
    Replaced(&'a ScalarFunction),
    /// Writes each character of a format as several.
    Formatted,
    /// True or false, however long what it compares.
    Condition,
    /// None is longer than the longest.
    Other,
}

fn growth(expr: &Expr) -> Growth<'_> {
    match Variant::of(expr) {
        Variant::Constant(value) => Growth::Constant(value.try_as_str().flatten().unwrap_or_default()),
        Variant::Operator(operator) => match functions::operator(operator) {
            Use::Concatenation => Growth::Together,
            Use::Connective | Use::Equality | Use::Order | Use::Pattern => Growth::Condition,
            Use::Arithmetic | Use::Bits | Use::Never => Growth::Other,
        },
        Variant::Scalar(call) => match call.name() {
            "concat" | "concat_ws" | "overlay" | "struct" | "named_struct" => Growth::Together,
            "replace" | "regexp_replace" => Growth::Replaced(call),
            "to_char" | "encode" => Growth::Formatted,
            // A coordinate of eight bytes is up to a hundred digits, and one digit eight bytes.
            "st_astext" | "st_asgeojson" | "st_geomfromtext" | "st_geomfromgeojson" => Growth::Formatted,
            _ => Growth::Other,
        },
        Variant::Test | Variant::TestOf(_) | Variant::ComparedWith(_) => Growth::Condition,
        Variant::Named
        | Variant::Column
        | Variant::Outer
        | Variant::Value
        | Variant::Aggregate(_)
        | Variant::Window(_)
        | Variant::ValueOf(_)
        | Variant::Sets
        | Variant::Unnested
        | Variant::Parameter(_)
        | Variant::Other(_) => Growth::Other,
    }
}
