//! The answer to a request whose record cannot be kept: 503, before the handler runs.

use http::{HeaderValue, Response, StatusCode, header};
use http_body::Body;

use super::body::AuditBody;

/// Seconds after which a client may try again: the default of the commit time-out.
const RETRY_AFTER: &str = "5";

const MESSAGE: &str = r#"{"error":"audit_unavailable","message":"the audit trail cannot be written, so this request was not begun; try again later"}"#;

pub(super) fn refusal<B: Body>(is_grpc: bool) -> Response<AuditBody<B>> {
    if is_grpc {
        return grpc();
    }
    let mut response = Response::new(AuditBody::refusal(MESSAGE.as_bytes()));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `UNAVAILABLE`, which clients know to try again; gRPC has no other status than 200.
fn grpc<B: Body>() -> Response<AuditBody<B>> {
    let mut response = Response::new(AuditBody::refusal(b""));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    headers.insert("grpc-status", HeaderValue::from_static("14"));
    headers.insert(
        "grpc-message",
        HeaderValue::from_static("the audit trail cannot be written"),
    );
    response
}
