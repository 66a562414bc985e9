//! The one road: a query's whole life at this node, in the order in which it happens.
//!
//! Asker or owner, the road is the same: parse → bind parameters → analyse over the caller's catalogue → gate →
//! optimise → place → record → run. [`Engine::answer`] shows it; everything else is called from there.

mod analyze;
mod check;
mod closing;
mod dialect;
mod error;
#[cfg(test)]
mod exhaustion;
mod explain;
mod in_force;
mod needs;
mod pairs;
mod partial;
mod parts;
mod place;
mod progress;
mod purpose;
mod recorded;
mod redacted;
mod session;
mod shape;
mod spill;
mod text;
mod traced;
mod view;
mod watch;

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use arrow::datatypes::SchemaRef;
use datafusion::common::ParamValues;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::scalar::ScalarValue;
use meridian_federation::keys::OpenHere;
use meridian_federation::reference::References;
use meridian_federation::released::{keep_filters_above, nullable_counts};
use meridian_federation::remote::Receipts;
use tokio::sync::Semaphore;

use crate::catalogue;
use crate::cluster;
use crate::gate::{self, Admitted, Caller, Intent, Released, Request};
use crate::traces::Trace;

pub use crate::catalogue::Listed;
pub use closing::Closing;
pub use error::{ErrorKind, QueryError};
pub use partial::Partial;
pub use parts::{Footing, Parts};
pub use place::caret;
pub use progress::Progress;
pub use purpose::{Malformed, is_blank, set_purpose, without_purpose};
pub use shape::Shape;
pub use spill::{SPILL, Spill};
pub use view::view;
pub use watch::Watch;

/// What a caller asks.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Who.
    pub caller: Caller,
    /// The statement.
    pub sql: String,
    /// Values for `$1`, `$2`, …
    pub parameters: Vec<ScalarValue>,
    /// One per question of an analyst, the same at every body that it reaches.
    pub query_id: String,
    /// Where an analyst takes an answer that does without some bodies.
    pub partial: Option<Arc<Partial>>,
    /// Where somebody in this process watches the bodies answer.
    pub watch: Option<Watch>,
    /// Where it belongs in its trace.
    pub trace: Trace,
}

impl Asked {
    /// A statement without parameters that must be answered in full, which nobody watches and which is part of no trace.
    pub fn new(caller: Caller, sql: impl Into<String>, query_id: impl Into<String>) -> Self {
        Self {
            caller,
            sql: sql.into(),
            parameters: Vec::new(),
            query_id: query_id.into(),
            partial: None,
            watch: None,
            trace: Trace::default(),
        }
    }
}

/// An answer that has been decided and recorded, and has begun.
#[derive(Debug)]
pub struct Answer {
    /// What leaves.
    pub released: Released,
    /// What is to be said when it has left.
    pub closing: Closing,
}

/// Answers questions, one road for all.
#[derive(Debug)]
pub struct Engine {
    parts: Parts,
    session: SessionState,
    spilling: Option<Arc<RuntimeEnv>>,
    planning: Semaphore,
}

/// Statements that are planned at the same time. Each holds a thread while it waits for files, and these are read by
/// other threads: a node has [`THREADS_BESIDE`] of them.
const PLANNED_AT_ONCE: usize = 4;

/// Threads that a node needs beside those that run queries, so that planning never waits for itself: one for each plan
/// that is made, and for files (threads).
pub const THREADS_BESIDE: usize = 2 * PLANNED_AT_ONCE;

/// A plan that can be run.
struct Ready {
    planned: Planned,
    physical: Arc<dyn ExecutionPlan>,
    guarded: gate::Guarded,
}

struct Planned {
    admitted: Admitted,
    optimised: LogicalPlan,
    state: SessionState,
    receipts: Arc<Receipts>,
    references: References,
    /// Where its answer is not wanted, but what it comes to.
    analysis: Option<analyze::Analysis>,
}

impl Engine {
    /// An engine over `parts`.
    pub fn new(parts: Parts) -> Result<Arc<Self>, QueryError> {
        let wrong = |error| QueryError::new(ErrorKind::Internal, format!("the engine can't be set up: {error}"));
        let session = session::base(&parts).map_err(wrong)?;
        let spilling = parts.spill.runtime(session.runtime_env()).map_err(wrong)?;
        Ok(Arc::new(Self { parts, session, spilling, planning: Semaphore::new(PLANNED_AT_ONCE) }))
    }

