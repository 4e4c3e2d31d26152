//! The sink: batches in requests, and the search for what a receiver rejects.

use std::{fmt, ops::Range, time::Duration};

use ::http::HeaderMap;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use tokio::time::{Instant, timeout};

use super::{
    answer::{Answer, retry},
    builder::{OtlpSinkBuilder, Settings, Target},
    endpoint::Protocol,
    grpc::Grpc,
    http::Http,
    request::request,
    settled::Settled,
};
use crate::sink::{Batch, Delivery, Limits, Sink, SinkError, SinkFuture};

/// Sends records as OpenTelemetry logs, over gRPC or over HTTP: to a collector, or to whatever
/// speaks OTLP.
///
/// Each record is an event: its name is the action, its body the record's exact JSON, and its
/// attributes hold every field under the names of OpenTelemetry's semantic conventions, or under
/// `audit.*` where there are none. `docs/sinks.md` has the table.
///
/// # What it promises
///
/// At least once. After an answer that was lost, up to one request (4 MiB) comes again, with the
/// same `audit.record.id`; what the receiver took in earlier requests of the same batch does not.
///
/// # When a receiver rejects records
///
/// A partial success says how many were rejected, not which. The request is halved three times at
/// once, and so on in the parts that are rejected in part, until each record was taken or rejected
/// for certain; the rejected ones, and only those, are refused. Records that were rejected in
/// company, and taken when the parts were sent, come twice or more often: that is the price of
/// not losing one.
///
/// # When it waits
///
/// Answers that ask for patience (`UNAVAILABLE`, 429, 503 …), with the wait that they name: the
/// batch is tried again. A wrong token, no receiver of logs at the address, a web page, a redirect,
/// a certificate that is not trusted: blocked until somebody acts, with the reason.
pub struct OtlpSink {
    settings: Settings,
    /// Out of its place during every call, so that a call that was cancelled takes its connection
    /// along: what is still under way on it is nobody's business any more.
    connection: Option<Connection>,
    settled: Settled,
    warned: Option<Instant>,
}

/// A way to the receiver, and what was learned about it.
struct Connection {
    way: Way,
    /// The largest request, which shrinks when the receiver takes less.
    max_bytes: usize,
}

enum Way {
    Grpc(Box<Grpc>),
    Http(Box<Http>),
}

impl OtlpSink {
    /// Records in one batch, and bytes of their JSON: attributes and body together are about three
    /// times as large, which is below the 4 MiB of a request.
    const LIMITS: (usize, usize) = (1000, 1024 * 1024);

    /// Every receiver takes requests of this size: an answer that one is too large means something
    /// else.
    const SURELY_TAKEN: usize = 32 * 1024;

    /// A warning that a receiver repeats with every batch is logged once in this time.
    const WARNING: Duration = Duration::from_secs(60);

    /// A sink that speaks gRPC: `http://collector:4317`, or `https://…` for TLS.
    pub fn grpc(endpoint: impl Into<String>) -> OtlpSinkBuilder {
        OtlpSinkBuilder::new(Target::Text(Protocol::Grpc, endpoint.into()))
    }

    /// A sink that posts protobuf: `http://collector:4318`, or `https://…` for TLS; with
    /// `/v1/logs` where no path is given.
    pub fn http(endpoint: impl Into<String>) -> OtlpSinkBuilder {
        OtlpSinkBuilder::new(Target::Text(Protocol::Http, endpoint.into()))
    }

