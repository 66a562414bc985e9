//! A small body with datasets of every form, and callers.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema};
use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, TimeZone, Utc};
use datafusion::catalog::memory::{MemoryCatalogProvider, MemorySchemaProvider};
use datafusion::catalog::{CatalogProvider, MemTable, SchemaProvider, Session, TableProvider};
use datafusion::datasource::{TableType, provider_as_source};
use datafusion::error::Result as PlanResult;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, col, lit};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use datafusion::prelude::SessionConfig;
use futures::TryStreamExt;
use meridian_certs::Identity;
use meridian_proto::{Column, ColumnType, Dataset, DatasetName, Form, Name, Role};

use super::super::{
    Admitted, Caller, ColumnTerms, Controls, Dominance, Facts, ForeignUse, Grant, InForce, Intent, PublishedTable,
    Refused, Request, Terms, UNIT_COLUMN, Unit, extension_planner, gate, guard,
};
use crate::audit::Durable;
use crate::geometry;
use crate::history::History;
use meridian_disclosure::noise::{CountTable, MagnitudeTable};

pub(super) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(super) fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 6, 1, 12, 0, 0).unwrap()
}

pub(super) fn peer(body: &str, purpose: Option<&str>) -> Caller {
    let identity = Identity::Node { federation: name("london"), body: name(body) };
    Caller::known(identity, (&name("london"), &name("lfb")), purpose.map(Into::into), Some("asha".into())).unwrap()
}

/// A node that asks for whom it says.
pub(super) fn on_behalf_of(body: &str, analyst: Option<&str>) -> Caller {
    let identity = Identity::Node { federation: name("london"), body: name(body) };
    let analyst = analyst.map(Into::into);
    Caller::known(identity, (&name("london"), &name("lfb")), Some("fire-risk".into()), analyst).unwrap()
}

pub(super) fn analyst() -> Caller {
    let identity = Identity::Analyst { federation: name("london"), body: name("lfb"), name: name("li") };
    Caller::known(identity, (&name("london"), &name("lfb")), Some("planning".into()), None).unwrap()
}

/// The peer of most tests.
pub(super) fn loda() -> Caller {
    peer("loda", Some("fire-risk"))
}

/// One incident; the rows of `incidents`, `calls` and `homes`.
#[derive(Debug, Clone, Default)]
pub(super) struct Incident {
    pub(super) borough: Option<&'static str>,
    pub(super) year: Option<i32>,
    pub(super) day: Option<i32>,
    pub(super) alarm: Option<bool>,
    pub(super) cost: Option<i32>,
    pub(super) uprn: Option<i64>,
}

/// Bounds of `cost`.
pub(super) const BOUNDS: (f64, f64) = (0.0, 100.0);

pub(super) fn column(name: &str, column_type: ColumnType, role: Role, ranges: bool) -> Column {
    Column {
        name: name.parse().unwrap(),
        column_type,
        role,
        required: false,
        ranges,
        concept: String::new(),
        unit: String::new(),
        description: String::new(),
    }
}

/// A dimension of text.
pub(super) fn dimension(name: &str) -> Column {
    column(name, ColumnType::Varchar, Role::Dimension, false)
}

fn incident_columns() -> Vec<Column> {
    vec![
        column("borough", ColumnType::Varchar, Role::Dimension, false),
        column("year", ColumnType::Integer, Role::Dimension, true),
        column("day", ColumnType::Date, Role::Dimension, true),
        column("alarm", ColumnType::Boolean, Role::Dimension, false),
        column("cost", ColumnType::Integer, Role::Measure, false),
        column("uprn", ColumnType::Bigint, Role::Identifier, false),
        column("note", ColumnType::Varchar, Role::Hidden, false),
    ]
}

