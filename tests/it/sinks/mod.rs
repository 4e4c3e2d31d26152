//! What the sinks that come with the crate promise.

#[cfg(feature = "file")]
mod file;
#[cfg(feature = "file")]
mod formats;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "mysql")]
mod mysql_faults;
#[cfg(feature = "mysql")]
mod mysql_owner;
#[cfg(feature = "mysql")]
mod mysql_restore;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod postgres_faults;
#[cfg(feature = "postgres")]
mod postgres_interrupted;
#[cfg(feature = "postgres")]
mod postgres_months;
#[cfg(feature = "postgres")]
mod postgres_owner;
#[cfg(feature = "http")]
mod splunk;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "sqlite")]
mod sqlite_faults;
#[cfg(feature = "cli")]
mod stdout;
#[cfg(feature = "syslog")]
mod syslog;
mod url;
#[cfg(all(feature = "http", feature = "testing"))]
mod webhook;
