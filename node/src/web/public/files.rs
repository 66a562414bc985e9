//! Open data as files at `/catalogue/datasets/<own body>/<dataset>.csv`, for whoever asks.

use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use meridian_proto::Name;
use tokio::fs::File;
use tokio::sync::Semaphore;

use super::sent::Sent;
use crate::downloads::{Downloads, Fetched, Kind, Ready};

/// Files that are sent at the same time; whoever comes then is asked to come again.
const MOST_AT_ONCE: usize = 64;
/// Seconds after which somebody should ask again for what is being made.
const AGAIN: &str = "10";

/// The files of a body, and the places for those who fetch them.
#[derive(Debug)]
pub(super) struct OpenData {
    body: Name,
    downloads: Arc<Downloads>,
    places: Arc<Semaphore>,
}

impl OpenData {
    pub(super) fn new(body: Name, downloads: Arc<Downloads>) -> Self {
        Self { body, downloads, places: Arc::new(Semaphore::new(MOST_AT_ONCE)) }
    }

    /// What is said to who asks for the address below `/catalogue/`; `None` where it is no file's.
    pub(super) async fn respond(&self, address: &str, method: &Method, asked: &HeaderMap) -> Option<Response<Sent>> {
        let (body, file) = address.strip_prefix("datasets/")?.split_once('/')?;
        let (name, ending) = file.split_once('.')?;
        let kind = Kind::of_ending(ending).filter(|_| body == self.body.as_str())?;
        let ready = match self.downloads.file(name, kind).await {
            Fetched::File(ready) => ready,
            Fetched::None => return None,
            Fetched::Later => return Some(later("the file is being made: ask again in a moment\n")),
            Fetched::Failed => return Some(later("the file can't be made at the moment: ask again later\n")),
            Fetched::TooLarge(mib) => {
                let why = format!("the data is larger than {mib} MiB, and is not given as a file\n");
                return Some(text(StatusCode::NOT_FOUND, why));
            }
        };
        Some(self.send(&ready, (name, kind), method, asked).await)
    }

    async fn send(
        &self,
        ready: &Ready,
        (name, kind): (&str, Kind),
        method: &Method,
        asked: &HeaderMap,
    ) -> Response<Sent> {
        let packed = ready.packed.as_ref().filter(|_| takes_gzip(asked));
        let (path, bytes) = packed.map_or((&ready.path, ready.bytes), |(path, bytes)| (path, *bytes));
        let tag = format!("\"{}{}\"", ready.tag, if packed.is_some() { "-gz" } else { "" });
        let mut response = if has(asked, &tag) {
            let mut response = Response::new(Sent::Text(Full::default()));
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            // Whoever asks with HEAD is told the length by what is not sent.
            let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
                return later("too many files are being fetched: ask again in a moment\n");
            };
            let file = match File::open(path).await {
                // Another may have taken its place just now.
                Ok(file) if file.metadata().await.is_ok_and(|data| data.len() == bytes) => file,
                Ok(_) | Err(_) => return later("the file is being made: ask again in a moment\n"),
            };
            if method == Method::GET {
                self.downloads.count(name);
            }
            let (downloads, dataset) = (Arc::clone(&self.downloads), name.to_owned());
            let is_given = Box::new(move || downloads.is_given(&dataset));
            Response::new(Sent::file(file, bytes, is_given, place))
        };
        let headers = response.headers_mut();
        let mut say = |name, value: &str| HeaderValue::from_str(value).map(|value| headers.insert(name, value)).is_ok();
        say(header::CONTENT_TYPE, kind.media());
        say(header::ETAG, &tag);
        say(header::VARY, "accept-encoding");
        say(header::CACHE_CONTROL, "no-cache");
        say(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        let file = format!("attachment; filename=\"{}-{name}.{}\"", self.body, kind.ending());
        say(header::CONTENT_DISPOSITION, &file);
        if packed.is_some() {
            say(header::CONTENT_ENCODING, "gzip");
        }
        response
    }
}

/// Whether somebody has this already.
fn has(asked: &HeaderMap, tag: &str) -> bool {
    let held = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    held.flat_map(|held| held.split(','))
        .any(|held| matches!(held.trim(), "*") || held.trim().trim_start_matches("W/") == tag)
}

/// Whether somebody takes what is packed with gzip.
fn takes_gzip(asked: &HeaderMap) -> bool {
    let said = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    said.flat_map(|said| said.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let refused = |part: &str| part.strip_prefix("q=").is_some_and(|q| q.parse().is_ok_and(|q: f32| q <= 0.0));
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip")) && !parts.any(refused)
    })
}

fn later(why: &str) -> Response<Sent> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, why.to_owned());
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(AGAIN));
    response
}

fn text(status: StatusCode, text: String) -> Response<Sent> {
    let mut response = Response::new(Sent::Text(Full::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
