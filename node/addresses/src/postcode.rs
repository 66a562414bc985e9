//! Postcodes of the United Kingdom, and how near two of them are.

/// Letters and digits of a postcode before the last three.
const OUTWARD: std::ops::RangeInclusive<usize> = 2..=4;
/// How much of a postcode's weight agrees where it is the same but for one character, or two that have changed places.
const SLIP: f64 = 0.75;
/// The same where only the sector, the district or the area is.
const SECTOR: f64 = 0.65;
const DISTRICT: f64 = 0.45;
const AREA: f64 = 0.15;

/// A postcode without its blank, in capitals: `NW18QP`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Postcode(String);

impl Postcode {
    /// The postcode that a text of letters and digits is; blanks are ignored.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let code: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_uppercase();
        let (outward, inward) = code.split_at_checked(code.len().checked_sub(3)?)?;
        (is_outward(outward) && is_inward(inward)).then_some(Self(code))
    }

    /// The postcode that two words make.
    pub(crate) fn of_two(outward: &str, inward: &str) -> Option<Self> {
        (is_outward(outward) && is_inward(inward)).then(|| Self(format!("{outward}{inward}")))
    }

    /// Its characters.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_outward(text: &str) -> bool {
    let letters = text.bytes().take_while(u8::is_ascii_uppercase).count();
    let mut rest = text.bytes().skip(letters);
    OUTWARD.contains(&text.len())
        && (1..=2).contains(&letters)
        && rest.next().is_some_and(|byte| byte.is_ascii_digit())
        && rest.all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

fn is_inward(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() == 3
        && bytes.next().is_some_and(|byte| byte.is_ascii_digit())
        && bytes.all(|byte| byte.is_ascii_uppercase())
}

/// How near two postcodes are, from 0 to 1.
pub(crate) fn nearness(one: &str, other: &str) -> f64 {
    if one == other {
        return 1.0;
    }
    if is_slip(one, other) {
        return SLIP;
    }
    let outward = |code: &str| code.len().checked_sub(3).and_then(|at| code.get(..at)).unwrap_or_default().to_owned();
    let sector = |code: &str| code.len().checked_sub(2).and_then(|at| code.get(..at)).unwrap_or_default().to_owned();
    let area = |code: &str| code.chars().take_while(char::is_ascii_uppercase).collect::<String>();
    if outward(one) == outward(other) {
        return if sector(one) == sector(other) { SECTOR } else { DISTRICT };
    }
    if area(one) == area(other) { AREA } else { 0.0 }
}

/// Whether they differ in one character, or in two neighbours that have changed places.
fn is_slip(one: &str, other: &str) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let differing: Vec<(usize, (u8, u8))> =
        one.bytes().zip(other.bytes()).enumerate().filter(|(_, (a, b))| a != b).collect();
    match differing.as_slice() {
        [_] => true,
        [(first, (a, b)), (second, (c, d))] => first + 1 == *second && a == d && b == c,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_postcode_is_known_by_its_form() {
        for text in ["NW1 8QP", "nw18qp", "E1 4AA", "EC1A 1BB", "W1A 1AA", "SW11 4LB"] {
            assert!(Postcode::of(text).is_some(), "{text}");
        }
        for text in ["", "NW1", "8QP", "12A", "HIGH", "NW1 8Q1", "123 4AB", "ABC1 2DE"] {
            assert!(Postcode::of(text).is_none(), "{text}");
        }
    }

    #[test]
    fn nearer_postcodes_agree_more() {
        for (one, other, expected) in [
            ("NW18QP", "NW18QP", 1.0),
            ("NW18QP", "NW18QR", SLIP),
            ("NW18QP", "NW18PQ", SLIP),
            ("NW18QP", "NW18RT", SECTOR),
            ("NW18QP", "NW19RT", DISTRICT),
            ("NW18QP", "NW33AB", AREA),
            ("NW18QP", "SE153AB", 0.0),
        ] {
            assert!((nearness(one, other) - expected).abs() < 1e-9, "{one} {other}");
        }
    }
}
