//! Sinks by address, as a configuration file or an environment variable names them.
//!
//! | address | sink | options |
//! |---|---|---|
//! | `sqlite://audit.db`, `sqlite:///var/lib/docs/audit.db` | [`SqliteSink`](super::SqliteSink) | `prefix=audit_` |
//! | `postgres://user:password@host:5432/database` | [`PostgresSink`](super::PostgresSink) | `schema=public`, `prefix=audit_`, `sslmode=verify-full`, `ca=`, `cert=`, `key=`, `password_file=` |
//! | `mysql://user:password@host:3306/database`, `mariadb://…` | [`MysqlSink`](super::MysqlSink) | `prefix=audit_`, `sslmode=verify-full`, `ca=`, `cert=`, `key=`, `password_file=` |
//! | `file:///var/log/audit.jsonl`, `file://audit-{instance}.jsonl` | [`FileSink`](super::FileSink) | `format=ecs`, `rotate=100MB`, `age=1d`, `keep=10`, `compress=zstd` |
//! | `stdout://` | [`StdoutSink`](super::StdoutSink) | `format=ecs` |
//! | `otlp+grpc://collector:4317`, `otlp+https://collector:4318/v1/logs`, `otlp://` | [`OtlpSink`](super::OtlpSink) | `gzip=off`, `timeout=10s`, `token_file=`, `headers_file=`, `ca=` |
//! | `splunk+https://splunk:8088` | [`SplunkSink`](super::SplunkSink) | `token_file=`, `index=`, `sourcetype=`, `ack=on`, `ca=` |
//! | `https://siem/audit`, `http://…` | [`WebhookSink`](super::WebhookSink) | `secret_file=`, `headers_file=`, `body=lines`, `format=ecs`, `ca=` |
//! | `syslog+tls://siem:6514`, `syslog+tcp://siem:514` | [`SyslogSink`](super::SyslogSink) | `format=ecs`, `max_bytes=64KiB`, `ca=` |
//!
//! `docs/sinks.md` has all options, and what each sink promises.
//!
//! After `://`, a location that begins with `/` is an absolute path; any other is relative to the
//! working directory. Sizes are a number with `KB`, `MB`, `GB` (powers of 1000), `KiB`, `MiB`,
//! `GiB` (powers of 1024) or without a unit (bytes); times a number with `ms`, `s`, `m`, `h` or `d`.
//! `%20` and the like stand for the byte they name, in the location and in values.
//!
//! Nothing is guessed: an unknown scheme or option, an option given twice, a bad value is an
//! error that names it and says what would be right. Nothing is opened either: that a directory is
//! missing shows at the first delivery, and never keeps a service from starting.

#[cfg(feature = "file")]
use super::file;
#[cfg(feature = "http")]
use super::http;
pub use super::named::{ListError, Named, named};
#[cfg(feature = "otlp")]
use super::otlp;
#[cfg(feature = "_sql")]
use super::sql;
#[cfg(feature = "syslog")]
use super::syslog;
use super::{Sink, stdout};
use crate::address::Address;
pub use crate::address::UrlError;

/// Makes the sink that an address names.
///
/// `{instance}` in the name of a file needs [`parse_for`].
///
/// # Errors
///
/// [`UrlError`] names the part that is wrong, its value, and what would be right.
///
/// # Examples
///
/// ```
/// let error = tower_audit::sink::url::parse("flie:///var/log/audit.jsonl").err().unwrap();
/// assert_eq!(error.part, "scheme");
/// assert_eq!(error.expected, "did you mean file?");
/// ```
pub fn parse(address: &str) -> Result<Box<dyn Sink>, UrlError> {
    open(address, None)
}

/// Makes the sink that an address names, for this instance of a service.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_for(address: &str, instance: &str) -> Result<Box<dyn Sink>, UrlError> {
    open(address, Some(instance))
}

type Open = fn(Address, Option<&str>) -> Result<Box<dyn Sink>, UrlError>;

/// A scheme, the feature it needs, and what reads the rest of its addresses.
type Scheme = (&'static str, &'static str, Option<Open>);

macro_rules! scheme {
    ($scheme:literal, $feature:literal, $open:expr) => {{
        #[cfg(feature = $feature)]
        let open: Option<Open> = Some($open);
        #[cfg(not(feature = $feature))]
        let open: Option<Open> = None;
        ($scheme, $feature, open)
    }};
}

/// Every scheme there is, whether or not its feature is on.
const SCHEMES: [Scheme; 17] = [
    scheme!("file", "file", file::from_address),
    scheme!("sqlite", "sqlite", sql::sqlite::from_address),
    scheme!("postgres", "postgres", sql::postgres::from_address),
    scheme!("mysql", "mysql", sql::mysql::from_address),
    scheme!("mariadb", "mysql", sql::mysql::from_address),
    scheme!("otlp", "otlp", otlp::from_address),
    scheme!("otlp+grpc", "otlp", otlp::from_address),
    scheme!("otlp+grpcs", "otlp", otlp::from_address),
    scheme!("otlp+http", "otlp", otlp::from_address),
    scheme!("otlp+https", "otlp", otlp::from_address),
    scheme!("splunk+http", "http", http::splunk::from_address),
    scheme!("splunk+https", "http", http::splunk::from_address),
    scheme!("http", "http", http::webhook::from_address),
    scheme!("https", "http", http::webhook::from_address),
    scheme!("syslog+tcp", "syslog", syslog::from_address),
    scheme!("syslog+tls", "syslog", syslog::from_address),
    ("stdout", "", Some(stdout::from_address)),
];

fn open(address: &str, instance: Option<&str>) -> Result<Box<dyn Sink>, UrlError> {
    let address = Address::parse(address, &SCHEMES.map(|(scheme, ..)| scheme))?;
    let found = SCHEMES
        .iter()
        .find(|(scheme, ..)| *scheme == address.scheme);
    match found {
        Some((.., Some(open))) => open(address, instance),
        Some((_, feature, None)) => {
            let expected = format!(
                "this program was built without it: turn on the feature `{feature}` of tower-audit"
            );
            Err(UrlError::new("scheme", address.scheme, expected))
        }
        None => Err(UrlError::new("scheme", address.scheme, "no sink has it")),
    }
}
