//! Joining by invitation, rotation of certificates, and suspension: real processes from an empty folder on.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::support::{Client, Mesh, Pair, Running, Town, free, is_soak, meridian, remote_ticket, send_signal, until};

const ASHA: &str = "spiffe://london/body/loda/analyst/asha";

/// The certificate of a body that joined.
fn pair(mesh: &Mesh, body: &str) -> Pair {
    let identity = mesh.folder(body).join("identity.pem");
    Pair { cert: identity.clone(), key: identity }
}

/// Within this a suspended body is cut off everywhere; held to it in a longer run.
const CUT_OFF: Duration = Duration::from_secs(10);

fn client(town: &Town, who: &str, at: &str) -> Client {
    Client::new(&town.folder().join("ca.pem"), Some(&pair(&town.mesh, who)), town.mesh.address(at))
}

/// The serial number of the certificate in a body's file.
fn serial(mesh: &Mesh, body: &str) -> Vec<u8> {
    let identity = mesh.folder(body).join("identity.pem");
    let ca = mesh.folder(body).join("ca.pem");
    meridian_certs::Credentials::load(&ca, &identity, &identity).unwrap().serial()
}

/// The commands of the README's part on joining, run one after the other in an empty folder; what differs is the
/// ports, since others may use those.
#[test]
fn from_nothing_to_an_answer_as_the_readme_says() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let (_, part) = readme.split_once("## A federation from nothing").expect("the part on joining");
    let (part, _) = part.split_once("\n##").expect("a part after it");
    let commands: Vec<&str> = part.lines().filter_map(|line| line.strip_prefix("    meridian ")).collect();
    let [init, serve, invite, join, node, analyst, query] = commands.as_slice() else {
        panic!("other commands than this test knows of: {commands:#?}")
    };
    let dir = super::support::scratch("readme");
    let ports = [("7443", free().port().to_string()), ("50051", free().port().to_string())];
    let words = |line: &str, extra: &[(&str, String)]| -> Vec<String> {
        // A comment behind the command is for the reader.
        let mut line = line.split("  #").next().unwrap().trim_end_matches(" &").to_owned();
        for (from, to) in ports.iter().chain(extra) {
            line = line.replace(from, to);
        }
        let quoted = line.split('"').enumerate().flat_map(|(at, part)| match at % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect::<Vec<_>>(),
            _ => vec![part.to_owned()],
        });
        quoted.collect()
    };
    let run = |line: &str, extra: &[(&str, String)]| {
        Running::start(meridian().args(words(line, extra)).current_dir(&dir)).end()
    };
    let service = |line: &str| {
        let mut command = meridian();
        command.args(words(line, &[])).arg("--exit-with-stdin").current_dir(&dir).stdin(Stdio::piped());
        if line.starts_with("authority") {
            command.args(["--listen", &format!("127.0.0.1:{}", ports[0].1)]);
        }
        command.stderr(Stdio::null()).spawn().unwrap()
    };
    run(init, &[]).ok();
    let mut authority = service(serve);
    until("the authority is up", || std::net::TcpStream::connect(format!("127.0.0.1:{}", ports[0].1)).ok());
    let invited = run(invite, &[]);
    let printed = invited.ok().trim().to_owned();
    // What is printed is what the README shows, with the fingerprint and the token.
    let after = |option: &str| printed.split_once(option).unwrap().1.split_whitespace().next().unwrap().to_owned();
    let secrets = [("FINGERPRINT", after("--fingerprint ")), ("TOKEN", after("--token "))];
    let shown: Vec<String> = words(join, &secrets);
    let printed: Vec<String> =
        printed.split_whitespace().skip(1).map(|word| word.replace(":7443", &format!(":{}", ports[0].1))).collect();
    assert_eq!(shown[..printed.len()], printed);
    run(join, &secrets).ok();
    fs::write(dir.join("camden/trees.csv"), "kind,trees\noak,3\n").unwrap();
    fs::write(
        dir.join("camden/datasets/trees.toml"),
        "name = \"trees\"\ntitle = \"Trees\"\ndescription = \"\"\nlicence = \"OGL-UK-3.0\"\nform = \"open\"\n\n[source]\n\
         kind = \"csv\"\npath = \"trees.csv\"\n\n[[columns]]\nname = \"kind\"\ntype = \"varchar\"\n\n[[columns]]\n\
         name = \"trees\"\ntype = \"bigint\"\n",
    )
    .unwrap();
    let mut served = service(node);
    until("the node is up", || std::net::TcpStream::connect(format!("127.0.0.1:{}", ports[1].1)).ok());
    run(analyst, &[]).ok();
    let answer = until("the node answers", || Some(run(query, &[])).filter(|ran| ran.code == Some(0)));
    assert!(answer.ok().contains("oak"), "{}", answer.ok());
    for child in [&mut served, &mut authority] {
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}

