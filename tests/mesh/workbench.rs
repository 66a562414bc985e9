//! The workbench as an analyst meets it: a real browser with their certificate, and what whoever should not come in meets.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use meridian_examples::london::FIRE_RISK;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::support::{Mesh, PATIENCE, Pair, browser, free, until};

/// A mesh whose LODA serves the workbench and the public pages.
struct Served {
    mesh: Mesh,
    address: SocketAddr,
    portal: String,
}

impl Served {
    fn new() -> Self {
        let mesh = Mesh::prepared();
        let (address, public) = (free(), free());
        serve(&mesh, "loda", address);
        add(&mesh, "loda", &format!("[public]\nlisten = \"{public}\"\n"));
        outlines(&mesh);
        mesh.start_all();
        Self { mesh, address, portal: format!("http://{public}/catalogue/") }
    }

    fn origin(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Has a browser do something with Asha's certificate.
    #[track_caller]
    fn with(&self, task: &str, more: &[&str]) {
        let (origin, Pair { cert, key }) = (self.origin(), self.mesh.asha());
        let own = [origin.as_str(), cert.to_str().unwrap(), key.to_str().unwrap()];
        let ran = browser("workbench.mjs", task, &[&own, more].concat());
        assert_eq!(ran.ok().trim(), format!("ok {task}"), "{}", ran.stderr);
    }

    /// A connection of this certificate's holder on which they were answered, and which is kept.
    fn kept_open(&self, pair: &Pair) -> StreamOwned<ClientConnection, TcpStream> {
        let mut open = connect(&self.mesh, self.address, Some(pair));
        let kept = [("connection", "keep-alive")];
        open.write_all(&request(self.address, "/api/session", "application/json", &kept, b"{}")).unwrap();
        let mut answer = [0; 16];
        open.read_exact(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200"));
        open
    }

    /// What the server answers to a question of this certificate's holder.
    fn post(&self, pair: &Pair, path: &str, body: &str) -> String {
        send(
            &self.mesh,
            self.address,
            Some(pair),
            &request(self.address, path, "application/json", &[], body.as_bytes()),
        )
    }
}

fn add(mesh: &Mesh, body: &str, lines: &str) {
    let file = fs::OpenOptions::new().append(true).open(mesh.folder(body).join("node.toml"));
    writeln!(file.unwrap(), "\n{lines}").unwrap();
}

fn serve(mesh: &Mesh, body: &str, address: SocketAddr) {
    add(mesh, body, &format!("[workbench]\nlisten = \"{address}\"\n"));
}

/// LODA publishes outlines of the three boroughs, as they might be.
fn outlines(mesh: &Mesh) {
    let feature = |(gss, x, y): (&str, f64, f64)| {
        let ring = [(x, y), (x + 0.04, y), (x + 0.03, y + 0.03), (x, y + 0.04), (x, y)];
        let ring: Vec<String> = ring.iter().map(|(x, y)| format!("[{x:.3}, {y:.3}]")).collect();
        format!(
            "{{\"type\": \"Feature\", \"properties\": {{\"gss\": \"{gss}\"}}, \"geometry\": {{\"type\": \"Polygon\", \
             \"coordinates\": [[{}]]}}}}",
            ring.join(", ")
        )
    };
    let features = [("E09000007", -0.18, 51.53), ("E09000012", -0.08, 51.53), ("E09000001", -0.1, 51.5)].map(feature);
    let folder = mesh.folder("loda");
    for name in ["datasets", "data"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    let collection = format!("{{\"type\": \"FeatureCollection\", \"features\": [{}]}}", features.join(", "));
    fs::write(folder.join("data/outlines.geojson"), collection).unwrap();
    let dataset = "name = \"outlines\"\ntitle = \"Outlines\"\ndescription = \"\"\nlicence = \"OGL-UK-3.0\"\nform = \"open\"\n\n\
                   [source]\nkind = \"geojson\"\npath = \"data/outlines.geojson\"\n\n\
                   [[columns]]\nname = \"gss\"\ntype = \"varchar\"\nrole = \"dimension\"\nconcept = \"gss:borough\"\n\n\
                   [[columns]]\nname = \"geometry\"\ntype = \"bytea\"\n";
    fs::write(folder.join("datasets/outlines.toml"), dataset).unwrap();
}

/// A request as the workbench's own page makes it; `other` headers stand in place of those of the same name.
fn request(address: SocketAddr, path: &str, kind: &str, other: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let own = [
        ("host", address.to_string()),
        ("origin", format!("https://{address}")),
        ("sec-fetch-site", "same-origin".to_owned()),
        ("content-type", kind.to_owned()),
        ("content-length", body.len().to_string()),
        ("connection", "close".to_owned()),
    ];
    let mut head = format!("POST {path} HTTP/1.1\r\n");
    for (name, value) in own.iter().filter(|(name, _)| !other.iter().any(|(known, _)| known == name)) {
        head += &format!("{name}: {value}\r\n");
    }
    for (name, value) in other.iter().filter(|(_, value)| !value.is_empty()) {
        head += &format!("{name}: {value}\r\n");
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// A connection with this certificate, or with none.
fn connect(mesh: &Mesh, address: SocketAddr, pair: Option<&Pair>) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    for anchor in CertificateDer::pem_slice_iter(&fs::read(mesh.ca()).unwrap()) {
        roots.add(anchor.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots);
    let config = match pair {
        None => config.with_no_client_auth(),
        Some(Pair { cert, key }) => {
            let chain = CertificateDer::pem_slice_iter(&fs::read(cert).unwrap()).map(Result::unwrap).collect();
            config
                .with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(&fs::read(key).unwrap()).unwrap())
                .unwrap()
        }
    };
    let tcp = TcpStream::connect(address).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), tcp)
}

/// What is answered; nothing where the connection is refused.
fn send(mesh: &Mesh, address: SocketAddr, pair: Option<&Pair>, request: &[u8]) -> String {
    let mut stream = connect(mesh, address, pair);
    let mut answer = Vec::new();
    // Whoever is refused may be cut off while they speak; what was answered until then counts.
    let _ = stream.write_all(request).and_then(|()| stream.flush());
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[track_caller]
fn status(answer: &str) -> u16 {
    let code = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
    code.unwrap_or_else(|| panic!("no answer: {answer:?}"))
}

const QUESTION: &str = r#"{"sql":"SELECT gss, name FROM gla.boroughs"}"#;

#[test]
fn an_analyst_asks_looks_keeps_and_saves() {
    let served = Served::new();
    let answer = served.mesh.ask(FIRE_RISK);
    // LODA's own record is not counted among those of others.
    let bodies = (served.mesh.bodies().count() - 1).to_string();
    served.with("way", &[&served.portal, FIRE_RISK, answer.ok(), &bodies]);
    served.with("keyboard", &[FIRE_RISK, "E09000007"]);
    served.with("million", &[]);
    // Each question of the workbench is in the log like any other, for its analyst.
    let records = served.mesh.records("loda");
    let logged =
        records.iter().filter(|record| format!("{record:?}").contains("spiffe://london/body/loda/analyst/asha"));
    assert!(logged.count() >= 5);
}

#[test]
fn a_body_that_is_silent_is_shown_and_the_question_can_be_cancelled() {
    let served = Served::new();
    served.mesh.signal("camden", "STOP");
    served.with("cancel", &[FIRE_RISK, "Camden"]);
    served.mesh.signal("camden", "CONT");
    until("the log says that it was interrupted", || {
        let records = served.mesh.records("loda");
        records.iter().any(|record| format!("{record:?}").to_lowercase().contains("interrupted")).then_some(())
    });
}

#[test]
fn every_answer_is_sealed_and_nothing_else_is_served() {
    let served = Served::new();
    let asha = served.mesh.asha();
    let get = |method: &str, path: &str| {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", served.address);
        send(&served.mesh, served.address, Some(&asha), request.as_bytes())
    };
    for path in ["/", "/q/0123456789abcdef", "/assets/main.js", "/assets/style.css", "/nothing"] {
        let answer = get("GET", path).to_lowercase();
        for said in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "nosniff",
            "no-store",
            "no-referrer",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(answer.contains(said), "{path} says no {said}: {answer}");
        }
        assert!(!answer.contains("access-control-") && !answer.contains("set-cookie"), "{path}: {answer}");
        assert!(!answer.contains("unsafe-inline") && !answer.contains("unsafe-eval"), "{path}");
    }
    for (method, path, expected) in [
        ("HEAD", "/", 200),
        ("GET", "/api/session", 404),
        ("GET", "/assets/../mod.rs", 404),
        ("GET", "/assets/", 404),
        ("GET", "/q/a/b", 404),
        ("PUT", "/", 405),
        ("OPTIONS", "/api/run", 405),
        ("DELETE", "/q/0123456789abcdef", 405),
    ] {
        assert_eq!(status(&get(method, path)), expected, "{method} {path}");
    }
    let page = get("GET", "/");
    assert!(!page.contains(" style=") && !page.contains(" onclick") && !page.contains("<script>"), "{page}");
}

/// Gains nothing: a page elsewhere makes a browser send the certificate, and not the marks of the workbench's own page.
#[test]
fn another_site_asks() {
    let served = Served::new();
    let asha = served.mesh.asha();
    let asked = |kind: &str, other: &[(&str, &str)]| {
        let request = request(served.address, "/api/run", kind, other, QUESTION.as_bytes());
        status(&send(&served.mesh, served.address, Some(&asha), &request))
    };
    assert_eq!(asked("application/json", &[]), 200);
    for other in [
        &[("origin", "https://elsewhere.example"), ("sec-fetch-site", "cross-site")][..],
        &[("origin", "https://elsewhere.example")],
        &[("origin", "null"), ("sec-fetch-site", "cross-site")],
        &[("origin", "")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
    ] {
        assert_eq!(asked("application/json", other), 403, "{other:?}");
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json; x=y"] {
        assert_eq!(asked(kind, &[]), 415, "{kind}");
    }
    // A browser, from a site on another port.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let site = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let page = "<!doctype html><title>elsewhere</title>";
            let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n", page.len());
            let _ = stream.write_all(format!("{head}Connection: close\r\n\r\n{page}").as_bytes());
        }
    });
    until("the answer's end is recorded", || {
        served.mesh.records("loda").iter().any(|line| line.outcome_of().is_some()).then_some(())
    });
    let before = served.mesh.records("loda").len();
    served.with("elsewhere", &[&site]);
    assert_eq!(served.mesh.records("loda").len(), before, "something was asked");
}

