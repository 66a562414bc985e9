//! The session of a query: what its caller may name, what its remote parts carry with them, and what bounds it.

use std::sync::Arc;

use datafusion::execution::FunctionRegistry;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionState;
use datafusion::sql::parser::Statement;
use meridian_certs::{Credentials, Identity};
use meridian_federation::FederationPlanner;
use meridian_federation::remote::{QueryContext, Receipts, RemotePlanner, Signer};
use meridian_federation::session::{session_builder, session_config};
use meridian_proto::{BodyName, EVERY, Name, Signed};

use super::{Asked, Engine, ErrorKind, Parts, QueryError, partial, traced};
use crate::catalogue::{Catalogues, View};
use crate::gate::{self, Onward};
use crate::geometry;
use crate::sources::WholeQueries;

/// What every query's session begins as.
pub(super) fn base(parts: &Parts) -> datafusion::common::Result<SessionState> {
    let runtime = runtime(parts.memory)?;
    let mut config = session_config();
    // Errors point into the caller's statement.
    config.options_mut().sql_parser.collect_spans = true;
    let config = config
        .with_target_partitions(parts.target_partitions)
        .with_default_catalog_and_schema(parts.federation.as_str(), parts.body.as_str())
        .with_create_default_catalog_and_schema(false);
    let planner = FederationPlanner::new(vec![gate::extension_planner(), Arc::new(RemotePlanner)]);
    let mut session = session_builder(config)
        .with_optimizer_rule(Arc::new(WholeQueries))
        .with_runtime_env(runtime)
        .with_query_planner(Arc::new(planner))
        .build();
    for function in geometry::functions() {
        session.register_udf(Arc::new(function))?;
    }
    Ok(session)
}

impl Engine {
    /// The session of one query: the caller's catalogue, and what its remote parts carry with them.
    pub(super) async fn session(
        &self,
        asked: &Asked,
        statement: &Statement,
    ) -> Result<(SessionState, Arc<Receipts>), QueryError> {
        let view = self.view(asked, statement).await?;
        let receipts = self.receipts();
        if let Some(watch) = &asked.watch {
            watch.follow(&receipts, asked.partial.as_ref());
        }
        let Onward { asker, groups, via } = asked.caller.onward();
        let context = QueryContext {
            query_id: asked.query_id.clone(),
            on_behalf_of: asker,
            groups,
            via,
            purpose: asked.caller.purpose().unwrap_or_default().to_owned(),
            transport: Arc::new(traced::Routes::new(self.parts.routes.clone(), asked.trace.clone())),
            patience: self.parts.patience,
            endpoints: self.parts.endpoints,
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
    pub(super) fn receipts(&self) -> Arc<Receipts> {
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

/// Memory is bounded, and nothing that came from a peer is ever on disk (invariant I5): see [`super::Spill`] for what may be.
fn runtime(memory: usize) -> datafusion::common::Result<Arc<RuntimeEnv>> {
    RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(memory)))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
        .build_arc()
}
