//! Faults of `[public]`: its port, certificate and key.

use std::cell::RefCell;
use std::fs;
use std::net::TcpListener;
use std::path::Path;

use chrono::{Datelike, TimeDelta, Utc};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::super::support::free;
use super::*;

/// A certificate for a host, valid from so many days from now to so many, and its key.
fn certified(host: &str, from: i64, to: i64) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    let day = |days: i64| {
        let day = (Utc::now() + TimeDelta::days(days)).date_naive();
        date_time_ymd(day.year(), day.month().try_into().unwrap(), day.day().try_into().unwrap())
    };
    (params.not_before, params.not_after) = (day(from), day(to));
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn put(folder: &Path, (certificate, key): (String, String)) {
    fs::write(folder.join("web.pem"), certificate).unwrap();
    fs::write(folder.join("web.key"), key).unwrap();
    mode(&folder.join("web.key"), 0o600);
}

#[test]
fn the_faults_of_the_public_port_are_found() {
    let patient = Patient::new();
    let (listen, folder) = (free(), &patient.folder);
    let toml = fs::read_to_string(patient.at("node.toml")).unwrap();
    let table = format!(
        "{toml}\n[public]\nlisten = \"{listen}\"\naddress = \"https://data.lfb.example/\"\ncertificate = \"web.pem\"\nkey = \"web.key\"\n"
    );
    put(folder, certified("data.lfb.example", -1, 60));
    // It takes effect with a start alone.
    let (added, mesh) = (|| fs::write(patient.at("node.toml"), &table).unwrap(), &patient.town.mesh);
    let restarted = || {
        mesh.stop("lfb");
        mesh.start("lfb");
    };
    patient.finds("fault", "public.listen", &["not answered", "restart the node"], added, restarted);
    mesh.stop("lfb");
    let other = RefCell::new(None);
    let taken = || *other.borrow_mut() = Some(TcpListener::bind(listen).unwrap());
    let words = [&listen.to_string(), "stop the program", "[public]"];
    patient.finds("fault", "public.listen", &words, taken, || drop(other.take()));
    let good = || put(folder, certified("data.lfb.example", -1, 60));
    for (level, code, words, pair) in [
        ("fault", "public.time", ["ended on", "new chain"], certified("data.lfb.example", -20, -2)),
        ("fault", "public.time", ["holds from", "new chain"], certified("data.lfb.example", 2, 60)),
        ("warning", "public.time", ["ends on", "new chain"], certified("data.lfb.example", -20, 5)),
        (
            "warning",
            "public.host",
            ["is for elsewhere.example", "for that host"],
            certified("elsewhere.example", -1, 60),
        ),
        (
            "fault",
            "public.certificate",
            ["can't be used", "belong together"],
            (certified("data.lfb.example", -1, 60).0, certified("data.lfb.example", -1, 60).1),
        ),
    ] {
        patient.finds(level, code, &words, || put(folder, pair), good);
    }
    let open = || mode(&folder.join("web.key"), 0o644);
    patient.finds_and_runs("fault", "public.key", &["web.key", "chmod o-rwx"], open);
}
