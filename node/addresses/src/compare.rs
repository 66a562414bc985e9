//! How well a text and an address of the list agree, part by part.

use strsim::jaro_winkler;

use super::designator::{Class, House, Number, Part};
use super::list::{Entry, List, SPELLED_LETTERS, alike, split_type};
use super::postcode::{Postcode, nearness};
use super::record::Field;
use super::text::{Parsed, Piece, is_street_type};

/// Words agree from this Jaro-Winkler similarity on.
const ALIKE: f64 = 0.9;
/// What a number or a flat tells at least, in bits: that they agree is what tells neighbours apart.
const DESIGNATOR_BITS: f64 = 4.0;
/// What a word tells at least.
const WORD_BITS: f64 = 0.1;
/// How well parts of buildings agree that are called otherwise: `UNIT 3` for `FLAT 3`, or a bare `3`; and `12A` for flat A of 12.
const OTHER_CLASS: f64 = 0.85;
const NO_CLASS: f64 = 0.9;
const LETTER: f64 = 0.95;
/// How much of a name has to agree where it is what tells an address from others.
const NAMED: f64 = 0.75;
/// What counts of a part's weight where the address has it, and the text leaves it out.
const LEFT_OUT_TYPE: f64 = 0.5;
const LEFT_OUT_STREET: f64 = 0.3;
const LEFT_OUT_NUMBER: f64 = 0.3;
const LEFT_OUT_NAME: f64 = 0.15;
const LEFT_OUT_PLACE: f64 = 0.05;
const LEFT_OUT_POSTCODE: f64 = 0.32;
/// What counts of a word's weight that the text has, and the address not: beside a postcode that agrees, elsewhere, and where
/// it names another place.
const EXTRA_NEAR: f64 = 0.04;
const EXTRA: f64 = 0.15;
const EXTRA_PLACE: f64 = 0.6;
/// Postcodes that are this near are of the same place.
const NEAR: f64 = 0.65;
/// Words behind the name of a street that make another of it.
const DIRECTIONS: [&str; 6] = ["NORTH", "SOUTH", "EAST", "WEST", "UPPER", "LOWER"];

/// A word of a text.
#[derive(Debug)]
pub(crate) struct Word {
    pub(crate) text: String,
    /// Its number in the list, if it has it.
    pub(crate) known: Option<u32>,
    /// Its place among the pieces.
    at: usize,
    segment: usize,
}

/// A text, taken apart.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) words: Vec<Word>,
    numbers: Vec<Number>,
    /// The places of the numbers among the pieces.
    numbers_at: Vec<usize>,
    parts: Vec<Part>,
    pub(crate) postcode: Option<Postcode>,
}

impl Input {
    pub(crate) fn new(list: &List, parsed: Parsed, postcode: Option<&str>) -> Self {
        let postcode = postcode.and_then(Postcode::of).or(parsed.postcode);
        let mut input =
            Self { words: Vec::new(), numbers: Vec::new(), numbers_at: Vec::new(), parts: Vec::new(), postcode };
        for (at, (piece, segment)) in parsed.pieces.into_iter().enumerate() {
            match piece {
                Piece::Word(text) => input.words.push(Word { known: list.number(&text), text, at, segment }),
                Piece::Number(number) => {
                    input.numbers.push(number);
                    input.numbers_at.push(at);
                }
                Piece::Part(part) => input.parts.push(part),
            }
        }
        input
    }

    /// Whether there is nothing to look for: a postcode alone is no address.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty() && self.numbers.is_empty() && self.parts.is_empty()
    }

    /// The numbers and parts of buildings by which candidates are found.
    pub(crate) fn designators(&self) -> impl Iterator<Item = String> {
        // 12A may be flat A of 12.
        let bare = |number: &Number| {
            number.single().filter(|house| house.letter.is_some()).map(|house| house.number.to_string())
        };
        let numbers =
            self.numbers.iter().flat_map(move |number| std::iter::once(number.first.text()).chain(bare(number)));
        // And flat A of 12 may be 12A.
        let lettered = self
            .numbers
            .iter()
            .flat_map(|number| self.parts.iter().map(|part| format!("{}{}", number.first.number, part.id)));
        numbers.chain(lettered).chain(self.parts.iter().map(|part| part.id.clone()))
    }
}

