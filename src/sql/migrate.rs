//! Bringing tables up to date: once, under a lock, whoever comes first.

use super::{
    database::{Connection, Database},
    fault::{Fault, OpenError},
    schema,
};

/// Brings the tables up to what this program knows, and looks whether they can be used.
pub(crate) async fn migrate<D: Database>(
    database: &D,
    connection: &mut Connection<D>,
) -> Result<(), OpenError> {
    let found = database.version(connection).await?;
    if !schema::missing(D::MIGRATIONS, found)?.is_empty() {
        bring_up_to_date(database, connection).await?;
    }
    database.check(connection).await
}

/// As [`migrate`], for whoever only writes records: tables of an older minor version lack nothing
/// that this needs. Where this user may not bring them up to date, they are used as they are.
pub(crate) async fn make_usable<D: Database>(
    database: &D,
    connection: &mut Connection<D>,
) -> Result<(), OpenError> {
    let found = database.version(connection).await?;
    if !schema::missing(D::MIGRATIONS, found)?.is_empty() {
        match bring_up_to_date(database, connection).await {
            Err(OpenError::Database(error))
                if found.is_some() && matches!(D::fault(&error), Fault::Repair(_)) =>
            {
                database.unlock(connection).await?;
            }
            done => done?,
        }
    }
    database.check(connection).await
}

async fn bring_up_to_date<D: Database>(
    database: &D,
    connection: &mut Connection<D>,
) -> Result<(), OpenError> {
    let mut locked = database.lock(connection).await?;
    // Again, now that nobody else can change it.
    let found = database.version(&mut locked).await?;
    for step in schema::missing(D::MIGRATIONS, found)? {
        database.apply(&mut locked, step).await?;
    }
    database.unlock(&mut locked).await?;
    locked.commit().await?;
    Ok(())
}

/// What somebody should see to when tables are older than this program.
pub(crate) async fn concern<D: Database>(
    database: &D,
    connection: &mut Connection<D>,
) -> sqlx::Result<Option<String>> {
    let known = schema::newest(D::MIGRATIONS);
    let found = database.version(connection).await?;
    let older = found.filter(|found| *found < known);
    Ok(older.map(|found| {
        format!(
            "the tables have format {}.{}, and this program can make {}.{}; \
             run `tower-audit migrate URL` as their owner: nothing can be held or pruned before",
            found.major, found.minor, known.major, known.minor
        )
    }))
}
