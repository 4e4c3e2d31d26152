//! What several subjects need.

#[cfg(any(
    feature = "file",
    feature = "http",
    feature = "postgres",
    feature = "sqlite",
    feature = "syslog"
))]
pub(crate) mod batches;
#[cfg(all(feature = "testing", feature = "axum"))]
pub(crate) mod curious;
#[cfg(all(feature = "testing", feature = "file", feature = "sqlite"))]
#[path = "../../crash/found.rs"]
#[expect(dead_code, reason = "the crash test needs more of it")]
pub(crate) mod found;
#[cfg(feature = "http")]
pub(crate) mod hec;
pub(crate) mod namings;
#[expect(dead_code, reason = "not every feature has a server to speak to")]
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod project;
#[cfg(feature = "http")]
pub(crate) mod receiver;
pub(crate) mod services;
#[cfg(all(feature = "testing", feature = "axum"))]
pub(crate) mod web;
