//! House numbers, ranges and flats: what tells one address of a street from another.

/// Most numbers between the ends of a range.
const LONGEST_RANGE: u32 = 98;
/// How well a number agrees with a range of the list that holds it.
pub(crate) const IN_RANGE: f64 = 0.85;

/// A number and the letter behind it: `12A`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct House {
    pub(crate) number: u32,
    pub(crate) letter: Option<char>,
}

impl House {
    /// The number that a text such as `12` or `12A` is.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, letter) = text.split_at_checked(digits)?;
        let mut letters = letter.chars();
        let letter = letters.next();
        let fits =
            (1..=5).contains(&digits) && letters.next().is_none() && letter.is_none_or(|c| c.is_ascii_uppercase());
        if fits { Some(Self { number: number.parse().ok()?, letter }) } else { None }
    }

    /// As it is written.
    pub(crate) fn text(self) -> String {
        format!("{}{}", self.number, self.letter.map(String::from).unwrap_or_default())
    }
}

/// A house number, or several: `12`, `12A`, `12-14`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number {
    pub(crate) first: House,
    pub(crate) last: House,
}

impl Number {
    pub(crate) fn one(house: House) -> Self {
        Self { first: house, last: house }
    }

    /// From one to another; `None` if they are no range.
    pub(crate) fn range(first: House, last: House) -> Option<Self> {
        let later = last.number > first.number || last.number == first.number && last.letter > first.letter;
        (later && last.number - first.number <= LONGEST_RANGE).then_some(Self { first, last })
    }

    pub(crate) fn is_range(self) -> bool {
        self.first != self.last
    }

    /// Its first number, if it is one number with a letter or without.
    pub(crate) fn single(self) -> Option<House> {
        (!self.is_range()).then_some(self.first)
    }

    /// The numbers under which it may be asked for: of a range those on one side of the street, unless its ends are not.
    pub(crate) fn members(self) -> impl Iterator<Item = House> {
        let (first, last) = (self.first.number, self.last.number);
        let step = if (last - first) % 2 == 0 { 2 } else { 1 };
        let ends = [Some(self.first), self.is_range().then_some(self.last)].into_iter().flatten();
        let between = (first..last).step_by(step).skip(1).map(|number| House { number, letter: None });
        ends.chain(between)
    }

    /// How well a number in a text agrees with this one of the list; `None` if they are different.
    pub(crate) fn agreement(self, said: Self) -> Option<f64> {
        if self == said {
            return Some(1.0);
        }
        let single = said.single()?;
        (self.is_range() && self.members().any(|member| member == single)).then_some(IN_RANGE)
    }
}

/// What a part of a building is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// A flat, apartment, maisonette or studio.
    Flat,
    /// A unit, suite or office.
    Unit,
    /// A room.
    Room,
    /// A floor.
    Floor,
}

impl Class {
    /// The class that a word in front of a number names.
    pub(crate) fn of(word: &str) -> Option<Self> {
        match word {
            "FLAT" | "FLT" | "APARTMENT" | "APT" | "APPT" | "APARTMENTS" | "MAISONETTE" | "MAIS" | "STUDIO" => {
                Some(Self::Flat)
            }
            "UNIT" | "UNITS" | "SUITE" | "OFFICE" | "WORKSHOP" | "STALL" => Some(Self::Unit),
            "ROOM" | "RM" | "BEDSIT" => Some(Self::Room),
            _ => None,
        }
    }
}

/// A part of a building: `FLAT 3A`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) class: Class,
    /// Its number, letter or word.
    pub(crate) id: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn house(text: &str) -> House {
        House::of(text).unwrap()
    }

    #[test]
    fn numbers_are_the_same_or_not() {
        let one = |text| Number::one(house(text));
        let range = |first, last| Number::range(house(first), house(last)).unwrap();
        for (list, said, agreement) in [
            (one("12"), one("12"), Some(1.0)),
            (one("12A"), one("12A"), Some(1.0)),
            (one("12"), one("12A"), None),
            (one("12A"), one("12"), None),
            (one("12"), one("2"), None),
            (range("12", "14"), range("12", "14"), Some(1.0)),
            (range("12", "14"), one("12"), Some(IN_RANGE)),
            (range("12", "14"), one("14"), Some(IN_RANGE)),
            (range("12", "18"), one("16"), Some(IN_RANGE)),
            (range("12", "14"), one("13"), None),
            (range("12", "15"), one("13"), Some(IN_RANGE)),
            (range("12A", "12C"), one("12A"), Some(IN_RANGE)),
            (one("12"), range("12", "14"), None),
        ] {
            assert_eq!(list.agreement(said), agreement, "{list:?} {said:?}");
        }
        for text in ["", "A", "12AB", "1234567", "-1", "1ST"] {
            assert_eq!(House::of(text), None, "{text}");
        }
        assert!(Number::range(house("14"), house("12")).is_none() && Number::range(house("1"), house("900")).is_none());
    }
}
