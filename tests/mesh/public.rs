//! The register as anybody reads it: pages in a real browser, addresses, and what the port does not do.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use meridian::register::{Place, View, kept};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::support::{Mesh, PATIENCE, Running, browser, free, get, http, meridian, until};

/// A mesh of which Barnet is not up; LODA's node serves the register here.
fn served() -> (Mesh, SocketAddr) {
    let mesh = Mesh::prepared();
    let address = free();
    publish(&mesh, "loda", &format!("listen = \"{address}\""));
    (mesh, address)
}

/// Adds to a body's `node.toml` where the register is served.
fn publish(mesh: &Mesh, body: &str, lines: &str) {
    let file = fs::OpenOptions::new().append(true).open(mesh.folder(body).join("node.toml"));
    writeln!(file.unwrap(), "\n[public]\n{lines}").unwrap();
}

/// The body of an answer that is as it should be.
#[track_caller]
fn read(address: SocketAddr, path: &str) -> String {
    let answer = get(address, &format!("/register/{path}"));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{path}: {head}");
    body.to_owned()
}

/// Waits until LODA's node shows what these bodies tell.
fn told(address: SocketAddr, bodies: &[&str]) {
    until("LODA's node knows the registers", || {
        let listed = read(address, "bodies.csv");
        let is_told =
            |body: &&str| listed.lines().any(|line| line.starts_with(&format!("{body},")) && !line.ends_with(",,"));
        bodies.iter().all(is_told).then_some(())
    });
}

#[test]
fn every_page_is_for_everybody() {
    let (mesh, address) = served();
    let silent = mesh.boroughs().next().unwrap().to_owned();
    let up: Vec<&str> = mesh.bodies().filter(|body| **body != *silent).collect();
    up.iter().for_each(|body| mesh.count_live(body));
    up.iter().for_each(|body| mesh.start(body));
    mesh.ask("SELECT borough_gss, COUNT(*) AS n FROM lfb.incidents GROUP BY borough_gss");
    mesh.client("lfb", Some(&mesh.node_pair("loda"))).remote("SELECT note FROM lfb.incidents").unwrap_err();
    mesh.ask("SELECT gss FROM gla.boroughs");
    told(address, &up);
    until("LODA's node knows what was asked of LFB", || read(address, "refused.csv").contains("lfb,").then_some(()));
    let root = format!("http://{address}/register/");
    let pages = [
        "",
        "agreements",
        "agreements?q=fire",
        "agreements/fire-risk-2026",
        "agreements/ward-risk-2026",
        "bodies",
        "bodies?q=nobody",
        "bodies/lfb",
        "bodies/gla",
        &format!("bodies/{silent}"),
        "datasets",
        "datasets?q=dwell",
        "algorithms",
        "algorithms/loda/fire-risk",
        "refused",
        "about",
        "no/such/page",
    ];
    let with = |task: &str, more: &[&str]| {
        let ran = browser("public.mjs", task, &[&[root.as_str()], more].concat());
        assert_eq!(ran.ok().trim(), format!("ok {task}"), "{}", ran.stderr);
    };
    if let Some(folder) = std::env::var_os("MERIDIAN_TEST_PICTURES") {
        with("pictures", &[&[folder.to_str().unwrap()], &pages[..]].concat());
    }
    with("look", &pages);
    with("keyboard", &["", "bodies", "agreements/fire-risk-2026", "datasets"]);
    with("find", &["london fire", "London Fire Brigade"]);
}

