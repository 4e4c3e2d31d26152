//! Answers as if a server had given them, for tests and fuzz targets: what is made of them is an error, or none.

use ::http::HeaderMap;

use super::SinkError;

/// A server of HTTP, and Splunk, to a request with a secret in a header.
pub(crate) fn http(status: u16, headers: &HeaderMap, body: &[u8], secret: &str) -> Vec<SinkError> {
    let answer = super::http::client::Answer::played(status, headers, body, secret);
    let mut errors = super::http::splunk::played(&answer);
    errors.push(answer.judge());
    errors.push(answer.unclear("look at the address"));
    let _ = (answer.is_success(), answer.retry_after());
    errors
}

/// A collector over HTTP and over gRPC, to a request with these headers.
pub(crate) fn otlp(
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
    sent: &HeaderMap,
) -> Vec<SinkError> {
    let secret = sent.values().find_map(|value| value.to_str().ok());
    let secret = secret.unwrap_or_default();
    let answer = super::http::client::Answer::played(status, headers, body, secret);
    let over_http = super::otlp::http_played(answer, sent);
    let over_grpc = super::otlp::grpc_played(i32::from(status), body, sent);
    over_http.into_iter().chain(over_grpc).collect()
}
