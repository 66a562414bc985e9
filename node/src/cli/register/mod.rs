//! `meridian register`: what a body shares, why and to whose benefit, and how often it was used: pages and tables for the
//! public, made from its agreements and its log.

mod page;
mod usage;

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{NaiveDate, Utc};
use clap::Args;
use serde::Serialize;

use super::format::csv_cell;
use super::{Error, say};
use crate::audit::LogError;
use crate::config::{AgreementConfig, Config};
use usage::{Month, Usage};

/// Options of `meridian register`.
#[derive(Debug, Args)]
pub(crate) struct Make {
    /// The node's configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The folder for index.html, register.json, agreements.csv and usage.csv; files of before are replaced
    #[arg(long)]
    dir: PathBuf,
}

/// All that the public may read of a body.
#[derive(Debug, Serialize)]
struct Register {
    federation: String,
    body: String,
    title: String,
    /// The day on which it was made.
    made: String,
    /// Whether records of longer ago are archived and not counted.
    counts_are_recent: bool,
    agreements: Vec<Entry>,
    /// Agreements that stand in the log and no longer among the files.
    ended: Vec<Ended>,
    /// Answers from open data to other bodies, which need no agreement.
    open: Vec<Month>,
    /// Questions that were refused.
    refused: Vec<Refused>,
}

/// An agreement.
#[derive(Debug, Serialize)]
struct Entry {
    id: String,
    title: String,
    in_force: bool,
    purpose: String,
    benefit: String,
    legal_power: String,
    lawful_basis: String,
    parties: Vec<String>,
    recipients: Vec<String>,
    start: String,
    /// The first day on which it is not in force any more.
    end: String,
    contact: String,
    items: Vec<Item>,
    months: Vec<Month>,
}

/// What it shares.
#[derive(Debug, Serialize)]
struct Item {
    dataset: String,
    title: String,
    form: &'static str,
    columns: Vec<String>,
    smallest_group: u32,
    onward: bool,
}

/// What is left of an agreement.
#[derive(Debug, Serialize)]
struct Ended {
    id: String,
    months: Vec<Month>,
}

/// Refusals of a month.
#[derive(Debug, Serialize)]
struct Refused {
    month: String,
    questions: u64,
}

impl Make {
    /// Reads agreements and log, and writes the pages.
    pub(crate) fn run(self) -> Result<(), Error> {
        let config = Config::load(&self.config).map_err(|errors| Error::Config(errors.to_string()))?;
        let usage = Usage::of(&config.node.state.join("audit")).map_err(|error| log(&error))?;
        let register = register(&config, &usage, Utc::now().date_naive());
        fs::create_dir_all(&self.dir).map_err(|source| Error::Write { path: self.dir.clone(), source })?;
        let json = serde_json::to_string_pretty(&register).map_err(|error| Error::Config(error.to_string()))?;
        for (name, text) in [
            ("index.html", page::html(&register)),
            ("register.json", json + "\n"),
            ("agreements.csv", agreements_csv(&register)),
            ("usage.csv", usage_csv(&register)),
        ] {
            replace(&self.dir, name, &text)?;
        }
        say(format_args!("{} agreements: {}", register.agreements.len(), self.dir.join("index.html").display()));
        Ok(())
    }
}

fn register(config: &Config, usage: &Usage, today: NaiveDate) -> Register {
    let node = &config.node;
    let entry = |agreement: &AgreementConfig| entry(config, agreement, usage, today);
    let mut agreements: Vec<Entry> = config.agreements.iter().map(entry).collect();
    agreements.sort_by(|a, b| a.id.cmp(&b.id));
    let is_known = |id: &str| agreements.iter().any(|agreement| agreement.id == id);
    let ended = usage.agreements().filter(|id| !is_known(id));
    let ended = ended.map(|id| Ended { id: id.to_owned(), months: usage.of_agreement(id) }).collect();
    Register {
        federation: node.federation.to_string(),
        body: node.body.to_string(),
        title: node.title.clone(),
        made: today.to_string(),
        counts_are_recent: usage.is_recent(),
        ended,
        open: usage.open(),
        refused: usage.refused().map(|(month, questions)| Refused { month: month.to_owned(), questions }).collect(),
        agreements,
    }
}

