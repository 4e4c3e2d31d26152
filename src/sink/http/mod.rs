//! Sinks that post to an HTTP server, and the client they share with `otlp`.

mod answer;
pub(in crate::sink) mod client;
#[cfg(feature = "http")]
pub(in crate::sink) mod splunk;
#[cfg(feature = "http")]
pub(in crate::sink) mod webhook;
