//! `meridian receipt`: a receipt that was kept in a file, for people, for checking offline, and with witnesses.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::{Args, Subcommand};
use meridian_certs::{Identity, Verifier};
use meridian_proto::{Form, Receipt, ReleaseRecord, Signed};

use super::{Checked, Detail, Logged, Signer, check, forms};
use crate::audit::durable_file;
use crate::cli::client::Client;
use crate::cli::format::printable;
use crate::cli::profile::Connection;
use crate::cli::{Error, say};

/// What is done with a receipt.
#[derive(Debug, Subcommand)]
pub(crate) enum ReceiptFile {
    /// Say in plain words who released what, to whom and why
    Show(Offline),
    /// Check every signature and every proof, offline
    Verify(Offline),
    /// Fetch the proofs that other bodies have meanwhile confirmed, and keep them in the file
    Witness(Online),
}

/// A receipt and whom to trust.
#[derive(Debug, Args)]
pub(crate) struct Offline {
    /// The receipt, as `meridian query --receipt-file` wrote it
    file: PathBuf,
    /// The certificate of the federation's authority (PEM); given again for each other federation that has released
    #[arg(long, value_name = "FILE", required = true)]
    ca: Vec<PathBuf>,
}

/// A receipt and the node to ask.
#[derive(Debug, Args)]
pub(crate) struct Online {
    /// The receipt, as `meridian query --receipt-file` wrote it
    file: PathBuf,
    #[command(flatten)]
    connection: Connection,
}

impl ReceiptFile {
    /// Reads, checks and prints offline.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        match self {
            Self::Show(offline) => {
                let checked = offline.checked()?;
                out.write_all(checked.in_words().as_bytes())?;
                checked.held()
            }
            Self::Verify(offline) => {
                let checked = offline.checked()?;
                out.write_all(checked.render(Detail::Short).as_bytes())?;
                checked.held()
            }
            Self::Witness(online) => crate::cli::client(crate::cli::or_interrupted(online.witness())),
        }
    }
}

impl Offline {
    fn checked(&self) -> Result<Checked, Error> {
        let receipt = read(&self.file)?;
        let (first, others) = self.ca.split_first().ok_or_else(|| Error::Usage("give --ca".into()))?;
        let others: Vec<&Path> = others.iter().map(PathBuf::as_path).collect();
        let verifier = Verifier::load(first, &others)?;
        Ok(check(&receipt, |signed, at| signer(&verifier, signed, at)))
    }
}

fn signer(verifier: &Verifier, signed: &Signed, at: SystemTime) -> Result<Signer, String> {
    let verified = verifier.verify(signed, at).map_err(|error| error.to_string())?;
    let identity = verified.identity();
    Ok(Signer {
        federation: identity.federation().to_string(),
        body: identity.body().to_string(),
        node: matches!(identity, Identity::Node { .. }),
    })
}

fn read(file: &PathBuf) -> Result<Receipt, Error> {
    let bytes = fs::read(file).map_err(|source| Error::Read { path: file.clone(), source })?;
    Receipt::decode(&bytes).map_err(|error| Error::Usage(format!("{} is no receipt: {error}", file.display())))
}

impl Online {
    async fn witness(self) -> Result<(), Error> {
        let mut receipt = read(&self.file)?;
        let mut client = Client::new(&self.connection.resolve()?)?;
        let mut missing = Vec::new();
        let home = super::home(&receipt).unwrap_or_default();
        for signed in &receipt.releases {
            // What does not hold is told by whoever verifies the receipt.
            let Ok(record) = ReleaseRecord::decode(&signed.payload) else { continue };
            match client.proof(&super::named(&record, &home), record.log_index).await {
                Ok(proof) => {
                    receipt
                        .witnessed
                        .retain(|old| (old.body.as_str(), old.index) != (proof.body.as_str(), proof.index));
                    receipt.witnessed.push(proof);
                }
                Err(Error::Node(why)) => missing.push(why),
                Err(error) => return Err(error),
            }
        }
        let written = durable_file(&self.file, &receipt.encode());
        written.map_err(|source| Error::Write { path: self.file.clone(), source })?;
        missing.iter().for_each(|why| say(format_args!("Without witnesses: {}", printable(why))));
        let checked = check(&receipt, |signed, _| client.verify(signed));
        say(super::logged::sentence(&checked.logged));
        checked.held()
    }
}

impl Checked {
    fn held(&self) -> Result<(), Error> {
        match self.broken.len() {
            0 => Ok(()),
            broken => Err(Error::Receipt(broken)),
        }
    }

    /// For somebody who is no programmer.
    pub(super) fn in_words(&self) -> String {
        let mut text = format!("This is the receipt of the question {}.\n", printable(&self.query_id));
        if !self.broken.is_empty() {
            text.push_str("\nDO NOT RELY ON IT. A part of it was changed, or was not signed by whom it names:\n");
            self.broken.iter().for_each(|why| text.push_str(&format!("  {}\n", printable(why))));
        }
        for (record, logged) in self.records.iter().zip(&self.logged) {
            words(record, (&self.named(record), &self.home), logged, &mut text);
        }
        text
    }
}

fn words(record: &ReleaseRecord, (body, home): (&str, &str), logged: &Logged, text: &mut String) {
    let time = i64::try_from(record.time_ms).ok().and_then(chrono::DateTime::from_timestamp_millis);
    let time = time.map_or_else(String::new, |time| time.format(" on %-d %B %Y at %H:%M UTC").to_string());
    let forms: Vec<&str> = forms(record).iter().map(|form| plain(*form)).collect();
    let what = if forms.is_empty() { "an answer".to_owned() } else { forms.join(" and ") };
    let rows = if record.rows == 1 { "1 row".to_owned() } else { format!("{} rows", record.rows) };
    text.push_str(&format!("\n{} released {what}{time}: {rows}.\n", printable(body)));
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("  {name:<12}{}\n", printable(value)));
        }
    };
    line("To", &who(&record.caller, home));
    line("Asked by", &who(&record.on_behalf_of, home));
    line("Of groups", &record.groups.join(", "));
    line("Purpose", &record.purpose);
    line("Agreement", &record.agreements.join(", "));
    for used in &record.datasets {
        line("From", &format!("{}: {}", used.name, used.columns.join(", ")));
    }
    for notice in &record.notices {
        line("Note", notice);
    }
    let witnesses = logged.witnesses.iter().cloned().collect::<Vec<_>>().join(", ");
    let witnessed = match (logged.is_witnessed(), witnesses.as_str()) {
        (true, names) => format!("witnessed by {names}: they would notice if the log were rewritten"),
        (false, "") => "unwitnessed: no other body has confirmed this log yet".to_owned(),
        (false, names) => format!("unwitnessed: only {names} has confirmed this log, and two must"),
    };
    line("Log", &format!("entry {} of the log of {body}, {witnessed}", record.log_index));
}

/// A form in plain words.
fn plain(form: Form) -> &'static str {
    match form {
        Form::Open => "open data",
        Form::Rows => "single rows",
        Form::Statistics => "statistics",
        Form::None => "nothing",
    }
}

/// A SPIFFE ID in plain words; who is of another federation than the reader's node is named with theirs.
fn who(id: &str, home: &str) -> String {
    let parts: Vec<&str> = id.trim_start_matches("spiffe://").split('/').collect();
    match parts.as_slice() {
        [federation, "body", body, "node"] => format!("the node of {}", super::body(federation, body, home)),
        [federation, "body", body, "analyst", name] => {
            format!("{name}, an analyst of {}", super::body(federation, body, home))
        }
        _ => id.to_owned(),
    }
}
