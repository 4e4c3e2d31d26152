//! Receivers that have no server of their own here: a process that writes down what it took, before
//! it answers, and is killed as roughly as a server can be.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use opentelemetry_proto::tonic::{
    collector::logs::v1::{
        ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
        logs_service_server::{LogsService, LogsServiceServer},
    },
    common::v1::any_value::Value,
    logs::v1::LogRecord,
};
use prost::Message as _;

use crate::{
    cases::say,
    far_end::{Place, in_line},
};

/// Where everything that was taken is written down.
#[derive(Debug, Clone)]
struct Book {
    file: Arc<Mutex<File>>,
    /// Holds what every sender must show, where the protocol has a place for it.
    token: PathBuf,
    /// While there is a file of this name, some records are refused.
    refusing: PathBuf,
}

/// Whether a receiver that refuses does not want this record.
pub(crate) const fn is_unwanted(number: u64) -> bool {
    number % 997 == 500
}

impl Book {
    /// Whether this is what stands in the file now.
    fn knows(&self, scheme: &str, shown: Option<&HeaderValue>) -> bool {
        let token = std::fs::read_to_string(&self.token).unwrap();
        shown.is_some_and(|shown| *shown == format!("{scheme} {token}"))
    }

    /// Takes what it wants, and says how many it did not: as the protocol has it, not which.
    fn take(&self, request: &ExportLogsServiceRequest) -> ExportLogsServiceResponse {
        let mut places = places(request);
        let mut partial_success = None;
        if self.refusing.exists() {
            let before = places.len();
            places.retain(|(_, number)| !is_unwanted(*number));
            let rejected_log_records = i64::try_from(before - places.len()).unwrap();
            partial_success = Some(ExportLogsPartialSuccess {
                rejected_log_records,
                error_message: "not wanted".to_owned(),
            });
        }
        self.write(&places);
        ExportLogsServiceResponse { partial_success }
    }

    /// One write for a batch: a kill leaves all of it or nothing.
    fn write(&self, places: &[Place]) {
        let lines: String = places
            .iter()
            .map(|(trail, number)| format!("{trail} {number}\n"))
            .collect();
        self.file
            .lock()
            .unwrap()
            .write_all(lines.as_bytes())
            .unwrap();
    }
}

/// What was written down, in order.
pub(crate) fn read_book(path: &std::path::Path) -> Vec<Place> {
    let text = std::fs::read_to_string(path).unwrap();
    let place = |line: &str| {
        let (trail, number) = line.split_once(' ').unwrap();
        (trail.to_owned(), number.parse().unwrap())
    };
    text.lines().map(place).collect()
}

/// `KIND ADDRESS BOOK TOKEN REFUSING`: receives until it is killed.
pub(crate) fn main(args: &[&str]) -> ExitCode {
    let [kind, address, book, token, refusing] = args else {
        panic!("a receiver knows no {args:?}");
    };
    let file = File::options().create(true).append(true).open(book);
    let book = Book {
        file: Arc::new(Mutex::new(file.unwrap())),
        token: token.into(),
        refusing: refusing.into(),
    };
    let address: SocketAddr = address.parse().unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        say("listening");
        match *kind {
            "grpc" => grpc(listener, book).await,
            "http" => axum::serve(listener, http(book)).await.unwrap(),
            _ => panic!("a receiver is no {kind:?}"),
        }
    });
    ExitCode::SUCCESS
}

async fn grpc(listener: tokio::net::TcpListener, book: Book) {
    let service = LogsServiceServer::new(book)
        .max_decoding_message_size(4 * 1024 * 1024)
        .accept_compressed(tonic::codec::CompressionEncoding::Gzip);
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let server = tonic::transport::Server::builder().add_service(service);
    server.serve_with_incoming(incoming).await.unwrap();
}

#[tonic::async_trait]
impl LogsService for Book {
    async fn export(
        &self,
        request: tonic::Request<ExportLogsServiceRequest>,
    ) -> Result<tonic::Response<ExportLogsServiceResponse>, tonic::Status> {
        let headers = request.metadata().clone().into_headers();
        if !self.knows("Bearer", headers.get("authorization")) {
            return Err(tonic::Status::unauthenticated("wrong token"));
        }
        Ok(tonic::Response::new(self.take(request.get_ref())))
    }
}

fn places(request: &ExportLogsServiceRequest) -> Vec<Place> {
    let resources = request.resource_logs.iter();
    let scopes = resources.flat_map(|resource| &resource.scope_logs);
    let records = scopes.flat_map(|scope| &scope.log_records);
    records.map(place).collect()
}

fn place(record: &LogRecord) -> Place {
    let value = |name: &str| {
        let attribute = record.attributes.iter().find(|known| known.key == name);
        let value = attribute.and_then(|found| found.value.clone());
        value.and_then(|value| value.value).expect("the attribute")
    };
    match (value("audit.trail.id"), value("audit.sequence.number")) {
        (Value::StringValue(trail), Value::IntValue(number)) => (trail, number.cast_unsigned()),
        other => panic!("{other:?}"),
    }
}

fn http(book: Book) -> Router {
    Router::new()
        .route("/v1/logs", post(otlp))
        .route("/services/collector/health", get(|| async { "{}" }))
        .route("/services/collector/event", post(splunk))
        .route("/hook", post(webhook))
        .layer(axum::extract::DefaultBodyLimit::max(16 * 1024 * 1024))
        .with_state(book)
}

async fn otlp(State(book): State<Book>, headers: HeaderMap, body: Bytes) -> Response {
    if !book.knows("Bearer", headers.get("authorization")) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let request = ExportLogsServiceRequest::decode(unpacked(&headers, &body).as_slice());
    let kind = [("content-type", "application/x-protobuf")];
    (kind, book.take(&request.unwrap()).encode_to_vec()).into_response()
}

/// The answers that Splunk documents: 4 for a wrong token, 5 for no data, 0 for success.
async fn splunk(State(book): State<Book>, headers: HeaderMap, body: Bytes) -> Response {
    let answer = |status: StatusCode, text: &str, code: u8| {
        let body = serde_json::json!({"text": text, "code": code});
        (status, axum::Json(body)).into_response()
    };
    if !book.knows("Splunk", headers.get("authorization")) {
        return answer(StatusCode::FORBIDDEN, "Invalid token", 4);
    }
    let body = unpacked(&headers, &body);
    let events = serde_json::Deserializer::from_slice(&body).into_iter::<serde_json::Value>();
    let places: Vec<_> = events
        .map(|event| in_line(&event.unwrap()["event"].to_string()))
        .collect();
    if places.is_empty() {
        return answer(StatusCode::BAD_REQUEST, "No data", 5);
    }
    book.write(&places);
    answer(StatusCode::OK, "Success", 0)
}

async fn webhook(State(book): State<Book>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let body = String::from_utf8(unpacked(&headers, &body)).unwrap();
    let places: Vec<_> = body.lines().map(in_line).collect();
    book.write(&places);
    StatusCode::NO_CONTENT
}

fn unpacked(headers: &HeaderMap, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    if headers.contains_key("content-encoding") {
        let mut reader = flate2::read::GzDecoder::new(body);
        reader.read_to_end(&mut bytes).unwrap();
    } else {
        bytes.extend_from_slice(body);
    }
    bytes
}
