//! What is computed where: one search from the leaves up, in which every subtree has a few alternatives.
//!
//! An alternative is either still *away*, at one body or at each body of a standard, as a [`Rel`] that grows; or *here*, as a
//! plan whose leaves are this node's tables and [`crate::RemoteNode`]s. The makers in [`crate::rules`] say how a node of the plan extends
//! the alternatives of its inputs. What is away may always be brought here, if the terms let it leave.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{LogicalPlan, TableScan, lit};
use meridian_proto::{DatasetName, Form};

use crate::alternative::{Alternative, Away, Fetched, Here, Part, Rejection, cells_only, rebuild};
use crate::error::{PlacementError, Why};
use crate::lower::Foreign;
use crate::node::RemotePart;
use crate::rel::{self, Rel};
use crate::released;
use crate::summary::{RemoteSummary, summaries};
use crate::tables::{EveryPart, ForeignTable};
use crate::{check, keys, lower, neighbours, normal, rules, statistics, template, wire};

/// Alternatives that a subtree keeps at most.
const ALTERNATIVES: usize = 8;

/// A plan in which nothing foreign is scanned, and what must be known about it.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The plan; its remote leaves are [`crate::RemoteNode`]s.
    pub plan: LogicalPlan,
    /// What other bodies are asked.
    pub remotes: Vec<RemoteSummary>,
    /// What was not chosen because it can't be done, and why.
    pub rejected: Vec<String>,
    /// What a reader of the answer must know.
    pub notices: Vec<String>,
}

/// Places what is foreign in an optimised plan. Nothing is sent to anyone.
pub fn place(plan: LogicalPlan, session: &dyn Session) -> std::result::Result<Placed, PlacementError> {
    let plan = released::without_marks(plan).map_err(|error| PlacementError::internal(&error))?;
    let own = keys::OpenHere::of(session.config_options());
    let (search, found) = best(&plan, own.is_some())?;
    let left = holds_foreign(&found.plan).map_err(|error| PlacementError::internal(&error))?;
    if left {
        let error = DataFusionError::Plan("a dataset of another body is still scanned here".into());
        return Err(PlacementError::internal(&error));
    }
    let worth = session.config().get_extension::<keys::Worth>().map_or_else(keys::Worth::default, |worth| *worth);
    let plan = keys::marked(found.plan, worth, own).map_err(|error| PlacementError::internal(&error))?;
    let remotes = summaries(&plan).map_err(|error| PlacementError::internal(&error))?;
    let mut rejected = Vec::new();
    for rejection in search.rejected {
        let text = format!("{}; {}", rejection.reason, rejection.remedy);
        if !rejected.contains(&text) {
            rejected.push(text);
        }
    }
    Ok(Placed { plan, remotes, rejected, notices: found.notices.into_iter().collect() })
}

/// The best way to have a plan, with its joins as they are or with neighbours joined first, and what was found on the way.
fn best(plan: &LogicalPlan, may_tell: bool) -> std::result::Result<(Search, Here), PlacementError> {
    let mut search = Search::default();
    let mut found = search.best_here(plan);
    for neighbours::Turned { plan, narrows } in neighbours::regrouped(plan, may_tell) {
        let mut other = Search::default();
        let Ok(turned) = other.best_here(&plan) else { continue };
        let better = |found: &Here| turned.cost < found.cost || narrows && turned.cost.is_like(&found.cost);
        if found.as_ref().map_or(true, better) {
            (search, found) = (other, Ok(turned));
        }
    }
    Ok((search, found?))
}

/// What can be asked of other bodies where a plan as a whole can't be placed: what the largest of its parts that can be
/// placed would ask. Nothing is sent to anyone.
pub fn askable(plan: LogicalPlan) -> std::result::Result<Vec<RemoteSummary>, PlacementError> {
    let plan = released::without_marks(plan).map_err(|error| PlacementError::internal(&error))?;
    let mut found = Vec::new();
    let searched = plan.apply_with_subqueries(|node| {
        if !holds_foreign(node)? {
            return Ok(TreeNodeRecursion::Jump);
        }
        match Search::default().best_here(node) {
            Ok(here) => {
                found.extend(summaries(&here.plan)?);
                Ok(TreeNodeRecursion::Jump)
            }
            Err(_) => Ok(TreeNodeRecursion::Continue),
        }
    });
    searched.map_err(|error| PlacementError::internal(&error))?;
    Ok(found)
}

