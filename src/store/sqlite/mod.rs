//! The questions as SQLite answers them.

#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;

use sqlx::{
    Arguments, AssertSqlSafe, Row, SqliteConnection,
    sqlite::{SqliteArguments, SqliteRow},
};
use uuid::Uuid;

pub(super) use self::text::Text;
use self::text::{Statement, Value};
use super::{Arrivals, Leaf, Query, Stored, TrailState};
use crate::{
    clock::{RecordId, Timestamp},
    evidence::{Hash, TreeHead},
    record::Origin,
    sql::{
        group::{TEXTS, texts},
        rows,
    },
};

/// Records that match, newest first.
pub(super) async fn browse(
    connection: &mut SqliteConnection,
    text: &Text,
    query: &Query,
) -> sqlx::Result<Vec<Stored>> {
    let statement = match query
        .action
        .as_ref()
        .filter(|_| text::is_led_by_actions(query))
    {
        Some(pattern) => {
            let (from, to) = pattern.range();
            let names = rows(connection, text.actions(from, to)).await?;
            let names: sqlx::Result<Vec<String>> = names.iter().map(|row| row.try_get(0)).collect();
            text.browse_actions(query, names?)
        }
        None => Some(text.browse(query)),
    };
    let Some(statement) = statement else {
        return Ok(Vec::new());
    };
    rows(connection, statement)
        .await?
        .iter()
        .map(stored)
        .collect()
}

/// Records behind an arrival that match, in the order of arrival.
pub(super) async fn follow(
    connection: &mut SqliteConnection,
    text: &Text,
    query: &Query,
    after: u64,
) -> sqlx::Result<Arrivals> {
    // Before the records: what was visible then is in what is visible now, so that everything up
    // to this arrival has been looked at when the page is not full.
    let last = last_arrival(connection, text).await?;
    let found = rows(connection, text.follow(query, after)).await?;
    let records: Vec<Stored> = found.iter().map(stored).collect::<sqlx::Result<_>>()?;
    let seen = records.last().map_or(after, |record| record.arrival);
    let is_full = records.len() >= query.limit_records();
    let next = if is_full { seen } else { seen.max(last) };
    Ok(Arrivals { records, next })
}

/// The last arrival given away.
pub(super) async fn last_arrival(
    connection: &mut SqliteConnection,
    text: &Text,
) -> sqlx::Result<u64> {
    let last = rows(connection, text.last_arrival()).await?;
    last.first().map_or(Ok(0), |row| number(row, 0))
}

/// Every trail.
pub(super) async fn trails(
    connection: &mut SqliteConnection,
    text: &Text,
) -> sqlx::Result<Vec<TrailState>> {
    let found = rows(connection, text.trails()).await?;
    found.iter().map(trail_state).collect()
}

/// Records of one trail from a number on.
pub(super) async fn leaves(
    connection: &mut SqliteConnection,
    text: &Text,
    trail: Uuid,
    from: u64,
    max_records: usize,
) -> sqlx::Result<Vec<Leaf>> {
    let found = rows(connection, text.leaves(trail, from, max_records)).await?;
    found.iter().map(leaf).collect()
}

/// A row of [`Text::leaves`].
fn leaf(row: &SqliteRow) -> sqlx::Result<Leaf> {
    let number = number(row, 0)?;
    let leaf = hash(row, 1)?;
    let json: String = row.try_get(2)?;
    let stray = stray(row, number, leaf, &json)?;
    let json = json.into();
    Ok(Leaf {
        number,
        leaf,
        json,
        stray,
    })
}

/// The first column that is not a copy of what the record's text says.
fn stray(
    row: &SqliteRow,
    number: u64,
    leaf: Hash,
    json: &str,
) -> sqlx::Result<Option<&'static str>> {
    let Ok(expected) = rows::Row::new(number, leaf.as_bytes(), json) else {
        return Ok(Some("json"));
    };
    if row.try_get::<&[u8], _>(3)? != expected.id.as_bytes() {
        return Ok(Some("id"));
    }
    if row.try_get::<i64, _>(4)? != expected.timestamp.as_micros() {
        return Ok(Some("timestamp"));
    }
    for (index, (name, text)) in TEXTS.into_iter().zip(texts(&expected)).enumerate() {
        let there: Option<&str> = row.try_get(5 + index)?;
        if there != text.map(|text| text.0.as_ref()) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

async fn rows(
    connection: &mut SqliteConnection,
    statement: Statement,
) -> sqlx::Result<Vec<SqliteRow>> {
    let mut arguments = SqliteArguments::default();
    for value in statement.values {
        let added = match value {
            Value::Text(text) => arguments.add(text),
            Value::Bytes(bytes) => arguments.add(bytes),
            Value::Number(number) => arguments.add(number),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    // Made of constants and a prefix that needs no quoting; whatever was asked for is bound.
    let sql: Arc<str> = statement.sql.into();
    sqlx::query_with(AssertSqlSafe(sql), arguments)
        .fetch_all(connection)
        .await
}

/// A row of [`text::COLUMNS`].
fn stored(row: &SqliteRow) -> sqlx::Result<Stored> {
    Ok(Stored {
        arrival: number(row, 0)?,
        id: RecordId::from_bytes(bytes(row, 1)?).map_err(|error| altered(1, error))?,
        trail: Uuid::from_bytes(bytes(row, 2)?),
        number: number(row, 3)?,
        leaf: hash(row, 4)?,
        received: Timestamp::from_micros(row.try_get(5)?),
        json: row.try_get::<String, _>(6)?.into(),
    })
}

fn trail_state(row: &SqliteRow) -> sqlx::Result<TrailState> {
    let origin = Origin::new(
        Uuid::from_bytes(bytes(row, 0)?),
        row.try_get::<String, _>(1)?,
        row.try_get(2)?,
    );
    let head = match row.try_get::<Option<i64>, _>(4)? {
        Some(_) => Some(TreeHead::new(number(row, 4)?, hash(row, 5)?)),
        None => None,
    };
    Ok(TrailState {
        origin,
        next: number(row, 3)?,
        head,
        updated: Timestamp::from_micros(row.try_get(6)?),
    })
}

fn number(row: &SqliteRow, column: usize) -> sqlx::Result<u64> {
    let number: i64 = row.try_get(column)?;
    u64::try_from(number).map_err(|error| altered(column, error))
}

fn hash(row: &SqliteRow, column: usize) -> sqlx::Result<Hash> {
    bytes(row, column).map(Hash::from_bytes)
}

fn bytes<const N: usize>(row: &SqliteRow, column: usize) -> sqlx::Result<[u8; N]> {
    let bytes: &[u8] = row.try_get(column)?;
    bytes.try_into().map_err(|error| altered(column, error))
}

/// A value that no sink wrote.
fn altered(column: usize, source: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_string(),
        source: Box::new(source),
    }
}
