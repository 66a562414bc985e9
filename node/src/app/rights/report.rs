//! What a node holds of a unit and what of it was covered by releases, for whom it is about (Article 15).
//!
//! When a row came in is not kept, so that a release before counts as one that covered it; a release while the unit was
//! left out does not, and the log says when that was. Rows that have gone from the source, and never were the subject of
//! a right, are not known of any more.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::Utc;
use meridian_proto::{DatasetName, Name};

use super::desk::{Case, Desk, DeskError, checked, entry};
use crate::audit::{self, Outcome, Record, Recorded};
use crate::rights::{Entry, List, Right};
use crate::sources::{self, Found};

/// What is known of a unit.
#[derive(Debug)]
pub(crate) struct Access {
    /// The entry that says that it was asked for.
    pub(crate) number: u64,
    /// The kind of unit.
    pub(crate) kind: Name,
    /// Rows of the unit.
    pub(crate) held: Vec<Held>,
    /// Datasets that can't be looked into now, and why.
    pub(crate) unread: Vec<(Name, String)>,
    /// Datasets of the kind whose rows have no names, and why.
    pub(crate) beyond: Vec<(Name, &'static str)>,
    /// The rights that were exercised, and which entry ended them.
    pub(crate) rights: Vec<(Entry, Option<u64>)>,
    /// The releases that covered a dataset while the unit was in it, oldest first.
    pub(crate) releases: Vec<Release>,
    /// Whether the log says already that this was asked for.
    pub(crate) recorded: bool,
}

/// Rows of the unit in one dataset.
#[derive(Debug)]
pub(crate) struct Held {
    /// The dataset.
    pub(crate) dataset: Name,
    /// The rows.
    pub(crate) found: Found,
}

/// One dataset in one release.
#[derive(Debug)]
pub(crate) struct Release {
    /// Its record in the log.
    pub(crate) index: u64,
    /// Milliseconds since the Unix epoch.
    pub(crate) time_ms: u64,
    /// The dataset, its columns and the form in which it left.
    pub(crate) used: audit::Use,
    /// Who asked, for what, and under which agreements.
    pub(crate) caller: String,
    pub(crate) purpose: String,
    pub(crate) agreements: Vec<String>,
    /// How it ended, as far as the log tells.
    pub(crate) outcome: Option<Outcome>,
}

impl Desk {
    /// What is known of a unit. That it was asked for is recorded first.
    pub(crate) async fn report(&self, kind: &str, unit: &str, case: Case) -> Result<Access, DeskError> {
        let kind = self.kind(kind)?;
        let (about, beyond) = self.about(&kind, &[])?;
        let mut units: HashSet<u64> = self.units(&kind, unit, &about)?.into_iter().collect();
        let asked = self.add(entry(Right::Report, &kind, &about, checked(case, unit)?))?;
        let recorded = self.record(asked.number).await?;
        let (mut held, mut unread) = (Vec::<Held>::new(), Vec::new());
        for config in about {
            let dataset = config.dataset.name.clone();
            match sources::found(&self.spec(config), &units, &self.context, Utc::now()).await {
                Ok(found) => held.extend(found.into_iter().map(|found| Held { dataset: dataset.clone(), found })),
                Err(error) => unread.push((dataset, error.to_string())),
            }
        }
        held.retain(|held| held.found.rows() > 0);
        units.extend(held.iter().flat_map(|held| &held.found.outer));
        let lines = self.log()?;
        let list = self.read()?;
        let own: Vec<&Entry> =
            list.entries().iter().filter(|entry| entry.units.iter().any(|unit| units.contains(unit))).collect();
        let mut datasets: BTreeSet<&Name> = held.iter().map(|held| &held.dataset).collect();
        datasets.extend(own.iter().flat_map(|entry| &entry.datasets));
        let name = |dataset: &Name| DatasetName {
            federation: self.config.node.federation.clone(),
            body: self.config.node.body.clone(),
            dataset: dataset.clone(),
        };
        // Under its whole name, since a release of this node may be about other bodies' datasets, too.
        let names: HashMap<String, String> =
            datasets.iter().map(|dataset| (name(dataset).to_string(), dataset.to_string())).collect();
        let releases = releases(&lines, &list, &own, &names);
        let rights = own.into_iter().map(|entry| (entry.clone(), list.end_of(entry.number).map(|end| end.number)));
        let rights = rights.collect();
        Ok(Access { number: asked.number, kind, held, unread, beyond, rights, releases, recorded })
    }
}

/// The releases of some datasets, each at a time when none of these entries left the unit out of it.
fn releases(lines: &[Recorded], list: &List, own: &[&Entry], names: &HashMap<String, String>) -> Vec<Release> {
    let leaves_out: HashSet<u64> =
        own.iter().filter(|entry| entry.right.leaves_out()).map(|entry| entry.number).collect();
    let mut out: HashMap<&str, HashSet<u64>> = HashMap::new();
    let mut found: Vec<Release> = Vec::new();
    for line in lines {
        match &line.record {
            Record::Effect { dataset, rights } => {
                let out = out.entry(dataset).or_default();
                for number in rights {
                    if leaves_out.contains(number) {
                        out.insert(*number);
                    }
                    if let Some(ended) = list.entry(*number).and_then(|entry| entry.ends) {
                        out.remove(&ended);
                    }
                }
            }
            Record::Release(entry) => {
                for used in &entry.datasets {
                    let Some(dataset) = names.get(&used.dataset) else { continue };
                    if out.get(dataset.as_str()).is_none_or(HashSet::is_empty) {
                        found.push(release(line, entry, used));
                    }
                }
            }
            Record::Outcome { of, outcome } => {
                let ended = found.iter_mut().filter(|release| release.index == *of);
                ended.for_each(|release| release.outcome = Some(outcome.clone()));
            }
            Record::Refusal(_) | Record::Check(_) | Record::Alert(_) | Record::Right(_) | Record::Long(_) => {}
        }
    }
    found
}

fn release(line: &Recorded, entry: &audit::Entry, used: &audit::Use) -> Release {
    Release {
        index: line.index,
        time_ms: line.time_ms,
        used: used.clone(),
        caller: entry.caller.clone(),
        purpose: entry.purpose.clone(),
        agreements: entry.agreements.clone(),
        outcome: None,
    }
}
