//! All addresses of a list, and what finds those that a text could mean.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use strsim::osa_distance;

use super::compare::{Agreement, Input, compare};
use super::designator::{Class, Number, Part};
use super::record::{Field, Fields, Record};
use super::text::{is_building_type, is_street_type, parse};
use super::{Match, Outcome};

/// Candidates beyond this many tell nothing about which is meant.
const MOST_CANDIDATES: usize = 4096;
/// A name that more addresses than this have is looked for only together with a street.
const COMMON_NAME: usize = 512;
/// Addresses are as likely whose agreement with what a text says is as near as this.
const EQUAL: f64 = 0.01;
/// Letters that a word needs to be found by another spelling.
pub(crate) const SPELLED_LETTERS: usize = 4;
/// Beside a postcode's number in a key, and beside a name's.
const OF_POSTCODE: u32 = u32::MAX;
const OF_NAME: u32 = u32::MAX - 1;

/// A list that needs more memory than it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it needs more than {most} bytes of memory")]
pub struct TooLarge {
    /// How much it may have, in bytes.
    pub most: usize,
}

/// An address of the list.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) uprn: i64,
    pub(crate) number: Option<Number>,
    /// The class of the part of the building, and the number of its id.
    pub(crate) flat: Option<(Class, u32)>,
    pub(crate) postcode: Option<u32>,
    first_word: u32,
    words: u16,
}

/// A word of the list, or what stands for a number, a part of a building or a postcode.
pub(crate) struct Known {
    pub(crate) text: Arc<str>,
    /// In how many addresses it stands.
    pub(crate) addresses: u32,
    /// Whether it names a place.
    pub(crate) is_place: bool,
}

/// An address list in memory.
pub struct List {
    pub(crate) entries: Vec<Entry>,
    words: Vec<(u32, Field)>,
    known: Vec<Known>,
    numbers: HashMap<Arc<str>, u32>,
    /// Words by their first letter, for other spellings.
    by_letter: HashMap<char, Vec<u32>>,
    /// Sorted: the key of a block, and an address in it.
    blocks: Vec<(u64, u32)>,
    bytes: usize,
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List")
            .field("addresses", &self.entries.len())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// Makes a list of rows.
pub struct Builder {
    list: List,
    most: usize,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("list", &self.list).field("most", &self.most).finish()
    }
}

impl Builder {
    /// A list that may take so many bytes.
    pub fn new(most: usize) -> Self {
        let list = List {
            entries: Vec::new(),
            words: Vec::new(),
            known: Vec::new(),
            numbers: HashMap::new(),
            by_letter: HashMap::new(),
            blocks: Vec::new(),
            bytes: 0,
        };
        Self { list, most }
    }

    /// Adds an address. One that stands there several times, in several ways of writing, may be added as often.
    pub fn add(&mut self, uprn: i64, fields: &Fields<'_>) -> Result<(), TooLarge> {
        let Record { number, flat, words, postcode } = Record::of(fields);
        let too_large = TooLarge { most: self.most };
        let list = &mut self.list;
        let id = u32::try_from(list.entries.len()).map_err(|_| too_large)?;
        let first_word = u32::try_from(list.words.len()).map_err(|_| too_large)?;
        let words: Vec<(u32, Field)> = words
            .into_iter()
            .take(usize::from(u16::MAX))
            .map(|(field, word)| (list.learn(&word, field == Field::Place), field))
            .collect();
        let postcode = postcode.map(|postcode| list.learn(&format!("@{}", postcode.as_str()), false));
        let flat = flat.map(|Part { class, id }| (class, list.learn(&designator(&id), false)));
        let numbers: Vec<u32> = number
            .into_iter()
            .flat_map(Number::members)
            .map(|house| list.learn(&designator(&house.text()), false))
            .collect();
        let mut keys = keys_of(list, &words, &numbers, flat.map(|(_, id)| id), postcode);
        keys.sort_unstable();
        keys.dedup();
        list.blocks.extend(keys.into_iter().map(|key| (key, id)));
        let count = u16::try_from(words.len()).unwrap_or(u16::MAX);
        list.words.extend(words);
        list.entries.push(Entry { uprn, number, flat, postcode, first_word, words: count });
        list.bytes = list.counted();
        if list.bytes > self.most { Err(too_large) } else { Ok(()) }
    }

