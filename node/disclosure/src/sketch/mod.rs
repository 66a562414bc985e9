//! Fingerprints of sets of units whose distance can be read off them, up to a capacity: PinSketch over GF(2^14).
//!
//! A fingerprint holds the odd power sums (the syndromes of a BCH code) of the elements of a set. The xor of two is the
//! fingerprint of the symmetric difference, and as long as that has no more elements than the capacity, their number
//! can be read off exactly. Y. Dodis, R. Ostrovsky, L. Reyzin, A. Smith, *Fuzzy Extractors: How to Generate Strong Keys
//! from Biometrics and Other Noisy Data*, SIAM J. Comput. 38(1), 2008, section 6.3.
//!
//! Elements are 14 bits of keyed hashes, so that their powers fit in a table and a unit costs one look into it. Two of d
//! differing units share an element by a chance of d²/2^15, and the sets then look nearer than they are, never farther:
//! what is near is always found, and what looks near and is not is treated with more care than it needs.
//!
//! Where units contribute different amounts, there are two power sums: one over units, which tells how many are in one
//! set alone, and one over pairs of unit and contribution, in which a unit whose contribution differs is two elements.

mod field;
mod locator;
mod powers;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use powers::{IN_A_WORD, Powers, unpacked};

/// Syndromes beyond the capacity, which sets that are farther apart would have to meet by chance (2^-42).
const CHECKS: usize = 3;

/// Words of an outline.
const OUTLINE: usize = 2;

/// How far apart two sets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distance {
    /// This many units are in one set alone, or contribute differently.
    Near(usize),
    /// More than the capacity.
    Far,
}

/// What a fingerprint tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// The most units by which two sets may differ and still be near.
    pub capacity: u16,
    /// Whether contributions are told apart, and not units alone.
    pub contributions: bool,
}

impl Shape {
    /// Words of the part over units, and of that over contributions.
    fn words(self) -> (usize, usize) {
        let words = |capacity: usize| (capacity + CHECKS).div_ceil(IN_A_WORD);
        let capacity = usize::from(self.capacity);
        (words(capacity), if self.contributions { words(2 * capacity) } else { 0 })
    }

    /// Words of a fingerprint.
    fn stride(self) -> usize {
        let (units, contributions) = self.words();
        OUTLINE + units + contributions
    }
}

/// One part of the fingerprints of many sets, which grow by one element after another.
#[derive(Debug)]
pub struct Parts {
    powers: Arc<Powers>,
    /// Words of a set's outline, which only the part over units has.
    outline: usize,
    /// One set after another: its outline, its syndromes.
    words: Vec<u64>,
}

impl Parts {
    /// The parts over units, of no sets.
    pub fn of_units(capacity: u16) -> Self {
        let (units, _) = Shape { capacity, contributions: false }.words();
        Self { powers: Powers::of(units), outline: OUTLINE, words: Vec::new() }
    }

    /// The parts over pairs of unit and contribution, of no sets.
    pub fn of_contributions(capacity: u16) -> Self {
        let (_, pairs) = Shape { capacity, contributions: true }.words();
        Self { powers: Powers::of(pairs), outline: 0, words: Vec::new() }
    }

    /// Words of one set.
    fn stride(&self) -> usize {
        self.outline + self.powers.words()
    }

    /// Adds empty sets up to a number.
    pub fn grow(&mut self, sets: usize) {
        self.words.resize(sets * self.stride(), 0);
    }

    /// Puts units into sets, by position, or takes out those that were in.
    ///
    /// A unit is its 64-bit hash under a secret key.
    pub fn toggle_units(&mut self, sets: &[usize], units: &[u64]) {
        let of = sets.iter().copied().zip(units.iter().copied());
        // Of lengths that are known to the compiler where k is up to 14.
        match self.powers.words() {
            1 => self.outlined::<1, 3>(of),
            2 => self.outlined::<2, 4>(of),
            3 => self.outlined::<3, 5>(of),
            4 => self.outlined::<4, 6>(of),
            words => of.for_each(|(set, unit)| {
                let stride = OUTLINE + words;
                let words = self.words.get_mut(set * stride..(set + 1) * stride);
                let Some((outline, syndromes)) = words.and_then(<[u64]>::split_first_chunk_mut) else { return };
                Outline::toggle(outline, unit);
                add(syndromes, self.powers.at(unit));
            }),
        }
    }

