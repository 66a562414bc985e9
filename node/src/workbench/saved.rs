//! Saved questions: each has an address of its own, is the analyst's who saved it, and is read by all analysts of the body.
//!
//! A file for each in the node's state folder, for its owner alone. A question is text; nothing of an answer is kept.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use chrono::Utc;
use http::StatusCode;
use meridian_certs::replace_file;
use meridian_proto::Name;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::said::Problem;
use crate::printable::is_unsafe;

/// Questions that a node keeps.
const MOST: usize = 2_000;
/// Of these, those of one analyst.
const MOST_OF_ONE: usize = 500;
/// Longest SQL of one, in bytes.
const SQL_BYTES: usize = 64 << 10;
/// Longest purpose, in characters.
const PURPOSE_CHARS: usize = 200;
/// Longest title, in characters.
const TITLE_CHARS: usize = 200;
/// Characters of an address.
const ID_CHARS: usize = 16;

/// The saved questions of a body.
#[derive(Debug)]
pub(super) struct Saved {
    folder: PathBuf,
    /// Held while one is written or removed.
    writing: Mutex<()>,
}

/// A question, as a file holds it.
#[derive(Debug, Serialize, Deserialize)]
struct Question {
    title: String,
    sql: String,
    #[serde(default)]
    purpose: String,
    /// The analyst who saved it.
    owner: String,
    /// When, in RFC 3339.
    saved: String,
}

/// What is to be saved.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Save {
    title: String,
    sql: String,
    #[serde(default)]
    purpose: String,
    /// The address of the one that it replaces.
    id: Option<String>,
}

/// Which one is meant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    id: String,
}

impl Saved {
    /// Those of this folder, which need not be there.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, writing: Mutex::default() }
    }

    /// All of them, the newest first, without their SQL.
    pub(super) fn list(&self) -> Result<Value, Problem> {
        let mut found = self.all()?;
        found.sort_by(|(_, a), (_, b)| b.saved.cmp(&a.saved));
        let told = found.into_iter().map(|(id, Question { title, owner, saved, .. })| {
            json!({ "id": id, "title": title, "owner": owner, "saved": saved })
        });
        Ok(json!({ "saved": told.collect::<Vec<_>>() }))
    }

    /// All that can be read, with their addresses.
    fn all(&self) -> Result<Vec<(String, Question)>, Problem> {
        let ids = self.ids()?.into_iter();
        Ok(ids.filter_map(|id| Some((id.clone(), self.find(&id).ok()?))).collect())
    }

    /// One of them.
    pub(super) fn read(&self, which: Which) -> Result<Value, Problem> {
        let question = self.find(&which.id)?;
        let mut told = json!(question);
        if let Some(told) = told.as_object_mut() {
            told.insert("id".into(), which.id.into());
        }
        Ok(told)
    }

    /// Saves one under a new address, or in place of one of the analyst's own.
    pub(super) fn save(&self, save: Save, owner: &Name) -> Result<Value, Problem> {
        let title = save.title.trim();
        let bad = |why: String| Err(Problem::new(StatusCode::BAD_REQUEST, why));
        if title.is_empty() || title.chars().count() > TITLE_CHARS || title.chars().any(is_unsafe) {
            let why =
                "characters at most, without marks that control a screen or turn the direction in which it is read";
            return bad(format!("a title is one line of {TITLE_CHARS} {why}"));
        }
        if save.sql.len() > SQL_BYTES {
            return bad(format!("a saved question has {SQL_BYTES} bytes at most: keep it in a file"));
        }
        if save.purpose.chars().count() > PURPOSE_CHARS || save.purpose.chars().any(is_unsafe) {
            return bad(format!("a purpose is one line of {PURPOSE_CHARS} characters at most"));
        }
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let id = match save.id {
            Some(id) => {
                self.owned(&id, owner)?;
                id
            }
            None => {
                self.room(owner)?;
                hex::encode(rand::random::<[u8; ID_CHARS / 2]>())
            }
        };
        let question = Question {
            title: title.to_owned(),
            sql: save.sql,
            purpose: save.purpose,
            owner: owner.to_string(),
            saved: Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        };
        self.write(&id, &question).map_err(|error| fault("saved", &error))?;
        Ok(json!({ "id": id }))
    }

    /// Removes one of the analyst's own.
    pub(super) fn remove(&self, which: Which, owner: &Name) -> Result<Value, Problem> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.owned(&which.id, owner)?;
        fs::remove_file(self.path(&which.id)).map_err(|error| fault("removed", &error))?;
        Ok(json!({}))
    }

    /// Whether there is room for one more of an analyst's.
    fn room(&self, owner: &Name) -> Result<(), Problem> {
        let full = |why: String| Err(Problem::new(StatusCode::INSUFFICIENT_STORAGE, why));
        if self.ids()?.len() >= MOST {
            return full(format!("{MOST} questions are saved, and no more are kept: remove some"));
        }
        let own = self.all()?.into_iter().filter(|(_, question)| question.owner == owner.as_str());
        if own.count() >= MOST_OF_ONE {
            return full(format!("{MOST_OF_ONE} questions are yours, and the rest is for others: remove some"));
        }
        Ok(())
    }

    fn owned(&self, id: &str, owner: &Name) -> Result<(), Problem> {
        if self.find(id)?.owner == owner.as_str() {
            return Ok(());
        }
        Err(Problem::new(StatusCode::FORBIDDEN, "whoever saved it may change it: save it under an address of your own"))
    }

    fn find(&self, id: &str) -> Result<Question, Problem> {
        let unknown = || Problem::new(StatusCode::NOT_FOUND, "no question is saved at this address: was it removed?");
        if !is_id(id) {
            return Err(unknown());
        }
        let text = fs::read(self.path(id)).map_err(|_| unknown())?;
        serde_json::from_slice(&text).map_err(|error| fault("read", &error))
    }

    fn ids(&self) -> Result<Vec<String>, Problem> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(fault("listed", &error)),
        };
        let id = |entry: io::Result<fs::DirEntry>| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            Some(name.strip_suffix(".json").filter(|id| is_id(id))?.to_owned())
        };
        Ok(entries.filter_map(id).collect())
    }

    /// Whole or not at all.
    fn write(&self, id: &str, question: &Question) -> io::Result<()> {
        DirBuilder::new().mode(0o700).recursive(true).create(&self.folder)?;
        replace_file(&self.path(id), 0o600, &serde_json::to_vec_pretty(question)?)
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }
}

