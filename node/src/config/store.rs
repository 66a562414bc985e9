//! Checks the object stores of node.toml.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use toml::Spanned;

use super::problem::{File, Report};
use super::{duration, node, raw};
use crate::sources::{Key, Store, StoreConfig};

const DEFAULT_REGION: &str = "us-east-1";
const DEFAULT_REQUEST_SECONDS: u32 = 30;
const DEFAULT_REFRESH: Duration = Duration::from_secs(30);
const DEFAULT_FETCH_MIB: u32 = 1024;

/// The buckets, each once.
pub(super) fn check(file: &File, base: &Path, raw: &[raw::Store], report: &mut Report) -> Vec<Arc<Store>> {
    let mut stores: Vec<Arc<Store>> = Vec::with_capacity(raw.len());
    for said in raw {
        let Some(config) = store(file, base, said, report) else { continue };
        if stores.iter().any(|known| known.config().bucket == config.bucket) {
            let what = format!("the bucket `{}` stands twice", config.bucket);
            file.problem(report, said.bucket.span(), what, "remove one");
            continue;
        }
        stores.push(Store::new(config));
    }
    stores
}

fn store(file: &File, base: &Path, raw: &raw::Store, report: &mut Report) -> Option<StoreConfig> {
    let bucket = file.text(report, "stores.bucket", &raw.bucket).filter(|bucket| {
        let fits = !bucket.contains(['/', '?', '#', '%']) && !bucket.contains(char::is_whitespace);
        if !fits {
            let what = format!("stores.bucket is {bucket:?}, which is no name of a bucket");
            file.problem(
                report,
                raw.bucket.span(),
                what,
                "write its name alone: what is in it stands in a dataset's path",
            );
        }
        fits
    });
    let endpoint = optional(raw.endpoint.as_ref(), |said| endpoint(file, said, report));
    let region = optional(raw.region.as_ref(), |said| file.text(report, "stores.region", said));
    let ca = optional(raw.ca.as_ref(), |said| file.existing(report, base, "stores.ca", said));
    let key = key(file, base, raw, report);
    let refresh = optional(raw.refresh.as_ref(), |said| duration::check(file, "stores.refresh", said, report));
    let mut number =
        |key, said: &Option<Spanned<u32>>, default| node::number(file, key, said.as_ref(), default, report);
    let request_seconds = number("stores.request_seconds", &raw.request_seconds, DEFAULT_REQUEST_SECONDS);
    let fetch_mib = number("stores.fetch_mib", &raw.fetch_mib, DEFAULT_FETCH_MIB);
    let endpoint = endpoint?;
    // Servers other than Amazon's seldom have a host for every bucket.
    let path_style = raw.path_style.as_ref().map_or(endpoint.is_some(), |said| *said.get_ref());
    Some(StoreConfig {
        bucket: bucket?,
        endpoint,
        region: region?.unwrap_or_else(|| DEFAULT_REGION.to_owned()),
        path_style,
        ca: ca?,
        key: key?,
        request_seconds,
        refresh: refresh?.unwrap_or(DEFAULT_REFRESH),
        fetch_mib,
    })
}

/// What is checked where it is said; `None` where it is wrong.
pub(super) fn optional<S, T>(said: Option<S>, check: impl FnOnce(S) -> Option<T>) -> Option<Option<T>> {
    said.map_or(Some(None), |said| check(said).map(Some))
}

/// Without TLS nothing leaves the machine.
fn endpoint(file: &File, said: &Spanned<String>, report: &mut Report) -> Option<String> {
    let text = file.text(report, "stores.endpoint", said)?;
    let uri: Option<Uri> = text.parse().ok();
    let host = uri.as_ref().and_then(Uri::host).map(|host| host.trim_matches(['[', ']']));
    let here =
        host.is_some_and(|host| host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback()));
    let bare = uri.as_ref().is_some_and(|uri| uri.query().is_none());
    let scheme = uri.as_ref().and_then(Uri::scheme_str);
    let (what, fix) = match scheme.filter(|_| bare && host.is_some()) {
        // What stands before it may be a secret: it is not repeated.
        _ if text.contains('@') => (
            "stores.endpoint has something before an @".to_owned(),
            "write the server's address alone; keys are access_key and secret_key_file",
        ),
        Some("https") => return Some(text.trim_end_matches('/').to_owned()),
        Some("http") if here => return Some(text.trim_end_matches('/').to_owned()),
        Some("http") => (
            format!("stores.endpoint is {text:?}, which is another machine, without TLS"),
            "write https://…, with ca = \"…\" where an authority of your own has signed the server's certificate; plain http \
             only to 127.0.0.1 or localhost",
        ),
        _ => (
            format!("stores.endpoint is {text:?}, which is no address of a server"),
            "write one such as https://s3.example.org:9000, without a bucket and without keys",
        ),
    };
    file.problem(report, said.span(), what, fix);
    None
}

fn key(file: &File, base: &Path, raw: &raw::Store, report: &mut Report) -> Option<Key> {
    let environment = raw.environment.as_ref().filter(|said| *said.get_ref());
    match (&raw.access_key, &raw.secret_key_file, environment) {
        (None, None, None) => Some(Key::Public),
        (None, None, Some(_)) => Some(Key::Environment),
        (Some(access_key), Some(secret), None) => {
            let access_key = file.text(report, "stores.access_key", access_key);
            let secret_key_file = file.existing(report, base, "stores.secret_key_file", secret);
            Some(Key::File { access_key: access_key?, secret_key_file: secret_key_file? })
        }
        (Some(said), None, None) | (None, Some(said), None) => {
            let what = "access_key and secret_key_file belong together, and one is missing";
            file.problem(report, said.span(), what, "give both, or neither for a bucket that anybody may read");
            None
        }
        (_, _, Some(said)) => {
            let what = "stores.environment stands beside a key of its own";
            file.problem(report, said.span(), what, "remove environment, or access_key and secret_key_file");
            None
        }
    }
}
