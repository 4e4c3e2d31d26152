//! Storing a group: one transaction, and the cursor in it.

use std::collections::{HashMap, hash_map::Entry};

use sqlx::Transaction;

use super::{
    database::{Connection, Database, Found},
    fault::Fault,
    group::Group,
    rows::Row,
};

/// Why a group was not stored.
#[derive(Debug)]
pub(crate) enum WriteError {
    Database(sqlx::Error),
    /// Other bytes are already stored under these records' ids, or another record under their numbers.
    Conflict(Vec<u64>),
    /// Something is there twice that the tables, as they were made, let be there twice.
    Altered,
    /// The trail's cursor stands before where it was seen: the tables were put back.
    PutBack,
}

/// How a transaction ends that went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The group is stored.
    Commit,
    /// It was only a test: nothing is left behind.
    Rollback,
}

impl From<sqlx::Error> for WriteError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// Stores a group in one transaction. Records that are already there with the same bytes are fine.
///
/// `seen` is where the trail's cursor stood last.
pub(crate) async fn write<D: Database>(
    database: &D,
    connection: &mut Connection<D>,
    group: &Group<'_>,
    seen: u64,
    end: End,
) -> Result<(), WriteError> {
    if group.chosen {
        return write_missing(database, connection, group, end).await;
    }
    match write_new(database, connection, group, seen, end).await {
        // Something of it is there already, which happens after an answer that got lost.
        Err(NotNew::Behind) => {}
        Err(NotNew::Database(error)) if D::fault(&error) == Fault::Constraint => {}
        Err(NotNew::Database(error)) => return Err(error.into()),
        Err(NotNew::PutBack) => return Err(WriteError::PutBack),
        Ok(()) => return Ok(()),
    }
    write_missing(database, connection, group, end).await
}

/// Why the usual way is closed.
enum NotNew {
    Database(sqlx::Error),
    /// The group begins before the trail's cursor.
    Behind,
    PutBack,
}

impl From<sqlx::Error> for NotNew {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// The usual way: nothing of the group is there yet.
async fn write_new<D: Database>(
    database: &D,
    connection: &mut Connection<D>,
    group: &Group<'_>,
    seen: u64,
    end: End,
) -> Result<(), NotNew> {
    let mut transaction = database.begin(connection).await?;
    let rows: Vec<&Row<'_>> = group.rows.iter().collect();
    let arrival = take_arrivals(database, &mut transaction, rows.len()).await?;
    // Read after the arrivals were taken: from there on nobody else writes. All numbers of the
    // trail that are there lie below its cursor, so none is there twice, index or not. Only chosen
    // records can lie above it; when they come again, their ids tell.
    let next = database.position(&mut transaction, group.origin).await?;
    let next = next.unwrap_or(0);
    let first = group.rows.iter().map(|row| row.number).min();
    let refused = if next < seen {
        Some(NotNew::PutBack)
    } else if first.is_some_and(|first| first < next) {
        Some(NotNew::Behind)
    } else {
        None
    };
    if let Some(refused) = refused {
        transaction.rollback().await?;
        return Err(refused);
    }
    database
        .insert(&mut transaction, group, &rows, arrival)
        .await?;
    Ok(finish(database, transaction, group, end).await?)
}

/// The careful way: looking first what is there.
async fn write_missing<D: Database>(
    database: &D,
    connection: &mut Connection<D>,
    group: &Group<'_>,
    end: End,
) -> Result<(), WriteError> {
    let mut transaction = database.begin(connection).await?;
    take_arrivals(database, &mut transaction, 0).await?;
    let found = database.look_up(&mut transaction, group).await?;
    match missing(&group.rows, &found) {
        Ok(rows) if rows.is_empty() => {}
        Ok(rows) => {
            let arrival = take_arrivals(database, &mut transaction, rows.len()).await?;
            let inserted = database.insert(&mut transaction, group, &rows, arrival);
            match inserted.await {
                // None of these was there a moment ago, and nobody else writes: it is not they.
                Err(error) if D::fault(&error) == Fault::Constraint => {
                    return Err(WriteError::Altered);
                }
                inserted => inserted?,
            }
        }
        Err(conflicts) => {
            transaction.rollback().await?;
            return Err(WriteError::Conflict(conflicts));
        }
    }
    Ok(finish(database, transaction, group, end).await?)
}

/// Takes arrivals, and gives the one before the first.
async fn take_arrivals<D: Database>(
    database: &D,
    connection: &mut Connection<D>,
    count: usize,
) -> sqlx::Result<i64> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let last = database.arrivals(connection, count).await?;
    Ok(last.saturating_sub(count))
}

