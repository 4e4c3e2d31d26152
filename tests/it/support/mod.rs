//! What several subjects need.

#[cfg(any(
    feature = "file",
    feature = "http",
    feature = "mysql",
    feature = "otlp",
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
#[cfg(feature = "mysql")]
pub(crate) mod mariadb;
pub(crate) mod namings;
#[cfg(any(
    feature = "http",
    feature = "mysql",
    feature = "otlp",
    feature = "postgres"
))]
pub(crate) mod port;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod project;
#[cfg(feature = "http")]
pub(crate) mod receiver;
#[expect(dead_code, reason = "not every feature has a server to speak to")]
pub(crate) mod services;
#[cfg(any(feature = "http", feature = "syslog"))]
pub(crate) mod tls;
#[cfg(all(feature = "testing", feature = "axum"))]
pub(crate) mod web;
