//! What is computed where: one search from the leaves up, in which every subtree has a few alternatives.
//!
//! An alternative is either still *away*, at one body or at each body of a standard, as a [`Rel`] that grows; or *here*, as a
//! plan whose leaves are this node's tables and [`RemoteNode`]s. The makers in [`crate::rules`] say how a node of the plan extends
//! the alternatives of its inputs. What is away may always be brought here, if the terms let it leave.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{Field, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DFSchemaRef};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{EmptyRelation, Expr, Extension, LogicalPlan, Projection, Union, lit};
use meridian_proto::{Dataset, DatasetName, Form, Name};

use crate::error::{PlacementError, Why};
use crate::lower::Foreign;
use crate::node::{RemoteNode, RemotePart};
use crate::rel::{self, Rel};
use crate::tables::ForeignTable;
use crate::{check, lower, normal, rules, statistics, template, wire};

/// Alternatives that a subtree keeps at most.
const ALTERNATIVES: usize = 8;

/// A plan in which nothing foreign is scanned, and what must be known about it.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The plan; its remote leaves are [`RemoteNode`]s.
    pub plan: LogicalPlan,
    /// What other bodies are asked.
    pub remotes: Vec<RemoteSummary>,
    /// What was not chosen because it can't be done, and why.
    pub rejected: Vec<String>,
    /// What a reader of the answer must know.
    pub notices: Vec<String>,
}

/// One query, and the bodies that get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteSummary {
    /// The bodies, in order.
    pub bodies: Vec<Name>,
    /// The SQL that the first of them gets; the others get it over their own dataset.
    pub sql: String,
    /// The form in which it leaves.
    pub form: Form,
    /// What leaves: the names of the answer's columns at this node.
    pub columns: Vec<String>,
    /// Roughly how many rows all of them answer together.
    pub rows: usize,
}

/// Places what is foreign in an optimised plan. Nothing is sent to anyone.
pub fn place(plan: LogicalPlan, _session: &dyn Session) -> std::result::Result<Placed, PlacementError> {
    let mut search = Search::default();
    let found = search.best_here(&plan)?;
    let left = holds_foreign(&found.plan).map_err(|error| PlacementError::internal(&error))?;
    if left {
        let error = DataFusionError::Plan("a dataset of another body is still scanned here".into());
        return Err(PlacementError::internal(&error));
    }
    let remotes = summaries(&found.plan).map_err(|error| PlacementError::internal(&error))?;
    let mut rejected = Vec::new();
    for rejection in search.rejected {
        let text = format!("{}; {}", rejection.reason, rejection.remedy);
        if !rejected.contains(&text) {
            rejected.push(text);
        }
    }
    Ok(Placed { plan: found.plan, remotes, rejected, notices: found.notices.into_iter().collect() })
}

/// A dataset of one body.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) name: DatasetName,
    pub(crate) dataset: Arc<Dataset>,
}

/// What is still at its bodies.
#[derive(Debug, Clone)]
pub(crate) struct Away {
    /// One for a body, several for each body of a standard.
    pub(crate) parts: Vec<Part>,
    pub(crate) rel: Rel,
    /// Roughly how many rows at all parts together.
    pub(crate) rows: f64,
}

/// What is at this node.
#[derive(Debug, Clone)]
pub(crate) struct Here {
    pub(crate) plan: LogicalPlan,
    pub(crate) notices: BTreeSet<String>,
    /// The `statistics` datasets whose cells are in it.
    pub(crate) cells: BTreeSet<String>,
    pub(crate) cost: Cost,
}

#[derive(Debug, Clone)]
pub(crate) enum Alternative {
    Here(Here),
    Away(Away),
}

/// The less of an earlier field, the better, whatever the later ones say.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub(crate) struct Cost {
    /// Protected cells that leave.
    pub(crate) cells: f64,
    /// Bytes that leave.
    pub(crate) bytes: f64,
    /// Rows handled here.
    pub(crate) rows: f64,
}

/// An alternative that can't be had.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rejection {
    pub(crate) dataset: String,
    pub(crate) reason: String,
    pub(crate) remedy: String,
    pub(crate) needle: Option<String>,
    /// How far up the plan it got.
    pub(crate) height: usize,
}

impl Rejection {
    pub(crate) fn new(part: &Part, reason: String, remedy: String) -> Self {
        let needle = Some(part.name.dataset.to_string());
        Self { dataset: part.name.to_string(), reason, remedy, needle, height: 0 }
    }

