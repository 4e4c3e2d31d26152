//! The answer to a request whose record cannot be kept: 503, before the handler runs.

use std::time::Duration;

use http::{HeaderValue, Response, StatusCode, header};
use http_body::Body;

use super::body::AuditBody;

const MESSAGE: &str = r#"{"error":"audit_unavailable","message":"no audit record of this request could be kept, so it was not begun; try again later"}"#;

/// `commit_timeout` is when a client may try again: by then a sync that was under way has ended, or
/// the trail is failing.
pub(super) fn refusal<B: Body>(is_grpc: bool, commit_timeout: Duration) -> Response<AuditBody<B>> {
    if is_grpc {
        return grpc();
    }
    let mut response = Response::new(AuditBody::refusal(MESSAGE.as_bytes()));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, retry_after(commit_timeout));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// In whole seconds (RFC 9110, section 10.2.3), and never at once.
fn retry_after(timeout: Duration) -> HeaderValue {
    let part_of_a_second = u64::from(timeout.subsec_nanos() > 0);
    let seconds = timeout.as_secs().saturating_add(part_of_a_second);
    HeaderValue::from(seconds.max(1))
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
        HeaderValue::from_static("no audit record of this call could be kept"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_may_come_again_in_whole_seconds_and_never_at_once() {
        for (millis, expected) in [
            (0, "1"),
            (20, "1"),
            (1000, "1"),
            (1001, "2"),
            (30_000, "30"),
        ] {
            let header = retry_after(Duration::from_millis(millis));
            assert_eq!(header, expected, "{millis} ms");
        }
    }
}
