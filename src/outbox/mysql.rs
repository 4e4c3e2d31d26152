//! The outbox in a MySQL or MariaDB database.

use std::sync::Arc;

use sqlx::{
    Acquire as _, AssertSqlSafe, MySql, MySqlConnection, Row as _, Transaction,
    mysql::{MySqlArguments, MySqlRow},
    query::Query,
};

use super::{
    Outbox, OutboxError, UNREADABLE,
    table::{self, Cause, Database, Statements, Table, Value},
};
use crate::{
    address::Address,
    record::Draft,
    sql::{database::Database as _, mysql::MysqlDatabase},
};

/// The outbox in the MySQL or MariaDB database of a service; cloning it is cheap.
///
/// The record is written through the caller's own transaction, so nothing waits for another
/// connection. Rows are removed over connections of the trail, two at most.
///
/// ```no_run
/// # async fn run(pool: sqlx::MySqlPool) -> Result<(), Box<dyn std::error::Error>> {
/// use tower_audit::{Audit, AuditScope, Record, outbox::MysqlOutbox};
///
/// let outbox = MysqlOutbox::open("mysql://docs@db.example/docs?password_file=/run/secrets/db").await?;
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
pub struct MysqlOutbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    database: MysqlDatabase,
    statements: Statements,
}

impl MysqlOutbox {
    /// Opens the outbox in the database that an address names, with the options of the MySQL
    /// sink, and makes its table `audit_outbox` if that is missing and the user may make it.
    ///
    /// # Errors
    ///
    /// [`OutboxError::Address`] for a mistake in the address, [`OutboxError::Database`] when the
    /// database cannot be reached, or the table cannot be made or is another.
    pub async fn open(address: &str) -> Result<Self, OutboxError> {
        let database =
            MysqlDatabase::from_address(Address::parse(address, &MysqlDatabase::SCHEMES)?)?;
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
    /// [`OutboxError`]; never swallow it: roll back. After a deadlock the server has rolled back the
    /// whole transaction by itself. The row is written behind a savepoint, which is gone then: so
    /// the next statement or the commit fails, instead of committing what came after.
    ///
    /// # Cancellation
    ///
    /// Dropped while it waits, it can end the caller's transaction on the connection: roll back, and
    /// begin anew. Statements that came after would commit one by one.
    pub async fn record_in(
        &self,
        transaction: &mut Transaction<'_, MySql>,
        draft: &Draft,
    ) -> Result<(), OutboxError> {
        let Some(row) = table::row(draft)? else {
            return Ok(());
        };
        let inserted = async {
            let mut savepoint = transaction.begin().await?;
            let insert = Arc::clone(&self.inner.statements.insert);
            let values = row.into_iter().map(Some);
            query(insert, values).execute(&mut *savepoint).await?;
            savepoint.commit().await
        };
        inserted.await.map_err(|error| OutboxError::Insert {
            id: draft.id(),
            source: error.into(),
        })
    }
}

impl From<MysqlOutbox> for Outbox {
    fn from(outbox: MysqlOutbox) -> Self {
        Self::new(|| Box::new(Table::new(outbox.clone())))
    }
}

impl Database for MysqlOutbox {
    type Connection = MySqlConnection;

    fn address(&self) -> String {
        self.inner.database.address()
    }

    fn statements(&self) -> &Statements {
        &self.inner.statements
    }

    async fn connect(&self) -> Result<MySqlConnection, Cause> {
        Ok(self.inner.database.connect().await?)
    }

    async fn read(
        connection: &mut MySqlConnection,
        statement: Arc<str>,
        values: Vec<Value>,
    ) -> sqlx::Result<Vec<Vec<Value>>> {
        let rows = query(statement, values).fetch_all(connection).await?;
        let texts = |row: &MySqlRow| (0..row.len()).map(|column| row.try_get(column)).collect();
        rows.iter().map(texts).collect()
    }

    async fn write(
        connection: &mut MySqlConnection,
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
) -> Query<'static, MySql, MySqlArguments> {
    let query = sqlx::query(AssertSqlSafe(statement));
    values.into_iter().fold(query, Query::bind)
}

/// The text of every statement, for this table. Marks have no numbers here: each stands once, in
/// the order in which the values come.
fn statements(table: &str) -> Statements {
    let readable = format!("run <> '{UNREADABLE}'");
    // From the list to the rows: a subquery would be asked for each row of the table.
    let listed = format!(
        "JSON_TABLE(?, '$[*]' COLUMNS (id VARCHAR(36) CHARACTER SET utf8mb4 PATH '$')) AS listed \
         STRAIGHT_JOIN {table} AS found ON found.id = listed.id COLLATE utf8mb4_bin"
    );
    Statements {
        create: include_str!("../../migrations/mysql/outbox.sql")
            .replace("audit_outbox", table)
            .into(),
        check: format!("SELECT id, trail, run, record FROM {table} LIMIT 0").into(),
        insert: format!(
            "INSERT INTO {table} (id, trail, run, record) VALUES (?, ?, ?, ?) \
             ON DUPLICATE KEY UPDATE \
             trail = VALUES(trail), run = VALUES(run), record = VALUES(record)"
        )
        .into(),
        remove: format!("DELETE found FROM {listed}").into(),
        trails: format!("SELECT DISTINCT trail FROM {table} WHERE run <> ? AND {readable}").into(),
        claim: format!(
            "UPDATE (SELECT ? AS trail, ? AS new_trail, ? AS new_run, ? AS before_id) AS given \
             STRAIGHT_JOIN {table} AS found ON found.trail = given.trail \
             SET found.trail = new_trail, found.run = new_run \
             WHERE found.{readable} AND (before_id IS NULL OR found.id < before_id)"
        )
        .into(),
        left: format!(
            "SELECT id, record FROM (\
                 SELECT id, CASE WHEN OCTET_LENGTH(record) <= {} THEN record END AS record, \
                 ROW_NUMBER() OVER (ORDER BY id) AS place \
                 FROM {table} WHERE trail = ? AND run <> ? AND {readable}\
             ) AS first_rows WHERE place <= CAST(? AS UNSIGNED) ORDER BY id",
            Draft::MAX_BYTES
        )
        .into(),
        set_aside: format!("UPDATE {listed} SET found.run = '{UNREADABLE}'").into(),
    }
}