    /// The same for units with what they contribute, in fixed point.
    pub fn toggle_contributions<N: Copy + Into<i128>>(&mut self, sets: &[usize], units: &[u64], contributions: &[N]) {
        let pairs = units.iter().zip(contributions).map(|(unit, contribution)| paired(*unit, (*contribution).into()));
        let of = sets.iter().copied().zip(pairs);
        match self.powers.words() {
            3 => self.bare::<3>(of),
            4 => self.bare::<4>(of),
            5 => self.bare::<5>(of),
            6 => self.bare::<6>(of),
            7 => self.bare::<7>(of),
            8 => self.bare::<8>(of),
            stride => of.for_each(|(set, element)| {
                if let Some(syndromes) = self.words.get_mut(set * stride..(set + 1) * stride) {
                    add(syndromes, self.powers.at(element));
                }
            }),
        }
    }

    fn outlined<const WORDS: usize, const STRIDE: usize>(&mut self, of: impl Iterator<Item = (usize, u64)>) {
        let (sets, _) = self.words.as_chunks_mut::<STRIDE>();
        for (set, unit) in of {
            let Some((outline, syndromes)) = sets.get_mut(set).and_then(|set| set.split_first_chunk_mut()) else {
                continue;
            };
            Outline::toggle(outline, unit);
            added::<WORDS>(syndromes, self.powers.at(unit));
        }
    }

    fn bare<const WORDS: usize>(&mut self, of: impl Iterator<Item = (usize, u64)>) {
        let (sets, _) = self.words.as_chunks_mut::<WORDS>();
        for (set, element) in of {
            if let Some(syndromes) = sets.get_mut(set) {
                added::<WORDS>(syndromes, self.powers.at(element));
            }
        }
    }

    /// Makes a set the symmetric difference of itself and another, which is their union where they have nothing in common.
    ///
    /// `None`, and nothing is changed, if the other is of another length.
    pub fn merge(&mut self, set: usize, other: &[u64]) -> Option<()> {
        let stride = self.stride();
        let words = self.words.get_mut(set * stride..(set + 1) * stride)?;
        if other.len() != stride {
            return None;
        }
        add(words, other);
        Some(())
    }

    /// Takes the first sets out, in words; those after them move up.
    pub fn take(&mut self, sets: usize) -> Vec<Vec<u64>> {
        let stride = self.stride();
        let taken: Vec<u64> = self.words.drain(..(sets * stride).min(self.words.len())).collect();
        taken.chunks_exact(stride).map(<[u64]>::to_vec).collect()
    }

    /// Bytes held.
    pub fn size(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}

fn add(words: &mut [u64], other: &[u64]) {
    words.iter_mut().zip(other).for_each(|(word, other)| *word ^= other);
}

#[inline]
fn added<const WORDS: usize>(syndromes: &mut [u64], powers: &[u64]) {
    if let (Some(syndromes), Some(powers)) = (syndromes.first_chunk_mut::<WORDS>(), powers.first_chunk::<WORDS>()) {
        add(syndromes, powers);
    }
}

/// The fingerprint of one set.
#[derive(Clone, PartialEq, Eq)]
pub struct Sketch {
    shape: Shape,
    words: Vec<u64>,
}

/// The parity of the number of units in each of 128 buckets of unit hashes.
///
/// It bounds a distance from below at once, and so spares nearly every decoding: of two unrelated sets of 10 units, one
/// pair in several thousand looks near.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Outline([u64; OUTLINE]);

impl Sketch {
    /// The fingerprint of the set of these units with their contributions.
    pub fn of(shape: Shape, set: impl IntoIterator<Item = (u64, i128)>) -> Self {
        let mut units = Parts::of_units(shape.capacity);
        units.grow(1);
        let (of, contributions): (Vec<u64>, Vec<i128>) = set.into_iter().unzip();
        let one = vec![0; of.len()];
        units.toggle_units(&one, &of);
        let mut words = units.words;
        if shape.contributions {
            let mut pairs = Parts::of_contributions(shape.capacity);
            pairs.grow(1);
            pairs.toggle_contributions(&one, &of, &contributions);
            words.extend(pairs.words);
        }
        Self { shape, words }
    }

    /// A fingerprint of its parts: the one over units, and of sums the one over contributions.
    ///
    /// `None` if they are of another capacity.
    pub fn of_parts(capacity: u16, units: &[u64], contributions: Option<&[u64]>) -> Option<Self> {
        let shape = Shape { capacity, contributions: contributions.is_some() };
        let contributions = contributions.unwrap_or_default();
        let (of_units, of_contributions) = shape.words();
        let fits = units.len() == OUTLINE + of_units && contributions.len() == of_contributions;
        fits.then(|| Self { shape, words: [units, contributions].concat() })
    }

