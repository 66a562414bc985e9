//! What is asked of each leaf, and how the aggregates are put together from it above the joins.
//!
//! A leaf that is grouped answers one row for each combination of the values that the plan above needs of it, with the number of
//! rows behind it, its *multiplicity* `p`, and partial aggregates. The joins see only those values, so that a joined row
//! stands for the product of its multiplicities.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{AggregateUDF, Expr, ExprSchemable, lit};

use super::nulls::{is_rejecting, is_strict, is_total};
use super::tree::{self, How, Node, Tree};
use crate::error::Why;
use crate::normal;
use crate::rules::combine::{call, cast, known, or_zero, quotient, uncast, when};

/// Aggregates that don't mind how often a value is there. Others are refused by name.
const OF_THEMSELVES: [&str; 6] = ["min", "max", "bool_and", "bool_or", "bit_and", "bit_or"];

/// How a leaf is brought to the join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Row by row.
    Rows,
    /// Grouped by what the plan above needs of it.
    Groups,
    /// Grouped, and each figure a cell that its owner may withhold.
    Cells,
}

/// What is asked of a leaf.
#[derive(Debug, Default)]
pub(super) struct Demand {
    /// Its columns that are needed above.
    pub(super) columns: BTreeSet<usize>,
    /// Expressions over its columns that are needed above.
    pub(super) computed: Vec<Expr>,
    /// Aggregates within each of its groups.
    pub(super) partials: Vec<Expr>,
}

/// An aggregate of the plan.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) func: Arc<AggregateUDF>,
    pub(super) args: Vec<Expr>,
    pub(super) distinct: bool,
    pub(super) filter: Vec<Expr>,
    pub(super) data_type: DataType,
}

/// What a joined row adds to an aggregate.
struct Share {
    /// Its partial aggregate, or the argument itself.
    amount: Option<(Expr, DataType)>,
    /// Whether the amount is a partial aggregate.
    partial: bool,
    /// How often.
    factors: Vec<Expr>,
    /// If at all.
    conditions: Vec<Expr>,
}

pub(super) struct Composer<'a> {
    tree: &'a Tree,
    modes: &'a [Mode],
    scope: DFSchema,
    pub(super) demands: Vec<Demand>,
    /// The aggregates above the joins.
    pub(super) totals: Vec<Expr>,
    /// Cells that the aggregate at hand is made of.
    cells: Vec<Expr>,
}

impl<'a> Composer<'a> {
    pub(super) fn new(tree: &'a Tree, modes: &'a [Mode]) -> Result<Self, Why> {
        let fields = tree.leaves.iter().enumerate().flat_map(|(leaf, of)| {
            let fields = of.plan.schema().fields().iter().enumerate();
            fields.map(move |(index, field)| Field::new(format!("e{leaf}_{index}"), field.data_type().clone(), true))
        });
        let scope = DFSchema::from_unqualified_fields(fields.collect(), Default::default())?;
        let demands = tree.leaves.iter().map(|_| Demand::default()).collect();
        Ok(Self { tree, modes, scope, demands, totals: Vec::new(), cells: Vec::new() })
    }

    fn mode(&self, leaf: usize) -> Mode {
        self.modes.get(leaf).copied().unwrap_or(Mode::Rows)
    }

    /// The tree with its conditions over what the leaves answer.
    pub(super) fn node(&mut self, node: &Node) -> Result<Node, Why> {
        Ok(match node {
            Node::Leaf(leaf) => Node::Leaf(*leaf),
            Node::Filter { input, predicate } => {
                Node::Filter { input: Box::new(self.node(input)?), predicate: self.above(predicate) }
            }
            Node::Join { left, right, how } => {
                let How { kind, on, filter, null_equality, null_aware } = how;
                let on = on.iter().map(|(one, other)| Ok((self.key(one)?, self.key(other)?)));
                let on = on.collect::<Result<_, Why>>()?;
                let filter = filter.as_ref().map(|filter| self.above(filter));
                let how = How { kind: *kind, on, filter, null_equality: *null_equality, null_aware: *null_aware };
                Node::Join { left: Box::new(self.node(left)?), right: Box::new(self.node(right)?), how }
            }
            Node::Counted { input, by } => {
                let by = by.iter().map(|expr| self.key(expr)).collect::<Result<_, _>>()?;
                Node::Counted { input: Box::new(self.node(input)?), by }
            }
        })
    }

