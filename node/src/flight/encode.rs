//! Batches into Flight messages of bounded size, and the receipt in the last one.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow_flight::encode::FlightDataEncoderBuilder;
use datafusion::error::DataFusionError;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use tonic::Status;

use super::message::{Encoder, Message};
use super::status;
use super::tickets::UnderWay;
use crate::query::{Answer, Closing, Progress};

/// What a Flight call streams to its caller.
pub(crate) type Messages = BoxStream<'static, Result<Message, Status>>;

/// Rows of one message.
const MESSAGE_ROWS: usize = 32 << 10;
/// Size that a message's data is cut to, in bytes; one row may be more.
const MESSAGE_BYTES: usize = 1 << 20;
/// What Arrow IPC pads buffers to, in bytes.
const IPC_ALIGNMENT: usize = 64;

/// The schema under which batches of `schema` travel: dictionaries as their values.
pub(super) fn travelling(schema: &SchemaRef) -> SchemaRef {
    let encoder = FlightDataEncoderBuilder::new().with_schema(Arc::clone(schema)).build(stream::empty());
    encoder.known_schema().unwrap_or_else(|| Arc::clone(schema))
}

/// The messages of a released answer, and the receipt behind them. A ticket's answer ends when it is cancelled.
pub(super) fn answer(answer: Answer, under_way: Option<UnderWay>, message_bytes: usize) -> Messages {
    let Answer { released, closing } = answer;
    encode(released.schema(), released, closing, under_way, message_bytes)
}

/// The messages of one batch about the server or its catalogue.
pub(super) fn metadata(batch: RecordBatch, message_bytes: usize) -> Messages {
    let schema = batch.schema();
    encode(schema, stream::iter([Ok(batch)]), NoReceipt::default(), None, message_bytes)
}

/// What is said at the end of a stream, and of an error before it.
trait End: Send + Sync + 'static {
    /// Where what is sent is counted.
    fn progress(&self) -> &Progress;
    /// The metadata of the last message; `None` if there is no such message.
    fn close(self) -> impl Future<Output = Result<Option<Vec<u8>>, Status>> + Send;
    /// What the caller is told.
    fn fail(&self, error: DataFusionError) -> Status;
}

impl End for Closing {
    fn progress(&self) -> &Progress {
        Closing::progress(self)
    }

    async fn close(self) -> Result<Option<Vec<u8>>, Status> {
        let receipt = Closing::close(self).await.map_err(|error| status::of(&error))?;
        Ok(Some(receipt.encode()))
    }

    fn fail(&self, error: DataFusionError) -> Status {
        status::of(&Closing::fail(self, error))
    }
}

#[derive(Default)]
struct NoReceipt(Progress);

impl End for NoReceipt {
    fn progress(&self) -> &Progress {
        &self.0
    }

    async fn close(self) -> Result<Option<Vec<u8>>, Status> {
        Ok(None)
    }

    fn fail(&self, error: DataFusionError) -> Status {
        status::fault("list metadata", &error)
    }
}

struct Encoding<E> {
    pieces: BoxStream<'static, Result<RecordBatch, DataFusionError>>,
    encoder: Encoder,
    /// The first message, until it is sent.
    schema: Option<Message>,
    end: Option<E>,
    under_way: Option<UnderWay>,
    message_bytes: usize,
    progress: Progress,
}

fn encode<E: End>(
    schema: SchemaRef,
    batches: impl Stream<Item = Result<RecordBatch, DataFusionError>> + Send + 'static,
    end: E,
    under_way: Option<UnderWay>,
    message_bytes: usize,
) -> Messages {
    let (encoder, schema) = match Encoder::new(travelling(&schema)) {
        Ok(begun) => begun,
        Err(why) => return stream::iter([Err(unfit(&why))]).boxed(),
    };
    let pieces = batches.map_ok(|batch| stream::iter(pieces(batch).into_iter().map(Ok))).try_flatten().boxed();
    let (schema, progress) = (Some(schema), end.progress().clone());
    let encoding = Encoding { pieces, encoder, schema, end: Some(end), under_way, message_bytes, progress };
    stream::try_unfold(encoding, Encoding::next).boxed()
}

