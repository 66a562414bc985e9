//! The log under the hands of whoever holds its disk, and texts that act on whoever reads them.

use std::fs;
use std::path::{Path, PathBuf};

use meridian_proto::ReleaseRecord;
use serde_json::Value;

use super::town::Published;
use crate::support::{Group, Mesh, Running, chained, groups, journal, scratch, until};

/// Clears the screen, sets a title, turns the direction of reading, ends a tag.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}evil\u{2066}<script>alert(1)</script>";
const FORMULA: &str = "=HYPERLINK(\"http://evil.example\")";

pub(super) fn datasets() -> Vec<Published> {
    let columns = [("id", "bigint", "role = \"dimension\""), ("label", "varchar", "role = \"dimension\"")];
    let quoted = FORMULA.replace('"', "\"\"");
    let csv = format!("id,label\n1,\"{HOSTILE}\"\n2,\"{quoted}\"\n3,\"a|b `c` [d](e)\"\n");
    vec![Published::new("hostile", "", &columns, csv).in_form("open").titled(HOSTILE)]
}

/// The GLA's node with some releases behind it, and LODA's, which is one of its witnesses.
struct Logged {
    mesh: Mesh,
    audit: PathBuf,
    /// What LODA holds of them.
    receipts: Vec<ReleaseRecord>,
}

impl Logged {
    /// Four releases, witnessed; then LODA's node stops, and the GLA's.
    fn new() -> Self {
        let mesh = Mesh::prepared();
        let audit = mesh.folder("gla").join("state/audit");
        let mut logged = Self { mesh, audit, receipts: Vec::new() };
        logged.mesh.start("loda");
        logged.mesh.start("gla");
        (0..4).for_each(|_| logged.ask());
        logged.stop_witnessed();
        logged.mesh.stop("loda");
        logged
    }

    fn ask(&mut self) {
        let mut loda = self.mesh.client("gla", Some(&self.mesh.node_pair("loda")));
        self.receipts.extend(loda.remote("SELECT gss FROM gla.boroughs").unwrap().records());
        // Records that come while another is written share a group.
        until("the release's end is in the log", || self.mesh.records("gla").last()?.outcome_of());
    }

    /// Stops the GLA's node when LODA's has cosigned all of its log.
    fn stop_witnessed(&self) {
        let held = self.mesh.folder("loda").join("state/witness/gla/checkpoint");
        until("LODA's node holds the newest checkpoint of the GLA's", || {
            let note = fs::read_to_string(&held).ok()?;
            (note.lines().nth(1)? == self.mesh.records("gla").len().to_string()).then_some(())
        });
        self.mesh.stop("gla");
    }

    fn file(&self) -> PathBuf {
        journal(&self.audit).remove(0)
    }

    /// The groups of the journal, each as its bytes.
    fn groups(&self) -> Vec<Vec<u8>> {
        let bytes = fs::read(self.file()).unwrap();
        let mut begin = 0;
        let group = |group: &Group| {
            let whole = bytes[begin..group.end].to_vec();
            begin = group.end;
            whole
        };
        groups(&bytes).iter().map(group).collect()
    }

    /// What the node says in place of starting.
    fn complaint(&self) -> String {
        Running::start(&mut self.mesh.serve("gla")).end().fails(1).to_owned()
    }

    /// The GLA's node with what is in its folder now has to find out from LODA's that this is not the log that was there.
    fn is_found_out(&self, words: &str) {
        until("the node finds out", || self.mesh.log("gla").contains(words).then_some(()));
        let mut loda = self.mesh.client("gla", Some(&self.mesh.node_pair("loda")));
        let said = loda.remote("SELECT gss FROM gla.boroughs").unwrap_err().message().to_owned();
        assert!(said.contains("loda") && said.contains("answers nothing"), "{said}");
        until("it is not ready", || self.mesh.health("gla", "/ready").contains("503").then_some(()));
    }

    fn evidence(&self) -> Vec<String> {
        let held = fs::read_dir(self.mesh.folder("loda").join("state/witness/gla")).unwrap().flatten();
        let files = held.filter(|entry| entry.file_name().to_string_lossy().starts_with("evidence-"));
        files.map(|entry| fs::read_to_string(entry.path()).unwrap()).collect()
    }

    /// The receipts that point at a record which the log does not have.
    fn betrayed(&self) -> usize {
        let records = self.mesh.records("gla");
        chained(&records);
        let held = |receipt: &&ReleaseRecord| {
            let line = records.get(usize::try_from(receipt.log_index).unwrap());
            line.is_some_and(|line| line.hash == hex::encode(&receipt.log_hash))
        };
        self.receipts.iter().filter(|receipt| !held(receipt)).count()
    }
}

