//! `meridian catalogue search`: the datasets that have some words, the best first.

use std::io::Write;

use arrow::array::StringArray;
use clap::Args;
use meridian_proto::wire;
use serde_json::Value;

use super::super::client::Client;
use super::super::format::Format;
use super::super::output::Output;
use super::super::profile::Connection;
use super::super::{Error, say};

/// Options of `meridian catalogue search`.
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// What is sought: words or their beginnings; all of what you may see without one
    words: Vec<String>,
    /// How many datasets are shown at most; 0 for all
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    most: u32,
    /// How the answer is written; JSON holds everything that is known of a dataset
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

impl Search {
    pub(super) async fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let profile = self.connection.resolve()?;
        let request = wire::CatalogueRequest {
            form: wire::CatalogueForm::Found.into(),
            words: self.words.join(" "),
            most: self.most,
            base: String::new(),
        };
        let answer = Client::new(&profile)?.catalogue(&request).await?;
        let none = Vec::new();
        let datasets = answer.get("datasets").and_then(Value::as_array).unwrap_or(&none);
        let found = answer.get("found").and_then(Value::as_u64).unwrap_or_default();
        if self.format == Format::Json {
            super::document(&answer, out)?;
        } else {
            let columns = ["dataset", "title", "publisher", "form", "last_change", "update_frequency"];
            let text = |dataset: &Value, key: &str| dataset.get(key).and_then(Value::as_str).map(str::to_owned);
            let column =
                |key: &'static str| (key, datasets.iter().map(|dataset| text(dataset, key)).collect::<StringArray>());
            let output = Output { format: Some(self.format), ..Output::default() };
            output.write_texts(columns.map(column).into(), out)?;
        }
        let shown = datasets.len() as u64;
        if shown < found {
            say(format_args!("{shown} of {found} datasets; --most 0 shows all"));
        } else if found == 0 {
            say("no dataset that you may see has one of these words; `meridian catalogue` lists all");
        }
        Ok(())
    }
}
