//! Makes a case that fails smaller: fewer questions, rows, columns, terms and parts of SQL, for as long as it still fails.

use std::future::Future;

use super::case::{Above, Case, Column, From, Grouping, Predicate, Question, Role, Row, Select};
use super::sql;

/// Most cases that are tried on the way to a small one.
const MOST_TRIES: usize = 3_000;

/// The smallest one found that still fails; `smaller` makes some that are a little smaller.
pub(super) async fn smallest<T: Clone, R: Future<Output = bool>>(
    mut case: T,
    smaller: impl Fn(&T) -> Vec<T>,
    fails: impl Fn(T) -> R,
) -> T {
    let mut tries = 0;
    'again: loop {
        for smaller in smaller(&case) {
            tries += 1;
            if tries > MOST_TRIES {
                return case;
            }
            if fails(smaller.clone()).await {
                case = smaller;
                continue 'again;
            }
        }
        return case;
    }
}

/// Cases as the arguments of a test to be pasted.
pub(super) fn pasted(seed: u64, check: &str, cases: &[&Case]) -> String {
    let cases: Vec<String> = cases.iter().map(|case| format!("{case:?}")).collect();
    let text = cases.join(", ").replace('[', "vec![");
    // Texts are owned.
    let mut owned = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("Word(\"") {
        let (before, word) = rest.split_at(at + 5);
        let mut end = 1;
        let bytes = word.as_bytes();
        while bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let (word, after) = word.split_at(end + 1);
        owned += before;
        owned += word;
        owned += ".into()";
        rest = after;
    }
    owned += rest;
    format!("#[test]\nfn case_{seed}() {{\n    {check}({owned});\n}}\n")
}

/// Pairs with a little less each: what is taken from the one is taken from the other, but for rows in which they differ.
pub(super) fn smaller_pairs(pair: &(Case, Case)) -> Vec<(Case, Case)> {
    let (one, other) = pair;
    smaller(one).into_iter().map(|less| (less.clone(), taken(one, other, less))).collect()
}

/// `other` with what `less` has left of `one`.
fn taken(one: &Case, other: &Case, mut less: Case) -> Case {
    for dataset in &mut less.datasets {
        let find = |case: &Case| case.datasets.iter().find(|of| of.name == dataset.name).cloned().unwrap();
        let (before, twin) = (find(one), find(other));
        let kept = |name: &str| dataset.columns.iter().any(|column| column.name == name);
        let columns: Vec<usize> = (0..twin.columns.len()).filter(|at| kept(twin.columns[*at].name)).collect();
        let text = |row: &Row| format!("{row:?}");
        let stays = |row: &&Row| {
            let shared = before.rows.iter().any(|of| text(of) == text(row));
            !shared || dataset.rows.iter().any(|of| of.number == row.number)
        };
        let rows = twin
            .rows
            .iter()
            .filter(stays)
            .map(|row| Row { number: row.number, values: columns.iter().map(|at| row.values[*at].clone()).collect() });
        dataset.rows = rows.collect();
    }
    less
}

/// Cases with a little less each, what takes most away first.
pub(super) fn smaller(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    for at in 0..case.questions.len() {
        all.push(with(case, |case| drop(case.questions.remove(at))));
    }
    all.extend(fewer_rows(case));
    for at in 0..case.questions.len() {
        let questions = smaller_questions(&case.questions[at]);
        all.extend(questions.into_iter().map(|question| with(case, |case| case.questions[at] = question)));
    }
    all.extend(fewer_datasets(case));
    all.extend(simpler_terms(case));
    all.retain(|smaller| smaller != case);
    all
}

fn with<T: Clone>(of: &T, change: impl FnOnce(&mut T)) -> T {
    let mut changed = of.clone();
    change(&mut changed);
    changed
}

fn fewer_rows(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    for (at, dataset) in case.datasets.iter().enumerate() {
        let rows = dataset.rows.len();
        let mut chunk = rows;
        while chunk > 0 {
            for from in (0..rows).step_by(chunk) {
                all.push(with(case, |case| {
                    drop(case.datasets[at].rows.drain(from..(from + chunk).min(rows)));
                }));
            }
            chunk /= 2;
        }
    }
    all
}

/// Whether any question names it.
fn named(case: &Case, name: &str) -> bool {
    let of = |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name);
    case.questions.iter().any(|question| of(&sql::statement(question)))
}

fn fewer_datasets(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    for (at, dataset) in case.datasets.iter().enumerate() {
        if !named(case, dataset.name) {
            all.push(with(case, |case| drop(case.datasets.remove(at))));
        }
        for (column, of) in dataset.columns.iter().enumerate() {
            let protection = dataset.protection.as_ref();
            let needed =
                protection.is_some_and(|p| p.unit == Some(of.name) || p.belongs_to.is_some_and(|b| b.1 == of.name));
            if !needed && !named(case, of.name) {
                all.push(with(case, |case| {
                    let dataset = &mut case.datasets[at];
                    dataset.columns.remove(column);
                    dataset.rows.iter_mut().for_each(|row| drop(row.values.remove(column)));
                    for grant in dataset.protection.iter_mut().flat_map(|p| &mut p.grants) {
                        grant.columns.iter_mut().for_each(|columns| columns.retain(|name| *name != of.name));
                    }
                }));
            }
        }
    }
    all
}