    /// The list, ready to be asked.
    pub fn finish(self) -> List {
        let mut list = self.list;
        list.blocks.sort_unstable();
        list.blocks.shrink_to_fit();
        list.entries.shrink_to_fit();
        list.words.shrink_to_fit();
        for (id, known) in list.known.iter().enumerate() {
            let letter = known.text.chars().next().filter(|c| c.is_alphabetic());
            if let (Some(letter), Ok(id)) = (letter.filter(|_| known.text.len() >= SPELLED_LETTERS), u32::try_from(id))
            {
                list.by_letter.entry(letter).or_default().push(id);
            }
        }
        list
    }
}

/// What a number, or the id of a part of a building, is called among the words.
fn designator(id: &str) -> String {
    format!("#{id}")
}

fn key(one: u32, other: u32) -> u64 {
    u64::from(one) << 32 | u64::from(other)
}

/// Under which keys an address is found: its postcode, its number and a word of its street, its flat or its street and a
/// word of its name.
fn keys_of(list: &List, words: &[(u32, Field)], numbers: &[u32], flat: Option<u32>, postcode: Option<u32>) -> Vec<u64> {
    let (street, name) = (list.telling(words, Field::Street), list.telling(words, Field::Name));
    let mut keys: Vec<u64> = postcode.map(|postcode| key(postcode, OF_POSTCODE)).into_iter().collect();
    for number in numbers {
        keys.extend(street.iter().chain(&name).map(|word| key(*number, *word)));
    }
    let named = numbers.is_empty() && name.is_empty();
    let names = if named { list.telling(words, Field::Organisation) } else { name };
    for name in names {
        keys.extend(flat.map(|flat| key(flat, name)));
        if flat.is_none() {
            keys.extend(street.iter().map(|street| key(name, *street)));
            keys.push(key(name, OF_NAME));
        }
    }
    keys
}

impl List {
    fn learn(&mut self, text: &str, is_place: bool) -> u32 {
        let next = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        let id = match self.numbers.get(text) {
            Some(id) => *id,
            None => {
                let text: Arc<str> = text.into();
                self.numbers.insert(Arc::clone(&text), next);
                self.known.push(Known { text, addresses: 0, is_place: false });
                next
            }
        };
        if let Some(known) = self.known.get_mut(id as usize) {
            known.addresses = known.addresses.saturating_add(1);
            known.is_place |= is_place;
        }
        id
    }

    /// The words of a field that tell one from others: without the last, if it says but what kind of street or building it is.
    fn telling(&self, words: &[(u32, Field)], field: Field) -> Vec<u32> {
        let mut own: Vec<u32> = words.iter().filter(|(_, of)| *of == field).map(|(word, _)| *word).collect();
        let is_kind = |word: &u32| is_street_type(self.text(*word)) || is_building_type(self.text(*word));
        if own.len() > 1 && own.last().is_some_and(is_kind) {
            own.pop();
        }
        own
    }

    /// Bytes of memory, nearly.
    fn counted(&self) -> usize {
        /// A word's text with the counters before it, its place in the map, and in the words of a letter.
        const WORD: usize = 96;
        self.entries.capacity() * size_of::<Entry>()
            + self.words.capacity() * size_of::<(u32, Field)>()
            + self.blocks.capacity() * size_of::<(u64, u32)>()
            + self.known.capacity() * (size_of::<Known>() + WORD)
    }

    /// How many addresses there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How much memory they take, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The address that a text means, if one scores at least `least` and none other scores as well. A postcode beside the
    /// text goes before one in it.
    pub fn find(&self, text: &str, postcode: Option<&str>, least: f64) -> Outcome {
        let input = Input::new(self, parse(text), postcode);
        if input.is_empty() {
            return Outcome::Nothing;
        }
        let mut candidates = self.at_postcode(&input);
        let mut best = self.best(&input, &candidates);
        // Spellings are sought only where the postcode has not found it.
        let spelled = best.as_ref().is_none_or(|best| best.score < least);
        let more = self.by_words(&input, spelled);
        if candidates.len() + more.len() > MOST_CANDIDATES {
            return Outcome::Ambiguous(None);
        }
        if !more.is_empty() {
            candidates.extend(more);
            candidates.sort_unstable();
            candidates.dedup();
            best = self.best(&input, &candidates);
        }
        match best {
            None => Outcome::Under(None),
            Some(Best { score, .. }) if score < least => Outcome::Under(Some(score)),
            Some(Best { score, tied: true, .. }) => Outcome::Ambiguous(Some(score)),
            Some(Best { uprn, score, .. }) => Outcome::Matched(Match { uprn, score }),
        }
    }

    fn at_postcode(&self, input: &Input) -> Vec<u32> {
        let postcode = input.postcode.as_ref().and_then(|postcode| self.number(&format!("@{}", postcode.as_str())));
        postcode.map(|postcode| self.block(key(postcode, OF_POSTCODE)).collect()).unwrap_or_default()
    }

