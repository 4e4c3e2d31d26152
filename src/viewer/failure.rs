//! Why there is no answer, as JSON for programs and as a page for people.

use std::error::Error;

use http::{StatusCode, header};
use serde::Serialize;

use super::{answer::Answer, model};
use crate::store::{ParameterError, StoreError};

/// When to come back after the store failed, in seconds.
const RETRY_AFTER: &str = "5";

/// Why a question is not answered. There is never an empty answer in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// What is wrong with which parameter of the address.
    Parameter { parameter: String, reason: String },
    /// The authoriser says no.
    Denied,
    /// The authoriser did not say.
    Undecided,
    /// An export that another site asked for.
    CrossSite,
    /// Absent, or out of reach: nobody can tell which.
    NotFound,
    /// Only GET and HEAD.
    Method,
    /// As many live views, or exports, as there may be.
    TooMany,
    /// The store does not answer, or fails; or the viewer was closed.
    Store,
    /// The question takes too long.
    Timeout,
    /// Something of ours is wrong.
    Internal,
}

/// The answer of the API: `{"error":{…}}`.
#[derive(Debug, Serialize)]
struct Told<'a> {
    error: Reason<'a>,
}

#[derive(Debug, Serialize)]
struct Reason<'a> {
    /// Only where a parameter is what is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
    reason: &'a str,
}

impl Failure {
    pub(super) fn parameter(parameter: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Parameter {
            parameter: parameter.into(),
            reason: reason.into(),
        }
    }

    pub(super) fn no_such_zone() -> Self {
        Self::parameter("tz", "write the name of a time zone, such as Europe/Paris")
    }

    pub(super) fn internal(error: &dyn Error) -> Self {
        tracing::error!(target: "tower_audit", %error, "the viewer could not write an answer");
        Self::Internal
    }

    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Parameter { .. } => StatusCode::BAD_REQUEST,
            Self::Denied | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Store | Self::Timeout => StatusCode::SERVICE_UNAVAILABLE,
            Self::Undecided | Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Why, in English. It says nothing of the store's address: readers need not know it.
    fn reason(&self) -> &str {
        match self {
            Self::Parameter { reason, .. } => reason,
            Self::Denied => "you may not read this audit trail",
            Self::Undecided => "it could not be decided whether you may read this audit trail",
            Self::CrossSite => {
                "another site asked for an export; ask for it from the viewer itself"
            }
            Self::NotFound => "there is no such thing, or you may not read it",
            Self::Method => "only GET and HEAD are answered",
            Self::TooMany => "too many live views or exports are running; try again later",
            Self::Store => "the store does not answer; nothing is known of what it holds",
            Self::Timeout => {
                "the store did not answer in time: narrow the time range or the filters"
            }
            Self::Internal => "the answer could not be written",
        }
    }

    /// What the page of it says.
    pub(super) fn shown(&self) -> model::Failure<'_> {
        match self {
            Self::Parameter { parameter, reason } => {
                model::Failure::Parameter { parameter, reason }
            }
            Self::Denied => model::Failure::Denied,
            Self::CrossSite => model::Failure::CrossSite,
            Self::NotFound => model::Failure::NotFound,
            Self::Method => model::Failure::Method,
            Self::TooMany => model::Failure::TooMany,
            Self::Undecided | Self::Internal => model::Failure::Internal,
            Self::Store => model::Failure::Store,
            Self::Timeout => model::Failure::Timeout,
        }
    }

    /// The answer of the API.
    pub(super) fn json(&self) -> Answer {
        let parameter = match self {
            Self::Parameter { parameter, .. } => Some(parameter.as_str()),
            _ => None,
        };
        let told = Told {
            error: Reason {
                parameter,
                reason: self.reason(),
            },
        };
        // Texts always become JSON.
        let bytes = serde_json::to_vec(&told).unwrap_or_default();
        self.complete(Answer::text("application/json", bytes))
    }

    /// Gives the answer its status, and the headers that go with it.
    pub(super) fn complete(&self, answer: Answer) -> Answer {
        let answer = answer.status(self.status());
        match self {
            Self::Method => answer.header(header::ALLOW, "GET, HEAD"),
            Self::Store | Self::Timeout | Self::TooMany => {
                answer.header(header::RETRY_AFTER, RETRY_AFTER)
            }
            _ => answer,
        }
    }
}

impl From<ParameterError> for Failure {
    fn from(error: ParameterError) -> Self {
        Self::Parameter {
            parameter: error.parameter,
            reason: error.reason,
        }
    }
}

impl From<StoreError> for Failure {
    /// Logged with its cause, which readers are not told.
    fn from(error: StoreError) -> Self {
        let cause = error.source().map(ToString::to_string);
        tracing::error!(target: "tower_audit", %error, cause, "the viewer got no answer from its store");
        match error {
            StoreError::Timeout { .. } => Self::Timeout,
            _ => Self::Store,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_the_status_of_its_answer() {
        for failure in [
            Failure::parameter("q", "it is there twice"),
            Failure::Denied,
            Failure::Undecided,
            Failure::CrossSite,
            Failure::NotFound,
            Failure::Method,
            Failure::TooMany,
            Failure::Store,
            Failure::Timeout,
            Failure::Internal,
        ] {
            let shown = failure.shown().status();
            assert_eq!(shown, failure.status().as_u16(), "{failure:?}");
        }
    }
}
