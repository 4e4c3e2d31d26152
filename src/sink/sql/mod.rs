//! Sinks that keep records in the tables of a database.
//!
//! [`SqlSink`] is the sink, for any [`Database`]; each database has a public type around it, with
//! its own settings.

#[cfg(feature = "mysql")]
pub(super) mod mysql;
#[cfg(feature = "postgres")]
pub(super) mod postgres;
#[cfg(feature = "sqlite")]
pub(super) mod sqlite;
pub mod tables;

use std::{collections::BTreeMap, fmt};

#[cfg(feature = "mysql")]
pub use self::mysql::MysqlSink;
#[cfg(feature = "postgres")]
pub use self::postgres::PostgresSink;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteSink;
use super::{Batch, Limits, SinkError};
use crate::{
    record::Origin,
    sql::{
        database::{Connection, Database},
        fault::{Fault, OpenError, reason},
        group::Group,
        migrate,
        rows::Row,
        write::{End, WriteError, write},
    },
};

/// A sink on tables. A call that was cancelled leaves nothing behind.
struct SqlSink<D: Database> {
    database: D,
    /// Out of its place during every call, so that the connection of a call that was cancelled is
    /// dropped with it, and its transaction rolled back.
    opened: Option<Opened<D>>,
    /// Where the cursor of each trail stood last. It never goes back while the tables are the same,
    /// so it outlives connections, and only [`position`](Self::position) lowers it.
    seen: BTreeMap<uuid::Uuid, u64>,
}

/// A connection to tables that can be used.
struct Opened<D: Database> {
    connection: Connection<D>,
    /// What the connection was opened on.
    identity: Option<(u64, u64)>,
}

impl<D: Database> SqlSink<D> {
    fn new(database: D) -> Self {
        Self {
            database,
            opened: None,
            seen: BTreeMap::new(),
        }
    }

    fn limits() -> Limits {
        let (records, bytes) = D::LIMITS;
        Limits::new(records, bytes)
    }

    async fn take_connection(&mut self) -> Result<Opened<D>, SinkError> {
        if let Some(opened) = self.opened.take() {
            return if opened.identity == self.database.identity() {
                Ok(opened)
            } else {
                // The caller asks for the position again, which closes the gap if the file that
                // is there now is an older copy.
                Err(SinkError::retry(
                    self.reason("the file was replaced or removed"),
                ))
            };
        }
        match self.open().await {
            Ok(connection) => Ok(Opened {
                connection,
                identity: self.database.identity(),
            }),
            Err(OpenError::Database(error)) => Err(self.explain(&error)),
            Err(error) => Err(SinkError::blocked(self.reason(error))),
        }
    }

    async fn open(&self) -> Result<Connection<D>, OpenError> {
        let mut connection = self.database.connect().await?;
        migrate::make_usable(&self.database, &mut connection).await?;
        Ok(connection)
    }

    async fn probe(&mut self) -> Result<(), SinkError> {
        self.opened = Some(self.take_connection().await?);
        Ok(())
    }

    async fn position(&mut self, origin: &Origin) -> Result<Option<u64>, SinkError> {
        let mut opened = self.take_connection().await?;
        let position = self.database.position(&mut opened.connection, origin).await;
        // A trail that is not here is wanted from its beginning: the database may be an older
        // copy from before the trail began, and then the cursor file would leave a gap.
        let position = position.map_err(|error| self.explain(&error))?.unwrap_or(0);
        self.seen.insert(origin.trail, position);
        self.opened = Some(opened);
        Ok(Some(position))
    }

    async fn store(&mut self, batch: &Batch, end: End) -> Result<(), SinkError> {
        let group = group(batch)?;
        let mut opened = self.take_connection().await?;
        let trail = group.origin.trail;
        let seen = self.seen.get(&trail).copied().unwrap_or(0);
        match write(&self.database, &mut opened.connection, &group, seen, end).await {
            Ok(()) => {
                if end == End::Commit && !group.chosen {
                    self.seen.insert(trail, seen.max(group.next));
                }
                self.opened = Some(opened);
                Ok(())
            }
            Err(WriteError::Conflict(numbers)) => {
                self.opened = Some(opened);
                Err(SinkError::refused(numbers, CONFLICT))
            }
            // With a new connection the caller asks for the position again, which closes the gap.
            Err(WriteError::PutBack) => Err(SinkError::retry(self.reason(PUT_BACK))),
            Err(WriteError::Altered) => Err(SinkError::blocked(self.reason(ALTERED_KEYS))),
            // The connection is not used again after any other error: what state it is in is
            // not worth finding out.
            Err(WriteError::Database(error)) => Err(self.explain(&error)),
        }
    }

