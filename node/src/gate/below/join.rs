//! Joins of datasets of this body: protected ones by their unit, open ones for their labels.

use std::sync::Arc;

use datafusion::common::{Column, JoinType, NullEquality, TableReference};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    Cast, Expr, ExprSchemable, Join, JoinConstraint, LogicalPlan, Operator, Projection, TryCast,
};
use meridian_proto::Name;

use super::totals::{CastKind, cast_kind};
use super::{Below, Kind, Origin, UNIT_COLUMN, Units, named_unit, together};
use crate::gate::Refused;
use crate::gate::facts::Decision;

/// An equality between the two sides.
pub(super) struct Pair {
    pub(super) left: (Expr, Origin),
    pub(super) right: (Expr, Origin),
}

impl Below {
    /// Inner, left, right and semi joins by bare equalities.
    pub(in super::super) fn join(self, right: Self, join: &Join, decision: &mut Decision) -> Result<Self, Refused> {
        let name = match join.join_type {
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::LeftSemi | JoinType::RightSemi => None,
            JoinType::Full => Some("a full join"),
            JoinType::LeftAnti | JoinType::RightAnti => Some("an anti join"),
            JoinType::LeftMark | JoinType::RightMark => Some("EXISTS used as a value"),
        };
        if let Some(name) = name {
            return Err(self.leaf.shape(name));
        }
        if join.null_equality != NullEquality::NullEqualsNothing || join.null_aware {
            return Err(self.leaf.shape("a join in which NULL equals NULL"));
        }
        let (pairs, rest) = self.conditions(&right, join)?;
        self.joined(right, join.join_type, pairs, rest, decision)
    }

    /// `column IN (SELECT …)` over a dataset of this body.
    pub(in super::super) fn semi_join(
        self,
        column: &Expr,
        subquery: Self,
        decision: &mut Decision,
    ) -> Result<Self, Refused> {
        let subquery = subquery.alias(TableReference::bare(format!("__in{}", decision.number())))?;
        let inner = match subquery.plan.schema().iter().next() {
            Some((qualifier, field)) if subquery.origins.len() == 1 => Column::new(qualifier.cloned(), field.name()),
            _ => return Err(self.leaf.shape("IN with a subquery of several columns")),
        };
        let pair = Pair { left: self.side(column)?, right: subquery.side(&Expr::Column(inner))? };
        self.joined(subquery, JoinType::LeftSemi, vec![pair], Vec::new(), decision)
    }

    fn joined(
        self,
        right: Self,
        join_type: JoinType,
        pairs: Vec<Pair>,
        rest: Vec<Expr>,
        decision: &mut Decision,
    ) -> Result<Self, Refused> {
        self.combined(&right, "a join")?;
        let referenced = self.by_reference(&right, join_type, &pairs)?;
        let (units, unit_is_left) = self.joined_units(&right, &pairs, referenced)?;
        // A semi join multiplies no rows, and has those of one side only.
        let (units, unit_is_left) = match join_type {
            JoinType::LeftSemi if unit_is_left => (self.units.clone(), true),
            JoinType::RightSemi if !unit_is_left => (right.units.clone(), false),
            JoinType::LeftSemi | JoinType::RightSemi => {
                return Err(self.leaf.join(
                    "IN with a subquery whose rows are those of the unit",
                    "join the two ON equality, or ask for the statistics of each",
                ));
            }
            _ => (units, unit_is_left),
        };
        for origin in pairs.iter().flat_map(|pair| [&pair.left.1, &pair.right.1]) {
            decision.column(&origin.leaf.name, &origin.name);
        }
        let on: Vec<(Expr, Expr)> = pairs.into_iter().map(|pair| (pair.left.0, pair.right.0)).collect();
        let (left_rest, right_rest, rest) = self.sides(&right, join_type, rest)?;
        let left = left_rest.iter().try_fold(self, |side, part| side.filter(part, decision))?;
        let right = right_rest.iter().try_fold(right, |side, part| side.filter(part, decision))?;
        let (left_columns, right_columns) = (left.columns(), right.columns());
        let (left_unit, right_unit) =
            (format!("__units{}", decision.number()), format!("__units{}", decision.number()));
        let (left_plan, right_plan) = (left.with_unit(&left_unit)?, right.with_unit(&right_unit)?);
        let (constraint, nulls) = (JoinConstraint::On, NullEquality::NullEqualsNothing);
        let plan = Join::try_new(left_plan, right_plan, on, None, join_type, constraint, nulls, false)?;
        let mut columns = Vec::new();
        let mut origins = Vec::new();
        if join_type != JoinType::RightSemi {
            columns.extend(left_columns);
            origins.extend(left.origins.iter().cloned());
        }
        if join_type != JoinType::LeftSemi {
            columns.extend(right_columns);
            origins.extend(right.origins.iter().cloned());
        }
        if units.is_some() {
            let side = if unit_is_left { left_unit } else { right_unit };
            let unit = Column::new(Some(TableReference::bare(side)), UNIT_COLUMN);
            columns.push(named_unit(unit, decision));
        }
        let plan = Projection::try_new(columns, Arc::new(LogicalPlan::Join(plan)))?;
        let choices = left.few(together(left.choices.clone(), right.choices))?;
        // The NULL-extended side's conditions do not rule its labels out.
        let domains = left.domains.into_iter().chain(right.domains).filter(|_| join_type == JoinType::Inner).collect();
        let leaf = if left.units.is_some() { left.leaf } else { right.leaf };
        let leaves = left.leaves.into_iter().chain(right.leaves).collect();
        let joined = Self { plan: LogicalPlan::Projection(plan), origins, choices, domains, leaf, leaves, units };
        rest.iter().try_fold(joined, |joined, part| joined.filter(part, decision))
    }

