//! The outbox in a SQLite database.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Row as _, Sqlite, SqliteConnection, Transaction,
    query::Query,
    sqlite::{SqliteConnectOptions, SqliteRow},
};

use super::{
    Outbox, OutboxError, UNREADABLE,
    table::{self, Cause, Database, Statements, Table, Value},
};
use crate::{
    record::Draft,
    sql::{TablePrefix, location::file},
};

/// How long one statement waits for the service's own transactions; then it is tried later.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// The outbox in the SQLite database of a service; cloning it is cheap.
///
/// The record is written through the caller's own transaction, so nothing waits for another
/// connection. Rows are removed over a connection of the trail; while a transaction of the service
/// holds the lock, that waits, and is tried again.
///
/// As any second writer of a SQLite database, this one makes a transaction fail that reads before
/// it writes, and is begun as `BEGIN` (`SQLITE_BUSY_SNAPSHOT`): begin those that write with
/// `begin_with("BEGIN IMMEDIATE")`.
///
/// ```
/// # async fn run(dir: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
/// use tower_audit::{Audit, AuditScope, Record, outbox::SqliteOutbox};
///
/// let database = dir.join("service.db");
/// # let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&database).create_if_missing(true);
/// let pool = sqlx::SqlitePool::connect_with(options).await?;
/// sqlx::query("CREATE TABLE documents (name TEXT)").execute(&pool).await?;
/// let outbox = SqliteOutbox::open(&database).await?;
/// let audit = Audit::builder("docs").dir(dir.join("audit")).outbox(outbox.clone()).start().await?;
///
/// let create = async {
///     let scope = AuditScope::current().ok_or("no scope")?;
///     let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
///     sqlx::query("INSERT INTO documents VALUES ('Plans')").execute(&mut *tx).await?;
///     outbox.record_in(&mut tx, &scope.draft()).await?;
///     tx.commit().await?;
///     Ok::<_, Box<dyn std::error::Error>>(())
/// };
/// audit.scope(Record::new("document.create")).try_run(create).await?;
/// # Ok(()) }
/// # let dir = tempfile::tempdir().unwrap();
/// # tokio::runtime::Runtime::new().unwrap().block_on(run(dir.path())).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct SqliteOutbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    statements: Statements,
}

impl SqliteOutbox {
    /// Opens the outbox in a database file that exists, and makes its table `audit_outbox` if that
    /// is missing.
    ///
    /// # Errors
    ///
    /// [`OutboxError::Database`]: there is no such file, or the table cannot be made or is another.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, OutboxError> {
        Self::open_with_prefix(path, TablePrefix::default()).await
    }

    /// As [`open`](Self::open), with a table that begins with another prefix than `audit_`.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn open_with_prefix(
        path: impl Into<PathBuf>,
        prefix: TablePrefix,
    ) -> Result<Self, OutboxError> {
        let outbox = Self {
            inner: Arc::new(Inner {
                path: path.into(),
                statements: statements(&prefix),
            }),
        };
        table::prepare(&outbox).await?;
        Ok(outbox)
    }

    /// Writes the record of a change into the outbox, in the transaction of that change.
    ///
    /// Called again for the same scope, the later draft replaces the earlier.
    ///
    /// # Errors
    ///
    /// [`OutboxError`]; never swallow it: roll back. SQLite undoes the failed statement only, so
    /// what the transaction did before still stands and would be committed without its record.
    /// After a full disk, a failed write or no memory SQLite may have rolled back by itself; then
    /// the commit fails.
    pub async fn record_in(
        &self,
        transaction: &mut Transaction<'_, Sqlite>,
        draft: &Draft,
    ) -> Result<(), OutboxError> {
        let Some(row) = table::row(draft)? else {
            return Ok(());
        };
        let insert = sqlx::query(AssertSqlSafe(Arc::clone(&self.inner.statements.insert)));
        let insert = row.into_iter().fold(insert, Query::bind);
        let inserted = insert.execute(&mut **transaction).await;
        inserted.map(drop).map_err(|error| OutboxError::Insert {
            id: draft.id(),
            source: error.into(),
        })
    }
}

impl From<SqliteOutbox> for Outbox {
    fn from(outbox: SqliteOutbox) -> Self {
        Self::new(|| Box::new(Table::new(outbox.clone())))
    }
}

impl Database for SqliteOutbox {
    type Connection = SqliteConnection;

    fn address(&self) -> String {
        file::display(&self.inner.path)
    }

    fn statements(&self) -> &Statements {
        &self.inner.statements
    }

    async fn connect(&self) -> Result<SqliteConnection, Cause> {
        Ok(connect(&self.inner.path).await?)
    }

    async fn read(
        connection: &mut SqliteConnection,
        statement: Arc<str>,
        values: Vec<Value>,
    ) -> sqlx::Result<Vec<Vec<Value>>> {
        let query = sqlx::query(AssertSqlSafe(statement));
        let query = values.into_iter().fold(query, Query::bind);
        let rows = query.fetch_all(connection).await?;
        let texts = |row: &SqliteRow| (0..row.len()).map(|column| row.try_get(column)).collect();
        rows.iter().map(texts).collect()
    }

    async fn write(
        connection: &mut SqliteConnection,
        statement: Arc<str>,
        values: Vec<Value>,
    ) -> sqlx::Result<u64> {
        let query = sqlx::query(AssertSqlSafe(statement));
        let query = values.into_iter().fold(query, Query::bind);
        Ok(query.execute(connection).await?.rows_affected())
    }
}

/// Opens the service's database as it is: its mode of journal is the service's to choose.
async fn connect(path: &Path) -> sqlx::Result<SqliteConnection> {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging()
        .connect()
        .await
}

/// The text of every statement, for tables with this prefix.
fn statements(prefix: &TablePrefix) -> Statements {
    let table = format!("{prefix}outbox");
    let readable = format!("run <> '{UNREADABLE}'");
    Statements {
        create: include_str!("../../migrations/sqlite/outbox.sql")
            .replace("audit_", prefix.as_str())
            .into(),
        check: format!("SELECT id, trail, run, record FROM {table} LIMIT 0").into(),
        insert: format!(
            "INSERT INTO {table} (id, trail, run, record) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (id) DO UPDATE SET \
                 trail = excluded.trail, run = excluded.run, record = excluded.record"
        )
        .into(),
        remove: format!("DELETE FROM {table} WHERE id IN (SELECT value FROM json_each(?1))").into(),
        trails: format!("SELECT DISTINCT trail FROM {table} WHERE run <> ?1 AND {readable}").into(),
        claim: format!(
            "UPDATE {table} SET trail = ?2, run = ?3 WHERE trail = ?1 AND {readable} \
                 AND (?4 IS NULL OR id < ?4)"
        )
        .into(),
        left: format!(
            "SELECT id, CASE WHEN length(CAST(record AS BLOB)) <= {} THEN record END \
                 FROM {table} WHERE trail = ?1 AND run <> ?2 AND {readable} ORDER BY id LIMIT ?3",
            Draft::MAX_BYTES
        )
        .into(),
        set_aside: format!(
            "UPDATE {table} SET run = '{UNREADABLE}' \
                 WHERE id IN (SELECT value FROM json_each(?1))"
        )
        .into(),
    }
}
