//! Folders of meshes: made once by `meridian demo`, copied for tests that change something, and keys for strangers.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use meridian_certs::{Authority, Identity, KeyAndRequest, Request, Validity};

use super::{Ran, Running, meridian, nodes_below};

/// A run of `meridian demo --once --dir … --format csv`, and the folder that it left.
pub(crate) struct Demo {
    pub(crate) dir: PathBuf,
    pub(crate) ran: Ran,
    /// Nodes that ran when the demo had ended.
    pub(crate) left: Vec<u32>,
}

impl Demo {
    /// All 36 bodies.
    pub(crate) fn full() -> &'static Self {
        static FULL: OnceLock<Demo> = OnceLock::new();
        FULL.get_or_init(|| Self::new("full", &[]))
    }

    /// Three boroughs: one of each kind of source.
    pub(crate) fn small() -> &'static Self {
        static SMALL: OnceLock<Demo> = OnceLock::new();
        SMALL.get_or_init(|| Self::new("small", &["--bodies", "camden,hackney,city"]))
    }

    /// Three boroughs with the published files of this folder.
    pub(crate) fn published(data: &Path) -> Self {
        Self::new(
            "published",
            &["--bodies", "lambeth,barnet,camden", "--data", data.to_str().expect("a path in UTF-8")],
        )
    }

    fn new(name: &str, options: &[&str]) -> Self {
        let dir = scratch(name);
        let mut command = meridian();
        command.args(["demo", "--once", "--format", "csv", "--dir"]).arg(&dir).args(options);
        let ran = Running::start(&mut command).end();
        assert!(dir.join("loda/node.toml").exists(), "the demo made no mesh: {}", ran.stderr);
        let left = nodes_below(&dir);
        Self { dir, ran, left }
    }
}

/// A new empty folder that only its owner may enter. It goes with the next run of these tests, so that the files of a
/// failure can be looked at.
pub(crate) fn scratch(name: &str) -> PathBuf {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let root = ROOT.get_or_init(|| {
        let all = Path::new(env!("CARGO_TARGET_TMPDIR"));
        for entry in fs::read_dir(all).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let run = name.to_str().and_then(|name| name.strip_prefix("mesh-"));
            if run.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        all.join(format!("mesh-{}", std::process::id()))
    });
    let dir = root.join(format!("{name}-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
    fs::DirBuilder::new().mode(0o700).recursive(true).create(&dir).expect("a scratch folder");
    dir
}

/// Copies a folder with the permissions of its files.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::DirBuilder::new().mode(0o700).recursive(true).create(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Where the nodes of a mesh listen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) flight: SocketAddr,
    pub(super) health: SocketAddr,
}

/// Gives every node of a folder new ports and an empty state, and says where they will listen.
pub(super) fn renew(dir: &Path) -> BTreeMap<String, Ports> {
    let bodies: Vec<String> = fs::read_dir(dir)
        .expect("the mesh's folder")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().join("node.toml").exists())
        .map(|entry| entry.file_name().into_string().expect("a name"))
        .collect();
    // All are held until all are known, so that none is given twice.
    let listener = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let held: Vec<_> = bodies.iter().map(|_| (listener(), listener())).collect();
    let address = |listener: &TcpListener| listener.local_addr().expect("an address");
    let ports: BTreeMap<String, Ports> = bodies
        .into_iter()
        .zip(&held)
        .map(|(body, (flight, health))| (body, Ports { flight: address(flight), health: address(health) }))
        .collect();
    for (body, own) in &ports {
        let folder = dir.join(body);
        let file = folder.join("node.toml");
        let mut node: toml::Table = fs::read_to_string(&file).expect("node.toml").parse().expect("TOML");
        node.insert("listen".into(), own.flight.to_string().into());
        node.insert("health".into(), own.health.to_string().into());
        for member in node["members"].as_array_mut().expect("members") {
            let body = member["body"].as_str().expect("a body").to_owned();
            let endpoint = format!("https://{}", ports[&body].flight);
            member.as_table_mut().expect("a member").insert("endpoint".into(), endpoint.into());
        }
        fs::write(&file, toml::to_string(&node).expect("TOML")).expect("node.toml");
        let _ = fs::remove_dir_all(folder.join("state"));
        fs::create_dir(folder.join("state")).expect("state");
        let _ = fs::remove_file(folder.join("node.log"));
    }
    let file = dir.join("profile.toml");
    let mut profile: toml::Table = fs::read_to_string(&file).expect("profile.toml").parse().expect("TOML");
    profile.insert("node".into(), format!("https://{}", ports["loda"].flight).into());
    fs::write(&file, toml::to_string(&profile).expect("TOML")).expect("profile.toml");
    ports
}

/// A certificate chain and its key, in files.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

/// A key and a certificate for it: signed by this authority, for this identity, for this time.
pub(crate) fn certify(authority: &Authority, identity: &str, validity: Validity) -> Pair {
    let dir = scratch("pair");
    let pair = Pair { cert: dir.join("pair.pem"), key: dir.join("pair.key") };
    let made = KeyAndRequest::create(&pair.key).expect("a key");
    let request = Request::from_pem(made.pem()).expect("a request");
    let identity: Identity = identity.parse().expect("an identity");
    let hosts = match identity {
        Identity::Node { .. } => vec!["127.0.0.1".to_owned()],
        Identity::Analyst { .. } => Vec::new(),
    };
    let signed = authority.sign(&request, &identity, &hosts, validity).expect("a certificate");
    fs::write(&pair.cert, signed).expect("a certificate's file");
    pair
}
