//! What is told of a plan that has run: visible cells, and nothing of the rows that they were made of.

use futures::TryStreamExt;

use super::super::{Caller, Observed, guard};
use super::setup::{Body, Incident, alike, analyst, loda, now};
use crate::audit::Durable;

/// 4,711 incidents in one borough, and two in another: fewer than a cell counts.
fn body() -> Body {
    let of = |borough| Incident { borough: Some(borough), year: Some(2020), ..Incident::default() };
    let mut rows = alike(4_711, 1, &of("bexley"));
    rows.extend(alike(2, 10_000, &of("camden")));
    Body::new(&rows)
}

/// The answer's rows, and what is told of how they came about.
async fn observed(body: &Body, sql: &str, caller: &Caller) -> (usize, Observed) {
    let admitted = body.admit(sql, caller).await.unwrap();
    let guarded = guard(body.physical(&admitted).await, &admitted).unwrap();
    let observed = guarded.observed();
    let released = guarded.release(Durable::for_test(), body.state.task_ctx(), body.in_force(now())).unwrap();
    let batches: Vec<_> = released.try_collect().await.unwrap();
    (batches.iter().map(arrow::array::RecordBatch::num_rows).sum(), observed)
}

#[tokio::test]
async fn of_a_release_the_visible_cells_are_told_and_nothing_below_it() {
    let body = body();
    for (sql, rows, cells) in [
        ("SELECT borough, count(*) FROM incidents GROUP BY borough", 1, 1),
        ("SELECT borough, count(*), count(*) FILTER (WHERE alarm) FROM incidents GROUP BY borough", 1, 1),
        // One row, and what stands in it is withheld.
        ("SELECT count(*) FROM incidents WHERE borough = 'camden'", 1, 0),
        ("SELECT count(*) FROM incidents WHERE borough = 'nowhere'", 1, 0),
        ("SELECT borough FROM (SELECT borough, count(*) AS n FROM incidents GROUP BY borough) t WHERE n > 9000", 0, 1),
    ] {
        let (seen, observed) = observed(&body, sql, &loda()).await;
        assert_eq!(seen, rows, "{sql}");
        let visible = observed.visible();
        assert_eq!(visible.iter().map(|visible| visible.cells).collect::<Vec<_>>(), [cells], "{sql}");
        assert_eq!(visible[0].datasets, ["london.lfb.incidents"], "{sql}");
        let operators = observed.operators();
        let last = operators.last().unwrap();
        assert_eq!((last.name.as_str(), last.rows), ("ReleaseExec", None), "{sql}: {operators:?}");
        assert!(operators.iter().all(|operator| operator.compute.is_none()), "{sql}: {operators:?}");
        assert!(operators.iter().all(|operator| operator.rows.unwrap_or(0) <= 1), "{sql}: {operators:?}");
    }
}

#[tokio::test]
async fn of_granted_rows_no_more_than_what_the_caller_asked_of_them() {
    let body = body();
    let (rows, observed) = observed(&body, "SELECT id FROM people ORDER BY id", &loda()).await;
    assert!(rows > 0);
    let operators = observed.operators();
    assert_eq!(operators.last().unwrap().name, "GovernedExec", "{operators:?}");
    assert!(operators.iter().all(|operator| operator.rows.is_none_or(|told| told == rows as u64)), "{operators:?}");
    assert!(operators.iter().all(|operator| operator.compute.is_none()), "{operators:?}");
    assert!(observed.visible().is_empty());
}

#[tokio::test]
async fn of_rows_without_a_mark_only_the_whole_is_told() {
    let body = body();
    // Open to everybody, or the analyst's own: what the owner made them of stands below, and nothing marks where.
    for (sql, caller) in [("SELECT sum(people) FROM boroughs", loda()), ("SELECT count(*) FROM incidents", analyst())] {
        let (rows, observed) = observed(&body, sql, &caller).await;
        assert_eq!(rows, 1, "{sql}");
        assert!(observed.operators().is_empty() && observed.visible().is_empty(), "{sql}: {observed:?}");
    }
}