/// What stands for a unit in these tests, spread over all 64 bits.
pub(super) fn unit_hash(value: i64) -> u64 {
    u64::from_ne_bytes(value.to_ne_bytes()).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn incident_rows(rows: &[Incident], each_row: bool) -> LogicalPlan {
    let unit = |(row, incident): (usize, &Incident)| match each_row {
        true => Some(unit_hash(i64::try_from(row).unwrap())),
        false => incident.uprn.map(unit_hash),
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("borough", Arc::new(rows.iter().map(|r| r.borough).collect::<StringArray>())),
        ("year", Arc::new(rows.iter().map(|r| r.year).collect::<Int32Array>())),
        ("day", Arc::new(rows.iter().map(|r| r.day).collect::<Date32Array>())),
        ("alarm", Arc::new(rows.iter().map(|r| r.alarm).collect::<BooleanArray>())),
        ("cost", Arc::new(rows.iter().map(|r| r.cost).collect::<Int32Array>())),
        ("uprn", Arc::new(rows.iter().map(|r| r.uprn).collect::<Int64Array>())),
        ("note", Arc::new(rows.iter().map(|_| Some("SECRET-NOTE")).collect::<StringArray>())),
        (UNIT_COLUMN, Arc::new(rows.iter().enumerate().map(unit).collect::<UInt64Array>())),
    ];
    scan(columns)
}

pub(super) fn scan(columns: Vec<(&str, ArrayRef)>) -> LogicalPlan {
    let fields: Vec<Field> = columns.iter().map(|(n, c)| Field::new(*n, c.data_type().clone(), true)).collect();
    let batch =
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|c| c.1).collect()).unwrap();
    let half = batch.num_rows() / 2;
    let parts = vec![vec![batch.slice(0, half)], vec![batch.slice(half, batch.num_rows() - half)]];
    let table = MemTable::try_new(batch.schema(), parts).unwrap();
    LogicalPlanBuilder::scan("source", provider_as_source(Arc::new(table)), None).unwrap().build().unwrap()
}

pub(super) fn terms(dataset: &str, form: Form, columns: Vec<Column>) -> Terms {
    let dataset = Dataset {
        name: name(dataset),
        title: String::new(),
        description: String::new(),
        licence: String::new(),
        form,
        needs_agreement: false,
        columns,
        unit_kind: String::new(),
        threshold: if form == Form::Statistics { 3 } else { 0 },
        standard: None,
        coverage: vec![],
        size_class: 0,
        update_frequency: String::new(),
        references: vec![],
        about: meridian_proto::About::default(),
    };
    Terms {
        name: DatasetName { federation: name("london"), body: name("lfb"), dataset: dataset.name.clone() },
        dataset: Arc::new(dataset),
        own: Form::Rows,
        unit: None,
        columns: HashMap::new(),
        controls: None,
        tables: None,
        listed: true,
        grants: vec![],
        references: vec![],
    }
}

pub(super) fn grant(agreement: &str, form: Form) -> Grant {
    Grant {
        agreement: agreement.into(),
        purpose: "fire-risk".into(),
        recipients: vec![name("loda").into()],
        form,
        columns: None,
        filter: None,
        threshold: None,
        allowance: None,
        askers: None,
        onward: false,
        start: NaiveDate::from_ymd_opt(2026, 1, 1).unwrap(),
        end: NaiveDate::from_ymd_opt(2027, 1, 1).unwrap(),
    }
}

/// Controls without noise and dominance, so that answers are exact.
pub(super) fn exact() -> Controls {
    // Of one unit, which is below every threshold.
    let nothing: &[u8] = b"pcv,ckey,pvalue\n1,0,-1\n";
    Controls {
        counts: CountTable::read(nothing).unwrap(),
        magnitudes: MagnitudeTable::none(),
        dominance: Dominance { percent: 0.0, largest: None },
        key: [7; 16],
        reuse: false,
        history: History::in_memory(),
    }
}

/// A unit that a column names, or that each row is.
pub(super) fn unit(column: Option<&str>, unique: bool) -> Unit {
    Unit { kind: name("dwelling"), column: column.map(name), unique, belongs_to: None }
}