    fn of(parts: &[Part], why: &Why) -> Self {
        let names: Vec<String> = parts.iter().map(|part| part.name.to_string()).collect();
        let (dataset, reason) = match names.as_slice() {
            [name] => (name.clone(), format!("it can't be done at {name}: {}", why.0)),
            [first, .., last] => (first.clone(), format!("it can't be done at {first} to {last}: {}", why.0)),
            [] => (String::new(), why.0.clone()),
        };
        let remedy = "leave that part out or compute it over what the body releases".into();
        Self { dataset, reason, remedy, needle: None, height: 0 }
    }
}

/// The asked-for rows of some parts, as a leaf without names yet.
pub(crate) struct Fetched {
    parts: Vec<RemotePart>,
    pub(crate) schema: SchemaRef,
    rows: f64,
    cells: BTreeSet<String>,
    /// Whether an aggregate is over an aggregate.
    twice: bool,
}

#[derive(Default)]
pub(crate) struct Search {
    rejected: Vec<Rejection>,
}

impl Search {
    fn best_here(&mut self, plan: &LogicalPlan) -> std::result::Result<Here, PlacementError> {
        let alternatives = self.alternatives(plan)?;
        let here = alternatives.into_iter().find_map(|alternative| match alternative {
            Alternative::Here(here) => Some(here),
            Alternative::Away(_) => None,
        });
        here.ok_or_else(|| self.refusal())
    }

    /// The refusal with the reason of the alternative that got furthest.
    fn refusal(&self) -> PlacementError {
        // Of equals the last, which is the latest.
        match self.rejected.iter().max_by_key(|rejection| rejection.height) {
            Some(Rejection { dataset, reason, remedy, needle, height: _ }) => PlacementError {
                dataset: Some(dataset.clone()),
                reason: reason.clone(),
                remedy: remedy.clone(),
                needle: needle.clone(),
            },
            None => PlacementError::internal(&DataFusionError::Plan("no way to compute it was found".into())),
        }
    }

    fn alternatives(&mut self, plan: &LogicalPlan) -> std::result::Result<Vec<Alternative>, PlacementError> {
        let internal = |error: DataFusionError| PlacementError::internal(&error);
        if !holds_foreign(plan).map_err(internal)? {
            return Ok(vec![Alternative::Here(Here::local(plan.clone()))]);
        }
        if let LogicalPlan::TableScan(scan) = plan {
            let start = self.scan(scan)?;
            return Ok(self.with_leaving(vec![start], plan));
        }
        let inputs = plan.inputs();
        let children = inputs.into_iter().map(|input| self.alternatives(input)).collect::<std::result::Result<Vec<_>, _>>()?;
        let mut found = Vec::new();
        for maker in rules::MAKERS {
            found.extend(maker(self, plan, &children));
        }
        found.extend(self.here(plan, &children)?.map(Alternative::Here));
        Ok(self.with_leaving(found, plan))
    }

    fn scan(&mut self, scan: &datafusion::logical_expr::TableScan) -> std::result::Result<Alternative, PlacementError> {
        let parts = match lower::foreign(scan) {
            Some(Foreign::One(table)) => vec![Part { name: table.name, dataset: table.dataset }],
            Some(Foreign::Every(table)) => {
                if !table.missing.is_empty() {
                    let missing: Vec<String> = table.missing.iter().map(ToString::to_string).collect();
                    return Err(PlacementError {
                        dataset: Some(format!("every.{}", table.standard)),
                        reason: format!(
                            "every.{} is to cover every member, and it is not known what {} publish",
                            table.standard,
                            missing.join(", ")
                        ),
                        remedy: "try again when their nodes can be reached, or name the bodies that you mean".into(),
                        needle: Some(table.standard.to_string()),
                    });
                }
                let federation = table.federation;
                let standard = table.parts.into_iter().map(|part| Part {
                    name: DatasetName { federation: federation.clone(), body: part.body, dataset: part.dataset.name.clone() },
                    dataset: part.dataset,
                });
                standard.collect()
            }
            None => Vec::new(),
        };
        if parts.is_empty() {
            return Ok(Alternative::Here(Here::empty(&scan.projected_schema)));
        }
        let rel = lower::scan(scan).map_err(|why| PlacementError::internal(&DataFusionError::Plan(why.0)))?;
        let class = |part: &Part| 10_f64.powi(i32::try_from(part.dataset.size_class).unwrap_or(18));
        let rows = parts.iter().map(class).sum();
        Ok(Alternative::Away(Away { parts, rel, rows }))
    }

