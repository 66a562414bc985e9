//! From rows to the answer: groupings, cells, completion, order, and what is done with released cells.

use std::cmp::Ordering;

use super::cells::{self, Contributions, Figure, Rules, controlled, figures, released};
use super::expressions::{compared, value};
use super::history::Settled;
use super::rows::{Relation, position, select};
use super::{Account, Answer, Expected, Model, Place, Traced};
use crate::proofs::case::{Above, Call, Cell, Expr, Grouping, Question, Release};
use crate::proofs::keys;
use crate::proofs::value::{Type, Value};

/// Most nearness that is looked for.
const MOST_NEARNESS: u32 = 32;
/// Most rows to which an answer is completed.
const MOST_COMPLETED: usize = 10_000;

type Label = Vec<Value>;
/// Rows and their units.
type Rows = Vec<(Vec<Value>, u64)>;

/// A group, and what each of its cells gives.
struct Group {
    label: Label,
    cells: Vec<Value>,
    /// For an answer of labels alone: whether it may be seen.
    seen: bool,
}

pub(super) fn answer(model: &mut Model, question: &Question) -> Expected {
    let relation = select(model, &question.ask.from);
    let rules = rules(model, &relation, question.purpose.unwrap());
    let before = model.history.clone();
    let (mut rows, mut traced) = rows_of(model, &relation, question, &rules);
    let visible = visible(question, &rows);
    let shown = spend(model, question, visible, &traced);
    if shown < visible {
        // As if nothing had been settled, and so many cells were shown.
        model.history = before;
        model.rest = Some(shown);
        (rows, traced) = rows_of(model, &relation, question, &rules);
        assert_eq!(model.rest.take(), Some(0));
    }
    let (threshold, largest) = (rules.threshold, rules.noise.largest);
    Expected::Answered(Answer { rows: above(question, rows), cells: traced, threshold, largest })
}

/// The rows of a release, and the figures that they are made of.
fn rows_of(
    model: &mut Model,
    relation: &Relation,
    question: &Question,
    rules: &Rules,
) -> (Vec<Vec<Value>>, Vec<Traced>) {
    let ask = &question.ask;
    let scope = relation.kind.unwrap();
    let mut traced = Vec::new();
    let mut rows = Vec::new();
    for set in sets(ask) {
        let mut shown: Vec<Group> = Vec::new();
        for (label, of) in grouped(relation, ask, &set) {
            let group = group(model, relation, ask, (&set, label, &of), (rules, scope), &mut traced);
            if set.is_empty() || group.seen || group.cells.iter().any(|cell| !cell.is_null()) {
                shown.push(group);
            }
        }
        complete(relation, ask, &set, &mut shown);
        shown.sort_by(|a, b| by_label(&a.label, &b.label));
        rows.extend(shown.into_iter().map(|group| {
            let key = |key: usize| set.iter().position(|held| *held == key).map(|at| group.label[at].clone());
            let keys = (0..ask.keys.len()).map(|at| key(at).unwrap_or(Value::Null));
            keys.chain(group.cells.iter().cloned()).collect::<Vec<Value>>()
        }));
    }
    (rows, traced)
}

fn rules(model: &Model, relation: &Relation, purpose: &str) -> Rules {
    let mut datasets = relation.datasets.clone();
    datasets.sort_by_key(|dataset| dataset.name);
    let uses: Vec<_> = datasets.iter().filter_map(|dataset| model.access(dataset, purpose)).collect();
    let mut noise = uses[0].protection.noise.unwrap();
    for used in &uses {
        let other = used.protection.noise.unwrap();
        if keys::noise(other).deviation > keys::noise(noise).deviation {
            noise = other;
        }
    }
    let nearness = uses.iter().map(|used| used.protection.threshold).max().unwrap().min(MOST_NEARNESS);
    let shares = uses.iter().filter_map(|used| used.protection.largest);
    Rules {
        threshold: uses.iter().map(|used| used.threshold).max().unwrap().into(),
        nearness: nearness.into(),
        noise: keys::noise(noise),
        percent: uses.iter().map(|used| used.protection.percent).max().unwrap().into(),
        largest: shares.reduce(|(n, k), (m, l)| (n.max(m), k.min(l))).map(|(n, share)| (n, share.into())),
        reuse: uses.iter().any(|used| used.protection.reuse),
    }
}

/// On whose accounts a question goes, and how much each gives.
fn accounts(model: &Model, question: &Question) -> Vec<(Account, Option<u64>)> {
    let mut accounts = Vec::new();
    for name in super::rows::named(&question.ask.from) {
        let Some(access) = model.access(model.dataset(name), question.purpose.unwrap()) else { continue };
        let account = ((access.agreement, name), access.allowance);
        if !accounts.contains(&account) {
            accounts.push(account);
        }
    }
    accounts.sort_by_key(|((_, name), _)| *name);
    accounts
}

