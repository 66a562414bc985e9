//! `meridian authority …` and `meridian node request`: certificates, made by people, key by key.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use meridian_certs::{Identity, KeyAndRequest, Request, Validity};
use meridian_proto::Name;

use super::{Error, say};

/// `meridian authority …`
#[derive(Debug, Subcommand)]
pub(crate) enum Authority {
    /// Make the authority of a new federation: ca.pem for every member, ca.key for nobody else
    Init(Init),
    /// Sign a certificate for a request
    Sign(Sign),
}

/// Options of `meridian authority init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The federation's name, SQL's catalogue: london
    #[arg(long)]
    federation: Name,
    /// The folder for ca.pem and ca.key
    #[arg(long)]
    dir: PathBuf,
}

/// Options of `meridian authority sign`.
#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The authority's folder
    #[arg(long)]
    dir: PathBuf,
    /// The request (PEM), as `meridian node request` makes it
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// Who holds the key: spiffe://london/body/lfb/node or spiffe://london/body/loda/analyst/asha
    #[arg(long, value_name = "SPIFFE-ID")]
    identity: Identity,
    /// A DNS name or address at which the node is reached; may be given again. None for an analyst
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// How many days the certificate holds
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=3650))]
    days: u64,
    /// The file for the certificate
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Options of `meridian node request`.
#[derive(Debug, Args)]
pub(crate) struct MakeRequest {
    /// The file for the new private key; only its owner can read it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The file for the request, to be sent to the authority
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Authority {
    /// Does it.
    pub(crate) fn run(self) -> Result<(), Error> {
        match self {
            Self::Init(init) => init.run(),
            Self::Sign(sign) => sign.run(),
        }
    }
}

impl Init {
    fn run(self) -> Result<(), Error> {
        meridian_certs::Authority::create(&self.federation, &self.dir)?;
        let Self { federation, dir } = self;
        say(format_args!(
            "{federation} has an authority: give {}/ca.pem to every member, ca.key to nobody",
            dir.display()
        ));
        Ok(())
    }
}

impl Sign {
    fn run(self) -> Result<(), Error> {
        let authority = meridian_certs::Authority::open(&self.dir)?;
        let pem = fs::read_to_string(&self.request).map_err(|source| Error::Read { path: self.request, source })?;
        let life = Duration::from_secs(self.days * 24 * 3600);
        let request = Request::from_pem(&pem)?;
        let signed = authority.sign(&request, &self.identity, &self.hosts, Validity::from_now(life))?;
        write_new(&self.out, &signed)?;
        say(format_args!("{} for {} days: {}", self.identity, self.days, self.out.display()));
        Ok(())
    }
}

impl MakeRequest {
    /// Makes key and request.
    pub(crate) fn run(self) -> Result<(), Error> {
        let made = KeyAndRequest::create(&self.key)?;
        write_new(&self.out, made.pem())?;
        say(format_args!("the key stays in {}; send {} to the authority", self.key.display(), self.out.display()));
        Ok(())
    }
}

/// Writes a file that is not there yet.
fn write_new(path: &Path, text: &str) -> Result<(), Error> {
    let written = OpenOptions::new().write(true).create_new(true).open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|source| Error::Write { path: path.to_owned(), source })
}
