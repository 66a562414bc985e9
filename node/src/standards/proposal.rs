//! Which column of a file is which of a standard: by headings, synonyms, types and values, each column once.

use std::fmt;

use arrow::array::StringArray;
use arrow::compute::regexp_is_match_scalar;
use meridian_proto::{ColumnType, Name};

use super::expressions;
use super::headings::{Likeness, likeness};
use super::sheet::{Sheet, SheetColumn};
use super::values::{Profile, amount_of};
use super::{Kind, Standard, StandardColumn, ValidValues};

/// Below this a pair is no proposal.
const LEAST: f64 = 0.2;
/// What values alone have to fit.
const LEAST_ALONE: f64 = 0.5;
/// What values have to fit beside a heading that says what they are.
const FITS: f64 = 0.4;
/// Columns whose values fit as well, but for this, may be meant as well.
const RIVAL: f64 = 0.12;
/// How much of a score are headings, and how much values; and values where headings say nothing.
const BY_HEADING: f64 = 0.65;
const BY_VALUES: f64 = 0.35;
const BY_VALUES_ALONE: f64 = 0.4;

/// How sure a proposal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Several columns may be meant, or the values fit badly.
    Low,
    /// The heading is like a name of it and the values fit, or the values fit and those of no other column do.
    Medium,
    /// The heading is a name of it, and the values fit.
    High,
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        })
    }
}

/// How a file could be mapped to a standard.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// What was found of each column of the standard, in its order.
    pub found: Vec<Found>,
    /// What the file's other columns are called.
    pub unused: Vec<String>,
}

impl Proposal {
    /// The required columns that were not found.
    pub fn lacks(&self) -> Vec<&Name> {
        let lacking = self.found.iter().filter(|found| found.required && found.from.is_none());
        lacking.map(|found| &found.column).collect()
    }
}

/// What was found of a column of the standard.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The standard's column.
    pub column: Name,
    /// Whether every dataset has it.
    pub required: bool,
    /// The file's column; `None` if none was found.
    pub from: Option<Origin>,
    /// Why.
    pub reason: String,
}

/// The column of a file that a standard's column is to be made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// What a mapping calls it.
    pub name: String,
    /// How sure that is.
    pub confidence: Confidence,
    pub(super) profile: Profile,
}

/// A column of the standard, one of the file, and how well they go together.
struct Pair {
    standard: usize,
    file: usize,
    likeness: Option<Likeness>,
    fit: f64,
    score: f64,
}

/// Proposes a mapping. The pair that fits best is taken first, then the best of the columns that are left.
pub fn propose(sheet: &Sheet, standard: &Standard) -> Proposal {
    let profiles: Vec<Profile> = sheet.columns.iter().map(|column| Profile::of(&column.cells)).collect();
    let mut pairs = Vec::new();
    for (index, column) in standard.columns.iter().enumerate() {
        for (file, (theirs, profile)) in sheet.columns.iter().zip(&profiles).enumerate() {
            pairs.extend(pair((index, column), (file, theirs), profile));
        }
    }
    pairs.sort_by(|one, other| other.score.total_cmp(&one.score));
    let mut taken: Vec<&Pair> = Vec::new();
    for pair in &pairs {
        if pair.score >= LEAST && taken.iter().all(|it| it.standard != pair.standard && it.file != pair.file) {
            taken.push(pair);
        }
    }
    let is_used = |file: usize| taken.iter().any(|pair| pair.file == file);
    let found = standard.columns.iter().enumerate().map(|(index, column)| {
        let pair = taken.iter().find(|pair| pair.standard == index);
        let theirs = pair.and_then(|pair| Some((pair, sheet.columns.get(pair.file)?, profiles.get(pair.file)?)));
        let Some((pair, theirs, profile)) = theirs else {
            let reason = "no heading and no values are like it".to_owned();
            return Found { column: column.name.clone(), required: column.required, from: None, reason };
        };
        let rivals = pairs.iter().filter(|other| other.standard == index && !is_used(other.file));
        let rivals = rivals.filter(|other| other.fit + RIVAL >= pair.fit).count();
        let (confidence, mut reason) = why(pair, theirs, profile, column, rivals);
        if let Some(read) = expressions::dash(column, profile) {
            reason.push_str(&format!("; a dash alone is read as {read}"));
        }
        let from = Some(Origin { name: theirs.name.clone(), confidence, profile: profile.clone() });
        Found { column: column.name.clone(), required: column.required, from, reason }
    });
    let found = found.collect();
    let unused = sheet.columns.iter().enumerate().filter(|(file, _)| !is_used(*file));
    Proposal { found, unused: unused.map(|(_, column)| column.name.clone()).collect() }
}

fn pair(
    (index, column): (usize, &StandardColumn),
    (file, theirs): (usize, &SheetColumn),
    profile: &Profile,
) -> Option<Pair> {
    let fit = fit(column, theirs, profile)?;
    let likeness = likeness(&theirs.heading, column);
    let score = match &likeness {
        Some(likeness) => BY_HEADING * likeness.score + BY_VALUES * fit,
        None if fit >= LEAST_ALONE && is_telling(column) => BY_VALUES_ALONE * fit,
        None => 0.0,
    };
    Some(Pair { standard: index, file, likeness, fit, score })
}

/// Whether values alone may say what a column is.
fn is_telling(column: &StandardColumn) -> bool {
    match column.kind {
        Kind::Organisation
        | Kind::Category
        | Kind::Money
        | Kind::Date
        | Kind::Borough
        | Kind::Uprn
        | Kind::Postcode => true,
        Kind::Text => column.values.is_some(),
        Kind::Code | Kind::Number | Kind::Boolean => false,
    }
}

