//! Whether the tables are as the migrations make them.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AssertSqlSafe, MySqlConnection, Row};

use crate::sql::TablePrefix;

/// Every table, its columns with their types (texts in utf8mb4_bin), and the keys that may not be there twice.
///
/// What a newer minor version added beside them does not matter.
const TABLES: [(&str, &str, &[&str]); 6] = [
    (
        "schema",
        "number bigint, name varchar, major bigint, minor bigint, applied bigint",
        &["number"],
    ),
    ("arrival", "only bigint, last bigint", &["only"]),
    (
        "records",
        "arrival bigint, id binary, trail binary, number bigint, leaf binary, received bigint, \
         timestamp bigint, action varchar, category varchar, outcome varchar, actor_type varchar, \
         actor_id varchar, actor_name varchar, tenant varchar, application varchar, \
         service varchar, instance varchar, ip varchar, session varchar, request_id varchar, \
         json longtext",
        &["id", "arrival", "trail,number"],
    ),
    (
        "targets",
        "record binary, position bigint, type varchar, id varchar, name varchar",
        &["record,position"],
    ),
    (
        "checkpoints",
        "trail binary, size bigint, root binary, note longtext, received bigint",
        &["trail,size"],
    ),
    (
        "trails",
        "trail binary, service text, instance text, next bigint, size bigint, root binary, \
         updated bigint",
        &["trail"],
    ),
];

/// Looks at the tables' definitions.
///
/// # Errors
///
/// `ColumnNotFound` names the first column or key that is missing or of another type, or the
/// table that is not kept by InnoDB, which alone has transactions.
pub(super) async fn check(
    connection: &mut MySqlConnection,
    prefix: &TablePrefix,
) -> sqlx::Result<()> {
    let found = Found::read(connection, prefix).await?;
    for (table, columns, keys) in TABLES {
        let name = format!("{prefix}{table}");
        if found
            .engines
            .get(&name)
            .is_none_or(|engine| engine != "innodb")
        {
            return Err(sqlx::Error::ColumnNotFound(name));
        }
        for column in columns.split(", ") {
            let is_text = column.ends_with("text") || column.ends_with("varchar");
            let collation = if is_text { " utf8mb4_bin" } else { "" };
            let column = format!("{column}{collation}");
            if !found.columns.contains(&format!("{name} {column}")) {
                return Err(sqlx::Error::ColumnNotFound(format!("{name}.{column}")));
            }
        }
        for key in keys {
            if !found.keys.contains(&format!("{name} {key}")) {
                return Err(sqlx::Error::ColumnNotFound(format!("{name} key {key}")));
            }
        }
    }
    Ok(())
}

/// What the server says of the tables with this prefix, in the words of [`TABLES`].
#[derive(Default)]
struct Found {
    engines: BTreeMap<String, String>,
    columns: BTreeSet<String>,
    keys: BTreeSet<String>,
}

impl Found {
    async fn read(connection: &mut MySqlConnection, prefix: &TablePrefix) -> sqlx::Result<Self> {
        let mut found = Self::default();
        let engines = "table_name, LOWER(engine) FROM information_schema.tables";
        for (table, engine) in pairs(connection, prefix, engines, "").await? {
            found.engines.insert(table, engine);
        }
        let columns = "table_name, LOWER(CONCAT_WS(' ', column_name, data_type, collation_name)) \
                       FROM information_schema.columns";
        for (table, column) in pairs(connection, prefix, columns, "").await? {
            found.columns.insert(format!("{table} {column}"));
        }
        let keys = "table_name, LOWER(GROUP_CONCAT(column_name ORDER BY seq_in_index)) \
                    FROM information_schema.statistics";
        let unique = "AND non_unique = 0 GROUP BY table_name, index_name";
        for (table, key) in pairs(connection, prefix, keys, unique).await? {
            found.keys.insert(format!("{table} {key}"));
        }
        Ok(found)
    }
}

/// Two texts of each row about a table with this prefix.
async fn pairs(
    connection: &mut MySqlConnection,
    prefix: &TablePrefix,
    what: &str,
    end: &str,
) -> sqlx::Result<Vec<(String, String)>> {
    let names = TABLES.map(|(table, ..)| format!("'{prefix}{table}'"));
    let sql = format!(
        "SELECT {what} WHERE table_schema = DATABASE() AND table_name IN ({}) {end}",
        names.join(", ")
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .fetch_all(connection)
        .await?;
    let read = |row: &sqlx::mysql::MySqlRow| {
        // A view has no engine.
        let second: Option<String> = row.try_get(1)?;
        Ok((row.try_get(0)?, second.unwrap_or_default()))
    };
    rows.iter().map(read).collect()
}
