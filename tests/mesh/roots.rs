//! A new root of a federation beside the old one, and the end of the old one: real processes, under questions.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::support::{Client, Pair, Ran, Running, Town, free, meridian, python, until};

const ROWS: &str = "SELECT COUNT(*) AS n FROM lfb.rows";

fn run(arguments: &[&str]) -> Ran {
    Running::start(meridian().args(arguments)).end()
}

fn text(path: PathBuf) -> String {
    path.to_str().unwrap().to_owned()
}

/// How many roots a body's node holds.
fn roots(ca: &Path) -> usize {
    fs::read_to_string(ca).unwrap().matches("BEGIN CERTIFICATE").count()
}

fn renew(town: &Town, body: &str) {
    let taken = |log: String| log.matches("another certificate is in force").count();
    let before = taken(town.mesh.log(body));
    run(&["node", "renew", "--config", &text(town.mesh.folder(body).join("node.toml"))]).ok();
    until("the node has taken the certificate", || (taken(town.mesh.log(body)) > before).then_some(()));
}

/// A new issuing key that the new root signs takes the place of the first: its folder becomes the authority's.
fn reissue(town: &Town, root: &str) {
    let at = |name: &str| town.mesh.dir.join(name);
    let (second, signed) = (text(at("second")), text(at("issuer.pem")));
    run(&["authority", "issuer", "request", "--dir", &second]).ok();
    let request = text(at("second/issuer.csr"));
    run(&["authority", "issuer", "sign", "--dir", root, "--request", &request, "--out", &signed]).ok();
    town.kill_authority();
    let (ca, membership) = (text(at("authority/ca.pem")), text(at("authority/membership")));
    let from = ["--certificate", &signed, "--ca", &ca, "--membership", &membership];
    run(&[&["authority", "issuer", "install", "--dir", &second][..], &from].concat()).ok();
    fs::rename(at("authority"), at("first")).unwrap();
    fs::rename(at("second"), at("authority")).unwrap();
    town.start_authority();
}

/// Lets a body join, starts its node and makes Ben its analyst; returns its folder and the profile to ask with.
fn joined(town: &Town, body: &str) -> (PathBuf, String) {
    let (flight, health) = (free(), free());
    town.join_by(&town.invite(body, flight), body, flight, health, &[]).ok();
    let (folder, ben) = (town.mesh.folder(body), town.mesh.dir.join(format!("ben-of-{body}")));
    let config = text(folder.join("node.toml"));
    town.mesh.spawn(body, &mut town.mesh.serve(body));
    run(&["analyst", "add", "ben", "--config", &config, "--dir", &text(ben.clone())]).ok();
    (folder, text(ben.join("profile.toml")))
}

/// Gains nothing: whoever holds a certificate under the root that is retired, or its issuing key, is let in nowhere any more.
#[test]
fn a_new_root_comes_beside_the_old_one_and_the_old_one_goes_under_questions() {
    let (town, berlin) = (Town::of(&["loda", "lfb", "gla"]), Town::founded("berlin", &["tempelhof"]));
    town.publish("lfb", "rows", 1000);
    let mesh = &town.mesh;
    let ca = |body: &str| mesh.folder(body).join("ca.pem");
    // Berlin's node trusts London's, and follows who they are.
    let printed = town.run(&["authority", "anchors", "--authority", &town.url()]);
    let trust: Vec<&str> = printed.ok().split_whitespace().skip(1).collect();
    let tempelhof = berlin.mesh.folder("tempelhof");
    Running::start(meridian().args(trust).current_dir(&tempelhof)).end().ok();
    let abroad = tempelhof.join("london-ca.pem");
    berlin.mesh.start_each();
    for body in ["loda", "lfb"] {
        mesh.spawn(body, &mut mesh.serve(body));
        mesh.wait_ready(body);
    }
    until("LODA's node knows what LFB publishes", || (mesh.ask(ROWS).code == Some(0)).then_some(()));

    let done = AtomicBool::new(false);
    let asked = thread::scope(|scope| {
        // Asha's profile knows the first root alone, and nothing tells her of another.
        let questions = scope.spawn(|| {
            let mut asked = 0;
            while !done.load(Ordering::Relaxed) {
                assert_eq!(mesh.ask(ROWS).csv(), [["n"], ["1000"]], "question {asked}");
                asked += 1;
            }
            asked
        });
        ceremony(&town, &abroad);
        done.store(true, Ordering::Relaxed);
        questions.join().unwrap()
    });
    assert!(asked > 10, "only {asked} questions were asked");
    assert_eq!(roots(&mesh.dir.join("asha/ca.pem")), 1);
    // Nor does a client that no one here wrote.
    let ran = python("adbc.py", &[mesh.dir.to_str().unwrap(), "hello"]);
    assert_eq!(ran.ok().trim(), "ok hello", "{}", ran.stderr);

    // Whoever joins now knows the new root alone.
    let (folder, ben) = joined(&town, "after");
    assert_eq!(fs::read(folder.join("ca.pem")).unwrap(), fs::read(mesh.dir.join("root/ca.pem")).unwrap());
    until("it asks the others", || {
        Some(run(&["query", "--profile", &ben, "--format", "csv", ROWS])).filter(|ran| ran.code == Some(0))
    });
    // A node that was away for all of it follows, since the old root vouched for the new one.
    assert_eq!(roots(&ca("gla")), 1);
    mesh.spawn("gla", &mut mesh.serve("gla"));
    until("the GLA's node has the new root", || {
        (fs::read(ca("gla")).unwrap() == fs::read(ca("loda")).unwrap()).then_some(())
    });
    until("its operator is told", || {
        mesh.log("gla").contains("an old root of the federation is retired").then_some(())
    });
}

