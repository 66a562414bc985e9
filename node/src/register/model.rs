//! What a body tells the public: its agreements, its algorithms, and how often what was used.

use meridian_proto::{BodyName, Form, Name};
use serde::{Deserialize, Serialize};

use super::words::{Day, Id, MonthName, Text};

/// All that the public may read of a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    /// The federation.
    pub federation: Name,
    /// The body.
    pub body: Name,
    /// Its name for people.
    pub title: Text,
    /// The day on which this was so.
    pub made: Day,
    /// The last day of which use is counted; none where it is counted as it happens.
    #[serde(default)]
    pub counted: Option<Day>,
    /// Whether records of longer ago are archived and not counted.
    pub counts_are_recent: bool,
    /// Its agreements, by identifier.
    pub agreements: Vec<Agreement>,
    /// Agreements that stand in the log and no longer among the files.
    pub ended: Vec<Ended>,
    /// Answers from open data to other bodies, which need no agreement.
    pub open: Vec<Month>,
    /// Questions that were refused.
    pub refused: Vec<Refused>,
    /// Queries and models that decide about people.
    #[serde(default)]
    pub algorithms: Vec<Algorithm>,
}

/// An agreement as this body has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// The same at every body that has it.
    pub id: Id,
    /// For people.
    pub title: Text,
    /// Whether data may leave under it on the day on which this was so.
    pub in_force: bool,
    /// The purpose that a query must state.
    pub purpose: Text,
    /// To whose benefit.
    pub benefit: Text,
    /// The law that lets it share.
    pub legal_power: Text,
    /// The lawful basis of the processing.
    pub lawful_basis: Text,
    /// The bodies that signed it.
    pub parties: Vec<BodyName>,
    /// The bodies that may have the data.
    pub recipients: Vec<BodyName>,
    /// The first day.
    pub start: Day,
    /// The first day on which it is not in force any more.
    pub end: Day,
    /// Whom to ask.
    pub contact: Text,
    /// What else the public is told.
    #[serde(flatten)]
    pub particulars: Particulars,
    /// What is shared.
    pub items: Vec<Item>,
    /// How often it was used.
    pub months: Vec<Month>,
}

/// What the ICO's data sharing code and the register under the Digital Economy Act ask for beside the terms; empty where the
/// agreement does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Particulars {
    /// Who decides on the processing.
    pub controllers: Vec<Text>,
    /// Who processes on their behalf.
    pub processors: Vec<Text>,
    /// The condition for special categories and criminal offences.
    pub special_category: Text,
    /// How the data travels and how it is secured.
    pub method: Text,
    /// Why less would not do.
    pub necessity: Text,
    /// The data protection impact assessment: a reference, or a link.
    pub dpia: Text,
    /// What the data protection officers think of it.
    pub dpo_view: Text,
    /// How long recipients keep what they get.
    pub retention: Text,
    /// When it is looked at again.
    pub review: Option<Day>,
    /// Where the people live, or the things are, that it is about.
    pub area: Text,
    /// Where people turn to with their rights.
    pub rights_contact: Text,
}

/// A dataset that an agreement shares.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Item {
    /// Its name.
    pub dataset: Name,
    /// For people.
    pub title: Text,
    /// How it may leave.
    pub form: Form,
    /// The columns that may be used.
    pub columns: Vec<Name>,
    /// The fewest units of a released figure; 0 where it leaves in another form.
    pub smallest_group: u32,
    /// Whether a recipient may have it for the analysts of other bodies, too.
    pub onward: bool,
}

/// What is left of an agreement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Its identifier.
    pub id: Id,
    /// How often it was used.
    pub months: Vec<Month>,
}

/// A month of use: volumes in classes, so that one use does not show the size of one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Month {
    /// `2026-11`
    pub month: MonthName,
    /// Questions that were answered, those that were interrupted or are under way included.
    pub questions: u64,
    /// Those of which a part may have left.
    pub interrupted: u64,
    /// Interrupted ones, or such as are under way, of which it is not known how much left: the volumes don't have them.
    pub unknown: u64,
    /// Rows that left, at most.
    pub rows: Class,
    /// Bytes that left, at most.
    pub bytes: Class,
}

