//! MySQL and MariaDB: a session that only reads; the index to follow is named in each statement.

use std::{sync::Arc, time::Duration};

use sqlx::{
    Arguments as _, AssertSqlSafe, Connection as _, MySqlConnection, Row as _,
    mysql::MySqlArguments,
};

use super::{
    super::{
        cell::{Cell, Row},
        pool::Turn,
        statement::{Kind, Statement, Value},
    },
    within,
};
use crate::sql::{database::Database as _, fault::OpenError, mysql::MysqlDatabase, schema};

const READ_ONLY: &str = "SET SESSION TRANSACTION READ ONLY";

/// The longest that a server can be told: a year of MariaDB's, in milliseconds of MySQL's.
const LONGEST_MILLIS: u128 = 31_536_000_000 / 10;

#[derive(Debug)]
pub(in crate::store) struct Link {
    /// There until it is dropped.
    connection: Option<MySqlConnection>,
    /// Its number on the server.
    number: i64,
    database: Arc<MysqlDatabase>,
    limit: Duration,
    /// While it is in use.
    pub(super) turn: Option<Turn>,
    /// An answer is waited for.
    is_asked: bool,
    /// An answer was not waited for, and may still come.
    pub(super) is_owed: bool,
}

pub(super) async fn connect(database: &Arc<MysqlDatabase>) -> Result<Link, OpenError> {
    let mut connection = database.connect().await?;
    let found = database.version(&mut connection).await?;
    schema::readable(MysqlDatabase::MIGRATIONS, found)?;
    sqlx::raw_sql(READ_ONLY).execute(&mut connection).await?;
    let number = sqlx::query_scalar("SELECT CAST(CONNECTION_ID() AS SIGNED)");
    let number = number.fetch_one(&mut connection).await?;
    Ok(Link {
        connection: Some(connection),
        number,
        database: Arc::clone(database),
        limit: Duration::MAX,
        turn: None,
        is_asked: false,
        is_owed: false,
    })
}

/// The server learns of a client that has gone only when it sends an answer. So the statement is
/// stopped from beside; the turn is over when it has ended, and nobody can start more of them than
/// there are turns.
impl Drop for Link {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take().filter(|_| self.is_asked) else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (turn, number, limit) = (self.turn.take(), self.number, self.limit);
        let database = Arc::clone(&self.database);
        runtime.spawn(async move {
            // Where this fails, the statement ends with its limit.
            if let Ok(mut beside) = database.connect().await {
                let kill = sqlx::raw_sql(AssertSqlSafe(format!("KILL QUERY {number}")));
                let _ = within(Duration::ZERO, kill.execute(&mut beside)).await;
            }
            // What the server sends before that is the answer. Kept open until then, so that no other
            // connection has its number.
            let _ = within(limit, connection.ping()).await;
            drop((connection, turn));
        });
    }
}

impl Link {
    /// It is there until the drop.
    fn connection(connection: &mut Option<MySqlConnection>) -> sqlx::Result<&mut MySqlConnection> {
        connection.as_mut().ok_or(sqlx::Error::WorkerCrashed)
    }

    pub(super) async fn limit(&mut self, limit: Duration) -> sqlx::Result<()> {
        self.limit = limit;
        // Zero would mean none.
        let millis = limit.as_millis().clamp(1, LONGEST_MILLIS);
        // Each server reads its own comment, and has something to set without it.
        let sql = format!(
            "SET SESSION wait_timeout = 180 \
             /*M! , SESSION max_statement_time = {millis} / 1000 */ \
             /*!80000 , SESSION max_execution_time = {millis} */"
        );
        let connection = Self::connection(&mut self.connection)?;
        let set = sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection);
        within(Duration::ZERO, set).await.map(drop)
    }

    pub(super) async fn rows(&mut self, mut statement: Statement) -> sqlx::Result<Vec<Row>> {
        let mut arguments = MySqlArguments::default();
        for value in std::mem::take(&mut statement.values) {
            let added = match value {
                Value::Text(text) => arguments.add(text),
                Value::Id(bytes) => arguments.add(bytes.as_slice()),
                Value::Number(number) => arguments.add(number),
            };
            added.map_err(sqlx::Error::Encode)?;
        }
        // Made of constants and names that need no quoting; whatever was asked for is bound.
        let sql: Arc<str> = std::mem::take(&mut statement.sql).into();
        // Kept prepared: to end one is sent without an answer, and what is sent next then waits 40 ms
        // for the acknowledgement, because the driver leaves Nagle's algorithm on.
        let connection = Self::connection(&mut self.connection)?;
        let asked = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_all(connection);
        self.is_asked = true;
        let rows = within(self.limit, asked).await;
        self.is_asked = false;
        self.is_owed |= super::gave_up(&rows);
        let rows = rows?;
        let cells = |row: &sqlx::mysql::MySqlRow| {
            super::row(&statement, |column, kind| {
                Ok(match kind {
                    Kind::Text => row.try_get::<Option<String>, _>(column)?.map(Cell::Text),
                    Kind::Id | Kind::Bytes => {
                        row.try_get::<Option<Vec<u8>>, _>(column)?.map(Cell::Bytes)
                    }
                    Kind::Number => row.try_get::<Option<i64>, _>(column)?.map(Cell::Number),
                })
            })
        };
        rows.iter().map(cells).collect()
    }
}
