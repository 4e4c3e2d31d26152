//! The way over gRPC.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use ::http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, logs_service_client::LogsServiceClient,
};
use tonic::{
    ConnectError, Request, Status,
    body::Body,
    codec::CompressionEncoding,
    metadata::MetadataMap,
    transport::{Channel, Endpoint as ChannelEndpoint},
};
use tower_service::Service;

use super::{
    answer::{Answer, MAX_ANSWER, UNCLEAR, foreign, retry},
    builder::Settings,
    connector::{Connector, NoHttp2},
    endpoint::{Compression, Endpoint},
    status,
};
use crate::sink::{SinkError, tls};

/// How long it takes to connect at most, TLS included.
const CONNECT: Duration = Duration::from_secs(10);

/// A channel to one receiver. It connects when it is first used.
pub(super) struct Grpc {
    client: LogsServiceClient<Checked>,
    address: String,
    peer: String,
    /// Whether there ever was an answer.
    is_known: bool,
}

impl Grpc {
    /// Must be called within a tokio runtime.
    pub(super) fn new(settings: &Settings) -> Result<Self, SinkError> {
        let endpoint = &settings.endpoint;
        let address = endpoint.address();
        let impossible =
            |error: &dyn fmt::Display| SinkError::blocked(format!("{address}: {error}"));
        // Always without TLS as far as the channel knows: the connector does that.
        let channel = ChannelEndpoint::from_shared(format!("http://{}", endpoint.host_port()))
            .map_err(|error| impossible(&error))?
            .origin(origin(endpoint).map_err(|error| impossible(&error))?)
            .user_agent(concat!("tower-audit/", env!("CARGO_PKG_VERSION")))
            .map_err(|error| impossible(&error))?
            .connect_timeout(CONNECT);
        let connector = Connector::new(endpoint, &settings.tls)?;
        let channel = Checked(channel.connect_with_connector_lazy(connector));
        let mut client = LogsServiceClient::new(channel)
            .accept_compressed(CompressionEncoding::Gzip)
            .max_decoding_message_size(MAX_ANSWER);
        if settings.compression == Compression::Gzip {
            client = client.send_compressed(CompressionEncoding::Gzip);
        }
        Ok(Self {
            client,
            peer: endpoint.host_port(),
            address,
            is_known: false,
        })
    }

    pub(super) async fn export(
        &mut self,
        message: ExportLogsServiceRequest,
        headers: &HeaderMap,
    ) -> Result<Answer, SinkError> {
        let metadata = MetadataMap::from_headers(headers.clone());
        let request = Request::from_parts(metadata, ::http::Extensions::new(), message);
        match self.client.export(request).await {
            Ok(response) => {
                self.is_known = true;
                Answer::new(response.into_inner(), headers)
                    .map_err(|what| retry(format!("{}: {what}", self.address), Some(UNCLEAR)))
            }
            Err(status) => self.explain(&status, headers),
        }
    }

    fn explain(&self, status: &Status, headers: &HeaderMap) -> Result<Answer, SinkError> {
        let Some(source) = status.source() else {
            return status::judge(status, &self.address, headers);
        };
        if let Some(other) = find::<NotGrpc>(source) {
            return other.judge(&self.address);
        }
        if let Some(no_http_2) = find::<NoHttp2>(source) {
            return Err(SinkError::blocked(format!("{}: {no_http_2}", self.address)));
        }
        if let Some(alert) = late_alert(source) {
            let peer = &self.peer;
            return Err(SinkError::blocked(format!(
                "no TLS with {peer}: it refuses our certificate ({alert}): give the one it asks \
                 for with cert= and key="
            )));
        }
        match tls::trouble(&self.peer, source) {
            error if find::<ConnectError>(source).is_some() => Err(error.unsent()),
            // There is a connection, and nothing of gRPC ever came of it. That may pass, and may
            // as well be the port of something else.
            SinkError::Retry { reason, after, .. } if !self.is_known => {
                let hint = "is this the port of gRPC, which usually is 4317?";
                Err(retry(format!("{reason}; {hint}"), after))
            }
            error => Err(error),
        }
    }
}

/// The alert of a server that wants another certificate of us. It comes when the connection is
/// already in use, and HTTP/2 hands on no more of it than its text.
fn late_alert(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    for _ in 0..DEPTH {
        let error = next?;
        if let Some((_, alert)) = error.to_string().split_once("received fatal alert: ") {
            return Some(foreign(alert));
        }
        next = error.source();
    }
    None
}

fn origin(endpoint: &Endpoint) -> Result<::http::Uri, ::http::uri::InvalidUri> {
    let scheme = endpoint.security.scheme();
    format!("{scheme}://{}", endpoint.host_port()).parse()
}

/// How deep errors lie in each other at most.
const DEPTH: usize = 16;

fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    for _ in 0..DEPTH {
        let error = next?;
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// A channel that takes only answers of gRPC for such. Without it a web page would look like
/// a passing fault of the protocol.
struct Checked(Channel);

impl Service<::http::Request<Body>> for Checked {
    type Response = ::http::Response<Body>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: ::http::Request<Body>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            match NotGrpc::of(&answer) {
                Some(other) => Err(other.into()),
                None => Ok(answer),
            }
        })
    }
}

/// An answer from something that is no gRPC server.
#[derive(Debug)]
struct NotGrpc {
    status: u16,
    retry_after: Option<Duration>,
}

impl NotGrpc {
    fn of<B>(answer: &::http::Response<B>) -> Option<Self> {
        let headers = answer.headers();
        let is_grpc = |kind: &HeaderValue| kind.as_bytes().starts_with(b"application/grpc");
        if headers.get(CONTENT_TYPE).is_some_and(is_grpc) || headers.contains_key("grpc-status") {
            return None;
        }
        let seconds = headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok());
        Some(Self {
            status: answer.status().as_u16(),
            retry_after: seconds
                .and_then(|seconds| seconds.trim().parse().ok())
                .map(Duration::from_secs),
        })
    }

    fn judge(&self, address: &str) -> Result<Answer, SinkError> {
        let reason = format!("{address} answers {self}");
        let way_out = match self.status {
            413 => return Ok(Answer::TooLarge { reason }),
            408 | 429 | 500 | 502..=504 => return Err(retry(reason, self.retry_after)),
            300..=399 => "it is a redirect: name the final address",
            401 | 403 => "correct the token or the headers of the sink",
            _ => "does the address name an OTLP receiver that takes logs over gRPC?",
        };
        Err(SinkError::blocked(format!("{reason}; {way_out}")))
    }
}

impl fmt::Display for NotGrpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} without gRPC", self.status)
    }
}

impl Error for NotGrpc {}
