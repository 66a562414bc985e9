//! Random datasets: columns, terms, and rows with NULLs, duplicates and awkward values.

use super::Dice;
use crate::proofs::case::{Column, Dataset, Granted, Protection, Role, Row};
use crate::proofs::keys::NOISES;
use crate::proofs::value::{Type, Value};

/// Purposes: of no agreement, and of some.
pub(super) const PURPOSES: [&str; 2] = ["planning", "fire-risk"];

const WORDS: [&str; 6] = ["bexley", "camden", "Łódź", "a b", "", "O'Hara straße 東京"];

pub(super) fn datasets(dice: &mut Dice) -> Vec<Dataset> {
    let unit_type = if dice.percent(70) { Type::Big } else { Type::Text };
    let units = dice.from_to(3, 18);
    let mut all = vec![dataset(dice, "incidents", unit_type, units)];
    if dice.percent(60) {
        all.push(dataset(dice, "homes", unit_type, units));
    }
    if dice.percent(35) {
        all.push(dataset(dice, "people", unit_type, units));
    }
    all.push(places(dice));
    all
}

/// The values of a dimension.
pub(super) fn pool(column: &str, of: Type) -> Vec<Value> {
    match of {
        Type::Text => {
            let words = if column == "zone" { &WORDS[..3] } else { &WORDS[..] };
            words.iter().map(|word| Value::Word((*word).into())).collect()
        }
        Type::Int => (2020..2024).map(Value::Whole).collect(),
        Type::Big => [-9_000_000_000_000_000_000, 0, 7, 9_000_000_000_000_000_000].map(Value::Whole).into(),
        Type::Bool => vec![Value::Flag(true), Value::Flag(false)],
        Type::Day => [-719_162, -110_000, 18_262, 18_293, 18_627, 18_628, 106_000, 2_932_896].map(Value::Date).into(),
        Type::Float => [-1.5, 0.25, 3.0, 1e300].map(Value::Real).into(),
        Type::Fixed(_, scale) => [-150, 25, 300].map(|value| Value::Exact(value, scale)).into(),
    }
}

fn column(name: &'static str, of: Type, role: Role) -> Column {
    Column { name, of, role, ranges: false, bounds: None, precision: (0, 1), bands: None, domain: None }
}

fn dimension(dice: &mut Dice, name: &'static str, of: Type) -> Column {
    let mut column = column(name, of, Role::Dimension);
    let values = pool(name, of);
    column.ranges = of != Type::Bool && dice.percent(50);
    if of == Type::Int && dice.percent(20) {
        column.bands = Some(vec![Value::Whole(2021), Value::Whole(2023)]);
    }
    if !matches!(of, Type::Float | Type::Fixed(..)) && dice.percent(40) {
        // What rows hold and nobody declared is a label all the same.
        let declared = if dice.percent(80) { values } else { dice.some(&values, 70) };
        column.domain = Some(declared);
    }
    column
}

fn dimensions(dice: &mut Dice) -> Vec<Column> {
    let all = [
        ("borough", Type::Text),
        ("year", Type::Int),
        ("alarm", Type::Bool),
        ("day", Type::Day),
        ("code", Type::Big),
        ("rate", Type::Fixed(6, 2)),
        ("level", Type::Float),
    ];
    let mut chosen = dice.some(&all, 45);
    if chosen.is_empty() {
        chosen.push(all[0]);
    }
    chosen.into_iter().map(|(name, of)| dimension(dice, name, of)).collect()
}

fn measures(dice: &mut Dice) -> Vec<Column> {
    let all = [("cost", Type::Int), ("amount", Type::Fixed(10, 2)), ("score", Type::Float), ("total", Type::Big)];
    let chosen = dice.some(&all, 40);
    chosen.into_iter().map(|(name, of)| measure(dice, name, of)).collect()
}

fn measure(dice: &mut Dice, name: &'static str, of: Type) -> Column {
    let bounds = match of {
        Type::Big => *dice.one(&[(-1e15, 1e15), (0.0, 9e18), (-5.0, 5.0)]),
        Type::Fixed(..) => *dice.one(&[(0.0, 100.0), (-50.25, 1000.5), (0.5, 99_999_999.0)]),
        _ => *dice.one(&[(0.0, 100.0), (-100.0, 100.0), (10.0, 60.5), (0.0, 1e9)]),
    };
    let mut column = column(name, of, Role::Measure);
    column.bounds = (!dice.percent(6)).then_some(bounds);
    column.precision = *dice.one(&[(0, 1), (0, 1), (2, 1), (0, 10), (1, 5), (2, 100)]);
    if of == Type::Int && dice.percent(25) {
        column.bands = Some(vec![Value::Whole(10), Value::Whole(60)]);
    }
    column
}

fn dataset(dice: &mut Dice, name: &'static str, unit_type: Type, units: i64) -> Dataset {
    let (kind, unit, unique, belongs_to) = match name {
        "incidents" if dice.percent(25) => ("incident", None, true, None),
        "people" => ("person", Some("pid"), dice.percent(50), dice.percent(80).then_some(("dwelling", "uid"))),
        "homes" => ("dwelling", Some("uid"), dice.percent(75), None),
        _ => ("dwelling", Some("uid"), dice.percent(20), None),
    };
    let mut columns = [dimensions(dice), measures(dice)].concat();
    columns.push(column("uid", unit_type, Role::Identifier));
    if name == "people" {
        columns.push(column("pid", Type::Big, Role::Identifier));
    }
    if dice.percent(30) {
        columns.push(column("note", Type::Text, Role::Hidden));
    }
    let protection = protection(dice, (kind, unit, unique, belongs_to), &columns);
    let rows = rows(dice, &columns, &protection, units);
    Dataset { name, columns, rows, protection: Some(protection) }
}

