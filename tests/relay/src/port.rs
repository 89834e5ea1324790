//! A port of this machine, kept while nobody listens on it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};

const BACKLOG: i32 = 128;

/// A bound socket that does not listen: a connect to it is refused, and the system hands the port to nobody who asks for a free one.
pub(crate) fn hold(port: u16) -> io::Result<OwnedFd> {
    let held = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&held, true)?;
    bind(&held, &SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)))?;
    Ok(held)
}

/// Makes the held port listen.
pub(crate) fn open(held: OwnedFd) -> io::Result<TcpListener> {
    listen(&held, BACKLOG)?;
    Ok(TcpListener::from(held))
}

/// From now on closing the socket resets the connection instead of ending it politely.
pub(crate) fn reset_on_close(stream: &TcpStream) {
    // A socket whose peer is gone already refuses the option; it is closed all the same.
    let _ = sockopt::set_socket_linger(stream.as_fd(), Some(Duration::ZERO));
}
