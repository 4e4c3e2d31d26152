//! A receiver of OTLP logs that answers as a test wants: the tonic server for gRPC, and hyper
//! for HTTP, on one port.

use std::{
    convert::Infallible,
    io::Read as _,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use opentelemetry_proto::tonic::{
    collector::logs::v1::{
        ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
        logs_service_server::{LogsService, LogsServiceServer},
    },
    logs::v1::LogRecord,
    resource::v1::Resource,
};
use prost::Message as _;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;
use tonic::{body::Body, codec::CompressionEncoding};
use tower::Service;

use crate::support::port::Port;

/// What a receiver does with a request.
pub(super) enum Reply {
    /// Takes all of it, and says this beside.
    Take(&'static str),
    /// Takes all but the records of which this is true.
    Reject(fn(&LogRecord) -> bool),
    /// Answers with a number of its own, and takes nothing.
    Count(i64),
    /// Answers with a status, over gRPC.
    Status(tonic::Status),
    /// Answers plainly: status, headers, body.
    Plain(u16, Vec<(&'static str, String)>, Bytes),
    /// Takes all of it and never answers.
    Hang,
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// Of HTTP; `grpc` over gRPC.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    /// Bytes of the message, before it was compressed.
    pub(super) bytes: usize,
    /// Numbers of the records in it.
    pub(super) numbers: Vec<u64>,
}

/// A log record that was taken, and what it is from.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    pub(super) log: LogRecord,
    pub(super) resource: Resource,
    pub(super) scope: (String, String),
}

type Rule = Box<dyn Fn(&Call) -> Reply + Send + Sync>;

/// A receiver on a port of its own, until it is dropped.
#[derive(Clone)]
pub(super) struct Receiver {
    shared: Arc<Shared>,
    pub(super) address: SocketAddr,
    _port: Arc<Port>,
    server: Arc<Server>,
}

/// Listens, with its connections, until it is dropped.
struct Server(Mutex<JoinHandle<()>>);

impl Drop for Server {
    fn drop(&mut self) {
        lock(&self.0).abort();
    }
}

struct Shared {
    rule: Rule,
    calls: Mutex<Vec<Call>>,
    taken: Mutex<Vec<Taken>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Receiver {
    /// One that takes everything.
    pub(super) fn new() -> Self {
        Self::with(|_| Reply::Take(""))
    }

    /// One that does as the rule says.
    pub(super) fn with(rule: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(rule, None)
    }

    /// The same behind TLS.
    pub(super) fn start(
        rule: impl Fn(&Call) -> Reply + Send + Sync + 'static,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let port = Port::new();
        let address = port.address();
        let listener = bind(address);
        let shared = Arc::new(Shared {
            rule: Box::new(rule),
            calls: Mutex::default(),
            taken: Mutex::default(),
        });
        let server = tokio::spawn(listen(listener, tls, Arc::clone(&shared)));
        Self {
            shared,
            address,
            _port: Arc::new(port),
            server: Arc::new(Server(Mutex::new(server))),
        }
    }

    /// Ends all connections and listens no more, before it returns. What it was told stays.
    ///
    /// Blocks; the runtime needs a thread beside.
    pub(super) fn stop(&self) {
        let server = lock(&self.server.0);
        server.abort();
        while !server.is_finished() {
            std::thread::yield_now();
        }
    }

    /// Listens again at the same address, without TLS.
    pub(super) fn start_again(&self) {
        let listener = bind(self.address);
        *lock(&self.server.0) = tokio::spawn(listen(listener, None, Arc::clone(&self.shared)));
    }

    /// `http://127.0.0.1:port`.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        lock(&self.shared.calls).clone()
    }

    pub(super) fn taken(&self) -> Vec<Taken> {
        lock(&self.shared.taken).clone()
    }

    /// The numbers of what was taken, in the order in which it came.
    pub(super) fn numbers(&self) -> Vec<u64> {
        let taken = lock(&self.shared.taken);
        taken.iter().map(|taken| number(&taken.log)).collect()
    }
}

/// The number of a record in its trail.
pub(super) fn number(log: &LogRecord) -> u64 {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    let found = log
        .attributes
        .iter()
        .find(|pair| pair.key == "audit.sequence.number");
    match found.and_then(|pair| pair.value.as_ref()?.value.as_ref()) {
        Some(Value::IntValue(number)) => u64::try_from(*number).unwrap(),
        other => panic!("no number: {other:?}"),
    }
}

fn bind(address: SocketAddr) -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    // As connections of before may linger.
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket.listen(64).unwrap()
}

async fn listen(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    // They end with it.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        let tls = tls.clone();
        connections.spawn(async move {
            match tls {
                None => serve(stream, shared).await,
                Some(tls) => {
                    if let Ok(stream) = TlsAcceptor::accept(&tls, stream).await {
                        serve::<tokio_rustls::server::TlsStream<TcpStream>>(stream, shared).await;
                    }
                }
            }
        });
    }
}

async fn serve<S>(stream: S, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(move |request| answer(request, Arc::clone(&shared)));
    // Ends with its client; what it failed of is the client's to say.
    let _ended = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Body>, Infallible> {
    let is_grpc = request
        .headers()
        .get("content-type")
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    if !is_grpc {
        return Ok(shared.http(request).await);
    }
    let service = Grpc {
        shared,
        headers: request.headers().clone(),
        plain: Arc::default(),
    };
    let plain = Arc::clone(&service.plain);
    let mut server = LogsServiceServer::new(service).accept_compressed(CompressionEncoding::Gzip);
    let response = server.call(request).await?;
    Ok(lock(&plain).take().unwrap_or(response))
}

struct Grpc {
    shared: Arc<Shared>,
    headers: HeaderMap,
    /// What is answered instead.
    plain: Arc<Mutex<Option<Response<Body>>>>,
}

#[tonic::async_trait]
impl LogsService for Grpc {
    async fn export(
        &self,
        request: tonic::Request<ExportLogsServiceRequest>,
    ) -> Result<tonic::Response<ExportLogsServiceResponse>, tonic::Status> {
        let message = request.into_inner();
        match self.shared.decide("grpc", self.headers.clone(), message) {
            Ok(response) => Ok(tonic::Response::new(response)),
            Err(Reply::Status(status)) => Err(status),
            Err(Reply::Plain(status, headers, body)) => {
                *lock(&self.plain) = Some(plain(status, headers, body));
                Err(tonic::Status::unknown("not sent"))
            }
            Err(_) => std::future::pending().await,
        }
    }
}

impl Shared {
    /// Over HTTP.
    async fn http(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, 64 * 1024 * 1024);
        let Ok(body) = body.collect().await else {
            return plain(400, Vec::new(), Bytes::new());
        };
        let mut body = body.to_bytes().to_vec();
        if parts
            .headers
            .get("content-encoding")
            .is_some_and(|kind| kind == "gzip")
        {
            let mut plain = Vec::new();
            let mut decoder = flate2::read::GzDecoder::new(&*body);
            decoder.read_to_end(&mut plain).unwrap();
            body = plain;
        }
        let message = ExportLogsServiceRequest::decode(&*body).unwrap();
        assert_eq!(parts.headers["content-type"], "application/x-protobuf");
        match self.decide(parts.uri.path(), parts.headers, message) {
            Ok(response) => {
                let kind = ("content-type", "application/x-protobuf".to_owned());
                plain(200, vec![kind], response.encode_to_vec().into())
            }
            Err(Reply::Plain(status, headers, body)) => plain(status, headers, body),
            Err(_) => std::future::pending().await,
        }
    }

    fn decide(
        &self,
        path: &str,
        headers: HeaderMap,
        message: ExportLogsServiceRequest,
    ) -> Result<ExportLogsServiceResponse, Reply> {
        let bytes = message.encoded_len();
        let records = flat(message);
        let call = Call {
            path: path.to_owned(),
            headers,
            bytes,
            numbers: records.iter().map(|taken| number(&taken.log)).collect(),
        };
        let reply = (self.rule)(&call);
        lock(&self.calls).push(call);
        let (rejected_log_records, error_message) = match reply {
            Reply::Take(message) => {
                lock(&self.taken).extend(records);
                (0, message.to_owned())
            }
            Reply::Reject(rejects) => {
                let (rejected, taken): (Vec<_>, Vec<_>) =
                    records.into_iter().partition(|taken| rejects(&taken.log));
                lock(&self.taken).extend(taken);
                (
                    i64::try_from(rejected.len()).unwrap(),
                    "no room\nfor it".into(),
                )
            }
            Reply::Count(count) => (count, String::new()),
            Reply::Hang => {
                lock(&self.taken).extend(records);
                return Err(Reply::Hang);
            }
            other => return Err(other),
        };
        Ok(ExportLogsServiceResponse {
            partial_success: Some(ExportLogsPartialSuccess {
                rejected_log_records,
                error_message,
            }),
        })
    }
}

fn flat(message: ExportLogsServiceRequest) -> Vec<Taken> {
    let mut found = Vec::new();
    for resource_logs in message.resource_logs {
        let resource = resource_logs.resource.unwrap_or_default();
        for scope_logs in resource_logs.scope_logs {
            let scope = scope_logs.scope.unwrap_or_default();
            found.extend(scope_logs.log_records.into_iter().map(|log| Taken {
                log,
                resource: resource.clone(),
                scope: (scope.name.clone(), scope.version.clone()),
            }));
        }
    }
    found
}

fn plain(status: u16, headers: Vec<(&'static str, String)>, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