    /// Adds what leaving brings, and keeps the best of each place.
    fn with_leaving(&mut self, mut found: Vec<Alternative>, plan: &LogicalPlan) -> Vec<Alternative> {
        let leaving: Vec<Here> = found
            .iter()
            .filter_map(|alternative| match alternative {
                Alternative::Away(away) => self.leave(away, plan),
                Alternative::Here(_) => None,
            })
            .collect();
        found.extend(leaving.into_iter().map(Alternative::Here));
        let (mut here, mut away): (Vec<Here>, Vec<Alternative>) = (Vec::new(), Vec::new());
        for alternative in found {
            match alternative {
                Alternative::Here(plan) => here.push(plan),
                Alternative::Away(_) => away.push(alternative),
            }
        }
        away.truncate(ALTERNATIVES - 1);
        let best = here.into_iter().reduce(|best, next| if next.cost < best.cost { next } else { best });
        best.map(Alternative::Here).into_iter().chain(away).collect()
    }

    /// The node itself at this place, over its inputs brought here.
    fn here(
        &mut self,
        plan: &LogicalPlan,
        children: &[Vec<Alternative>],
    ) -> std::result::Result<Option<Here>, PlacementError> {
        let mut inputs = Vec::with_capacity(children.len());
        for alternatives in children {
            let here = alternatives.iter().find_map(|alternative| match alternative {
                Alternative::Here(here) => Some(here.clone()),
                Alternative::Away(_) => None,
            });
            match here {
                Some(here) => inputs.push(here),
                None => return Ok(None),
            }
        }
        self.over(plan, inputs).map(Some)
    }

    /// A node of the plan over inputs that are here.
    pub(crate) fn over(&mut self, plan: &LogicalPlan, inputs: Vec<Here>) -> std::result::Result<Here, PlacementError> {
        let mut result = Here::local(plan.clone());
        for input in &inputs {
            result.absorb(input);
        }
        if let LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(_) = plan {
            result.notices.extend(result.cells.iter().map(|name| cells_only(name)));
        }
        let mut failure = None;
        let with_subqueries = plan.clone().map_subqueries(|subquery| match self.best_here(&subquery) {
            Ok(placed) => {
                result.absorb(&placed);
                Ok(Transformed::yes(placed.plan))
            }
            Err(error) => {
                failure = Some(error.clone());
                Err(error.into())
            }
        });
        if let Some(failure) = failure {
            return Err(failure);
        }
        let rebuilt = with_subqueries.data().and_then(|plan| rebuild(plan, inputs.into_iter().map(|input| input.plan)));
        result.plan = rebuilt.map_err(|error| PlacementError::internal(&error))?;
        Ok(result)
    }

    /// Brings an alternative here under the names of the plan that it computes.
    pub(crate) fn leave(&mut self, away: &Away, plan: &LogicalPlan) -> Option<Here> {
        let schema = plan.schema();
        let width = schema.fields().len().max(1);
        let fetched = match self.fetch(away, width, false) {
            Ok(fetched) => fetched,
            Err(rejection) => {
                self.reject(rejection, plan);
                return None;
            }
        };
        let types = schema.fields().iter().zip(fetched.schema.fields());
        let differ = types.filter(|(here, there)| {
            normal::one_string_type(here.data_type()) != normal::one_string_type(there.data_type())
        });
        if let Some((here, there)) = differ.into_iter().next() {
            let text = format!("{} would come back as {} instead of {}", here.name(), there.data_type(), here.data_type());
            self.reject(Rejection::of(&away.parts, &Why(text)), plan);
            return None;
        }
        match fetched.named(schema) {
            Ok(here) => Some(here),
            Err(error) => {
                self.reject(Rejection::of(&away.parts, &Why::from(error)), plan);
                None
            }
        }
    }

