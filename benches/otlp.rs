//! Run with `cargo bench --features otlp --bench otlp [-- [--quick] [grpc] [http]]`.
//!
//! Records as OpenTelemetry logs to a receiver in the same process, which decodes and forgets
//! them:
//!
//! - `grpc`: the sink with batches from memory, against a bare loop that exports the same requests,
//!   which are ready in memory, with the client that tonic generates;
//! - `http`: the same over HTTP, against a bare loop of `reqwest`.
//!
//! Both with gzip and without. What the sink does beside is to read each record and to make its
//! attributes.

mod support;

use std::{
    io::{Read as _, Write as _},
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use bytes::Bytes;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, Version, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
    logs_service_client::LogsServiceClient,
    logs_service_server::{LogsService, LogsServiceServer},
};
use prost::Message as _;
use support::{
    Asked, Bar, Fallible, Series, Taken, Unit, compare, journal::batches, place::Place, timed,
};
use tokio::runtime::{Builder, Runtime};
use tonic::{body::Body, codec::CompressionEncoding, transport::Channel};
use tower::Service as _;
use tower_audit::sink::{Batch, OtlpCompression, OtlpSink, OtlpSinkBuilder, Sink};

fn main() -> Fallible<()> {
    let asked = Asked::read();
    // For the bare loop; the sink brings its own.
    let _first = rustls::crypto::ring::default_provider().install_default();
    let place = Place::new()?;
    let receiver = Receiver::start()?;
    let limits = builder(Way::Grpc, &receiver).build()?.limits();
    let batches = batches(&place, asked.or_quick(50_000, 3_000), limits)?;
    let records = batches.iter().map(|batch| batch.records.len() as u64).sum();
    let requests = requests(&receiver, &batches)?;
    for (way, part) in [(Way::Grpc, "grpc"), (Way::Http, "http")] {
        if !asked.part(part) {
            continue;
        }
        for compression in [OtlpCompression::Gzip, OtlpCompression::None] {
            let (mut ours, mut bare) = (Series::default(), Series::default());
            for _ in 0..asked.rounds() {
                ours.rate(records, deliver(way, compression, &receiver, &batches)?);
                bare.rate(records, export(way, compression, &receiver, &requests)?);
            }
            let title = format!("OTLP, {way:?}, {compression:?}, {records} records");
            let reference = ("a bare loop that exports the same requests", &bare);
            let bar = Bar::AtLeast { bar: 0.5, aim: 0.8 };
            compare(&title, Unit::PerSecond, &ours, reference, bar);
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum Way {
    Grpc,
    Http,
}

fn builder(way: Way, receiver: &Receiver) -> OtlpSinkBuilder {
    let url = format!("http://{}", receiver.address);
    let builder = match way {
        Way::Grpc => OtlpSink::grpc(url),
        Way::Http => OtlpSink::http(url),
    };
    builder.environment(|_| None)
}

/// As a sink has it.
fn runtime() -> Fallible<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

fn deliver(
    way: Way,
    compression: OtlpCompression,
    receiver: &Receiver,
    batches: &[Batch],
) -> Fallible<Taken> {
    let runtime = runtime()?;
    let mut sink = builder(way, receiver).compression(compression).build()?;
    runtime.block_on(sink.probe())?;
    let ((), taken) = timed(|| {
        for batch in batches {
            runtime.block_on(sink.deliver(batch))?;
        }
        Ok(())
    })?;
    Ok(taken)
}

/// The requests that the sink makes of these batches.
fn requests(receiver: &Receiver, batches: &[Batch]) -> Fallible<Vec<ExportLogsServiceRequest>> {
    let kept = Kept::default();
    receiver.keep(Some(Arc::clone(&kept)));
    deliver(Way::Grpc, OtlpCompression::None, receiver, batches)?;
    receiver.keep(None);
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *kept))
}

fn export(
    way: Way,
    compression: OtlpCompression,
    receiver: &Receiver,
    requests: &[ExportLogsServiceRequest],
) -> Fallible<Taken> {
    let runtime = runtime()?;
    let url = format!("http://{}", receiver.address);
    let requests = requests.to_vec();
    let ((), taken) = match way {
        Way::Grpc => {
            let channel = runtime.block_on(Channel::from_shared(url)?.connect())?;
            let mut client = LogsServiceClient::new(channel);
            if compression == OtlpCompression::Gzip {
                client = client.send_compressed(CompressionEncoding::Gzip);
            }
            timed(|| {
                for request in requests {
                    runtime.block_on(client.export(request))?;
                }
                Ok(())
            })?
        }
        Way::Http => {
            let client = reqwest::Client::builder().no_proxy().build()?;
            let url = format!("{url}/v1/logs");
            timed(|| {
                for request in requests {
                    let mut body = request.encode_to_vec();
                    let mut post = client.post(&url);
                    post = post.header("content-type", "application/x-protobuf");
                    if compression == OtlpCompression::Gzip {
                        body = packed(&body)?;
                        post = post.header("content-encoding", "gzip");
                    }
                    let sent = async { post.body(body).send().await?.bytes().await };
                    runtime.block_on(sent)?;
                }
                Ok(())
            })?
        }
    };
    Ok(taken)
}

fn packed(body: &[u8]) -> Fallible<Vec<u8>> {
    let mut packer = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    packer.write_all(body)?;
    Ok(packer.finish()?)
}

type Kept = Arc<Mutex<Vec<ExportLogsServiceRequest>>>;

/// Decodes what it is sent and forgets it, on a thread of its own.
struct Receiver {
    address: SocketAddr,
    keeps: Arc<Mutex<Option<Kept>>>,
}

impl Receiver {
    fn start() -> Fallible<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let keeps = Arc::default();
        let service = Forget(Arc::clone(&keeps));
        let runtime = runtime()?;
        thread::spawn(move || runtime.block_on(listen(listener, service)));
        Ok(Self { address, keeps })
    }

    fn keep(&self, kept: Option<Kept>) {
        *self.keeps.lock().unwrap_or_else(PoisonError::into_inner) = kept;
    }
}