    /// What it tells apart.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Distance in units between two sets, up to the smaller of the two capacities; sets of two sorts are far.
    pub fn distance(&self, other: &Self) -> Distance {
        let capacity = usize::from(self.shape.capacity.min(other.shape.capacity));
        let sorts = (self.shape.contributions, other.shape.contributions);
        if sorts.0 != sorts.1 || self.outline().apart(other.outline()) > capacity {
            return Distance::Far;
        }
        let (mine, theirs) = (self.parts(), other.parts());
        let Some(alone) = size(mine.0, theirs.0, capacity) else { return Distance::Far };
        if !sorts.0 {
            return Distance::Near(alone);
        }
        let Some(elements) = size(mine.1, theirs.1, 2 * capacity) else { return Distance::Far };
        // A unit in one set alone is one element, a changed one is two.
        match alone + elements.saturating_sub(alone).div_ceil(2) {
            units if units > capacity => Distance::Far,
            units => Distance::Near(units),
        }
    }

    /// What bounds distances to this set from below.
    pub fn outline(&self) -> Outline {
        Outline(self.words.first_chunk().copied().unwrap_or_default())
    }

    /// Capacity (2 bytes, little endian), whether contributions are told apart (1 byte), and then the outline and the
    /// syndromes (2 bytes each): 43 bytes of a count of capacity 9, 91 bytes of a sum.
    pub fn to_bytes(&self) -> Vec<u8> {
        let [low, high] = self.shape.capacity.to_le_bytes();
        let words = self.words.iter().flat_map(|word| word.to_le_bytes());
        [low, high, u8::from(self.shape.contributions)].into_iter().chain(words).collect()
    }

    /// Reads what [`Self::to_bytes`] wrote; `None` if that did not write it.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let ([low, high, contributions @ (0 | 1)], words) = bytes.split_first_chunk()? else { return None };
        let shape = Shape { capacity: u16::from_le_bytes([*low, *high]), contributions: *contributions == 1 };
        let (words, rest) = words.as_chunks();
        let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        (rest.is_empty() && words.len() == shape.stride()).then_some(Self { shape, words })
    }

    /// The syndromes over units and those over contributions.
    fn parts(&self) -> (&[u64], &[u64]) {
        let parts = self.words.get(OUTLINE..).unwrap_or_default();
        parts.split_at_checked(self.shape.words().0).unwrap_or_default()
    }
}

/// A small set can be read off its sketch, so that none is ever formatted.
impl fmt::Debug for Sketch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sketch").field("shape", &self.shape).finish_non_exhaustive()
    }
}

impl Outline {
    #[inline]
    fn toggle(words: &mut [u64; OUTLINE], unit: u64) {
        let bit = u128::from(unit >> u32::BITS) % u128::BITS as u128;
        words[usize::from(bit >= 64)] ^= 1 << (bit % 64);
    }

    /// Two sets with these outlines are at least this many units apart; never more than 128.
    pub fn apart(self, other: Self) -> usize {
        let differing = self.0.iter().zip(other.0).map(|(mine, theirs)| (mine ^ theirs).count_ones());
        usize::try_from(differing.sum::<u32>()).unwrap_or(usize::MAX)
    }
}

/// The number of elements of the difference of two sets, if it is not more than the capacity. The syndromes of a smaller
/// capacity are a prefix of those of a larger.
fn size(mine: &[u64], theirs: &[u64], capacity: usize) -> Option<usize> {
    let difference: Vec<u64> = mine.iter().zip(theirs).map(|(mine, theirs)| mine ^ theirs).collect();
    locator::size(&unpacked(&difference), capacity)
}

/// The hash of a unit together with its contribution; its highest bits count.
///
/// Two contributions of one unit share their highest 14 bits by a chance of 2^-13 over the units' hashes, which multiply
/// here: M. Dietzfelbinger, T. Hagerup, J. Katajainen, M. Penttonen, *A Reliable Randomized Algorithm for the
/// Closest-Pair Problem*, J. Algorithms 25(1), 1997.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the two halves of the number")]
fn paired(unit: u64, contribution: i128) -> u64 {
    let (low, high) = (contribution as u64, (contribution >> 64) as u64);
    let by_low = (unit | 1).wrapping_mul(low);
    by_low.wrapping_add((unit.rotate_left(32) | 1).wrapping_mul(high))
}
