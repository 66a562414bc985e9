//! How a server is reached, and the few connections that are kept to it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use meridian_proto::Name;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls};

use super::fault::Fault;
use super::tls::Tls;
use crate::secrets::private_text;

/// Longest time until a server has answered the first word.
const CONNECTING: Duration = Duration::from_secs(5);
/// A server that can't be reached is not tried again before: its other datasets need not find out one by one.
const RESTING: Duration = Duration::from_secs(2);
/// Longest time to wait for one of the connections.
const WAITING: Duration = Duration::from_secs(30);
/// A connection that nobody used for so long is closed.
const KEPT: Duration = Duration::from_secs(60);
/// Longest time to ask a server to end what is not wanted any more.
const CANCELLING: Duration = Duration::from_secs(5);

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A name or an address.
    Network(String),
    /// The folder of its socket.
    Socket(PathBuf),
}

/// How a database is reached, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// What datasets call it.
    pub name: Name,
    /// Where the server is.
    pub host: Host,
    /// Its port.
    pub port: u16,
    /// The database on it.
    pub database: String,
    /// As whom.
    pub user: String,
    /// The file of the password, which is read for every connection.
    pub password_file: Option<PathBuf>,
    /// The authority that signed the server's certificate; plain text without one.
    pub ca: Option<PathBuf>,
    /// Connections at most.
    pub connections: usize,
    /// The longest that one statement may take, in seconds.
    pub statement_seconds: u32,
}

/// A database of a server and the connections to it.
pub struct Server {
    config: ServerConfig,
    idle: Mutex<Vec<(Connection, Instant)>>,
    places: Arc<Semaphore>,
    unreachable: Mutex<Option<(Fault, Instant)>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The same where it is reached in the same way, whatever is connected.
impl PartialEq for Server {
    fn eq(&self, other: &Self) -> bool {
        self.config == other.config
    }
}

impl Eq for Server {}

impl Server {
    /// Nothing is connected yet.
    pub fn new(config: ServerConfig) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(config.connections));
        Arc::new(Self { config, idle: Mutex::default(), places, unreachable: Mutex::default() })
    }

    /// How it is reached.
    pub fn config(&self) -> &ServerConfig {
        &self.config
    }

    /// A connection that was kept, or a new one.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease, Fault> {
        let place = self.place().await?;
        let kept = self.kept();
        let is_kept = kept.is_some();
        let connection = match kept {
            Some(kept) => kept,
            None => self.connect().await?,
        };
        Ok(Lease { connection: Some(connection), server: Arc::clone(self), is_kept, _place: place })
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, Fault> {
        let waited = tokio::time::timeout(WAITING, Arc::clone(&self.places).acquire_owned()).await;
        waited.ok().and_then(Result::ok).ok_or(Fault::Busy(self.config.connections))
    }

    /// One that is still open as far as can be seen from here. Those that were not used for long are closed.
    fn kept(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(connection, since)| since.elapsed() < KEPT && !connection.client.is_closed());
        idle.pop().map(|(connection, _)| connection)
    }

    /// A new connection.
    async fn connect(&self) -> Result<Connection, Fault> {
        let lock = || self.unreachable.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((fault, _)) = lock().as_ref().filter(|(_, since)| since.elapsed() < RESTING) {
            return Err(fault.clone());
        }
        let connected = self.try_to_connect().await;
        *lock() = match &connected {
            Err(fault @ Fault::Unreachable(_)) => Some((fault.clone(), Instant::now())),
            _ => None,
        };
        connected
    }

    async fn try_to_connect(&self) -> Result<Connection, Fault> {
        let ServerConfig { host, port, database, user, password_file, ca, .. } = &self.config;
        let mut config = Config::new();
        match host {
            Host::Network(host) => config.host(host),
            Host::Socket(folder) => config.host_path(folder),
        };
        config.port(*port).dbname(database).user(user).application_name("meridian").connect_timeout(CONNECTING);
        config.ssl_mode(if ca.is_some() { SslMode::Require } else { SslMode::Disable });
        if let Some(path) = password_file {
            config.password(password(path)?);
        }
        let tls = ca.as_deref().map(Tls::new).transpose()?;
        let connecting = connect(&config, tls);
        let late = || Fault::Unreachable(format!("no answer within {} s", CONNECTING.as_secs()));
        tokio::time::timeout(CONNECTING, connecting).await.map_err(|_| late())?
    }
}

async fn connect(config: &Config, tls: Option<Tls>) -> Result<Connection, Fault> {
    let wrong = |error: tokio_postgres::Error| Fault::of_connecting(&error);
    // What ends a connection is told to whoever uses it.
    let (client, task) = match tls.clone() {
        Some(tls) => {
            let (client, connection) = config.connect(tls).await.map_err(wrong)?;
            (client, tokio::spawn(async move { connection.await.unwrap_or_default() }))
        }
        None => {
            let (client, connection) = config.connect(NoTls).await.map_err(wrong)?;
            (client, tokio::spawn(async move { connection.await.unwrap_or_default() }))
        }
    };
    Ok(Connection { client, task, tls })
}

/// A password out of a file that nobody else can read.
fn password(path: &Path) -> Result<String, Fault> {
    private_text(path, "the password").map_err(|why| Fault::File {
        path: path.into(),
        why: format!("{why}; `password_file` in [[databases]] holds the password and nothing else"),
    })
}

/// One connection and the task that drives it.
pub(super) struct Connection {
    pub(super) client: Client,
    task: JoinHandle<()>,
    tls: Option<Tls>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Closes it at once, also where an answer is still under way.
        self.task.abort();
    }
}

/// A connection in use. Unless it is [given back](Self::end), the server is asked to end what it does, and the connection
/// is closed.
pub(super) struct Lease {
    connection: Option<Connection>,
    server: Arc<Server>,
    /// Whether it may have been closed from the other side without notice.
    pub(super) is_kept: bool,
    _place: OwnedSemaphorePermit,
}

impl Lease {
    /// The way to speak to the server.
    pub(super) fn client(&self) -> Result<&Client, Fault> {
        self.connection.as_ref().map(|connection| &connection.client).ok_or_else(|| Fault::Gone("closed".into()))
    }

    /// The server.
    pub(super) fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// A new connection in place of this one.
    pub(super) async fn renewed(&mut self) -> Result<(), Fault> {
        self.connection = Some(self.server.connect().await?);
        self.is_kept = false;
        Ok(())
    }

    /// Nothing is under way: the next may have it.
    pub(super) fn end(mut self) {
        if let Some(connection) = self.connection.take() {
            let mut idle = self.server.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push((connection, Instant::now()));
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let token = connection.client.cancel_token();
        let tls = connection.tls.clone();
        drop(connection);
        // Best effort: where it is not reached, the server finds out when it wants to send.
        runtime.spawn(async move {
            let cancelling = async {
                match tls {
                    Some(tls) => token.cancel_query(tls).await,
                    None => token.cancel_query(NoTls).await,
                }
            };
            let _ = tokio::time::timeout(CANCELLING, cancelling).await;
        });
    }
}
