//! What the search moves about: alternatives that are away or here, what they cost, and why one can't be had.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{Field, SchemaRef};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DFSchema, DFSchemaRef};
use datafusion::error::Result;
use datafusion::logical_expr::{EmptyRelation, Expr, Extension, LogicalPlan, Projection, Union};
use meridian_proto::{BodyName, Column, Dataset, DatasetName, Form};

use crate::error::Why;
use crate::node::{RemoteNode, RemotePart};
use crate::rel::{Rel, Source};
use crate::{normal, template};

/// A dataset of one body, and others of that body that are asked for together with it.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// The body, as this node names it.
    pub(crate) owner: BodyName,
    pub(crate) name: DatasetName,
    pub(crate) dataset: Arc<Dataset>,
    /// The others; nothing is beside them.
    pub(crate) beside: Vec<Part>,
}

impl Part {
    pub(crate) fn new(owner: BodyName, name: DatasetName, dataset: Arc<Dataset>) -> Self {
        Self { owner, name, dataset, beside: Vec::new() }
    }

    /// All datasets of the body that are asked for.
    pub(crate) fn datasets(&self) -> impl Iterator<Item = &Part> {
        std::iter::once(self).chain(&self.beside)
    }

    /// Whether single rows of one of them do not leave.
    pub(crate) fn is_protected(&self) -> bool {
        self.datasets().any(|part| part.dataset.form == Form::Statistics)
    }

    /// The dataset that a scan reads there.
    pub(crate) fn of(&self, source: &Source) -> Option<&Part> {
        self.datasets().find(|part| match source {
            Source::Dataset(name) => part.name == *name,
            Source::Every(standard) => part.dataset.standard.as_ref() == Some(standard),
        })
    }

    /// The description of a published column, and of which dataset it is.
    pub(crate) fn described(&self, source: &Source, name: &str) -> Option<(&Part, &Column)> {
        let part = self.of(source)?;
        part.dataset.column(name).map(|column| (part, column))
    }

    /// With the datasets of another part of the same body.
    pub(crate) fn with(&self, other: &Self) -> Self {
        let mut both = self.clone();
        for part in other.datasets() {
            if !both.datasets().any(|known| known.name == part.name) {
                both.beside.push(Self::new(part.owner.clone(), part.name.clone(), Arc::clone(&part.dataset)));
            }
        }
        both
    }
}

/// What is still at its bodies.
#[derive(Debug, Clone)]
pub(crate) struct Away {
    /// One for a body, several for each body of a standard.
    pub(crate) parts: Vec<Part>,
    pub(crate) rel: Rel,
    /// Roughly how many rows at all parts together.
    pub(crate) rows: f64,
    /// Datasets of other bodies that the one part's body joins with its own.
    pub(crate) references: Vec<Part>,
    /// Whether its rows are in an order, which is lost when they leave.
    pub(crate) ordered: bool,
}

impl Away {
    /// Rows of some parts.
    pub(crate) fn new(parts: Vec<Part>, rel: Rel, rows: f64) -> Self {
        Self { parts, rel, rows, references: Vec::new(), ordered: false }
    }

    /// Something else over the same datasets.
    pub(crate) fn over(&self, rel: Rel, rows: f64) -> Self {
        Self { rel, rows, ..self.clone() }
    }

    /// The dataset of the one body that is asked, if it is one.
    pub(crate) fn one(&self) -> Option<&Part> {
        match self.parts.as_slice() {
            [part] => Some(part),
            _ => None,
        }
    }

    /// All datasets of the bodies that are asked.
    pub(crate) fn datasets(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().flat_map(Part::datasets)
    }

    /// Whether single rows do not leave.
    pub(crate) fn is_protected(&self) -> bool {
        self.parts.iter().any(Part::is_protected)
    }

    /// The same query over named datasets, if one body is asked.
    pub(crate) fn at_home(&self) -> Option<Result<Rel, Why>> {
        self.one().map(|part| template::at_part(&self.rel, part))
    }

    /// Something over the datasets of both, if they are at one and the same body.
    pub(crate) fn with(&self, other: &Self, rel: Rel, rows: f64) -> Option<Self> {
        let (own, others) = (self.one()?, other.one()?);
        if own.owner != others.owner {
            return None;
        }
        let mut both = Self::new(vec![own.with(others)], rel, rows);
        for part in self.references.iter().chain(&other.references) {
            if !both.references.iter().any(|known| known.name == part.name) {
                both.references.push(part.clone());
            }
        }
        Some(both)
    }

