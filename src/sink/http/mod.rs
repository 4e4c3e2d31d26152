//! Sinks that post to an HTTP server, and the client they share with `otlp`.

mod answer;
pub(in crate::sink) mod body;
pub(in crate::sink) mod client;
#[cfg(feature = "http")]
mod options;
#[cfg(feature = "http")]
mod signature;
#[cfg(feature = "http")]
pub(in crate::sink) mod splunk;
#[cfg(feature = "http")]
pub(in crate::sink) mod webhook;

#[cfg(feature = "http")]
pub use self::{
    splunk::{SplunkSink, SplunkSinkBuilder},
    webhook::{WebhookSink, WebhookSinkBuilder},
};
