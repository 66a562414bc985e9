//! An address as people write it, as words, numbers, parts of buildings and a postcode.

mod words;

use super::designator::{Class, House, Number, Part};
use super::postcode::Postcode;
use words::{DESCRIBED, DIRECTIONS, NOISE, spelled};
pub(crate) use words::{is_building_type, is_street_type};

/// A piece of an address.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    Word(String),
    Number(Number),
    Part(Part),
}

/// A text as pieces, each with the number of its stretch between commas.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Parsed {
    pub(crate) pieces: Vec<(Piece, usize)>,
    pub(crate) postcode: Option<Postcode>,
}

/// A word or a sign as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Raw {
    Word(String),
    Dash,
    Slash,
    And,
}

/// Takes a text apart.
pub(crate) fn parse(text: &str) -> Parsed {
    let (mut raw, postcode) = without_postcode(raw(text));
    spell_saints(&mut raw);
    let mut reader = Reader { raw: &raw, at: 0, pieces: Vec::new() };
    while reader.step() {}
    Parsed { pieces: reader.pieces, postcode }
}

fn raw(text: &str) -> Vec<(Raw, usize)> {
    let mut found: Vec<(Raw, usize)> = Vec::new();
    let (mut word, mut segment) = (String::new(), 0);
    let flush = |word: &mut String, found: &mut Vec<(Raw, usize)>, segment: usize| {
        if !word.is_empty() {
            let word = std::mem::take(word);
            found.push((if word == "TO" { Raw::Dash } else { Raw::Word(word) }, segment));
        }
    };
    for c in text.chars().flat_map(char::to_uppercase) {
        match c {
            '\'' | '’' | '`' | '.' => {}
            c if c.is_alphanumeric() => word.push(unaccented(c)),
            _ => {
                flush(&mut word, &mut found, segment);
                match c {
                    ',' | ';' | '\n' | '\r' | '|' | ':' => segment += 1,
                    '-' | '–' | '—' => found.push((Raw::Dash, segment)),
                    '/' | '\\' => found.push((Raw::Slash, segment)),
                    '&' | '+' => found.push((Raw::And, segment)),
                    _ => {}
                }
            }
        }
    }
    flush(&mut word, &mut found, segment);
    found
}

fn unaccented(c: char) -> char {
    match c {
        'À'..='Å' => 'A',
        'È'..='Ë' => 'E',
        'Ì'..='Ï' => 'I',
        'Ò'..='Ö' => 'O',
        'Ù'..='Ü' => 'U',
        'Ç' => 'C',
        'Ñ' => 'N',
        'Ŵ' => 'W',
        'Ŷ' | 'Ý' => 'Y',
        other => other,
    }
}

fn word(found: Option<&(Raw, usize)>) -> Option<&str> {
    match found {
        Some((Raw::Word(word), _)) => Some(word),
        _ => None,
    }
}

/// Takes out the last postcode.
fn without_postcode(mut raw: Vec<(Raw, usize)>) -> (Vec<(Raw, usize)>, Option<Postcode>) {
    for at in (0..raw.len()).rev() {
        let Some(last) = word(raw.get(at)) else { continue };
        // `1ST` and `2ND` could be the end of one.
        let floor = matches!(word(raw.get(at + 1)), Some("FLOOR" | "FLR"));
        if let Some(found) =
            at.checked_sub(1).and_then(|before| Postcode::of_two(word(raw.get(before))?, last)).filter(|_| !floor)
        {
            raw.drain(at - 1..=at);
            return (raw, Some(found));
        }
        if let Some(found) = Postcode::of(last) {
            raw.remove(at);
            return (raw, Some(found));
        }
    }
    (raw, None)
}

/// ST is a street behind a word, and a saint elsewhere, as it is where the name of a street goes on behind it.
fn spell_saints(raw: &mut [(Raw, usize)]) {
    for at in 0..raw.len() {
        let (Some("ST"), Some((_, segment))) = (word(raw.get(at)), raw.get(at)) else { continue };
        let segment = *segment;
        let is_word = |found: &(Raw, usize)| {
            found.1 == segment
                && matches!(&found.0, Raw::Word(word) if House::of(word).is_none() && !NOISE.contains(&word.as_str()) && Class::of(word).is_none())
        };
        let behind = at.checked_sub(1).and_then(|before| raw.get(before)).is_some_and(is_word);
        let later = raw.iter().skip(at + 1).take_while(|found| found.1 == segment);
        let goes_on =
            later.filter_map(|found| word(Some(found))).any(|word| word == "ST" || is_street_type(&spelled(word)));
        let spelled = if behind && !goes_on { "STREET" } else { "SAINT" };
        if let Some((raw, _)) = raw.get_mut(at) {
            *raw = Raw::Word(spelled.to_owned());
        }
    }
}

