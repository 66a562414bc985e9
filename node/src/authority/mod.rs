//! The authority's service, and how a node calls it: HTTP/1.1 over TLS, in which the authority alone shows a certificate.
//!
//! | request | body | answer |
//! | --- | --- | --- |
//! | `POST /v1/join` | `meridian.v1.JoinRequest` | `meridian.v1.Joined` |
//! | `POST /v1/renew` | `meridian.v1.Signed` over a `RenewRequest` | `meridian.v1.Joined` |
//! | `GET /v1/membership` | | `meridian.v1.Signed` over a `Membership` |
//! | `POST /v1/membership` | one that is newer than the authority's own | |
//!
//! Who joins shows an invitation, who renews signs with the certificate that still holds, and the membership is signed:
//! so nobody needs a certificate for the connection. What is refused is answered with its reason, in text.

pub mod client;
pub mod service;

/// The path of a request to join.
const JOIN: &str = "/v1/join";
/// The path of a request to renew.
const RENEW: &str = "/v1/renew";
/// The path of the membership.
const MEMBERSHIP: &str = "/v1/membership";
/// No request and no reason comes near this many bytes.
const SMALL: usize = 64 << 10;
/// A membership of ten thousand bodies has about 1 MiB.
const LARGE: usize = 2 << 20;
