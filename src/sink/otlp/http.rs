//! The way over HTTP, as protobuf.

use ::http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use prost::Message as _;
use serde::Deserialize;

use super::{
    answer::{Answer, retry},
    builder::Settings,
    endpoint::Compression,
    status::RpcStatus,
};
use crate::sink::{
    SinkError,
    http::{
        body::gzip,
        client::{Answer as HttpAnswer, Client},
    },
};

/// A client of one receiver. It connects when it is first used.
pub(super) struct Http {
    client: Client,
    compression: Compression,
}

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

impl Http {
    pub(super) fn new(settings: &Settings) -> Result<Self, SinkError> {
        let url = settings.endpoint.url();
        let client = Client::new(&url, HeaderMap::new(), settings.tls.clone());
        let address = || settings.endpoint.address();
        Ok(Self {
            client: client.map_err(|error| {
                SinkError::blocked(format!("{}: {}", address(), error.expected))
            })?,
            compression: settings.compression,
        })
    }

    pub(super) async fn export(
        &mut self,
        message: &ExportLogsServiceRequest,
        headers: &HeaderMap,
    ) -> Result<Answer, SinkError> {
        let (sent, mut headers) = (headers, headers.clone());
        headers.insert(CONTENT_TYPE, PROTOBUF);
        let mut body = message.encode_to_vec();
        if self.compression == Compression::Gzip {
            body = gzip(&body, &mut headers)?;
        }
        read(self.client.post(headers, body).await.map_err(hint)?, sent)
    }
}

/// A server of gRPC begins to speak before it is asked, and in words that HTTP/1.1 does not have.
/// Others may as well, on a connection that was idle: it may pass.
fn hint(error: SinkError) -> SinkError {
    const SIGNS: [&str; 2] = ["invalid HTTP version", "unexpected message"];
    match error {
        SinkError::Retry { reason, after, .. }
            if SIGNS.iter().any(|sign| reason.contains(sign)) =>
        {
            let hint = "is this the port of HTTP, which usually is 4318?";
            retry(format!("{reason}; {hint}"), after)
        }
        error => error,
    }
}

fn read(mut answer: HttpAnswer, headers: &HeaderMap) -> Result<Answer, SinkError> {
    if !answer.is_success() {
        if is(&answer, "protobuf") {
            // The text in it; the rest is nothing that a person can read.
            let status = RpcStatus::decode(&*answer.body).unwrap_or_default();
            answer.body = status.message.into_bytes();
        }
        return match answer.status.as_u16() {
            413 => Ok(Answer::TooLarge {
                reason: answer.reason(""),
            }),
            _ => Err(answer.judge()),
        };
    }
    let foreign = || answer.unclear("does the address name a receiver of OTLP logs?");
    // What says that all was taken has no bytes in protobuf.
    let response = if answer.body.is_empty() {
        ExportLogsServiceResponse::default()
    } else if is(&answer, "json") {
        // The protocol asks for the encoding of the request, but this is clear as well.
        let json: Json = serde_json::from_slice(&answer.body).map_err(|_quotes| foreign())?;
        json.into()
    } else if is(&answer, "protobuf") {
        ExportLogsServiceResponse::decode(&*answer.body).map_err(|_says_nothing| foreign())?
    } else {
        return Err(foreign());
    };
    Answer::new(response, headers).map_err(|what| answer.unclear(&what))
}

/// What is made of an answer to a request with these headers.
#[cfg(any(test, fuzzing))]
pub(in crate::sink) fn played(answer: HttpAnswer, sent: &HeaderMap) -> Option<SinkError> {
    read(answer, sent).err()
}

fn is(answer: &HttpAnswer, kind: &str) -> bool {
    let found = answer.headers.get(CONTENT_TYPE);
    let found = found.and_then(|found| found.to_str().ok());
    found.is_some_and(|found| found.to_ascii_lowercase().contains(kind))
}

/// The response in the JSON of the protocol; any other JSON is from another service.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    #[serde(default, rename = "partialSuccess")]
    partial: Option<JsonPartial>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonPartial {
    #[serde(default)]
    rejected_log_records: JsonCount,
    #[serde(default)]
    error_message: String,
}

/// A 64-bit number, which JSON of protobuf writes as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum JsonCount {
    Number(i64),
    Text(String),
}

impl Default for JsonCount {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl From<Json> for ExportLogsServiceResponse {
    fn from(json: Json) -> Self {
        let partial_success = json.partial.map(|partial| ExportLogsPartialSuccess {
            rejected_log_records: match partial.rejected_log_records {
                JsonCount::Number(count) => count,
                // What is no number is no success either.
                JsonCount::Text(text) => text.parse().unwrap_or(-1),
            },
            error_message: partial.error_message,
        });
        Self { partial_success }
    }
}
