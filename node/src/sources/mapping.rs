//! Plans a mapping over the table `source` and casts what it yields to the published columns.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, try_cast};
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use meridian_federation::session::local_builder;
use meridian_proto::{Column, Form};

use super::{
    SOURCE_TABLE, SourceError, SourceKind, SourceSpec, WholeQueries, addresses, arrow_type, boroughs, functions,
};
use crate::gate::total;
use crate::geometry;

/// A source as planned.
pub(super) struct Mapped {
    /// What the mapping yields, before it is cast to the declared types.
    pub(super) view: LogicalPlan,
    /// Each published column over `view`.
    pub(super) columns: Vec<MappedColumn>,
    /// The published columns with their declared types.
    pub(super) published: LogicalPlan,
}

/// A published column in terms of the mapping's output.
pub(super) struct MappedColumn {
    /// What the mapping yields.
    pub(super) raw: Expr,
    /// The same in the declared type, NULL where it has no such value.
    pub(super) typed: Expr,
    /// Whether the cast can fail.
    pub(super) fallible: bool,
}

/// Whether expressions that can fail do so, or give NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// They fail: the whole source is evaluated at load, where an error names the line.
    Reported,
    /// They give NULL: an error would be an answer about protected rows.
    Null,
}

impl Failure {
    /// What a query over a dataset of that form may see.
    pub(super) fn of_queries(form: Form) -> Self {
        match form {
            Form::Open => Self::Reported,
            Form::Rows | Form::Statistics | Form::None => Self::Null,
        }
    }
}

/// A session that knows no table at all, for one source, with the rules of those in which questions are answered, a mapping's
/// own functions, and the names of boroughs.
pub(super) fn session(target_partitions: usize, runtime: Arc<RuntimeEnv>) -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(target_partitions.max(1))
        .with_information_schema(false)
        .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false)
        .set_bool("datafusion.execution.parquet.schema_force_view_types", false);
    let state = local_builder(config).with_optimizer_rule(Arc::new(WholeQueries)).with_runtime_env(runtime).build();
    let session = SessionContext::new_with_state(state);
    functions::all().for_each(|function| session.register_udf(function));
    session.register_udf(boroughs::function());
    geometry::functions().for_each(|function| session.register_udf(function));
    session
}

/// Plans the mapping of `spec` over `table` in a session of its own.
pub(super) async fn plan(
    spec: &SourceSpec,
    session: &SessionContext,
    table: Arc<dyn TableProvider>,
    failure: Failure,
) -> Result<Mapped, SourceError> {
    let wrong = |error: DataFusionError| SourceError::mapping(spec, planner_words(&error));
    session.register_table(SOURCE_TABLE, table).map_err(wrong)?;
    addresses::register(spec, session)?;
    let raw = match &spec.mapping {
        Some(sql) => {
            let plan = session.state().create_logical_plan(sql).await.map_err(wrong)?;
            harmless(spec, &plan)?;
            plan
        }
        None => session.table(SOURCE_TABLE).await.map_err(wrong)?.into_unoptimized_plan(),
    };
    let outputs = outputs(spec, &raw)?;
    let state = session.state();
    let analyse = |plan| state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {});
    let view = LogicalPlanBuilder::from(raw)
        .project(outputs)
        .and_then(LogicalPlanBuilder::build)
        .and_then(analyse)
        .map_err(wrong)?;
    let view = match failure {
        Failure::Reported => view,
        Failure::Null => total::mapping(view).map_err(wrong)?,
    };
    publish(spec, view, failure).map_err(wrong)
}

