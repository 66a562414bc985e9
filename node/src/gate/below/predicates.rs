//! Conditions over dimensions: they pick rows by declared labels and by nothing else.

use std::collections::HashSet;

use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::{Between, InList, Like, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator};

use super::super::Refused;
use super::super::facts::Decision;
use super::constants::constant;
use super::values::describe;
use super::{Below, Choices, Kind, Origin, together};

/// Most constants and ranges that one dimension is compared with, in all conditions and keys on the way to a cell.
const MOST_CONSTANTS: usize = 20;
/// Deepest nesting of conditions.
const DEEPEST: usize = 60;
/// Most nodes of a condition under IS TRUE, which is written twice.
const MOST_TESTED: usize = 200;

impl Below {
    /// A condition in a form that can't fail.
    pub(super) fn predicate(&self, expr: &Expr, decision: &mut Decision) -> Result<Expr, Refused> {
        self.choices([expr])?;
        self.condition(expr, decision, 0)
    }

    /// With how many constants each column has been compared, these expressions and the filters below them taken
    /// together: a long choice picks sets that nobody declared, in whatever words.
    pub(super) fn choices<'a>(&self, exprs: impl IntoIterator<Item = &'a Expr>) -> Result<Choices, Refused> {
        self.few(together(self.choices.clone(), self.chosen(exprs)?))
    }

    /// With how many constants these expressions compare published columns, and with how many the columns that they
    /// name were made of them: a CASE in a subquery chooses no less than one in WHERE.
    pub(super) fn chosen<'a>(&self, exprs: impl IntoIterator<Item = &'a Expr>) -> Result<Choices, Refused> {
        let mut chosen = Choices::new();
        let mut named = HashSet::new();
        for expr in exprs {
            named.extend(expr.column_refs());
            expr.apply(|node| {
                let Some((of, constants)) = compares(node) else { return Ok(TreeNodeRecursion::Continue) };
                for column in of.column_refs() {
                    let origin = self.origin_of(column)?;
                    // Where a declared band is cut, the owner has chosen.
                    if !(is_range(node) && origin.leaf.bands(&origin.name).is_some()) {
                        *chosen.entry((origin.leaf.name.clone(), origin.name.clone())).or_default() += constants;
                    }
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        for column in named {
            chosen = together(chosen, self.origin_of(column)?.chosen.clone());
        }
        Ok(chosen)
    }

    /// Refuses more constants of one column than one may choose by.
    pub(super) fn few(&self, choices: Choices) -> Result<Choices, Refused> {
        match choices.iter().find(|(_, constants)| **constants > MOST_CONSTANTS) {
            Some(((_, column), _)) => Err(self.too_many(column)),
            None => Ok(choices),
        }
    }

    fn condition(&self, expr: &Expr, decision: &mut Decision, depth: usize) -> Result<Expr, Refused> {
        if depth > DEEPEST {
            return Err(self.leaf.expression("a condition nested this deeply", None));
        }
        if let Some(value) = constant(expr, decision.now)? {
            let value = value.cast_to(&arrow::datatypes::DataType::Boolean)?;
            return Ok(Expr::Literal(value, None));
        }
        let inner = |expr: &Expr, decision: &mut Decision| self.condition(expr, decision, depth + 1).map(Box::new);
        match expr {
            Expr::BinaryExpr(binary) if matches!(binary.op, Operator::And | Operator::Or) => {
                self.chain(expr, binary.op, decision, depth)
            }
            Expr::BinaryExpr(binary) => self.comparison(binary, decision),
            Expr::Not(expr) => Ok(Expr::Not(inner(expr, decision)?)),
            Expr::IsTrue(expr) => self.test(*inner(expr, decision)?, Test::IS_TRUE),
            Expr::IsFalse(expr) => self.test(*inner(expr, decision)?, Test::IS_FALSE),
            Expr::IsNotTrue(expr) => self.test(*inner(expr, decision)?, Test::IS_NOT_TRUE),
            Expr::IsNotFalse(expr) => self.test(*inner(expr, decision)?, Test::IS_NOT_FALSE),
            Expr::IsUnknown(expr) => Ok(Expr::IsNull(inner(expr, decision)?)),
            Expr::IsNotUnknown(expr) => Ok(Expr::IsNotNull(inner(expr, decision)?)),
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
            Expr::Like(like) => self.prefix(like, decision),
            Expr::ScalarFunction(call) if call.name() == "starts_with" => self.starts_with(call, decision),
            Expr::ScalarFunction(call) => {
                let what = format!("the function {}", call.func.name());
                Err(self.leaf.expression(&what, self.first_column(expr).as_deref()))
            }
            other => Err(self.leaf.expression(describe(other), self.first_column(other).as_deref())),
        }
    }

    /// IS [NOT] TRUE and IS [NOT] FALSE by IS NULL, AND and OR: DataFusion's logical and physical plans do not agree on
    /// whether they may be NULL, and then the query fails.
    fn test(&self, condition: Expr, test: Test) -> Result<Expr, Refused> {
        let mut nodes = 0;
        condition.apply(|_| {
            nodes += 1;
            Ok(TreeNodeRecursion::Continue)
        })?;
        if nodes > MOST_TESTED {
            return Err(self.leaf.expression("IS TRUE of a condition this long", None));
        }
        let value = if test.of { condition.clone() } else { Expr::Not(Box::new(condition.clone())) };
        Ok(if test.or_unknown { condition.is_null().or(value) } else { condition.is_not_null().and(value) })
    }

    /// A chain of one connective, taken apart without recursion, since it may be long.
    fn chain(&self, expr: &Expr, op: Operator, decision: &mut Decision, depth: usize) -> Result<Expr, Refused> {
        let mut open = vec![expr];
        let mut parts = Vec::new();
        while let Some(part) = open.pop() {
            match part {
                Expr::BinaryExpr(binary) if binary.op == op => {
                    open.extend([binary.right.as_ref(), binary.left.as_ref()])
                }
                other => parts.push(self.condition(other, decision, depth + 1)?),
            }
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
                let what = if binary.op.is_numerical_operators() {
                    "arithmetic".to_owned()
                } else {
                    format!("the operator {}", binary.op)
                };
                return Err(self.leaf.expression(&what, self.first_column(column).as_deref()));
            }
        };
        let op = op.unwrap_or(binary.op);
        if needs_ranges {
            let (column, origin) = self.value(column, decision)?;
            self.range(&origin, op, &value)?;
            return Ok(compared(column, op, value));
        }
        let (column, _) = self.dimension(column, decision)?;
        Ok(compared(column, op, value))
    }

    /// A range that the owner declares: any where it says so, otherwise one that is cut at a band.
    fn range(&self, origin: &Origin, op: Operator, value: &ScalarValue) -> Result<(), Refused> {
        let Some(bands) = origin.leaf.bands(&origin.name) else {
            return match origin.kind {
                Kind::Label { .. } | Kind::Constant => self.ranges(origin),
                Kind::Measure | Kind::Unit | Kind::Outer | Kind::Identifier | Kind::Hidden => {
                    Err(origin.misused("filter by"))
                }
            };
        };
        let labelled = matches!(origin.kind, Kind::Label { .. } | Kind::Measure);
        let is_edge = |band: &ScalarValue| band.cast_to(&value.data_type()).is_ok_and(|band| band == *value);
        if labelled && matches!(op, Operator::Lt | Operator::GtEq) && bands.iter().any(is_edge) {
            return Ok(());
        }
        let mut refused = self.leaf.expression("a range", Some(&origin.name));
        refused.remedy = format!("cut {} by < and >= at its declared bands: {}", origin.name, origin.bands());
        Err(refused)
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

    /// LIKE with a prefix: `'E09%'`.
    fn prefix(&self, like: &Like, decision: &mut Decision) -> Result<Expr, Refused> {
        let (value, origin) = self.dimension(&like.expr, decision)?;
        let refused = |what: &str| {
            let mut refused = self.leaf.expression(what, Some(&origin.name));
            refused.remedy = format!("compare {} by =, IN, or LIKE with a prefix ('E09%')", origin.name);
            refused
        };
        let pattern = match constant(&like.pattern, decision.now)? {
            Some(pattern) => pattern,
            None => return Err(refused("LIKE with a pattern that is not constant")),
        };
        let text = pattern.try_as_str().flatten().unwrap_or_default();
        let prefixed = text.strip_suffix('%').is_some_and(|prefix| !prefix.contains(['%', '_', '\\']));
        if !prefixed || like.escape_char.is_some() || like.case_insensitive {
            return Err(refused("LIKE with anything but a prefix"));
        }
        let pattern = Box::new(Expr::Literal(pattern, None));
        Ok(Expr::Like(Like { expr: Box::new(value), pattern, ..like.clone() }))
    }

    /// The same as a function.
    fn starts_with(&self, call: &ScalarFunction, decision: &mut Decision) -> Result<Expr, Refused> {
        let [value, prefix] = call.args.as_slice() else {
            return Err(self.leaf.expression("the function starts_with", None));
        };
        let (value, origin) = self.dimension(value, decision)?;
        let Some(prefix) = constant(prefix, decision.now)? else {
            return Err(self.leaf.expression("a prefix that is not constant", Some(&origin.name)));
        };
        let args = vec![value, Expr::Literal(prefix, None)];
        Ok(Expr::ScalarFunction(ScalarFunction { func: call.func.clone(), args }))
    }

    /// What may be compared: a dimension, or what is made of dimensions.
    fn dimension(&self, expr: &Expr, decision: &mut Decision) -> Result<(Expr, Origin), Refused> {
        let (value, origin) = self.value(expr, decision)?;
        match origin.kind {
            Kind::Label { .. } | Kind::Constant => Ok((value, origin)),
            Kind::Measure | Kind::Unit | Kind::Outer | Kind::Identifier | Kind::Hidden => {
                Err(origin.misused("filter by"))
            }
        }
    }

    fn ranges(&self, origin: &Origin) -> Result<(), Refused> {
        if let Some(bands) = origin.leaf.bands(&origin.name).filter(|bands| !bands.is_empty()) {
            let mut refused = self.leaf.expression("a range", Some(&origin.name));
            let count = bands.len();
            refused.remedy =
                format!("cut {} by < and >= at its {count} declared bands: {}", origin.name, origin.bands());
            return Err(refused);
        }
        if matches!(origin.kind, Kind::Label { ranges: true }) {
            return Ok(());
        }
        let mut refused = self.leaf.expression("a range", Some(&origin.name));
        refused.remedy = format!("{} declares no ranges: compare it by =, <> or IN", origin.name);
        Err(refused)
    }

    fn too_many(&self, column: &str) -> Refused {
        let what = format!("a choice of more than {MOST_CONSTANTS} constants");
        let mut refused = self.leaf.expression(&what, Some(column));
        refused.remedy = format!("group by {column}, and choose from the answer");
        refused
    }
}

/// One of the four tests of a condition.
#[derive(Clone, Copy)]
struct Test {
    /// The value that it asks for.
    of: bool,
    /// Whether it holds where the value is unknown.
    or_unknown: bool,
}

impl Test {
    const IS_TRUE: Self = Self { of: true, or_unknown: false };
    const IS_FALSE: Self = Self { of: false, or_unknown: false };
    const IS_NOT_TRUE: Self = Self { of: false, or_unknown: true };
    const IS_NOT_FALSE: Self = Self { of: true, or_unknown: true };
}

/// `IS [NOT] DISTINCT FROM` by comparisons, for the same reason as [`Below::test`].
fn compared(column: Expr, op: Operator, value: ScalarValue) -> Expr {
    let null = value.is_null();
    let value = Expr::Literal(value, None);
    match op {
        Operator::IsDistinctFrom if null => column.is_not_null(),
        Operator::IsNotDistinctFrom if null => column.is_null(),
        Operator::IsDistinctFrom => column.clone().is_null().or(column.not_eq(value)),
        Operator::IsNotDistinctFrom => column.clone().is_not_null().and(column.eq(value)),
        op => Expr::BinaryExpr(BinaryExpr { left: Box::new(column), op, right: Box::new(value) }),
    }
}

/// What a condition compares, and with how many constants or ranges.
fn compares(node: &Expr) -> Option<(&Expr, usize)> {
    match node {
        Expr::BinaryExpr(binary) if equality(binary.op) || is_range(node) => Some((node, 1)),
        Expr::InList(list) => Some((list.expr.as_ref(), list.list.len())),
        Expr::Case(case) if case.expr.is_some() => Some((node, case.when_then_expr.len())),
        Expr::Like(_) | Expr::Between(_) => Some((node, 1)),
        Expr::ScalarFunction(call) if matches!(call.name(), "starts_with" | "nullif") => Some((node, 1)),
        _ => None,
    }
}

fn is_range(node: &Expr) -> bool {
    match node {
        Expr::Between(_) => true,
        Expr::BinaryExpr(binary) => {
            matches!(binary.op, Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq)
        }
        _ => false,
    }
}

fn equality(op: Operator) -> bool {
    matches!(op, Operator::Eq | Operator::NotEq | Operator::IsDistinctFrom | Operator::IsNotDistinctFrom)
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