    /// Answers a question, up to the first byte.
    pub async fn answer(self: &Arc<Self>, asked: Asked) -> Result<Answer, QueryError> {
        let begun = Instant::now();
        let ready = self.ready(&asked).await?;
        let (entry, private) = self.entry(&asked, ready.planned.admitted.facts());
        let logging = asked.trace.begin("log");
        let logged =
            self.parts.log.release(entry, &private).await.map_err(|error| self.unanswered(&asked, error.into()))?;
        drop(logging);
        let mut closing = Closing::new(self, &asked, &ready.planned, &logged, begun);
        let Ready { mut planned, guarded, .. } = self.without_the_missing(&asked, ready).await?;
        closing.rests_on(&planned);
        let task = self.task(&asked.caller, &planned);
        let fetched = planned.references.fetch(&task).await;
        fetched.map_err(|error| closing.fail(DataFusionError::External(Box::new(error))))?;
        let observed = guarded.observed();
        let released = guarded.release(logged.clone(), task, self.in_force());
        let released = released.map_err(|error| closing.fail(error))?;
        let Some(analysis) = planned.analysis.take() else { return Ok(Answer { released, closing }) };
        let run = analyze::Run { begun, state: planned.state, observed, logged };
        self.analysed(&asked, analysis, run, (released, closing)).await
    }

    /// What a question is run with. Nothing on its way goes to a disk unless all of it is this body's own and open, and so is the
    /// question: nobody else fills the disk, or has it written and read for minutes.
    fn task(&self, caller: &Caller, planned: &Planned) -> Arc<TaskContext> {
        let (task, facts) = (planned.state.task_ctx(), planned.admitted.facts());
        let may_spill = !caller.is_peer() && !facts.protected && facts.foreign.is_empty();
        let Some(runtime) = self.spilling.as_ref().filter(|_| may_spill) else { return task };
        match Arc::try_unwrap(task) {
            Ok(task) => Arc::new(task.with_runtime(Arc::clone(runtime))),
            Err(task) => task,
        }
    }

    /// Plans, gates and guards a question, and records where it is refused.
    async fn ready(&self, asked: &Asked) -> Result<Ready, QueryError> {
        let planned = match self.plan(asked, Intent::Release).await {
            Ok(planned) => planned,
            Err(refused) => return Err(self.turned_away(asked, refused).await),
        };
        let physical = match self.bounded(asked, &planned).await {
            Ok(physical) => physical,
            Err(refused) => return Err(self.turned_away(asked, refused).await),
        };
        match gate::guard(Arc::clone(&physical), &planned.admitted) {
            Ok(guarded) => Ok(Ready { planned, physical, guarded }),
            Err(refused) => Err(self.turned_away(asked, QueryError::from_refused(&asked.sql, &refused)).await),
        }
    }

    /// Plans and gates a question, so that it is refused early; nothing runs, nothing leaves, nothing is recorded
    /// but a refusal.
    pub async fn describe(self: &Arc<Self>, asked: &Asked) -> Result<SchemaRef, QueryError> {
        match self.plan(asked, Intent::Release).await {
            Ok(planned) => match self.bounded(asked, &planned).await {
                Ok(_) => self.answers(asked, &planned),
                Err(refused) => Err(self.turned_away(asked, refused).await),
            },
            Err(refused) => Err(self.turned_away(asked, refused).await),
        }
    }

    /// Parse, bind, analyse, gate, optimise.
    async fn plan(&self, asked: &Asked, intent: Intent) -> Result<Planned, QueryError> {
        let wrong = |error| QueryError::from_planning(&asked.sql, error);
        let planning = asked.trace.begin("plan");
        let (statement, explain) = match (text::parse(&asked.sql)?, intent) {
            (text::Ask::Query(statement), _) => (statement, None),
            (text::Ask::Explain(_, text::Explain { analyze: true, .. }), Intent::Release) if asked.caller.is_peer() => {
                return Err(analyze::not_to_peers());
            }
            (text::Ask::Explain(statement, explain), Intent::Release) => (statement, Some(explain)),
            (text::Ask::Explain(..), Intent::Check) => {
                let what = "an explanation is not released: check the query itself, without EXPLAIN";
                return Err(QueryError::sql(&asked.sql, None, what.into()));
            }
        };
        let (state, receipts) = self.session(asked, &statement).await?;
        let bound = self.aside(state.statement_to_plan(*statement)).await.map_err(wrong)?;
        drop(planning);
        dialect::check_plan(&bound).map_err(|objection| QueryError::objection(&asked.sql, objection))?;
        let bound = bind(bound, &asked.parameters).map_err(wrong)?;
        self.aside(async { self.decide((asked, intent), bound, explain, state, receipts) }).await
    }

