//! Random data and random admitted queries against a naive model that goes row by row.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::setup::{BOUNDS, Body, Incident, loda};

const BOROUGHS: [&str; 3] = ["bexley", "camden", "ealing"];
const THRESHOLD: usize = 3;

fn data(random: &mut StdRng) -> Vec<Incident> {
    let rows = random.random_range(0..60);
    let mut one = || Incident {
        borough: random.random_bool(0.85).then(|| BOROUGHS[random.random_range(0..3)]),
        year: random.random_bool(0.9).then(|| random.random_range(2020..2023)),
        day: random.random_bool(0.9).then(|| random.random_range(18_000..18_800)),
        alarm: random.random_bool(0.8).then(|| random.random_bool(0.5)),
        cost: random.random_bool(0.9).then(|| [0, 0, 5, 60, 250, -30][random.random_range(0..6)]),
        uprn: random.random_bool(0.9).then(|| random.random_range(0..14)),
    };
    (0..rows).map(|_| one()).collect()
}

/// A condition in SQL, and what it says of a row: true, false or unknown.
struct Condition {
    sql: String,
    holds: Box<Holds>,
}

type Holds = dyn Fn(&Incident) -> Option<bool>;

fn condition(random: &mut StdRng, depth: u32) -> Condition {
    match random.random_range(0..if depth == 0 { 7 } else { 10 }) {
        0 => {
            let borough = BOROUGHS[random.random_range(0..3)];
            Condition {
                sql: format!("borough = '{borough}'"),
                holds: Box::new(move |r| r.borough.map(|b| b == borough)),
            }
        }
        1 => Condition { sql: "borough IS NULL".into(), holds: Box::new(|r| Some(r.borough.is_none())) },
        2 => {
            let year = random.random_range(2019..2024);
            Condition { sql: format!("year >= {year}"), holds: Box::new(move |r| r.year.map(|y| y >= year)) }
        }
        3 => Condition {
            sql: "year NOT IN (2020, 2022)".into(),
            holds: Box::new(|r| r.year.map(|y| y != 2020 && y != 2022)),
        },
        4 => Condition { sql: "alarm".into(), holds: Box::new(|r| r.alarm) },
        5 => Condition { sql: "alarm IS NOT TRUE".into(), holds: Box::new(|r| Some(r.alarm != Some(true))) },
        6 => Condition {
            sql: "borough IN ('bexley', 'ealing')".into(),
            holds: Box::new(|r| r.borough.map(|b| b == "bexley" || b == "ealing")),
        },
        7 => {
            let inner = condition(random, depth - 1);
            Condition { sql: format!("NOT ({})", inner.sql), holds: Box::new(move |r| (inner.holds)(r).map(|b| !b)) }
        }
        8 => {
            let (a, b) = (condition(random, depth - 1), condition(random, depth - 1));
            let sql = format!("({}) AND ({})", a.sql, b.sql);
            Condition { sql, holds: Box::new(move |r| and((a.holds)(r), (b.holds)(r))) }
        }
        _ => {
            let (a, b) = (condition(random, depth - 1), condition(random, depth - 1));
            let sql = format!("({}) OR ({})", a.sql, b.sql);
            let or = |x: Option<bool>, y: Option<bool>| and(x.map(|b| !b), y.map(|b| !b)).map(|b| !b);
            Condition { sql, holds: Box::new(move |r| or((a.holds)(r), (b.holds)(r))) }
        }
    }
}

