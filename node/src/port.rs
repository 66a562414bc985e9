//! A TCP port for HTTP: so many connections at once, of which one address never has all.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::shares::{Share, Shares};

/// How long to wait after an error such as too many open files, which only time can mend.
const PAUSE: Duration = Duration::from_millis(50);
/// The part of the places that is kept for others when one address asks for all: one in so many.
const KEPT_FOR_OTHERS: usize = 2;
/// Largest head of a request, in bytes.
const MOST_HEAD: usize = 16 << 10;
/// Headers of a request.
const MOST_HEADERS: usize = 64;

/// A port that is listened on.
#[derive(Debug)]
pub(crate) struct Port {
    listener: TcpListener,
    places: Arc<Semaphore>,
    shares: Shares<IpAddr>,
    most_of_one: usize,
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _place: OwnedSemaphorePermit,
    _share: Option<Share<IpAddr>>,
}

impl Port {
    /// For so many connections at once; further ones wait in the listener's backlog.
    pub(crate) fn new(listener: TcpListener, places: usize) -> Self {
        let most_of_one = places - places / KEPT_FOR_OTHERS;
        Self { listener, places: Arc::new(Semaphore::new(places)), shares: Shares::default(), most_of_one }
    }

    /// The next connection, which is to be dropped with its place. It ends with the process.
    pub(crate) async fn next(&self) -> Option<(TcpStream, Place)> {
        loop {
            let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
            match self.listener.accept().await {
                Ok((tcp, from)) => match self.share(from.ip()) {
                    Ok(share) => return Some((tcp, Place { _place: place, _share: share })),
                    Err(TooMany) => tracing::debug!("an address has too many connections, and another is closed"),
                },
                Err(error) => {
                    tracing::warn!(%error, "a connection can't be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// The share of an address. From this machine itself many come who are others: a proxy speaks for them.
    fn share(&self, from: IpAddr) -> Result<Option<Share<IpAddr>>, TooMany> {
        let from = network(from);
        if from.is_loopback() {
            return Ok(None);
        }
        self.shares.take(from, self.most_of_one).map(Some).ok_or(TooMany)
    }
}

/// An address has its share already.
#[derive(Debug)]
struct TooMany;

/// What one of those who come has of addresses: one, or the 64 bits of IPv6 by which a network is told from others.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

/// How requests of a connection are read: small heads, which come within this time.
pub(crate) fn http(patience: Duration) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(patience).max_buf_size(MOST_HEAD).max_headers(MOST_HEADERS);
    builder
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn one_address_never_has_all_places() {
        let port = Port::new(TcpListener::bind("127.0.0.1:0").await.unwrap(), 4);
        let of = |address: &str| port.share(address.parse().unwrap());
        let held = [of("192.0.2.1").unwrap(), of("::ffff:192.0.2.1").unwrap()];
        assert!(of("192.0.2.1").is_err() && of("192.0.2.2").is_ok());
        drop(held);
        assert!(of("192.0.2.1").is_ok());
        let _of_a_network = [of("2001:db8:1:2::1").unwrap(), of("2001:db8:1:2:ffff::1").unwrap()];
        assert!(of("2001:db8:1:2::2").is_err() && of("2001:db8:1:3::1").is_ok());
        for here in ["127.0.0.1", "::1"] {
            let held: Vec<_> = (0..9).map(|_| of(here).unwrap()).collect();
            assert!(held.iter().all(Option::is_none), "a proxy on this machine speaks for many");
        }
    }

    #[tokio::test]
    async fn whoever_comes_when_all_places_are_taken_waits() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let port = Port::new(listener, 1);
        let _first = TcpStream::connect(address).await.unwrap();
        let _second = TcpStream::connect(address).await.unwrap();
        let (tcp, place) = port.next().await.unwrap();
        let mut next = std::pin::pin!(port.next());
        assert!(futures::poll!(&mut next).is_pending(), "there is one place");
        drop((tcp, place));
        assert!(next.await.is_some());
    }
}
