//! Where records go: the [`Sink`] trait and the sinks that come with the crate.
//!
//! # Contract
//!
//! A follower reads one journal in order and hands each record to its sink in batches. For each
//! batch the sink answers once:
//!
//! - `Ok(())`: every record of the batch is stored as durably as this sink can. The follower
//!   moves its cursor past the batch.
//! - [`SinkError::Retry`]: nothing is known to be stored; the same batch comes again, later.
//! - [`SinkError::Blocked`]: nothing can be stored until somebody repairs something (credentials,
//!   a missing table, a wrong address). The cursor stands, retries are slow, health is red.
//! - [`SinkError::Refused`]: these records will never be accepted. The follower puts them into
//!   the dead letters and delivers the others. When the sink cannot say which ones (an empty
//!   list), the batch is halved until they are found.
//!
//! `deliver` may be cancelled at any await point, when its deadline passes. What an interrupted
//! call did is unknown, so the same batch comes again. A sink that can keep its own
//! [`position`](Sink::position) in the same transaction as the records makes that harmless;
//! any other sink may see a record twice, with the same id.
//!
//! A batch belongs to one trail. A sink may be given batches of several trails (a trail that a
//! dead process left behind is delivered by the living one), in any order between trails and in
//! ascending order of number within one.

#[cfg(feature = "file")]
pub(crate) mod file;
#[cfg(feature = "_http")]
mod http;
mod named;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(any(test, fuzzing))]
#[cfg(all(feature = "http", feature = "otlp"))]
pub(crate) mod played;
#[cfg(feature = "_sql")]
mod sql;
mod stdout;
#[cfg(feature = "syslog")]
mod syslog;
#[cfg(feature = "_tls")]
mod tls;
pub mod url;

use std::{fmt, future::Future, pin::Pin, time::Duration};

#[cfg(feature = "file")]
pub use self::file::{FileSink, FileSinkBuilder, FileSinkError};
#[cfg(feature = "http")]
pub use self::http::{SplunkSink, SplunkSinkBuilder, WebhookSink, WebhookSinkBuilder};
#[cfg(feature = "otlp")]
pub use self::otlp::{OtlpCompression, OtlpSink, OtlpSinkBuilder, OtlpSinkError};
#[cfg(feature = "mysql")]
pub use self::sql::MysqlSink;
#[cfg(feature = "postgres")]
pub use self::sql::PostgresSink;
#[cfg(feature = "sqlite")]
pub use self::sql::SqliteSink;
#[cfg(feature = "_sql")]
pub use self::sql::tables;
pub use self::stdout::StdoutSink;
#[cfg(feature = "syslog")]
pub use self::syslog::{SyslogSink, SyslogSinkBuilder};
#[cfg(feature = "_sql")]
pub use crate::sql::{TablePrefix, TablePrefixError};
use crate::{
    address::{Address, UrlError},
    clock::Timestamp,
    evidence::{Hash, TreeHead},
    format::Format,
    record::Origin,
};

/// Takes `format=` out of an address.
pub(in crate::sink) fn format_option(address: &mut Address) -> Result<Format, UrlError> {
    let expected = "write native, ecs, ocsf or grist";
    let format = address.take("format", expected, |text| text.parse().ok())?;
    Ok(format.unwrap_or_default())
}

/// A boxed future, as every method of [`Sink`] returns it.
pub type SinkFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, SinkError>> + Send + 'a>>;

/// A destination for records.
pub trait Sink: Send + 'static {
    /// A name for health, statistics and messages. No secrets: it is written to the trail.
    fn kind(&self) -> &'static str;

    /// The destination without secrets, for a person: `sqlite://audit.db`, `file:///var/log/audit.jsonl`.
    fn address(&self) -> String;

    /// The largest batch this sink takes.
    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// The next number this sink wants of a trail, if it keeps that itself.
    ///
    /// `Ok(None)` means: ask the cursor file. A sink that answers `Some` wins over the cursor, so
    /// that a database restored from a backup is refilled from the journal.
    fn position<'a>(&'a mut self, origin: &'a Origin) -> SinkFuture<'a, Option<u64>> {
        let _ = origin;
        Box::pin(async { Ok(None) })
    }

    /// Finds out whether batches would be taken, and leaves nothing behind: reaches the destination
    /// and shows the credentials, as far as it can be asked. Default: nothing is asked.
    ///
    /// Called once before the first batch, so that what is wrong shows at the start.
    fn probe(&mut self) -> SinkFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    /// Sends a batch of one record that says it is a test, when a person asks for it. Default: as
    /// any other; a destination that can take it back does.
    fn test<'a>(&'a mut self, batch: &'a Batch) -> SinkFuture<'a, ()> {
        self.deliver(batch)
    }

    /// Stores all records of a batch, or none.
    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> SinkFuture<'a, ()>;

    /// What somebody should see to before it becomes a fault, for a person; no secrets. Default:
    /// nothing. Records are delivered all the same.
    ///
    /// Asked seldom: it may cost the destination a look at itself.
    fn concerns(&mut self) -> SinkFuture<'_, Vec<String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Called once before the sink is dropped at an orderly shutdown.
    fn close(&mut self) -> SinkFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// The largest batch a sink takes; whichever is reached first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Records in one batch; at least 1.
    pub max_records: usize,
    /// Bytes of JSON in one batch. One record larger than this still makes a batch of its own.
    pub max_bytes: usize,
}

