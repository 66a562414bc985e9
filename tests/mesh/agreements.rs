//! What bodies agree on: drafted from a question, and held by the owners' nodes.

use std::fs;

use super::support::{Mesh, until};

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

/// Puts the grant of a draft into force at one of its owners, with all that people fill in.
fn agree(mesh: &Mesh, draft: &str, grant: &toml::Table, body: &str, columns: &[String]) {
    let mut agreement: toml::Table = draft.parse().unwrap();
    for (key, value) in agreement.iter_mut().filter(|(_, value)| value.as_str() == Some("")) {
        *value = if key == "review" { agreement_day() } else { "said by somebody".into() };
    }
    let mut grant = grant.clone();
    grant.remove("bodies");
    grant.insert("columns".into(), columns.to_vec().into());
    agreement.insert("parties".into(), vec!["loda".to_owned(), body.to_owned()].into());
    agreement.insert("grants".into(), vec![toml::Value::from(grant)].into());
    let folder = mesh.folder(body).join("agreements");
    // Under another name first: a node reads whatever it finds.
    let (made, file) = (folder.join("drafted.new"), folder.join("drafted.toml"));
    fs::write(&made, toml::to_string(&agreement).unwrap()).unwrap();
    fs::rename(made, file).unwrap();
}

fn agreement_day() -> toml::Value {
    chrono::Utc::now().date_naive().to_string().into()
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

    let drafted = mesh.run(&["agreement", "draft", "--purpose", "fire-risk", "--", QUESTION]);
    let draft = drafted.ok().to_owned();
    assert!(drafted.stderr.contains("necessity") && drafted.stderr.contains("rights_contact"), "{}", drafted.stderr);
    let grants = grants(&draft);
    let [dwellings, incidents] = grants.as_slice() else { panic!("{draft}") };
    let mut boroughs: Vec<String> = mesh.boroughs().map(str::to_owned).collect();
    boroughs.sort();
    assert_eq!(texts(dwellings, "bodies"), boroughs);
    assert_eq!(
        (texts(incidents, "bodies"), texts(incidents, "columns")),
        (vec!["lfb".to_owned()], vec!["year".to_owned(), "borough_gss".to_owned()])
    );
    assert_eq!(texts(dwellings, "columns"), ["borough_gss", "households"]);

    for borough in &boroughs {
        agree(&mesh, &draft, dwellings, borough, &texts(dwellings, "columns"));
    }
    // Without one of the columns it would not do.
    agree(&mesh, &draft, incidents, "lfb", &["borough_gss".to_owned()]);
    until("the boroughs' agreements are in force", || {
        (mesh.ask("SELECT SUM(households) FROM every.dwellings").code == Some(0)).then_some(())
    });
    until("the brigade's is", || {
        (mesh.ask("SELECT COUNT(*) FROM lfb.incidents GROUP BY borough_gss").code == Some(0)).then_some(())
    });
    assert!(mesh.ask(QUESTION).fails(1).contains("year"));
    agree(&mesh, &draft, incidents, "lfb", &texts(incidents, "columns"));
    until("it runs", || (mesh.ask(QUESTION).code == Some(0)).then_some(()));

    // What is open, or one's own, needs none; and a peer gets no draft.
    let open = mesh.run(&["agreement", "draft", "--purpose", "fire-risk", "--", "SELECT name FROM gla.boroughs"]);
    assert!(open.fails(2).contains("no agreement is needed"), "{}", open.stderr);
}
