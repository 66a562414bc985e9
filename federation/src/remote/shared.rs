//! Equal leaves of a plan are one question: its bodies are asked once, and every leaf reads what they answered.
//!
//! A join reads one of its sides to the end before it begins with the other, so that leaves do not wait for each other: what
//! one of them has not read yet stays in memory, within the query's own limit. Where that does not suffice, whoever has read
//! nothing yet asks for itself, as if nothing were shared.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arrow::array::RecordBatch;
use datafusion::common::Result;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use tokio::sync::Notify;

use super::RemoteExec;

/// Batches that wait for the one reader that is left, where no more may be held for others.
const WAITING_BATCHES: usize = 4;

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
    read: Notify,
}

#[derive(Default)]
struct State {
    /// What not every leaf has read.
    batches: VecDeque<RecordBatch>,
    /// Batches that all of them have read.
    passed: usize,
    end: Option<Result<(), Arc<DataFusionError>>>,
    /// Of each leaf that has come, the batches that it has read; none where it has gone.
    readers: Vec<Option<usize>>,
    held: Option<MemoryReservation>,
    /// Whether no more may be held: who has read nothing asks for itself.
    full: bool,
    asking: Option<SpawnedTask<()>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("leaves", &self.leaves).finish_non_exhaustive()
    }
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
        Arc::new(Self { leaves, state: Mutex::default(), arrived: Notify::new(), read: Notify::new() })
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
            if state.full || state.readers.len() == self.leaves {
                // Or a plan runs again that has run before.
                return leaf.execute(0, Arc::clone(task));
            }
            state.readers.push(Some(0));
            if state.asking.is_none() {
                state.held = Some(MemoryConsumer::new("an answer that is read twice").register(task.memory_pool()));
                let asked = leaf.execute(0, Arc::clone(task))?;
                state.asking = Some(SpawnedTask::spawn(take_in(Arc::downgrade(self), asked)));
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
        let at = state.readers.get(number).copied().flatten().unwrap_or_default();
        if state.full && at == 0 {
            state.leave(number);
            return Found::Alone;
        }
        if let Some(batch) = at.checked_sub(state.passed).and_then(|place| state.batches.get(place)).cloned() {
            if let Some(reader) = state.readers.get_mut(number) {
                *reader = Some(at + 1);
            }
            state.forget(self.leaves);
            return Found::Batch(batch);
        }
        state.end.clone().map_or(Found::Nothing, Found::End)
    }

    /// Takes a batch in; whether anybody is to read more.
    fn put(&self, batch: RecordBatch) -> bool {
        let mut state = self.state();
        let nobody = state.readers.iter().all(Option::is_none);
        if nobody && (state.full || state.readers.len() == self.leaves) {
            return false;
        }
        if !state.full {
            let bytes = batch.get_array_memory_size();
            let grown = state.held.as_mut().map(|held| held.try_grow(bytes));
            if let Some(Err(why)) = grown {
                // Only one that is ahead of all others can go on: what the rest has not read can't be kept for it.
                let begun = state.readers.iter().flatten().filter(|read| **read > 0).count();
                if begun > 1 {
                    state.end = Some(Err(Arc::new(why)));
                    return false;
                }
                state.full = true;
            }
        }
        state.batches.push_back(batch);
        true
    }

    /// Whether what has arrived is to be read first.
    fn waits(&self) -> bool {
        let state = self.state();
        state.full && state.batches.len() >= WAITING_BATCHES && state.readers.iter().any(Option::is_some)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn leave(&mut self, number: usize) {
        if let Some(reader) = self.readers.get_mut(number) {
            *reader = None;
        }
    }

    /// Lets go of what all have read that will.
    fn forget(&mut self, leaves: usize) {
        if self.readers.len() < leaves && !self.full {
            return;
        }
        let waiting = |read: &&usize| !self.full || **read > 0;
        let least = self.readers.iter().flatten().filter(waiting).min().copied();
        while self.passed < least.unwrap_or(usize::MAX) {
            let Some(batch) = self.batches.pop_front() else { return };
            self.passed += 1;
            if let Some(held) = &mut self.held {
                held.shrink(batch.get_array_memory_size().min(held.size()));
            }
        }
    }
}

/// Reads what the bodies answer for as long as somebody wants it.
async fn take_in(shared: Weak<Shared>, mut asked: SendableRecordBatchStream) {
    let _ends = Ends(Weak::clone(&shared));
    loop {
        let next = asked.next().await;
        let Some(shared) = shared.upgrade() else { return };
        let goes_on = match next {
            Some(Ok(batch)) => shared.put(batch),
            Some(Err(why)) => {
                shared.state().end = Some(Err(Arc::new(why)));
                false
            }
            None => {
                shared.state().end = Some(Ok(()));
                false
            }
        };
        shared.arrived.notify_waiters();
        if !goes_on {
            return;
        }
        loop {
            let read = shared.read.notified();
            if !shared.waits() {
                break;
            }
            read.await;
        }
    }
}

/// Whatever ends the asking, nobody waits for more.
struct Ends(Weak<Shared>);

impl Drop for Ends {
    fn drop(&mut self) {
        let Some(shared) = self.0.upgrade() else { return };
        let stopped = || Err(Arc::new(DataFusionError::Execution("an answer that is read twice has stopped".into())));
        shared.state().end.get_or_insert_with(stopped);
        shared.arrived.notify_waiters();
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
