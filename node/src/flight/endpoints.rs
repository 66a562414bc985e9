//! One answer read at several endpoints at the same time: one connection is about one core, and less where the way is long.
//!
//! An answer begins at the call that asked for it. When so much of it has left that more connections are worth their making,
//! tickets for further endpoints travel with it, and from then on each message of the answer leaves at whichever endpoint has
//! room. It stays one answer: one [`Released`](crate::gate::Released), one record in the log, one receipt, which waits until
//! every endpoint has sent what it took. Whoever comes too late for a part finds none, and whoever leaves before the end ends
//! all of it, at once and at all endpoints.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use datafusion::error::DataFusionError;
use futures::future::{join_all, select_all};
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc::error::SendError;
use tokio::sync::mpsc::{self, Permit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Status;
use tracing::Instrument;

use super::message::Message;
use super::status::FAULT;
use super::tickets::{Handle, Handles};
use crate::query::Progress;

/// Bytes of an answer after which it is read at several endpoints, if its reader wants that.
pub(super) const LONG_BYTES: u64 = 8 << 20;
/// Endpoints of one answer, at most.
pub const MOST: usize = 16;
/// Of the answers that may be under way, those that further endpoints may take the place of: one in so many.
const SHARE: usize = 4;
/// Messages that wait at one endpoint.
const WAITING: usize = 2;

/// A message with rows.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) message: Message,
    pub(super) rows: u64,
    /// As the log counts them.
    pub(super) bytes: u64,
}

/// Why an answer ends early.
#[derive(Debug)]
pub(super) enum Stopped {
    /// Its run failed.
    Failed(DataFusionError),
    /// It can't be sent.
    Unfit(Status),
    /// One of its endpoints was left, or it ended at the call that asked for it.
    Left,
}

/// An answer as it leaves at one endpoint.
pub(super) type Pieces = BoxStream<'static, Result<Piece, Stopped>>;

/// Where the tickets of all further endpoints are kept.
pub(super) struct Tickets {
    kept: Handles<Arc<Further>>,
    room: Arc<Semaphore>,
}

impl Tickets {
    /// Of a node that has so many answers under way at most.
    pub(super) fn new(streams: usize) -> Self {
        let kept = Handles::new("endpoints", super::tickets::TICKET_LIFETIME);
        Self { kept, room: Arc::new(Semaphore::new(streams / SHARE)) }
    }

    /// The endpoint behind a ticket, which is no longer good.
    pub(super) fn take(&self, owner: &str, handle: &Handle) -> Option<Arc<Further>> {
        self.kept.take(Instant::now(), owner, handle)
    }
}

/// That an answer may be read at several endpoints.
pub(super) struct Several {
    pub(super) tickets: Arc<Tickets>,
    /// Who may read there.
    pub(super) owner: String,
    /// How many there may be beside the first.
    pub(super) further: usize,
    /// What the answer belongs to.
    pub(super) query_id: String,
}

/// A further endpoint that nobody has come to.
pub(super) struct Further {
    /// The first message.
    pub(super) schema: Message,
    /// A message without rows.
    pub(super) empty: Message,
    /// What the answer belongs to.
    pub(super) query_id: String,
    joining: mpsc::Sender<Reader>,
    stopped: CancellationToken,
    _room: OwnedSemaphorePermit,
}

/// Somebody who reads at an endpoint.
struct Reader {
    pieces: mpsc::Sender<Item>,
    /// That all it took has left; none at the first.
    done: Option<oneshot::Receiver<()>>,
}

enum Item {
    Piece(Piece),
    Stopped(Stopped),
    /// There is no more. The first endpoint waits for the others.
    End(Vec<oneshot::Receiver<()>>),
}

/// A further endpoint, read.
pub(super) struct Joined {
    /// What leaves there.
    pub(super) pieces: Pieces,
    /// To be told when all of that has left.
    pub(super) done: oneshot::Sender<()>,
}

/// An answer that several endpoints are open for.
pub(super) struct Spread {
    kept: Kept,
    joined: mpsc::Receiver<Reader>,
    stopped: CancellationToken,
}

impl Spread {
    /// Opens further endpoints of an answer, which begin with `schema` and end with `empty`: as many as are wanted and there is
    /// room for; none if there is no room for one.
    pub(super) fn open(several: &Several, schema: &Message, empty: &Message) -> Option<Self> {
        let (joining, joined) = mpsc::channel(several.further.max(1));
        let stopped = CancellationToken::new();
        let (tickets, owner) = (Arc::clone(&several.tickets), several.owner.clone());
        let mut kept = Kept { tickets, owner, handles: Vec::new(), _stops: stopped.clone().drop_guard() };
        while kept.handles.len() < several.further
            && let Ok(room) = Arc::clone(&kept.tickets.room).try_acquire_owned()
        {
            let further = Further {
                schema: schema.clone(),
                empty: empty.clone(),
                query_id: several.query_id.clone(),
                joining: joining.clone(),
                stopped: stopped.clone(),
                _room: room,
            };
            let Ok(handle) = kept.tickets.kept.put(Instant::now(), kept.owner.clone(), Arc::new(further), 0) else {
                break;
            };
            kept.handles.push(handle);
        }
        (!kept.handles.is_empty()).then_some(Self { kept, joined, stopped })
    }

    /// What is behind the tickets for them.
    pub(super) fn handles(&self) -> &[Handle] {
        &self.kept.handles
    }

