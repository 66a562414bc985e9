//! Amounts of money as people and accounts programs write them.

use super::{MONEY, NoValue};
use crate::sources::clean::clean;

/// Signs of currencies; the amount doesn't say which it was.
const CURRENCIES: [char; 3] = ['£', '$', '€'];
/// The hyphen, the minus sign, and the dash that word processors make of them.
const MINUS: [char; 3] = ['-', '\u{2212}', '\u{2013}'];

/// An amount in hundredths; `None` for an empty text.
///
/// A sign of a currency may stand before or behind; a minus before or behind, or parentheses around, make it negative;
/// thousands are parted by commas, blanks or apostrophes, in threes. A dash alone is zero, as accounts show it. More
/// than two digits behind the point are rounded, halves away from zero, as CAST does it.
pub(super) fn pence(text: &str) -> Result<Option<i128>, NoValue> {
    let Some(text) = clean(text) else { return Ok(None) };
    let mut amount = Signs::default();
    let mut digits: &str = &text;
    loop {
        let rest = digits.trim();
        let rest = match (rest.chars().next(), rest.chars().next_back()) {
            (Some('('), Some(')')) if rest.len() > 1 => {
                amount.parentheses += 1;
                rest.get(1..rest.len() - 1)
            }
            (Some(c), _) if amount.takes(c) => rest.get(c.len_utf8()..),
            (_, Some(c)) if amount.takes(c) => rest.get(..rest.len() - c.len_utf8()),
            _ => {
                digits = rest;
                break;
            }
        };
        digits = rest.ok_or(NoValue)?;
    }
    let Signs { minus, plus, currencies, parentheses } = amount;
    if minus + plus + parentheses > 1 || currencies > 1 {
        return Err(NoValue);
    }
    if digits.is_empty() {
        return if minus == 1 { Ok(Some(0)) } else { Err(NoValue) };
    }
    let hundredths = hundredths(digits)?;
    Ok(Some(if minus + parentheses > 0 { -hundredths } else { hundredths }))
}

/// What stands around the digits.
#[derive(Default)]
struct Signs {
    minus: u32,
    plus: u32,
    currencies: u32,
    parentheses: u32,
}

impl Signs {
    /// Whether it is a sign, which is counted then.
    fn takes(&mut self, c: char) -> bool {
        let count = match c {
            c if MINUS.contains(&c) => &mut self.minus,
            '+' => &mut self.plus,
            c if CURRENCIES.contains(&c) => &mut self.currencies,
            _ => return false,
        };
        *count += 1;
        true
    }
}

fn hundredths(text: &str) -> Result<i128, NoValue> {
    let (whole, parts) = text.split_once('.').unwrap_or((text, ""));
    if !parts.chars().all(|c| c.is_ascii_digit()) || whole.len() + parts.len() == 0 {
        return Err(NoValue);
    }
    let mut parts = parts.chars().filter_map(|c| c.to_digit(10));
    let two = 10 * parts.next().unwrap_or(0) + parts.next().unwrap_or(0);
    let rounded = u32::from(parts.next().is_some_and(|third| third >= 5));
    let mut sum: i128 = 0;
    for digit in ungrouped(whole)?.chars().filter_map(|c| c.to_digit(10)) {
        sum = sum.checked_mul(10).and_then(|sum| sum.checked_add(i128::from(digit))).ok_or(NoValue)?;
    }
    let sum = sum.checked_mul(100).and_then(|sum| sum.checked_add(i128::from(two + rounded))).ok_or(NoValue)?;
    if sum < 10_i128.pow(u32::from(MONEY.0)) { Ok(sum) } else { Err(NoValue) }
}

/// The digits of a whole number, parted in threes or not at all.
fn ungrouped(text: &str) -> Result<String, NoValue> {
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let Some(separator) = text.chars().find(|c| matches!(c, ',' | ' ' | '\'' | '’')) else {
        return if digits(text) { Ok(text.to_owned()) } else { Err(NoValue) };
    };
    for (index, group) in text.split(separator).enumerate() {
        let fits = if index == 0 { (1..=3).contains(&group.len()) } else { group.len() == 3 };
        if !fits || !digits(group) {
            return Err(NoValue);
        }
    }
    Ok(text.replace(separator, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_as_they_are_written() {
        for (text, expected) in [
            ("1234.5", 123_450),
            ("£1,234.50", 123_450),
            (" £1,234.50\u{a0}", 123_450),
            ("$ 12,345,678", 1_234_567_800),
            ("1 234,567.00 €".replace(',', " ").as_str(), 123_456_700),
            ("1\u{a0}234\u{2009}567", 123_456_700),
            ("1'234.5", 123_450),
            ("(250.00)", -25_000),
            ("(2,076.25)", -207_625),
            ("£(5.00)", -500),
            ("(£5.00)", -500),
            ("-£5", -500),
            ("£-5", -500),
            ("5.00-", -500),
            ("£5.00-", -500),
            ("−5.00", -500),
            ("–5.00", -500),
            ("+5", 500),
            (".5", 50),
            ("5.", 500),
            ("-", 0),
            ("£ -", 0),
            ("–", 0),
            ("0.005", 1),
            ("-0.005", -1),
            ("0.00499999", 0),
            ("170.85000000000002", 17_085),
            ("9999999999999999.99", 999_999_999_999_999_999),
        ] {
            assert_eq!(pence(text), Ok(Some(expected)), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_amount_is_none() {
        for text in [
            "n/a",
            "£",
            "()",
            "(-)",
            "--5",
            "-(5)",
            "(-5)",
            "-5-",
            "££5",
            "1,00",
            "1,2345",
            "1,23,456.00",
            ",123",
            "1.234,50",
            "1,234 567",
            "1.5E+06",
            "5 CR",
            "five",
            "5%",
            "1.2.3",
            "10000000000000000",
            ".",
            "(5",
            "5)",
            "٣",
            "1..2",
            "0x10",
        ] {
            assert_eq!(pence(text), Err(NoValue), "{text:?}");
        }
        assert_eq!((pence(""), pence(" \u{a0}\u{200b}")), (Ok(None), Ok(None)));
        assert_eq!(pence(&"9".repeat(100_000)), Err(NoValue));
    }
}
