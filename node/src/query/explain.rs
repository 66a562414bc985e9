//! EXPLAIN: what each body would be asked and what would leave it, laid out for people, before anything has left.

use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, lit};
use meridian_federation::place;
use meridian_proto::Form;

use crate::gate::{Caller, Facts};

/// The explanation of an optimised plan as a query of one column, `plan`, one row a line.
///
/// A peer is not shown the plan itself: what happens at this node is this body's own business.
pub(super) fn lines(plan: &LogicalPlan, facts: &Facts, caller: &Caller, session: &dyn Session) -> Result<LogicalPlan> {
    let placed = place(plan.clone(), session)?;
    let mut lines = Vec::new();
    let bodies: usize = placed.remotes.iter().map(|remote| remote.bodies.len()).sum();
    lines.push(match bodies {
        0 => "Answered at this node alone.".to_owned(),
        1 => "One query to one body, the rest at this node.".to_owned(),
        n => format!("{n} queries to other bodies, all at once, the rest at this node."),
    });
    for remote in &placed.remotes {
        lines.push(String::new());
        let names: Vec<&str> = remote.bodies.iter().map(|body| body.as_str()).collect();
        lines.push(format!("{} would be asked", names.join(", ")));
        lines.push(format!("  for        {}", form(remote.form)));
        lines.push(format!("  what leaves {}, about {} rows", readable(&remote.columns.join(", ")), remote.rows));
        let datasets = remote.datasets();
        if datasets.len() > 1 {
            lines.push(format!("  over       {}", datasets.join(", ")));
        }
        for reference in remote.references() {
            let body = &reference.body;
            lines.push(format!(
                "  joined     at home with {reference}, which it asks {body} for as a whole and as itself"
            ));
        }
        let own = if names.len() > 1 { " (each over its own dataset)" } else { "" };
        lines.push(format!("  SQL{own}"));
        lines.push(format!("    {}", remote.sql()));
    }
    for used in &facts.datasets {
        lines.push(String::new());
        lines.push(format!("{} of this body", used.name));
        lines.push(format!("  for        {}", form(used.form)));
        lines.push(format!("  columns    {}", used.columns.join(", ")));
    }
    if !facts.agreements.is_empty() {
        lines.push(format!("Agreements relied on here: {}", facts.agreements.join(", ")));
    }
    section(&mut lines, "To know", placed.notices.iter().chain(&facts.notices));
    section(&mut lines, "Not chosen", placed.rejected.iter());
    if !caller.is_peer() {
        section(&mut lines, "At this node", above_the_gate(&placed.plan).iter());
    }
    let rows = lines.into_iter().map(|line| vec![lit(line)]).collect();
    let values = LogicalPlanBuilder::values(rows)?;
    let column =
        values.schema().columns().first().cloned().map_or_else(|| lit(""), datafusion::logical_expr::Expr::Column);
    values.project([column.alias("plan")])?.build()
}

/// The plan down to where the gate governs rows: row filters, mappings and columns that are not granted stand below.
fn above_the_gate(plan: &LogicalPlan) -> Vec<String> {
    let text = plan.display_indent().to_string();
    let mut hidden_below = usize::MAX;
    let mut shown = Vec::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        if indent > hidden_below {
            continue;
        }
        hidden_below = if line.trim_start().starts_with("Governed") { indent } else { usize::MAX };
        shown.push(readable(line));
    }
    shown
}

/// COUNT(*) as people write it.
fn readable(text: &str) -> String {
    text.replace("count(Int64(1)) AS count(*)", "count(*)").replace("count(Int64(1))", "count(*)")
}

fn section<'a>(lines: &mut Vec<String>, title: &str, items: impl Iterator<Item = &'a String>) {
    let items: Vec<&String> = items.collect();
    if !items.is_empty() {
        lines.push(String::new());
        lines.push(format!("{title}:"));
        lines.extend(items.into_iter().map(|item| format!("  {item}")));
    }
}

fn form(form: Form) -> &'static str {
    match form {
        Form::Open => "open rows",
        Form::Rows => "rows under an agreement",
        Form::Statistics => "statistics: cells over its threshold, as its own gate decides",
        Form::None => "nothing",
    }
}
