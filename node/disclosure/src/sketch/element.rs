//! What a sketch holds: one unit's contribution to one cell, in 64 bits.

use std::hash::Hasher;
use std::num::NonZeroU64;

use siphasher::sip::SipHasher24;

/// Tells the digest of a contribution from other uses of the unit's hash as a key.
const CONTRIBUTION: u64 = u64::from_le_bytes(*b"contrib.");

/// One unit in one cell: a 32-bit unit hash, then a 32-bit digest of its contribution; never 0 as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Element(NonZeroU64);

impl Element {
    /// The element of a unit with this contribution, in fixed point.
    ///
    /// `unit` is the unit's 64-bit hash under a secret key. Its high half names the unit and all of it keys the digest,
    /// so that units that share the high half still have elements of their own.
    pub fn new(unit: u64, contribution: i128) -> Self {
        let mut digest = SipHasher24::new_with_keys(unit, CONTRIBUTION);
        digest.write(&contribution.to_le_bytes());
        let element = (unit & !u64::from(u32::MAX)) | (digest.finish() >> u32::BITS);
        Self(NonZeroU64::new(element).unwrap_or(NonZeroU64::MIN))
    }

    /// The element of a unit in a cell to which all contribute alike: its hash.
    pub fn alike(unit: u64) -> Self {
        Self(NonZeroU64::new(unit).unwrap_or(NonZeroU64::MIN))
    }

    /// The hash of the unit.
    pub fn unit(self) -> u32 {
        u32::try_from(self.0.get() >> u32::BITS).unwrap_or(u32::MAX)
    }

    /// The element as a member of GF(2^64).
    pub(super) fn get(self) -> u64 {
        self.0.get()
    }

    /// A decoded element; `None` for 0, which none is.
    pub(super) fn from_root(root: u64) -> Option<Self> {
        NonZeroU64::new(root).map(Self)
    }
}

/// How many distinct units these elements are of.
pub(super) fn units(elements: &[Element]) -> usize {
    let mut units: Vec<u32> = elements.iter().map(|element| element.unit()).collect();
    units.sort_unstable();
    units.dedup();
    units.len()
}