/// Whether nothing is left on one of the accounts.
pub(super) fn nothing_left(model: &Model, question: &Question) -> bool {
    let spent = |account: &Account| model.spent.get(account).copied().unwrap_or(0);
    let accounts = accounts(model, question);
    accounts.iter().any(|(account, allowance)| allowance.is_some_and(|allowance| spent(account) >= allowance))
}

/// How many cells can be seen.
fn visible(question: &Question, rows: &[Vec<Value>]) -> u64 {
    let ask = &question.ask;
    let of_row = |row: &Vec<Value>| {
        let cells = row[ask.keys.len()..].iter().enumerate();
        // The same aggregate twice is one cell.
        let seen = cells.filter(|(at, cell)| !cell.is_null() && !ask.cells[..*at].contains(&ask.cells[*at])).count();
        if ask.cells.is_empty() { 1 } else { seen as u64 }
    };
    rows.iter().map(of_row).sum()
}

/// How many of the visible cells are shown, as many as each account gives, which are then spent. Those that were given
/// before to the same answer to the same question are not counted again.
fn spend(model: &mut Model, question: &Question, visible: u64, traced: &[Traced]) -> u64 {
    let passed: Vec<_> = traced.iter().filter(|cell| cell.answer.is_some()).map(|cell| &cell.contributions).collect();
    if passed.is_empty() {
        return visible;
    }
    let answer = format!("{:?} {passed:?}", question.ask);
    let accounts = accounts(model, question);
    let mut shown = visible;
    for (account, allowance) in &accounts {
        let given = model.given.get(&(*account, answer.clone())).copied().unwrap_or(0);
        let spent = model.spent.get(account).copied().unwrap_or(0);
        shown = shown.min(allowance.map_or(visible, |allowance| given + allowance.saturating_sub(spent)));
    }
    for (account, _) in accounts {
        let given = model.given.entry((account, answer.clone())).or_default();
        *model.spent.entry(account).or_default() += shown.saturating_sub(*given);
        *given = shown.max(*given);
    }
    shown
}

/// The groupings, the coarsest first.
fn sets(ask: &Release) -> Vec<Vec<usize>> {
    let all: Vec<usize> = (0..ask.keys.len()).collect();
    let mut sets: Vec<Vec<usize>> = match &ask.grouping {
        Grouping::Plain => vec![all],
        Grouping::Rollup => (0..=all.len()).map(|n| all[..n].to_vec()).collect(),
        Grouping::Cube => (0..1_u32 << all.len())
            .map(|bits| all.iter().copied().filter(|key| bits >> key & 1 == 1).collect())
            .collect(),
        Grouping::Sets(sets) => {
            sets.iter().map(|set| all.iter().copied().filter(|key| set.contains(key)).collect()).collect()
        }
    };
    sets.sort_by_key(|set| (set.len(), set.clone()));
    sets
}

/// The rows of each label in order; with no keys there is one group, of whatever there is.
fn grouped(relation: &Relation, ask: &Release, set: &[usize]) -> Vec<(Label, Rows)> {
    let mut groups: Vec<(Label, Rows)> = if set.is_empty() { vec![(vec![], vec![])] } else { vec![] };
    for (row, unit) in &relation.rows {
        let label: Label = set.iter().map(|key| value(&ask.keys[*key].of, &relation.fields, row)).collect();
        put(&mut groups, label, (row.clone(), unit.unwrap()));
    }
    groups.sort_by(|(a, _), (b, _)| by_label(a, b));
    groups
}

fn put(groups: &mut Vec<(Label, Rows)>, label: Label, row: (Vec<Value>, u64)) {
    match groups.iter_mut().find(|(held, _)| by_label(held, &label).is_eq()) {
        Some((_, rows)) => rows.push(row),
        None => groups.push((label, vec![row])),
    }
}

fn by_label(one: &[Value], other: &[Value]) -> Ordering {
    let orders = one.iter().zip(other).map(|(a, b)| a.label_order(b));
    orders.fold(Ordering::Equal, Ordering::then)
}

