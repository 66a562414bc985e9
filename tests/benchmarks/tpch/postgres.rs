//! Four PostgreSQL servers, each with the tables of its body, and postgres_fdw at the one that is asked. Local sockets,
//! no TLS: what the mesh has to do more is in the mesh's time.

use std::fmt::Write;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use arrow::csv::WriterBuilder;
use arrow::datatypes::DataType;
use futures::TryStreamExt;

use crate::PARALLEL;
use crate::answer::Answer;
use crate::central::Central;
use crate::conversation::{Conversation, END, FIELD};
use crate::data::{Data, Part};
use crate::server::{self, ACCOUNT, succeeds};

/// Who is asked.
const ASKER: &str = "loda";
/// A query that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(300);
/// What makes a row a row.
const KEYS: [(&str, &str); 8] = [
    ("nation", "n_nationkey"),
    ("region", "r_regionkey"),
    ("customer", "c_custkey"),
    ("supplier", "s_suppkey"),
    ("part", "p_partkey"),
    ("partsupp", "ps_partkey, ps_suppkey"),
    ("orders", "o_orderkey"),
    ("lineitem", "l_orderkey, l_linenumber"),
];

pub(crate) struct Postgres {
    asker: Conversation,
    servers: Vec<Server>,
}

struct Server {
    body: &'static str,
    up: server::Postgres,
}

impl Postgres {
    /// Up and loaded, or why there is none.
    pub(crate) async fn new(data: &Data, central: &Central) -> Result<Self, String> {
        let started = data.bodies().into_iter().map(Server::start);
        let servers = started.collect::<Result<Vec<_>, _>>()?;
        for part in &data.files {
            let server = servers.iter().find(|server| server.body == part.body).unwrap();
            server.load(part, central).await?;
        }
        let asked = servers.iter().find(|server| server.body == ASKER).unwrap();
        let mut postgres = Self { asker: asked.connect()?, servers: Vec::new() };
        postgres.run("CREATE EXTENSION postgres_fdw")?;
        for server in servers.iter().filter(|server| server.body != ASKER) {
            postgres.link(server)?;
        }
        for part in data.files.iter().filter(|part| part.body != ASKER) {
            postgres.attach(part, &servers)?;
        }
        postgres.run("ANALYZE")?;
        postgres.run(&format!("SET statement_timeout = '{}s'", PATIENCE.as_secs()))?;
        postgres.servers = servers;
        Ok(postgres)
    }

    /// How each body's server is reached.
    pub(crate) fn connections(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.servers.iter().map(|Server { body, up }| {
            (*body, format!("host={} port={} user={ACCOUNT} dbname=postgres", up.path().display(), up.port()))
        })
    }

    pub(crate) fn ask(&mut self, sql: &str) -> Result<Answer, String> {
        let began = Instant::now();
        let rows = self.run(sql)?;
        Ok(Answer { rows, time: began.elapsed(), sent: None })
    }

    fn run(&mut self, sql: &str) -> Result<Vec<Vec<String>>, String> {
        self.asker.run(sql)
    }

    /// The asker knows the server by its body's name.
    fn link(&mut self, server: &Server) -> Result<(), String> {
        let (body, host, port) = (server.body, server.up.path().display(), server.up.port());
        self.run(&format!(
            "CREATE SERVER {body} FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{host}', port '{port}', dbname \
             'postgres', use_remote_estimate 'true', fetch_size '10000', async_capable 'true')"
        ))?;
        self.run(&format!("CREATE USER MAPPING FOR CURRENT_USER SERVER {body} OPTIONS (user '{ACCOUNT}')"))?;
        Ok(())
    }

    /// A table of one body is a foreign table; one of several has a partition at each, by the ranges of its first key.
    fn attach(&mut self, part: &Part, servers: &[Server]) -> Result<(), String> {
        let Part { body, table, .. } = part;
        if !part.shared {
            let columns = columns(part);
            self.run(&format!("CREATE FOREIGN TABLE {table} ({columns}) SERVER {body}"))?;
            return Ok(());
        }
        let key = part.schema.field(0).name();
        let first = |server: &Server| -> Result<i64, String> {
            let rows = server.connect()?.run(&format!("SELECT coalesce(min({key}), 0) FROM {table}"))?;
            rows[0][0].parse().map_err(|_| format!("{} has no {key}", server.body))
        };
        let holders = servers.iter().filter(|server| server.holds(table));
        let mut starts = holders.map(|server| Ok((first(server)?, server.body))).collect::<Result<Vec<_>, String>>()?;
        starts.sort_unstable();
        let place = starts.iter().position(|(_, holder)| holder == body).unwrap();
        let from = if place == 0 { "MINVALUE".to_owned() } else { starts[place].0.to_string() };
        let to = starts.get(place + 1).map_or("MAXVALUE".to_owned(), |(start, _)| start.to_string());
        self.run(&format!("CREATE TABLE IF NOT EXISTS {table} ({}) PARTITION BY RANGE ({key})", columns(part)))?;
        self.run(&format!(
            "CREATE FOREIGN TABLE {table}_{body} PARTITION OF {table} FOR VALUES FROM ({from}) TO ({to}) SERVER {body} \
             OPTIONS (table_name '{table}')"
        ))?;
        Ok(())
    }
}

