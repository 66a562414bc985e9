//! Equal leaves of a plan are one question: its bodies are asked once, and every leaf reads what they answered.
//!
//! A join reads one of its sides to the end before it begins with the other, so that leaves do not wait for each other: what
//! one of them has read and another has not stays in memory, up to a part of what the node gives to queries. Where that does
//! not suffice, whoever has read nothing yet asks for itself, as if nothing were shared. What nobody has read is left with
//! the bodies but for a few batches.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arrow::array::RecordBatch;
use datafusion::common::Result;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use tokio::sync::Notify;

use super::RemoteExec;

/// Batches that wait for whoever has read most, and that are held where there is no memory for them.
const WAITING_BATCHES: usize = 4;
/// The memory that is given to queries is so many times what may be held for leaves that read later.
const SHARES: usize = 4;

/// Has equal leaves of a plan asked once.
pub(crate) fn shared(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let mut leaves = Vec::new();
    gather(&plan, &mut leaves);
    let mut groups: Vec<(RemoteExec, usize)> = Vec::new();
    for leaf in leaves {
        match groups.iter_mut().find(|(first, _)| first.asks_the_same(&leaf)) {
            Some((_, number)) => *number += 1,
            None => groups.push((leaf, 1)),
        }
    }
    let groups: Vec<(RemoteExec, Arc<Shared>)> = groups
        .into_iter()
        .filter(|(_, leaves)| *leaves > 1)
        .map(|(leaf, leaves)| (leaf, Shared::new(leaves)))
        .collect();
    if groups.is_empty() {
        return Ok(plan);
    }
    let of = |leaf: &RemoteExec| groups.iter().find(|(first, _)| first.asks_the_same(leaf)).map(|(_, shared)| shared);
    plan.transform_up(|node| {
        let sharing = node.downcast_ref::<RemoteExec>().and_then(|leaf| Some(leaf.sharing(of(leaf)?)));
        Ok(sharing.map_or_else(|| Transformed::no(node), |leaf| Transformed::yes(Arc::new(leaf) as _)))
    })
    .data()
}

fn gather(plan: &Arc<dyn ExecutionPlan>, leaves: &mut Vec<RemoteExec>) {
    leaves.extend(plan.downcast_ref::<RemoteExec>().filter(|leaf| leaf.may_share()).map(RemoteExec::alone));
    plan.children().into_iter().for_each(|child| gather(child, leaves));
}

/// One asking, and how far each of its leaves has read.
pub(super) struct Shared {
    leaves: usize,
    state: Mutex<State>,
    /// More has arrived, or nothing more will.
    arrived: Notify,
    /// Somebody has read, or has gone.
    read: Arc<Notify>,
}

#[derive(Default)]
struct State {
    /// What not every leaf has read, and the bytes of it that are counted as held.
    batches: VecDeque<(RecordBatch, usize)>,
    /// Batches that all of them have read.
    passed: usize,
    end: Option<Result<(), Arc<DataFusionError>>>,
    /// Of each leaf that has come, the batches that it has read; none where it has gone.
    readers: Vec<Option<usize>>,
    held: Option<Holding>,
    /// The one that goes on where no more may be held: the others, which have read nothing, ask for themselves.
    only: Option<usize>,
    asking: Option<SpawnedTask<()>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("leaves", &self.leaves).finish_non_exhaustive()
    }
}

/// What is held for leaves that read later.
struct Holding {
    reservation: MemoryReservation,
    most: usize,
}

impl Holding {
    fn new(pool: &Arc<dyn MemoryPool>) -> Self {
        let most = match pool.memory_limit() {
            MemoryLimit::Finite(bytes) => bytes / SHARES,
            MemoryLimit::Infinite | MemoryLimit::Unknown => usize::MAX,
        };
        Self { reservation: MemoryConsumer::new("an answer that is read twice").register(pool), most }
    }