fn and(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Call {
    Rows,
    Units,
    Costs,
    Sum,
    Avg,
}

struct Aggregate {
    call: Call,
    filter: Option<Condition>,
}

impl Aggregate {
    fn sql(&self) -> String {
        let call = match self.call {
            Call::Rows => "count(*)",
            Call::Units => "count(DISTINCT uprn)",
            Call::Costs => "count(cost)",
            Call::Sum => "sum(cost)",
            Call::Avg => "avg(cost)",
        };
        self.filter.as_ref().map_or_else(|| call.to_owned(), |f| format!("{call} FILTER (WHERE {})", f.sql))
    }

    /// The cell over the rows of a group: a value, or nothing where too few units contribute.
    fn cell(&self, rows: &[&Incident]) -> String {
        let of = |r: &&&Incident| self.filter.as_ref().is_none_or(|f| (f.holds)(r) == Some(true));
        let rows: Vec<&Incident> = rows.iter().filter(of).copied().collect();
        let clamped = |r: &Incident| r.cost.map(|c| f64::from(c).clamp(BOUNDS.0, BOUNDS.1));
        let contributes = |r: &&&Incident| match self.call {
            Call::Rows | Call::Units => true,
            Call::Costs => r.cost.is_some(),
            Call::Sum | Call::Avg => clamped(r).is_some_and(|c| c != 0.0),
        };
        let units: BTreeSet<i64> = rows.iter().filter(contributes).filter_map(|r| r.uprn).collect();
        if units.len() < THRESHOLD {
            return "∅".into();
        }
        let costs: Vec<f64> = rows.iter().filter_map(|r| clamped(r)).collect();
        let sum: f64 = costs.iter().sum();
        match self.call {
            Call::Rows => rows.len().to_string(),
            Call::Units => units.len().to_string(),
            Call::Costs => costs.len().to_string(),
            Call::Sum => format!("{sum}"),
            Call::Avg => format!("{:.6}", sum / f64::from(u32::try_from(costs.len()).unwrap())),
        }
    }
}

fn keys(row: &Incident, keys: &[&str]) -> Vec<String> {
    let key = |key: &&str| match *key {
        "borough" => row.borough.map(str::to_owned),
        "year" => row.year.map(|y| y.to_string()),
        _ => row.alarm.map(|a| a.to_string()),
    };
    keys.iter().map(|k| key(k).unwrap_or_else(|| "∅".into())).collect()
}

fn expected(rows: &[Incident], grouped: &[&str], filter: &Condition, cells: &[Aggregate]) -> Vec<String> {
    let rows: Vec<&Incident> = rows.iter().filter(|r| r.uprn.is_some() && (filter.holds)(r) == Some(true)).collect();
    let mut groups: BTreeMap<Vec<String>, Vec<&Incident>> = BTreeMap::new();
    if grouped.is_empty() {
        groups.insert(vec![], rows);
    } else {
        for row in rows {
            groups.entry(keys(row, grouped)).or_default().push(row);
        }
    }
    let mut lines = Vec::new();
    for (key, rows) in groups {
        let cells: Vec<String> = cells.iter().map(|cell| cell.cell(&rows)).collect();
        if grouped.is_empty() || cells.iter().any(|cell| cell != "∅") {
            lines.push(key.into_iter().chain(cells).collect::<Vec<_>>().join(" "));
        }
    }
    lines.sort();
    lines
}

/// Averages to six digits, as the model writes them.
fn rounded(line: &str, first_cell: usize, cells: &[Aggregate]) -> String {
    let words = line.split(' ').enumerate().map(|(at, word)| {
        let averaged = at.checked_sub(first_cell).is_some_and(|cell| cells[cell].call == Call::Avg);
        match word.parse::<f64>() {
            Ok(value) if averaged => format!("{value:.6}"),
            _ => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn answers_are_those_of_a_naive_model() {
    for seed in 0..150_u64 {
        let mut random = StdRng::seed_from_u64(seed);
        let rows = data(&mut random);
        let filter = condition(&mut random, 2);
        let all = ["borough", "year", "alarm"];
        let grouped = &all[..random.random_range(0..3)];
        let calls = [Call::Rows, Call::Units, Call::Costs, Call::Sum, Call::Avg];
        let cells: Vec<Aggregate> = (0..random.random_range(1..4))
            .map(|_| Aggregate {
                call: calls[random.random_range(0..5)],
                filter: random.random_bool(0.4).then(|| condition(&mut random, 1)),
            })
            .collect();
        let calls = cells.iter().enumerate().map(|(i, cell)| format!("{} AS c{i}", cell.sql()));
        let select: Vec<String> = grouped.iter().map(|k| (*k).to_owned()).chain(calls).collect();
        let group = if grouped.is_empty() { String::new() } else { format!(" GROUP BY {}", grouped.join(", ")) };
        let sql = format!("SELECT {} FROM incidents WHERE {}{group}", select.join(", "), filter.sql);
        let body = Body::new(&rows);
        let found = body.rows(&sql, &loda()).await.unwrap_or_else(|why| panic!("seed {seed}: {sql}\n{why}"));
        let mut found: Vec<String> = found.iter().map(|line| rounded(line, grouped.len(), &cells)).collect();
        found.sort();
        assert_eq!(found, expected(&rows, grouped, &filter, &cells), "seed {seed}: {sql}");
    }
}