/// What agrees of what is said, all that is, and what counts of the parts that are left out.
#[derive(Default)]
struct Sum {
    agreed: f64,
    all: f64,
    left_out: f64,
}

impl Sum {
    fn agrees(&mut self, bits: f64, how_well: f64) {
        self.agreed += bits * how_well;
        self.all += bits;
    }

    fn lacks(&mut self, bits: f64) {
        self.all += bits;
    }

    fn leaves_out(&mut self, bits: f64) {
        self.left_out += bits;
    }
}

/// How well a text and an address agree, both from 0 to 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Agreement {
    /// In what the text says and in what it leaves out.
    pub(crate) score: f64,
    /// In what the text says alone: what it leaves out tells no address from another.
    pub(crate) said: f64,
}

/// How well they agree; `None` if they are different addresses.
pub(crate) fn compare(list: &List, entry: &Entry, input: &Input) -> Option<Agreement> {
    let postcode = entry.postcode.zip(input.postcode.as_ref());
    let near = postcode.map(|(id, said)| nearness(list.text(id), said.as_str()));
    let mut comparison = Comparison {
        list,
        entry,
        input,
        used: vec![false; input.words.len()],
        sum: Sum::default(),
        near: near.unwrap_or_default(),
    };
    let numbered = comparison.designators()?;
    let street = comparison.street();
    let name = comparison.names();
    comparison.street_agrees(street.as_ref())?;
    comparison.identified(numbered, street.is_some(), name)?;
    comparison.places();
    match near {
        Some(near) => comparison.sum.agrees(list.bits(entry.postcode), near),
        None if input.postcode.is_none() && entry.postcode.is_some() => {
            comparison.sum.leaves_out(list.bits(entry.postcode) * LEFT_OUT_POSTCODE);
        }
        None => {}
    }
    comparison.extras();
    let Sum { agreed, all, left_out } = comparison.sum;
    (all > 0.0).then(|| Agreement { score: agreed / (all + left_out), said: agreed / all })
}

struct Comparison<'a> {
    list: &'a List,
    entry: &'a Entry,
    input: &'a Input,
    /// Which words of the text agree with one of the address.
    used: Vec<bool>,
    sum: Sum,
    /// How near the postcodes are.
    near: f64,
}

/// Where in a text the name of a street stands.
struct Street {
    /// Its first word and the last that agrees, among the words.
    first: usize,
    last: usize,
    similarity: f64,
}

impl<'a> Comparison<'a> {
    fn of(&self, field: Field) -> Vec<u32> {
        let words: &'a [(u32, Field)] = self.list.words_of(self.entry);
        words.iter().filter(|(_, of)| *of == field).map(|(word, _)| *word).collect()
    }

    fn bits(&self, word: u32) -> f64 {
        self.list.bits(Some(word)).max(WORD_BITS)
    }

    /// How alike a word of the text and one of the address are; 0 if they are different.
    fn similarity(&self, said: &Word, word: u32) -> f64 {
        if said.known == Some(word) {
            return 1.0;
        }
        // A word that the list has is no slip for another, unless everything else says so.
        if said.known.is_some() && self.near < 1.0 {
            return 0.0;
        }
        let text = self.list.text(word);
        if said.text.len() < SPELLED_LETTERS || text.len() < SPELLED_LETTERS || !alike(&said.text, text) {
            return 0.0;
        }
        let similarity = jaro_winkler(&said.text, text);
        if similarity >= ALIKE { similarity } else { 0.0 }
    }

    fn uses(&mut self, at: usize) {
        if let Some(used) = self.used.get_mut(at) {
            *used = true;
        }
    }

