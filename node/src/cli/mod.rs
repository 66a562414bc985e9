//! The command line: one file per verb. Data goes to the writer that `main` hands down, everything else to stderr.

mod agreement;
mod analyst;
mod audit;
mod authority;
mod backup;
mod board;
mod catalogue;
mod check;
mod client;
mod demo;
mod doctor;
mod document;
mod error;
mod explain;
mod join;
mod local;
mod output;
mod pager;
mod profile;
mod query;
mod receipt;
mod reference;
mod register;
mod rights;
mod serve;
mod shell;
mod sprint;
mod standard;
mod statement;
mod terminal;
mod trust;
mod worker;

use std::fmt::Display;
use std::future::Future;
use std::io::{self, Write};

use clap::{Parser, Subcommand};
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::format;

pub use error::Error;

/// Public bodies answer joint questions without handing over their raw data.
#[derive(Debug, Parser)]
#[command(name = "meridian", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show London on this machine: a node per body, mutual TLS between them, and a joint question answered
    Demo(demo::Demo),
    /// Work on questions over made rows, under the terms of the real ones and for a time, before anybody agrees on anything
    #[command(subcommand)]
    Sprint(sprint::Sprint),
    /// Ask a node a query
    Query(query::Query),
    /// Ask one question after the other, with history, completion and commands
    Shell(shell::Shell),
    /// Show how a query would be answered: what is asked of which body, and under which terms
    Explain(explain::Explain),
    /// Ask every body that a query needs whether it would release its part, without running anything
    Check(check::Check),
    /// List the datasets that you may see
    Catalogue(catalogue::Catalogue),
    /// See one's profiles, and choose the one that is used where none is named
    #[command(subcommand)]
    Profile(profile::ProfileCommand),
    /// Print what to put into a dataset's file so that its rows may be joined with another body's dataset
    Reference(reference::Reference),
    /// Run the node of a body, or prepare it
    #[command(subcommand)]
    Node(Node),
    /// Say who may ask one's own body's node
    #[command(subcommand)]
    Analyst(analyst::Analyst),
    /// Agree with other bodies on one document: propose, sign, withdraw, and see who has signed
    #[command(subcommand)]
    Agreement(agreement::Agreement),
    /// Read, check or have witnessed a receipt that was kept in a file
    #[command(subcommand)]
    Receipt(receipt::ReceiptFile),
    /// Read, search and verify the log of one's own body, and prove what stands in it
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Write the pages that tell the public what a body shares, why, and how often it was used
    Register(register::Make),
    /// Do for those whom a body's rows are about what they have a right to: object, erase, restrict, rectify, report
    #[command(subcommand)]
    Rights(rights::Rights),
    /// Work with the standards, agreed shapes of data: list, show, check one's datasets, map a file
    #[command(subcommand)]
    Standard(standard::Standard),
    /// Found a federation, let bodies in, and shut them out
    #[command(subcommand)]
    Authority(authority::Authority),
    /// Print what a shell needs to complete these commands
    Completions(document::Completions),
    /// Write manual pages
    Man(document::Man),
}

#[derive(Debug, Subcommand)]
enum Node {
    /// Join a federation with an invitation: makes key, certificate and configuration of a node that publishes nothing yet
    Join(join::Join),
    /// Look at all that the node needs, and say for each fault what to do
    Check(doctor::Doctor),
    /// Write what a node has that can't be made again into one file: configuration, keys, log and history, while it runs
    Backup(backup::Backup),
    /// Put a backup into a new folder, and say how to go on
    Restore(backup::Restore),
    /// Have the certificate renewed now; a node that runs does so each day
    Renew(join::Renew),
    /// Trust the nodes of another federation, whose anchor is fetched and known by its fingerprint
    Trust(trust::Trust),
    /// Run the node until SIGINT or SIGTERM
    Serve(serve::Serve),
    /// Compute for a node on other machines of the same body
    #[command(subcommand)]
    Worker(worker::Worker),
    /// Make a private key and a request for a certificate; the key stays here
    Request(authority::MakeRequest),
}

/// How much is logged to stderr where MERIDIAN_LOG says nothing, and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logging {
    /// A filter of `tracing_subscriber`.
    pub filter: &'static str,
    /// One JSON object per line in place of text.
    pub json: bool,
}

impl Cli {
    /// What is to be logged.
    pub fn logging(&self) -> Logging {
        match &self.command {
            Command::Node(Node::Serve(serve)) => Logging { filter: "info", json: serve.log_json },
            Command::Node(Node::Worker(worker::Worker::Serve(serve))) => {
                Logging { filter: "info", json: serve.log_json }
            }
            Command::Authority(authority::Authority::Serve(_)) => Logging { filter: "info", json: false },
            // What a client has to say about a broken connection it says in its error.
            _ => Logging { filter: "error", json: false },
        }
    }

    /// Runs the command; `out` is where data goes.
    pub fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        match self.command {
            Command::Demo(demo) => client(demo.run(out)),
            Command::Sprint(sprint) => client(sprint.run()),
            Command::Query(query) => client(or_interrupted(query.run(out))),
            Command::Shell(shell) => shell.run(out),
            Command::Explain(explain) => client(or_interrupted(explain.run(out))),
            Command::Check(check) => client(or_interrupted(check.run(out))),
            Command::Catalogue(catalogue) => client(or_interrupted(catalogue.run(out))),
            Command::Profile(profile) => profile.run(out),
            Command::Completions(completions) => completions.run(out),
            Command::Man(man) => man.run(),
            Command::Reference(reference) => client(or_interrupted(reference.run(out))),
            Command::Node(Node::Serve(serve)) => serve.run(),
            Command::Node(Node::Worker(worker)) => worker.run(),
            Command::Node(Node::Request(request)) => request.run(),
            Command::Node(Node::Join(join)) => client(or_interrupted(join.run())),
            Command::Node(Node::Check(doctor)) => client(or_interrupted(doctor.run(out))),
            Command::Node(Node::Backup(backup)) => backup.run(),
            Command::Node(Node::Restore(restore)) => restore.run(),
            Command::Node(Node::Trust(trust)) => client(or_interrupted(trust.run())),
            Command::Node(Node::Renew(renew)) => client(or_interrupted(renew.run())),
            Command::Agreement(agreement) => agreement.run(out),
            Command::Analyst(analyst) => analyst.run(out),
            Command::Receipt(receipt) => receipt.run(out),
            Command::Audit(audit) => audit.run(out),
            Command::Register(make) => make.run(),
            Command::Rights(rights) => rights.run(out),
            Command::Standard(standard) => standard.run(out),
            Command::Authority(authority) => authority.run(out),
        }
    }
}

/// Runs a client's work on this thread.
fn client(work: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Runtime)?.block_on(work)
}

/// The work, or the end of it when somebody wants it to end: what was called is dropped, and so cancelled.
async fn or_interrupted<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut interrupts = Interrupts::new()?;
    tokio::select! {
        done = work => done,
        () = interrupts.next() => Err(Error::Interrupted),
    }
}

/// SIGINT, SIGTERM and SIGHUP, from the moment at which this is made.
struct Interrupts {
    signals: [Signal; 3],
}

impl Interrupts {
    fn new() -> Result<Self, Error> {
        let listen = |kind| signal(kind).map_err(Error::Runtime);
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = kinds.map(listen);
        Ok(Self { signals: [interrupt?, terminate?, hangup?] })
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// Says something beside the data; that stderr is gone is no reason to stop.
fn say(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
