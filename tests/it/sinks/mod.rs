//! What the sinks that come with the crate promise.

#[cfg(feature = "sqlite")]
mod sqlite;
