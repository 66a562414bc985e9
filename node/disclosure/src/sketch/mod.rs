//! Set sketches whose difference decodes with certainty up to a capacity: PinSketch over GF(2^64).
//!
//! A sketch holds the odd power sums (the syndromes of a BCH code) of the elements of a set. The xor of two sketches is
//! the sketch of the symmetric difference, and as long as that has no more elements than the capacity, it can be read
//! back exactly. Y. Dodis, R. Ostrovsky, L. Reyzin, A. Smith, *Fuzzy Extractors: How to Generate Strong Keys from
//! Biometrics and Other Noisy Data*, SIAM J. Comput. 38(1), 2008, section 6.3.

mod element;
mod field;
mod locator;
mod roots;

#[cfg(test)]
mod tests;

use std::fmt;

pub use element::Element;

/// Syndromes beyond the capacity, which a wrong decoding would have to meet by chance (2^-128).
pub const CHECKS: usize = 2;

/// Bytes of an outline.
const OUTLINE: usize = size_of::<u128>();

/// How far apart two sets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distance {
    /// The symmetric difference was decoded, and this many units are in it; a unit whose contribution differs counts
    /// once.
    Near(usize),
    /// The symmetric difference has more elements than the capacity.
    Far,
}

/// A set of elements, summed up in `capacity + CHECKS` syndromes and an [`Outline`].
#[derive(Clone, PartialEq, Eq)]
pub struct Sketch {
    outline: Outline,
    /// Σx, Σx³, Σx⁵, … over the elements x. Those of a smaller capacity are a prefix of these.
    syndromes: Vec<u64>,
}

/// The parity of the number of elements in each of 128 buckets of unit hashes.
///
/// It bounds a distance from below at once, and so spares nearly every decoding: of two unrelated sets of 10 units, one
/// pair in several thousand looks near.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Outline(u128);

impl Sketch {
    /// The sketch of the empty set.
    ///
    /// With `capacity = 2 (k - 1)` or more, every distance below `k` units is found: a changed contribution makes two
    /// elements of one unit.
    pub fn new(capacity: usize) -> Self {
        Self { outline: Outline::default(), syndromes: vec![0; capacity.saturating_add(CHECKS)] }
    }

    /// The most elements that a difference may have and still be decoded.
    pub fn capacity(&self) -> usize {
        self.syndromes.len().saturating_sub(CHECKS)
    }

    /// Puts an element in, or takes it out if it was in.
    pub fn toggle(&mut self, element: Element) {
        self.outline.toggle(element);
        let square = field::Multiplier::<64>::new(field::square(element.get()));
        let mut power = element.get();
        for syndrome in &mut self.syndromes {
            *syndrome ^= power;
            power = square.times(power);
        }
    }

    /// Becomes the sketch of the symmetric difference; of the union, if the two sets have nothing in common.
    ///
    /// Of two capacities the smaller remains.
    pub fn merge(&mut self, other: &Self) {
        self.outline.0 ^= other.outline.0;
        self.syndromes.truncate(other.syndromes.len());
        for (mine, theirs) in self.syndromes.iter_mut().zip(&other.syndromes) {
            *mine ^= theirs;
        }
    }

    /// Distance in units between two sets, exact up to the smaller of the two capacities.
    pub fn distance(&self, other: &Self) -> Distance {
        let mut difference = self.clone();
        difference.merge(other);
        match difference.decode() {
            Some(elements) => Distance::Near(element::units(&elements)),
            None => Distance::Far,
        }
    }

    /// What bounds distances to this set from below.
    pub fn outline(&self) -> Outline {
        self.outline
    }

    /// The outline (16 bytes) and then the syndromes (8 bytes each), little endian: 192 bytes at capacity 20.
    pub fn to_bytes(&self) -> Vec<u8> {
        let syndromes = self.syndromes.iter().flat_map(|syndrome| syndrome.to_le_bytes());
        self.outline.0.to_le_bytes().into_iter().chain(syndromes).collect()
    }

    /// Reads what [`Self::to_bytes`] wrote; `None` if the length fits no capacity.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (outline, words) = bytes.split_first_chunk::<OUTLINE>()?;
        let (words, rest) = words.as_chunks();
        let syndromes: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let whole = rest.is_empty() && syndromes.len() >= CHECKS;
        whole.then_some(Self { outline: Outline(u128::from_le_bytes(*outline)), syndromes })
    }

    /// The elements of the set, if they are no more than the capacity.
    fn decode(&self) -> Option<Vec<Element>> {
        let capacity = self.capacity();
        if Outline::default().apart(self.outline) > capacity {
            return None;
        }
        let locator = locator::locator(&self.syndromes, capacity)?;
        let elements: Vec<Element> =
            roots::roots(locator)?.into_iter().map(Element::from_root).collect::<Option<_>>()?;
        let mut again = Self::new(capacity);
        for element in &elements {
            again.toggle(*element);
        }
        (again == *self).then_some(elements)
    }
}

/// A small set can be read off its sketch, so that none is ever formatted.
impl fmt::Debug for Sketch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sketch").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

impl Outline {
    /// Two sets with these outlines are at least this many units apart; never more than 128.
    pub fn apart(self, other: Self) -> usize {
        usize::try_from((self.0 ^ other.0).count_ones()).unwrap_or(usize::MAX)
    }

    fn toggle(&mut self, element: Element) {
        self.0 ^= 1 << (element.unit() % u128::BITS);
    }
}
