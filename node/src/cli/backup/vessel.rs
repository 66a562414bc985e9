//! The file of a backup: for its owner alone, and sealed where there is a passphrase.
//!
//! A sealed one is a heading, a salt, and what [`Sealer`] makes of the rest under a key that PBKDF2 (RFC 8018, HMAC with SHA-256)
//! makes of passphrase and salt.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::num::NonZeroU32;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ring::pbkdf2;
use ring::rand::{SecureRandom, SystemRandom};

use crate::secrets::{Opener, Sealer};

const HEADING: &[u8; 18] = b"meridian backup 1\n";
const SALT: usize = 32;
/// Rounds of PBKDF2, as OWASP advises for SHA-256.
const ROUNDS: NonZeroU32 = match NonZeroU32::new(600_000) {
    Some(rounds) => rounds,
    None => NonZeroU32::MAX,
};
/// What is authenticated with the file, so that no other sealed file is taken for it.
const PLACE: &[u8] = b"backup";

/// A backup that is being written, beside its place until it is whole.
pub(super) enum Vessel {
    Open(BufWriter<File>),
    Sealed(Sealer<BufWriter<File>>),
}

impl Vessel {
    /// Begins one in a file that is not there yet.
    pub(super) fn create(path: &Path, passphrase: Option<&str>) -> io::Result<Self> {
        let mut file = BufWriter::new(OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?);
        let Some(passphrase) = passphrase else { return Ok(Self::Open(file)) };
        let mut salt = [0; SALT];
        SystemRandom::new().fill(&mut salt).map_err(|_| io::Error::other("no random numbers can be had"))?;
        file.write_all(HEADING)?;
        file.write_all(&salt)?;
        Ok(Self::Sealed(Sealer::new(file, &key(passphrase, &salt), PLACE)?))
    }

    /// Makes it durable.
    pub(super) fn finish(self) -> io::Result<()> {
        let mut file = match self {
            Self::Open(file) => file,
            Self::Sealed(sealer) => sealer.finish()?,
        };
        file.flush()?;
        file.get_ref().sync_all()
    }
}

impl Write for Vessel {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Open(file) => file.write(bytes),
            Self::Sealed(sealer) => sealer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Open(file) => file.flush(),
            Self::Sealed(sealer) => sealer.flush(),
        }
    }
}

/// Opens a backup; one that is sealed with the passphrase.
pub(super) fn open(path: &Path, passphrase: Option<&str>) -> io::Result<Box<dyn Read>> {
    let mut heading = [0; HEADING.len()];
    let mut file = BufReader::new(File::open(path)?);
    let is_sealed = file.read_exact(&mut heading).is_ok() && heading == *HEADING;
    if !is_sealed {
        return Ok(Box::new(BufReader::new(File::open(path)?)));
    }
    let Some(passphrase) = passphrase else {
        return Err(io::Error::other("it is sealed: give --passphrase-file"));
    };
    let mut salt = [0; SALT];
    file.read_exact(&mut salt)?;
    let opened = Opener::new(file, &key(passphrase, &salt), PLACE)?;
    Ok(Box::new(opened))
}

fn key(passphrase: &str, salt: &[u8; SALT]) -> [u8; 32] {
    let mut key = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt, passphrase.as_bytes(), &mut key);
    key
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_sealed_backup_opens_by_its_passphrase_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("backup");
        let mut vessel = Vessel::create(&path, Some("correct horse")).unwrap();
        vessel.write_all(b"what the node keeps").unwrap();
        vessel.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(4).any(|window| window == b"node"));
        let read = |passphrase| {
            let mut text = String::new();
            open(&path, passphrase).and_then(|mut file| file.read_to_string(&mut text)).map(|_| text)
        };
        assert_eq!(read(Some("correct horse")).unwrap(), "what the node keeps");
        assert!(read(Some("wrong horse")).is_err());
        assert!(read(None).unwrap_err().to_string().contains("--passphrase-file"));
        assert!(Vessel::create(&path, None).is_err(), "nothing is overwritten");
    }
}
