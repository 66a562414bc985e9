//! The 22 queries of TPC-H over four bodies, two of which hold `orders` and `lineitem` by halves, against one engine.

use arrow::array::{RecordBatch, RecordBatchReader};
use meridian_proto::Covers;

use crate::tests::keyed::Sent;
use crate::tests::world::{World, rows};

#[path = "../../../tests/tpch/mod.rs"]
mod data;

use data::{Holding, Orders, holdings, queries};

/// 15,000 orders: enough that every query finds something.
const SCALE: f64 = 0.01;

fn world() -> World {
    let mut world = World::default();
    for Holding { body, table, shared, orders: _, rows } in holdings(SCALE, 2) {
        world.hold(body, table, shared.then_some(table), &collected(rows));
    }
    world
}

/// The two bodies that hold orders say which.
fn divided() -> World {
    let mut world = World::default();
    for Holding { body, table, shared, orders, rows } in holdings(SCALE, 2) {
        world.hold(body, table, shared.then_some(table), &collected(rows));
        if let Some(Orders { column, from, to }) = orders {
            let end = |key: Option<i64>| key.map(|key| key.to_string());
            world.covers(column, Covers::Range { from: end(from), to: end(to) });
        }
    }
    world
}

fn collected(rows: impl RecordBatchReader) -> Vec<RecordBatch> {
    rows.map(|batch| batch.unwrap()).collect()
}

/// Everything at one body.
pub(super) fn at_one_body() -> World {
    let mut world = World::default();
    for Holding { table, rows, .. } in holdings(SCALE, 1) {
        world.hold("loda", table, None, &collected(rows));
    }
    let sizes =
        [("nation", 1), ("region", 1), ("supplier", 2), ("customer", 3), ("part", 3), ("partsupp", 4), ("orders", 4)];
    sizes.into_iter().fold(world, |world, (dataset, size)| world.sized(dataset, size))
}

/// A query over it.
pub(super) fn query_at_one_body(number: usize) -> String {
    queries(|table, _| format!("loda.{table}")).swap_remove(number - 1).1
}

#[tokio::test]
async fn tpc_h_over_four_bodies_is_answered_like_one_engine() {
    answers_like_one_engine(&world()).await;
}

#[tokio::test]
async fn it_is_where_orders_are_joined_at_their_bodies() {
    let world = divided();
    answers_like_one_engine(&world).await;
    let mut joined = Vec::new();
    for (number, sql) in queries(|table, body| format!("{body}.{table}")) {
        let remotes = world.placed(&sql).await.unwrap().remotes;
        if remotes.iter().any(|remote| remote.bodies.len() == 2 && remote.sql().contains("JOIN")) {
            joined.push(number);
        }
    }
    assert_eq!(joined, [3, 4, 10, 12, 18, 21]);
}

#[tokio::test]
async fn tpc_h_is_answered_like_one_engine_where_keys_are_sent() {
    let sent = Sent::default();
    answers_like_one_engine(&World { keyed: Some(sent.clone()), ..world() }).await;
    let keyed = sent.all().iter().filter(|sql| sql.contains(" IN (")).count();
    assert!(keyed > 10, "keys are sent {keyed} times only");
}

async fn answers_like_one_engine(world: &World) {
    let (asker, central) = (world.asker(), world.central());
    let mut wrong = Vec::new();
    let mut empty = Vec::new();
    for (number, sql) in queries(|table, body| format!("{body}.{table}")) {
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
