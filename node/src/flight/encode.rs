//! Batches into Flight messages of bounded size, and the receipt in the last one.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow_flight::encode::FlightDataEncoderBuilder;
use datafusion::error::DataFusionError;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use meridian_proto::wire;
use prost::Message as _;
use tokio::sync::oneshot;
use tonic::Status;

use super::endpoints::{Further, Joined, LONG_BYTES, Piece, Pieces, Several, Spread, Stopped};
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

/// The messages of a released answer, and the receipt behind them. A ticket's answer ends when it is cancelled; one that is long
/// is read at several endpoints where that is wanted and its rows are in no order.
pub(super) fn answer(
    answer: Answer,
    under_way: Option<UnderWay>,
    several: Option<Several>,
    message_bytes: usize,
) -> Messages {
    let Answer { released, closing } = answer;
    let several = several.filter(|_| released.is_bulk());
    let schema = released.schema();
    encode(schema, released, closing, Way { under_way, several, message_bytes })
}

/// The messages of what leaves of an answer at a further endpoint, the last of which says how many rows that was.
pub(super) fn further(further: &Further, joined: Joined, message_bytes: usize) -> (Messages, Progress) {
    let end = EndOfEndpoint { here: Progress::default(), done: joined.done };
    let progress = end.here.clone();
    let way = Way { message_bytes, ..Way::default() };
    (messages((further.schema.clone(), further.empty.clone()), joined.pieces, end, way), progress)
}

/// The messages of one batch about the server or its catalogue.
pub(super) fn metadata(batch: RecordBatch, message_bytes: usize) -> Messages {
    let schema = batch.schema();
    encode(schema, stream::iter([Ok(batch)]), NoReceipt::default(), Way { message_bytes, ..Way::default() })
}

/// How an answer leaves.
#[derive(Default)]
struct Way {
    under_way: Option<UnderWay>,
    several: Option<Several>,
    message_bytes: usize,
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

/// The end of what leaves at a further endpoint.
struct EndOfEndpoint {
    here: Progress,
    done: oneshot::Sender<()>,
}

impl End for EndOfEndpoint {
    fn progress(&self) -> &Progress {
        &self.here
    }

    async fn close(self) -> Result<Option<Vec<u8>>, Status> {
        let end = wire::EndpointEnd { rows: Some(self.here.rows()) }.encode_to_vec();
        // Nobody waits where the call that asked has ended; then the answer has failed there.
        let _ = self.done.send(());
        Ok(Some(end))
    }

