//! What the service's own role may do: insert and select, move a cursor, count arrivals.

use sqlx::{AssertSqlSafe, PgConnection};

use super::PostgresDatabase;
use crate::sql::{
    database::Database,
    fault::{OpenError, foreign},
};

/// Gives a role exactly these rights on the tables; others that it had there are taken back.
pub(super) async fn grant(
    database: &PostgresDatabase,
    connection: &mut PgConnection,
    role: &str,
) -> Result<(), OpenError> {
    let known = sqlx::query("SELECT 1 FROM pg_roles WHERE rolname = $1")
        .bind(role)
        .fetch_optional(&mut *connection)
        .await?;
    let role_name = quoted(role);
    if known.is_none() {
        return Err(OpenError::Repair(format!(
            "there is no role {}: create it first, such as with CREATE ROLE {0} LOGIN PASSWORD '…'",
            foreign(&role_name)
        )));
    }
    let names = &database.names;
    let schema = &names.schema;
    let all = [
        "schema",
        "arrival",
        "records",
        "records_default",
        "targets",
        "checkpoints",
        "trails",
    ]
    .map(|table| format!("{names}{table}"))
    .join(", ");
    let text = format!(
        "GRANT USAGE ON SCHEMA \"{schema}\" TO {role_name}; \
         REVOKE ALL ON {all} FROM {role_name}; \
         GRANT SELECT ON {all} TO {role_name}; \
         GRANT INSERT ON {names}records, {names}targets, {names}checkpoints, {names}trails \
             TO {role_name}; \
         GRANT UPDATE (last) ON {names}arrival TO {role_name}; \
         GRANT UPDATE (service, instance, next, size, root, updated) ON {names}trails \
             TO {role_name}"
    );
    let mut locked = database.lock(connection).await?;
    sqlx::raw_sql(AssertSqlSafe(text))
        .execute(&mut *locked)
        .await?;
    locked.commit().await?;
    Ok(())
}

/// A role's name as it stands in SQL, whatever it holds.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_name_cannot_end_its_quotes() {
        assert_eq!(quoted("docs"), "\"docs\"");
        assert_eq!(quoted("a\"; DROP TABLE x"), "\"a\"\"; DROP TABLE x\"");
    }
}
