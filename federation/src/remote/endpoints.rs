//! The answer of one body as it comes at several endpoints at once, put together.
//!
//! A body whose answer is long says where more of it can be read. Each of these endpoints is read over a connection of its own;
//! one that can't be opened is left out, and its rows come at the others. The receipt ends the call that was asked first and
//! counts the rows of all, so that none can be missing unseen.

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow_flight::Ticket;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use meridian_proto::{BodyName, Receipt, wire};
use prost::Message;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{RemoteError, RemoteErrorKind, RemoteItem, RemoteStream};

/// Longest time that a further endpoint may take to open: an answer that is whole meanwhile waits for it, and one that its body
/// has opened meanwhile ends early. A connection that can't be made ends sooner by itself.
const OPENING: Duration = Duration::from_secs(10);

/// What comes of an answer at one endpoint.
#[derive(Debug)]
pub(super) enum Part {
    /// Rows.
    Rows(RecordBatch),
    /// The metadata of a message with rows.
    Beside(Bytes),
    /// The metadata of a message without.
    End(Bytes),
}

/// What comes at one endpoint.
pub(super) type Parts = BoxStream<'static, Result<Part, RemoteError>>;

/// Reads a further endpoint: the first is 1.
pub(super) type Open = Box<dyn Fn(usize, Ticket) -> BoxFuture<'static, Result<Parts, RemoteError>> + Send + Sync>;

/// The whole answer of a body that was asked at the endpoint where `first` comes, and that may name so many `further` ones.
pub(super) fn together(body: BodyName, first: Parts, further: usize, open: Open) -> RemoteStream {
    let all = All { body, first, further: Some(further), open, others: None, failed: None, receipt: None };
    RemoteStream { items: stream::try_unfold(all, All::next).boxed() }
}

struct All {
    body: BodyName,
    first: Parts,
    /// How many may be named; none any more when some have been.
    further: Option<usize>,
    open: Open,
    others: Option<Others>,
    /// Why one of the others failed. If the call that was asked first fails, too, it says why.
    failed: Option<RemoteError>,
    /// It is told last.
    receipt: Option<Receipt>,
}

/// The other endpoints, until all of them have ended.
struct Others {
    rows: mpsc::Receiver<Result<RecordBatch, RemoteError>>,
    /// Dropped, they end.
    _readers: JoinSet<()>,
}

enum Came {
    First(Option<Result<Part, RemoteError>>),
    Other(Option<Result<RecordBatch, RemoteError>>),
}

impl All {
    async fn next(mut self) -> Result<Option<(RemoteItem, Self)>, RemoteError> {
        loop {
            let came = match (&mut self.others, self.receipt.take()) {
                (None, Some(receipt)) => {
                    return match self.failed.take() {
                        Some(error) => Err(error),
                        None => Ok(Some((RemoteItem::Receipt(receipt), self))),
                    };
                }
                (None, None) => Came::First(self.first.next().await),
                (Some(others), Some(receipt)) => {
                    self.receipt = Some(receipt);
                    Came::Other(others.rows.recv().await)
                }
                (Some(others), None) => tokio::select! {
                    part = self.first.next() => Came::First(part),
                    rows = others.rows.recv() => Came::Other(rows),
                },
            };
            match came {
                Came::First(Some(Ok(Part::Rows(batch)))) | Came::Other(Some(Ok(batch))) => {
                    return Ok(Some((RemoteItem::Batch(batch), self)));
                }
                Came::First(Some(Ok(Part::Beside(named)))) => self.read_further(&named)?,
                Came::First(Some(Ok(Part::End(receipt)))) => {
                    let receipt = Receipt::decode(&receipt).map_err(|error| failed(&self.body, error.to_string()))?;
                    self.receipt = Some(receipt);
                }
                // That another was left is said there as well; why it was is known here.
                Came::First(Some(Err(error))) if error.kind == RemoteErrorKind::Failed => {
                    let known = self.failed.take().filter(|failed| failed.kind != RemoteErrorKind::Failed);
                    return Err(known.unwrap_or(error));
                }
                Came::First(Some(Err(error))) => return Err(error),
                // Without a receipt it is not whole: whoever reads it finds that, unless one of the others says why.
                Came::First(None) => {
                    while self.failed.is_none()
                        && let Some(others) = &mut self.others
                        && let Some(came) = others.rows.recv().await
                    {
                        self.failed = came.err();
                    }
                    return self.failed.take().map_or(Ok(None), Err);
                }
                Came::Other(Some(Err(error))) => {
                    self.failed = Some(error);
                    self.others = None;
                }
                Came::Other(None) => self.others = None,
            }
        }
    }

