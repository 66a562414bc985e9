//! Checks node.toml.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use meridian_proto::{EVERY, Name};
use toml::Spanned;

use super::dataset::about;
use super::problem::{File, Report};
use super::{
    AuditConfig, FederationConfig, Limits, Member, NodeConfig, PublicConfig, PublicTls, TelemetryConfig, TlsPaths,
    addresses, cluster, database, engine, raw, store, workbench,
};
use crate::traces;

/// The folders of datasets, views, agreements, algorithms and standards.
pub(super) struct Folders {
    pub(super) datasets: PathBuf,
    pub(super) views: PathBuf,
    pub(super) agreements: PathBuf,
    pub(super) algorithms: PathBuf,
    pub(super) standards: PathBuf,
}

pub(super) fn folders(file: &File, raw: &raw::Node) -> Folders {
    let folder = |key: &str, said: Option<&Spanned<String>>| {
        file.folder().join(said.map_or(key, |said| said.get_ref().as_str()))
    };
    Folders {
        datasets: folder("datasets", raw.datasets.as_ref()),
        views: folder("views", raw.views.as_ref()),
        agreements: folder("agreements", raw.agreements.as_ref()),
        algorithms: folder("algorithms", raw.algorithms.as_ref()),
        standards: folder("standards", raw.standards.as_ref()),
    }
}

/// A folder that is named must be there; the default one may be absent.
fn named(file: &File, key: &str, said: Option<&Spanned<String>>, path: &Path, report: &mut Report) {
    if let Some(text) = said
        && !path.is_dir()
    {
        let what = format!("{key} is {}, which is no folder", path.display());
        let fix = "correct the path, which is relative to the folder of node.toml, or create it";
        file.problem(report, text.span(), what, fix);
    }
}

pub(super) fn check(file: &File, raw: &raw::Node, report: &mut Report) -> Option<NodeConfig> {
    let base = file.folder();
    let Folders { datasets, views, agreements, algorithms, standards } = folders(file, raw);
    named(file, "datasets", raw.datasets.as_ref(), &datasets, report);
    named(file, "views", raw.views.as_ref(), &views, report);
    named(file, "agreements", raw.agreements.as_ref(), &agreements, report);
    named(file, "algorithms", raw.algorithms.as_ref(), &algorithms, report);
    named(file, "standards", raw.standards.as_ref(), &standards, report);
    let federation = file.name(report, "federation", &raw.federation);
    let body = body(file, &raw.body, report);
    let title = file.text(report, "title", &raw.title);
    let listen = address(file, "listen", &raw.listen, report);
    let health = raw.health.as_ref().map(|text| health(file, text, listen, report));
    let state = file.text(report, "state", &raw.state).map(|text| base.join(text));
    let contact = raw.contact.as_ref().and_then(|raw| about::contact(file, raw, report));
    let tls = tls(file, &base, &raw.tls, report);
    let public = raw.public.as_ref().map(|raw| public(file, &base, raw, [listen, health.flatten()], report));
    let ports = [listen, health.flatten(), public.as_ref().and_then(|public| public.as_ref()?.listen)];
    let workbench = raw.workbench.as_ref().map(|raw| workbench::check(file, raw, &ports, report));
    let cluster = raw.cluster.as_ref().map(|raw| cluster::check(file, raw, report));
    let limits = limits(file, &raw.limits, report);
    let audit = audit(file, &raw.audit, report);
    let telemetry = raw.telemetry.as_ref().map(|raw| telemetry(file, raw, report));
    let authorities = authorities(file, &raw.authorities, report);
    if let (Some(text), Some(member)) = (raw.authorities.first(), raw.members.first()) {
        let what = format!("[[members]] stand beside the authority {:?}, which says who they are", text.get_ref());
        file.problem(report, member.body.span(), what, "remove [[members]], or authorities");
    }
    let members = members(file, &raw.members, report);
    let federations = federations(file, (&base, federation.as_ref()), &raw.federations, report);
    let databases = database::check(file, &base, &raw.databases, &limits, report);
    let engines = engine::check(file, &base, &raw.engines, &limits, report);
    let stores = store::check(file, &base, &raw.stores, report);
    let addresses = addresses::lists(file, &base, &raw.addresses, report);
    Some(NodeConfig {
        federation: federation?,
        body: body?,
        title: title?,
        listen: listen?,
        health: given(health)?,
        state: state?,
        contact,
        datasets,
        views,
        agreements,
        algorithms,
        standards,
        tls: tls?,
        public: given(public)?.unwrap_or_default(),
        workbench: given(workbench)?,
        cluster: given(cluster)?,
        limits,
        audit,
        telemetry: given(telemetry)?,
        authorities: authorities?,
        members,
        federations,
        databases,
        engines,
        stores,
        addresses,
    })
}

