//! The release point: the plan that gathers the figures of each cell, unit by unit, under a node that decides on them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, DFSchemaRef, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::functions::core::expr_ext::FieldAccessor;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, AggregateUDF, Expr, ExprSchemable, LogicalPlan, Projection, TryCast, lit};
use meridian_proto::ColumnType;

use super::aggregates::{Asked, Asking, Contribution};
use super::fixed::fixed;
use super::groupings::Groupings;
use super::{Below, Origin};
use crate::gate::facts::Decision;
use crate::gate::release::{self, Counted, Figured, Kind, Point, Ruled, Set, Source};
use crate::gate::terms::{Controls, Dominance, Precision};
use crate::gate::{Intent, Refused};
use crate::history::Account;

/// Cells that differ in more units than this are told apart without a fingerprint's help, whatever the threshold.
const MOST_NEARNESS: u32 = 32;

impl Below {
    /// The aggregate, as figures of each cell under a release. Its columns are those of `schema`, but that any cell may
    /// be NULL.
    pub(super) fn release(
        self,
        keys: &[Expr],
        aggregates: &[Expr],
        schema: &DFSchemaRef,
        decision: &mut Decision,
    ) -> Result<LogicalPlan, Refused> {
        if let Some(tables) = self.tables() {
            return self.declared_release(tables, keys, aggregates, schema, decision);
        }
        let controls = self.controls()?;
        let groupings = self.groupings(keys)?;
        // All keys choose a cell together, and each aggregate's own condition chooses within it.
        let choices = self.choices(groupings.keys.iter().copied())?;
        let within = Self { choices, ..self.clone() };
        let mut asking = Asking::default();
        for aggregate in aggregates {
            within.ask(aggregate, &mut asking, decision)?;
        }
        if asking.figures.is_empty() {
            asking.figures.push(Asked { contribution: Contribution::Units, filter: None });
        }
        let mut keys = Vec::new();
        for key in &groupings.keys {
            keys.push(self.key(key, decision)?.0);
        }
        self.notify(&groupings, &controls, decision);
        let schema = released_schema(schema)?;
        let accounts = self.accounts(&controls, decision)?;
        let nearness = self.nearness();
        let (dominance, reuse) = self.strictest(&controls);
        let gathering = Gathering { below: &self, keys: &keys, dominance: dominance.largest, nearness };
        let mut sets = Vec::new();
        let mut plans = Vec::new();
        for keys in &groupings.sets {
            let of: Vec<&Expr> = keys.iter().filter_map(|key| groupings.keys.get(*key).copied()).collect();
            // A label without a figure beside it could not be told from one that was released.
            let domain = if asking.outputs.is_empty() { None } else { self.completion(&of) };
            let number = groupings.number(keys);
            let figures: Vec<usize> = (0..asking.figures.len()).collect();
            sets.push(Set { keys: keys.clone(), number, domain, inner: None, figures });
            plans.push(gathering.plan(keys, None, &asking.figures)?);
            for (place, (output, dimension, filter)) in asking.labels.iter().enumerate() {
                let figures = vec![asking.figures.len() + place];
                sets.push(Set { keys: keys.clone(), number, domain: None, inner: Some(*output), figures });
                let units = Asked { contribution: Contribution::Units, filter: filter.clone() };
                plans.push(gathering.plan(keys, Some(dimension), &[units])?);
            }
        }
        let mut figures: Vec<Figured> = asking.figures.iter().map(|asked| self.figured(asked)).collect();
        figures.extend(asking.labels.iter().map(|_| units()));
        let point = Point {
            datasets: self.datasets(),
            unit: self.units.as_ref().map(|units| units.kind.to_string()).unwrap_or_default(),
            threshold: self.threshold(),
            nearness,
            keys: keys.len(),
            figures,
            outputs: asking.outputs,
            sets,
            numbered: groupings.numbered.then(|| Aggregate::grouping_id_type(keys.len(), 0)),
            source: Source::Gathered(Ruled { controls, dominance, reuse }),
            caller: decision.caller.clone(),
            accounts,
            question: question(&plans),
            day: decision.now.date_naive(),
            tally: Arc::clone(&decision.tally),
        };
        Ok(release::node(point, plans, schema))
    }

