//! A connection that ends when the other side's certificate no longer counts.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use crate::certificate::EndEntity;
use crate::standing::Standing;

/// A stream whose every read and write first asks whether the connection has to end.
pub(crate) struct Guarded<S> {
    stream: S,
    peer: String,
    end: Pin<Box<dyn Future<Output = String> + Send>>,
    ended: Option<String>,
}

impl<S: Unpin> Guarded<S> {
    pub(crate) fn new(stream: S, standing: &Standing, certificate: EndEntity) -> Self {
        let peer = certificate.identity.to_string();
        Self { stream, peer, end: Box::pin(standing.end_of(certificate)), ended: None }
    }

    #[cfg(test)]
    pub(crate) fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream, if it may still be used; the task is woken when it may not.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> io::Result<Pin<&mut S>> {
        if self.ended.is_none()
            && let Poll::Ready(reason) = self.end.as_mut().poll(cx)
        {
            tracing::warn!(peer = %self.peer, reason, "a connection is cut off");
            self.ended = Some(reason);
        }
        match &self.ended {
            Some(reason) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, reason.clone())),
            None => Ok(Pin::new(&mut self.stream)),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_open(cx)?.poll_read(cx, buf)
    }
}

impl<S: AsyncBufRead + Unpin> AsyncBufRead for Guarded<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        this.poll_open(cx)?;
        Pin::new(&mut this.stream).poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        Pin::new(&mut self.stream).consume(amount);
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_open(cx)?.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_open(cx)?.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_open(cx)?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
