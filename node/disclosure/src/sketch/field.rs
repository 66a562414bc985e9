//! Arithmetic in GF(2^14) modulo x^14 + x^10 + x^6 + x + 1, by logarithms; addition is xor.
//!
//! The modulus is primitive (W. W. Peterson, E. J. Weldon, *Error-Correcting Codes*, 2nd edition, 1972, appendix C), so
//! that x generates every element but 0.

use std::sync::LazyLock;

/// Bits of an element.
pub(super) const BITS: u32 = 14;
/// Elements other than 0, which is also the order of x.
pub(super) const ORDER: usize = (1 << BITS) - 1;

const MODULUS: u16 = 0b100_0100_0100_0011;

struct Logarithms {
    /// x^i for i below twice the order, so that a sum of two logarithms needs no reduction.
    powers: Vec<u16>,
    /// Of each element; that of 0 means nothing.
    of: Vec<u16>,
}

static LOGARITHMS: LazyLock<Logarithms> = LazyLock::new(|| {
    let mut powers = Vec::with_capacity(2 * ORDER);
    let mut of = vec![0; ORDER + 1];
    let mut power = 1_u16;
    for exponent in 0..2 * ORDER {
        powers.push(power);
        if exponent < ORDER
            && let Some(held) = of.get_mut(usize::from(power))
        {
            *held = u16::try_from(exponent).unwrap_or_default();
        }
        power = times_x(power);
    }
    Logarithms { powers, of }
});

/// The product of two elements.
pub(super) fn product(a: u16, b: u16) -> u16 {
    if a == 0 || b == 0 { 0 } else { power(logarithm(a) + logarithm(b)) }
}

/// The square.
pub(super) fn square(a: u16) -> u16 {
    product(a, a)
}

/// The inverse; 0 for 0.
pub(super) fn inverse(a: u16) -> u16 {
    if a == 0 { 0 } else { power(ORDER - logarithm(a)) }
}

fn power(exponent: usize) -> u16 {
    LOGARITHMS.powers.get(exponent).copied().unwrap_or_default()
}

fn logarithm(a: u16) -> usize {
    LOGARITHMS.of.get(usize::from(a)).copied().map_or(0, usize::from)
}

fn times_x(a: u16) -> u16 {
    let shifted = a << 1;
    if shifted >> BITS == 1 { shifted ^ MODULUS } else { shifted }
}

#[cfg(test)]
mod tests {
    use super::{BITS, ORDER, inverse, product, square, times_x};

    /// Bit by bit, as in the definition.
    fn slow_product(a: u16, b: u16) -> u16 {
        (0..BITS).rev().fold(0, |sum, bit| times_x(sum) ^ if (b >> bit) & 1 == 1 { a } else { 0 })
    }

    #[test]
    fn products_squares_and_inverses_are_those_of_the_definition() {
        let all = || 0..=u16::try_from(ORDER).unwrap_or_default();
        for a in all() {
            for b in [0, 1, 2, 0x1b, 0x2a55, 0x3fff, a] {
                assert_eq!(product(a, b), slow_product(a, b), "{a:x} {b:x}");
            }
            assert_eq!(square(a), slow_product(a, a), "{a:x}");
            assert_eq!(product(a, inverse(a)), u16::from(a != 0), "{a:x}");
        }
    }

    #[test]
    fn x_generates_every_element_but_zero() {
        let mut seen = vec![false; ORDER + 1];
        let mut power = 1;
        for _ in 0..ORDER {
            assert!(!std::mem::replace(&mut seen[usize::from(power)], true), "{power:x} comes twice");
            power = times_x(power);
        }
        assert_eq!((power, seen[0]), (1, false));
    }
}
