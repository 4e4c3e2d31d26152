//! The template of a route, as far as somebody knows it.

use std::sync::OnceLock;

use http::request;

use crate::text::Text;

use super::{
    axum_parts::{self, Matched},
    grpc,
    layer::Config,
};

/// The template of a route.
#[derive(Debug)]
pub(super) enum Template {
    /// As axum shares it.
    Matched(Matched),
    Given(Text),
    /// The path of a gRPC call, which is the method's name: in the client's words, until the answer
    /// shows that there is such a method. With it what axum matched, which then is only a prefix.
    Called(Text, OnceLock<Matched>),
}

impl Template {
    pub(super) fn as_str(&self, is_astray: bool) -> Option<&str> {
        match self {
            Self::Matched(matched) => Some(matched.as_str()),
            Self::Given(text) => Some(text),
            Self::Called(_, matched) if is_astray => matched.get().map(Matched::as_str),
            Self::Called(path, _) => Some(path),
        }
    }
}

/// What is known of the route when the request arrives.
pub(super) fn template(config: &Config, parts: &request::Parts, is_grpc: bool) -> Option<Template> {
    if let Some(given) = config.ask(config.route.as_ref(), parts) {
        return Some(Template::Given(given.into()));
    }
    let matched = axum_parts::matched(&parts.extensions);
    let path = parts.uri.path();
    let is_call = is_grpc && grpc::is_method(path);
    match matched {
        // As tonic's services are routed by axum.
        Some(matched) if is_call && matched.as_str().ends_with("/{*rest}") => {
            Some(Template::Called(path.into(), OnceLock::from(matched)))
        }
        Some(matched) => Some(Template::Matched(matched)),
        None => is_call.then(|| Template::Called(path.into(), OnceLock::new())),
    }
}
