//! A sink that keeps records in a database.

use std::{path::PathBuf, time::Duration};

use sqlx::SqliteConnection;

use super::{Batch, Limits, Sink, SinkError, SinkFuture};
use crate::{
    address::{Address, UrlError},
    record::Origin,
    sql::{
        TablePrefix,
        location::{self, Location},
        rows::Row,
        sqlite::{self, Access, Fault, Group, MigrateError, Statements, WriteError},
    },
};

/// Keeps records in a SQLite database: the embedded default, and what `store` reads.
///
/// - The file is opened, made (mode 0600) and brought up to date at the first call, never before:
///   a database that is missing or locked does not keep a service from starting.
/// - A batch is one transaction, synced before it is acknowledged, and holds the cursor of its
///   trail: nothing is doubled. An older copy of the file that is put back says itself how far it
///   comes, and what it lacks is delivered again for as long as the journal has it.
/// - A record that is there already with the same bytes is accepted once more; other bytes under
///   the same id, or another record in the same place of a trail, are refused.
///
/// # When it waits
///
/// A lock that another process holds for longer than the busy time-out, a full or failing disk: the batch
/// is tried again. A missing directory, a missing permission, a file that is no database, tables
/// of a newer major format: blocked until somebody acts, with the reason.
#[derive(Debug)]
pub struct SqliteSink {
    path: PathBuf,
    prefix: TablePrefix,
    busy_timeout: Duration,
    statements: Statements,
    /// Out of its place during every call, so that a call that was cancelled leaves nothing
    /// behind: the connection is dropped with it, and its transaction rolled back.
    opened: Option<Opened>,
}

/// A connection, and the file it was opened on.
#[derive(Debug)]
struct Opened {
    connection: SqliteConnection,
    file: Option<(u64, u64)>,
}

impl SqliteSink {
    /// Records in one batch: enough to make one sync cheap, few enough to keep readers waiting
    /// for milliseconds only.
    const LIMITS: (usize, usize) = (2000, 2 * 1024 * 1024);

    /// The default of [`busy_timeout`](Self::busy_timeout): 5 seconds.
    pub const BUSY_TIMEOUT: Duration = sqlite::BUSY_TIMEOUT;

    /// A sink on this file, with tables that begin with `audit_`. Opens nothing yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let prefix = TablePrefix::default();
        Self {
            path: path.into(),
            statements: Statements::new(&prefix),
            prefix,
            busy_timeout: Self::BUSY_TIMEOUT,
            opened: None,
        }
    }

    /// What the names of the tables begin with. Default: `audit_`.
    #[must_use]
    pub fn table_prefix(mut self, prefix: TablePrefix) -> Self {
        self.statements = Statements::new(&prefix);
        self.prefix = prefix;
        self
    }

    /// How long a call waits for another process's lock before the batch is tried again later.
    /// Default: [`BUSY_TIMEOUT`](Self::BUSY_TIMEOUT).
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    async fn take_connection(&mut self) -> Result<Opened, SinkError> {
        if let Some(opened) = self.opened.take() {
            return if opened.file == sqlite::identity(&self.path) {
                Ok(opened)
            } else {
                // The caller asks for the position again, which closes the gap if the file that
                // is there now is an older copy.
                Err(SinkError::retry(
                    self.reason("the file was replaced or removed"),
                ))
            };
        }
        let opened = sqlite::connect(&self.path, Access::Write, self.busy_timeout).await;
        let mut connection = opened.map_err(|error| self.explain(&error))?;
        match sqlite::migrate(&mut connection, &self.prefix).await {
            Ok(()) => Ok(Opened {
                connection,
                file: sqlite::identity(&self.path),
            }),
            Err(MigrateError::Database(error)) => Err(self.explain(&error)),
            Err(MigrateError::Schema(error)) => Err(SinkError::blocked(self.reason(error))),
        }
    }

    async fn position_of(&mut self, origin: &Origin) -> Result<Option<u64>, SinkError> {
        let mut opened = self.take_connection().await?;
        let position = sqlite::position(&mut opened.connection, &self.statements, origin)
            .await
            .map_err(|error| self.explain(&error))?;
        self.opened = Some(opened);
        // A trail that is not here is wanted from its beginning: the database may be an older
        // copy from before the trail began, and then the cursor file would leave a gap.
        Ok(Some(position.unwrap_or(0)))
    }

    async fn store(&mut self, batch: &Batch) -> Result<(), SinkError> {
        let group = group(batch)?;
        let mut opened = self.take_connection().await?;
        match sqlite::write(&mut opened.connection, &self.statements, &group).await {
            Ok(()) => {
                self.opened = Some(opened);
                Ok(())
            }
            Err(WriteError::Conflict(numbers)) => {
                self.opened = Some(opened);
                Err(SinkError::refused(numbers, CONFLICT))
            }
            // The connection is not used again after any other error: what state it is in is
            // not worth finding out.
            Err(WriteError::Database(error)) => Err(self.explain(&error)),
        }
    }

    fn explain(&self, error: &sqlx::Error) -> SinkError {
        let reason = self.reason(sqlite::reason(error));
        match sqlite::fault(error) {
            Fault::Repair(_) => SinkError::blocked(reason),
            Fault::Refused => SinkError::refused(Vec::new(), reason),
            Fault::Passing | Fault::Constraint | Fault::Interrupted => SinkError::retry(reason),
        }
    }

    fn reason(&self, what: impl std::fmt::Display) -> String {
        format!("{}: {what}", location::display(&self.path))
    }
}