fn group(
    model: &mut Model,
    relation: &Relation,
    ask: &Release,
    (set, label, rows): (&[usize], Label, &Rows),
    (rules, scope): (&Rules, &str),
    traced: &mut Vec<Traced>,
) -> Group {
    let mut cells = Vec::new();
    for (at, cell) in ask.cells.iter().enumerate() {
        let place = Place { set: set.to_vec(), label: label.clone(), cell: Some((at, 0)), inner: None };
        // The same aggregate twice is seen twice or not at all.
        let same = ask.cells[..at].iter().position(|other| other == cell);
        let unseen = model.rest.is_some_and(|rest| same.map_or(rest == 0, |same| Value::is_null(&cells[same])));
        let value = match &cell.call {
            Call::Labels(dimension) => labels(relation, cell, dimension, rows, rules, (&place, &mut *traced), unseen),
            _ => one(model, relation, cell, rows, (rules, scope), (&place, &mut *traced), unseen),
        };
        if same.is_none() && !value.is_null() {
            model.rest = model.rest.map(|rest| rest - 1);
        }
        cells.push(value);
    }
    let seen = ask.cells.is_empty() && {
        let units = Figure { filter: None, adds: cells::Adds::Unit };
        let place = Place { set: set.to_vec(), label: label.clone(), cell: None, inner: None };
        let passed = plain(relation, &units, rows, rules, (place, traced)).is_some();
        let seen = passed && model.rest != Some(0);
        if seen {
            model.rest = model.rest.map(|rest| rest - 1);
        } else if passed {
            hide(traced, 1);
        }
        seen
    };
    Group { label, cells, seen }
}

/// A figure without a history.
fn plain(
    relation: &Relation,
    figure: &Figure,
    rows: &Rows,
    rules: &Rules,
    (place, traced): (Place, &mut Vec<Traced>),
) -> Option<i128> {
    let contributions = figure.contributions(&relation.fields, rows);
    let answer = controlled(&contributions, figure, relation.single, rules);
    let counts = figure.counts(relation.single);
    traced.push(Traced { place, contributions, counts, answer, settled: Settled::Own });
    answer
}

/// The last figures are behind the end of an allowance.
fn hide(traced: &mut [Traced], figures: usize) {
    for cell in traced.iter_mut().rev().take(figures) {
        (cell.answer, cell.settled) = (None, Settled::Unseen);
    }
}

/// Any aggregate but a count of labels.
fn one(
    model: &mut Model,
    relation: &Relation,
    cell: &Cell,
    rows: &Rows,
    (rules, scope): (&Rules, &str),
    (place, traced): (&Place, &mut Vec<Traced>),
    unseen: bool,
) -> Value {
    let mut answers = Vec::new();
    let mut over = 1;
    let figures = figures(cell, &relation.fields);
    let controlled = |figure: &Figure| {
        controlled(&figure.contributions(&relation.fields, rows), figure, relation.single, rules).is_some()
    };
    let unseen = unseen && figures.iter().all(controlled);
    for (part, figure) in figures.iter().enumerate() {
        let own = plain(
            relation,
            figure,
            rows,
            rules,
            (Place { cell: place.cell.map(|(cell, _)| (cell, part)), ..place.clone() }, &mut *traced),
        );
        let contributions: Contributions = traced.last().unwrap().contributions.clone();
        let answer = match own {
            Some(_) if unseen => {
                hide(traced, 1);
                None
            }
            Some(own) if rules.reuse && !figure.counts(relation.single) => {
                let (function, of) = figure.scope(relation.single);
                let scope = format!("{scope} {function} {of}");
                let (answer, settled) = model.history.settle(scope, &contributions, own, rules.nearness);
                let last = traced.last_mut().unwrap();
                (last.answer, last.settled) = (Some(answer), settled);
                Some(answer)
            }
            other => other,
        };
        over *= 10_i128.pow(figure.precision().0.into());
        answers.push(answer);
    }
    match (answers.as_slice(), kind(relation, cell)) {
        ([Some(answer)], to) => released(*answer, over, to),
        ([Some(sum), Some(count)], to) if *count != 0 => released(*sum, over * count, to),
        _ => Value::Null,
    }
}

/// How many labels of a dimension are released within the group.
fn labels(
    relation: &Relation,
    cell: &Cell,
    dimension: &Expr,
    rows: &Rows,
    rules: &Rules,
    (place, traced): (&Place, &mut Vec<Traced>),
    unseen: bool,
) -> Value {
    let mut inner: Vec<(Label, Rows)> = Vec::new();
    for (row, unit) in rows {
        put(&mut inner, vec![value(dimension, &relation.fields, row)], (row.clone(), *unit));
    }
    inner.sort_by(|(a, _), (b, _)| by_label(a, b));
    let units = Figure { filter: cell.filter.as_ref(), adds: cells::Adds::Unit };
    let mut found = 0;
    for (label, rows) in &inner {
        let released = plain(
            relation,
            &units,
            rows,
            rules,
            (Place { inner: Some(label[0].clone()), ..place.clone() }, &mut *traced),
        );
        found += i64::from(released.is_some() && !label[0].is_null());
    }
    if unseen {
        hide(traced, inner.len());
        found = 0;
    }
    if found == 0 { Value::Null } else { Value::Whole(found) }
}

