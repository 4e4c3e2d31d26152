//! What several subjects need.

#[cfg(any(feature = "file", feature = "sqlite"))]
pub(crate) mod batches;
#[cfg(all(feature = "testing", feature = "axum"))]
pub(crate) mod curious;
#[cfg(all(feature = "testing", feature = "file", feature = "sqlite"))]
#[path = "../../crash/found.rs"]
#[expect(dead_code, reason = "the crash test needs more of it")]
pub(crate) mod found;
pub(crate) mod namings;
pub(crate) mod project;
#[expect(dead_code, reason = "not every feature has a server to speak to")]
pub(crate) mod services;
#[cfg(all(feature = "testing", feature = "axum"))]
pub(crate) mod web;
