//! Whether the tables have the columns that are written.
//!
//! A column of another type would fail record by record, and look like a fault of the records.

use sqlx::{PgConnection, Row};

use super::Names;
use crate::sql::fault::{ALTERED, OpenError};

/// Every column that is written or read, with its type.
const COLUMNS: &[(&str, &[(&str, &str)])] = &[
    ("arrival", &[("only", "integer"), ("last", "bigint")]),
    (
        "records",
        &[
            ("arrival", "bigint"),
            ("id", "uuid"),
            ("trail", "uuid"),
            ("number", "bigint"),
            ("leaf", "bytea"),
            ("received", "bigint"),
            ("timestamp", "bigint"),
            ("action", "text"),
            ("category", "text"),
            ("outcome", "text"),
            ("actor_type", "text"),
            ("actor_id", "text"),
            ("actor_name", "text"),
            ("tenant", "text"),
            ("application", "text"),
            ("service", "text"),
            ("instance", "text"),
            ("ip", "text"),
            ("session", "text"),
            ("request_id", "text"),
            ("json", "json"),
        ],
    ),
    (
        "targets",
        &[
            ("record", "uuid"),
            ("position", "bigint"),
            ("type", "text"),
            ("id", "text"),
            ("name", "text"),
        ],
    ),
    (
        "trails",
        &[
            ("trail", "uuid"),
            ("service", "text"),
            ("instance", "text"),
            ("next", "bigint"),
            ("size", "bigint"),
            ("root", "bytea"),
            ("updated", "bigint"),
        ],
    ),
];

/// A column that is there. `required`: a row without a value for it is refused.
const FOUND: &str = "SELECT class.relname::text, attribute.attname::text, \
    format_type(attribute.atttypid, attribute.atttypmod), \
    attribute.attnotnull AND NOT attribute.atthasdef AND attribute.attidentity = '' \
    FROM pg_attribute AS attribute \
    JOIN pg_class AS class ON class.oid = attribute.attrelid \
    JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace \
    WHERE namespace.nspname = $1 AND class.relname::text = ANY($2) \
    AND attribute.attnum > 0 AND NOT attribute.attisdropped";

struct Column {
    table: String,
    name: String,
    kind: String,
    required: bool,
}

/// Compares the tables with what is written into them.
pub(super) async fn check(connection: &mut PgConnection, names: &Names) -> Result<(), OpenError> {
    let tables: Vec<String> = COLUMNS
        .iter()
        .map(|(table, _)| format!("{}{table}", names.prefix))
        .collect();
    let rows = sqlx::query(FOUND)
        .bind(names.schema.as_str())
        .bind(&tables)
        .fetch_all(connection)
        .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        found.push(Column {
            table: row.try_get(0)?,
            name: row.try_get(1)?,
            kind: row.try_get(2)?,
            required: row.try_get(3)?,
        });
    }
    for ((_, columns), table) in COLUMNS.iter().zip(&tables) {
        if let Some(fault) = fault(table, columns, &found) {
            return Err(OpenError::Repair(format!("{fault}; {ALTERED}")));
        }
    }
    Ok(())
}

fn fault(table: &str, columns: &[(&str, &str)], found: &[Column]) -> Option<String> {
    let of_table = || found.iter().filter(|column| column.table == table);
    let missing = columns.iter().find(|(name, kind)| {
        !of_table().any(|column| column.name == *name && column.kind == *kind)
    });
    if let Some((name, kind)) = missing {
        return Some(format!(
            "the table {table} has no column {name} of type {kind}"
        ));
    }
    let is_ours = |column: &Column| columns.iter().any(|(name, _)| column.name == *name);
    let strange = of_table().find(|column| column.required && !is_ours(column));
    strange.map(|column| {
        format!(
            "the table {table} asks for a value of its column {:?}",
            column.name
        )
    })
}
