//! Keys and certificates on disk: PEM, never overwritten, keys readable by their owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// For private keys.
const OWNER_ONLY: u32 = 0o600;
/// For certificates, which are public; the umask may take more away.
const READABLE: u32 = 0o644;
/// No chain and no bundle of anchors comes near this many bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Writes a private key that must not exist yet.
pub(crate) fn create_key(path: &Path, pem: &str) -> Result<()> {
    create(path, pem, OWNER_ONLY)
}

/// Writes a certificate that must not exist yet.
pub(crate) fn create_certificate(path: &Path, pem: &str) -> Result<()> {
    create(path, pem, READABLE)
}

/// Writes a file that only its owner can read, in place of what is there: after a crash there is the old or the new.
pub(crate) fn replace_key(path: &Path, content: &[u8]) -> Result<()> {
    replace_file(path, OWNER_ONLY, content).map_err(|source| Error::Write { path: path.into(), source })
}

/// The same, for what everybody may read.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<()> {
    replace_file(path, READABLE, content).map_err(|source| Error::Write { path: path.into(), source })
}

/// Puts a file in the place of what is there, if there is anything: after a crash there is the old or the new, whole. The umask
/// may take away from `mode`.
pub fn replace_file(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    replace_file_with(path, mode, |mut file| file.write_all(content).map(|()| file))
}

/// The same, of what `write` writes; until it is whole it is beside, under its name and `.new`.
pub fn replace_file_with(path: &Path, mode: u32, write: impl FnOnce(File) -> io::Result<File>) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    // What a crash left there, which others may be able to read.
    match fs::remove_file(beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(beside)?;
    write(file)?.sync_all()?;
    fs::rename(beside, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Waits until nobody else holds the lock of this file, and holds it until what is returned is dropped.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let opened = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let locked = opened.and_then(|file| file.lock().map(|()| file));
    locked.map_err(|source| Error::Write { path: path.into(), source })
}

/// SHA-256, lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The certificates of a PEM text.
pub(crate) fn certificates_of(text: &str) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    found.and_then(|found| if found.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(found) })
}

/// A certificate as PEM.
pub(crate) fn to_pem(der: &CertificateDer<'_>) -> String {
    let lines = ::pem::EncodeConfig::new().set_line_ending(::pem::LineEnding::LF);
    ::pem::encode_config(&::pem::Pem::new("CERTIFICATE", der.as_ref()), lines)
}

/// Reads a file that is public as text.
pub(crate) fn text_of(what: &'static str, path: &Path) -> Result<String> {
    File::open(path).and_then(text).map_err(|source| Error::Read { what, path: path.into(), source })
}

/// Reads a private key file as text, if nobody but its owner can.
pub(crate) fn key_text(path: &Path) -> Result<String> {
    let refused = |source| Error::Read { what: "the private key", path: path.into(), source };
    let file = File::open(path).map_err(refused)?;
    // Asked of the open file, not of the path, so that it is the mode of what is read.
    let mode = file.metadata().map_err(refused)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(Error::KeyMode { path: path.into(), mode });
    }
    text(file).map_err(refused)
}

/// Reads the private key of a PEM file.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(key_text(path)?.as_bytes()).map_err(|error| Error::File {
        what: "the private key",
        path: path.into(),
        problem: problem(&error, "private key"),
        remedy: "put a backup of the key there, or make a new key and request a certificate for it",
    })
}

/// Reads the certificates of a PEM file, at least one, in their order.
pub(crate) fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    certificates_of(&text_of(what, path)?).map_err(|error| Error::File {
        what,
        path: path.into(),
        problem: problem(&error, "certificate"),
        remedy: "fetch the file again from the authority that made it",
    })
}

fn create(path: &Path, text: &str, mode: u32) -> Result<()> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file = opened.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => Error::Exists { path: path.into() },
        _ => Error::Write { path: path.into(), source },
    })?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|source| {
        // Half a key is worse than none; what matters to the caller is the first error.
        let _ = fs::remove_file(path);
        Error::Write { path: path.into(), source }
    })
}

fn text(file: File) -> io::Result<String> {
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

fn problem(error: &pem::Error, item: &str) -> String {
    match error {
        pem::Error::NoItemsFound => format!("holds no PEM section with a {item}"),
        pem::Error::MissingSectionEnd { .. } => "a PEM section has no END line, the file is cut short".into(),
        pem::Error::IllegalSectionStart { .. } => "a PEM section starts with a broken BEGIN line".into(),
        pem::Error::Base64Decode(_) => "a PEM section is not Base64".into(),
        // The library's text could quote the file, and the file may be a key.
        _ => "is not PEM".into(),
    }
}