    /// From now on the pieces leave at all of them, and are counted before they do: what is left for the first.
    pub(super) fn over(self, pieces: Pieces, counted: Progress) -> Pieces {
        let (sender, receiver) = mpsc::channel(WAITING);
        let (first, stopped) = (sender.clone(), self.stopped.clone());
        let handed_out = hand_out(pieces, counted, Reader { pieces: sender, done: None }, self.joined, stopped.clone());
        let handing_out = async move {
            if AssertUnwindSafe(handed_out).catch_unwind().await.is_err() {
                tracing::error!("an answer that was under way panicked");
                let _ = first.send(Item::Stopped(Stopped::Unfit(Status::internal(FAULT)))).await;
            }
        };
        tokio::spawn(handing_out.in_current_span());
        // The first is told why it ends; what it has not sent yet ends with it.
        left(receiver, self.kept, CancellationToken::new())
    }
}

/// The tickets of an answer, good no longer than its first endpoint is read; nor are its others.
struct Kept {
    tickets: Arc<Tickets>,
    owner: String,
    handles: Vec<Handle>,
    _stops: DropGuard,
}

impl Drop for Kept {
    fn drop(&mut self) {
        for handle in &self.handles {
            self.tickets.take(&self.owner, handle);
        }
    }
}

/// The pieces that come to one endpoint, until all of them are stopped; `held` lasts as long as they are read.
fn left(receiver: mpsc::Receiver<Item>, held: impl Send + 'static, stopped: CancellationToken) -> Pieces {
    stream::try_unfold((receiver, held, stopped), |(mut receiver, held, stopped)| async {
        let item = tokio::select! {
            biased;
            () = stopped.cancelled() => return Err(Stopped::Left),
            item = receiver.recv() => item,
        };
        match item {
            Some(Item::Piece(piece)) => Ok(Some((piece, (receiver, held, stopped)))),
            Some(Item::Stopped(stopped)) => Err(stopped),
            Some(Item::End(others)) => {
                for other in others {
                    other.await.map_err(|_| Stopped::Left)?;
                }
                Ok(None)
            }
            None => Err(Stopped::Left),
        }
    })
    .boxed()
}

impl Further {
    /// Begins to read there, unless all of the answer has left or is on its way.
    pub(super) async fn join(&self) -> Option<Joined> {
        let (pieces, receiver) = mpsc::channel(WAITING);
        let (done, finished) = oneshot::channel();
        self.joining.send(Reader { pieces, done: Some(finished) }).await.ok()?;
        Some(Joined { pieces: left(receiver, (), self.stopped.clone()), done })
    }
}

/// Hands out the pieces, each to whichever reader has room, until there are no more or a reader leaves. Unless all of them have
/// been handed out, none but the first reader has any more of them then.
async fn hand_out(
    mut pieces: Pieces,
    counted: Progress,
    first: Reader,
    mut joining: mpsc::Receiver<Reader>,
    stopped: CancellationToken,
) {
    let stops = stopped.clone().drop_guard();
    let mut readers = vec![first];
    let mut waiting: Option<Piece> = None;
    loop {
        let came = if let Some(piece) = waiting.take() {
            tokio::select! {
                biased;
                () = stopped.cancelled() => return,
                Some(reader) = joining.recv() => {
                    waiting = Some(piece);
                    Came::Reader(reader)
                }
                room = room(&readers) => match room {
                    Ok(room) => {
                        counted.add(piece.rows, piece.bytes);
                        room.send(Item::Piece(piece));
                        Came::Nothing
                    }
                    Err(_) => return,
                },
            }
        } else {
            tokio::select! {
                biased;
                () = stopped.cancelled() => return,
                Some(reader) = joining.recv() => Came::Reader(reader),
                () = somebody_left(&readers) => return,
                piece = pieces.next() => Came::Next(piece),
            }
        };
        match came {
            Came::Nothing => {}
            Came::Reader(reader) => readers.push(reader),
            Came::Next(Some(Ok(piece))) => waiting = Some(piece),
            Came::Next(Some(Err(why))) => {
                // It is told once, to whoever asked.
                if let Some(first) = readers.first() {
                    let _ = first.pieces.send(Item::Stopped(why)).await;
                }
                return;
            }
            Came::Next(None) => break,
        }
    }
    drop(pieces);
    joining.close();
    while let Some(reader) = joining.recv().await {
        readers.push(reader);
    }
    let mut others: Vec<_> = readers.iter_mut().map(|reader| reader.done.take()).collect();
    let ends = readers.iter().enumerate().map(|(number, reader)| {
        let all = if number == 0 { others.drain(..).flatten().collect() } else { Vec::new() };
        reader.pieces.send(Item::End(all))
    });
    let ends: Vec<_> = ends.collect();
    let first_left = async {
        match readers.first() {
            Some(first) => first.pieces.closed().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        // Whoever has left is not done, which the first finds.
        _ = join_all(ends) => {
            stops.disarm();
        }
        () = first_left => {}
    }
}

enum Came {
    Nothing,
    Reader(Reader),
    Next(Option<Result<Piece, Stopped>>),
}

/// Room at one of the readers; an error if one of them has left.
async fn room(readers: &[Reader]) -> Result<Permit<'_, Item>, SendError<()>> {
    if readers.iter().any(|reader| reader.pieces.is_closed()) {
        return Err(SendError(()));
    }
    select_all(readers.iter().map(|reader| reader.pieces.reserve().boxed())).await.0
}

async fn somebody_left(readers: &[Reader]) {
    select_all(readers.iter().map(|reader| reader.pieces.closed().boxed())).await;
}

#[cfg(test)]
mod tests;
