//! Generated questions over a table of an engine: the answer is that over a copy of its rows in memory.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::datasource::MemTable;
use datafusion::physical_plan::displayable;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::questions::{ask, session, shown};
use super::*;

/// The columns of the table.
pub(in crate::sources) const COLUMNS: [&str; 11] = [
    "i integer",
    "s integer",
    "b bigint",
    "n decimal(10,2)",
    "f double",
    "t varchar",
    "c varchar",
    "d date",
    "ts timestamp",
    "tz timestamp",
    "bo boolean",
];
const ROWS: usize = 400;
const QUESTIONS: usize = 400;

/// Values of each column, as both sides read them.
const VALUES: [(&str, &[&str]); 11] = [
    ("i", &["0", "1", "-1", "2", "7", "2147483647", "-2147483648"]),
    ("s", &["0", "1", "-1", "2", "7", "32767"]),
    ("b", &["0", "1", "-1", "2", "7", "3000000000", "-9223372036854775807"]),
    ("n", &["0", "1", "-1", "0.5", "2.25", "99999999.99"]),
    ("f", &["0.5", "1.5", "-2.25", "0.1", "1e300"]),
    (
        "t",
        &["''", "'a'", "'A'", "'b'", "'ab'", "'Ä'", "'ä'", "'a b'", "'a_b'", "'a%'", "'it''s'", "'\u{1F600}'", "'zz'"],
    ),
    ("c", &["''", "'a'", "'ab'", "'a b'", "'Zz'"]),
    ("d", &["date '2000-01-01'", "date '1969-12-31'", "date '2024-02-29'"]),
    (
        "ts",
        &[
            "timestamp '2000-01-01 00:00:00'",
            "timestamp '1969-12-31 23:59:59.999999'",
            "timestamp '2024-02-29 12:00:00'",
        ],
    ),
    ("tz", &["timestamp '2000-01-01 00:00:00'", "timestamp '2024-02-29 12:00:00'"]),
    ("bo", &["true", "false"]),
];

