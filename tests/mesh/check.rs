//! `meridian check`: what every body would decide, asked through the front doors of all, with nothing run.

use meridian_examples::london::FIRE_RISK;
use meridian_proto::wire::RemoteQuery;
use meridian_proto::{CHECK_ACTION, CheckAnswer, Decision};
use prost::Message;
use serde_json::Value;

use super::support::{Line, Mesh, Ran, until};

/// A question that its asker can place and the brigade refuses: wards are published, and not granted.
const BY_WARD: &str = "SELECT b.name, i.ward_gss,\n       COUNT(*) AS fires\n  FROM gla.boroughs b\n  RIGHT JOIN (SELECT \
                       borough_gss, ward_gss FROM lfb.incidents) i ON b.gss = i.borough_gss GROUP BY 1, 2";

/// The same as the brigade alone can answer it.
const WARDS: &str =
    "SELECT borough_gss,\n       COUNT(*) AS fires,\n       ward_gss\n  FROM lfb.incidents GROUP BY 1, 3";

fn json(ran: &Ran) -> Value {
    serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr))
}

/// The decision and details of a body.
fn of<'a>(checked: &'a Value, body: &str) -> &'a Value {
    let bodies = checked["bodies"].as_array().unwrap();
    bodies.iter().find(|verdict| verdict["body"] == body).unwrap_or_else(|| panic!("{body} is not in {checked:#}"))
}

/// The last record of a body's log that is of this kind.
fn last(mesh: &Mesh, body: &str, kind: &str) -> Line {
    until(&format!("a {kind} in the log of {body}"), || {
        mesh.records(body).into_iter().rev().find(|line| line.json[kind].is_object())
    })
}

