//! pyarrow's C++ Flight, a server and a client, each in a Python process of its own.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::conversation::Conversation;
use crate::data::{Sum, Table};

/// A server that holds the tables, and where it listens.
pub(crate) struct Server {
    _process: Conversation,
    pub(crate) port: u16,
}

pub(crate) struct Client(Conversation);

impl Server {
    /// With the certificate of `<identity>.pem`.
    pub(crate) fn start(ca: &Path, identity: &Path, tables: &[Table]) -> Result<Self, String> {
        let mut command = command("serve", ca, identity)?;
        command.args(tables.iter().map(|table| format!("{}={}", table.kind.name(), table.path.display())));
        let mut process = Conversation::start(&mut command)?;
        let (_, port) = process.say("port")?;
        Ok(Self { port: port.parse().map_err(|_| port)?, _process: process })
    }
}

impl Client {
    /// With the certificate of `<identity>.pem`.
    pub(crate) fn start(ca: &Path, identity: &Path) -> Result<Self, String> {
        Ok(Self(Conversation::start(&mut command("read", ca, identity)?)?))
    }

    /// What a ticket's stream has, and how long it took, by the client's own clock.
    pub(crate) fn read(&mut self, port: u16, ticket: &[u8], summed: bool) -> Result<(Sum, Duration), String> {
        let whether = if summed { "sum" } else { "rows" };
        let (_, end) = self.0.say(&format!("grpc+tls://127.0.0.1:{port} {} {whether}", hex::encode(ticket)))?;
        let mut words = end.split(' ');
        let mut word = || words.next().ok_or_else(|| end.clone());
        let (rows, sum, seconds) = (word()?, word()?, word()?);
        let (Ok(rows), Ok(sum), Ok(seconds)) = (rows.parse(), sum.parse(), seconds.parse()) else {
            return Err(end);
        };
        Ok((Sum { rows, sum }, Duration::from_secs_f64(seconds)))
    }
}

fn command(verb: &str, ca: &Path, identity: &Path) -> Result<Command, String> {
    let python = std::env::var("MERIDIAN_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let has = Command::new(&python).args(["-c", "import pyarrow.flight"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        return Err(format!(
            "{python} has no pyarrow: tests/run installs it, MERIDIAN_TEST_PYTHON names the Python that has it"
        ));
    }
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/benchmarks/bulk/flight.py")).arg(verb).arg(ca);
    command.arg(identity.with_extension("pem")).arg(identity.with_extension("key"));
    Ok(command)
}