    /// Begins to read the endpoints that the body names.
    fn read_further(&mut self, named: &[u8]) -> Result<(), RemoteError> {
        let unfit = |why: String| failed(&self.body, format!("where more of its answer can be read: {why}"));
        let wire::Endpoints { tickets } = wire::Endpoints::decode(named).map_err(|error| unfit(error.to_string()))?;
        let most = self.further.take().ok_or_else(|| unfit("it names some for the second time".into()))?;
        if tickets.len() > most {
            return Err(unfit(format!("it names {} places and was asked for {most}", tickets.len())));
        }
        let (sender, rows) = mpsc::channel(tickets.len().max(1));
        let mut readers = JoinSet::new();
        for (number, ticket) in (1..).zip(tickets) {
            let opening = (self.open)(number, Ticket { ticket: ticket.into() });
            readers.spawn(read(self.body.clone(), opening, sender.clone()));
        }
        self.others = Some(Others { rows, _readers: readers });
        Ok(())
    }
}

/// Passes on what comes at a further endpoint, until it has said that this was all.
async fn read(
    body: BodyName,
    opening: BoxFuture<'static, Result<Parts, RemoteError>>,
    out: mpsc::Sender<Result<RecordBatch, RemoteError>>,
) {
    let mut parts = match tokio::time::timeout(OPENING, opening).await {
        Ok(Ok(parts)) => parts,
        Ok(Err(error)) => {
            tracing::debug!(%error, "a further endpoint of an answer is not read");
            return;
        }
        Err(_) => {
            tracing::debug!(%body, "a further endpoint of an answer did not open in time");
            return;
        }
    };
    let mut rows = 0u64;
    let ended = loop {
        match parts.try_next().await {
            Ok(Some(Part::Rows(batch))) => {
                rows += batch.num_rows() as u64;
                if out.send(Ok(batch)).await.is_err() {
                    return;
                }
            }
            Ok(Some(Part::End(end))) => break told(&end, rows),
            Ok(Some(Part::Beside(_))) => break Err("a further endpoint names more of them".into()),
            Ok(None) => break Err("a part of its answer ended without saying that it is whole".into()),
            Err(error) => {
                let _ = out.send(Err(error)).await;
                return;
            }
        }
    };
    if let Err(why) = ended {
        let _ = out.send(Err(failed(&body, why))).await;
    }
}

/// Whether as many rows arrived as were sent.
fn told(end: &[u8], arrived: u64) -> Result<(), String> {
    let end = wire::EndpointEnd::decode(end).map_err(|error| error.to_string())?;
    match end.rows {
        Some(rows) if rows == arrived => Ok(()),
        Some(rows) => Err(format!("a part of its answer has {rows} rows, {arrived} arrived")),
        None => Err("a part of its answer does not say how many rows it has".into()),
    }
}