    /// An expression that is computed above the leaves, so that its columns are needed there.
    fn above(&mut self, expr: &Expr) -> Expr {
        for (leaf, index) in tree::places(expr) {
            if let Some(demand) = self.demands.get_mut(leaf) {
                demand.columns.insert(index);
            }
        }
        expr.clone()
    }

    /// An expression whose value is needed above: computed at its leaf where that groups by less.
    pub(super) fn key(&mut self, expr: &Expr) -> Result<Expr, Why> {
        let of = tree::leaves(expr);
        let mut leaves = of.iter();
        let (Some(leaf), None) = (leaves.next().copied(), leaves.next()) else { return self.group(expr) };
        // A column and its cast are one key, and by one name. Cells would be finer by a column whose cast has fewer values.
        if let Expr::Cast(cast) = expr
            && tree::place(&cast.expr).is_some()
            && is_total(expr, &self.scope)
            && (self.mode(leaf) != Mode::Cells || *cast.field.data_type() != DataType::Float64)
        {
            return Ok(self.above(expr));
        }
        let nullable = self.tree.leaves.get(leaf).is_none_or(|leaf| leaf.nullable);
        let stays = tree::place(expr).is_some()
            || self.mode(leaf) == Mode::Rows
            || !is_total(expr, &self.scope)
            || nullable && !is_strict(expr, &of, &self.scope);
        let Some(demand) = self.demands.get_mut(leaf).filter(|_| !stays) else { return self.group(expr) };
        let index = position_of(&mut demand.computed, expr);
        Ok(named(format!("k{leaf}_{index}")))
    }

    /// A key that is computed above. Cells would be finer by its columns than by the key.
    fn group(&mut self, expr: &Expr) -> Result<Expr, Why> {
        if tree::place(expr).is_some() { Ok(self.above(expr)) } else { self.open(expr) }
    }

    /// An aggregate within the groups of a leaf.
    fn partial(&mut self, leaf: usize, aggregate: Expr) -> Result<(Expr, DataType), Why> {
        let data_type = aggregate.get_type(&self.scope)?;
        let demand = self.demands.get_mut(leaf).ok_or_else(|| Why::new("there is no such side of the join"))?;
        let index = position_of(&mut demand.partials, &aggregate);
        let column = named(format!("p{leaf}_{index}"));
        if self.mode(leaf) == Mode::Cells && !self.cells.contains(&column) {
            self.cells.push(column.clone());
        }
        Ok((column, data_type))
    }

    /// How many rows of a leaf a joined row stands for; one where an outer join found none.
    fn multiplicity(&mut self, leaf: usize) -> Result<Expr, Why> {
        let (count, _) = self.partial(leaf, call(known("count")?, lit(1_i64), None))?;
        let nullable = self.tree.leaves.get(leaf).is_none_or(|leaf| leaf.nullable);
        Ok(if nullable && self.mode(leaf) == Mode::Groups {
            when(vec![(count.clone().is_null(), lit(1_i64))], Some(count))
        } else {
            count
        })
    }

