//! The outbox in a PostgreSQL database.

use std::sync::Arc;

use sqlx::{
    AssertSqlSafe, PgConnection, Postgres, Row as _, Transaction,
    postgres::{PgArguments, PgRow},
    query::Query,
};

use super::{
    Outbox, OutboxError, UNREADABLE,
    table::{self, Cause, Database, Statements, Table, Value},
};
use crate::{
    address::Address,
    record::Draft,
    sql::{database::Database as _, postgres::PostgresDatabase},
};

/// The outbox in the PostgreSQL database of a service; cloning it is cheap.
///
/// The record is written through the caller's own transaction, so nothing waits for another
/// connection. Rows are removed over connections of the trail, two at most.
///
/// ```no_run
/// # async fn run(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
/// use tower_audit::{Audit, AuditScope, Record, outbox::PostgresOutbox};
///
/// let outbox = PostgresOutbox::open("postgres://docs@db.example/docs?password_file=/run/secrets/db").await?;
/// let audit = Audit::builder("docs").outbox(outbox.clone()).start().await?;
///
/// let create = async {
///     let scope = AuditScope::current().ok_or("no scope")?;
///     let mut tx = pool.begin().await?;
///     sqlx::query("INSERT INTO documents VALUES ('Plans')").execute(&mut *tx).await?;
///     outbox.record_in(&mut tx, &scope.draft()).await?;
///     tx.commit().await?;
///     Ok::<_, Box<dyn std::error::Error>>(())
/// };
/// audit.scope(Record::new("document.create")).try_run(create).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct PostgresOutbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    database: PostgresDatabase,
    statements: Statements,
}

impl PostgresOutbox {
    /// Opens the outbox in the database that an address names, with the options of the PostgreSQL
    /// sink, and makes its table `audit_outbox` if that is missing and the role may make it.
    ///
    /// # Errors
    ///
    /// [`OutboxError::Address`] for a mistake in the address, [`OutboxError::Database`] when the
    /// database cannot be reached, or the table cannot be made or is another.
    pub async fn open(address: &str) -> Result<Self, OutboxError> {
        let database = PostgresDatabase::from_address(Address::parse(address, &["postgres"])?)?;
        let outbox = Self {
            inner: Arc::new(Inner {
                statements: statements(&database.table("outbox")),
                database,
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
    /// [`OutboxError`]; never swallow it: roll back. The row is written behind a savepoint of its
    /// own, so that the transaction still stands after an error, and a commit says the truth about
    /// it: without one, PostgreSQL would answer the commit with a rollback that looks like success.
    ///
    /// # Cancellation
    ///
    /// Dropped before its end it may have written the row, or have failed unseen: roll back.
    pub async fn record_in(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        draft: &Draft,
    ) -> Result<(), OutboxError> {
        let Some(row) = table::row(draft)? else {
            return Ok(());
        };
        let insert = Arc::clone(&self.inner.statements.insert);
        let inserted = behind_savepoint(transaction, insert, row).await;
        inserted.map_err(|error| OutboxError::Insert {
            id: draft.id(),
            source: error.into(),
        })
    }
}

/// Writes a row so that a failure leaves the transaction as it was.
///
/// In plain statements, not as a nested transaction of the driver: one whose begin fails, or is
/// given up, makes the driver end the caller's transaction, whose later statements would then
/// commit one by one.
async fn behind_savepoint(
    connection: &mut PgConnection,
    insert: Arc<str>,
    row: [String; 4],
) -> sqlx::Result<()> {
    let savepoint = sqlx::raw_sql("SAVEPOINT tower_audit_outbox");
    savepoint.execute(&mut *connection).await?;
    let values = row.into_iter().map(Some);
    let inserted = query(insert, values).execute(&mut *connection).await;
    let end = match inserted {
        Ok(_) => "RELEASE SAVEPOINT tower_audit_outbox",
        Err(_) => "ROLLBACK TO SAVEPOINT tower_audit_outbox; RELEASE SAVEPOINT tower_audit_outbox",
    };
    let ended = sqlx::raw_sql(end).execute(connection).await;
    inserted.and(ended).map(drop)
}

impl From<PostgresOutbox> for Outbox {
    fn from(outbox: PostgresOutbox) -> Self {
        Self::new(|| Box::new(Table::new(outbox.clone())))
    }
}

impl Database for PostgresOutbox {
    type Connection = PgConnection;

    fn address(&self) -> String {
        self.inner.database.address()
    }

    fn statements(&self) -> &Statements {
        &self.inner.statements
    }

    async fn connect(&self) -> Result<PgConnection, Cause> {
        Ok(self.inner.database.connect().await?)
    }

    async fn read(
        connection: &mut PgConnection,
        statement: Arc<str>,
        values: Vec<Value>,
    ) -> sqlx::Result<Vec<Vec<Value>>> {
        let rows = query(statement, values).fetch_all(connection).await?;
        let texts = |row: &PgRow| (0..row.len()).map(|column| row.try_get(column)).collect();
        rows.iter().map(texts).collect()
    }

    async fn write(
        connection: &mut PgConnection,
        statement: Arc<str>,
        values: Vec<Value>,
    ) -> sqlx::Result<u64> {
        let done = query(statement, values).execute(connection).await?;
        Ok(done.rows_affected())
    }
}

fn query(
    statement: Arc<str>,
    values: impl IntoIterator<Item = Value>,
) -> Query<'static, Postgres, PgArguments> {
    let query = sqlx::query(AssertSqlSafe(statement));
    values.into_iter().fold(query, Query::bind)
}

/// The text of every statement, for this table.
fn statements(table: &str) -> Statements {
    let readable = format!("run <> '{UNREADABLE}'");
    let listed = "IN (SELECT json_array_elements_text($1::json))";
    Statements {
        create: include_str!("../../migrations/postgres/outbox.sql")
            .replace("audit_outbox", table)
            .into(),
        check: format!("SELECT id, trail, run, record FROM {table} LIMIT 0").into(),
        insert: format!(
            "INSERT INTO {table} (id, trail, run, record) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (id) DO UPDATE SET \
             trail = excluded.trail, run = excluded.run, record = excluded.record"
        )
        .into(),
        remove: format!("DELETE FROM {table} WHERE id {listed}").into(),
        trails: format!("SELECT DISTINCT trail FROM {table} WHERE run <> $1 AND {readable}").into(),
        claim: format!(
            "UPDATE {table} SET trail = $2, run = $3 WHERE trail = $1 AND {readable} \
             AND ($4::text IS NULL OR id < $4)"
        )
        .into(),
        left: format!(
            "SELECT id, CASE WHEN octet_length(record) <= {} THEN record END \
             FROM {table} WHERE trail = $1 AND run <> $2 AND {readable} \
             ORDER BY id LIMIT CAST($3 AS bigint)",
            Draft::MAX_BYTES
        )
        .into(),
        set_aside: format!("UPDATE {table} SET run = '{UNREADABLE}' WHERE id {listed}").into(),
    }
}
