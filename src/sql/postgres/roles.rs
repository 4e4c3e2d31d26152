//! What the service's own role may do: insert and select, move a cursor, count arrivals.

use sqlx::{AssertSqlSafe, PgConnection, Row, postgres::PgRow};

use super::{Names, PostgresDatabase, parts};
use crate::sql::{
    database::Database,
    fault::{OpenError, foreign},
};

const TABLES: [&str; 10] = [
    "schema",
    "arrival",
    "records",
    "records_default",
    "targets",
    "checkpoints",
    "trails",
    "emptied",
    "holds",
    "prunes",
];

/// What a service's role could change all the same, by whatever it may through somebody else: the
/// role `$1`, in the schema `$2` the tables `$3`, and the parts of `$4`. Only columns are changed of
/// the tables `$5`.
const MORE: &str = "WITH ours AS ( \
        SELECT class.oid, class.relname::text AS name, class.relowner, class.relacl \
        FROM pg_class AS class JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace \
        WHERE namespace.nspname = $2 AND class.relname::text = ANY($3) \
        UNION \
        SELECT class.oid, class.relname::text, class.relowner, class.relacl \
        FROM pg_inherits JOIN pg_class AS class ON class.oid = inhrelid \
        WHERE inhparent = to_regclass($4) \
    ), more AS ( \
        SELECT ours.*, privilege FROM ours \
        CROSS JOIN unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) AS privilege \
        WHERE has_table_privilege($1::name, ours.oid, privilege) \
        OR (privilege = 'UPDATE' AND NOT ours.name = ANY($5) \
            AND has_any_column_privilege($1::name, ours.oid, privilege)) \
    ), found AS ( \
        SELECT privilege, name, CASE \
            WHEN (SELECT rolsuper FROM pg_roles WHERE rolname = $1) THEN 'being a superuser' \
            WHEN pg_has_role($1::name, relowner, 'USAGE') \
            THEN 'its owner ' || quote_ident(pg_get_userbyid(relowner)) \
            ELSE coalesce(( \
                SELECT string_agg(DISTINCT CASE acl.grantee WHEN 0 THEN 'PUBLIC' \
                    ELSE quote_ident(pg_get_userbyid(acl.grantee)) END, ' and ') \
                FROM aclexplode(relacl) AS acl WHERE acl.privilege_type = privilege \
                AND (acl.grantee = 0 OR pg_has_role($1::name, acl.grantee, 'USAGE')) \
            ), 'a right on columns or a role of the server') END AS through FROM more \
    ) SELECT string_agg(DISTINCT privilege, ', '), min(name), count(DISTINCT name), through \
    FROM found GROUP BY through ORDER BY through LIMIT 8";

/// Gives a role exactly these rights on the tables; others that it had there are taken back. Says
/// what it may do, and what is left that was not given to the role itself.
pub(super) async fn grant(
    database: &PostgresDatabase,
    connection: &mut PgConnection,
    role: &str,
) -> Result<String, OpenError> {
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
    let all = TABLES.map(|table| format!("{names}{table}")).join(", ");
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
    // What is given to everybody's new tables, a part got too.
    for part in parts::all(&mut locked, names).await? {
        let text = format!(
            "REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON {part} FROM {role_name}"
        );
        sqlx::raw_sql(AssertSqlSafe(text))
            .execute(&mut *locked)
            .await?;
    }
    locked.commit().await?;
    let more = more(connection, names, role).await?;
    Ok(if more.is_empty() {
        format!("role {role:?} may insert and select, no more")
    } else {
        format!(
            "role {role:?} may insert and select, but still more that was not given to it by \
             tower-audit: {}; take that away, or it can change what it recorded",
            more.join("; ")
        )
    })
}

/// What the role may do beyond its rights, and through what.
async fn more(
    connection: &mut PgConnection,
    names: &Names,
    role: &str,
) -> sqlx::Result<Vec<String>> {
    let named = |table: &&str| format!("{}{table}", names.prefix);
    let rows = sqlx::query(MORE)
        .bind(role)
        .bind(names.schema.as_str())
        .bind(TABLES.iter().map(named).collect::<Vec<_>>())
        .bind(format!("{names}records"))
        .bind(["arrival", "trails"].iter().map(named).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    let text = |row: &PgRow| {
        let (rights, table): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let (tables, through): (i64, String) = (row.try_get(2)?, row.try_get(3)?);
        let others = match tables {
            1 => String::new(),
            more => format!(" and {} more", more - 1),
        };
        let through = foreign(&through);
        Ok(format!("{rights} on {table}{others} through {through}"))
    };
    rows.iter().map(text).collect()
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
