//! Arithmetic in GF(2^64) modulo x^64 + x^4 + x^3 + x + 1; addition is xor.
//!
//! Multiplication looks up multiples of one factor, a few bits of the other at a time. That isn't constant in time: it
//! works on keyed hashes and is seen by nobody outside the process.

/// Multiplies by one fixed element. `ENTRIES` is a power of two: 64 is fastest for 20 products, 16 for a few.
pub(super) struct Multiplier<const ENTRIES: usize>([u64; ENTRIES]);

impl<const ENTRIES: usize> Multiplier<ENTRIES> {
    const WINDOW: u32 = ENTRIES.ilog2();
    const MASK: u64 = (1 << Self::WINDOW) - 1;

    /// Entry i is i(x) · `factor`, i read as a polynomial.
    pub(super) fn new(factor: u64) -> Self {
        let mut multiples = [0; ENTRIES];
        let mut shifted = factor;
        for bit in 0..Self::WINDOW {
            let (done, rest) = multiples.split_at_mut(1 << bit);
            for (entry, lower) in rest.iter_mut().zip(done) {
                *entry = *lower ^ shifted;
            }
            shifted = times_x(shifted);
        }
        Self(multiples)
    }

    pub(super) fn times(&self, other: u64) -> u64 {
        let mut low = self.multiple(other);
        let mut high = 0;
        let mut shift = Self::WINDOW;
        while shift < u64::BITS {
            let multiple = self.multiple(other >> shift);
            low ^= multiple << shift;
            high ^= multiple >> (u64::BITS - shift);
            shift += Self::WINDOW;
        }
        reduce(low, high)
    }

    #[expect(clippy::cast_possible_truncation, reason = "masked to an index of the table")]
    fn multiple(&self, bits: u64) -> u64 {
        self.0.get((bits & Self::MASK) as usize).copied().unwrap_or_default()
    }
}

/// The product of two elements.
pub(super) fn product(a: u64, b: u64) -> u64 {
    Multiplier::<16>::new(a).times(b)
}

/// The square, which is linear over GF(2): it puts a 0 between any two bits.
pub(super) fn square(a: u64) -> u64 {
    reduce(spread(a & u64::from(u32::MAX)), spread(a >> u32::BITS))
}

/// The inverse, a^(2^64 - 2); 0 for 0.
pub(super) fn inverse(a: u64) -> u64 {
    let by_a = Multiplier::<64>::new(a);
    let mut power = a;
    for _ in 1..u64::BITS - 1 {
        power = by_a.times(square(power));
    }
    square(power)
}

fn times_x(a: u64) -> u64 {
    reduce(a << 1, a >> 63)
}

/// Folds x^64 to x^4 + x^3 + x + 1, twice, since the first fold runs over by 4 bits.
fn reduce(low: u64, high: u64) -> u64 {
    let high = high ^ (high >> 60) ^ (high >> 61) ^ (high >> 63);
    low ^ high ^ (high << 1) ^ (high << 3) ^ (high << 4)
}

/// Moves bit i of the low 32 to bit 2i.
fn spread(a: u64) -> u64 {
    let a = (a | (a << 16)) & 0x0000_ffff_0000_ffff;
    let a = (a | (a << 8)) & 0x00ff_00ff_00ff_00ff;
    let a = (a | (a << 4)) & 0x0f0f_0f0f_0f0f_0f0f;
    let a = (a | (a << 2)) & 0x3333_3333_3333_3333;
    (a | (a << 1)) & 0x5555_5555_5555_5555
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng, rngs::StdRng};

    use super::{Multiplier, inverse, product, square, times_x};

    /// Bit by bit, as in the definition.
    fn slow_product(a: u64, b: u64) -> u64 {
        let mut sum = 0;
        for bit in (0..u64::BITS).rev() {
            sum = times_x(sum) ^ if (b >> bit) & 1 == 1 { a } else { 0 };
        }
        sum
    }

    #[test]
    fn products_squares_and_inverses_are_those_of_the_definition() {
        let mut random = StdRng::seed_from_u64(64);
        let mut operands: Vec<u64> = (0..200).map(|_| random.random()).collect();
        operands.extend([0, 1, 2, 0x1b, u64::MAX, 1 << 63]);
        for &a in &operands {
            for &b in &operands {
                assert_eq!(product(a, b), slow_product(a, b), "{a:x} {b:x}");
                assert_eq!(Multiplier::<64>::new(a).times(b), slow_product(a, b), "{a:x} {b:x}");
            }
            assert_eq!(square(a), slow_product(a, a), "{a:x}");
            assert_eq!(product(a, inverse(a)), u64::from(a != 0), "{a:x}");
        }
    }

    /// Rabin's test: x^(2^64) = x, and x^(2^32) - x has no factor in common with the modulus, that is, an inverse.
    #[test]
    fn the_modulus_is_irreducible() {
        let raised = |squarings: u32| (0..squarings).fold(2, |power, _| square(power));
        assert_eq!(raised(64), 2);
        let difference = raised(32) ^ 2;
        assert_eq!(product(difference, inverse(difference)), 1);
    }
}