async fn listen(listener: std::net::TcpListener, service: Forget) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let service = service.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| service.clone().answer(request));
            auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), answer)
                .await
        });
    }
}

#[derive(Clone)]
struct Forget(Arc<Mutex<Option<Kept>>>);

impl Forget {
    async fn answer(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Box<dyn std::error::Error + Send + Sync>> {
        if request.version() == Version::HTTP_2 {
            let server = LogsServiceServer::new(self);
            let mut server = server.accept_compressed(CompressionEncoding::Gzip);
            return Ok(server.call(request).await?);
        }
        let is_packed = request.headers().contains_key("content-encoding");
        let mut body = request.into_body().collect().await?.to_bytes();
        if is_packed {
            let mut plain = Vec::new();
            GzDecoder::new(&*body).read_to_end(&mut plain)?;
            body = plain.into();
        }
        self.take(ExportLogsServiceRequest::decode(body)?);
        let mut response = Response::new(Body::new(Full::new(Bytes::new())));
        let kind = "application/x-protobuf".parse()?;
        response.headers_mut().insert("content-type", kind);
        Ok(response)
    }

    fn take(&self, message: ExportLogsServiceRequest) {
        let keeps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = &*keeps {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend((!message.resource_logs.is_empty()).then_some(message));
        }
    }
}

#[tonic::async_trait]
impl LogsService for Forget {
    async fn export(
        &self,
        request: tonic::Request<ExportLogsServiceRequest>,
    ) -> Result<tonic::Response<ExportLogsServiceResponse>, tonic::Status> {
        self.take(request.into_inner());
        Ok(tonic::Response::new(ExportLogsServiceResponse::default()))
    }
}
