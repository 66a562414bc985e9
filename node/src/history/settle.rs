//! What becomes of each cell of a release, in one transaction.

use redb::Database;
use sha2::{Digest, Sha256};

use super::error::{Fault, HistoryError};
use super::index::{Index, Lists};
use super::seal::Keys;
use super::tables::{Anchor, Listed, Tables};
use super::{NearToday, Observation, Outcome, Release, Settled, Who};
use meridian_disclosure::sketch::Distance;

/// Refuses sketches that can't tell all distances that matter.
pub(super) fn check(release: &Release) -> Result<(), HistoryError> {
    let nearness = release.nearness;
    let capacity = |cell: &Observation| u64::from(cell.sketch.shape().capacity);
    match release.cells.iter().find(|cell| capacity(cell) + 1 < nearness) {
        Some(cell) => Err(HistoryError::Capacity { capacity: capacity(cell), nearness }),
        None => Ok(()),
    }
}

/// Spends what the accounts give, and settles the cells that are seen for it.
pub(super) fn settle(database: &Database, keys: &Keys, index: &mut Index, release: &Release) -> Result<Outcome, Fault> {
    // Durable at once, as transactions are unless told otherwise.
    let transaction = database.begin_write()?;
    let (outcome, changed) = {
        let mut tables = Tables::open(&transaction, keys)?;
        let shown = spend(&mut tables, release)?;
        let outcome = settle_in(&mut tables, index, release, shown)?;
        (outcome, tables.changed())
    };
    // A question that was asked before, over the same cells, leaves nothing to be made durable.
    if changed {
        transaction.commit()?
    } else {
        transaction.abort()?
    }
    Ok(outcome)
}

fn settle_in(tables: &mut Tables<'_>, index: &mut Index, release: &Release, shown: u64) -> Result<Outcome, Fault> {
    let first = tables.next_sequence()?;
    let mut sequence = first;
    let mut settled = Vec::with_capacity(release.cells.len());
    let mut pairs = 0;
    for cell in &release.cells {
        if cell.seen_in > shown {
            settled.push(Settled::Unseen);
            continue;
        }
        let mut lists = index.of(&cell.scope);
        let found = Found::around(cell, release.nearness, tables, &mut lists)?;
        let becomes = found.decide(cell);
        if becomes == Settled::Near {
            pairs += found.near;
        }
        if matches!(becomes, Settled::Fresh | Settled::Near) {
            let anchor = Anchor { answer: cell.answer, sketch: cell.sketch.clone() };
            let listed = Listed::new(sequence, anchor);
            tables.add_anchor(lists.at(cell.units, tables)?.place, &listed)?;
            lists.add(cell.units, listed, tables)?;
            sequence += 1;
        }
        settled.push(becomes);
    }
    if sequence > first {
        tables.set_next_sequence(sequence)?;
    }
    let near = if pairs > 0 { near_today(tables, release, pairs)? } else { Vec::new() };
    Ok(Outcome { shown, settled, pairs, near })
}

/// Counts near pairs to whoever made them.
fn near_today(tables: &mut Tables<'_>, release: &Release, pairs: u64) -> Result<Vec<NearToday>, Fault> {
    let mut agreements: Vec<&String> =
        release.accounts.iter().filter_map(|account| account.agreement.as_ref()).collect();
    agreements.sort_unstable();
    agreements.dedup();
    let agreements = agreements.into_iter().cloned().map(Who::Agreement);
    let mut near = Vec::new();
    for who in std::iter::once(Who::Caller(release.caller.clone())).chain(agreements) {
        let before = tables.add_near(&who, release.day, pairs)?;
        near.push(NearToday { who, day: release.day, before, now: before.saturating_add(pairs) });
    }
    Ok(near)
}

/// Charges the accounts for the visible cells that they give and that were not given to this answer before. Returns how
/// many of its visible cells are shown: as many as the account with the fewest gives.
fn spend(tables: &mut Tables<'_>, release: &Release) -> Result<u64, Fault> {
    let answer = fingerprint(release);
    let mut shown = release.visible;
    let mut accounts = Vec::with_capacity(release.accounts.len());
    for account in &release.accounts {
        let given = tables.given(account, &answer)?;
        let spent = tables.spent(account.agreement.as_deref(), &account.dataset)?;
        if let Some(allowance) = account.allowance {
            shown = shown.min(given.saturating_add(allowance.saturating_sub(spent)));
        }
        accounts.push((account, given, spent));
    }
    for (account, given, spent) in accounts {
        let new = shown.saturating_sub(given);
        if new > 0 {
            tables.set_spent(account.agreement.as_deref(), &account.dataset, spent.saturating_add(new))?;
            tables.set_given(account, &answer, shown)?;
        }
    }
    Ok(shown)
}

/// The question and all of its cells: equal for the same question over the same units and contributions alone.
fn fingerprint(release: &Release) -> Vec<u8> {
    let mut hash = Sha256::new();
    // Each part with its length, so that no two lists of parts read the same.
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    };
    add(release.question.as_bytes());
    for cell in &release.cells {
        add(cell.scope.0.as_bytes());
        add(&cell.units.to_be_bytes());
        add(&cell.sketch.to_bytes());
    }
    hash.finalize().to_vec()
}

/// The anchors fewer than k units from a cell.
#[derive(Default)]
struct Found {
    /// Sequence, distance in units and answer of the earliest.
    earliest: Option<(u64, usize, i128)>,
    /// Whether one of them is of exactly this set.
    equal: bool,
    /// How many of them aren't.
    near: u64,
}

impl Found {
    /// Looks at all anchors that may be near, whatever is found among them.
    fn around(cell: &Observation, nearness: u64, tables: &Tables<'_>, lists: &mut Lists<'_>) -> Result<Self, Fault> {
        let mut found = Self::default();
        let outline = cell.sketch.outline();
        let reach = nearness.saturating_sub(1);
        // Sets fewer than k units apart have numbers of units fewer than k apart.
        for units in cell.units.saturating_sub(reach)..=cell.units.saturating_add(reach) {
            for listed in &lists.at(units, tables)?.anchors {
                if (listed.outline.apart(outline) as u64) < nearness {
                    found.compare(cell, nearness, listed.sequence, &listed.anchor);
                }
            }
        }
        Ok(found)
    }

    fn compare(&mut self, cell: &Observation, nearness: u64, sequence: u64, anchor: &Anchor) {
        let units = match cell.sketch.distance(&anchor.sketch) {
            Distance::Near(units) if (units as u64) < nearness => units,
            Distance::Near(_) | Distance::Far => return,
        };
        if units == 0 {
            self.equal = true;
        } else {
            self.near += 1;
        }
        if self.earliest.is_none_or(|(earliest, ..)| sequence < earliest) {
            self.earliest = Some((sequence, units, anchor.answer));
        }
    }

    fn decide(&self, cell: &Observation) -> Settled {
        match self.earliest {
            None => Settled::Fresh,
            Some((_, 0, answer)) if cell.reuse && answer == cell.answer => Settled::Repeated,
            Some((.., answer)) if cell.reuse => Settled::Reused(answer),
            Some(_) if self.equal => Settled::Repeated,
            Some(_) => Settled::Near,
        }
    }
}