/// Gains nothing: a name of the attacker's that resolves to the node is not one that the workbench answers to.
#[test]
fn a_name_that_points_here() {
    let served = Served::new();
    let asha = served.mesh.asha();
    for host in ["rebound.example", "rebound.example:443", "127.0.0.1", "127.0.0.1:1"] {
        let origin = format!("https://{host}");
        let other = [("host", host), ("origin", origin.as_str())];
        let request = request(served.address, "/api/session", "application/json", &other, b"{}");
        assert_eq!(status(&send(&served.mesh, served.address, Some(&asha), &request)), 421, "{host}");
    }
}

/// Gains nothing: without a certificate, with that of another body's analyst or of another federation's, no connection is made;
/// a node's own opens one, and is answered nothing.
#[test]
fn no_certificate_or_that_of_another_body() {
    let served = Served::new();
    let li = served.mesh.analyst("lfb", "li");
    let asked = |pair: Option<&Pair>| {
        let request = request(served.address, "/api/session", "application/json", &[], b"{}");
        send(&served.mesh, served.address, pair, &request)
    };
    assert_eq!(asked(None), "");
    assert_eq!(asked(Some(&li)), "");
    let node = asked(Some(&served.mesh.node_pair("lfb")));
    assert_eq!(status(&node), 403, "{node}");
    assert!(!node.contains("asha") && !node.contains("formats"), "{node}");
    assert_eq!(status(&asked(Some(&served.mesh.asha()))), 200);
}

