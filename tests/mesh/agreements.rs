//! What bodies agree on: drafted from a question, signed by all, and held by the owners' nodes.

use std::fs;

use super::support::{Mesh, Ran, Running, meridian, until};

/// Numbers of fires and of households by borough, and open names.
const QUESTION: &str = "SELECT b.name, f.fires, d.households FROM gla.boroughs b \
     JOIN (SELECT borough_gss, COUNT(*) AS fires FROM lfb.incidents WHERE year >= 2018 GROUP BY borough_gss) f ON f.borough_gss = b.gss \
     JOIN (SELECT borough_gss, SUM(households) AS households FROM every.dwellings GROUP BY borough_gss) d ON d.borough_gss = b.gss \
     ORDER BY b.name";

/// What a draft grants: bodies, dataset, form, columns.
fn grants(draft: &str) -> Vec<toml::Table> {
    let draft: toml::Table = draft.parse().unwrap();
    draft["grants"].as_array().unwrap().iter().map(|grant| grant.as_table().unwrap().clone()).collect()
}

fn texts(grant: &toml::Table, key: &str) -> Vec<String> {
    grant[key].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// The draft with all that people fill in, under another name and with these columns of the incidents.
fn filled(draft: &str, id: &str, columns: &[&str]) -> String {
    let mut agreement: toml::Table = draft.parse().unwrap();
    for (key, value) in agreement.iter_mut().filter(|(_, value)| value.as_str() == Some("")) {
        let today = chrono::Utc::now().date_naive().to_string();
        *value = if key == "review" { today.into() } else { "said by somebody".into() };
    }
    agreement.insert("id".into(), id.into());
    for grant in agreement["grants"].as_array_mut().unwrap() {
        let grant = grant.as_table_mut().unwrap();
        if grant["dataset"].as_str() == Some("incidents") {
            let columns: Vec<toml::Value> = columns.iter().map(|&column| column.into()).collect();
            grant.insert("columns".into(), columns.into());
        }
    }
    toml::to_string(&agreement).unwrap()
}

/// Runs `meridian agreement VERB WHAT` at a body's node.
fn at(mesh: &Mesh, body: &str, verb: &str, what: &str) -> Ran {
    let mut command = meridian();
    command.args(["agreement", verb, what, "--config"]).arg(mesh.folder(body).join("node.toml"));
    Running::start(&mut command).end()
}

/// Drafts what a question needs.
fn draft(mesh: &Mesh, sql: &str) -> Ran {
    let mut command = meridian();
    command.args(["agreement", "draft", "--purpose", "fire-risk", "--profile"]).arg(mesh.profile()).args(["--", sql]);
    Running::start(&mut command).end()
}

/// LODA proposes a document, and all whom it concerns sign it.
fn agree(mesh: &Mesh, id: &str, document: &str, signers: &[&str]) {
    let file = mesh.dir.join(format!("{id}.toml"));
    fs::write(&file, document).unwrap();
    let proposed = at(mesh, "loda", "propose", file.to_str().unwrap());
    let document = proposed.ok().trim();
    for body in signers {
        until("the document has come", || (at(mesh, body, "show", document).code == Some(0)).then_some(()));
        at(mesh, body, "sign", document).ok();
    }
}

#[test]
fn the_smallest_agreement_that_lets_a_question_run_is_drafted() {
    let mesh = Mesh::prepared();
    for body in mesh.bodies() {
        for file in fs::read_dir(mesh.folder(body).join("agreements")).into_iter().flatten().flatten() {
            fs::remove_file(file.path()).unwrap();
        }
    }
    mesh.start_all();
    assert!(mesh.ask(QUESTION).fails(1).contains("agreement"));

    let drafted = draft(&mesh, QUESTION);
    let text = drafted.ok().to_owned();
    assert!(drafted.stderr.contains("necessity") && drafted.stderr.contains("rights_contact"), "{}", drafted.stderr);
    let grants = grants(&text);
    let [dwellings, incidents] = grants.as_slice() else { panic!("{text}") };
    let mut boroughs: Vec<String> = mesh.boroughs().map(str::to_owned).collect();
    boroughs.sort();
    assert_eq!(texts(dwellings, "bodies"), boroughs);
    assert_eq!(
        (texts(incidents, "bodies"), texts(incidents, "columns")),
        (vec!["lfb".to_owned()], vec!["year".to_owned(), "borough_gss".to_owned()])
    );
    assert_eq!(texts(dwellings, "columns"), ["borough_gss", "households"]);

    let signers: Vec<&str> = ["loda", "lfb"].into_iter().chain(boroughs.iter().map(String::as_str)).collect();
    let question = |sql: &str| until("its agreement is in force", || (mesh.ask(sql).code == Some(0)).then_some(()));
    // Without one of the columns it would not do.
    agree(&mesh, "too-little", &filled(&text, "too-little", &["borough_gss"]), &signers);
    question("SELECT SUM(households) FROM every.dwellings");
    question("SELECT borough_gss, COUNT(*) FROM lfb.incidents GROUP BY borough_gss");
    assert!(mesh.ask(QUESTION).fails(1).contains("year"));
    agree(&mesh, "enough", &filled(&text, "enough", &["year", "borough_gss"]), &signers);
    question(QUESTION);
    at(&mesh, "lfb", "withdraw", "enough").ok();
    until("it is withdrawn", || (mesh.ask(QUESTION).code == Some(1)).then_some(()));

    // What is open, or one's own, needs none; and a peer gets no draft.
    let open = draft(&mesh, "SELECT name FROM gla.boroughs");
    assert!(open.fails(2).contains("no agreement is needed"), "{}", open.stderr);
}