    /// Candidates by numbers and words together.
    fn by_words(&self, input: &Input, spelled: bool) -> Vec<u32> {
        let words: Vec<u32> = input
            .words
            .iter()
            .flat_map(|word| match word.known {
                Some(id) => vec![id],
                None if spelled => self.spellings(&word.text),
                None => Vec::new(),
            })
            .collect();
        let ids = input.designators().map(|id| designator(&id));
        let numbers: Vec<u32> = ids.filter_map(|id| self.number(&id)).collect();
        let mut keys = Vec::new();
        for word in &words {
            keys.extend(numbers.iter().map(|number| key(*number, *word)));
            keys.extend(words.iter().filter(|other| *other != word).map(|street| key(*word, *street)));
        }
        let mut found: Vec<u32> = keys.into_iter().flat_map(|key| self.block(key)).take(MOST_CANDIDATES + 1).collect();
        for word in words {
            let named = key(word, OF_NAME);
            if self.block(named).nth(COMMON_NAME).is_none() {
                found.extend(self.block(named));
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn block(&self, key: u64) -> impl Iterator<Item = u32> {
        let first = self.blocks.partition_point(|(of, _)| *of < key);
        let rest = self.blocks.get(first..).unwrap_or_default();
        rest.iter().take_while(move |(of, _)| *of == key).map(|(_, id)| *id)
    }

    /// Words of the list that one could be which is none of them.
    fn spellings(&self, text: &str) -> Vec<u32> {
        let letter = text.chars().next().filter(|_| text.len() >= SPELLED_LETTERS);
        let near = letter.and_then(|letter| self.by_letter.get(&letter)).into_iter().flatten().copied();
        near.filter(|id| self.known(*id).is_some_and(|known| alike(text, &known.text))).collect()
    }

    /// The candidate with the highest score.
    fn best(&self, input: &Input, candidates: &[u32]) -> Option<Best> {
        let compared = candidates.iter().filter_map(|id| {
            let entry = self.entries.get(*id as usize)?;
            Some((entry.uprn, compare(self, entry, input)?))
        });
        let compared: Vec<(i64, Agreement)> = compared.collect();
        let (uprn, best) = *compared.iter().max_by(|(_, one), (_, other)| one.score.total_cmp(&other.score))?;
        // Of one address in several ways of writing, what agrees most.
        let own = compared.iter().filter(|(of, _)| *of == uprn);
        let said = own.map(|(_, agreement)| agreement.said).fold(best.said, f64::max);
        let tied = compared.iter().any(|(of, agreement)| *of != uprn && agreement.said >= said - EQUAL);
        Some(Best { uprn, score: best.score, tied })
    }

    pub(crate) fn words_of(&self, entry: &Entry) -> &[(u32, Field)] {
        let first = entry.first_word as usize;
        self.words.get(first..first + usize::from(entry.words)).unwrap_or_default()
    }

    pub(crate) fn known(&self, id: u32) -> Option<&Known> {
        self.known.get(id as usize)
    }

    /// The number of a word that the list has.
    pub(crate) fn number(&self, text: &str) -> Option<u32> {
        self.numbers.get(text).copied()
    }

    /// The text of a word, or of a number, a part of a building or a postcode without its mark.
    pub(crate) fn text(&self, id: u32) -> &str {
        self.known(id).map(|known| known.text.trim_start_matches(['#', '@'])).unwrap_or_default()
    }

    /// What it tells that a word of the list agrees: the logarithm (base 2) of how rare it is.
    pub(crate) fn bits(&self, id: Option<u32>) -> f64 {
        let addresses = id.and_then(|id| self.known(id)).map_or(1, |known| known.addresses.max(1));
        let all = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        ((f64::from(all) + 1.0) / f64::from(addresses)).log2().max(0.0)
    }
}

/// Whether two words are spelled nearly alike: one letter apart, in long ones two.
pub(crate) fn alike(one: &str, other: &str) -> bool {
    let most = if one.len().min(other.len()) >= 8 { 2 } else { 1 };
    one.len().abs_diff(other.len()) <= most && osa_distance(one, other) <= most
}

/// The address that scores best so far.
struct Best {
    uprn: i64,
    score: f64,
    /// Whether another scores as well.
    tied: bool,
}

/// Whether a word of a street tells it from others: all but what kind of street it is.
pub(crate) fn split_type(street: &[u32], list: &List) -> usize {
    match street.last() {
        Some(last) if street.len() > 1 && is_street_type(list.text(*last)) => street.len() - 1,
        _ => street.len(),
    }
}
