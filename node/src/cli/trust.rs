//! `meridian node trust`: another federation's anchor, known by its fingerprint, into this node's configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use meridian_certs::{AuthorityConnector, Credentials};
use meridian_proto::{Membership, Name, Signed};

use super::{Error, say};
use crate::app;
use crate::audit::durable_file;
use crate::authority::client;
use crate::config::{Config, NodeConfig};

/// Options of `meridian node trust`.
#[derive(Debug, Args)]
pub(crate) struct Trust {
    /// The other federation
    federation: Name,
    /// Where its authority is served
    #[arg(long, value_name = "URL")]
    authority: String,
    /// The fingerprint of its authority's root, as its operator says it by another way than this one
    #[arg(long, value_name = "SHA256")]
    fingerprint: String,
    /// The node's configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Trust {
    /// Fetches and checks all before anything is written. Where the federation is trusted already, its anchor and membership are
    /// fetched anew.
    pub(crate) async fn run(self) -> Result<(), Error> {
        let config = Config::load(&self.config).map_err(|errors| Error::Config(errors.to_string()))?;
        let node = config.node;
        let name = &self.federation;
        let known = node.federations.iter().find(|known| known.name == *name);
        let connector = AuthorityConnector::by_fingerprint(&self.fingerprint)?;
        let anchor = connector.root(&self.authority).await?;
        let asked = client::membership(&connector, &self.authority).await;
        let membership = asked.map_err(|error| Error::Node(error.to_string()))?;
        let ca = known.map_or_else(|| beside(&self.config, &format!("{name}-ca.pem")), |known| known.ca.clone());
        let lines = match known {
            Some(_) => None,
            None => Some(self.lines(&ca)?),
        };
        let (membership, bodies, anchors) = self.checked(&node, &anchor, membership)?;
        let written = |path: &Path, bytes: &[u8]| {
            durable_file(path, bytes).map_err(|source| Error::Write { path: path.into(), source })
        };
        fs::create_dir_all(&node.state).map_err(|source| Error::Write { path: node.state.clone(), source })?;
        written(&ca, anchors.as_bytes())?;
        written(&node.state.join(app::membership_file(name)), &membership.encode())?;
        if let Some(lines) = lines {
            let file = self.config.file_name().unwrap_or_default().to_string_lossy();
            written(&beside(&self.config, &file), lines.as_bytes())?;
        }
        say(format_args!(
            "{} trusts the nodes of {name}, {bodies} bodies now, from its next start on. They get what is open, and what an \
             agreement names them for: recipients = [\"{name}.BODY\"]",
            node.body
        ));
        Ok(())
    }

    /// Checks that the anchor is that federation's and nobody else's here, and the membership signed by it. Returns this one, or
    /// the one that is there where that is later, how many bodies it has, and the anchor with those for which it vouches.
    fn checked(&self, node: &NodeConfig, anchor: &str, membership: Signed) -> Result<(Signed, usize, String), Error> {
        let folder = tempfolder(&node.state)?;
        let path = folder.join("anchor.pem");
        let outcome = self.checked_in(node, &path, anchor, membership).and_then(|(membership, bodies)| {
            let anchors = fs::read_to_string(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
            Ok((membership, bodies, anchors))
        });
        let _ = fs::remove_dir_all(&folder);
        outcome
    }

    fn checked_in(
        &self,
        node: &NodeConfig,
        path: &Path,
        anchor: &str,
        membership: Signed,
    ) -> Result<(Signed, usize), Error> {
        fs::write(path, anchor).map_err(|source| Error::Write { path: path.into(), source })?;
        let name = &self.federation;
        let others = node.federations.iter().filter(|known| known.name != *name);
        let others = others.map(|known| (Some(known.name.clone()), known.ca.as_path()));
        let others: Vec<_> = others.chain([(Some(name.clone()), path)]).collect();
        let credentials = Credentials::load_trusting(&node.tls.ca, &node.tls.cert, &node.tls.key, &others)?;
        let federation = credentials.abroad(name).ok_or_else(|| Error::Node(format!("{name} is not trusted")))?;
        federation.verify_authority(&membership, SystemTime::now())?;
        let listed = Membership::decode(&membership.payload)
            .map_err(|error| Error::Node(format!("the membership of {name}: {error}")))?;
        if listed.federation != *name {
            return Err(Error::Node(format!("the authority says who is in {}, and not in {name}", listed.federation)));
        }
        federation.succession(&membership, &listed, SystemTime::now())?.bring_in()?;
        let there = fs::read(node.state.join(app::membership_file(name))).ok();
        let there = there.and_then(|bytes| Signed::decode(&bytes).ok()).filter(|signed| {
            let then = |known: &Membership| UNIX_EPOCH + Duration::from_millis(known.signed_at);
            let known = Membership::decode(&signed.payload).ok();
            known.is_some_and(|known| {
                known.federation == *name
                    && known.is_after(&listed)
                    && federation.verify_authority(signed, then(&known)).is_ok()
            })
        });
        Ok((there.unwrap_or(membership), listed.members.len()))
    }

    /// The configuration with the federation behind what stands there, if that is still read as it was.
    fn lines(&self, ca: &Path) -> Result<String, Error> {
        let text =
            fs::read_to_string(&self.config).map_err(|source| Error::Read { path: self.config.clone(), source })?;
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let file = ca.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let added = format!(
            "[[federations]]\nname = \"{}\"\nca = {}\nauthorities = [{}]\n",
            self.federation,
            quoted(&file),
            quoted(&self.authority)
        );
        let new = format!("{}\n\n# Another federation, whose nodes this one trusts\n{added}", text.trim_end());
        match (toml::from_str::<toml::Table>(&text), toml::from_str::<toml::Table>(&new)) {
            (Ok(before), Ok(mut after)) => {
                let count =
                    |table: &toml::Table| table.get("federations").and_then(|it| it.as_array()).map_or(0, Vec::len);
                let is_one_more = count(&after) == count(&before) + 1;
                if let Some(federations) = after.get_mut("federations").and_then(|it| it.as_array_mut()) {
                    federations.pop();
                }
                if count(&after) == 0 && !before.contains_key("federations") {
                    after.remove("federations");
                }
                if is_one_more && after == before { Ok(new) } else { Err(self.paste(&added)) }
            }
            _ => Err(self.paste(&added)),
        }
    }

    fn paste(&self, added: &str) -> Error {
        Error::Usage(format!(
            "{} is written in a way that nothing can be added behind it: put this into it, and do this again:\n{added}",
            self.config.display()
        ))
    }
}

/// A file in the folder of the configuration.
fn beside(config: &Path, name: &str) -> PathBuf {
    match config.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.join(name),
        _ => Path::new(".").join(name),
    }
}

/// A new folder that nobody else uses.
fn tempfolder(state: &Path) -> Result<PathBuf, Error> {
    let folder = state.join(format!("trust-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|source| Error::Write { path: folder.clone(), source })?;
    Ok(folder)
}