#[derive(Default)]
pub(crate) struct Search {
    rejected: Vec<Rejection>,
    /// What was found for subtrees that hold something foreign. Makers that write a subtree anew search its parts again.
    known: HashMap<LogicalPlan, Vec<Alternative>>,
    /// Whether a plan is placed that a maker has written, and that makers of its kind leave alone.
    pub(crate) rewritten: bool,
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
            Some(Rejection { rule, dataset, column, reason, remedy, needle, height: _ }) => PlacementError {
                rule,
                dataset: Some(dataset.clone()),
                column: column.clone(),
                reason: reason.clone(),
                remedy: remedy.clone(),
                needle: needle.clone(),
            },
            None => PlacementError::internal(&DataFusionError::Plan("no way to compute it was found".into())),
        }
    }

    /// Places a plan that a maker has written in the place of another; what could not be had of it is not noted.
    pub(crate) fn beside(&mut self, plan: &LogicalPlan) -> std::result::Result<Here, PlacementError> {
        let noted = std::mem::take(&mut self.rejected);
        let before = std::mem::replace(&mut self.rewritten, true);
        let found = self.best_here(plan);
        self.rewritten = before;
        self.rejected = noted;
        found
    }

    /// The ways to have a subtree.
    pub(crate) fn alternatives(&mut self, plan: &LogicalPlan) -> std::result::Result<Vec<Alternative>, PlacementError> {
        if let Some(known) = self.known.get(plan) {
            return Ok(known.clone());
        }
        let found = self.searched(plan)?;
        self.known.insert(plan.clone(), found.clone());
        Ok(found)
    }

    fn searched(&mut self, plan: &LogicalPlan) -> std::result::Result<Vec<Alternative>, PlacementError> {
        let internal = |error: DataFusionError| PlacementError::internal(&error);
        if !holds_foreign(plan).map_err(internal)? {
            return Ok(vec![Alternative::Here(Here::local(plan.clone()))]);
        }
        if let LogicalPlan::TableScan(scan) = plan {
            let start = self.scan(scan)?;
            return Ok(self.with_leaving(vec![start], plan));
        }
        let inputs = plan.inputs();
        let children =
            inputs.into_iter().map(|input| self.alternatives(input)).collect::<std::result::Result<Vec<_>, _>>()?;
        let mut found = Vec::new();
        for maker in rules::MAKERS {
            found.extend(maker(self, plan, &children));
        }
        found.extend(self.here(plan, &children)?.map(Alternative::Here));
        Ok(self.with_leaving(found, plan))
    }

    fn scan(&mut self, scan: &TableScan) -> std::result::Result<Alternative, PlacementError> {
        let parts = match lower::foreign(scan) {
            Some(Foreign::One(table)) => vec![Part::new(table.owner, table.name, table.dataset)],
            Some(Foreign::Every(table)) => {
                if !table.missing.is_empty() {
                    let missing: Vec<String> = table.missing.iter().map(ToString::to_string).collect();
                    return Err(PlacementError {
                        rule: "placement.member",
                        dataset: Some(format!("every.{}", table.standard)),
                        column: None,
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
                let standard = table.parts.into_iter().map(|EveryPart { body, dataset }| {
                    let (federation, name) = (federation.clone(), dataset.name.clone());
                    Part::new(body.clone().into(), DatasetName { federation, body, dataset: name }, dataset)
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
        Ok(Alternative::Away(Away::new(parts, rel, rows)))
    }

    /// Adds what leaving brings, and keeps the best of each place.
    fn with_leaving(&mut self, mut found: Vec<Alternative>, plan: &LogicalPlan) -> Vec<Alternative> {
        let leaving: Vec<Here> = found
            .iter()
            .filter_map(|alternative| match alternative {
                // Its order would be lost.
                Alternative::Away(away) if away.ordered => None,
                Alternative::Away(away) => self.leave(away, plan),
                Alternative::Here(_) => None,
            })
            .collect();
        // Of equals the one that leaves is one question.
        found.splice(0..0, leaving.into_iter().map(Alternative::Here));
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
            let text =
                format!("{} would come back as {} instead of {}", here.name(), there.data_type(), here.data_type());
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
            may_leave(away, part)?;
            let failed = |why: Why| Rejection::of(std::slice::from_ref(part), &why);
            let query = template::at_part(&away.rel, part).map_err(failed)?;
            let (query, width) = if flagged { (flag(query, width, part), width + 1) } else { (query, width) };
            let query = normal::normal(query, width).map_err(|error| failed(error.into()))?;
            let sql = wire::sql(&query).map_err(failed)?;
            // Parts of one form and one description differ in names only: what is read rightly for one is for all.
            if !checked.iter().any(|(known, _)| alike(known, part)) {
                let tables: Vec<ForeignTable> = part
                    .datasets()
                    .chain(&away.references)
                    .map(|part| ForeignTable::of(part.owner.clone(), part.name.clone(), Arc::clone(&part.dataset)))
                    .collect();
                let schema = check::check(&sql, &tables, &query).map_err(failed)?;
                if checked.first().is_some_and(|(_, first)| !same_types(first, &schema)) {
                    return Err(failed(Why::new("the bodies answer with different types")));
                }
                checked.push((part, schema));
            }
            let protected = part.datasets().filter(|part| part.dataset.form == Form::Statistics);
            cells.extend(protected.map(|part| part.name.to_string()));
            let (body, dataset) = (part.owner.clone(), part.name.to_string());
            let beside = part.beside.iter().map(|part| part.name.clone()).collect();
            let references = away.references.iter().map(|part| part.name.clone()).collect();
            let form = part.datasets().map(|part| part.dataset.form).max_by_key(|form| strictness(*form));
            let form = form.unwrap_or(part.dataset.form);
            let of_every = away.references.is_empty() && away.rel.is_of_every();
            parts.push(RemotePart { body, sql, form, dataset, beside, references, of_every });
        }
        let schema = checked.into_iter().next().map(|(_, schema)| schema);
        let schema = schema.ok_or_else(|| Rejection::of(&away.parts, &Why::new("there is no body to ask")))?;
        let twice = aggregates(&away.rel) > 1;
        let columns = (0..width).map(|index| away.rel.label(index)).collect();
        Ok(Fetched { parts, schema, columns, rows: away.rows, cells, twice })
    }

    /// Notes what can't be had at a node of the plan.
    pub(crate) fn reject(&mut self, rejection: Rejection, at: &LogicalPlan) {
        self.reject_at(rejection, height(at));
    }

    /// Notes what can't be had, and how far up the plan it got.
    pub(crate) fn reject_at(&mut self, rejection: Rejection, height: usize) {
        self.rejected.push(Rejection { height, ..rejection });
    }

    /// Notes why a node of the plan can't be computed at the parts.
    pub(crate) fn stays(&mut self, parts: &[Part], why: &Why, at: &LogicalPlan) {
        self.reject(Rejection::of(parts, why), at);
    }
}

fn alike(left: &Part, right: &Part) -> bool {
    let same = |(left, right): (&Part, &Part)| {
        left.dataset.form == right.dataset.form
            && left.dataset.columns == right.dataset.columns
            && left.dataset.coverage.is_empty() == right.dataset.coverage.is_empty()
    };
    left.beside.len() == right.beside.len() && left.datasets().zip(right.datasets()).all(same)
}

/// How many aggregates are below one another.
fn aggregates(rel: &Rel) -> usize {
    let below = rel.inputs().into_iter().map(aggregates).max().unwrap_or(0);
    below + usize::from(matches!(rel, Rel::Aggregate { .. }))
}

fn strictness(form: Form) -> usize {
    match form {
        Form::Open => 0,
        Form::Rows => 1,
        Form::Statistics => 2,
        Form::None => 3,
    }
}

fn flag(query: Rel, width: usize, part: &Part) -> Rel {
    let protected = lit(part.is_protected());
    Rel::Project { input: Box::new(query), exprs: (0..width).map(rel::column).chain([protected]).collect() }
}

fn same_types(left: &SchemaRef, right: &SchemaRef) -> bool {
    let types = |schema: &SchemaRef| -> Vec<_> {
        schema.fields().iter().map(|field| normal::one_string_type(field.data_type())).collect()
    };
    types(left) == types(right)
}

fn may_leave(away: &Away, part: &Part) -> std::result::Result<(), Rejection> {
    if let Some(part) = part.datasets().find(|part| part.dataset.form == Form::None) {
        return Err(Rejection::new(
            "form.none",
            part,
            format!("{} leaves {} in no form", part.name, part.owner),
            format!("ask {} for an agreement that says otherwise", part.owner),
        ));
    }
    match statistics::Site::of(part) {
        Some(site) => statistics::foresee(&away.rel, &site),
        None => Ok(()),
    }
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

/// How many nodes are below one another.
pub(crate) fn height(plan: &LogicalPlan) -> usize {
    1 + plan.inputs().into_iter().map(height).max().unwrap_or(0)
}