    fn grow(&self, bytes: usize) -> Result<()> {
        if self.reservation.size().saturating_add(bytes) > self.most {
            let why = "one reader of an answer is too far behind another".to_owned();
            return Err(DataFusionError::ResourcesExhausted(why));
        }
        self.reservation.try_grow(bytes)
    }
}

/// What becomes of a batch that has arrived.
enum Put {
    Taken,
    /// It is to be put again when somebody has read on.
    Later(RecordBatch),
    /// Nobody wants more.
    Unwanted,
}

/// What a reader finds.
enum Found {
    Batch(RecordBatch),
    /// The end, or why there is none.
    End(Result<(), Arc<DataFusionError>>),
    /// It is to ask for itself.
    Alone,
    /// Nothing yet.
    Nothing,
}

impl Shared {
    fn new(leaves: usize) -> Arc<Self> {
        Arc::new(Self { leaves, state: Mutex::default(), arrived: Notify::new(), read: Arc::default() })
    }

    /// What a leaf reads. The first that comes has its bodies asked for all.
    pub(super) fn read(
        self: &Arc<Self>,
        leaf: RemoteExec,
        task: &Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let schema = leaf.schema();
        let number = {
            let mut state = self.state();
            if state.only.is_some() || state.readers.len() == self.leaves {
                // Or a plan runs again that has run before.
                return leaf.execute(0, Arc::clone(task));
            }
            state.readers.push(Some(0));
            if state.asking.is_none() {
                state.held = Some(Holding::new(task.memory_pool()));
                let asked = leaf.execute(0, Arc::clone(task))?;
                let taking_in = take_in(Arc::downgrade(self), Arc::clone(&self.read), asked);
                state.asking = Some(SpawnedTask::spawn(taking_in));
            }
            state.readers.len() - 1
        };
        let reader = Reader { shared: Arc::clone(self), number, leaf, task: Arc::clone(task), alone: None };
        let rows =
            stream::try_unfold(
                reader,
                |mut reader| async move { Ok(reader.next().await?.map(|batch| (batch, reader))) },
            );
        let own = Arc::clone(&schema);
        // The types are those of the leaf that asked; names are each leaf's own.
        let named = move |batch: RecordBatch| {
            RecordBatch::try_new(Arc::clone(&own), batch.columns().to_vec()).map_err(DataFusionError::from)
        };
        let rows = rows.map(move |batch: Result<RecordBatch>| batch.and_then(&named));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    fn find(&self, number: usize) -> Found {
        let mut state = self.state();
        if state.only.is_some_and(|only| only != number) {
            state.leave(number);
            return Found::Alone;
        }
        let at = state.readers.get(number).copied().flatten().unwrap_or_default();
        let Some(place) = at.checked_sub(state.passed) else {
            let lost = DataFusionError::Internal("a part of an answer is gone before it was read".into());
            return Found::End(Err(Arc::new(lost)));
        };
        if let Some((batch, _)) = state.batches.get(place).cloned() {
            if let Some(reader) = state.readers.get_mut(number) {
                *reader = Some(at + 1);
            }
            state.forget(self.leaves);
            return Found::Batch(batch);
        }
        state.end.clone().map_or(Found::Nothing, Found::End)
    }

    /// Takes a batch in, where somebody is to read it soon.
    fn put(&self, batch: RecordBatch) -> Put {
        let mut state = self.state();
        let wanted = match state.only {
            Some(only) => state.is_there(only),
            None => state.readers.len() < self.leaves || state.readers.iter().any(Option::is_some),
        };
        if !wanted {
            return Put::Unwanted;
        }
        let furthest = state.readers.iter().flatten().max().copied().unwrap_or(state.passed);
        if state.passed + state.batches.len() >= furthest + WAITING_BATCHES {
            return Put::Later(batch);
        }
        match state.hold(batch.get_array_memory_size()) {
            Ok(bytes) => {
                state.batches.push_back((batch, bytes));
                state.forget(self.leaves);
                Put::Taken
            }
            Err(why) => {
                state.end = Some(Err(Arc::new(why)));
                Put::Unwanted
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_there(&self, number: usize) -> bool {
        self.readers.get(number).copied().flatten().is_some()
    }

    fn leave(&mut self, number: usize) {
        if let Some(reader) = self.readers.get_mut(number) {
            *reader = None;
        }
    }

    /// Makes room for a batch of so many bytes, and returns how many of them are counted.
    fn hold(&mut self, bytes: usize) -> Result<usize> {
        let Some(held) = self.held.as_ref().filter(|_| self.only.is_none()) else { return Ok(0) };
        let Err(why) = held.grow(bytes) else { return Ok(bytes) };
        if self.batches.len() >= WAITING_BATCHES {
            // Only one that is ahead of all others can go on: what the rest has not read can't be kept for it.
            let mut begun = self.readers.iter().enumerate().filter(|(_, read)| read.is_some_and(|read| read > 0));
            let (Some((number, _)), None) = (begun.next(), begun.next()) else { return Err(why) };
            self.only = Some(number);
        }
        Ok(0)
    }

    /// Lets go of what all have read that will.
    fn forget(&mut self, leaves: usize) {
        let least = match self.only {
            Some(only) => self.readers.get(only).copied().flatten(),
            None if self.readers.len() < leaves => return,
            None => self.readers.iter().flatten().min().copied(),
        };
        while self.passed < least.unwrap_or(usize::MAX) {
            let Some((_, bytes)) = self.batches.pop_front() else { return };
            self.passed += 1;
            if let Some(held) = &self.held {
                held.reservation.shrink(bytes);
            }
        }
    }
}

/// Reads what the bodies answer for as long as somebody wants it.
async fn take_in(shared: Weak<Shared>, read: Arc<Notify>, mut asked: SendableRecordBatchStream) {
    let _ends = Ends(Weak::clone(&shared));
    while let Some(next) = asked.next().await {
        let mut batch = match next {
            Ok(batch) => batch,
            Err(why) => return ended(&shared, Err(Arc::new(why))),
        };
        loop {
            let read_on = read.notified();
            let Some(there) = shared.upgrade() else { return };
            let put = there.put(batch);
            there.arrived.notify_waiters();
            match put {
                Put::Taken => break,
                Put::Later(again) => batch = again,
                Put::Unwanted => return,
            }
            // While it waits, it is no reason to keep what nobody reads any more.
            drop(there);
            read_on.await;
        }
    }
    ended(&shared, Ok(()));
}

fn ended(shared: &Weak<Shared>, end: Result<(), Arc<DataFusionError>>) {
    let Some(shared) = shared.upgrade() else { return };
    shared.state().end.get_or_insert(end);
    shared.arrived.notify_waiters();
}

/// Whatever ends the asking, nobody waits for more.
struct Ends(Weak<Shared>);

impl Drop for Ends {
    fn drop(&mut self) {
        let stopped = DataFusionError::Execution("an answer that is read twice has stopped".into());
        ended(&self.0, Err(Arc::new(stopped)));
    }
}

/// One leaf.
struct Reader {
    shared: Arc<Shared>,
    number: usize,
    leaf: RemoteExec,
    task: Arc<TaskContext>,
    alone: Option<SendableRecordBatchStream>,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(alone) = &mut self.alone {
                return alone.next().await.transpose();
            }
            let shared = Arc::clone(&self.shared);
            // Waits from here on, so that nothing arrives unseen between.
            let arrived = shared.arrived.notified();
            let found = shared.find(self.number);
            shared.read.notify_waiters();
            match found {
                Found::Batch(batch) => return Ok(Some(batch)),
                Found::End(Ok(())) => return Ok(None),
                Found::End(Err(why)) => return Err(DataFusionError::Shared(why)),
                Found::Alone => self.alone = Some(self.leaf.execute(0, Arc::clone(&self.task))?),
                Found::Nothing => arrived.await,
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.leave(self.number);
        state.forget(self.shared.leaves);
        drop(state);
        self.shared.read.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
