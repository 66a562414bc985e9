//! FROM and WHERE: rows, each with the unit that it is of.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::Model;
use super::expressions::{holds, value};
use crate::proofs::case::{Column, Dataset, Expr, From, Joining, Named, Predicate, Projected, Question, Row, Select};
use crate::proofs::value::Value;
use crate::proofs::{keys, sql};

/// A relation. A row without a unit belongs to nobody and counts for nothing, unless nothing is protected here.
#[derive(Debug, Clone)]
pub(super) struct Relation<'a> {
    pub(super) fields: Vec<Field<'a>>,
    pub(super) rows: Vec<(Vec<Value>, Option<u64>)>,
    /// The kind of unit; none where all is open.
    pub(super) kind: Option<&'static str>,
    /// No unit has more than one row.
    pub(super) single: bool,
    /// The datasets in it, in the order in which they stand.
    pub(super) datasets: Vec<&'a Dataset>,
    /// What conditions have left of declared domains.
    pub(super) domains: Domains,
}

pub(super) type Domains = BTreeMap<(&'static str, &'static str), Vec<Value>>;

/// A column of a relation.
#[derive(Debug, Clone)]
pub(super) struct Field<'a> {
    pub(super) relation: &'static str,
    pub(super) name: &'static str,
    /// The published column whose values these are.
    pub(super) of: Option<(&'a Dataset, &'a Column)>,
    /// Whether it is the column itself, by which declared values are known.
    pub(super) bare: bool,
}

pub(super) fn position(fields: &[Field], column: &Named) -> usize {
    let is = |field: &Field| field.relation == column.relation && field.name == column.column;
    fields.iter().position(is).unwrap_or_else(|| panic!("{column:?} in {fields:?}"))
}

/// The kind that a column names: that of its dataset's unit, or the one that the unit belongs to.
fn names(field: &Field) -> (Option<&'static str>, Option<&'static str>) {
    let protection = field.of.and_then(|(dataset, column)| Some((dataset.protection.as_ref()?, column.name)));
    let Some((protection, name)) = protection else { return (None, None) };
    let unit = (protection.unit == Some(name)).then_some(protection.kind);
    (unit, protection.belongs_to.and_then(|(kind, column)| (column == name).then_some(kind)))
}

/// The protected and open datasets of a question in the order in which they are met, some more than once.
pub(super) fn named(of: &Select) -> Vec<&'static str> {
    let relation = named_in(&of.from[0]).into_iter();
    relation.chain(of.within.iter().flat_map(|within| named(&within.of.from))).collect()
}

fn named_in(of: &From) -> Vec<&'static str> {
    match of {
        From::Scan { dataset, .. } => vec![dataset],
        From::Derived { of, .. } => named(&of.from),
        From::Joined { sides, .. } => sides.iter().flat_map(named_in).collect(),
        From::United { branches, .. } => branches.iter().flat_map(|branch| named(&branch.from)).collect(),
    }
}

/// What a question reads. Of one dataset these are the rows that its conditions let through; of several all rows.
pub(super) fn read(model: &Model, question: &Question) -> Vec<String> {
    let statement = sql::statement(question);
    let in_words = |name: &str| statement.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name);
    let single = matches!(question.ask.from.from[0], From::Scan { .. }) && question.ask.from.within.is_empty();
    let relations: Vec<Relation> = if single {
        vec![select(model, &question.ask.from)]
    } else {
        let datasets = model.case.datasets.iter().filter(|dataset| in_words(dataset.name));
        datasets.map(|dataset| scan(dataset, dataset.name)).collect()
    };
    let mut read = Vec::new();
    for relation in relations {
        let held: Vec<usize> = (0..relation.fields.len()).filter(|at| in_words(relation.fields[*at].name)).collect();
        for (row, unit) in &relation.rows {
            let values: Vec<&Value> = held.iter().map(|at| &row[*at]).collect();
            read.push(format!("{} {unit:?} {values:?}", relation.datasets[0].name));
        }
    }
    read.sort();
    read
}

pub(super) fn select<'a>(model: &Model<'a>, of: &Select) -> Relation<'a> {
    let mut relation = from(model, &of.from[0]);
    for within in &of.within {
        let found = projected(model, &within.of);
        let at = position(&relation.fields, &within.column);
        relation
            .rows
            .retain(|(row, _)| found.rows.iter().any(|(other, _)| row[at].compare(&other[0]) == Some(Ordering::Equal)));
        // Labels may have been ruled out, of which nothing more is known.
        relation.domains.clear();
        relation.datasets.extend(found.datasets);
        // A semi join multiplies nothing.
        relation.kind = relation.kind.or(found.kind);
    }
    for condition in &of.conditions {
        filter(&mut relation, condition);
    }
    relation
}

