//! Tests of how an answer is handed out: each piece once, the first endpoint last, and who leaves ends all of it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
use std::future::pending;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};

use super::super::message::Encoder;
use super::*;

/// Two messages of an answer: its first, and one without rows.
fn messages() -> (Message, Message) {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![0]));
    let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
    let (mut encoder, schema) = Encoder::new(batch.schema()).unwrap();
    (schema, encoder.empty().unwrap())
}

/// A piece that is told apart by its rows.
fn piece(number: u64) -> Piece {
    Piece { message: messages().1, rows: number, bytes: 1 }
}

struct Begun {
    first: Pieces,
    tickets: Arc<Tickets>,
    handles: Vec<Handle>,
    /// Dropped, the answer has no more pieces.
    source: mpsc::Sender<Result<Piece, Stopped>>,
    counted: Progress,
}

/// An answer of so many pieces, spread over so many further endpoints, with `end` behind its pieces.
fn answer(pieces: u64, further: usize, end: Option<Stopped>) -> Begun {
    let (tickets, counted) = (Arc::new(Tickets::new(64)), Progress::default());
    let (sender, receiver) = mpsc::channel(usize::try_from(pieces).unwrap() + 1);
    for number in 0..pieces {
        sender.try_send(Ok(piece(number))).unwrap();
    }
    if let Some(end) = end {
        sender.try_send(Err(end)).unwrap();
    }
    let source = stream::unfold(receiver, |mut pieces| async { Some((pieces.recv().await?, pieces)) }).boxed();
    let spread = open(&tickets, further).unwrap();
    let handles = spread.handles().to_vec();
    Begun { first: spread.over(source, counted.clone()), tickets, handles, source: sender, counted }
}

fn open(tickets: &Arc<Tickets>, further: usize) -> Option<Spread> {
    let (tickets, owner, query_id) = (Arc::clone(tickets), "loda".to_owned(), "q".to_owned());
    let (schema, empty) = messages();
    Spread::open(&Several { tickets, owner, further, query_id }, &schema, &empty)
}

async fn join(tickets: &Tickets, handle: &Handle) -> Joined {
    tickets.take("loda", handle).unwrap().join().await.unwrap()
}

async fn read(pieces: Pieces) -> Result<Vec<u64>, Stopped> {
    let read: Vec<_> = pieces.collect().await;
    read.into_iter().map(|piece| piece.map(|piece| piece.rows)).collect()
}

#[tokio::test]
async fn each_piece_leaves_at_one_endpoint_and_the_first_ends_last() {
    let Begun { first, tickets, handles, source, counted } = answer(100, 2, None);
    let (one, two) = (join(&tickets, &handles[0]).await, join(&tickets, &handles[1]).await);
    let first = tokio::spawn(read(first));
    drop(source);
    let (one_read, two_read) = tokio::join!(read(one.pieces), read(two.pieces));
    one.done.send(()).unwrap();
    tokio::task::yield_now().await;
    assert!(!first.is_finished(), "the first endpoint ended before all others were done");
    two.done.send(()).unwrap();
    let mut all = first.await.unwrap().unwrap();
    all.extend(one_read.unwrap().into_iter().chain(two_read.unwrap()));
    all.sort_unstable();
    assert_eq!(all, (0..100).collect::<Vec<_>>());
    assert_eq!((counted.rows(), counted.bytes()), ((0..100).sum(), 100));
}

#[tokio::test]
async fn all_leaves_where_somebody_reads() {
    // Nothing is read at the first, which has room for a few.
    let Begun { first, tickets, handles, source, .. } = answer(100, 1, None);
    let one = join(&tickets, &handles[0]).await;
    drop(source);
    let there = read(one.pieces).await.unwrap().len();
    one.done.send(()).unwrap();
    assert_eq!(read(first).await.unwrap().len(), 100 - there);
    assert!(there >= 100 - WAITING);
}

