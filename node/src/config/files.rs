//! The files of each kind, all of a folder.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::agreement::{self, Kind};
use super::problem::{File, Folder, Report};
use super::{
    AgreementConfig, AlgorithmConfig, DatasetConfig, NodeConfig, StandardConfig, ViewConfig, algorithm, dataset, raw,
    standard, view,
};

/// What views and agreements may refer to.
pub(super) struct Known<'a> {
    pub(super) node: Option<&'a NodeConfig>,
    pub(super) datasets: &'a [DatasetConfig],
    /// Whether no dataset's file was refused; otherwise a name that is missing here is no problem of who names it.
    pub(super) all_datasets: bool,
}

/// What datasets are checked against.
pub(super) struct Around<'a> {
    /// The folder of node.toml.
    pub(super) base: &'a Path,
    pub(super) node: Option<&'a NodeConfig>,
    pub(super) standards: &'a [StandardConfig],
}

/// What a file of the configuration says.
trait Content: Clone {
    type Raw: DeserializeOwned;
    /// Whether it stays in force where its file can't be read.
    const STAYS: bool;

    fn file(&self) -> &Path;

    /// Told apart from others by it.
    fn key(&self) -> &str;
}

/// The datasets of a folder, sorted by file name, and whether none is missing.
pub(super) fn datasets(
    folder: &Folder,
    around: &Around<'_>,
    last: Option<&[DatasetConfig]>,
    report: &mut Report,
) -> (Vec<DatasetConfig>, bool) {
    contents(folder, last, report, |file, raw, taken, report| dataset::check(file, around, raw, taken, report))
}

/// The standards of a folder, and those that are built in and that no file of it replaces, sorted by name.
pub(super) fn standards(folder: &Folder, last: Option<&[StandardConfig]>, report: &mut Report) -> Vec<StandardConfig> {
    let own = last.map(|last| last.iter().filter(|known| !known.built_in).cloned().collect::<Vec<_>>());
    let (mut known, _) =
        contents(folder, own.as_deref(), report, |file, raw, taken, report| standard::check(file, raw, taken, report));
    for standard in standard::built_in() {
        if known.iter().all(|own| own.standard.name != standard.standard.name) {
            known.push(standard);
        }
    }
    known.sort_by(|a, b| a.standard.name.cmp(&b.standard.name));
    known
}

/// The views, likewise.
pub(super) fn views(
    folder: &Folder,
    known: &Known<'_>,
    last: Option<&[ViewConfig]>,
    report: &mut Report,
) -> Vec<ViewConfig> {
    contents(folder, last, report, |file, raw, taken, report| view::check(file, raw, known, taken, report)).0
}

/// The agreements, likewise; but one whose file can't be read is not in force.
pub(super) fn agreements(
    folder: &Folder,
    known: &Known<'_>,
    views: &[ViewConfig],
    last: Option<&[AgreementConfig]>,
    report: &mut Report,
) -> Vec<AgreementConfig> {
    contents(folder, last, report, |file, raw, taken, report| {
        agreement::check(file, raw, (known, views, Kind::Own), taken, report)
    })
    .0
}

/// The records of algorithms, like datasets.
pub(super) fn algorithms(
    folder: &Folder,
    known: &Known<'_>,
    last: Option<&[AlgorithmConfig]>,
    report: &mut Report,
) -> Vec<AlgorithmConfig> {
    contents(folder, last, report, |file, raw, taken, report| algorithm::check(file, raw, known, taken, report)).0
}

/// The documents that others signed as well, each as far as it concerns this body; one that can't be understood, or has
/// the id of a file's agreement or of one that this body signed before, is not in force.
pub(super) fn documents(
    folder: &Folder,
    known: &Known<'_>,
    (views, own): (&[ViewConfig], &[AgreementConfig]),
    last: &[AgreementConfig],
    report: &mut Report,
) -> Vec<AgreementConfig> {
    let (mut found, _) = contents(folder, Some(last), report, |file, raw, taken, report| {
        let taken: Vec<AgreementConfig> = own.iter().chain(taken).cloned().collect();
        agreement::check(file, raw, (known, views, Kind::Document), &taken, report)
    });
    found.retain(|document| own.iter().all(|own| own.id != document.id));
    found
}

/// At the first reading (`last` is none) a bad file counts as far as it goes, so that nothing else is reported for its
/// lack. Later its last good content counts, and files that are in force come first: no newcomer takes a name.
fn contents<C: Content>(
    folder: &Folder,
    last: Option<&[C]>,
    report: &mut Report,
    check: impl Fn(&File, &C::Raw, &[C], &mut Report) -> Option<C>,
) -> (Vec<C>, bool) {
    let in_force = last.unwrap_or_default();
    let taken = |found: &[C], content: &C| last.is_some() && found.iter().any(|other| other.key() == content.key());
    let mut found: Vec<C> = Vec::new();
    let mut all = folder.problems.is_empty();
    for file in folder.known_first(|path| in_force.iter().any(|content| content.file() == path)) {
        let before = report.len();
        let checked = file.parse::<C::Raw>(report).and_then(|raw| check(file, &raw, &found, report));
        let content = if report.len() == before || last.is_none() {
            checked
        } else {
            in_force.iter().find(|content| content.file() == file.path).cloned()
        };
        all &= content.is_some();
        found.extend(content.filter(|content| !taken(&found, content)));
    }
    for content in in_force.iter().filter(|content| C::STAYS && folder.lost(content.file())) {
        if !taken(&found, content) {
            found.push(content.clone());
        }
    }
    found.sort_by(|a, b| a.file().cmp(b.file()));
    (found, all)
}

impl Content for DatasetConfig {
    type Raw = raw::Dataset;
    const STAYS: bool = true;

    fn file(&self) -> &Path {
        &self.file
    }

    fn key(&self) -> &str {
        self.name()
    }
}

impl Content for ViewConfig {
    type Raw = raw::View;
    const STAYS: bool = true;

    fn file(&self) -> &Path {
        &self.file
    }

    fn key(&self) -> &str {
        self.name()
    }
}

impl Content for AgreementConfig {
    type Raw = raw::Agreement;
    const STAYS: bool = false;

    fn file(&self) -> &Path {
        &self.file
    }

    fn key(&self) -> &str {
        &self.id
    }
}

impl Content for StandardConfig {
    type Raw = raw::Standard;
    const STAYS: bool = true;

    fn file(&self) -> &Path {
        &self.file
    }

    fn key(&self) -> &str {
        self.standard.name.as_str()
    }
}

impl Content for AlgorithmConfig {
    type Raw = raw::Algorithm;
    const STAYS: bool = true;

    fn file(&self) -> &Path {
        &self.file
    }

    fn key(&self) -> &str {
        &self.id
    }
}
