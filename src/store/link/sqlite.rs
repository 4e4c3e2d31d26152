//! SQLite: a file, and a look at the clock, and at who still waits, while a statement runs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{Arguments as _, AssertSqlSafe, Row as _, SqliteConnection, sqlite::SqliteArguments};

use super::super::{
    cell::{Cell, Row},
    statement::{Kind, Statement, Value},
};
use crate::sql::{
    fault::OpenError,
    location::file::FileLocation,
    sqlite::{self, Access},
};

/// How many steps SQLite does between two looks at the clock; about a millisecond.
const STEPS: i32 = 10_000;

#[derive(Debug)]
pub(in crate::store) struct Link {
    connection: SqliteConnection,
    /// Nobody waits for an answer any more. The driver's thread would hear of it only when it has a
    /// row to send, and a count has none before its end.
    pub(in crate::store) is_abandoned: Arc<AtomicBool>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.is_abandoned.store(true, Ordering::Relaxed);
    }
}

pub(super) async fn connect(
    FileLocation { path, prefix }: &FileLocation,
    limit: Duration,
) -> Result<Link, OpenError> {
    let mut connection = sqlite::connect(path, Access::Read, limit).await?;
    sqlite::readable(&mut connection, prefix).await?;
    Ok(Link {
        connection,
        is_abandoned: Arc::default(),
    })
}

pub(super) async fn limit(link: &mut Link, limit: Duration) -> sqlx::Result<()> {
    // A limit beyond what the clock can count is none.
    let deadline = Instant::now().checked_add(limit);
    let is_abandoned = Arc::clone(&link.is_abandoned);
    let mut handle = link.connection.lock_handle().await?;
    handle.set_progress_handler(STEPS, move || {
        !is_abandoned.load(Ordering::Relaxed)
            && deadline.is_none_or(|deadline| Instant::now() < deadline)
    });
    Ok(())
}

pub(super) async fn rows(link: &mut Link, mut statement: Statement) -> sqlx::Result<Vec<Row>> {
    let mut arguments = SqliteArguments::default();
    for value in std::mem::take(&mut statement.values) {
        let added = match value {
            Value::Text(text) => arguments.add(text),
            Value::Id(bytes) => arguments.add(bytes.to_vec()),
            Value::Number(number) => arguments.add(number),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    // Made of constants and a prefix that needs no quoting; whatever was asked for is bound.
    let sql: Arc<str> = std::mem::take(&mut statement.sql).into();
    let rows = sqlx::query_with(AssertSqlSafe(sql), arguments)
        .fetch_all(&mut link.connection)
        .await?;
    let cells = |row: &sqlx::sqlite::SqliteRow| {
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