    /// The full names of the protected datasets, each once, sorted.
    pub(super) fn datasets(&self) -> Vec<String> {
        let protected = self.leaves.iter().filter(|leaf| leaf.protection.is_some());
        let mut names: Vec<String> = protected.map(|leaf| leaf.name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    pub(super) fn threshold(&self) -> u32 {
        self.leaves.iter().filter_map(|leaf| leaf.protection.as_ref()).map(|p| p.threshold).max().unwrap_or(u32::MAX)
    }

    /// The owner's own threshold: what agreements raise changes nothing in what is near.
    fn nearness(&self) -> u32 {
        let protected = self.leaves.iter().filter(|leaf| leaf.protection.is_some());
        protected.map(|leaf| leaf.terms.threshold(None)).max().unwrap_or(MOST_NEARNESS).min(MOST_NEARNESS)
    }

    /// The controls of the dataset whose noise is the largest; of equals the first by name, in whichever order they are
    /// joined.
    fn controls(&self) -> Result<Arc<Controls>, Refused> {
        let mut found: Option<Arc<Controls>> = None;
        let mut protected: Vec<_> = self.leaves.iter().filter(|leaf| leaf.protection.is_some()).collect();
        protected.sort_by_key(|leaf| &leaf.name);
        for leaf in protected {
            let Some(controls) = &leaf.terms.controls else {
                return Err(Refused::new(
                    "statistics.noise",
                    format!("{} adds no noise, so that no statistics are made of it on request", leaf.name),
                    format!("ask {} to set noise or to declare tables in the dataset's file", leaf.terms.name.body),
                )
                .about(&leaf.name));
            };
            let larger = |held: &Arc<Controls>| controls.counts.deviation() > held.counts.deviation();
            if found.as_ref().is_none_or(larger) {
                found = Some(Arc::clone(controls));
            }
        }
        found.ok_or_else(|| self.leaf.shape("a query over no protected dataset"))
    }

    /// What any of the datasets asks for: dominance, and whether near sums take each other's answer.
    fn strictest(&self, controls: &Controls) -> (Dominance, bool) {
        let protected = self.leaves.iter().filter(|leaf| leaf.protection.is_some());
        let all = protected.filter_map(|leaf| leaf.terms.controls.as_deref());
        all.fold((controls.dominance, controls.reuse), |(dominance, reuse), other| {
            (dominance.and(other.dominance), reuse || other.reuse)
        })
    }

    /// On whose accounts cells leave, one for each protected dataset; refused where nothing is left on one of them.
    fn accounts(&self, controls: &Controls, decision: &mut Decision) -> Result<Vec<Account>, Refused> {
        let mut accounts: Vec<Account> = Vec::new();
        for leaf in &self.leaves {
            let Some(protection) = &leaf.protection else { continue };
            if accounts.iter().any(|account| account.dataset == leaf.name) {
                continue;
            }
            let agreement = leaf.granted.agreement.clone();
            let account = Account { agreement, dataset: leaf.name.clone(), allowance: protection.allowance };
            if let Some(allowance) = account.allowance {
                affordable(&account, allowance, controls, decision)?;
            }
            accounts.push(account);
        }
        accounts.sort_by(|a, b| a.dataset.cmp(&b.dataset));
        Ok(accounts)
    }

    fn figured(&self, asked: &Asked) -> Figured {
        let single = self.units.as_ref().is_some_and(|units| units.single);
        match &asked.contribution {
            Contribution::Units => units(),
            // Where each unit has one row, rows are units.
            Contribution::Rows { .. } if single => units(),
            Contribution::Rows { .. } => {
                Figured { function: "count", of: "rows".to_owned(), kind: Kind::Magnitude(Precision::default()) }
            }
            Contribution::Sum { measure, precision, .. } => {
                Figured { function: "sum", of: measure.clone(), kind: Kind::Magnitude(*precision) }
            }
        }
    }

    fn notify(&self, groupings: &Groupings<'_>, controls: &Controls, decision: &mut Decision) {
        let (names, k) = (self.datasets().join(", "), self.threshold());
        let deviation = controls.counts.deviation();
        decision.notice(&if groupings.sets.iter().all(Vec::is_empty) {
            format!("figures of {names} over fewer than {k} units are empty (withheld, not zero)")
        } else {
            format!("groups of {names} under {k} units are left out, cells under it are empty (withheld, not zero)")
        });
        decision.notice(&format!(
            "figures of {names} carry noise (standard deviation of counts: {deviation:.2}); sums may describe up to {} units more or fewer",
            self.nearness().saturating_sub(1)
        ));
    }

    /// A measure in fixed point, within its declared bounds, so that no unit weighs more than they say.
    pub(super) fn fixed(&self, value: Expr, origin: &Origin, precision: Precision) -> Result<Expr, Refused> {
        let Some((low, high)) = origin.leaf.column(&origin.name).and_then(|column| column.bounds) else {
            return Err(Refused::new(
                "statistics.bounds",
                format!("{} of {} declares no bounds, so that it can't be summed", origin.name, origin.leaf.name),
                format!("ask {} to declare its bounds", origin.leaf.terms.name.body),
            )
            .about(&origin.leaf.name)
            .at_column(&origin.name));
        };
        let data_type = value.get_type(self.plan.schema())?;
        // Whole numbers have whole bounds, also where a query reads them as others.
        let published = origin.leaf.terms.dataset.column(&origin.name).map(|column| column.column_type);
        let whole = matches!(published, Some(ColumnType::Integer | ColumnType::Bigint));
        let (low, high) = if whole { (low.ceil(), high.floor()) } else { (low, high) };
        let (low, high) = (bound(low.ceil(), low, &data_type)?, bound(high.floor(), high, &data_type)?);
        Ok(fixed(value, low, high, i8::try_from(precision.decimals).unwrap_or_default()))
    }
}

/// A question by the plans that answer it; whoever asks it again in the same words makes the same ones.
fn question(plans: &[LogicalPlan]) -> String {
    plans.iter().map(|plan| plan.display_indent().to_string()).collect::<Vec<_>>().join("\n")
}

/// Refuses where nothing is left on an account, and says how much is, which is a function of what was visible before; a
/// check only says that there is one.
fn affordable(account: &Account, allowance: u64, controls: &Controls, decision: &mut Decision) -> Result<(), Refused> {
    let (agreement, dataset) = (account.agreement.as_deref(), &account.dataset);
    match decision.intent {
        Intent::Release => {
            let spent = controls.history.spent(agreement, dataset).unwrap_or(u64::MAX);
            let Some(left) = allowance.checked_sub(spent).filter(|left| *left > 0) else {
                return Err(Refused::spent(agreement, dataset, allowance));
            };
            let agreement = agreement.unwrap_or("its terms");
            decision.notice(&format!(
                "{agreement} gives {allowance} cells of {dataset}, {left} of them from this answer on: what is over them, \
                 by the order of labels and columns, is left out or empty (withheld, not zero)"
            ));
            Ok(())
        }
        Intent::Check => {
            let agreement = agreement.unwrap_or("its terms");
            let left = "how many of them are left is not looked at in a check";
            decision.notice(&format!("{agreement} gives {allowance} cells of {dataset}; {left}"));
            Ok(())
        }
    }
}

pub(super) fn units() -> Figured {
    Figured { function: "count", of: "units".to_owned(), kind: Kind::Units }
}

/// What the plans of all groupings have in common.
pub(super) struct Gathering<'a> {
    pub(super) below: &'a Below,
    pub(super) keys: &'a [Expr],
    pub(super) dominance: Option<(usize, f64)>,
    pub(super) nearness: u32,
}

impl Gathering<'_> {
    /// Keys, then figures: one level where no unit has more than one row, otherwise first by unit.
    pub(super) fn plan(
        &self,
        keys: &[usize],
        dimension: Option<&Expr>,
        figures: &[Asked],
    ) -> Result<LogicalPlan, Refused> {
        let single = self.below.units.as_ref().is_some_and(|units| units.single);
        let mut lower = Vec::new();
        let grouped = keys.iter().filter_map(|key| self.keys.get(*key)).chain(dimension);
        for (index, key) in grouped.enumerate() {
            lower.push(key.clone().alias(name("g", index)));
        }
        let groups: Vec<Expr> = (0..lower.len()).map(|index| column("g", index)).collect();
        let unit = self.below.unit().ok_or_else(|| self.below.leaf.shape("a query over no protected dataset"))?;
        lower.push(Expr::Column(unit).alias("u"));
        let mut figures = figures.to_vec();
        for (index, asked) in figures.iter_mut().enumerate() {
            asked.filter = asked.filter.take().map(|filter| carried(filter, &mut lower)).transpose()?;
            if let Contribution::Rows { of: Some(value) } | Contribution::Sum { value, .. } = &asked.contribution {
                let mut value = value.clone();
                let summed = !single && matches!(asked.contribution, Contribution::Sum { .. });
                if summed && value.get_type(self.below.plan.schema())? == DataType::Int64 {
                    // A unit has any number of rows, so that the sum may not fit into 64 bits.
                    value = Expr::TryCast(TryCast::new(Box::new(value), DataType::Decimal128(38, 0)));
                }
                lower.push(value.alias(name("a", index)));
            }
        }
        let mut plan = LogicalPlan::Projection(Projection::try_new(lower, Arc::new(self.below.plan.clone()))?);
        if !single {
            let by_unit = groups.iter().cloned().chain([Expr::Column(Column::new_unqualified("u"))]).collect();
            let contributions =
                figures.iter().enumerate().map(|(index, asked)| asked.by_unit(index).alias(name("c", index)));
            plan = LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(plan), by_unit, contributions.collect())?);
        }
        let bundles = self.bundles(&figures, single);
        let gathered =
            bundles.iter().enumerate().map(|(at, bundle)| bundle.gathered(self.capacity()).alias(name("b", at)));
        let gathered = gathered.collect();
        let keys = groups.len();
        let plan = LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(plan), groups, gathered)?);
        let mut columns: Vec<Expr> = (0..keys).map(|index| column("g", index)).collect();
        for figure in 0..figures.len() {
            let places = bundles.iter().enumerate();
            let found =
                places.filter_map(|(at, bundle)| Some((at, bundle.figures.iter().position(|of| *of == figure)?)));
            for (at, place) in found {
                columns.push(column("b", at).field(release::field(place)).alias(name("f", figure)));
            }
        }
        Ok(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(plan))?))
    }

    /// Figures of the same rows, to be gathered together, in the order of the first of them.
    fn bundles(&self, figures: &[Asked], single: bool) -> Vec<Bundle> {
        let mut bundles: Vec<(Option<&Expr>, Bundle)> = Vec::new();
        for (index, asked) in figures.iter().enumerate() {
            let (counted, value) = self.counted(asked, index, single);
            let held = bundles.iter_mut().find(|(filter, _)| *filter == asked.filter.as_ref());
            if let Some((_, bundle)) = held {
                bundle.figures.push(index);
                bundle.counted.push(counted);
                bundle.values.extend(value);
            } else {
                // By unit, the filter was applied to rows: a unit without any contributes nothing.
                let filter = asked.filter.clone().filter(|_| single);
                let bundle = Bundle {
                    figures: vec![index],
                    counted: vec![counted],
                    values: value.into_iter().collect(),
                    filter,
                };
                bundles.push((asked.filter.as_ref(), bundle));
            }
        }
        bundles.into_iter().map(|(_, bundle)| bundle).collect()
    }

    /// What one row of the last level counts, and by which value.
    fn counted(&self, asked: &Asked, index: usize, single: bool) -> (Counted, Option<Expr>) {
        let summed = Counted::Summed { largest: self.dominance.map_or(2, |(n, _)| n.max(2)) };
        match (&asked.contribution, single) {
            (Contribution::Units | Contribution::Rows { of: None }, true) => (Counted::Each, None),
            (Contribution::Rows { of: Some(_) }, true) => (Counted::Valued, Some(column("a", index))),
            (Contribution::Sum { .. }, true) => (summed, Some(column("a", index))),
            (Contribution::Units, false) => (Counted::Nonzero, Some(column("c", index))),
            (Contribution::Rows { .. } | Contribution::Sum { .. }, false) => (summed, Some(column("c", index))),
        }
    }

    /// The most units by which cells differ and are near each other.
    fn capacity(&self) -> Option<u16> {
        self.nearness.checked_sub(1).and_then(|capacity| capacity.try_into().ok())
    }
}

