//! Stands in for the other bodies: what they would release, from their rows.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::error::Result;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};
use datafusion::prelude::SessionContext;
use meridian_proto::{Form, Name};

use crate::RemoteNode;

/// Answers each part from the rows of its body, with cells withheld as told.
pub(super) struct StandIn {
    pub(super) bodies: HashMap<Name, SessionContext>,
    pub(super) withheld: Vec<(&'static str, &'static str)>,
    pub(super) absent: Vec<(&'static str, &'static str)>,
}

#[async_trait]
impl ExtensionPlanner for StandIn {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        _physical_inputs: &[Arc<dyn ExecutionPlan>],
        _session: &dyn Session,
        _context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(remote) = node.as_any().downcast_ref::<RemoteNode>() else { return Ok(None) };
        let schema = Arc::clone(remote.schema.inner());
        let mut batches = Vec::new();
        for part in &remote.parts {
            for batch in self.bodies[part.body.slug()].sql(&part.sql).await?.collect().await? {
                let batch = if part.form == Form::Statistics {
                    self.disclosed(part.body.slug().as_str(), batch)
                } else {
                    batch
                };
                let columns = batch.columns().iter().zip(schema.fields());
                let columns: Vec<ArrayRef> =
                    columns.map(|(column, field)| cast(column, field.data_type()).unwrap()).collect();
                assert_eq!(columns.len(), schema.fields().len(), "{}", part.sql);
                batches.push(RecordBatch::try_new(Arc::clone(&schema), columns)?);
            }
        }
        Ok(Some(MemorySourceConfig::try_new_exec(&[batches], schema, None)?))
    }
}

impl StandIn {
    fn disclosed(&self, body: &str, batch: RecordBatch) -> RecordBatch {
        let first = cast(batch.column(0), &DataType::Utf8).unwrap();
        let told = |list: &[(&str, &str)], row: usize| {
            let key = if first.is_null(row) { "" } else { first.as_string::<i32>().value(row) };
            list.iter().any(|(who, which)| *who == body && (*which == "*" || *which == key))
        };
        let rows = 0..batch.num_rows();
        let kept: BooleanArray = rows.clone().map(|row| Some(!told(&self.absent, row))).collect();
        let all = self.withheld.iter().any(|(who, which)| *who == body && *which == "*");
        let hidden: BooleanArray = rows.map(|row| Some(told(&self.withheld, row))).collect();
        let columns: Vec<ArrayRef> = batch
            .columns()
            .iter()
            .enumerate()
            .map(|(index, column)| {
                if index == 0 && !all || *column.data_type() == DataType::Boolean {
                    return Arc::clone(column);
                }
                arrow::compute::kernels::zip::zip(&hidden, &new_null_array(column.data_type(), column.len()), column)
                    .unwrap()
            })
            .collect();
        let fields: Vec<Field> =
            batch.schema().fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
        filter_record_batch(&batch, &kept).unwrap()
    }
}
