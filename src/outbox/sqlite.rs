//! The outbox in a SQLite database.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Row as _, Sqlite, SqliteConnection, Transaction,
    query::Query,
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteRow},
};

use super::{CLAIMED, LeftOver, Outbox, OutboxError, Rows, RowsFuture, UNREADABLE};
use crate::{
    clock::RecordId,
    record::{Draft, Owner, Standing},
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
                statements: Statements::new(&prefix),
            }),
        };
        outbox
            .prepare()
            .await
            .map_err(|error| OutboxError::database(outbox.address(), error))?;
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
        let id = draft.id();
        match draft.standing() {
            Standing::Open => {}
            Standing::Finished => return Err(OutboxError::Finished { id }),
            Standing::NoOutbox => return Err(OutboxError::NotStarted),
            // The operator's rule says that there is no record; the change is made all the same.
            Standing::Skipped => return Ok(()),
        }
        let insert = Arc::clone(&self.inner.statements.insert);
        let inserted = sqlx::query(AssertSqlSafe(insert))
            .bind(id.to_string())
            .bind(draft.trail().to_string())
            .bind(draft.run().to_string())
            .bind(draft.json())
            .execute(&mut **transaction)
            .await;
        inserted.map(drop).map_err(|error| OutboxError::Insert {
            id,
            source: error.into(),
        })
    }

    fn address(&self) -> String {
        file::display(&self.inner.path)
    }

    async fn prepare(&self) -> sqlx::Result<()> {
        let statements = &self.inner.statements;
        let mut connection = connect(&self.inner.path).await?;
        for statement in [&statements.create, &statements.check] {
            sqlx::raw_sql(AssertSqlSafe(Arc::clone(statement)))
                .execute(&mut connection)
                .await?;
        }
        sqlx::Connection::close(connection).await
    }
}

impl From<SqliteOutbox> for Outbox {
    fn from(outbox: SqliteOutbox) -> Self {
        Self::new(|| {
            Box::new(SqliteRows {
                outbox: outbox.clone(),
                connection: None,
            })
        })
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

/// The text of every statement, made once for one prefix.
#[derive(Debug)]
struct Statements {
    create: Arc<str>,
    check: Arc<str>,
    insert: Arc<str>,
    remove: Arc<str>,
    trails: Arc<str>,
    claim: Arc<str>,
    left: Arc<str>,
    set_aside: Arc<str>,
}

impl Statements {
    fn new(prefix: &TablePrefix) -> Self {
        let table = format!("{prefix}outbox");
        let readable = format!("run <> '{UNREADABLE}'");
        Self {
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
            remove: format!("DELETE FROM {table} WHERE id IN (SELECT value FROM json_each(?1))")
                .into(),
            trails: format!("SELECT DISTINCT trail FROM {table} WHERE run <> ?1 AND {readable}")
                .into(),
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
}

/// The rows, over a connection of their own.
#[derive(Debug)]
struct SqliteRows {
    outbox: SqliteOutbox,
    /// Out of its place during every call: after an error, or when a call was dropped, the next
    /// one connects anew.
    connection: Option<SqliteConnection>,
}

impl SqliteRows {
    async fn take_connection(&mut self) -> sqlx::Result<SqliteConnection> {
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => connect(&self.outbox.inner.path).await,
        }
    }

    /// Runs a statement and gives its rows.
    async fn read(
        &mut self,
        statement: fn(&Statements) -> &Arc<str>,
        values: Vec<Option<String>>,
    ) -> Result<Vec<SqliteRow>, OutboxError> {
        let query = self.query(statement, values);
        let read = async {
            let mut connection = self.take_connection().await?;
            let rows = query.fetch_all(&mut connection).await?;
            self.connection = Some(connection);
            Ok::<_, sqlx::Error>(rows)
        };
        let read = read.await;
        read.map_err(|error| OutboxError::database(self.outbox.address(), error))
    }

    /// Runs a statement and gives how many rows it changed.
    async fn write(
        &mut self,
        statement: fn(&Statements) -> &Arc<str>,
        values: Vec<Option<String>>,
    ) -> Result<u64, OutboxError> {
        let query = self.query(statement, values);
        let written = async {
            let mut connection = self.take_connection().await?;
            let done = query.execute(&mut connection).await?;
            self.connection = Some(connection);
            Ok::<_, sqlx::Error>(done.rows_affected())
        };
        let written = written.await;
        written.map_err(|error| OutboxError::database(self.outbox.address(), error))
    }

    fn query(
        &self,
        statement: fn(&Statements) -> &Arc<str>,
        values: Vec<Option<String>>,
    ) -> Query<'static, Sqlite, SqliteArguments> {
        let sql = Arc::clone(statement(&self.outbox.inner.statements));
        let query = sqlx::query(AssertSqlSafe(sql));
        values.into_iter().fold(query, Query::bind)
    }

    fn text(&self, row: &SqliteRow, column: usize) -> Result<String, OutboxError> {
        row.try_get(column)
            .map_err(|error| OutboxError::database(self.outbox.address(), error))
    }
}

/// A list as one value.
fn json(ids: impl IntoIterator<Item = String>) -> Option<String> {
    let ids = ids.into_iter().map(serde_json::Value::String).collect();
    Some(serde_json::Value::Array(ids).to_string())
}

impl Rows for SqliteRows {
    fn address(&self) -> String {
        self.outbox.address()
    }

    fn remove<'a>(&'a mut self, ids: &'a [RecordId]) -> RowsFuture<'a, u64> {
        Box::pin(async {
            let ids = json(ids.iter().map(ToString::to_string));
            self.write(|statements| &statements.remove, vec![ids]).await
        })
    }

    fn trails(&mut self, own: Owner) -> RowsFuture<'_, Vec<String>> {
        Box::pin(async move {
            let values = vec![Some(own.run.to_string())];
            let rows = self.read(|statements| &statements.trails, values).await?;
            rows.iter().map(|row| self.text(row, 0)).collect()
        })
    }

    fn claim<'a>(
        &'a mut self,
        trail: &'a str,
        own: Owner,
        before: Option<RecordId>,
    ) -> RowsFuture<'a, ()> {
        Box::pin(async move {
            let values = vec![
                Some(trail.to_owned()),
                Some(own.trail.to_string()),
                Some(CLAIMED.to_string()),
                before.map(|id| id.to_string()),
            ];
            self.write(|statements| &statements.claim, values).await?;
            Ok(())
        })
    }

    fn left(&mut self, own: Owner, limit: u32) -> RowsFuture<'_, Vec<LeftOver>> {
        Box::pin(async move {
            let values = vec![
                Some(own.trail.to_string()),
                Some(own.run.to_string()),
                Some(limit.to_string()),
            ];
            let rows = self.read(|statements| &statements.left, values).await?;
            let left = rows.iter().map(|row| {
                Ok(LeftOver {
                    id: self.text(row, 0)?,
                    record: row.try_get(1).unwrap_or_default(),
                })
            });
            left.collect()
        })
    }

    fn set_aside<'a>(&'a mut self, ids: &'a [String]) -> RowsFuture<'a, ()> {
        Box::pin(async {
            let ids = json(ids.iter().cloned());
            self.write(|statements| &statements.set_aside, vec![ids])
                .await?;
            Ok(())
        })
    }
}
