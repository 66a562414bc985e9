//! `meridian agreement draft`: the smallest agreement that lets a query run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write;

use chrono::{Months, NaiveDate, Utc};
use clap::Args;
use meridian_certs::{Credentials, Identity};
use meridian_proto::{DatasetUse, Form};

use super::super::client::Client;
use super::super::profile::Connection;
use super::super::statement::Source;
use super::super::{Error, say};

/// What only people can say, with what it is about.
const TO_FILL: [(&str, &str); 13] = [
    ("title", "what it is called"),
    ("benefit", "to whose benefit"),
    ("legal_power", "the legal power to share"),
    ("lawful_basis", "UK GDPR article 6, and 9 or 10 where they apply"),
    ("necessity", "why less would not do"),
    ("method", "how it travels and is secured"),
    ("dpia", "the impact assessment: a reference, or an https link"),
    ("dpo_view", "what the data protection officers think of it"),
    ("retention", "how long recipients keep what they get"),
    ("review", "the day on which it is looked at again: 2027-01-31"),
    ("area", "where those live that it is about"),
    ("contact", "whom to ask"),
    ("rights_contact", "where people turn to with their rights"),
];

/// Options of `meridian agreement draft`.
#[derive(Debug, Args)]
pub(crate) struct Draft {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    connection: Connection,
    /// The name of the agreement: lower-case letters, digits and hyphens; the purpose and the year where it is not given
    #[arg(long)]
    id: Option<String>,
}

impl Draft {
    /// Asks one's own node what the query needs, and writes the agreement.
    pub(crate) async fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let profile = self.connection.resolve()?;
        let mut statement = self.source.read()?;
        let purpose = statement.purpose.take().or_else(|| profile.purpose.clone());
        let purpose = purpose.ok_or_else(|| Error::Usage("say what it is for, with --purpose".into()))?;
        let own = Credentials::load(&profile.ca, &profile.cert, &profile.key)?;
        let mut client = Client::new(&profile)?;
        let needs = client.needs(&statement.sql).await?.0;
        if needs.is_empty() {
            return Err(Error::Usage(
                "the query reads open data and that of your own body alone: no agreement is needed".into(),
            ));
        }
        let today = Utc::now().date_naive();
        let id = self.id.unwrap_or_else(|| format!("{purpose}-{}", today.format("%Y")));
        out.write_all(document(&id, &purpose, own.identity(), &needs, today)?.as_bytes())?;
        out.flush()?;
        say("To be filled in before it is proposed:");
        for (key, what) in TO_FILL {
            say(format_args!("  {key:<16} {what}"));
        }
        Ok(())
    }
}

/// A grant of datasets that are alike, and the bodies whose they are.
type Grants = BTreeMap<(String, &'static str, Vec<String>), BTreeSet<String>>;

fn document(id: &str, purpose: &str, own: &Identity, needs: &[DatasetUse], today: NaiveDate) -> Result<String, Error> {
    let mut grants = Grants::new();
    for used in needs {
        let form = match used.form {
            Form::Rows => "rows",
            Form::Statistics => "statistics",
            Form::Open | Form::None => {
                return Err(Error::Usage(format!("{} is not given to anybody: ask its body to publish it", used.name)));
            }
        };
        let mut parts = used.name.rsplitn(3, '.');
        let (Some(dataset), Some(body)) = (parts.next(), parts.next()) else {
            return Err(Error::Node(format!("the node names a dataset {:?}, which is none", used.name)));
        };
        grants.entry((dataset.into(), form, used.columns.clone())).or_default().insert(body.into());
    }
    let recipient = own.body().to_string();
    let owners: BTreeSet<&String> = grants.values().flatten().collect();
    let parties: BTreeSet<&String> = owners.iter().copied().chain([&recipient]).collect();
    let end = today.checked_add_months(Months::new(12)).unwrap_or(today);
    let mut text = String::new();
    let mut line = |key: &str, value: toml::Value| {
        let _ = writeln!(text, "{key} = {value}");
    };
    line("id", id.into());
    line("purpose", purpose.into());
    for (key, _) in TO_FILL {
        line(key, "".into());
    }
    line("recipients", vec![recipient.clone()].into());
    line("parties", list(parties));
    line("controllers", list(owners.into_iter().chain([&recipient]).collect::<BTreeSet<_>>()));
    line("processors", list(BTreeSet::new()));
    line("start", today.to_string().into());
    line("end", end.to_string().into());
    for ((dataset, form, columns), bodies) in &grants {
        text.push_str("\n[[grants]]\n");
        let mut line = |key: &str, value: toml::Value| {
            let _ = writeln!(text, "{key} = {value}");
        };
        line("bodies", list(bodies.iter().collect()));
        line("dataset", dataset.as_str().into());
        line("form", (*form).into());
        line("columns", columns.clone().into());
    }
    Ok(text)
}

fn list(names: BTreeSet<&String>) -> toml::Value {
    names.into_iter().cloned().collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    fn needed(name: &str, columns: &[&str], form: Form) -> DatasetUse {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        DatasetUse { name: name.into(), columns, form }
    }

    #[test]
    fn datasets_that_are_alike_stand_in_one_grant() {
        let own: Identity = "spiffe://london/body/loda/analyst/asha".parse().unwrap();
        let today = NaiveDate::from_ymd_opt(2026, 1, 31).unwrap();
        let needs = [
            needed("london.camden.dwellings", &["uprn"], Form::Statistics),
            needed("london.hackney.dwellings", &["uprn"], Form::Statistics),
            needed("london.lfb.incidents", &["year"], Form::Rows),
        ];
        let text = document("fire-risk-2026", "fire-risk", &own, &needs, today).unwrap();
        let read: toml::Table = text.parse().unwrap();
        assert_eq!(read["end"].as_str(), Some("2027-01-31"));
        assert_eq!(read["parties"].as_array().unwrap().len(), 4);
        let grants = read["grants"].as_array().unwrap();
        assert_eq!(grants.len(), 2);
        assert_eq!(grants[0]["bodies"].as_array().unwrap().len(), 2);
        assert!(TO_FILL.iter().all(|(key, _)| read[*key].as_str() == Some("")));
        let secret = [needed("london.lfb.people", &["name"], Form::None)];
        assert!(document("a", "a", &own, &secret, today).unwrap_err().to_string().contains("not given to anybody"));
    }
}
