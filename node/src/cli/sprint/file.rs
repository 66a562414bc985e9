//! `sprint.toml`: what a sprint is, and until when.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use meridian_proto::Name;
use serde::{Deserialize, Serialize};

use super::super::Error;
use super::super::profile::read_toml;

/// What the file is called.
const FILE: &str = "sprint.toml";

/// What a sprint is.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sprint {
    pub(super) name: Name,
    pub(super) federation: Name,
    /// The last day of it.
    #[serde(with = "day")]
    pub(super) until: NaiveDate,
    /// When the catalogue was asked.
    #[serde(with = "day")]
    pub(super) made: NaiveDate,
    /// What rows were drawn from.
    pub(super) seed: u64,
    /// For which purposes its agreements are.
    pub(super) purposes: Vec<String>,
    /// The questions, below `queries`.
    pub(super) queries: Vec<String>,
    pub(super) from: Origin,
    pub(super) bodies: Vec<Body>,
    pub(super) datasets: Vec<Dataset>,
}

/// Whose sprint it is: who asked which node for the descriptions.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Origin {
    pub(super) node: String,
    pub(super) body: Name,
    pub(super) analyst: Name,
    /// The profile, where one was named.
    pub(super) profile: Option<PathBuf>,
}

/// A body, whose node is in the folder of its name.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    pub(super) body: Name,
    pub(super) title: String,
}

/// A dataset, and what its rows are.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dataset {
    pub(super) name: String,
    pub(super) rows: Rows,
    pub(super) count: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Rows {
    /// Those of an open dataset.
    Copied,
    /// Made.
    Synthetic,
}

impl Sprint {
    /// Reads it from the folder of a sprint.
    pub(super) fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        if !path.exists() {
            let folder = folder.display();
            return Err(Error::Usage(format!(
                "{folder} is no folder of a sprint: there is no {FILE} in it; `meridian sprint new` makes one"
            )));
        }
        read_toml("sprint", &path)
    }

    /// Writes it; last of all, since whoever finds it finds the whole.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(FILE);
        let text = toml::to_string(self).map_err(|error| Error::Usage(format!("writing {FILE}: {error}")))?;
        let text = format!("# A data sprint, made by `meridian sprint new`; `meridian sprint serve` runs it.\n{text}");
        fs::write(&path, text).map_err(|source| Error::Write { path, source })
    }

    /// Keeps others from serving the folder for as long as this is held.
    pub(super) fn lock(folder: &Path) -> Result<File, Error> {
        let path = folder.join(FILE);
        let read = |source| Error::Read { path: path.clone(), source };
        let file = File::open(&path).map_err(read)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                let folder = folder.display();
                Err(Error::Mesh(format!("the sprint in {folder} is being served already: end that first")))
            }
            Err(TryLockError::Error(source)) => Err(read(source)),
        }
    }

    /// An error from the day after its last one on.
    pub(super) fn is_on(&self, today: NaiveDate) -> Result<(), Error> {
        if today <= self.until {
            return Ok(());
        }
        Err(Error::Mesh(format!(
            "the sprint {} has ended: its last day was {}. Its questions stay in its folder; a new one is made with `meridian \
             sprint new`",
            self.name, self.until
        )))
    }
}

/// Days as texts.
mod day {
    use chrono::NaiveDate;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(day: &NaiveDate, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(day)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NaiveDate, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| D::Error::custom(format!("{text:?} is no day: write it as 2026-12-11")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    fn sprint() -> Sprint {
        let name = |text: &str| text.parse().unwrap();
        Sprint {
            name: name("hmo"),
            federation: name("london"),
            until: "2026-12-11".parse().unwrap(),
            made: "2026-11-27".parse().unwrap(),
            seed: 1,
            purposes: vec!["fire-risk".into()],
            queries: Vec::new(),
            from: Origin { node: "https://a:1".into(), body: name("loda"), analyst: name("asha"), profile: None },
            bodies: vec![Body { body: name("loda"), title: "A \"body\"".into() }],
            datasets: vec![Dataset { name: "london.lfb.incidents".into(), rows: Rows::Synthetic, count: 3 }],
        }
    }

    #[test]
    fn what_is_written_is_read_and_mistakes_are_told_by_their_line() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Sprint::read(dir.path()).unwrap_err().to_string().contains("is no folder of a sprint"));
        sprint().write(dir.path()).unwrap();
        assert_eq!(Sprint::read(dir.path()).unwrap(), sprint());
        let path = dir.path().join(FILE);
        let wrong = fs::read_to_string(&path).unwrap().replace("2026-12-11", "11 December");
        fs::write(&path, wrong).unwrap();
        let error = Sprint::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("sprint.toml:4: ") && error.contains("11 December"), "{error}");
    }

    #[test]
    fn it_is_on_to_the_end_of_its_last_day_and_served_once_at_a_time() {
        let on = |day: &str| sprint().is_on(day.parse().unwrap());
        on("2026-12-11").unwrap();
        assert!(on("2026-12-12").unwrap_err().to_string().contains("its last day was 2026-12-11"));
        let dir = tempfile::tempdir().unwrap();
        sprint().write(dir.path()).unwrap();
        let held = Sprint::lock(dir.path()).unwrap();
        assert!(Sprint::lock(dir.path()).unwrap_err().to_string().contains("already"));
        drop(held);
        Sprint::lock(dir.path()).unwrap();
    }
}
