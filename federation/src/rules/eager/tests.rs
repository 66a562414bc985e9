//! Generated questions over generated rows: grouped below its joins at any sides, an aggregate answers what it answers above them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::collect;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use datafusion::prelude::SessionContext;

use super::compose::Mode;
use super::tree::{self, Tree};
use super::{Question, Why};
use crate::physical_optimizer_rules;
use crate::session::{optimizer_rules, session_config};
use crate::tests::generated::{Dice, question, table};

/// An engine with three tables. Their rows fit in one batch, so that doubles are added in one order.
fn engine(dice: &mut Dice) -> SessionContext {
    let state = SessionStateBuilder::new_with_default_features()
        .with_config(session_config().with_target_partitions(1))
        .with_optimizer_rules(optimizer_rules())
        .with_physical_optimizer_rules(physical_optimizer_rules())
        .build();
    let context = SessionContext::new_with_state(state);
    for name in ["r", "s", "u"] {
        context.register_batch(name, table(dice)).unwrap();
    }
    context
}

/// The plan with its first aggregate over a join grouped at these sides, and how many sides it has.
fn grouped_at(plan: &LogicalPlan, sides: u32) -> Result<(LogicalPlan, usize), Why> {
    let (mut number, mut refused) = (0, None);
    let rewritten = plan.clone().transform_down(|node| match node {
        LogicalPlan::Aggregate(ref aggregate) if number == 0 && tree::is_joined(&aggregate.input) => {
            let found = Tree::of(&aggregate.input, &mut |_| false)
                .map_err(|why| datafusion::common::plan_datafusion_err!("{}", why.0))?;
            number = found.leaves.len();
            let mode = |(index, leaf): (usize, &tree::Leaf)| {
                if sides & (1 << index) != 0 && !leaf.inner { Mode::Groups } else { Mode::Rows }
            };
            let modes: Vec<Mode> = found.leaves.iter().enumerate().map(mode).collect();
            match Question::of(aggregate, &found).and_then(|question| question.plan(aggregate, &found, &modes)) {
                Ok((plan, _)) => Ok(Transformed::yes(plan)),
                Err(why) => {
                    refused = Some(why);
                    Ok(Transformed::no(node))
                }
            }
        }
        other => Ok(Transformed::no(other)),
    })?;
    match refused {
        Some(why) => Err(why),
        None => Ok((rewritten.data, number)),
    }
}

async fn answer(context: &SessionContext, plan: &LogicalPlan) -> Result<Vec<String>, String> {
    let state = context.state();
    let planner = DefaultPhysicalPlanner::default();
    let plan = planner.create_physical_plan(plan, &state).await.map_err(|error| format!("{plan}\n{error}"))?;
    let batches = collect(plan, state.task_ctx()).await.map_err(|error| error.to_string())?;
    let options = FormatOptions::default().with_null("NULL");
    let mut lines = Vec::new();
    for batch in batches {
        let columns: Vec<ArrayFormatter<'_>> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            lines.push(columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join(" | "));
        }
    }
    lines.sort();
    Ok(lines)
}

#[tokio::test]
async fn groups_below_the_joins_change_no_answer() {
    let (mut compared, mut refused) = (0, 0);
    let mut wrong = Vec::new();
    for seed in 0..400 {
        let mut dice = Dice(seed);
        let context = engine(&mut dice);
        let sql = question(&mut dice, &str::to_owned);
        let plan =
            context.sql(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}")).into_optimized_plan().unwrap();
        // An engine that can't answer at all is nothing to compare with.
        let Ok(central) = answer(&context, &plan).await else { continue };
        let Ok((_, sides)) = grouped_at(&plan, 0) else { continue };
        for mask in 1..(1_u32 << sides) {
            let Ok((rewritten, _)) = grouped_at(&plan, mask) else {
                refused += 1;
                continue;
            };
            compared += 1;
            let eager = answer(&context, &rewritten).await;
            if eager.as_ref() != Ok(&central) {
                wrong.push(format!(
                    "seed {seed}, sides {mask:b}: {sql}\n  eager {eager:?}\n  central {central:?}\n{plan}\n{rewritten}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong[..wrong.len().min(5)].join("\n"));
    assert!(compared > 1_000 && refused * 3 < compared, "{compared} compared, {refused} refused");
}
