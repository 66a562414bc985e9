//! What belongs into a backup: the configuration and what it names, keys, and what the node remembers; no source's rows.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use toml::Value;

use super::super::Error;
use crate::app::copies;
use crate::audit::{self, LogKey};
use crate::config::NodeConfig;
use crate::query::SPILL;
use crate::secrets::{Purpose, Secret};

/// Below this stands what node.toml names by a path that leads out of its folder.
pub(super) const OUTSIDE: &str = "outside";
/// In the state folder: copies that are made for a backup, until it is written.
const STAGE: &str = "backup.parts";
/// How often a log is copied that the node goes on writing meanwhile, until the copy is whole.
const ATTEMPTS: usize = 10;
/// How long the node has for a copy of its history.
const PATIENCE: Duration = Duration::from_secs(60);
/// A file that is looked through for a private key is not larger (bytes).
const MOST_PEM: u64 = 1 << 20;
/// Keys of the configuration that name the rows of a source.
const ROWS: [&str; 1] = ["path"];
/// Keys that name a file with a password.
const PASSWORDS: [&str; 2] = ["password_file", "secret_key_file"];

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Item {
    /// Its name in the backup.
    pub(super) name: String,
    /// Where it is read.
    pub(super) path: PathBuf,
}

/// What is copied before it is packed, since the node goes on writing it; removed with this.
pub(super) struct Stage {
    folder: PathBuf,
    /// Held where no node runs, so that none starts meanwhile.
    _lock: Option<File>,
    /// Records of the log.
    pub(super) records: u64,
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Stage {
    /// Copies log and history as they are together: the history is not older than the log.
    pub(super) fn of(node: &NodeConfig) -> Result<Self, Error> {
        let state = &node.state;
        let folder = state.join(STAGE);
        let failed = |source| Error::Write { path: folder.clone(), source };
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
        let lock = File::open(state.join("audit").join(audit::LOCK)).ok();
        let (lock, running) = match lock {
            Some(file) if file.try_lock().is_ok() => (Some(file), false),
            Some(_) => (None, true),
            None => (None, false),
        };
        let mut stage = Self { folder, _lock: lock, records: 0 };
        if state.join("audit").is_dir() {
            stage.records = stage.log(node)?;
        }
        stage.history(state, running)?;
        Ok(stage)
    }

    /// Copies the log; the copy is verified, since the node may have moved records while it was made.
    fn log(&self, node: &NodeConfig) -> Result<u64, Error> {
        let (from, to) = (node.state.join("audit"), self.folder.join("audit"));
        let read = |source| Error::Read { path: from.clone(), source };
        let secret = Secret::read(&node.state).map_err(|error| Error::Usage(error.to_string()))?;
        let name = audit::origin(node.federation.as_str(), node.body.as_str());
        let key = LogKey::new(&name, &secret.key(Purpose::Log)).verifier();
        let mut why = String::new();
        for _ in 0..ATTEMPTS {
            let _ = fs::remove_dir_all(&to);
            // First what says how much there is: what is written from then on is beyond that.
            copy_in_order(&from, &to, &["checkpoint", "sealed", "journal"]).map_err(read)?;
            match audit::verify(&to, &key, &secret.key(Purpose::Audit), &[]) {
                Ok(found) => return Ok(found.records),
                Err(error) => why = error.to_string(),
            }
        }
        Err(Error::Node(format!("the log can't be backed up: {why}; see meridian audit verify")))
    }

    fn history(&self, state: &Path, running: bool) -> Result<(), Error> {
        let (from, to) = (state.join(copies::HISTORY), self.folder.join(copies::HISTORY));
        if !from.exists() {
            return Ok(());
        }
        let write = |source| Error::Write { path: to.clone(), source };
        if !running {
            return fs::copy(&from, &to).map(drop).map_err(write);
        }
        let (wanted, copy) = (state.join(copies::WANTED), state.join(copies::COPY));
        let _ = fs::remove_file(&copy);
        let asked = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&wanted);
        asked.and_then(|mut file| file.write_all(b"\n")).map_err(write)?;
        let until = Instant::now() + PATIENCE;
        while !copy.exists() {
            if Instant::now() > until {
                let _ = fs::remove_file(&wanted);
                return Err(Error::Node(format!(
                    "the process that has {} gave no copy of its history within {} s: is it a node of this version? Stop it, \
                     and make the backup then",
                    state.display(),
                    PATIENCE.as_secs()
                )));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        fs::rename(&copy, &to).map_err(write)
    }

    /// All files of the backup by name. Without keys, those are left out that hold one.
    pub(super) fn items(&self, config: &Path, node: &NodeConfig, with_keys: bool) -> Result<Vec<Item>, Error> {
        let base = base(config)?;
        let mut items = BTreeSet::new();
        let mut add = |path: &Path, shown: &Path| {
            if with_keys || !holds_key(path) {
                items.insert(Item { name: name(&base, shown), path: path.to_path_buf() });
            }
        };
        let mut secrets = BTreeSet::new();
        let mut files = vec![config.to_path_buf()];
        for folder in folders_of(node) {
            files.extend(within(folder));
        }
        for file in files.clone().iter().filter(|file| file.extension().is_some_and(|it| it == "toml")) {
            let Ok(text) = fs::read_to_string(file) else { continue };
            let Ok(table) = text.parse::<toml::Table>() else { continue };
            let mut named = Vec::new();
            table.iter().for_each(|(key, value)| texts(key, value, &mut named));
            for (key, text) in named {
                let beside = file.parent().map(|folder| folder.join(&text));
                let found = [Some(base.join(&text)), beside].into_iter().flatten().find(|path| path.is_file());
                let Some(found) = found else { continue };
                if PASSWORDS.contains(&key.as_str()) {
                    secrets.insert(absolute(&found));
                }
                files.push(found);
            }
        }
        for file in files {
            let file = absolute(&file);
            if with_keys || !secrets.contains(&file) {
                add(&file, &file);
            }
        }
        let state = absolute(&node.state);
        let staged =
            ["audit", copies::HISTORY, STAGE, copies::WANTED, copies::COPY, SPILL].map(|name| state.join(name));
        for file in within(&state) {
            let left_out = staged.iter().any(|staged| file.starts_with(staged));
            if !left_out && file.extension().is_none_or(|it| it != "new") {
                add(&file, &file);
            }
        }
        for file in within(&self.folder) {
            let shown = state.join(file.strip_prefix(&self.folder).unwrap_or(&file));
            add(&file, &shown);
        }
        Ok(items.into_iter().collect())
    }
}

/// The names of the configuration's folders, which may be empty, in the backup.
pub(super) fn folders(config: &Path, node: &NodeConfig) -> Result<Vec<String>, Error> {
    let base = base(config)?;
    Ok(folders_of(node).into_iter().filter(|folder| folder.is_dir()).map(|path| name(&base, &absolute(path))).collect())
}

fn folders_of(node: &NodeConfig) -> [&PathBuf; 5] {
    [&node.datasets, &node.views, &node.agreements, &node.algorithms, &node.standards]
}

/// The folder of node.toml.
fn base(config: &Path) -> Result<PathBuf, Error> {
    let base = config.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::canonicalize(base).map_err(|source| Error::Read { path: base.into(), source })
}

/// The texts of a file of configuration, each with its key, but for those that name rows.
fn texts(key: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) if !ROWS.contains(&key) && !text.is_empty() && !text.contains('\n') => {
            found.push((key.to_owned(), text.clone()));
        }
        Value::Array(values) => values.iter().for_each(|value| texts(key, value, found)),
        Value::Table(table) => table.iter().for_each(|(key, value)| texts(key, value, found)),
        _ => {}
    }
}

