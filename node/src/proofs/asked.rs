//! Asks questions of tables as a node does: analysed, gated, optimised, guarded and run, without transport and log.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampNanosecondType, UInt64Type,
};
use chrono::{DateTime, TimeZone, Utc};
use datafusion::catalog::memory::{MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider};
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use futures::TryStreamExt;
use meridian_certs::{Credentials, Verified};
use meridian_federation::released::{keep_filters_above, nullable_counts};
use meridian_federation::{FederationPlanner, session};
use meridian_proto::{DatasetName, Name};

use super::database::name;
use super::value::Value;
use crate::audit::Durable;
use crate::gate::{self, Admitted, Caller, InForce, Intent, PublishedTable, Reference, Refused, Request, Terms};
use crate::testing::Federation;

pub(super) fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 6, 1, 12, 0, 0).unwrap()
}

/// Certificates of the body that is asked and of the one that asks.
pub(super) struct Parties {
    pub(super) owner: Arc<Credentials>,
    pub(super) asker: Verified,
}

/// Made once, with keys that nobody else has.
pub(super) fn parties() -> &'static Parties {
    static PARTIES: LazyLock<Parties> = LazyLock::new(|| {
        let federation = Federation::new();
        let owner = federation.credentials("lfb");
        let signed = federation.credentials("loda").sign(b"who".to_vec()).unwrap();
        let asker = owner.verify(&signed, std::time::SystemTime::now()).unwrap();
        Parties { owner, asker }
    });
    &PARTIES
}

/// The body that asks, for a purpose.
pub(super) fn asker(purpose: Option<&str>) -> Caller {
    let own = (&name("london"), &name("lfb"));
    Caller::new(&parties().asker, own, purpose.map(Into::into), Some("asha".into())).unwrap()
}

/// A node's session over tables.
pub(super) struct Asked {
    state: SessionState,
    tables: BTreeMap<Name, Arc<PublishedTable>>,
}

impl Asked {
    pub(super) fn new(tables: BTreeMap<Name, Arc<PublishedTable>>) -> Self {
        static STATE: LazyLock<SessionState> = LazyLock::new(|| {
            let config = session::session_config()
                .with_target_partitions(3)
                .with_default_catalog_and_schema("london", "lfb")
                .with_create_default_catalog_and_schema(false);
            session::session_builder(config)
                .with_query_planner(Arc::new(FederationPlanner::new(vec![gate::extension_planner()])))
                .build()
        });
        Self { state: STATE.clone(), tables }
    }

    /// The rows of an answer, or the rule by which it is refused; `sql` where it can't be planned.
    pub(super) async fn ask(&self, sql: &str, purpose: Option<&str>) -> Result<Vec<Vec<Value>>, Declined> {
        let caller = asker(purpose);
        let mut state = self.state.clone();
        state.register_catalog_list(self.seen_by(&caller));
        let unplanned =
            |error: datafusion::error::DataFusionError| Declined { rule: "sql".into(), text: error.strip_backtrace() };
        let plan = state.create_logical_plan(sql).await.map_err(unplanned)?;
        let plan = state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {}).map_err(unplanned)?;
        let plan = nullable_counts(plan).map_err(unplanned)?;
        let admitted = gated(plan, &caller)?;
        let marked = keep_filters_above(admitted.plan().clone()).map_err(failed)?;
        let optimised = state.optimize(&marked).map_err(failed)?;
        let physical = state.query_planner().create_physical_plan(&optimised, &state).await.map_err(failed)?;
        let guarded = gate::guard(physical, &admitted).map_err(Declined::from)?;
        let released = guarded
            .release(Durable::for_test(), state.task_ctx(), Arc::new(Held(self.tables.clone())))
            .map_err(failed)?;
        let schema = released.schema();
        let batches: Vec<RecordBatch> = released.try_collect().await.map_err(failed)?;
        assert!(batches.iter().all(|batch| batch.schema() == schema), "{sql}");
        Ok(values(&batches))
    }

    fn seen_by(&self, caller: &Caller) -> Arc<dyn CatalogProviderList> {
        let schema = MemorySchemaProvider::new();
        for (name, table) in &self.tables {
            if let Some(seen) = table.seen_by(caller, now()) {
                schema.register_table(name.to_string(), Arc::new(seen)).unwrap();
            }
        }
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema("lfb", Arc::new(schema)).unwrap();
        let list = MemoryCatalogProviderList::new();
        list.register_catalog("london".into(), Arc::new(catalog));
        Arc::new(list)
    }
}

/// The terms as they were, at any time.
#[derive(Debug)]
struct Held(BTreeMap<Name, Arc<PublishedTable>>);

impl InForce for Held {
    fn now(&self) -> DateTime<Utc> {
        now()
    }

    fn terms(&self, dataset: &DatasetName) -> Option<Arc<Terms>> {
        self.0.get(&dataset.dataset).map(|table| Arc::clone(&table.terms))
    }
}

fn gated(plan: LogicalPlan, caller: &Caller) -> Result<Admitted, Declined> {
    let nobody = |_: &dyn TableProvider, _: &Reference| Err("there is no other body".to_owned());
    let request = Request {
        caller,
        now: now(),
        intent: Intent::Release,
        only_open: false,
        foreign: &|_| None,
        referenced: &nobody,
    };
    gate::gate(plan, &request).map_err(Declined::from)
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Declined {
    pub(super) rule: String,
    pub(super) text: String,
}

impl From<Refused> for Declined {
    fn from(refused: Refused) -> Self {
        Self { rule: refused.rule.into(), text: refused.to_string() }
    }
}

fn failed(error: datafusion::error::DataFusionError) -> Declined {
    match error.find_root() {
        datafusion::error::DataFusionError::External(inner) if inner.is::<Refused>() => Refused::from(error).into(),
        _ => Declined { rule: "failed".into(), text: error.strip_backtrace() },
    }
}

/// The rows of batches.
pub(super) fn values(batches: &[RecordBatch]) -> Vec<Vec<Value>> {
    let of = |batch: &RecordBatch, row: usize| batch.columns().iter().map(|column| value(column, row)).collect();
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| of(batch, row))).collect()
}

fn value(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Boolean => Value::Flag(column.as_boolean().value(row)),
        DataType::Int8 => Value::Whole(column.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => Value::Whole(column.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => Value::Whole(column.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Value::Whole(column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt64 => Value::Whole(column.as_primitive::<UInt64Type>().value(row).try_into().unwrap()),
        DataType::Float64 => Value::Real(column.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(_, scale) => {
            Value::Exact(column.as_primitive::<Decimal128Type>().value(row), u8::try_from(*scale).unwrap())
        }
        DataType::Utf8 => Value::Word(column.as_string::<i32>().value(row).to_owned()),
        DataType::Date32 => Value::Date(column.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp(TimeUnit::Nanosecond, None) => {
            Value::Time(column.as_primitive::<TimestampNanosecondType>().value(row))
        }
        other => panic!("a value of {other}"),
    }
}
