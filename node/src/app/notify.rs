//! Tells whoever supervises the process how far it is, as sd_notify(3) says; nobody where no socket is named.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The variable that names the socket.
const SOCKET: &str = "NOTIFY_SOCKET";

/// The node answers, or says why it does not.
pub(super) fn ready(stopped: Option<&str>) {
    match stopped {
        None => tell("READY=1\nSTATUS=answers questions"),
        Some(why) => tell(&format!("READY=1\nSTATUS=answers nothing: {}", why.replace('\n', " "))),
    }
}

/// The node is about to end.
pub(super) fn stopping() {
    tell("STOPPING=1");
}

fn tell(state: &str) {
    let Some(socket) = std::env::var_os(SOCKET) else { return };
    if let Err(error) = send(&socket, state) {
        tracing::warn!(%error, "the supervisor is not told how far the node is");
    }
}

fn send(socket: &OsStr, state: &str) -> io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}
