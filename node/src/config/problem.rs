//! Problems of a configuration: where, what, and what to do.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use chrono::NaiveDate;
use meridian_proto::{BodyName, Name};
use serde::de::DeserializeOwned;
use toml::Spanned;

use super::NodeConfig;
use crate::agreements;
use crate::spelling::nearest;

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file.display(), self.line, self.what, self.fix)
    }
}

/// Every problem of a configuration, at least one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError(pub Vec<Problem>);

/// The problems found so far.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Problem>);

impl Report {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn extend(&mut self, problems: &[Problem]) {
        self.0.extend_from_slice(problems);
    }

    fn unreadable(&mut self, path: &Path, error: &io::Error) {
        let kind = if path.is_dir() { "folder" } else { "file" };
        let what = format!("the {kind} can't be read: {error}");
        self.0.push(Problem { file: path.to_path_buf(), line: 1, what, fix: "check its path and permissions".into() });
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.0
    }

    pub(super) fn into_error(self, path: &Path) -> ConfigError {
        debug_assert!(!self.0.is_empty(), "{}: nothing was made and nothing was wrong", path.display());
        ConfigError(self.0)
    }
}

impl From<Vec<Problem>> for Report {
    fn from(problems: Vec<Problem>) -> Self {
        Self(problems)
    }
}

/// The `.toml` files of a folder.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Folder {
    path: PathBuf,
    /// Those that can be read, sorted by name, or as `ranked` says.
    files: Vec<File>,
    /// Whether their order says who comes first, whatever is in force.
    ranked: bool,
    /// One for each that can't, or for the folder itself.
    pub(super) problems: Vec<Problem>,
}

impl Folder {
    /// Reads a folder; one that isn't there holds no files.
    pub(super) fn read(path: &Path) -> Self {
        let mut report = Report::default();
        let mut paths = Vec::new();
        match path.read_dir().and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>())
        {
            Ok(entries) => paths = entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => report.unreadable(path, &error),
        }
        // What is gone by now was removed.
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml") && path.exists());
        paths.sort();
        let files = paths.iter().filter_map(|path| File::read(path, &mut report)).collect();
        Self { path: path.to_path_buf(), files, ranked: false, problems: report.into_problems() }
    }

    /// The documents that all have signed whom they need to be in force. Of two of one id that counts which this body signed
    /// first: so it is after a restart as before.
    pub(super) fn signed(node: &NodeConfig) -> Self {
        let path = node.state.join(agreements::FOLDER);
        let mut report = Report::default();
        let found = agreements::in_force(&node.state, &node.body);
        let found = found.inspect_err(|error| report.unreadable(&path, error)).unwrap_or_default();
        let files = found.into_iter().map(|(path, text)| File::of(path, text)).collect();
        Self { path, files, ranked: true, problems: report.into_problems() }
    }

    /// Whether a file may be there and can't be read.
    pub(super) fn lost(&self, file: &Path) -> bool {
        self.problems.iter().any(|problem| problem.file == file || problem.file == self.path)
    }

    /// The files, those first that are known; or in their own order.
    pub(super) fn known_first(&self, known: impl Fn(&Path) -> bool) -> impl Iterator<Item = &File> {
        let is_first = |file: &&File| self.ranked || known(&file.path);
        let (known, new): (Vec<&File>, Vec<&File>) = self.files.iter().partition(is_first);
        known.into_iter().chain(new)
    }
}

/// A configuration file's text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File {
    pub(super) path: PathBuf,
    text: String,
}

impl File {
    /// A text that was read before.
    pub(super) fn of(path: PathBuf, text: String) -> Self {
        Self { path, text }
    }

    /// Reads a file; what goes wrong is reported.
    pub(super) fn read(path: &Path, report: &mut Report) -> Option<Self> {
        match std::fs::read_to_string(path) {
            Ok(text) => Some(Self { path: path.to_path_buf(), text }),
            Err(error) => {
                report.unreadable(path, &error);
                None
            }
        }
    }

