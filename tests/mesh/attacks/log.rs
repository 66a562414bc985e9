//! The log under the hands of whoever holds its disk, and texts that act on whoever reads them.

use std::fs;
use std::path::PathBuf;

use meridian_proto::ReleaseRecord;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::town::Published;
use crate::support::{Mesh, Running, chained};

/// Clears the screen, sets a title, turns the direction of reading, ends a tag.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}evil\u{2066}<script>alert(1)</script>";
const FORMULA: &str = "=HYPERLINK(\"http://evil.example\")";

pub(super) fn datasets() -> Vec<Published> {
    let columns = [("id", "bigint", "role = \"dimension\""), ("label", "varchar", "role = \"dimension\"")];
    let quoted = FORMULA.replace('"', "\"\"");
    let csv = format!("id,label\n1,\"{HOSTILE}\"\n2,\"{quoted}\"\n3,\"a|b `c` [d](e)\"\n");
    vec![Published::new("hostile", "", &columns, csv).in_form("open").titled(HOSTILE)]
}

/// The GLA's node alone, with some releases behind it.
struct Logged {
    mesh: Mesh,
    file: PathBuf,
    /// What LODA holds of them.
    receipts: Vec<ReleaseRecord>,
}

impl Logged {
    fn new() -> Self {
        let mesh = Mesh::prepared();
        mesh.start("gla");
        let file = mesh.folder("gla").join("state/audit/log.jsonl");
        let mut logged = Self { mesh, file, receipts: Vec::new() };
        (0..4).for_each(|_| logged.ask());
        logged.mesh.stop("gla");
        logged
    }

    fn ask(&mut self) {
        let mut loda = self.mesh.client("gla", Some(&self.mesh.node_pair("loda")));
        self.receipts.extend(loda.remote("SELECT gss FROM gla.boroughs").unwrap().records());
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(&self.file).unwrap().lines().map(str::to_owned).collect()
    }

    fn write(&self, lines: &[String]) {
        fs::write(&self.file, lines.join("\n") + "\n").unwrap();
    }

    /// What the node says in place of starting.
    fn complaint(&self) -> String {
        Running::start(&mut self.mesh.serve("gla")).end().fails(1).to_owned()
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

/// The lines with their chain made anew from one of them on.
fn rechained(lines: &[String], from: usize) -> Vec<String> {
    let mut made: Vec<String> = lines[..from].to_vec();
    for line in &lines[from..] {
        let mut json: Value = serde_json::from_str(line).unwrap();
        let previous = made.last().map_or_else(|| "0".repeat(64), |line| hex::encode(Sha256::digest(line)));
        json["previous"] = previous.into();
        json["index"] = made.len().into();
        made.push(json.to_string());
    }
    made
}

/// Gains nothing: a log whose lines change places stops the node, which names the line.
#[test]
fn a_reordered_log() {
    let logged = Logged::new();
    let mut lines = logged.lines();
    lines.swap(2, 4);
    logged.write(&lines);
    let said = logged.complaint();
    assert!(said.contains("log.jsonl") && said.contains("line 3"), "{said}");
}

/// Gains that the node starts: a log cut at a line's end is a log, and only whoever holds a receipt of what was cut can
/// tell, by an index and a hash that are not there any more. A line cut in two is set aside.
#[test]
fn a_truncated_log() {
    let logged = Logged::new();
    let lines = logged.lines();
    assert_eq!(logged.betrayed(), 0);
    logged.write(&lines[..lines.len() - 2]);
    logged.mesh.start("gla");
    assert_eq!(logged.betrayed(), 1, "the last release's receipt");
    logged.mesh.stop("gla");
    let whole = fs::read_to_string(&logged.file).unwrap();
    fs::write(&logged.file, &whole[..whole.len() - 9]).unwrap();
    logged.mesh.start("gla");
    chained(&logged.mesh.records("gla"));
    let aside = fs::read_dir(logged.file.parent().unwrap()).unwrap().flatten();
    assert!(aside.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("torn-")));
}

/// Gains that the node starts on a log rewritten from a line on with a chain of its own; every receipt from that line on
/// says otherwise.
#[test]
fn a_forked_log() {
    let logged = Logged::new();
    let mut lines = logged.lines();
    lines[2] = lines[2].replacen("fire-risk", "something", 1);
    logged.write(&rechained(&lines, 2));
    logged.mesh.start("gla");
    assert!(logged.betrayed() >= 2, "{} receipts", logged.betrayed());
}

/// Gains that the node starts with the log of an earlier day; what it records next has an index that another record had,
/// and the two receipts together prove it.
#[test]
fn a_log_restored_from_an_old_backup() {
    let mut logged = Logged::new();
    let backup = logged.lines();
    logged.mesh.start("gla");
    logged.ask();
    logged.mesh.stop("gla");
    logged.write(&backup);
    logged.mesh.start("gla");
    logged.ask();
    let [.., before, after] = &logged.receipts[..] else { panic!("two receipts") };
    assert_eq!(before.log_index, after.log_index);
    assert_ne!(before.log_hash, after.log_hash);
    assert_eq!(logged.betrayed(), 1);
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
        let audit = fs::read_to_string(mesh.folder(body).join("state/audit/log.jsonl")).unwrap();
        assert!(!audit.contains('\u{1b}') && !audit.contains("<script>"), "literals and names stay out: {body}");
    }
}
