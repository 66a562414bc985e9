//! Finds datasets by words: an index in memory over what somebody may know of, and over nothing else, so that neither rank
//! nor number tells of anything more.
//!
//! A word of the question matches a word of a description that is the same, that begins with it, or, where there is
//! neither, that is spelled nearly so: one change of a letter from four letters on, two from eight. Datasets that have all
//! words are found; where none has, those that have the most of them. The order is by the sum over the words of
//!
//! > where it stands × how it matches × ln(1 + datasets ÷ datasets with that word)
//!
//! Where it stands: name, title 8; keyword 6; concept, standard 4; column, publisher, body 3; what is said of the dataset
//! and its columns 1. How it matches: the same 1, beginning 0.6, spelled nearly so 0.3. Of equals the first by name is first.

use std::collections::{BTreeMap, BTreeSet};

use super::Entry;
use crate::spelling::distance;

/// The most words of a question that count.
const MOST_WORDS: usize = 12;
/// The most letters of a word that count.
const LONGEST: usize = 64;

/// Words of descriptions, and where they stand.
#[derive(Debug, Default)]
pub struct Index {
    names: Vec<String>,
    words: BTreeMap<String, BTreeMap<usize, f64>>,
}

/// A dataset that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Its place among the entries of which the index was made.
    pub at: usize,
    /// How many of the words it has.
    pub words: usize,
    /// The greater the better; comparable within one answer alone.
    pub score: f64,
}

impl Index {
    /// Over these entries, by their place.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut index = Self::default();
        for (at, entry) in entries.into_iter().enumerate() {
            index.names.push(entry.id());
            for (text, weight) in texts(entry) {
                for word in words(text) {
                    let place = index.words.entry(word).or_default().entry(at).or_insert(0.0);
                    *place = place.max(weight);
                }
            }
        }
        index
    }

    /// What is found for a question, the best first; nothing for one without a word.
    pub fn search(&self, question: &str) -> Vec<Hit> {
        let mut sought: Vec<String> = Vec::new();
        for word in words(question) {
            if sought.len() < MOST_WORDS && !sought.contains(&word) {
                sought.push(word);
            }
        }
        let mut found: BTreeMap<usize, (usize, f64)> = BTreeMap::new();
        for word in &sought {
            for (at, score) in self.matches(word) {
                let (count, sum) = found.entry(at).or_default();
                *count += 1;
                *sum += score;
            }
        }
        let most = found.values().map(|(count, _)| *count).max().unwrap_or(0);
        let hits = found.into_iter().filter(|(_, (count, _))| *count == most);
        let mut hits: Vec<Hit> = hits.map(|(at, (words, score))| Hit { at, words, score }).collect();
        let name = |hit: &Hit| self.names.get(hit.at);
        hits.sort_by(|one, other| other.score.total_cmp(&one.score).then_with(|| name(one).cmp(&name(other))));
        hits
    }

    /// The best match of one word in each dataset that has one.
    fn matches(&self, sought: &str) -> BTreeMap<usize, f64> {
        let mut best = BTreeMap::new();
        for (word, places) in self.words.range(sought.to_owned()..).take_while(|(word, _)| word.starts_with(sought)) {
            self.weigh(places, if word == sought { 1.0 } else { 0.6 }, &mut best);
        }
        if best.is_empty() {
            let letters = sought.chars().count();
            let allowed = usize::from(letters >= 4) + usize::from(letters >= 8);
            let is_near =
                |word: &str| word.chars().count().abs_diff(letters) <= allowed && distance(word, sought) <= allowed;
            for (_, places) in self.words.iter().filter(|(word, _)| allowed > 0 && is_near(word)) {
                self.weigh(places, 0.3, &mut best);
            }
        }
        best
    }

    fn weigh(&self, places: &BTreeMap<usize, f64>, how: f64, best: &mut BTreeMap<usize, f64>) {
        let rare = (1.0 + self.names.len() as f64 / places.len().max(1) as f64).ln();
        for (at, place) in places {
            let score = best.entry(*at).or_insert(0.0);
            *score = score.max(place * how * rare);
        }
    }
}

