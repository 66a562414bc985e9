//! What is told of a plan that has run: what each release let out, and of operators those that stand above all of this body's
//! own rows. Of anything at or below the gate's operators there are no counts and no times: these would tell of withheld rows.

use std::sync::Arc;
use std::time::Duration;

use datafusion::physical_plan::ExecutionPlan;
use meridian_federation::remote::RemoteExec;

use super::governed::GovernedExec;
use super::release::ReleaseExec;

/// A plan that runs or has run.
#[derive(Debug)]
pub struct Observed {
    plan: Arc<dyn ExecutionPlan>,
    /// Whether anything of this body that is not open is in it.
    protected: bool,
}

/// An operator, and what it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// How many operators it stands below.
    pub depth: usize,
    /// Its name.
    pub name: String,
    /// Rows that it let out; `None` for the gate's own operators, and where it was not run.
    pub rows: Option<u64>,
    /// Time that it computed, all threads together; `None` also where rows of this body that are not open are in the plan:
    /// of work over these only the time of the whole is told.
    pub compute: Option<Duration>,
}

/// What a release let out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visible {
    /// The datasets whose rows are below it.
    pub datasets: Vec<String>,
    /// Cells that are there for the caller to see.
    pub cells: u64,
}

impl Observed {
    pub(super) fn new(plan: &Arc<dyn ExecutionPlan>, protected: bool) -> Self {
        Self { plan: Arc::clone(plan), protected }
    }

    /// The operators above the gate's, each before those below it.
    pub fn operators(&self) -> Vec<Operator> {
        let timed = !self.protected && !holds(&self.plan, &is_gate);
        let mut operators = Vec::new();
        told(&self.plan, 0, timed, &mut operators);
        operators
    }

    /// What is found at operators of the plan, each before those below it.
    pub fn found<T>(&self, find: &dyn Fn(&Arc<dyn ExecutionPlan>) -> Option<T>) -> Vec<T> {
        let mut found = Vec::new();
        look(&self.plan, find, &mut found);
        found
    }

    /// The visible cells of each release that was run.
    pub fn visible(&self) -> Vec<Visible> {
        let mut visible = Vec::new();
        released(&self.plan, &mut visible);
        visible
    }
}

fn told(plan: &Arc<dyn ExecutionPlan>, depth: usize, timed: bool, operators: &mut Vec<Operator>) {
    let name = plan.name().to_owned();
    if is_gate(plan) {
        operators.push(Operator { depth, name, rows: None, compute: None });
        return;
    }
    // A dataset of this body that is open has no mark, and what its owner made it of is not open for that.
    if !holds(plan, &|plan| is_gate(plan) || plan.is::<RemoteExec>()) {
        return;
    }
    let metrics = plan.metrics();
    let rows = metrics.as_ref().and_then(|metrics| metrics.output_rows()).map(|rows| rows as u64);
    let compute = metrics.filter(|_| timed).and_then(|metrics| metrics.elapsed_compute());
    let compute = compute.map(|nanoseconds| Duration::from_nanos(nanoseconds as u64));
    operators.push(Operator { depth, name, rows, compute });
    plan.children().into_iter().for_each(|child| told(child, depth + 1, timed, operators));
}

fn released(plan: &Arc<dyn ExecutionPlan>, visible: &mut Vec<Visible>) {
    if let Some(release) = plan.downcast_ref::<ReleaseExec>() {
        let datasets = release.datasets().to_vec();
        visible.extend(release.visible().map(|cells| Visible { datasets, cells }));
        return;
    }
    plan.children().into_iter().for_each(|child| released(child, visible));
}

fn look<T>(plan: &Arc<dyn ExecutionPlan>, find: &dyn Fn(&Arc<dyn ExecutionPlan>) -> Option<T>, found: &mut Vec<T>) {
    found.extend(find(plan));
    plan.children().into_iter().for_each(|child| look(child, find, found));
}

fn is_gate(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.is::<ReleaseExec>() || plan.is::<GovernedExec>()
}

fn holds(plan: &Arc<dyn ExecutionPlan>, wanted: &dyn Fn(&Arc<dyn ExecutionPlan>) -> bool) -> bool {
    wanted(plan) || plan.children().into_iter().any(|child| holds(child, wanted))
}
