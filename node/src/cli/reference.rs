//! `meridian reference`: the stanza by which an owner declares another body's dataset, over its content as it is now.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use clap::Args;
use meridian_federation::reference::{Content, content};
use meridian_proto::Name;

use super::client::Client;
use super::profile::Connection;
use super::{Error, query, say};

/// Options of `meridian reference`.
#[derive(Debug, Args)]
pub(crate) struct Reference {
    /// The dataset of another body: gla.property_wards
    dataset: String,
    /// Its column that joins, and in which no value stands twice
    #[arg(long, value_name = "COLUMN")]
    by: String,
    /// Its columns that may be used as labels, with commas between
    #[arg(long, value_delimiter = ',', required = true)]
    labels: Vec<String>,
    #[command(flatten)]
    connection: Connection,
}

/// What is referred to.
#[derive(Debug)]
pub(super) struct Of {
    pub(super) body: Name,
    pub(super) dataset: Name,
    pub(super) key: Name,
    /// Sorted.
    pub(super) labels: Vec<Name>,
}

impl Reference {
    /// Fetches the whole and prints the stanza.
    pub(crate) async fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let profile = self.connection.resolve()?;
        let of = Of::read(&self.dataset, &self.by, &self.labels)?;
        let mut client = Client::new(&profile)?;
        let (schema, batches) = query::whole(&mut client, &of.sql()).await?;
        write!(out, "{}", of.stanza(&schema, &batches)?)?;
        out.flush()?;
        say("Look at what it holds before you declare it: whoever asks may group your rows by these labels.");
        Ok(())
    }
}

impl Of {
    fn read(dataset: &str, key: &str, labels: &[String]) -> Result<Self, Error> {
        let name = |what: &str, text: &str| {
            text.trim().parse::<Name>().map_err(|why| Error::Usage(format!("the {what} {text:?}: {why}")))
        };
        let mut parts = dataset.rsplit('.');
        let (Some(last), Some(body)) = (parts.next(), parts.next()) else {
            return Err(Error::Usage(format!("the dataset {dataset:?} names no body: write body.dataset")));
        };
        let key = name("key", key)?;
        let mut labels = labels.iter().map(|label| name("label", label)).collect::<Result<Vec<_>, _>>()?;
        labels.sort_unstable();
        labels.dedup();
        if labels.contains(&key) {
            return Err(Error::Usage(format!("{key} is the key, and a key is no label: leave it out of --labels")));
        }
        Ok(Self { body: name("body", body)?, dataset: name("dataset", last)?, key, labels })
    }

    fn sql(&self) -> String {
        let Self { body, dataset, key, labels } = self;
        let columns: Vec<String> = std::iter::once(key).chain(labels).map(|name| format!("\"{name}\"")).collect();
        format!("SELECT {} FROM \"{body}\".\"{dataset}\"", columns.join(", "))
    }

    /// What to put into the dataset's file, for rows whose columns are the key and the labels.
    pub(super) fn stanza(&self, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<String, Error> {
        let found = content(schema, batches)
            .map_err(|why| Error::Usage(format!("{}.{} can't be referred to: {why}", self.body, self.dataset)))?;
        self.declared(found)
    }

    fn declared(&self, found: Content) -> Result<String, Error> {
        let Self { body, dataset, key, labels } = self;
        if found.repeats {
            let why = format!("a value of {key} stands in more than one row of {body}.{dataset}, so that it is no key");
            return Err(Error::Usage(format!("{why}: name a column without repetitions")));
        }
        let labels: Vec<String> = labels.iter().map(|label| format!("{label} = {{ role = \"dimension\" }}")).collect();
        let sha256 = hex::encode(found.sha256);
        Ok(format!(
            "[[references]]\nbody = \"{body}\"\ndataset = \"{dataset}\"\nkey = \"{key}\"\nsha256 = \"{sha256}\"\nlabels = {{ {} }}\n",
            labels.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    fn of(dataset: &str, key: &str, labels: &[&str]) -> Result<Of, String> {
        let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        Of::read(dataset, key, &labels).map_err(|error| error.to_string())
    }

    #[test]
    fn the_whole_is_asked_for_and_the_stanza_is_ready_to_paste() {
        let of = of("london.gla.property_wards", "uprn", &["ward_gss", "zone", "ward_gss"]).unwrap();
        assert_eq!(of.sql(), "SELECT \"uprn\", \"ward_gss\", \"zone\" FROM \"gla\".\"property_wards\"");
        let stanza = of.declared(Content { sha256: [7; 32], repeats: false }).unwrap();
        let read: toml::Table = stanza.parse().unwrap();
        let reference = &read["references"][0];
        assert_eq!(reference["sha256"].as_str().unwrap(), "07".repeat(32));
        assert_eq!(reference["labels"]["zone"]["role"].as_str().unwrap(), "dimension");
        assert!(of.declared(Content { sha256: [7; 32], repeats: true }).unwrap_err().to_string().contains("no key"));
    }

    #[test]
    fn what_can_t_be_a_reference_is_said() {
        assert!(of("property_wards", "uprn", &["w"]).unwrap_err().contains("write body.dataset"));
        assert!(of("gla.wards", "UPRN", &["w"]).unwrap_err().contains("the key"));
        assert!(of("gla.wards", "uprn", &["uprn"]).unwrap_err().contains("a key is no label"));
    }
}