/// Nothing else becomes a part of a path.
fn is_id(text: &str) -> bool {
    text.len() == ID_CHARS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn fault(what: &str, why: &dyn std::fmt::Display) -> Problem {
    tracing::error!(what, %why, "a saved question met a fault");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        format!("it can't be {what}: the node's operator finds why in its log"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn save(title: &str, id: Option<String>) -> Save {
        Save { title: title.into(), sql: "SELECT 1".into(), purpose: "fire-risk".into(), id }
    }

    #[test]
    fn a_question_is_its_owners_and_all_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let saved = Saved::new(dir.path().join("questions"));
        let (asha, bola): (Name, Name) = ("asha".parse().unwrap(), "bola".parse().unwrap());
        assert_eq!(saved.list().unwrap()["saved"], json!([]));
        let id = saved.save(save(" Fire <b>risk</b> ", None), &asha).unwrap()["id"].as_str().unwrap().to_owned();
        let which = || Which { id: id.clone() };
        assert_eq!(saved.read(which()).unwrap()["title"], "Fire <b>risk</b>");
        assert_eq!(saved.save(save("mine", Some(id.clone())), &bola).unwrap_err().status, StatusCode::FORBIDDEN);
        assert_eq!(saved.remove(which(), &bola).unwrap_err().status, StatusCode::FORBIDDEN);
        saved.save(save("Fire risk", Some(id.clone())), &asha).unwrap();
        assert_eq!(saved.list().unwrap()["saved"][0]["title"], "Fire risk");
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(saved.folder.clone()), mode(saved.path(&id))), (0o700, 0o600));
        saved.remove(which(), &asha).unwrap();
        assert_eq!(saved.read(which()).unwrap_err().status, StatusCode::NOT_FOUND);
    }

    #[test]
    fn an_address_is_no_path_and_a_title_is_one_line() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("secret.json"), "{}").unwrap();
        let saved = Saved::new(dir.path().join("questions"));
        for id in ["../secret", "", "0123456789abcde", "0123456789ABCDEF", "0123456789abcde/"] {
            let found = saved.read(Which { id: id.into() });
            assert_eq!(found.unwrap_err().status, StatusCode::NOT_FOUND, "{id}");
        }
        let long = "x".repeat(TITLE_CHARS + 1);
        let refused = |save: Save| saved.save(save, &"asha".parse().unwrap()).unwrap_err().status;
        for title in ["", "  ", "a\nb", &long, "by \u{202e}bola", "a\u{2066}b", "a\u{feff}b"] {
            assert_eq!(refused(save(title, None)), StatusCode::BAD_REQUEST, "{title:?}");
        }
        assert_eq!(refused(Save { sql: "x".repeat(SQL_BYTES + 1), ..save("a", None) }), StatusCode::BAD_REQUEST);
        for purpose in ["a\nb", &long] {
            assert_eq!(refused(Save { purpose: purpose.into(), ..save("a", None) }), StatusCode::BAD_REQUEST);
        }
    }

    #[test]
    fn one_analyst_leaves_room_for_others() {
        let dir = tempfile::tempdir().unwrap();
        let saved = Saved::new(dir.path().join("questions"));
        let (asha, bola): (Name, Name) = ("asha".parse().unwrap(), "bola".parse().unwrap());
        let id = saved.save(save("first", None), &asha).unwrap()["id"].as_str().unwrap().to_owned();
        let first = fs::read(saved.path(&id)).unwrap();
        for number in 1..MOST_OF_ONE {
            fs::write(saved.path(&format!("{number:016x}")), &first).unwrap();
        }
        assert_eq!(saved.save(save("one more", None), &asha).unwrap_err().status, StatusCode::INSUFFICIENT_STORAGE);
        saved.save(save("in place", Some(id)), &asha).unwrap();
        saved.save(save("another's", None), &bola).unwrap();
    }
}
