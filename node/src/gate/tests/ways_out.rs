//! The way out: what the guard stops, and what leaves in bytes.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;

use super::super::governed::GovernedExec;
use super::super::guard;
use super::super::release::ReleaseExec;
use super::setup::{Body, Incident, alike, loda};

fn body() -> Body {
    Body::new(&alike(5, 1, &Incident { borough: Some("bexley"), ..Incident::default() }))
}

fn find<T: ExecutionPlan>(plan: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    if plan.is::<T>() {
        return Some(Arc::clone(plan));
    }
    plan.children().into_iter().find_map(find::<T>)
}

#[tokio::test]
async fn protected_rows_without_their_release_are_stopped() {
    let body = body();
    let admitted = body.admit("SELECT borough, count(*) FROM incidents GROUP BY borough", &loda()).await.unwrap();
    let physical = body.physical(&admitted).await;
    let below = find::<ReleaseExec>(&physical).unwrap().children()[0].clone();
    assert_eq!(guard(below, &admitted).unwrap_err().rule, "guard");
    assert!(guard(physical, &admitted).is_ok());
}

#[tokio::test]
async fn a_release_that_lost_the_mark_of_its_rows_is_stopped() {
    let body = body();
    let admitted = body.admit("SELECT count(*) FROM incidents", &loda()).await.unwrap();
    let physical = body.physical(&admitted).await;
    let release = find::<ReleaseExec>(&physical).unwrap();
    let unmarked = find::<GovernedExec>(&physical).unwrap().children()[0].clone();
    #[expect(deprecated, reason = "the short way to other children")]
    let lost = release.with_new_children(vec![unmarked]).unwrap();
    assert_eq!(guard(lost, &admitted).unwrap_err().rule, "guard");
}

#[tokio::test]
async fn a_plan_of_another_query_is_stopped() {
    let body = body();
    let counted = body.admit("SELECT count(*) FROM incidents", &loda()).await.unwrap();
    let open = body.admit("SELECT people FROM boroughs", &loda()).await.unwrap();
    assert_eq!(guard(body.physical(&counted).await, &open).unwrap_err().rule, "guard");
}

#[tokio::test]
async fn predicates_and_projections_reach_the_source_through_the_mark() {
    let body = body();
    let sql = "SELECT borough, count(*) FROM incidents WHERE year = 2020 GROUP BY borough";
    let admitted = body.admit(sql, &loda()).await.unwrap();
    let physical = body.physical(&admitted).await;
    let mark = find::<GovernedExec>(&physical).unwrap();
    let below = datafusion::physical_plan::displayable(mark.as_ref()).indent(true).to_string();
    assert!(below.contains("year@") && !below.contains("note") && !below.contains("cost"), "{below}");
}

#[tokio::test]
async fn the_schema_says_that_any_cell_may_be_withheld() {
    let body = body();
    let admitted = body.admit("SELECT borough, count(*) AS n FROM incidents GROUP BY borough", &loda()).await.unwrap();
    let schema = admitted.schema();
    assert_eq!(schema.fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>(), ["borough", "n"]);
    assert!(schema.field(1).is_nullable());
    let admitted = body.admit("SELECT count(*) FROM incidents", &loda()).await.unwrap();
    assert_eq!(admitted.schema().field(0).name(), "count(*)");
}