/// How well the values fit, from 0 to 1; `None` if the column can't be made of them.
fn fit(column: &StandardColumn, theirs: &SheetColumn, profile: &Profile) -> Option<f64> {
    if profile.count == 0 {
        return None;
    }
    let if_most = |share: f64, score: f64| (share >= 0.9).then_some(score);
    let is_text = profile.words >= 0.7 && profile.days < 0.1 && profile.numbers < 0.2;
    let fits = match column.kind {
        Kind::Money => if_most(profile.numbers, (0.4 + 0.6 * profile.priced - 0.5 * profile.fine).max(0.1)),
        Kind::Number if matches!(column.column_type, ColumnType::Integer | ColumnType::Bigint) => {
            if_most(profile.numbers, if profile.whole >= 0.95 { 0.7 } else { 0.4 })
        }
        Kind::Number => if_most(profile.numbers, 0.6),
        Kind::Date => if_most(profile.days, 0.9),
        Kind::Boolean => if_most(profile.truths, 0.9),
        Kind::Borough => if_most(profile.boroughs, 1.0).or(if_most(profile.boroughs + 0.3, 0.6)),
        Kind::Uprn => if_most(profile.uprns, 0.3 + 0.19 * profile.variety() + 0.4 * profile.long_uprns),
        Kind::Postcode => if_most(profile.postcodes, 1.0),
        Kind::Organisation => is_text.then(|| 0.1 + 0.6 * profile.variety() + 0.3 * profile.organisations),
        Kind::Category => is_text.then(|| 0.35 + 0.4 * (1.0 - profile.variety()) - 0.3 * profile.organisations),
        Kind::Code => (profile.days < 0.1).then(|| 0.2 + 0.5 * profile.variety()),
        Kind::Text => (profile.days < 0.1 && profile.numbers < 0.5).then_some(0.6),
    }?;
    // Other names of boroughs become their codes.
    let valid = if column.kind == Kind::Borough { None } else { valid(column, theirs) };
    match valid {
        None => Some(fits),
        // Nearly any number lies in a range; a list or a pattern tells more.
        Some(share) if share >= 0.5 && matches!(column.values, Some(ValidValues::Range { .. })) => Some(fits),
        Some(share) if share >= 0.5 => Some(fits.max(share)),
        Some(_) if matches!(column.values, Some(ValidValues::List(_))) => Some(0.4),
        Some(_) => None,
    }
}

/// The share of the values that the standard admits; `None` if it admits all.
fn valid(column: &StandardColumn, theirs: &SheetColumn) -> Option<f64> {
    let texts: Vec<&str> = theirs.cells.iter().flatten().map(|text| text.trim()).collect();
    let share = |of: usize| {
        let [of, all] = [of, texts.len()].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        f64::from(of) / f64::from(all.max(1))
    };
    match column.values.as_ref()? {
        ValidValues::List(known) => {
            let is_known = |text: &&&str| known.iter().any(|known| known.eq_ignore_ascii_case(text));
            Some(share(texts.iter().filter(is_known).count()))
        }
        ValidValues::Pattern(pattern) => {
            let texts = StringArray::from(texts.clone());
            let matches = regexp_is_match_scalar(&texts, &format!("^(?:{pattern})$"), None).ok()?;
            Some(share(matches.true_count()))
        }
        ValidValues::Range { from, to } => {
            let end = |end: &Option<String>| end.as_ref().and_then(|text| text.parse::<f64>().ok());
            let (from, to) = (end(from), end(to));
            let is_in = |text: &&&str| {
                let number = amount_of(text);
                number.is_some_and(|number| from.is_none_or(|from| from <= number) && to.is_none_or(|to| number <= to))
            };
            Some(share(texts.iter().filter(is_in).count()))
        }
    }
}

fn why(
    pair: &Pair,
    theirs: &SheetColumn,
    profile: &Profile,
    column: &StandardColumn,
    rivals: usize,
) -> (Confidence, String) {
    let values = described(column, profile);
    let fits = pair.fit >= FITS;
    match &pair.likeness {
        Some(likeness) => {
            let how = if likeness.same { "is" } else { "is like" };
            let heading = format!("the heading {:?} {how} \"{}\"", theirs.heading, likeness.of);
            let confidence = match (likeness.same, fits) {
                (true, true) => Confidence::High,
                (false, true) if likeness.score >= 0.4 => Confidence::Medium,
                _ => Confidence::Low,
            };
            let fault = if fits { "" } else { ", which fits badly" };
            (confidence, format!("{heading}; {values}{fault}"))
        }
        None if rivals == 0 => (Confidence::Medium, format!("by its values alone, and no other column fits: {values}")),
        None => {
            let others = if rivals == 1 { "another column fits".into() } else { format!("{rivals} others fit") };
            (Confidence::Low, format!("by its values alone, and {others}, too: {values}"))
        }
    }
}

/// What the values are, in words that hold none of them.
fn described(column: &StandardColumn, profile: &Profile) -> String {
    let of = |share: f64, what: &str| format!("{:.0}% of {} values are {what}", 100.0 * share, profile.count);
    match column.kind {
        Kind::Money if profile.priced >= 0.5 => of(profile.numbers, "amounts"),
        Kind::Money | Kind::Number => of(profile.numbers, "numbers"),
        Kind::Date => of(profile.days, &format!("days written as {}", profile.layouts.join(" or "))),
        Kind::Boolean => of(profile.truths, "yes or no"),
        Kind::Borough => of(profile.boroughs, "boroughs"),
        Kind::Uprn => of(profile.uprns, "like UPRNs"),
        Kind::Postcode => of(profile.postcodes, "postcodes"),
        Kind::Text | Kind::Organisation | Kind::Category | Kind::Code => {
            format!("{}, {} of them different", of(profile.words, "words"), profile.distinct)
        }
    }
}
