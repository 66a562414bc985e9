//! EXPLAIN ANALYZE: the question is asked, decided, recorded and charged as ever; its rows are thrown away here, and what is
//! told in their place is what was asked of whom, how much arrived, and how long it took.

use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use futures::StreamExt;
use meridian_federation::reference::References;
use meridian_federation::remote::Arrived;
use serde::Serialize;

use super::explain::Explanation;
use super::text::Written;
use super::{Answer, Asked, Closing, Engine, Planned, QueryError};
use crate::audit::Durable;
use crate::cluster::{self, Ran as RanAt};
use crate::gate::{self, Intent, Observed, Operator, Released, Visible};

/// The explanation of a question that is to run.
#[derive(Debug)]
pub(super) struct Analysis {
    pub(super) explanation: Explanation,
    pub(super) written: Written,
}

/// What this node did, over all of the question.
#[derive(Debug, Serialize)]
pub(super) struct Ran {
    /// Rows that the caller would have seen.
    rows: u64,
    /// From the request to the last row (milliseconds).
    time_ms: u64,
    /// What each release of this body's own let out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    released: Vec<Cells>,
    /// Where the parts below releases were computed that workers of this body's cluster may compute.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    computed: Vec<Computed>,
    /// The operators above the gate's.
    operators: Vec<Step>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Computed {
    /// By so many workers.
    Workers(usize),
    /// At this node.
    Here,
}

#[derive(Debug, Serialize)]
struct Cells {
    datasets: Vec<String>,
    visible_cells: u64,
}

#[derive(Debug, Serialize)]
struct Step {
    depth: usize,
    operator: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compute_us: Option<u64>,
}

/// What one body answered.
#[derive(Debug, Serialize)]
pub(super) struct Answered {
    rows: u64,
    /// As its signed release record says; none where its end was not waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    all_ms: Option<u64>,
}

/// A question under way.
pub(super) struct Run {
    pub(super) begun: Instant,
    pub(super) state: SessionState,
    pub(super) observed: Observed,
    pub(super) logged: Durable,
}

impl Engine {
    /// Reads an answer to its end and keeps none of it; what is answered is what it came to, through the same gate and under
    /// the same record.
    pub(super) async fn analysed(
        &self,
        asked: &Asked,
        analysis: Analysis,
        run: Run,
        (mut released, closing): (Released, Closing),
    ) -> Result<Answer, QueryError> {
        let mut rows = 0;
        while let Some(batch) = released.next().await {
            rows += batch.map_err(|error| closing.fail(error))?.num_rows() as u64;
        }
        let Analysis { mut explanation, written } = analysis;
        let ran = Ran {
            rows,
            time_ms: milliseconds(run.begun.elapsed()),
            released: run.observed.visible().into_iter().map(Cells::from).collect(),
            computed: run.observed.found(&cluster::ran).into_iter().map(Computed::from).collect(),
            operators: run.observed.operators().into_iter().map(Step::from).collect(),
        };
        explanation.ran(ran, closing.arrived());
        let lines = explanation.answer(written).map_err(|error| QueryError::from_planning(&asked.sql, error))?;
        let told = self.told(asked, lines, &run.state)?;
        let physical = self.bounded(asked, &told).await?;
        let guarded = gate::guard(physical, &told.admitted);
        let guarded = guarded.map_err(|refused| QueryError::from_refused(&asked.sql, &refused))?;
        let released = guarded.release(run.logged, told.state.task_ctx(), self.in_force());
        let released = released.map_err(|error| closing.fail(error))?;
        Ok(Answer { released, closing })
    }

    /// The schema of what is answered to a planned question.
    pub(super) fn answers(&self, asked: &Asked, planned: &Planned) -> Result<SchemaRef, QueryError> {
        let Some(Analysis { explanation, written }) = &planned.analysis else { return Ok(planned.admitted.schema()) };
        let lines = explanation.answer(*written).map_err(|error| QueryError::from_planning(&asked.sql, error))?;
        Ok(self.told(asked, lines, &planned.state)?.admitted.schema())
    }

    /// The lines of an explanation as an answer, through the same gate as any.
    pub(super) fn told(&self, asked: &Asked, lines: LogicalPlan, state: &SessionState) -> Result<Planned, QueryError> {
        let references = References::default();
        let admitted = self.gate(lines, asked, Intent::Release, &references)?;
        let optimised = state.optimize(admitted.plan());
        let optimised = optimised.map_err(|error| QueryError::from_planning(&asked.sql, error))?;
        let receipts = self.receipts();
        Ok(Planned { admitted, optimised, state: state.clone(), receipts, references, analysis: None })
    }
}

/// Why nobody but an analyst of the own body is answered.
pub(super) fn not_to_peers() -> QueryError {
    QueryError::refused(
        "EXPLAIN ANALYZE is answered to this body's own analysts: ask the query itself, whose receipt tells rows and bytes, \
         or EXPLAIN without ANALYZE"
            .into(),
    )
}

impl From<Visible> for Cells {
    fn from(Visible { datasets, cells }: Visible) -> Self {
        Self { datasets, visible_cells: cells }
    }
}

impl From<RanAt> for Computed {
    fn from(ran: RanAt) -> Self {
        match ran {
            RanAt::Workers(workers) => Self::Workers(workers),
            RanAt::Home => Self::Here,
        }
    }
}

impl From<Operator> for Step {
    fn from(Operator { depth, name, rows, compute }: Operator) -> Self {
        let compute_us = compute.map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        Self { depth, operator: name, rows, compute_us }
    }
}

impl From<Arrived> for Answered {
    fn from(Arrived { rows, bytes, first, all, body: _, sql: _ }: Arrived) -> Self {
        Self { rows, bytes, first_ms: first.map(milliseconds), all_ms: all.map(milliseconds) }
    }
}

impl Ran {
    /// For people.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines =
            vec![format!("{} rows of the answer, after {} ms; they are not shown", self.rows, self.time_ms)];
        for Cells { datasets, visible_cells } in &self.released {
            lines.push(format!("{visible_cells} visible cells of {}", datasets.join(", ")));
        }
        for computed in &self.computed {
            lines.push(match computed {
                Computed::Workers(workers) => format!("computed by {workers} of this body's workers"),
                Computed::Here => "computed at this node, though it has workers".to_owned(),
            });
        }
        for Step { depth, operator, rows, compute_us } in &self.operators {
            let rows = rows.map(|rows| format!("{rows} rows"));
            let compute = compute_us.map(|time| format!("{time} µs"));
            let figures: Vec<String> = rows.into_iter().chain(compute).collect();
            lines.push(format!("{}{operator}  {}", "  ".repeat(*depth), figures.join(", ")).trim_end().to_owned());
        }
        lines
    }
}

impl Answered {
    /// For people.
    pub(super) fn line(&self) -> String {
        let bytes = self.bytes.map(|bytes| format!(", {bytes} bytes"));
        let first = self.first_ms.map(|time| format!(", the first after {time} ms"));
        let all = self.all_ms.map_or(", then no more was needed".to_owned(), |time| format!(", all after {time} ms"));
        format!("{} rows{}{}{all}", self.rows, bytes.unwrap_or_default(), first.unwrap_or_default())
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
