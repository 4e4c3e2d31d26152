//! TLS on a connection that is there already.

use std::{io, sync::Arc};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// What a connection is made with.
pub(in crate::sink) type Trusted = ClientConfig;

/// Speaks TLS with the server that must have this name or address in its certificate.
pub(in crate::sink) async fn connect(
    trusted: &Arc<Trusted>,
    host: &str,
    stream: TcpStream,
) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    TlsConnector::from(Arc::clone(trusted))
        .connect(name, stream)
        .await
}
