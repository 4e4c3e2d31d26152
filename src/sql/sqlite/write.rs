//! What is bound to the statements of a batch.

use std::sync::Arc;

use sqlx::{
    Arguments as _, AssertSqlSafe, Row as _, SqliteConnection, error::BoxDynError,
    sqlite::SqliteArguments,
};

use super::statements::Statements;
use crate::{
    record::Origin,
    sql::{
        database::Found,
        group::{Group, Target, targets, texts},
        inserts::{RECORD_VALUES, TARGET_VALUES},
        rows::{Row, Text},
    },
};

/// The next number wanted of a trail; `None` when nothing of it is here.
pub(super) async fn position(
    connection: &mut SqliteConnection,
    statements: &Statements,
    origin: &Origin,
) -> sqlx::Result<Option<u64>> {
    let row = sqlx::query(AssertSqlSafe(Arc::clone(&statements.position)))
        .bind(origin.trail.as_bytes().as_slice())
        .fetch_optional(connection)
        .await?;
    row.map(|row| row.try_get::<i64, _>(0).map(i64::cast_unsigned))
        .transpose()
}

/// Takes so many arrivals and gives the last one.
pub(super) async fn arrivals(
    connection: &mut SqliteConnection,
    statements: &Statements,
    count: i64,
) -> sqlx::Result<i64> {
    sqlx::query(AssertSqlSafe(Arc::clone(&statements.arrivals)))
        .bind(count)
        .fetch_one(connection)
        .await?
        .try_get(0)
}

/// Puts rows behind everything that is there, with the arrivals that follow `arrival`.
pub(super) async fn insert<'a>(
    connection: &mut SqliteConnection,
    statements: &Statements,
    group: &Group<'a>,
    rows: &[&'a Row<'a>],
    mut arrival: i64,
) -> sqlx::Result<()> {
    for (statement, rows) in statements.records.cut(rows) {
        let mut arguments = SqliteArguments::default();
        record_arguments(&mut arguments, group, rows, &mut arrival).map_err(sqlx::Error::Encode)?;
        sqlx::query_with(AssertSqlSafe(statement), arguments)
            .execute(&mut *connection)
            .await?;
    }
    let targets = targets(rows);
    for (statement, targets) in statements.targets.cut(&targets) {
        let mut arguments = SqliteArguments::default();
        target_arguments(&mut arguments, targets).map_err(sqlx::Error::Encode)?;
        sqlx::query_with(AssertSqlSafe(statement), arguments)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// What is stored in the places of a group's records, in their order.
pub(super) async fn look_up(
    connection: &mut SqliteConnection,
    statements: &Statements,
    group: &Group<'_>,
) -> sqlx::Result<Vec<Found>> {
    let mut found = Vec::with_capacity(group.rows.len());
    for row in &group.rows {
        found.push(look_up_one(connection, statements, group, row).await?);
    }
    Ok(found)
}

async fn look_up_one(
    connection: &mut SqliteConnection,
    statements: &Statements,
    group: &Group<'_>,
    row: &Row<'_>,
) -> sqlx::Result<Found> {
    // One row for the record's id, one for its place in the trail; usually the same.
    let places = sqlx::query(AssertSqlSafe(Arc::clone(&statements.look_up)))
        .bind(row.id.as_bytes().as_slice())
        .bind(group.origin.trail.as_bytes().as_slice())
        .bind(row.number.cast_signed())
        .bind(row.json)
        .fetch_all(connection)
        .await?;
    let mut found = Found::Nothing;
    for place in places {
        if !place.try_get::<bool, _>(0)? {
            return Ok(Found::Other);
        }
        found = Found::Same;
    }
    Ok(found)
}

/// Moves the trail's cursor, never back.
pub(super) async fn move_on(
    connection: &mut SqliteConnection,
    statements: &Statements,
    group: &Group<'_>,
) -> sqlx::Result<()> {
    sqlx::query(AssertSqlSafe(Arc::clone(&statements.move_on)))
        .bind(group.origin.trail.as_bytes().as_slice())
        .bind(&group.origin.service)
        .bind(group.origin.instance.as_deref())
        .bind(group.next.cast_signed())
        .bind(group.head.map(|(size, _)| size.cast_signed()))
        .bind(group.head.as_ref().map(|(_, root)| root.as_slice()))
        .bind(group.received.as_micros())
        .execute(connection)
        .await?;
    Ok(())
}

/// Binds what [`Statements::records`] expects.
fn record_arguments(
    arguments: &mut SqliteArguments,
    group: &Group<'_>,
    rows: &[&Row<'_>],
    arrival: &mut i64,
) -> Result<(), BoxDynError> {
    arguments.reserve(rows.len() * RECORD_VALUES, 0);
    for row in rows {
        *arrival += 1;
        arguments.add(*arrival)?;
        arguments.add(row.id.as_bytes().as_slice())?;
        arguments.add(group.origin.trail.as_bytes().as_slice())?;
        arguments.add(row.number.cast_signed())?;
        arguments.add(row.leaf.as_slice())?;
        arguments.add(group.received.as_micros())?;
        arguments.add(row.timestamp.as_micros())?;
        for text in texts(row) {
            arguments.add(text.map(|text| Arc::<str>::from(text.0.as_ref())))?;
        }
        arguments.add(Arc::<str>::from(row.json))?;
    }
    Ok(())
}

/// Binds what [`Statements::targets`] expects.
fn target_arguments(
    arguments: &mut SqliteArguments,
    targets: &[Target<'_>],
) -> Result<(), BoxDynError> {
    let text =
        |text: &Option<Text<'_>>| text.as_ref().map(|text| Arc::<str>::from(text.0.as_ref()));
    arguments.reserve(targets.len() * TARGET_VALUES, 0);
    for Target {
        record,
        position,
        party,
    } in targets
    {
        arguments.add(record.as_slice())?;
        arguments.add(*position)?;
        arguments.add(text(&party.kind).unwrap_or_default())?;
        arguments.add(text(&party.id))?;
        arguments.add(text(&party.name))?;
    }
    Ok(())
}
