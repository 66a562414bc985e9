//! What tests of sources need: more in node.toml, open datasets of any source, and questions until the answer is the one.

use std::fs::{self, File};
use std::path::Path;

use arrow::array::RecordBatch;
use datafusion::parquet::arrow::ArrowWriter;

use super::{Mesh, Running, meridian, until};

/// Rows that are streamed through a node.
pub(crate) const STREAMED: u64 = 10_000_000;
/// What a node may hold of them beside what it holds anyway (MiB).
const HELD_MIB: u64 = 200;

/// Writes more into a node's configuration.
pub(crate) fn know(folder: &Path, more: &str) {
    let node = folder.join("node.toml");
    let text = fs::read_to_string(&node).expect("node.toml");
    fs::write(node, format!("{text}\n{more}")).expect("node.toml");
}

/// An open dataset of a source (lines of TOML), its columns `name type`.
pub(crate) fn publish_source(folder: &Path, name: &str, source: &str, columns: &[&str]) {
    let columns = described(columns);
    let dataset = format!(
        "name = \"{name}\"\ntitle = \"{name}\"\ndescription = \"\"\nlicence = \"OGL-UK-3.0\"\nform = \"open\"\n\n[source]\n{source}\n{columns}"
    );
    fs::write(folder.join("datasets").join(format!("{name}.toml")), dataset).expect("a dataset's file");
}

/// Columns as a dataset's file describes them: `name type`, or `name type role`, and below that what else is said of them.
pub(crate) fn described(columns: &[&str]) -> String {
    let described = columns.iter().map(|column| {
        let (words, more) = column.split_once('\n').unwrap_or((*column, ""));
        let keys = ["name", "type", "role"].into_iter().zip(words.split(' '));
        let keys: String = keys.map(|(key, word)| format!("{key} = \"{word}\"\n")).collect();
        format!("\n[[columns]]\n{keys}{more}\n")
    });
    described.collect()
}

/// Writes rows into a Parquet file.
pub(crate) fn parquet(path: &Path, rows: &RecordBatch) {
    let file = File::create(path).expect("a new file");
    let mut writer = ArrowWriter::try_new(file, rows.schema(), None).expect("a writer");
    writer.write(rows).expect("the rows are written");
    writer.close().expect("the file is whole");
}

/// What `meridian node check` says of the node of a folder.
pub(crate) fn node_check(folder: &Path) -> String {
    let mut command = meridian();
    let ran = Running::start(command.args(["node", "check", "--config"]).arg(folder.join("node.toml"))).end();
    String::from_utf8(ran.stdout).expect("text")
}

impl Mesh {
    /// Asks until there is an answer.
    pub(crate) fn answered(&self, sql: &str) -> String {
        until(&format!("an answer to {sql}"), || Some(self.ask(sql)).filter(|ran| ran.code == Some(0))).ok().to_owned()
    }

    /// Asks until this is the answer.
    pub(crate) fn answers(&self, sql: &str, expected: &str) {
        until(&format!("{expected:?} of {sql}"), || {
            let ran = self.ask(sql);
            (ran.code == Some(0) && ran.ok() == expected).then_some(())
        });
    }

    /// Asks until there is no answer, and what is complained of holds these words.
    pub(crate) fn complains(&self, sql: &str, words: &[&str]) {
        until(&format!("{words:?} of {sql}"), || {
            let ran = self.ask(sql);
            (ran.code == Some(1) && words.iter().all(|word| ran.stderr.contains(word))).then_some(())
        });
    }

    /// Of an open dataset `homes` that the body publishes now, so many rows with a `town` each go through its node, which holds
    /// few of them at a time.
    pub(crate) fn streams(&self, body: &str, publish: impl FnOnce()) {
        let before = self.most_memory(body);
        publish();
        // No such function is computed where they come from, and so every row comes here.
        let sql = format!(
            "SELECT COUNT(*) AS homes, MAX(character_length(town)) AS longest FROM {body}.homes WHERE upper(town) LIKE 'A HOME%'"
        );
        let longest = format!("a home of the town of York, number {STREAMED}").len();
        self.answers(&sql, &format!("homes,longest\n{STREAMED},{longest}\n"));
        let held = self.most_memory(body).saturating_sub(before);
        assert!(held < HELD_MIB, "{held} MiB for {STREAMED} rows");
    }
}
