//! `meridian authority issuer …` and `meridian authority root …`: how the keys of a federation are replaced.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use clap::{Args, Subcommand};
use meridian_certs::{KeyAndRequest, Office, Request};

use super::super::{Error, say};
use super::{Folder, write_new};

/// `meridian authority issuer …`
#[derive(Debug, Subcommand)]
pub(crate) enum Issuer {
    /// At the other body: make an issuing key, and a request for it
    Request(Folder),
    /// With the root's key: sign the request
    Sign(SignIssuer),
    /// At the other body: put the signed certificate, the root and a membership beside the key
    Install(Install),
}

/// Options of `meridian authority issuer sign`.
#[derive(Debug, Args)]
pub(crate) struct SignIssuer {
    /// The folder with ca.pem and ca.key
    #[arg(long)]
    dir: PathBuf,
    /// The request (PEM)
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// The file for the certificate
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Options of `meridian authority issuer install`.
#[derive(Debug, Args)]
pub(crate) struct Install {
    /// The folder with the key that was made
    #[arg(long)]
    dir: PathBuf,
    /// The certificate that was signed for it (PEM)
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// The federation's root (PEM)
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
    /// The membership as the first authority, or any node, has it in its folder
    #[arg(long, value_name = "FILE")]
    membership: PathBuf,
}

/// `meridian authority root …`
#[derive(Debug, Subcommand)]
pub(crate) enum Root {
    /// Where the old root's key is: make a new root, and the old one's word for it
    New(NewRoot),
    /// At the authority: take the new root in; the nodes have it within seconds, beside the old one
    Install(InstallRoot),
    /// At the authority: end the old root, once its members have renewed under the new one
    Retire(RetireRoot),
}

/// Options of `meridian authority root new`.
#[derive(Debug, Args)]
pub(crate) struct NewRoot {
    /// The folder with ca.pem and ca.key of the old root
    #[arg(long, value_name = "FOLDER")]
    old: PathBuf,
    /// The folder for the new root, which is made
    #[arg(long)]
    dir: PathBuf,
}

/// Options of `meridian authority root install`.
#[derive(Debug, Args)]
pub(crate) struct InstallRoot {
    /// The folder with ca.pem and link.pem of the new root; its key is not needed
    #[arg(long, value_name = "FOLDER")]
    root: PathBuf,
    /// The authority's folder
    #[arg(long)]
    dir: PathBuf,
}

/// Options of `meridian authority root retire`.
#[derive(Debug, Args)]
pub(crate) struct RetireRoot {
    /// The folder of the authority whose issuing key the new root has signed
    #[arg(long)]
    dir: PathBuf,
    /// Also while members have not renewed, who are out then until they are invited again
    #[arg(long)]
    anyway: bool,
}

impl Issuer {
    pub(super) fn run(self, now: SystemTime) -> Result<(), Error> {
        match self {
            Self::Request(Folder { dir }) => {
                fs::create_dir_all(&dir).map_err(|source| Error::Write { path: dir.clone(), source })?;
                let made = KeyAndRequest::create(&dir.join("issuer.key"))?;
                let request = dir.join("issuer.csr");
                write_new(&request, made.pem())?;
                say(format_args!("the key stays here; bring {} to where the root's key is", request.display()));
            }
            Self::Sign(SignIssuer { dir, request, out }) => {
                let pem = fs::read_to_string(&request).map_err(|source| Error::Read { path: request, source })?;
                write_new(&out, &meridian_certs::Authority::sign_issuer(&dir, &Request::from_pem(&pem)?)?)?;
                say(format_args!("bring {}, ca.pem and the membership to the other body", out.display()));
            }
            Self::Install(Install { dir, certificate, ca, membership }) => {
                for (from, to) in [(&certificate, "issuer.pem"), (&ca, "ca.pem")] {
                    let text = fs::read_to_string(from).map_err(|source| Error::Read { path: from.clone(), source })?;
                    write_new(&dir.join(to), &text)?;
                }
                let bytes = fs::read(&membership).map_err(|source| Error::Read { path: membership.clone(), source })?;
                let signed = meridian_proto::Signed::decode(&bytes)
                    .map_err(|error| Error::Usage(format!("{}: {error}", membership.display())))?;
                let office = Office::open(&dir)?;
                office.adopt(&signed, now)?;
                say("this is a second authority of the federation: it can invite, suspend and serve as the first");
            }
        }
        Ok(())
    }
}

impl Root {
    pub(super) fn run(self, now: SystemTime) -> Result<(), Error> {
        match self {
            Self::New(NewRoot { old, dir }) => {
                let fingerprint = meridian_certs::Authority::new_root(&old, &dir)?;
                let dir = dir.display();
                say(format_args!(
                    "the new root has the fingerprint {fingerprint}; keep {dir}/ca.key offline, and a copy elsewhere\n\
                     next: meridian authority root install --root {dir} --dir AUTHORITY, and sign a new issuing key with it"
                ));
            }
            Self::Install(InstallRoot { root, dir }) => {
                Office::open(&dir)?.install_root(&root, now)?;
                say("the new root counts beside the old one, here now and at each node as soon as it hears of it");
            }
            Self::Retire(RetireRoot { dir, anyway }) => {
                Office::open(&dir)?.retire_root(anyway, now)?;
                say("the old root is retired: what hangs on it alone counts at no node any more that has heard of it");
            }
        }
        Ok(())
    }
}
