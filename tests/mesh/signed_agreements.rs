//! Agreements that many sign, between real nodes: proposed, signed one by one, in force, withdrawn.

use std::fs;
use std::path::PathBuf;

use super::support::{Mesh, Ran, Running, Town, meridian, until};

pub(crate) const FIRES: &str = "SELECT year, COUNT(*) AS n FROM lfb.incidents GROUP BY year ORDER BY year";

/// A mesh in which nobody has agreed on anything yet.
pub(crate) struct Sprint {
    pub(crate) mesh: Mesh,
}

/// The brigade and Camden share with LODA; two of the GLA, Hackney and the City must agree.
pub(crate) const DOCUMENT: &str = r#"
id = "fire-risk-2026"
title = "Fire risk by borough"
purpose = "fire-risk"
benefit = "Visits go where they help"
legal_power = "Localism Act 2011, section 1"
lawful_basis = "UK GDPR article 6(1)(e)"
parties = ["lfb", "camden", "loda"]
recipients = ["loda"]
trustees = ["gla", "hackney", "city"]
trustees_needed = 2
start = "2026-01-01"
end = "2099-12-31"
contact = "data@loda.example"
controllers = ["London Fire Brigade", "Camden", "LODA"]
method = "Statistics leave each owner's node over mutual TLS"
necessity = "Rates need both"
dpia = "LODA-DPIA-2026-03"
dpo_view = "Content"
retention = "Two years"
review = "2027-01-15"
area = "Greater London"
rights_contact = "rights@loda.example"

[[grants]]
body = "lfb"
dataset = "incidents"
form = "statistics"
columns = ["year", "borough_gss"]

[[grants]]
standard = "dwellings"
bodies = ["camden"]
form = "statistics"
"#;

impl Sprint {
    pub(crate) fn up() -> Self {
        let mesh = Mesh::prepared();
        for body in mesh.bodies() {
            let folder = mesh.folder(body).join("agreements");
            for file in fs::read_dir(folder).into_iter().flatten() {
                fs::remove_file(file.unwrap().path()).unwrap();
            }
        }
        mesh.start_all();
        Self { mesh }
    }

    /// Runs `meridian agreement …` as the operator of a body.
    pub(crate) fn run(&self, body: &str, arguments: &[&str]) -> Ran {
        operator(&self.mesh, body, arguments)
    }

    fn write(&self, text: &str) -> PathBuf {
        let file = self.mesh.dir.join("agreement.toml");
        fs::write(&file, text).unwrap();
        file
    }

    /// Proposes a document as LODA: its id.
    pub(crate) fn propose(&self, text: &str) -> String {
        let file = self.write(text);
        self.run("loda", &["propose", file.to_str().unwrap()]).ok().trim().to_owned()
    }

    /// Signs a document, as soon as the body's node has been told of it.
    pub(crate) fn sign(&self, body: &str, id: &str) {
        until("the document has come", || (self.run(body, &["show", id]).code == Some(0)).then_some(()));
        self.run(body, &["sign", id]).ok();
    }

    /// Whether LODA's analyst gets an answer.
    pub(crate) fn is_answered(&self, sql: &str) -> bool {
        self.mesh.ask(sql).code == Some(0)
    }

    pub(crate) fn wait(&self, what: &str, sql: &str, answered: bool) {
        until(what, || (self.is_answered(sql) == answered).then_some(()));
    }

    /// Waits until a body's node knows that another one has said so.
    pub(crate) fn wait_known(&self, id: &str, at: &str, file: &str) {
        let path = self.mesh.folder(at).join("state/agreements").join(id).join(file);
        until(&format!("{at} holds {file}"), || path.exists().then_some(()));
    }
}

/// Runs `meridian agreement …` as the operator of a body.
fn operator(mesh: &Mesh, body: &str, arguments: &[&str]) -> Ran {
    let mut command = meridian();
    command.arg("agreement").args(arguments).arg("--config").arg(mesh.folder(body).join("node.toml"));
    Running::start(&mut command).end()
}

