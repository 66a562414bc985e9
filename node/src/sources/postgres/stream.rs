//! The rows of one SELECT of a server as batches.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use futures::StreamExt;
use futures::stream::{BoxStream, try_unfold};

use super::fault::Fault;
use super::reading::Streaming;
use super::rows::Rows;
use super::server::Server;
use crate::sources::remote::{Asked, Engine, Origin, Shape};

impl Engine for Server {
    fn called(&self) -> String {
        format!("database {}", self.config().name)
    }

    fn is(&self, other: &dyn Engine) -> bool {
        (other as &dyn std::any::Any).downcast_ref::<Self>().is_some_and(|other| self == other)
    }

    fn run(self: Arc<Self>, asked: Asked) -> BoxStream<'static, Result<RecordBatch>> {
        let Asked { origin, shape, schema } = asked;
        let rows = try_unfold(Stage::Beginning(shape), move |stage| {
            let (server, origin, schema) = (Arc::clone(&self), origin.clone(), Arc::clone(&schema));
            async move { step(stage, &server, &origin, schema).await }
        });
        rows.boxed()
    }
}

/// How far a stream is.
enum Stage {
    Beginning(Arc<Shape>),
    Under(Box<(Streaming, Rows)>),
    Ended,
}

/// The next batch, and how far the stream is behind it.
async fn step(
    stage: Stage,
    server: &Arc<Server>,
    origin: &Origin,
    schema: SchemaRef,
) -> Result<Option<(RecordBatch, Stage)>> {
    let (mut streaming, mut rows) = match stage {
        Stage::Beginning(shape) => {
            let begun = begin(server, origin, &shape).await;
            (begun.map_err(|fault| origin.unanswered(fault))?, Rows::new(schema, &shape.columns))
        }
        Stage::Under(under) => *under,
        Stage::Ended => return Ok(None),
    };
    while !rows.is_full() {
        let Some(piece) = streaming.next().await else {
            // What is cut short has not ended.
            let ended =
                if rows.has_ended() { streaming.end().await } else { Err(Fault::Gone("its answer is cut".into())) };
            ended.map_err(|fault| origin.unanswered(fault))?;
            origin.tell_beyond(rows.beyond());
            return if rows.is_empty() { Ok(None) } else { Ok(Some((rows.batch()?, Stage::Ended))) };
        };
        piece.and_then(|piece| rows.push(&piece)).map_err(|fault| origin.unanswered(fault))?;
    }
    Ok(Some((rows.batch()?, Stage::Under(Box::new((streaming, rows))))))
}

/// Begins to read, from tables that are as they were when their datasets were loaded.
async fn begin(server: &Arc<Server>, origin: &Origin, shape: &Shape) -> Result<Streaming, Fault> {
    let mut reading = server.read().await?;
    for table in origin.shapes() {
        reading.check(table).await?;
    }
    reading.check(shape).await?;
    reading.rows(&shape.select.sql).await
}
