//! `meridian authority …` and `meridian node request`: who is in, and certificates.

mod ceremony;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use clap::{Args, Subcommand};
use meridian_certs::{Identity, KeyAndRequest, Office, Request, Validity};
use meridian_proto::Name;
use tokio::net::TcpListener;

use self::ceremony::{Issuer, Root};
use super::serve::End;
use super::{Error, say};
use crate::authority::service;

/// `meridian authority …`
#[derive(Debug, Subcommand)]
pub(crate) enum Authority {
    /// Make the authority of a new federation
    Init(Init),
    /// Let bodies join and renew, and say who is in, until SIGINT or SIGTERM
    Serve(Serve),
    /// Invite a body: prints the command with which it joins within ten minutes
    Invite(Invite),
    /// Say who is in, and which invitations are open
    List(Folder),
    /// Print the command with which the nodes of another federation trust this one
    Anchors(Anchors),
    /// Shut a body out everywhere, within seconds; its running answers are cut off
    Suspend(Of),
    /// Let a suspended body in again
    Resume(Of),
    /// Say that a body's node is reached elsewhere from now on
    Move(Move),
    /// Revoke the certificates of a body, as when its key is lost; it joins again by an invitation
    Revoke(Of),
    /// End a body's membership
    Remove(Of),
    /// Sign a certificate for a request by hand
    Sign(Sign),
    /// Another issuing key: a second one at another body, or a new one in place of one's own
    #[command(subcommand)]
    Issuer(Issuer),
    /// A new root beside the old one, and the end of the old one
    #[command(subcommand)]
    Root(Root),
}

/// Options of `meridian authority init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The federation's name, SQL's catalogue: london
    #[arg(long)]
    federation: Name,
    /// The authority's folder, which is made
    #[arg(long)]
    dir: PathBuf,
}

/// Options of `meridian authority serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The authority's folder
    #[arg(long)]
    dir: PathBuf,
    /// Where it is served
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7443")]
    listen: SocketAddr,
    #[command(flatten)]
    end: End,
}

/// Options of `meridian authority invite`.
#[derive(Debug, Args)]
pub(crate) struct Invite {
    /// The body that is invited
    body: Name,
    /// Where its node will be reached: https://HOST:PORT
    #[arg(long, value_name = "URL")]
    endpoint: String,
    /// Another DNS name or address that its certificate is to name; may be given again
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// The authority's folder
    #[arg(long)]
    dir: PathBuf,
    /// Where the authority is served, for the command that is printed
    #[arg(long, value_name = "URL", default_value = "https://127.0.0.1:7443")]
    authority: String,
}

/// Options of `meridian authority anchors`.
#[derive(Debug, Args)]
pub(crate) struct Anchors {
    /// The authority's folder
    #[arg(long)]
    dir: PathBuf,
    /// Where the authority is served, for the command that is printed
    #[arg(long, value_name = "URL", default_value = "https://127.0.0.1:7443")]
    authority: String,
}

/// Options of what needs the folder alone.
#[derive(Debug, Args)]
pub(crate) struct Folder {
    /// The authority's folder
    #[arg(long)]
    dir: PathBuf,
}

/// Options of what concerns one body.
#[derive(Debug, Args)]
pub(crate) struct Of {
    /// The body
    body: Name,
    /// The authority's folder
    #[arg(long)]
    dir: PathBuf,
}

/// Options of `meridian authority move`.
#[derive(Debug, Args)]
pub(crate) struct Move {
    #[command(flatten)]
    of: Of,
    /// Where its node is reached: https://HOST:PORT
    #[arg(long, value_name = "URL")]
    endpoint: String,
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
    /// Whose node holds the key: spiffe://london/body/lfb/node
    #[arg(long, value_name = "SPIFFE-ID")]
    identity: Identity,
    /// A DNS name or address at which the node is reached; may be given again
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// How many days the certificate holds
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=700))]
    days: u64,
    /// The file for the certificate
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Authority {
    /// Does it.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let now = SystemTime::now();
        match self {
            Self::Init(init) => init.run(),
            Self::Serve(serve) => super::client(serve.run()),
            Self::Invite(invite) => invite.run(out),
            Self::List(Folder { dir }) => list(&dir, out),
            Self::Suspend(Of { body, dir }) => {
                Office::open(&dir)?.suspend(&body, now)?;
                say(format_args!("{body} is suspended"));
                Ok(())
            }
            Self::Resume(Of { body, dir }) => {
                Office::open(&dir)?.resume(&body, now)?;
                say(format_args!("{body} is in again"));
                Ok(())
            }
            Self::Move(Move { of: Of { body, dir }, endpoint }) => {
                Office::open(&dir)?.relocate(&body, &endpoint, now)?;
                say(format_args!(
                    "{body} is reached at {endpoint}; where that is another host, `meridian node renew` there has it named"
                ));
                Ok(())
            }
            Self::Revoke(Of { body, dir }) => {
                Office::open(&dir)?.revoke(&body, now)?;
                say(format_args!("the certificates of {body} are revoked: invite it again"));
                Ok(())
            }
            Self::Anchors(anchors) => anchors.run(out),
            Self::Remove(Of { body, dir }) => {
                Office::open(&dir)?.remove(&body, now)?;
                say(format_args!("{body} is no member any more"));
                Ok(())
            }
            Self::Sign(sign) => sign.run(),
            Self::Issuer(issuer) => issuer.run(now),
            Self::Root(root) => root.run(now),
        }
    }
}

