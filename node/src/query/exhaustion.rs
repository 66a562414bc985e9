//! Statements that are long, deep or multiply themselves: refused before they are planned, or planned, optimised and
//! run on a stack like a node's; none takes the process down (DataFusion #22229, #22936).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;

use datafusion::datasource::MemTable;
use datafusion::execution::session_state::SessionState;
use datafusion::prelude::SessionContext;
use meridian_federation::session;

use super::text::{self, Ask};

/// The stack of a node's threads, in bytes.
const STACK_BYTES: usize = 16 << 20;

type Make = fn(usize) -> String;

/// Statements by their length. Most of these chains are read by the parser without recursion, so that the depth of what
/// they become has no bound of its own.
const STATEMENTS: [(&str, Make); 40] = [
    ("+", |n| format!("SELECT 1{}", " + 1".repeat(n))),
    ("+ of columns", |n| format!("SELECT a{} FROM t", " + a".repeat(n))),
    ("||", |n| format!("SELECT s{} FROM t", " || ''".repeat(n))),
    ("OR", |n| format!("SELECT a FROM t WHERE a = 0{}", " OR a = 1".repeat(n))),
    ("AND", |n| format!("SELECT a FROM t WHERE a = 0{}", " AND a <> 1".repeat(n))),
    ("XOR", |n| format!("SELECT a FROM t WHERE a = 0{}", " XOR a = 1".repeat(n))),
    ("NOT", |n| format!("SELECT {} true", "NOT ".repeat(n))),
    ("minus signs", |n| format!("SELECT {}1", "- ".repeat(n))),
    ("plus signs", |n| format!("SELECT {}1", "+ ".repeat(n))),
    ("tildes", |n| format!("SELECT {}1", "~ ".repeat(n))),
    ("IS NULL", |n| format!("SELECT a{} FROM t", " IS NULL".repeat(n))),
    ("IS NOT DISTINCT FROM", |n| format!("SELECT a{} FROM t", " IS NOT DISTINCT FROM a".repeat(n))),
    ("IN of IN", |n| format!("SELECT true{} FROM t", " IN (true)".repeat(n))),
    ("BETWEEN", |n| format!("SELECT a{} FROM t", " BETWEEN a AND a".repeat(n))),
    ("LIKE", |n| format!("SELECT s{} FROM t", " LIKE s".repeat(n))),
    ("SIMILAR TO", |n| format!("SELECT s{} FROM t", " SIMILAR TO s".repeat(n))),
    ("RLIKE", |n| format!("SELECT s{} FROM t", " RLIKE s".repeat(n))),
    ("COLLATE", |n| format!("SELECT s{} FROM t", " COLLATE x".repeat(n))),
    ("AT TIME ZONE", |n| format!("SELECT TIMESTAMP '2020-01-01'{}", " AT TIME ZONE 'UTC'".repeat(n))),
    ("casts by ::", |n| format!("SELECT a{} FROM t", "::bigint".repeat(n))),
    ("subscripts", |n| format!("SELECT a{} FROM t", "[1]".repeat(n))),
    ("fields", |n| format!("SELECT (a){} FROM t", ".a".repeat(n))),
    ("OVERLAPS", |n| format!("SELECT a{} FROM t", " OVERLAPS a".repeat(n))),
    ("DIV", |n| format!("SELECT a{} FROM t", " DIV 1".repeat(n))),
    ("parentheses", |n| format!("SELECT {}1{}", "(".repeat(n), ")".repeat(n))),
    ("calls", |n| format!("SELECT {}a{} FROM t", "abs(".repeat(n), ")".repeat(n))),
    ("CAST", |n| format!("SELECT {}a{} FROM t", "CAST(".repeat(n), " AS bigint)".repeat(n))),
    ("CASE", |n| format!("SELECT {}a{} FROM t", "CASE WHEN a = 1 THEN ".repeat(n), " END".repeat(n))),
    ("WHEN", |n| format!("SELECT CASE {} END FROM t", "WHEN true THEN a ".repeat(n.max(1)))),
    ("an IN list", |n| format!("SELECT a FROM t WHERE a IN (1{})", ", 2".repeat(n))),
    ("VALUES", |n| format!("SELECT * FROM (VALUES (1){}) v(x)", ", (2)".repeat(n))),
    ("items", |n| format!("SELECT a{} FROM t", (0..n).map(|i| format!(", a AS a{i}")).collect::<String>())),
    ("subqueries", |n| format!("SELECT * FROM {}t{}", "(SELECT * FROM ".repeat(n), ") t".repeat(n))),
    ("EXISTS", |n| format!("SELECT a FROM t{}{}", " WHERE EXISTS (SELECT a FROM t".repeat(n), ")".repeat(n))),
    ("UNION ALL", |n| format!("SELECT a FROM t{}", " UNION ALL SELECT a FROM t".repeat(n))),
    ("EXCEPT", |n| format!("SELECT a FROM t{}", " EXCEPT SELECT a FROM t".repeat(n))),
    ("JOIN", |n| format!("SELECT 1 FROM t{}", (0..n).map(|i| format!(" JOIN t t{i} USING (a)")).collect::<String>())),
    ("commas", |n| format!("SELECT 1 FROM t{}", (0..n).map(|i| format!(", t t{i}")).collect::<String>())),
    ("CTEs that double", |n| {
        let each = (1..=n).map(|i| format!(", c{i} AS (SELECT x.a FROM c{p} x JOIN c{p} y ON x.a = y.a)", p = i - 1));
        format!("WITH c0 AS (SELECT a FROM t){} SELECT count(*) FROM c{n}", each.collect::<String>())
    }),
    ("EXPLAIN", |n| format!("{}SELECT 1", "EXPLAIN ".repeat(n))),
];