const CONFLICT: &str = "the database already holds other bytes under the id of these records, \
                        or another record in their place of the trail";

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
        }),
    }
}

impl Sink for SqliteSink {
    fn kind(&self) -> &'static str {
        "sqlite"
    }

    fn address(&self) -> String {
        location::display(&self.path)
    }

    fn limits(&self) -> Limits {
        let (records, bytes) = Self::LIMITS;
        Limits::new(records, bytes)
    }

    fn position<'a>(&'a mut self, origin: &'a Origin) -> SinkFuture<'a, Option<u64>> {
        Box::pin(self.position_of(origin))
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> SinkFuture<'a, ()> {
        Box::pin(self.store(batch))
    }

    fn close(&mut self) -> SinkFuture<'_, ()> {
        Box::pin(async {
            let Some(opened) = self.opened.take() else {
                return Ok(());
            };
            // The last connection to leave moves the write-ahead log into the database.
            sqlx::Connection::close(opened.connection)
                .await
                .map_err(|error| self.explain(&error))
        })
    }
}

/// Makes the sink of a `sqlite://` address.
pub(super) fn from_address(
    address: Address,
    _instance: Option<&str>,
) -> Result<Box<dyn Sink>, UrlError> {
    let location = Location::from_address(address)?;
    Ok(Box::new(
        SqliteSink::new(location.path).table_prefix(location.prefix),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::{RecordId, Timestamp},
        evidence::leaf_hash,
        sink::Delivery,
    };

    fn batch(number: u64, bytes: usize) -> Batch {
        let origin = Origin::new(uuid::Uuid::from_u128(1), "docs", None);
        let id = RecordId::lowest_at(Timestamp::from_micros(number.cast_signed()));
        let json = format!(
            r#"{{"id":"{id}","timestamp":"2026-11-20T13:34:01Z","action":"a.b","details":"{}"}}"#,
            "x".repeat(bytes)
        );
        let record = Delivery::new(number, leaf_hash(json.as_bytes()), json);
        Batch::new(origin, Timestamp::from_micros(0), vec![record], number + 1)
    }

    // Trap J2, for the database: SQLITE_FULL without a full disk.
    #[tokio::test]
    async fn a_full_disk_is_tried_again_and_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut sink = SqliteSink::new(dir.path().join("audit.db"));
        sink.deliver(&batch(0, 10)).await.unwrap();
        sqlx::raw_sql("PRAGMA max_page_count = 300")
            .execute(&mut sink.opened.as_mut().unwrap().connection)
            .await
            .unwrap();

        let error = sink.deliver(&batch(1, 2_000_000)).await.unwrap_err();
        assert!(
            matches!(&error, SinkError::Retry { reason, .. } if reason.contains("full")),
            "{error:?}"
        );
        assert_eq!(sink.position_of(&batch(1, 0).origin).await, Ok(Some(1)));
        // The new connection has no such bound: there is room again.
        assert_eq!(sink.deliver(&batch(1, 2_000_000)).await, Ok(()));
        assert_eq!(sink.position_of(&batch(1, 0).origin).await, Ok(Some(2)));
    }
}
