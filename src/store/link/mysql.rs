//! MySQL and MariaDB: a session that only reads; the index to follow is named in each statement.

use std::{sync::Arc, time::Duration};

use sqlx::{Arguments as _, AssertSqlSafe, MySqlConnection, Row as _, mysql::MySqlArguments};

use super::{
    super::{
        cell::{Cell, Row},
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
    connection: MySqlConnection,
    limit: Duration,
    /// An answer was not waited for, and may still come.
    pub(super) is_owed: bool,
}

pub(super) async fn connect(database: &MysqlDatabase) -> Result<Link, OpenError> {
    let mut connection = database.connect().await?;
    let found = database.version(&mut connection).await?;
    schema::readable(MysqlDatabase::MIGRATIONS, found)?;
    sqlx::raw_sql(READ_ONLY).execute(&mut connection).await?;
    Ok(Link {
        connection,
        limit: Duration::MAX,
        is_owed: false,
    })
}

impl Link {
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
        let set = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection);
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
        let asked = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_all(&mut self.connection);
        let rows = within(self.limit, asked).await;
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
