//! The release gate: decides what may leave this node, and makes the one kind of stream that may.
//!
//! [`gate`] takes DataFusion's analysed, unoptimised plan over published datasets and either rewrites it for the terms
//! ([`Admitted`]) or refuses it. [`guard`] checks the physical plan that came of it ([`Guarded`]), and with the proof
//! of a durable log record that becomes [`Released`], the only stream that the Flight and web layers take.
//!
//! It is pure: no I/O, no network, no clock. What is not known to be harmless is refused.
//!
//! | where | what |
//! | --- | --- |
//! | `caller`, `terms`, `table` | who asks, and what is asked for |
//! | `access`, `choice` | the form in which a dataset may leave for a caller, and by which agreement |
//! | `onward` | what is granted to one body and asked for on behalf of another |
//! | `walk`, `expressions`, `leaf` | the plan, operator by operator, over what is public to the caller |
//! | `variant` | what each variant of an expression is, once for all of these |
//! | `functions`, `growth` | every function and operator classified; texts that would grow without bound |
//! | `total` | expressions that could fail on some row, in forms that give NULL |
//! | `unknown` | what is computed from withheld cells, in forms that are unknown |
//! | `reference` | datasets of other bodies that an owner's rows may be joined with |
//! | `below` | the narrow shape that is admitted over `statistics`, and its rewrite at the aggregate |
//! | `tables` | declared tables: what a dataset without noise answers |
//! | `release`, `governed` | the extension nodes: cells that pass disclosure control, and marked rows |
//! | `guard`, `permit`, `released`, `compact` | the way out |
//! | `shipped` | what below a release goes to a worker of the body's own cluster |
//! | `observed` | what is told of a plan that has run |
#![expect(clippy::result_large_err, reason = "a refusal is made at most once a query, and its fields are read by name")]

mod access;
mod below;
mod caller;
mod choice;
mod compact;
mod expressions;
mod facts;
mod functions;
mod governed;
mod growth;
mod guard;
mod leaf;
mod observed;
mod onward;
mod permit;
mod planner;
mod reference;
mod refused;
mod release;
mod released;
mod shipped;
mod table;
mod tables;
mod terms;
pub(crate) mod total;
mod unknown;
mod variant;
mod walk;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use datafusion::catalog::TableProvider;
use datafusion::logical_expr::LogicalPlan;

pub use caller::{Caller, Onward};
pub use facts::{Facts, ForeignUse};
pub use functions::answered as answered_functions;
pub use guard::{Guarded, guard};
pub use observed::{Observed, Operator, Visible};
pub use permit::InForce;
pub use planner::extension_planner;
pub use reference::Referenced;
pub use refused::{Refused, unknown_dataset};
pub use release::Tally;
pub use released::Released;
pub use shipped::{
    ShippedAggregate, ShippedMark, ShippedScalar, below_releases, ship_aggregate, ship_mark, ship_scalar,
};
pub use table::{PublishedTable, TermsError};
pub use tables::{DeclaredTable, TableLayout, Tables, TablesError, tabulation};
pub use terms::{
    Askers, Belongs, ColumnTerms, Controls, Dominance, Grant, Precision, Reference, Terms, UNIT_COLUMN, Unit,
};

/// Who asks, when, and how tables of other bodies are recognised.
pub struct Request<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// When.
    pub now: DateTime<Utc>,
    /// What for.
    pub intent: Intent,
    /// Whether nothing but what is open may leave to other bodies, since nobody knows any more who is out.
    pub only_open: bool,
    /// What a table stands for if it is other bodies'; `None` for any other.
    pub foreign: &'a dyn Fn(&dyn TableProvider) -> Option<ForeignUse>,
    /// Such a table as the reference that the owner of protected rows has declared, or why it is not to be had.
    pub referenced: &'a dyn Fn(&dyn TableProvider, &Reference) -> Result<Referenced, String>,
}

/// Whether an answer is to leave, or only to be decided about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// It is to leave.
    Release,
    /// Nothing runs, and the decision rests on SQL, schema and terms alone: what is left of an allowance is not looked at,
    /// since it tells how many cells were visible before.
    Check,
}

/// A plan that has been rewritten for the terms of its datasets.
#[derive(Debug, Clone)]
pub struct Admitted {
    plan: LogicalPlan,
    facts: Facts,
    tally: Arc<Tally>,
    permit: permit::Permit,
}

impl Admitted {
    /// The plan, to be optimised and run.
    pub fn plan(&self) -> &LogicalPlan {
        &self.plan
    }

    /// What is recorded.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Where it is noted what becomes of its cells when it runs.
    pub fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// The names of this body's datasets in it, and what says whether anybody may still read all of them, if that is so.
    pub fn open_to_all(
        &self,
        in_force: Arc<dyn InForce>,
    ) -> Option<(Vec<String>, Arc<dyn Fn() -> bool + Send + Sync>)> {
        let permit = self.permit.clone();
        let names = self.facts.open_to_all()?;
        Some((names, Arc::new(move || permit.is_for_all(in_force.as_ref()))))
    }

    /// The schema of the answer, exactly.
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(self.plan.schema().inner())
    }
}

/// Combinations of agreements that are tried for one query.
const MOST_CHOICES: usize = 64;

/// Admits a plan in the form that the terms allow, or refuses it. Where several agreements give a dataset, they are
/// tried in the order of preference until one admits the query; the refusal is that of the preferred one.
pub fn gate(plan: LogicalPlan, request: &Request<'_>) -> Result<Admitted, Refused> {
    let mut choice = choice::Choice::default();
    let mut first = None;
    for _ in 0..MOST_CHOICES {
        match walk::walk(plan.clone(), request, &mut choice) {
            Ok((plan, mut decision)) => {
                let plan = finished(plan, &mut decision, request)?;
                let permit = permit::Permit::new(request.caller, decision.grounds);
                return Ok(Admitted { plan, facts: decision.facts, tally: decision.tally, permit });
            }
            Err(refused) => first = first.or(Some(refused)),
        }
        if !choice.advance() {
            break;
        }
    }
    Err(first.unwrap_or_else(|| Refused::new("plan", "the query was not decided", "write it more simply")))
}

/// What holds for the whole of an admitted plan: its texts are bounded, what is unknown stays so, and over data that is
/// not open nothing fails.
fn finished(plan: LogicalPlan, decision: &mut facts::Decision, request: &Request<'_>) -> Result<LogicalPlan, Refused> {
    growth::bounded(&plan)?;
    let (plan, notices) = unknown::stays(plan, request.foreign)?;
    for notice in notices {
        decision.notice(&notice);
    }
    let foreign = |table: &dyn TableProvider| (request.foreign)(table).is_some();
    if decision.facts.protected { total::made_total(plan, &foreign) } else { Ok(plan) }
}

#[cfg(test)]
mod tests;