    fn is_used(&self, at: usize) -> bool {
        self.used.get(at).copied().unwrap_or(true)
    }

    /// Numbers and flats are the same or the addresses are different; whether the address has a number and it agrees.
    fn designators(&mut self) -> Option<bool> {
        let mut numbers = self.input.numbers.clone();
        let mut parts: Vec<&Part> = self.input.parts.iter().collect();
        let flat = self.entry.flat.map(|(class, id)| (class, self.list.text(id), id));
        let numbered = match self.entry.number {
            Some(own) => self.number(own, flat, &mut numbers, &mut parts)?,
            None => Numbered::No,
        };
        if let (Some((class, id, number)), false) = (flat, numbered == Numbered::WithFlat) {
            let how_well = self.flat((class, id), &mut numbers, &mut parts)?;
            self.sum.agrees(self.list.bits(Some(number)).max(DESIGNATOR_BITS), how_well);
        }
        // A number that is left may stand in the name: TOWER 1.
        let names = self.of(Field::Name);
        numbers.retain(|number| !names.iter().any(|name| self.list.text(*name) == number.first.text()));
        let floors_fit = flat.is_some() || numbered == Numbered::WithFlat;
        parts.retain(|part| {
            let in_name = names.iter().any(|name| self.list.text(*name) == part.id);
            !(in_name || part.class == Class::Floor && floors_fit)
        });
        (numbers.is_empty() && parts.is_empty()).then_some(numbered != Numbered::No)
    }

    /// The building's number, which is taken out of those of the text.
    fn number(
        &mut self,
        own: Number,
        flat: Option<(Class, &str, u32)>,
        numbers: &mut Vec<Number>,
        parts: &mut Vec<&Part>,
    ) -> Option<Numbered> {
        let bits = self.number_bits(own);
        // 3, 12 HIGH STREET: the last one that agrees.
        if let Some((at, how_well)) =
            numbers.iter().enumerate().rev().find_map(|(at, said)| Some((at, own.agreement(*said)?)))
        {
            numbers.remove(at);
            self.sum.agrees(bits, how_well);
            return Some(Numbered::Yes);
        }
        let same = |said: &House, own: House| said.number == own.number;
        let house = own.single();
        // 12A for flat A of 12.
        let as_flat = |said: &Number| {
            let (said, own, (_, id, _)) = (said.single()?, house.filter(|own| own.letter.is_none())?, flat?);
            (same(&said, own) && said.letter.map(String::from).as_deref() == Some(id)).then_some(())
        };
        if let Some(at) = numbers.iter().position(|said| as_flat(said).is_some()) {
            numbers.remove(at);
            self.sum.agrees(bits + DESIGNATOR_BITS, LETTER);
            return Some(Numbered::WithFlat);
        }
        // Flat A of 12 for 12A.
        let letter = house.and_then(|own| own.letter).map(String::from).filter(|_| flat.is_none());
        if let (Some(letter), Some(own)) = (letter, house)
            && let Some(at) = numbers
                .iter()
                .position(|said| said.single().is_some_and(|said| same(&said, own) && said.letter.is_none()))
            && let Some(part) = parts.iter().position(|part| part.id == letter)
        {
            numbers.remove(at);
            parts.remove(part);
            self.sum.agrees(bits, LETTER);
            return Some(Numbered::WithFlat);
        }
        if numbers.is_empty() {
            self.sum.leaves_out(bits * LEFT_OUT_NUMBER);
            return Some(Numbered::No);
        }
        // All numbers of the text may belong to the flat; that is seen there.
        (flat.is_some() && parts.is_empty() && numbers.len() == 1).then(|| {
            self.sum.leaves_out(bits * LEFT_OUT_NUMBER);
            Numbered::No
        })
    }

    fn number_bits(&self, own: Number) -> f64 {
        let id = self.list.number(&format!("#{}", own.first.text()));
        self.list.bits(id).max(DESIGNATOR_BITS)
    }