fn state() -> SessionState {
    let state = session::session_builder(session::session_config()).build();
    let context = SessionContext::new_with_state(state);
    let rows = futures::executor::block_on(async {
        context.sql("SELECT * FROM (VALUES (1, 'x')) v(a, s)").await.unwrap().collect().await.unwrap()
    });
    context.register_table("t", Arc::new(MemTable::try_new(rows[0].schema(), vec![rows]).unwrap())).unwrap();
    context.state()
}

/// What a node does with a statement, but for the gate.
async fn answer(state: &SessionState, sql: &str) -> Result<(), String> {
    let Ask::Query(statement) = text::parse(sql).map_err(|error| error.to_string())? else { return Ok(()) };
    let words = |error: datafusion::error::DataFusionError| error.to_string();
    let plan = state.statement_to_plan(*statement).await.map_err(words)?;
    let analysed = state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {}).map_err(words)?;
    let optimised = state.optimize(&analysed).map_err(words)?;
    let physical = state.query_planner().create_physical_plan(&optimised, state).await.map_err(words)?;
    datafusion::physical_plan::collect(physical, state.task_ctx()).await.map_err(words)?;
    Ok(())
}

#[test]
fn no_statement_takes_the_process_down() {
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let state = state();
        for (what, make) in STATEMENTS {
            let short = runtime.block_on(answer(&state, &make(2)));
            let limited = |error: &String| error.contains("are the most") || error.contains("deeper");
            assert!(!short.as_ref().is_err_and(limited), "2 of {what}: {short:?}");
            for n in [50, 190, 400, 5_000, 100_000] {
                let _ = runtime.block_on(answer(&state, &make(n)));
            }
        }
    };
    std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work).unwrap().join().unwrap();
}

/// Those of the engine's own issues are refused, and the refusal says what to do.
#[test]
fn long_chains_are_refused_with_a_way_out() {
    for sql in [
        format!("SELECT {}1", "1+".repeat(2_000)),
        format!("SELECT a FROM t WHERE a = 0{}", " OR a = 1".repeat(20_000)),
        format!("SELECT true{}", " IN (true)".repeat(2_000)),
        format!("SELECT s{}", " SIMILAR TO s".repeat(2_000)),
        format!("SELECT a{}", "[1]".repeat(2_000)),
        format!("{}SELECT 1", "EXPLAIN ".repeat(100_000)),
    ] {
        let refused = text::parse(&sql).unwrap_err();
        assert_eq!(refused.kind, super::ErrorKind::TooLarge, "{refused}");
        assert!(refused.message.contains("500 are the most"), "{refused}");
    }
}
