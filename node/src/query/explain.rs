//! EXPLAIN: what each body would be asked and what would leave it, for people or as JSON, before anything has left; with
//! ANALYZE, when it has, what it came to.

use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use meridian_federation::remote::Arrived;
use meridian_federation::{RemotePart, place};
use meridian_proto::{BodyName, DatasetName, DatasetUse, Form, Name};
use serde::Serialize;

use super::analyze::{Answered, Ran};
use super::text::Written;
use crate::gate::{Caller, Facts};

/// What a query would ask of whom, and what would leave each body.
#[derive(Debug, Serialize)]
pub(super) struct Explanation {
    /// The queries to other bodies, all at once.
    asked: Vec<Remote>,
    /// The datasets of this body that are read.
    here: Vec<Own>,
    /// The agreements relied on at this body.
    agreements: Vec<String>,
    /// What a reader of the answer has to know.
    notices: Vec<String>,
    /// The placements that were not chosen, and why.
    rejected: Vec<String>,
    /// What happens at this node, an operator a line; a peer is not shown it, since that is this body's own business.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    plan: Vec<String>,
    /// What happened, where it has run.
    #[serde(skip_serializing_if = "Option::is_none")]
    ran: Option<Ran>,
}

/// One query, and the bodies that get it, each over its own dataset.
#[derive(Debug, Serialize)]
struct Remote {
    form: Form,
    leaves: Leaves,
    /// The datasets of the first body that are read.
    datasets: Vec<String>,
    /// Datasets of other bodies that each body asks for as wholes, and joins at home.
    references: Vec<Reference>,
    /// Datasets of other bodies whose keys may be sent along.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys_of: Vec<String>,
    queries: Vec<Text>,
}

#[derive(Debug, Serialize)]
struct Leaves {
    columns: Vec<String>,
    /// Roughly how many of all bodies together.
    rows: usize,
}

#[derive(Debug, Serialize)]
struct Reference {
    dataset: String,
    body: Name,
}

#[derive(Debug, Serialize)]
struct Text {
    body: BodyName,
    sql: String,
    /// What it answered, where it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    answered: Option<Answered>,
}

#[derive(Debug, Serialize)]
struct Own {
    dataset: String,
    form: Form,
    columns: Vec<String>,
}

/// Explains an optimised plan.
pub(super) fn explanation(
    plan: &LogicalPlan,
    facts: &Facts,
    caller: &Caller,
    session: &dyn Session,
) -> Result<Explanation> {
    let placed = place(plan.clone(), session)?;
    let reference = |name: &DatasetName| Reference { dataset: name.to_string(), body: name.body.clone() };
    let text = |part: &RemotePart| Text { body: part.body.clone(), sql: part.sql.clone(), answered: None };
    let asked = placed.remotes.iter().map(|remote| Remote {
        form: remote.form,
        leaves: Leaves { columns: remote.columns.iter().map(|column| readable(column)).collect(), rows: remote.rows },
        datasets: remote.datasets(),
        references: remote.references().iter().map(reference).collect(),
        keys_of: remote.keys_of.clone(),
        queries: remote.parts.iter().map(text).collect(),
    });
    let own = |used: &DatasetUse| Own { dataset: used.name.clone(), form: used.form, columns: used.columns.clone() };
    Ok(Explanation {
        asked: asked.collect(),
        here: facts.datasets.iter().map(own).collect(),
        agreements: facts.agreements.clone(),
        notices: placed.notices.iter().chain(&facts.notices).cloned().collect(),
        rejected: placed.rejected.clone(),
        plan: if caller.is_peer() { Vec::new() } else { above_the_gate(&placed.plan) },
        ran: None,
    })
}

impl Explanation {
    /// It has run: what happened here, and what each body answered to what it was asked.
    pub(super) fn ran(&mut self, ran: Ran, mut arrived: Vec<Arrived>) {
        for text in self.asked.iter_mut().flat_map(|remote| &mut remote.queries) {
            let at = arrived.iter().position(|part| part.body == text.body && part.sql == text.sql);
            text.answered = at.map(|at| arrived.remove(at).into());
        }
        self.ran = Some(ran);
    }