/// The floor that words name, and how many of them there are.
fn floor(first: Option<&str>, second: Option<&str>, third: Option<&str>) -> Option<(String, usize)> {
    let is_floor = |word: Option<&str>| matches!(word, Some("FLOOR" | "FLR"));
    let level = |word: &str| match word {
        "GROUND" | "GRD" => Some("0"),
        "1ST" | "FIRST" => Some("1"),
        "2ND" | "SECOND" => Some("2"),
        "3RD" | "THIRD" => Some("3"),
        "4TH" | "FOURTH" => Some("4"),
        "5TH" | "FIFTH" => Some("5"),
        "TOP" => Some("TOP"),
        "BASEMENT" => Some("BASEMENT"),
        _ => None,
    };
    match (first?, second) {
        ("GFF", _) => Some(("FLOOR0".into(), 1)),
        ("FFF", _) => Some(("FLOOR1".into(), 1)),
        ("SFF", _) => Some(("FLOOR2".into(), 1)),
        (at @ ("LOWER" | "UPPER"), Some("GROUND")) if is_floor(third) => Some((format!("{at}FLOOR0"), 3)),
        (named, _) if is_floor(second) => level(named).map(|level| (format!("FLOOR{level}"), 2)),
        _ => None,
    }
}

/// Reads pieces from left to right.
struct Reader<'a> {
    raw: &'a [(Raw, usize)],
    at: usize,
    pieces: Vec<(Piece, usize)>,
}

impl<'a> Reader<'a> {
    fn word(&self, ahead: usize) -> Option<&'a str> {
        word(self.raw.get(self.at + ahead))
    }

    fn take(&mut self, piece: Piece, segment: usize, raws: usize) {
        self.pieces.push((piece, segment));
        self.at += raws;
    }

    /// Whether there was something.
    fn step(&mut self) -> bool {
        let Some((raw, segment)) = self.raw.get(self.at) else { return false };
        let segment = *segment;
        let Raw::Word(word) = raw else {
            self.at += 1;
            return true;
        };
        if self.part(word, segment) || self.number(word, segment) {
            return true;
        }
        let word = spelled(word);
        if NOISE.contains(&word.as_str()) {
            self.at += 1;
        } else {
            self.take(Piece::Word(word), segment, 1);
        }
        true
    }

    /// A floor, or a flat with its number, letter or description.
    fn part(&mut self, word: &str, segment: usize) -> bool {
        if let Some((id, mut raws)) = floor(Some(word), self.word(1), self.word(2)) {
            let flat = self.word(raws).and_then(Class::of).is_some();
            // FIRST FLOOR FLAT, and not FIRST FLOOR, FLAT 2.
            raws += usize::from(flat && !self.is_flat_id(raws + 1));
            self.take(Piece::Part(Part { class: Class::Floor, id }), segment, raws);
            return true;
        }
        if DESCRIBED.contains(&word) && self.word(1).and_then(Class::of) == Some(Class::Flat) && !self.is_flat_id(2) {
            self.take(Piece::Part(Part { class: Class::Flat, id: word.to_owned() }), segment, 2);
            return true;
        }
        let Some(class) = Class::of(word) else { return false };
        let Some(id) =
            self.word(1).filter(|id| is_id(id) && self.raw.get(self.at + 1).is_some_and(|(_, of)| *of == segment))
        else {
            self.take(Piece::Part(Part { class, id: "FLAT".into() }), segment, 1);
            return true;
        };
        // FLAT 3 A, 12 HIGH STREET
        let letter =
            self.word(2).filter(|letter| is_letter(letter) && House::of(id).is_some_and(|id| id.letter.is_none()));
        let letter = letter.filter(|_| self.word(3).is_none_or(|next| House::of(next).is_some()));
        let raws = 2 + usize::from(letter.is_some());
        let id = format!("{}{}", plain(id), letter.unwrap_or_default());
        self.take(Piece::Part(Part { class, id }), segment, raws);
        true
    }

    /// Whether a word ahead, behind FLAT with a description before it, is the flat's and not the building's: BASEMENT FLAT 9
    /// MILL LANE is at 9.
    fn is_flat_id(&self, ahead: usize) -> bool {
        let segment = |ahead: usize| self.raw.get(self.at + ahead).map(|(_, segment)| *segment);
        let goes_on =
            segment(ahead + 1) == segment(ahead) && self.word(ahead + 1).is_some_and(|next| House::of(next).is_none());
        self.word(ahead).is_some_and(is_id) && segment(ahead) == ahead.checked_sub(1).and_then(segment) && !goes_on
    }

    /// A number, with its letter or up to another.
    fn number(&mut self, word: &str, segment: usize) -> bool {
        let Some((first, raws)) = self.house(word, 0) else { return false };
        let sign = self.raw.get(self.at + raws).map(|(raw, _)| raw);
        let other = self.word(raws + 1).and_then(|word| self.house(word, raws + 1));
        if let (Some(sign @ (Raw::Dash | Raw::Slash | Raw::And)), Some((second, more))) = (sign, other) {
            let all = raws + 1 + more;
            match Number::range(first, second) {
                Some(range) if *sign != Raw::Slash || (second.number - first.number) % 2 == 0 => {
                    self.take(Piece::Number(range), segment, all);
                }
                _ if *sign == Raw::Slash => {
                    // 3/12 HIGH STREET is flat 3.
                    self.take(Piece::Part(Part { class: Class::Flat, id: first.text() }), segment, 0);
                    self.take(Piece::Number(Number::one(second)), segment, all);
                }
                _ => self.take(Piece::Number(Number::one(first)), segment, raws),
            }
            return true;
        }
        self.take(Piece::Number(Number::one(first)), segment, raws);
        true
    }

    /// A house number ahead, and over how many words it goes: `12`, `12A`, `12 A`.
    fn house(&self, word: &str, ahead: usize) -> Option<(House, usize)> {
        let house = House::of(word)?;
        let same = |ahead: usize| self.raw.get(self.at + ahead).map(|(_, segment)| *segment);
        let letter = self.word(ahead + 1).filter(|letter| {
            is_letter(letter)
                && !DIRECTIONS.contains(letter)
                && same(ahead) == same(ahead + 1)
                && house.letter.is_none()
        });
        Some(match letter.and_then(|letter| letter.chars().next()) {
            Some(letter) => (House { letter: Some(letter), ..house }, 2),
            None => (house, 1),
        })
    }
}

