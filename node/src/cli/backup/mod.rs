//! `meridian node backup` and `meridian node restore`: what a node has that can't be made again, in one file, and back.
//!
//! A backup can't roll a log back: what was released after it is in checkpoints that other bodies hold, and they refuse an
//! older log, so that its node answers nothing.

mod gather;
mod tar;
mod vessel;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use chrono::Utc;
use clap::Args;
use serde::{Deserialize, Serialize};

use super::{Error, say};
use crate::audit::{self, LogKey};
use crate::config::Config;
use crate::secrets::{self, Purpose, Secret};
use gather::{OUTSIDE, Stage};
use vessel::Vessel;

/// The entry that says what a backup is of: the first one.
const ABOUT: &str = "backup.json";

/// Options of `meridian node backup`.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The node's configuration (TOML); the node may run
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The file to write; it must not be there yet
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Seal it under the passphrase in this file, which only its owner may read
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Leave out the node's secret, private keys and passwords: they are kept elsewhere
    #[arg(long)]
    without_keys: bool,
}

/// Options of `meridian node restore`.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The backup
    file: PathBuf,
    /// The folder to put it into; it must not be there yet, or be empty
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The passphrase that it is sealed under
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// What a backup is of.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    federation: String,
    body: String,
    /// The version of the program that made it.
    program: String,
    /// When it was made, RFC 3339.
    taken: String,
    /// Records of the log.
    records: u64,
    /// Whether secret and private keys are in it.
    keys: bool,
    /// The name of node.toml in it.
    config: String,
    /// Whether there is something below `outside`.
    outside: bool,
}

fn passphrase(file: Option<&PathBuf>) -> Result<Option<String>, Error> {
    let read = |path: &PathBuf| {
        let text = secrets::private_text(path, "the passphrase");
        text.map_err(|why| Error::Usage(format!("{} {why}", path.display())))
    };
    file.map(read).transpose()
}

impl Backup {
    /// Writes it, whole or not at all.
    pub(crate) fn run(self) -> Result<(), Error> {
        let config = Config::load(&self.config).map_err(|errors| Error::Config(errors.to_string()))?;
        let passphrase = passphrase(self.passphrase_file.as_ref())?;
        if self.to.exists() {
            let there = self.to.display();
            return Err(Error::Usage(format!("{there} is there already, and is not overwritten: name another file")));
        }
        let made = self.to.with_extension("unfinished");
        let written = |source| Error::Write { path: made.clone(), source };
        let _ = fs::remove_file(&made);
        let done = self.write(&config, &made, passphrase.as_deref());
        let about = done.inspect_err(|_| drop(fs::remove_file(&made)))?;
        fs::rename(&made, &self.to).map_err(written)?;
        self.told(&about, passphrase.is_some());
        Ok(())
    }

    fn write(&self, config: &Config, path: &Path, passphrase: Option<&str>) -> Result<About, Error> {
        let node = &config.node;
        let failed = |source| Error::Write { path: path.into(), source };
        let stage = Stage::of(node)?;
        let items = stage.items(&self.config, node, !self.without_keys)?;
        let file = self.config.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let about = About {
            federation: node.federation.to_string(),
            body: node.body.to_string(),
            program: env!("CARGO_PKG_VERSION").into(),
            taken: Utc::now().to_rfc3339(),
            records: stage.records,
            keys: !self.without_keys,
            config: file,
            outside: items.iter().any(|item| item.name.starts_with(OUTSIDE)),
        };
        let said = serde_json::to_vec_pretty(&about).map_err(|error| failed(error.into()))?;
        let mut vessel = Vessel::create(path, passphrase).map_err(failed)?;
        tar::append(&mut vessel, ABOUT, 0o600, said.len() as u64, &mut said.as_slice()).map_err(failed)?;
        for folder in gather::folders(&self.config, node)? {
            tar::append_folder(&mut vessel, &folder, 0o755).map_err(failed)?;
        }
        for item in &items {
            let mut file = match File::open(&item.path) {
                // What the node has put another file in place of since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened.map_err(|source| Error::Read { path: item.path.clone(), source })?,
            };
            let metadata = file.metadata().map_err(failed)?;
            let mode = metadata.permissions().mode() & 0o777;
            tar::append(&mut vessel, &item.name, mode, metadata.len(), &mut file).map_err(failed)?;
        }
        tar::finish(&mut vessel).and_then(|()| vessel.finish()).map_err(failed)?;
        Ok(about)
    }

    fn told(&self, about: &About, is_sealed: bool) {
        let to = self.to.display();
        say(format_args!(
            "{to}: the node of {}, with {} records of its log, and no rows of its sources",
            about.body, about.records
        ));
        match (about.keys, is_sealed) {
            (true, true) => {
                say("it holds the node's secret and keys, and is sealed under the passphrase: keep that elsewhere")
            }
            (true, false) => say(format_args!(
                "it holds the node's secret and private keys in the clear: only its owner can read {to} now; whoever else \
                 gets it is this node. --passphrase-file seals it"
            )),
            (false, _) => say(
                "it holds neither secret nor private keys: without a copy of state/secret.key, log, history, snapshots and \
                 the list of rights can't be used",
            ),
        }
    }
}

