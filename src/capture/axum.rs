//! What axum tells of a request, and the scope as an extractor.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts, MatchedPath, OptionalFromRequestParts, OriginalUri},
    response::{IntoResponse, Response},
};
use http::{Extensions, StatusCode, request};

use super::AuditScope;

/// A template that axum matched; shared with axum, not copied.
#[derive(Debug)]
pub(super) struct Matched(MatchedPath);

impl Matched {
    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

// Trap C7: absent on a fallback, and for a layer around the router.
pub(super) fn matched(extensions: &Extensions) -> Option<Matched> {
    extensions.get::<MatchedPath>().cloned().map(Matched)
}

pub(super) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    let info = extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(info.0.ip())
}

/// The path before a nested router cut its prefix off.
pub(super) fn original_path(parts: &request::Parts) -> &str {
    let original = parts.extensions.get::<OriginalUri>();
    original.map_or_else(|| parts.uri.path(), |uri| uri.0.path())
}

/// Why there is no scope: the route is not inside an [`AuditLayer`](super::AuditLayer).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the handler asks for an AuditScope, but no AuditLayer is around this route: add `.layer(audit.layer())` after the route, or take an Option<AuditScope>"
)]
#[non_exhaustive]
pub struct MissingLayer;

impl IntoResponse for MissingLayer {
    /// 500, with a text for the service's author; it tells a client nothing of use.
    fn into_response(self) -> Response {
        tracing::error!(target: "tower_audit", "{self}");
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for AuditScope {
    type Rejection = MissingLayer;

    async fn from_request_parts(
        parts: &mut request::Parts,
        _state: &S,
    ) -> Result<Self, MissingLayer> {
        let scope = parts.extensions.get::<Self>().cloned();
        let scope = scope.ok_or(MissingLayer)?;
        scope.learn(parts);
        Ok(scope)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for AuditScope {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut request::Parts,
        _state: &S,
    ) -> Result<Option<Self>, Self::Rejection> {
        let scope = parts.extensions.get::<Self>().cloned();
        Ok(scope.inspect(|scope| scope.learn(parts)))
    }
}