    async fn concerns(&mut self) -> Result<Vec<String>, SinkError> {
        let mut opened = self.take_connection().await?;
        let concerns = self.database.concerns(&mut opened.connection).await;
        let mut concerns = concerns.map_err(|error| self.explain(&error))?;
        let older = migrate::concern(&self.database, &mut opened.connection).await;
        concerns.extend(older.map_err(|error| self.explain(&error))?);
        self.opened = Some(opened);
        Ok(concerns)
    }

    async fn close(&mut self) -> Result<(), SinkError> {
        let Some(opened) = self.opened.take() else {
            return Ok(());
        };
        // The last connection to leave moves SQLite's write-ahead log into the database.
        sqlx::Connection::close(opened.connection)
            .await
            .map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &sqlx::Error) -> SinkError {
        let fault = D::fault(error);
        let reason = self.reason(reason(error, fault));
        match fault {
            Fault::Repair(_) => SinkError::blocked(reason),
            Fault::Refused => SinkError::refused(Vec::new(), reason),
            Fault::Passing | Fault::Constraint | Fault::Interrupted => SinkError::retry(reason),
        }
    }

    fn reason(&self, what: impl fmt::Display) -> String {
        format!("{}: {what}", self.database.address())
    }
}

impl<D: Database> fmt::Debug for SqlSink<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlSink")
            .field("database", &self.database)
            .field("connected", &self.opened.is_some())
            .finish()
    }
}

const CONFLICT: &str = "the database already holds other bytes under the id of these records, \
                        or another record in their place of the trail";

const ALTERED_KEYS: &str = "a key that is not tower-audit's, or the counter of arrivals, keeps \
                            records out that are not there: restore the tables, or give another prefix";

const PUT_BACK: &str = "the tables are older than they were: what is missing comes again";

/// Reads the columns of every record, or says which records are none.
fn group(batch: &Batch) -> Result<Group<'_>, SinkError> {
    let mut rows = Vec::with_capacity(batch.records.len());
    let mut refused = Vec::new();
    let mut first_reason = None;
    for record in &batch.records {
        match Row::new(record.number, record.leaf.as_bytes(), &record.json) {
            Ok(row) => rows.push(row),
            Err(error) => {
                refused.push(record.number);
                first_reason.get_or_insert(error);
            }
        }
    }
    match first_reason {
        Some(error) => Err(SinkError::refused(refused, error.to_string())),
        None => Ok(Group {
            origin: &batch.origin,
            received: batch.received,
            next: batch.next,
            head: batch.head.map(|head| (head.size, *head.root.as_bytes())),
            rows,
            chosen: batch.chosen,
        }),
    }
}

/// Makes a public type around a [`SqlSink`] a sink.
macro_rules! sink_over_tables {
    ($sink:ty, $database:ty) => {
        impl Sink for $sink {
            fn kind(&self) -> &'static str {
                <$database>::KIND
            }

            fn address(&self) -> String {
                self.0.database.address()
            }

            fn limits(&self) -> Limits {
                SqlSink::<$database>::limits()
            }

            fn position<'a>(&'a mut self, origin: &'a Origin) -> SinkFuture<'a, Option<u64>> {
                Box::pin(self.0.position(origin))
            }

            fn probe(&mut self) -> SinkFuture<'_, ()> {
                Box::pin(self.0.probe())
            }

            /// Stores the batch and takes it back.
            fn test<'a>(&'a mut self, batch: &'a Batch) -> SinkFuture<'a, ()> {
                Box::pin(self.0.store(batch, End::Rollback))
            }

            fn deliver<'a>(&'a mut self, batch: &'a Batch) -> SinkFuture<'a, ()> {
                Box::pin(self.0.store(batch, End::Commit))
            }

            fn concerns(&mut self) -> SinkFuture<'_, Vec<String>> {
                Box::pin(self.0.concerns())
            }

            fn close(&mut self) -> SinkFuture<'_, ()> {
                Box::pin(self.0.close())
            }
        }
    };
}
use sink_over_tables;