fn incidents(dataset: &str, unit: Unit) -> Terms {
    let mut terms = terms(dataset, Form::Statistics, incident_columns());
    terms.unit = Some(unit);
    terms.columns = HashMap::from([(name("cost"), ColumnTerms { bounds: Some(BOUNDS), ..ColumnTerms::default() })]);
    terms.controls = Some(Arc::new(exact()));
    terms
}

fn people() -> (Vec<Column>, LogicalPlan) {
    let columns = vec![
        column("id", ColumnType::Integer, Role::Hidden, false),
        column("ward", ColumnType::Varchar, Role::Dimension, false),
        column("salary", ColumnType::Integer, Role::Hidden, false),
    ];
    let rows = scan(vec![
        ("id", Arc::new(Int32Array::from(vec![1, 2, 3, 4]))),
        ("ward", Arc::new(StringArray::from(vec!["a", "a", "b", "b"]))),
        ("salary", Arc::new(Int32Array::from(vec![10, 20, 50_000, 40]))),
    ]);
    (columns, rows)
}

/// A table of another body, as the federation would make one.
#[derive(Debug)]
pub(super) struct Elsewhere {
    pub(super) name: &'static str,
    pub(super) columns: Vec<(String, DataType)>,
}

#[async_trait]
impl TableProvider for Elsewhere {
    fn schema(&self) -> arrow::datatypes::SchemaRef {
        let field = |(name, data_type): &(String, DataType)| Field::new(name, data_type.clone(), true);
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }
    fn table_type(&self) -> TableType {
        TableType::Base
    }
    async fn scan(
        &self,
        _: &dyn Session,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        unreachable!()
    }
}

#[derive(Debug)]
struct Planner;

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn Session,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![extension_planner()]);
        planner.create_physical_plan(plan, session).await
    }
}

/// What is in force at a body of these tests.
#[derive(Debug)]
struct Here {
    schema: Arc<MemorySchemaProvider>,
    now: DateTime<Utc>,
}

impl InForce for Here {
    fn now(&self) -> DateTime<Utc> {
        self.now
    }

    fn terms(&self, dataset: &DatasetName) -> Option<Arc<Terms>> {
        let table = futures::executor::block_on(self.schema.table(dataset.dataset.as_str())).unwrap()?;
        Some(Arc::clone(&table.downcast_ref::<PublishedTable>()?.terms))
    }
}

/// A node's session over the datasets of `lfb`.
pub(super) struct Body {
    pub(super) state: SessionState,
    schema: Arc<MemorySchemaProvider>,
}

impl Body {
    /// `incidents` (unit uprn), `calls` (each row), `homes` (uprn, once each) hold `rows`; `boroughs` is open, `people`
    /// granted as rows in part, `registry` and `vault` not to be seen.
    pub(super) fn new(rows: &[Incident]) -> Self {
        let catalog = Arc::new(MemoryCatalogProvider::new());
        let schema = Arc::new(MemorySchemaProvider::new());
        catalog.register_schema("lfb", Arc::clone(&schema) as _).unwrap();
        let mut config = SessionConfig::new()
            .with_default_catalog_and_schema("london", "lfb")
            .with_create_default_catalog_and_schema(false)
            .with_target_partitions(3);
        config.options_mut().sql_parser.map_string_types_to_utf8view = false;
        let mut state = SessionStateBuilder::new()
            .with_config(config)
            .with_default_features()
            .with_query_planner(Arc::new(Planner))
            .build();
        geometry::functions().for_each(|function| drop(state.register_udf(Arc::new(function)).unwrap()));
        state.catalog_list().register_catalog("london".into(), catalog);
        let body = Self { state, schema };
        body.add(incidents("incidents", unit(Some("uprn"), false)), incident_rows(rows, false));
        body.add(incidents("calls", unit(None, true)), incident_rows(rows, true));
        body.add(incidents("homes", unit(Some("uprn"), true)), incident_rows(rows, false));
        let boroughs = vec![
            column("borough", ColumnType::Varchar, Role::Dimension, false),
            column("people", ColumnType::Integer, Role::Measure, false),
        ];
        let plan = scan(vec![
            ("borough", Arc::new(StringArray::from(vec!["bexley", "camden"]))),
            ("people", Arc::new(Int32Array::from(vec![246, 210]))),
        ]);
        body.add(terms("boroughs", Form::Open, boroughs), plan);
        let (columns, plan) = people();
        let mut granted = terms("people", Form::Rows, columns.clone());
        granted.grants = vec![Grant {
            columns: Some(vec![name("id"), name("ward")]),
            filter: Some(col("ward").eq(lit("a"))),
            ..grant("wards-2026", Form::Rows)
        }];
        body.add(granted, plan.clone());
        body.add(Terms { listed: false, ..terms("registry", Form::Rows, columns.clone()) }, plan.clone());
        body.add(terms("vault", Form::None, columns), plan);
        body.elsewhere("elsewhere", &[("x", DataType::Int32)]);
        let stray = Schema::new(vec![Field::new("x", DataType::Int32, true)]);
        let stray = MemTable::try_new(Arc::new(stray), vec![vec![]]).unwrap();
        body.schema.register_table("stray".into(), Arc::new(stray)).unwrap();
        body
    }