async fn finish<D: Database>(
    database: &D,
    mut transaction: Transaction<'_, D::Driver>,
    group: &Group<'_>,
    end: End,
) -> sqlx::Result<()> {
    // What lies between the cursor and a chosen record may never have come.
    if !group.chosen {
        database.move_on(&mut transaction, group).await?;
    }
    match end {
        End::Commit => transaction.commit().await,
        End::Rollback => transaction.rollback().await,
    }
}

/// The rows that are not there yet, each once, or the numbers of those whose place is taken.
fn missing<'a>(rows: &'a [Row<'a>], found: &[Found]) -> Result<Vec<&'a Row<'a>>, Vec<u64>> {
    let mut missing: Vec<&Row<'_>> = Vec::new();
    let mut conflicts = Vec::new();
    // A group can hold a record twice, or two that want one place.
    let (mut by_id, mut by_number) = (HashMap::new(), HashMap::new());
    for (row, found) in rows.iter().zip(found) {
        match found {
            Found::Same => {}
            Found::Other => conflicts.push(row.number),
            Found::Nothing => match (by_id.entry(row.id), by_number.entry(row.number)) {
                (Entry::Vacant(id), Entry::Vacant(number)) => {
                    id.insert(row.json);
                    number.insert(row.id);
                    missing.push(row);
                }
                (Entry::Occupied(id), Entry::Occupied(number))
                    if *id.get() == row.json && *number.get() == row.id => {}
                _ => conflicts.push(row.number),
            },
        }
    }
    if conflicts.is_empty() {
        Ok(missing)
    } else {
        Err(conflicts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(id: u8, action: &str) -> String {
        format!(
            r#"{{"id":"01939b1a-7e6c-7abc-8def-0123456789{id:02x}","timestamp":"2026-11-20T13:34:01Z","action":"{action}"}}"#
        )
    }

    #[test]
    fn what_is_missing_is_written_once_and_a_taken_place_is_a_conflict() {
        let jsons = [json(1, "a.b"), json(2, "a.b"), json(2, "x.y")];
        let row = |number: u64, place: usize| Row::new(number, &[0; 32], &jsons[place]).unwrap();
        use Found::{Nothing, Other, Same};
        let cases = [
            (
                "nothing there",
                vec![row(0, 0), row(1, 1)],
                vec![Nothing, Nothing],
                Ok(vec![0, 1]),
            ),
            (
                "one there",
                vec![row(0, 0), row(1, 1)],
                vec![Same, Nothing],
                Ok(vec![1]),
            ),
            (
                "place taken",
                vec![row(0, 0), row(1, 1)],
                vec![Nothing, Other],
                Err(vec![1]),
            ),
            (
                "twice in the group",
                vec![row(0, 0), row(0, 0)],
                vec![Nothing, Nothing],
                Ok(vec![0]),
            ),
            (
                "one id, other bytes",
                vec![row(1, 1), row(1, 2)],
                vec![Nothing, Nothing],
                Err(vec![1]),
            ),
            (
                "one id, two numbers",
                vec![row(1, 1), row(2, 1)],
                vec![Nothing, Nothing],
                Err(vec![2]),
            ),
            (
                "one number, two ids",
                vec![row(1, 0), row(1, 1)],
                vec![Nothing, Nothing],
                Err(vec![1]),
            ),
        ];
        for (name, rows, found, expected) in cases {
            let numbers = missing(&rows, &found)
                .map(|rows| rows.iter().map(|row| row.number).collect::<Vec<_>>());
            assert_eq!(numbers, expected, "{name}");
        }
    }
}
