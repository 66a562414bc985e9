//! The odd powers of every element, looked up in place of being multiplied: one line of memory for each unit of a cell.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::field::{ORDER, product, square};

/// Powers in one word.
pub(super) const IN_A_WORD: usize = 4;

/// The tables in use, by the words of an entry; 128 KiB for each word.
static TABLES: Mutex<BTreeMap<usize, Arc<Powers>>> = Mutex::new(BTreeMap::new());

/// e, e³, e⁵, … of each element e but 0, packed into words.
#[derive(Debug)]
pub(super) struct Powers {
    words: usize,
    of: Vec<u64>,
}

impl Powers {
    /// The table whose entries have so many words, made when it is first needed.
    pub(super) fn of(words: usize) -> Arc<Self> {
        let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tables.entry(words).or_insert_with(|| Arc::new(Self::new(words))))
    }

    fn new(words: usize) -> Self {
        let mut of = Vec::with_capacity(ORDER * words);
        for element in 1..=ORDER {
            let mut power = u16::try_from(element).unwrap_or_default();
            let by = square(power);
            for _ in 0..words {
                let mut word = 0;
                for place in 0..IN_A_WORD {
                    word |= u64::from(power) << (16 * place);
                    power = product(power, by);
                }
                of.push(word);
            }
        }
        Self { words, of }
    }

    /// Words of an entry.
    pub(super) fn words(&self) -> usize {
        self.words
    }

    /// The powers of the element that the highest bits name.
    #[inline]
    pub(super) fn at(&self, bits: u64) -> &[u64] {
        // Two values share an element, since none is 0.
        let element = usize::try_from(bits >> (u64::BITS - super::field::BITS)).unwrap_or_default().max(1) - 1;
        self.of.get(element * self.words..).unwrap_or_default()
    }
}

/// Powers in order.
pub(super) fn unpacked(words: &[u64]) -> Vec<u16> {
    words.iter().flat_map(|word| word.to_le_bytes().as_chunks().0.to_vec()).map(u16::from_le_bytes).collect()
}