/// A folder and all that is in it.
fn copied(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copied(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Gains nothing: a log whose parts change places stops the node, which names the record.
#[test]
fn a_reordered_log() {
    let logged = Logged::new();
    let mut groups = logged.groups();
    groups.swap(2, 4);
    fs::write(logged.file(), groups.concat()).unwrap();
    let said = logged.complaint();
    assert!(said.contains("journal/") && said.contains("record 2: its index is not the next one"), "{said}");
}

/// Gains nothing: what was acknowledged is covered by the published checkpoint; and where that is taken away as well, by the
/// one that a witness holds. A part that was never whole is set aside.
#[test]
fn a_truncated_log() {
    let logged = Logged::new();
    let groups = logged.groups();
    assert_eq!(logged.betrayed(), 0);
    let whole = groups.concat();
    for cut in [groups[..groups.len() - 2].concat(), whole[..whole.len() - 9].to_vec()] {
        fs::write(logged.file(), &cut).unwrap();
        let said = logged.complaint();
        assert!(said.contains("records are missing"), "{said}");
    }
    fs::write(logged.file(), [whole.as_slice(), &groups[0][..groups[0].len() - 9]].concat()).unwrap();
    logged.mesh.start("gla");
    logged.mesh.stop("gla");
    let aside = fs::read_dir(&logged.audit).unwrap().flatten();
    assert!(aside.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("torn-")));
    assert_eq!(logged.betrayed(), 0);

    fs::write(logged.file(), groups[..groups.len() - 2].concat()).unwrap();
    fs::remove_file(logged.audit.join("checkpoint")).unwrap();
    fs::remove_dir_all(logged.audit.join("tile")).unwrap();
    assert_eq!(logged.betrayed(), 1, "the last release's receipt");
    logged.mesh.start("loda");
    logged.mesh.spawn("gla", &mut logged.mesh.serve("gla"));
    logged.is_found_out("it holds a checkpoint of");
}

/// Gains the answers that it gives until it reaches a witness again, and loses its name: a log that went another way from a
/// backup on is found out, and receipts of both ways have one index.
#[test]
fn a_forked_log() {
    let mut logged = Logged::new();
    let backup = scratch("backup");
    copied(&logged.audit, &backup);
    logged.mesh.start("loda");
    logged.mesh.start("gla");
    logged.ask();
    logged.stop_witnessed();
    logged.mesh.stop("loda");
    copied(&backup, &logged.audit);
    logged.mesh.start("gla");
    (0..3).for_each(|_| logged.ask());
    assert_eq!(logged.betrayed(), 1, "the receipt of the other way");
    logged.mesh.start("loda");
    logged.is_found_out("is of other records");
}

/// Gains nothing: a node that starts with the log of an earlier day learns from its witness that there was a later one, and
/// answers nothing; the witness keeps what proves it.
#[test]
fn a_log_restored_from_an_old_backup() {
    let mut logged = Logged::new();
    let backup = scratch("backup");
    copied(&logged.audit, &backup);
    logged.mesh.start("loda");
    logged.mesh.start("gla");
    logged.ask();
    logged.stop_witnessed();
    copied(&backup, &logged.audit);
    logged.mesh.spawn("gla", &mut logged.mesh.serve("gla"));
    logged.is_found_out("it holds a checkpoint of");
    let kept = logged.evidence();
    assert!(
        !kept.is_empty() && kept[0].matches("london/gla/log").count() >= 4,
        "two checkpoints, signed by one key: {kept:?}"
    );
    until("the witness's operator is told", || logged.mesh.log("loda").contains("the log went back").then_some(()));
}

fn is_safe(text: &str) -> bool {
    !text
        .chars()
        .any(|c| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
}

/// Gains nothing at a terminal, in a log or in Markdown, whether it stands in data, in a query or in a title; a formula
/// in CSV is the cell that it was, as CSV has it, so that a spreadsheet may run it.
#[test]
fn terminal_escapes_bidirectional_text_html_and_formulas() {
    let mesh = super::mesh();
    let sql = format!("SELECT id, label, '{HOSTILE}' AS \"{HOSTILE}\" FROM lfb.hostile ORDER BY id");
    for format in ["table", "markdown"] {
        let ran = mesh.run(&["query", "--format", format, "--", &sql]);
        assert!(is_safe(ran.ok()) && is_safe(&ran.stderr), "{format}: {:?}", ran.ok());
    }
    let markdown = mesh.run(&["query", "--format", "markdown", "--", &sql]);
    let open = markdown.ok().matches('<').count();
    assert!(open > 0 && markdown.ok().matches("\\<").count() == open, "{}", markdown.ok());
    assert!(markdown.ok().contains("a\\|b"), "{}", markdown.ok());
    let csv = mesh.run(&["query", "--format", "csv", "--", "SELECT label FROM lfb.hostile WHERE id = 2"]);
    assert_eq!(csv.ok(), format!("label\n\"{}\"\n", FORMULA.replace('"', "\"\"")));
    let json = mesh.run(&["query", "--format", "json", "--", "SELECT label FROM lfb.hostile WHERE id = 1"]);
    assert_eq!(serde_json::from_str::<Value>(json.ok()).unwrap()[0]["label"], HOSTILE);
    assert!(!json.ok().contains('\u{1b}'), "JSON writes control characters as escapes");
    for sql in [
        format!("SELECT \"{HOSTILE}\" FROM lfb.hostile"),
        format!("SELEC{HOSTILE} 1"),
        format!("-- {HOSTILE}\nSELECT nothing FROM lfb.hostile"),
    ] {
        let ran = mesh.ask(&sql);
        assert!(is_safe(ran.fails(1)), "{:?}", ran.stderr);
    }
    for arguments in [&["catalogue"][..], &["query", "--receipt", "full", "--", &sql], &["explain", "--", &sql]] {
        let ran = mesh.run(arguments);
        assert!(is_safe(ran.ok()) && is_safe(&ran.stderr), "{arguments:?}: {:?} {:?}", ran.ok(), ran.stderr);
    }
    for body in ["lfb", "loda"] {
        assert!(is_safe(&mesh.log(body)), "the log of {body}");
        let audit: String = mesh.records(body).iter().map(|line| line.json.to_string()).collect();
        assert!(!audit.contains('\u{1b}') && !audit.contains("<script>"), "literals and names stay out: {body}");
    }
}