/// A power of ten, and what is below the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// The least number of it.
    pub from: u64,
    /// The largest.
    pub to: u64,
}

impl Class {
    /// The class of a number.
    pub fn of(number: u64) -> Self {
        match number.checked_ilog10() {
            None => Self { from: 0, to: 0 },
            Some(digits) => {
                let from = 10_u64.saturating_pow(digits);
                Self { from, to: from.saturating_mul(10).saturating_sub(1) }
            }
        }
    }
}

/// Refusals of a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// `2026-11`
    pub month: MonthName,
    /// How many.
    pub questions: u64,
}

/// A record of the Algorithmic Transparency Recording Standard, with the query itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Algorithm {
    /// Its identifier.
    pub id: Id,
    /// Both tiers, section by section.
    pub sections: Vec<Section>,
    /// The datasets that it uses, `body.dataset`.
    pub datasets: Vec<Text>,
    /// The query.
    pub sql: Text,
}

impl Algorithm {
    /// A field of the first tier.
    pub fn first(&self, key: &str) -> &str {
        let fields = self.sections.iter().flat_map(|section| &section.fields);
        fields.filter(|field| field.key.as_str() == key).map(|field| field.text.as_str()).next().unwrap_or_default()
    }
}

/// A section of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// 1 or 2.
    pub tier: u8,
    /// As the standard calls it.
    pub title: Text,
    /// What is said.
    pub fields: Vec<Field>,
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// The standard's attribute.
    pub key: Id,
    /// As the standard calls it.
    pub label: Text,
    /// What is said.
    pub text: Text,
}

/// One thing that an agreement says of itself, for all forms in which it is published.
pub(super) struct Fact {
    pub(super) key: &'static str,
    pub(super) label: &'static str,
    pub(super) text: String,
}

impl Agreement {
    /// What it says of itself beside title, dates and data.
    pub(super) fn facts(&self) -> Vec<Fact> {
        let names = |names: &[BodyName]| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let lines = |texts: &[Text]| texts.iter().map(Text::as_str).collect::<Vec<_>>().join("\n");
        let more = &self.particulars;
        let said = [
            ("benefit", "Benefit", self.benefit.to_string()),
            ("purpose", "Purpose", self.purpose.to_string()),
            ("legal_power", "Legal power", self.legal_power.to_string()),
            ("lawful_basis", "Lawful basis", self.lawful_basis.to_string()),
            ("recipients", "Who gets it", names(&self.recipients)),
            ("parties", "Parties", names(&self.parties)),
            ("controllers", "Controllers", lines(&more.controllers)),
            ("processors", "Processors", lines(&more.processors)),
            ("special_category", "Special categories", more.special_category.to_string()),
            ("necessity", "Why it is needed", more.necessity.to_string()),
            ("method", "How it is shared", more.method.to_string()),
            ("retention", "How long it is kept", more.retention.to_string()),
            ("dpia", "Impact assessment", more.dpia.to_string()),
            ("dpo_view", "View of the data protection officers", more.dpo_view.to_string()),
            ("review", "Looked at again", more.review.map(Day::told).unwrap_or_default()),
            ("area", "Area", more.area.to_string()),
            ("rights_contact", "For your rights", more.rights_contact.to_string()),
            ("contact", "Whom to ask", self.contact.to_string()),
        ];
        said.into_iter().map(|(key, label, text)| Fact { key, label, text }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_powers_of_ten() {
        for (number, from, to) in [(0, 0, 0), (1, 1, 9), (9, 1, 9), (10, 10, 99), (12_345, 10_000, 99_999)] {
            assert_eq!(Class::of(number), Class { from, to }, "{number}");
        }
        assert_eq!(Class::of(u64::MAX).from, 10_000_000_000_000_000_000);
    }
}