    /// A dataset of another body, by a short name.
    pub(super) fn elsewhere(&self, name: &'static str, columns: &[(&str, DataType)]) {
        let columns = columns.iter().map(|(name, data_type)| ((*name).to_owned(), data_type.clone())).collect();
        self.schema.register_table(name.into(), Arc::new(Elsewhere { name, columns })).unwrap();
    }

    pub(super) fn add(&self, terms: Terms, rows: LogicalPlan) {
        let name = terms.name.dataset.to_string();
        let table = PublishedTable::new(Arc::new(terms), rows).unwrap();
        self.schema.register_table(name, Arc::new(table)).unwrap();
    }

    /// Other terms over the same rows.
    pub(super) fn amend(&self, dataset: &str, amend: impl FnOnce(&mut Terms)) {
        let table = self.schema.deregister_table(dataset).unwrap().unwrap();
        let table = table.downcast_ref::<PublishedTable>().unwrap();
        let mut terms = table.terms.as_ref().clone();
        amend(&mut terms);
        self.add(terms, table.published().unwrap());
    }

    /// Each row is a unit from now on; `by` tells rows apart.
    pub(super) fn give_units(&self, dataset: &str, by: &str) {
        let table = self.schema.deregister_table(dataset).unwrap().unwrap();
        let table = table.downcast_ref::<PublishedTable>().unwrap();
        let (rows, mut terms) = (table.published().unwrap(), table.terms.as_ref().clone());
        let units = datafusion::logical_expr::cast(col(by), DataType::UInt64).alias(UNIT_COLUMN);
        let columns = rows.schema().fields().iter().map(|field| col(field.name())).chain([units]).collect::<Vec<_>>();
        terms.unit = Some(unit(None, true));
        terms.controls = Some(Arc::new(exact()));
        self.add(terms, LogicalPlanBuilder::from(rows).project(columns).unwrap().build().unwrap());
    }

    /// The table as the catalogue shows it to a caller.
    pub(super) fn show(&self, dataset: &str, caller: &Caller) {
        let table = self.schema.deregister_table(dataset).unwrap().unwrap();
        let seen = table.downcast_ref::<PublishedTable>().unwrap().seen_by(caller, now()).unwrap();
        self.schema.register_table(dataset.into(), Arc::new(seen)).unwrap();
    }

    /// Queries get so many bytes of memory from now on.
    pub(super) fn limit_memory(&mut self, bytes: usize) {
        let runtime = RuntimeEnvBuilder::new().with_memory_limit(bytes, 1.0).build_arc().unwrap();
        self.state = SessionStateBuilder::new_from_existing(self.state.clone()).with_runtime_env(runtime).build();
    }