impl<E: End> Encoding<E> {
    /// One message after the other; after an error there is none.
    async fn next(mut self) -> Result<Option<(Message, Self)>, Status> {
        let Some(end) = &self.end else { return Ok(None) };
        if let Some(schema) = self.schema.take() {
            self.fits(&schema)?;
            return Ok(Some((schema, self)));
        }
        let piece = tokio::select! {
            biased;
            () = cancelled(self.under_way.as_ref()) => return Err(cancelled_status()),
            piece = self.pieces.next() => piece,
        };
        let message = match piece {
            Some(Ok(piece)) => self.message(&piece)?,
            Some(Err(error)) => return Err(end.fail(error)),
            None => return self.last().await,
        };
        self.fits(&message)?;
        Ok(Some((message, self)))
    }

    /// The message of one piece, counted.
    fn message(&mut self, piece: &RecordBatch) -> Result<Message, Status> {
        let message = self.encoder.message(piece).map_err(|why| unfit(&why))?;
        self.progress.add(piece.num_rows() as u64, unsent_bitmaps(piece) + message.data_len() as u64);
        Ok(message)
    }

    /// An empty batch that carries the receipt.
    async fn last(mut self) -> Result<Option<(Message, Self)>, Status> {
        let Some(end) = self.end.take() else { return Ok(None) };
        let receipt = end.close().await?;
        self.progress.finish();
        let Some(receipt) = receipt else { return Ok(None) };
        let message = self.encoder.empty().map_err(|why| unfit(&why))?.with_metadata(receipt);
        self.fits(&message)?;
        Ok(Some((message, self)))
    }

    fn fits(&self, message: &Message) -> Result<(), Status> {
        let size = message.size();
        if size <= self.message_bytes {
            return Ok(());
        }
        Err(Status::resource_exhausted(format!(
            "a message of the answer takes {size} bytes and {} are the most (limits.message_bytes): ask for shorter values \
             or fewer columns",
            self.message_bytes
        )))
    }
}

/// Bytes of the validity bitmaps that Arrow IPC leaves out where a column has no NULL. They are counted all the same:
/// the number of bytes stands in receipts and registers, and must not tell whether a single cell was withheld.
fn unsent_bitmaps(batch: &RecordBatch) -> u64 {
    let bitmap = batch.num_rows().div_ceil(8).next_multiple_of(IPC_ALIGNMENT) as u64;
    batch.columns().iter().filter(|column| column.null_count() == 0).map(|_| bitmap).sum()
}

/// Waits for whoever asked to cancel; for ever where nobody can.
pub(super) async fn cancelled(under_way: Option<&UnderWay>) {
    match under_way {
        Some(under_way) => under_way.cancelled().await,
        None => std::future::pending().await,
    }
}

/// What is told to the reader of an answer that was cancelled.
pub(super) fn cancelled_status() -> Status {
    Status::cancelled("the caller cancelled this answer")
}

/// Arrow's own words may hold values of the rows that it was given.
fn unfit(_: &ArrowError) -> Status {
    status::fault("encode an answer", &"Arrow has no form for it")
}

/// Halves a batch until every piece is small, or one row; in order, without copies. None where there are no rows.
fn pieces(batch: RecordBatch) -> Vec<RecordBatch> {
    let mut pieces = Vec::with_capacity(1);
    let mut left = vec![batch];
    left.retain(|batch| batch.num_rows() > 0);
    while let Some(batch) = left.pop() {
        let rows = batch.num_rows();
        if rows > 1 && (rows > MESSAGE_ROWS || bytes(&batch) > MESSAGE_BYTES) {
            left.push(batch.slice(rows / 2, rows - rows / 2));
            left.push(batch.slice(0, rows / 2));
        } else {
            pieces.push(batch);
        }
    }
    pieces
}

/// Bytes of the rows of this batch, not of the buffers that it is cut from.
fn bytes(batch: &RecordBatch) -> usize {
    let size = |column: &Arc<dyn Array>| column.to_data().get_slice_memory_size().unwrap_or(usize::MAX);
    batch.columns().iter().map(size).fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests;
