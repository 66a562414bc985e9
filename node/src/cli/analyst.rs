//! `meridian analyst …`: who may ask a body's own node.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use chrono::DateTime;
use clap::{Args, Subcommand};
use meridian_certs::{Analysts, KeyAndRequest, Request, Validity};
use meridian_proto::Name;

use super::authority::write_new;
use super::profile::ProfileFile;
use super::{Error, say};
use crate::app;
use crate::config::{Config, NodeConfig};

/// How many days a certificate holds where nobody says.
const DAYS: u64 = 90;

/// `meridian analyst …`
#[derive(Debug, Subcommand)]
pub(crate) enum Analyst {
    /// Give an analyst of this body a certificate; a node that runs takes it at once
    Add(Add),
    /// End an analyst's certificates; connections that are open are cut off
    Remove(Remove),
    /// Put an analyst into groups for which agreements hold, and take them out of all others
    Group(Grouped),
    /// List the certificates
    List(Whose),
}

/// Whose analysts they are.
#[derive(Debug, Args)]
pub(crate) struct Whose {
    /// The node's configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Options of `meridian analyst add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The analyst: a lower-case name
    name: Name,
    #[command(flatten)]
    whose: Whose,
    /// A new folder with key, certificate and profile, to be used on this machine
    #[arg(long, required_unless_present = "request")]
    dir: Option<PathBuf>,
    /// A request (PEM) that the analyst made with `meridian node request`, so that the key stays with them
    #[arg(long, value_name = "FILE", conflicts_with = "dir", requires = "out")]
    request: Option<PathBuf>,
    /// The file for the certificate
    #[arg(long, value_name = "FILE", conflicts_with = "dir")]
    out: Option<PathBuf>,
    /// What their questions are for where they say nothing else, as an agreement names it
    #[arg(long, conflicts_with = "request")]
    purpose: Option<String>,
    /// A group that they are in, for which an agreement holds; may be given again [default: the groups they are in]
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<Name>,
    /// How many days the certificate holds
    #[arg(long, default_value_t = DAYS, value_parser = clap::value_parser!(u64).range(1..=700))]
    days: u64,
}

/// Options of `meridian analyst group`.
#[derive(Debug, Args)]
pub(crate) struct Grouped {
    /// The analyst
    name: Name,
    /// All groups that they are in from now on: lower-case names, as agreements name them
    groups: Vec<Name>,
    #[command(flatten)]
    whose: Whose,
}

/// Options of `meridian analyst remove`.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The analyst
    name: Name,
    #[command(flatten)]
    whose: Whose,
}

impl Whose {
    fn node(self) -> Result<NodeConfig, Error> {
        Ok(Config::load(&self.config).map_err(|errors| Error::Config(errors.to_string()))?.node)
    }
}

impl Analyst {
    /// Does it.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        match self {
            Self::Add(add) => add.run(),
            Self::Remove(Remove { name, whose }) => {
                app::analysts(&whose.node()?).remove(&name)?;
                say(format_args!("{name} may ask no more"));
                Ok(())
            }
            Self::Group(Grouped { name, groups, whose }) => {
                app::analysts(&whose.node()?).group(&name, &groups)?;
                match groups.as_slice() {
                    [] => say(format_args!("{name} is in no group")),
                    groups => say(format_args!("{name} is in {}", joined(groups))),
                }
                Ok(())
            }
            Self::List(whose) => list(&app::analysts(&whose.node()?), out),
        }
    }
}

impl Add {
    /// An analyst who asks for this purpose, with a new folder for key, certificate and profile.
    pub(super) fn new(name: Name, config: PathBuf, dir: PathBuf, purpose: &str) -> Self {
        let (dir, purpose) = (Some(dir), Some(purpose.to_owned()));
        Self { name, whose: Whose { config }, dir, request: None, out: None, purpose, groups: Vec::new(), days: DAYS }
    }