    pub(super) async fn admit(&self, sql: &str, caller: &Caller) -> Result<Admitted, Refused> {
        self.decide(sql, caller, Intent::Release).await
    }

    pub(super) async fn decide(&self, sql: &str, caller: &Caller, intent: Intent) -> Result<Admitted, Refused> {
        self.decide_while(sql, caller, intent, false).await
    }

    /// The decision while only what is open may leave to other bodies, or while that is not so.
    pub(super) async fn decide_while(
        &self,
        sql: &str,
        caller: &Caller,
        intent: Intent,
        only_open: bool,
    ) -> Result<Admitted, Refused> {
        let plan = self.state.create_logical_plan(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
        let analysed = self.state.analyzer().execute_and_check(plan, &self.state.config_options().clone(), |_, _| {});
        let analysed = analysed.unwrap_or_else(|e| panic!("{sql}: {e}"));
        let foreign = |table: &dyn TableProvider| {
            let table = table.downcast_ref::<Elsewhere>()?;
            Some(ForeignUse { names: vec![format!("london.gla.{}", table.name)], statistics: vec![] })
        };
        let referenced = &super::references::referenced;
        let request = Request { caller, now: now(), intent, only_open, foreign: &foreign, referenced };
        gate(analysed, &request)
    }

    pub(super) async fn physical(&self, admitted: &Admitted) -> Arc<dyn ExecutionPlan> {
        self.state.create_physical_plan(admitted.plan()).await.unwrap()
    }

    /// What is in force here: the terms as they are now, at this time.
    pub(super) fn in_force(&self, now: DateTime<Utc>) -> Arc<dyn InForce> {
        Arc::new(Here { schema: Arc::clone(&self.schema), now })
    }

    pub(super) async fn run(&self, sql: &str, caller: &Caller) -> Result<(Vec<RecordBatch>, Facts), String> {
        let admitted = self.admit(sql, caller).await.map_err(|refused| format!("{}: {refused}", refused.rule))?;
        let physical = self.physical(&admitted).await;
        let guarded = guard(physical, &admitted).map_err(|refused| refused.to_string())?;
        let released = guarded.release(Durable::for_test(), self.state.task_ctx(), self.in_force(now()));
        let released = released.map_err(|e| e.to_string())?;
        let schema = released.schema();
        let batches: Vec<RecordBatch> = released.try_collect().await.map_err(|e| e.to_string())?;
        assert!(batches.iter().all(|batch| batch.schema() == schema));
        Ok((batches, admitted.facts().clone()))
    }

    /// The rows that leave, one line each, `∅` for NULL.
    pub(super) async fn rows(&self, sql: &str, caller: &Caller) -> Result<Vec<String>, String> {
        self.run(sql, caller).await.map(|(batches, _)| lines(&batches))
    }

    pub(super) async fn refusal(&self, sql: &str, caller: &Caller) -> Refused {
        match self.admit(sql, caller).await {
            Ok(admitted) => panic!("admitted: {sql}\n{}", admitted.plan().display_indent()),
            Err(refused) => refused,
        }
    }
}

/// Rows as lines of values.
pub(super) fn lines(batches: &[RecordBatch]) -> Vec<String> {
    cells(batches).into_iter().map(|row| row.join(" ")).collect()
}

/// Rows of values as text, `∅` for NULL.
pub(super) fn cells(batches: &[RecordBatch]) -> Vec<Vec<String>> {
    let options = arrow::util::display::FormatOptions::new().with_null("∅");
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|column| {
                arrow::util::display::ArrayFormatter::try_new(column, &options).unwrap().value(row).to_string()
            });
            rows.push(cells.collect());
        }
    }
    rows
}

/// `n` incidents of distinct dwellings, alike but for the dwelling.
pub(super) fn alike(n: i64, first: i64, incident: &Incident) -> Vec<Incident> {
    (0..n).map(|i| Incident { uprn: Some(first + i), ..incident.clone() }).collect()
}
