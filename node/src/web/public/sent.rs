//! What is sent to a reader: a text, or a file piece by piece, so that nobody who reads slowly holds it in memory.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use tokio::fs::File;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

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
    _place: OwnedSemaphorePermit,
}

impl Sent {
    /// So many bytes of a file, in one of the places that there are for that.
    pub(super) fn file(file: File, bytes: u64, place: OwnedSemaphorePermit) -> Self {
        Self::File(Sending { file, left: bytes, buffer: vec![0; PIECE], _place: place })
    }
}

impl Sending {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left == 0 {
            return Poll::Ready(None);
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