/// Figures that are gathered together.
struct Bundle {
    figures: Vec<usize>,
    counted: Vec<Counted>,
    values: Vec<Expr>,
    filter: Option<Expr>,
}

impl Bundle {
    fn gathered(&self, capacity: Option<u16>) -> Expr {
        let unit = Expr::Column(Column::new_unqualified("u"));
        let args = [unit].into_iter().chain(self.values.iter().cloned()).collect();
        aggregate(release::function(self.counted.clone(), capacity), args, self.filter.clone())
    }
}

impl Asked {
    /// One unit's contribution, of all of its rows.
    fn by_unit(&self, index: usize) -> Expr {
        let (function, argument) = match &self.contribution {
            Contribution::Units | Contribution::Rows { of: None } => (count_udaf(), lit(1_i64)),
            Contribution::Rows { of: Some(_) } => (count_udaf(), column("a", index)),
            Contribution::Sum { .. } => (sum_udaf(), column("a", index)),
        };
        aggregate(function, vec![argument], self.filter.clone())
    }
}

fn aggregate(function: Arc<AggregateUDF>, args: Vec<Expr>, filter: Option<Expr>) -> Expr {
    Expr::AggregateFunction(AggregateFunction::new_udf(function, args, false, filter.map(Box::new), vec![], None))
}