#[test]
fn every_body_says_yes_and_nothing_runs() {
    let mesh = Mesh::small();
    let ran = mesh.run(&["check", "--", FIRE_RISK]);
    let text = ran.ok();
    assert!(text.starts_with("Yes: each of 6 bodies would release its part. Nothing has run"), "{text}");
    for words in
        ["\nloda: yes\n", "\nlfb: yes\n", "\ngla: yes\n", "agreement  fire-risk-2026", "form.statistics", "SELECT"]
    {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    // Owners see who asks, and for whom; nobody has released anything.
    for body in mesh.bodies() {
        let lines = mesh.records(body);
        assert_eq!(lines.len(), 1, "{body}");
        let check = &lines[0].json["check"];
        let caller = if body == "loda" { "loda/analyst/asha" } else { "loda/node" };
        assert!(check["caller"].as_str().unwrap().ends_with(caller), "{body}: {check}");
        assert_eq!(check["purpose"], "fire-risk", "{body}");
        assert!(!check["sql"].as_str().unwrap().contains("2019"), "{body}: no literals");
    }
    assert!(last(&mesh, "lfb", "check").json["check"]["agreements"].to_string().contains("fire-risk-2026"));

    let checked = json(&mesh.run(&["check", "--format", "json", "--", FIRE_RISK]));
    assert_eq!(checked["released"], true);
    let lfb = of(&checked, "lfb");
    assert_eq!(lfb["details"]["datasets"][0]["form"], "statistics");
    // The very SQL that an answer sends.
    mesh.ask(FIRE_RISK).ok();
    let released = last(&mesh, "lfb", "release");
    assert_eq!(released.json["release"]["sql"], last(&mesh, "lfb", "check").json["check"]["sql"]);
}

#[test]
fn a_no_names_rule_column_place_and_remedy_and_is_logged_as_a_refusal() {
    let mesh = Mesh::small();
    let ran = mesh.run(&["check", "--", WARDS]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let text = String::from_utf8(ran.stdout.clone()).unwrap();
    assert!(text.starts_with("No: lfb would not release it."), "{text}");
    for words in [
        "lfb: no\n  rule       statistics.column\n  dataset    london.lfb.incidents\n  column     ward_gss\n",
        "not granted by fire-risk-2026",
        "ask the owner to add ward_gss to fire-risk-2026",
        "line 3, column 8",
        "3 |        ward_gss\n               |        ^\n",
        "loda: yes",
    ] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    let refusal = last(&mesh, "lfb", "refusal").json["refusal"].clone();
    assert_eq!(refusal["rules"][0], "statistics.column");
    assert_eq!(refusal["datasets"][0]["columns"][0], "ward_gss");
    // The answer itself is refused in the same words, and points to the same place.
    let said = mesh.ask(WARDS).fails(1).to_owned();
    assert!(said.contains("line 3, column 8: lfb refuses: ward_gss of london.lfb.incidents is not granted"), "{said}");
    assert!(mesh.records("lfb").iter().all(|line| line.json["release"].is_null()));
}

#[test]
fn others_are_asked_although_one_says_no_or_the_asker_finds_no_way() {
    let mesh = Mesh::shared();
    // Rows of statistics join with nothing: LODA's own placement refuses, and the GLA can still be asked.
    let ran = mesh.run(&["check", "--format", "json", "--", BY_WARD]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let checked = json(&ran);
    assert_eq!(of(&checked, "loda")["decision"], "no");
    let details = &of(&checked, "loda")["details"];
    assert_eq!(details["rule"], "placement.delegated", "{checked:#}");
    assert_eq!(details["dataset"], "london.lfb.incidents");
    assert_eq!(details["line"], 4);
    assert_eq!(of(&checked, "gla")["decision"], "yes");
    // What can't be read is no decision.
    let said = mesh.run(&["check", "--", "SELECT nothing FROM gla.boroughs"]).fails(1).to_owned();
    assert!(said.contains("line 1, column 8"), "{said}");
    let said = mesh.run(&["check", "--", "EXPLAIN SELECT gss FROM gla.boroughs"]).fails(1).to_owned();
    assert!(said.contains("without EXPLAIN"), "{said}");
    assert!(mesh.run(&["check", "-f", "no/such/file"]).fails(1).contains("no/such/file"));
}

#[test]
fn a_body_that_can_not_be_reached_is_named() {
    let mesh = Mesh::small();
    mesh.stop("gla");
    let ran = mesh.run(&["check", "--format", "json", "--", FIRE_RISK]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("gla"), "{}", ran.stderr);
    let checked = json(&ran);
    assert_eq!(of(&checked, "gla")["decision"], "unreachable");
    assert_eq!(of(&checked, "lfb")["decision"], "yes");
    assert_eq!(checked["released"], false);
}

#[test]
fn any_client_may_check_at_its_own_node_and_is_judged_by_its_certificate() {
    let mesh = Mesh::shared();
    let check = |sql: &str| RemoteQuery { sql: sql.into(), ..RemoteQuery::default() }.encode_to_vec();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    assert!(asha.actions().unwrap().contains(&CHECK_ACTION.to_owned()));
    let results = asha.action(CHECK_ACTION, check(WARDS)).unwrap();
    let answer = CheckAnswer::decode(&results[0]).unwrap();
    assert_eq!(answer.verdicts[0].body.to_string(), "loda");
    assert!(matches!(answer.verdicts[1].decision, Decision::Refused(_)), "{answer:?}");
    // Nobody speaks for others, and no purpose stands beside the header's.
    let claims = RemoteQuery { on_behalf_of: "spiffe://london/body/lfb/analyst/li".into(), ..RemoteQuery::default() };
    assert!(asha.action(CHECK_ACTION, claims.encode_to_vec()).is_err());
    // A node answers for its own data alone, by its own terms: Camden has no agreement with the brigade.
    let mut camden = mesh.client("lfb", Some(&mesh.node_pair("camden")));
    let request = RemoteQuery {
        query_id: "0a".into(),
        sql: "SELECT count(*) FROM london.lfb.incidents".into(),
        purpose: "fire-risk".into(),
        ..RemoteQuery::default()
    };
    let results = camden.action(CHECK_ACTION, request.encode_to_vec()).unwrap();
    let answer = CheckAnswer::decode(&results[0]).unwrap();
    assert_eq!(answer.verdicts.len(), 1);
    match &answer.verdicts[0].decision {
        Decision::Refused(refusal) => assert_eq!(refusal.rule, "agreement.active"),
        other => panic!("{other:?}"),
    }
    mesh.assert_sound();
}

#[test]
fn a_check_is_the_same_whatever_the_rows() {
    let [full, empty] = [Mesh::prepared(), Mesh::prepared()];
    let file = empty.folder("lfb").join("data/dwelling_fires.csv");
    let heading = std::fs::read_to_string(&file).unwrap().lines().next().unwrap().to_owned() + "\n";
    std::fs::write(&file, heading).unwrap();
    full.start_all();
    empty.start_all();
    for sql in [FIRE_RISK, WARDS, "SELECT year, COUNT(*) FROM lfb.incidents WHERE year > 2020 GROUP BY year"] {
        let said = [&full, &empty].map(|mesh| {
            let mut checked = json(&mesh.run(&["check", "--format", "json", "--", sql]));
            checked["query_id"] = Value::Null;
            checked
        });
        assert_eq!(said[0], said[1], "{sql}");
    }
}
