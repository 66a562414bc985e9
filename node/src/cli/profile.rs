//! Whom to ask and as whom: the connection options, and the profile file that makes the common command short.

mod command;
mod store;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use meridian_certs::Credentials;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Error;
use super::local::paste::absolute;
use crate::config::explained;
pub(crate) use command::ProfileCommand;
pub(crate) use store::Profiles;

/// Connection options; what is given here goes before what the profile says.
#[derive(Debug, Default, Args)]
pub(crate) struct Connection {
    /// The node to ask, such as https://127.0.0.1:50051
    #[arg(long, value_name = "URL")]
    node: Option<String>,
    /// The analyst's certificate chain (PEM)
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// The analyst's private key (PEM, readable by its owner only)
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The certificate of the federation's authority (PEM)
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The certificate of another federation's authority (PEM), to check what its bodies sign; may be given again
    #[arg(long = "other-ca", value_name = "FILE")]
    other_ca: Vec<PathBuf>,
    /// What the answer is for, as an agreement names it
    #[arg(long, value_name = "PURPOSE")]
    purpose: Option<String>,
    /// A profile: its name, or a file (TOML) with node, cert, key, ca, other_ca and purpose
    #[arg(long, value_name = "PROFILE", env = "MERIDIAN_PROFILE")]
    profile: Option<PathBuf>,
}

/// A profile file. Paths in it are relative to its folder.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileFile {
    pub(crate) node: Option<String>,
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) ca: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) other_ca: Vec<PathBuf>,
    pub(crate) purpose: Option<String>,
}

/// A connection that says all that is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    /// `https://host:port`
    pub(crate) node: String,
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) ca: PathBuf,
    /// The anchors of other federations.
    pub(crate) other_ca: Vec<PathBuf>,
    pub(crate) purpose: Option<String>,
}

impl Connection {
    /// The options over the profile file, complete.
    pub(crate) fn resolve(self) -> Result<Profile, Error> {
        let file = self.file()?.as_deref().map(ProfileFile::read).transpose()?.unwrap_or_default();
        let needs = |option: &str| {
            Error::Usage(format!(
                "the connection lacks --{option}: give it, or name a profile with --profile or MERIDIAN_PROFILE, or for good \
                 with `meridian profile use`; whoever runs your body's node makes one with `meridian analyst add`"
            ))
        };
        Ok(Profile {
            node: endpoint(&self.node.or(file.node).ok_or_else(|| needs("node"))?)?,
            cert: self.cert.or(file.cert).ok_or_else(|| needs("cert"))?,
            key: self.key.or(file.key).ok_or_else(|| needs("key"))?,
            ca: self.ca.or(file.ca).ok_or_else(|| needs("ca"))?,
            other_ca: if self.other_ca.is_empty() { file.other_ca } else { self.other_ca },
            purpose: self.purpose.or(file.purpose),
        })
    }

    /// The profile that the options name, so that it holds wherever it is said again.
    pub(crate) fn named(&self) -> Option<PathBuf> {
        let named = self.profile.as_ref()?;
        Some(if store::is_name(named) { named.clone() } else { absolute(named) })
    }

    /// The profile that is named, or the default, unless the options say all that is needed.
    fn file(&self) -> Result<Option<PathBuf>, Error> {
        match &self.profile {
            Some(named) => Profiles::find(named).map(Some),
            None if self.node.is_some() && [&self.cert, &self.key, &self.ca].iter().all(|file| file.is_some()) => {
                Ok(None)
            }
            None => Profiles::of_user().map_or(Ok(None), |profiles| profiles.default()),
        }
    }
}

impl Profile {
    /// The certificates that it names, if they can be used.
    pub(crate) fn credentials(&self) -> Result<Arc<Credentials>, Error> {
        let others: Vec<_> = self.other_ca.iter().map(|path| (None, path.as_path())).collect();
        Ok(Credentials::load_trusting(&self.ca, &self.cert, &self.key, &others)?)
    }
}

/// Reads a file in TOML; `kind` says in errors what it is a file of.
pub(super) fn read_toml<T: DeserializeOwned>(kind: &'static str, path: &Path) -> Result<T, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    toml::from_str(&text).map_err(|error| {
        let (what, fix) = explained(error.message());
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        Error::Toml { kind, path: path.to_owned(), line: 1 + before.matches('\n').count(), what, fix }
    })
}

impl ProfileFile {
    fn read(path: &Path) -> Result<Self, Error> {
        let file: Self = read_toml("profile", path)?;
        // Of the file itself where the name is a link to it.
        let file_path = fs::canonicalize(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let folder = file_path.parent().unwrap_or(Path::new(""));
        let within = |path: Option<PathBuf>| path.map(|path| folder.join(path));
        let other_ca = file.other_ca.iter().map(|path| folder.join(path)).collect();
        Ok(Self { cert: within(file.cert), key: within(file.key), ca: within(file.ca), other_ca, ..file })
    }
}

/// A node's address as a URL: `host:port` and the spelling of ADBC drivers are taken too.
fn endpoint(text: &str) -> Result<String, Error> {
    let address = match text.split_once("://") {
        None => text,
        Some(("https" | "grpc+tls", address)) => address,
        Some((scheme, _)) => {
            return Err(Error::Usage(format!(
                "the node {text} is addressed by {scheme}: nodes speak mutual TLS only, write https://host:port"
            )));
        }
    };
    let address = address.trim_end_matches('/');
    match address.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(format!("https://{address}")),
        _ => Err(Error::Usage(format!("the node {text} has no port: write https://host:port"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    fn profile(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("asha.toml");
        fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn options_go_before_the_file_and_its_paths_are_relative_to_it() {
        let (dir, path) = profile(
            "node = 'localhost:50051'\ncert = 'asha.pem'\nkey = '/keys/asha.key'\nca = '../ca.pem'\nother_ca = ['berlin.pem']\npurpose = 'a'\n",
        );
        let options = Connection { profile: Some(path), purpose: Some("b".into()), ..Connection::default() };
        let expected = Profile {
            node: "https://localhost:50051".into(),
            cert: dir.path().join("asha.pem"),
            key: "/keys/asha.key".into(),
            ca: dir.path().join("../ca.pem"),
            other_ca: vec![dir.path().join("berlin.pem")],
            purpose: Some("b".into()),
        };
        assert_eq!(options.resolve().unwrap(), expected);
    }

    #[test]
    fn what_is_missing_or_unknown_is_named() {
        let (_dir, path) = profile("node = 'localhost:50051'\n");
        let options = Connection { profile: Some(path), ..Connection::default() };
        assert!(options.resolve().unwrap_err().to_string().contains("--cert"));
        let (_dir, path) = profile("nod = 'localhost:50051'\n");
        let options = Connection { profile: Some(path), ..Connection::default() };
        let error = options.resolve().unwrap_err().to_string();
        assert!(error.contains("asha.toml:1: ") && error.contains("did you mean `node`"), "{error}");
    }

    #[test]
    fn addresses_are_of_one_kind() {
        assert_eq!(endpoint("grpc+tls://[::1]:5/").unwrap(), "https://[::1]:5");
        for wrong in ["http://a:1", "https://a", "a:b", ":1", "grpc://a:1"] {
            assert!(endpoint(wrong).is_err(), "{wrong}");
        }
    }
}
