//! `meridian standard …`: the agreed shapes that a node knows, whether datasets keep to them, and a first mapping for a file.

mod check;
mod map;
mod show;

#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::{Error, client, or_interrupted};
use crate::config::{Config, StandardConfig, built_in};
use crate::standards;

/// `meridian standard …`
#[derive(Debug, Subcommand)]
pub(crate) enum Standard {
    /// List the standards
    List(show::List),
    /// Show a standard: its columns, their types and valid values
    Show(show::Show),
    /// Compare datasets with the standards that they claim: rows without a value, with one that is not valid, or a key twice
    Check(check::Check),
    /// Write a first mapping for a file that nobody has mapped, for a person to correct
    Map(map::Map),
}

impl Standard {
    /// Does it.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        match self {
            Self::List(list) => list.run(out),
            Self::Show(show) => show.run(out),
            Self::Check(check) => client(or_interrupted(check.run(out))),
            Self::Map(map) => map.run(out),
        }
    }
}

/// Whose standards.
#[derive(Debug, Args)]
struct Known {
    /// The configuration of a node whose own standards count, too (TOML); those that every node knows otherwise
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Known {
    fn all(&self) -> Result<Vec<StandardConfig>, Error> {
        let Some(path) = &self.config else { return Ok(built_in()) };
        Config::load(path).map(|config| config.standards).map_err(|errors| Error::Config(errors.to_string()))
    }

    fn named(&self, name: &str) -> Result<Arc<standards::Standard>, Error> {
        let all = self.all()?;
        let found = all.iter().find(|known| known.standard.name.as_str() == name);
        found.map(|known| Arc::clone(&known.standard)).ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|known| known.standard.name.as_str()).collect();
            Error::Usage(format!("there is no standard {name:?}; there are {}", names.join(", ")))
        })
    }
}
