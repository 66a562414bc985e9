//! A worker's answer has an end only where nothing broke under it.
//!
//! What is computed comes to an answer through tasks. Where one of these panics, or is dropped since the process ends, the answer
//! ends there as if that were all of it. So an end is looked at before it is told, and in its place comes an error.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::telemetry;

/// Gives answers that have no end where something broke since they were asked for.
#[derive(Debug, Clone)]
pub(super) struct Sound {
    /// Cancelled before the process ends.
    end: CancellationToken,
}

impl Sound {
    /// Until the process begins to end.
    pub(super) fn until(end: CancellationToken) -> Self {
        Self { end }
    }
}

impl<S> Layer<S> for Sound {
    type Service = Watched<S>;

    fn layer(&self, inner: S) -> Watched<S> {
        Watched { inner, end: self.end.clone() }
    }
}

/// A service whose answers are watched.
#[derive(Debug, Clone)]
pub(super) struct Watched<S> {
    inner: S,
    end: CancellationToken,
}

impl<S> Service<Request<Body>> for Watched<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (panics, end) = (telemetry::panics(), self.end.clone());
        let answer = self.inner.call(request);
        Box::pin(async move { Ok(answer.await?.map(|body| Body::new(Whole { body, panics, end }))) })
    }
}

/// A body that is whole where it ends.
struct Whole {
    body: Body,
    /// Panics before it began.
    panics: u64,
    end: CancellationToken,
}

impl Whole {
    fn is_sound(&self) -> bool {
        telemetry::panics() == self.panics && !self.end.is_cancelled()
    }
}

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(match polled {
            Some(Ok(frame)) if frame.is_data() => Some(Ok(frame)),
            Some(Err(status)) => Some(Err(status)),
            end if self.is_sound() => end,
            _ => Some(Err(Status::aborted("the worker broke off before all of its part was computed"))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && self.is_sound()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::fmt;
    use std::sync::Arc;

    use arrow::array::RecordBatch;
    use datafusion::common::tree_node::TreeNodeRecursion;
    use datafusion::error::{DataFusionError, Result};
    use datafusion::execution::{SendableRecordBatchStream, TaskContext};
    use datafusion::physical_expr::PhysicalExpr;
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
    use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
    use datafusion::prelude::{SessionConfig, SessionContext};
    use datafusion_distributed::grpc::{BoxCloneSyncChannel, create_worker_client};
    use datafusion_distributed::{
        DistributedConfig, DistributedExt, ExecuteTaskRequest, MaybeEncoded, ProducerHead, SetPlanRequest, TaskKey,
        Worker, WorkerPlanRewriteEvent, WorkerPlanRewriteEventResponse, WorkerQueryContext,
    };
    use futures::{StreamExt, TryStreamExt, stream};
    use tokio::net::TcpListener;
    use tonic::transport::server::TcpIncoming;
    use tonic::transport::{Channel, Server};

    use super::*;

    /// What becomes of a task when it has given its first rows.
    #[derive(Debug, Clone)]
    enum Fate {
        Panics,
        /// The process begins to end, and drops its tasks.
        Ends(CancellationToken),
        GoesOn,
    }

    /// Gives its input's rows and then meets its fate.
    #[derive(Debug)]
    struct FatedExec(Arc<dyn ExecutionPlan>, Fate);

    impl DisplayAs for FatedExec {
        fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("FatedExec")
        }
    }

    impl ExecutionPlan for FatedExec {
        fn name(&self) -> &str {
            "FatedExec"
        }

        fn properties(&self) -> &Arc<PlanProperties> {
            self.0.properties()
        }

        fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
            vec![&self.0]
        }

        fn apply_expressions(
            &self,
            _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
        ) -> Result<TreeNodeRecursion> {
            Ok(TreeNodeRecursion::Continue)
        }

        fn with_new_children(
            self: Arc<Self>,
            mut inputs: Vec<Arc<dyn ExecutionPlan>>,
        ) -> Result<Arc<dyn ExecutionPlan>> {
            Ok(Arc::new(Self(inputs.remove(0), self.1.clone())))
        }

        fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
            let rows = self.0.execute(partition, context)?;
            let fate = self.1.clone();
            let after = stream::once(async move {
                match fate {
                    Fate::Panics => panic!("as told"),
                    Fate::Ends(end) => end.cancel(),
                    Fate::GoesOn => {}
                }
                stream::empty::<Result<RecordBatch>>()
            });
            Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows.chain(after.flatten()))))
        }
    }

    /// The rows that a worker answers with, whose tasks have this fate.
    async fn rows(fate: Fate, end: CancellationToken) -> Result<usize> {
        let session = move |WorkerQueryContext { builder, headers: _ }: WorkerQueryContext| {
            let fate = fate.clone();
            async move {
                let fated = move |event: WorkerPlanRewriteEvent<'_>| {
                    Ok(WorkerPlanRewriteEventResponse::new(Arc::new(FatedExec(event.plan, fate.clone()))))
                };
                Ok::<_, DataFusionError>(builder.with_distributed_worker_plan_rewrite_handler(fated).build())
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let worker = Worker::from_session_builder(session).into_worker_server();
        let server = Server::builder().layer(Sound::until(end)).add_service(worker);
        let serving = tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));

        let channel = Channel::from_shared(url.clone()).unwrap().connect().await.unwrap();
        let mut client = create_worker_client(BoxCloneSyncChannel::new(channel));
        let config = SessionConfig::new().with_distributed_option_extension(DistributedConfig::default());
        let context = SessionContext::new_with_config(config);
        let plan = context.sql("SELECT * FROM (VALUES (1), (2), (3))").await?.create_physical_plan().await?;
        let task_key = TaskKey { query_id: Default::default(), stage_id: 1, task_number: 0 };
        let given = SetPlanRequest {
            task_key,
            task_count: 1,
            plan: MaybeEncoded::Decoded(plan),
            work_unit_feed_declarations: Vec::new(),
            target_worker_url: url.parse().unwrap(),
            query_start_time_ns: 0,
        };
        let (task, nothing) = (context.task_ctx(), stream::pending().boxed());
        let _given = client.coordinator_channel(Default::default(), given, nothing, Default::default(), &task).await?;
        let asked = ExecuteTaskRequest {
            task_key,
            target_partition_start: 0,
            target_partition_end: 1,
            producer_head: ProducerHead::None,
        };
        let answers = client.execute_task(Default::default(), asked, Default::default(), &task).await?;
        let batches: Vec<RecordBatch> = stream::iter(answers).flatten().try_collect().await?;
        serving.abort();
        Ok(batches.iter().map(RecordBatch::num_rows).sum())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_answer_that_breaks_off_is_an_error_and_not_a_shorter_answer() {
        telemetry::report_panics(std::panic::take_hook());
        // Unless another test panics meanwhile.
        let (before, found) = (telemetry::panics(), rows(Fate::GoesOn, CancellationToken::new()).await);
        assert!(telemetry::panics() > before || found.unwrap() == 3);
        let end = CancellationToken::new();
        assert!(rows(Fate::Ends(end.clone()), end).await.is_err());
        assert!(rows(Fate::Panics, CancellationToken::new()).await.is_err());
    }
}