/// Refuses whatever is not a query over `source` alone.
fn harmless(spec: &SourceSpec, plan: &LogicalPlan) -> Result<(), SourceError> {
    let queries = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    queries
        .verify_plan(plan)
        .map_err(|_| SourceError::mapping(spec, "only a query is admitted; write one SELECT over `source`"))?;
    let mut problem = None;
    let walked = plan.apply_with_subqueries(|node| {
        problem = problem_of(node);
        Ok(if problem.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    walked.map_err(|error| SourceError::mapping(spec, planner_words(&error)))?;
    problem.map_or(Ok(()), |why| Err(SourceError::mapping(spec, why)))
}

fn problem_of(node: &LogicalPlan) -> Option<String> {
    match node {
        LogicalPlan::TableScan(scan) if scan.table_name.table() != SOURCE_TABLE => {
            return Some(format!("it reads `{}`; it may read nothing but `source`", scan.table_name));
        }
        LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::DescribeTable(_)
        | LogicalPlan::Statement(_)
        | LogicalPlan::Dml(_)
        | LogicalPlan::Ddl(_)
        | LogicalPlan::Copy(_)
        | LogicalPlan::Extension(_)
        | LogicalPlan::RecursiveQuery(_) => {
            return Some("only a query is admitted; write one SELECT over `source`".into());
        }
        _ => {}
    }
    let volatile = node.expressions().iter().any(Expr::is_volatile);
    volatile.then(|| {
        "it calls a function that gives something else every time; rows must be the same for every query".into()
    })
}

/// The mapping's outputs in the order of the published columns.
fn outputs(spec: &SourceSpec, plan: &LogicalPlan) -> Result<Vec<Expr>, SourceError> {
    let mut found = HashMap::new();
    for (qualifier, field) in plan.schema().iter() {
        if found.insert(field.name().as_str(), Expr::from((qualifier, field))).is_some() {
            return Err(SourceError::mapping(spec, format!("it yields `{}` twice; rename one with AS", field.name())));
        }
    }
    let mut outputs = Vec::with_capacity(spec.dataset.columns.len());
    for column in &spec.dataset.columns {
        let name = column.name.as_str();
        let output = found.remove(name).ok_or_else(|| missing(spec, name))?;
        outputs.push(output.alias(name));
    }
    match found.keys().min() {
        Some(extra) if spec.mapping.is_some() => Err(SourceError::mapping(
            spec,
            format!("it yields `{extra}`, which is no published column; add it to [[columns]] or leave it out"),
        )),
        _ => Ok(outputs),
    }
}

fn missing(spec: &SourceSpec, name: &str) -> SourceError {
    let what = match (&spec.mapping, &spec.kind) {
        (Some(_), _) => "it yields no column",
        (None, SourceKind::Postgres(_) | SourceKind::Sqlite(_) | SourceKind::FlightSql(_)) => {
            "there is none, and the table has no column"
        }
        (None, _) => "there is none, and the file has no column",
    };
    SourceError::mapping(
        spec,
        format!("{what} `{name}`, which [[columns]] publishes; add one to the mapping with AS {name}"),
    )
}

fn publish(spec: &SourceSpec, view: LogicalPlan, failure: Failure) -> Result<Mapped, DataFusionError> {
    let mut columns = Vec::with_capacity(spec.dataset.columns.len());
    let mut projection = Vec::with_capacity(spec.dataset.columns.len());
    for ((qualifier, field), column) in view.schema().iter().zip(&spec.dataset.columns) {
        let mapped = typed(Expr::from((qualifier, field)), field.data_type(), column);
        projection.push(
            match failure {
                Failure::Reported if mapped.fallible => cast(mapped.raw.clone(), arrow_type(column.column_type)),
                Failure::Reported | Failure::Null => mapped.typed.clone(),
            }
            .alias(column.name.as_str()),
        );
        columns.push(mapped);
    }
    let published = LogicalPlanBuilder::from(view.clone()).project(projection)?.build()?;
    Ok(Mapped { view, columns, published })
}

fn typed(raw: Expr, from: &arrow::datatypes::DataType, column: &Column) -> MappedColumn {
    let to = arrow_type(column.column_type);
    let fallible = !total::never_fails(from, &to);
    let typed = match (from == &to, fallible) {
        (true, _) => raw.clone(),
        (false, false) => cast(raw.clone(), to),
        (false, true) => try_cast(raw.clone(), to),
    };
    MappedColumn { raw, typed, fallible }
}

/// The planner's words on SQL and schema, which hold no rows, without its framing.
pub(super) fn planner_words(error: &DataFusionError) -> String {
    let text = error.find_root().strip_backtrace();
    let text = text.strip_prefix("Error during planning: ").unwrap_or(&text);
    let line = text.lines().next().unwrap_or_default().trim_end_matches('.');
    let line = line.replace("datafusion.public.", "");
    if line.contains("Invalid function 'match_address") {
        return "it calls match_address and names no address list; add addresses = \"…\" under [mapping]".into();
    }
    if line.contains("not found") && line.contains("table '") {
        return format!("{line}; it may read nothing but `source`");
    }
    line
}
