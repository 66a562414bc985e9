//! Whether a body would release an answer: its decision, in parts that a person can be told.

use std::fmt;

use prost::Message;

use crate::release::{uses, wire_uses};
use crate::{DatasetUse, Invalid, Name, wire};

/// Longest text in a verdict that is taken from another body, in characters.
const MOST_CHARS: usize = 4_000;
/// Most items of a list in a verdict.
const MOST_ITEMS: usize = 10_000;

/// What the bodies behind a question said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckAnswer {
    /// The id under which it is logged everywhere.
    pub query_id: String,
    /// The answering body's own first.
    pub verdicts: Vec<Verdict>,
}

/// What one body said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The body.
    pub body: Name,
    /// The SQL that it would be sent.
    pub sql: String,
    /// Its decision.
    pub decision: Decision,
}

/// Whether something would be released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Admitted(Admission),
    /// No.
    Refused(Refusal),
    /// The body can't be reached, for this reason.
    Unreachable(String),
    /// The body has not decided, for this reason: a limit, or a fault.
    Undecided(String),
}

/// What would leave, and by which terms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admission {
    /// The body's datasets, with the columns that are used and the form.
    pub datasets: Vec<DatasetUse>,
    /// The agreements relied on.
    pub agreements: Vec<String>,
    /// The rules applied.
    pub rules: Vec<String>,
    /// What a reader of the answer must know.
    pub notices: Vec<String>,
    /// The columns of the answer.
    pub columns: Vec<String>,
}

/// Why something is not released, and what would be: a function of the SQL, the terms and the schema alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    /// The short name of the rule.
    pub rule: String,
    /// The dataset, in full.
    pub dataset: Option<String>,
    /// The published column.
    pub column: Option<String>,
    /// The word of the SQL that it is about.
    pub needle: Option<String>,
    /// Which rule is broken, and by what.
    pub reason: String,
    /// The smallest change that would be admitted; empty where none is known.
    pub remedy: String,
    /// Where in the asker's own SQL.
    pub place: Option<Place>,
}

/// A place in a text: line and column from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column.
    pub column: u64,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", self.remedy) }
    }
}

/// What an agreement has to grant for a query to run: datasets of other bodies that are not open, in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs(pub Vec<DatasetUse>);

impl Needs {
    /// Decodes it.
    pub fn decode(bytes: &[u8]) -> Result<Self, Invalid> {
        let message = wire::Needs::decode(bytes).map_err(|error| Invalid::encoding("Needs", &error))?;
        few("Needs", "datasets", message.datasets.len())?;
        uses(message.datasets).map(Self)
    }

    /// Encodes it.
    pub fn encode(self) -> Vec<u8> {
        wire::Needs { datasets: wire_uses(self.0) }.encode_to_vec()
    }
}

impl Refusal {
    /// Decodes a refusal that travelled by itself.
    pub fn decode(bytes: &[u8]) -> Result<Self, Invalid> {
        wire::Refusal::decode(bytes).map_err(|error| Invalid::encoding("Refusal", &error))?.try_into()
    }

    /// Encodes it to travel by itself.
    pub fn encode(&self) -> Vec<u8> {
        wire::Refusal::from(self).encode_to_vec()
    }
}

impl CheckAnswer {
    /// Decodes an answer.
    pub fn decode(bytes: &[u8]) -> Result<Self, Invalid> {
        let message = wire::CheckAnswer::decode(bytes).map_err(|error| Invalid::encoding("CheckAnswer", &error))?;
        let query_id = bounded("CheckAnswer", "query_id", message.query_id)?;
        few("CheckAnswer", "verdicts", message.verdicts.len())?;
        let verdicts = message.verdicts.into_iter().map(TryInto::try_into).collect::<Result<Vec<_>, _>>()?;
        if verdicts.is_empty() {
            return Err(Invalid::Missing { message: "CheckAnswer", field: "verdicts" });
        }
        Ok(Self { query_id, verdicts })
    }

    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        let verdicts = self.verdicts.iter().map(Into::into).collect();
        wire::CheckAnswer { query_id: self.query_id.clone(), verdicts }.encode_to_vec()
    }
}

impl TryFrom<wire::Refusal> for Refusal {
    type Error = Invalid;

    fn try_from(message: wire::Refusal) -> Result<Self, Invalid> {
        let text = |field, text: String| bounded("Refusal", field, text);
        let place = Place { line: message.line, column: message.column_number };
        Ok(Self {
            rule: text("rule", message.rule)?,
            dataset: said(text("dataset", message.dataset)?),
            column: said(text("column", message.column)?),
            needle: said(text("needle", message.needle)?),
            reason: text("reason", message.reason)?,
            remedy: text("remedy", message.remedy)?,
            place: (place.line > 0 && place.column > 0).then_some(place),
        })
    }
}

impl From<&Refusal> for wire::Refusal {
    fn from(value: &Refusal) -> Self {
        let value = value.clone();
        Self {
            rule: value.rule,
            dataset: value.dataset.unwrap_or_default(),
            column: value.column.unwrap_or_default(),
            needle: value.needle.unwrap_or_default(),
            reason: value.reason,
            remedy: value.remedy,
            line: value.place.map_or(0, |place| place.line),
            column_number: value.place.map_or(0, |place| place.column),
        }
    }
}