    /// Whose units the joined rows are: with two protected sides each row must be of one unit. The key of a reference
    /// stands once, so that it multiplies no rows.
    fn joined_units(&self, right: &Self, pairs: &[Pair], referenced: bool) -> Result<(Option<Units>, bool), Refused> {
        let single = |units: &Units| Units { single: false, ..units.clone() };
        match (&self.units, &right.units) {
            (None, None) => Ok((None, true)),
            (Some(units), None) if referenced => Ok((Some(units.clone()), true)),
            (None, Some(units)) if referenced => Ok((Some(units.clone()), false)),
            (Some(units), None) if !pairs.is_empty() => Ok((Some(single(units)), true)),
            (None, Some(units)) if !pairs.is_empty() => Ok((Some(single(units)), false)),
            (Some(left), Some(right)) => {
                let belongs_to = |outer: &Origin, kind: &Name| {
                    let belongs =
                        outer.leaf.protection.as_ref().and_then(|protection| protection.unit.belongs_to.as_ref());
                    belongs.is_some_and(|belongs| belongs.kind == *kind)
                };
                // A unit's column may stand in rows that are protected as those of another kind by now.
                let names = |origin: &Origin, kind: &Name| {
                    let own = origin.leaf.protection.as_ref().map(|protection| &protection.unit.kind);
                    origin.kind == Kind::Unit && own == Some(kind)
                };
                for Pair { left: (_, one), right: (_, other) } in pairs {
                    if left.kind == right.kind && names(one, &left.kind) && names(other, &right.kind) {
                        let single = left.single && right.single;
                        return Ok((Some(Units { single, ..left.clone() }), true));
                    }
                    if one.kind == Kind::Outer && belongs_to(one, &right.kind) && names(other, &right.kind) {
                        return Ok((Some(single(right)), false));
                    }
                    if other.kind == Kind::Outer && belongs_to(other, &left.kind) && names(one, &left.kind) {
                        return Ok((Some(single(left)), true));
                    }
                }
                Err(self.leaf.join(
                    format!(
                        "a join of protected rows ({} and {}) that is not by their common unit",
                        left.kind, right.kind
                    ),
                    "join them ON equality of their unit columns, or ask each by itself and join the answers",
                ))
            }
            (Some(_), None) | (None, Some(_)) => Err(self.leaf.join(
                "a join of protected rows without an equality",
                "join ON column = column, or ask for the statistics first and join those",
            )),
        }
    }