fn is_letter(text: &str) -> bool {
    text.len() == 1 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Whether a flat may be called so: `3`, `3A`, `A`, `A3`, `12B`.
fn is_id(text: &str) -> bool {
    text.len() <= 5 && (is_letter(text) || text.bytes().any(|byte| byte.is_ascii_digit())) && !text.ends_with("ST")
}

/// Without zeros in front.
fn plain(id: &str) -> &str {
    let bare = id.trim_start_matches('0');
    if bare.is_empty() { id } else { bare }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let Parsed { pieces, postcode } = parse(text);
        let mut shown: Vec<String> = pieces
            .iter()
            .map(|(piece, _)| match piece {
                Piece::Word(word) => word.clone(),
                Piece::Number(number) if number.is_range() => {
                    format!("#{}-{}", number.first.text(), number.last.text())
                }
                Piece::Number(number) => format!("#{}", number.first.text()),
                Piece::Part(part) => format!("[{}]", part.id),
            })
            .collect();
        shown.extend(postcode.map(|postcode| format!("@{}", postcode.as_str())));
        shown.join(" ")
    }

    #[test]
    fn texts_are_taken_apart() {
        for (text, expected) in [
            ("Flat 3, 12 High St, London NW1 8QP", "[3] #12 HIGH STREET LONDON @NW18QP"),
            ("APARTMENT 3A 12-14 HIGH STREET", "[3A] #12-14 HIGH STREET"),
            ("Unit B, 12 – 14 Mill Ln", "[B] #12-14 MILL LANE"),
            ("12 a Acacia Ave.", "#12A ACACIA AVENUE"),
            ("12A, Acacia Avenue", "#12A ACACIA AVENUE"),
            ("5 St. James's St", "#5 SAINT JAMESS STREET"),
            ("5 Old St", "#5 OLD STREET"),
            ("Alpha Court, St James Road", "ALPHA COURT SAINT JAMES ROAD"),
            ("First Floor Flat, 9 Mill Lane", "[FLOOR1] #9 MILL LANE"),
            ("1st floor, flat 2, 9 Mill Lane", "[FLOOR1] [2] #9 MILL LANE"),
            ("Basement flat 9 Mill Lane", "[BASEMENT] #9 MILL LANE"),
            ("3/12 Mill Lane nw18qp", "[3] #12 MILL LANE @NW18QP"),
            ("12/14 Mill Lane", "#12-14 MILL LANE"),
            ("The Flat, 9 Mill Lane", "[FLAT] #9 MILL LANE"),
            ("9 First Avenue", "#9 1ST AVENUE"),
            ("Flat 3 A 12 High Street", "[3A] #12 HIGH STREET"),
            ("12 W Park Road", "#12 WEST PARK ROAD"),
            ("  ,,-- ", ""),
            ("", ""),
            ("Caf\u{e9} Rouge, 7 \u{0}High Street", "CAFE ROUGE #7 HIGH STREET"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn any_text_is_taken_apart() {
        for text in [
            "\u{202e}\u{feff}ſßŉ",
            "1/2/3/4-5-6&7",
            "FLAT FLAT FLAT",
            "99999999999999",
            "A1 1ST FLOOR",
            "///",
            "TO TO 5 TO",
        ] {
            parse(text);
        }
        parse(&"1-".repeat(100_000));
    }
}
