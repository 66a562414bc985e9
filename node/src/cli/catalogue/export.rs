//! `meridian catalogue export`: what the public may know of all datasets, as DCAT-AP or as records of the UK model.

use std::io::Write;

use clap::{Args, ValueEnum};
use meridian_proto::wire;
use serde_json::Value;

use super::super::client::Client;
use super::super::profile::Connection;
use super::super::{Error, say};

/// Options of `meridian catalogue export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// In which form
    #[arg(long, value_enum)]
    form: Form,
    /// The address of the public pages of the catalogue, to which identifiers lead: https://data.example.org/catalogue/
    #[arg(long, value_name = "URL", default_value = "")]
    base: String,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// DCAT-AP 3.0 in JSON-LD
    Dcat,
    /// Records of the UK Cross-Government Metadata Exchange Model; what lacks something is named on stderr
    ExchangeModel,
}

impl Export {
    pub(super) async fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let profile = self.connection.resolve()?;
        let form = match self.form {
            Form::Dcat => wire::CatalogueForm::Dcat,
            Form::ExchangeModel => wire::CatalogueForm::ExchangeModel,
        };
        let request =
            wire::CatalogueRequest { form: form.into(), base: self.base, ..wire::CatalogueRequest::default() };
        let answer = Client::new(&profile)?.catalogue(&request).await?;
        super::document(&answer, out)?;
        for incomplete in answer.get("incomplete").and_then(Value::as_array).into_iter().flatten() {
            let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            let lacks = incomplete.get("lacks").and_then(Value::as_array).into_iter().flatten();
            let lacks: Vec<String> =
                lacks.map(|lack| format!("{}: {}", text(lack, "property"), text(lack, "remedy"))).collect();
            say(format_args!("{} has no record: {}", text(incomplete, "dataset"), lacks.join("; ")));
        }
        Ok(())
    }
}
