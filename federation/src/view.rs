//! Views: queries over datasets of one body that its node keeps under a name, as the federation is told of them.
//!
//! A view gives nobody anything. At its owner it stands for its text, so that the gate sees the datasets that it is over and holds
//! each to its terms. What other nodes are told follows from these: of several forms the strictest, of a column that is
//! computed the strictest role of what it is computed from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement;
use meridian_proto::{
    About, Column, ColumnType, Dataset, DatasetName, Form, MOST_KEYWORDS, Name, Quality, Reference, Role,
};

use crate::lower;
use crate::over::{self, Tables};
use crate::rel::{Rel, ScanColumn, Source};
use crate::tables::{ForeignTable, arrow_type};

/// What a view is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title {
    /// Its full name.
    pub name: DatasetName,
    /// For people.
    pub title: String,
    /// For people.
    pub description: String,
    /// What is said of its columns; the others are described as in the datasets that they are from.
    pub columns: BTreeMap<Name, String>,
}

/// A view as the federation may be told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// As a dataset of its owner.
    pub dataset: Dataset,
    /// The datasets that it is over.
    pub bases: Vec<Name>,
}

/// Why a query can't be a view.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Unfit {
    /// What is wrong with it.
    pub what: String,
    /// What to do.
    pub fix: String,
}

fn unfit(what: impl Into<String>, fix: impl Into<String>) -> Unfit {
    Unfit { what: what.into(), fix: fix.into() }
}

/// What follows for a view from what is told of the datasets of its owner.
pub fn described(title: &Title, statement: &Statement, own: &[Arc<Dataset>]) -> std::result::Result<Described, Unfit> {
    let of = |dataset: &Name| DatasetName { dataset: dataset.clone(), ..title.name.clone() };
    let tables: Vec<ForeignTable> =
        own.iter().map(|dataset| ForeignTable::new(of(&dataset.name), Arc::clone(dataset))).collect();
    let known = Tables::of(tables.iter().map(|table| (table.name.clone(), Arc::new(table.clone()) as _)))
        .at_home(&title.name.federation, &title.name.body);
    let unplanned = |error: datafusion::error::DataFusionError| {
        let words = error.strip_backtrace();
        let words = words.strip_prefix("Error during planning: ").unwrap_or(&words);
        let words = words.strip_prefix("Schema error: ").unwrap_or(words);
        unfit(
            format!("its SQL can't be planned: {}", words.trim_end_matches('.').replace('\n', " ")),
            "write one SELECT over datasets of this body and columns that are not hidden",
        )
    };
    let plan = over::plan(statement.clone(), &known).and_then(over::analysed).map_err(unplanned)?;
    let names = scanned(&plan).map_err(unplanned)?;
    let bases: Vec<&Arc<Dataset>> = own.iter().filter(|dataset| names.contains(&dataset.name)).collect();
    if bases.is_empty() {
        return Err(unfit("its SQL names no dataset", "write one SELECT over datasets of this body"));
    }
    let optimised = over::optimised(plan.clone()).map_err(unplanned)?;
    let rel = lower::plan(&optimised).map_err(|why| {
        unfit(format!("other bodies can't be told of it: {}", why.0), "write it with joins, filters and projections")
    })?;
    if let Some(closed) = bases.iter().find(|base| base.form != Form::Open)
        && !of_rows(&rel)
    {
        return Err(unfit(
            format!("{} is not open, and the view does more than join, filter and compute columns", closed.name),
            "leave aggregates, DISTINCT, windows, ORDER BY and LIMIT to the questions that are asked of the view",
        ));
    }
    let (form, unit_kind) = protection(&bases)?;
    let columns = columns(title, &plan, &rel, &bases)?;
    let Title { name, title, description, columns: _ } = title;
    let dataset = Dataset {
        name: name.dataset.clone(),
        title: title.clone(),
        description: description.clone(),
        licence: distinct(bases.iter().map(|base| base.licence.as_str())).join(" AND "),
        form,
        needs_agreement: bases.iter().any(|base| base.needs_agreement),
        columns,
        unit_kind,
        threshold: bases.iter().map(|base| base.threshold).max().unwrap_or_default(),
        standard: None,
        coverage: Vec::new(),
        size_class: bases.iter().map(|base| base.size_class).max().unwrap_or_default(),
        update_frequency: distinct(bases.iter().map(|base| base.update_frequency.as_str())).join(", "),
        references: references(&bases),
        about: about(&bases),
    };
    Ok(Described { dataset, bases: bases.into_iter().map(|base| base.name.clone()).collect() })
}

/// As new as the newest of what it is over, and told no further than each of that.
fn about(bases: &[&Arc<Dataset>]) -> About {
    let each = || bases.iter().map(|base| &base.about);
    About {
        keywords: distinct(each().flat_map(|about| about.keywords.iter().map(String::as_str)))
            .into_iter()
            .take(MOST_KEYWORDS)
            .map(str::to_owned)
            .collect(),
        contact: each().find_map(|about| about.contact.clone()),
        last_change: each().filter_map(|about| about.last_change).max(),
        // Nothing is checked of a view by itself.
        quality: each().all(|about| about.quality.is_some()).then(Quality::default),
        members_only: each().any(|about| about.members_only),
    }
}

