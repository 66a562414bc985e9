//! How alike the heading of a column and the names of a standard's column are.

use super::StandardColumn;

/// Words that say nothing about what a column holds.
const FILLERS: [&str; 14] =
    ["of", "the", "sum", "a", "an", "in", "for", "and", "gbp", "sterling", "pounds", "field", "col", "s"];
/// Words that are written in more than one way.
const SPELLINGS: [(&str, &str); 16] = [
    ("nett", "net"),
    ("amt", "amount"),
    ("amnt", "amount"),
    ("amounts", "amount"),
    ("desc", "description"),
    ("descr", "description"),
    ("ref", "reference"),
    ("no", "number"),
    ("num", "number"),
    ("suppliers", "supplier"),
    ("vendors", "vendor"),
    ("dt", "date"),
    ("excluding", "excl"),
    ("exclusive", "excl"),
    ("ex", "excl"),
    ("org", "organisation"),
];
/// Less for each synonym that stands behind others.
const STEP: f64 = 0.004;

/// How alike two names are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Likeness {
    /// From 0 to 1.
    pub(super) score: f64,
    /// The name of the standard's column that is meant.
    pub(super) of: String,
    /// Whether it is the same name, however it is written.
    pub(super) same: bool,
}

/// The name of the column that the heading is most like; `None` if it is like none.
pub(super) fn likeness(heading: &str, column: &StandardColumn) -> Option<Likeness> {
    let said = words(heading);
    let own = column.name.to_string();
    let names = std::iter::once(&own).chain(&column.synonyms);
    let alike = names.zip(0_u8..).map(|(name, place)| {
        let known = words(name);
        let same = said == known && !said.is_empty();
        let score = if same { 1.0 } else { 0.8 * shared(&said, &known) };
        Likeness { score: score - STEP * f64::from(place).min(50.0), of: name.clone(), same }
    });
    alike.filter(|found| found.score > 0.3).max_by(|one, other| one.score.total_cmp(&other.score))
}

/// The words of a name, as they are spelled here.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut before = ' ';
    for c in text.chars().chain([' ']) {
        // `InvoiceAmount` is two words.
        let begins = c.is_uppercase() && before.is_lowercase();
        if (begins || !c.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    let spelled = |word: String| {
        let known = SPELLINGS.iter().find(|(written, _)| *written == word);
        known.map_or(word, |(_, spelled)| (*spelled).to_owned())
    };
    words.into_iter().map(spelled).filter(|word| !FILLERS.contains(&word.as_str())).collect()
}

/// The share of words that both have (Dice).
fn shared(one: &[String], other: &[String]) -> f64 {
    let both = one.iter().filter(|word| other.contains(word)).count();
    let [both, all] = [both, one.len() + other.len()].map(|count| u16::try_from(count).unwrap_or(u16::MAX));
    if all == 0 { 0.0 } else { 2.0 * f64::from(both) / f64::from(all) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use meridian_proto::ColumnType;

    use super::*;
    use crate::standards::Kind;

    fn amount() -> StandardColumn {
        StandardColumn {
            name: "amount".parse().unwrap(),
            column_type: ColumnType::Decimal(14, 2),
            concept: String::new(),
            required: true,
            description: String::new(),
            values: None,
            kind: Kind::Money,
            synonyms: ["net amount", "amount excl vat", "invoice amount"].map(str::to_owned).to_vec(),
        }
    }

    #[test]
    fn a_name_is_the_same_however_it_is_written() {
        for heading in
            ["Amount", " AMOUNT ", "Sum of Amount", "Amount (£)", "net_amount", "NetAmount", "Amount exc. VAT"]
        {
            let found = likeness(heading, &amount()).unwrap();
            assert!(found.same || heading == "Amount exc. VAT", "{heading}: {found:?}");
        }
        assert!(likeness("Amount excluding VAT", &amount()).unwrap().same);
        assert!(!likeness("VAT amount", &amount()).unwrap().same);
        assert_eq!(likeness("Supplier", &amount()), None);
        assert_eq!(likeness("", &amount()), None);
    }

    #[test]
    fn more_shared_words_are_more_alike() {
        let score = |heading| likeness(heading, &amount()).map_or(0.0, |found| found.score);
        assert!(score("Amount") > score("Net amount"));
        assert!(score("Sum of Invoice Nett Amount") > score("VAT amount of the credit note"));
    }
}
