//! The 22 queries of TPC-H over four bodies, two of which hold `orders` and `lineitem` by halves, against one engine.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RegionArrow, SupplierArrow,
};

use crate::tests::world::{World, rows};

/// 15,000 orders: enough that every query finds something.
const SCALE: f64 = 0.01;

macro_rules! queries {
    ($($number:literal)*) => {
        [$(($number, include_str!(concat!("../../../tests/tpch/q", $number, ".sql")))),*]
    };
}

const QUERIES: [(&str, &str); 22] = queries!("01" "02" "03" "04" "05" "06" "07" "08" "09" "10" "11" "12" "13" "14" "15"
    "16" "17" "18" "19" "20" "21" "22");

/// Where each table is.
const TABLES: [(&str, &str); 8] = [
    ("nation", "loda"),
    ("region", "loda"),
    ("customer", "camden"),
    ("supplier", "hackney"),
    ("part", "hackney"),
    ("partsupp", "barnet"),
    ("orders", "every"),
    ("lineitem", "every"),
];

/// Rows of a table at a body.
struct Holding {
    body: &'static str,
    standard: Option<&'static str>,
    dataset: &'static str,
    rows: Vec<RecordBatch>,
}

/// All tables, the two largest in one part or in two.
fn holdings(parts: i32) -> Vec<Holding> {
    let mut held = Vec::new();
    let mut hold = |body, dataset, standard, batches: &mut dyn Iterator<Item = Result<RecordBatch, ArrowError>>| {
        let rows = batches.map(|batch| batch.unwrap()).collect();
        held.push(Holding { body, standard, dataset, rows });
    };
    hold("loda", "nation", None, &mut NationArrow::new(NationGenerator::new(SCALE, 1, 1)));
    hold("loda", "region", None, &mut RegionArrow::new(RegionGenerator::new(SCALE, 1, 1)));
    hold("camden", "customer", None, &mut CustomerArrow::new(CustomerGenerator::new(SCALE, 1, 1)));
    hold("hackney", "supplier", None, &mut SupplierArrow::new(SupplierGenerator::new(SCALE, 1, 1)));
    hold("hackney", "part", None, &mut PartArrow::new(PartGenerator::new(SCALE, 1, 1)));
    hold("barnet", "partsupp", None, &mut PartSuppArrow::new(PartSuppGenerator::new(SCALE, 1, 1)));
    for (part, body) in (1..=parts).zip(["camden", "barnet"]) {
        hold(body, "orders", Some("orders"), &mut OrderArrow::new(OrderGenerator::new(SCALE, part, parts)));
        hold(body, "lineitem", Some("lineitem"), &mut LineItemArrow::new(LineItemGenerator::new(SCALE, part, parts)));
    }
    held
}

fn world() -> World {
    let mut world = World::default();
    for Holding { body, standard, dataset, rows } in holdings(2) {
        world.hold(body, dataset, standard, &rows);
    }
    world
}

/// Everything at one body.
pub(super) fn at_one_body() -> World {
    let mut world = World::default();
    for Holding { body: _, standard: _, dataset, rows } in holdings(1) {
        world.hold("loda", dataset, None, &rows);
    }
    let sizes =
        [("nation", 1), ("region", 1), ("supplier", 2), ("customer", 3), ("part", 3), ("partsupp", 4), ("orders", 4)];
    sizes.into_iter().fold(world, |world, (dataset, size)| world.sized(dataset, size))
}

/// A query over it.
pub(super) fn query_at_one_body(number: usize) -> String {
    TABLES.iter().fold(QUERIES[number - 1].1.to_owned(), |sql, (table, _)| {
        sql.replace(&format!("{{{table}}}"), &format!("loda.{table}"))
    })
}

#[tokio::test]
async fn tpc_h_over_four_bodies_is_answered_like_one_engine() {
    let world = world();
    let (asker, central) = (world.asker(), world.central());
    let mut wrong = Vec::new();
    let mut empty = Vec::new();
    for (number, text) in QUERIES {
        let sql = TABLES.iter().fold(text.to_owned(), |sql, (table, body)| {
            sql.replace(&format!("{{{table}}}"), &format!("{body}.{table}"))
        });
        let (here, there) = (rows(&asker, &sql).await, rows(&central, &sql).await);
        if here != there || there.is_err() {
            wrong.push(format!("query {number}\n  federated {here:#?}\n  central {there:#?}"));
        }
        if there.is_ok_and(|rows| rows.is_empty()) {
            empty.push(number);
        }
    }
    assert!(wrong.is_empty(), "{} of 22 differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(empty.is_empty(), "queries {empty:?} find nothing, which proves little");
}
