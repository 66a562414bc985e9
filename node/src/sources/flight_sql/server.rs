//! How an engine is reached, and as whom.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow_flight::HandshakeRequest;
use arrow_flight::flight_service_client::FlightServiceClient;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::stream;
use meridian_federation::remote::Aligned;
use meridian_proto::Name;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request};

use super::dial::{self, EngineTls};
use super::dialect::EngineDialect;
use super::fault::EngineFault;
use crate::secrets::private_text;

/// Largest message that is taken (bytes).
pub(super) const MESSAGE_BYTES: usize = 64 << 20;
/// An engine that can't be reached is not tried again before: its other datasets need not find out one by one.
const RESTING: Duration = Duration::from_secs(2);

/// As whom an engine is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineLogin {
    /// As nobody, or as the certificate says.
    None,
    /// As a user, with the password in a file.
    Password {
        /// The user.
        user: String,
        /// The file of the password, read for every connection.
        file: PathBuf,
    },
    /// With a token.
    Token {
        /// Its file, read for every connection.
        file: PathBuf,
    },
}

/// How an engine is reached, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    /// What datasets call it.
    pub name: Name,
    /// Its host's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// TLS; plain text without it.
    pub tls: Option<EngineTls>,
    /// As whom.
    pub login: EngineLogin,
    /// Whose SQL it takes.
    pub dialect: EngineDialect,
    /// How long to wait until it begins to answer, and for each further part of an answer, in seconds.
    pub request_seconds: u32,
}

/// An engine, and the connection that is kept to it.
pub struct FlightEngine {
    config: EngineConfig,
    kept: Mutex<Option<Session>>,
    unreachable: Mutex<Option<(EngineFault, Instant)>>,
}

impl fmt::Debug for FlightEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlightEngine").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The same where it is reached in the same way, whatever is connected.
impl PartialEq for FlightEngine {
    fn eq(&self, other: &Self) -> bool {
        self.config == other.config
    }
}

impl Eq for FlightEngine {}

impl FlightEngine {
    /// Nothing is connected yet.
    pub fn new(config: EngineConfig) -> Arc<Self> {
        Arc::new(Self { config, kept: Mutex::default(), unreachable: Mutex::default() })
    }

    /// How it is reached.
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// Whether it can be reached and lets the node in, anew.
    pub async fn reachable(&self) -> Result<(), EngineFault> {
        self.forget();
        self.session().await.map(drop)
    }

    /// How long is waited for it.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(u64::from(self.config.request_seconds))
    }

    /// The session that was kept, or a new one.
    pub(super) async fn session(&self) -> Result<Session, EngineFault> {
        if let Some(kept) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Ok(Session { is_kept: true, ..kept });
        }
        let unreachable = || self.unreachable.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((fault, _)) = unreachable().as_ref().filter(|(_, since)| since.elapsed() < RESTING) {
            return Err(fault.clone());
        }
        let begun = self.begin().await;
        *unreachable() = match &begun {
            Err(fault @ EngineFault::Unreachable(_)) => Some((fault.clone(), Instant::now())),
            _ => None,
        };
        if let Ok(session) = &begun {
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(session.clone());
        }
        begun
    }

    /// The next session is a new one, with what its files hold then.
    pub(super) fn forget(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    async fn begin(&self) -> Result<Session, EngineFault> {
        let channel = dial::channel(&self.config).await?;
        let session = Session { channel, authorization: None, is_kept: false };
        let authorization = match &self.config.login {
            EngineLogin::None => return Ok(session),
            EngineLogin::Token { file } => {
                header(&format!("Bearer {}", secret(file, "token_file", "the token")?), file, "token_file")?
            }
            EngineLogin::Password { user, file } => {
                let password = secret(file, "password_file", "the password")?;
                let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
                let basic = header(&basic, file, "password_file")?;
                let shaken =
                    tokio::time::timeout(self.patience(), session.shake_hands(basic, self.config.request_seconds));
                shaken.await.map_err(|_| EngineFault::Slow(self.config.request_seconds))??
            }
        };
        Ok(Session { authorization: Some(authorization), ..session })
    }
}

/// What calls are made with.
#[derive(Clone)]
pub(super) struct Session {
    channel: Channel,
    authorization: Option<MetadataValue<Ascii>>,
    /// Whether it may have ended from the other side without notice.
    pub(super) is_kept: bool,
}

impl Session {
    /// The way to make calls.
    pub(super) fn client(&self) -> FlightServiceClient<Aligned<Channel>> {
        FlightServiceClient::new(Aligned(self.channel.clone())).max_decoding_message_size(MESSAGE_BYTES)
    }

    /// A message with what goes along with every call.
    pub(super) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        request
    }

    /// Shows user and password, and takes the token that the engine gives for them; where it gives none, they are shown with
    /// every call.
    async fn shake_hands(
        &self,
        basic: MetadataValue<Ascii>,
        seconds: u32,
    ) -> Result<MetadataValue<Ascii>, EngineFault> {
        let mut request = Request::new(stream::iter([HandshakeRequest::default()]));
        request.metadata_mut().insert("authorization", basic.clone());
        let answer = match self.client().handshake(request).await {
            Err(status) if status.code() == Code::Unimplemented => return Ok(basic),
            answer => answer.map_err(|status| EngineFault::of(&status, seconds))?,
        };
        if let Some(given) = answer.metadata().get("authorization") {
            return Ok(sensitive(given.clone()));
        }
        let first = answer.into_inner().message().await.map_err(|status| EngineFault::of(&status, seconds))?;
        let token = first.map(|first| first.payload).filter(|payload| !payload.is_empty());
        let Some(token) = token else { return Ok(basic) };
        let text = std::str::from_utf8(&token).map_err(|_| EngineFault::Login)?;
        format!("Bearer {text}").parse().map(sensitive).map_err(|_| EngineFault::Login)
    }
}

/// A secret out of a file that nobody else can read.
fn secret(file: &Path, key: &str, what: &str) -> Result<String, EngineFault> {
    private_text(file, what).map_err(|why| EngineFault::File {
        path: file.into(),
        why: format!("{why}; `{key}` in [[engines]] holds {what} and nothing else"),
    })
}

fn header(text: &str, file: &Path, key: &str) -> Result<MetadataValue<Ascii>, EngineFault> {
    let unfit = |_| EngineFault::File {
        path: file.into(),
        why: format!("it holds what no header can; `{key}` in [[engines]] is a file of one line"),
    };
    text.parse().map(sensitive).map_err(unfit)
}

/// Never written in a log.
fn sensitive(mut value: MetadataValue<Ascii>) -> MetadataValue<Ascii> {
    value.set_sensitive(true);
    value
}
