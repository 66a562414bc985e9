//! A join of one body's protected rows with another's open labels, made where the rows are: three nodes, what each of them
//! learns, and each way in which it can fail.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::support::{Line, Mesh, PURPOSE, Ran, Tap, meridian, until};

const ASHA: &str = "spiffe://london/body/loda/analyst/asha";
const BY_LABEL: &str = "SELECT b.name, COUNT(*) AS n FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss \
                        GROUP BY b.name ORDER BY b.name";
/// The same cells by the brigade's own column, named here.
const BY_KEY: &str = "SELECT b.name, x.n FROM (SELECT borough_gss, COUNT(*) AS n FROM lfb.incidents GROUP BY borough_gss) x \
                      JOIN gla.boroughs b ON b.gss = x.borough_gss ORDER BY b.name";
/// A borough that only the brigade's rows know.
const CANARY: &str = "E09CANARY";
/// What the GLA is asked, whatever the question.
const WHOLE: &str = "SELECT gss AS c0, \"inner\" AS c1, \"name\" AS c2 FROM london.gla.boroughs";

/// The content of boroughs as CSV with the columns gss, name and inner, by the documentation of the form.
fn content(csv: &str) -> String {
    let text = |text: &str| [&[1][..], &(text.len() as u64).to_be_bytes(), text.as_bytes()].concat();
    let mut rows: Vec<Vec<u8>> = csv
        .lines()
        .skip(1)
        .map(|line| {
            let [gss, name, inner] = line.split(',').collect::<Vec<_>>().try_into().unwrap();
            [text(gss), vec![1, u8::from(inner == "true")], text(name)].concat()
        })
        .collect();
    rows.sort();
    let head = b"meridian reference 1\ngss varchar\ninner boolean\nname varchar\n";
    hex::encode(Sha256::digest([&head[..], &rows.concat()].concat()))
}

fn stanza(dataset: &str, sha256: &str) -> String {
    format!(
        "[[references]]\nbody = \"gla\"\ndataset = \"{dataset}\"\nkey = \"gss\"\nsha256 = \"{sha256}\"\nlabels = {{ inner = {{ role = \
         \"dimension\" }}, name = {{ role = \"dimension\" }} }}\n"
    )
}

/// The GLA publishes boroughs again: with a borough that stands twice, changed since it was declared, under an agreement
/// with the brigade alone, and with units that may object.
fn publish_more(gla: &Path) {
    let described = fs::read_to_string(gla.join("datasets/boroughs.toml")).unwrap();
    let boroughs = fs::read_to_string(gla.join("data/boroughs.csv")).unwrap();
    for dataset in ["twice", "other", "granted", "premises"] {
        let named = described.replace("name = \"boroughs\"", &format!("name = \"{dataset}\""));
        assert_ne!(named, described);
        let mut placed = named.replace("data/boroughs.csv", &format!("data/{dataset}.csv"));
        let mut rows = boroughs.clone();
        match dataset {
            "twice" => rows.push_str("E09000001,City twice,true\n"),
            "other" => rows.push_str("E09000099,Nowhere,true\n"),
            "premises" => {
                placed = placed.replacen("role = \"dimension\"", "role = \"identifier\"", 1);
                placed.push_str("\n[unit]\nkind = \"premises\"\ncolumn = \"gss\"\n");
            }
            _ => placed = placed.replace("form = \"open\"", "form = \"rows\""),
        }
        fs::write(gla.join(format!("data/{dataset}.csv")), rows).unwrap();
        fs::write(gla.join(format!("datasets/{dataset}.toml")), placed).unwrap();
    }
    fs::create_dir_all(gla.join("agreements")).unwrap();
    let agreement = format!(
        "id = \"names-2026\"\ntitle = \"Names\"\npurpose = \"{PURPOSE}\"\nbenefit = \"Names\"\nlegal_power = \"None\"\n\
         lawful_basis = \"None\"\nrecipients = [\"lfb\"]\nstart = \"2026-01-01\"\nend = \"2099-12-31\"\ncontact = \
         \"data@gla.example\"\n\n[[grants]]\ndataset = \"granted\"\nform = \"rows\"\n"
    );
    fs::write(gla.join("agreements/names.toml"), agreement).unwrap();
}

