//! The reference: one DataFusion of the same version over all files, with its own settings and the project's guards
//! against wrong answers.

use std::path::Path;
use std::time::Instant;

use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder};
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};

use crate::PARALLEL;
use crate::answer::Answer;
use crate::data::Data;

pub(crate) struct Central(SessionContext);

impl Central {
    pub(crate) async fn new(data: &Data) -> Self {
        let state = SessionStateBuilder::new()
            .with_config(SessionConfig::new().with_target_partitions(PARALLEL))
            .with_default_features()
            .with_physical_optimizer_rules(meridian_federation::physical_optimizer_rules())
            .build();
        let context = SessionContext::new_with_state(state);
        for table in data.tables() {
            let folder = data.folder(table);
            context.register_parquet(table, folder.to_str().unwrap(), ParquetReadOptions::default()).await.unwrap();
        }
        Self(context)
    }

    pub(crate) async fn ask(&self, sql: &str) -> Result<Answer, String> {
        let began = Instant::now();
        let frame = self.0.sql(sql).await.map_err(|error| error.to_string())?;
        let batches = frame.collect().await.map_err(|error| error.to_string())?;
        Ok(Answer::of(&batches, began.elapsed()))
    }

    /// The rows of one file.
    pub(crate) async fn rows(&self, file: &Path) -> SendableRecordBatchStream {
        let frame = self.0.read_parquet(file.to_str().unwrap(), ParquetReadOptions::default()).await.unwrap();
        frame.execute_stream().await.unwrap()
    }
}
