//! Which rules a question breaks, by schema and terms alone.

mod scope;

use super::Model;
use crate::proofs::case::{
    Call, Cell, Column, Expr, From, Joining, Key, Named, Op, Predicate, Projected, Question, Select,
};
use crate::proofs::value::Value;
use scope::{Choices, Kind, MADE, Origin, Scope, kind, lossless, named, together};

/// Most constants and ranges that one column is compared with on the way to a cell.
const MOST_CONSTANTS: usize = 20;

const COLUMN: &str = "statistics.column";
const EXPRESSION: &str = "statistics.expression";
const SHAPE: &str = "statistics.shape";
const JOIN: &str = "statistics.join";
const AGGREGATE: &str = "statistics.aggregate";

/// The rules that a question breaks; `sql` where it names what does not exist for the asker.
pub(super) fn broken(model: &Model, question: &Question) -> Vec<&'static str> {
    let mut check =
        Check { model, purpose: question.purpose, broken: Vec::new(), now: Choices::new(), seen: Vec::new() };
    let ask = &question.ask;
    let scope = check.select(&ask.from);
    // All keys choose together, and each cell's own condition within them.
    let mut within = scope.clone();
    check.choose(&scope, |check| {
        ask.keys.iter().for_each(|key| {
            check.key(&key.of, &scope);
        });
    });
    within.choices = std::mem::take(&mut check.now);
    for cell in &ask.cells {
        check.choose(&within, |check| check.cell(cell, &within));
    }
    if scope.datasets.iter().any(|dataset| dataset.protection.as_ref().is_some_and(|of| of.noise.is_none())) {
        check.broken.push("statistics.noise");
    }
    check.broken.sort_unstable();
    check.broken.dedup();
    if check.broken.contains(&"sql") { vec!["sql"] } else { check.broken }
}

struct Check<'m, 'a> {
    model: &'m Model<'a>,
    purpose: Option<&'static str>,
    broken: Vec<&'static str>,
    /// With how many constants columns are compared in what is looked at, and which columns that were made of others it
    /// has named.
    now: Choices,
    seen: Vec<(&'static str, &'static str)>,
}

