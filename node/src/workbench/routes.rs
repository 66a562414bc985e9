//! The addresses of the workbench, and what each does.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use meridian_certs::{Credentials, Verified};
use meridian_proto::Name;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::block_in_place;

use super::download::{self, AT_ONCE, MOST_BYTES};
use super::guard::{self, Guard};
use super::run::{self, Question};
use super::said::{self, Body, Problem};
use super::saved::Saved;
use super::{Parts, before, frames, names, pages};

/// What a request holds beside SQL, in bytes; SQL may need two bytes of JSON for one.
const BESIDE_SQL: usize = 16 << 10;

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Analyst {
    pub(super) name: Name,
    pub(super) verified: Verified,
}

/// What is answered here.
#[derive(Debug)]
pub(super) struct Routes {
    parts: Parts,
    credentials: Arc<Credentials>,
    guard: Guard,
    saved: Saved,
    downloads: Arc<Semaphore>,
}

impl Routes {
    pub(super) fn new(parts: Parts, credentials: Arc<Credentials>, guard: Guard) -> Self {
        let saved = Saved::new(parts.saved.clone());
        Self { parts, credentials, guard, saved, downloads: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The answer to a request of this analyst.
    pub(super) async fn respond(&self, request: Request<Incoming>, analyst: &Analyst) -> Response<Body> {
        let admitted = self.guard.admit(request.method(), request.headers());
        let only_head = request.method() == Method::HEAD;
        let answered = match admitted {
            Err((status, why)) => {
                tracing::warn!(analyst = %analyst.name, status = status.as_u16(), "a request to the workbench is refused: {why}");
                Err(Problem::new(status, why))
            }
            Ok(()) if *request.method() == Method::POST => self.post(request, analyst).await,
            Ok(()) => self.get(request.uri().path()),
        };
        let mut response = answered.unwrap_or_else(|problem| problem.response());
        guard::seal(response.headers_mut());
        if only_head {
            response = response.map(|_| Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync());
        }
        response
    }

    fn get(&self, path: &str) -> Result<Response<Body>, Problem> {
        match path {
            "/" => Ok(pages::page()),
            _ if path.strip_prefix("/q/").is_some_and(|id| !id.contains('/')) => Ok(pages::page()),
            _ => path.strip_prefix("/assets/").and_then(pages::asset).ok_or_else(unknown),
        }
    }

    async fn post(&self, request: Request<Incoming>, analyst: &Analyst) -> Result<Response<Body>, Problem> {
        let (head, body) = request.into_parts();
        let kind = head.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        let is_of = |expected: &str| {
            let why = format!("what is sent to {} is {expected}", head.uri.path());
            if kind == Some(expected.as_bytes()) {
                Ok(())
            } else {
                Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, why))
            }
        };
        let path = head.uri.path();
        if let Some(format) = path.strip_prefix("/api/download/") {
            is_of(download::KIND)?;
            let place = Arc::clone(&self.downloads).try_acquire_owned().map_err(|_| {
                Problem::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "other answers are being written just now: try again shortly",
                )
            })?;
            let wanted = (format, head.uri.query() == Some(download::STATISTICS));
            return download::convert(wanted, said::bytes(body, MOST_BYTES).await?, place).await;
        }
        is_of("application/json")?;
        let most = self.parts.door.limits().statement_bytes.saturating_mul(2) + BESIDE_SQL;
        let bytes = said::bytes(body, most).await?;
        let (door, verified) = (&self.parts.door, &analyst.verified);
        let told = match path {
            "/api/run" => {
                let question: Question = said::read(&bytes)?;
                let (frames, body) = frames::frames();
                let way = (door.clone(), verified.clone(), Arc::clone(&self.credentials));
                tokio::spawn(run::run(question, way, frames));
                let mut response = Response::new(body);
                let kind = HeaderValue::from_static("application/vnd.meridian.answer");
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
                return Ok(response);
            }
            "/api/explain" => before::explain(said::read(&bytes)?, door, verified).await?,
            "/api/check" => before::check(said::read(&bytes)?, door, verified).await?,
            "/api/names" => names::names(door, verified).await?,
            "/api/session" => self.session(analyst),
            "/api/saved" => block_in_place(|| self.saved.list())?,
            "/api/saved/read" => block_in_place(|| self.saved.read(said::read(&bytes)?))?,
            "/api/saved/save" => block_in_place(|| self.saved.save(said::read(&bytes)?, &analyst.name))?,
            "/api/saved/remove" => block_in_place(|| self.saved.remove(said::read(&bytes)?, &analyst.name))?,
            _ => return Err(unknown()),
        };
        Ok(said::document(&told))
    }

    /// Who is here, and what they may use.
    fn session(&self, analyst: &Analyst) -> Value {
        let Parts { federation, body, title, portal, door, .. } = &self.parts;
        json!({
            "federation": federation,
            "body": body,
            "title": title,
            "analyst": analyst.name,
            "groups": self.credentials.groups(&analyst.name),
            "formats": download::formats(),
            "portal": portal,
            "statement_bytes": door.limits().statement_bytes,
            "download_bytes": MOST_BYTES,
        })
    }
}

fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing here: the workbench is at /")
}
