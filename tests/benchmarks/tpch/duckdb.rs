//! DuckDB in a Python process that keeps its own time: over all files, or attached to PostgreSQL servers.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::PARALLEL;
use crate::answer::Answer;
use crate::conversation::Conversation;
use crate::data::Data;
use crate::postgres::Postgres;

/// The package that holds DuckDB's extension for PostgreSQL; it is of one version of DuckDB.
const EXTENSION: &str = "postgres_scanner";

pub(crate) struct DuckDb(Conversation);

impl DuckDb {
    /// Over all files, or why there is none.
    pub(crate) fn new(data: &Data) -> Result<Self, String> {
        let python = std::env::var("MERIDIAN_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
        let hint = "tests/run installs it, MERIDIAN_TEST_PYTHON names the Python that has it";
        let mut duckdb = Self::start(&python, "import duckdb, pyarrow", &[], hint)?;
        for table in data.tables() {
            let files = data.folder(table).join("*.parquet");
            duckdb.ask(&format!("CREATE VIEW {table} AS FROM read_parquet('{}')", files.display()))?;
        }
        Ok(duckdb)
    }

    /// Attached to the servers of all bodies, or why it is not.
    pub(crate) fn attached(data: &Data, postgres: &Postgres) -> Result<Self, String> {
        let python = std::env::var("MERIDIAN_TPCH_PYTHON").unwrap_or_else(|_| "python3".into());
        let hint =
            "MERIDIAN_TPCH_PYTHON names a Python with duckdb and duckdb-extension-postgres-scanner, of one version";
        let has = format!("import duckdb, pyarrow, duckdb_extension_{EXTENSION}");
        let mut duckdb = Self::start(&python, &has, &[EXTENSION], hint)?;
        for (body, connection) in postgres.connections() {
            duckdb.ask(&format!("ATTACH '{connection}' AS {body} (TYPE postgres, READ_ONLY)"))?;
        }
        for table in data.tables() {
            let parts = data.files.iter().filter(|part| part.table == table);
            let parts: Vec<String> = parts.map(|part| format!("SELECT * FROM {}.public.{table}", part.body)).collect();
            duckdb.ask(&format!("CREATE VIEW {table} AS {}", parts.join(" UNION ALL ")))?;
        }
        Ok(duckdb)
    }

    fn start(python: &str, has: &str, extensions: &[&str], hint: &str) -> Result<Self, String> {
        let found = Command::new(python).args(["-c", has]).output();
        if !found.is_ok_and(|output| output.status.success()) {
            return Err(format!("{python} can't `{has}`: {hint}"));
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients/duck.py");
        let mut command = Command::new(python);
        command.arg(script).arg(PARALLEL.to_string()).args(extensions);
        Ok(Self(Conversation::start(&mut command)?))
    }

    pub(crate) fn ask(&mut self, sql: &str) -> Result<Answer, String> {
        let (rows, end) = self.0.say(&sql.replace('\n', " "))?;
        let seconds = end.parse().map_err(|_| end)?;
        Ok(Answer { rows, time: Duration::from_secs_f64(seconds), sent: None })
    }
}
