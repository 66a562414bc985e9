//! The node's own secret, and the keys that are derived from it: whoever has it can take noise off answers.

mod seal;

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use meridian_certs::replace_file;
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::rand::{SecureRandom, SystemRandom};

pub use seal::{Opener, Sealer};

/// Bytes of the secret.
const LENGTH: usize = 32;

/// The file's name in the node's state folder.
const FILE: &str = "secret.key";

/// 256 random bits that belong to this node for good: noise, unit hashes and stored history depend on them.
pub struct Secret([u8; LENGTH]);

/// What a key is for; different purposes have independent keys.
#[derive(Debug, Clone, Copy)]
pub enum Purpose<'a> {
    /// Hashes of units of one kind, the same in all datasets of the body.
    Units(&'a str),
    /// Which noise belongs to which cell key, by kind of unit: the same units have one noise, from whichever dataset.
    CountTable(&'a str),
    /// The noise of sums, by kind of unit.
    Magnitudes(&'a str),
    /// The history's file.
    History,
    /// Snapshots at rest.
    Snapshots,
    /// The private parts of the log's records.
    Audit,
    /// The seed of the key that signs the log's checkpoints.
    Log,
    /// The seed of the key that cosigns the checkpoints of other logs.
    Witness,
    /// The list of objections, erasures, restrictions and rectifications at rest.
    Rights,
}

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file can't be read or made.
    #[error("the node's secret {path} can't be read or made: {why}; check that the state folder can be written")]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        why: io::Error,
    },
    /// The file holds something else.
    #[error("{path} is not the secret of a node: it has to hold 64 hexadecimal digits; put it back from a backup")]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

/// The text of a file that nobody but its owner can read, without the line's end: `what` somebody else gave to this node.
/// Otherwise why not, for whoever names the file.
pub fn private_text(path: &Path, what: &str) -> Result<String, String> {
    let unreadable = |error: io::Error| format!("can't be read: {error}");
    let mut file = File::open(path).map_err(unreadable)?;
    // Asked of the open file, not of the path, so that it is the mode of what is read.
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(format!("has the mode {mode:o}, so that others can read {what}: chmod 600 it"));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(unreadable)?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(format!("is empty; write {what} into it")),
        text => Ok(text.to_owned()),
    }
}

impl Secret {
    /// The secret of the state folder; made where there is none yet.
    pub fn open(state: &Path) -> Result<Self, SecretError> {
        let path = state.join(FILE);
        let failed = |why| SecretError::File { path: path.clone(), why };
        fs::create_dir_all(state).map_err(failed)?;
        match Self::read(state) {
            Err(SecretError::File { why, .. }) if why.kind() == io::ErrorKind::NotFound => {
                let secret = Self::random().map_err(failed)?;
                let text = format!("{}\n", hex::encode(secret.0));
                replace_file(&path, 0o600, text.as_bytes()).map_err(failed)?;
                Ok(secret)
            }
            other => other,
        }
    }

    /// The secret of the state folder of a node that has one.
    pub fn read(state: &Path) -> Result<Self, SecretError> {
        let path = state.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => {
                let mut secret = [0; LENGTH];
                hex::decode_to_slice(text.trim(), &mut secret).map_err(|_| SecretError::Malformed { path })?;
                Ok(Self(secret))
            }
            Err(why) => Err(SecretError::File { path, why }),
        }
    }

    /// A secret of no file.
    pub fn random() -> io::Result<Self> {
        let mut secret = [0; LENGTH];
        SystemRandom::new().fill(&mut secret).map_err(|_| io::Error::other("no random numbers can be had"))?;
        Ok(Self(secret))
    }

    /// The key for a purpose: HKDF with SHA-256 (RFC 5869), the purpose as info.
    pub fn key<const N: usize>(&self, purpose: Purpose<'_>) -> [u8; N] {
        let (name, of) = match purpose {
            Purpose::Units(kind) => ("units", kind),
            Purpose::CountTable(kind) => ("count table", kind),
            Purpose::Magnitudes(kind) => ("magnitudes", kind),
            Purpose::History => ("history", ""),
            Purpose::Snapshots => ("snapshots", ""),
            Purpose::Audit => ("audit", ""),
            Purpose::Log => ("log key", ""),
            Purpose::Witness => ("witness key", ""),
            Purpose::Rights => ("rights", ""),
        };
        let info = [b"meridian ".as_slice(), name.as_bytes(), b"\0", of.as_bytes()];
        let mut key = [0; N];
        let derived = Salt::new(HKDF_SHA256, &[]).extract(&self.0);
        let filled = derived.expand(&info, Bytes(N)).and_then(|output| output.fill(&mut key));
        assert!(filled.is_ok(), "a key is shorter than 255 hashes");
        key
    }
}

/// The length of what is derived.
#[derive(Clone, Copy)]
struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_found_again() {
        let state = tempfile::tempdir().unwrap();
        assert!(Secret::read(state.path()).is_err(), "reading makes none");
        let key: [u8; 16] = Secret::open(state.path()).unwrap().key(Purpose::Units("person"));
        let again = Secret::open(state.path()).unwrap();
        assert_eq!(again.key::<16>(Purpose::Units("person")), key);
        assert_ne!(again.key::<16>(Purpose::Units("household")), key);
        assert_ne!(again.key::<16>(Purpose::Magnitudes("person")), key);
        assert_ne!(Secret::random().unwrap().key::<16>(Purpose::Units("person")), key);
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(state.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_no_secret_is_an_error() {
        let state = tempfile::tempdir().unwrap();
        fs::write(state.path().join(FILE), "abc").unwrap();
        assert!(matches!(Secret::open(state.path()), Err(SecretError::Malformed { .. })));
    }
}
