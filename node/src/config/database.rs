//! Checks the databases of node.toml.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;

use super::problem::{File, Report};
use super::{Limits, node, raw, store};
use crate::sources::{Host, Server, ServerConfig};

const DEFAULT_PORT: u16 = 5432;
const DEFAULT_CONNECTIONS: u32 = 4;

/// The databases, each name once.
pub(super) fn check(
    file: &File,
    base: &Path,
    raw: &[raw::Database],
    limits: &Limits,
    report: &mut Report,
) -> Vec<Arc<Server>> {
    let mut servers: Vec<Arc<Server>> = Vec::with_capacity(raw.len());
    for said in raw {
        let Some(config) = server(file, base, said, limits, report) else { continue };
        if servers.iter().any(|known| known.config().name == config.name) {
            let what = format!("database `{}` stands twice", config.name);
            file.problem(report, said.name.span(), what, "rename or remove one");
            continue;
        }
        servers.push(Server::new(config));
    }
    servers
}

fn server(file: &File, base: &Path, raw: &raw::Database, limits: &Limits, report: &mut Report) -> Option<ServerConfig> {
    let name = file.name(report, "databases.name", &raw.name);
    let host = file.text(report, "databases.host", &raw.host).map(|host| match host.starts_with('/') {
        true => Host::Socket(host.into()),
        false => Host::Network(host),
    });
    let database = file.text(report, "databases.database", &raw.database);
    let user = file.text(report, "databases.user", &raw.user);
    let existing = |report: &mut Report, key: &str, said: &Option<Spanned<String>>| {
        store::optional(said.as_ref(), |said| file.existing(report, base, key, said))
    };
    let password_file = existing(report, "databases.password_file", &raw.password_file);
    let ca = existing(report, "databases.ca", &raw.ca);
    if let (Some(host), None) = (&host, &raw.ca) {
        on_this_machine(file, host, &raw.host, report);
    }
    let seconds = u32::try_from(limits.seconds).unwrap_or(u32::MAX);
    let mut number =
        |key, said: &Option<Spanned<u32>>, default| node::number(file, key, said.as_ref(), default, report);
    let connections = number("databases.connections", &raw.connections, DEFAULT_CONNECTIONS);
    let statement_seconds = number("databases.statement_seconds", &raw.statement_seconds, seconds);
    Some(ServerConfig {
        name: name?,
        host: host?,
        port: raw.port.as_ref().map_or(DEFAULT_PORT, |port| *port.get_ref()),
        database: database?,
        user: user?,
        password_file: password_file?,
        ca: ca?,
        connections: usize::try_from(connections).unwrap_or(usize::MAX).min(tokio::sync::Semaphore::MAX_PERMITS),
        statement_seconds,
    })
}

/// Without TLS nothing leaves the machine.
fn on_this_machine(file: &File, host: &Host, said: &Spanned<String>, report: &mut Report) {
    let Host::Network(name) = host else { return };
    let loopback = name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    if !loopback {
        let what = format!("databases.host is {name:?}, which is another machine, and there is no ca");
        let fix = "add ca = \"…\": the PEM file of the authority that signed the server's certificate (a self-signed one is its \
                   own); without TLS only 127.0.0.1, localhost or the folder of a socket, such as \"/run/postgresql\"";
        file.problem(report, said.span(), what, fix);
    }
}
