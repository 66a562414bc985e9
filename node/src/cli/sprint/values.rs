//! What stands in a column of made rows: a function of the seed, the column and the row, and of no row that is real.
//!
//! A value is what the dataset's coverage says, one of those that its standard names, one of those that are known of the
//! column's concept (codes of boroughs, and what stands in the open data of the sprint), so that bodies' rows join; or else
//! something by the column's type and name alone.

use std::collections::BTreeMap;
use std::hash::Hasher;

use chrono::{DateTime, Datelike, NaiveDate};
use datafusion::common::ScalarValue;
use meridian_examples::london;
use meridian_proto::{ColumnType, Role};
use siphasher::sip::SipHasher24;

use super::told::{Column, Told};
use crate::sources::literal;
use crate::standards::{Standard, ValidValues};

/// One value in so many is none, where a column need not have one.
const NULLS: u64 = 50;
/// How many labels a text has of which nothing is known.
const LABELS: u64 = 8;
/// How far back days and moments go (days).
const DAYS: i128 = 5 * 365;
/// Where the numbers of a unit begin, at most.
const STARTS: u64 = 1_000_000_000;
const SECONDS: i128 = 24 * 3600;
/// Numbers that are known by the last word of a column's name, from and to.
const USUAL: [(&str, i128, i128); 8] = [
    ("month", 1, 12),
    ("quarter", 1, 4),
    ("day", 1, 31),
    ("hour", 0, 23),
    ("decile", 1, 10),
    ("percent", 0, 100),
    // London.
    ("easting", 503_500, 561_500),
    ("northing", 155_500, 200_500),
];

/// What all made rows of a sprint are drawn from.
pub(super) struct Source {
    pub(super) seed: u64,
    /// The last day of what is made.
    pub(super) today: NaiveDate,
    known: BTreeMap<String, Vec<String>>,
}

impl Source {
    /// With the codes of boroughs.
    pub(super) fn new(seed: u64, today: NaiveDate) -> Self {
        let boroughs = london::boroughs().iter().map(|borough| borough.gss.to_owned()).collect();
        Self { seed, today, known: BTreeMap::from([("gss:borough".to_owned(), boroughs)]) }
    }

    /// These are the values of a concept that is not known yet; of one that is known they are more.
    pub(super) fn know(&mut self, concept: &str, values: impl IntoIterator<Item = String>) {
        let known = self.known.entry(concept.to_owned()).or_default();
        known.extend(values);
        known.sort_unstable();
        known.dedup();
    }

    fn draw(&self, stream: &str, row: u64) -> u64 {
        let mut hasher = SipHasher24::new_with_keys(self.seed, row);
        hasher.write(stream.as_bytes());
        hasher.finish()
    }
}

/// The values of one column.
pub(super) struct Values {
    kind: Kind,
    /// What sets the column apart from others.
    stream: String,
    /// Where the first row begins, if each row has a value of its own.
    start: Option<u64>,
    has_nulls: bool,
}

enum Kind {
    Among(Vec<String>),
    /// From and to, both included, in steps.
    Steps(i128, i128, Step),
    /// Texts that are called so, and numbered.
    Labels(String),
    /// Points in longitudes and latitudes, as hexadecimal well-known binary.
    Points,
}

#[derive(Clone, Copy)]
enum Step {
    /// 10 to the power of minus this.
    Decimals(u32),
    /// A day, from 1970 on.
    Day,
    /// A second, from 1970 on.
    Second,
}

impl Values {
    /// Of a column of a dataset that conforms to the standard.
    pub(super) fn of(source: &Source, told: &Told, column: &Column, standard: Option<&Standard>) -> Self {
        let is_key = standard.is_some_and(|standard| standard.keys.contains(&column.name));
        let has_own = is_key || column.role == Role::Identifier;
        let covered = told.coverage.iter().any(|coverage| coverage.column == column.name);
        // What has the same meaning in two datasets of a body has the same values in both.
        let meaning = column.concept.as_deref().unwrap_or(column.name.as_str());
        let start = || source.draw(&format!("{}:{meaning}", told.body), 0) % STARTS;
        Self {
            kind: kind(source, told, column, standard),
            stream: format!("{}.{}.{}", told.body, told.name, column.name),
            start: has_own.then(start),
            has_nulls: !(column.required || covered || has_own),
        }
    }

