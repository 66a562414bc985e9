//! What people are told of a dataset beside its terms: keywords, whom to ask, how new and how good it is.

use crate::{Invalid, wire};

/// The most keywords of a dataset.
pub const MOST_KEYWORDS: usize = 50;
/// The longest text of a keyword, a contact's name or address, in characters.
pub const LONGEST_WORDS: usize = 200;
/// The largest power of ten in which anything is counted.
const LARGEST_CLASS: u32 = 18;

/// What else people are told of a dataset. The default says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Words by which people look for it.
    pub keywords: Vec<String>,
    /// Whom to ask.
    pub contact: Option<Contact>,
    /// The day on which its rows last changed, in days since the Unix epoch.
    pub last_change: Option<i32>,
    /// What holds of its rows; `None` where they can't be read at the moment.
    pub quality: Option<Quality>,
    /// Whether it is told to nodes alone, and not to the public.
    pub members_only: bool,
}

/// Whom to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// A person or an office.
    pub name: String,
    /// An address of mail.
    pub email: String,
}

/// What holds of a dataset's rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quality {
    /// What was found to hold of every row when they were loaded, in the order of [`Check`], each once.
    pub checks: Vec<Check>,
    /// Values that do not keep to the standard, as a power of ten, rounded up; `None` where none is known.
    pub failing_class: Option<u32>,
}

/// What is checked of all rows of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// Every value has its column's type.
    Types,
    /// Required columns have a value.
    Required,
    /// The coverage that is declared holds.
    Coverage,
    /// No unit has more than one row, where that is declared.
    Units,
    /// The columns are those of the standard.
    StandardColumns,
    /// The values are valid ones of the standard, and its keys stand once.
    StandardValues,
}

impl Check {
    /// What was found, for people.
    pub fn told(self) -> &'static str {
        match self {
            Self::Types => "every value has its column's type",
            Self::Required => "required columns have a value in every row",
            Self::Coverage => "every row is within the declared coverage",
            Self::Units => "no unit has more than one row",
            Self::StandardColumns => "the columns are those of the standard",
            Self::StandardValues => "every value is a valid one of the standard",
        }
    }
}

/// How often a dataset is renewed, as far as its owner says so in a word that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Frequency {
    /// As it happens.
    Continuous,
    /// Each day.
    Daily,
    /// Each week.
    Weekly,
    /// Each second week.
    Fortnightly,
    /// Each month.
    Monthly,
    /// Each three months.
    Quarterly,
    /// Twice a year.
    TwiceAYear,
    /// Each year.
    Annual,
    /// Each second year.
    EachSecondYear,
    /// Each ten years.
    EachTenYears,
    /// Now and then.
    Irregular,
    /// Not any more.
    Never,
}

impl Frequency {
    /// The frequency that a text of a dataset's file names; `None` where it is another one, or nothing is said.
    pub fn said(text: &str) -> Option<Self> {
        Some(match text.trim().to_lowercase().as_str() {
            "continuous" | "continuously" | "live" => Self::Continuous,
            "daily" | "every day" => Self::Daily,
            "weekly" | "every week" => Self::Weekly,
            "fortnightly" | "biweekly" | "every two weeks" => Self::Fortnightly,
            "monthly" | "every month" => Self::Monthly,
            "quarterly" | "every quarter" | "every three months" => Self::Quarterly,
            "twice a year" | "every six months" | "half-yearly" | "semiannual" => Self::TwiceAYear,
            "yearly" | "annual" | "annually" | "every year" => Self::Annual,
            "every two years" | "biennial" => Self::EachSecondYear,
            "every ten years" | "decennial" => Self::EachTenYears,
            "as it changes" | "as needed" | "irregular" | "irregularly" => Self::Irregular,
            "once" | "never" | "not updated" => Self::Never,
            _ => return None,
        })
    }

    /// The longest that rows of this frequency stay the same, in days; `None` where that says nothing of their age.
    pub fn days(self) -> Option<u32> {
        match self {
            Self::Continuous | Self::Daily => Some(1),
            Self::Weekly => Some(7),
            Self::Fortnightly => Some(14),
            Self::Monthly => Some(31),
            Self::Quarterly => Some(92),
            Self::TwiceAYear => Some(184),
            Self::Annual => Some(366),
            Self::EachSecondYear => Some(731),
            Self::EachTenYears => Some(3_653),
            Self::Irregular | Self::Never => None,
        }
    }
}

impl About {
    /// What a message says of it; what is said there is taken out of the message.
    pub(crate) fn taken(message: &mut wire::Dataset) -> Result<Self, Invalid> {
        let keywords = std::mem::take(&mut message.keywords);
        if keywords.len() > MOST_KEYWORDS {
            let many = keywords.len().to_string();
            return Err(Invalid::value("Dataset", "keywords", &many, "a dataset has 50 keywords at most"));
        }
        if let Some(wrong) = keywords.iter().find(|keyword| !is_line(keyword)) {
            return Err(Invalid::value(
                "Dataset",
                "keywords",
                wrong,
                "a keyword is one line of 200 characters at most",
            ));
        }
        Ok(Self {
            keywords,
            contact: message.contact.take().map(Contact::try_from).transpose()?,
            last_change: message.last_change,
            quality: message.quality.take().map(Into::into),
            members_only: message.members_only,
        })
    }
}

