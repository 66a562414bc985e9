//! `meridian sprint new`: asks the analyst's own node what the datasets are, and makes the folder of the sprint of that.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use chrono::{NaiveDate, Utc};
use clap::Args;
use meridian_certs::Identity;
use meridian_proto::Name;

use super::super::client::Client;
use super::super::local::Folder;
use super::super::local::paste::{program, quoted};
use super::super::profile::Connection;
use super::super::statement::Statement;
use super::super::{Error, query, say};
use super::file::{Body, Origin, Rows, Sprint};
use super::space::{Copied, Space};
use super::told::{self, Told};

/// Options of `meridian sprint new`.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// What the sprint is called: a lower-case name
    name: Name,
    /// The datasets, with commas between, each as a question names it: lfb.incidents,every.dwellings
    #[arg(long, value_name = "DATASETS", value_delimiter = ',', required = true)]
    datasets: Vec<String>,
    /// The last day of the sprint: 2026-12-11
    #[arg(long, value_name = "DAY", value_parser = day)]
    until: NaiveDate,
    /// Questions to begin with, each in a file of its own
    #[arg(long, value_name = "FILES", num_args = 1..)]
    queries: Vec<PathBuf>,
    /// A new or empty folder for all of it
    #[arg(long, value_name = "FOLDER")]
    dir: PathBuf,
    /// How many rows are made of a dataset at most
    #[arg(long, value_name = "NUMBER", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    rows: u64,
    /// What made rows are drawn from: the same number on the same day gives the same rows
    #[arg(long, default_value_t = 1)]
    seed: u32,
    #[command(flatten)]
    connection: Connection,
}

fn day(text: &str) -> Result<NaiveDate, String> {
    text.parse().map_err(|_| "a day is like 2026-12-11".into())
}

/// A question to begin with.
struct Question {
    path: PathBuf,
    /// The file's name.
    name: String,
    text: String,
    statement: Statement,
}

impl New {
    /// Makes it. Nothing is written before everything is known.
    pub(super) async fn run(self) -> Result<(), Error> {
        let Self { name, datasets, until, queries, dir, rows, seed, connection } = self;
        let made = Utc::now().date_naive();
        if until < made {
            return Err(Error::Usage(format!("--until {until} is past: name today, {made}, or a later day")));
        }
        let questions = queries.into_iter().map(Question::read).collect::<Result<Vec<_>, _>>()?;
        distinct(&questions)?;
        let (named, profile) = (connection.named(), connection.resolve()?);
        let mut client = Client::new(&profile)?;
        let Identity::Analyst { federation, body, name: analyst } = client.identity().clone() else {
            let what = format!("the certificate is of {}, which is no analyst", client.identity());
            return Err(Error::Usage(format!("{what}: name the profile of one, with --profile")));
        };
        let folder = Folder::new(Some(&dir))?;
        let all = told::all(&mut client).await?;
        let titles = titles(&all, &federation);
        let (chosen, others) = told::chosen(all, &federation, &datasets)?;
        for question in &questions {
            question.check(&mut client, &chosen, &others).await?;
        }
        let mut copies = BTreeMap::new();
        for told in chosen.iter().filter(|told| told.is_copied()) {
            let (schema, batches) = query::whole(&mut client, &told.whole()).await?;
            copies.insert(told.full_name(), Copied { schema, batches });
        }
        let mut bodies: Vec<Name> = chosen.iter().map(|told| told.body.clone()).chain([body.clone()]).collect();
        bodies.sort_unstable();
        bodies.dedup();
        let title = |body: &Name| titles.get(body).cloned().unwrap_or_else(|| body.to_string());
        let sprint = Sprint {
            purposes: purposes(&name, profile.purpose, &questions),
            name,
            federation,
            until,
            made,
            seed: seed.into(),
            queries: questions.iter().map(|question| question.name.clone()).collect(),
            from: Origin { node: profile.node, body, analyst, profile: named },
            bodies: bodies.iter().map(|body| Body { body: body.clone(), title: title(body) }).collect(),
            datasets: Vec::new(),
        };
        let questions = questions.into_iter().map(|question| (question.name, question.text)).collect();
        let written = Space { sprint, chosen, copies, questions, rows }.write(folder.path())?;
        say(summary(&written, &folder));
        folder.close();
        Ok(())
    }
}

/// The bodies' names for people, as far as they publish something.
fn titles(all: &[Told], home: &Name) -> BTreeMap<Name, String> {
    let of_home = all.iter().filter(|told| told.federation == *home);
    of_home.map(|told| (told.body.clone(), told.publisher.clone())).collect()
}

/// What the profile and the questions are for, or else the sprint.
fn purposes(name: &Name, of_profile: Option<String>, questions: &[Question]) -> Vec<String> {
    let of_questions = questions.iter().filter_map(|question| question.statement.purpose.clone());
    let mut purposes: Vec<String> = Vec::new();
    for purpose in of_profile.into_iter().chain(of_questions) {
        // What is no identifier stands in no agreement, here as there.
        let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        if !purpose.is_empty() && purpose.len() <= 63 && purpose.bytes().all(inside) && !purposes.contains(&purpose) {
            purposes.push(purpose);
        }
    }
    if purposes.is_empty() {
        purposes.push(name.to_string());
    }
    purposes
}

fn distinct(questions: &[Question]) -> Result<(), Error> {
    let mut names: Vec<&str> = questions.iter().map(|question| question.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair.first() == pair.last()).and_then(<[_]>::first) {
        Some(name) => Err(Error::Usage(format!("two of --queries are called {name}: rename one"))),
        None => Ok(()),
    }
}

impl Question {
    fn read(path: PathBuf) -> Result<Self, Error> {
        let text = fs::read_to_string(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        let place = path.display().to_string();
        let statement = Statement::parse(&text).map_err(|source| Error::At { place, source: Box::new(source) })?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { path, name, text, statement })
    }

    /// Has the analyst's node read it: what it needs of others that is not open has to be there, or of a standard something.
    /// Nothing runs.
    async fn check(&self, client: &mut Client, chosen: &[Told], others: &[Told]) -> Result<(), Error> {
        let at = |source| Error::At { place: self.path.display().to_string(), source: Box::new(source) };
        let needs = client.needs(&self.statement.sql).await.map_err(at)?;
        let alike = |told: &Told| told.standard.is_some() && chosen.iter().any(|other| other.standard == told.standard);
        let lacks = |told: &Told| needs.0.iter().any(|needed| needed.name == told.full_name()) && !alike(told);
        let lacking: Vec<String> = others.iter().filter(|told| lacks(told)).map(Told::full_name).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        Err(at(Error::Usage(format!("it reads what is not in the sprint: add {} to --datasets", lacking.join(",")))))
    }
}

fn summary(sprint: &Sprint, folder: &Folder) -> String {
    let Sprint { name, until, bodies, datasets, .. } = sprint;
    let lines = datasets.iter().map(|dataset| {
        let rows = match dataset.rows {
            Rows::Copied => "rows as they are: the dataset is open",
            Rows::Synthetic => "made rows",
        };
        format!("  {:<32} {:>8} {rows}\n", dataset.name, dataset.count)
    });
    format!(
        "The sprint {name} of {} bodies is in {}, and lasts until {until}\n{}next: {} sprint serve {}",
        bodies.len(),
        folder.path().display(),
        lines.collect::<String>(),
        program(),
        quoted(folder.path())
    )
}
