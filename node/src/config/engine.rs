//! Checks the engines of node.toml: those that speak Arrow Flight SQL.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use http::Uri;
use toml::Spanned;

use super::problem::{File, Report};
use super::{Limits, node, raw, store};
use crate::sources::{EngineConfig, EngineDialect, EngineLogin, EngineTls, FlightEngine};

/// The engines, each name once.
pub(super) fn check(
    file: &File,
    base: &Path,
    raw: &[raw::Engine],
    limits: &Limits,
    report: &mut Report,
) -> Vec<Arc<FlightEngine>> {
    let mut engines: Vec<Arc<FlightEngine>> = Vec::with_capacity(raw.len());
    for said in raw {
        let Some(config) = engine(file, base, said, limits, report) else { continue };
        if engines.iter().any(|known| known.config().name == config.name) {
            let what = format!("engine `{}` stands twice", config.name);
            file.problem(report, said.name.span(), what, "rename or remove one");
            continue;
        }
        engines.push(FlightEngine::new(config));
    }
    engines
}

fn engine(file: &File, base: &Path, raw: &raw::Engine, limits: &Limits, report: &mut Report) -> Option<EngineConfig> {
    let name = file.name(report, "engines.name", &raw.name);
    let address = address(file, &raw.address, report);
    let tls = address.as_ref().map(|address| address.tls);
    let tls = tls.and_then(|tls| self::tls(file, base, raw, tls, report));
    let login = login(file, base, raw, report);
    let dialect = store::optional(raw.dialect.as_ref(), |said| dialect(file, said, report));
    let seconds = u32::try_from(limits.seconds).unwrap_or(u32::MAX);
    let request_seconds = node::number(file, "engines.request_seconds", raw.request_seconds.as_ref(), seconds, report);
    let Address { host, port, .. } = address?;
    let (tls, dialect) = (tls?, dialect?.unwrap_or_default());
    Some(EngineConfig { name: name?, host, port, tls, login: login?, dialect, request_seconds })
}

struct Address {
    host: String,
    port: u16,
    tls: bool,
}

/// Without TLS nothing leaves the machine.
fn address(file: &File, said: &Spanned<String>, report: &mut Report) -> Option<Address> {
    let text = file.text(report, "engines.address", said)?;
    let uri: Option<Uri> = text.parse().ok();
    let host = uri.as_ref().and_then(Uri::host).map(|host| host.trim_matches(['[', ']']).to_owned());
    let bare = uri.as_ref().is_some_and(|uri| uri.query().is_none() && matches!(uri.path(), "" | "/"));
    let found = host.zip(uri.as_ref().and_then(Uri::port_u16)).filter(|_| bare);
    let here = |host: &str| host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    let (what, fix) = match (uri.as_ref().and_then(Uri::scheme_str), found) {
        // What stands before it may be a secret: it is not repeated.
        _ if text.contains('@') => (
            "engines.address has something before an @".to_owned(),
            "write the engine's address alone; the login is user and password_file, or token_file",
        ),
        (Some("grpc+tls"), Some((host, port))) => return Some(Address { host, port, tls: true }),
        (Some("grpc"), Some((host, port))) if here(&host) => return Some(Address { host, port, tls: false }),
        (Some("grpc"), Some(_)) => (
            format!("engines.address is {text:?}, which is another machine, without TLS"),
            "write grpc+tls://…, with ca = \"…\"; plain grpc only to 127.0.0.1 or localhost",
        ),
        _ => (
            format!("engines.address is {text:?}, which is no address of an engine"),
            "write grpc+tls://HOST:PORT, or on this machine grpc://127.0.0.1:PORT",
        ),
    };
    file.problem(report, said.span(), what, fix);
    None
}

/// The files of TLS, if it is spoken.
fn tls(file: &File, base: &Path, raw: &raw::Engine, spoken: bool, report: &mut Report) -> Option<Option<EngineTls>> {
    let files = [("engines.ca", &raw.ca), ("engines.certificate", &raw.certificate), ("engines.key", &raw.key)];
    if !spoken {
        for (key, said) in files {
            if let Some(said) = said {
                let what = format!("{key} stands beside an address without TLS");
                file.problem(report, said.span(), what, "write grpc+tls://… as the address, or leave it out");
                return None;
            }
        }
        return Some(None);
    }
    let [ca, certificate, key] =
        files.map(|(key, said)| store::optional(said.as_ref(), |said| file.existing(report, base, key, said)));
    if raw.ca.is_none() {
        let fix = "add ca = \"…\": the PEM file of the authority that signed the engine's certificate (a self-signed one is its own)";
        file.problem(report, raw.address.span(), "engines.address is under TLS, and there is no ca".to_owned(), fix);
    }
    let identity = match (&raw.certificate, &raw.key) {
        (Some(said), None) | (None, Some(said)) => {
            let what = "certificate and key belong together, and one is missing";
            file.problem(report, said.span(), what, "give both, or neither where the engine asks for none");
            return None;
        }
        (Some(_), Some(_)) => Some((certificate??, key??)),
        (None, None) => None,
    };
    Some(Some(EngineTls { ca: ca??, identity }))
}

fn login(file: &File, base: &Path, raw: &raw::Engine, report: &mut Report) -> Option<EngineLogin> {
    match (&raw.user, &raw.password_file, &raw.token_file) {
        (None, None, None) => Some(EngineLogin::None),
        (None, None, Some(token)) => {
            Some(EngineLogin::Token { file: file.existing(report, base, "engines.token_file", token)? })
        }
        (Some(user), Some(password), None) => {
            let user = file.text(report, "engines.user", user);
            let password = file.existing(report, base, "engines.password_file", password);
            Some(EngineLogin::Password { user: user?, file: password? })
        }
        (Some(said), None, None) | (None, Some(said), None) => {
            let what = "user and password_file belong together, and one is missing";
            file.problem(report, said.span(), what, "give both, or a token_file, or neither");
            None
        }
        (_, _, Some(said)) => {
            let what = "engines.token_file stands beside a user or a password";
            file.problem(report, said.span(), what, "remove token_file, or user and password_file");
            None
        }
    }
}

fn dialect(file: &File, said: &Spanned<String>, report: &mut Report) -> Option<EngineDialect> {
    let found = EngineDialect::ALL.into_iter().find(|dialect| dialect.to_string() == *said.get_ref());
    if found.is_none() {
        let known = EngineDialect::ALL.map(|dialect| dialect.to_string()).join(", ");
        let what = format!("engines.dialect is {:?}, which is none that is known", said.get_ref());
        file.problem(report, said.span(), what, format!("write one of {known}; generic fits any"));
    }
    found
}
