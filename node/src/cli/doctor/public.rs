//! `[public]`: the port for readers, and the certificate and key that browsers are to trust.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use meridian_certs::Facts;
use tokio::net::{TcpListener, TcpStream};

use super::code::Code;
use super::identity::{self, HOUR};
use super::network;
use super::report::Report;
use crate::config::{NodeConfig, PublicTls};
use crate::web::public;

/// A certificate that is renewed in time has more left than this, in days.
const SOON: u64 = 14;

/// Looks at it.
pub(super) async fn look(node: &NodeConfig, running: bool, report: &mut Report) {
    let Some(listen) = node.public.listen else { return };
    if let Some(tls) = &node.public.tls {
        certificate(tls, node.public.address.as_deref(), report);
    }
    let code = Code::PublicListen;
    if !running {
        match TcpListener::bind(listen).await {
            Ok(_) => report.good(code, format!("{listen} is free for readers")),
            Err(error) => network::unbound(code, listen, ("listen of [public]", &error), report),
        }
        return;
    }
    let answers = match &node.public.tls {
        None => network::status(listen, "/register/").await.as_deref() == Some("200"),
        // What it serves by TLS is for browsers to say.
        Some(_) => TcpStream::connect(listen).await.is_ok(),
    };
    if answers {
        report.good(code, format!("readers are answered at {listen}"));
    } else {
        let fix = "restart the node, and read what it logs: the public port takes effect with a start alone";
        report.fault(code, format!("the node runs, and the register is not answered at {listen}"), fix);
    }
}

fn certificate(tls: &PublicTls, address: Option<&str>, report: &mut Report) {
    let (shown, key) = (tls.certificate.display(), tls.key.display());
    if fs::metadata(&tls.key).is_ok_and(|metadata| metadata.permissions().mode() & 0o007 != 0) {
        report.fault(
            Code::PublicKey,
            format!("every user of this machine can read {key}"),
            format!("chmod o-rwx {key}"),
        );
    } else {
        report.good(Code::PublicKey, format!("{key} is not everybody's"));
    }
    let files = public::Files { certificate: tls.certificate.clone(), key: tls.key.clone() };
    if let Err(why) = public::usable(&files) {
        let fix = "set certificate and key of [public] in node.toml to PEM files that belong together";
        report.fault(Code::PublicCertificate, format!("{shown} and {key} can't be used: {why}"), fix);
        return;
    }
    report.good(Code::PublicCertificate, format!("{shown} and {key} belong together"));
    let facts = Facts::of_file(&tls.certificate).unwrap_or_default();
    let Some(first) = facts.first() else { return };
    time(first, &shown.to_string(), report);
    let host = address.and_then(|address| Some(address.parse::<http::Uri>().ok()?.host()?.to_owned()));
    let Some(host) = host else { return };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if first.hosts.iter().any(|named| covers(named, host)) {
        report.good(Code::PublicHost, format!("{shown} is for {host}"));
    } else {
        let what = format!("readers find the pages at {host}, and {shown} is for {}", first.hosts.join(", "));
        let fix = "have a certificate made for that host, or correct address of [public] in node.toml";
        report.warning(Code::PublicHost, what, fix);
    }
}

fn time(facts: &Facts, shown: &str, report: &mut Report) {
    let now = SystemTime::now();
    let fix = "put a new chain and key in their place: the node takes them within a minute, without a restart";
    let (code, ends) = (Code::PublicTime, identity::date(facts.not_after));
    if facts.not_after < now {
        report.fault(code, format!("{shown} ended {ends}: browsers refuse it"), fix);
    } else if facts.not_before > now {
        let what = format!("{shown} holds from {} only: browsers refuse it", identity::date(facts.not_before));
        report.fault(code, what, fix);
    } else if facts.not_after < now + Duration::from_secs(SOON * 24 * HOUR) {
        report.warning(code, format!("{shown} ends {ends}"), fix);
    } else {
        report.good(code, format!("{shown} holds until {ends}"));
    }
}

/// Whether a name of a certificate, which may begin with `*.`, is that of a host.
fn covers(named: &str, host: &str) -> bool {
    let (named, host) = (named.to_lowercase(), host.to_lowercase());
    match named.strip_prefix("*.") {
        Some(domain) => host.split_once('.').is_some_and(|(first, rest)| !first.is_empty() && rest == domain),
        None => named == host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_label() {
        for (named, host, does) in [
            ("data.camden.example", "Data.camden.example", true),
            ("*.camden.example", "data.camden.example", true),
            ("*.camden.example", "a.data.camden.example", false),
            ("*.camden.example", "camden.example", false),
            ("127.0.0.1", "127.0.0.1", true),
        ] {
            assert_eq!(covers(named, host), does, "{named} {host}");
        }
    }
}