/// What was checked where something was said; `None` where that is wrong.
fn given<T>(said: Option<Option<T>>) -> Option<Option<T>> {
    said.map_or(Some(None), |checked| checked.map(Some))
}

/// Other federations, each once and none this node's own. What anchors they have is checked where these are used.
fn federations(
    file: &File,
    (base, own): (&Path, Option<&Name>),
    raw: &[raw::Federation],
    report: &mut Report,
) -> Vec<FederationConfig> {
    let mut federations: Vec<FederationConfig> = Vec::with_capacity(raw.len());
    for said in raw {
        let name = file.name(report, "federations.name", &said.name);
        let ca = file.existing(report, base, "federations.ca", &said.ca);
        let authorities = authorities(file, &said.authorities, report);
        let members = members(file, &said.members, report);
        let (Some(name), Some(ca), Some(authorities)) = (name, ca, authorities) else { continue };
        let (what, fix) = if Some(&name) == own {
            (format!("federations.name is `{name}`, which is this node's own"), "remove it, or correct the name")
        } else if federations.iter().any(|known| known.name == name) {
            (format!("federation `{name}` stands twice"), "remove one")
        } else if authorities.is_empty() == members.is_empty() {
            (
                format!("federation `{name}` has to say who its members are, in one way"),
                "give authorities, or [[federations.members]]",
            )
        } else {
            federations.push(FederationConfig { name, ca, authorities, members });
            continue;
        };
        file.problem(report, said.name.span(), what, fix);
    }
    federations
}

fn body(file: &File, text: &Spanned<String>, report: &mut Report) -> Option<Name> {
    let name = file.name(report, "body", text)?;
    if name.as_str() == EVERY {
        file.problem(report, text.span(), format!("body is `{EVERY}`, which is reserved"), "choose another name");
        return None;
    }
    Some(name)
}

pub(super) fn address(file: &File, key: &str, text: &Spanned<String>, report: &mut Report) -> Option<SocketAddr> {
    let address = text.get_ref().parse().ok();
    if address.is_none() {
        let what = format!("{key} is {:?}, which is no address", text.get_ref());
        file.problem(report, text.span(), what, "write an IP address and a port, such as \"127.0.0.1:50051\"");
    }
    address
}

fn health(file: &File, text: &Spanned<String>, listen: Option<SocketAddr>, report: &mut Report) -> Option<SocketAddr> {
    let address = address(file, "health", text, report)?;
    if !address.ip().is_loopback() {
        let what = format!("health is {address}, which is no loopback address");
        file.problem(report, text.span(), what, "write 127.0.0.1 or [::1]: it is served without TLS");
        return None;
    }
    if Some(address) == listen && address.port() != 0 {
        file.problem(report, text.span(), format!("health is {address}, as is listen"), "choose another port");
        return None;
    }
    Some(address)
}

pub(super) fn tls(file: &File, base: &Path, raw: &raw::Tls, report: &mut Report) -> Option<TlsPaths> {
    let ca = file.existing(report, base, "tls.ca", &raw.ca);
    let cert = file.existing(report, base, "tls.cert", &raw.cert);
    let key = file.existing(report, base, "tls.key", &raw.key);
    Some(TlsPaths { ca: ca?, cert: cert?, key: key? })
}

/// The largest file of open data, in MiB, where nobody says.
const DOWNLOAD_MIB: u32 = 64;

