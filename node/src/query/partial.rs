//! Partial answers: what an analyst who asks for one is told of the bodies that it does without.
//!
//! Only bodies of `every.<standard>` may be left out, each as a whole and before any of the answer has left: the question is
//! planned again as if they published no such dataset. Who is named, delegated to or referenced still fails the question, and
//! so does a body that answers one part of it and not another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meridian_federation::remote::{Begun, QueryContext, RemoteError, RemoteErrorKind};
use meridian_proto::Name;

use super::{Asked, Engine, QueryError, Ready};

/// What is said where a partial answer would have done without the bodies that failed.
pub(super) const HINT: &str = "to be answered without bodies of every.* that do not answer, ask for a partial answer \
     (meridian query --partial, or the header meridian-partial: true)";

/// A partial answer in the making.
#[derive(Debug, Default)]
pub struct Partial {
    left_out: Mutex<BTreeMap<Name, String>>,
    begun: Arc<Begun>,
}

impl Partial {
    /// The bodies that it does without.
    pub(super) fn bodies(&self) -> BTreeSet<Name> {
        self.left_out().keys().cloned().collect()
    }

    /// What has begun.
    pub(super) fn begun(&self) -> &Arc<Begun> {
        &self.begun
    }

    /// Leaves a body out; `why` names it.
    pub(super) fn leave_out(&self, body: Name, why: String) {
        self.left_out().entry(body).or_insert(why);
    }

    /// What a reader of the answer must know.
    pub(super) fn notices(&self) -> Vec<String> {
        let notice = |why| format!("a partial answer, as if this body had nothing in every.*: {why}");
        self.left_out().values().map(notice).collect()
    }

    /// An error of a question that was planned without some bodies says so.
    fn explain(&self, error: QueryError) -> QueryError {
        let left_out: Vec<String> = self.left_out().values().cloned().collect();
        let message = format!("{}; left out of every.*, as a partial answer: {}", error.message, left_out.join("; "));
        QueryError { message, ..error }
    }

    /// A body that is missing is so in all of the question.
    fn is_consistent(&self) -> Result<(), RemoteError> {
        match self.left_out().iter().find(|(body, _)| self.begun.has_answered(&Name::clone(body).into())) {
            None => Ok(()),
            Some((body, why)) => Err(RemoteError {
                body: body.clone().into(),
                kind: RemoteErrorKind::Failed,
                message: format!(
                    "it answers one part of the question and not another, so that it is not left out ({why})"
                ),
                refusal: None,
                dispensable: false,
            }),
        }
    }

    fn left_out(&self) -> MutexGuard<'_, BTreeMap<Name, String>> {
        self.left_out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Has every body begin, and plans again without those of `every.<standard>` that are missing, until the others have.
    pub(super) async fn without_the_missing(&self, asked: &Asked, mut ready: Ready) -> Result<Ready, QueryError> {
        let Some(partial) = &asked.partial else { return Ok(ready) };
        loop {
            let Some(context) = ready.planned.state.config().get_extension::<QueryContext>() else { return Ok(ready) };
            let missing = partial.begun.begin(&ready.physical, &context).await;
            let missing = missing.map_err(|error| QueryError::from_remote(&asked.sql, error))?;
            let done = missing.is_empty();
            for error in missing {
                // Nobody of another federation is a part of every.<standard>.
                if !error.body.is_own() {
                    return Err(QueryError::from_remote(&asked.sql, error));
                }
                partial.leave_out(error.body.slug().clone(), error.to_string());
            }
            partial.is_consistent().map_err(|error| QueryError::from_remote(&asked.sql, error))?;
            if done {
                return Ok(ready);
            }
            ready = self.ready(asked).await.map_err(|error| partial.explain(error))?;
        }
    }
}