/// All who must have signed: then the answer is given, of the columns that the document names, until somebody withdraws.
#[test]
fn it_is_in_force_when_all_have_signed_until_one_withdraws() {
    let sprint = Sprint::up();
    let refused = sprint.mesh.ask(FIRES);
    assert!(refused.code != Some(0) && refused.stderr.contains("agreement"), "{}", refused.stderr);

    let missing = sprint.write(&DOCUMENT.replace("dpia = ", "# dpia = "));
    let ran = sprint.run("loda", &["propose", missing.to_str().unwrap()]);
    assert!(ran.code != Some(0) && ran.stderr.contains("`dpia` is missing: fill it in"), "{}", ran.stderr);
    let id = sprint.propose(DOCUMENT);
    for body in ["loda", "gla", "hackney"] {
        sprint.sign(body, &id);
    }
    assert!(!sprint.is_answered(FIRES), "the brigade has not signed");
    for signed in ["consent.loda", "consent.gla", "consent.hackney"] {
        sprint.wait_known(&id, "lfb", signed);
    }
    let by_name = sprint.run("lfb", &["sign", "fire-risk-2026"]);
    assert!(by_name.fails(2).contains("by the beginning of its own id"), "{}", by_name.stderr);
    assert!(sprint.run("lfb", &["sign", &id[..11]]).fails(2).contains("12 characters at least"));
    let shown = sprint.run("lfb", &["show", "fire-risk-2026"]).ok().to_owned();
    assert!(shown.contains("It is not in force at the node of lfb: lfb has not signed."), "{shown}");
    sprint.run("lfb", &["sign", &id]).ok();
    sprint.wait("the brigade's node answers, and does not wait for Camden", FIRES, true);
    for signed in ["consent.loda", "consent.gla", "consent.hackney", "consent.lfb"] {
        sprint.wait_known(&id, "camden", signed);
    }
    let shown = sprint.run("camden", &["show", &id]).ok().to_owned();
    assert!(shown.contains("It is in force at the node of lfb."), "{shown}");
    assert!(shown.contains("It is not in force at the node of camden: camden has not signed."), "{shown}");
    let by_month = FIRES.replace("year", "month");
    let refused = sprint.mesh.ask(&by_month);
    assert!(refused.code != Some(0), "a column that the document does not name");

    sprint.run("gla", &["withdraw", &id]).ok();
    sprint.wait("the brigade's node answers no more", FIRES, false);
    let again = sprint.run("gla", &["sign", &id]);
    assert!(again.code != Some(0) && again.stderr.contains("for good"), "{}", again.stderr);
    sprint.mesh.assert_sound();
}

/// A body that was away learns of document and signatures when it is back, and a document concerns those whom it names.
#[test]
fn bodies_that_were_away_are_told_later() {
    let sprint = Sprint::up();
    sprint.mesh.stop("lfb");
    let file = sprint.write(DOCUMENT);
    let proposed = sprint.run("loda", &["propose", file.to_str().unwrap()]);
    assert!(proposed.stderr.contains("lfb: not told yet"), "{}", proposed.stderr);
    let id = proposed.ok().trim().to_owned();
    for body in ["loda", "city", "hackney"] {
        sprint.sign(body, &id);
    }
    sprint.mesh.stop("city");
    sprint.mesh.start("lfb");
    for signed in ["consent.loda", "consent.hackney", "consent.city"] {
        sprint.wait_known(&id, "lfb", signed);
    }
    sprint.run("lfb", &["sign", &id]).ok();
    sprint.wait("the brigade's node answers", FIRES, true);
    // It goes on after a restart, by what was kept.
    sprint.mesh.stop("lfb");
    sprint.mesh.start("lfb");
    sprint.wait("the brigade's node answers again", FIRES, true);

    let narrow = DOCUMENT.replace("\"gla\", ", "").replace("\"fire-risk-2026\"", "\"fire-risk-2027\"");
    let narrow = sprint.propose(&narrow);
    sprint.wait_known(&narrow, "lfb", "document.toml");
    let mut gla = sprint.mesh.client("lfb", Some(&sprint.mesh.node_pair("gla")));
    let mut told = gla.action("meridian.agreements", Vec::new()).unwrap();
    let told = told.pop().unwrap();
    let holds = |text: &str| told.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds(&id) && !holds(&narrow), "the GLA is told of what concerns it, and of nothing else");
}