/// The brigade declares them all, and has rows of its own that no other body knows of.
fn declare(mesh: &Mesh, printed: &str) {
    let (lfb, gla) = (mesh.folder("lfb"), mesh.folder("gla"));
    let hash = |dataset: &str| content(&fs::read_to_string(gla.join(format!("data/{dataset}.csv"))).unwrap());
    let file = lfb.join("datasets/incidents.toml");
    let mut text = fs::read_to_string(&file).unwrap();
    text.push_str(&format!("\n{printed}\n"));
    for (dataset, of) in [("twice", "twice"), ("other", "boroughs"), ("granted", "granted"), ("premises", "premises")] {
        let sha256 = hash(of);
        text.push_str(&stanza(dataset, &sha256));
        text.push('\n');
    }
    fs::write(&file, text).unwrap();
    let fires = lfb.join("data/dwelling_fires.csv");
    let mut rows = fs::read_to_string(&fires).unwrap();
    let last = rows.lines().last().unwrap().to_owned();
    let mut cells: Vec<&str> = last.split(',').collect();
    cells[1] = CANARY;
    for _ in 0..40 {
        rows.push_str(&format!("{}\n", cells.join(",")));
    }
    fs::write(&fires, rows).unwrap();
}

/// LODA, the GLA and the brigade, up, and all that the brigade's node says to the GLA's; the other bodies are not needed.
fn mesh() -> (Mesh, Tap) {
    let mesh = Mesh::prepared();
    publish_more(&mesh.folder("gla"));
    let tap = Tap::between(&mesh, "lfb", "gla");
    mesh.start("gla");
    mesh.start("loda");
    let boroughs = fs::read_to_string(mesh.folder("gla").join("data/boroughs.csv")).unwrap();
    let printed = until("LODA's node knows what the GLA publishes", || {
        let ran = mesh.run(&["reference", "gla.boroughs", "--by", "gss", "--labels", "name,inner"]);
        (ran.code == Some(0)).then(|| ran.ok().to_owned())
    });
    assert_eq!(printed, stanza("boroughs", &content(&boroughs)));
    let repeated = mesh.run(&["reference", "gla.twice", "--by", "gss", "--labels", "name"]);
    assert!(repeated.stderr.contains("stands in more than one row"), "{}", repeated.stderr);
    declare(&mesh, &printed);
    mesh.start("lfb");
    until("LODA's node knows what the brigade publishes", || {
        mesh.run(&["catalogue", "--format", "csv"]).ok().contains("london.lfb.").then_some(())
    });
    (mesh, tap)
}

/// The records of the releases that the GLA made to the brigade.
fn to_lfb(mesh: &Mesh) -> Vec<Line> {
    let to_lfb = |line: &Line| line.json["release"]["caller"] == "spiffe://london/body/lfb/node";
    mesh.records("gla").into_iter().filter(to_lfb).collect()
}

