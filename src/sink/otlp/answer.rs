//! What a receiver says to a request.

use std::{fmt::Display, time::Duration};

use ::http::HeaderMap;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;

use crate::{
    sink::{SinkError, http::client::without_secrets},
    text,
};

/// How long to wait before records are offered again that may have been taken.
pub(super) const UNCLEAR: Duration = Duration::from_secs(5 * 60);

/// What is read of an answer at most. Receivers may name each record that they reject. Not a round
/// number: tonic says of its own limit and of the receiver's in the same words.
pub(super) const MAX_ANSWER: usize = 1024 * 1024 + 1;

/// What of a foreign text goes into a reason.
const MAX_REASON: usize = 256;

/// An answer to a request that says something about its records.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// All of them were taken. A message beside that is a warning.
    Taken { warning: Option<String> },
    /// So many of them were rejected, the others taken.
    Rejected { count: u64, reason: String },
    /// The request is larger than the receiver takes; none of it was taken.
    TooLarge { reason: String },
}

impl Answer {
    /// What a response of the protocol says.
    ///
    /// `headers` are what was sent, and must not be repeated.
    pub(super) fn new(
        response: ExportLogsServiceResponse,
        headers: &HeaderMap,
    ) -> Result<Self, String> {
        let partial = response.partial_success.unwrap_or_default();
        let message = foreign(&without_secrets(&partial.error_message, sent(headers)));
        match u64::try_from(partial.rejected_log_records) {
            Ok(0) => Ok(Self::Taken {
                warning: Some(message).filter(|message| !message.is_empty()),
            }),
            Ok(count) => Ok(Self::Rejected {
                count,
                reason: message,
            }),
            Err(_) => Err(format!(
                "it says that {} records were rejected, which is no number of records: is this an \
                 OTLP receiver?",
                partial.rejected_log_records
            )),
        }
    }
}

/// The headers that were sent, as texts that must not come back.
pub(super) fn sent(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers.values().filter_map(|value| value.to_str().ok())
}

/// A text of the receiver, made safe and short.
pub(super) fn foreign(text: &str) -> String {
    text::clean(text.trim(), MAX_REASON).0.into_owned()
}

/// A passing fault.
pub(super) fn retry(reason: impl Display, after: Option<Duration>) -> SinkError {
    SinkError::Retry {
        reason: reason.to_string(),
        after,
        unsent: false,
    }
}