    /// A sink whose receiver and protocol `OTEL_EXPORTER_OTLP_ENDPOINT` and
    /// `OTEL_EXPORTER_OTLP_PROTOCOL` name. Without the first it cannot be built.
    #[must_use]
    pub fn from_environment() -> OtlpSinkBuilder {
        OtlpSinkBuilder::new(Target::Environment)
    }

    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            connection: None,
            settled: Settled::default(),
            warned: None,
        }
    }

    fn take_connection(&mut self) -> Result<Connection, SinkError> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let way = match self.settings.endpoint.protocol {
            Protocol::Grpc => Way::Grpc(Box::new(Grpc::new(&self.settings)?)),
            Protocol::Http => Way::Http(Box::new(Http::new(&self.settings)?)),
        };
        Ok(Connection {
            way,
            max_bytes: self.settings.max_request_bytes,
        })
    }

    /// Puts a connection back that is as good as before: after an answer about the records.
    fn keep(&mut self, connection: Connection, outcome: &Result<(), SinkError>) {
        if matches!(outcome, Ok(()) | Err(SinkError::Refused { .. })) {
            self.connection = Some(connection);
        }
    }

    async fn store(&mut self, batch: &Batch) -> Result<(), SinkError> {
        let mut connection = self.take_connection()?;
        let outcome = self.export(&mut connection, batch).await;
        self.keep(connection, &outcome);
        if outcome.is_ok() {
            self.settled.through(batch);
        }
        outcome
    }

    async fn export(
        &mut self,
        connection: &mut Connection,
        batch: &Batch,
    ) -> Result<(), SinkError> {
        let headers = self.settings.headers.read()?;
        let open = self.settled.open(batch);
        let mut refused = Refused::default();
        // What is to be sent; the last is next, so that order is kept.
        let mut parts = Vec::new();
        parts.push(0..open.len());
        let mut is_first = true;
        while let Some(part) = parts.pop() {
            let records = open.get(part.clone()).unwrap_or_default();
            if records.is_empty() {
                continue;
            }
            let resource = &self.settings.resource;
            let request = request(batch, records, resource, connection.max_bytes);
            let sent = part.start..part.start + request.records;
            parts.push(sent.end..part.end);
            let records = records.get(..request.records).unwrap_or_default();
            let answer = connection.send(request.message, &headers, self.settings.timeout);
            match answer.await.map_err(|error| of_all(error, is_first))? {
                Answer::Taken { warning } => {
                    self.settled.taken(batch, records);
                    self.warn(warning);
                }
                Answer::Rejected { count, reason } if count >= records.len() as u64 => {
                    refused.add(records, reason);
                }
                Answer::Rejected { .. } => parts.extend(pieces(&sent)),
                // A receiver that says so of a small one has another reason, which may pass.
                Answer::TooLarge { reason } if records.len() == 1 => {
                    if request.bytes < Self::SURELY_TAKEN {
                        return Err(retry(reason, None));
                    }
                    refused.add(records, reason);
                }
                Answer::TooLarge { .. } => {
                    connection.max_bytes = request.bytes / 2;
                    parts.push(sent);
                }
            }
            is_first = false;
        }
        refused.into_result(&self.settings.endpoint.address())
    }

    /// An empty request, which the protocol allows: it shows the credentials and leaves nothing.
    async fn ask(&mut self) -> Result<(), SinkError> {
        let mut connection = self.take_connection()?;
        let headers = self.settings.headers.read()?;
        let nothing = ExportLogsServiceRequest::default();
        let answer = connection.send(nothing, &headers, self.settings.timeout);
        let outcome = match answer.await {
            // It was understood, and found to be empty.
            Ok(_) | Err(SinkError::Refused { .. }) => Ok(()),
            Err(error) => Err(error),
        };
        self.keep(connection, &outcome);
        outcome
    }

    fn warn(&mut self, warning: Option<String>) {
        let (Some(warning), now) = (warning, Instant::now()) else {
            return;
        };
        if self.warned.is_some_and(|last| now < last + Self::WARNING) {
            return;
        }
        self.warned = Some(now);
        let sink = self.settings.endpoint.address();
        tracing::warn!(target: "tower_audit", sink, warning, "the receiver took all records and warns");
    }
}

/// A part that was rejected in part, in its eighths; the first is last, as it is to be next.
///
/// Halving three times at once: about as many requests as halving once each time, and each record
/// in company of a rejected one comes again once where it would three times.
fn pieces(part: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let (start, end) = (part.start, part.end);
    let size = part.len().div_ceil(8).max(1);
    let pieces = part.len().div_ceil(size);
    (0..pieces).rev().map(move |piece| {
        let from = start + piece * size;
        from..(from + size).min(end)
    })
}

/// The error of one request, as that of all requests of a batch: that nothing was sent is true of
/// the first one only.
fn of_all(error: SinkError, is_first: bool) -> SinkError {
    match error {
        SinkError::Retry { reason, after, .. } if !is_first => retry(reason, after),
        error => error,
    }
}

/// Records that the receiver will never take.
#[derive(Debug, Default)]
struct Refused {
    numbers: Vec<u64>,
    reason: String,
}

impl Refused {
    fn add(&mut self, records: &[&Delivery], reason: String) {
        self.numbers
            .extend(records.iter().map(|record| record.number));
        self.reason = reason;
    }

    fn into_result(self, address: &str) -> Result<(), SinkError> {
        if self.numbers.is_empty() {
            return Ok(());
        }
        let reason = match self.reason.as_str() {
            "" => format!("{address} rejected them and gave no reason"),
            reason if reason.starts_with(address) => reason.to_owned(),
            reason => format!("{address} rejected them: {reason}"),
        };
        Err(SinkError::refused(self.numbers, reason))
    }
}

impl Connection {
    async fn send(
        &mut self,
        message: ExportLogsServiceRequest,
        headers: &HeaderMap,
        limit: Duration,
    ) -> Result<Answer, SinkError> {
        let sent = async {
            match &mut self.way {
                Way::Grpc(way) => way.export(message, headers).await,
                Way::Http(way) => way.export(&message, headers).await,
            }
        };
        match timeout(limit, sent).await {
            Ok(answer) => answer,
            Err(_) => Err(retry(format!("no answer within {limit:?}"), None)),
        }
    }
}

impl Sink for OtlpSink {
    fn kind(&self) -> &'static str {
        "otlp"
    }

    fn address(&self) -> String {
        self.settings.endpoint.address()
    }

    fn limits(&self) -> Limits {
        let (records, bytes) = Self::LIMITS;
        Limits::new(records, bytes)
    }

    fn probe(&mut self) -> SinkFuture<'_, ()> {
        Box::pin(self.ask())
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> SinkFuture<'a, ()> {
        Box::pin(self.store(batch))
    }

    fn close(&mut self) -> SinkFuture<'_, ()> {
        self.connection = None;
        Box::pin(async { Ok(()) })
    }
}

impl fmt::Debug for OtlpSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpSink")
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}