fn entry(config: &Config, agreement: &AgreementConfig, usage: &Usage, today: NaiveDate) -> Entry {
    let names = |names: &[meridian_proto::Name]| names.iter().map(ToString::to_string).collect();
    let bodies = |bodies: &[meridian_proto::BodyName]| bodies.iter().map(ToString::to_string).collect();
    let items = agreement.grants.iter().map(|grant| {
        let dataset = config.dataset(grant.dataset.as_str()).map(|found| &found.dataset);
        let visible = || dataset.iter().flat_map(|dataset| dataset.visible_columns()).map(|it| it.name.to_string());
        let form = match grant.form {
            meridian_proto::Form::Rows => "rows",
            meridian_proto::Form::Statistics => "statistics",
            meridian_proto::Form::Open => "open",
            meridian_proto::Form::None => "none",
        };
        let threshold = dataset.map_or(0, |dataset| dataset.threshold);
        Item {
            dataset: grant.dataset.to_string(),
            title: dataset.map(|dataset| dataset.title.clone()).unwrap_or_default(),
            form,
            columns: grant.columns.as_ref().map_or_else(|| visible().collect(), |columns| names(columns)),
            smallest_group: if form == "statistics" { grant.threshold.unwrap_or(0).max(threshold) } else { 0 },
            onward: grant.onward,
        }
    });
    Entry {
        id: agreement.id.clone(),
        title: agreement.title.clone(),
        in_force: agreement.start <= today && today < agreement.end,
        purpose: agreement.purpose.clone(),
        benefit: agreement.benefit.clone(),
        legal_power: agreement.legal_power.clone(),
        lawful_basis: agreement.lawful_basis.clone(),
        parties: bodies(&agreement.parties),
        recipients: bodies(&agreement.recipients),
        start: agreement.start.to_string(),
        end: agreement.end.to_string(),
        contact: agreement.contact.clone(),
        items: items.collect(),
        months: usage.of_agreement(&agreement.id),
    }
}

/// One line for each dataset of each agreement.
fn agreements_csv(register: &Register) -> String {
    let mut lines = vec![
        "id,title,in_force,purpose,benefit,legal_power,lawful_basis,parties,recipients,start,end,contact,dataset,form,\
         columns,smallest_group,onward"
            .to_owned(),
    ];
    for entry in &register.agreements {
        for item in &entry.items {
            let cells = [
                entry.id.clone(),
                entry.title.clone(),
                entry.in_force.to_string(),
                entry.purpose.clone(),
                entry.benefit.clone(),
                entry.legal_power.clone(),
                entry.lawful_basis.clone(),
                entry.parties.join(" "),
                entry.recipients.join(" "),
                entry.start.clone(),
                entry.end.clone(),
                entry.contact.clone(),
                item.dataset.clone(),
                item.form.to_owned(),
                item.columns.join(" "),
                item.smallest_group.to_string(),
                item.onward.to_string(),
            ];
            lines.push(cells.map(|cell| csv_cell(&cell)).join(","));
        }
    }
    lines.join("\n") + "\n"
}

/// One line for each month of each agreement; open data and refusals have no agreement.
fn usage_csv(register: &Register) -> String {
    let mut lines = vec!["agreement,month,what,questions,interrupted,rows,bytes".to_owned()];
    let mut used = |agreement: &str, what: &str, months: &[Month]| {
        for month in months {
            let cells = [
                agreement,
                &month.month,
                what,
                &month.questions.to_string(),
                &month.interrupted.to_string(),
                &month.rows,
                &month.bytes,
            ];
            lines.push(cells.map(csv_cell).join(","));
        }
    };
    for entry in &register.agreements {
        used(&entry.id, "released", &entry.months);
    }
    for ended in &register.ended {
        used(&ended.id, "released", &ended.months);
    }
    used("", "open", &register.open);
    let refused = register.refused.iter();
    lines.extend(refused.map(|it| format!(",{},refused,{},,,", it.month, it.questions)));
    lines.join("\n") + "\n"
}

/// Under another name first, so that nobody reads half a page.
fn replace(dir: &Path, name: &str, text: &str) -> Result<(), Error> {
    let (path, made) = (dir.join(name), dir.join(format!("{name}.new")));
    fs::write(&made, text).and_then(|()| fs::rename(&made, &path)).map_err(|source| Error::Write { path, source })
}

fn log(error: &LogError) -> Error {
    Error::Config(error.to_string())
}