/// Plain HTTP stays on the machine, for the body's own web server; whoever reads over a network does so by TLS.
fn public(
    file: &File,
    base: &Path,
    raw: &raw::Public,
    others: [Option<SocketAddr>; 2],
    report: &mut Report,
) -> Option<PublicConfig> {
    let certificate = raw.certificate.as_ref().map(|text| file.existing(report, base, "public.certificate", text));
    let key = raw.key.as_ref().map(|text| file.existing(report, base, "public.key", text));
    let counts = raw.counts.unwrap_or_default();
    let address_of_readers = raw.address.as_ref().map(|text| readers(file, text, report));
    let downloads = raw.downloads.as_ref().filter(|said| *said.get_ref());
    let largest = number(file, "public.download_mib", raw.download_mib.as_ref(), DOWNLOAD_MIB, report);
    let Some(said) = &raw.listen else {
        if let Some(said) = downloads {
            file.problem(report, said.span(), "public has downloads, and no listen", "add listen, or remove downloads");
        }
        if let Some(text) = raw.certificate.as_ref().or(raw.key.as_ref()) {
            let fix = "add listen, or remove certificate and key";
            file.problem(report, text.span(), "public has a certificate or a key, and no listen", fix);
        }
        return Some(PublicConfig { counts, ..PublicConfig::default() });
    };
    let listen = address(file, "public.listen", said, report);
    if let Some(address) = listen.filter(|address| address.port() != 0 && others.contains(&Some(*address))) {
        let what = format!("public.listen is {address}, as is listen or health");
        file.problem(report, said.span(), what, "choose another port");
        return None;
    }
    let tls = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(PublicTls { certificate: certificate?, key: key? }),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            let (has, lacks) = if raw.key.is_some() { ("key", "certificate") } else { ("certificate", "key") };
            let what = format!("public has a {has} and no {lacks}");
            let fix = format!("add {lacks}, or remove {has} to serve a loopback address");
            file.problem(report, said.span(), what, fix);
            return None;
        }
    };
    let listen = listen?;
    if tls.is_none() && !listen.ip().is_loopback() {
        let what = format!("public.listen is {listen}, which is no loopback address, and there is no certificate");
        let fix = "add certificate and key (PEM) that browsers trust, or write 127.0.0.1 or [::1] and let the body's web server \
                   pass requests on";
        file.problem(report, said.span(), what, fix);
        return None;
    }
    let download_mib = downloads.map(|_| largest);
    Some(PublicConfig { listen: Some(listen), tls, address: address_of_readers.flatten(), counts, download_mib })
}

/// Where readers find the public pages, or a problem.
fn readers(file: &File, text: &Spanned<String>, report: &mut Report) -> Option<String> {
    let is_address = text.get_ref().parse::<http::Uri>().is_ok_and(|uri| {
        let known = matches!(uri.scheme_str(), Some("https" | "http"));
        known && uri.authority().is_some_and(|authority| !authority.as_str().contains('@')) && uri.query().is_none()
    });
    if !is_address || text.get_ref().contains('#') {
        let what = format!("public.address is {:?}, which is no address of pages", text.get_ref());
        file.problem(report, text.span(), what, "write it as readers see it, such as \"https://data.camden.example/\"");
        return None;
    }
    Some(text.get_ref().trim_end_matches('/').to_owned() + "/")
}

/// A number of at least 1, or a problem and the default.
pub(super) fn number(file: &File, key: &str, said: Option<&Spanned<u32>>, default: u32, report: &mut Report) -> u32 {
    match said {
        Some(number) if *number.get_ref() == 0 => {
            let what = format!("{key} is 0");
            file.problem(report, number.span(), what, "write 1 or more, or leave it out for the default");
            default
        }
        Some(number) => *number.get_ref(),
        None => default,
    }
}

fn audit(file: &File, raw: &raw::Audit, report: &mut Report) -> AuditConfig {
    let default = AuditConfig::default();
    let mut number = |key, said, default| number(file, key, said, default, report);
    let record_days = raw.record_days.as_ref().map(|days| number("audit.record_days", Some(days), u32::MAX));
    AuditConfig {
        record_days,
        private_days: number("audit.private_days", raw.private_days.as_ref(), default.private_days),
        near_alert: number("audit.near_alert", raw.near_alert.as_ref(), default.near_alert),
    }
}

