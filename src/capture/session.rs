//! The session of a request: where its id is, and its keyed hash.

use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};

/// Where the id of a session is found. It is only ever written as a keyed hash.
#[derive(Clone, Debug)]
#[must_use]
pub struct Session {
    from: From,
}

#[derive(Clone, Debug)]
enum From {
    Cookie(String),
    Header(HeaderName),
}

/// The id of a session as the client presents it: a live credential.
#[derive(Clone)]
pub(crate) struct RawSession(HeaderValue);

impl Session {
    /// The value of a cookie of this name.
    pub fn cookie(name: impl Into<String>) -> Self {
        Self {
            from: From::Cookie(name.into()),
        }
    }

    /// The value of a header of this name.
    pub const fn header(name: HeaderName) -> Self {
        Self {
            from: From::Header(name),
        }
    }

    /// The session that a request presents. Called on arrival: cheap, nothing is hashed.
    pub(crate) fn of_request(&self, _parts: &Parts) -> Option<RawSession> {
        let _ = &self.from;
        None
    }

    /// The session that a response sets, if it sets one. A cookie that is removed is none.
    pub(crate) fn of_response(&self, _headers: &HeaderMap) -> Option<RawSession> {
        None
    }
}

impl RawSession {
    /// The bytes to hash, and to look for in the record.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for RawSession {
    /// Never the id.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RawSession")
    }
}
