//! What is sent to a reader: a text, or a file piece by piece, so that nobody who reads slowly holds it in memory.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use tokio::fs::File;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

use super::end::End;

/// Read at once, in bytes.
const PIECE: usize = 64 << 10;

/// The body of a response.
pub(super) enum Sent {
    Text(Full<Bytes>),
    File(Sending),
}

/// A file on its way.
pub(super) struct Sending {
    file: File,
    left: u64,
    buffer: Vec<u8>,
    is_given: Given,
    end: Option<Arc<End>>,
    _place: OwnedSemaphorePermit,
}

/// Whether a file is still for anybody.
pub(super) type Given = Box<dyn Fn() -> bool + Send>;

impl Sent {
    /// So many bytes of a file, in one of the places that there are for that.
    pub(super) fn file(file: File, bytes: u64, is_given: Given, place: OwnedSemaphorePermit) -> Self {
        Self::File(Sending { file, left: bytes, buffer: vec![0; PIECE], is_given, end: None, _place: place })
    }
}

impl Sending {
    /// From now on, each piece that is taken puts off the end of its connection.
    pub(super) fn puts_off(&mut self, end: Arc<End>) {
        end.of_file();
        self.end = Some(end);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        // Whoever has not got the rest of it by now does not get it; that it is not whole, its length says.
        if !(self.is_given)() {
            return Poll::Ready(Some(Err(io::Error::other("it is not given any more"))));
        }
        if let Some(end) = &self.end {
            end.put_off();
        }
        let most = usize::try_from(self.left).unwrap_or(PIECE).min(PIECE);
        let room = self.buffer.get_mut(..most).unwrap_or_default();
        let mut room = ReadBuf::new(room);
        if let Err(error) = ready!(Pin::new(&mut self.file).poll_read(cx, &mut room)) {
            return Poll::Ready(Some(Err(error)));
        }
        let piece = Bytes::copy_from_slice(room.filled());
        if piece.is_empty() {
            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
        }
        self.left = self.left.saturating_sub(piece.len() as u64);
        Poll::Ready(Some(Ok(piece)))
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match self.get_mut() {
            Self::Text(text) => Pin::new(text).poll_frame(cx).map_err(|never| match never {}),
            Self::File(sending) => sending.poll(cx).map_ok(Frame::data),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text(text) => text.is_end_stream(),
            Self::File(sending) => sending.left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => text.size_hint(),
            Self::File(sending) => SizeHint::with_exact(sending.left),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicBool, Ordering};

    use http_body_util::BodyExt;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn a_file_that_is_not_given_any_more_breaks_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trees.csv");
        let whole = vec![b'x'; 3 * PIECE];
        std::fs::write(&path, &whole).unwrap();
        let given = Arc::new(AtomicBool::new(true));
        let places = Arc::new(Semaphore::new(2));
        let sent = async || {
            let (file, given) = (File::open(&path).await.unwrap(), Arc::clone(&given));
            let place = Arc::clone(&places).acquire_owned().await.unwrap();
            let is_given = Box::new(move || given.load(Ordering::Relaxed));
            Sent::file(file, whole.len() as u64, is_given, place)
        };
        assert_eq!(sent().await.collect().await.unwrap().to_bytes(), whole);
        let mut broken = sent().await;
        assert!(broken.frame().await.unwrap().is_ok());
        given.store(false, Ordering::Relaxed);
        assert!(broken.frame().await.unwrap().is_err() && broken.size_hint().exact().unwrap() > 0);
        drop(broken);
        assert_eq!(places.available_permits(), 2);
    }
}
