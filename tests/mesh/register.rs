//! The register: what its pages say is what the log says, and what left.

use std::fs;

use super::support::{Mesh, Running, meridian, until};

const QUESTION: &str = "SELECT borough_gss, COUNT(*) AS n FROM lfb.incidents GROUP BY borough_gss";

#[test]
fn the_register_counts_what_left_and_acts_on_nobody() {
    let mesh = Mesh::prepared();
    let file = agreement(&mesh);
    let text = fs::read_to_string(&file).unwrap();
    let hostile = "<script>alert('x')</script> & =1+1";
    fs::write(&file, text.replace("Fire risk by borough", hostile)).unwrap();
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

/// LFB's file of the agreement on fire risk.
fn agreement(mesh: &Mesh) -> std::path::PathBuf {
    let folder = mesh.folder("lfb").join("agreements");
    let mut files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.find(|file| fs::read_to_string(file).unwrap().contains("id = \"fire-risk-2026\"")).unwrap()
}
