//! Requests, a stepped future, a body that does what it is told, and a real server.

use std::{
    collections::VecDeque,
    convert::Infallible,
    fmt,
    net::SocketAddr,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use axum::{body::Body, http::HeaderMap};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Frame;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::Service;

pub(crate) fn request(method: Method, path: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    request.body(Body::empty()).unwrap()
}

pub(crate) fn get(path: &str) -> Request<Body> {
    request(Method::GET, path)
}

pub(crate) fn post(path: &str) -> Request<Body> {
    request(Method::POST, path)
}

/// Polls once, with nobody to wake.
pub(crate) fn step<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Waits once: a point at which a client can be gone.
pub(crate) async fn pause() {
    let mut paused = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What a [`Script`] does when it is polled.
#[derive(Debug, Clone)]
pub(crate) enum Line {
    Data(&'static str),
    Trailers(HeaderMap),
    /// Pending once.
    Pause,
    /// Pending for ever.
    Hang,
    Break,
    Panic,
}

/// A body that does one line of its script a poll, and does not say how long it is.
#[derive(Debug)]
pub(crate) struct Script(VecDeque<Line>);

impl Script {
    pub(crate) fn of(lines: impl IntoIterator<Item = Line>) -> Self {
        Self(lines.into_iter().collect())
    }

    /// Whether all lines were said.
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn respond(lines: impl IntoIterator<Item = Line>) -> Response<Self> {
        Response::new(Self::of(lines))
    }
}

/// Why a [`Script`] broke.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken on purpose")
    }
}

impl std::error::Error for Broken {}

impl http_body::Body for Script {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let Some(line) = self.0.pop_front() else {
            return Poll::Ready(None);
        };
        Poll::Ready(Some(match line {
            Line::Data(text) => Ok(Frame::data(Bytes::from_static(text.as_bytes()))),
            Line::Trailers(trailers) => Ok(Frame::trailers(trailers)),
            Line::Pause => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Line::Hang => {
                self.0.push_front(Line::Hang);
                return Poll::Pending;
            }
            Line::Break => Err(Broken),
            Line::Panic => panic!("the body panics on purpose"),
        }))
    }
}

/// Serves HTTP/1 and HTTP/2 on a port of this machine, until the runtime of the test ends.
pub(crate) async fn serve<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<hyper::body::Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data: Send, Error: std::error::Error + Send + Sync> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                let connection =
                    builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
                // How a connection ends is the client's business.
                let _ = connection.await;
            });
        }
    });
    address
}

/// Sends these bytes on a connection of their own; gives all that comes back.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that has answered may close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

/// Waits until something holds that another task brings about.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "{what}");
        pin!(tokio::task::yield_now()).await;
    }
}
