//! A sink that sends OpenTelemetry logs.
//!
//! - `attributes`, `value`, `resource`: a record as a log record;
//! - `request`: as many of them as one message holds;
//! - `grpc` with `connector` and `status`, `http`: the two ways, and what an answer means;
//! - `export`: a batch in requests, and the search for records that are rejected;
//! - `builder`, `address`, `env`, `headers`, `endpoint`: what it is configured by.
//!
//! The pipeline of the OpenTelemetry SDK is not used: it drops what does not fit its queue, and takes
//! a partial success for a success.

mod address;
mod answer;
mod attributes;
mod builder;
mod connector;
mod endpoint;
mod env;
mod export;
mod grpc;
mod headers;
mod http;
mod request;
mod resource;
mod settled;
mod status;
mod value;

pub(in crate::sink) use self::address::from_address;
pub use self::{
    builder::{OtlpSinkBuilder, OtlpSinkError},
    endpoint::Compression as OtlpCompression,
    export::OtlpSink,
};
#[cfg(any(test, fuzzing))]
pub(in crate::sink) use self::{http::played as http_played, status::played as grpc_played};