/// Spans go in the clear, and so to this machine alone: a collector of the operator's own takes them further.
fn telemetry(file: &File, raw: &raw::Telemetry, report: &mut Report) -> Option<TelemetryConfig> {
    if !traces::is_collector(raw.otlp.get_ref()) {
        let what = format!("telemetry.otlp is {:?}, which is no collector on this machine", raw.otlp.get_ref());
        file.problem(
            report,
            raw.otlp.span(),
            what,
            "write http, a loopback address and a port, such as \"http://127.0.0.1:4317\"",
        );
        return None;
    }
    let percent = raw.percent.as_ref().map_or(100, |percent| *percent.get_ref());
    if let Some(said) = raw.percent.as_ref().filter(|_| !(1..=100).contains(&percent)) {
        let fix = "write 1 to 100, or remove [telemetry] to trace nothing";
        file.problem(report, said.span(), format!("telemetry.percent is {percent}"), fix);
        return None;
    }
    Some(TelemetryConfig { otlp: raw.otlp.get_ref().clone(), percent })
}

fn limits(file: &File, raw: &raw::Limits, report: &mut Report) -> Limits {
    let default = Limits::default();
    let mut limit = |key: &str, said: &Option<Spanned<u32>>, default: usize| {
        let known = u32::try_from(default).unwrap_or(u32::MAX);
        let number = number(file, &format!("limits.{key}"), said.as_ref(), known, report);
        if said.is_none() { default } else { usize::try_from(number).unwrap_or(default) }
    };
    Limits {
        streams: limit("streams", &raw.streams, default.streams),
        message_bytes: limit("message_bytes", &raw.message_bytes, default.message_bytes),
        statement_bytes: limit("statement_bytes", &raw.statement_bytes, default.statement_bytes),
        seconds: limit("seconds", &raw.seconds, usize::try_from(default.seconds).unwrap_or(usize::MAX)) as u64,
        memory_mib: limit("memory_mib", &raw.memory_mib, default.memory_mib),
        held_mib: raw.held_mib.unwrap_or(default.held_mib),
        spill_mib: raw.spill_mib.unwrap_or(default.spill_mib),
        endpoints: limit("endpoints", &raw.endpoints, default.endpoints),
        worker_threads: limit("worker_threads", &raw.worker_threads, default.worker_threads),
        target_partitions: limit("target_partitions", &raw.target_partitions, default.target_partitions),
    }
}

fn authorities(file: &File, raw: &[Spanned<String>], report: &mut Report) -> Option<Vec<String>> {
    let form = ("authorities", "https://authority.example.org:7443");
    let read: Vec<_> = raw.iter().map(|text| endpoint(file, form, text, report)).collect();
    read.into_iter().collect()
}

fn members(file: &File, raw: &[raw::Member], report: &mut Report) -> Vec<Member> {
    let mut seen = HashSet::new();
    let mut members = Vec::with_capacity(raw.len());
    for member in raw {
        let body = body(file, &member.body, report);
        // A refused address leaves the member known, so that agreements with it are not refused as well.
        let endpoint = endpoint(file, ("endpoint", "https://node.example.org:50051"), &member.endpoint, report);
        let endpoint = endpoint.unwrap_or_default();
        let Some(body) = body else {
            continue;
        };
        if !seen.insert(body.clone()) {
            file.problem(report, member.body.span(), format!("member `{body}` stands twice"), "remove one");
            continue;
        }
        members.push(Member { body, endpoint });
    }
    members
}

pub(super) fn endpoint(
    file: &File,
    (key, example): (&str, &str),
    text: &Spanned<String>,
    report: &mut Report,
) -> Option<String> {
    let is_endpoint = text.get_ref().parse::<http::Uri>().is_ok_and(|uri| {
        let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        let authority =
            uri.authority().is_some_and(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'));
        uri.scheme_str() == Some("https") && authority && bare
    });
    if !is_endpoint {
        let what = format!("{key} is {:?}, which is no https address", text.get_ref());
        file.problem(report, text.span(), what, format!("write https, host and port, such as \"{example}\""));
        return None;
    }
    Some(text.get_ref().trim_end_matches('/').to_owned())
}