impl Restore {
    /// Puts it back, and says how to go on.
    pub(crate) fn run(self) -> Result<(), Error> {
        let passphrase = passphrase(self.passphrase_file.as_ref())?;
        let is_empty = match fs::read_dir(&self.dir) {
            Ok(mut entries) => entries.next().is_none(),
            Err(_) => !self.dir.exists(),
        };
        if !is_empty {
            let there = self.dir.display();
            return Err(Error::Usage(format!("{there} is not empty, and nothing is overwritten: name another folder")));
        }
        let about = self.unpack(passphrase.as_deref())?;
        let records = self.verified(&about)?;
        self.told(&about, records);
        Ok(())
    }

    fn unpack(&self, passphrase: Option<&str>) -> Result<About, Error> {
        let unreadable = |source: io::Error| {
            Error::Usage(format!(
                "{} is no backup that can be read: {source}; is it whole, and the passphrase the right one?",
                self.file.display()
            ))
        };
        let mut file = vessel::open(&self.file, passphrase).map_err(unreadable)?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
            .map_err(|source| Error::Write { path: self.dir.clone(), source })?;
        let mut about: Option<About> = None;
        let unpacked = tar::each(&mut file, |entry, content| {
            if about.is_none() {
                let mut text = Vec::new();
                content.read_to_end(&mut text)?;
                about = Some(serde_json::from_slice(&text)?);
                return Ok(());
            }
            let path = self.dir.join(&entry.name);
            let folder = if entry.length.is_some() { path.parent() } else { Some(path.as_path()) };
            if let Some(folder) = folder {
                DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
            if entry.length.is_some() {
                let mode = entry.mode & 0o755;
                let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
                io::copy(content, &mut file)?;
                file.flush()?;
                file.sync_all()?;
            }
            Ok(())
        });
        let done = unpacked.and_then(|()| about.ok_or_else(|| io::ErrorKind::UnexpectedEof.into()));
        // The folder was empty, and half a node is none.
        done.inspect_err(|_| drop(fs::remove_dir_all(&self.dir))).map_err(unreadable)
    }

    /// The records of the log, where its key is there; otherwise those that the backup tells of.
    fn verified(&self, about: &About) -> Result<u64, Error> {
        let (config, outside) = (self.dir.join(&about.config), self.dir.join(OUTSIDE));
        let text = fs::read_to_string(&config).map_err(|source| Error::Read { path: config, source })?;
        let table: toml::Table = text.parse().unwrap_or_default();
        let state = table.get("state").and_then(toml::Value::as_str).unwrap_or("state");
        let state = match Path::new(state).strip_prefix("/") {
            Ok(elsewhere) => outside.join(elsewhere),
            Err(_) => self.dir.join(state),
        };
        let (Ok(secret), true) = (Secret::read(&state), state.join("audit").is_dir()) else { return Ok(about.records) };
        let name = audit::origin(&about.federation, &about.body);
        let key = LogKey::new(&name, &secret.key(Purpose::Log)).verifier();
        let found = audit::verify(&state.join("audit"), &key, &secret.key(Purpose::Audit), &[]);
        found.map(|found| found.records).map_err(|error| Error::Node(format!("{error}; take another backup")))
    }

    fn told(&self, about: &About, records: u64) {
        let dir = self.dir.display();
        say(format_args!("{dir}: the node of {} as of {}, with {records} records of its log", about.body, about.taken));
        if !about.keys {
            say(format_args!(
                "the backup holds no keys: put state/secret.key and the files of [tls] back, each for its owner alone (chmod 600)"
            ));
        }
        if about.outside {
            say(format_args!("files that node.toml names elsewhere are in {dir}/{OUTSIDE}: cp -a {dir}/{OUTSIDE}/. /"));
        }
        say(format_args!(
            "next: end any other node of {body}, put its sources' files back, and\n  \
             meridian node check --thorough --config {dir}/{config}\n  \
             meridian node serve --config {dir}/{config}\n\
             If the node released anything after {taken}, other bodies hold newer checkpoints of its log, and it answers nothing \
             with this one. Then:\n  \
             - take the folders state/audit and the files state/history.redb and state/rights.sealed from the disk of the lost \
             node, all together, in place of these\n  \
             - if they are gone for good, a new log begins under a new secret: list the rights by `meridian rights list`, move \
             the state's audit, witness, snapshots, history.redb, rights.sealed and secret.key away, tell the other bodies why \
             (their operators set state/witness/{body} aside), and exercise the rights anew",
            body = about.body,
            config = about.config,
            taken = about.taken,
        ));
    }
}
