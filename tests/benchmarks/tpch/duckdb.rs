//! DuckDB over all files, in a Python process that keeps its own time.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::PARALLEL;
use crate::answer::Answer;
use crate::conversation::Conversation;
use crate::data::Data;

pub(crate) struct DuckDb(Conversation);

impl DuckDb {
    /// Or why there is none.
    pub(crate) fn new(data: &Data) -> Result<Self, String> {
        let python = std::env::var("MERIDIAN_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
        let has = Command::new(&python).args(["-c", "import duckdb, pyarrow"]).output();
        if !has.is_ok_and(|output| output.status.success()) {
            return Err(format!(
                "{python} has no duckdb: tests/run installs it, MERIDIAN_TEST_PYTHON names the Python that has it"
            ));
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients/duck.py");
        let mut duckdb = Self(Conversation::start(Command::new(&python).arg(script).arg(PARALLEL.to_string()))?);
        for table in data.tables() {
            let files = data.folder(table).join("*.parquet");
            duckdb.ask(&format!("CREATE VIEW {table} AS FROM read_parquet('{}')", files.display()))?;
        }
        Ok(duckdb)
    }

    pub(crate) fn ask(&mut self, sql: &str) -> Result<Answer, String> {
        let (rows, end) = self.0.say(&sql.replace('\n', " "))?;
        let seconds = end.parse().map_err(|_| end)?;
        Ok(Answer { rows, time: Duration::from_secs_f64(seconds), sent: None })
    }
}