impl<'a> Check<'_, 'a> {
    fn breaks(&mut self, rule: &'static str) {
        self.broken.push(rule);
    }

    /// Looks at a part whose constants count together with those of the filters below it.
    fn choose(&mut self, scope: &Scope<'a>, look: impl FnOnce(&mut Self)) {
        self.now = scope.choices.clone();
        self.seen.clear();
        look(self);
        if self.now.values().any(|constants| *constants > MOST_CONSTANTS) {
            self.breaks(EXPRESSION);
        }
    }

    fn select(&mut self, of: &Select) -> Scope<'a> {
        let mut scope = self.from(&of.from[0]);
        for within in &of.within {
            let found = self.projected(&within.of);
            let column = self.side(&within.column, &scope);
            let other = found.columns[0].2.clone();
            self.units(&scope, &found, &[(column, other)]);
            scope.datasets.extend(found.datasets);
            self.add(&mut scope, found.choices);
        }
        for condition in &of.conditions {
            self.filter(&mut scope, condition);
        }
        scope
    }

    fn filter(&mut self, scope: &mut Scope<'a>, condition: &Predicate) {
        let before = scope.clone();
        self.choose(&before, |check| check.condition(condition, &before));
        scope.choices = std::mem::take(&mut self.now);
    }

    fn add(&mut self, scope: &mut Scope<'a>, other: Choices) {
        for (column, constants) in other {
            *scope.choices.entry(column).or_default() += constants;
        }
        if scope.choices.values().any(|constants| *constants > MOST_CONSTANTS) {
            self.breaks(EXPRESSION);
        }
    }

    fn from(&mut self, of: &From) -> Scope<'a> {
        match of {
            From::Scan { dataset, alias } => self.scan(dataset, alias),
            From::Derived { of, alias, .. } => named(self.projected(of), alias),
            From::Joined { sides, kind, on, rest } => {
                let (left, right) = (self.from(&sides[0]), self.from(&sides[1]));
                self.joined(left, right, *kind, on, rest)
            }
            From::United { branches, alias } => {
                let mut branches = branches.iter().map(|branch| self.projected(branch)).collect::<Vec<_>>().into_iter();
                let mut all = branches.next().unwrap();
                for branch in branches {
                    self.unite(&mut all, branch);
                }
                named(all, alias)
            }
        }
    }

    fn unite(&mut self, all: &mut Scope<'a>, branch: Scope<'a>) {
        match (all.kind, branch.kind) {
            (Some(one), Some(other)) if one == other => {}
            (Some(_), Some(_)) => self.breaks(JOIN),
            _ => self.breaks(SHAPE),
        }
        for ((_, _, one), (_, _, other)) in all.columns.iter_mut().zip(&branch.columns) {
            let terms = |of: &Origin<'a>| of.of.map(|(_, column)| (column.bounds, column.precision));
            let kind = match (one.kind, other.kind) {
                (Kind::Measure, Kind::Measure) if terms(one) == terms(other) => Kind::Measure,
                (Kind::Unit(kind), Kind::Unit(_)) => Kind::Unit(kind),
                (one, other) if one.is_label() && other.is_label() => Kind::Label { ranges: false },
                _ => Kind::Withheld,
            };
            let chosen = together(&one.chosen, &other.chosen);
            *one = Origin { kind, bare: false, chosen, ..one.clone() };
        }
        all.datasets.extend(branch.datasets);
        self.add(all, branch.choices);
    }

    fn scan(&mut self, name: &str, alias: &'static str) -> Scope<'a> {
        let dataset = self.model.dataset(name);
        let mut granted = None;
        if dataset.protection.is_some() {
            match self.purpose {
                None => self.breaks("purpose.stated"),
                Some(purpose) => match self.model.access(dataset, purpose) {
                    Some(access) => granted = access.columns,
                    None => self.breaks("agreement.active"),
                },
            }
        }
        let origin = |column: &'a Column| {
            let kind = kind(dataset, column, granted);
            (alias, column.name, Origin { of: Some((dataset, column)), kind, bare: true, chosen: Choices::new() })
        };
        Scope {
            columns: dataset.columns.iter().map(origin).collect(),
            datasets: vec![dataset],
            kind: dataset.protection.as_ref().map(|protection| protection.kind),
            choices: Choices::new(),
        }
    }

    fn projected(&mut self, of: &Projected) -> Scope<'a> {
        let below = self.select(&of.from);
        let columns = of.items.iter().map(|item| ("", item.name, self.item(item, &below))).collect();
        Scope { columns, ..below }
    }

    /// A projected column: one that may not be used is carried as such, unless it is part of an expression.
    fn item(&mut self, item: &Key, below: &Scope<'a>) -> Origin<'a> {
        match &item.of {
            Expr::Reference(column) => self.find(column, below),
            other => {
                let mut origin = MADE;
                let alone = Scope { choices: Choices::new(), ..below.clone() };
                self.choose(&alone, |check| origin = check.value(other, &alone));
                let chosen = self.now.clone();
                self.choose(below, |check| {
                    check.value(other, below);
                });
                Origin { chosen, ..origin }
            }
        }
    }

    fn joined(
        &mut self,
        left: Scope<'a>,
        right: Scope<'a>,
        kind: Joining,
        on: &[(Named, Named)],
        rest: &[Predicate],
    ) -> Scope<'a> {
        if kind == Joining::FullOuter {
            self.breaks(SHAPE);
        }
        let pairs: Vec<_> = on.iter().map(|(one, other)| (self.side(one, &left), self.side(other, &right))).collect();
        let unit_is_left = self.units(&left, &right, &pairs);
        let mut scope = Scope {
            kind: if unit_is_left { left.kind } else { right.kind },
            columns: [left.columns, right.columns].concat(),
            datasets: [left.datasets, right.datasets].concat(),
            choices: left.choices,
        };
        self.add(&mut scope, right.choices);
        for part in rest {
            self.filter(&mut scope, part);
        }
        scope
    }

    /// Whether joined rows are of one unit each; says whether it is the left side's.
    fn units(&mut self, left: &Scope<'a>, right: &Scope<'a>, pairs: &[(Origin<'a>, Origin<'a>)]) -> bool {
        match (left.kind, right.kind) {
            (None, None) => true,
            (Some(_), Some(_)) => {
                // A unit's column may stand in rows that are protected as those of another kind by now.
                let (mine, theirs) = (left.kind.unwrap(), right.kind.unwrap());
                for (one, other) in pairs {
                    match (one.kind, other.kind) {
                        (Kind::Unit(one), Kind::Unit(other)) if one == other && one == mine && one == theirs => {
                            return true;
                        }
                        (Kind::Outer(outer), Kind::Unit(kind)) if outer == kind && kind == theirs => return false,
                        (Kind::Unit(kind), Kind::Outer(outer)) if outer == kind && kind == mine => return true,
                        _ => {}
                    }
                }
                self.breaks(JOIN);
                true
            }
            (one, _) => {
                if pairs.is_empty() {
                    self.breaks(JOIN);
                }
                one.is_some()
            }
        }
    }

    fn side(&mut self, of: &Named, scope: &Scope<'a>) -> Origin<'a> {
        let origin = self.find(of, scope);
        match origin.kind {
            Kind::Measure | Kind::Withheld | Kind::Hidden | Kind::Constant => self.breaks(COLUMN),
            _ if !origin.bare => self.breaks(EXPRESSION),
            _ => {}
        }
        origin
    }

    fn find(&mut self, of: &Named, scope: &Scope<'a>) -> Origin<'a> {
        let found = scope.columns.iter().find(|(relation, name, _)| *relation == of.relation && *name == of.column);
        let origin = found.map(|(_, _, origin)| origin.clone());
        let origin = origin.unwrap_or(Origin { of: None, kind: Kind::Hidden, bare: true, chosen: Choices::new() });
        if origin.kind == Kind::Hidden {
            self.breaks("sql");
        }
        origin
    }

    fn cell(&mut self, cell: &Cell, scope: &Scope<'a>) {
        if let Some(filter) = &cell.filter {
            self.condition(filter, scope);
        }
        match &cell.call {
            Call::Rows | Call::Ones => {}
            Call::Count(of) => match self.value(of, scope).kind {
                Kind::Label { .. } | Kind::Measure | Kind::Unit(_) => {}
                _ => self.breaks(COLUMN),
            },
            Call::Units(of) | Call::Approximate(of) | Call::Labels(of) => match self.value(of, scope).kind {
                Kind::Unit(kind) if scope.kind == Some(kind) => {}
                Kind::Label { .. } => {}
                Kind::Withheld | Kind::Hidden => self.breaks(COLUMN),
                _ => self.breaks(AGGREGATE),
            },
            Call::Sum(of) | Call::Average(of) => {
                let origin = self.value(of, scope);
                if origin.kind != Kind::Measure {
                    self.breaks(COLUMN);
                } else if origin.of.is_some_and(|(_, column)| column.bounds.is_none()) {
                    self.breaks("statistics.bounds");
                }
            }
            Call::Never(_, of) => {
                self.value(of, scope);
                self.breaks(AGGREGATE);
            }
        }
    }

    /// What may be a label, or be compared.
    fn key(&mut self, of: &Expr, scope: &Scope<'a>) -> Origin<'a> {
        let origin = self.value(of, scope);
        if !origin.kind.is_label() {
            self.breaks(COLUMN);
        }
        origin
    }

    fn value(&mut self, of: &Expr, scope: &Scope<'a>) -> Origin<'a> {
        match of {
            Expr::Reference(column) => {
                let origin = self.find(column, scope);
                if origin.kind == Kind::Withheld {
                    self.breaks(COLUMN);
                }
                if !self.seen.contains(&(column.relation, column.column)) {
                    self.seen.push((column.relation, column.column));
                    self.now = together(&self.now, &origin.chosen);
                }
                origin
            }
            Expr::Constant(_) => Origin { of: None, kind: Kind::Constant, bare: false, chosen: Choices::new() },
            Expr::Truncated(_, of) | Expr::Part(_, of) => {
                let origin = self.value(&of[0], scope);
                match origin.kind {
                    Kind::Label { ranges: true } if origin.bands().is_none() => {}
                    Kind::Label { .. } => self.breaks(EXPRESSION),
                    _ => self.breaks(COLUMN),
                }
                Origin { bare: false, ..origin }
            }
            Expr::Left(of, _) | Expr::Start(of, _) | Expr::Spelling(_, of) => {
                let origin = self.key(&of[0], scope);
                Origin { kind: Kind::Label { ranges: false }, bare: false, ..origin }
            }
            Expr::Coalesce(of) => {
                of.iter().for_each(|of| {
                    self.key(of, scope);
                });
                MADE
            }
            Expr::Nullif(of, _) => {
                self.compares(&of[0], 1, scope);
                self.key(&of[0], scope);
                MADE
            }
            Expr::Choice(whens, otherwise) => {
                for (when, then) in whens {
                    self.condition(when, scope);
                    self.key(then, scope);
                }
                otherwise.iter().for_each(|of| {
                    self.key(of, scope);
                });
                MADE
            }
            Expr::Casted(of, to) => {
                let origin = self.value(&of[0], scope);
                let from = origin.of.map(|(_, column)| column.of);
                if !from.is_none_or(|from| lossless(from, *to)) {
                    self.breaks(EXPRESSION);
                }
                Origin { bare: false, ..origin }
            }
            Expr::Plus(..) | Expr::Length(_) => {
                self.breaks(EXPRESSION);
                MADE
            }
        }
    }

    /// Counts the constants that the columns of an expression are compared with.
    fn compares(&mut self, of: &Expr, constants: usize, scope: &Scope<'a>) {
        let mut columns = Vec::new();
        super::rows::references_of(of, &mut columns);
        columns.sort_by_key(|column| (column.relation, column.column));
        columns.dedup();
        for column in columns {
            // What is made of several columns counts as one of its own.
            let of = self.find(column, scope).of.map(|(dataset, column)| (dataset.name, column.name));
            *self.now.entry(of.unwrap_or(("", "made"))).or_default() += constants;
        }
    }

    fn condition(&mut self, of: &Predicate, scope: &Scope<'a>) {
        match of {
            Predicate::Compare(of, op, value) => match op {
                Op::Equal | Op::Unequal => {
                    self.compares(of, 1, scope);
                    self.key(of, scope);
                }
                _ => {
                    let origin = self.value(of, scope);
                    if origin.bands().is_none() {
                        self.compares(of, 1, scope);
                    }
                    self.range(origin, *op, value);
                }
            },
            Predicate::Among(of, among, _) => {
                self.compares(of, among.len(), scope);
                self.key(of, scope);
            }
            Predicate::Distinct(of, ..) | Predicate::Prefix(of, ..) | Predicate::StartsWith(of, _) => {
                self.compares(of, 1, scope);
                self.key(of, scope);
            }
            Predicate::Missing(of, _) | Predicate::Holds(of) => {
                self.key(of, scope);
            }
            Predicate::Between(of, ..) => {
                let origin = self.key(of, scope);
                if origin.bands().is_none() {
                    self.compares(of, 1, scope);
                }
                let banded = origin.bands().is_some_and(|bands| !bands.is_empty());
                if banded || origin.kind != (Kind::Label { ranges: true }) {
                    self.breaks(EXPRESSION);
                }
            }
            Predicate::Contains(of, _) => {
                self.compares(of, 1, scope);
                self.key(of, scope);
                self.breaks(EXPRESSION);
            }
            Predicate::Not(of) | Predicate::All(of) | Predicate::Any(of) | Predicate::Is(of, ..) => {
                of.iter().for_each(|of| self.condition(of, scope));
            }
            Predicate::Always(_) => {}
            Predicate::Same(..) => self.breaks(EXPRESSION),
        }
    }

    /// A range that the owner declares: anywhere, or by < and >= at a band.
    fn range(&mut self, origin: Origin<'a>, op: Op, value: &Value) {
        match origin.bands() {
            Some(bands) => {
                let labelled = matches!(origin.kind, Kind::Label { .. } | Kind::Measure);
                let at = matches!(op, Op::Less | Op::GreaterOrEqual) && bands.contains(value);
                if !(labelled && at) {
                    self.breaks(EXPRESSION);
                }
            }
            None if origin.kind == Kind::Label { ranges: true } => {}
            None if origin.kind.is_label() => self.breaks(EXPRESSION),
            None => self.breaks(COLUMN),
        }
    }
}
