//! `meridian node join` and `meridian node renew`: a body's way into the federation, and on.

use std::fs::{self, DirBuilder};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use meridian_certs::{AuthorityConnector, Credentials, Identity, Joined, KeyAndRequest};
use meridian_proto::{Membership, Signed, is_mail};

use super::authority::write_new;
use super::{Error, say};
use crate::app::{self, renewal};
use crate::authority::client;
use crate::config::Config;

/// Options of `meridian node join`.
#[derive(Debug, Args)]
pub(crate) struct Join {
    /// Where the authority is served, as the invitation says
    #[arg(long, value_name = "URL")]
    pub(super) authority: String,
    /// The fingerprint of the authority's root, as the invitation says
    #[arg(long, value_name = "SHA256")]
    pub(super) fingerprint: String,
    /// The invitation's token
    #[arg(long)]
    pub(super) token: String,
    /// The folder of the node, which is made
    #[arg(long)]
    pub(super) dir: PathBuf,
    /// Where the node listens; by default on all addresses, at the port of its endpoint
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Option<SocketAddr>,
    /// Where its health is served: a loopback address
    #[arg(long, value_name = "ADDRESS")]
    pub(super) health: Option<SocketAddr>,
    /// The body's name for people
    #[arg(long)]
    pub(super) title: Option<String>,
    /// Whom the public may ask about the body's data: an address of mail
    #[arg(long, value_name = "MAIL", value_parser = mail)]
    pub(super) contact: Option<String>,
}

fn mail(text: &str) -> Result<String, String> {
    if is_mail(text) { Ok(text.to_owned()) } else { Err("an address of mail is like data@lfb.example".into()) }
}

/// Options of `meridian node renew`.
#[derive(Debug, Args)]
pub(crate) struct Renew {
    /// The node's configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Join {
    /// Joins, and says what is next.
    pub(crate) async fn run(self) -> Result<(), Error> {
        let identity = self.join().await?;
        let at = |name: &str| self.dir.join(name).display().to_string();
        say(format_args!(
            "{} is a member of {}, and publishes nothing yet: datasets go into {}\n\
             next: meridian node serve --config {}",
            identity.body(),
            identity.federation(),
            at("datasets"),
            at("node.toml")
        ));
        Ok(())
    }

    /// Joins: what was written before stays, so that the same may be done again after a crash. Returns who the node is.
    pub(super) async fn join(&self) -> Result<Identity, Error> {
        let at = |name: &str| self.dir.join(name);
        if at("node.toml").exists() {
            let there = at("node.toml");
            return Err(Error::Usage(format!(
                "{} is there already: this body has joined; give another --dir, or move the folder away",
                there.display()
            )));
        }
        let connector = AuthorityConnector::by_fingerprint(&self.fingerprint)?;
        // What a node remembers is for its user alone.
        let made = DirBuilder::new().recursive(true).mode(0o700).create(at("state"));
        made.map_err(|source| Error::Write { path: at("state"), source })?;
        let key = at("joining.key");
        let made = if key.exists() { KeyAndRequest::open(&key)? } else { KeyAndRequest::create(&key)? };
        let joined = client::join(&connector, &self.authority, &self.token, made.pem()).await;
        let joined = joined.map_err(|error| Error::Node(error.to_string()))?;
        let root = connector.known_of(&joined.anchors)?;
        self.write(&joined, &root, &key)
    }

    fn write(&self, joined: &Joined, root: &str, key: &Path) -> Result<Identity, Error> {
        let at = |name: &str| self.dir.join(name);
        let Joined { chain, membership, .. } = joined;
        replace(&at("ca.pem"), root.as_bytes())?;
        let identity = at("identity.pem");
        let key_text = fs::read_to_string(key).map_err(|source| Error::Read { path: key.into(), source })?;
        if identity.exists() {
            fs::remove_file(&identity).map_err(|source| Error::Write { path: identity.clone(), source })?;
        }
        Credentials::begin(&identity, chain, &key_text)?;
        let credentials = Credentials::load(&at("ca.pem"), &identity, &identity)?;
        let Identity::Node { federation, body } = credentials.identity().clone() else {
            return Err(Error::Node(format!("the authority certified {}, which is no node", credentials.identity())));
        };
        let listed = listed(membership, &credentials)?;
        credentials.home().succession(membership, &listed, SystemTime::now())?.bring_in()?;
        let endpoint = listed.member(&body).map(|member| member.endpoint.clone()).unwrap_or_default();
        replace(&at("state").join(app::MEMBERSHIP_FILE), &membership.encode())?;
        for folder in ["datasets", "views", "agreements"] {
            fs::create_dir_all(at(folder)).map_err(|source| Error::Write { path: at(folder), source })?;
        }
        let listen = match self.listen {
            Some(listen) => listen,
            None => default_listen(&endpoint)?,
        };
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let health = self.health.map(|health| format!("health = \"{health}\"\n")).unwrap_or_default();
        let title = quoted(self.title.as_deref().unwrap_or(body.as_str()));
        let contact = self.contact.as_ref();
        let contact = contact.map(|mail| format!("contact = {{ name = {title}, email = {} }}\n", quoted(mail)));
        // Last: whoever finds it has joined.
        write_new(
            &at("node.toml"),
            &format!(
                "federation = \"{federation}\"\nbody = \"{body}\"\ntitle = {title}\n\
                 # Where analysts and other nodes reach it; the federation knows it as {endpoint}\n\
                 listen = \"{listen}\"\n{health}state = \"state\"\n{contact}\
                 # Says who is in the federation, and renews this node's certificate each day\n\
                 authorities = [{authority}]\n\n[tls]\nca = \"ca.pem\"\n# Certificate and key, replaced together\n\
                 cert = \"identity.pem\"\nkey = \"identity.pem\"\n",
                contact = contact.unwrap_or_default(),
                authority = quoted(&self.authority),
            ),
        )?;
        let _ = fs::remove_file(key);
        Ok(credentials.identity().clone())
    }
}

/// What the membership says, once its signature is checked.
fn listed(signed: &Signed, credentials: &Credentials) -> Result<Membership, Error> {
    credentials.verify_authority(signed, SystemTime::now())?;
    Membership::decode(&signed.payload).map_err(|error| Error::Node(format!("the authority's membership: {error}")))
}

fn default_listen(endpoint: &str) -> Result<SocketAddr, Error> {
    let port = endpoint.parse::<http::Uri>().ok().and_then(|uri| uri.port_u16());
    let port = port.ok_or_else(|| Error::Usage(format!("the endpoint {endpoint:?} has no port: give --listen")))?;
    Ok(SocketAddr::from(([0, 0, 0, 0], port)))
}

/// Writes a file, over what an attempt before left.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    fs::write(path, content).map_err(|source| Error::Write { path: path.into(), source })
}

impl Renew {
    /// Renews; a node that runs takes the new certificate within seconds.
    pub(crate) async fn run(self) -> Result<(), Error> {
        let config = Config::load(&self.config).map_err(|errors| Error::Config(errors.to_string()))?;
        let tls = &config.node.tls;
        let credentials = Credentials::load(&tls.ca, &tls.cert, &tls.key)?;
        renewal::renew(&config.node, &credentials).await.map_err(|error| Error::Node(error.to_string()))?;
        say(format_args!("the certificate of {} is renewed", credentials.identity()));
        Ok(())
    }
}