    /// The folder that the file is in.
    pub(super) fn folder(&self) -> PathBuf {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
            _ => PathBuf::from("."),
        }
    }

    /// Parses the file into its shape; the first thing that doesn't fit is reported.
    pub(super) fn parse<T: DeserializeOwned>(&self, report: &mut Report) -> Option<T> {
        match toml::from_str(&self.text) {
            Ok(value) => Some(value),
            Err(error) => {
                let (what, fix) = explained(error.message());
                self.problem(report, error.span().unwrap_or(0..0), what, fix);
                None
            }
        }
    }

    /// Reports a problem at a place of the file.
    pub(super) fn problem(
        &self,
        report: &mut Report,
        at: Range<usize>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let line = 1 + self.text.bytes().take(at.start).filter(|byte| *byte == b'\n').count();
        report.0.push(Problem { file: self.path.clone(), line, what: what.into(), fix: fix.into() });
    }

    /// A slug, or a problem.
    pub(super) fn name(&self, report: &mut Report, key: &str, text: &Spanned<String>) -> Option<Name> {
        let name = text.get_ref().parse().ok();
        if name.is_none() {
            self.problem(
                report,
                text.span(),
                format!("{key} is {:?}, which is no name", text.get_ref()),
                "write a lower-case letter, then lower-case letters, digits and underscores, 63 characters at most",
            );
        }
        name
    }

    /// A body, of the federation `own` where nothing else is said, or a problem.
    pub(super) fn body(
        &self,
        report: &mut Report,
        key: &str,
        text: &Spanned<String>,
        own: Option<&Name>,
    ) -> Option<BodyName> {
        if !text.get_ref().contains('.') {
            return self.name(report, key, text).map(BodyName::from);
        }
        let Ok(body) = text.get_ref().parse::<BodyName>() else {
            let what = format!("{key} is {:?}, which is no body of another federation", text.get_ref());
            self.problem(report, text.span(), what, "write federation and body, such as \"berlin.feuerwehr\"");
            return None;
        };
        Some(own.map_or(body.clone(), |own| body.told_by(own, own)))
    }

    /// A text that says something, or a problem.
    pub(super) fn text(&self, report: &mut Report, key: &str, text: &Spanned<String>) -> Option<String> {
        let said = text.get_ref().trim();
        if said.is_empty() {
            self.problem(report, text.span(), format!("{key} is empty"), "fill it in");
            return None;
        }
        Some(said.to_owned())
    }

    /// A day, or a problem.
    pub(super) fn date(&self, key: &str, text: &Spanned<String>, report: &mut Report) -> Option<NaiveDate> {
        let date = NaiveDate::parse_from_str(text.get_ref(), "%Y-%m-%d").ok();
        if date.is_none() {
            let what = format!("{key} is {:?}, which is no date", text.get_ref());
            self.problem(report, text.span(), what, "write it as \"2026-01-31\"");
        }
        date
    }

    /// A path that exists, or a problem.
    pub(super) fn existing(
        &self,
        report: &mut Report,
        base: &Path,
        key: &str,
        text: &Spanned<String>,
    ) -> Option<PathBuf> {
        let path = base.join(text.get_ref());
        match path.metadata() {
            Ok(_) => Some(path),
            Err(error) => {
                let what = format!("{key} is {}, which can't be read: {error}", path.display());
                self.problem(
                    report,
                    text.span(),
                    what,
                    "correct the path, which is relative to the folder of node.toml",
                );
                None
            }
        }
    }
}

/// Keys that had another name, which is near to that of something else, and their names now.
const RENAMED: [(&str, &str); 1] = [("engine", "cluster")];

/// The parser's message as what and fix.
pub(crate) fn explained(message: &str) -> (String, String) {
    for (start, kind) in [("unknown field `", "key"), ("unknown variant `", "value")] {
        let Some((found, expected)) = message.strip_prefix(start).and_then(|rest| rest.split_once('`')) else {
            continue;
        };
        let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        let renamed = RENAMED.iter().find(|(before, now)| *before == found && known.contains(now));
        let near = nearest(found, known.iter().copied());
        let meant: Vec<&str> = renamed.map(|(_, now)| *now).into_iter().chain(near).collect();
        let fix = match meant.as_slice() {
            [] => format!("known here: {}", known.join(", ")),
            meant => format!("did you mean `{}`?", meant.join("` or `")),
        };
        return (format!("unknown {kind} `{found}`"), fix);
    }
    if let Some(missing) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return (format!("`{missing}` is missing"), "add it".to_owned());
    }
    (message.lines().collect::<Vec<_>>().join(" "), "correct it; configuration files are TOML 1.0".to_owned())
}
