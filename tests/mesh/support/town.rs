//! A federation that was founded by commands: an authority that runs, and bodies that joined it by invitation.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Mutex, PoisonError};

use super::{Mesh, Ran, Running, free, meridian, scratch, until};

/// A federation and its authority.
pub(crate) struct Town {
    pub(crate) mesh: Mesh,
    address: SocketAddr,
    authority: Mutex<Option<(Child, ChildStdin)>>,
}

impl Town {
    /// The authority of London, up, with these bodies joined and not started; the first is Asha's.
    pub(crate) fn of(bodies: &[&str]) -> Self {
        Self::founded("london", bodies)
    }

    /// The same of another federation.
    pub(crate) fn founded(federation: &str, bodies: &[&str]) -> Self {
        let dir = scratch("town");
        let mut town = Self { mesh: Mesh::empty(dir), address: free(), authority: Mutex::default() };
        town.run(&["authority", "init", "--federation", federation]).ok();
        town.start_authority();
        for body in bodies {
            town.join(body, &[]).ok();
        }
        if let Some(body) = bodies.first() {
            town.analyst(body);
        }
        town
    }

    /// The authority's folder.
    pub(crate) fn folder(&self) -> PathBuf {
        self.mesh.dir.join("authority")
    }

    /// Where the authority is served.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Runs a command that is told the authority's folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Running::start(meridian().args(arguments).arg("--dir").arg(self.folder())).end()
    }

    /// Starts the authority's service and waits until it can be reached.
    pub(crate) fn start_authority(&self) {
        let log = fs::OpenOptions::new().append(true).create(true).open(self.mesh.dir.join("authority.log"));
        let mut command = meridian();
        command.args(["authority", "serve", "--exit-with-stdin", "--listen"]).arg(self.address.to_string());
        command.arg("--dir").arg(self.folder()).stdin(Stdio::piped()).stderr(log.expect("a log"));
        let mut child = command.spawn().expect("the authority");
        let stdin = child.stdin.take().expect("a pipe");
        *self.authority.lock().unwrap_or_else(PoisonError::into_inner) = Some((child, stdin));
        until("the authority is up", || TcpStream::connect(self.address).ok());
    }

    /// Kills the authority's service.
    pub(crate) fn kill_authority(&self) {
        let running = self.authority.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (mut child, _) = running.expect("an authority");
        child.kill().expect("kill");
        child.wait().expect("its end");
    }

    /// What the authority's service has said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.mesh.dir.join("authority.log")).unwrap_or_default()
    }

    /// Invites a body: the command that it joins with, word by word.
    pub(crate) fn invite(&self, body: &str, flight: SocketAddr) -> Vec<String> {
        let endpoint = format!("https://{flight}");
        let printed = self.run(&["authority", "invite", body, "--endpoint", &endpoint, "--authority", &self.url()]);
        printed.ok().split_whitespace().map(str::to_owned).collect()
    }

    /// Invites a body and lets it join.
    pub(crate) fn join(&mut self, body: &str, options: &[&str]) -> Ran {
        let (flight, health) = (free(), free());
        let invited = self.invite(body, flight);
        let ran = self.join_by(&invited, body, flight, health, options);
        if ran.code == Some(0) {
            self.mesh.add(body, flight, health);
        }
        ran
    }

    /// Lets a body join by the command that its invitation printed.
    pub(crate) fn join_by(
        &self,
        invited: &[String],
        body: &str,
        flight: SocketAddr,
        health: SocketAddr,
        options: &[&str],
    ) -> Ran {
        let (program, arguments) = invited.split_first().expect("a command");
        assert_eq!(program, "meridian");
        let mut command = meridian();
        command.args(arguments).current_dir(&self.mesh.dir).args(["--listen", &flight.to_string()]);
        let ran = Running::start(command.args(["--health", &health.to_string()]).args(options)).end();
        assert!(ran.code != Some(0) || self.mesh.folder(body).join("node.toml").exists());
        ran
    }

    /// Makes Asha an analyst of a body, who asks by the mesh's profile.
    fn analyst(&self, body: &str) {
        let config = self.mesh.folder(body).join("node.toml");
        let mut command = meridian();
        command.args(["analyst", "add", "asha", "--config"]).arg(config).arg("--dir").arg(self.mesh.dir.join("asha"));
        Running::start(&mut command).end().ok();
    }

    /// Has a body publish so many open rows under this name; `rows` conforms to the standard of that name.
    pub(crate) fn publish(&self, body: &str, name: &str, rows: usize) {
        publish(&self.mesh.folder(body), name, rows);
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        if let Some((mut child, stdin)) = self.authority.lock().unwrap_or_else(PoisonError::into_inner).take() {
            drop(stdin);
            let _ = child.wait();
        }
    }
}

/// Has the body of a folder publish so many open rows under a name.
pub(crate) fn publish(folder: &Path, name: &str, rows: usize) {
    let mut file = std::io::BufWriter::new(fs::File::create(folder.join(format!("{name}.csv"))).expect("a file"));
    writeln!(file, "number,text").expect("a line");
    for number in 0..rows {
        writeln!(file, "{number},row {number} of the rows that this body publishes").expect("a line");
    }
    let standard = if name == "rows" { "standard = \"rows\"\n" } else { "" };
    let dataset = format!(
        "name = \"{name}\"\ntitle = \"Rows\"\ndescription = \"\"\nlicence = \"OGL-UK-3.0\"\nform = \"open\"\n\
         {standard}\n[source]\nkind = \"csv\"\npath = \"{name}.csv\"\n\n[[columns]]\nname = \"number\"\ntype = \"bigint\"\n\n\
         [[columns]]\nname = \"text\"\ntype = \"varchar\"\n"
    );
    fs::write(folder.join("datasets").join(format!("{name}.toml")), dataset).expect("a dataset");
}
