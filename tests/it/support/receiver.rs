//! An HTTP server on a thread of its own that answers as a test wants, and keeps what it got.

use std::{
    convert::Infallible,
    io::Read as _,
    net::{SocketAddr, TcpListener},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    thread::JoinHandle,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Either, Full};
use hyper::{
    body::{Body, Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::{port::Port, tls::acceptor};

/// A request, its body unpacked.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) peer: SocketAddr,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// As it came.
    pub(crate) raw: Vec<u8>,
    /// Unpacked.
    pub(crate) body: String,
}

impl Seen {
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .unwrap_or_else(|| panic!("no {name} in {self:?}"))
            .to_str()
            .unwrap()
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Says(u16, Vec<(&'static str, String)>, String),
    /// A body that never ends.
    Endless(u16),
    /// No answer, ever.
    Hang,
    /// The connection is closed instead.
    Close,
}

impl Reply {
    pub(crate) fn plain(status: u16, body: impl Into<String>) -> Self {
        Self::Says(status, Vec::new(), body.into())
    }

    pub(crate) fn json(status: u16, body: serde_json::Value) -> Self {
        Self::with(status, "content-type", "application/json", body.to_string())
    }

    pub(crate) fn with(
        status: u16,
        name: &'static str,
        value: impl Into<String>,
        body: impl Into<String>,
    ) -> Self {
        Self::Says(status, vec![(name, value.into())], body.into())
    }
}

type Answers = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

/// The server; it can be stopped and started again on its port.
pub(crate) struct Receiver {
    port: Port,
    tls: Option<&'static str>,
    seen: Arc<Mutex<Vec<Seen>>>,
    answers: Answers,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Receiver {
    pub(crate) fn start(answers: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::new(None, answers)
    }

    /// Speaks TLS with this one of `tests/certificates`.
    pub(crate) fn start_tls(
        certificate: &'static str,
        answers: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::new(Some(certificate), answers)
    }

    fn new(
        tls: Option<&'static str>,
        answers: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let mut receiver = Self {
            port: Port::new(),
            tls,
            seen: Arc::default(),
            answers: Arc::new(answers),
            running: None,
        };
        receiver.start_again();
        receiver
    }

    /// `127.0.0.1:1234`
    pub(crate) fn address(&self) -> String {
        self.port.address().to_string()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The requests with this method and path.
    pub(crate) fn posts(&self, path: &str) -> Vec<Seen> {
        let mut seen = self.seen();
        seen.retain(|seen| seen.method == Method::POST && seen.path == path);
        seen
    }

    /// Closes the port and every connection, in the middle of whatever they do.
    pub(crate) fn stop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            thread.join().unwrap();
        }
    }

    pub(crate) fn start_again(&mut self) {
        let listener = TcpListener::bind(self.port.address()).unwrap();
        listener.set_nonblocking(true).unwrap();
        let tls = self.tls.map(acceptor);
        let (seen, answers) = (Arc::clone(&self.seen), Arc::clone(&self.answers));
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                tokio::select! {
                    () = accept(listener, tls, seen, answers) => {}
                    _ = stopped => {}
                }
            });
        });
        self.running = Some((stop, thread));
    }
}

/// Waits with a call until its receiver has seen so much of it, and gives it up then.
///
/// # Panics
///
/// When the call ends before.
pub(crate) async fn given_up<T: std::fmt::Debug>(
    call: impl Future<Output = T>,
    is_seen: impl Fn() -> bool,
) {
    let seen = async {
        while !is_seen() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = call => panic!("it did not wait for the answer: {answer:?}"),
        () = seen => {}
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    seen: Arc<Mutex<Vec<Seen>>>,
    answers: Answers,
) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, peer) = listener.accept().await.unwrap();
        let (tls, seen, answers) = (tls.clone(), Arc::clone(&seen), Arc::clone(&answers));
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                answer(peer, request, Arc::clone(&seen), Arc::clone(&answers))
            });
            // A client that goes away is no fault of the receiver.
            match tls {
                None => drop(
                    http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await,
                ),
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        let served =
                            http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                        drop(served.await);
                    }
                }
            }
        });
    }
}

#[derive(Debug)]
struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed")
    }
}

impl std::error::Error for Closed {}

async fn answer(
    peer: SocketAddr,
    request: Request<Incoming>,
    seen: Arc<Mutex<Vec<Seen>>>,
    answers: Answers,
) -> Result<Response<Either<Full<Bytes>, Endless>>, Closed> {
    let (parts, body) = request.into_parts();
    let raw = body
        .collect()
        .await
        .map_err(|_| Closed)?
        .to_bytes()
        .to_vec();
    let packed = parts
        .headers
        .get("content-encoding")
        .is_some_and(|value| value == "gzip");
    let body = if packed {
        unpacked(&raw)
    } else {
        String::from_utf8(raw.clone()).unwrap()
    };
    let request = Seen {
        peer,
        method: parts.method,
        path: parts.uri.to_string(),
        headers: parts.headers,
        raw,
        body,
    };
    let reply = answers(&request);
    seen.lock().unwrap().push(request);
    let (status, headers, body) = match reply {
        Reply::Says(status, headers, body) => {
            (status, headers, Either::Left(Full::new(Bytes::from(body))))
        }
        Reply::Endless(status) => (status, Vec::new(), Either::Right(Endless)),
        Reply::Hang => std::future::pending().await,
        Reply::Close => return Err(Closed),
    };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    Ok(response.body(body).unwrap())
}

fn unpacked(raw: &[u8]) -> String {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(raw)
        .read_to_end(&mut bytes)
        .unwrap();
    // Not every sink sends text.
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Megabytes, and no end.
pub(crate) struct Endless;

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        static CHUNK: [u8; 64 * 1024] = [b'x'; 64 * 1024];
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&CHUNK)))))
    }
}