    /// An aggregate of the plan over the totals, and the cells that it is made of.
    pub(super) fn value(&mut self, of: &Call) -> Result<(Expr, Vec<Expr>), Why> {
        self.cells.clear();
        for leaf in 0..self.tree.leaves.len() {
            // A group that was withheld is marked by its count.
            if self.mode(leaf) == Mode::Cells {
                self.multiplicity(leaf)?;
            }
        }
        let name = of.func.name();
        let value = match (name, of.args.as_slice(), of.distinct) {
            (name, [arg], _) if OF_THEMSELVES.contains(&name) => {
                let Share { amount, conditions, .. } = self.share(&of.func, Some(arg), &of.filter, false)?;
                let (amount, _) = amount.ok_or_else(|| Why::new(format!("{name} of nothing")))?;
                self.total(call(Arc::clone(&of.func), under(conditions, amount), None))
            }
            ("count" | "sum" | "avg", args, true) => self.distinct(of, args)?,
            ("count", [Expr::Literal(value, _)], false) if !value.is_null() => {
                or_zero(self.sum(&of.func, None, &of.filter)?)
            }
            ("count", [arg], false) if !tree::places(arg).is_empty() => {
                or_zero(self.sum(&of.func, Some(arg), &of.filter)?)
            }
            ("sum", [arg], false) if !tree::places(arg).is_empty() => self.sum(&of.func, Some(arg), &of.filter)?,
            ("avg", [arg], false) if !tree::places(arg).is_empty() => {
                let arg = self.summed(arg)?;
                let sum = self.sum(&known("sum")?, Some(&arg), &of.filter)?;
                let count = self.sum(&known("count")?, Some(&uncast(&arg)), &of.filter)?;
                quotient(sum, count, &of.data_type)?
            }
            _ => return Err(Why::new(format!("{name} can't be made of parts"))),
        };
        let value = if name == "count" { value } else { cast(value, &of.data_type) };
        Ok((value, self.cells.clone()))
    }

    /// Distinct values are the same however often they are there.
    fn distinct(&mut self, of: &Call, args: &[Expr]) -> Result<Expr, Why> {
        let args = args.iter().map(|arg| self.open(arg)).collect::<Result<Vec<_>, _>>()?;
        let filter = of.filter.iter().map(|filter| self.open(filter)).collect::<Result<Vec<_>, _>>()?;
        let filter = normal::all(filter).map(Box::new);
        let func = Arc::clone(&of.func);
        let call = AggregateFunction::new_udf(func, args, true, filter, Vec::new(), None);
        Ok(self.total(Expr::AggregateFunction(call)))
    }

    /// A sum of what each joined row adds: of counts, or of sums.
    fn sum(&mut self, func: &Arc<AggregateUDF>, arg: Option<&Expr>, filter: &[Expr]) -> Result<Expr, Why> {
        let Share { amount, partial, factors, mut conditions } = self.share(func, arg, filter, true)?;
        let (amount, data_type) = match amount {
            Some((amount, _)) if func.name() == "count" && !partial => {
                conditions.push(amount.is_not_null());
                (None, DataType::Int64)
            }
            Some((amount, data_type)) => (Some(amount), data_type),
            None => (None, DataType::Int64),
        };
        let mut product = amount;
        for factor in factors {
            product = Some(match product {
                Some(product) => product * of_type(factor, &data_type)?,
                None => factor,
            });
        }
        let product = under(conditions, product.unwrap_or_else(|| lit(1_i64)));
        Ok(self.total(call(known("sum")?, product, None)))
    }

