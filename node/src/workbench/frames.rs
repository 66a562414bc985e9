//! What an answer's stream consists of: frames of a kind (one byte), a length (four bytes, the highest first) and that much.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde_json::Value;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::said::Body;

/// Something that has happened, as JSON.
const EVENT: u8 = b'e';
/// A piece of an Arrow IPC stream.
const ARROW: u8 = b'a';
/// Frames that wait for the browser before the answer is held back.
const WAITING: usize = 4;

/// Where frames are put.
#[derive(Debug, Clone)]
pub(super) struct Frames(Sender<Bytes>);

/// The browser is gone.
#[derive(Debug)]
pub(super) struct Gone;

/// Frames, and the body that consists of them.
pub(super) fn frames() -> (Frames, Body) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let next = |mut receiver: Receiver<Bytes>| async move {
        let bytes = receiver.recv().await?;
        Some((Ok::<_, io::Error>(Frame::data(bytes)), receiver))
    };
    (Frames(sender), StreamBody::new(stream::unfold(receiver, next)).boxed_unsync())
}

impl Frames {
    /// Tells what has happened.
    pub(super) async fn event(&self, event: &Value) -> Result<(), Gone> {
        self.put(EVENT, event.to_string().as_bytes()).await
    }

    /// Hands on a piece of the answer.
    pub(super) async fn arrow(&self, piece: &[u8]) -> Result<(), Gone> {
        if piece.is_empty() { Ok(()) } else { self.put(ARROW, piece).await }
    }

    /// Resolves when the browser is gone.
    pub(super) async fn gone(&self) {
        self.0.closed().await;
    }

    async fn put(&self, kind: u8, bytes: &[u8]) -> Result<(), Gone> {
        let length = u32::try_from(bytes.len()).map_err(|_| Gone)?;
        let mut frame = BytesMut::with_capacity(bytes.len() + 5);
        frame.put_u8(kind);
        frame.put_u32(length);
        frame.put_slice(bytes);
        self.0.send(frame.freeze()).await.map_err(|_| Gone)
    }
}