    /// Analyse, gate, optimise.
    fn decide(
        &self,
        (asked, intent): (&Asked, Intent),
        bound: LogicalPlan,
        explain: Option<text::Explain>,
        mut state: SessionState,
        receipts: Arc<Receipts>,
    ) -> Result<Planned, QueryError> {
        let wrong = |error| QueryError::from_planning(&asked.sql, error);
        let analysed = state.analyzer().execute_and_check(bound, state.config_options(), |_, _| {}).map_err(wrong)?;
        let analysed = nullable_counts(analysed).map_err(wrong)?;
        let references = References::default();
        let deciding = asked.trace.begin("gate");
        let admitted = self.gate(analysed, asked, intent, &references)?;
        drop(deciding);
        if let Some((datasets, still)) = admitted.open_to_all(self.in_force()) {
            state.config_mut().options_mut().extensions.insert(OpenHere::new(datasets, still));
        }
        let marked = keep_filters_above(admitted.plan().clone()).map_err(wrong)?;
        let optimised = state.optimize(&marked).map_err(wrong)?;
        let planned = Planned { admitted, optimised, state, receipts, references, analysis: None };
        let Some(text::Explain { written, analyze }) = explain else { return Ok(planned) };
        let Planned { admitted, optimised, state, .. } = &planned;
        let explanation = explain::explanation(optimised, admitted.facts(), &asked.caller, state).map_err(wrong)?;
        if analyze {
            return Ok(Planned { analysis: Some(analyze::Analysis { explanation, written }), ..planned });
        }
        // What would leave, before anything has: the lines are the answer.
        self.told(asked, explanation.answer(written).map_err(wrong)?, state)
    }

    fn gate(
        &self,
        plan: LogicalPlan,
        asked: &Asked,
        intent: Intent,
        references: &References,
    ) -> Result<Admitted, QueryError> {
        let request = Request {
            caller: &asked.caller,
            now: self.parts.clock.now(),
            intent,
            only_open: self.is_stale_for(&asked.caller),
            foreign: &catalogue::foreign_use,
            referenced: &|table, reference| catalogue::referenced(table, reference, references),
        };
        gate::gate(plan, &request).map_err(|refused| QueryError::from_refused(&asked.sql, &refused))
    }

    /// A plan that can be run within bounds.
    async fn bounded(&self, asked: &Asked, planned: &Planned) -> Result<Arc<dyn ExecutionPlan>, QueryError> {
        let physical = self.physical(asked, planned).await?;
        pairs::check(&physical)?;
        match &self.parts.workers {
            Some(workers) => {
                cluster::spread(workers, physical).map_err(|error| QueryError::from_planning(&asked.sql, error))
            }
            None => Ok(physical),
        }
    }

    /// What an answer is held against while it streams.
    fn in_force(&self) -> Arc<in_force::Here> {
        Arc::new(in_force::Here { clock: self.parts.clock.clone(), catalogue: Arc::clone(&self.parts.catalogue) })
    }

    /// Place what is foreign, and choose how to run it all.
    async fn physical(&self, asked: &Asked, planned: &Planned) -> Result<Arc<dyn ExecutionPlan>, QueryError> {
        let _placing = asked.trace.begin("place");
        let planner = planned.state.query_planner();
        let physical = self.aside(planner.create_physical_plan(&planned.optimised, &planned.state)).await;
        physical.map_err(|error| QueryError::from_planning(&asked.sql, error))
    }

    /// Does planning on this thread while others take over what else it had to do: a long statement is not to hold up the
    /// answers to everybody else. Who comes when [`PLANNED_AT_ONCE`] are being planned waits for a place.
    async fn aside<T>(&self, work: impl Future<Output = T>) -> T {
        // The places are never closed.
        let _place = self.planning.acquire().await;
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(work))
    }
}

/// Puts values in place of placeholders, before anything is analysed.
fn bind(plan: LogicalPlan, parameters: &[ScalarValue]) -> datafusion::common::Result<LogicalPlan> {
    let expected = plan.get_parameter_names()?.len();
    if expected != parameters.len() {
        return Err(datafusion::common::plan_datafusion_err!(
            "the statement has {expected} parameters and {} values are bound",
            parameters.len()
        ));
    }
    if expected == 0 {
        return Ok(plan);
    }
    let values = parameters.iter().cloned().map(Into::into).collect();
    plan.with_param_values(ParamValues::List(values))
}
