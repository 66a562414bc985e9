//! The binary form of PostgreSQL's numeric as a decimal of 128 bits.

/// What a numeric may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numeric {
    /// So many units of the scale.
    Value(i128),
    /// No number, or infinite.
    Beyond,
}

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITE: [u16; 2] = [0xD000, 0xF000];
/// Each digit of the binary form counts to this.
const BASE: u16 = 10_000;
const DECIMALS_OF_DIGIT: i32 = 4;
/// So many digits have a place in 64 bits, whatever they are.
const FEW_DIGITS: usize = 4;

/// Reads count of digits, weight of the first, sign, scale and the digits, 16 bits each; `None` for what is none, or has
/// digits beyond `scale`.
pub(super) fn numeric(bytes: &[u8], scale: i8) -> Option<Numeric> {
    let mut words = bytes.chunks_exact(2).map(|word| word.try_into().map_or(0, u16::from_be_bytes));
    let (count, weight, sign, _) = (words.next()?, words.next()?, words.next()?, words.next()?);
    if sign == NAN || INFINITE.contains(&sign) {
        return Some(Numeric::Beyond);
    }
    if usize::from(count) * 2 + 8 != bytes.len() || (sign != 0 && sign != NEGATIVE) {
        return None;
    }
    let mut weight = i32::from(weight.cast_signed());
    if usize::from(count) <= FEW_DIGITS {
        let last = (weight - i32::from(count) + 1) * DECIMALS_OF_DIGIT + i32::from(scale);
        return few(words, last).map(|value| Numeric::Value(if sign == NEGATIVE { -value } else { value }));
    }
    let mut value: i128 = 0;
    for digit in words {
        if digit >= BASE {
            return None;
        }
        // The digit counts 10^exponent, in units of the scale.
        let exponent = weight * DECIMALS_OF_DIGIT + i32::from(scale);
        let digit = i128::from(digit);
        let part = match u32::try_from(exponent) {
            Ok(_) if digit == 0 => 0,
            Ok(exponent) => digit.checked_mul(10_i128.checked_pow(exponent)?)?,
            Err(_) => {
                let below = 10_i128.checked_pow(exponent.unsigned_abs()).unwrap_or(i128::MAX);
                if digit % below != 0 {
                    return None;
                }
                digit / below
            }
        };
        value = value.checked_add(part)?;
        weight -= 1;
    }
    Some(Numeric::Value(if sign == NEGATIVE { -value } else { value }))
}

/// Few digits, the last of which counts 10^`last` in units of the scale: without any arithmetic of 128 bits but one product.
fn few(digits: impl Iterator<Item = u16>, last: i32) -> Option<i128> {
    let mut value: i64 = 0;
    for digit in digits {
        if digit >= BASE {
            return None;
        }
        value = value * i64::from(BASE) + i64::from(digit);
    }
    if value == 0 {
        return Some(0);
    }
    match u32::try_from(last) {
        Ok(last) => i128::from(value).checked_mul(10_i128.checked_pow(last)?),
        Err(_) => {
            // So few digits are no multiple of more.
            let below = 10_i64.checked_pow(last.unsigned_abs())?;
            (value % below == 0).then_some(i128::from(value / below))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn bytes(weight: i16, sign: u16, digits: &[u16]) -> Vec<u8> {
        let head = [u16::try_from(digits.len()).unwrap(), weight.cast_unsigned(), sign, 2];
        head.iter().chain(digits).flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn digits_count_by_their_weight() {
        let value = |weight, sign, digits: &[u16], scale| numeric(&bytes(weight, sign, digits), scale);
        // 12345.67 is 1 2345 . 6700
        assert_eq!(value(1, 0, &[1, 2345, 6700], 2), Some(Numeric::Value(1_234_567)));
        assert_eq!(value(1, NEGATIVE, &[1, 2345, 6700], 2), Some(Numeric::Value(-1_234_567)));
        // 0.00000001 is the first 4 decimals left out.
        assert_eq!(value(-2, 0, &[1], 8), Some(Numeric::Value(1)));
        assert_eq!(value(0, 0, &[], 2), Some(Numeric::Value(0)));
        // Trailing zeros are left out, too: 10^8.
        assert_eq!(value(2, 0, &[1], 0), Some(Numeric::Value(100_000_000)));
        assert_eq!(value(0, NAN, &[], 2), Some(Numeric::Beyond));
        // Digits beyond the scale that are zeros; few and many, to and fro.
        assert_eq!(value(0, 0, &[7, 8900, 0, 0], 2), Some(Numeric::Value(789)));
        assert_eq!(value(0, 0, &[7, 8900, 0, 0, 0], 2), Some(Numeric::Value(789)));
        assert_eq!(value(0, 0, &[7, 8910, 0, 0], 2), None);
        assert_eq!(value(0, 0, &[7, 8910, 0, 0, 0], 2), None);
        assert_eq!(
            value(3, 0, &[9999, 9999, 9999, 9999], 20),
            Some(Numeric::Value((10_i128.pow(16) - 1) * 10_i128.pow(20)))
        );
        assert_eq!(value(3, 0, &[9999, 9999, 9999, 9999], 30), None);
        assert_eq!(value(-9, 0, &[1], 36), Some(Numeric::Value(1)));
        assert_eq!(value(-9, 0, &[1], 35), None);
        assert_eq!(value(100, 0, &[0], 2), Some(Numeric::Value(0)));
        assert_eq!(value(0, 0, &[10_000], 2), None);
        // More decimals than the scale has, and more digits than 128 bits hold.
        assert_eq!(value(-1, 0, &[1], 2), None);
        assert_eq!(value(20, 0, &[1], 0), None);
        assert_eq!(numeric(&[0, 1, 0], 2), None);
        assert_eq!(numeric(&bytes(0, 0, &[1])[..8], 2), None);
    }
}
