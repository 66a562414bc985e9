//! Questions that need more memory than there is: one over nothing but a body's own open data goes on on its node's disk, any
//! other fails.

use std::fs;
use std::path::Path;

use super::support::Mesh;

/// Puts all of them beside each other, each with all others: what 33 boroughs make is more than a node is given here.
const GROUPS: &str = "SELECT COUNT(*) AS groups, SUM(n) AS pairs FROM (SELECT a.name || '|' || b.name || '|' || c.name || '|' || d.name \
                      AS names, COUNT(*) AS n FROM london.gla.boroughs a CROSS JOIN london.gla.boroughs b CROSS JOIN london.gla.boroughs c \
                      CROSS JOIN london.gla.boroughs d GROUP BY 1)";

fn limit(mesh: &Mesh, body: &str, spill_mib: i64) {
    let file = mesh.folder(body).join("node.toml");
    let mut node: toml::Table = fs::read_to_string(&file).unwrap().parse().unwrap();
    let limits = node["limits"].as_table_mut().unwrap();
    limits.insert("memory_mib".into(), 64.into());
    limits.insert("spill_mib".into(), spill_mib.into());
    fs::write(&file, toml::to_string(&node).unwrap()).unwrap();
}

/// Files anywhere below a folder.
fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

#[test]
fn open_rows_of_its_own_go_to_disk_and_no_others() {
    let mesh = Mesh::prepared();
    limit(&mesh, "gla", 1_024);
    limit(&mesh, "loda", 1_024);
    let state = mesh.folder("gla").join("state");
    // What a node that was killed has left there goes when it starts.
    fs::create_dir_all(state.join("spill/datafusion-killed")).unwrap();
    fs::write(state.join("spill/datafusion-killed/rows"), "rows").unwrap();
    mesh.start_all();
    let ask = || mesh.client("gla", Some(&mesh.node_pair("loda"))).remote(GROUPS);
    let answer = ask().unwrap().text();
    let all = 33_u64.pow(4).to_string();
    assert_eq!(answer.matches(&all).count(), 2, "{answer}");
    assert_eq!(files(&state.join("spill")), 0);

    // Rows of others stay in memory, and there is too little of it.
    let foreign = GROUPS.replace("london.gla.boroughs d", "london.lfb.stations d");
    let complaint = mesh.ask(&foreign);
    assert!(complaint.fails(1).contains("more memory than this node gives to queries"), "{}", complaint.stderr);
    assert_eq!(files(&mesh.folder("loda").join("state/spill")), 0);

    // So it is where nothing may be on disk.
    mesh.stop("gla");
    limit(&mesh, "gla", 0);
    mesh.start("gla");
    let status = ask().unwrap_err();
    assert!(status.message().contains("more memory than this node gives to queries"), "{status}");
    assert!(!state.join("spill").exists());
}
