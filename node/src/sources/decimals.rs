//! Casts texts to decimals as Arrow does, at a fraction of the cost: Arrow writes each number anew, and reads it with 256
//! bits.

use arrow::array::{Array, Decimal128Array, StringArray};
use arrow::buffer::ScalarBuffer;
use arrow::compute::parse_string_to_decimal_native;
use arrow::datatypes::{Decimal128Type, DecimalType};

/// The most digits whose number has a place in 64 bits, whatever they are.
const DIGITS: usize = 18;

/// The decimals that texts are; what is none is NULL where that is wanted (`total`). `None` where the cast is an error, and
/// for scales that text is not cast to.
pub(super) fn decimals(texts: &StringArray, precision: u8, scale: i8, total: bool) -> Option<Decimal128Array> {
    let places = usize::try_from(scale).ok()?;
    let powers: Vec<i128> =
        (0..=u32::from(scale.unsigned_abs())).map_while(|power| 10_i128.checked_pow(power)).collect();
    let decimal = |text: &str| {
        let value =
            plain(text, &powers).or_else(|| parse_string_to_decimal_native::<Decimal128Type>(text, places).ok())?;
        Decimal128Type::is_valid_decimal_precision(value, precision).then_some(value)
    };
    let found = if total {
        texts.iter().map(|text| decimal(text?)).collect::<Decimal128Array>()
    } else {
        let values = texts.iter().map(|text| text.map_or(Some(0), decimal)).collect::<Option<Vec<i128>>>()?;
        Decimal128Array::new(ScalarBuffer::from(values), texts.nulls().cloned())
    };
    found.with_precision_and_scale(precision, scale).ok()
}

/// The number that some digits are, with a sign or a point or without, in units of the last of the `powers` of ten; `None`
/// for all else, which may be a number yet.
fn plain(text: &str, powers: &[i128]) -> Option<i128> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let (mut value, mut places) = (0_u64, None);
    for byte in digits.get(..digits.len().min(DIGITS + 1))? {
        match byte {
            b'0'..=b'9' => {
                value = value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                places = places.map(|places: usize| places + 1);
            }
            b'.' if places.is_none() => places = Some(0),
            _ => return None,
        }
    }
    let count = digits.len() - usize::from(places.is_some());
    let missing = powers.len().checked_sub(1 + places.unwrap_or_default())?;
    if count == 0 || count > DIGITS || digits.len() > DIGITS + 1 {
        return None;
    }
    let value = i128::from(value).checked_mul(*powers.get(missing)?)?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray};
    use arrow::compute::{CastOptions, cast_with_options};
    use arrow::datatypes::DataType;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    /// What Arrow's cast gives.
    fn cast(texts: &StringArray, precision: u8, scale: i8, total: bool) -> Option<Decimal128Array> {
        let texts: ArrayRef = Arc::new(texts.clone());
        let options = CastOptions { safe: total, ..CastOptions::default() };
        let cast = cast_with_options(&texts, &DataType::Decimal128(precision, scale), &options).ok()?;
        Some(cast.as_primitive::<Decimal128Type>().clone())
    }

    fn check(text: Option<&str>) {
        let texts = StringArray::from(vec![Some("1"), text, None]);
        for (precision, scale) in [(14, 2), (38, 10), (5, 0), (3, 3), (38, 38), (18, 18)] {
            for total in [true, false] {
                let found = decimals(&texts, precision, scale, total);
                assert_eq!(found, cast(&texts, precision, scale, total), "{text:?} as {precision}, {scale}, {total}");
            }
        }
    }

    #[test]
    fn decimals_are_those_of_the_cast() {
        let texts = "0|-0|+0|1|-1|+1|12.5|-12.50|.5|-.5|+.5|5.|-5.|.|-|+||-.|+.|1.2.3|1..2|--1|+-1|1-|1e3|1E3|1,000| 1|1 |\u{a0}1|\
             \t-1.5\n|- 1|1_0|0x1|\u{663}|1\u{663}|NaN|inf|0.005|0.004|-0.005|99.995|00000000000000000001|000000000000000000.1|\
             01.10|1.5-|1.-5|1.+5|999999999999999999|9999999999999999999|999999999999.99|9999999999999.99|99999999999999999.9|\
             -999999999999999999|123456789012345678901234567890123456789|0.1234567890123456789|\
             1.000000000000000000000000000000000000001|170141183460469231731687303715884105728";
        for text in texts.split('|') {
            check(Some(text));
        }
        check(None);
    }

    const CHARACTERS: &[u8] = b"01234567890123456789..-+ e";

    #[test]
    fn any_texts_are_what_the_cast_makes_of_them() {
        let seed = rand::rng().random();
        eprintln!("seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        for _ in 0..20_000 {
            let length = random.random_range(0..24);
            let mut character = || char::from(CHARACTERS[random.random_range(0..CHARACTERS.len())]);
            let text: String = (0..length).map(|_| character()).collect();
            check(Some(&text));
        }
    }
}
