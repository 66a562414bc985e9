//! The Berlekamp–Massey algorithm: from the syndromes of a set to the polynomial whose roots are its elements.
//!
//! J. L. Massey, *Shift-Register Synthesis and BCH Decoding*, IEEE Trans. Inf. Theory 15(1), 1969.

use super::field::{Multiplier, inverse, product, square};

/// The monic polynomial (coefficients from the constant up) whose roots are the elements with these odd syndromes.
///
/// `None` if no set of at most `capacity` elements has them. The roots are still to be checked: that they exist, are
/// distinct and aren't 0.
pub(super) fn locator(odd: &[u64], capacity: usize) -> Option<Vec<u64>> {
    let syndromes = with_even(odd);
    let mut shortest = Register { connection: vec![1], length: 0 };
    // The register before the length last changed, the inverse of its discrepancy, and the steps since.
    let mut former = vec![1];
    let mut former_inverse = 1;
    let mut lag = 1;
    // Over GF(2) the discrepancy of every second step is 0.
    for step in (0..syndromes.len()).step_by(2) {
        let discrepancy = shortest.discrepancy(syndromes.get(..=step)?);
        if discrepancy != 0 {
            let before = shortest.connection.clone();
            shortest.correct(product(discrepancy, former_inverse), lag, &former);
            if 2 * shortest.length <= step {
                shortest.length = step + 1 - shortest.length;
                former = before;
                former_inverse = inverse(discrepancy);
                lag = 0;
            }
            if shortest.length > capacity {
                return None;
            }
        }
        lag += 2;
    }
    shortest.into_locator()
}

/// The syndromes in order: the sum of the 2i-th powers is the square of that of the i-th.
fn with_even(odd: &[u64]) -> Vec<u64> {
    let mut all = Vec::with_capacity(2 * odd.len());
    for (half, syndrome) in odd.iter().enumerate() {
        all.push(*syndrome);
        all.push(all.get(half).copied().map(square).unwrap_or_default());
    }
    all
}

/// A linear feedback shift register that produces the syndromes seen so far.
struct Register {
    /// 1 + c₁x + c₂x² + …: the product of (1 - ex) over the elements e, once all is seen.
    connection: Vec<u64>,
    length: usize,
}

impl Register {
    /// What the register says too little for the last of `seen`.
    fn discrepancy(&self, seen: &[u64]) -> u64 {
        let terms = self.connection.iter().zip(seen.iter().rev());
        terms.fold(0, |sum, (coefficient, syndrome)| sum ^ product(*coefficient, *syndrome))
    }

    fn correct(&mut self, factor: u64, lag: usize, former: &[u64]) {
        let length = self.connection.len().max(former.len() + lag);
        self.connection.resize(length, 0);
        let factor = Multiplier::<16>::new(factor);
        for (coefficient, earlier) in self.connection.iter_mut().skip(lag).zip(former) {
            *coefficient ^= factor.times(*earlier);
        }
    }

    /// The connection polynomial backwards, so that its roots are the elements in place of their inverses.
    fn into_locator(mut self) -> Option<Vec<u64>> {
        let beyond = self.connection.get(self.length + 1..).unwrap_or_default();
        if beyond.iter().any(|coefficient| *coefficient != 0) {
            return None;
        }
        self.connection.resize(self.length + 1, 0);
        self.connection.reverse();
        Some(self.connection)
    }
}