type Units = (&'static str, Option<&'static str>, bool, Option<(&'static str, &'static str)>);

fn protection(dice: &mut Dice, (kind, unit, unique, belongs_to): Units, columns: &[Column]) -> Protection {
    Protection {
        kind,
        unit,
        unique,
        belongs_to,
        threshold: *dice.one(&[3, 3, 4, 5, 6, 10]),
        noise: (!dice.percent(2)).then(|| dice.below(NOISES)),
        percent: *dice.one(&[0, 500, 700, 1_000, 2_500, 9_000]),
        largest: dice.percent(30).then(|| *dice.one(&[(1, 5_000), (2, 8_000), (3, 9_500)])),
        reuse: dice.percent(70),
        needs_agreement: dice.percent(12),
        grants: grants(dice, columns),
    }
}

fn grants(dice: &mut Dice, columns: &[Column]) -> Vec<Granted> {
    let mut grants = Vec::new();
    for agreement in ["first-2026", "second-2026"] {
        if !dice.percent(25) {
            continue;
        }
        let names: Vec<&'static str> =
            columns.iter().filter(|column| column.role != Role::Hidden).map(|column| column.name).collect();
        grants.push(Granted {
            agreement,
            purpose: if dice.percent(85) { PURPOSES[1] } else { "other" },
            columns: dice.percent(30).then(|| dice.some(&names, 75)),
            threshold: dice.percent(40).then(|| u32::try_from(dice.from_to(3, 7)).unwrap()),
            allowance: dice.percent(25).then(|| u64::try_from(dice.from_to(1, 30)).unwrap()),
            in_force: dice.percent(85),
        });
    }
    grants
}

/// Gives cells by agreement alone, and so few that they end within an answer.
pub(super) fn give_few(datasets: &mut [Dataset], cells: u64) {
    for protection in datasets.iter_mut().filter_map(|dataset| dataset.protection.as_mut()) {
        protection.needs_agreement = true;
        let granted = ["first-2026", "second-2026"].into_iter().zip(PURPOSES).map(|(agreement, purpose)| Granted {
            agreement,
            purpose,
            columns: None,
            threshold: None,
            allowance: Some(cells),
            in_force: true,
        });
        protection.grants = granted.collect();
    }
}

fn rows(dice: &mut Dice, columns: &[Column], protection: &Protection, units: i64) -> Vec<Row> {
    let most = *dice.one(&[0, 4, 12, 25, 45, 60]);
    let (mut rows, mut taken) = (Vec::new(), Vec::new());
    let nulls = *dice.one(&[0, 5, 25]);
    // Values seldom differ much within a case, so that cells fill.
    let variety = *dice.one(&[1, 2, 3, 8]);
    for number in 0..most {
        let mut values = Vec::new();
        for column in columns {
            values.push(value(dice, column, units, nulls, variety));
        }
        let unit = protection.unit.and_then(|unit| columns.iter().position(|column| column.name == unit));
        if let Some(unit) = unit.filter(|_| protection.unique)
            && !values[unit].is_null()
        {
            if taken.contains(&values[unit]) {
                continue;
            }
            taken.push(values[unit].clone());
        }
        rows.push(Row { number, values });
    }
    rows
}

pub(super) fn value(dice: &mut Dice, column: &Column, units: i64, nulls: u32, variety: usize) -> Value {
    if dice.percent(nulls) {
        return Value::Null;
    }
    match (column.role, column.of) {
        (Role::Identifier, Type::Text) => Value::Word(format!("u{}", dice.from_to(1, units))),
        (Role::Identifier, _) => Value::Whole(dice.from_to(1, units)),
        (Role::Measure, of) => amount(dice, of),
        (_, of) => {
            let pool = pool(column.name, of);
            let few = pool.len().min(variety);
            pool[dice.below(few)].clone()
        }
    }
}

fn amount(dice: &mut Dice, of: Type) -> Value {
    match of {
        Type::Int => Value::Whole(*dice.one(&[0, 0, 1, 5, 5, 5, 60, 61, 250, -30, i64::from(i32::MAX)])),
        Type::Big => Value::Whole(*dice.one(&[0, 1, -4, 3, 3, 4_000_000_000_000_000, i64::MAX, i64::MIN])),
        Type::Fixed(_, scale) => {
            Value::Exact(*dice.one(&[0, 1, 250, 250, 255, 10_050, -7, 9_999_999_999, -9_999_999_999]), scale)
        }
        _ => Value::Real(*dice.one(&[
            0.0,
            0.004,
            0.5,
            1.25,
            1.25,
            99.995,
            -30.5,
            1e12,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ])),
    }
}

/// An open dataset in which labels are looked up, some of them twice.
fn places(dice: &mut Dice) -> Dataset {
    let columns = vec![
        column("borough", Type::Text, Role::Dimension),
        column("zone", Type::Text, Role::Dimension),
        column("year", Type::Int, Role::Dimension),
        column("persons", Type::Int, Role::Measure),
    ];
    let rows = (0..u32::try_from(dice.below(7)).unwrap())
        .map(|number| {
            let values = columns.iter().map(|column| value(dice, column, 5, 8, 6)).collect();
            Row { number, values }
        })
        .collect();
    Dataset { name: "places", columns, rows, protection: None }
}
