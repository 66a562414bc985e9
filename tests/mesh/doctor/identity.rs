//! Faults of certificate and key, and of the roots that they hang on.

use std::fs;
use std::time::{Duration, SystemTime};

use meridian_certs::{Authority, Validity};

use super::super::support::{Running, certify, meridian, scratch, until};
use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn the_faults_of_certificates_are_found() {
    let patient = Patient::new();
    let mesh = &patient.town.mesh;
    mesh.stop("lfb");
    let (toml, identity) = ("node.toml", "identity.pem");
    patient.finds_and_runs("fault", "certificate.permissions", &["chmod 600"], || mode(&patient.at(identity), 0o644));
    let (london, now) = (mesh.authority(), SystemTime::now());
    let own = |validity| certify(&london, "spiffe://london/body/lfb/node", validity);
    let expired = own(Validity { not_before: now - DAY * 2, not_after: now - DAY });
    patient.finds_in(identity, "fault", "certificate.time", &["expired"], |path| in_one(&expired, path));
    let early = own(Validity { not_before: now + DAY, not_after: now + DAY * 2 });
    patient.finds_in(identity, "fault", "certificate.time", &["valid from"], |path| in_one(&early, path));
    let short = own(Validity::from_now(DAY));
    patient.finds_in(identity, "warning", "certificate.time", &["ends in", "node renew"], |path| in_one(&short, path));
    let names = ["body/gla/node", "body/lfb/node", "node.toml"];
    patient.finds_in(identity, "fault", "certificate.identity", &names, |path| {
        fs::copy(mesh.folder("gla").join(identity), path).unwrap();
    });
    let impostor = Authority::create(&"london".parse().unwrap(), &scratch("impostor")).unwrap();
    let false_one = certify(&impostor, "spiffe://london/body/lfb/node", Validity::from_now(DAY * 7));
    patient.finds_in(identity, "fault", "certificate.issuer", &["not signed by"], |path| in_one(&false_one, path));
    let (one, other) = (own(Validity::from_now(DAY * 7)), own(Validity::from_now(DAY * 7)));
    patient.finds_in(identity, "fault", "certificate.key", &["does not belong to", "use the key"], |path| {
        in_one(&super::super::support::Pair { cert: one.cert.clone(), key: other.key.clone() }, path);
    });
    patient.finds_in(identity, "fault", "certificate", &["no PEM section"], write(""));
    patient.finds_in(toml, "warning", "certificate.renewal", &["two files"], |path| {
        fs::copy(patient.at(identity), patient.at("node.key")).unwrap();
        replaced(path, "key = \"identity.pem\"", "key = \"node.key\"");
    });
    // Who answers in the authority's place is of another root; the right one is served again.
    let aside = mesh.dir.join("aside");
    let served = |from: &std::path::Path, to: &std::path::Path| {
        patient.town.kill_authority();
        fs::rename(patient.town.folder(), to).unwrap();
        fs::rename(from, patient.town.folder()).unwrap();
        patient.town.start_authority();
    };
    let false_folder = mesh.dir.join("false");
    let init = ["authority", "init", "--federation", "london", "--dir"];
    Running::start(meridian().args(init).arg(&false_folder)).end().ok();
    patient.finds(
        "fault",
        "authority.root",
        &["not signed by", "fingerprint"],
        || served(&false_folder, &aside),
        || served(&aside, &false_folder),
    );
}

#[test]
fn a_certificate_that_hangs_on_an_old_root_is_found_and_renewed() {
    let patient = Patient::new();
    let (town, mesh) = (&patient.town, &patient.town.mesh);
    let run = |arguments: &[&str]| Running::start(meridian().args(arguments)).end().ok().to_owned();
    let at = |name: &str| mesh.dir.join(name).to_str().unwrap().to_owned();
    let roots = || fs::read_to_string(patient.at("ca.pem")).unwrap().matches("BEGIN CERTIFICATE").count();
    let two = || {
        run(&["authority", "root", "new", "--old", &at("authority"), "--dir", &at("root")]);
        run(&["authority", "root", "install", "--root", &at("root"), "--dir", &at("authority")]);
        until("the node has followed", || (roots() == 2).then_some(()));
        run(&["authority", "issuer", "request", "--dir", &at("second")]);
        let (request, signed) = (at("second/issuer.csr"), at("issuer.pem"));
        run(&["authority", "issuer", "sign", "--dir", &at("root"), "--request", &request, "--out", &signed]);
        town.kill_authority();
        let (ca, membership) = (at("authority/ca.pem"), at("authority/membership"));
        let from = ["--certificate", &signed, "--ca", &ca, "--membership", &membership];
        run(&[&["authority", "issuer", "install", "--dir", &at("second")][..], &from].concat());
        fs::rename(at("authority"), at("first")).unwrap();
        fs::rename(at("second"), at("authority")).unwrap();
        town.start_authority();
    };
    patient.finds_and_runs("warning", "certificate.root", &["old one", "node renew"], two);
}
