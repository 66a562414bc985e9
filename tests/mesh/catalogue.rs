//! The catalogue: found by words, told in forms that others' tools take, shown to anybody as far as anybody may know, and new
//! within seconds wherever something changes.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use meridian_proto::{CATALOGUE_ACTION, NEWS_ACTION, wire};
use prost::Message;
use serde_json::Value;

use super::support::{Mesh, Ran, Running, free, get, is_soak, meridian, python, scratch, until};

/// Longest time in which a change is seen at another node, on a machine that does nothing else.
const NOTICED: Duration = Duration::from_secs(10);

/// Runs `meridian catalogue` with a verb, as LODA's analyst.
fn run(mesh: &Mesh, arguments: &[&str]) -> Ran {
    let mut command = meridian();
    Running::start(command.arg("catalogue").args(arguments).env("MERIDIAN_PROFILE", mesh.profile())).end()
}

/// What a search finds, by name.
fn found(mesh: &Mesh, words: &str) -> Vec<String> {
    let ran = run(mesh, &["search", "--format", "jsonl", "--most", "0", "--", words]);
    ran.ok().lines().map(|line| text(&serde_json::from_str(line).unwrap(), "dataset")).collect()
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// The mesh with LODA's public pages.
fn served() -> (Mesh, SocketAddr) {
    let (mesh, address) = (Mesh::prepared(), free());
    let file = fs::OpenOptions::new().append(true).open(mesh.folder("loda").join("node.toml"));
    writeln!(file.unwrap(), "\n[public]\nlisten = \"{address}\"").unwrap();
    (mesh, address)
}

/// Adds lines above the first table of a dataset's file.
fn say(mesh: &Mesh, body: &str, dataset: &str, lines: &str) {
    let file = mesh.folder(body).join(format!("datasets/{dataset}.toml"));
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("form =", &format!("{lines}\nform ="), 1)).unwrap();
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[test]
fn a_search_finds_what_one_may_see_the_best_first() {
    let mesh = Mesh::shared();
    assert_eq!(found(mesh, "fires attended")[0], "london.lfb.incidents");
    assert_eq!(found(mesh, "incidemts"), ["london.lfb.incidents"], "a slip of the pen");
    assert!(found(mesh, "gss:borough").len() > 30, "by concept");
    assert!(found(mesh, "camden").contains(&"london.camden.dwellings".to_owned()), "by publisher");
    assert!(found(mesh, "zyzzyva").is_empty());
    // LFB's hidden columns are there for nobody else.
    let located = found(mesh, "easting northing");
    assert!(
        located.contains(&"london.lfb.stations".to_owned()) && !located.contains(&"london.lfb.incidents".to_owned())
    );

    let ran = run(mesh, &["search", "--format", "json", "fire stations"]);
    let told: Value = serde_json::from_str(ran.ok()).unwrap();
    let first = &told["datasets"][0];
    assert_eq!(
        (text(first, "dataset"), text(first, "publisher")),
        ("london.lfb.stations".into(), "London Fire Brigade".into())
    );
    assert!(first["quality"]["checks_passed"].as_array().unwrap().contains(&"types".into()), "{first}");
    assert!(first["columns"].as_array().unwrap().iter().any(|column| column["concept"] == "gss:borough"), "{first}");
}

#[test]
fn the_listing_says_how_new_and_how_good() {
    let mesh = Mesh::shared();
    let ran = mesh.run(&["catalogue", "--format", "jsonl"]);
    let listed: Vec<Value> = ran.ok().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name: &str| listed.iter().find(|entry| entry["dataset"] == name).unwrap();
    let incidents = of("london.lfb.incidents");
    assert_eq!((text(incidents, "form"), text(incidents, "freshness")), ("statistics".into(), "as declared".into()));
    // A snapshot tells of no later change than its period's beginning, and a month may end while the nodes are up.
    let months = [1, 0].map(|days| (Utc::now() - TimeDelta::days(days)).format("%Y-%m-01").to_string());
    assert!(months.contains(&text(incidents, "last_change")), "{incidents}");
    assert!(text(incidents, "quality").ends_with("passed"), "{incidents}");
    assert!(text(of("london.lfb.stations"), "last_change") >= months[0]);
}

#[test]
fn only_analysts_search_and_only_of_what_they_can_ask() {
    let mesh = Mesh::shared();
    let mut peer = mesh.client("lfb", Some(&mesh.node_pair("loda")));
    let request =
        wire::CatalogueRequest { form: wire::CatalogueForm::Found.into(), ..wire::CatalogueRequest::default() };
    let refused = peer.action(CATALOGUE_ACTION, request.encode_to_vec()).unwrap_err();
    assert!(refused.message().contains("each node knows what all bodies describe"), "{refused:?}");
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    for bad in [
        b"\xff\xff".to_vec(),
        Vec::new(),
        wire::CatalogueRequest { words: "x".repeat(10_000), ..request.clone() }.encode_to_vec(),
        wire::CatalogueRequest { form: 2, base: "javascript:x".into(), ..request.clone() }.encode_to_vec(),
        wire::CatalogueRequest { form: 2, base: "https://no.slash".into(), ..request.clone() }.encode_to_vec(),
    ] {
        assert!(asha.action(CATALOGUE_ACTION, bad).is_err());
    }
    // News is for nodes.
    assert!(asha.action(NEWS_ACTION, Vec::new()).is_err());
    assert!(peer.action(NEWS_ACTION, b"\xff\xff".to_vec()).is_err());
    mesh.assert_sound();
}

#[test]
fn others_tools_take_the_catalogue() {
    let (mesh, address) = served();
    mesh.start_all();
    let read = |path: &str| get(address, &format!("/catalogue/{path}"));
    let dir = scratch("dcat");
    let told = until("all bodies are told of", || {
        let told: Value = serde_json::from_str(body(&read("catalogue.json"))).unwrap();
        let bodies: Vec<String> = told["datasets"].as_array().unwrap().iter().map(|it| text(it, "body")).collect();
        mesh.bodies().filter(|body| *body != "loda").all(|body| bodies.iter().any(|it| it == body)).then_some(told)
    });
    let count = told["found"].as_u64().unwrap();
    assert!(count > 10);
    let write = |name: &str, content: &str| {
        let file = dir.join(name);
        fs::write(&file, content).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let at = |path: &str| format!("http://{address}/catalogue/{path}");
    let answer = read("catalogue.jsonld");
    assert!(answer.contains("content-type: application/ld+json") && answer.contains("access-control-allow-origin: *"));
    let file = write("catalogue.jsonld", body(&answer));
    assert_eq!(python("catalogue.py", &["dcat", &file, &at("catalogue.jsonld")]).ok().trim(), format!("ok {count}"));
    let one = "datasets/lfb/incidents.jsonld";
    let file = write("one.jsonld", body(&read(one)));
    assert_eq!(python("catalogue.py", &["dcat", &file, &at(one)]).ok().trim(), "ok 1");
    let records = body(&read("exchange-model.json")).to_owned();
    let file = write("records.json", &records);
    assert_eq!(python("catalogue.py", &["exchange-model", &file]).ok().trim(), format!("ok {count}"));
    assert!(!records.contains("\"lacks\""), "every dataset of the demo is complete: {records}");

    // By command, with addresses and with names.
    for base in ["", "https://data.loda.example/catalogue/"] {
        let export = |form: &str| run(&mesh, &["export", "--form", form, "--base", base]);
        let file = write("export.jsonld", export("dcat").ok());
        let checked = python("catalogue.py", &["dcat", &file, "https://elsewhere.example/"]);
        assert_eq!(checked.ok().trim(), format!("ok {count}"));
        assert!(fs::read_to_string(&file).unwrap().contains(if base.is_empty() {
            "spiffe://london/body/lfb/dataset/stations"
        } else {
            base
        }));
        let file = write("export.json", export("exchange-model").ok());
        assert_eq!(python("catalogue.py", &["exchange-model", &file]).ok().trim(), format!("ok {count}"));
    }
}

#[test]
fn what_is_for_members_alone_is_for_the_public_as_if_it_were_not_there() {
    let (mesh, address) = served();
    say(&mesh, "lfb", "stations", "members_only = true");
    mesh.start_all();
    let read = |path: &str| get(address, &format!("/catalogue/{path}"));
    until("LFB's other datasets are shown", || {
        read("datasets/lfb/incidents").starts_with("HTTP/1.1 200").then_some(())
    });
    assert!(found(&mesh, "stations").contains(&"london.lfb.stations".to_owned()), "members find it");
    for ending in ["", ".json", ".jsonld"] {
        let [hidden, absent] = ["stations", "station5"].map(|name| read(&format!("datasets/lfb/{name}{ending}")));
        assert!(hidden.starts_with("HTTP/1.1 404"), "{hidden}");
        // But for the time at which it is said.
        let without_date =
            |answer: &str| answer.lines().filter(|line| !line.starts_with("date:")).collect::<Vec<_>>().join("\n");
        assert_eq!(without_date(&hidden), without_date(&absent));
    }
    for list in
        ["", "?q=stations", "bodies/lfb", "catalogue.json", "catalogue.jsonld", "exchange-model.json", "standards"]
    {
        assert!(!read(list).contains("lfb/stations") && !read(list).contains("lfb.stations"), "{list}");
    }
    let exported = run(&mesh, &["export", "--form", "dcat"]);
    assert!(!exported.ok().contains("stations"));
}

#[test]
fn a_change_is_seen_at_other_nodes_within_seconds() {
    let mesh = Mesh::small();
    let file = mesh.folder("lfb").join("datasets/stations.toml");
    let text = fs::read_to_string(&file).unwrap();
    for word in ["xylophone", "bassoon", "timpani"] {
        let began = Instant::now();
        fs::write(&file, text.replacen("form =", &format!("keywords = [\"{word}\"]\nform ="), 1)).unwrap();
        until("LODA's node knows of it", || (found(&mesh, word) == ["london.lfb.stations"]).then_some(()));
        if is_soak() {
            assert!(began.elapsed() < NOTICED, "{:?}", began.elapsed());
        }
    }
    fs::write(&file, text.replacen("title = \"Fire stations\"", "title = \"Houses of pumps\"", 1)).unwrap();
    until("the title has changed", || found(&mesh, "pumps").contains(&"london.lfb.stations".to_owned()).then_some(()));
    assert!(found(&mesh, "timpani").is_empty());
}

#[test]
fn whoever_was_away_learns_what_has_changed() {
    let mesh = Mesh::small();
    mesh.stop("loda");
    say(&mesh, "lfb", "stations", "keywords = [\"glockenspiel\"]");
    until("LFB's node has told it", || mesh.log("lfb").contains("the federation is told").then_some(()));
    mesh.start("loda");
    until("LODA's node knows of it", || (found(&mesh, "glockenspiel") == ["london.lfb.stations"]).then_some(()));
}
