//! The nodes and buffers that a batch says it has, held against the schema and against the bytes that came with it.

use std::vec::IntoIter;

use arrow::ipc::RecordBatch;

use super::Malformed;
use super::layout::{Buffers, Layout};

/// Rows of one message. A node sends 32,768 at most; columns without buffers could claim any number.
const MOST_ROWS: u64 = 1 << 20;
/// Bytes of one view.
const VIEW_BYTES: u64 = 16;

/// What is left of a batch's parts.
struct Parts {
    /// Length and NULLs of each column.
    nodes: IntoIter<(i64, i64)>,
    /// Offset and length of each buffer, in bytes.
    buffers: IntoIter<(i64, i64)>,
    /// Buffers of each column of views.
    views: IntoIter<i64>,
    /// Bytes of the body.
    body: u64,
    /// Bytes of it that no buffer has yet. Where buffers could overlap, a small body would be copied many times over.
    left: u64,
}

/// Checks that a batch of `columns` has the parts that these need, and that they lie in a body of so many bytes.
pub(super) fn check(columns: &[Layout], batch: RecordBatch<'_>, body: usize) -> Result<(), Malformed> {
    if batch.compression().is_some() {
        return Err(Malformed::Compressed);
    }
    if !u64::try_from(batch.length()).is_ok_and(|rows| rows <= MOST_ROWS) {
        return Err(Malformed::Rows(batch.length()));
    }
    let nodes: Vec<_> = batch.nodes().ok_or(Malformed::Parts)?.iter().map(|n| (n.length(), n.null_count())).collect();
    let buffers: Vec<_> = batch.buffers().ok_or(Malformed::Parts)?.iter().map(|b| (b.offset(), b.length())).collect();
    let views: Vec<_> = batch.variadicBufferCounts().into_iter().flatten().collect();
    let (nodes, buffers, views) = (nodes.into_iter(), buffers.into_iter(), views.into_iter());
    let mut parts = Parts { nodes, buffers, views, body: body as u64, left: body as u64 };
    columns.iter().try_for_each(|column| parts.column(column))?;
    let ended = parts.nodes.len() == 0 && parts.buffers.len() == 0 && parts.views.len() == 0;
    ended.then_some(()).ok_or(Malformed::Parts)
}

impl Parts {
    /// Takes the parts of one column and of those within it.
    fn column(&mut self, column: &Layout) -> Result<(), Malformed> {
        let (length, nulls) = self.nodes.next().ok_or(Malformed::Parts)?;
        let length = u64::try_from(length).map_err(|_| Malformed::Parts)?;
        let nulls = u64::try_from(nulls).map_err(|_| Malformed::Parts)?;
        if nulls > length {
            return Err(Malformed::Parts);
        }
        if column.buffers != Buffers::Nothing {
            self.buffer(if nulls > 0 { length.div_ceil(8) } else { 0 }, 1)?;
        }
        match column.buffers {
            Buffers::Nothing | Buffers::Struct if length > MOST_ROWS => return Err(Malformed::Parts),
            Buffers::Nothing | Buffers::Struct => {}
            Buffers::Values(bits) => self.buffer(times(length, bits)?.div_ceil(8), whole(bits))?,
            Buffers::Texts(bytes) => {
                self.buffer(offsets(length, bytes)?, bytes)?;
                self.buffer(0, 1)?;
            }
            Buffers::Views => {
                self.buffer(times(length, VIEW_BYTES)?, VIEW_BYTES)?;
                for _ in 0..self.views.next().filter(|count| *count >= 0).ok_or(Malformed::Parts)? {
                    self.buffer(0, 1)?;
                }
            }
            Buffers::Lists(bytes) => self.buffer(offsets(length, bytes)?, bytes)?,
        }
        column.children.iter().try_for_each(|child| self.column(child))
    }

    /// Takes the next buffer, which must have so many bytes at least, and a multiple of so many: Arrow asserts that it
    /// holds whole offsets, views and places in a dictionary.
    fn buffer(&mut self, least: u64, multiple: u64) -> Result<(), Malformed> {
        let (offset, length) = self.buffers.next().ok_or(Malformed::Parts)?;
        let offset = u64::try_from(offset).map_err(|_| Malformed::Outside)?;
        let length = u64::try_from(length).map_err(|_| Malformed::Outside)?;
        if offset.checked_add(length).is_none_or(|end| end > self.body) {
            return Err(Malformed::Outside);
        }
        self.left = self.left.checked_sub(length).ok_or(Malformed::Overlap)?;
        if length < least || !length.is_multiple_of(multiple) { Err(Malformed::Short) } else { Ok(()) }
    }
}

/// Bytes of the offsets of so many values; where there is no value, there may be no offset.
fn offsets(length: u64, bytes: u64) -> Result<u64, Malformed> {
    if length == 0 { Ok(0) } else { times(length.saturating_add(1), bytes) }
}

/// Bytes of which a buffer of such values has a multiple even where it is padded.
fn whole(bits: u64) -> u64 {
    if bits.is_power_of_two() { (bits / 8).max(1) } else { 1 }
}

fn times(length: u64, size: u64) -> Result<u64, Malformed> {
    length.checked_mul(size).ok_or(Malformed::Short)
}
