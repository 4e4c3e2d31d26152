//! PostgreSQL: a session that only reads, and plans that follow the order of an index.

use std::{sync::Arc, time::Duration};

use sqlx::{Arguments as _, AssertSqlSafe, PgConnection, Row as _, postgres::PgArguments};
use uuid::Uuid;

use super::{
    super::{
        cell::{Cell, Row},
        statement::{Kind, Statement, Value},
    },
    within,
};
use crate::sql::{database::Database as _, fault::OpenError, postgres::PostgresDatabase, schema};

/// Nothing is written. Every plan follows an index: a page is read in its order, and whatever else
/// is asked for is hidden from the planner, so that its guesses at how many match do not matter.
const SETTINGS: &str = "SELECT set_config('default_transaction_read_only', 'on', false), \
    set_config('plan_cache_mode', 'force_custom_plan', false), \
    set_config('enable_seqscan', 'off', false), \
    set_config('enable_sort', 'off', false), \
    set_config('enable_bitmapscan', 'off', false), \
    set_config('enable_hashjoin', 'off', false), \
    set_config('enable_mergejoin', 'off', false), \
    set_config('max_parallel_workers_per_gather', '0', false), \
    set_config('jit', 'off', false)";

/// A statement whose asker has gone ends within a second. Servers before 14 do not know it, and not
/// every system can do it: there it ends with its time limit.
const WATCH: &str = "SELECT set_config(name, '1s', false) FROM pg_settings \
    WHERE name = 'client_connection_check_interval'";

/// The longest that the server can be told, a bit less than 25 days.
const LONGEST_MILLIS: u128 = 2_147_483_647;

#[derive(Debug)]
pub(in crate::store) struct Link {
    connection: PgConnection,
    limit: Duration,
    /// An answer was not waited for, and may still come.
    pub(super) is_owed: bool,
}

pub(super) async fn connect(database: &PostgresDatabase) -> Result<Link, OpenError> {
    let mut connection = database.connect().await?;
    let found = database.version(&mut connection).await?;
    schema::readable(PostgresDatabase::MIGRATIONS, found)?;
    sqlx::query(SETTINGS).execute(&mut connection).await?;
    match sqlx::query(WATCH).execute(&mut connection).await {
        Ok(_) | Err(sqlx::Error::Database(_)) => {}
        Err(error) => return Err(error.into()),
    }
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
        let sql = format!("SET statement_timeout = {millis}");
        let set = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection);
        within(Duration::ZERO, set).await.map(drop)
    }

    pub(super) async fn rows(&mut self, mut statement: Statement) -> sqlx::Result<Vec<Row>> {
        let mut arguments = PgArguments::default();
        for value in std::mem::take(&mut statement.values) {
            let added = match value {
                Value::Text(text) => arguments.add(text),
                Value::Id(bytes) => arguments.add(Uuid::from_bytes(bytes)),
                Value::Number(number) => arguments.add(number),
            };
            added.map_err(sqlx::Error::Encode)?;
        }
        // Made of constants and names that need no quoting; whatever was asked for is bound.
        let sql: Arc<str> = std::mem::take(&mut statement.sql).into();
        let asked = sqlx::query_with(AssertSqlSafe(sql), arguments)
            .persistent(false)
            .fetch_all(&mut self.connection);
        let rows = within(self.limit, asked).await;
        self.is_owed |= super::gave_up(&rows);
        let rows = rows?;
        let cells = |row: &sqlx::postgres::PgRow| {
            super::row(&statement, |column, kind| {
                Ok(match kind {
                    Kind::Text => row.try_get::<Option<String>, _>(column)?.map(Cell::Text),
                    Kind::Id => {
                        let id = row.try_get::<Option<Uuid>, _>(column)?;
                        id.map(|id| Cell::Bytes(id.as_bytes().to_vec()))
                    }
                    Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(column)?.map(Cell::Bytes),
                    Kind::Number => row.try_get::<Option<i64>, _>(column)?.map(Cell::Number),
                })
            })
        };
        rows.iter().map(cells).collect()
    }
}