    fn fail(&self, error: DataFusionError) -> Status {
        status::fault("send a part of an answer", &error)
    }
}

struct Encoding<E> {
    pieces: Pieces,
    /// The first message, until it is sent.
    schema: Option<Message>,
    /// The same for further endpoints, while there may be some.
    schema_again: Option<Message>,
    /// A message without rows.
    empty: Message,
    end: Option<E>,
    way: Way,
    progress: Progress,
    /// Whether what is sent is counted elsewhere, where it is handed out.
    is_spread: bool,
}

fn encode<E: End>(
    schema: SchemaRef,
    batches: impl Stream<Item = Result<RecordBatch, DataFusionError>> + Send + 'static,
    end: E,
    way: Way,
) -> Messages {
    let begun = Encoder::new(travelling(&schema)).and_then(|(mut encoder, schema)| {
        let empty = encoder.empty()?;
        Ok((encoder, schema, empty))
    });
    let (mut encoder, schema, empty) = match begun {
        Ok(begun) => begun,
        Err(why) => return stream::iter([Err(unfit(&why))]).boxed(),
    };
    let message_bytes = way.message_bytes;
    let cut = batches.map_ok(|batch| stream::iter(pieces(batch).into_iter().map(Ok))).try_flatten();
    let pieces = cut.map(move |rows| piece(&mut encoder, &rows.map_err(Stopped::Failed)?, message_bytes));
    messages((schema, empty), pieces.boxed(), end, way)
}

/// The first message, those with rows, and the last.
fn messages<E: End>((schema, empty): (Message, Message), pieces: Pieces, end: E, way: Way) -> Messages {
    let (progress, schema_again) = (end.progress().clone(), way.several.as_ref().map(|_| schema.clone()));
    let (schema, end) = (Some(schema), Some(end));
    let encoding = Encoding { pieces, schema, schema_again, empty, end, way, progress, is_spread: false };
    stream::try_unfold(encoding, Encoding::next).boxed()
}

/// The message of some rows.
fn piece(encoder: &mut Encoder, rows: &RecordBatch, message_bytes: usize) -> Result<Piece, Stopped> {
    let message = encoder.message(rows).map_err(|why| Stopped::Unfit(unfit(&why)))?;
    fits(&message, message_bytes).map_err(Stopped::Unfit)?;
    let bytes = unsent_bitmaps(rows) + message.data_len() as u64;
    Ok(Piece { message, rows: rows.num_rows() as u64, bytes })
}

impl<E: End> Encoding<E> {
    /// One message after the other; after an error there is none.
    async fn next(mut self) -> Result<Option<(Message, Self)>, Status> {
        let Some(end) = &self.end else { return Ok(None) };
        if let Some(schema) = self.schema.take() {
            fits(&schema, self.way.message_bytes)?;
            return Ok(Some((schema, self)));
        }
        let piece = tokio::select! {
            biased;
            () = cancelled(self.way.under_way.as_ref()) => return Err(cancelled_status()),
            piece = self.pieces.next() => piece,
        };
        match piece {
            Some(Ok(piece)) => Ok(Some((self.sent(piece), self))),
            Some(Err(Stopped::Failed(error))) => Err(end.fail(error)),
            Some(Err(Stopped::Unfit(status))) => Err(status),
            Some(Err(Stopped::Left)) => Err(left()),
            None => self.last().await,
        }
    }

    /// The message of a piece, counted; with the tickets of further endpoints where the rest leaves there, too.
    fn sent(&mut self, piece: Piece) -> Message {
        if !self.is_spread {
            self.progress.add(piece.rows, piece.bytes);
        }
        if self.way.several.is_none() || self.progress.bytes() < LONG_BYTES {
            return piece.message;
        }
        let (Some(several), Some(schema)) = (self.way.several.take(), self.schema_again.take()) else {
            return piece.message;
        };
        let Some(spread) = Spread::open(&several, &schema, &self.empty) else { return piece.message };
        let tickets = spread.handles().iter().map(|handle| handle.ticket().ticket.to_vec()).collect();
        let message = piece.message.clone().with_metadata(wire::Endpoints { tickets }.encode_to_vec());
        if fits(&message, self.way.message_bytes).is_err() {
            return piece.message;
        }
        self.pieces = spread.over(std::mem::replace(&mut self.pieces, stream::empty().boxed()), self.progress.clone());
        self.is_spread = true;
        message
    }

    /// An empty batch that carries the receipt.
    async fn last(mut self) -> Result<Option<(Message, Self)>, Status> {
        let Some(end) = self.end.take() else { return Ok(None) };
        let receipt = end.close().await?;
        self.progress.finish();
        let Some(receipt) = receipt else { return Ok(None) };
        let message = self.empty.clone().with_metadata(receipt);
        fits(&message, self.way.message_bytes)?;
        Ok(Some((message, self)))
    }
}

fn fits(message: &Message, most: usize) -> Result<(), Status> {
    let size = message.size();
    if size <= most {
        return Ok(());
    }
    Err(Status::resource_exhausted(format!(
        "a message of the answer takes {size} bytes and {most} are the most (limits.message_bytes): ask for shorter values or \
         fewer columns"
    )))
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

/// What is told where an answer is read at several endpoints and one of them was left.
fn left() -> Status {
    Status::aborted("the answer ended early, since the call that asked for it or another that read of it was left")
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
