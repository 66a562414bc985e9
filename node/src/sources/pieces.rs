//! Maps a file of records piece by piece on several threads, where the mapping makes each row of one row alone.
//!
//! Pieces end where records end, and what becomes of them is put together in the file's order. Whatever stands in the way,
//! in the file or in the mapping, is left to `materialise`, which reads in order and tells what is wrong by line and column.

use std::collections::BTreeMap;
use std::iter::Enumerate;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, RecordBatch, RecordBatchOptions};
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use datafusion::prelude::SessionContext;
use tokio::task::JoinSet;

use super::files::{Files, InOrder, LeftOut, Piece, Pieces};
use super::held::BATCH_ROWS;
use super::mapping::{self, Failure};
use super::materialise;
use super::rowwise::RowWise;
use super::{Addresses, SourceSpec};

/// What is parsed at once, in bytes of text; each thread holds one piece and what becomes of it.
pub(super) const PIECE_BYTES: usize = 4 * 1024 * 1024;
/// Rows of a batch that is held as it is, beside others; smaller ones are joined.
const ENOUGH_ROWS: usize = 8 * 1024;

/// The published columns of all records in their order; `None` where they are to be read in order.
pub(super) async fn read(
    spec: &SourceSpec,
    files: &Arc<Files>,
    context: &SessionContext,
    bytes: usize,
) -> Option<Vec<RecordBatch>> {
    let pieces = files.pieces(bytes)?;
    let mut mapping = rowwise(spec, files, context).await?;
    let of = Columns::new(files, &mut mapping)?;
    let schema = Arc::clone(&mapping.schema);
    let work = Work {
        files: Arc::clone(files),
        of,
        mapping,
        pieces: Mutex::new(pieces.enumerate()),
        left_out: Mutex::default(),
        stopped: AtomicBool::new(false),
    };
    let work = Stopping(Arc::new(work));
    let threads = context.state().config().target_partitions().max(1);
    let mut running = JoinSet::new();
    for _ in 0..threads {
        let work = Arc::clone(&work.0);
        running.spawn_blocking(move || work.run());
    }
    let mut found: Option<BTreeMap<usize, Vec<RecordBatch>>> = Some(BTreeMap::new());
    // All are waited for, where one stops for something, too: what they count is forgotten behind them.
    while let Some(ended) = running.join_next().await {
        let Ok(Ok(batches)) = ended else {
            work.0.stop();
            found = None;
            continue;
        };
        if let Some(found) = &mut found {
            found.extend(batches);
        }
    }
    let Some(found) = found else {
        spec.addresses.iter().for_each(Addresses::forget);
        return None;
    };
    files.leave_out(*work.0.left_out.lock().unwrap_or_else(PoisonError::into_inner));
    let join = move || joined(&schema, found.into_values().flatten(), ENOUGH_ROWS);
    tokio::task::spawn_blocking(join).await.ok()?.ok()
}

/// The mapping's steps, if it has no others than such as need one row alone.
async fn rowwise(spec: &SourceSpec, files: &Arc<Files>, context: &SessionContext) -> Option<RowWise> {
    let session = mapping::session(1, context.runtime_env());
    let table = materialise::table(files).ok()?;
    let plan = mapping::plan(spec, &session, table, Failure::Reported).await.ok()?.published;
    let plan = session.execute_logical_plan(plan).await.ok()?.create_physical_plan().await.ok()?;
    RowWise::of(&plan)
}

/// Those of the files' columns that are read.
pub(super) struct Columns {
    /// By position in the files.
    pub(super) places: Vec<usize>,
    /// As they are parsed.
    pub(super) schema: SchemaRef,
}

impl Columns {
    /// Those that a mapping begins with; it does no more with them than is left to do.
    pub(super) fn new(files: &Files, mapping: &mut RowWise) -> Option<Self> {
        let places = mapping.columns.clone().unwrap_or_else(|| (0..files.schema().fields().len()).collect());
        let text = files.schema().project(&places).ok()?;
        let count = files.columns_as_they_stand();
        let parsed = mapping.parse(|at| places.get(at).is_some_and(|place| *place < count));
        let mut fields: Vec<Field> = text.fields().iter().map(|field| field.as_ref().clone()).collect();
        for (at, data_type) in parsed {
            fields.get_mut(at)?.set_data_type(data_type);
        }
        Some(Self { places, schema: Arc::new(Schema::new(fields)) })
    }
}

/// What threads share.
struct Work {
    files: Arc<Files>,
    mapping: RowWise,
    of: Columns,
    pieces: Mutex<Enumerate<Pieces>>,
    left_out: Mutex<LeftOut>,
    stopped: AtomicBool,
}

/// Batches by the number of the piece that they are of.
type Numbered = Vec<(usize, Vec<RecordBatch>)>;

impl Work {
    /// Takes pieces for as long as there are any.
    fn run(&self) -> Result<Numbered, InOrder> {
        let mut done = Vec::new();
        while let Some((number, piece)) = self.next() {
            match piece.and_then(|piece| self.mapped(&piece)) {
                Ok(batches) => done.push((number, batches)),
                Err(in_order) => {
                    self.stop();
                    return Err(in_order);
                }
            }
        }
        Ok(done)
    }

    fn next(&self) -> Option<(usize, Result<Piece, InOrder>)> {
        if self.stopped.load(Ordering::Relaxed) {
            return None;
        }
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner).next()
    }

    fn mapped(&self, piece: &Piece) -> Result<Vec<RecordBatch>, InOrder> {
        let (batches, left_out) = self.files.parsed(piece, &self.of)?;
        let mapped = batches.into_iter().map(|batch| self.mapping.run(batch));
        let mapped = mapped.collect::<Result<Vec<_>, _>>().map_err(|_| InOrder)?;
        {
            let mut all = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
            *all = *all + left_out;
        }
        joined(&self.mapping.schema, mapped, ENOUGH_ROWS).map_err(|_| InOrder)
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// Stops the threads where nobody waits for them any more.
struct Stopping(Arc<Work>);

impl Drop for Stopping {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// The rows in their order, in batches of the size in which they are held, exactly as large as they need be; a batch of
/// `enough` rows stays as it is.
fn joined(
    schema: &SchemaRef,
    batches: impl IntoIterator<Item = RecordBatch>,
    enough: usize,
) -> Result<Vec<RecordBatch>, ArrowError> {
    let (mut joined, mut small, mut rows) = (Vec::new(), Vec::new(), 0);
    for batch in batches.into_iter().filter(|batch| batch.num_rows() > 0) {
        if batch.num_rows() >= enough || rows + batch.num_rows() > BATCH_ROWS {
            joined.extend(one(schema, std::mem::take(&mut small))?);
            rows = 0;
        }
        if batch.num_rows() >= enough {
            joined.extend(one(schema, vec![batch])?);
        } else {
            rows += batch.num_rows();
            small.push(batch);
        }
    }
    joined.extend(one(schema, small)?);
    Ok(joined)
}

fn one(schema: &SchemaRef, mut batches: Vec<RecordBatch>) -> Result<Option<RecordBatch>, ArrowError> {
    if batches.len() > 1 {
        return concat_batches(schema, &batches).map(Some);
    }
    let Some((_, mut columns, rows)) = batches.pop().map(RecordBatch::into_parts) else { return Ok(None) };
    columns.iter_mut().for_each(Array::shrink_to_fit);
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map(Some)
}
