//! The one integration test binary: each subject is a module, so that the crate is linked once.

#[cfg(test)]
#[cfg(all(feature = "testing", feature = "axum"))]
mod address_form;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "axum"))]
mod answers;
#[cfg(test)]
#[cfg(feature = "testing")]
mod audit;
#[cfg(test)]
#[cfg(all(
    feature = "testing",
    feature = "http",
    feature = "otlp",
    feature = "postgres",
    feature = "sqlite"
))]
mod bad_sinks;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "axum"))]
mod bodies;
#[cfg(test)]
mod catalogue;
#[cfg(test)]
#[cfg(feature = "cli")]
mod cli;
#[cfg(test)]
#[cfg(feature = "testing")]
mod client_address;
#[cfg(test)]
#[cfg(feature = "testing")]
mod conformance;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "axum"))]
mod context;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "axum"))]
mod crowds;
#[cfg(test)]
mod docs;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "axum"))]
mod endings;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "file", feature = "sqlite"))]
mod endurance;
#[cfg(test)]
#[cfg(all(feature = "export", feature = "sqlite"))]
mod export;
#[cfg(test)]
#[cfg(feature = "testing")]
mod flood;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "axum"))]
mod grpc;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "axum"))]
mod hostile;
#[cfg(test)]
#[cfg(feature = "testing")]
mod input;
#[cfg(test)]
#[cfg(feature = "testing")]
mod input_records;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "axum"))]
mod inventory;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "axum"))]
mod late_routes;
#[cfg(test)]
mod layers;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "metrics"))]
mod metrics;
#[cfg(test)]
#[cfg(feature = "testing")]
mod operations;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "sqlite"))]
mod outbox;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "axum"))]
mod panics;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "axum"))]
mod policy;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "axum"))]
mod public_api;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "file", feature = "sqlite"))]
mod real_disk;
#[cfg(test)]
mod record;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "axum", feature = "file"))]
mod redaction;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "axum"))]
mod requests;
#[cfg(test)]
#[cfg(all(feature = "file", feature = "sqlite"))]
mod restore;
#[cfg(test)]
#[cfg(all(
    feature = "mysql",
    feature = "postgres",
    feature = "sqlite",
    feature = "toml"
))]
mod retention;
#[cfg(test)]
#[cfg(feature = "testing")]
mod scope;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "axum"))]
mod session_key;
#[cfg(test)]
mod sinks;
#[cfg(test)]
#[cfg(feature = "testing")]
mod sinks_asked;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "axum"))]
mod skipped;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "axum"))]
mod stacks;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "axum"))]
mod steps;
#[cfg(test)]
#[cfg(feature = "sqlite")]
mod store;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "axum"))]
mod strict;
#[cfg(test)]
mod support;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "axum"))]
mod tonic_calls;
#[cfg(test)]
#[cfg(all(feature = "testing", feature = "tracing"))]
mod tracing;
#[cfg(test)]
#[cfg(feature = "testing")]
mod upkeep;
#[cfg(test)]
#[cfg(all(
    feature = "testing",
    feature = "axum",
    feature = "sqlite",
    feature = "viewer"
))]
mod viewer;
