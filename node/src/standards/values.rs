//! What the texts of a column are: amounts, numbers, days in which layout, names, codes.

use std::collections::HashSet;

use chrono::NaiveDate;

use crate::sources;

/// How days are written, the ISO 8601 layout first and the British ones before the American: as `to_date` takes it.
pub(super) const DATE_LAYOUTS: [&str; 16] = [
    "%Y-%m-%d",
    "%d/%m/%Y",
    "%d/%m/%y",
    "%d-%m-%Y",
    "%d-%m-%y",
    "%d.%m.%Y",
    "%d.%m.%y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%d %b %y",
    "%d %B %Y",
    "%Y/%m/%d",
    "%b %d, %Y",
    "%m/%d/%Y",
    "%Y%m%d",
];
/// Words by which organisations are known.
const OF_ORGANISATIONS: [&str; 34] = [
    "ltd",
    "limited",
    "plc",
    "llp",
    "lp",
    "inc",
    "cic",
    "co",
    "company",
    "group",
    "council",
    "borough",
    "trust",
    "association",
    "society",
    "services",
    "solutions",
    "consultants",
    "consulting",
    "partners",
    "partnership",
    "school",
    "college",
    "university",
    "church",
    "nhs",
    "foundation",
    "charity",
    "housing",
    "uk",
    "bros",
    "sons",
    "systems",
    "com",
];
/// Words for yes and no.
const YES_OR_NO: [&str; 8] = ["y", "n", "yes", "no", "true", "false", "t", "f"];
/// The digits of a UPRN without leading zeros.
const UPRN_DIGITS: std::ops::RangeInclusive<usize> = 5..=12;

/// What a column's texts are; shares are of those that are there, from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Profile {
    /// How many there are.
    pub(super) count: usize,
    /// How many different ones.
    pub(super) distinct: usize,
    /// Numbers, however they are written: with `£`, commas, or the brackets of accountants.
    pub(super) numbers: f64,
    /// Numbers with one or two places behind the point, or a sign of money or of thousands.
    pub(super) priced: f64,
    /// Numbers with three places or more.
    pub(super) fine: f64,
    /// Numbers without a point.
    pub(super) whole: f64,
    /// Whether all are such as CAST takes.
    pub(super) is_plain: bool,
    /// Whether `parse_money` reads all of them.
    pub(super) is_money: bool,
    /// Whether `parse_date_uk` reads all of them, and the days stand before the months.
    pub(super) is_uk: bool,
    /// Whether one is written with a minus behind it.
    pub(super) minus_behind: bool,
    /// Whether one is a dash that stands for nothing.
    pub(super) dashes: bool,
    /// Days.
    pub(super) days: f64,
    /// Layouts in which together all days are written, as few as are needed.
    pub(super) layouts: Vec<&'static str>,
    /// Whether a time stands behind a day.
    pub(super) timed: bool,
    /// Yes and no.
    pub(super) truths: f64,
    /// Boroughs by whatever name.
    pub(super) boroughs: f64,
    /// What could be UPRNs.
    pub(super) uprns: f64,
    /// Those of them that have so many digits as hardly anything else.
    pub(super) long_uprns: f64,
    /// Postcodes.
    pub(super) postcodes: f64,
    /// Texts with more letters than digits.
    pub(super) words: f64,
    /// Different texts with a word by which organisations are known.
    pub(super) organisations: f64,
}

impl Profile {
    /// Looks at the texts that are there.
    pub(super) fn of(cells: &[Option<String>]) -> Self {
        let texts: Vec<&str> = cells.iter().flatten().map(|text| text.trim()).collect();
        let count = texts.len();
        let share = |of: &dyn Fn(&str) -> bool| ratio(texts.iter().filter(|text| of(text)).count(), count);
        let distinct: HashSet<&str> = texts.iter().copied().collect();
        let dashes = texts.iter().any(|text| is_dash(text));
        let named = distinct.iter().filter(|text| is_organisation(text)).count();
        let whole = |text: &str| number(text).is_some_and(|number| number.places == 0);
        let priced = |text: &str| number(text).is_some_and(|found| matches!(found.places, 1 | 2) || found.marked);
        let (days, layouts) = days(&texts);
        Self {
            count,
            distinct: distinct.len(),
            numbers: share(&|text| number(text).is_some() || is_dash(text)),
            priced: share(&priced),
            fine: share(&|text| number(text).is_some_and(|number| number.places > 2)),
            whole: share(&whole),
            is_plain: texts.iter().all(|text| text.parse::<f64>().is_ok_and(f64::is_finite)),
            is_money: texts.iter().all(|text| sources::is_money(text)),
            is_uk: texts.iter().all(|text| sources::is_day_uk(text)) && !layouts.contains(&"%m/%d/%Y"),
            minus_behind: texts.iter().any(|text| text.ends_with('-') && number(text).is_some()),
            dashes,
            days,
            layouts,
            timed: days > 0.0 && texts.iter().any(|text| without_time(text) != *text),
            truths: share(&|text| YES_OR_NO.contains(&text.to_lowercase().as_str())),
            boroughs: share(&|text| sources::gss(text).is_some()),
            uprns: share(&is_uprn),
            long_uprns: share(&|text| text.len() > 10 && is_uprn(text)),
            postcodes: share(&is_postcode),
            words: share(&is_words),
            organisations: ratio(named, distinct.len()),
        }
    }

