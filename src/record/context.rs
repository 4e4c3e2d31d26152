//! Where it came from.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::marks::{Marks, Place, cap};
use crate::text::Text;

/// Where an action came from and how it was carried.
///
/// Everything is optional, and only `peer_address` and what the service made itself is certain:
/// the rest is what a client or a proxy said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Context {
    /// The client's address, as far as trusted proxies vouch for it; shortened or hashed where a
    /// rule says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<Text>,
    /// The address of the connection itself: the client or the nearest proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_address: Option<Text>,
    /// The chain of addresses that headers claim, the client's end first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forwarded: Vec<Text>,
    /// The client's program, as it calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<Text>,
    /// The session, as a keyed hash by which it can be searched but not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<Text>,
    /// The session before this action started a new one, as a login does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_session_id: Option<Text>,
    /// The id by which the client or a proxy knows the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Text>,
    /// The trace (W3C Trace Context), 32 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<Text>,
    /// The span within the trace, 16 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_id: Option<Text>,
    /// The HTTP request, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
    /// How long the action took; `duration_us` in JSON, whole microseconds.
    #[serde(
        rename = "duration_us",
        skip_serializing_if = "Option::is_none",
        with = "micros"
    )]
    pub duration: Option<Duration>,
}

macro_rules! text_setters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $name: impl Into<Text>) -> Self {
            self.$name = Some($name.into());
            self
        }
    )*};
}

impl Context {
    /// The entries of [`forwarded`](Self::forwarded) that are written: the last ones, which the
    /// proxies nearest to the service added.
    pub const MAX_FORWARDED: usize = 16;

    /// Nothing known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    text_setters! {
        /// Sets the client's address.
        ip_address,
        /// Sets the address of the connection itself.
        peer_address,
        /// Sets the client's program, as it calls itself.
        user_agent,
        /// Sets the session, as a keyed hash.
        session_id,
        /// Sets the session before this action started a new one.
        previous_session_id,
        /// Sets the id by which the client or a proxy knows the request.
        request_id,
        /// Sets the trace.
        trace_id,
        /// Sets the span within the trace.
        span_id,
    }

    /// Adds an address to the end of the claimed chain: nearer to the service.
    #[must_use]
    pub fn forwarded(mut self, address: impl Into<Text>) -> Self {
        self.forwarded.push(address.into());
        self
    }

    /// Sets the HTTP request.
    #[must_use]
    pub fn http(mut self, http: Http) -> Self {
        self.http = Some(http);
        self
    }

    /// Sets how long the action took.
    #[must_use]
    pub fn duration(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn clean(&mut self, place: Place<'_>, marks: &mut Marks<'_>) {
        for (name, text, max_bytes) in [
            ("ip_address", &mut self.ip_address, cap::ADDRESS),
            ("peer_address", &mut self.peer_address, cap::ADDRESS),
            ("user_agent", &mut self.user_agent, cap::USER_AGENT),
            ("session_id", &mut self.session_id, cap::NAME),
            (
                "previous_session_id",
                &mut self.previous_session_id,
                cap::NAME,
            ),
            ("request_id", &mut self.request_id, cap::NAME),
            ("trace_id", &mut self.trace_id, cap::WORD),
            ("span_id", &mut self.span_id, cap::WORD),
        ] {
            marks.option(place.of(name), text, max_bytes);
        }
        self.clean_forwarded(place.of("forwarded"), marks);
        if let Some(http) = &mut self.http {
            http.clean(place.of("http"), marks);
        }
        self.http = self.http.take().filter(|http| *http != Http::default());
    }

    fn clean_forwarded(&mut self, place: Place<'_>, marks: &mut Marks<'_>) {
        // Trap C15: a client can send any number of entries; those it invents stand in front.
        if let Some(excess @ 1..) = self.forwarded.len().checked_sub(Self::MAX_FORWARDED) {
            marks.cut(place, super::json::size_of(&self.forwarded));
            self.forwarded.drain(..excess);
        }
        for (index, address) in self.forwarded.iter_mut().enumerate() {
            marks.text(place.at(index), address, cap::ADDRESS);
        }
        self.forwarded.retain(|address| !address.is_empty());
    }
}

/// What is kept of an HTTP request; never its path, query or headers unless a rule says so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Http {
    /// The method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Text>,
    /// The template of the route, such as `/api/docs/{id}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<Text>,
    /// The status code of the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

impl Http {
    /// A request about which nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    text_setters! {
        /// Sets the method.
        method,
        /// Sets the template of the route.
        route,
    }

    /// Sets the status code of the response.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    fn clean(&mut self, place: Place<'_>, marks: &mut Marks<'_>) {
        marks.option(place.of("method"), &mut self.method, cap::WORD);
        marks.option(place.of("route"), &mut self.route, cap::ROUTE);
    }
}

/// A duration as whole microseconds; longer than 584 thousand years is as long.
mod micros {
    use super::{Deserialize, Duration};
    use serde::{Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub(super) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => {
                serializer.serialize_u64(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
            }
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_micros))
    }
}
