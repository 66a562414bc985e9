//! Digests of which version of each body's word one holds, so that two nodes find out in few bytes what one has and the other
//! lacks: of everything, and of each of [`PARTS`] parts into which bodies fall by their name.

use meridian_proto::Name;
use sha2::{Digest, Sha256};

/// Parts into which bodies fall.
pub(crate) const PARTS: usize = 64;

/// Digests of what is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Versions {
    parts: Vec<u64>,
}

impl Versions {
    /// Of bodies in the order of their names, each once, with the version that is held of its word.
    pub(crate) fn of<'a>(held: impl IntoIterator<Item = (&'a Name, u64)>) -> Self {
        let mut hashes = vec![Sha256::new(); PARTS];
        for (body, version) in held {
            if let Some(hash) = hashes.get_mut(part(body)) {
                // No name holds a zero.
                hash.update(body.as_str());
                hash.update([0]);
                hash.update(version.to_be_bytes());
            }
        }
        let first = |hash: Sha256| hash.finalize().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        Self { parts: hashes.into_iter().map(first).collect() }
    }

    /// Of everything: 32 bytes.
    pub(crate) fn whole(&self) -> Vec<u8> {
        let mut hash = Sha256::new();
        self.parts.iter().for_each(|part| hash.update(part.to_be_bytes()));
        hash.finalize().to_vec()
    }

    /// Of each part.
    pub(crate) fn parts(&self) -> &[u64] {
        &self.parts
    }

    /// The parts in which somebody with these digests holds something else.
    pub(crate) fn differing(&self, others: &[u64]) -> Vec<u32> {
        let pairs = self.parts.iter().zip(others).zip(0_u32..);
        pairs.filter(|((own, other), _)| own != other).map(|(_, part)| part).collect()
    }
}

/// Whether a body is in one of these parts; where none is named, each is.
pub(crate) fn is_in(body: &Name, parts: &[u32]) -> bool {
    parts.is_empty() || parts.iter().any(|named| usize::try_from(*named) == Ok(part(body)))
}

/// The part in which a body is.
fn part(body: &Name) -> usize {
    usize::from(Sha256::digest(body.as_str()).first().copied().unwrap_or_default()) % PARTS
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn names(count: usize) -> Vec<Name> {
        (0..count).map(|number| format!("body_{number:04}").parse().unwrap()).collect()
    }

    #[test]
    fn one_change_among_a_thousand_is_found_in_its_part() {
        let bodies = names(1_000);
        let held = |changed: Option<usize>| {
            Versions::of(bodies.iter().enumerate().map(|(at, body)| (body, 7 + u64::from(Some(at) == changed))))
        };
        let before = held(None);
        assert_eq!((before.whole(), before.differing(before.parts())), (held(None).whole(), Vec::new()));
        for changed in [0, 1, 500, 999] {
            let after = held(Some(changed));
            assert_ne!(before.whole(), after.whole());
            let parts = before.differing(after.parts());
            assert!(parts.len() == 1 && is_in(&bodies[changed], &parts), "{changed}: {parts:?}");
            let in_it = bodies.iter().filter(|body| is_in(body, &parts)).count();
            assert!(in_it < 40, "{in_it} bodies are in one part of {PARTS}");
        }
    }

    #[test]
    fn a_body_more_or_less_is_a_difference_and_digests_without_end_are_none() {
        let bodies = names(3);
        let of = |count: usize| Versions::of(bodies.iter().take(count).map(|body| (body, 1)));
        assert_ne!(of(2).whole(), of(3).whole());
        assert_eq!(of(2).differing(of(3).parts()).len(), 1);
        assert!(of(2).differing(&[]).is_empty());
        assert!(of(2).differing(&vec![0; 100_000]).len() <= PARTS);
        assert!(is_in(&bodies[0], &[]) && !is_in(&bodies[0], &[u32::MAX]));
    }
}
