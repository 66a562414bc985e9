//! `meridian standard check`: which rows of which datasets don't keep to their standard.

use std::io::Write;
use std::path::PathBuf;

use chrono::Utc;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::super::Error;
use super::super::format::printable;
use crate::app::conformance;
use crate::config::{Config, DatasetConfig};
use crate::standards::{ColumnConformance, Conformance, Sample};

/// Options of `meridian standard check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The node's configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The dataset; all that claim a standard otherwise
    dataset: Option<String>,
    /// How what is found is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How what is found is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// For programs: one array of datasets
    Json,
}

/// What was found of a dataset.
#[derive(Debug, Serialize)]
struct Checked {
    dataset: String,
    standard: String,
    /// Whether all rows conform.
    conforms: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<Conformance>,
    /// Why nothing was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Check {
    /// Reads the sources and compares; a row that does not conform is a fault.
    pub(crate) async fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let config = Config::load(&self.config).map_err(|errors| Error::Config(errors.to_string()))?;
        let mut all = Vec::new();
        for dataset in self.chosen(&config)? {
            all.extend(checked(dataset).await);
        }
        match self.format {
            Format::Json => {
                serde_json::to_writer_pretty(&mut *out, &all).map_err(std::io::Error::from)?;
                writeln!(out)?;
            }
            Format::Text => {
                for checked in &all {
                    write(checked, out)?;
                }
            }
        }
        match all.iter().filter(|checked| !checked.conforms).count() {
            0 => Ok(()),
            faults => Err(Error::Faults(faults)),
        }
    }

    fn chosen<'a>(&self, config: &'a Config) -> Result<Vec<&'a DatasetConfig>, Error> {
        let Some(name) = &self.dataset else { return Ok(config.datasets.iter().collect()) };
        let dataset = config.dataset(name).ok_or_else(|| Error::Usage(format!("there is no dataset {name:?}")))?;
        if dataset.standard.is_none() {
            let claims = match &dataset.dataset.standard {
                Some(standard) => {
                    format!("claims the standard {standard}, which this node does not know: add its file")
                }
                None => "claims no standard: add standard = \"…\" to its file".to_owned(),
            };
            return Err(Error::Usage(format!("dataset {name} {claims}")));
        }
        Ok(vec![dataset])
    }
}

async fn checked(config: &DatasetConfig) -> Option<Checked> {
    let standard = config.standard.as_ref()?.name.to_string();
    let (found, error) = match conformance::look(config, Utc::now()).await {
        Ok(found) => (found, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let conforms = found.as_ref().is_some_and(Conformance::holds);
    Some(Checked { dataset: config.name().to_owned(), standard, conforms, found, error })
}

fn write(checked: &Checked, out: &mut dyn Write) -> Result<(), Error> {
    let Checked { dataset, standard, conforms, found, error } = checked;
    let of = format!("{dataset} ({standard})");
    match (found, error) {
        (Some(found), _) => {
            let how = if *conforms { "all conform" } else { "not all conform" };
            writeln!(out, "{of}: {} rows, {how}", found.rows)?;
            for column in &found.columns {
                faults(column, out)?;
            }
            if found.repeated_keys > 0 {
                writeln!(out, "  {} rows repeat the key of another", found.repeated_keys)?;
            }
            if !found.absent.is_empty() {
                writeln!(out, "  not published, and not required: {}", found.absent.join(", "))?;
            }
        }
        (None, error) => writeln!(out, "{of}: {}", printable(error.as_deref().unwrap_or("not known")))?,
    }
    Ok(())
}

fn faults(column: &ColumnConformance, out: &mut dyn Write) -> Result<(), Error> {
    let ColumnConformance { name, missing, invalid, sample } = column;
    let counts = [(missing, "has no value"), (invalid, "has a value that is not valid")];
    for (rows, what) in counts.into_iter().filter(|(rows, _)| **rows > 0) {
        writeln!(out, "  {name} {what} in {rows} rows")?;
    }
    for Sample { row, value } in sample {
        let value = value.as_ref().map(|value| format!(": {}", printable(value))).unwrap_or_default();
        writeln!(out, "    row {row}{value}")?;
    }
    Ok(())
}