#[test]
fn labels_of_one_body_group_the_rows_of_another() {
    let (mesh, tap) = mesh();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));

    // The same cells as by the brigade's own column, noise and all.
    let by_label = mesh.ask(BY_LABEL);
    assert_eq!(by_label.ok(), mesh.ask(BY_KEY).ok());
    assert!(by_label.ok().lines().count() > 30, "{}", by_label.ok());

    // Who released what to whom, verified by the asker's own node and handed on.
    let answer = asha.statement(BY_LABEL).unwrap();
    let records = answer.records();
    let of = |body: &str| records.iter().find(|record| record.body == body).unwrap();
    assert_eq!(records.len(), 3, "{records:?}");
    assert_eq!((of("lfb").caller.as_str(), of("lfb").on_behalf_of.as_str()), ("spiffe://london/body/loda/node", ASHA));
    assert_eq!((of("gla").caller.as_str(), of("gla").on_behalf_of.as_str()), ("spiffe://london/body/lfb/node", ASHA));
    assert!(of("lfb").rules.contains(&"reference.whole".to_owned()), "{:?}", of("lfb").rules);
    assert_eq!((of("gla").sql.as_str(), of("gla").rows), (WHOLE, 33));

    // Whatever is asked, and whether or not any row fits, the GLA is asked the same, and learns nothing of the brigade's rows.
    let questions = [
        "SELECT COUNT(*) AS n FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss WHERE b.name = 'Camden' AND i.hmo",
        "SELECT b.inner, COUNT(*) AS n FROM lfb.incidents i LEFT JOIN gla.boroughs b ON i.borough_gss = b.gss AND b.inner GROUP BY 1",
        "SELECT year, COUNT(*) AS n FROM lfb.incidents WHERE borough_gss IN (SELECT b.gss FROM gla.boroughs b WHERE b.inner) GROUP BY year",
        "SELECT COUNT(*) AS n FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss WHERE i.borough_gss = 'E09CANARY'",
        "SELECT COUNT(*) AS n FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss WHERE i.year = 1066",
    ];
    for sql in questions {
        let answer = asha.statement(sql).unwrap_or_else(|status| panic!("{sql}\n{}", status.message()));
        let records = answer.records();
        let gla = records.iter().find(|record| record.body == "gla").unwrap_or_else(|| panic!("{sql}: {records:?}"));
        assert_eq!((gla.sql.as_str(), gla.rows), (WHOLE, 33), "{sql}");
    }
    let log = to_lfb(&mesh);
    assert_eq!(log.len(), 2 + questions.len(), "one request for each question");
    assert!(log.iter().all(|line| line.json["release"]["on_behalf_of"] == ASHA));
    let everything: String = mesh.records("gla").iter().map(|line| line.json.to_string()).collect();
    assert!(!everything.contains(CANARY) && !mesh.log("gla").contains(CANARY));

    no_key_on_the_wire(&tap);
    audited(&mesh);
    objected(&mesh);
    refusals(&mesh);
    failures(&mesh);
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
}

/// Of all that the brigade's node sent to the GLA's, decrypted, no byte is a key of its rows or a literal of a question
/// about them.
fn no_key_on_the_wire(tap: &Tap) {
    let (asked, answered) = (tap.asked(), tap.answered());
    // The search finds what is there.
    assert!(holds(&asked, WHOLE) && holds(&asked, ASHA), "{} bytes were sent", asked.len());
    assert!(holds(&answered, "E09000007") && holds(&answered, "Camden"), "{} bytes came", answered.len());
    // The brigade's keys are codes of boroughs; the rest are values of its rows and of the questions.
    for text in ["E090000", CANARY, "CANARY", "Camden", "= 1066", "property_type", "incidents"] {
        assert!(!holds(&asked, text), "{text} went from the brigade to the GLA");
    }
}

/// The GLA's officer reads in its log who really asked, and by way of whom.
fn audited(mesh: &Mesh) {
    let line = to_lfb(mesh).pop().unwrap();
    assert_eq!(line.json["release"]["via"], serde_json::json!(["loda"]));
    let mut command = meridian();
    command.args(["audit", "show", &line.json["index"].to_string(), "--config"]);
    command.arg(mesh.folder("gla").join("node.toml"));
    let shown = Ran::of(command.output().unwrap());
    let text = shown.ok();
    for words in [
        format!("caller     spiffe://london/body/lfb/node for {ASHA}"),
        "via        loda".to_owned(),
        "london.gla.boroughs as open: ".to_owned(),
    ] {
        assert!(text.contains(&words), "{words} is not in\n{text}");
    }
    // Who asks the brigade directly came by way of nobody.
    let direct = mesh.records("lfb").into_iter().filter(|line| line.json["release"].is_object());
    assert!(direct.clone().count() > 0 && direct.clone().all(|line| line.json["release"]["via"].is_null()));
}