/// A condition over columns of the projection below the aggregate, which are added to it. The condition itself is no
/// such column, since DataFusion's logical and physical plans do not agree on whether `x IS NOT TRUE` may be NULL.
fn carried(condition: Expr, lower: &mut Vec<Expr>) -> Result<Expr, DataFusionError> {
    let renamed = condition.transform_up(|expr| match expr {
        Expr::Column(_) => {
            let name = name("p", lower.len());
            lower.push(expr.alias(&name));
            Ok(Transformed::yes(Expr::Column(Column::new_unqualified(name))))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(renamed.data)
}

/// A bound in a column's type; whole numbers take the nearest one inside.
fn bound(inside: f64, exact: f64, data_type: &DataType) -> Result<ScalarValue, DataFusionError> {
    ScalarValue::Float64(Some(if data_type.is_integer() { inside } else { exact })).cast_to(data_type)
}

/// The columns of the query's own aggregate: anything may be withheld.
pub(super) fn released_schema(schema: &DFSchemaRef) -> Result<DFSchemaRef, Refused> {
    let nullable = |field: &Field| Arc::new(field.clone().with_nullable(true));
    let fields = schema.iter().map(|(qualifier, field)| (qualifier.cloned(), nullable(field)));
    Ok(Arc::new(DFSchema::new_with_metadata(fields.collect(), schema.metadata().clone())?))
}

fn name(kind: &str, index: usize) -> String {
    format!("{kind}{index}")
}

fn column(kind: &str, index: usize) -> Expr {
    Expr::Column(Column::new_unqualified(name(kind, index)))
}
