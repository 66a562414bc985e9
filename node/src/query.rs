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
mod place;
mod progress;
mod purpose;
mod redacted;
mod text;
mod view;

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::datatypes::{Schema, SchemaRef};
use chrono::NaiveDate;
use datafusion::common::ParamValues;
use datafusion::error::DataFusionError;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::scalar::ScalarValue;
use datafusion::sql::parser::Statement;
use meridian_certs::{Credentials, Identity};
use meridian_federation::reference::References;
use meridian_federation::released::{keep_filters_above, nullable_counts};
use meridian_federation::remote::{QueryContext, Receipts, RemotePlanner, Routes, Signer};
use meridian_federation::{FederationPlanner, session};
use meridian_proto::{BodyName, EVERY, Name, Refusal, Signed};
use tokio::sync::Semaphore;

use crate::agreements::Agreements;
use crate::audit::{Entry, Log, Private, Use};
use crate::catalogue::{self, Catalogue, Catalogues, View};
use crate::clock::Clock;
use crate::cluster::{self, Workers};
use crate::gate::{self, Admitted, Caller, Intent, Onward, Released, Request};
use crate::geometry;
use crate::membership::Members;
use crate::news::News;
use crate::register::Registers;
use crate::sources::WholeQueries;
use crate::witness::Witnessing;

pub use crate::catalogue::Listed;
pub use closing::Closing;
pub use error::{ErrorKind, QueryError};
pub use partial::Partial;
pub use place::caret;
pub use progress::Progress;
pub use purpose::{Malformed, is_blank, set_purpose};
pub use view::view;

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
}

/// What a prepared statement looks like before its parameters are bound.
#[derive(Debug, Clone)]
pub struct Shape {
    /// The answer's columns.
    pub dataset: SchemaRef,
    /// The parameters, named `$1`, `$2`, …; the type Null where the statement does not tell.
    pub parameters: SchemaRef,
}

/// An answer that has been decided and recorded, and has begun.
#[derive(Debug)]
pub struct Answer {
    /// What leaves.
    pub released: Released,
    /// What is to be said when it has left.
    pub closing: Closing,
}

/// What the engine of a node is made of.
#[derive(Debug)]
pub struct Parts {
    /// The federation.
    pub federation: Name,
    /// The body whose node this is.
    pub body: Name,
    /// What may be named.
    pub catalogue: Arc<Catalogue>,
    /// By which agreements begin and end.
    pub clock: Clock,
    /// The log.
    pub log: Arc<Log>,
    /// The witnesses of the log, and the logs that this node is a witness of.
    pub witnessing: Arc<Witnessing>,
    /// The agreements that many sign.
    pub agreements: Arc<Agreements>,
    /// Near pairs of counts that an analyst, or an agreement, may make in a day before there is an alert.
    pub near_alert: u64,
    /// The node's own certificate, which signs release records.
    pub credentials: Arc<Credentials>,
    /// The way to the other bodies.
    pub routes: Routes,
    /// Who is in, where the authority says so and not the configuration.
    pub members: Option<Arc<Members>>,
    /// What the bodies tell the public.
    pub registers: Arc<Registers>,
    /// What nodes tell each other has changed.
    pub news: Arc<News>,
    /// Who is in other federations that this node trusts, where their authorities say so.
    pub abroad: Vec<Arc<Members>>,
    /// Memory for all queries together, in bytes.
    pub memory: usize,
    /// Longest time that another body may take for its part of a query.
    pub patience: Duration,
    /// Partitions that one query is run in.
    pub target_partitions: usize,
    /// The machines of the body's own that compute what is below a release, where there are any.
    pub workers: Option<Arc<Workers>>,
}

