//! Conditions over dimensions: they pick rows by declared labels and by nothing else.

use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator};

use super::super::Refused;
use super::super::facts::Decision;
use super::constants::constant;
use super::values::describe;
use super::{Below, Kind, Origin};

/// Most constants that one dimension is compared with, in one IN or one chain of OR.
const MOST_CONSTANTS: usize = 20;
/// Deepest nesting of conditions.
const DEEPEST: usize = 60;

impl Below {
    /// A condition in a form that can't fail.
    pub(super) fn predicate(&self, expr: &Expr, decision: &mut Decision) -> Result<Expr, Refused> {
        self.condition(expr, decision, 0)
    }

    fn condition(&self, expr: &Expr, decision: &mut Decision, depth: usize) -> Result<Expr, Refused> {
        if depth > DEEPEST {
            return Err(self.leaf.expression("a condition nested this deeply", None));
        }
        if let Some(value) = constant(expr, decision.now)? {
            let value = value.cast_to(&arrow::datatypes::DataType::Boolean)?;
            return Ok(Expr::Literal(value, None));
        }
        let inner = |expr: &Expr, decision: &mut Decision| {
            self.condition(expr, decision, depth + 1).map(Box::new)
        };
        match expr {
            Expr::BinaryExpr(binary) if matches!(binary.op, Operator::And | Operator::Or) => {
                self.chain(expr, binary.op, decision, depth)
            }
            Expr::BinaryExpr(binary) => self.comparison(binary, decision),
            Expr::Not(expr) => Ok(Expr::Not(inner(expr, decision)?)),
            Expr::IsTrue(expr) => Ok(Expr::IsTrue(inner(expr, decision)?)),
            Expr::IsFalse(expr) => Ok(Expr::IsFalse(inner(expr, decision)?)),
            Expr::IsUnknown(expr) => Ok(Expr::IsUnknown(inner(expr, decision)?)),
            Expr::IsNotTrue(expr) => Ok(Expr::IsNotTrue(inner(expr, decision)?)),
            Expr::IsNotFalse(expr) => Ok(Expr::IsNotFalse(inner(expr, decision)?)),
            Expr::IsNotUnknown(expr) => Ok(Expr::IsNotUnknown(inner(expr, decision)?)),
            Expr::IsNull(expr) => Ok(Expr::IsNull(Box::new(self.dimension(expr, decision)?.0))),
            Expr::IsNotNull(expr) => Ok(Expr::IsNotNull(Box::new(self.dimension(expr, decision)?.0))),
            Expr::Between(between) => self.between(between, decision),
            Expr::InList(list) => self.in_list(list, decision),
            Expr::Alias(alias) => self.condition(&alias.expr, decision, depth + 1),
            Expr::Column(_) | Expr::Case(_) | Expr::Cast(_) | Expr::TryCast(_) => {
                let (value, origin) = self.dimension(expr, decision)?;
                if value.get_type(self.plan.schema())? == arrow::datatypes::DataType::Boolean {
                    Ok(value)
                } else {
                    Err(self.leaf.expression("this condition", Some(&origin.name)))
                }
            }
            Expr::ScalarFunction(call) => {
                let what = format!("the function {}", call.func.name());
                Err(self.leaf.expression(&what, self.first_column(expr).as_deref()))
            }
            other => Err(self.leaf.expression(describe(other), self.first_column(other).as_deref())),
        }
    }

    /// A chain of one connective, taken apart without recursion, since it may be long.
    fn chain(&self, expr: &Expr, op: Operator, decision: &mut Decision, depth: usize) -> Result<Expr, Refused> {
        let mut open = vec![expr];
        let mut parts = Vec::new();
        let mut constants = 0;
        while let Some(part) = open.pop() {
            match part {
                Expr::BinaryExpr(binary) if binary.op == op => open.extend([binary.right.as_ref(), binary.left.as_ref()]),
                other => {
                    constants += picked(other);
                    parts.push(self.condition(other, decision, depth + 1)?);
                }
            }
        }
        if constants > MOST_CONSTANTS {
            return Err(self.too_many());
        }
        balanced(parts, op).ok_or_else(|| self.leaf.expression("an empty condition", None))
    }