/// The type of an aggregate.
fn kind(relation: &Relation, cell: &Cell) -> Type {
    let of = |of: &Expr| match of {
        Expr::Casted(_, to) => *to,
        Expr::Reference(column) => relation.fields[position(&relation.fields, column)].of.unwrap().1.of,
        other => panic!("{other:?}"),
    };
    match &cell.call {
        Call::Sum(sum) => match of(sum) {
            Type::Int | Type::Big => Type::Big,
            Type::Fixed(precision, scale) => Type::Fixed((precision + 10).min(38), scale),
            other => other,
        },
        Call::Average(sum) => match of(sum) {
            Type::Fixed(precision, scale) => Type::Fixed((precision + 4).min(38), (scale + 4).min(38)),
            _ => Type::Float,
        },
        _ => Type::Big,
    }
}

/// Adds a row for each declared label of which nothing is shown.
fn complete(relation: &Relation, ask: &Release, set: &[usize], shown: &mut Vec<Group>) {
    let domain = |key: &usize| {
        let Expr::Reference(column) = &ask.keys[*key].of else { return None };
        let field = &relation.fields[position(&relation.fields, column)];
        let (dataset, of) = field.of.filter(|_| field.bare)?;
        let all = of.domain.as_ref()?;
        Some(relation.domains.get(&(dataset.name, of.name)).unwrap_or(all).clone())
    };
    let domains: Option<Vec<Vec<Value>>> = set.iter().map(domain).collect();
    let Some(domains) = domains.filter(|domains| !domains.is_empty() && !ask.cells.is_empty()) else { return };
    if domains.iter().map(Vec::len).product::<usize>() > MOST_COMPLETED {
        return;
    }
    let mut all: Vec<Label> = vec![vec![]];
    for values in &domains {
        all = all
            .iter()
            .flat_map(|label| values.iter().map(|value| [label.clone(), vec![value.clone()]].concat()))
            .collect();
    }
    for label in all {
        if !shown.iter().any(|group| by_label(&group.label, &label).is_eq()) {
            shown.push(Group { label, cells: vec![Value::Null; ask.cells.len()], seen: false });
        }
    }
}

/// What is done with released cells.
fn above(question: &Question, mut rows: Vec<Vec<Value>>) -> Vec<Vec<Value>> {
    let keys = question.ask.keys.len();
    match &question.above {
        Above::Nothing => {}
        Above::Having(cell, op, than) => {
            rows.retain(|row| against(&row[keys + cell], *than).is_some_and(|order| compared(order, *op)));
        }
        Above::Limited { by, descending, limit, offset } => {
            rows.sort_by(|a, b| {
                let (one, other) = (&a[keys + by], &b[keys + by]);
                let order = one.label_order(other);
                let turned = *descending && !one.is_null() && !other.is_null();
                let rest = |row: &[Value]| [&row[..keys], &row[keys..]].concat();
                (if turned { order.reverse() } else { order }).then_with(|| by_label(&rest(a), &rest(b)))
            });
            rows = rows.into_iter().skip(*offset).take(*limit).collect();
        }
        Above::Quotient(one, other) => {
            for row in &mut rows {
                let quotient = match (real(&row[keys + one]), real(&row[keys + other])) {
                    (Some(one), Some(other)) => Value::Real(one / other),
                    _ => Value::Null,
                };
                row.truncate(keys);
                row.push(quotient);
            }
        }
        Above::Kept(cell, null) => rows.retain(|row| row[keys + cell].is_null() == *null),
    }
    rows
}

fn against(cell: &Value, than: i64) -> Option<Ordering> {
    match cell {
        Value::Null => None,
        Value::Whole(value) => Some(value.cmp(&than)),
        #[expect(clippy::cast_precision_loss, reason = "small numbers are compared")]
        Value::Real(value) => Some(value.total_cmp(&(than as f64))),
        Value::Exact(value, scale) => Some(value.cmp(&(i128::from(than) * 10_i128.pow((*scale).into())))),
        other => panic!("{other:?}"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a double is asked for")]
fn real(cell: &Value) -> Option<f64> {
    match cell {
        Value::Null => None,
        Value::Whole(value) => Some(*value as f64),
        Value::Real(value) => Some(*value),
        Value::Exact(value, scale) => Some(*value as f64 / 10_f64.powi((*scale).into())),
        other => panic!("{other:?}"),
    }
}