fn failed(body: &BodyName, why: String) -> RemoteError {
    RemoteError::new(body, RemoteErrorKind::Failed, why)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::Int64Type;
    use futures::FutureExt;
    use meridian_proto::Signed;
    use tokio::sync::oneshot;

    use super::*;

    fn rows(numbers: &[i64]) -> Result<Part, RemoteError> {
        let column: ArrayRef = Arc::new(Int64Array::from(numbers.to_vec()));
        Ok(Part::Rows(RecordBatch::try_from_iter([("n", column)]).unwrap()))
    }

    fn named(endpoints: usize) -> Result<Part, RemoteError> {
        let tickets = (0..endpoints).map(|number| number.to_string().into_bytes()).collect();
        Ok(Part::Beside(wire::Endpoints { tickets }.encode_to_vec().into()))
    }

    fn end(rows: u64) -> Result<Part, RemoteError> {
        Ok(Part::End(wire::EndpointEnd { rows: Some(rows) }.encode_to_vec().into()))
    }

    fn receipt() -> Result<Part, RemoteError> {
        let signed = Signed { payload: vec![1], chain: vec![vec![0]], signature: vec![0], scheme: 0 };
        let receipt = Receipt { query_id: "q".into(), releases: vec![signed], witnessed: Vec::new() };
        Ok(Part::End(receipt.encode().into()))
    }

    fn error(why: &str) -> RemoteError {
        failed(&"lfb".parse().unwrap(), why.into())
    }

    type Sent = Vec<Result<Part, RemoteError>>;

    /// What comes of `first`, and of what each further endpoint gives: nothing where it can't be opened.
    async fn all(first: Sent, further: Vec<Option<Sent>>) -> (Vec<i64>, Result<bool, String>) {
        let most = further.len();
        let further: Vec<_> = further.into_iter().map(|sent| std::sync::Mutex::new(Some(sent))).collect();
        let open: Open = Box::new(move |number, ticket| {
            assert_eq!(ticket.ticket, (number - 1).to_string().into_bytes());
            let sent = further[number - 1].lock().unwrap().take().unwrap();
            let opened = sent.map(|sent| stream::iter(sent).boxed() as Parts).ok_or_else(|| error("no way"));
            async move { opened }.boxed()
        });
        let mut items = together("lfb".parse().unwrap(), stream::iter(first).boxed(), most, open).items;
        let (mut numbers, mut has_receipt) = (Vec::new(), false);
        loop {
            match items.next().await {
                Some(Ok(RemoteItem::Batch(batch))) => {
                    assert!(!has_receipt, "rows behind the receipt");
                    numbers.extend(batch.column(0).as_primitive::<Int64Type>().values().iter());
                }
                Some(Ok(RemoteItem::Receipt(_))) => has_receipt = true,
                Some(Err(error)) => return (numbers, Err(error.to_string())),
                None => {
                    numbers.sort_unstable();
                    return (numbers, Ok(has_receipt));
                }
            }
        }
    }

    #[tokio::test]
    async fn rows_of_all_endpoints_come_and_then_the_receipt() {
        let first = || vec![rows(&[1]), named(2), rows(&[2]), receipt()];
        let others = || vec![Some(vec![rows(&[3, 4]), rows(&[5]), end(3)]), Some(vec![end(0)])];
        assert_eq!(all(first(), others()).await, (vec![1, 2, 3, 4, 5], Ok(true)));
        // One that can't be opened is left out: what it would have had comes elsewhere, or the receipt counts more.
        assert_eq!(all(first(), vec![None, Some(vec![rows(&[6]), end(1)])]).await, (vec![1, 2, 6], Ok(true)));
        assert_eq!(all(vec![rows(&[1]), receipt()], vec![None]).await, (vec![1], Ok(true)));
    }

    #[tokio::test]
    async fn what_is_cut_or_miscounted_is_an_error() {
        let first = || vec![rows(&[1]), named(1), receipt()];
        for (sent, why) in [
            (vec![rows(&[3])], "without saying that it is whole"),
            (vec![], "without saying that it is whole"),
            (vec![rows(&[3]), end(2)], "has 2 rows, 1 arrived"),
            (vec![rows(&[3]), Err(error("the line broke"))], "the line broke"),
            (vec![rows(&[3]), named(1)], "names more of them"),
        ] {
            let (_, ended) = all(first(), vec![Some(sent)]).await;
            assert!(ended.unwrap_err().contains(why), "{why}");
        }
        // Without a receipt the answer is not whole, and why it has none is said where it was asked.
        assert_eq!(all(vec![rows(&[1]), named(1)], vec![Some(vec![end(0)])]).await.1, Ok(false));
        let broken = || Some(vec![Err(error("the line broke"))]);
        let refused = vec![named(1), rows(&[1]), Err(error("the agreement has ended"))];
        let (_, ended) = all(refused, vec![broken()]).await;
        assert!(ended.unwrap_err().contains("the agreement has ended"));
        assert!(all(vec![named(1)], vec![broken()]).await.1.unwrap_err().contains("the line broke"));
        // An end that says nothing is none.
        let silent = vec![Ok(Part::End(wire::EndpointEnd { rows: None }.encode_to_vec().into()))];
        assert!(all(first(), vec![Some(silent)]).await.1.unwrap_err().contains("does not say"));
    }

    #[tokio::test]
    async fn no_more_endpoints_are_read_than_were_asked_for() {
        let cases = [
            (vec![named(2), receipt()], "was asked for"),
            (vec![named(1), named(1), receipt()], "for the second time"),
            (vec![named(1), named(0), receipt()], "for the second time"),
        ];
        for (first, why) in cases {
            let (_, ended) = all(first, vec![Some(vec![end(0)])]).await;
            assert!(ended.unwrap_err().contains(why), "{why}");
        }
        let unreadable = vec![Ok(Part::Beside(vec![0xff].into())), receipt()];
        assert!(all(unreadable, vec![Some(vec![end(0)])]).await.1.is_err());
    }

    #[tokio::test]
    async fn whoever_has_enough_ends_all_of_them() {
        struct Told(Option<oneshot::Sender<()>>);
        impl Drop for Told {
            fn drop(&mut self) {
                let _ = self.0.take().unwrap().send(());
            }
        }
        let (dropped, told) = oneshot::channel();
        let told_of = std::sync::Mutex::new(Some(Told(Some(dropped))));
        let open: Open = Box::new(move |_, _| {
            let told = told_of.lock().unwrap().take();
            // It never has anything.
            let silent = stream::once(async move {
                let _told = told;
                std::future::pending().await
            });
            async move { Ok(silent.boxed()) }.boxed()
        });
        let first = stream::iter([named(1), rows(&[1])]).chain(stream::pending()).boxed();
        let mut items = together("lfb".parse().unwrap(), first, 1, open).items;
        assert!(matches!(items.next().await, Some(Ok(RemoteItem::Batch(_)))));
        drop(items);
        told.await.unwrap();
    }
}