/// Gains nothing: a second key is refused and reported, and so is a certificate whose holder was invited again.
#[test]
fn an_invitation_is_good_for_one_key_and_one_authority() {
    let mut town = Town::of(&["loda"]);
    let (flight, health) = (free(), free());
    let invited = town.invite("camden", flight);
    let wrong: Vec<String> =
        invited.iter().map(|word| if word.len() == 64 { "0".repeat(64) } else { word.clone() }).collect();
    let refused = town.join_by(&wrong, "camden", flight, health, &[]);
    assert!(refused.fails(1).contains("has the fingerprint that was given"), "{}", refused.stderr);
    town.join_by(&invited, "camden", flight, health, &[]).ok();
    let again = town.join_by(&invited, "camden", flight, health, &[]);
    assert!(again.fails(2).contains("has joined"), "{}", again.stderr);
    let mut elsewhere = invited.clone();
    *elsewhere.last_mut().unwrap() = "impostor".into();
    let refused = town.join_by(&elsewhere, "impostor", flight, health, &[]);
    assert!(refused.fails(1).contains("used with another key"), "{}", refused.stderr);
    assert!(!town.mesh.dir.join("impostor/node.toml").exists());
    assert!(town.log().contains("an invitation that was used is tried with another key"), "{}", town.log());

    // The key stays where it was made, and the token is kept nowhere.
    let token = &invited[invited.iter().position(|word| word == "--token").unwrap() + 1];
    let key = fs::read_to_string(town.mesh.folder("camden").join("identity.pem")).unwrap();
    let (_, key) = key.split_once("PRIVATE KEY-----\n").unwrap();
    let key = key.lines().next().unwrap();
    for entry in fs::read_dir(town.folder()).unwrap() {
        let text = String::from_utf8_lossy(&fs::read(entry.unwrap().path()).unwrap()).into_owned();
        assert!(!text.contains(key) && !text.contains(token));
    }
    assert!(!town.log().contains(token));

    // Whoever is invited again has lost the key: the certificate of before does not count any more.
    let before = fs::read(town.mesh.folder("camden").join("identity.pem")).unwrap();
    fs::remove_dir_all(town.mesh.folder("camden")).unwrap();
    town.join("camden", &[]).ok();
    let lost = town.mesh.dir.join("lost.pem");
    fs::write(&lost, before).unwrap();
    fs::set_permissions(&lost, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    town.mesh.start("loda");
    let ca = town.folder().join("ca.pem");
    let stolen = Pair { cert: lost.clone(), key: lost };
    until("LODA's log says why", || {
        let refused = Client::new(&ca, Some(&stolen), town.mesh.address("loda")).actions().unwrap_err();
        assert!(!refused.message().contains("revoked"), "{refused}");
        town.mesh.log("loda").contains("node was revoked").then_some(())
    });
    until("LODA's node lets it in", || client(&town, "camden", "loda").actions().is_ok().then_some(()));
}

/// Gains nothing: neither a body that is suspended nor whoever holds its key reaches anybody, and what is under way ends.
#[test]
fn a_suspended_body_is_cut_off_everywhere_and_comes_back() {
    let boroughs: Vec<String> = (1..=33).map(|number| format!("borough_{number}")).collect();
    let mut bodies = vec!["loda", "gla", "lfb"];
    bodies.extend(boroughs.iter().map(String::as_str));
    let town = Town::of(&bodies);
    for body in ["lfb", "borough_1", "borough_2"] {
        town.publish(body, "rows", 3000);
    }
    town.publish("borough_1", "many", 600_000);
    let mesh = &town.mesh;
    mesh.start_each();
    let every = "SELECT COUNT(*) AS n FROM every.rows";
    let asked = until("LODA's node knows who publishes", || {
        let asked = mesh.ask(every);
        (asked.code == Some(0) && asked.csv()[1] == ["9000"]).then_some(asked)
    });
    drop(asked);

    // Two streams that nobody has read to their end: one to the body that will be suspended, one from it.
    let released = |body: &str| mesh.records(body).iter().filter(|line| line.released().is_some()).count();
    let before = ["lfb", "loda"].map(released);
    let is_cut = |body: &str| mesh.log(body).contains("a connection is cut off");
    let rows = "SELECT a.text, b.text AS other FROM lfb.rows a, lfb.rows b";
    let (to, since) = thread::scope(|scope| {
        let reading = scope.spawn(|| {
            client(&town, "borough_1", "lfb").read_with(remote_ticket(rows, ASHA, ""), |number| {
                if number == 2 {
                    // Nothing more is read until it is over.
                    until("LFB's node cuts it off", || is_cut("lfb").then_some(()));
                }
            })
        });
        let from = Running::start(&mut mesh.command(&["query", "--format", "csv", "SELECT * FROM borough_1.many"]));
        until("both have begun", || (released("lfb") > before[0] && released("loda") > before[1]).then_some(()));
        send_signal(from.id(), "STOP");
        town.run(&["authority", "suspend", "borough_1"]).ok();
        let since = Instant::now();
        until("LODA's node cuts it off", || is_cut("loda").then_some(()));
        send_signal(from.id(), "CONT");
        let from = from.end();
        assert!(from.code == Some(1) && from.stderr.contains("borough_1"), "{}", from.stderr);
        (reading.join().unwrap(), since)
    });
    assert!(to.is_err());

    // Every node has heard of it, and refuses.
    for body in mesh.bodies().filter(|body| *body != "borough_1") {
        until(&format!("{body} refuses a suspended body"), || {
            client(&town, "borough_1", body).actions().is_err().then_some(())
        });
    }
    println!("cut off everywhere within {:?}", since.elapsed());
    assert!(!is_soak() || since.elapsed() < CUT_OFF, "cut off after {:?}", since.elapsed());
    let failed = mesh.ask(every);
    assert!(failed.fails(1).contains("borough_1") && failed.stderr.contains("suspended"), "{}", failed.stderr);
    let partial = mesh.run(&["query", "--format", "csv", "--partial", every]);
    assert!(partial.ok().contains("6000") && partial.stderr.contains("borough_1"), "{}", partial.stderr);
    // A suspended node does not get a certificate either.
    let config = mesh.folder("borough_1").join("node.toml");
    let config = config.to_str().unwrap();
    let refused = Running::start(meridian().args(["node", "renew", "--config", config])).end();
    assert!(refused.fails(1).contains("suspended"), "{}", refused.stderr);

    town.run(&["authority", "resume", "borough_1"]).ok();
    until("it is in again", || (mesh.ask(every).code == Some(0)).then_some(()));
    assert_eq!(mesh.ask(every).csv()[1], ["9000"]);
    until("the GLA's node lets it in", || client(&town, "borough_1", "gla").actions().is_ok().then_some(()));

    // Whoever is no member any more is no part of a standard either.
    town.run(&["authority", "remove", "borough_2"]).ok();
    until("it is out", || {
        let asked = mesh.ask(every);
        (asked.code == Some(0) && asked.csv()[1] == ["6000"]).then_some(())
    });
    assert!(mesh.ask("SELECT * FROM borough_2.rows").fails(1).contains("borough_2"));
}

/// Gains nothing: an old membership is taken from nobody, and without one, or with a broken one, a node does not start.
#[test]
fn news_travels_without_the_authority_and_never_back() {
    let town = Town::of(&["loda", "gla", "lfb"]);
    let mesh = &town.mesh;
    mesh.start_each();
    let membership = |body: &str| fs::read(town.mesh.folder(body).join("state/membership")).unwrap();
    let first = membership("lfb");
    town.run(&["authority", "suspend", "gla"]).ok();
    until("all know", || {
        let all = ["loda", "lfb"].map(|body| membership(body) != first);
        all.iter().all(|known| *known).then_some(())
    });
    let suspended = membership("lfb");
    town.kill_authority();

    // A node that was away, and comes back with an old membership, learns from the others before it answers any of them.
    mesh.stop("lfb");
    let version = |body: &str| mesh.log(body).matches("the membership of the federation has changed").count();
    let told = version("lfb");
    fs::write(mesh.folder("lfb").join("state/membership"), &first).unwrap();
    mesh.start("lfb");
    until("LFB's node has caught up", || (membership("lfb") == suspended).then_some(()));
    until("LFB's node refuses", || client(&town, "gla", "lfb").actions().is_err().then_some(()));
    until("LFB's operator is told", || (version("lfb") > told).then_some(()));

    // The authority itself goes back to an old backup: nobody goes with it.
    let before = ["loda", "lfb"].map(version);
    fs::write(town.folder().join("membership"), &first).unwrap();
    town.start_authority();
    let polled = || client(&town, "loda", "lfb").actions().unwrap();
    polled();
    // It learns from them what it had forgotten, and goes on from there.
    until("the authority has caught up", || town.run(&["authority", "list"]).ok().contains("suspended").then_some(()));
    assert_eq!(["loda", "lfb"].map(version), before);
    assert!(client(&town, "gla", "lfb").actions().is_err());

    // Without its membership, or with a broken one, a node does not start.
    mesh.stop("lfb");
    let file = mesh.folder("lfb").join("state/membership");
    let serve = || Running::start(&mut mesh.serve("lfb")).end();
    for broken in [None, Some(b"hello".to_vec()), Some(first[..first.len() - 9].to_vec())] {
        match broken {
            Some(bytes) => fs::write(&file, bytes).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let failed = serve();
        assert!(failed.fails(1).contains("membership") && failed.stderr.contains("node join"), "{}", failed.stderr);
    }
    town.kill_authority();
}

#[test]
fn a_second_authority_suspends_without_the_first_which_learns_of_it() {
    let town = Town::of(&["loda", "gla", "lfb"]);
    let mesh = &town.mesh;
    let (first, second) = (town.folder(), town.mesh.dir.join("second"));
    let at = |folder: &Path, name: &str| folder.join(name).to_str().unwrap().to_owned();
    let dir = second.to_str().unwrap();
    let run = |arguments: &[&str]| Running::start(meridian().args(arguments)).end();
    run(&["authority", "issuer", "request", "--dir", dir]).ok();
    let (request, signed) = (at(&second, "issuer.csr"), at(&town.mesh.dir, "signed.pem"));
    town.run(&["authority", "issuer", "sign", "--request", &request, "--out", &signed]).ok();
    let (ca, membership) = (at(&first, "ca.pem"), at(&mesh.folder("lfb"), "state/membership"));
    // The root's key is offline from now on.
    fs::remove_file(first.join("ca.key")).unwrap();
    let files = ["--certificate", &signed, "--ca", &ca, "--membership", &membership];
    run(&[&["authority", "issuer", "install", "--dir", dir][..], &files].concat()).ok();
    let address = free();
    for body in ["loda", "lfb"] {
        let file = mesh.folder(body).join("node.toml");
        let text = fs::read_to_string(&file).unwrap();
        let both = format!("[\"{}\", \"https://{address}\"]", town.url());
        fs::write(file, text.replace(&format!("[\"{}\"]", town.url()), &both)).unwrap();
    }
    town.kill_authority();
    mesh.start_each();
    run(&["authority", "suspend", "gla", "--dir", dir]).ok();
    let mut command = meridian();
    command.args(["authority", "serve", "--exit-with-stdin", "--dir", dir, "--listen", &address.to_string()]);
    let mut serving = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    for body in ["loda", "lfb"] {
        until(&format!("{body} refuses"), || client(&town, "gla", body).actions().is_err().then_some(()));
    }
    // A certificate is to be had from the second one, too.
    let config = mesh.folder("lfb").join("node.toml");
    run(&["node", "renew", "--config", config.to_str().unwrap()]).ok();
    drop(serving.stdin.take());
    serving.wait().unwrap();
    town.start_authority();
    until("the first authority knows", || town.run(&["authority", "list"]).ok().contains("suspended").then_some(()));
    town.run(&["authority", "resume", "gla"]).ok();
    until("it is in again", || client(&town, "gla", "lfb").actions().is_ok().then_some(()));
}

#[test]
fn sixty_rotations_under_questions_lose_none() {
    let town = Town::of(&["loda", "lfb"]);
    town.publish("lfb", "rows", 1000);
    let mesh = &town.mesh;
    mesh.start_each();
    let sql = "SELECT COUNT(*) AS n FROM lfb.rows";
    until("LODA's node knows what LFB publishes", || (mesh.ask(sql).code == Some(0)).then_some(()));
    let done = AtomicBool::new(false);
    let (asked, serials) = thread::scope(|scope| {
        let questions = scope.spawn(|| {
            let mut asked = 0;
            while !done.load(Ordering::Relaxed) {
                assert_eq!(mesh.ask(sql).csv(), [["n"], ["1000"]], "question {asked}");
                asked += 1;
            }
            asked
        });
        let mut serials = BTreeSet::new();
        for turn in 0..60 {
            let body = if turn % 2 == 0 { "lfb" } else { "loda" };
            let config = mesh.folder(body).join("node.toml");
            Running::start(meridian().args(["node", "renew", "--config"]).arg(config)).end().ok();
            serials.insert(serial(mesh, body));
            let taken = turn / 2 + 1;
            until("the node has taken the certificate", || {
                (mesh.log(body).matches("another certificate is in force").count() == taken).then_some(())
            });
        }
        done.store(true, Ordering::Relaxed);
        (questions.join().unwrap(), serials)
    });
    assert_eq!(serials.len(), 60);
    assert!(asked > 10, "only {asked} questions were asked");
    // The connection between the two nodes is made anew, with the certificates of now.
    mesh.stop("lfb");
    mesh.start("lfb");
    assert_eq!(mesh.ask(sql).csv(), [["n"], ["1000"]]);
}

#[test]
fn an_analyst_is_their_own_bodys_and_asks_until_they_are_removed() {
    let town = Town::of(&["loda", "lfb"]);
    town.publish("lfb", "rows", 10);
    let mesh = &town.mesh;
    mesh.start_each();
    let config = |body: &str| mesh.folder(body).join("node.toml").to_str().unwrap().to_owned();
    let li = town.mesh.dir.join("li");
    let li = li.to_str().unwrap();
    let meridian = |arguments: &[&str]| Running::start(meridian().args(arguments)).end();
    meridian(&["analyst", "add", "li", "--config", &config("lfb"), "--dir", li]).ok();
    let profile = format!("{li}/profile.toml");
    let ask = |more: &[&str]| {
        let sql = ["query", "--profile", &profile, "--format", "csv", "SELECT COUNT(*) AS n FROM lfb.rows"];
        meridian(&[&sql[..], more].concat())
    };
    until("LFB's node takes the analyst", || (ask(&[]).code == Some(0)).then_some(()));
    assert_eq!(ask(&[]).csv()[1], ["10"]);

    // Another body's node does not trust LFB's own authority, for whomever it signs.
    let elsewhere = format!("https://{}", mesh.address("loda"));
    let refused = ask(&["--node", &elsewhere]);
    assert!(refused.fails(1).contains("refused our certificate"), "{}", refused.stderr);

    // A stream of theirs ends when they are removed.
    let pair = Pair { cert: Path::new(li).join("analyst.pem"), key: Path::new(li).join("analyst.key") };
    let mut client = Client::new(&town.folder().join("ca.pem"), Some(&pair), mesh.address("lfb"));
    let info = client.info(super::support::statement("SELECT a.text FROM lfb.rows a, lfb.rows b")).unwrap();
    drop(info);
    meridian(&["analyst", "remove", "li", "--config", &config("lfb")]).ok();
    until("the connection is cut off", || mesh.log("lfb").contains("a connection is cut off").then_some(()));
    assert!(client.actions().is_err());
    let refused = ask(&[]);
    assert!(refused.code == Some(1), "{}", refused.stderr);
    let listed = meridian(&["analyst", "list", "--config", &config("lfb")]);
    assert!(listed.ok().contains("removed"), "{}", listed.ok());
    let nobody = meridian(&["analyst", "remove", "nobody", "--config", &config("lfb")]);
    assert!(nobody.fails(1).contains("no analyst of this body"), "{}", nobody.stderr);
}