/// Answers questions, one road for all.
#[derive(Debug)]
pub struct Engine {
    parts: Parts,
    session: SessionState,
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
        let internal = |error| QueryError::new(ErrorKind::Internal, format!("the engine can't be set up: {error}"));
        let runtime = runtime(parts.memory).map_err(internal)?;
        let mut config = session::session_config();
        // Errors point into the caller's statement.
        config.options_mut().sql_parser.collect_spans = true;
        let config = config
            .with_target_partitions(parts.target_partitions)
            .with_default_catalog_and_schema(parts.federation.as_str(), parts.body.as_str())
            .with_create_default_catalog_and_schema(false);
        let planner = FederationPlanner::new(vec![gate::extension_planner(), Arc::new(RemotePlanner)]);
        let mut session = session::session_builder(config)
            .with_optimizer_rule(Arc::new(WholeQueries))
            .with_runtime_env(runtime)
            .with_query_planner(Arc::new(planner))
            .build();
        for function in geometry::functions() {
            session.register_udf(Arc::new(function)).map_err(internal)?;
        }
        Ok(Arc::new(Self { parts, session, planning: Semaphore::new(PLANNED_AT_ONCE) }))
    }

    /// The federation that this node belongs to.
    pub fn federation(&self) -> &Name {
        &self.parts.federation
    }

    /// Its keys, and whom it trusts.
    pub fn credentials(&self) -> &Arc<Credentials> {
        &self.parts.credentials
    }

    /// The body whose node this is.
    pub fn body(&self) -> &Name {
        &self.parts.body
    }

    /// Answers a question, up to the first byte.
    pub async fn answer(self: &Arc<Self>, asked: Asked) -> Result<Answer, QueryError> {
        let begun = Instant::now();
        let ready = self.ready(&asked).await?;
        let (entry, private) = self.entry(&asked, ready.planned.admitted.facts());
        let logged = self.parts.log.release(entry, &private).await?;
        let mut closing = Closing::new(self, &asked, &ready.planned, &logged);
        let Ready { mut planned, guarded, .. } = self.without_the_missing(&asked, ready).await?;
        closing.rests_on(&planned);
        let task = planned.state.task_ctx();
        let fetched = planned.references.fetch(&task).await;
        fetched.map_err(|error| closing.fail(DataFusionError::External(Box::new(error))))?;
        let observed = guarded.observed();
        let released = guarded.release(logged.clone(), task, self.in_force());
        let released = released.map_err(|error| closing.fail(error))?;
        let Some(analysis) = planned.analysis.take() else { return Ok(Answer { released, closing }) };
        let run = analyze::Run { begun, state: planned.state, observed, logged };
        self.analysed(&asked, analysis, run, (released, closing)).await
    }

    /// Plans, gates and guards a question, and records where it is refused.
    async fn ready(&self, asked: &Asked) -> Result<Ready, QueryError> {
        let planned = match self.plan(asked, Intent::Release).await {
            Ok(planned) => planned,
            Err(refused) => return Err(self.refuse(asked, refused).await),
        };
        let physical = match self.bounded(asked, &planned).await {
            Ok(physical) => physical,
            Err(refused) => return Err(self.refuse(asked, refused).await),
        };
        match gate::guard(Arc::clone(&physical), &planned.admitted) {
            Ok(guarded) => Ok(Ready { planned, physical, guarded }),
            Err(refused) => Err(self.refuse(asked, QueryError::from_refused(&asked.sql, &refused)).await),
        }
    }

    /// Plans and gates a question, so that it is refused early; nothing runs, nothing leaves, nothing is recorded
    /// but a refusal.
    pub async fn describe(self: &Arc<Self>, asked: &Asked) -> Result<SchemaRef, QueryError> {
        match self.plan(asked, Intent::Release).await {
            Ok(planned) => match self.bounded(asked, &planned).await {
                Ok(_) => self.answers(asked, &planned),
                Err(refused) => Err(self.refuse(asked, refused).await),
            },
            Err(refused) => Err(self.refuse(asked, refused).await),
        }
    }

    /// What a statement's answer and parameters look like before values are bound.
    pub async fn shape(self: &Arc<Self>, asked: &Asked) -> Result<Shape, QueryError> {
        let text::Ask::Query(statement) = text::parse(&asked.sql)? else {
            return Ok(Shape { dataset: self.describe(asked).await?, parameters: Arc::new(Schema::empty()) });
        };
        let (state, _) = self.session(asked, &statement).await?;
        let plan = state.statement_to_plan(*statement).await.map_err(|e| QueryError::from_planning(&asked.sql, e))?;
        let fields = plan.get_parameter_fields().map_err(|e| QueryError::from_planning(&asked.sql, e))?;
        if fields.is_empty() {
            return Ok(Shape { dataset: self.describe(asked).await?, parameters: Arc::new(Schema::empty()) });
        }
        let mut fields: Vec<_> = fields.into_iter().collect();
        fields.sort_by_key(|(name, _)| name.trim_start_matches('$').parse::<u32>().unwrap_or(u32::MAX));
        let parameters = fields.into_iter().map(|(name, field)| {
            let data_type = field.map_or(arrow::datatypes::DataType::Null, |field| field.data_type().clone());
            arrow::datatypes::Field::new(name, data_type, true)
        });
        let parameters = Arc::new(Schema::new(parameters.collect::<Vec<_>>()));
        Ok(Shape { dataset: Arc::clone(plan.schema().inner()), parameters })
    }

    /// What this caller may see.
    pub fn listed(&self, caller: &Caller) -> Vec<Listed> {
        self.parts.catalogue.view(caller, self.parts.clock.now(), &BTreeSet::new()).listed()
    }

    /// What is told of each dataset that this caller may know of.
    pub fn entries(&self, caller: &Caller) -> Vec<catalogue::Entry> {
        self.parts.catalogue.view(caller, self.parts.clock.now(), &BTreeSet::new()).entries()
    }

    /// What anybody may know of what the federation publishes.
    pub fn public_entries(&self) -> Vec<catalogue::Entry> {
        catalogue::public(self.parts.catalogue.directory())
    }

    /// The day that it is.
    pub fn today(&self) -> NaiveDate {
        self.parts.clock.now().date_naive()
    }

    /// Who is in, where the authority says so.
    pub fn members(&self) -> Option<&Arc<Members>> {
        self.parts.members.as_ref()
    }

    /// The witnesses of the log, and the logs that this node is a witness of.
    pub fn witnessing(&self) -> &Witnessing {
        &self.parts.witnessing
    }

    /// The agreements that many sign.
    pub fn agreements(&self) -> &Agreements {
        &self.parts.agreements
    }

    /// The way to the other bodies.
    pub fn routes(&self) -> &Routes {
        &self.parts.routes
    }

    /// Whether nobody knows any more who is out of the federation of a caller, or of this node's own.
    fn is_stale_for(&self, caller: &Caller) -> bool {
        let of_caller = self.parts.abroad.iter().find(|members| Some(members.federation()) == caller.abroad());
        self.parts.members.iter().chain(of_caller).any(|members| members.is_stale())
    }

    /// The federations of which this caller may name something, this node's own first.
    pub fn federations(&self, caller: &Caller) -> Vec<Name> {
        self.parts.catalogue.view(caller, self.parts.clock.now(), &BTreeSet::new()).federations()
    }

    /// The descriptions that are newer than what a peer holds. Of another federation it gets this body's own: what others publish
    /// it asks of them, if they trust it.
    pub fn descriptions(&self, held: &[(Name, u64)], parts: &[u32], of: &Name) -> Vec<Signed> {
        let body = (*of != self.parts.federation).then_some(&self.parts.body);
        self.parts.catalogue.directory().newer_than(held, parts, body)
    }

    /// What has changed, for other nodes.
    pub fn news(&self) -> &News {
        &self.parts.news
    }

    /// What the bodies tell the public.
    pub fn registers(&self) -> &Registers {
        &self.parts.registers
    }

    /// Parse, bind, analyse, gate, optimise.
    async fn plan(&self, asked: &Asked, intent: Intent) -> Result<Planned, QueryError> {
        let wrong = |error| QueryError::from_planning(&asked.sql, error);
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
        state: SessionState,
        receipts: Arc<Receipts>,
    ) -> Result<Planned, QueryError> {
        let wrong = |error| QueryError::from_planning(&asked.sql, error);
        let analysed = state.analyzer().execute_and_check(bound, state.config_options(), |_, _| {}).map_err(wrong)?;
        let analysed = nullable_counts(analysed).map_err(wrong)?;
        let references = References::default();
        let admitted = self.gate(analysed, asked, intent, &references)?;
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
        let planner = planned.state.query_planner();
        let physical = self.aside(planner.create_physical_plan(&planned.optimised, &planned.state)).await;
        physical.map_err(|error| QueryError::from_planning(&asked.sql, error))
    }

    /// The session of one query: the caller's catalogue, and what its remote parts carry with them.
    async fn session(&self, asked: &Asked, statement: &Statement) -> Result<(SessionState, Arc<Receipts>), QueryError> {
        let view = self.view(asked, statement).await?;
        let receipts = self.receipts();
        let Onward { asker, groups, via } = asked.caller.onward();
        let context = QueryContext {
            query_id: asked.query_id.clone(),
            on_behalf_of: asker,
            groups,
            via,
            purpose: asked.caller.purpose().unwrap_or_default().to_owned(),
            transport: Arc::new(self.parts.routes.clone()),
            patience: self.parts.patience,
            receipts: Arc::clone(&receipts),
            begun: asked.partial.as_ref().map(|partial| Arc::clone(partial.begun())),
        };
        let mut state = self.session.clone();
        state.register_catalog_list(Arc::new(Catalogues(view)));
        state.config_mut().set_extension(Arc::new(context));
        state.mark_start_execution();
        Ok((state, receipts))
    }

    /// None yet, for records that nodes of this federation signed, or of another that is trusted.
    fn receipts(&self) -> Arc<Receipts> {
        let (credentials, federation) = (Arc::clone(&self.parts.credentials), self.parts.federation.clone());
        Receipts::new(Arc::new(move |signed: &Signed| signer(&credentials, &federation, signed)))
    }

    /// The caller's view, after asking the bodies that the statement names and whose datasets are not known yet.
    async fn view(&self, asked: &Asked, statement: &Statement) -> Result<Arc<View>, QueryError> {
        let left_out = asked.partial.as_ref().map(|partial| partial.bodies()).unwrap_or_default();
        let view = self.parts.catalogue.view(&asked.caller, self.parts.clock.now(), &left_out);
        let missing = view.missing();
        if missing.is_empty() {
            return Ok(view);
        }
        let names = self
            .session
            .resolve_table_references(statement)
            .map_err(|error| QueryError::from_planning(&asked.sql, error))?;
        let own = &self.parts.federation;
        let schemas: Vec<(&str, &str)> =
            names.iter().filter_map(|name| Some((name.catalog().unwrap_or(own.as_str()), name.schema()?))).collect();
        let names = |body: &BodyName| schemas.contains(&(body.abroad().unwrap_or(own).as_str(), body.slug().as_str()));
        let is_every = schemas.contains(&(own.as_str(), EVERY));
        let every = |body: &BodyName| is_every && body.is_own() && !left_out.contains(body.slug());
        let needed: Vec<BodyName> = missing.into_iter().filter(|body| every(body) || names(body)).collect();
        if needed.is_empty() {
            return Ok(view);
        }
        let mut left_out = left_out;
        let silent = self.parts.catalogue.ensure(&needed).await;
        // Who is asked by name can't be left out; of others it is not known whether they publish such a dataset.
        let dispensable = silent.iter().all(|(body, _)| !names(body));
        if let Some(partial) = asked.partial.as_ref().filter(|_| dispensable) {
            for (body, why) in &silent {
                partial.leave_out(body.slug().clone(), format!("{body} has not told what it publishes: {why}"));
            }
            left_out = partial.bodies();
        } else if !silent.is_empty() {
            let silent: Vec<String> = silent.iter().map(|(body, why)| format!("{body} ({why})")).collect();
            let hint = if dispensable { format!("; {}", partial::HINT) } else { String::new() };
            return Err(QueryError::new(
                ErrorKind::PeerUnavailable,
                format!("the question needs bodies that can't be reached: {}{hint}", silent.join("; ")),
            ));
        }
        Ok(self.parts.catalogue.view(&asked.caller, self.parts.clock.now(), &left_out))
    }

    /// Does planning on this thread while others take over what else it had to do: a long statement is not to hold up the
    /// answers to everybody else. Who comes when [`PLANNED_AT_ONCE`] are being planned waits for a place.
    async fn aside<T>(&self, work: impl Future<Output = T>) -> T {
        // The places are never closed.
        let _place = self.planning.acquire().await;
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(work))
    }

    /// Records a refusal and hands it on; where the log can't be written, that is the answer.
    async fn refuse(&self, asked: &Asked, error: QueryError) -> QueryError {
        // A peer sends what its planner wrote: names that do not fit were tried, and the owner should see that too.
        let probed = error.kind == ErrorKind::InvalidSql && asked.caller.is_peer();
        if error.kind != ErrorKind::Refused && !probed {
            return error;
        }
        let (mut entry, private) = self.entry(asked, &gate::Facts::default());
        if let Some(refusal) = &error.refusal {
            entry.rules = vec![refusal.rule.clone()];
            entry.datasets = self.named(refusal).into_iter().collect();
        }
        match self.parts.log.refusal(entry, &private).await {
            Ok(_) => error,
            Err(log) => log.into(),
        }
    }

    /// The dataset and column that a refusal is about, as far as they are published.
    fn named(&self, refusal: &Refusal) -> Option<Use> {
        let dataset = refusal.dataset.as_ref()?;
        let published = dataset.split('.').all(|name| self.publishes(name));
        let column = refusal.column.iter().filter(|column| self.publishes(column)).cloned();
        published.then(|| Use { dataset: dataset.clone(), columns: column.collect(), form: String::new() })
    }

    /// Whether a name may stand in the log: it was not made up by whoever asks.
    fn publishes(&self, name: &str) -> bool {
        self.session.scalar_functions().contains_key(name)
            || self.session.aggregate_functions().contains_key(name)
            || self.session.window_functions().contains_key(name)
            || self.parts.catalogue.publishes(name)
    }

    /// What the log keeps of a question, and what it keeps for a time only.
    fn entry(&self, asked: &Asked, facts: &gate::Facts) -> (Entry, Private) {
        let used = |used: &meridian_proto::DatasetUse| Use {
            dataset: used.name.clone(),
            columns: used.columns.clone(),
            form: used.form.to_string(),
        };
        let redacted::Redacted { sql, literals, names } = redacted::redacted(&asked.sql, |name| self.publishes(name));
        let parameters = asked.parameters.iter().map(ToString::to_string).collect();
        let private = Private { literals, names, parameters, ..Private::default() };
        let entry = Entry {
            query_id: asked.query_id.clone(),
            caller: asked.caller.spiffe(),
            on_behalf_of: asked.caller.on_behalf_of().unwrap_or_default().to_owned(),
            groups: texts(asked.caller.groups()),
            via: texts(asked.caller.via()),
            purpose: asked.caller.purpose().unwrap_or_default().to_owned(),
            agreements: facts.agreements.clone(),
            datasets: facts.datasets.iter().map(used).collect(),
            rules: facts.rules.clone(),
            sql,
        };
        (entry, private)
    }
}

/// As they are recorded.
fn texts(of: &[impl ToString]) -> Vec<String> {
    of.iter().map(ToString::to_string).collect()
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

/// Which body's node signed a release record.
fn signer(credentials: &Credentials, own: &Name, signed: &Signed) -> Result<Signer, String> {
    let now = std::time::SystemTime::now();
    let verified = credentials.verify_of_any(signed, now).map_err(|error| error.to_string())?;
    match verified.identity() {
        Identity::Node { federation, body } => {
            Ok(Signer { federation: federation.clone(), body: BodyName::of(federation, body, own) })
        }
        analyst @ Identity::Analyst { .. } => Err(format!("{analyst} is no node")),
    }
}

/// Memory is bounded, and nothing that came from a peer is ever on disk (invariant I5).
fn runtime(memory: usize) -> datafusion::common::Result<Arc<RuntimeEnv>> {
    RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(memory)))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
        .build_arc()
}