    /// The queries for the first `width` columns, if every part lets them leave and reads them as they are meant; behind them,
    /// if `flagged`, whether the row is a statistic.
    pub(crate) fn fetch(&self, away: &Away, width: usize, flagged: bool) -> std::result::Result<Fetched, Rejection> {
        let mut checked: Vec<(&Part, SchemaRef)> = Vec::new();
        let mut parts = Vec::with_capacity(away.parts.len());
        let mut cells = BTreeSet::new();
        for part in &away.parts {
            may_leave(&away.rel, part)?;
            let failed = |why: Why| Rejection::of(std::slice::from_ref(part), &why);
            let query = template::at_part(&away.rel, part).map_err(failed)?;
            let (query, width) = if flagged { (flag(query, width, part), width + 1) } else { (query, width) };
            let query = normal::normal(query, width).map_err(|error| failed(error.into()))?;
            let sql = wire::sql(&query).map_err(failed)?;
            // Parts of one form and one description differ in names only: what is read rightly for one is for all.
            if !checked.iter().any(|(known, _)| alike(known, part)) {
                let table = ForeignTable::new(part.name.clone(), Arc::clone(&part.dataset));
                let schema = check::check(&sql, &table, &query).map_err(failed)?;
                if checked.first().is_some_and(|(_, first)| !same_types(first, &schema)) {
                    return Err(failed(Why::new("the bodies answer with different types")));
                }
                checked.push((part, schema));
            }
            if part.dataset.form == Form::Statistics {
                cells.insert(part.name.to_string());
            }
            let (body, dataset) = (part.name.body.clone(), part.name.to_string());
            parts.push(RemotePart { body, sql, form: part.dataset.form, dataset });
        }
        let schema = checked.into_iter().next().map(|(_, schema)| schema);
        let schema = schema.ok_or_else(|| Rejection::of(&away.parts, &Why::new("there is no body to ask")))?;
        let twice = aggregates(&away.rel) > 1;
        Ok(Fetched { parts, schema, rows: away.rows, cells, twice })
    }

    /// Notes what can't be had at a node of the plan.
    pub(crate) fn reject(&mut self, rejection: Rejection, at: &LogicalPlan) {
        self.rejected.push(Rejection { height: height(at), ..rejection });
    }

    /// Notes why a node of the plan can't be computed at the parts.
    pub(crate) fn stays(&mut self, parts: &[Part], why: &Why, at: &LogicalPlan) {
        self.reject(Rejection::of(parts, why), at);
    }
}

fn alike(left: &Part, right: &Part) -> bool {
    left.dataset.form == right.dataset.form
        && left.dataset.columns == right.dataset.columns
        && left.dataset.coverage.is_empty() == right.dataset.coverage.is_empty()
}

fn aggregates(rel: &Rel) -> usize {
    match rel {
        Rel::Scan { .. } => 0,
        Rel::Aggregate { input, .. } => 1 + aggregates(input),
        Rel::Filter { input, .. } | Rel::Project { input, .. } | Rel::Sort { input, .. } | Rel::Limit { input, .. } => {
            aggregates(input)
        }
    }
}

fn cells_only(dataset: &str) -> String {
    format!("computed over released cells of {dataset} only; withheld groups are not in it")
}

fn flag(query: Rel, width: usize, part: &Part) -> Rel {
    let protected = lit(part.dataset.form == Form::Statistics);
    Rel::Project { input: Box::new(query), exprs: (0..width).map(rel::column).chain([protected]).collect() }
}

fn same_types(left: &SchemaRef, right: &SchemaRef) -> bool {
    let types = |schema: &SchemaRef| -> Vec<_> {
        schema.fields().iter().map(|field| normal::one_string_type(field.data_type())).collect()
    };
    types(left) == types(right)
}

fn may_leave(rel: &Rel, part: &Part) -> std::result::Result<(), Rejection> {
    match part.dataset.form {
        Form::Open | Form::Rows => Ok(()),
        Form::Statistics => statistics::foresee(rel, part),
        Form::None => Err(Rejection::new(
            part,
            format!("{} leaves {} in no form", part.name, part.name.body),
            format!("ask {} for an agreement that says otherwise", part.name.body),
        )),
    }
}

impl Fetched {
    fn here(self, schema: DFSchemaRef) -> Here {
        let Self { parts, schema: _, rows, cells, twice } = self;
        let notices = if twice { cells.iter().map(|name| cells_only(name)).collect() } else { BTreeSet::new() };
        let protected = if cells.is_empty() { 0.0 } else { rows };
        let bytes = rows * 16.0 * schema.fields().len() as f64;
        let node = RemoteNode { parts, schema, rows: rows.round().clamp(1.0, 1e18) as usize };
        let plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
        Here { plan, notices, cells, cost: Cost { cells: protected, bytes, rows } }
    }

    /// Under the names of the subtree that it replaces.
    fn named(self, schema: &DFSchemaRef) -> Result<Here> {
        if schema.fields().is_empty() {
            let mut here = self.positional()?;
            let none = Projection::try_new_with_schema(Vec::new(), Arc::new(here.plan), Arc::clone(schema))?;
            here.plan = LogicalPlan::Projection(none);
            return Ok(here);
        }
        let schema = if self.cells.is_empty() { Arc::clone(schema) } else { Arc::new(nullable(schema)?) };
        Ok(self.here(schema))
    }

