//! What an authority remembers: invitations, and which issuing key signed last for whom.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use meridian_proto::Name;
use serde::{Deserialize, Serialize};

use crate::{Error, Result, files};

const WHAT: &str = "the authority's books";

/// An invitation of a body, good for one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// SHA-256 of the token, lower-case hexadecimal; the token itself is not kept.
    pub token_sha256: String,
    /// Who may join with it.
    pub body: Name,
    /// Where the body's node will be reached.
    pub endpoint: String,
    /// The hosts that its certificate will name.
    pub hosts: Vec<String>,
    /// Seconds since the Unix epoch until which it may be used first.
    pub expires: u64,
    /// SHA-256 of the public key that used it.
    pub spent_by: Option<String>,
}

/// All that an authority remembers beside the membership.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Books {
    pub(super) invitations: Vec<Invitation>,
    /// For each body the SHA-256 of the issuing certificate under which it got its last one here.
    #[serde(default)]
    pub(super) issued: BTreeMap<Name, String>,
}

impl Books {
    pub(super) fn read(dir: &Path) -> Result<Self> {
        let path = path(dir);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(Error::Read { what: WHAT, path, source }),
        };
        serde_json::from_slice(&text).map_err(|error| Error::File {
            what: WHAT,
            path,
            problem: error.to_string(),
            remedy: super::RESTORE,
        })
    }

    pub(super) fn write(&self, dir: &Path) -> Result<()> {
        let path = path(dir);
        let text = serde_json::to_string_pretty(self).map_err(|error| Error::File {
            what: WHAT,
            path: path.clone(),
            problem: error.to_string(),
            remedy: "report this with the version of the program",
        })?;
        files::replace_key(&path, text.as_bytes())
    }

    /// Forgets what ended before `now`, in seconds since the Unix epoch. Spent invitations stay as long as a certificate that was
    /// got by one, so that a second use is told from an unknown token.
    pub(super) fn forget(&mut self, now: u64) {
        self.invitations.retain(|invitation| invitation.expires.saturating_add(super::office::LIFE_SECONDS) > now);
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join("books.json")
}