impl TryFrom<wire::Verdict> for Verdict {
    type Error = Invalid;

    fn try_from(message: wire::Verdict) -> Result<Self, Invalid> {
        use wire::verdict::Decision as Wire;
        let decision = match message.decision {
            Some(Wire::Admission(admission)) => Decision::Admitted(admission.try_into()?),
            Some(Wire::Refusal(refusal)) => Decision::Refused(refusal.try_into()?),
            Some(Wire::Silence(wire::Silence { unreachable, why })) => {
                let why = bounded("Silence", "why", why)?;
                if unreachable { Decision::Unreachable(why) } else { Decision::Undecided(why) }
            }
            None => return Err(Invalid::Missing { message: "Verdict", field: "decision" }),
        };
        Ok(Self { body: message.body.parse()?, sql: message.sql, decision })
    }
}

impl From<&Verdict> for wire::Verdict {
    fn from(value: &Verdict) -> Self {
        use wire::verdict::Decision as Wire;
        let silence = |unreachable, why: &str| Wire::Silence(wire::Silence { unreachable, why: why.to_owned() });
        let decision = match &value.decision {
            Decision::Admitted(admission) => Wire::Admission(admission.into()),
            Decision::Refused(refusal) => Wire::Refusal(refusal.into()),
            Decision::Unreachable(why) => silence(true, why),
            Decision::Undecided(why) => silence(false, why),
        };
        Self { body: value.body.to_string(), sql: value.sql.clone(), decision: Some(decision) }
    }
}

impl TryFrom<wire::Admission> for Admission {
    type Error = Invalid;

    fn try_from(message: wire::Admission) -> Result<Self, Invalid> {
        few("Admission", "datasets", message.datasets.len())?;
        Ok(Self {
            datasets: uses(message.datasets)?,
            agreements: texts("agreements", message.agreements)?,
            rules: texts("rules", message.rules)?,
            notices: texts("notices", message.notices)?,
            columns: texts("columns", message.columns)?,
        })
    }
}

impl From<&Admission> for wire::Admission {
    fn from(value: &Admission) -> Self {
        let value = value.clone();
        Self {
            datasets: wire_uses(value.datasets),
            agreements: value.agreements,
            rules: value.rules,
            notices: value.notices,
            columns: value.columns,
        }
    }
}

fn texts(field: &'static str, texts: Vec<String>) -> Result<Vec<String>, Invalid> {
    few("Admission", field, texts.len())?;
    texts.into_iter().map(|text| bounded("Admission", field, text)).collect()
}

fn few(message: &'static str, field: &'static str, items: usize) -> Result<(), Invalid> {
    if items <= MOST_ITEMS {
        return Ok(());
    }
    Err(Invalid::value(message, field, &items.to_string(), "a list of 10,000 items at most"))
}

fn bounded(message: &'static str, field: &'static str, text: String) -> Result<String, Invalid> {
    if text.chars().count() <= MOST_CHARS {
        return Ok(text);
    }
    Err(Invalid::value(message, field, &text, "a text of 4,000 characters at most"))
}

fn said(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Form;

    fn refusal() -> Refusal {
        Refusal {
            rule: "statistics.column".into(),
            dataset: Some("london.lfb.incidents".into()),
            column: Some("easting".into()),
            needle: Some("easting".into()),
            reason: "easting is hidden".into(),
            remedy: "use borough_gss".into(),
            place: Some(Place { line: 1, column: 8 }),
        }
    }

    fn answer() -> CheckAnswer {
        let admission = Admission {
            datasets: vec![DatasetUse {
                name: "london.gla.boroughs".into(),
                columns: vec!["gss".into()],
                form: Form::Open,
            }],
            agreements: vec!["a-2026".into()],
            rules: vec!["form.open".into()],
            notices: vec!["open".into()],
            columns: vec!["gss".into()],
        };
        let decisions = [
            Decision::Admitted(admission),
            Decision::Refused(refusal()),
            Decision::Refused(Refusal { rule: "sql".into(), ..Refusal::default() }),
            Decision::Unreachable("connection refused".into()),
            Decision::Undecided("a limit".into()),
        ];
        let verdict = |decision| Verdict { body: "gla".parse().unwrap(), sql: "SELECT 1".into(), decision };
        CheckAnswer { query_id: "q".into(), verdicts: decisions.into_iter().map(verdict).collect() }
    }

    #[test]
    fn an_answer_comes_back_as_it_was_sent() {
        assert_eq!(CheckAnswer::decode(&answer().encode()).unwrap(), answer());
        assert_eq!(Refusal::decode(&refusal().encode()).unwrap(), refusal());
    }

    #[test]
    fn a_verdict_without_a_decision_and_texts_without_end_are_none() {
        let verdict = wire::Verdict { body: "gla".into(), sql: String::new(), decision: None };
        let message = wire::CheckAnswer { query_id: "q".into(), verdicts: vec![verdict] };
        assert!(CheckAnswer::decode(&message.encode_to_vec()).is_err());
        assert!(CheckAnswer::decode(&wire::CheckAnswer::default().encode_to_vec()).is_err());
        let long = Refusal { reason: "x".repeat(MOST_CHARS + 1), ..refusal() };
        assert!(Refusal::decode(&long.encode()).is_err());
    }
}
