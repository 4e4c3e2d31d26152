//! What is left of records that were removed: number and leaf.

use std::ops::Range;

use uuid::Uuid;

use super::{
    Store, StoreError,
    pool::Reader,
    statement::{Dialect, Kind, Sql, Tables, Value},
};
use crate::evidence::Hash;

impl Store {
    /// Number and leaf of the records of a trail that were removed by a prune, in ascending order,
    /// at most `max`; none where the tables are from before there was pruning.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; never an empty list in its place.
    pub async fn emptied(
        &self,
        trail: Uuid,
        numbers: Range<u64>,
        max: usize,
    ) -> Result<Vec<(u64, Hash)>, StoreError> {
        let mut reader = self.pool.take().await?;
        let found = emptied(&mut reader, &self.pool.tables, trail, numbers, max).await;
        self.pool.give(reader, found)
    }
}

async fn emptied(
    reader: &mut Reader<'_>,
    tables: &Tables,
    trail: Uuid,
    numbers: Range<u64>,
    max: usize,
) -> sqlx::Result<Vec<(u64, Hash)>> {
    let name = tables.name("emptied");
    if !has_table(reader, tables, &name).await? {
        return Ok(Vec::new());
    }
    let mut sql = Sql::new(tables.dialect);
    sql.push(&format!("SELECT number, leaf FROM {name} WHERE trail = "));
    sql.bind(Value::Id(*trail.as_bytes()));
    sql.push(" AND number >= ");
    sql.bind(bound(numbers.start));
    sql.push(" AND number < ");
    sql.bind(bound(numbers.end));
    let limit = max.min(i32::MAX as usize);
    sql.push(&format!(" ORDER BY number LIMIT {limit}"));
    let rows = reader
        .link
        .rows(sql.done(&[Kind::Number, Kind::Bytes]))
        .await?;
    let read = rows
        .into_iter()
        .map(|mut row| Ok((row.number()?, row.hash()?)));
    read.collect()
}

/// Whether a table is there: those of retention came later than the first ones.
pub(super) async fn has_table(
    reader: &mut Reader<'_>,
    tables: &Tables,
    name: &str,
) -> sqlx::Result<bool> {
    let mut table = Sql::new(tables.dialect);
    table.push(match tables.dialect {
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ",
        #[cfg(feature = "postgres")]
        Dialect::Postgres => "SELECT 1::bigint FROM pg_class WHERE oid = to_regclass(",
        #[cfg(feature = "mysql")]
        Dialect::Mysql => {
            "SELECT CAST(1 AS SIGNED) FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_name = "
        }
    });
    table.bind(Value::Text(name.to_owned()));
    #[cfg(feature = "postgres")]
    if tables.dialect == Dialect::Postgres {
        table.push(")");
    }
    let rows = reader.link.rows(table.done(&[Kind::Number])).await?;
    Ok(!rows.is_empty())
}

/// A database holds no larger number.
fn bound(number: u64) -> Value {
    Value::Number(i64::try_from(number).unwrap_or(i64::MAX))
}
