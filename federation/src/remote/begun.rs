//! A partial answer begins at every body before any of it is handed on: who has not begun by then is left out as a whole.
//!
//! Each body that a plan needs is asked, and its first batch, or its receipt, is waited for. A body of `every.<standard>` that
//! can't be reached, refuses, stops at a limit or is too slow is missing, and the question is planned again without it;
//! whoever else fails, fails the query. What has begun waits here until the plan runs that reads it. From then on a failure
//! fails the query, as it does without partial answers.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use datafusion::physical_plan::ExecutionPlan;
use futures::stream::FuturesUnordered;
use futures::{StreamExt, stream};
use meridian_proto::BodyName;

use super::arrived::Opened;
use super::shared::Shared;
use super::{QueryContext, RemoteError, RemoteErrorKind, RemoteExec, RemoteStream};
use crate::node::RemotePart;

/// The part of a query's patience after which a body that has not begun is left out. The rest is for those that have.
const SHARE: f64 = 0.6;

/// The answers of one query that have begun and are not read yet.
#[derive(Default)]
pub struct Begun {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: HashMap<(BodyName, String), Vec<(RemoteStream, Opened)>>,
    /// The bodies that have begun an answer, be it read or not.
    answered: BTreeSet<BodyName>,
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun").finish_non_exhaustive()
    }
}

impl Begun {
    /// Asks every body of `plan` for which nothing waits yet. Returns those of `every.<standard>` that are missing, and why.
    pub async fn begin(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        context: &QueryContext,
    ) -> Result<Vec<RemoteError>, RemoteError> {
        let mut parts = Vec::new();
        remote_parts(plan, &mut parts, &mut Vec::new());
        let open = |part: RemotePart| async move {
            let opened = open(&part, context).await;
            (part, opened)
        };
        let mut opening: FuturesUnordered<_> = self.unasked(parts).into_iter().map(open).collect();
        let mut missing = Vec::new();
        while let Some((part, opened)) = opening.next().await {
            match opened {
                Ok(answer) => self.keep(&part, answer),
                Err(error) if part.of_every && error.is_absence() => missing.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok(missing)
    }

    /// Whether a body has begun an answer to any part of the query.
    pub fn has_answered(&self, body: &BodyName) -> bool {
        self.state().answered.contains(body)
    }

    /// The answer to a part, which is no longer kept here.
    pub(super) fn take(&self, part: &RemotePart) -> Option<(RemoteStream, Opened)> {
        self.state().waiting.get_mut(&key(part))?.pop()
    }

    /// The parts to which no answer waits; each answer is for one part.
    fn unasked(&self, parts: Vec<RemotePart>) -> Vec<RemotePart> {
        let state = self.state();
        let mut waiting: HashMap<&(BodyName, String), usize> =
            state.waiting.iter().map(|(key, answers)| (key, answers.len())).collect();
        let mut unasked = Vec::new();
        for part in parts {
            match waiting.get_mut(&key(&part)) {
                Some(left) if *left > 0 => *left -= 1,
                _ => unasked.push(part),
            }
        }
        unasked
    }

    fn keep(&self, part: &RemotePart, answer: (RemoteStream, Opened)) {
        let mut state = self.state();
        state.answered.insert(part.body.clone());
        state.waiting.entry(key(part)).or_default().push(answer);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(part: &RemotePart) -> (BodyName, String) {
    (part.body.clone(), part.sql.clone())
}

/// What is asked for a plan; what several leaves have in common once.
fn remote_parts(plan: &Arc<dyn ExecutionPlan>, parts: &mut Vec<RemotePart>, known: &mut Vec<Arc<Shared>>) {
    if let Some(remote) = plan.downcast_ref::<RemoteExec>() {
        match remote.shared() {
            Some(shared) if known.iter().any(|known| Arc::ptr_eq(known, shared)) => return,
            shared => known.extend(shared.cloned()),
        }
        parts.extend(remote.parts().iter().cloned());
    }
    plan.children().into_iter().for_each(|child| remote_parts(child, parts, known));
}

/// The answer of one body once the first of it is here.
async fn open(part: &RemotePart, context: &QueryContext) -> Result<(RemoteStream, Opened), RemoteError> {
    let asked = Instant::now();
    let patience = context.patience.mul_f64(SHARE);
    let begin = async {
        let mut answer = context.transport.query(&part.body, context.remote_query(&part.sql)).await?;
        let first = answer.items.next().await.transpose()?;
        let opened = Opened { asked, after: asked.elapsed() };
        // An answer without anything, not even a receipt, is refused by whoever reads it.
        let items = stream::iter(first.map(Ok)).chain(answer.items).boxed();
        Ok((RemoteStream { items }, opened))
    };
    tokio::time::timeout(patience, begin).await.unwrap_or_else(|_| {
        let why = format!("it has not begun its part within {} s", patience.as_secs());
        Err(RemoteError::new(&part.body, RemoteErrorKind::Limit, why))
    })
}

#[cfg(test)]
mod tests;
