//! Questions that need more memory than there is: one of a body's own analyst over nothing but its own open data goes on on its
//! node's disk, any other fails.

use std::fs;
use std::path::Path;

use super::support::Mesh;

/// Puts all of them beside each other, each with all others: what 33 boroughs make is more than a node is given here.
const GROUPS: &str = "SELECT COUNT(*) AS groups, SUM(n) AS pairs FROM (SELECT a.name || '|' || b.name || '|' || c.name || '|' || d.name \
                      AS names, COUNT(*) AS n FROM london.loda.boroughs a CROSS JOIN london.loda.boroughs b CROSS JOIN london.loda.boroughs c \
                      CROSS JOIN london.loda.boroughs d GROUP BY 1)";

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
    let (own, gla) = (mesh.folder("loda"), mesh.folder("gla"));
    fs::create_dir_all(own.join("datasets")).unwrap();
    fs::create_dir_all(own.join("data")).unwrap();
    for file in ["datasets/boroughs.toml", "data/boroughs.csv"] {
        fs::copy(gla.join(file), own.join(file)).unwrap();
    }
    limit(&mesh, "loda", 1_024);
    limit(&mesh, "gla", 1_024);
    let spill = own.join("state/spill");
    // What a node that was killed has left there goes when it starts.
    fs::create_dir_all(spill.join("datafusion-killed")).unwrap();
    fs::write(spill.join("datafusion-killed/rows"), "rows").unwrap();
    mesh.start_all();
    let all = 33_u64.pow(4).to_string();
    let answer = mesh.ask(GROUPS);
    assert_eq!(answer.ok().matches(&all).count(), 2, "{}", answer.ok());
    assert_eq!(files(&spill), 0);

    // Rows of others stay in memory, and there is too little of it.
    let too_little = "more memory than this node gives to queries";
    let foreign = GROUPS.replace("london.loda.boroughs d", "london.lfb.stations d");
    let complaint = mesh.ask(&foreign);
    assert!(complaint.fails(1).contains(too_little), "{}", complaint.stderr);
    assert_eq!(files(&spill), 0);

    // So it is with what others ask.
    let theirs = GROUPS.replace("london.loda.", "london.gla.");
    let status = mesh.client("gla", Some(&mesh.node_pair("loda"))).remote(&theirs).unwrap_err();
    assert!(status.message().contains(too_little), "{status}");

    // And where nothing may be on disk.
    mesh.stop("loda");
    limit(&mesh, "loda", 0);
    mesh.start("loda");
    let complaint = mesh.ask(GROUPS);
    assert!(complaint.fails(1).contains(too_little), "{}", complaint.stderr);
    assert!(!spill.exists());
}