fn simpler_terms(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    for (at, dataset) in case.datasets.iter().enumerate() {
        let column =
            |column: usize, change: fn(&mut Column)| with(case, |case| change(&mut case.datasets[at].columns[column]));
        for index in 0..dataset.columns.len() {
            all.push(column(index, |column| column.domain = None));
            all.push(column(index, |column| column.bands = None));
            all.push(column(index, |column| column.precision = (0, 1)));
            if dataset.columns[index].role == Role::Dimension {
                all.push(column(index, |column| column.ranges = true));
            }
        }
        if dataset.protection.is_some() {
            let change = |change: fn(&mut super::case::Protection)| {
                with(case, |case| change(case.datasets[at].protection.as_mut().unwrap()))
            };
            all.push(change(|of| of.grants.clear()));
            all.push(change(|of| of.needs_agreement = false));
            all.push(change(|of| of.percent = 0));
            all.push(change(|of| of.largest = None));
            all.push(change(|of| of.reuse = false));
            all.push(change(|of| of.threshold = 3));
            all.push(change(|of| of.noise = of.noise.map(|_| 0)));
        }
    }
    all
}

fn smaller_questions(question: &Question) -> Vec<Question> {
    let mut all = vec![with(question, |question| question.above = Above::Nothing)];
    all.push(with(question, |question| question.ask.grouping = Grouping::Plain));
    for key in 0..question.ask.keys.len() {
        if question.ask.keys.len() + question.ask.cells.len() > 1 {
            all.push(with(question, |question| {
                question.ask.keys.remove(key);
                question.ask.grouping = Grouping::Plain;
                question.ask.distinct &= !question.ask.keys.is_empty();
            }));
        }
    }
    for cell in 0..question.ask.cells.len() {
        if question.ask.keys.len() + question.ask.cells.len() > 1 {
            all.push(with(question, |question| {
                question.ask.cells.remove(cell);
                question.above = Above::Nothing;
            }));
        }
        all.push(with(question, |question| question.ask.cells[cell].filter = None));
        all.push(with(question, |question| question.ask.cells[cell].as_case = false));
        for simpler in question.ask.cells[cell].filter.iter().flat_map(simpler) {
            all.push(with(question, |question| question.ask.cells[cell].filter = Some(simpler)));
        }
    }
    let selects = smaller_selects(&question.ask.from);
    all.extend(selects.into_iter().map(|from| with(question, |question| question.ask.from = from)));
    all
}

fn smaller_selects(select: &Select) -> Vec<Select> {
    let mut all = Vec::new();
    for at in 0..select.within.len() {
        all.push(with(select, |select| drop(select.within.remove(at))));
        let inner = smaller_selects(&select.within[at].of.from);
        all.extend(inner.into_iter().map(|from| with(select, |select| select.within[at].of.from = from)));
    }
    for at in 0..select.conditions.len() {
        all.push(with(select, |select| drop(select.conditions.remove(at))));
        let simpler = simpler(&select.conditions[at]);
        all.extend(simpler.into_iter().map(|condition| with(select, |select| select.conditions[at] = condition)));
    }
    let relations = smaller_relations(&select.from[0]);
    all.extend(relations.into_iter().map(|from| with(select, |select| select.from[0] = from)));
    all
}

fn smaller_relations(from: &From) -> Vec<From> {
    let mut all = Vec::new();
    match from {
        From::Scan { .. } => {}
        From::Derived { of, alias, cte } => {
            let mut smaller = Vec::new();
            for at in 0..of.items.len().saturating_sub(1) {
                smaller.push(with(of, |of| drop(of.items.remove(at))));
            }
            smaller.extend(smaller_selects(&of.from).into_iter().map(|from| with(of, |of| of.from = from)));
            all.extend(smaller.into_iter().map(|of| From::Derived { of, alias, cte: *cte }));
        }
        From::Joined { sides, kind, on, rest } => {
            let with = |sides: &Vec<From>, rest: &[Predicate]| From::Joined {
                sides: sides.clone(),
                kind: *kind,
                on: on.clone(),
                rest: rest.to_vec(),
            };
            if !rest.is_empty() {
                all.push(with(sides, &[]));
            }
            for at in 0..sides.len() {
                let smaller = smaller_relations(&sides[at]).into_iter();
                all.extend(smaller.map(|side| with(&self::with(sides, |sides| sides[at] = side), rest)));
            }
        }
        From::United { branches, alias } => {
            for at in 0..branches.len() {
                let smaller = smaller_selects(&branches[at].from).into_iter();
                all.extend(
                    smaller.map(|from| From::United {
                        branches: with(branches, |branches| branches[at].from = from),
                        alias,
                    }),
                );
            }
            // A column less on all sides.
            for item in 0..branches[0].items.len().saturating_sub(1) {
                let branches = with(branches, |branches| {
                    branches.iter_mut().for_each(|branch| drop(branch.items.remove(item)));
                });
                all.push(From::United { branches, alias });
            }
        }
    }
    all
}

fn simpler(of: &Predicate) -> Vec<Predicate> {
    match of {
        Predicate::Not(of) | Predicate::All(of) | Predicate::Any(of) | Predicate::Is(of, ..) => of.clone(),
        _ => vec![Predicate::Always(true)],
    }
}