    /// The value of a row, if it has one.
    pub(super) fn text(&self, source: &Source, row: u64) -> Option<String> {
        let drawn = source.draw(&self.stream, row);
        if self.has_nulls && drawn % NULLS == 0 {
            return None;
        }
        let place = self.start.map_or(drawn / NULLS, |start| start + row);
        match &self.kind {
            Kind::Among(values) => values.get(usize::try_from(place % values.len().max(1) as u64).ok()?).cloned(),
            Kind::Steps(from, to, step) => {
                let steps = u128::from(place) % to.abs_diff(*from).saturating_add(1);
                step.text(from.saturating_add_unsigned(steps))
            }
            Kind::Labels(name) if self.start.is_some() => Some(format!("{name} {place}")),
            Kind::Labels(name) => Some(format!("{name} {}", 1 + place % LABELS)),
            Kind::Points => Some(point(place)),
        }
    }

    /// The least and the largest of numbers.
    pub(super) fn bounds(&self) -> [f64; 2] {
        match &self.kind {
            Kind::Steps(from, to, Step::Decimals(decimals)) => {
                [from, to].map(|end| *end as f64 / 10_f64.powi(i32::try_from(*decimals).unwrap_or(0)))
            }
            Kind::Among(values) => {
                let numbers: Vec<f64> = values.iter().filter_map(|value| value.parse().ok()).collect();
                [numbers.iter().copied().reduce(f64::min), numbers.iter().copied().reduce(f64::max)]
                    .map(Option::unwrap_or_default)
            }
            Kind::Steps(..) | Kind::Labels(_) | Kind::Points => [0.0, 0.0],
        }
    }
}

impl Step {
    fn text(self, steps: i128) -> Option<String> {
        let moment = |seconds: i128| DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0);
        match self {
            Self::Decimals(0) => Some(steps.to_string()),
            Self::Decimals(decimals) => {
                let one = 10_u128.checked_pow(decimals)?;
                let (sign, steps) = (if steps < 0 { "-" } else { "" }, steps.unsigned_abs());
                Some(format!("{sign}{}.{:0width$}", steps / one, steps % one, width = usize::try_from(decimals).ok()?))
            }
            Self::Day => Some(moment(steps.checked_mul(SECONDS)?)?.format("%Y-%m-%d").to_string()),
            Self::Second => Some(moment(steps)?.format("%Y-%m-%dT%H:%M:%S").to_string()),
        }
    }
}

fn kind(source: &Source, told: &Told, column: &Column, standard: Option<&Standard>) -> Kind {
    let covered = told.coverage.iter().find(|coverage| coverage.column == column.name);
    let agreed = standard.and_then(|standard| standard.column(&column.name)?.values.as_ref());
    match (covered, agreed) {
        (Some(covered), _) => match &covered.value {
            Some(value) => return Kind::Among(vec![value.clone()]),
            None => return by_type(source, column, [covered.from.as_deref(), covered.to.as_deref()]),
        },
        (None, Some(ValidValues::List(values))) => return Kind::Among(values.clone()),
        _ => {}
    }
    let of_concept = column.concept.as_ref().and_then(|concept| source.known.get(concept));
    let fits = |value: &&String| literal(column.column_type, value).is_some();
    let known: Vec<String> = of_concept.into_iter().flatten().filter(fits).cloned().collect();
    if !known.is_empty() {
        return Kind::Among(known);
    }
    match agreed {
        Some(ValidValues::Range { from, to }) => by_type(source, column, [from.as_deref(), to.as_deref()]),
        _ => by_type(source, column, [None, None]),
    }
}