#[test]
fn every_page_of_the_catalogue_is_for_everybody() {
    let (mesh, address) = served();
    mesh.start_all();
    let root = format!("http://{address}/catalogue/");
    until("LODA's node knows what is published", || {
        let listed = get(address, "/catalogue/catalogue.json");
        let is_told = |body: &str| body == "loda" || listed.contains(&format!("\"london.{body}."));
        mesh.bodies().all(is_told).then_some(())
    });
    let borough = mesh.boroughs().next().unwrap().to_owned();
    let homes = format!("datasets/{borough}/dwellings");
    let pages = [
        "",
        "?q=fire",
        "?q=fires+attnded",
        "?q=nothing-like-that-anywhere",
        "datasets/lfb/incidents",
        "datasets/gla/boroughs",
        &homes,
        "bodies/lfb",
        "standards",
        "standards/dwellings",
        "no/such/page",
    ];
    let with = |task: &str, more: &[&str]| {
        let ran = browser("public.mjs", task, &[&[root.as_str()], more].concat());
        assert_eq!(ran.ok().trim(), format!("ok {task}"), "{}", ran.stderr);
    };
    if let Some(folder) = std::env::var_os("MERIDIAN_TEST_PICTURES") {
        with("pictures", &[&[folder.to_str().unwrap()], &pages[..]].concat());
    }
    with("look", &pages);
    with("keyboard", &["", "datasets/lfb/incidents", "standards/dwellings"]);
    with("dataset", &["fire stations", "Fire stations"]);
}

#[test]
fn the_register_is_read_and_nothing_else() {
    let (mesh, address) = served();
    mesh.start("loda");
    let request = |method: &str, path: &str, more: &str| {
        http(address, &format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}\r\n"))
    };
    for path in ["/register/", "/register/bodies/loda", "/register/register.json", "/register/style.css"] {
        let answer = request("GET", path, "");
        for said in ["HTTP/1.1 200 OK", "default-src 'none'", "nosniff", "no-referrer", "frame-ancestors 'none'"] {
            assert!(answer.contains(said), "{path} says no {said}: {answer}");
        }
        assert!(!answer.to_lowercase().contains("set-cookie"), "{answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let only_head = request("HEAD", path, "");
        let length = format!("content-length: {}", body.len());
        assert!(
            only_head.ends_with("\r\n\r\n") && only_head.contains(&length) && head.contains(&length),
            "{only_head}"
        );
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT"] {
        let answer = request(method, "/register/", "");
        assert!(answer.starts_with("HTTP/1.1 405") || answer.starts_with("HTTP/1.1 400"), "{method}: {answer}");
    }
    for path in
        ["/register/x", "/register/../node.toml", "/register/bodies/../../../etc/passwd", "/x", "/register/bodies/"]
    {
        let answer = request("GET", path, "");
        assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("Page not found"), "{path}: {answer}");
    }
    for path in ["/", "/register"] {
        let answer = request("GET", path, "");
        assert!(answer.starts_with("HTTP/1.1 308") && answer.contains("location: /register/\r\n"), "{path}: {answer}");
    }
    let many = "x: y\r\n".repeat(100);
    let long = format!("x: {}\r\n", "y".repeat(20_000));
    for head in [many, long] {
        assert!(request("GET", "/register/", &head).starts_with("HTTP/1.1 431"), "a head of {} bytes", head.len());
    }
    assert!(read(address, "bodies?q=%3Cb%3Enobody").contains("“&lt;b&gt;nobody”"));
}