    fn comparison(&self, binary: &BinaryExpr, decision: &mut Decision) -> Result<Expr, Refused> {
        let (left, right) = (constant(&binary.left, decision.now)?, constant(&binary.right, decision.now)?);
        let (column, value, op) = match (left, right) {
            (None, Some(value)) => (&binary.left, value, Some(binary.op)),
            (Some(value), None) => (&binary.right, value, binary.op.swap()),
            _ => return Err(self.between_columns(binary)),
        };
        let needs_ranges = match op {
            Some(Operator::Eq | Operator::NotEq | Operator::IsDistinctFrom | Operator::IsNotDistinctFrom) => false,
            Some(Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq) => true,
            _ => {
                let what = if binary.op.is_numerical_operators() { "arithmetic".to_owned() } else { format!("the operator {}", binary.op) };
                return Err(self.leaf.expression(&what, self.first_column(column).as_deref()));
            }
        };
        let op = op.unwrap_or(binary.op);
        let (column, origin) = self.dimension(column, decision)?;
        if needs_ranges {
            self.ranges(&origin)?;
        }
        let right = Box::new(Expr::Literal(value, None));
        Ok(Expr::BinaryExpr(BinaryExpr { left: Box::new(column), op, right }))
    }

    fn between_columns(&self, binary: &BinaryExpr) -> Refused {
        let expr = Expr::BinaryExpr(binary.clone());
        let what = match binary.op {
            op if op.supports_propagation() => "a comparison of columns with each other",
            op if op.is_numerical_operators() => "arithmetic",
            _ => "this operator",
        };
        self.leaf.expression(what, self.first_column(&expr).as_deref())
    }

    fn between(&self, between: &Between, decision: &mut Decision) -> Result<Expr, Refused> {
        let (value, origin) = self.dimension(&between.expr, decision)?;
        self.ranges(&origin)?;
        let bound = |expr: &Expr| match constant(expr, decision.now)? {
            Some(value) => Ok(Box::new(Expr::Literal(value, None))),
            None => Err(self.leaf.expression("BETWEEN with bounds that are not constant", Some(&origin.name))),
        };
        let (low, high) = (bound(&between.low)?, bound(&between.high)?);
        Ok(Expr::Between(Between { expr: Box::new(value), negated: between.negated, low, high }))
    }

    fn in_list(&self, list: &InList, decision: &mut Decision) -> Result<Expr, Refused> {
        if list.list.len() > MOST_CONSTANTS {
            return Err(self.too_many());
        }
        let (value, origin) = self.dimension(&list.expr, decision)?;
        let mut values = Vec::new();
        for item in &list.list {
            match constant(item, decision.now)? {
                Some(value) => values.push(Expr::Literal(value, None)),
                None => return Err(self.leaf.expression("IN with values that are not constant", Some(&origin.name))),
            }
        }
        Ok(Expr::InList(InList { expr: Box::new(value), list: values, negated: list.negated }))
    }

    /// What may be compared: a dimension, or what is made of dimensions.
    fn dimension(&self, expr: &Expr, decision: &mut Decision) -> Result<(Expr, Origin), Refused> {
        let (value, origin) = self.value(expr, decision)?;
        match origin.kind {
            Kind::Label { .. } | Kind::Constant => Ok((value, origin)),
            Kind::Measure | Kind::Identifier | Kind::Hidden => Err(self.leaf.misused(&origin, "filter by")),
        }
    }

    fn ranges(&self, origin: &Origin) -> Result<(), Refused> {
        if matches!(origin.kind, Kind::Label { ranges: true }) {
            return Ok(());
        }
        let mut refused = self.leaf.expression("a range", Some(&origin.name));
        refused.remedy = format!("{} declares no ranges: compare it by =, <> or IN", origin.name);
        Err(refused)
    }

    fn too_many(&self) -> Refused {
        let mut refused = self.leaf.expression(&format!("a choice of more than {MOST_CONSTANTS} constants"), None);
        refused.remedy = "group by the dimension, and choose from the answer".to_owned();
        refused
    }
}

/// With how many constants a condition compares; a long choice picks sets that nobody declared, in whatever words.
fn picked(expr: &Expr) -> usize {
    match expr {
        Expr::BinaryExpr(binary) if matches!(binary.op, Operator::Eq | Operator::NotEq) => 1,
        Expr::BinaryExpr(binary) if matches!(binary.op, Operator::IsDistinctFrom | Operator::IsNotDistinctFrom) => 1,
        Expr::InList(list) => list.list.len(),
        Expr::Not(expr) => picked(expr),
        _ => 0,
    }
}

/// A balanced tree of one connective: as shallow as it can be, for whoever recurses over it later.
fn balanced(mut parts: Vec<Expr>, op: Operator) -> Option<Expr> {
    while parts.len() > 1 {
        let mut next = Vec::with_capacity(parts.len().div_ceil(2));
        let mut parts_left = parts.into_iter();
        while let Some(left) = parts_left.next() {
            next.push(match parts_left.next() {
                Some(right) => Expr::BinaryExpr(BinaryExpr { left: Box::new(left), op, right: Box::new(right) }),
                None => left,
            });
        }
        parts = next;
    }
    parts.pop()
}
