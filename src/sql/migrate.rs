//! Bringing tables up to date: once, under a lock, whoever comes first.

use super::{
    database::{Connection, Database},
    fault::OpenError,
    schema,
};

/// Brings the tables up to what this program knows, and looks whether they can be used.
pub(crate) async fn migrate<D: Database>(
    database: &D,
    connection: &mut Connection<D>,
) -> Result<(), OpenError> {
    let found = database.version(connection).await?;
    if !schema::missing(D::MIGRATIONS, found)?.is_empty() {
        let mut locked = database.lock(connection).await?;
        // Again, now that nobody else can change it.
        let found = database.version(&mut locked).await?;
        for step in schema::missing(D::MIGRATIONS, found)? {
            database.apply(&mut locked, step).await?;
        }
        database.unlock(&mut locked).await?;
        locked.commit().await?;
    }
    database.check(connection).await
}