#[test]
fn a_body_that_is_down_is_shown_as_of_its_day_and_one_that_never_told_is_named() {
    let (mesh, address) = served();
    let silent = mesh.boroughs().next().unwrap().to_owned();
    let up: Vec<&str> = mesh.bodies().filter(|body| **body != *silent).collect();
    up.iter().for_each(|body| mesh.start(body));
    told(address, &up);
    let lfb = read(address, "bodies/lfb.json");
    mesh.stop("lfb");
    mesh.stop("loda");
    mesh.start("loda");
    assert_eq!(read(address, "bodies/lfb.json"), lfb, "what it said stays");
    let never = "this node has not heard from it yet";
    assert!(read(address, &format!("bodies/{silent}")).contains(never));
    assert!(read(address, "bodies").contains("Has not told its register yet"));
    assert!(read(address, "").contains("1 not heard from yet"));

    // All bodies that share data under an agreement, on one page.
    let agreement = read(address, "agreements/fire-risk-2026");
    for body in up.iter().filter(|body| !["gla", "loda"].contains(body)) {
        assert!(agreement.contains(&format!("../bodies/{body}\"")), "{body}: {agreement}");
    }
    assert!(agreement.contains("Fire and Rescue Services Act 2004") && agreement.contains("Localism Act 2011"));

    for said in ["LODA-DPIA-2026-03", "LFB-DPIA-2026-11", "How long it is kept", "Looked at again"] {
        assert!(agreement.contains(said), "{said}: {agreement}");
    }
    assert!(read(address, "agreements.csv").lines().next().unwrap().contains(",dpia,dpo_view,"));

    // Some days later.
    let registers = kept(&mesh.folder("loda").join("state/registers"));
    let later = (Utc::now() + TimeDelta::days(3)).date_naive();
    let bodies = registers.into_iter().map(|(body, register)| (body, Some(register)));
    let view = View::new("london".parse().unwrap(), later, bodies);
    let page = view.document("bodies/lfb", None, Place::Served).unwrap().text;
    assert!(page.contains("not heard of since") && page.contains("can't be reached"), "{page}");

    // The same as files.
    let dir = mesh.dir.join("federation");
    let config = mesh.folder("loda").join("node.toml");
    let mut command = meridian();
    command.args(["register", "--federation", "--config"]).arg(config).arg("--dir").arg(&dir);
    Running::start(&mut command).end().ok();
    let file = |name: &str| fs::read_to_string(dir.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(file("bodies/lfb.json"), lfb);
    assert!(file(&format!("bodies/{silent}.html")).contains(never));
    assert_eq!(file("agreements.csv"), read(address, "agreements.csv"));
    // Every link leads to a file.
    for page in ["index.html", "bodies/lfb.html", "agreements/fire-risk-2026.html", "algorithms/loda/fire-risk.html"] {
        let text = file(page);
        let links: Vec<&str> = text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(links.len() > 10, "{page}: {links:?}");
        for link in links.iter().filter(|link| !link.contains(':') && !link.starts_with('#')) {
            assert!(dir.join(page).parent().unwrap().join(link).exists(), "{page} leads to {link}");
        }
    }
}

#[test]
fn over_a_network_it_is_served_by_tls() {
    let (mesh, address) = (Mesh::prepared(), free());
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["register.example".to_owned()]).unwrap();
    let folder = mesh.folder("loda");
    fs::write(folder.join("web.pem"), cert.pem()).unwrap();
    fs::write(folder.join("web.key"), signing_key.serialize_pem()).unwrap();
    let lines = format!("listen = \"{address}\"\ncertificate = \"web.pem\"\nkey = \"web.key\"");
    publish(&mesh, "loda", &lines);
    mesh.start("loda");
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let name = ServerName::try_from("register.example").unwrap();
    let tcp = TcpStream::connect(address).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = StreamOwned::new(ClientConnection::new(config, name).unwrap(), tcp);
    stream.write_all(b"GET /register/ HTTP/1.1\r\nHost: register.example\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    // It may end without a word of farewell.
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("strict-transport-security"), "{answer}");
    assert!(answer.ends_with("</html>"), "{answer}");
    let mut plain = TcpStream::connect(address).unwrap();
    plain.write_all(b"GET /register/ HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut heard = Vec::new();
    let _ = plain.read_to_end(&mut heard);
    assert!(!String::from_utf8_lossy(&heard).contains("HTTP/1.1"), "{heard:?}");
}

#[test]
fn in_the_clear_it_is_served_on_this_machine_alone() {
    let mesh = Mesh::prepared();
    publish(&mesh, "loda", "listen = \"0.0.0.0:8080\"");
    let file = mesh.folder("loda").join("node.toml");
    let text = fs::read_to_string(&file).unwrap();
    let line = 1 + text.lines().position(|line| line == "listen = \"0.0.0.0:8080\"").unwrap();
    let ran = Running::start(meridian().args(["node", "serve", "--config"]).arg(&file)).end();
    let expected =
        format!("node.toml:{line}: public.listen is 0.0.0.0:8080, which is no loopback address, and there is no");
    assert!(ran.fails(1).contains(&expected), "{}", ran.stderr);
}
