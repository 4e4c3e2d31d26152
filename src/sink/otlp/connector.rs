//! How the gRPC channel gets a connection.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tower_service::Service;

use super::endpoint::{Endpoint, Security};
use crate::sink::{SinkError, tls::TlsFiles};

type BoxError = Box<dyn Error + Send + Sync>;

/// Connects to one receiver; with the certificates as they were when it was made.
#[derive(Clone)]
pub(super) struct Connector {
    host: String,
    port: u16,
    tls: Option<tokio_rustls::TlsConnector>,
}

impl Connector {
    /// # Errors
    ///
    /// `Blocked` with the file that cannot be used.
    pub(super) fn new(endpoint: &Endpoint, files: &TlsFiles) -> Result<Self, SinkError> {
        let tls = match endpoint.security {
            Security::Plain => None,
            Security::Tls => {
                let mut config = files.client_config()?;
                config.alpn_protocols = vec![HTTP_2.to_vec()];
                Some(Arc::new(config).into())
            }
        };
        Ok(Self {
            host: endpoint.host.clone(),
            port: endpoint.port,
            tls,
        })
    }

    async fn connect(self) -> Result<TokioIo<Pin<Box<dyn Stream>>>, BoxError> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = self.tls else {
            return Ok(TokioIo::new(Box::pin(stream)));
        };
        let stream = tls.connect(self.host.try_into()?, stream).await?;
        if stream.get_ref().1.alpn_protocol() == Some(HTTP_2) {
            Ok(TokioIo::new(Box::pin(stream)))
        } else {
            Err(NoHttp2.into())
        }
    }
}

const HTTP_2: &[u8] = b"h2";

/// A connection, with TLS or without.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}

impl Service<::http::Uri> for Connector {
    type Response = TokioIo<Pin<Box<dyn Stream>>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: ::http::Uri) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}

/// The other side speaks TLS, but not gRPC.
#[derive(Debug)]
pub(super) struct NoHttp2;

impl fmt::Display for NoHttp2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it does not speak HTTP/2 on this port, which gRPC needs")
    }
}

impl Error for NoHttp2 {}