/// An owner's node whose state is of an earlier day does not go on giving what its body has withdrawn.
#[test]
fn a_withdrawal_that_was_lost_is_given_back() {
    let sprint = Sprint::up();
    let id = sprint.propose(DOCUMENT);
    for body in ["loda", "gla", "hackney", "lfb"] {
        sprint.sign(body, &id);
    }
    sprint.wait("the brigade's node answers", FIRES, true);
    sprint.run("lfb", &["withdraw", &id]).ok();
    sprint.wait_known(&id, "loda", "withdrawal.lfb");
    sprint.mesh.stop("lfb");
    let own = sprint.mesh.folder("lfb").join("state/agreements").join(&id).join("withdrawal.lfb");
    fs::remove_file(&own).unwrap();
    assert!(sprint.run("lfb", &["show", &id]).ok().contains("It is in force at the node of lfb."));
    sprint.mesh.start("lfb");
    until("others give it back", || own.exists().then_some(()));
    sprint.wait("the brigade's node answers no more", FIRES, false);
    // A party that did not sign withdraws as well.
    sprint.run("camden", &["withdraw", &id]).ok();
    sprint.wait_known(&id, "loda", "withdrawal.camden");
    sprint.mesh.assert_sound();
}

const HOUSES: &str = "SELECT id, street FROM lfb.houses ORDER BY id";

/// Gains what it had until its certificate was revoked: what was signed with a key that is lost counts no more, here and after a
/// restart, until the body signs anew.
#[test]
fn a_consent_whose_certificate_is_revoked_counts_no_more() {
    let mut town = Town::of(&["loda", "lfb", "gla"]);
    let folder = town.mesh.folder("lfb");
    fs::write(folder.join("houses.csv"), "id,street\n1,High Street\n2,Low Street\n").unwrap();
    let column = |name: &str, kind: &str| format!("[[columns]]\nname = \"{name}\"\ntype = \"{kind}\"\n");
    let columns = [column("id", "integer"), column("street", "varchar")].concat();
    let dataset = format!(
        "name = \"houses\"\ntitle = \"Houses\"\ndescription = \"\"\nlicence = \"none\"\nform = \"rows\"\n\n[source]\n\
         kind = \"csv\"\npath = \"houses.csv\"\n\n{columns}"
    );
    fs::write(folder.join("datasets/houses.toml"), dataset).unwrap();
    town.mesh.start_each();
    let (head, _) = DOCUMENT.split_once("[[grants]]").unwrap();
    let head =
        head.replace("\"camden\", ", "").replace(", \"hackney\", \"city\"", "").replace("needed = 2", "needed = 1");
    let grant = "[[grants]]\nbody = \"lfb\"\ndataset = \"houses\"\nform = \"rows\"\ncolumns = [\"id\", \"street\"]\n";
    let file = town.mesh.dir.join("agreement.toml");
    fs::write(&file, head + grant).unwrap();
    let id = operator(&town.mesh, "loda", &["propose", file.to_str().unwrap()]).ok().trim().to_owned();
    let sign = |mesh: &Mesh, body: &str| {
        until("the document has come", || (operator(mesh, body, &["show", &id]).code == Some(0)).then_some(()));
        operator(mesh, body, &["sign", &id]).ok();
    };
    for body in ["loda", "gla", "lfb"] {
        sign(&town.mesh, body);
    }
    let is_answered = |town: &Town| {
        let asked = town.mesh.run(&["query", "--purpose", "fire-risk", "--format", "csv", "--", HOUSES]);
        asked.code == Some(0)
    };
    until("LFB's node answers", || is_answered(&town).then_some(()));

    town.run(&["authority", "revoke", "gla"]).ok();
    until("LFB's node answers no more", || (!is_answered(&town)).then_some(()));
    let why = "signed with a certificate that was revoked since, and must sign anew";
    let shown = operator(&town.mesh, "lfb", &["show", &id]).ok().to_owned();
    assert!(shown.contains("0 of its trustees have signed, and 1 must") && shown.contains(why), "{shown}");
    town.mesh.stop("lfb");
    town.mesh.start("lfb");
    until("LFB's node describes itself", || {
        town.mesh.run(&["catalogue", "--format", "csv"]).ok().contains("london.lfb.houses").then_some(())
    });
    assert!(!is_answered(&town), "after a restart");

    town.mesh.stop("gla");
    fs::remove_dir_all(town.mesh.folder("gla")).unwrap();
    town.join("gla", &[]).ok();
    town.mesh.start("gla");
    assert!(!is_answered(&town), "being in again is no consent");
    sign(&town.mesh, "gla");
    until("LFB's node answers again", || is_answered(&town).then_some(()));
    town.mesh.assert_sound();
}
