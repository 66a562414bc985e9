//! The roots of a polynomial over GF(2^64) by the Berlekamp trace algorithm.
//!
//! E. R. Berlekamp, *Factoring Polynomials over Large Finite Fields*, Math. Comp. 24, 1970. For every element b of a
//! basis, Tr(bx) is 0 on about half of the roots and 1 on the others, and no two roots agree for all b.
//!
//! Polynomials are coefficients from the constant up. Moduli are monic and keep their leading 1.

use super::field::{Multiplier, inverse, square};

/// All roots of a monic polynomial, or `None` unless it has as many distinct roots as its degree.
pub(super) fn roots(polynomial: Vec<u64>) -> Option<Vec<u64>> {
    if degree(&polynomial) == 0 {
        return Some(Vec::new());
    }
    let conjugates = conjugates(&polynomial)?;
    let mut factors = vec![polynomial];
    for bit in 0..u64::BITS {
        if factors.iter().all(|factor| degree(factor) == 1) {
            break;
        }
        let trace = trace(&conjugates, 1 << bit);
        factors = factors.into_iter().flat_map(|factor| split(factor, &trace)).collect();
    }
    factors.into_iter().map(|factor| if degree(&factor) == 1 { factor.first().copied() } else { None }).collect()
}

/// x, x², x⁴, …, x^(2^63) modulo the polynomial; `None` unless x^(2^64) is x again, that is, unless the polynomial
/// divides x^(2^64) - x, the product of (x - e) over the whole field.
fn conjugates(modulus: &[u64]) -> Option<Vec<Vec<u64>>> {
    let x = remainder(vec![0, 1], modulus);
    let mut all = Vec::with_capacity(64);
    let mut power = x.clone();
    for _ in 0..u64::BITS {
        let next = square_modulo(&power, modulus);
        all.push(std::mem::replace(&mut power, next));
    }
    (power == x).then_some(all)
}

/// Tr(bx) = Σ (bx)^(2^i) modulo the polynomial of these conjugates.
fn trace(conjugates: &[Vec<u64>], mut basis: u64) -> Vec<u64> {
    let mut sum = Vec::new();
    for conjugate in conjugates {
        sum.resize(conjugate.len().max(sum.len()), 0);
        let by_basis = Multiplier::<16>::new(basis);
        for (term, coefficient) in sum.iter_mut().zip(conjugate) {
            *term ^= by_basis.times(*coefficient);
        }
        basis = square(basis);
    }
    sum
}

/// The roots where the trace is 0 and those where it is 1, each as a factor; one factor if all are alike.
fn split(factor: Vec<u64>, trace: &[u64]) -> Vec<Vec<u64>> {
    if degree(&factor) == 1 {
        return vec![factor];
    }
    let zeros = common_divisor(factor.clone(), remainder(trace.to_vec(), &factor));
    if degree(&zeros) == 0 || degree(&zeros) == degree(&factor) {
        return vec![factor];
    }
    let ones = divide(factor, &zeros).0;
    vec![zeros, ones]
}

/// The monic greatest common divisor of a monic polynomial and another.
fn common_divisor(mut a: Vec<u64>, mut b: Vec<u64>) -> Vec<u64> {
    while let Some(lead) = b.last() {
        let scale = Multiplier::<16>::new(inverse(*lead));
        for coefficient in &mut b {
            *coefficient = scale.times(*coefficient);
        }
        let rest = remainder(a, &b);
        a = std::mem::replace(&mut b, rest);
    }
    a
}

fn square_modulo(a: &[u64], modulus: &[u64]) -> Vec<u64> {
    remainder(a.iter().flat_map(|coefficient| [square(*coefficient), 0]).collect(), modulus)
}

fn remainder(dividend: Vec<u64>, monic: &[u64]) -> Vec<u64> {
    divide(dividend, monic).1
}

/// Quotient and remainder by a monic polynomial, both without leading zeros.
fn divide(mut dividend: Vec<u64>, monic: &[u64]) -> (Vec<u64>, Vec<u64>) {
    let mut quotient = Vec::new();
    while dividend.len() >= monic.len() {
        let Some(lead) = dividend.pop() else { break };
        quotient.push(lead);
        if lead != 0 {
            let lead = Multiplier::<16>::new(lead);
            for (coefficient, term) in dividend.iter_mut().rev().zip(monic.iter().rev().skip(1)) {
                *coefficient ^= lead.times(*term);
            }
        }
    }
    quotient.reverse();
    while dividend.last() == Some(&0) {
        dividend.pop();
    }
    (quotient, dividend)
}

fn degree(polynomial: &[u64]) -> usize {
    polynomial.len().saturating_sub(1)
}
