//! Records that commit together with the change they are about.
//!
//! A service with a database writes the record of a change into the table `audit_outbox`, inside
//! the transaction of the change. `docs/same-transaction.md` tells when to use it, and how from
//! another database library.
//!
//! # What is promised
//!
//! - A change that was committed is in the trail, whatever happens to the process afterwards.
//! - A change that was rolled back leaves the attempt: the record of the request or job, with its
//!   real outcome. The row is gone with the transaction.
//! - Either way one record, under one id.
//!
//! # In what order
//!
//! 1. The row is written in the caller's transaction, and committed with it.
//! 2. The work ends, and its record is written into the trail as always: same id, real outcome.
//! 3. Once that is durable, the row is removed; a few times a second, in batches, from a thread of
//!    the trail.
//! 4. What a crash left in the table is looked at when a trail starts, and whenever trails of dead
//!    processes are adopted: a row whose record is in a journal is removed, any other is written
//!    into the trail as it stands, and removed once it is durable.
//!
//! # What can be doubled
//!
//! A row of a trail that is not below the base directory can only be judged by its age. After
//! [`Outbox::abandoned_after`] whoever sees it takes it over; when its trail lives all the same, or
//! was lost after it had written the record, that record exists twice, with one id.

mod error;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
mod table;

use std::{fmt, future::Future, pin::Pin, time::Duration};

use uuid::Uuid;

use crate::{clock::RecordId, record::Owner};

pub use self::error::OutboxError;
#[cfg(feature = "mysql")]
pub use self::mysql::MysqlOutbox;
#[cfg(feature = "postgres")]
pub use self::postgres::PostgresOutbox;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteOutbox;

/// An outbox of any database, for `AuditBuilder::outbox`.
#[derive(Debug)]
#[must_use = "give it to `AuditBuilder::outbox`"]
pub struct Outbox {
    /// One connection for each thread that works on the rows.
    pub(crate) removing: Box<dyn Rows>,
    pub(crate) looking: Box<dyn Rows>,
    pub(crate) abandoned_after: Duration,
}

impl Outbox {
    /// The default of [`abandoned_after`](Self::abandoned_after): an hour.
    pub const ABANDONED_AFTER: Duration = Duration::from_secs(60 * 60);

    fn new(rows: impl Fn() -> Box<dyn Rows>) -> Self {
        Self {
            removing: rows(),
            looking: rows(),
            abandoned_after: Self::ABANDONED_AFTER,
        }
    }

    /// How old the row of a trail that is not below the base directory must be, counted from the
    /// begin of its work, before this trail takes it over. Default: 1 hour.
    ///
    /// Longer than any work that writes into the outbox, when instances with other base
    /// directories share the database.
    pub const fn abandoned_after(mut self, age: Duration) -> Self {
        self.abandoned_after = age;
        self
    }
}

/// What a row that nobody answers for is marked with, in place of a run.
const UNREADABLE: &str = "unreadable";

/// A row that another run left.
pub(crate) struct LeftOver {
    pub(crate) id: String,
    /// `None`: larger than any record.
    pub(crate) record: Option<String>,
}

impl fmt::Debug for LeftOver {
    /// Never the record.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeftOver")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What a call on the rows gives.
pub(crate) type RowsFuture<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, OutboxError>> + Send + 'a>>;

/// The rows of one database, over a connection of its own. Connects when it must; a call that
/// failed or was dropped has changed all or nothing, and may be made again.
pub(crate) trait Rows: fmt::Debug + Send {
    /// The database, without secrets.
    fn address(&self) -> String;

    /// Removes rows; those that are not there are fine. Gives how many were.
    fn remove<'a>(&'a mut self, ids: &'a [RecordId]) -> RowsFuture<'a, u64>;

    /// The trails that have rows of another run than `own`.
    fn trails(&mut self, own: Owner) -> RowsFuture<'_, Vec<String>>;

    /// Makes the rows of another trail rows that `own` answers for; with `before` only those whose
    /// id is lower.
    fn claim<'a>(
        &'a mut self,
        trail: &'a str,
        own: Owner,
        before: Option<RecordId>,
    ) -> RowsFuture<'a, ()>;

    /// The first rows of the trail of `own` that another run left, by their ids.
    fn left(&mut self, own: Owner, limit: u32) -> RowsFuture<'_, Vec<LeftOver>>;

    /// Marks rows that are no records, so that they are not looked at again.
    fn set_aside<'a>(&'a mut self, ids: &'a [String]) -> RowsFuture<'a, ()>;
}

/// The run of rows that were claimed: nobody's.
const CLAIMED: Uuid = Uuid::nil();
