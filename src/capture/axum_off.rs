//! What axum would tell; without the feature `axum` nobody does.

use std::net::IpAddr;

use http::{Extensions, request};

/// A template that axum matched: there is none.
#[derive(Debug)]
pub(super) enum Matched {}

impl Matched {
    pub(super) fn as_str(&self) -> &str {
        match *self {}
    }
}

pub(super) const fn matched(_: &Extensions) -> Option<Matched> {
    None
}

pub(super) const fn peer(_: &Extensions) -> Option<IpAddr> {
    None
}

pub(super) fn original_path(parts: &request::Parts) -> &str {
    parts.uri.path()
}
