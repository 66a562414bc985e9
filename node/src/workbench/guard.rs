//! A browser sends an analyst's certificate with whatever any page asks of it, so that each request has to prove that the
//! workbench's own page made it.

use std::net::SocketAddr;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

/// What every answer tells the browser. Nothing runs, is shown or is fetched but what this server sends; no text becomes
/// markup by script; nobody frames it, opens it or keeps it.
const HEADERS: [(&str, &str); 8] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];

/// The names under which this server is asked.
#[derive(Debug)]
pub(super) struct Guard {
    hosts: Vec<String>,
}

impl Guard {
    /// For a port, and the address that browsers call it by.
    pub(super) fn new(listen: SocketAddr, address: Option<&str>) -> Self {
        let mut hosts = vec![listen.to_string()];
        if listen.ip().is_loopback() {
            hosts.push(format!("localhost:{}", listen.port()));
        }
        let named = address.and_then(|address| address.strip_prefix("https://"));
        hosts.extend(named.map(str::to_ascii_lowercase));
        Self { hosts }
    }

    /// Whether a request may be answered.
    pub(super) fn admit(&self, method: &Method, headers: &HeaderMap) -> Result<(), (StatusCode, String)> {
        let forbidden = |why: &str| Err((StatusCode::FORBIDDEN, why.to_owned()));
        let host = one(headers, "host").map(str::to_ascii_lowercase);
        let Some(host) = host.filter(|host| self.hosts.contains(host)) else {
            let known = self.hosts.join(" or ");
            return Err((
                StatusCode::MISDIRECTED_REQUEST,
                format!("this server is called {known}: open it by that name"),
            ));
        };
        let site = headers.get_all("sec-fetch-site").iter().map(HeaderValue::as_bytes).collect::<Vec<_>>();
        let is_own = matches!(site.as_slice(), [b"same-origin"]);
        if *method == Method::GET || *method == Method::HEAD {
            // A page may be opened from anywhere: it shows nothing of itself. What it consists of is for it alone.
            let is_page = one(headers, "sec-fetch-dest") == Some("document");
            return match site.as_slice() {
                [] | [b"none"] => Ok(()),
                _ if is_own || is_page => Ok(()),
                _ => forbidden("another page has no business here"),
            };
        }
        if *method != Method::POST {
            return Err((StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD and POST are answered here".into()));
        }
        let origin = one(headers, "origin").map(str::to_ascii_lowercase);
        if origin != Some(format!("https://{host}")) {
            return forbidden("a question comes from the workbench's own page, whose address stands in Origin");
        }
        if !site.is_empty() && !is_own {
            return forbidden("a question comes from the workbench's own page");
        }
        Ok(())
    }
}

/// The value of a header that stands there once.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// Puts what every answer says into these headers.
pub(super) fn seal(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn status(method: &Method, said: &[(&str, &str)]) -> u16 {
        let guard = Guard::new("127.0.0.1:8443".parse().unwrap(), Some("https://Node.Example"));
        let mut headers = HeaderMap::new();
        for (name, value) in said {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        guard.admit(method, &headers).map_or_else(|(status, _)| status.as_u16(), |()| 200)
    }

    #[test]
    fn only_the_own_page_asks() {
        let own = ("host", "127.0.0.1:8443");
        let origin = ("origin", "https://127.0.0.1:8443");
        let same = ("sec-fetch-site", "same-origin");
        for (said, expected) in [
            (&[own, origin, same][..], 200),
            (&[own, origin], 200),
            (&[("host", "node.example"), ("origin", "https://node.example"), same], 200),
            (&[own, same], 403),
            (&[own], 403),
            (&[own, ("origin", "null"), same], 403),
            (&[own, ("origin", "https://elsewhere.example"), ("sec-fetch-site", "cross-site")], 403),
            (&[own, origin, ("sec-fetch-site", "same-site")], 403),
            (&[own, origin, ("sec-fetch-site", "none")], 403),
            (&[own, origin, same, same], 403),
            (&[own, origin, origin, same], 403),
            (&[own, ("origin", "http://127.0.0.1:8443"), same], 403),
            (&[("host", "rebound.example:8443"), ("origin", "https://rebound.example:8443"), same], 421),
            (&[origin, same], 421),
        ] {
            assert_eq!(status(&Method::POST, said), expected, "{said:?}");
        }
        assert_eq!(status(&Method::PUT, &[own, origin, same]), 405);
        assert_eq!(status(&Method::OPTIONS, &[own, origin, same]), 405);
    }

    #[test]
    fn a_page_may_be_opened_from_elsewhere_and_its_parts_may_not() {
        let own = ("host", "localhost:8443");
        let cross = ("sec-fetch-site", "cross-site");
        for (said, expected) in [
            (&[own][..], 200),
            (&[own, ("sec-fetch-site", "none")], 200),
            (&[own, cross, ("sec-fetch-dest", "document")], 200),
            (&[own, cross, ("sec-fetch-dest", "script")], 403),
            (&[own, cross, ("sec-fetch-dest", "iframe")], 403),
            (&[own, cross], 403),
        ] {
            assert_eq!(status(&Method::GET, said), expected, "{said:?}");
        }
    }
}
