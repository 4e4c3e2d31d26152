//! What is bound to the statements of a batch.

use std::sync::Arc;

use sqlx::{
    Arguments as _, AssertSqlSafe, MySqlConnection, Row as _, error::BoxDynError,
    mysql::MySqlArguments,
};

use super::{fault::TOO_LARGE, statements::Statements};
use crate::{
    record::Origin,
    sql::{
        database::Found,
        group::{Group, Target, targets, texts},
        inserts::{RECORD_VALUES, TARGET_VALUES},
        rows::{Row, Text},
    },
};

/// Characters that a searchable column takes. A record never has more in one; what another program
/// put there is cut in the column, and whole in the JSON.
const MAX_CHARS: usize = 256;

/// The next number wanted of a trail; `None` when nothing of it is here.
pub(super) async fn position(
    connection: &mut MySqlConnection,
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
    connection: &mut MySqlConnection,
    statements: &Statements,
    count: i64,
) -> sqlx::Result<i64> {
    let updated = sqlx::query(AssertSqlSafe(Arc::clone(&statements.arrivals)))
        .bind(count)
        .execute(connection)
        .await?;
    // The one row; the driver counts what was found, not what was changed.
    if updated.rows_affected() == 1 {
        Ok(updated.last_insert_id().cast_signed())
    } else {
        Err(sqlx::Error::RowNotFound)
    }
}

/// Puts rows behind everything that is there, with the arrivals that follow `arrival`.
///
/// No statement carries more than `max_bytes` of values.
pub(super) async fn insert<'a>(
    connection: &mut MySqlConnection,
    statements: &Statements,
    max_bytes: usize,
    group: &Group<'a>,
    rows: &[&'a Row<'a>],
    mut arrival: i64,
) -> sqlx::Result<()> {
    if rows.iter().any(|row| record_bytes(row) > max_bytes) {
        return Err(sqlx::Error::Protocol(TOO_LARGE.to_owned()));
    }
    let pieces = statements
        .records
        .cut_within(rows, max_bytes, |row| record_bytes(row));
    for (statement, rows) in pieces {
        let mut arguments = MySqlArguments::default();
        record_arguments(&mut arguments, group, rows, &mut arrival).map_err(sqlx::Error::Encode)?;
        sqlx::query_with(AssertSqlSafe(statement), arguments)
            .execute(&mut *connection)
            .await?;
    }
    let targets = targets(rows);
    let pieces = statements
        .targets
        .cut_within(&targets, max_bytes, target_bytes);
    for (statement, targets) in pieces {
        let mut arguments = MySqlArguments::default();
        target_arguments(&mut arguments, targets).map_err(sqlx::Error::Encode)?;
        sqlx::query_with(AssertSqlSafe(statement), arguments)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// What is stored in the places of a group's records, in their order.
pub(super) async fn look_up(
    connection: &mut MySqlConnection,
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
    connection: &mut MySqlConnection,
    statements: &Statements,
    group: &Group<'_>,
    row: &Row<'_>,
) -> sqlx::Result<Found> {
    // One row for the record's id, one for its place in the trail; usually the same.
    let places = sqlx::query(AssertSqlSafe(Arc::clone(&statements.look_up)))
        .bind(row.json)
        .bind(row.id.as_bytes().as_slice())
        .bind(row.id.as_bytes().as_slice())
        .bind(row.json)
        .bind(group.origin.trail.as_bytes().as_slice())
        .bind(row.number.cast_signed())
        .fetch_all(connection)
        .await?;
    let mut found = Found::Nothing;
    for place in places {
        if place.try_get::<i64, _>(0)? == 0 {
            return Ok(Found::Other);
        }
        found = Found::Same;
    }
    Ok(found)
}

/// Moves the trail's cursor, never back.
pub(super) async fn move_on(
    connection: &mut MySqlConnection,
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

/// Binds what the statement for records expects.
fn record_arguments(
    arguments: &mut MySqlArguments,
    group: &Group<'_>,
    rows: &[&Row<'_>],
    arrival: &mut i64,
) -> Result<(), BoxDynError> {
    let bytes = rows.iter().map(|row| record_bytes(row)).sum();
    arguments.reserve(rows.len() * RECORD_VALUES, bytes);
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
            arguments.add(text.map(cut))?;
        }
        arguments.add(row.json)?;
    }
    Ok(())
}

/// Binds what the statement for targets expects.
fn target_arguments(
    arguments: &mut MySqlArguments,
    targets: &[Target<'_>],
) -> Result<(), BoxDynError> {
    arguments.reserve(targets.len() * TARGET_VALUES, 0);
    for Target {
        record,
        position,
        party,
    } in targets
    {
        arguments.add(record.as_slice())?;
        arguments.add(*position)?;
        arguments.add(party.kind.as_ref().map_or("", cut))?;
        arguments.add(party.id.as_ref().map(cut))?;
        arguments.add(party.name.as_ref().map(cut))?;
    }
    Ok(())
}

/// What of a text fits its column.
fn cut<'a>(text: &'a Text<'_>) -> &'a str {
    column(text.0.as_ref())
}

/// A text as a column holds it: cut.
pub(crate) fn column(text: &str) -> &str {
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => text.get(..end).unwrap_or_default(),
        None => text,
    }
}

/// The length of a record's values, at least.
fn record_bytes(row: &Row<'_>) -> usize {
    // Numbers and hashes, and up to nine bytes in front of each text.
    const OTHERS: usize = 16 + 16 + 32 + 4 * 8 + (RECORD_VALUES - 7) * 9;
    let texts = texts(row).into_iter().flatten();
    row.json.len() + texts.map(|text| cut(text).len()).sum::<usize>() + OTHERS
}

fn target_bytes(target: &Target<'_>) -> usize {
    let party = target.party;
    let texts = [&party.kind, &party.id, &party.name].into_iter().flatten();
    16 + 8 + TARGET_VALUES * 9 + texts.map(|text| cut(text).len()).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_to_what_its_column_takes() {
        for (given, expected) in [
            ("x".repeat(256), 256),
            ("x".repeat(257), 256),
            ("\u{1f600}".repeat(300), 4 * 256),
            (String::new(), 0),
        ] {
            let text = Text(Cow::Borrowed(given.as_str()));
            assert_eq!(cut(&text).len(), expected, "{} bytes", given.len());
        }
    }
}
