//! The agreements of a sprint: they let the team ask for made rows under the terms of the real ones, and end with the sprint.

use chrono::{Days, NaiveDate};
use meridian_proto::{Form, Name};
use serde::Serialize;

use super::super::Error;
use super::told::Told;

/// An agreement's file, as `config` reads it.
#[derive(Serialize)]
struct Agreement<'a> {
    id: String,
    title: String,
    purpose: &'a str,
    benefit: &'static str,
    legal_power: &'static str,
    lawful_basis: &'static str,
    recipients: [&'a Name; 1],
    start: String,
    end: String,
    contact: String,
    grants: Vec<Grant<'a>>,
}

#[derive(Serialize)]
struct Grant<'a> {
    dataset: &'a Name,
    form: Form,
}

/// Which sprint they are of, and when it is.
pub(super) struct Terms<'a> {
    pub(super) sprint: &'a Name,
    /// The body whose analyst asks.
    pub(super) recipient: &'a Name,
    pub(super) contact: &'a str,
    pub(super) start: NaiveDate,
    pub(super) until: NaiveDate,
}

impl Terms<'_> {
    /// The agreement about a purpose over the datasets of one body, the number of which sets it apart from others; none where
    /// no dataset needs one.
    pub(super) fn agreement(&self, number: usize, purpose: &str, datasets: &[&Told]) -> Result<Option<String>, Error> {
        let needs_one = |told: &&&Told| match told.form {
            Form::Rows => true,
            Form::Statistics => told.needs_agreement,
            Form::Open | Form::None => false,
        };
        let granted = datasets.iter().filter(needs_one);
        let grants: Vec<_> = granted.map(|told| Grant { dataset: &told.name, form: told.form }).collect();
        if grants.is_empty() {
            return Ok(None);
        }
        // The end is exclusive.
        let end = self.until.checked_add_days(Days::new(1)).unwrap_or(self.until);
        let agreement = Agreement {
            id: format!("sprint-{}-{number}", self.sprint),
            title: format!("Data sprint {}, on made-up rows", self.sprint),
            purpose,
            benefit: "Questions are written, and it is known what they need, before anybody asks for a real row",
            legal_power: "None is needed: no row is real",
            lawful_basis: "None is needed: no row is about anybody",
            recipients: [self.recipient],
            start: self.start.to_string(),
            end: end.to_string(),
            contact: self.contact.to_owned(),
            grants,
        };
        let text = toml::to_string(&agreement)
            .map_err(|error| Error::Usage(format!("writing the agreement of {purpose:?}: {error}")))?;
        Ok(Some(format!("# It binds nobody: of what it is about, no row is real.\n{text}")))
    }
}