impl Limits {
    /// At most `max_records` (at least 1) and `max_bytes` of JSON in a batch.
    #[must_use]
    pub fn new(max_records: usize, max_bytes: usize) -> Self {
        Self {
            max_records: max_records.max(1),
            max_bytes,
        }
    }
}

impl Default for Limits {
    /// 1000 records, 1 MiB.
    fn default() -> Self {
        Self::new(1000, 1024 * 1024)
    }
}

/// Records of one trail, in ascending order of number, with everything needed to prove them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Batch {
    /// Where the records come from.
    pub origin: Origin,
    /// When this batch was read for delivery: the server's clock, not the records'.
    pub received: Timestamp,
    /// The records; never empty.
    pub records: Vec<Delivery>,
    /// The number after the last record: what [`Sink::position`] answers once this batch holds.
    ///
    /// Larger than the last number plus one where damaged or pruned records were passed over.
    pub next: u64,
    /// The tree head of a commit that covers exactly the numbers below [`next`](Self::next),
    /// when the batch ends at one.
    pub head: Option<TreeHead>,
    /// The records were chosen, as a replay of dead letters does it: nothing is said of those
    /// before or between them. A sink that keeps its position does not move it for this batch.
    pub chosen: bool,
}

impl Batch {
    /// A batch of `records` that ends before `next`.
    #[must_use]
    pub fn new(origin: Origin, received: Timestamp, records: Vec<Delivery>, next: u64) -> Self {
        Self {
            origin,
            received,
            records,
            next,
            head: None,
            chosen: false,
        }
    }

    /// Says whether the records were chosen: then the sink's position stays where it is.
    #[must_use]
    pub fn chosen(mut self, chosen: bool) -> Self {
        self.chosen = chosen;
        self
    }

    /// Adds the tree head that covers everything below [`next`](Self::next).
    #[must_use]
    pub fn head(mut self, head: Option<TreeHead>) -> Self {
        self.head = head;
        self
    }
}

/// One record on its way to a sink.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// The leaf index: the record's place in its trail, without gaps.
    pub number: u64,
    /// The RFC 6962 leaf hash of [`json`](Self::json).
    pub leaf: Hash,
    /// The record's exact bytes.
    pub json: Box<str>,
}

impl Delivery {
    /// A record with its number and leaf.
    #[must_use]
    pub fn new(number: u64, leaf: Hash, json: impl Into<Box<str>>) -> Self {
        Self {
            number,
            leaf,
            json: json.into(),
        }
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The record itself stays out: Debug output ends up in logs.
        f.debug_struct("Delivery")
            .field("number", &self.number)
            .field("leaf", &self.leaf)
            .finish_non_exhaustive()
    }
}

/// Why a batch was not stored, and so what happens to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// A passing fault: the same batch comes again after `after`, or after the usual back-off.
    #[error("delivery failed and will be tried again: {reason}")]
    Retry {
        /// What failed, for a person; no secrets, no text from records.
        reason: String,
        /// How long the destination asked to wait; honoured up to 5 minutes.
        after: Option<Duration>,
        /// Whether nothing of the batch can be there: see [`SinkError::unsent`].
        unsent: bool,
    },
    /// Somebody must repair something first. Nothing is dead-lettered, however long it takes.
    #[error("delivery is blocked until somebody acts: {reason}")]
    Blocked {
        /// What to repair, for a person; no secrets, no text from records.
        reason: String,
    },
    /// The destination will never take these records.
    #[error("the destination refused {} records: {reason}", .numbers.len())]
    Refused {
        /// Their numbers; empty when the destination did not say.
        numbers: Vec<u64>,
        /// Why, for a person; no secrets, no text from records.
        reason: String,
    },
}

impl SinkError {
    /// A passing fault without a wish for when to come back.
    #[must_use]
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry {
            reason: reason.into(),
            after: None,
            unsent: false,
        }
    }

    /// The same, of a passing fault after which nothing of the batch can be at the destination,
    /// such as a connection that never came about. Other faults stay as they are.
    ///
    /// Records that come again after any other passing fault may be there twice, and are counted
    /// as `resent`.
    #[must_use]
    pub fn unsent(mut self) -> Self {
        if let Self::Retry { unsent, .. } = &mut self {
            *unsent = true;
        }
        self
    }

    /// A fault that needs a person.
    #[must_use]
    pub fn blocked(reason: impl Into<String>) -> Self {
        Self::Blocked {
            reason: reason.into(),
        }
    }

    /// A refusal of the records with these numbers; empty when unknown.
    #[must_use]
    pub fn refused(numbers: Vec<u64>, reason: impl Into<String>) -> Self {
        Self::Refused {
            numbers,
            reason: reason.into(),
        }
    }
}