    /// How well the flat agrees with what is taken out of the text.
    fn flat(&mut self, (class, id): (Class, &str), numbers: &mut Vec<Number>, parts: &mut Vec<&Part>) -> Option<f64> {
        let found = parts.iter().position(|part| part.id == id && part.class == class);
        if let Some(at) = found.or_else(|| parts.iter().position(|part| part.id == id)) {
            return Some(if parts.remove(at).class == class { 1.0 } else { OTHER_CLASS });
        }
        if let Some(at) = numbers.iter().position(|number| number.first.text() == id) {
            numbers.remove(at);
            return Some(NO_CLASS);
        }
        let at = self.input.words.iter().position(|word| word.text == id)?;
        self.uses(at);
        Some(NO_CLASS)
    }

    /// Where the name of the street stands, together and in its order; `None` if it does not, or the address has none.
    fn street(&mut self) -> Option<Street> {
        let street = self.of(Field::Street);
        let names = street.get(..split_type(&street, self.list)).filter(|names| !names.is_empty())?;
        let count = self.input.words.len();
        let at = |first: usize| -> Option<f64> {
            let mut all = 0.0;
            for (ahead, name) in names.iter().enumerate() {
                let word = self.input.words.get(first + ahead)?;
                let before =
                    (first + ahead).checked_sub(1).filter(|_| ahead > 0).and_then(|at| self.input.words.get(at));
                let similarity = self.similarity(word, *name);
                if similarity == 0.0 || before.is_some_and(|before| before.at + 1 != word.at) {
                    return None;
                }
                all += similarity;
            }
            Some(all)
        };
        let found = (0..count).filter_map(|first| Some((first, at(first)?)));
        let (first, all) = found.max_by(|(_, one), (_, other)| one.total_cmp(other))?;
        let mut last = first + names.len() - 1;
        let similarity = all / f64::from(u16::try_from(names.len()).unwrap_or(u16::MAX));
        (first..=last).for_each(|at| self.uses(at));
        let ends = street.get(names.len()).copied();
        let behind = self
            .input
            .words
            .get(last + 1)
            .filter(|word| self.input.words.get(last).is_some_and(|before| before.at + 1 == word.at));
        if let (Some(kind), Some(word)) = (ends, behind)
            && self.similarity(word, kind) > 0.0
        {
            last += 1;
            self.uses(last);
        }
        Some(Street { first, last, similarity })
    }

    /// Weighs the street, unless the text says another one.
    fn street_agrees(&mut self, found: Option<&Street>) -> Option<()> {
        let street = self.of(Field::Street);
        if street.is_empty() {
            return Some(());
        }
        let names = split_type(&street, self.list);
        let bits =
            |comparison: &Self, words: &[u32]| words.iter().map(|word| comparison.bits(*word).max(1.0)).sum::<f64>();
        let Some(found) = found else {
            // 12, NW1 8QP: nothing is left that could be another street.
            let places = self.of(Field::Place);
            let left =
                self.input.words.iter().enumerate().any(|(at, word)| {
                    !self.is_used(at) && !places.iter().any(|place| self.similarity(word, *place) > 0.0)
                });
            let all = bits(self, &street);
            self.sum.leaves_out(all * LEFT_OUT_STREET);
            return (self.near == 1.0 && !left).then_some(());
        };
        let name = bits(self, street.get(..names).unwrap_or_default());
        self.sum.agrees(name, found.similarity);
        if let Some(kind) = street.get(names) {
            let bits = self.bits(*kind).max(1.0);
            if found.last - found.first >= names {
                self.sum.agrees(bits, 1.0);
            } else {
                self.sum.leaves_out(bits * LEFT_OUT_TYPE);
            }
        }
        (!self.is_another(found)).then_some(())
    }

