//! Generated questions over generated rows, each table at a body of its own: the federation answers like one engine.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, RecordBatch, StringArray,
};
use meridian_proto::Form;

use crate::tests::keyed::Sent;
use crate::tests::questions::{Theme, Writer};
use crate::tests::world::{World, rows};

pub(crate) const COLUMNS: &str = "k:integer:dimension,g:varchar:dimension,x:integer:measure,d:decimal(10,2):measure,f:double:measure,\
                       b:boolean:dimension,t:date:dimension";

/// Reproducible numbers (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, number: u64) -> u64 {
        self.next() % number
    }

    pub(crate) fn one_in(&mut self, number: u64) -> bool {
        self.below(number) == 0
    }

    pub(crate) fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[usize::try_from(self.below(list.len() as u64)).unwrap()]
    }

    fn some(&mut self, number: u64) -> Option<i32> {
        if self.one_in(5) { None } else { Some(i32::try_from(self.below(number)).unwrap()) }
    }
}

/// A table of a few rows in which everything may be NULL and there twice.
pub(crate) fn table(dice: &mut Dice) -> RecordBatch {
    table_of(dice, 14)
}

fn table_of(dice: &mut Dice, below: u64) -> RecordBatch {
    let rows = if dice.one_in(8) { 0 } else { dice.below(below) };
    let draw = |dice: &mut Dice, number: u64| -> Vec<Option<i32>> { (0..rows).map(|_| dice.some(number)).collect() };
    let k = draw(dice, 4);
    let g = draw(dice, 3).into_iter().map(|value| value.map(|value| ["", "b", "c"][value as usize]));
    let g: StringArray = g.collect();
    let x = draw(dice, 5).into_iter().map(|value| value.map(|value| value - 2));
    let x: Int32Array = x.collect();
    let d = draw(dice, 400).into_iter().map(|value| value.map(|value| i128::from(value) - 200));
    let d = Decimal128Array::from_iter(d).with_precision_and_scale(10, 2).unwrap();
    let f = draw(dice, 9).into_iter().map(|value| value.map(|value| f64::from(value) * 0.25 - 1.0));
    let f: Float64Array = f.collect();
    let b: BooleanArray = draw(dice, 2).into_iter().map(|value| value.map(|value| value == 1)).collect();
    let t: Date32Array = draw(dice, 60).into_iter().map(|value| value.map(|value| 18_000 + value)).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("k", Arc::new(Int32Array::from(k))),
        ("g", Arc::new(g)),
        ("x", Arc::new(x)),
        ("d", Arc::new(d)),
        ("f", Arc::new(f)),
        ("b", Arc::new(b)),
        ("t", Arc::new(t)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

fn condition(dice: &mut Dice, one: &str, other: &str) -> String {
    let mut all = vec![match dice.below(6) {
        0 => format!("({one}.k IS NOT DISTINCT FROM {other}.k)"),
        1 => format!("{one}.k + 1 = {other}.k"),
        2 => format!("{one}.g = {other}.g"),
        _ => format!("{one}.k = {other}.k"),
    }];
    if dice.one_in(4) {
        all.push(match dice.below(4) {
            0 => format!("{one}.x < {other}.x"),
            1 => format!("{one}.b"),
            2 => format!("coalesce({other}.x, 0) >= 0"),
            _ => format!("{one}.g = {other}.g"),
        });
    }
    all.join(" AND ")
}

fn argument(dice: &mut Dice, of: &str) -> String {
    let column = dice.pick(&["x", "d", "f"]);
    match dice.below(9) {
        0 => format!("coalesce({of}.{column}, 1)"),
        1 => format!("{of}.x * 2 + 1"),
        2 => format!("CASE WHEN {of}.b THEN {of}.x END"),
        3 => format!("CASE WHEN {of}.b IS NULL THEN 7 ELSE {of}.x END"),
        _ => format!("{of}.{column}"),
    }
}

fn aggregate(dice: &mut Dice, sides: &[&str]) -> String {
    let (of, other) = (dice.pick(sides), dice.pick(sides));
    let call = match dice.below(14) {
        0 | 1 => "count(*)".to_owned(),
        2 => format!("count({})", argument(dice, of)),
        3..=5 => format!("sum({})", argument(dice, of)),
        6 | 7 => format!("avg({})", argument(dice, of)),
        8 => format!("min({})", argument(dice, of)),
        9 => format!("max({of}.g)"),
        10 => format!("count(DISTINCT {of}.x)"),
        11 => format!("sum(DISTINCT {of}.x)"),
        12 => format!("sum({of}.x + {other}.x)"),
        _ => format!("bool_or({of}.b)"),
    };
    match dice.below(8) {
        0 => format!("{call} FILTER (WHERE {of}.x > 0)"),
        1 => format!("{call} FILTER (WHERE {other}.b AND {of}.x < 2)"),
        2 => format!("{call} FILTER (WHERE {other}.g IS NULL)"),
        _ => call,
    }
}

/// An aggregate over joins of `r`, `s` and `u`, which stand in the FROM clause as `named` says.
pub(crate) fn question(dice: &mut Dice, named: &dyn Fn(&str) -> String) -> String {
    let mut sides = vec!["r"];
    let mut from = named("r");
    for next in ["s", "u"].into_iter().take(1 + usize::from(dice.one_in(2))) {
        let kind = dice.pick(&["JOIN", "JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
        let one = dice.pick(&sides);
        let side = if dice.one_in(4) {
            format!(
                "(SELECT k, g, x + 0 AS x, d, f, NOT b AS b, t FROM {} WHERE x IS NULL OR x > -2) AS {next}",
                named(next)
            )
        } else {
            named(next)
        };
        from = format!("{from} {kind} {side} ON {}", condition(dice, one, next));
        sides.push(next);
    }
    let mut conditions = Vec::new();
    if dice.one_in(4) {
        let not = dice.pick(&["", "NOT "]);
        let u = named("u");
        conditions.push(match dice.below(3) {
            0 => format!("r.k {not}IN (SELECT k FROM {u} WHERE x > 0)"),
            1 => format!("{not}EXISTS (SELECT 1 FROM {u} WHERE u.k = r.k AND u.x > r.x)"),
            _ => format!("{not}EXISTS (SELECT 1 FROM {u} WHERE u.g = s.g)"),
        });
    }
    if dice.one_in(4) {
        let of = dice.pick(&sides);
        conditions
            .push(dice.pick(&["{}.x > 0", "{}.g IS NULL OR r.b", "{}.x < r.x OR {}.b IS NULL"]).replace("{}", of));
    }
    let mut keys = Vec::new();
    for _ in 0..dice.below(3) {
        let of = dice.pick(&sides);
        keys.push(
            dice.pick(&["{}.g", "{}.k", "{}.b", "date_trunc('month', {}.t)", "coalesce({}.k, 9)", "{}.x + r.x"])
                .replace("{}", of),
        );
    }
    let number = 1 + dice.below(3);
    let mut outputs: Vec<String> = keys.clone();
    outputs.extend((0..number).map(|_| aggregate(dice, &sides)));
    let outputs: Vec<String> =
        outputs.into_iter().enumerate().map(|(index, text)| format!("{text} AS o{index}")).collect();
    let mut sql = format!("SELECT {} FROM {from}", outputs.join(", "));
    if !conditions.is_empty() {
        sql.push_str(&format!(" WHERE {}", conditions.join(" AND ")));
    }
    if !keys.is_empty() {
        sql.push_str(&format!(" GROUP BY {}", keys.join(", ")));
    }
    sql
}

#[tokio::test]
async fn joins_and_aggregates_over_three_bodies() {
    let (mut compared, mut grouped) = (0, 0);
    let mut wrong = Vec::new();
    for seed in 10_000..10_300 {
        let mut dice = Dice(seed);
        let mut world = World::default();
        for (body, dataset) in [("one", "r"), ("two", "s"), ("three", "u")] {
            // Some are too small to be worth grouping.
            let size = if dice.one_in(4) { 1 } else { 6 };
            world.add(body, dataset, COLUMNS, table(&mut dice), Form::Open, size);
        }
        let named = |table: &str| match table {
            "r" => "one.r AS r".to_owned(),
            "s" => "two.s AS s".to_owned(),
            _ => "three.u AS u".to_owned(),
        };
        let sql = question(&mut dice, &named);
        let Ok(mut central) = rows(&world.central(), &sql).await else { continue };
        let mut federated = rows(&world.asker(), &sql).await;
        central.sort();
        if let Ok(rows) = &mut federated {
            rows.sort();
        }
        compared += 1;
        let placed = world.placed(&sql).await.unwrap_or_else(|error| panic!("seed {seed}: {sql}\n{error}"));
        grouped += usize::from(placed.remotes.iter().any(|remote| remote.sql().contains("GROUP BY")));
        if federated.as_ref() != Ok(&central) {
            wrong
                .push(format!("seed {seed}: {sql}\n  federated {federated:?}\n  central {central:?}\n{}", placed.plan));
        }
    }
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong[..wrong.len().min(4)].join("\n"));
    assert!(compared > 250 && grouped * 2 > compared, "{compared} compared, {grouped} of them grouped");
}

/// Worlds of a theme, and how many questions each is asked.
const WORLDS: u64 = 50;
const QUESTIONS: u64 = 50;
/// Where the tables are: some bodies hold several, and all hold one of a standard.
const HELD: [(&str, &str); 8] = [
    ("one", "p"),
    ("one", "q"),
    ("one", "r"),
    ("two", "s"),
    ("two", "u"),
    ("three", "w"),
    ("one", "v"),
    ("three", "v"),
];
const NAMED: [&str; 10] =
    ["one.p", "one.p", "one.q", "one.q", "one.r", "two.s", "two.s", "two.u", "three.w", "every.v"];

fn world(dice: &mut Dice) -> World {
    let mut world = World { single: !dice.one_in(8), ..World::default() };
    for (body, dataset) in HELD {
        let rows = table_of(dice, 8);
        // As large as makes joins worth to go whole, or not.
        let size = u32::try_from(1 + dice.below(6)).unwrap();
        world.add(body, dataset, COLUMNS, rows, Form::Open, size);
        if dataset == "v" {
            world.conforms("v");
        }
    }
    world
}

/// Asks many questions of one theme, each of the federation and of one engine.
async fn compare(theme: Theme, keyed: bool) {
    let (mut asked, mut compared) = (0, 0);
    let (mut wrong, mut skipped) = (Vec::new(), Vec::new());
    for seed in 0..WORLDS {
        let world = World { keyed: keyed.then(Sent::default), ..world(&mut Dice(seed)) };
        let (asker, central) = (world.asker(), world.central());
        for number in 0..QUESTIONS {
            let mut dice = Dice((seed << 32 | number) ^ (theme as u64) << 48);
            let (sql, ordered) = Writer::new(&mut dice, &NAMED).question(theme);
            asked += 1;
            // What the engine can't answer at all is nothing to compare with.
            let mut there = match rows(&central, &sql).await {
                Ok(rows) => rows,
                Err(error) => {
                    skipped.push(format!("{sql}\n  {error}"));
                    continue;
                }
            };
            let mut here = rows(&asker, &sql).await;
            if !ordered {
                there.sort();
                if let Ok(rows) = &mut here {
                    rows.sort();
                }
            }
            compared += 1;
            if here.as_ref() != Ok(&there) {
                let placed = world.placed(&sql).await;
                let plan = placed.map_or_else(|error| error.to_string(), |placed| placed.plan.to_string());
                wrong.push(format!(
                    "{theme:?}, world {seed}, question {number}: {sql}\n  federated {here:?}\n  central {there:?}\n{plan}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong[..wrong.len().min(4)].join("\n"));
    assert!(compared * 10 > asked * 9, "{compared} of {asked} compared:\n{}", skipped.join("\n"));
}

#[tokio::test]
async fn rows_of_joins_and_subqueries() {
    compare(Theme::Rows, false).await;
}

#[tokio::test]
async fn rows_of_joins_and_subqueries_where_keys_are_sent() {
    compare(Theme::Rows, true).await;
}

#[tokio::test]
async fn groups_and_grouping_sets() {
    compare(Theme::Groups, false).await;
}

#[tokio::test]
async fn set_operations() {
    compare(Theme::Sets, false).await;
}

#[tokio::test]
async fn windows() {
    compare(Theme::Windows, false).await;
}
