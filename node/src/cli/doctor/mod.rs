//! `meridian node check`: looks at all that a node needs, and says for each fault what to do.

mod cluster;
mod data;
mod identity;
mod machine;
mod network;
mod report;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Error;
use crate::config::Config;
use report::Report;

/// Options of `meridian node check`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The node's configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// How the findings are written
    #[arg(long, value_enum, default_value_t)]
    format: Form,
    /// Look at what takes long, too: every row of every dataset, and every record of the log
    #[arg(long)]
    thorough: bool,
}

/// How findings are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    #[default]
    Text,
    /// For programs: one array of findings
    Json,
}

impl Doctor {
    /// Looks, and says what it finds; a fault is an error.
    pub(crate) async fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let report = self.look().await;
        match self.format {
            Form::Text => report.text(out)?,
            Form::Json => report.json(out)?,
        }
        match report.faults() {
            0 => Ok(()),
            faults => Err(Error::Faults(faults)),
        }
    }

    async fn look(&self) -> Report {
        let mut report = Report::default();
        let config = match Config::load(&self.config) {
            Ok(config) => config,
            Err(errors) => {
                for problem in errors.0 {
                    let what = format!("{}:{}: {}", problem.file.display(), problem.line, problem.what);
                    report.fault("configuration", what, problem.fix);
                }
                return report;
            }
        };
        let node = &config.node;
        let counted = [config.datasets.len(), config.views.len(), config.agreements.len()];
        let [datasets, views, agreements] = counted;
        report.good(
            "configuration",
            format!("{}: {datasets} datasets, {views} views, {agreements} agreements", self.config.display()),
        );
        machine::look(node, &mut report);
        cluster::look(node, &mut report).await;
        let running = network::listening(node, &mut report).await;
        if let Some(own) = identity::look(node, &mut report) {
            network::look(node, &own, &mut report).await;
        }
        data::look(&config, running, self.thorough, &mut report).await;
        report
    }
}