/// What chooses; its seed is printed.
pub(in crate::sources) fn chooser() -> StdRng {
    let seed = std::env::var("MERIDIAN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    eprintln!("MERIDIAN_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// The table's rows as VALUES has them, with values of each column that can only be in the table.
pub(in crate::sources) fn rows(rng: &mut StdRng, only: [&[&str]; 11]) -> String {
    let mut rows = Vec::with_capacity(ROWS);
    for _ in 0..ROWS {
        let row: Vec<&str> = (0..VALUES.len())
            .map(|column| match rng.random_range(0..10) {
                0 => "NULL",
                1 | 2 => only[column].choose(rng).copied().unwrap_or("NULL"),
                _ => value(rng, column),
            })
            .collect();
        rows.push(format!("({})", row.join(", ")));
    }
    rows.join(", ")
}

fn value(rng: &mut StdRng, column: usize) -> &'static str {
    VALUES[column].1.choose(rng).unwrap()
}

fn predicate(rng: &mut StdRng, depth: u32) -> String {
    if depth > 0 && rng.random_bool(0.6) {
        let (one, other) = (predicate(rng, depth - 1), predicate(rng, depth - 1));
        return match rng.random_range(0..5) {
            0 | 1 => format!("({one} AND {other})"),
            2 | 3 => format!("({one} OR {other})"),
            _ => format!("NOT ({one})"),
        };
    }
    let column = rng.random_range(0..VALUES.len());
    let (name, at) = (VALUES[column].0, |rng: &mut StdRng| value(rng, column));
    let op = *["=", "<>", "<", "<=", ">", ">="].choose(rng).unwrap();
    match rng.random_range(0..12) {
        0 => format!("{name} IS NULL"),
        1 => format!("{name} IS NOT NULL"),
        2 => format!("{name} IN ({}, {})", at(rng), at(rng)),
        3 => format!("{name} NOT IN ({}, {}, {}, {})", at(rng), at(rng), at(rng), at(rng)),
        4 => format!("{name} BETWEEN {} AND {}", at(rng), at(rng)),
        5 => format!("{name} NOT BETWEEN {} AND {}", at(rng), at(rng)),
        6 => {
            let pattern = ["'a%'", "'%b'", "'_'", "'%'", "'a_b'", "'%Ä%'", "''", "'a\\%'"].choose(rng).unwrap();
            format!("t {}LIKE {pattern}", if rng.random_bool(0.5) { "NOT " } else { "" })
        }
        7 => {
            format!("{} {op} {}", ["i", "s", "b", "n"].choose(rng).unwrap(), ["i", "s", "b", "n"].choose(rng).unwrap())
        }
        8 => format!("{} {op} {}", at(rng), name),
        9 => format!("i {op} {}", ["0.5", "2.25", "7"].choose(rng).unwrap()),
        _ => format!("{name} {op} {}", at(rng)),
    }
}

/// The rows of an answer as lines, sorted.
fn lines(batches: &[RecordBatch]) -> Vec<String> {
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        return Vec::new();
    }
    let shown = shown(batches);
    let mut lines: Vec<String> = shown.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn question(rng: &mut StdRng) -> String {
    let name = |rng: &mut StdRng| VALUES[rng.random_range(0..VALUES.len())].0;
    let predicate = predicate(rng, 1);
    let call = |rng: &mut StdRng| {
        let column = name(rng);
        match rng.random_range(0..7) {
            0 => "COUNT(*)".to_owned(),
            1 => format!("COUNT({column})"),
            2 => format!("COUNT(DISTINCT {column})"),
            3 => format!("SUM({})", ["i", "s", "n"].choose(rng).unwrap()),
            4 => format!("COUNT(*) FILTER (WHERE {})", self::predicate(rng, 1)),
            5 if column != "bo" => format!("MIN({column})"),
            _ => format!("MAX({})", if column == "bo" { "t" } else { column }),
        }
    };
    match rng.random_range(0..4) {
        0 => format!("SELECT {} AS x, {} AS y FROM @ WHERE {predicate}", call(rng), call(rng)),
        1 => {
            let (key, calls) = (name(rng), (call(rng), call(rng)));
            format!("SELECT {key} AS k, {} AS x, {} AS y FROM @ WHERE {predicate} GROUP BY {key}", calls.0, calls.1)
        }
        2 => {
            let key = name(rng);
            format!(
                "SELECT a.{key} AS k, COUNT(*) AS x FROM @ a {}JOIN @ b ON a.{key} = b.{key} GROUP BY a.{key}",
                ["", "LEFT "].choose(rng).unwrap()
            )
        }
        _ => {
            let way = ["", " DESC", " NULLS FIRST", " DESC NULLS FIRST"].choose(rng).unwrap();
            let key = name(rng);
            format!("SELECT {key} AS k FROM @ WHERE {predicate} ORDER BY {key}{way} LIMIT {}", rng.random_range(1..50))
        }
    }
}

/// The engine's table and a copy of its rows, each a dataset.
pub(in crate::sources) async fn both(loaded: Loaded) -> SessionContext {
    let context = session(&BTreeMap::from([("there", loaded)]));
    let copied = ask(&context, "SELECT * FROM there").await.unwrap();
    assert_eq!(copied.iter().map(RecordBatch::num_rows).sum::<usize>(), ROWS);
    let here = MemTable::try_new(copied[0].schema(), vec![copied]).unwrap();
    context.register_table("here", Arc::new(here)).unwrap();
    context
}

/// Conditions are true of the same rows there, and so many in a hundred at least are whole there.
pub(in crate::sources) async fn conditions(context: &SessionContext, rng: &mut StdRng, share: usize) {
    let (mut whole, mut found) = (0, BTreeSet::new());
    for _ in 0..QUESTIONS {
        let predicate = predicate(rng, 3);
        let answer = async |table: &str| ask(context, &format!("SELECT * FROM {table} WHERE {predicate}")).await;
        let (there, here) = (answer("there").await, answer("here").await);
        let (there, here) = (there.unwrap_or_else(|e| panic!("{predicate}: {e}")), here.unwrap());
        assert_eq!(lines(&there), lines(&here), "{predicate}");
        found.insert(here.iter().map(RecordBatch::num_rows).sum::<usize>());
        let plan =
            context.sql(&format!("SELECT i FROM there WHERE {predicate}")).await.unwrap().create_physical_plan().await;
        let plan = displayable(plan.unwrap().as_ref()).indent(false).to_string();
        whole += usize::from(!plan.contains("FilterExec"));
    }
    assert!(whole >= QUESTIONS * share / 100, "only {whole} of {QUESTIONS} conditions were whole there");
    assert!(found.len() > QUESTIONS / 10, "the conditions tell rows apart: {found:?}");
}

/// Whole questions have the same answers there; `done` is the SQL that was put to the engine.
pub(in crate::sources) async fn questions(
    context: &SessionContext,
    rng: &mut StdRng,
    done: impl FnOnce() -> Vec<String>,
) {
    for _ in 0..QUESTIONS / 2 {
        let question = question(rng);
        let answer = async |table: &str| ask(context, &question.replace('@', table)).await;
        let (there, here) = (answer("there").await, answer("here").await);
        let (there, here) = (there.unwrap_or_else(|e| panic!("{question}: {e}")), here.unwrap());
        assert_eq!(lines(&there), lines(&here), "{question}");
        if question.contains("ORDER BY") && here.iter().any(|batch| batch.num_rows() > 0) {
            assert_eq!(shown(&there), shown(&here), "{question}");
        }
    }
    let done = done();
    for part in ["GROUP BY", "ORDER BY", "JOIN", "count(", "min("] {
        assert!(done.iter().filter(|sql| sql.contains(part)).count() > 2, "{part} is hardly ever done there");
    }
}