    fn run(self) -> Result<(), Error> {
        let (name, days, dir) = (self.name.clone(), self.days, self.dir.clone());
        let file = self.sign()?;
        say(format_args!("{name} may ask for {days} days, with {}", file.display()));
        if let Some(dir) = dir {
            let [key, certificate, both] =
                ["analyst.key", "analyst.pem", "analyst.p12"].map(|file| dir.join(file).display().to_string());
            say(format_args!(
                "for a browser: openssl pkcs12 -export -name {name} -inkey {key} -in {certificate} -out {both}"
            ));
        }
        Ok(())
    }

    /// Signs the certificate, and returns the file that was made of it: the profile, or the certificate alone.
    pub(super) fn sign(self) -> Result<PathBuf, Error> {
        let Self { name, whose, dir, request, out, purpose, groups, days } = self;
        let node = whose.node()?;
        let analysts = app::analysts(&node);
        let sign = |pem: &str| {
            let validity = Validity::from_now(Duration::from_secs(days * 24 * 3600));
            let signed = analysts.add(&name, &Request::from_pem(pem)?, validity, SystemTime::now())?;
            if !groups.is_empty() {
                analysts.group(&name, &groups)?;
            }
            Ok::<_, Error>(signed)
        };
        if let (Some(request), Some(out)) = (request, out) {
            let pem = fs::read_to_string(&request).map_err(|source| Error::Read { path: request, source })?;
            write_new(&out, &sign(&pem)?)?;
            return Ok(out);
        }
        let dir = dir.ok_or_else(|| Error::Usage("give --dir, or --request and --out".into()))?;
        fs::create_dir_all(&dir).map_err(|source| Error::Write { path: dir.clone(), source })?;
        let at = |name: &str| dir.join(name);
        let made = KeyAndRequest::create(&at("analyst.key"))?;
        write_new(&at("analyst.pem"), &sign(made.pem())?)?;
        let ca =
            fs::read_to_string(&node.tls.ca).map_err(|source| Error::Read { path: node.tls.ca.clone(), source })?;
        write_new(&at("ca.pem"), &ca)?;
        let mut other_ca = Vec::with_capacity(node.federations.len());
        for other in &node.federations {
            let anchors =
                fs::read_to_string(&other.ca).map_err(|source| Error::Read { path: other.ca.clone(), source })?;
            let name = PathBuf::from(format!("{}-ca.pem", other.name));
            write_new(&dir.join(&name), &anchors)?;
            other_ca.push(name);
        }
        let file = |name: &str| Some(PathBuf::from(name));
        let profile = ProfileFile {
            node: Some(reached(&node)),
            cert: file("analyst.pem"),
            key: file("analyst.key"),
            ca: file("ca.pem"),
            other_ca,
            purpose,
        };
        let text = toml::to_string(&profile).map_err(|error| Error::Usage(format!("writing the profile: {error}")))?;
        write_new(&at("profile.toml"), &text)?;
        Ok(at("profile.toml"))
    }
}

/// Where a program on the node's own machine reaches it.
fn reached(node: &NodeConfig) -> String {
    let mut address = node.listen;
    if address.ip().is_unspecified() {
        address.set_ip([127, 0, 0, 1].into());
    }
    format!("https://{address}")
}

fn joined(groups: &[Name]) -> String {
    groups.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}

fn list(analysts: &Analysts, out: &mut dyn Write) -> Result<(), Error> {
    for analyst in analysts.list()? {
        let until = i64::try_from(analyst.not_after).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let until = until.map_or_else(String::new, |until| until.format("%Y-%m-%d").to_string());
        let state = if analyst.removed { "removed" } else { "analyst" };
        let groups = if analyst.groups.is_empty() { "-".to_owned() } else { joined(&analyst.groups) };
        writeln!(out, "{:<24} {state:<8} until {until} {} {groups}", analyst.name, analyst.serial)?;
    }
    Ok(())
}