fn filter(relation: &mut Relation, condition: &Predicate) {
    for part in parts(condition) {
        narrow(relation, part);
    }
    let fields = relation.fields.clone();
    relation.rows.retain(|(row, _)| holds(condition, &fields, row) == Some(true));
}

fn parts(of: &Predicate) -> Vec<&Predicate> {
    match of {
        Predicate::All(parts_of) => parts_of.iter().flat_map(parts).collect(),
        other => vec![other],
    }
}

/// Takes out of a domain what a condition over that column alone rules out.
fn narrow(relation: &mut Relation, part: &Predicate) {
    let mut columns = Vec::new();
    references(part, &mut columns);
    let Some((column, others)) = columns.split_first() else { return };
    if others.iter().any(|other| other != column) {
        return;
    }
    let field = &relation.fields[position(&relation.fields, column)];
    let Some((dataset, of)) = field.of.filter(|_| field.bare) else { return };
    let Some(all) = &of.domain else { return };
    let fields = std::slice::from_ref(field);
    let left = relation.domains.get(&(dataset.name, of.name)).unwrap_or(all).iter();
    let left = left.filter(|value| holds(part, fields, std::slice::from_ref(value)) == Some(true)).cloned().collect();
    relation.domains.insert((dataset.name, of.name), left);
}

fn from<'a>(model: &Model<'a>, of: &From) -> Relation<'a> {
    match of {
        From::Scan { dataset, alias } => scan(model.dataset(dataset), alias),
        From::Derived { of, alias, .. } => under(projected(model, of), alias),
        From::Joined { sides, kind, on, rest } => {
            joined(from(model, &sides[0]), from(model, &sides[1]), *kind, on, rest)
        }
        From::United { branches, alias } => {
            let mut branches = branches.iter().map(|branch| projected(model, branch));
            let mut all = branches.next().unwrap();
            for branch in branches {
                all.rows.extend(branch.rows);
                all.datasets.extend(branch.datasets);
                for (field, other) in all.fields.iter_mut().zip(&branch.fields) {
                    // A measure of two datasets goes by the name that comes first.
                    let name = |(dataset, column): (&Dataset, &Column)| (dataset.name, column.name);
                    field.of =
                        field.of.zip(other.of).map(|(one, other)| if name(other) < name(one) { other } else { one });
                    field.bare = false;
                }
            }
            all.single = false;
            all.domains.clear();
            under(all, alias)
        }
    }
}

fn under<'a>(mut relation: Relation<'a>, alias: &'static str) -> Relation<'a> {
    relation.fields.iter_mut().for_each(|field| field.relation = alias);
    relation
}

fn scan<'a>(dataset: &'a Dataset, alias: &'static str) -> Relation<'a> {
    let field =
        |column: &'a Column| Field { relation: alias, name: column.name, of: Some((dataset, column)), bare: true };
    let unit = |row: &Row| keys::unit(dataset, row);
    let rows = dataset.rows.iter().map(|row| (row.values.clone(), unit(row)));
    let protected = dataset.protection.is_some();
    Relation {
        fields: dataset.columns.iter().map(field).collect(),
        rows: rows.filter(|(_, unit)| unit.is_some() || !protected).collect(),
        kind: dataset.protection.as_ref().map(|protection| protection.kind),
        single: dataset.protection.as_ref().is_some_and(|protection| protection.unique),
        datasets: vec![dataset],
        domains: Domains::new(),
    }
}

pub(super) fn projected<'a>(model: &Model<'a>, of: &Projected) -> Relation<'a> {
    let below = select(model, &of.from);
    let fields = of.items.iter().map(|item| match &item.of {
        Expr::Reference(column) => {
            let field = &below.fields[position(&below.fields, column)];
            Field { name: item.name, ..field.clone() }
        }
        other => {
            // A cast is still of its column; anything else is made of several or of none.
            let of = match other {
                Expr::Casted(of, _) => match &of[0] {
                    Expr::Reference(column) => below.fields[position(&below.fields, column)].of,
                    _ => None,
                },
                _ => None,
            };
            Field { relation: "", name: item.name, of, bare: false }
        }
    });
    let fields = fields.collect();
    let row = |(row, unit): &(Vec<Value>, Option<u64>)| {
        (of.items.iter().map(|item| value(&item.of, &below.fields, row)).collect(), *unit)
    };
    let rows = below.rows.iter().map(row).collect();
    Relation { fields, rows, ..below }
}

/// Whose unit a joined row has: with two protected sides that of the outermost kind.
fn unit_is_left(left: &Relation, right: &Relation, on: &[(Named, Named)]) -> bool {
    match (left.kind, right.kind) {
        (Some(_), Some(_)) => {
            for (one, other) in on {
                let (one, other) =
                    (&left.fields[position(&left.fields, one)], &right.fields[position(&right.fields, other)]);
                let ((unit, outer), (other_unit, other_outer)) = (names(one), names(other));
                if unit.is_some() && unit == left.kind && other_unit == right.kind && unit == other_unit {
                    return true;
                }
                if outer.is_some() && outer == right.kind && other_unit == right.kind {
                    return false;
                }
                if other_outer.is_some() && other_outer == left.kind && unit == left.kind {
                    return true;
                }
            }
            panic!("a join without units: {on:?}")
        }
        (left, _) => left.is_some(),
    }
}