/// Gains nothing: who was removed is cut off while their connection is open, and makes no other.
#[test]
fn an_analyst_who_was_removed() {
    let served = Served::new();
    let bola = served.mesh.analyst("loda", "bola");
    let mut open = served.kept_open(&bola);
    served.mesh.analysts("loda").remove(&"bola".parse().unwrap()).unwrap();
    // Whatever is left of the answer is read, and then the end: nobody waits for it in vain.
    if let Err(error) = open.read_to_end(&mut Vec::new()) {
        assert!(!matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    }
    let again = request(served.address, "/api/session", "application/json", &[], b"{}");
    assert_eq!(send(&served.mesh, served.address, Some(&bola), &again), "");
    assert_eq!(status(&served.post(&served.mesh.asha(), "/api/session", "{}")), 200, "others go on");
}

/// Gains nothing: an address of one body's saved question is nothing at another's workbench, and an analyst of the same body who
/// did not save it changes nothing of it.
#[test]
fn a_saved_question_of_another_body() {
    let served = Served::new();
    let other = free();
    served.mesh.stop("lfb");
    serve(&served.mesh, "lfb", other);
    served.mesh.start("lfb");
    let (asha, bola, li) = (served.mesh.asha(), served.mesh.analyst("loda", "bola"), served.mesh.analyst("lfb", "li"));
    let kept = served.post(&asha, "/api/saved/save", r#"{"title":"Fire risk","sql":"SELECT 1 AS one"}"#);
    let id = kept.split("\"id\":\"").nth(1).unwrap().get(..16).unwrap();
    let which = format!("{{\"id\":\"{id}\"}}");
    assert!(served.post(&bola, "/api/saved/read", &which).contains("SELECT 1 AS one"), "colleagues read it");
    assert_eq!(status(&served.post(&bola, "/api/saved/remove", &which)), 403);
    let replaced = format!("{{\"title\":\"mine\",\"sql\":\"SELECT 2 AS two\",\"id\":\"{id}\"}}");
    assert_eq!(status(&served.post(&bola, "/api/saved/save", &replaced)), 403);
    let at_lfb = request(other, "/api/saved/read", "application/json", &[], which.as_bytes());
    assert_eq!(status(&send(&served.mesh, other, Some(&li), &at_lfb)), 404);
    assert_eq!(send(&served.mesh, served.address, Some(&li), &at_lfb), "");
    for id in ["../../secret", "..%2f..%2fsecret", "0123456789abcdef/../../x", ""] {
        let which = format!("{{\"id\":\"{id}\"}}");
        assert_eq!(status(&served.post(&asha, "/api/saved/read", &which)), 404, "{id}");
    }
}

/// Gains nothing: markup that stands in a value, a column's name, a title or an error is shown as text, and what can't be shown
/// breaks nothing.
#[test]
fn markup_in_values_names_and_titles() {
    let served = Served::new();
    served.with("markup", &[]);
    served.with("odd", &[]);
}

/// Gains nothing: what is too large is not read to its end, bytes that are no Arrow stream are refused, and whoever has as many
/// connections as one may have leaves room for colleagues.
#[test]
fn too_much_and_no_arrow() {
    let served = Served::new();
    let asha = served.mesh.asha();
    for (path, kind, length) in [
        ("/api/run", "application/json", "9000000"),
        ("/api/download/csv", "application/vnd.apache.arrow.stream", "9000000000"),
    ] {
        let long = request(served.address, path, kind, &[("content-length", length)], b"");
        assert_eq!(status(&send(&served.mesh, served.address, Some(&asha), &long)), 413, "{path}");
    }
    let many = "x: y\r\n".repeat(200);
    let head = format!("GET / HTTP/1.1\r\nHost: {}\r\n{many}\r\n", served.address);
    assert_eq!(status(&send(&served.mesh, served.address, Some(&asha), head.as_bytes())), 431);
    let arrow = "application/vnd.apache.arrow.stream";
    for (path, kind, body, expected) in [
        ("/api/download/csv", arrow, &b"\xff\xff\xff\xff\xff\xff\xff\x7f"[..], 400),
        ("/api/download/csv", arrow, b"", 400),
        ("/api/download/csv", "application/json", b"{}", 415),
        ("/api/download/..%2f", arrow, b"\xff\xff\xff\xff\0\0\0\0", 404),
        ("/api/run", "application/json", b"{\"sql\":1}", 400),
        ("/api/run", "application/json", b"{\"sql\":\"SELECT 1\",\"as\":\"li\"}", 400),
    ] {
        let request = request(served.address, path, kind, &[], body);
        assert_eq!(status(&send(&served.mesh, served.address, Some(&asha), &request)), expected, "{path}");
    }
    let bola = served.mesh.analyst("loda", "bola");
    let kept: Vec<_> = (0..32).map(|_| served.kept_open(&bola)).collect();
    let session = request(served.address, "/api/session", "application/json", &[], b"{}");
    assert_eq!(send(&served.mesh, served.address, Some(&bola), &session), "");
    assert_eq!(status(&send(&served.mesh, served.address, Some(&asha), &session)), 200);
    drop(kept);
}
