//! A connection to a receiver, and how to find out that it has read everything.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::client::TlsStream;

use crate::sink::{
    SinkError,
    tls::{self, TlsFiles},
};

/// How long it takes to connect at most, and then to agree on TLS.
const CONNECT: Duration = Duration::from_secs(10);

/// The least that a timer can wait.
const LOOK: Duration = Duration::from_millis(1);

/// The waits between two looks at whether a connection has ended grow up to the second one.
const FIRST_LOOK: Duration = Duration::from_micros(100);
const LONGEST_LOOK: Duration = Duration::from_millis(50);

/// What a receiver may send before it closes: nothing of it is looked at.
const MAX_TALK: usize = 64 * 1024;

/// What the files of TLS held when they were last read.
///
/// Kept while connections succeed, since each batch has its own; read anew after a failure.
pub(super) type Trust = Option<Arc<tls::Trusted>>;

pub(super) struct Connection {
    peer: String,
    stream: Stream,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection {
    pub(super) async fn open(
        host: &str,
        port: u16,
        files: Option<&TlsFiles>,
        trust: &mut Trust,
    ) -> Result<Self, SinkError> {
        let peer = if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        // Taken out, and put back only when it has worked.
        let trusted = match (files, trust.take()) {
            (None, _) => None,
            (Some(_), Some(trusted)) => Some(trusted),
            (Some(files), None) => Some(Arc::new(files.client_config()?)),
        };
        let late = |what: &str| {
            let seconds = CONNECT.as_secs();
            SinkError::retry(format!("no {what} {peer} within {seconds} s")).unsent()
        };
        let tcp = timeout(CONNECT, TcpStream::connect((host, port))).await;
        let tcp = tcp.map_err(|_elapsed| late("connection to"))?;
        let tcp = tcp.map_err(|error| tls::trouble(&peer, &error).unsent())?;
        let stream = match &trusted {
            None => Stream::Plain(tcp),
            Some(trusted) => {
                let stream = timeout(CONNECT, tls::connect(trusted, host, tcp)).await;
                let stream = stream.map_err(|_elapsed| late("TLS with"))?;
                Stream::Tls(Box::new(
                    stream.map_err(|error| tls::trouble(&peer, &error).unsent())?,
                ))
            }
        };
        *trust = trusted;
        Ok(Self { peer, stream })
    }

    /// Whether the receiver has not closed it. Takes a moment: what has happened on a connection is
    /// only seen once the runtime has looked.
    pub(super) async fn is_open(&mut self) -> bool {
        let mut talk = [0; 64];
        match timeout(LOOK, self.stream.read(&mut talk)).await {
            // What it says is of no interest.
            Ok(read) => read.is_ok_and(|bytes| bytes > 0),
            Err(_nothing_to_read) => true,
        }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), SinkError> {
        let stream = &mut self.stream;
        let written = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        written
            .await
            .map_err(|error| tls::trouble(&self.peer, &error))
    }

    /// Closes our side and waits until the receiver has read everything and closed the other.
    ///
    /// That its side is closed does not say so alone: a receiver that stops may have closed it
    /// before our last bytes came. Then the system answers them with a reset. So the connection
    /// must have ended on both sides, without an error: a system closes its side in order only when
    /// nothing unread is left, and acknowledges ours only to somebody who could read it. Nobody can
    /// tell one that ends its side while it could still read, and then does not.
    pub(super) async fn finish(mut self) -> Result<(), SinkError> {
        if !self.is_open().await {
            return Err(self.closed_early());
        }
        let closed = async {
            self.stream.shutdown().await?;
            let mut talk = Vec::new();
            let most = u64::try_from(MAX_TALK).unwrap_or(u64::MAX);
            (&mut self.stream).take(most).read_to_end(&mut talk).await?;
            self.stream.ended().await
        };
        match closed.await {
            Ok(()) => Ok(()),
            Err(error) if is_untold(&error, &self.stream) => Err(SinkError::retry(format!(
                "{} closed the connection without saying so in TLS: it stopped, or never does; \
                 for one that never does, write confirm=none",
                self.peer
            ))),
            Err(error) => Err(tls::trouble(&self.peer, &error)),
        }
    }

    fn closed_early(&self) -> SinkError {
        let peer = &self.peer;
        SinkError::retry(format!(
            "{peer} closed the connection before it had everything"
        ))
    }
}

/// With TLS, an end that is only one of TCP: anybody in between could have made it.
fn is_untold(error: &io::Error, stream: &Stream) -> bool {
    matches!(stream, Stream::Tls(_)) && error.kind() == io::ErrorKind::UnexpectedEof
}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }

    /// Waits until both sides have closed and acknowledged it. A connection has a peer until then;
    /// one that was reset has an error.
    async fn ended(&self) -> io::Result<()> {
        let mut wait = FIRST_LOOK;
        while self.tcp().peer_addr().is_ok() {
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_LOOK);
        }
        match self.tcp().take_error()? {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, net::TcpListener};

    use super::*;

    async fn pair() -> (Stream, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        (Stream::Plain(ours), listener.accept().unwrap().0)
    }

    #[tokio::test]
    async fn a_connection_has_ended_when_both_sides_have_and_all_was_read() {
        let (mut ours, mut theirs) = pair().await;
        ours.write_all(b"all of it").await.unwrap();
        ours.shutdown().await.unwrap();
        let early = timeout(Duration::from_millis(100), ours.ended()).await;
        assert!(early.is_err(), "nobody has read it: {early:?}");
        theirs.read_to_end(&mut Vec::new()).unwrap();
        let early = timeout(Duration::from_millis(100), ours.ended()).await;
        assert!(early.is_err(), "nobody has closed it: {early:?}");
        drop(theirs);
        ours.ended().await.unwrap();
    }

    #[tokio::test]
    async fn bytes_that_came_after_the_other_side_had_closed_are_an_error_at_the_end() {
        let (mut ours, theirs) = pair().await;
        drop(theirs);
        ours.write_all(b"too late").await.unwrap();
        drop(ours.shutdown().await);
        let error = ours.ended().await.unwrap_err();
        let kind = error.kind();
        let expected = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
        assert!(expected.contains(&kind), "{error:?}");
    }

    #[tokio::test]
    async fn bytes_that_were_never_read_are_an_error_at_the_end() {
        let (mut ours, theirs) = pair().await;
        ours.write_all(b"never read").await.unwrap();
        ours.shutdown().await.unwrap();
        drop(theirs);
        let error = ours.ended().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error:?}");
    }
}
