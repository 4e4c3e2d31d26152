//! The sink on SQLite.

use std::{path::PathBuf, time::Duration};

use super::{SqlSink, sink_over_tables};
use crate::{
    address::{Address, UrlError},
    record::Origin,
    sink::{Batch, Limits, Sink, SinkFuture},
    sql::{
        TablePrefix,
        database::Database,
        location::file::FileLocation,
        sqlite::{BUSY_TIMEOUT, SqliteDatabase},
        write::End,
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
pub struct SqliteSink(SqlSink<SqliteDatabase>);

impl SqliteSink {
    /// The default of [`busy_timeout`](Self::busy_timeout): 5 seconds.
    pub const BUSY_TIMEOUT: Duration = BUSY_TIMEOUT;

    /// A sink on this file, with tables that begin with `audit_`. Opens nothing yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(SqlSink::new(SqliteDatabase::new(path)))
    }

    /// What the names of the tables begin with. Default: `audit_`.
    #[must_use]
    pub fn table_prefix(mut self, prefix: TablePrefix) -> Self {
        self.0.database.table_prefix(prefix);
        self
    }

    /// How long a call waits for another process's lock before the batch is tried again later.
    /// Default: [`BUSY_TIMEOUT`](Self::BUSY_TIMEOUT).
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.0.database.busy_timeout(timeout);
        self
    }
}

sink_over_tables!(SqliteSink, SqliteDatabase);

/// Makes the sink of a `sqlite://` address.
pub(in crate::sink) fn from_address(
    address: Address,
    _instance: Option<&str>,
) -> Result<Box<dyn Sink>, UrlError> {
    let location = FileLocation::from_address(address)?;
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
        sink::{Delivery, SinkError},
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
            .execute(&mut sink.0.opened.as_mut().unwrap().connection)
            .await
            .unwrap();

        let error = sink.deliver(&batch(1, 2_000_000)).await.unwrap_err();
        assert!(
            matches!(&error, SinkError::Retry { reason, .. } if reason.contains("full")),
            "{error:?}"
        );
        assert_eq!(sink.position(&batch(1, 0).origin).await, Ok(Some(1)));
        // The new connection has no such bound: there is room again.
        assert_eq!(sink.deliver(&batch(1, 2_000_000)).await, Ok(()));
        assert_eq!(sink.position(&batch(1, 0).origin).await, Ok(Some(2)));
    }

    // Trap D14: what asks in between must not forget how far the tables were.
    #[tokio::test]
    async fn an_older_copy_is_noticed_whatever_was_asked_before() {
        let dir = tempfile::tempdir().unwrap();
        let (path, copy) = (dir.path().join("audit.db"), dir.path().join("copy.db"));
        let mut sink = SqliteSink::new(&path);
        let origin = batch(0, 0).origin;
        assert_eq!(sink.position(&origin).await, Ok(Some(0)));
        sink.deliver(&batch(0, 10)).await.unwrap();
        sink.close().await.unwrap();
        std::fs::copy(&path, &copy).unwrap();
        sink.deliver(&batch(1, 10)).await.unwrap();
        sink.close().await.unwrap();
        std::fs::rename(&copy, &path).unwrap();

        // Nobody looks at what these answer: the next batch must tell.
        let _ = sink.concerns().await;
        let _ = sink.test(&batch(0, 10)).await;
        let error = sink.deliver(&batch(2, 10)).await.unwrap_err();
        assert!(matches!(error, SinkError::Retry { .. }), "{error:?}");
        assert_eq!(sink.position(&origin).await, Ok(Some(1)));
        sink.deliver(&batch(1, 10)).await.unwrap();
        sink.deliver(&batch(2, 10)).await.unwrap();
    }
}
