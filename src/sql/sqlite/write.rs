//! Storing a batch: one transaction, and the cursor in it.

use std::sync::Arc;

use sqlx::{
    Arguments as _, AssertSqlSafe, Connection, Row as _, SqliteConnection, error::BoxDynError,
    sqlite::SqliteArguments,
};

use super::{
    fault::{Fault, fault},
    statements::{self, Statements},
};
use crate::{
    clock::Timestamp,
    record::Origin,
    sql::rows::{Party, Row, Text},
};

/// The next number wanted of a trail; `None` when nothing of it is here.
pub(crate) async fn position(
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

/// Records of one trail that are stored together or not at all.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) received: Timestamp,
    pub(crate) next: u64,
    /// Size and root of the tree head that the group ends at.
    pub(crate) head: Option<(u64, [u8; 32])>,
    pub(crate) rows: Vec<Row<'a>>,
}

/// Why a group was not stored.
#[derive(Debug)]
pub(crate) enum WriteError {
    Database(sqlx::Error),
    /// Other bytes are already stored under these records' ids, or another record under their numbers.
    Conflict(Vec<u64>),
}

impl From<sqlx::Error> for WriteError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// Stores a group in one transaction. Records that are already there with the same bytes are fine.
pub(crate) async fn write(
    connection: &mut SqliteConnection,
    statements: &Statements,
    group: &Group<'_>,
) -> Result<(), WriteError> {
    match write_new(connection, statements, group).await {
        // Something of it is there already, which happens after an answer that got lost.
        Err(error) if fault(&error) == Fault::Constraint => {
            write_missing(connection, statements, group).await
        }
        written => Ok(written?),
    }
}

/// The usual way: nothing of the group is there yet.
async fn write_new(
    connection: &mut SqliteConnection,
    statements: &Statements,
    group: &Group<'_>,
) -> sqlx::Result<()> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    insert(&mut transaction, statements, group, &group.rows).await?;
    move_on(&mut transaction, statements, group).await?;
    transaction.commit().await
}

/// The careful way: one record at a time, looking first what is there.
async fn write_missing(
    connection: &mut SqliteConnection,
    statements: &Statements,
    group: &Group<'_>,
) -> Result<(), WriteError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut conflicts = Vec::new();
    for row in &group.rows {
        match look_up(&mut transaction, statements, group, row).await? {
            Found::Same => {}
            Found::Other => conflicts.push(row.number),
            Found::Nothing => {
                let row = std::slice::from_ref(row);
                insert(&mut transaction, statements, group, row).await?;
            }
        }
    }
    if !conflicts.is_empty() {
        transaction.rollback().await?;
        return Err(WriteError::Conflict(conflicts));
    }
    move_on(&mut transaction, statements, group).await?;
    Ok(transaction.commit().await?)
}

/// What is stored in a record's place.
enum Found {
    Nothing,
    Same,
    Other,
}

async fn look_up(
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

/// Puts rows behind everything that is there, with the next arrivals.
async fn insert(
    connection: &mut SqliteConnection,
    statements: &Statements,
    group: &Group<'_>,
    rows: &[Row<'_>],
) -> sqlx::Result<()> {
    let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let last: i64 = sqlx::query(AssertSqlSafe(Arc::clone(&statements.arrivals)))
        .bind(count)
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
    let mut arrival = last - count;
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

/// Moves the trail's cursor, never back.
async fn move_on(
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

/// One target of one record.
struct Target<'a> {
    record: &'a [u8; 16],
    position: i64,
    party: &'a Party<'a>,
}

/// The targets of these records that can be searched for: those that have an id.
fn targets<'a>(rows: &'a [Row<'a>]) -> Vec<Target<'a>> {
    rows.iter()
        .flat_map(|row| {
            (0..)
                .zip(&row.columns.targets)
                .filter(|(_, party)| party.id.is_some())
                .map(|(position, party)| Target {
                    record: row.id.as_bytes(),
                    position,
                    party,
                })
        })
        .collect()
}

/// Binds what [`Statements::records`] expects.
fn record_arguments(
    arguments: &mut SqliteArguments,
    group: &Group<'_>,
    rows: &[Row<'_>],
    arrival: &mut i64,
) -> Result<(), BoxDynError> {
    arguments.reserve(rows.len() * statements::RECORD_VALUES, 0);
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

/// The searchable columns in the order of [`statements::TEXTS`].
pub(crate) fn texts<'a>(row: &'a Row<'a>) -> [Option<&'a Text<'a>>; statements::TEXTS.len()] {
    let columns = &row.columns;
    let actor = columns.actor.as_ref();
    let service = columns.service.as_ref();
    let context = columns.context.as_ref();
    [
        Some(&columns.action),
        columns.category.as_ref(),
        columns.outcome.as_ref(),
        actor.and_then(|actor| actor.kind.as_ref()),
        actor.and_then(|actor| actor.id.as_ref()),
        actor.and_then(|actor| actor.name.as_ref()),
        columns
            .tenant
            .as_ref()
            .and_then(|tenant| tenant.id.as_ref()),
        columns
            .application
            .as_ref()
            .and_then(|application| application.id.as_ref()),
        service.and_then(|service| service.name.as_ref()),
        service.and_then(|service| service.instance.as_ref()),
        context.and_then(|context| context.ip_address.as_ref()),
        context.and_then(|context| context.session_id.as_ref()),
        context.and_then(|context| context.request_id.as_ref()),
    ]
}

/// Binds what [`Statements::targets`] expects.
fn target_arguments(
    arguments: &mut SqliteArguments,
    targets: &[Target<'_>],
) -> Result<(), BoxDynError> {
    let text =
        |text: &Option<Text<'_>>| text.as_ref().map(|text| Arc::<str>::from(text.0.as_ref()));
    arguments.reserve(targets.len() * statements::TARGET_VALUES, 0);
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
