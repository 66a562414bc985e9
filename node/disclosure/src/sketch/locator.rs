//! How many elements a set of few has, from its syndromes.
//!
//! The Berlekamp–Massey algorithm (J. L. Massey, *Shift-Register Synthesis and BCH Decoding*, IEEE Trans. Inf. Theory
//! 15(1), 1969) gives the polynomial whose roots are the elements. Their number is its degree if all of its roots are
//! there and distinct, that is, if it divides x^(2^m) - x, the product of (x - e) over the whole field.
//!
//! Polynomials are coefficients from the constant up.

use super::field::{BITS, inverse, product, square};

/// The number of elements of the set with these odd syndromes; `None` if no set of at most `capacity` has them.
pub(super) fn size(odd: &[u16], capacity: usize) -> Option<usize> {
    let locator = locator(odd, capacity)?;
    let nonzero = locator.first().is_some_and(|constant| *constant != 0);
    (nonzero && splits(&locator)).then(|| degree(&locator))
}

/// The monic polynomial whose roots are the elements with these odd syndromes, if there are any.
fn locator(odd: &[u16], capacity: usize) -> Option<Vec<u16>> {
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
fn with_even(odd: &[u16]) -> Vec<u16> {
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
    connection: Vec<u16>,
    length: usize,
}

impl Register {
    /// What the register says too little for the last of `seen`.
    fn discrepancy(&self, seen: &[u16]) -> u16 {
        let terms = self.connection.iter().zip(seen.iter().rev());
        terms.fold(0, |sum, (coefficient, syndrome)| sum ^ product(*coefficient, *syndrome))
    }

    fn correct(&mut self, factor: u16, lag: usize, former: &[u16]) {
        let length = self.connection.len().max(former.len() + lag);
        self.connection.resize(length, 0);
        for (coefficient, earlier) in self.connection.iter_mut().skip(lag).zip(former) {
            *coefficient ^= product(factor, *earlier);
        }
    }

    /// The connection polynomial backwards, so that its roots are the elements in place of their inverses.
    fn into_locator(mut self) -> Option<Vec<u16>> {
        let beyond = self.connection.get(self.length + 1..).unwrap_or_default();
        if beyond.iter().any(|coefficient| *coefficient != 0) {
            return None;
        }
        self.connection.resize(self.length + 1, 0);
        self.connection.reverse();
        Some(self.connection)
    }
}

/// Whether a monic polynomial has as many distinct roots as its degree.
fn splits(monic: &[u16]) -> bool {
    let x = remainder(vec![0, 1], monic);
    (0..BITS).fold(x.clone(), |power, _| square_modulo(&power, monic)) == x
}

fn square_modulo(a: &[u16], monic: &[u16]) -> Vec<u16> {
    remainder(a.iter().flat_map(|coefficient| [square(*coefficient), 0]).collect(), monic)
}

/// The remainder by a monic polynomial, without leading zeros.
fn remainder(mut dividend: Vec<u16>, monic: &[u16]) -> Vec<u16> {
    while dividend.len() >= monic.len() {
        let Some(lead) = dividend.pop() else { break };
        for (coefficient, term) in dividend.iter_mut().rev().zip(monic.iter().rev().skip(1)) {
            *coefficient ^= product(lead, *term);
        }
    }
    while dividend.last() == Some(&0) {
        dividend.pop();
    }
    dividend
}

fn degree(polynomial: &[u16]) -> usize {
    polynomial.len().saturating_sub(1)
}
