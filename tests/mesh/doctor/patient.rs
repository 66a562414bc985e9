//! The node that is looked at: a body of a federation of two, whose faults are made and mended.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::support::{Pair, Ran, Running, Town, meridian, until};

/// What was found of one thing.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Finding {
    pub(super) level: String,
    pub(super) code: String,
    pub(super) what: String,
    pub(super) fix: String,
}

/// A federation of two, and the folder of the one that is looked at.
pub(super) struct Patient {
    pub(super) town: Town,
    pub(super) folder: PathBuf,
}

impl Patient {
    /// It is up, and publishes rows and statistics; nothing is to be said of it.
    pub(super) fn new() -> Self {
        let town = Town::of(&["lfb", "gla"]);
        // `rows` would conform to a standard that nobody knows.
        town.publish("lfb", "lines", 10);
        let folder = town.mesh.folder("lfb");
        fs::write(folder.join("people.csv"), "person_id,n\n1,1\n2,2\n").unwrap();
        fs::write(folder.join("datasets/people.toml"), PEOPLE).unwrap();
        town.mesh.start_each();
        let patient = Self { town, folder };
        patient.town.mesh.ask("SELECT COUNT(*) FROM lfb.lines").ok();
        let left = patient.complaints();
        assert!(left.is_empty(), "{left:#?}");
        patient
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(super) fn look(&self, more: &[&str]) -> Ran {
        let mut command = meridian();
        command.args(["node", "check", "--format", "json", "--config"]).arg(self.at("node.toml")).args(more);
        Running::start(&mut command).end()
    }

    /// All that is not well.
    pub(super) fn complaints(&self) -> Vec<Finding> {
        complaints(&self.look(&["--thorough"]))
    }

    fn codes(&self) -> BTreeSet<String> {
        self.complaints().into_iter().map(|finding| finding.code).collect()
    }

    /// The fault is found, with these words in what is wrong and what to do; once it is mended all is as before.
    #[track_caller]
    pub(super) fn finds(&self, level: &str, code: &str, words: &[&str], make: impl FnOnce(), mend: impl FnOnce()) {
        let before = self.codes();
        self.found(level, code, words, make);
        mend();
        self.is_as(&before, code);
    }

    /// The same, where the advice holds the command that mends.
    #[track_caller]
    pub(super) fn finds_and_runs(&self, level: &str, code: &str, words: &[&str], make: impl FnOnce()) {
        let before = self.codes();
        let found = self.found(level, code, words, make);
        self.run(&found.fix);
        self.is_as(&before, code);
    }

    /// The fault is made by changing a file, which is put back afterwards, or is away again.
    #[track_caller]
    pub(super) fn finds_in(&self, file: &str, level: &str, code: &str, words: &[&str], change: impl FnOnce(&Path)) {
        let path = self.at(file);
        let kept = fs::read(&path).ok();
        let mode = fs::metadata(&path).ok().map(|metadata| metadata.permissions());
        let mend = || {
            match kept {
                Some(bytes) => fs::write(&path, bytes).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            if let Some(mode) = mode {
                fs::set_permissions(&path, mode).unwrap();
            }
        };
        self.finds(level, code, words, || change(&path), mend);
    }

    #[track_caller]
    fn found(&self, level: &str, code: &str, words: &[&str], make: impl FnOnce()) -> Finding {
        make();
        let found = self.complaints();
        let at = found.iter().position(|it| it.code == code && it.level == level && says(it, words));
        let at = at.unwrap_or_else(|| panic!("no {level} of {code} with {words:?} in {found:#?}"));
        found.into_iter().nth(at).unwrap()
    }

    /// What others have to hear of first takes them a moment.
    fn is_as(&self, before: &BTreeSet<String>, code: &str) {
        until(&format!("all is as before, once {code} is mended"), || {
            let left = self.complaints();
            let is_as_before = left.iter().map(|finding| finding.code.clone()).collect::<BTreeSet<_>>() == *before;
            if !is_as_before {
                eprintln!("{code} was mended, and there is still {left:#?}");
            }
            is_as_before.then_some(())
        });
    }

    /// Runs the command that stands in an advice, word by word.
    #[track_caller]
    pub(super) fn run(&self, advice: &str) {
        let begin =
            ["chmod ", "chown ", "install ", "kill ", "meridian "].iter().filter_map(|it| advice.find(it)).min();
        let command = &advice[begin.unwrap_or_else(|| panic!("no command in {advice:?}"))..];
        let binary = meridian();
        let command = command.split('`').next().unwrap_or_default();
        let command = command.replacen("meridian ", &format!("{} ", binary.get_program().display()), 1);
        let ran = Running::start(Command::new("sh").args(["-c", &command]).current_dir(&self.folder)).end();
        assert_eq!(ran.code, Some(0), "{command}: {}", ran.stderr);
    }
}

/// A dataset of statistics.
pub(super) const PEOPLE: &str = r#"
name = "people"
title = "P"
description = ""
licence = "none"
form = "statistics"
recipients = "agreement"
as_of = "monthly"
threshold = 10
[noise]
largest = 5
variance = 2.0
[unit]
kind = "person"
column = "person_id"
[source]
kind = "csv"
path = "people.csv"
[[columns]]
name = "person_id"
type = "bigint"
role = "identifier"
[[columns]]
name = "n"
type = "bigint"
role = "dimension"
"#;

pub(super) fn says(finding: &Finding, words: &[&str]) -> bool {
    let said = format!("{} {}", finding.what, finding.fix);
    !finding.fix.is_empty() && words.iter().all(|word| said.contains(word))
}

/// All that is not well, but for whose user the tests are.
pub(super) fn complaints(ran: &Ran) -> Vec<Finding> {
    let findings: Vec<Finding> = serde_json::from_slice(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.stderr));
    let faults = findings.iter().filter(|finding| finding.level == "fault").count();
    assert_eq!(ran.code, Some(if faults == 0 { 0 } else { 3 }), "{}", ran.stderr);
    findings.into_iter().filter(|finding| finding.level != "good" && finding.code != "machine.user").collect()
}

pub(super) fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(super) fn replaced(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// Writes a text, for what takes the file.
pub(super) fn write(text: impl Into<String>) -> impl FnOnce(&Path) {
    let text = text.into();
    move |path| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// Key and chain in one file, as a node has them.
pub(super) fn in_one(pair: &Pair, path: &Path) {
    let text = fs::read_to_string(&pair.key).unwrap() + &fs::read_to_string(&pair.cert).unwrap();
    fs::write(path, text).unwrap();
    mode(path, 0o600);
}