/// One line that says something, of bounded length.
fn is_line(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= LONGEST_WORDS && !text.chars().any(char::is_control)
}

impl TryFrom<wire::Contact> for Contact {
    type Error = Invalid;

    fn try_from(wire::Contact { name, email }: wire::Contact) -> Result<Self, Invalid> {
        if !is_line(&name) {
            return Err(Invalid::value("Contact", "name", &name, "a name is one line of 200 characters at most"));
        }
        if !is_mail(&email) {
            return Err(Invalid::value("Contact", "email", &email, "an address of mail is like data@lfb.example"));
        }
        Ok(Self { name, email })
    }
}

/// Whether a text can be an address of mail: letters, digits and `._+-` around one `@`, with a dot behind it.
pub fn is_mail(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    let Some((before, behind)) = text.split_once('@') else { return false };
    let is_part = |part: &str| !part.is_empty() && part.chars().all(is_plain) && !part.starts_with(['.', '-']);
    text.len() <= LONGEST_WORDS && is_part(before) && is_part(behind) && behind.contains('.') && !behind.ends_with('.')
}

impl From<&Contact> for wire::Contact {
    fn from(value: &Contact) -> Self {
        Self { name: value.name.clone(), email: value.email.clone() }
    }
}

/// What is of a later version of the messages, and not known here, is left out.
impl From<wire::Quality> for Quality {
    fn from(message: wire::Quality) -> Self {
        let known = |check: wire::Check| {
            Some(match check {
                wire::Check::Unspecified => return None,
                wire::Check::Types => Check::Types,
                wire::Check::Required => Check::Required,
                wire::Check::Coverage => Check::Coverage,
                wire::Check::Units => Check::Units,
                wire::Check::StandardColumns => Check::StandardColumns,
                wire::Check::StandardValues => Check::StandardValues,
            })
        };
        let mut checks: Vec<Check> = message.checks().filter_map(known).collect();
        checks.sort_unstable();
        checks.dedup();
        Self { checks, failing_class: message.failing_class.map(|class| class.min(LARGEST_CLASS)) }
    }
}

impl From<&Quality> for wire::Quality {
    fn from(value: &Quality) -> Self {
        let told = |check: &Check| match check {
            Check::Types => wire::Check::Types,
            Check::Required => wire::Check::Required,
            Check::Coverage => wire::Check::Coverage,
            Check::Units => wire::Check::Units,
            Check::StandardColumns => wire::Check::StandardColumns,
            Check::StandardValues => wire::Check::StandardValues,
        };
        Self {
            checks: value.checks.iter().map(|check| told(check).into()).collect(),
            failing_class: value.failing_class,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn message() -> wire::Dataset {
        wire::Dataset {
            keywords: vec!["fire".into(), "safety".into()],
            contact: Some(wire::Contact { name: "Data team".into(), email: "data@lfb.example".into() }),
            last_change: Some(20_000),
            quality: Some(wire::Quality {
                // 99 is of a later version.
                checks: vec![wire::Check::Required.into(), wire::Check::Types.into(), 99, wire::Check::Types.into()],
                failing_class: Some(1_000),
            }),
            members_only: true,
            ..wire::Dataset::default()
        }
    }

    #[test]
    fn what_is_told_is_taken_in_bounds() {
        let about = About::taken(&mut message()).unwrap();
        let quality = Quality { checks: vec![Check::Types, Check::Required], failing_class: Some(18) };
        assert_eq!((about.quality.unwrap(), about.last_change, about.members_only), (quality, Some(20_000), true));
        assert_eq!(About::taken(&mut wire::Dataset::default()).unwrap(), About::default());
    }

    #[test]
    fn what_is_none_is_refused() {
        let refused = |change: fn(&mut wire::Dataset)| {
            let mut message = message();
            change(&mut message);
            assert!(About::taken(&mut message).is_err());
        };
        refused(|message| message.keywords = vec![String::new()]);
        refused(|message| message.keywords = vec!["two\nlines".into()]);
        refused(|message| message.keywords = vec!["x".repeat(LONGEST_WORDS + 1)]);
        refused(|message| message.keywords = vec!["x".into(); MOST_KEYWORDS + 1]);
        for mail in
            ["", "data", "data@", "@lfb.example", "a b@lfb.example", "a@b@c.example", "data@lfb", "javascript:x@y.z"]
        {
            assert!(!is_mail(mail), "{mail}");
        }
        refused(|message| message.contact = Some(wire::Contact { name: "x".into(), email: "data".into() }));
        refused(|message| {
            message.contact = Some(wire::Contact { name: "\u{1b}".into(), email: "data@lfb.example".into() })
        });
    }

    #[test]
    fn frequencies_are_read_as_people_write_them() {
        for (text, days) in
            [("monthly", Some(31)), (" Every year ", Some(366)), ("as it changes", None), ("once", None)]
        {
            assert_eq!(Frequency::said(text).unwrap().days(), days, "{text}");
        }
        assert_eq!(Frequency::said("when the clerk is back"), None);
        assert_eq!(Frequency::said(""), None);
    }
}
