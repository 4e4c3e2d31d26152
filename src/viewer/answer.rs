//! Answers, and the headers that all of them have.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use super::{body::ViewerBody, failure::Failure};

/// What may be loaded and done by a page; `frame-ancestors` follows it.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors ";

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// What a path is answered with, before the headers that all answers have.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: ViewerBody,
}

impl Answer {
    pub(super) fn new(content_type: &'static str, body: ViewerBody) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CACHE_CONTROL, NO_STORE);
        Self {
            status: StatusCode::OK,
            headers,
            body,
        }
    }

    /// A page.
    pub(super) fn html(body: ViewerBody) -> Self {
        Self::new("text/html; charset=utf-8", body)
    }

    /// A value as JSON.
    pub(super) fn json(value: &impl Serialize) -> Result<Self, Failure> {
        // Only a value of ours that is no JSON fails here, such as a map with keys that are no texts.
        let bytes = serde_json::to_vec(value).map_err(|error| Failure::internal(&error))?;
        Ok(Self::text("application/json", bytes))
    }

    /// Text that is there already.
    pub(super) fn text(content_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        Self::new(content_type, ViewerBody::whole(bytes))
    }

    pub(super) const fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Sets a header. A value that cannot be one is left out: those here are ours.
    pub(super) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// The response, without its body if only its head was asked for.
    pub(super) fn into_response(
        self,
        policy: &HeaderValue,
        only_head: bool,
    ) -> Response<ViewerBody> {
        let body = if only_head {
            ViewerBody::empty()
        } else {
            self.body
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
        for (name, value) in [
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (
                HeaderName::from_static("cross-origin-resource-policy"),
                "same-origin",
            ),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// The policy of all answers. `frames`: the origins that may show the viewer in a frame, checked
/// before.
pub(super) fn policy(frames: &[String]) -> Option<HeaderValue> {
    let frames = if frames.is_empty() {
        "'none'".to_owned()
    } else {
        frames.join(" ")
    };
    HeaderValue::from_str(&format!("{POLICY}{frames}")).ok()
}