fn scanned(plan: &LogicalPlan) -> Result<BTreeSet<Name>> {
    let mut found = BTreeSet::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(lower::Foreign::One(table)) = lower::foreign(scan)
        {
            found.insert(table.name.dataset);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// Whether it is made of rows alone: nothing is counted, ordered or cut.
fn of_rows(rel: &Rel) -> bool {
    match rel {
        Rel::Scan { .. } | Rel::Filter { .. } | Rel::Project { .. } | Rel::Join { .. } | Rel::Union { .. } => {
            rel.inputs().into_iter().all(of_rows)
        }
        Rel::Aggregate { .. } | Rel::Window { .. } | Rel::Sort { .. } | Rel::Limit { .. } => false,
    }
}

/// The strictest form, and what is protected where that is `statistics`.
fn protection(bases: &[&Arc<Dataset>]) -> std::result::Result<(Form, String), Unfit> {
    let form = bases.iter().map(|base| base.form).max().unwrap_or(Form::None);
    if let Some(none) = bases.iter().find(|base| base.form == Form::None) {
        return Err(unfit(format!("it is over {}, which leaves in no form", none.name), "leave that dataset out"));
    }
    let kinds = distinct(bases.iter().map(|base| base.unit_kind.as_str()));
    match kinds.as_slice() {
        [] => Ok((form, String::new())),
        [kind] => Ok((form, (*kind).to_owned())),
        several => Err(unfit(
            format!("it is over datasets that protect different units: {}", several.join(", ")),
            "make a view of each",
        )),
    }
}

/// Each text that says something, once, in order.
fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found = Vec::new();
    for text in texts.filter(|text| !text.is_empty()) {
        if !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

fn references(bases: &[&Arc<Dataset>]) -> Vec<Reference> {
    let mut found: Vec<Reference> = Vec::new();
    for reference in bases.iter().flat_map(|base| &base.references) {
        if !found.contains(reference) {
            found.push(reference.clone());
        }
    }
    found
}

fn columns(
    title: &Title,
    plan: &LogicalPlan,
    rel: &Rel,
    bases: &[&Arc<Dataset>],
) -> std::result::Result<Vec<Column>, Unfit> {
    let mut columns: Vec<Column> = Vec::new();
    for (index, field) in plan.schema().fields().iter().enumerate() {
        let name: Name = field.name().parse().map_err(|_| {
            unfit(format!("its column {:?} has no name that can be published", field.name()), "name it with AS")
        })?;
        if columns.iter().any(|column| column.name == name) {
            return Err(unfit(format!("its column {name} stands twice"), "rename one with AS"));
        }
        let column_type = column_type(field.data_type()).ok_or_else(|| {
            unfit(
                format!("its column {name} has the type {}, which is none that is published", field.data_type()),
                "cast it to boolean, integer, bigint, double, decimal, varchar or date",
            )
        })?;
        let said = title.columns.get(&name).cloned();
        columns.push(match rel.origin(index).and_then(|(source, column)| base_column(bases, source, column)) {
            Some(base) => Column {
                name,
                column_type,
                required: base.required && !field.is_nullable(),
                description: said.unwrap_or_else(|| base.description.clone()),
                ..base.clone()
            },
            None => Column {
                name,
                column_type,
                role: strictest(rel, index, bases),
                required: false,
                ranges: false,
                concept: String::new(),
                unit: String::new(),
                description: said.unwrap_or_default(),
            },
        });
    }
    match title.columns.keys().find(|name| !columns.iter().any(|column| column.name == **name)) {
        Some(stray) => Err(unfit(format!("it has no column {stray}"), "describe the columns that its SQL yields")),
        None => Ok(columns),
    }
}

/// The column of a dataset, as it may be used in a view of which statistics leave: of one that is open, to group by.
fn base_column(bases: &[&Arc<Dataset>], source: &Source, column: &ScanColumn) -> Option<Column> {
    let (Source::Dataset(name), ScanColumn::Named(column)) = (source, column) else { return None };
    let base = bases.iter().find(|base| base.name == name.dataset)?;
    let column = base.column(column)?;
    let role = if base.form == Form::Statistics { column.role } else { Role::Dimension };
    Some(Column { role, ..column.clone() })
}

fn strictest(rel: &Rel, index: usize, bases: &[&Arc<Dataset>]) -> Role {
    let drawn = rel.sources(index).into_iter();
    let roles = drawn.filter_map(|(source, name)| base_column(bases, source, &ScanColumn::Named(name.to_owned())));
    roles.map(|column| column.role).max().unwrap_or(Role::Dimension)
}

/// The published type that is held in memory in this way.
fn column_type(held: &DataType) -> Option<ColumnType> {
    let published = match held {
        DataType::Boolean => ColumnType::Boolean,
        DataType::Int32 => ColumnType::Integer,
        DataType::Int64 => ColumnType::Bigint,
        DataType::Float64 => ColumnType::Double,
        DataType::Decimal128(precision, scale) if *scale >= 0 => ColumnType::Decimal(*precision, *scale),
        DataType::Utf8 => ColumnType::Varchar,
        DataType::Date32 => ColumnType::Date,
        DataType::Timestamp(_, None) => ColumnType::Timestamp,
        DataType::Binary => ColumnType::Bytea,
        _ => return None,
    };
    (arrow_type(published) == *held).then_some(published)
}
