//! The register as anybody reads it: pages in a real browser, addresses, and what the port does not do.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;

use super::support::{Mesh, browser, free, get, http, until};

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
        "refused",
        "about",
        "no/such/page",
    ];
    let with = |task: &str, more: &[&str]| {
        let ran = browser(task, &[&[root.as_str()], more].concat());
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