/// Whether a file holds what nobody else may know.
fn holds_key(path: &Path) -> bool {
    let is_small = fs::metadata(path).is_ok_and(|metadata| metadata.len() <= MOST_PEM);
    path.file_name().is_some_and(|name| name == "secret.key")
        || (is_small && fs::read(path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains("PRIVATE KEY")))
}

fn absolute(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

/// The name of a file in the backup.
fn name(base: &Path, path: &Path) -> String {
    let (within, parts) = match path.strip_prefix(base) {
        Ok(within) => (true, within),
        Err(_) => (false, path),
    };
    let parts = parts.components().filter_map(|part| match part {
        Component::Normal(part) => Some(part.to_string_lossy()),
        _ => None,
    });
    let first = if within { None } else { Some(OUTSIDE.into()) };
    first.into_iter().chain(parts).collect::<Vec<_>>().join("/")
}

/// All regular files below a folder.
fn within(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files.extend(within(&entry.path())),
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
    files
}

/// Copies a folder: these files first, then all others as they are then.
fn copy_in_order(from: &Path, to: &Path, first: &[&str]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(to)?;
    for name in first {
        if from.join(name).is_dir() {
            copy_in_order(&from.join(name), &to.join(name), &[])?;
            continue;
        }
        match fs::copy(from.join(name), to.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    for file in within(from) {
        let Ok(relative) = file.strip_prefix(from) else { continue };
        let copy = to.join(relative);
        if copy.exists() || file.extension().is_some_and(|it| it == "new") {
            continue;
        }
        if let Some(folder) = copy.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        match fs::copy(&file, &copy) {
            // A partial tile that was replaced by a fuller one.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_elsewhere_keeps_its_path() {
        let base = Path::new("/etc/meridian");
        for (path, expected) in [
            ("/etc/meridian/node.toml", "node.toml"),
            ("/etc/meridian/datasets/a.toml", "datasets/a.toml"),
            ("/var/lib/meridian/secret.key", "outside/var/lib/meridian/secret.key"),
        ] {
            assert_eq!(name(base, Path::new(path)), expected);
        }
    }

    #[test]
    fn rows_are_not_in_a_backup() {
        let table: toml::Table =
            "ca = \"ca.pem\"\n[source]\npath = \"rows.csv\"\n[[stores]]\nsecret_key_file = \"k\"\n"
                .parse()
                .unwrap_or_default();
        let mut found = Vec::new();
        table.iter().for_each(|(key, value)| texts(key, value, &mut found));
        found.sort();
        assert_eq!(found, [("ca", "ca.pem"), ("secret_key_file", "k")].map(|(key, text)| (key.into(), text.into())));
    }
}