/// By type and name, within these ends where they are given.
fn by_type(source: &Source, column: &Column, ends: [Option<&str>; 2]) -> Kind {
    let today = i128::from(source.today.signed_duration_since(NaiveDate::default()).num_days());
    let (usual, step) = match column.column_type {
        ColumnType::Boolean => return Kind::Among(["true", "false"].map(str::to_owned).into()),
        ColumnType::Varchar => return Kind::Labels(column.name.to_string()),
        ColumnType::Bytea => return Kind::Points,
        ColumnType::Integer | ColumnType::Bigint => (numbers(source, column), Step::Decimals(0)),
        ColumnType::Double => (numbers(source, column).map(|end| end * 100), Step::Decimals(2)),
        ColumnType::Decimal(precision, scale) => {
            let decimals = u32::from(scale.unsigned_abs());
            let largest = 10_i128.saturating_pow(u32::from(precision)) - 1;
            let fitted = |end: i128| end.saturating_mul(10_i128.saturating_pow(decimals)).min(largest);
            (numbers(source, column).map(fitted), Step::Decimals(decimals))
        }
        ColumnType::Date => ([today - DAYS, today], Step::Day),
        ColumnType::Timestamp => ([(today - DAYS) * SECONDS, today * SECONDS], Step::Second),
    };
    let [from, to] = ends.map(|end| end.and_then(|text| steps(column.column_type, text)));
    let [least, most] = usual;
    let (from, to) = match (from, to) {
        (None, None) => (least, most),
        (Some(from), None) => (from, most.max(from.saturating_add(most - least))),
        (None, Some(to)) => (least.min(to), to),
        (Some(from), Some(to)) => (from, to),
    };
    let largest = if column.column_type == ColumnType::Integer { i128::from(i32::MAX) } else { i128::from(i64::MAX) };
    Kind::Steps(from, if matches!(step, Step::Decimals(0)) { to.min(largest) } else { to }, step)
}

/// The least and the largest number, by the column's name and what it is for.
fn numbers(source: &Source, column: &Column) -> [i128; 2] {
    let name = column.name.as_str();
    let last = name.rsplit('_').next().unwrap_or(name);
    if last == "year" {
        let year = i128::from(source.today.year());
        return [year - 9, year];
    }
    match (USUAL.iter().find(|(word, ..)| *word == last), column.role) {
        (Some((_, from, to)), _) => [*from, *to],
        (None, Role::Identifier) => [1, 2 * i128::from(STARTS)],
        (None, Role::Dimension) => [1, 10],
        (None, Role::Measure | Role::Hidden) => [0, 100],
    }
}

/// An end of a range in steps of the type.
fn steps(column_type: ColumnType, text: &str) -> Option<i128> {
    match literal(column_type, text)? {
        ScalarValue::Int32(number) => number.map(i128::from),
        ScalarValue::Int64(number) => number.map(i128::from),
        ScalarValue::Decimal128(number, _, _) => number,
        ScalarValue::Float64(number) => number.map(|number| (number * 100.0) as i128),
        ScalarValue::Date32(days) => days.map(i128::from),
        ScalarValue::TimestampMicrosecond(micros, _) => micros.map(|micros| i128::from(micros.div_euclid(1_000_000))),
        _ => None,
    }
}

