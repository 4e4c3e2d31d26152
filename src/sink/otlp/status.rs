//! The gRPC status of a failed call, and what it means for the records.

use std::time::Duration;

use ::http::HeaderMap;
use prost::Message;
use tonic::{Code, Status};

use super::answer::{Answer, MAX_ANSWER, UNCLEAR, foreign, retry, sent};
use crate::sink::{SinkError, http::client::without_secrets};

/// What a status says: about the records, or about the way to the receiver.
///
/// `headers` is what was sent: a secret that comes back is not repeated.
pub(super) fn judge(
    status: &Status,
    address: &str,
    headers: &HeaderMap,
) -> Result<Answer, SinkError> {
    let code = status.code();
    let name = name(code);
    let reason = match foreign(&without_secrets(status.message(), sent(headers))) {
        message if message.is_empty() => format!("{address} answers {name}"),
        message => format!("{address} answers {name}: {message}"),
    };
    let after = retry_delay(status.details());
    if status.message().contains(&own_limit()) {
        // Said by our side of the answer, which may be to records that were taken.
        let reason = format!("{reason}; its answer is too long to be read");
        return Err(retry(reason, Some(UNCLEAR)));
    }
    let blocked = |way_out| Err(SinkError::blocked(format!("{reason}; {way_out}")));
    match code {
        Code::Unauthenticated | Code::PermissionDenied => {
            blocked("correct the token or the headers of the sink")
        }
        Code::Unimplemented | Code::NotFound => {
            blocked("is this an OTLP receiver that takes logs over gRPC?")
        }
        Code::ResourceExhausted | Code::OutOfRange
            if after.is_none() && is_about_size(status.message()) =>
        {
            Ok(Answer::TooLarge { reason })
        }
        Code::InvalidArgument => Err(SinkError::refused(Vec::new(), reason)),
        _ => Err(retry(reason, after)),
    }
}

/// What is made of a status with this message and these details.
#[cfg(any(test, fuzzing))]
pub(in crate::sink) fn played(code: i32, bytes: &[u8], sent: &HeaderMap) -> Option<SinkError> {
    let message = String::from_utf8_lossy(bytes);
    let status = Status::with_details(code.into(), message, bytes.to_vec().into());
    judge(&status, "https://collector", sent).err()
}

/// What tonic says of an answer that is longer than we read.
fn own_limit() -> String {
    format!("limit is: {MAX_ANSWER} bytes")
}

/// Whether a receiver complains of the size of a message: the words of grpc-go and gRPC core,
/// grpc-java, and tonic. No others: "rate exceeds maximum" is about something else.
fn is_about_size(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    [
        "message larger than max",
        "grpc message exceeds maximum size",
        "message length too large",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// How long the receiver asks to wait (`google.rpc.RetryInfo` among the details of a status).
fn retry_delay(details: &[u8]) -> Option<Duration> {
    let status = RpcStatus::decode(details).ok()?;
    let info = status
        .details
        .iter()
        .find(|detail| detail.type_url.ends_with("/google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(&*info.value).ok()?.retry_delay?;
    let seconds = u64::try_from(delay.seconds).ok()?;
    let nanos = u32::try_from(delay.nanos)
        .ok()
        .filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(seconds, nanos))
}

/// The code as the protocol spells it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

// The few messages of google.rpc that are read; they are in no crate that is needed otherwise.

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Any {
    #[prost(string, tag = "1")]
    pub(super) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_delay(seconds: i64, nanos: i32) -> Vec<u8> {
        let info = RetryInfo {
            retry_delay: Some(Delay { seconds, nanos }),
        };
        let other = Any {
            type_url: "type.googleapis.com/google.rpc.DebugInfo".to_owned(),
            value: vec![1, 2, 3],
        };
        let info = Any {
            type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
            value: info.encode_to_vec(),
        };
        RpcStatus {
            code: 14,
            message: String::new(),
            details: vec![other, info],
        }
        .encode_to_vec()
    }

    #[test]
    fn the_delay_that_a_receiver_asks_for_is_read_from_the_details() {
        let read = |seconds, nanos| retry_delay(&with_delay(seconds, nanos));
        assert_eq!(read(3, 500_000_000), Some(Duration::from_millis(3500)));
        assert_eq!(read(-1, 0), None);
        assert_eq!(read(1, -1), None);
        assert_eq!(retry_delay(b"no message of the protocol"), None);
        assert_eq!(retry_delay(b""), None);
    }

    #[test]
    fn every_code_has_one_meaning() {
        let of = |code, message: &str, details: Vec<u8>| {
            let status = Status::with_details(code, message, details.into());
            judge(&status, "otlp", &HeaderMap::new())
        };
        for code in (0..17).map(Code::from_i32) {
            let found = match of(code, "", Vec::new()) {
                Ok(answer) => format!("{answer:?}"),
                Err(SinkError::Blocked { .. }) => "blocked".to_owned(),
                Err(SinkError::Refused { numbers, .. }) if numbers.is_empty() => "refused".into(),
                Err(SinkError::Retry { after: None, .. }) => "retry".to_owned(),
                Err(other) => format!("{other:?}"),
            };
            let expected = match code {
                Code::Unauthenticated
                | Code::PermissionDenied
                | Code::Unimplemented
                | Code::NotFound => "blocked",
                Code::InvalidArgument => "refused",
                _ => "retry",
            };
            assert_eq!(found, expected, "{code:?}");
        }
        let large = "grpc: received message larger than max (5 vs. 4)";
        let exhausted = |details| of(Code::ResourceExhausted, large, details);
        let answer = exhausted(Vec::new());
        assert!(matches!(answer, Ok(Answer::TooLarge { .. })), "{answer:?}");
        let answer = exhausted(with_delay(2, 0));
        assert!(
            matches!(answer, Err(SinkError::Retry { after: Some(after), .. }) if after.as_secs() == 2),
            "{answer:?}"
        );
    }

    #[test]
    fn a_foreign_message_is_cleaned_and_cut() {
        let message = format!("\u{1b}[31m hunter2 {}", "x".repeat(1000));
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer hunter2".parse().unwrap());
        let error = judge(&Status::unavailable(message), "otlp", &headers).unwrap_err();
        let SinkError::Retry { reason, .. } = error else {
            panic!("{error:?}");
        };
        assert!(reason.starts_with(r"otlp answers UNAVAILABLE: \u{1b}[31m *** xxx"));
        assert!(reason.len() < 300, "{}", reason.len());
    }
}
