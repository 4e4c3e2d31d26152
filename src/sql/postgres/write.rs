//! What is sent for a batch: rows by `COPY`, in its binary form.
//!
//! `COPY` stores half as many rows again in a second as one `INSERT` of arrays does.

use std::{borrow::Cow, sync::Arc};

use sqlx::{AssertSqlSafe, PgConnection, Row as _};
use uuid::Uuid;

use super::statements::{RECORD_VALUES, Statements, TARGET_VALUES};
use crate::{
    record::Origin,
    sql::{
        database::Found,
        group::{Group, Target, targets, texts},
        rows::{Row, Text},
    },
};

/// The next number wanted of a trail; `None` when nothing of it is here.
pub(super) async fn position(
    connection: &mut PgConnection,
    statements: &Statements,
    origin: &Origin,
) -> sqlx::Result<Option<u64>> {
    let row = sqlx::query(AssertSqlSafe(Arc::clone(&statements.position)))
        .bind(origin.trail)
        .fetch_optional(connection)
        .await?;
    row.map(|row| row.try_get::<i64, _>(0).map(i64::cast_unsigned))
        .transpose()
}

/// Takes so many arrivals and gives the last one.
pub(super) async fn arrivals(
    connection: &mut PgConnection,
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
    connection: &mut PgConnection,
    statements: &Statements,
    group: &Group<'a>,
    rows: &[&'a Row<'a>],
    arrival: i64,
) -> sqlx::Result<()> {
    let copy = records(group, rows, arrival)?;
    send(connection, &statements.records, copy).await?;
    let targets = targets(rows);
    if targets.is_empty() {
        return Ok(());
    }
    let copy = all_targets(&targets)?;
    send(connection, &statements.targets, copy).await
}

async fn send(connection: &mut PgConnection, statement: &str, copy: Copy) -> sqlx::Result<()> {
    let mut sending = connection.copy_in_raw(statement).await?;
    sending.send(copy.finish()).await?;
    sending.finish().await?;
    Ok(())
}

/// What is stored in the places of a group's records, in their order.
pub(super) async fn look_up(
    connection: &mut PgConnection,
    statements: &Statements,
    group: &Group<'_>,
) -> sqlx::Result<Vec<Found>> {
    let rows = &group.rows;
    let ids: Vec<Uuid> = rows
        .iter()
        .map(|row| Uuid::from_bytes(*row.id.as_bytes()))
        .collect();
    let numbers: Vec<i64> = rows.iter().map(|row| row.number.cast_signed()).collect();
    let jsons: Vec<&str> = rows.iter().map(|row| row.json).collect();
    let places = sqlx::query(AssertSqlSafe(Arc::clone(&statements.look_up)))
        .bind(ids)
        .bind(numbers)
        .bind(jsons)
        .bind(group.origin.trail)
        .fetch_all(connection)
        .await?;
    let mut found = vec![Found::Nothing; rows.len()];
    for place in places {
        let (ordinal, same) = (place.try_get::<i64, _>(0)?, place.try_get::<bool, _>(1)?);
        let index = usize::try_from(ordinal)
            .ok()
            .and_then(|ordinal| ordinal.checked_sub(1));
        if let Some(found) = index.and_then(|index| found.get_mut(index)) {
            *found = match (*found, same) {
                (Found::Nothing | Found::Same, true) => Found::Same,
                _ => Found::Other,
            };
        }
    }
    Ok(found)
}

/// Moves the trail's cursor, never back.
pub(super) async fn move_on(
    connection: &mut PgConnection,
    statements: &Statements,
    group: &Group<'_>,
) -> sqlx::Result<()> {
    sqlx::query(AssertSqlSafe(Arc::clone(&statements.move_on)))
        .bind(group.origin.trail)
        .bind(column(&group.origin.service))
        .bind(group.origin.instance.as_deref().map(column))
        .bind(group.next.cast_signed())
        .bind(group.head.map(|(size, _)| size.cast_signed()))
        .bind(group.head.as_ref().map(|(_, root)| root.as_slice()))
        .bind(group.received.as_micros())
        .execute(connection)
        .await?;
    Ok(())
}