impl Conversation {
    /// Runs a statement by psql.
    fn run(&mut self, sql: &str) -> Result<Vec<Vec<String>>, String> {
        let sql = sql.replace('\n', " ");
        let (rows, end) = self.say(&format!("{sql};\n\\echo {END}:ERROR :LAST_ERROR_MESSAGE"))?;
        match end.split_once(' ') {
            Some(("false", _)) => Ok(rows),
            Some((_, message)) => Err(format!("PostgreSQL says: {message}: {sql}")),
            None => Err(end),
        }
    }
}

impl Server {
    fn start(body: &'static str) -> Result<Self, String> {
        let parallel = format!("max_parallel_workers_per_gather={}", PARALLEL - 1);
        let settings = [
            "shared_buffers=512MB",
            "work_mem=256MB",
            "maintenance_work_mem=256MB",
            "max_wal_size=4GB",
            &parallel,
            "enable_partitionwise_join=on",
            "enable_partitionwise_aggregate=on",
        ];
        Ok(Self { body, up: server::Postgres::start(&settings)? })
    }

    fn psql(&self) -> Command {
        let mut command = self.up.psql("postgres");
        command.args(["-P", "null=NULL", "-F", &FIELD.to_string()]);
        command
    }

    fn connect(&self) -> Result<Conversation, String> {
        Conversation::start(self.psql().stderr(Stdio::null()))
    }

    fn holds(&self, table: &str) -> bool {
        let found = format!("SELECT 1 / count(*) FROM pg_class WHERE relname = '{table}'");
        succeeds(self.psql().args(["-v", "ON_ERROR_STOP=1", "-c", &found]).stderr(Stdio::null()))
    }

    /// Makes a table of the rows of a file.
    async fn load(&self, part: &Part, central: &Central) -> Result<(), String> {
        let (table, columns) = (part.table, columns(part));
        let (_, key) = KEYS.iter().find(|(of, _)| *of == table).unwrap();
        self.connect()?.run(&format!("CREATE TABLE {table} ({columns})"))?;
        let copy = format!("COPY {table} FROM STDIN (FORMAT csv)");
        let mut command = self.psql();
        let mut child = command.args(["-v", "ON_ERROR_STOP=1", "-c", &copy]).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = std::io::BufWriter::new(child.stdin.take().unwrap());
        let mut rows = central.rows(&part.path).await;
        while let Some(batch) = rows.try_next().await.map_err(|error| error.to_string())? {
            let mut csv = Vec::new();
            WriterBuilder::new().with_header(false).build(&mut csv).write(&batch).map_err(|error| error.to_string())?;
            stdin.write_all(&csv).map_err(|error| format!("loading {table}: {error}"))?;
        }
        drop(stdin);
        if !child.wait().is_ok_and(|status| status.success()) {
            return Err(format!("loading {table} does not succeed"));
        }
        let mut psql = self.connect()?;
        psql.run(&format!("ALTER TABLE {table} ADD PRIMARY KEY ({key})"))?;
        psql.run(&format!("VACUUM ANALYZE {table}")).map(drop)
    }
}

fn columns(part: &Part) -> String {
    part.schema.fields().iter().enumerate().fold(String::new(), |mut text, (place, field)| {
        let column_type = match field.data_type() {
            DataType::Int32 => "integer".to_owned(),
            DataType::Int64 => "bigint".to_owned(),
            DataType::Date32 => "date".to_owned(),
            DataType::Decimal128(precision, scale) => format!("numeric({precision},{scale})"),
            _ => "text".to_owned(),
        };
        let comma = if place == 0 { "" } else { ", " };
        write!(text, "{comma}{} {column_type} NOT NULL", field.name()).unwrap();
        text
    })
}