    /// How different the texts are from each other: 0 if all are the same, 1 if no two are. On a scale of logarithms: a payer
    /// has some suppliers that come back, and far fewer subjects.
    pub(super) fn variety(&self) -> f64 {
        if self.count < 2 { 1.0 } else { logarithm(self.distinct) / logarithm(self.count) }
    }
}

fn ratio(part: usize, all: usize) -> f64 {
    if all == 0 { 0.0 } else { number_of(part) / number_of(all) }
}

fn logarithm(count: usize) -> f64 {
    number_of(count).max(1.0).ln()
}

#[expect(clippy::cast_precision_loss, reason = "rows that are looked at are far fewer than 2^52")]
fn number_of(count: usize) -> f64 {
    count as f64
}

/// Whether a cell is a number or a day, as no heading is.
pub(super) fn is_figure(text: &str) -> bool {
    let text = text.trim();
    number(text).is_some() || layout(text).is_some()
}

/// Whether a row that holds such a cell totals those above.
pub(super) fn is_total(text: &str) -> bool {
    let text = text.trim().trim_end_matches(':').to_lowercase();
    matches!(text.replace(['-', ' '], "").as_str(), "total" | "totals" | "grandtotal" | "subtotal" | "overalltotal")
}

/// A number as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Number {
    /// Digits behind the point.
    places: usize,
    /// Whether a sign of money, of thousands, or an accountant's brackets are part of it.
    marked: bool,
}

fn number(text: &str) -> Option<Number> {
    let bare = text.trim();
    let in_brackets = bare.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let bare = in_brackets.unwrap_or(bare).trim();
    let bare = bare.strip_suffix('-').unwrap_or(bare);
    let unsigned = |text: &str| text.trim().trim_start_matches(['-', '+']).trim().to_owned();
    let amount = unsigned(bare);
    let pounds = amount.strip_prefix(['£', '$', '€']).map(unsigned);
    let currency = pounds.is_some();
    let digits = pounds.unwrap_or(amount);
    let (whole, places) = digits.split_once('.').unwrap_or((&digits, ""));
    let thousands = whole.contains(',');
    let groups_fit = !thousands
        || whole
            .split(',')
            .enumerate()
            .all(|(at, group)| if at == 0 { (1..=3).contains(&group.len()) } else { group.len() == 3 });
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = groups_fit
        && all_digits(&whole.replace(',', ""))
        && all_digits(places)
        && (!whole.is_empty() || !places.is_empty());
    let marked = currency || thousands || in_brackets.is_some();
    is_number.then_some(Number { places: places.len(), marked })
}

/// A number's value, if the text is one.
pub(super) fn amount_of(text: &str) -> Option<f64> {
    number(text)?;
    let digits: String = text.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
    let amount: f64 = digits.parse().ok()?;
    Some(if text.contains(['-', '(']) { -amount } else { amount })
}

fn is_dash(text: &str) -> bool {
    matches!(text.trim(), "-" | "–" | "£-" | "£ -")
}

/// A day without the time behind it.
fn without_time(text: &str) -> &str {
    let end = text.find('T').filter(|at| *at == 10).or_else(|| {
        let at = text.rfind(' ')?;
        text.get(at..)?.contains(':').then_some(at)
    });
    end.and_then(|end| text.get(..end)).unwrap_or(text).trim()
}

fn is_in(text: &str, layout: &str) -> bool {
    let year = |day: NaiveDate| (1900..=2100).contains(&chrono::Datelike::year(&day));
    // `%Y` takes a year of two digits, and `%y` no other.
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let fits = (6..=20).contains(&text.len())
        && digits > 2
        && match layout {
            "%Y%m%d" => text.len() == 8 && digits == 8,
            _ => !layout.contains("%Y") || text.split(['/', '-', '.', ' ', ',']).any(|part| part.len() == 4),
        };
    fits && NaiveDate::parse_from_str(text, layout).is_ok_and(year)
}

/// The first layout in which a text is a day.
fn layout(text: &str) -> Option<&'static str> {
    let day = without_time(text);
    let layouts = DATE_LAYOUTS.iter().filter(|layout| **layout != "%Y%m%d");
    layouts.into_iter().find(|layout| is_in(day, layout)).copied()
}