/// What is said of a dataset, and how much it counts.
fn texts(entry: &Entry) -> impl Iterator<Item = (&str, f64)> {
    let dataset = &entry.dataset;
    let first = [
        (dataset.name.as_str(), 8.0),
        (dataset.title.as_str(), 8.0),
        (entry.body.as_str(), 3.0),
        (entry.publisher.as_str(), 3.0),
        (dataset.standard.as_ref().map_or("", |standard| standard.as_str()), 4.0),
        (dataset.description.as_str(), 1.0),
    ];
    let keywords = dataset.about.keywords.iter().map(|keyword| (keyword.as_str(), 6.0));
    let columns = dataset.columns.iter().flat_map(|column| {
        [(column.name.as_str(), 3.0), (column.concept.as_str(), 4.0), (column.description.as_str(), 1.0)]
    });
    first.into_iter().chain(keywords).chain(columns)
}

/// The words of a text: letters and digits in lower case, and one form for singular and plural.
fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| singular(word.chars().flat_map(char::to_lowercase).take(LONGEST).collect())).collect()
}

fn singular(mut word: String) -> String {
    if word.chars().count() > 3 && word.ends_with('s') && !word.ends_with("ss") {
        word.pop();
    }
    word
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use std::sync::Arc;

    use super::super::testing::{dataset, entry};
    use super::*;

    fn entries() -> Vec<Entry> {
        let mut spend = dataset("spend", "Payments to suppliers by Lambeth");
        spend.standard = Some("spend".parse().unwrap());
        spend.about.keywords = vec!["transparency".into()];
        let mut homes = dataset("dwellings", "Households by kind of accommodation");
        homes.description = "Where fires may break out".into();
        vec![
            entry("lfb", "London Fire Brigade", dataset("incidents", "Dwelling fires attended")),
            entry("lambeth", "London Borough of Lambeth", spend),
            entry("camden", "London Borough of Camden", homes),
        ]
    }

    fn found(question: &str) -> Vec<String> {
        let entries = entries();
        Index::of(&entries).search(question).iter().map(|hit| entries[hit.at].dataset.name.to_string()).collect()
    }

    #[test]
    fn words_are_found_wherever_they_stand_and_titles_come_first() {
        for (question, expected) in [
            ("fire", &["incidents", "dwellings"][..]),
            ("FIRES", &["incidents", "dwellings"]),
            ("transparency", &["spend"]),
            ("camden", &["dwellings"]),
            ("london brigade", &["incidents"]),
            ("gss borough lambeth", &["spend"]),
            ("household accommodation", &["dwellings"]),
            ("", &[]),
            ("!?", &[]),
            ("zebra", &[]),
        ] {
            assert_eq!(found(question), expected, "{question}");
        }
    }

    #[test]
    fn beginnings_and_slips_of_the_pen_find_what_was_meant() {
        for (question, expected) in [
            ("trans", "spend"),
            ("incidemts", "incidents"),
            ("transparancy", "spend"),
            ("lambth", "spend"),
            ("acommodation", "dwellings"),
        ] {
            assert_eq!(found(question), [expected], "{question}");
        }
        assert!(found("xyz").is_empty(), "three letters stand as they are");
    }

    #[test]
    fn where_no_dataset_has_all_words_those_with_the_most_are_found() {
        assert_eq!(found("fire zebra"), ["incidents", "dwellings"]);
        assert_eq!(found("payments suppliers zebra"), ["spend"]);
    }

    #[test]
    fn how_rare_a_word_is_counts_among_what_the_index_is_over() {
        let all = entries();
        let rank =
            |entries: &[Entry]| Index::of(entries).search("fire").into_iter().map(|hit| hit.score).next().unwrap();
        // A further dataset that has the word makes it less rare: over fewer entries it must not be known of.
        assert!(rank(&all[..2]) > rank(&[all[0].clone(), all[2].clone()]));
    }

    #[test]
    fn questions_of_any_length_are_answered() {
        let long = "fire ".repeat(100_000) + &"x".repeat(100_000) + "\u{1b}\u{202e}💥";
        assert_eq!(found(&long), ["incidents", "dwellings"]);
        let mut strange = dataset("strange", "");
        strange.title = "İstanbul ﬁre ß ".repeat(1_000);
        let entries = [Entry { dataset: Arc::new(strange), ..entries().remove(0) }];
        assert_eq!(Index::of(&entries).search("istanbul").len(), 1, "dotted capitals in lower case have two signs");
    }
}