/// Who objects at the other body is in no label: what was declared is no longer what there is, and until the brigade has
/// looked at it and declares it anew, nothing is answered.
fn objected(mesh: &Mesh) {
    let join = "SELECT b.name, COUNT(*) AS n FROM lfb.incidents i JOIN gla.premises b ON i.borough_gss = b.gss \
                GROUP BY b.name ORDER BY b.name";
    let before = mesh.ask(join);
    let without: Vec<&str> = before.ok().lines().filter(|line| !line.starts_with("Camden,")).collect();
    assert_eq!(without.len() + 1, before.ok().lines().count());
    let mut object = meridian();
    object.args(["rights", "object", "--kind", "premises", "--unit", "E09000007", "--config"]);
    Ran::of(object.arg(mesh.folder("gla").join("node.toml")).output().unwrap()).ok();
    let changed = "london.gla.premises is not what it was when the reference to it was declared";
    let told = until("the objection is in force", || {
        let told = mesh.ask(join).stderr;
        told.contains(changed).then_some(told)
    });
    assert!(!told.contains("Camden") && !told.contains("E09"), "no values: {told}");

    let anew = mesh.run(&["reference", "gla.premises", "--by", "gss", "--labels", "name,inner"]);
    let file = mesh.folder("lfb").join("datasets/incidents.toml");
    let boroughs = fs::read_to_string(mesh.folder("gla").join("data/premises.csv")).unwrap();
    let (text, declared) = (fs::read_to_string(&file).unwrap(), stanza("premises", &content(&boroughs)));
    assert!(text.contains(&declared) && anew.ok() != declared, "{}", anew.ok());
    fs::write(&file, text.replace(&declared, anew.ok())).unwrap();
    let after = until("the brigade's terms are followed", || {
        let after = mesh.ask(join);
        (after.code == Some(0)).then(|| after.ok().to_owned())
    });
    assert_eq!(after.lines().collect::<Vec<_>>(), without, "the other cells are the same");
}

/// What the owner did not declare, and what is not open.
fn refusals(mesh: &Mesh) {
    let join = |dataset: &str| {
        format!(
            "SELECT b.name, COUNT(*) AS n FROM lfb.incidents i JOIN gla.{dataset} b ON i.borough_gss = b.gss GROUP BY b.name"
        )
    };
    let told = mesh.ask(&join("granted")).stderr;
    // What is not open lfb is not asked to fetch: LODA asks for it itself, and has no agreement.
    assert!(told.contains("gla refuses"), "{told}");
    let told = mesh
        .ask(
            "SELECT COUNT(*) AS n FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss AND i.year < length(b.name)",
        )
        .stderr;
    assert!(told.contains("not joined by the key of the reference alone"), "{told}");

    // A node that goes round its own planner meets the owner's gate, and the GLA's.
    let mut loda = mesh.client("lfb", Some(&mesh.node_pair("loda")));
    let mut said = |sql: &str| loda.remote(sql).unwrap_err().message().to_owned();
    let told = said(&join("granted").replace("lfb.", "london.lfb.").replace("gla.", "london.gla."));
    assert!(told.contains("can't be fetched: gla refuses") && told.contains("not to be passed on"), "{told}");
    for (sql, expected) in [
        (
            "SELECT b.gss, COUNT(*) FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss GROUP BY b.gss",
            "is an identifier",
        ),
        (
            "SELECT COUNT(*) FROM lfb.incidents i JOIN gla.elsewhere b ON i.borough_gss = b.gss",
            "no dataset london.gla.elsewhere",
        ),
        ("SELECT name FROM gla.boroughs", "this question needs data of a third body"),
        ("SELECT COUNT(*) FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.name", "not by its key alone"),
    ] {
        let told = said(sql);
        assert!(told.contains(expected), "{sql}\n{told}");
    }
}

/// What was declared and is not what it was.
fn failures(mesh: &Mesh) {
    let join = |dataset: &str| {
        format!(
            "SELECT b.name, COUNT(*) AS n FROM lfb.incidents i JOIN gla.{dataset} b ON i.borough_gss = b.gss GROUP BY b.name"
        )
    };
    let told = mesh.ask(&join("twice")).stderr;
    assert!(
        told.contains("lfb did not answer: a value of gss stands in more than one row of london.gla.twice"),
        "{told}"
    );
    let changed =
        |dataset: &str| format!("london.gla.{dataset} is not what it was when the reference to it was declared");
    let told = mesh.ask(&join("other")).stderr;
    assert!(told.contains(&changed("other")) && told.contains("meridian reference"), "{told}");
    assert!(!told.contains("Nowhere") && !told.contains("E09"), "no values: {told}");

    let file = mesh.folder("gla").join("data/boroughs.csv");
    let boroughs = fs::read_to_string(&file).unwrap();
    fs::write(&file, boroughs.replace("Camden", "Kamden")).unwrap();
    until("the GLA's change is noticed", || mesh.ask(BY_LABEL).stderr.contains(&changed("boroughs")).then_some(()));

    mesh.stop("gla");
    let told = mesh.ask(BY_LABEL).stderr;
    assert!(told.contains("the reference to london.gla.boroughs can't be fetched: gla is unavailable"), "{told}");
}
