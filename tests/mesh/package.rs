//! What an operator installs: the unit and its sandbox, the supervisor that is told, and the Debian package.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::support::{Ran, Running, Town, meridian, scratch};

/// The most exposure that the unit may have, in tenths (`systemd-analyze security`).
const EXPOSURE: &str = "20";

fn package(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("package").join(name)
}

fn run(program: &str, arguments: &[&str]) -> Ran {
    Running::start(Command::new(program).args(arguments)).end()
}

#[test]
fn the_unit_is_right_and_its_sandbox_is_tight() {
    let unit = fs::read_to_string(package("meridian-node.service")).unwrap();
    // Where it will be, there is nothing yet.
    let built = unit.replace("/usr/bin/meridian", meridian().get_program().to_str().unwrap());
    let folder = scratch("unit");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("meridian-node.service");
    fs::write(&file, built).unwrap();
    let file = file.to_str().unwrap();
    let verified = run("systemd-analyze", &["verify", "--man=no", file]);
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    assert!(!verified.stderr.contains("meridian-node"), "{}", verified.stderr);
    let secure = run("systemd-analyze", &["security", "--offline=true", "--no-pager", "--threshold", EXPOSURE, file]);
    assert_eq!(secure.code, Some(0), "{}", String::from_utf8_lossy(&secure.stdout));
}

#[test]
fn the_supervisor_is_told_when_the_node_is_ready_and_when_it_ends() {
    let town = Town::of(&["lfb"]);
    let path = town.mesh.dir.join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let told = || {
        let mut bytes = [0; 512];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    town.mesh.start_by("lfb", town.mesh.serve("lfb").env("NOTIFY_SOCKET", &path));
    assert_eq!(told(), "READY=1\nSTATUS=answers questions");
    town.mesh.stop("lfb");
    assert_eq!(told(), "STOPPING=1");
}

#[test]
fn the_debian_package_installs_a_node_and_leaves_its_log_when_it_goes() {
    let folder = scratch("deb");
    let root = folder.join("root");
    for made in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "etc"] {
        fs::create_dir_all(root.join(made)).unwrap();
    }
    fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    let deb = folder.join("meridian.deb");
    let mut make = Command::new(package("deb"));
    make.arg(meridian().get_program()).arg(&deb).arg("gzip");
    Running::start(&mut make).end().ok();
    let deb = deb.to_str().unwrap();
    let field = |name: &str| run("dpkg-deb", &["--field", deb, name]).ok().trim().to_owned();
    assert_eq!((field("Package"), field("Version")), ("meridian".into(), env!("CARGO_PKG_VERSION").into()));
    let listed = run("dpkg-deb", &["--contents", deb]);
    assert!(listed.ok().lines().all(|line| line.contains(" root/root ")), "{}", listed.ok());

    // The user and the folder that the package makes are another's than whoever runs the tests.
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return;
    }
    let dpkg = |arguments: &[&str]| {
        let at = format!("--root={}", root.display());
        // The root holds nothing but this package, whose scripts run outside of it.
        let forced = ["--force-script-chrootless", "--force-depends", "--force-not-root"];
        run("dpkg", &[&[at.as_str()][..], &forced[..], arguments].concat())
    };
    let installed = dpkg(&["--install", deb]);
    assert_eq!(installed.code, Some(0), "{}", installed.stderr);
    let binary = root.join("usr/bin/meridian");
    let said = run(binary.to_str().unwrap(), &["--version"]);
    assert!(said.ok().contains(env!("CARGO_PKG_VERSION")));
    for file in ["lib/systemd/system/meridian-node.service", "usr/share/doc/meridian/examples/node.toml"] {
        assert_eq!(fs::metadata(root.join(file)).unwrap().permissions().mode() & 0o777, 0o644, "{file}");
    }
    let users = fs::read_to_string(root.join("etc/passwd")).unwrap();
    let user = users.lines().find(|line| line.starts_with("meridian:")).unwrap();
    let id: u32 = user.split(':').nth(2).unwrap().parse().unwrap();
    assert!(user.ends_with("nologin"), "{user}");
    let state = root.join("var/lib/meridian");
    let metadata = fs::metadata(&state).unwrap();
    assert_eq!((metadata.permissions().mode() & 0o777, metadata.uid()), (0o700, id));
    // The example is one that a node would take but for the files that it names.
    let example = root.join("usr/share/doc/meridian/examples/node.toml");
    let mut check = meridian();
    let ran = Running::start(check.args(["node", "check", "--config"]).arg(&example)).end();
    let text = String::from_utf8_lossy(&ran.stdout);
    assert!(text.lines().all(|line| line.contains(".pem") || line.trim().starts_with('→')), "{text}");

    // Another version takes its place; what the node remembers stays, whatever becomes of the package.
    fs::write(state.join("log"), "kept").unwrap();
    assert_eq!(dpkg(&["--install", deb]).code, Some(0));
    assert_eq!(dpkg(&["--remove", "meridian"]).code, Some(0));
    assert!(!binary.exists());
    let purged = dpkg(&["--purge", "meridian"]);
    assert_eq!(purged.code, Some(0), "{}", purged.stderr);
    assert!(purged.stderr.contains("stays as it is"), "{}", purged.stderr);
    assert_eq!(fs::read_to_string(state.join("log")).unwrap(), "kept");
}
