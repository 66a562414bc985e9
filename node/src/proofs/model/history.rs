//! What has been answered before, as whole sets of units.

use super::cells::Contributions;

/// All anchors, the earliest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::proofs) struct History {
    anchors: Vec<Anchor>,
}

#[derive(Debug, Clone, PartialEq)]
struct Anchor {
    scope: String,
    units: Contributions,
    answer: i128,
}

/// What became of a cell that passed.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::proofs) enum Settled {
    /// It did not pass, or is none that takes other answers.
    Own,
    /// An anchor from now on, with this number.
    Fresh(usize),
    /// It has the answer of the anchor of this number.
    Reused(usize),
    /// It is behind the end of an allowance, and is no anchor.
    Unseen,
}

impl History {
    /// The answer of each anchor.
    pub(in crate::proofs) fn answers(&self) -> Vec<i128> {
        self.anchors.iter().map(|anchor| anchor.answer).collect()
    }

    /// What is answered of a sum: the earliest near anchor's answer, or its own.
    pub(super) fn settle(&mut self, scope: String, units: &Contributions, own: i128, near: u64) -> (i128, Settled) {
        let of_scope = |anchor: &Anchor| anchor.scope == scope && distance(&anchor.units, units) < near;
        match self.anchors.iter().position(of_scope) {
            Some(earliest) => (self.anchors[earliest].answer, Settled::Reused(earliest)),
            None => {
                self.anchors.push(Anchor { scope, units: units.clone(), answer: own });
                (own, Settled::Fresh(self.anchors.len() - 1))
            }
        }
    }
}

/// In how many units two sets differ; a unit with another contribution is one.
fn distance(one: &Contributions, other: &Contributions) -> u64 {
    let gone = one.iter().filter(|(unit, contribution)| other.get(unit) != Some(contribution)).count();
    let new = other.keys().filter(|unit| !one.contains_key(unit)).count();
    (gone + new) as u64
}
