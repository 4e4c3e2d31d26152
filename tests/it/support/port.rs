//! A port of the loopback that stays ours while nobody listens on it.

use std::net::SocketAddr;

use tokio::net::TcpSocket;

/// A port that the kernel gives to nobody else for as long as this lives, neither to a server that
/// asks for any port nor to a client. One that was only "free a moment ago" may be that of another
/// test by now.
///
/// Whoever connects is refused, until a server listens there by its number.
#[derive(Debug)]
pub(crate) struct Port {
    address: SocketAddr,
    _held: TcpSocket,
}

impl Port {
    pub(crate) fn new() -> Self {
        let held = TcpSocket::new_v4().unwrap();
        // Servers set it too, so that they can listen beside a socket that only holds the port.
        held.set_reuseaddr(true).unwrap();
        held.bind(([127, 0, 0, 1], 0).into()).unwrap();
        Self {
            address: held.local_addr().unwrap(),
            _held: held,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}