fn joined<'a>(
    left: Relation<'a>,
    right: Relation<'a>,
    kind: Joining,
    on: &[(Named, Named)],
    rest: &[Predicate],
) -> Relation<'a> {
    let unit_is_left = unit_is_left(&left, &right, on);
    let fields: Vec<Field> = left.fields.iter().chain(&right.fields).cloned().collect();
    let pairs: Vec<(usize, usize)> =
        on.iter().map(|(one, other)| (position(&left.fields, one), position(&right.fields, other))).collect();
    let matches = |one: &[Value], other: &[Value]| {
        let equal = pairs.iter().all(|(at, to)| one[*at].compare(&other[*to]) == Some(Ordering::Equal));
        let both = || one.iter().chain(other).cloned().collect::<Vec<_>>();
        equal && rest.iter().all(|part| holds(part, &fields, &both()) == Some(true))
    };
    let row = |one: &[Value], unit: Option<u64>, other: &[Value], other_unit: Option<u64>| {
        let values: Vec<Value> = one.iter().chain(other).cloned().collect();
        (values, if unit_is_left { unit } else { other_unit })
    };
    let nothing = |fields: &[Field]| vec![Value::Null; fields.len()];
    let mut rows = Vec::new();
    for (one, unit) in &left.rows {
        let found: Vec<_> = right.rows.iter().filter(|(other, _)| matches(one, other)).collect();
        rows.extend(found.iter().map(|(other, other_unit)| row(one, *unit, other, *other_unit)));
        if found.is_empty() && kind == Joining::LeftOuter {
            rows.push(row(one, *unit, &nothing(&right.fields), None));
        }
    }
    if kind == Joining::RightOuter {
        for (other, other_unit) in &right.rows {
            if !left.rows.iter().any(|(one, _)| matches(one, other)) {
                rows.push(row(&nothing(&left.fields), None, other, *other_unit));
            }
        }
    }
    rows.retain(|(_, unit)| unit.is_some());
    let by_unit = on.iter().any(|(one, other)| {
        let (one, other) = (&left.fields[position(&left.fields, one)], &right.fields[position(&right.fields, other)]);
        names(one).0.is_some() && names(one).0 == names(other).0 && left.kind == right.kind && left.kind == names(one).0
    });
    let domains =
        if kind == Joining::Inner { left.domains.into_iter().chain(right.domains).collect() } else { Domains::new() };
    let mut relation = Relation {
        fields,
        rows,
        kind: if unit_is_left { left.kind } else { right.kind },
        single: by_unit && left.single && right.single,
        datasets: left.datasets.into_iter().chain(right.datasets).collect(),
        domains,
    };
    if kind == Joining::Inner {
        rest.iter().for_each(|part| narrow(&mut relation, part));
    }
    relation
}

/// The columns that a condition names.
pub(super) fn references<'p>(of: &'p Predicate, into: &mut Vec<&'p Named>) {
    match of {
        Predicate::Compare(of, ..)
        | Predicate::Among(of, ..)
        | Predicate::Missing(of, _)
        | Predicate::Between(of, ..)
        | Predicate::Prefix(of, ..)
        | Predicate::StartsWith(of, _)
        | Predicate::Contains(of, _)
        | Predicate::Distinct(of, ..)
        | Predicate::Holds(of) => references_of(of, into),
        Predicate::Not(of) | Predicate::All(of) | Predicate::Any(of) | Predicate::Is(of, ..) => {
            of.iter().for_each(|of| references(of, into));
        }
        Predicate::Always(_) => {}
        Predicate::Same(one, other) => [one, other].into_iter().for_each(|of| references_of(of, into)),
    }
}

/// The columns that an expression names.
pub(super) fn references_of<'p>(of: &'p Expr, into: &mut Vec<&'p Named>) {
    match of {
        Expr::Reference(column) => into.push(column),
        Expr::Constant(_) => {}
        Expr::Truncated(_, of)
        | Expr::Part(_, of)
        | Expr::Left(of, _)
        | Expr::Start(of, _)
        | Expr::Spelling(_, of)
        | Expr::Coalesce(of)
        | Expr::Nullif(of, _)
        | Expr::Casted(of, _)
        | Expr::Plus(of, _)
        | Expr::Length(of) => of.iter().for_each(|of| references_of(of, into)),
        Expr::Choice(whens, otherwise) => {
            for (when, then) in whens {
                references(when, into);
                references_of(then, into);
            }
            otherwise.iter().for_each(|of| references_of(of, into));
        }
    }
}