    /// The description of a published column, and of which dataset it is.
    pub(crate) fn described(&self, source: &Source, name: &str) -> Option<(&Part, &Column)> {
        self.parts.first()?.described(source, name)
    }
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
    /// Releases of cells by more than the question groups by.
    pub(crate) finer: f64,
    /// Protected cells that leave.
    pub(crate) cells: f64,
    /// Bytes that leave.
    pub(crate) bytes: f64,
    /// Rows handled here.
    pub(crate) rows: f64,
}

impl Cost {
    /// Whether it is as much, but for how estimates are added up, and all of it is rows.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let is_rows = |cost: &Self| cost.finer == 0.0 && cost.cells == 0.0;
        let alike = |one: f64, other: f64| (one - other).abs() <= 1e-6 * one.max(other);
        is_rows(self) && is_rows(other) && alike(self.bytes, other.bytes) && alike(self.rows, other.rows)
    }
}

/// An alternative that can't be had.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rejection {
    /// The rule of the owner's gate that is foreseen, or of placement itself.
    pub(crate) rule: &'static str,
    pub(crate) dataset: String,
    pub(crate) column: Option<String>,
    pub(crate) reason: String,
    pub(crate) remedy: String,
    pub(crate) needle: Option<String>,
    /// How far up the plan it got.
    pub(crate) height: usize,
}

impl Rejection {
    pub(crate) fn new(rule: &'static str, part: &Part, reason: String, remedy: String) -> Self {
        let needle = Some(part.name.dataset.to_string());
        Self { rule, dataset: part.name.to_string(), column: None, reason, remedy, needle, height: 0 }
    }

    /// About a published column.
    pub(crate) fn at_column(self, column: String) -> Self {
        Self { needle: Some(column.clone()), column: Some(column), ..self }
    }

    /// About another word of the SQL.
    pub(crate) fn at(self, needle: &str) -> Self {
        Self { needle: Some(needle.to_owned()), ..self }
    }

    pub(crate) fn of(parts: &[Part], why: &Why) -> Self {
        let names: Vec<String> = parts.iter().map(|part| part.name.to_string()).collect();
        let (dataset, reason) = match names.as_slice() {
            [name] => (name.clone(), format!("it can't be done at {name}: {}", why.0)),
            [first, .., last] => (first.clone(), format!("it can't be done at {first} to {last}: {}", why.0)),
            [] => (String::new(), why.0.clone()),
        };
        let remedy = "leave that part out or compute it over what the body releases".into();
        Self { rule: "placement.body", dataset, column: None, reason, remedy, needle: None, height: 0 }
    }
}

/// The asked-for rows of some parts, as a leaf without names yet.
pub(crate) struct Fetched {
    pub(crate) parts: Vec<RemotePart>,
    pub(crate) schema: SchemaRef,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: f64,
    pub(crate) cells: BTreeSet<String>,
    /// Whether an aggregate is over an aggregate.
    pub(crate) twice: bool,
}

impl Fetched {
    fn here(self, schema: DFSchemaRef) -> Here {
        let Self { parts, schema: _, columns, rows, cells, twice } = self;
        let notices = if twice { cells.iter().map(|name| cells_only(name)).collect() } else { BTreeSet::new() };
        let protected = if cells.is_empty() { 0.0 } else { rows };
        let bytes = rows * 16.0 * schema.fields().len() as f64;
        let node =
            RemoteNode { parts, schema, columns, rows: rows.round().clamp(1.0, 1e18) as usize, keys_of: Vec::new() };
        let plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
        Here { plan, notices, cells, cost: Cost { finer: 0.0, cells: protected, bytes, rows } }
    }

    /// Under the names of the subtree that it replaces.
    pub(crate) fn named(self, schema: &DFSchemaRef) -> Result<Here> {
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
    pub(crate) fn local(plan: LogicalPlan) -> Self {
        Self { plan, notices: BTreeSet::new(), cells: BTreeSet::new(), cost: Cost::default() }
    }

    /// No rows.
    pub(crate) fn empty(schema: &DFSchemaRef) -> Self {
        let schema = Arc::clone(schema);
        Self::local(LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema }))
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        self.notices.extend(other.notices.iter().cloned());
        self.cells.extend(other.cells.iter().cloned());
        self.cost.finer += other.cost.finer;
        self.cost.cells += other.cost.cells;
        self.cost.bytes += other.cost.bytes;
        self.cost.rows += other.cost.rows;
    }
}

/// The node over other inputs. What they may newly answer with NULL, it may too.
pub(crate) fn rebuild(plan: LogicalPlan, mut inputs: impl Iterator<Item = LogicalPlan>) -> Result<LogicalPlan> {
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
        let any =
            inputs.iter().any(|input| input.schema().fields().get(index).is_some_and(|field| field.is_nullable()));
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

pub(crate) fn cells_only(dataset: &str) -> String {
    format!("computed over released cells of {dataset} only; withheld groups are not in it")
}