/// The share of days among the texts, and the layouts of these: the one that explains the most, then of the rest, and so on.
fn days(texts: &[&str]) -> (f64, Vec<&'static str>) {
    let mut left: Vec<&str> = texts.iter().map(|text| without_time(text)).collect();
    let mut layouts = Vec::new();
    while !left.is_empty() && layouts.len() < 3 {
        let explained = |layout: &&&str| left.iter().filter(|text| is_in(text, layout)).count();
        // Of two that explain as many, the first.
        let best = DATE_LAYOUTS.iter().rev().max_by_key(explained).copied().unwrap_or_default();
        let before = left.len();
        left.retain(|text| !is_in(text, best));
        if left.len() == before {
            break;
        }
        layouts.push(best);
    }
    (ratio(texts.len() - left.len(), texts.len()), layouts)
}

fn is_uprn(text: &str) -> bool {
    UPRN_DIGITS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A postcode such as `SW11 4LB`, with or without the blank.
fn is_postcode(text: &str) -> bool {
    let text: String = text.to_ascii_uppercase().split_whitespace().collect();
    let Some((outward, inward)) = text.len().checked_sub(3).and_then(|at| text.split_at_checked(at)) else {
        return false;
    };
    let mut inward = inward.bytes();
    let fits = |byte: Option<u8>, wanted: fn(&u8) -> bool| byte.is_some_and(|byte| wanted(&byte));
    (2..=4).contains(&outward.len())
        && fits(inward.next(), u8::is_ascii_digit)
        && inward.all(|byte| byte.is_ascii_uppercase())
        && fits(outward.bytes().next(), u8::is_ascii_uppercase)
        && outward.bytes().any(|byte| byte.is_ascii_digit())
        && outward.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_words(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    letters > digits && letters > 1
}

fn is_organisation(text: &str) -> bool {
    let text = text.to_lowercase();
    let mut words = text.split(|c: char| !c.is_alphanumeric());
    is_words(&text) && words.any(|word| OF_ORGANISATIONS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(texts: &[&str]) -> Profile {
        Profile::of(&texts.iter().map(|text| Some((*text).to_owned())).collect::<Vec<_>>())
    }

    #[test]
    fn numbers_are_what_people_write() {
        for (text, places, marked) in [
            ("10", 0, false),
            ("29.1", 1, false),
            ("(250.00)", 2, true),
            ("(2,076.25)", 2, true),
            ("£3,228,893.86", 2, true),
            ("-£1.50", 2, true),
            ("£-1.50", 2, true),
            (" 806.36 ", 2, false),
            ("250.00-", 2, false),
            ("51.4758117319", 10, false),
            (".5", 1, false),
        ] {
            assert_eq!(number(text), Some(Number { places, marked }), "{text}");
        }
        for text in
            ["", "-", "Total", "1,23", "12,3456", "1002\\5109739328", "E09000001", "04/03/2016", "1.2.3", "(", "()"]
        {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn days_are_read_as_the_column_as_a_whole_has_them() {
        let layouts = |texts: &[&str]| profile(texts).layouts;
        assert_eq!(layouts(&["2013-04-02", "2013-04-22"]), ["%Y-%m-%d"]);
        assert_eq!(layouts(&["04/03/2016", "07/03/2016"]), ["%d/%m/%Y"]);
        assert_eq!(layouts(&["04/13/2016", "07/03/2016"]), ["%m/%d/%Y"]);
        assert_eq!(layouts(&["04/03/16", "17/03/16"]), ["%d/%m/%y"]);
        assert_eq!(layouts(&["01-Apr-2015", "30-Apr-2015"]), ["%d-%b-%Y"]);
        assert_eq!(layouts(&["1 April 2015", "30 April 2015"]), ["%d %B %Y"]);
        assert_eq!(layouts(&["20150401", "20151231"]), ["%Y%m%d"]);
        let timed = profile(&["20/05/2014 00:00", "21/05/2014 00:00:00"]);
        assert!(timed.timed && timed.layouts == ["%d/%m/%Y"], "{timed:?}");
        let mixed = profile(&["20/05/2014", "21/05/2014", "2014-05-22"]);
        assert_eq!(mixed.layouts, ["%d/%m/%Y", "%Y-%m-%d"]);
        assert!(profile(&["7331", "7342", "10"]).days < 0.1);
    }

    #[test]
    fn codes_are_told_from_words() {
        let codes = profile(&["SW11 4LB", "EC1A1BB", "n1 9gu"]);
        assert!((codes.postcodes - 1.0).abs() < 1e-9, "{codes:?}");
        assert!(profile(&["100021234567", "5012345"]).uprns > 0.9);
        assert!(profile(&["LONDON BOROUGH OF LEWISHAM", "Peabody Trust", "Amazon"]).organisations > 0.6);
        assert!(is_total(" Grand Total ") && is_total("Sub-total:") && !is_total("Total Gas & Power Ltd"));
    }
}
