//! Ranges of coverage: which bodies a condition leaves, and that no row is lost by it.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray};
use meridian_proto::{Coverage, Covers, Form};

use crate::tests::world::{World, asked, both, name};

/// 2020-01-01, in days since 1970-01-01.
const NEW_YEAR: i32 = 18_262;

const NOWHERE: &[&str] = &[];

/// One standard at three bodies. Each has ten rows: numbers, days from a new year on, costs in hundredths, and a text.
/// `north` covers 1 to 10, `south` 11 to 20 and `east`, of which only the days have an end, whatever it has.
fn world() -> World {
    let mut world = World::default();
    for (body, first) in [("north", 1_i32), ("south", 11), ("east", 15)] {
        let numbers = first..first + 10;
        let ids: ArrayRef = Arc::new(numbers.clone().map(|number| Some(i64::from(number))).collect::<Int64Array>());
        let days: ArrayRef =
            Arc::new(numbers.clone().map(|number| Some(NEW_YEAR + number - 1)).collect::<Date32Array>());
        let costs = numbers.clone().map(|number| Some(i128::from(number) * 100)).collect::<Decimal128Array>();
        let costs: ArrayRef = Arc::new(costs.with_precision_and_scale(10, 2).unwrap());
        let steps: ArrayRef = Arc::new(numbers.clone().map(|number| Some(number % 3)).collect::<Int32Array>());
        let notes = numbers.map(|number| (number % 2 == 0).then(|| number.to_string())).collect::<StringArray>();
        let columns =
            [("id", ids), ("day", days), ("cost", costs), ("step", steps), ("note", Arc::new(notes) as ArrayRef)];
        world.hold(body, "visits", Some("visits"), &[RecordBatch::try_from_iter(columns).unwrap()]);
    }
    cover(&mut world, "north", "id", Some("1"), Some("10"));
    cover(&mut world, "north", "cost", Some("1"), Some("10"));
    cover(&mut world, "north", "day", None, Some("2020-01-10"));
    cover(&mut world, "south", "id", Some("11"), Some("20"));
    cover(&mut world, "south", "cost", Some("11.00"), Some("20.00"));
    cover(&mut world, "east", "day", Some("2020-01-15"), None);
    world
}

fn cover(world: &mut World, body: &str, column: &str, from: Option<&str>, to: Option<&str>) {
    let holding = world.holdings.iter_mut().find(|holding| holding.name.body.as_str() == body).unwrap();
    let covers = Covers::Range { from: from.map(str::to_owned), to: to.map(str::to_owned) };
    Arc::make_mut(&mut holding.dataset).coverage.push(Coverage { column: name(column), covers });
}

