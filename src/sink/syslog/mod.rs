//! A sink that speaks syslog.

mod builder;
mod connection;
mod message;
mod shrink;

use std::fmt;

pub use self::builder::SyslogSinkBuilder;
pub(super) use self::builder::from_address;
use self::{builder::Settings, connection::Connection};
use super::{Batch, Limits, Sink, SinkError, SinkFuture};

/// Sends records as syslog messages (RFC 5424) over TCP with octet counting (RFC 6587), or over
/// TLS (RFC 5425).
///
/// ```text
/// <110>1 2026-11-20T13:34:01.000045Z web-1 docs - audit [audit@32473 action="document.create"
///  outcome="success" trail="0199a3c8-…" number="41" leaf="9f86d0…"] {"trail":"0199a3c8-…",…}
/// ```
///
/// (one line; broken here)
///
/// | part | is |
/// |---|---|
/// | facility | 13, log audit, unless it is set |
/// | severity | by outcome: success 6, failure and cancelled 5, denied and unknown 4, error 3 |
/// | time stamp | the record's own, to the microsecond |
/// | host name | the instance of the service, unless it is set |
/// | app name | the service, unless it is set |
/// | message id | `audit` |
/// | structured data | `audit@32473`, or another enterprise number: action, outcome, trail, number, leaf; `omitted`, see below |
/// | message | the record in the chosen format: JSON, without the byte order mark that RFC 5424 wants before UTF-8, because JSON (RFC 8259) must not have one |
///
/// # Size
///
/// A receiver cuts what is too long for it, and JSON that is cut is no JSON. So a message has at
/// most [`MAX_BYTES`](Self::MAX_BYTES) unless it is set: what RFC 5425 asks every receiver to
/// take, and where rsyslog cuts by default. A record that is larger gives up `details`, then
/// `changes`, then `error`, `context`, `targets`, then all but its id, time stamp, action and
/// outcome. `omitted="details changes"` names what was given up; the leaf hash is that of the
/// whole record, which stays in the journal.
///
/// # What holds
///
/// Syslog has no acknowledgement. What TCP takes may never be read: it lies in buffers that go down
/// with the receiver. So by default each batch has a connection of its own: the sink sends the
/// batch, closes its side, and waits until the receiver has closed the other one. The system
/// closes it in order only if the receiver had read everything; if something was left, it is reset,
/// and the batch comes again. So what is delivered was read by the receiver: at least once, with one
/// batch twice for each outage at most. With TLS the receiver must say that it closes, so
/// that nobody in between can do it. What the receiver does then is its own: give rsyslog a queue on
/// disk.
///
/// For a receiver that does not close, [`unconfirmed`](SyslogSinkBuilder::unconfirmed) keeps one
/// connection open and counts as delivered what the system has taken. Whenever the receiver
/// stops, that loses what it had not read: up to some megabytes.
pub struct SyslogSink {
    settings: Settings,
    /// Only where batches are not confirmed.
    kept: Option<Connection>,
    trust: connection::Trust,
}

/// When a batch counts as delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Confirm {
    /// When the receiver has closed a connection that held it and nothing after it.
    #[default]
    Close,
    /// When the system has taken it.
    Nothing,
}

impl SyslogSink {
    /// How long a message is at most unless it is set: 8192 bytes, without the count before it.
    pub const MAX_BYTES: usize = 8192;

    /// The least that can be set: 2048 bytes, which every receiver of RFC 5425 takes.
    pub const LEAST_MAX_BYTES: usize = 2048;

    /// The largest batch: 1000 records and 1 MiB.
    pub const LIMITS: (usize, usize) = (1000, 1024 * 1024);

    /// A sink that sends to this host and port, over TCP without encryption.
    #[must_use]
    pub fn tcp(host: impl Into<String>, port: u16) -> SyslogSinkBuilder {
        SyslogSinkBuilder::new(host.into(), port, None)
    }

    /// A sink that sends to this host and port, over TLS.
    #[must_use]
    pub fn tls(host: impl Into<String>, port: u16) -> SyslogSinkBuilder {
        SyslogSinkBuilder::new(host.into(), port, Some(super::tls::TlsFiles::default()))
    }

    async fn send(&mut self, batch: &Batch) -> Result<(), SinkError> {
        let frames = message::encode(&self.settings, batch)?;
        // Taken out: a call that is given up takes its connection along.
        let mut kept = self.kept.take();
        if let Some(connection) = &mut kept
            && !connection.is_open().await
        {
            kept = None;
        }
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        connection.write(&frames).await?;
        match self.settings.confirm {
            Confirm::Close => connection.finish().await,
            Confirm::Nothing => {
                self.kept = Some(connection);
                Ok(())
            }
        }
    }

    async fn connect(&mut self) -> Result<Connection, SinkError> {
        let settings = &self.settings;
        Connection::open(
            &settings.host,
            settings.port,
            settings.tls.as_ref(),
            &mut self.trust,
        )
        .await
    }
}

impl fmt::Debug for SyslogSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyslogSink")
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

impl Sink for SyslogSink {
    fn kind(&self) -> &'static str {
        "syslog"
    }

    fn address(&self) -> String {
        self.settings.address()
    }

    fn limits(&self) -> Limits {
        let (records, bytes) = Self::LIMITS;
        Limits::new(records, bytes)
    }

    /// Connects and closes again, so that a receiver that does not close is found at the start.
    fn probe(&mut self) -> SinkFuture<'_, ()> {
        Box::pin(async {
            let connection = self.connect().await?;
            match self.settings.confirm {
                Confirm::Close => connection.finish().await,
                Confirm::Nothing => Ok(()),
            }
        })
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> SinkFuture<'a, ()> {
        Box::pin(self.send(batch))
    }

    /// Lets the receiver read what it has not read yet.
    fn close(&mut self) -> SinkFuture<'_, ()> {
        Box::pin(async {
            match self.kept.take() {
                Some(connection) => connection.finish().await,
                None => Ok(()),
            }
        })
    }
}
