//! What the bodies of one question have answered so far, for whoever shows it while it runs.

use std::sync::{Arc, Mutex, PoisonError};

use meridian_federation::remote::{Arrived, Receipts};
use meridian_proto::Name;

use super::Partial;

/// Watches one question; clones watch the same. It holds what bodies say of their answers, and no row of them.
#[derive(Debug, Clone, Default)]
pub struct Watch(Arc<Mutex<Watched>>);

#[derive(Debug, Default)]
struct Watched {
    receipts: Option<Arc<Receipts>>,
    partial: Option<Arc<Partial>>,
}

impl Watch {
    /// From now on these parts are watched: the question is planned, or planned again.
    pub(super) fn follow(&self, receipts: &Arc<Receipts>, partial: Option<&Arc<Partial>>) {
        let watched = Watched { receipts: Some(Arc::clone(receipts)), partial: partial.cloned() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = watched;
    }

    /// What each body was asked and how far its answer has come.
    pub fn arrived(&self) -> Vec<Arrived> {
        let watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watched.receipts.as_ref().map(|receipts| receipts.arrived()).unwrap_or_default()
    }

    /// The bodies without which a partial answer does.
    pub fn left_out(&self) -> Vec<Name> {
        let watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watched.partial.as_ref().map(|partial| partial.bodies().into_iter().collect()).unwrap_or_default()
    }
}
