//! Reads the configuration again while the node runs: what is good takes effect, and where a file is bad its last good
//! content stays.
//!
//! | what happens to a file | of a dataset, view, algorithm or standard | of an agreement |
//! | --- | --- | --- |
//! | it is changed or added, and good | takes effect | takes effect |
//! | it is changed, and can't be understood | the last good content stays | the last good content stays |
//! | it is added, and can't be understood | none | no agreement |
//! | it can't be read | the last good content stays | not in force until it can be read: nobody knows that it still stands |
//! | it is removed, or its folder is | withdrawn | revoked |
//!
//! An agreement's document that others signed as well is followed in the same way: without a signature that it needs it is
//! removed.
//!
//! So no file that is bad gives anybody more than a good one gave. `node.toml` itself takes effect with a restart.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::problem::{File, Folder, Problem, Report};
use super::{Config, NodeConfig, files, node, raw};

/// What a look at the files found.
#[derive(Debug, Default)]
pub struct News {
    /// The configuration, where datasets, views, agreements, algorithms or standards are others than before.
    pub changed: Option<Config>,
    /// What is wrong and was not said before.
    pub problems: Vec<Problem>,
    /// The keys of `node.toml` that are other than the node was started with, where that was not said before.
    pub restart: Vec<&'static str>,
    /// Whether all is right again, and was not before.
    pub recovered: bool,
}

/// The configuration in force, and what its files held when they were last looked at.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    good: Config,
    texts: Option<Texts>,
    wrong: Vec<Problem>,
    restart: Vec<&'static str>,
}

#[derive(Debug, PartialEq, Eq)]
struct Texts {
    node: Option<File>,
    datasets: Folder,
    views: Folder,
    agreements: Folder,
    algorithms: Folder,
    standards: Folder,
    documents: Folder,
    problems: Vec<Problem>,
}

impl Texts {
    fn read(path: &Path, node: &NodeConfig) -> Self {
        let mut report = Report::default();
        let node_file = File::read(path, &mut report);
        let folders = [&node.datasets, &node.views, &node.agreements, &node.algorithms, &node.standards];
        let [datasets, views, agreements, algorithms, standards] = folders.map(|folder| Folder::read(folder));
        let documents = Folder::signed(node);
        let problems = report.into_problems();
        Self { node: node_file, datasets, views, agreements, documents, algorithms, standards, problems }
    }
}

impl Reader {
    /// Begins with what the node was started with, read from this `node.toml`.
    pub fn new(path: &Path, config: Config) -> Self {
        Self { path: path.to_path_buf(), good: config, texts: None, wrong: Vec::new(), restart: Vec::new() }
    }

    /// Looks at the files; `None` where nothing is new.
    pub fn look(&mut self) -> Option<News> {
        let texts = Texts::read(&self.path, &self.good.node);
        // What is wrong may be put right by a file that is not read here, such as a source.
        if self.wrong.is_empty() && self.texts.as_ref() == Some(&texts) {
            return None;
        }
        let (config, restart, wrong) = self.read(&texts);
        self.texts = Some(texts);
        let said: BTreeSet<String> = self.wrong.iter().map(ToString::to_string).collect();
        let news = News {
            problems: wrong.iter().filter(|problem| !said.contains(&problem.to_string())).cloned().collect(),
            recovered: wrong.is_empty() && !self.wrong.is_empty(),
            restart: if restart == self.restart { Vec::new() } else { restart.clone() },
            changed: (config != self.good).then(|| config.clone()),
        };
        (self.good, self.wrong, self.restart) = (config, wrong, restart);
        let is_news = news.changed.is_some() || !news.problems.is_empty() || !news.restart.is_empty() || news.recovered;
        is_news.then_some(news)
    }

    /// The configuration that these texts give, beside what is in force.
    fn read(&self, texts: &Texts) -> (Config, Vec<&'static str>, Vec<Problem>) {
        let mut report = Report::from(texts.problems.clone());
        let good = &self.good;
        let restart = texts.node.as_ref().map(|file| node_changes(file, &good.node, &mut report)).unwrap_or_default();
        let Texts { datasets, views, agreements, documents, algorithms, standards, .. } = texts;
        let folders = [datasets, views, agreements, documents, algorithms, standards];
        for folder in folders {
            report.extend(&folder.problems);
        }
        let (node, base) = (Some(&good.node), folder_of(&self.path));
        let standards = files::standards(standards, Some(&good.standards), &mut report);
        let around = files::Around { base: &base, node, standards: &standards };
        let (datasets, all) = files::datasets(&texts.datasets, &around, Some(&good.datasets), &mut report);
        let known = files::Known { node, datasets: &datasets, all_datasets: all };
        let views = files::views(&texts.views, &known, Some(&good.views), &mut report);
        let mut agreements = files::agreements(&texts.agreements, &known, &views, Some(&good.agreements), &mut report);
        agreements.extend(files::documents(
            &texts.documents,
            &known,
            (&views, &agreements),
            &good.agreements,
            &mut report,
        ));
        let algorithms = files::algorithms(&texts.algorithms, &known, Some(&good.algorithms), &mut report);
        let node = good.node.clone();
        (Config { node, datasets, views, agreements, algorithms, standards }, restart, report.into_problems())
    }
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// The keys of a good `node.toml` that are other than those in force.
fn node_changes(file: &File, in_force: &NodeConfig, report: &mut Report) -> Vec<&'static str> {
    let before = report.len();
    let Some(raw) = file.parse::<raw::Node>(report) else { return Vec::new() };
    match node::check(file, &raw, report) {
        Some(node) if report.len() == before => differences(&node, in_force),
        Some(_) | None => Vec::new(),
    }
}

fn differences(new: &NodeConfig, old: &NodeConfig) -> Vec<&'static str> {
    let NodeConfig {
        federation,
        body,
        title,
        listen,
        health,
        state,
        contact,
        datasets,
        views,
        agreements,
        algorithms,
        standards,
        tls,
        public,
        workbench,
        cluster,
        limits,
        audit,
        telemetry,
        authorities,
        members,
        federations,
        databases,
        engines,
        stores,
        addresses,
    } = new;
    let keys = [
        ("federation", *federation != old.federation),
        ("body", *body != old.body),
        ("title", *title != old.title),
        ("listen", *listen != old.listen),
        ("health", *health != old.health),
        ("state", *state != old.state),
        ("contact", *contact != old.contact),
        ("datasets", *datasets != old.datasets),
        ("views", *views != old.views),
        ("agreements", *agreements != old.agreements),
        ("algorithms", *algorithms != old.algorithms),
        ("standards", *standards != old.standards),
        ("[tls]", *tls != old.tls),
        ("[public]", *public != old.public),
        ("[workbench]", *workbench != old.workbench),
        ("cluster", *cluster != old.cluster),
        ("[limits]", *limits != old.limits),
        ("[audit]", *audit != old.audit),
        ("[telemetry]", *telemetry != old.telemetry),
        ("authorities", *authorities != old.authorities),
        ("[[members]]", *members != old.members),
        ("[[federations]]", *federations != old.federations),
        ("[[databases]]", *databases != old.databases),
        ("[[engines]]", *engines != old.engines),
        ("[[stores]]", *stores != old.stores),
        ("[[addresses]]", *addresses != old.addresses),
    ];
    keys.into_iter().filter_map(|(key, differs)| differs.then_some(key)).collect()
}
