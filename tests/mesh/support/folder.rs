//! Folders of meshes: made once by `meridian demo`, copied for tests that change something, and keys for strangers.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use meridian_certs::{Analysts, Authority, Identity, KeyAndRequest, Office, Request, Validity};

use super::{Ran, Running, free, meridian, nodes_below};

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
pub(crate) fn copy(from: &Path, to: &Path) {
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
    let ports: BTreeMap<String, Ports> =
        bodies.into_iter().map(|body| (body, Ports { flight: free(), health: free() })).collect();
    for (body, own) in &ports {
        let folder = dir.join(body);
        change(&folder.join("node.toml"), |node| {
            node.insert("listen".into(), own.flight.to_string().into());
            node.insert("health".into(), own.health.to_string().into());
            node.remove("public");
            node.remove("workbench");
        });
        // Whom the body vouches for stays; nothing that a node of before remembers does.
        let (state, kept) = (folder.join("state"), folder.join("kept"));
        let had = fs::rename(state.join("analysts"), &kept).is_ok();
        let _ = fs::remove_dir_all(&state);
        fs::create_dir(&state).expect("state");
        if had {
            fs::rename(&kept, state.join("analysts")).expect("the analysts");
        }
        let _ = fs::remove_file(folder.join("node.log"));
    }
    move_to(dir, &ports);
    change(&profile(dir), |profile| {
        profile.insert("node".into(), format!("https://{}", ports["loda"].flight).into());
    });
    ports
}

/// Has the authority say where everybody is reached, and every node know it.
fn move_to(dir: &Path, ports: &BTreeMap<String, Ports>) {
    let authority = dir.join("authority");
    let office = Office::open(&authority).expect("the authority");
    let relocate = |body: &str, endpoint: &str| {
        office.relocate(&body.parse().expect("a name"), endpoint, SystemTime::now()).expect("another endpoint");
    };
    // First away, since somebody may get the port that somebody else had.
    ports.keys().for_each(|body| relocate(body, &format!("https://{}.example:1", body.replace('_', "-"))));
    ports.iter().for_each(|(body, ports)| relocate(body, &format!("https://{}", ports.flight)));
    for body in ports.keys() {
        fs::copy(authority.join("membership"), dir.join(body).join("state/membership")).expect("a membership");
    }
}

/// Changes a file in TOML.
pub(crate) fn change(file: &Path, change: impl FnOnce(&mut toml::Table)) {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut table: toml::Table = text.parse().expect("TOML");
    change(&mut table);
    fs::write(file, toml::to_string(&table).expect("TOML")).expect("a file");
}

/// What makes the commands of the mesh's analyst short.
pub(super) fn profile(dir: &Path) -> PathBuf {
    dir.join("asha/profile.toml")
}

/// A certificate chain and its key, in files.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

/// A key and a certificate for it: signed by this authority, for this node, for this time.
pub(crate) fn certify(authority: &Authority, identity: &str, validity: Validity) -> Pair {
    let identity: Identity = identity.parse().expect("an identity");
    pair(|request| authority.sign(request, &identity, &["127.0.0.1".to_owned()], validity))
}

/// The same for an analyst, by their body.
pub(crate) fn certify_analyst(analysts: &Analysts, name: &str, validity: Validity) -> Pair {
    pair(|request| analysts.add(&name.parse().expect("a name"), request, validity, SystemTime::now()))
}

fn pair(sign: impl FnOnce(&Request) -> meridian_certs::Result<String>) -> Pair {
    let dir = scratch("pair");
    let pair = Pair { cert: dir.join("pair.pem"), key: dir.join("pair.key") };
    let made = KeyAndRequest::create(&pair.key).expect("a key");
    let request = Request::from_pem(made.pem()).expect("a request");
    fs::write(&pair.cert, sign(&request).expect("a certificate")).expect("a certificate's file");
    pair
}