fn point(place: u64) -> String {
    let (east, north) = ((place % 1_000) as f64, (place / 1_000 % 1_000) as f64);
    let mut bytes = vec![1, 1, 0, 0, 0];
    bytes.extend((-0.5 + east * 0.000_8).to_le_bytes());
    bytes.extend((51.3 + north * 0.000_4).to_le_bytes());
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::super::told::tests::told;
    use super::*;
    use crate::config::built_in;

    fn source() -> Source {
        Source::new(1, "2026-11-27".parse().unwrap())
    }

    /// Values of the first column in the first rows, without those that are none.
    fn values(told: &Told, standard: Option<&str>) -> Vec<String> {
        let standards = built_in();
        let standard =
            standard.map(|name| standards.iter().find(|known| known.standard.name.as_str() == name).unwrap());
        let source = source();
        let values = Values::of(&source, told, &told.columns[0], standard.map(|known| &*known.standard));
        (0..500).filter_map(|row| values.text(&source, row)).collect()
    }

    #[test]
    fn a_value_is_one_that_is_known_or_made_by_type_and_name() {
        let within = |kind: &str, name: &str, from: f64, to: f64| {
            let made = values(&told("lfb.rows", "statistics", &[[name, kind, "measure"]]), None);
            let numbers: Vec<f64> = made.iter().map(|text| text.parse().unwrap()).collect();
            assert!(numbers.iter().all(|number| (from..=to).contains(number)), "{name} {kind}: {numbers:?}");
            assert!(made.len() > 450 && made.len() < 500, "some have none: {}", made.len());
        };
        within("integer", "year", 2017.0, 2026.0);
        within("integer", "call_month", 1.0, 12.0);
        within("double", "amount", 0.0, 100.0);
        within("decimal(14,2)", "amount", 0.0, 100.0);
        within("decimal(2,2)", "amount", 0.0, 0.99);
        within("decimal(38,38)", "amount", 0.0, 1.0);
        let days = values(&told("lfb.rows", "statistics", &[["paid", "date", "dimension"]]), None);
        assert!(days.iter().all(|day| ("2021-11-28".."2026-11-28").contains(&day.as_str())), "{days:?}");
        let labels = values(&told("lfb.rows", "statistics", &[["ward", "varchar", "dimension"]]), None);
        assert!(labels.contains(&"ward 1".to_owned()) && !labels.contains(&"ward 9".to_owned()), "{labels:?}");
        let agreed = values(&told("camden.rows", "statistics", &[["hmo", "varchar", "dimension"]]), Some("dwellings"));
        assert!(agreed.iter().all(|value| ["none", "small", "large"].contains(&value.as_str())), "{agreed:?}");
    }

    #[test]
    fn codes_are_the_known_ones_of_their_concept_and_what_is_covered_is_within() {
        let mut homes = told("camden.rows", "statistics", &[["home", "varchar", "dimension"]]);
        homes.columns[0].concept = Some("gss:borough".into());
        assert!(values(&homes, None).iter().all(|code| london::boroughs().iter().any(|known| known.gss == code)));
        let cover = |told: &mut Told, text: &str| told.coverage = vec![serde_json::from_str(text).unwrap()];
        cover(&mut homes, r#"{"column": "home", "value": "E09000007"}"#);
        assert_eq!(values(&homes, None), vec!["E09000007"; 500]);
        let mut dated = told("camden.rows", "statistics", &[["day", "date", "dimension"]]);
        cover(&mut dated, r#"{"column": "day", "from": "2020-02-28", "to": "2020-03-01"}"#);
        assert!(
            values(&dated, None).iter().all(|day| ["2020-02-28", "2020-02-29", "2020-03-01"].contains(&day.as_str()))
        );
        let mut numbered = told("camden.rows", "statistics", &[["number", "bigint", "measure"]]);
        cover(&mut numbered, r#"{"column": "number", "from": "-3000000000"}"#);
        assert!(values(&numbered, None).iter().all(|number| number.parse::<i64>().unwrap() >= -3_000_000_000));
    }

    #[test]
    fn each_row_has_an_identifier_of_its_own_that_the_body_s_datasets_share() {
        let one = |name: &str, column: &str| {
            let mut told = told(name, "statistics", &[[column, "bigint", "identifier"]]);
            told.columns[0].concept = Some("os:uprn".into());
            values(&told, None)
        };
        let (homes, licences, elsewhere) =
            (one("camden.homes", "uprn"), one("camden.licences", "id"), one("lfb.homes", "uprn"));
        assert_eq!(homes, licences);
        assert!(homes.iter().all(|id| !elsewhere.contains(id)));
        assert_eq!(homes.iter().collect::<std::collections::BTreeSet<_>>().len(), 500);
    }
}