    /// Under the names `c0`, `c1` and so on.
    pub(crate) fn positional(self) -> Result<Here> {
        let hidden = !self.cells.is_empty();
        let field = |(index, field): (usize, &Arc<Field>)| {
            Field::new(format!("c{index}"), normal::one_string_type(field.data_type()), hidden || field.is_nullable())
        };
        let fields: Vec<Field> = self.schema.fields().iter().enumerate().map(field).collect();
        let schema = DFSchema::from_unqualified_fields(fields.into(), Default::default())?;
        Ok(self.here(Arc::new(schema)))
    }
}

/// The same columns, each of which may be NULL.
fn nullable(schema: &DFSchema) -> Result<DFSchema> {
    let fields = schema
        .iter()
        .map(|(qualifier, field)| (qualifier.cloned(), Arc::new(field.as_ref().clone().with_nullable(true))))
        .collect();
    DFSchema::new_with_metadata(fields, schema.metadata().clone())
}

impl Here {
    fn local(plan: LogicalPlan) -> Self {
        Self { plan, notices: BTreeSet::new(), cells: BTreeSet::new(), cost: Cost::default() }
    }

    /// No rows.
    pub(crate) fn empty(schema: &DFSchemaRef) -> Self {
        let schema = Arc::clone(schema);
        Self::local(LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema }))
    }

    fn absorb(&mut self, other: &Self) {
        self.notices.extend(other.notices.iter().cloned());
        self.cells.extend(other.cells.iter().cloned());
        self.cost.cells += other.cost.cells;
        self.cost.bytes += other.cost.bytes;
        self.cost.rows += other.cost.rows;
    }
}

/// The node over other inputs. What they may newly answer with NULL, it may too.
fn rebuild(plan: LogicalPlan, mut inputs: impl Iterator<Item = LogicalPlan>) -> Result<LogicalPlan> {
    let mut changed = false;
    let plan = plan
        .map_children(|child| {
            Ok(match inputs.next() {
                Some(input) => {
                    changed |= input.schema() != child.schema();
                    Transformed::yes(input)
                }
                None => Transformed::no(child),
            })
        })
        .data()?;
    match plan {
        plan if !changed => Ok(plan),
        LogicalPlan::Union(union) => widened(union),
        plan => plan.recompute_schema(),
    }
}

fn widened(union: Union) -> Result<LogicalPlan> {
    let Union { inputs, schema } = union;
    let fields = schema.iter().enumerate().map(|(index, (qualifier, field))| {
        let any = inputs.iter().any(|input| input.schema().fields().get(index).is_some_and(|field| field.is_nullable()));
        (qualifier.cloned(), Arc::new(field.as_ref().clone().with_nullable(any || field.is_nullable())))
    });
    let schema = Arc::new(DFSchema::new_with_metadata(fields.collect(), schema.metadata().clone())?);
    Ok(LogicalPlan::Union(Union { inputs, schema }))
}

/// Columns over a plan, under the names of another schema.
pub(crate) fn renamed(plan: LogicalPlan, exprs: Vec<Expr>, schema: &DFSchema) -> Result<LogicalPlan> {
    let named = schema
        .iter()
        .zip(exprs)
        .map(|((qualifier, field), expr)| expr.alias_qualified(qualifier.cloned(), field.name()))
        .collect();
    Ok(LogicalPlan::Projection(Projection::try_new(named, Arc::new(plan))?))
}

fn holds_foreign(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            found |= lower::foreign(scan).is_some();
        }
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

fn height(plan: &LogicalPlan) -> usize {
    1 + plan.inputs().into_iter().map(height).max().unwrap_or(0)
}

fn summaries(plan: &LogicalPlan) -> Result<Vec<RemoteSummary>> {
    let mut found: Vec<RemoteSummary> = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Extension(Extension { node }) = node {
            if let Some(remote) = node.as_any().downcast_ref::<RemoteNode>() {
                found.extend(summarised(remote));
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

fn summarised(remote: &RemoteNode) -> Vec<RemoteSummary> {
    let columns: Vec<String> = remote.schema.fields().iter().map(|field| field.name().clone()).collect();
    let mut groups: Vec<(String, RemoteSummary)> = Vec::new();
    for part in &remote.parts {
        let (dataset, body) = (&part.dataset, &part.body);
        let shape = part.sql.replace(dataset.as_str(), "\u{0}").replace(&format!("'{body}'"), "\u{0}");
        match groups.iter_mut().find(|(known, group)| *known == shape && group.form == part.form) {
            Some((_, group)) => group.bodies.push(body.clone()),
            None => {
                let (bodies, sql) = (vec![body.clone()], part.sql.clone());
                let columns = columns.clone();
                groups.push((shape, RemoteSummary { bodies, sql, form: part.form, columns, rows: remote.rows }));
            }
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}