    /// As a query of one column, `plan`: a row for each line of the text, or of the JSON text.
    pub(super) fn answer(&self, written: Written) -> Result<LogicalPlan> {
        let lines = match written {
            Written::Text => self.lines(),
            Written::Json => {
                // In lines, too: one constant of this length is more than the gate takes for a text.
                let json = serde_json::to_string_pretty(self);
                let json = json.map_err(|error| DataFusionError::External(Box::new(error)))?;
                json.lines().map(str::to_owned).collect()
            }
        };
        let values = LogicalPlanBuilder::values(lines.into_iter().map(|line| vec![lit(line)]).collect())?;
        let column = values.schema().columns().first().cloned().map_or_else(|| lit(""), Expr::Column);
        values.project([column.alias("plan")])?.build()
    }

    /// Laid out for people.
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let bodies: usize = self.asked.iter().map(|remote| remote.queries.len()).sum();
        lines.push(match bodies {
            0 => "Answered at this node alone.".to_owned(),
            1 => "One query to one body, the rest at this node.".to_owned(),
            n => format!("{n} queries to other bodies, all at once, the rest at this node."),
        });
        let ran = self.ran.is_some();
        self.asked.iter().for_each(|remote| remote.lines(ran, &mut lines));
        for used in &self.here {
            lines.push(String::new());
            lines.push(format!("{} of this body", used.dataset));
            lines.push(format!("  for        {}", form(used.form)));
            lines.push(format!("  columns    {}", used.columns.join(", ")));
        }
        if !self.agreements.is_empty() {
            lines.push(format!("Agreements relied on here: {}", self.agreements.join(", ")));
        }
        section(&mut lines, "To know", &self.notices);
        section(&mut lines, "Not chosen", &self.rejected);
        section(&mut lines, "At this node", &self.plan);
        section(&mut lines, "What it came to", &self.ran.as_ref().map(Ran::lines).unwrap_or_default());
        lines
    }
}

impl Remote {
    fn lines(&self, ran: bool, lines: &mut Vec<String>) {
        lines.push(String::new());
        let names: Vec<String> = self.queries.iter().map(|text| text.body.to_string()).collect();
        lines.push(format!("{} {}", names.join(", "), if ran { "asked" } else { "would be asked" }));
        lines.push(format!("  for        {}", form(self.form)));
        lines.push(format!("  what leaves {}, about {} rows", self.leaves.columns.join(", "), self.leaves.rows));
        if self.datasets.len() > 1 {
            lines.push(format!("  over       {}", self.datasets.join(", ")));
        }
        for Reference { dataset, body } in &self.references {
            lines.push(format!(
                "  joined     at home with {dataset}, which it asks {body} for as a whole and as itself"
            ));
        }
        if !self.keys_of.is_empty() {
            let of = self.keys_of.join(", ");
            lines.push(format!(
                "  keys       of {of}, which are open, may be sent along: then only rows with one of them leave"
            ));
        }
        let own = if names.len() > 1 { " (each over its own dataset)" } else { "" };
        lines.push(format!("  SQL{own}"));
        lines.push(format!("    {}", self.queries.first().map_or("", |text| &text.sql)));
        if ran {
            lines.push("  answered".to_owned());
            lines.extend(self.queries.iter().map(|Text { body, answered, .. }| {
                let what = answered
                    .as_ref()
                    .map_or_else(|| "not asked, since nothing of it was needed".into(), Answered::line);
                format!("    {body}: {what}")
            }));
        }
    }
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

fn section(lines: &mut Vec<String>, title: &str, items: &[String]) {
    if !items.is_empty() {
        lines.push(String::new());
        lines.push(format!("{title}:"));
        lines.extend(items.iter().map(|item| format!("  {item}")));
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