/// Each condition leaves these bodies, and the answer is that of one engine over all rows.
async fn leaves(world: &World, cases: &[(&str, &[&str])]) {
    let mut wrong = Vec::new();
    for (condition, expected) in cases {
        let sql = format!("SELECT id, day FROM every.visits WHERE {condition}");
        let texts = asked(world, &sql).await;
        let bodies: Vec<&str> = texts.iter().flat_map(|text| text.split_once(": ").unwrap().0.split('+')).collect();
        let (here, there) = both(world, &sql).await;
        if bodies != *expected || here != there {
            wrong.push(format!("{condition}: {bodies:?}\n  federated {here:?}\n  central {there:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_range_rules_a_body_out() {
    leaves(
        &world(),
        &[
            ("id = 10", &["north", "east"]),
            ("id = 11", &["south", "east"]),
            ("id < 11", &["north", "east"]),
            ("id <= 0", &["east"]),
            ("11 > id", &["north", "east"]),
            ("id >= 21", &["east"]),
            ("id BETWEEN 3 AND 10", &["north", "east"]),
            ("id BETWEEN 21 AND 30", &["east"]),
            ("id IN (0, 12, 30)", &["south", "east"]),
            ("id IN (1, 12)", &["north", "south", "east"]),
            ("cost > 10", &["south", "east"]),
            ("cost = 10.00", &["north", "east"]),
            ("day < DATE '2020-01-15'", &["north", "south"]),
            ("day = DATE '2020-01-10'", &["north", "south"]),
            ("day > DATE '2020-01-10'", &["south", "east"]),
            ("day < DATE '2020-01-15' AND id > 20", NOWHERE),
            ("id IS NULL", &["east"]),
            ("id IS NOT DISTINCT FROM 30", &["east"]),
            ("id = NULL", NOWHERE),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_overlaps_is_asked() {
    leaves(
        &world(),
        &[
            ("id >= 10", &["north", "south", "east"]),
            ("id BETWEEN 10 AND 11", &["north", "south", "east"]),
            ("id <> 10", &["north", "south", "east"]),
            ("id IS NOT NULL", &["north", "south", "east"]),
            ("id NOT IN (1, 2, step)", &["north", "south", "east"]),
            ("id IN (50, step)", &["north", "south", "east"]),
            ("note = '12'", &["north", "south", "east"]),
            ("(id = 12) IS NOT TRUE", &["north", "south", "east"]),
            ("(id IN (50, NULL)) IS NULL", &["north", "south", "east"]),
            ("id > step", &["north", "south", "east"]),
            ("CASE WHEN id > 10 THEN step ELSE 1 END = 1", &["north", "south", "east"]),
        ],
    )
    .await;
}

#[tokio::test]
async fn not_and_or_are_seen_through() {
    leaves(
        &world(),
        &[
            ("NOT (id > 10)", &["north", "east"]),
            ("NOT (id <= 10 OR step = 1)", &["south", "east"]),
            ("id NOT BETWEEN 1 AND 10", &["south", "east"]),
            ("(id = 12) IS TRUE", &["south", "east"]),
            ("id = 1 OR id = 30", &["north", "east"]),
            ("id = 30 OR note = '2'", &["north", "south", "east"]),
            ("id = 30 OR _body = 'south'", &["south", "east"]),
            ("(id > 15 AND note = '16') OR (id > 16 AND step = 2)", &["south", "east"]),
            ("_body = 'north' AND id > 10", NOWHERE),
        ],
    )
    .await;
}

#[tokio::test]
async fn casts_and_computed_values() {
    leaves(
        &world(),
        &[
            ("CAST(id AS DECIMAL(20,0)) = 12", &["south", "east"]),
            // What a cast may round, have no value for or spell anew rules nobody out.
            ("CAST(id AS INTEGER) > 10", &["north", "south", "east"]),
            ("CAST(id AS DOUBLE) > 10.5", &["north", "south", "east"]),
            ("CAST(id AS VARCHAR) LIKE '1%'", &["north", "south", "east"]),
            // Nor does what is computed, also where it would overflow.
            ("id + 1 > 100", &["north", "south", "east"]),
            ("id % 7 = 5 OR id > 100", &["north", "south", "east"]),
            ("day + INTERVAL '1' DAY < DATE '2019-01-01'", &["north", "south", "east"]),
            ("day - DATE '1970-01-01' > 40000 OR id = 0", &["north", "south", "east"]),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_is_no_range_rules_nobody_out() {
    let mut world = world();
    for holding in &mut world.holdings {
        Arc::make_mut(&mut holding.dataset).coverage.clear();
    }
    cover(&mut world, "north", "note", Some("1"), Some("9"));
    cover(&mut world, "north", "id", Some("one"), None);
    cover(&mut world, "south", "id", Some("20"), Some("11"));
    cover(&mut world, "east", "cost", Some("15"), Some("24,00"));
    leaves(
        &world,
        &[
            ("note = 'x'", &["north", "south", "east"]),
            ("id = 0", &["north", "south", "east"]),
            ("cost = 0", &["north", "south", "east"]),
        ],
    )
    .await;
}

#[tokio::test]
async fn an_outer_join_makes_null_of_what_has_a_range() {
    let mut world = world();
    let every =
        "SELECT b.name, v.id FROM gla.boroughs b LEFT JOIN every.visits v ON v.id = b.population WHERE v.id IS NULL";
    let one = "SELECT a.id, b.id FROM north.visits a LEFT JOIN north.visits b ON a.id = b.step AND b.id > 5 WHERE b.id IS NULL";
    world.holdings.extend(World::open().holdings.into_iter().filter(|holding| holding.name.body.as_str() == "gla"));
    for sql in [every, one] {
        let (here, there) = both(&world, sql).await;
        assert!(!there.is_empty() && here == there, "{sql}\n  federated {here:?}\n  central {there:?}");
    }
}

#[tokio::test]
async fn statistics_that_a_range_rules_out_are_not_missed() {
    let mut world = world();
    for holding in &mut world.holdings {
        Arc::make_mut(&mut holding.dataset).form = Form::Statistics;
    }
    let sql = "SELECT count(*) FROM every.visits WHERE id < 11 AND day < DATE '2020-01-15'";
    let (here, there) = both(&world, sql).await;
    assert_eq!((here, asked(&world, sql).await.len()), (there, 1));
}