impl Init {
    fn run(self) -> Result<(), Error> {
        let Self { federation, dir } = self;
        let office = Office::found(&federation, &dir, SystemTime::now())?;
        let (fingerprint, dir) = (office.authority()?.fingerprint()?, dir.display());
        say(format_args!(
            "{federation} has an authority, whose fingerprint is {fingerprint}\n\
             {dir}/ca.key signs issuing keys only: keep it offline, and a copy elsewhere\n\
             next: meridian authority serve --dir {dir}, and meridian authority invite BODY --endpoint URL --dir {dir}"
        ));
        Ok(())
    }
}

impl Serve {
    async fn run(self) -> Result<(), Error> {
        let office = Office::open(&self.dir)?;
        let listener = TcpListener::bind(self.listen).await.map_err(|why| {
            Error::Usage(format!("{} can't be opened: {why}; stop what uses it, or give another --listen", self.listen))
        })?;
        let federation = office.authority()?.federation().clone();
        tracing::info!(%federation, listen = %listener.local_addr().unwrap_or(self.listen), "ready");
        let end = self.end.begin()?;
        tokio::select! {
            served = service::serve(listener, office) => Ok(served?),
            () = end.cancelled() => Ok(()),
        }
    }
}

impl Invite {
    fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let office = Office::open(&self.dir)?;
        let token = office.invite(&self.body, &self.endpoint, &self.hosts, SystemTime::now())?;
        let fingerprint = office.authority()?.fingerprint()?;
        say(format_args!("{} may join once, within ten minutes, with this command on its own machine:", self.body));
        writeln!(
            out,
            "meridian node join --authority {} --fingerprint {fingerprint} --token {token} --dir {}",
            self.authority, self.body
        )?;
        Ok(())
    }
}

impl Anchors {
    fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let authority = Office::open(&self.dir)?.authority()?;
        let (federation, fingerprint) = (authority.federation(), authority.fingerprint()?);
        say(format_args!(
            "each node of another federation decides by itself whether it trusts the nodes of {federation}, with this command; \
             compare the fingerprint by another way than the one by which it came:"
        ));
        writeln!(
            out,
            "meridian node trust {federation} --authority {} --fingerprint {fingerprint} --config node.toml",
            self.authority
        )?;
        Ok(())
    }
}

fn list(dir: &Path, out: &mut dyn Write) -> Result<(), Error> {
    let (membership, invitations) = Office::open(dir)?.list(SystemTime::now())?;
    let time = |seconds: u64| {
        let time = i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        time.map_or_else(|| seconds.to_string(), |time| time.format("%Y-%m-%d %H:%M UTC").to_string())
    };
    writeln!(
        out,
        "{}, membership {} of {}",
        membership.federation,
        membership.version,
        time(membership.signed_at / 1000)
    )?;
    for member in &membership.members {
        let state = if member.suspended { "suspended" } else { "member" };
        writeln!(out, "{:<24} {state:<10} {}", member.body, member.endpoint)?;
    }
    for invitation in &invitations {
        let until = time(invitation.expires);
        writeln!(out, "{:<24} {:<10} {} (until {until})", invitation.body, "invited", invitation.endpoint)?;
    }
    let day = Duration::from_secs(24 * 3600);
    let age = SystemTime::now().duration_since(UNIX_EPOCH + Duration::from_millis(membership.signed_at));
    if age.unwrap_or_default() > day {
        say("the membership was not signed again for a day: is `meridian authority serve` running?");
    }
    Ok(())
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
pub(super) fn write_new(path: &Path, text: &str) -> Result<(), Error> {
    let written = OpenOptions::new().write(true).create_new(true).open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|source| Error::Write { path: path.to_owned(), source })
}
