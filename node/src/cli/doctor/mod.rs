//! `meridian node check`: looks at all that a node needs, and says for each fault what to do.

mod agreements;
mod cluster;
mod code;
mod data;
mod federations;
mod identity;
mod kept;
mod machine;
mod members;
mod network;
mod permissions;
mod process;
mod public;
mod report;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::Error;
use crate::config::{Config, Problem};
use code::Code;
use report::Report;

/// Options of `meridian node check`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The node's configuration (TOML)
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    config: Option<PathBuf>,
    /// How the findings are written
    #[arg(long, value_enum, default_value_t)]
    format: Form,
    /// Look at what takes long, too: every row of every dataset, and every record of the log
    #[arg(long)]
    thorough: bool,
    /// List the codes of all findings and what they mean, and look at nothing
    #[arg(long, conflicts_with_all = ["config", "thorough"])]
    list: bool,
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
        let Some(file) = &self.config else {
            match self.format {
                Form::Text => code::text(out)?,
                Form::Json => code::json(out)?,
            }
            return Ok(());
        };
        let report = self.look(file).await;
        match self.format {
            Form::Text => report.text(out)?,
            Form::Json => report.json(out)?,
        }
        match report.faults() {
            0 => Ok(()),
            faults => Err(Error::Faults(faults)),
        }
    }

    async fn look(&self, file: &Path) -> Report {
        let mut report = Report::default();
        let config = match Config::load(file) {
            Ok(config) => config,
            Err(errors) => {
                errors.0.into_iter().for_each(|problem| wrong(file, problem, &mut report));
                return report;
            }
        };
        let node = &config.node;
        loaded(file, &config, &mut report);
        permissions::look(file, node, &mut report);
        cluster::look(node, &mut report).await;
        let running = network::listening(node, &mut report).await;
        let process = process::look(node, running, &mut report);
        machine::look(node, process, &mut report);
        network::collector(node, &mut report).await;
        public::look(node, running, &mut report).await;
        if let Some(own) = identity::look(node, &mut report) {
            network::look(node, &own, &mut report).await;
            federations::look(node, &mut report).await;
        }
        data::look(&config, self.thorough, &mut report).await;
        agreements::look(&config, &mut report);
        kept::look(&config, running, self.thorough, &mut report);
        report
    }
}

/// What the configuration holds.
fn loaded(file: &Path, config: &Config, report: &mut Report) {
    report.good(Code::Configuration, format!("{} can be used", file.display()));
    let counted = [
        (Code::ConfigurationDataset, config.datasets.len(), "datasets"),
        (Code::ConfigurationView, config.views.len(), "views"),
        (Code::ConfigurationAgreement, config.agreements.len(), "agreements"),
        (Code::ConfigurationAlgorithm, config.algorithms.len(), "records of algorithms"),
        (Code::ConfigurationStandard, config.standards.len(), "standards"),
    ];
    for (code, count, what) in counted.into_iter().filter(|(_, count, _)| *count > 0) {
        report.good(code, format!("{count} {what}"));
    }
}

/// A problem of a file; its folder says what it was to be.
fn wrong(node: &Path, problem: Problem, report: &mut Report) {
    let folder = problem.file.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    let code = match folder {
        _ if problem.file == node => Code::Configuration,
        Some("datasets") => Code::ConfigurationDataset,
        Some("views") => Code::ConfigurationView,
        Some("agreements") => Code::ConfigurationAgreement,
        Some("algorithms") => Code::ConfigurationAlgorithm,
        Some("standards") => Code::ConfigurationStandard,
        Some(_) | None => Code::Configuration,
    };
    let what = format!("{}:{}: {}", problem.file.display(), problem.line, problem.what);
    report.fault(code, what, problem.fix);
}

/// An error's text, and what it says to do.
fn split(text: &str) -> (String, String) {
    let at = text.rfind("; ").or_else(|| text.find(": run ")).or_else(|| text.find(": use "));
    match at.and_then(|at| Some((text.get(..at)?, text.get(at + 2..)?))) {
        Some((what, fix)) => (what.into(), fix.into()),
        None => (text.into(), "put the right files in place, or join again".into()),
    }
}