/// The ceremony, as the README has it.
fn ceremony(town: &Town, abroad: &Path) {
    let mesh = &town.mesh;
    let at = |name: &str| mesh.dir.join(name);
    let root = text(at("root"));
    let first = fs::read_to_string(at("authority/ca.pem")).unwrap();
    let alone = town.run(&["authority", "root", "retire"]);
    assert!(alone.fails(1).contains("is the only one"), "{}", alone.stderr);
    run(&["authority", "root", "new", "--old", &text(at("authority")), "--dir", &root]).ok();
    // Its key is not needed any more.
    fs::remove_file(at("authority/ca.key")).unwrap();
    let followers = [mesh.folder("loda").join("ca.pem"), mesh.folder("lfb").join("ca.pem"), abroad.to_owned()];
    let all_hold = |count: usize| {
        until("all nodes have followed", || followers.iter().all(|ca| roots(ca) == count).then_some(()));
    };
    town.run(&["authority", "root", "install", "--root", &root]).ok();
    all_hold(2);
    until("the operator is told", || {
        mesh.log("lfb").contains("a new root of the federation counts beside the old one").then_some(())
    });
    let depends = town.run(&["authority", "root", "retire"]);
    assert!(depends.fails(1).contains("make a new issuing key"), "{}", depends.stderr);

    // What is signed from now on is signed under the new root; the nodes that are up have certificates under the old one.
    reissue(town, &root);
    let (folder, ben) = joined(town, "late");
    assert_eq!(roots(&folder.join("ca.pem")), 2);
    until("who joined now asks those who have not renewed", || {
        Some(run(&["query", "--profile", &ben, "--format", "csv", ROWS])).filter(|ran| ran.code == Some(0))
    });
    let left = town.run(&["authority", "root", "retire"]);
    assert!(left.fails(1).contains("gla, lfb, loda") && !left.stderr.contains("late"), "{}", left.stderr);

    let old = Pair { cert: at("old.pem"), key: at("old.pem") };
    fs::copy(mesh.folder("lfb").join("identity.pem"), &old.cert).unwrap();
    renew(town, "lfb");
    renew(town, "loda");
    fs::write(at("first.pem"), &first).unwrap();
    let client = |ca: &str, pair: &Pair| Client::new(&at(ca), Some(pair), mesh.address("loda"));
    let new = mesh.node_pair("lfb");
    for ca in ["first.pem", "root/ca.pem"] {
        for pair in [&old, &new] {
            client(ca, pair).actions().unwrap();
        }
    }
    let left = town.run(&["authority", "root", "retire"]);
    assert!(left.fails(1).contains("gla") && !left.stderr.contains("loda"), "{}", left.stderr);
    town.run(&["authority", "root", "retire", "--anyway"]).ok();
    all_hold(1);
    client("first.pem", &new).actions().unwrap();
    assert!(client("first.pem", &old).actions().is_err());
    until("LODA's log says why", || {
        mesh.log("loda").contains("not signed by this federation's authority").then_some(())
    });
}
