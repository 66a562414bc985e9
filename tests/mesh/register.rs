//! The register: what its pages say is what the log says, and what left.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use super::support::{Answer, Mesh, PURPOSE, Running, meridian, publish, remote_ticket, until};

const QUESTION: &str = "SELECT borough_gss, COUNT(*) AS n FROM lfb.incidents GROUP BY borough_gss";

#[test]
fn the_register_counts_what_left_and_acts_on_nobody() {
    let mesh = Mesh::prepared();
    let file = agreement(&mesh);
    let text = fs::read_to_string(&file).unwrap();
    let hostile = "<script>alert('x')</script> & =1+1";
    fs::write(&file, text.replace("Fire risk by borough", hostile)).unwrap();
    mesh.count_live("lfb");
    mesh.start_all();
    let mut peer = mesh.client("lfb", Some(&mesh.node_pair("loda")));
    let (mut rows, mut bytes) = (0, 0);
    for _ in 0..3 {
        for record in peer.remote(QUESTION).unwrap().records() {
            (rows, bytes) = (rows + record.rows, bytes + record.bytes);
        }
    }
    peer.remote("SELECT note FROM lfb.incidents").unwrap_err();

    // How many releases are complete, and the sum over them.
    let of_log = |key: &str| -> [u64; 2] {
        let lines = mesh.records("lfb");
        let completed = lines.iter().filter_map(|line| line.json["outcome"]["outcome"]["completed"][key].as_u64());
        completed.fold([0, 0], |[count, sum], number| [count + 1, sum + number])
    };
    until("all have ended", || (of_log("rows")[0] == 3).then_some(()));
    let dir = mesh.dir.join("register");
    let config = mesh.folder("lfb").join("node.toml");
    Running::start(meridian().args(["register", "--config"]).arg(config).arg("--dir").arg(&dir)).end().ok();
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    let register: serde_json::Value = serde_json::from_str(&read("bodies/lfb.json")).unwrap();
    let entries = register["agreements"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["id"] == "fire-risk-2026").unwrap();
    assert_eq!((&entry["title"], &entry["in_force"]), (&hostile.into(), &true.into()));
    let months = entry["months"].as_array().unwrap();
    assert_eq!(months.iter().map(|month| month["questions"].as_u64().unwrap()).sum::<u64>(), 3);
    let class = |number: u64| {
        let below = 10_u64.pow(number.ilog10());
        serde_json::json!({ "from": below, "to": below * 10 - 1 })
    };
    // The questions may fall on both sides of midnight at the end of a month; then each class holds a part.
    if let [month] = months.as_slice() {
        assert_eq!((&month["rows"], &month["bytes"]), (&class(rows), &class(bytes)));
    }
    assert_eq!((of_log("rows"), of_log("bytes")), ([3, rows], [3, bytes]), "receipts and log say the same");
    assert_eq!(register["refused"][0]["questions"], 1);

    let page = read("bodies/lfb.html");
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert('x')&lt;/script&gt; &amp; =1+1"), "{page}");
    for said in [
        "<html lang=\"en-GB\">",
        "What it shares under agreements",
        "fire-risk-2026",
        "incidents",
        "statistics of groups of at least 10",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let csv = read("agreements.csv");
    assert!(csv.contains("&") && csv.lines().all(|line| !line.contains(",=")), "{csv}");
    assert!(read("usage.csv").lines().any(|line| line.starts_with("lfb,fire-risk-2026,")));
}

/// What was counted: questions, those that were cut off, rows and bytes.
type Sum = [u64; 4];

fn add(sums: &mut BTreeMap<String, Sum>, of: &str, [questions, interrupted, rows, bytes]: Sum) {
    let sum = sums.entry(of.to_owned()).or_default();
    *sum = [sum[0] + questions, sum[1] + interrupted, sum[2] + rows, sum[3] + bytes];
}

#[test]
fn the_register_the_log_and_what_was_sent_say_the_same() {
    let mesh = Mesh::prepared();
    publish(&mesh.folder("lfb"), "many", 300_000);
    mesh.count_live("lfb");
    mesh.start_all();
    let mut peer = mesh.client("lfb", Some(&mesh.node_pair("loda")));
    let mut received = BTreeMap::new();
    let complete = |answer: &Answer| [1, 0, answer.rows() as u64, answer.bytes];
    for column in ["borough_gss", "year", "hmo", "property_type"] {
        let sql = format!("SELECT {column}, COUNT(*) AS n FROM lfb.incidents GROUP BY {column}");
        add(&mut received, "fire-risk-2026", complete(&peer.remote(&sql).unwrap()));
    }
    for rows in [0, 1, 999, 70_000] {
        let sql = format!("SELECT number, text FROM lfb.many WHERE number < {rows}");
        add(&mut received, "", complete(&peer.remote(&sql).unwrap()));
    }
    let sql = "SELECT ward_gss, COUNT(*) AS n FROM lfb.incidents GROUP BY ward_gss";
    let by_ward = peer.remote_for(sql, "spiffe://london/body/loda/analyst/asha", "ward-risk");
    add(&mut received, "ward-risk-2026", complete(&by_ward.unwrap()));
    for refused in ["SELECT note FROM lfb.incidents", "SELECT * FROM lfb.incidents", "SELECT 1 FROM lfb.nothing"] {
        peer.remote(refused).unwrap_err();
    }
    let ticket = remote_ticket("SELECT number, text FROM lfb.many", "spiffe://london/body/loda/analyst/asha", PURPOSE);
    let part = peer.read_part(ticket, 3);
    drop(peer);
    assert!(part.rows() < 300_000);

    // The log: each release beside its outcome.
    let (logged, cut, refusals) = until("all have ended", || {
        let lines = mesh.records("lfb");
        let outcome = |index: u64| lines.iter().find(|line| line.json["outcome"]["of"] == index).map(|line| &line.json);
        let (mut logged, mut cut) = (BTreeMap::new(), Vec::new());
        for line in lines.iter().filter(|line| line.json["release"].is_object()) {
            let outcome = &outcome(line.json["index"].as_u64().unwrap())?["outcome"]["outcome"];
            let agreements = line.json["release"]["agreements"].as_array().cloned().unwrap_or_default();
            let of = agreements.first().and_then(Value::as_str).unwrap_or_default().to_owned();
            let number =
                |key: &str| outcome["completed"][key].as_u64().or(outcome["interrupted"][key].as_u64()).unwrap();
            let interrupted = u64::from(outcome["interrupted"].is_object());
            if interrupted == 1 {
                cut.push([number("rows"), number("bytes")]);
            }
            add(&mut logged, &of, [1, interrupted, number("rows"), number("bytes")]);
        }
        let refusals = lines.iter().filter(|line| line.json["refusal"].is_object()).count() as u64;
        Some((logged, cut, refusals))
    });
    let [[rows, bytes]] = cut[..] else { panic!("{cut:?}") };
    assert!(rows >= part.rows() as u64 && bytes >= part.bytes, "what was cut off counts with all that may have left");
    add(&mut received, "", [1, 1, rows, bytes]);
    assert_eq!(logged, received, "the log says what was sent");
    assert_eq!(refusals, 3);

    // The register, as files.
    let dir = mesh.dir.join("register");
    let config = mesh.folder("lfb").join("node.toml");
    Running::start(meridian().args(["register", "--config"]).arg(config).arg("--dir").arg(&dir)).end().ok();
    let register: Value = serde_json::from_str(&fs::read_to_string(dir.join("bodies/lfb.json")).unwrap()).unwrap();
    let mut told = BTreeMap::from([(String::new(), &register["open"])]);
    let agreements = register["agreements"].as_array().unwrap();
    told.extend(agreements.iter().map(|it| (it["id"].as_str().unwrap().to_owned(), &it["months"])));
    assert_eq!(told.keys().collect::<Vec<_>>(), logged.keys().collect::<Vec<_>>());
    let class = |number: u64| match number.checked_ilog10() {
        None => json!({ "from": 0, "to": 0 }),
        Some(digits) => json!({ "from": 10_u64.pow(digits), "to": 10_u64.pow(digits + 1) - 1 }),
    };
    for (of, months) in told {
        let months = months.as_array().unwrap();
        let [questions, interrupted, rows, bytes] = logged[&of];
        let sum = |key: &str| months.iter().map(|month| month[key].as_u64().unwrap()).sum::<u64>();
        assert_eq!([sum("questions"), sum("interrupted"), sum("unknown")], [questions, interrupted, 0], "{of}");
        // The questions may fall on both sides of midnight at the end of a month; then each class holds a part.
        if let [month] = months.as_slice() {
            assert_eq!([&month["rows"], &month["bytes"]], [&class(rows), &class(bytes)], "{of}");
        }
    }
    let refused = register["refused"].as_array().unwrap().iter().map(|month| month["questions"].as_u64().unwrap());
    assert_eq!(refused.sum::<u64>(), refusals);
}

/// LFB's file of the agreement on fire risk.
fn agreement(mesh: &Mesh) -> std::path::PathBuf {
    let folder = mesh.folder("lfb").join("agreements");
    let mut files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.find(|file| fs::read_to_string(file).unwrap().contains("id = \"fire-risk-2026\"")).unwrap()
}
