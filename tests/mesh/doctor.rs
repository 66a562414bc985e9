//! `meridian node check`: each fault is made, found, named, and gone once it is mended as the advice says.

use std::cell::RefCell;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use meridian_certs::{Authority, Validity};

use super::support::{Pair, Ran, Running, Town, certify, certify_analyst, meridian, scratch, until};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What was found of one thing.
#[derive(Debug, serde::Deserialize)]
struct Finding {
    level: String,
    check: String,
    what: String,
    fix: String,
}

/// A federation of two, and the folder of the one that is looked at.
struct Patient {
    town: Town,
    folder: PathBuf,
}

impl Patient {
    fn new() -> Self {
        let town = Town::of(&["lfb", "gla"]);
        town.publish("lfb", "rows", 10);
        let folder = town.mesh.folder("lfb");
        Self { town, folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn look(&self, more: &[&str]) -> Ran {
        let mut command = meridian();
        command.args(["node", "check", "--format", "json", "--config"]).arg(self.at("node.toml")).args(more);
        Running::start(&mut command).end()
    }

    /// All that is not well.
    fn complaints(&self) -> Vec<Finding> {
        complaints(&self.look(&["--thorough"]))
    }

    /// The fault is found, with these words in what is wrong and what to do, and nothing of it once it is mended.
    #[track_caller]
    fn finds(&self, level: &str, check: &str, words: &[&str], make: impl FnOnce(), mend: impl FnOnce()) {
        make();
        let found = self.complaints();
        let of = |found: &[Finding]| found.iter().any(|it| it.check == check && it.level == level && says(it, words));
        assert!(of(&found), "no {level} of {check} with {words:?} in {found:#?}");
        mend();
        let left = self.complaints();
        assert!(!left.iter().any(|it| it.check == check && says(it, words)), "{check} is still there: {left:#?}");
    }

    /// The fault is made by changing a file, which is put back afterwards.
    #[track_caller]
    fn finds_in(&self, file: &str, level: &str, check: &str, words: &[&str], change: impl FnOnce(&Path)) {
        let path = self.at(file);
        let kept = fs::read(&path).ok();
        let mode = fs::metadata(&path).ok().map(|metadata| metadata.permissions());
        let mend = || {
            match kept {
                Some(bytes) => fs::write(&path, bytes).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            if let Some(mode) = mode {
                fs::set_permissions(&path, mode).unwrap();
            }
        };
        self.finds(level, check, words, || change(&path), mend);
    }
}

fn says(finding: &Finding, words: &[&str]) -> bool {
    let said = format!("{} {}", finding.what, finding.fix);
    !finding.fix.is_empty() && words.iter().all(|word| said.contains(word))
}

fn complaints(ran: &Ran) -> Vec<Finding> {
    let findings: Vec<Finding> = serde_json::from_slice(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.stderr));
    let faults = findings.iter().filter(|finding| finding.level == "fault").count();
    assert_eq!(ran.code, Some(if faults == 0 { 0 } else { 3 }), "{}", ran.stderr);
    findings.into_iter().filter(|finding| finding.level != "good").collect()
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn replaced(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// Key and chain in one file, as a node has them.
fn in_one(pair: &Pair, path: &Path) {
    let text = fs::read_to_string(&pair.key).unwrap() + &fs::read_to_string(&pair.cert).unwrap();
    fs::write(path, text).unwrap();
    mode(path, 0o600);
}

#[test]
fn the_faults_of_a_node_that_runs_are_found() {
    let patient = Patient::new();
    let mesh = &patient.town.mesh;
    mesh.start_each();
    // No file says what the standard of the town's rows is.
    let known = ["machine.user", "standard"];
    let well: Vec<Finding> = patient.complaints().into_iter().filter(|it| !known.contains(&it.check.as_str())).collect();
    assert!(well.is_empty(), "{well:#?}");
    let text = Running::start(meridian().args(["node", "check", "--config"]).arg(patient.at("node.toml"))).end();
    let said = text.ok();
    assert!(said.contains("ok") && said.contains("1 of 1 other members"), "{:?}", text.stdout);

    patient.finds(
        "warning",
        "members",
        &["gla can't be reached", "ask the operator"],
        || mesh.stop("gla"),
        || mesh.start("gla"),
    );
    patient.finds("fault", "members", &["no other member", "firewall"], || mesh.stop("gla"), || mesh.start("gla"));
    let authority = || patient.town.kill_authority();
    patient.finds("warning", "authority", &["authorities in node.toml"], authority, || patient.town.start_authority());
    let version = || fs::read(patient.at("state/membership")).unwrap();
    let and_known = |verb| {
        let before = version();
        patient.town.run(&["authority", verb, "lfb"]).ok();
        until("the node knows it", || (version() != before).then_some(()));
    };
    patient.finds(
        "fault",
        "membership.own",
        &["suspended", "ask the authority"],
        || and_known("suspend"),
        || and_known("resume"),
    );
    let elsewhere = |endpoint: String| {
        let before = version();
        patient.town.run(&["authority", "move", "lfb", "--endpoint", &endpoint]).ok();
        until("the node knows it", || (version() != before).then_some(()));
    };
    let here = format!("https://{}", mesh.address("lfb"));
    let away = || elsewhere("https://127.0.0.1:1".into());
    patient.finds("warning", "node.endpoint", &["127.0.0.1:1", "authority move"], away, || elsewhere(here));
    patient.finds_in("state/witness/gla/evidence-1-2-ab", "warning", "witness", &["gla", "said two things"], |path| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    });
    patient.finds_in("state/analysts/analysts.json", "fault", "analysts", &["analysts.json"], |path| {
        fs::write(path, "{").unwrap()
    });
    let analysts = mesh.analysts("lfb");
    let week = || drop(certify_analyst(&analysts, "bo", Validity::from_now(DAY * 7)));
    let year = || drop(certify_analyst(&analysts, "bo", Validity::from_now(DAY * 365)));
    patient.finds("warning", "analysts", &["bo", "analyst add"], week, year);
}

#[test]
fn the_faults_of_a_node_that_does_not_run_are_found() {
    let patient = Patient::new();
    let mesh = &patient.town.mesh;
    // It has run once, and has something to remember.
    mesh.start_each();
    mesh.ask("SELECT COUNT(*) FROM lfb.rows").ok();
    mesh.stop("lfb");
    let (toml, identity, state) = ("node.toml", "identity.pem", patient.at("state"));
    patient.finds_in(toml, "fault", "configuration", &["colour", "node.toml:1:"], |path| {
        replaced(path, "federation", "colour = 1\nfederation")
    });
    patient.finds_in(toml, "fault", "machine.memory", &["memory_mib"], |path| {
        fs::write(path, fs::read_to_string(path).unwrap() + "[limits]\nmemory_mib = 99999999\n").unwrap();
    });
    patient.finds("warning", "state.folder", &["chmod 700"], || mode(&state, 0o755), || mode(&state, 0o700));
    patient.finds_in("state/secret.key", "fault", "state.secret", &["chmod 600"], |path| mode(path, 0o644));
    patient.finds_in("state/secret.key", "fault", "state.secret", &["gone", "backup"], |path| {
        fs::remove_file(path).unwrap()
    });
    patient.finds_in("state/membership", "fault", "membership", &["can't be used", "backup"], |path| {
        fs::write(path, "x").unwrap()
    });
    patient
        .finds_in("state/rights.sealed", "fault", "rights", &["rights.sealed"], |path| fs::write(path, "x").unwrap());
    patient.finds_in(identity, "fault", "certificate", &["chmod 600"], |path| mode(path, 0o644));
    let (london, now) = (patient.town.mesh.authority(), SystemTime::now());
    let own = |validity| certify(&london, "spiffe://london/body/lfb/node", validity);
    patient.finds_in(identity, "fault", "certificate", &["expired"], |path| {
        in_one(&own(Validity { not_before: now - DAY * 2, not_after: now - DAY }), path);
    });
    patient.finds_in(identity, "fault", "certificate", &["valid from"], |path| {
        in_one(&own(Validity { not_before: now + DAY, not_after: now + DAY * 2 }), path);
    });
    patient.finds_in(identity, "warning", "certificate.time", &["ends in", "renew"], |path| {
        in_one(&own(Validity::from_now(DAY)), path);
    });
    patient.finds_in(identity, "fault", "certificate.identity", &["body/gla/node", "body/lfb/node"], |path| {
        fs::copy(mesh.folder("gla").join(identity), path).unwrap();
    });
    let impostor = Authority::create(&"london".parse().unwrap(), &scratch("impostor")).unwrap();
    patient.finds_in(identity, "fault", "certificate", &["not signed by"], |path| {
        in_one(&certify(&impostor, "spiffe://london/body/lfb/node", Validity::from_now(DAY)), path);
    });
    patient.finds_in(toml, "warning", "certificate.renewal", &["two files"], |path| {
        fs::copy(patient.at(identity), patient.at("node.key")).unwrap();
        replaced(path, "key = \"identity.pem\"", "key = \"node.key\"");
    });
    patient.finds_in("rows.csv", "fault", "source", &["rows.csv", "rows.toml"], |path| {
        fs::write(path, "number,text\none,two\n").unwrap();
    });
    let agreement = |end: &str, allowance: &str| {
        format!(
            "id = \"a\"\ntitle = \"A\"\npurpose = \"a\"\nbenefit = \"b\"\nlegal_power = \"c\"\nlawful_basis = \"d\"\n\
             recipients = [\"gla\"]\nstart = \"2020-01-01\"\nend = \"{end}\"\ncontact = \"e\"\n\
             [[grants]]\ndataset = \"people\"\nform = \"statistics\"\n{allowance}"
        )
    };
    fs::write(patient.at("people.csv"), "n\n1\n2\n").unwrap();
    let people = "name = \"people\"\ntitle = \"P\"\ndescription = \"\"\nlicence = \"none\"\nform = \"statistics\"\nthreshold = 10\n\
                  [noise]\nlargest = 5\nvariance = 2.0\n[unit]\nkind = \"person\"\nrows = true\n[source]\nkind = \"csv\"\npath = \"people.csv\"\n\
                  [[columns]]\nname = \"n\"\ntype = \"bigint\"\nrole = \"dimension\"\n";
    fs::write(patient.at("datasets/people.toml"), people).unwrap();
    let write = |text: String| move |path: &Path| fs::write(path, text).unwrap();
    let file = "agreements/a.toml";
    patient.finds_in(
        file,
        "warning",
        "agreement",
        &["ended on 2021-01-01"],
        write(agreement("2021-01-01", "allowance = 10")),
    );
    let soon = (chrono::Utc::now().date_naive() + chrono::Days::new(10)).to_string();
    patient.finds_in(file, "warning", "agreement", &["ends in 10 days"], write(agreement(&soon, "allowance = 10")));
    patient.finds_in(
        file,
        "warning",
        "agreement.allowance",
        &["without end", "a.toml"],
        write(agreement("2099-01-01", "")),
    );
    // Somebody else is where the node should be.
    let text: toml::Table = fs::read_to_string(patient.at(toml)).unwrap().parse().unwrap();
    for (key, check) in [("listen", "node.listen"), ("health", "node.health")] {
        let (address, other) = (text[key].as_str().unwrap(), RefCell::new(None));
        let taken = || *other.borrow_mut() = Some(TcpListener::bind(address).unwrap());
        patient.finds("fault", check, &[address, "in node.toml"], taken, || drop(other.take()));
    }
    // So few files that some kinds of node would stop.
    let limited = "ulimit -n 256 && exec \"$0\" node check --format json --config \"$1\"";
    let mut command = Command::new("sh");
    command.args(["-c", limited]).arg(meridian().get_program()).arg(patient.at(toml));
    let found = complaints(&Running::start(&mut command).end());
    assert!(found.iter().any(|it| it.check == "machine.files" && says(it, &["256", "LimitNOFILE"])), "{found:#?}");
}