#[tokio::test]
async fn nobody_needs_to_come_and_whoever_comes_too_late_finds_nothing() {
    let Begun { first, tickets, handles, source, .. } = answer(100, 3, None);
    let late = tickets.take("loda", &handles[0]).unwrap();
    drop(source);
    assert_eq!(read(first).await.unwrap(), (0..100).collect::<Vec<_>>());
    assert!(late.join().await.is_none());
    assert!(tickets.take("loda", &handles[1]).is_none(), "a ticket outlives its answer");
}

#[tokio::test]
async fn whoever_leaves_a_further_endpoint_ends_all() {
    // Before it has read all.
    let Begun { first, tickets, handles, source, .. } = answer(50, 2, None);
    let (left, stays) = (join(&tickets, &handles[0]).await, join(&tickets, &handles[1]).await);
    drop(left);
    assert!(matches!(read(first).await, Err(Stopped::Left)));
    assert!(matches!(read(stays.pieces).await, Err(Stopped::Left)));
    source.closed().await;
    // Before all that it has read has left.
    let Begun { first, tickets, handles, source, .. } = answer(50, 1, None);
    let left = join(&tickets, &handles[0]).await;
    drop(source);
    let first = tokio::spawn(read(first));
    assert!(read(left.pieces).await.is_ok());
    drop(left.done);
    assert!(matches!(first.await.unwrap(), Err(Stopped::Left)));
}

#[tokio::test]
async fn nothing_more_leaves_when_the_first_endpoint_has_been_left() {
    // While the source has more, while it has nothing, and when all has been handed out.
    for (pieces, is_all) in [(50, false), (0, false), (2, true)] {
        let Begun { first, tickets, handles, source, counted } = answer(pieces, 1, None);
        let stays = join(&tickets, &handles[0]).await;
        let source = (!is_all).then_some(source);
        while counted.bytes() < pieces.min(2) {
            tokio::task::yield_now().await;
        }
        drop(first);
        assert!(matches!(read(stays.pieces).await, Err(Stopped::Left)));
        if let Some(source) = source {
            source.closed().await;
        }
    }
}

#[tokio::test]
async fn why_an_answer_fails_is_told_where_it_was_asked() {
    let failed = Stopped::Failed(DataFusionError::Execution("why".into()));
    let Begun { first, tickets, handles, .. } = answer(10, 1, Some(failed));
    let other = tokio::spawn(read(join(&tickets, &handles[0]).await.pieces));
    assert!(matches!(read(first).await, Err(Stopped::Failed(error)) if error.to_string().contains("why")));
    assert!(matches!(other.await.unwrap(), Err(Stopped::Left)));
}

#[tokio::test]
async fn a_panic_ends_the_answer_and_tells_nothing_of_it() {
    let tickets = Arc::new(Tickets::new(64));
    let panics = stream::poll_fn(|_| panic!("row 4711")).boxed();
    let first = open(&tickets, 1).unwrap().over(panics, Progress::default());
    assert!(matches!(read(first).await, Err(Stopped::Unfit(status)) if status.message() == FAULT));
}

#[tokio::test]
async fn a_ticket_is_of_its_owner_alone_and_there_are_few() {
    let tickets = Arc::new(Tickets::new(16));
    let spread = open(&tickets, 3).unwrap();
    assert!(tickets.take("camden", &spread.handles()[0]).is_none());
    let taken = tickets.take("loda", &spread.handles()[0]).unwrap();
    // What others want is cut to what is left, and comes back with each.
    assert_eq!(open(&tickets, 3).unwrap().handles().len(), 1);
    let last = open(&tickets, 1).unwrap();
    assert!(open(&tickets, 1).is_none());
    drop((spread, last));
    assert_eq!(open(&tickets, 9).unwrap().handles().len(), 3, "one is still read");
    drop(taken);
    assert_eq!(open(&tickets, 9).unwrap().handles().len(), 4);
    let stuck = open(&tickets, 1).unwrap().over(stream::once(pending()).boxed(), Progress::default());
    drop(stuck);
    assert_eq!(open(&tickets, 9).unwrap().handles().len(), 4);
}