    /// Whether words around its name make another street of it: another kind, UPPER before it, NORTH behind it.
    fn is_another(&self, street: &Street) -> bool {
        let word = |at: Option<usize>| at.and_then(|at| Some((at, self.input.words.get(at)?)));
        let beside = |one: &Word, other: &Word| one.at + 1 == other.at && one.segment == other.segment;
        let before = word(street.first.checked_sub(1)).filter(|(at, _)| !self.is_used(*at));
        let behind = word(street.last.checked_add(1)).filter(|(at, _)| !self.is_used(*at));
        let (first, last) = (self.input.words.get(street.first), self.input.words.get(street.last));
        let prefixed = before.zip(first).is_some_and(|((_, before), first)| beside(before, first));
        let followed = behind.zip(last).is_some_and(|((_, behind), last)| {
            beside(last, behind) && (is_street_type(&behind.text) || DIRECTIONS.contains(&behind.text.as_str()))
        });
        prefixed || followed || self.is_elsewhere(street)
    }

    /// Whether the number stands before another name than that of the street: 15, BEVAN HOUSE, HIGH STREET.
    fn is_elsewhere(&self, street: &Street) -> bool {
        let mut at = street.first;
        let mut unknown = false;
        while let Some(before) = at.checked_sub(1)
            && let (Some(word), Some(next)) = (self.input.words.get(before), self.input.words.get(at))
            && word.at + 1 == next.at
        {
            unknown |= !self.is_used(before);
            at = before;
        }
        let first = self.input.words.get(at).and_then(|word| word.at.checked_sub(1));
        unknown && first.is_some_and(|first| self.input.numbers_at.contains(&first))
    }

    /// Weighs the building's name and the organisation; the share of them that agrees, `None` if there are none.
    fn names(&mut self) -> Option<f64> {
        let (name, organisation) = (self.of(Field::Name), self.of(Field::Organisation));
        let share = self.weigh(&name, LEFT_OUT_NAME);
        let who = self.weigh(&organisation, 0.0);
        share.or(who)
    }

    /// Weighs words that may stand anywhere; the share that agrees.
    fn weigh(&mut self, words: &[u32], left_out: f64) -> Option<f64> {
        let mut own = Sum::default();
        for word in words {
            let bits = self.bits(*word);
            let found = self.input.words.iter().enumerate().filter(|(at, _)| !self.is_used(*at));
            let best = found
                .map(|(at, said)| (at, self.similarity(said, *word)))
                .max_by(|(_, one), (_, other)| one.total_cmp(other));
            match best.filter(|(_, similarity)| *similarity > 0.0) {
                Some((at, similarity)) => {
                    self.uses(at);
                    own.agrees(bits, similarity);
                    self.sum.agrees(bits, similarity);
                }
                None => {
                    own.lacks(bits);
                    self.sum.leaves_out(bits * left_out);
                }
            }
        }
        (own.all > 0.0).then(|| own.agreed / own.all)
    }

    /// Whether what tells the address from others agrees: its number and its street, or else its name.
    fn identified(&self, numbered: bool, street: bool, name: Option<f64>) -> Option<()> {
        let placed = street || self.near == 1.0;
        let by_number = numbered && placed && (street || !self.of(Field::Street).is_empty());
        let by_name = name.is_some_and(|name| name >= NAMED) && (placed || self.of(Field::Street).is_empty());
        (by_number || by_name).then_some(())
    }

    fn places(&mut self) {
        let places = self.of(Field::Place);
        self.weigh(&places, LEFT_OUT_PLACE);
    }

    /// What the text has, and the address not.
    fn extras(&mut self) {
        for (at, word) in self.input.words.iter().enumerate() {
            if self.used.get(at) == Some(&true) {
                continue;
            }
            let is_place = word.known.and_then(|id| self.list.known(id)).is_some_and(|known| known.is_place);
            let share = match (self.near >= NEAR, is_place) {
                (true, _) => EXTRA_NEAR,
                (false, true) => EXTRA_PLACE,
                (false, false) => EXTRA,
            };
            self.sum.lacks(self.list.bits(word.known) * share);
        }
    }
}

/// Whether the building's number agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbered {
    No,
    Yes,
    /// And the flat's letter with it.
    WithFlat,
}
