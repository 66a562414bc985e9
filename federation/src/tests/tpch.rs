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

fn world() -> World {
    let mut world = World::default();
    let whole = |batches: &mut dyn Iterator<Item = Result<RecordBatch, ArrowError>>| -> Vec<RecordBatch> {
        batches.map(|batch| batch.unwrap()).collect()
    };
    world.hold("loda", "nation", None, &whole(&mut NationArrow::new(NationGenerator::new(SCALE, 1, 1))));
    world.hold("loda", "region", None, &whole(&mut RegionArrow::new(RegionGenerator::new(SCALE, 1, 1))));
    world.hold("camden", "customer", None, &whole(&mut CustomerArrow::new(CustomerGenerator::new(SCALE, 1, 1))));
    world.hold("hackney", "supplier", None, &whole(&mut SupplierArrow::new(SupplierGenerator::new(SCALE, 1, 1))));
    world.hold("hackney", "part", None, &whole(&mut PartArrow::new(PartGenerator::new(SCALE, 1, 1))));
    world.hold("barnet", "partsupp", None, &whole(&mut PartSuppArrow::new(PartSuppGenerator::new(SCALE, 1, 1))));
    for (half, body) in [(1, "camden"), (2, "barnet")] {
        let orders = whole(&mut OrderArrow::new(OrderGenerator::new(SCALE, half, 2)));
        world.hold(body, "orders", Some("orders"), &orders);
        let items = whole(&mut LineItemArrow::new(LineItemGenerator::new(SCALE, half, 2)));
        world.hold(body, "lineitem", Some("lineitem"), &items);
    }
    world
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
