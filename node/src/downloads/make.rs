//! A file made as an answer is: asked of one's own node, decided by the gate, recorded before anything is written.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use futures::StreamExt;
use tokio::time::Instant;

use super::kept::{Folder, Ready};
use super::write::Writer;
use super::{Kind, Version};
use crate::gate::Caller;
use crate::query::{Answer, Asked, Engine};

/// For whom the node asks itself, as the log and the receipt say.
const FOR: &str = "the public";
/// What for.
const PURPOSE: &str = "open-data";

/// Why there is no file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Why {
    /// It would be larger than files may be.
    TooLarge,
    /// It could not be made then.
    Failed(Instant),
}

/// Why a file was not made.
#[derive(Debug)]
pub(super) enum Error {
    /// It would be larger than files may be; the release was ended.
    TooLarge,
    /// Anything else, for the operator.
    Other(String),
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        Self::Other(error.to_string())
    }
}

/// Makes the file of a version, of so many bytes at most.
pub(super) async fn make(
    engine: &Arc<Engine>,
    folder: &Folder,
    version: &Version,
    kind: Kind,
    most: u64,
) -> Result<Ready, Error> {
    let dataset = &version.dataset;
    let credentials = engine.credentials();
    // Who asks is what a certificate says, here as well.
    let proof = credentials.sign(FOR.as_bytes().to_vec())?;
    let verified = credentials.verify(&proof, SystemTime::now())?;
    let own = (engine.federation(), engine.body());
    let caller = Caller::new(&verified, own, Some(PURPOSE.into()), Some(FOR.into()))
        .map_err(|refused| Error::Other(refused.reason))?;
    let sql = kind.sql(engine.body().as_str(), dataset);
    let query_id = hex::encode(rand::random::<[u8; 16]>());
    let answer = engine.answer(Asked::new(caller, sql, query_id)).await?;
    let under_way = Unfinished(folder.under_way(&dataset.name, kind));
    let (receipt, sample) = written(answer, &under_way.0, version, kind, most).await?;
    let (folder, version) = (folder.clone(), version.clone());
    let taken = tokio::task::spawn_blocking(move || {
        let of = (&version.dataset.name, version.id.as_str(), kind);
        folder.take(of, &under_way.0, &receipt, sample.as_ref())
    });
    Ok(taken.await??)
}

/// Writes what is released, and returns the receipt and the first rows.
async fn written(
    answer: Answer,
    path: &Path,
    version: &Version,
    kind: Kind,
    most: u64,
) -> Result<(Vec<u8>, Option<crate::portal::Sample>), Error> {
    let Answer { mut released, closing } = answer;
    let mut writer = Writer::new(kind, path, &released.schema(), &version.dataset)?;
    while let Some(batch) = released.next().await {
        let batch = batch.map_err(|error| closing.fail(error))?;
        let before = writer.bytes();
        writer.write(&batch)?;
        closing.progress().add(batch.num_rows() as u64, writer.bytes().saturating_sub(before));
        if writer.bytes() > most {
            return Err(Error::TooLarge);
        }
    }
    let sample = writer.finish()?;
    closing.progress().finish();
    let receipt = closing.close().await?;
    Ok((receipt.encode(), sample))
}

/// A file that goes unless it is taken.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        // What was taken is not there any more.
        let _ = fs::remove_file(&self.0);
    }
}