fn records(group: &Group<'_>, rows: &[&Row<'_>], mut arrival: i64) -> sqlx::Result<Copy> {
    let json: usize = rows.iter().map(|row| row.json.len()).sum();
    // The columns are copies of parts of the JSON; with their lengths about as much again.
    let mut copy = Copy::new(json * 2 + rows.len() * 256);
    for row in rows {
        arrival += 1;
        copy.row(RECORD_VALUES)?;
        copy.number(arrival);
        copy.value(row.id.as_bytes())?;
        copy.value(group.origin.trail.as_bytes())?;
        copy.number(row.number.cast_signed());
        copy.value(row.leaf)?;
        copy.number(group.received.as_micros());
        copy.number(row.timestamp.as_micros());
        for text in texts(row) {
            copy.text(text)?;
        }
        copy.value(row.json.as_bytes())?;
    }
    Ok(copy)
}

fn all_targets(targets: &[Target<'_>]) -> sqlx::Result<Copy> {
    let mut copy = Copy::new(targets.len() * 128);
    for Target {
        record,
        position,
        party,
    } in targets
    {
        copy.row(TARGET_VALUES)?;
        copy.value(*record)?;
        copy.number(*position);
        match &party.kind {
            Some(kind) => copy.text(Some(kind))?,
            None => copy.value(b"")?,
        }
        copy.text(party.id.as_ref())?;
        copy.text(party.name.as_ref())?;
    }
    Ok(copy)
}

/// What is sent to `COPY … FROM STDIN (FORMAT binary)`.
pub(crate) struct Copy(Vec<u8>);

impl Copy {
    /// Signature, flags, and the length of an extension that is not there.
    const HEADER: &'static [u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

    pub(crate) fn new(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(Self::HEADER.len() + capacity);
        bytes.extend_from_slice(Self::HEADER);
        Self(bytes)
    }

    pub(crate) fn row(&mut self, values: usize) -> sqlx::Result<()> {
        let values = i16::try_from(values).map_err(|error| sqlx::Error::Encode(error.into()))?;
        self.0.extend_from_slice(&values.to_be_bytes());
        Ok(())
    }

    pub(crate) fn value(&mut self, bytes: &[u8]) -> sqlx::Result<()> {
        let length =
            i32::try_from(bytes.len()).map_err(|error| sqlx::Error::Encode(error.into()))?;
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn number(&mut self, number: i64) {
        self.0.extend_from_slice(&8_i32.to_be_bytes());
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn text(&mut self, text: Option<&Text<'_>>) -> sqlx::Result<()> {
        match text {
            Some(text) => self.value(column(&text.0).as_bytes()),
            None => {
                self.null();
                Ok(())
            }
        }
    }

    pub(crate) fn null(&mut self) {
        self.0.extend_from_slice(&(-1_i32).to_be_bytes());
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&(-1_i16).to_be_bytes());
        self.0
    }
}

/// The longest text in a column. Two of them fit into an index, which takes 2704 bytes.
const MAX_COLUMN_BYTES: usize = 1024;

/// A text as a column holds it: cut, and with U+FFFD for NUL, so that no record stops a trail.
pub(crate) fn column(text: &str) -> Cow<'_, str> {
    let text = if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    };
    if text.len() <= MAX_COLUMN_BYTES {
        return text;
    }
    let end = text.floor_char_boundary(MAX_COLUMN_BYTES);
    Cow::Owned(text.get(..end).unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_holds_no_nul_and_fits_into_an_index() {
        assert!(matches!(column("plain"), Cow::Borrowed("plain")));
        assert_eq!(column("a\0b"), "a\u{fffd}b");
        let long = format!("x{}", "ä".repeat(600));
        assert_eq!(column(&long).len(), 1023);
        assert!(long.starts_with(&*column(&long)));
    }

    #[test]
    fn a_copy_has_the_documented_form() {
        let mut copy = Copy::new(0);
        copy.row(3).unwrap();
        copy.number(7);
        copy.value(b"ab").unwrap();
        copy.text(None).unwrap();
        let expected = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\
            \0\x03\0\0\0\x08\0\0\0\0\0\0\0\x07\0\0\0\x02ab\xff\xff\xff\xff\xff\xff";
        assert_eq!(copy.finish(), expected);
    }
}