    /// The equalities of a join, and its other conditions.
    fn conditions(&self, right: &Self, join: &Join) -> Result<(Vec<Pair>, Vec<Expr>), Refused> {
        let mut pairs = Vec::new();
        let mut rest = Vec::new();
        for (left_key, right_key) in &join.on {
            pairs.push(Pair { left: self.side(left_key)?, right: right.side(right_key)? });
        }
        for part in join.filter.iter().flat_map(split_conjunction) {
            match part {
                Expr::BinaryExpr(binary) if binary.op == Operator::Eq => {
                    let of = |below: &Self, expr: &Expr| below.holds(expr).then(|| below.side(expr));
                    let straight = of(self, &binary.left).zip(of(right, &binary.right));
                    let crossed = of(self, &binary.right).zip(of(right, &binary.left));
                    match straight.or(crossed) {
                        Some((left, right)) => pairs.push(Pair { left: left?, right: right? }),
                        None => rest.push(part.clone()),
                    }
                }
                _ => rest.push(part.clone()),
            }
        }
        Ok((pairs, rest))
    }

    /// Conditions of one side of an outer join that may be tested before it; those of both stay behind an inner one.
    fn sides(
        &self,
        right: &Self,
        join_type: JoinType,
        rest: Vec<Expr>,
    ) -> Result<(Vec<Expr>, Vec<Expr>, Vec<Expr>), Refused> {
        let (mut of_left, mut of_right, mut behind) = (Vec::new(), Vec::new(), Vec::new());
        for part in rest {
            // What is the same for all rows is of the joined side as well.
            let constant = part.column_refs().is_empty();
            let (is_left, is_right) = (constant || self.holds(&part), constant || right.holds(&part));
            match join_type {
                JoinType::Inner => behind.push(part),
                JoinType::Left | JoinType::LeftSemi if is_right => of_right.push(part),
                JoinType::Right | JoinType::RightSemi if is_left => of_left.push(part),
                JoinType::LeftSemi if is_left => of_left.push(part),
                JoinType::RightSemi if is_right => of_right.push(part),
                _ => {
                    return Err(self.leaf.join(
                        "a condition of an outer join that is neither an equality nor of the joined side alone",
                        "put it into WHERE, or into a subquery",
                    ));
                }
            }
        }
        Ok((of_left, of_right, behind))
    }

    /// Whether an expression has columns, and only of this side.
    fn holds(&self, expr: &Expr) -> bool {
        let columns = expr.column_refs();
        !columns.is_empty() && columns.iter().all(|column| self.origin_of(column).is_ok())
    }

    /// A bare column by which rows are joined.
    fn side(&self, expr: &Expr) -> Result<(Expr, Origin), Refused> {
        match expr {
            Expr::Column(column) => {
                let origin = self.origin_of(column)?.clone();
                match origin.kind {
                    Kind::Label { .. } | Kind::Unit | Kind::Outer | Kind::Identifier if origin.bare => {
                        Ok((expr.clone(), origin))
                    }
                    Kind::Measure | Kind::Hidden | Kind::Constant => Err(origin.misused("join by")),
                    Kind::Label { .. } | Kind::Unit | Kind::Outer | Kind::Identifier => {
                        Err(self.leaf.expression("a join by an expression", Some(&origin.name)))
                    }
                }
            }
            Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => {
                let (value, origin) = self.side(expr)?;
                let from = value.get_type(self.plan.schema())?;
                if cast_kind(&from, field.data_type()) != CastKind::Lossless {
                    return Err(self.leaf.expression("a join by values of different types", Some(&origin.name)));
                }
                Ok((Expr::TryCast(TryCast::new(Box::new(value), field.data_type().clone())), origin))
            }
            _ => Err(self.leaf.expression("a join by an expression", self.first_column(expr).as_deref())),
        }
    }

    fn columns(&self) -> Vec<Expr> {
        let shown = self.plan.schema().iter().take(self.origins.len());
        shown.map(|(qualifier, field)| Expr::Column(Column::new(qualifier.cloned(), field.name()))).collect()
    }

    /// The plan with its unit under a name of its own.
    fn with_unit(&self, qualifier: &str) -> Result<Arc<LogicalPlan>, Refused> {
        let Some(unit) = self.unit() else { return Ok(Arc::new(self.plan.clone())) };
        let mut columns = self.columns();
        columns.push(Expr::Column(unit).alias_qualified(Some(TableReference::bare(qualifier)), UNIT_COLUMN));
        let plan = Projection::try_new(columns, Arc::new(self.plan.clone()))?;
        Ok(Arc::new(LogicalPlan::Projection(plan)))
    }
}