    fn share(
        &mut self,
        func: &Arc<AggregateUDF>,
        arg: Option<&Expr>,
        filter: &[Expr],
        multiplied: bool,
    ) -> Result<Share, Why> {
        let home = arg.and_then(|arg| self.home(arg));
        let (mut factors, mut conditions) = (Vec::new(), Vec::new());
        let mut amount = None;
        for conjunct in filter.iter().filter(|conjunct| tree::leaves(conjunct).len() != 1) {
            conditions.push(self.open(conjunct)?);
        }
        for leaf in 0..self.tree.leaves.len() {
            let only = BTreeSet::from([leaf]);
            let own: Vec<Expr> = filter.iter().filter(|conjunct| tree::leaves(conjunct) == only).cloned().collect();
            let total = own.iter().all(|conjunct| is_total(conjunct, &self.scope));
            if let (Some(home), Some(arg)) = (home, arg)
                && home == leaf
                && total
            {
                amount = Some(self.partial(leaf, call(Arc::clone(func), arg.clone(), normal::all(own)))?);
                continue;
            }
            let Some(side) = self.tree.leaves.get(leaf).filter(|side| !side.inner) else { continue };
            let rejecting = own.iter().all(|conjunct| is_rejecting(conjunct, &only, &self.scope));
            let below = self.mode(leaf) != Mode::Rows && total && (!side.nullable || rejecting);
            if !own.is_empty() && below {
                let (count, _) = self.partial(leaf, call(known("count")?, lit(1_i64), normal::all(own)))?;
                conditions.push(count.clone().gt(lit(0_i64)));
                factors.extend(multiplied.then_some(count));
                continue;
            }
            for conjunct in &own {
                conditions.push(self.open(conjunct)?);
            }
            if multiplied && self.mode(leaf) != Mode::Rows {
                factors.push(self.multiplicity(leaf)?);
            }
        }
        let partial = amount.is_some();
        if let (None, Some(arg)) = (&amount, arg) {
            amount = Some((self.open(arg)?, arg.get_type(&self.scope)?));
        }
        Ok(Share { amount, partial, factors, conditions })
    }

    /// The grouped leaf at which an argument can be aggregated.
    fn home(&self, arg: &Expr) -> Option<usize> {
        let leaves = tree::leaves(arg);
        let mut of = leaves.iter();
        let (Some(leaf), None) = (of.next().copied(), of.next()) else { return None };
        let side = self.tree.leaves.get(leaf)?;
        let fits = self.mode(leaf) != Mode::Rows
            && is_total(arg, &self.scope)
            && (!side.nullable || is_strict(arg, &leaves, &self.scope));
        fits.then_some(leaf)
    }

    /// An expression of single rows, which a leaf of cells does not show.
    fn open(&mut self, expr: &Expr) -> Result<Expr, Why> {
        if tree::leaves(expr).into_iter().any(|leaf| self.mode(leaf) == Mode::Cells) {
            return Err(Why::new("it is computed from more than cells"));
        }
        Ok(self.above(expr))
    }

    /// The argument of the sum that makes an average: where sums are cells, the bare measure, as its owner releases it.
    fn summed(&self, arg: &Expr) -> Result<Expr, Why> {
        let cells = tree::leaves(arg).into_iter().any(|leaf| self.mode(leaf) == Mode::Cells);
        let bare = uncast(arg);
        Ok(match bare.get_type(&self.scope)? {
            DataType::Int32 if cells => cast(bare, &DataType::Int64),
            DataType::Int64 if cells => bare,
            _ => arg.clone(),
        })
    }

    /// The name of an aggregate above the joins.
    pub(super) fn total(&mut self, call: Expr) -> Expr {
        named(format!("t{}", position_of(&mut self.totals, &call)))
    }
}

/// An expression under conditions; NULL, which no aggregate counts, where one is not met.
fn under(conditions: Vec<Expr>, value: Expr) -> Expr {
    match normal::all(conditions) {
        Some(all) => when(vec![(all, value)], None),
        None => value,
    }
}

/// A number of rows as a factor of a number of this type.
fn of_type(factor: Expr, data_type: &DataType) -> Result<Expr, Why> {
    match data_type {
        DataType::Int64 => Ok(factor),
        DataType::Float64 => Ok(cast(factor, data_type)),
        DataType::Decimal128(..) => Ok(cast(factor, &DataType::Decimal128(20, 0))),
        other => Err(Why::new(format!("a sum of type {other} is not multiplied"))),
    }
}

fn position_of(list: &mut Vec<Expr>, expr: &Expr) -> usize {
    list.iter().position(|known| known == expr).unwrap_or_else(|| {
        list.push(expr.clone());
        list.len() - 1
    })
}

pub(super) fn named(name: String) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}
