//! Addresses for servers that tests and benchmarks start. Included at the root of each of them, so that none is given twice.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where they lie: below those that the system gives by itself, to connections too, and below those of `meridian demo`.
const FIRST: u32 = 10_000;
const COUNT: u32 = 10_000;

/// An address of loopback that is free, given once. It stays free until somebody listens there, however long that takes.
pub(crate) fn free() -> SocketAddr {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    // Another process begins elsewhere.
    let begin = std::process::id().wrapping_mul(127);
    loop {
        let given = GIVEN.fetch_add(1, Ordering::Relaxed);
        assert!(given < COUNT, "no address of loopback is left for a test");
        let port = u16::try_from(FIRST + begin.wrapping_add(given) % COUNT).expect("a port");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
