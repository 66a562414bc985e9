//! What an admitted answer rests on, looked at again for as long as it streams: terms that end take their answers along.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use meridian_proto::{DatasetName, Name};

use super::access::{self, Access};
use super::{Caller, Refused, Terms};

/// The time, and the terms as they are now, from whoever holds clock and catalogue.
pub trait InForce: fmt::Debug + Send + Sync {
    /// The time.
    fn now(&self) -> DateTime<Utc>;
    /// The terms of a dataset of this body; `None` where it is not given any more.
    fn terms(&self, dataset: &DatasetName) -> Option<Arc<Terms>>;
}

/// Why an answer may leave. It is made with the decision alone, and there is no stream without one.
#[derive(Debug, Clone)]
pub(super) struct Permit {
    caller: Caller,
    rests_on: Vec<Grounds>,
}

/// One dataset, and the access to it that was decided.
#[derive(Debug, Clone)]
pub(super) struct Grounds {
    pub(super) dataset: DatasetName,
    pub(super) access: Access,
    /// The published columns that the access opens.
    pub(super) columns: Vec<Name>,
}

impl Permit {
    pub(super) fn new(caller: &Caller, rests_on: Vec<Grounds>) -> Self {
        Self { caller: caller.clone(), rests_on }
    }

    /// Whether what was decided still holds: by the same agreement, no column fewer, no row fewer, no threshold higher.
    fn check(&self, in_force: &dyn InForce) -> Result<(), Refused> {
        let now = in_force.now();
        for grounds in &self.rests_on {
            let terms = in_force.terms(&grounds.dataset);
            if !terms.is_some_and(|terms| access::holds(&terms, &self.caller, now, grounds)) {
                return Err(ended(grounds));
            }
        }
        Ok(())
    }
}

impl Permit {
    /// Whether what was decided still holds, and for anybody.
    pub(super) fn is_for_all(&self, in_force: &dyn InForce) -> bool {
        let is_listed = |grounds: &Grounds| in_force.terms(&grounds.dataset).is_some_and(|terms| terms.listed);
        self.check(in_force).is_ok() && self.rests_on.iter().all(is_listed)
    }
}

/// A permit, and what it is held against.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) permit: Permit,
    pub(super) in_force: Arc<dyn InForce>,
}

impl Watched {
    pub(super) fn check(&self) -> Result<(), Refused> {
        self.permit.check(self.in_force.as_ref())
    }
}

fn ended(grounds: &Grounds) -> Refused {
    let (name, owner) = (&grounds.dataset, &grounds.dataset.body);
    let reason = match grounds.access.agreement() {
        Some(agreement) => format!("what {agreement} gives of {name} ended or changed while the answer was on its way"),
        None => format!("the terms of {name} ended or changed while the answer was on its way"),
    };
    let remedy =
        format!("what has arrived is not the whole answer: ask again under the terms now in force, or ask {owner}");
    Refused::new("agreement.active", reason, remedy).about(&name.to_string())
}
