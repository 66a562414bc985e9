//! A second database that differs from the first in the rows of one unit.

use crate::proofs::case::{
    Above, Call, Case, Cell, Dataset, Expr, From, Grouping, Named, Predicate, Question, Release, Role, Row, Select,
};
use crate::proofs::generate::{self, Dice};
use crate::proofs::keys;

/// The twins of a seed: same terms, same questions.
pub(super) fn twins(seed: u64, questions: usize) -> (Case, Case) {
    let one = generate::case(seed, questions);
    let mut dice = Dice::new(seed ^ 0x7477_696e);
    let mut other = one.clone();
    let protected: Vec<usize> = (0..one.datasets.len()).filter(|at| one.datasets[*at].protection.is_some()).collect();
    let dataset = &mut other.datasets[*dice.one(&protected)];
    match dice.below(3) {
        0 => remove(&mut dice, dataset),
        1 => add(&mut dice, dataset),
        _ => change(&mut dice, dataset),
    }
    let (mut one, mut other) = if dice.percent(50) { (one, other) } else { (other, one) };
    if dice.percent(40) {
        ask_near(&mut one, &mut other);
    }
    (one, other)
}

/// Has two sums asked first that may be near each other: one without a label of the changed unit, and one of all.
fn ask_near(one: &mut Case, other: &mut Case) {
    let text = |row: &Row| format!("{row:?}");
    let holds = |dataset: &Dataset, row: &Row| dataset.rows.iter().any(|held| text(held) == text(row));
    for (dataset, twin) in one.datasets.iter_mut().zip(&mut other.datasets) {
        let only = |of: &Dataset, not: &Dataset| of.rows.iter().find(|row| !holds(not, row)).cloned();
        let Some(row) = only(dataset, twin).or_else(|| only(twin, dataset)) else { continue };
        let of_role = |role| dataset.columns.iter().position(|column| column.role == role && column.bands.is_none());
        let (Some(label), Some(measure)) = (of_role(Role::Dimension), of_role(Role::Measure)) else { return };
        let column = |at: usize| Expr::Reference(Named { relation: "t0", column: dataset.columns[at].name });
        let without = Predicate::Distinct(column(label), row.values[label].clone(), false);
        let sum = Cell { call: Call::Sum(column(measure)), filter: None, as_case: false };
        let question = |conditions| Question {
            purpose: Some("planning"),
            ask: Release {
                from: Select {
                    from: vec![From::Scan { dataset: dataset.name, alias: "t0" }],
                    conditions,
                    within: vec![],
                },
                keys: vec![],
                grouping: Grouping::Plain,
                cells: vec![sum.clone()],
                distinct: false,
            },
            above: Above::Nothing,
        };
        let questions = [question(vec![without]), question(vec![])];
        for protection in [dataset.protection.as_mut(), twin.protection.as_mut()].into_iter().flatten() {
            (protection.reuse, protection.needs_agreement, protection.percent) = (true, false, 0);
        }
        for (at, question) in questions.into_iter().enumerate() {
            one.questions[at] = question.clone();
            other.questions[at] = question;
        }
        return;
    }
}

fn one_unit(dice: &mut Dice, dataset: &Dataset) -> Option<u64> {
    let units: Vec<u64> = dataset.rows.iter().filter_map(|row| keys::unit(dataset, row)).collect();
    (!units.is_empty()).then(|| *dice.one(&units))
}

fn remove(dice: &mut Dice, dataset: &mut Dataset) {
    if let Some(unit) = one_unit(dice, dataset) {
        let stays: Vec<bool> = dataset.rows.iter().map(|row| keys::unit(dataset, row) != Some(unit)).collect();
        let mut stays = stays.into_iter();
        dataset.rows.retain(|_| stays.next().unwrap());
    }
}

/// A row more for one unit: where it may have one only, for one that has none.
fn add(dice: &mut Dice, dataset: &mut Dataset) {
    let number = dataset.rows.iter().map(|row| row.number + 1).max().unwrap_or(0);
    let units: Vec<Option<u64>> = dataset.rows.iter().map(|row| keys::unit(dataset, row)).collect();
    let unique = dataset.protection.as_ref().is_some_and(|protection| protection.unique);
    for _ in 0..20 {
        let values = generate::values(dice, &dataset.columns);
        let row = Row { number, values };
        let unit = keys::unit(dataset, &row);
        if unit.is_some() && !(unique && units.contains(&unit)) {
            let at = dice.below(dataset.rows.len() + 1);
            dataset.rows.insert(at, row);
            return;
        }
    }
}

/// Other values in the rows of one unit, which stays who it is.
fn change(dice: &mut Dice, dataset: &mut Dataset) {
    let Some(unit) = one_unit(dice, dataset) else { return };
    for at in 0..dataset.rows.len() {
        if keys::unit(dataset, &dataset.rows[at]) != Some(unit) || dice.percent(30) {
            continue;
        }
        let values = generate::values(dice, &dataset.columns);
        let one_only = dice.percent(60).then(|| dice.below(values.len()));
        for (column, value) in values.into_iter().enumerate() {
            let of = &dataset.columns[column];
            let names = of.role == Role::Identifier;
            if !names && one_only.is_none_or(|only| only == column) {
                dataset.rows[at].values[column] = value;
            }
        }
    }
}
