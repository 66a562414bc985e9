//! Questions over loaded datasets, in a session as those in which a node answers.

use std::collections::BTreeMap;

use datafusion::datasource::ViewTable;
use datafusion::error::DataFusionError;
use meridian_federation::session::{session_builder, session_config};

use super::*;

pub(in crate::sources) async fn loaded(spec: &SourceSpec) -> Result<Loaded, SourceError> {
    // On another thread, as the catalogue loads: the future has to be Send.
    let spec = spec.clone();
    tokio::spawn(async move { load(&spec, &SessionContext::new(), now()).await }).await.unwrap()
}

/// A session over loaded datasets by their names.
pub(in crate::sources) fn session(datasets: &BTreeMap<&str, Loaded>) -> SessionContext {
    let state =
        session_builder(session_config().with_target_partitions(2)).with_optimizer_rule(Arc::new(WholeQueries)).build();
    let context = SessionContext::new_with_state(state);
    for (name, loaded) in datasets {
        context.register_table(*name, Arc::new(ViewTable::new(loaded.plan.clone(), None))).unwrap();
    }
    context
}

pub(in crate::sources) async fn ask(context: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>, DataFusionError> {
    context.sql(sql).await?.collect().await
}

pub(in crate::sources) fn shown(batches: &[RecordBatch]) -> String {
    pretty_format_batches(batches).unwrap().to_string()
}
