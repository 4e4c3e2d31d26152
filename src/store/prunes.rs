//! What the prunes of a store say of themselves, and how many leaves are kept for what they removed.

use super::{
    Store, StoreError,
    emptied::has_table,
    pool::Reader,
    statement::{Kind, Sql, Tables, Value},
};

/// Prunes that are asked for at a time.
const PAGE: usize = 1000;

/// One prune, as it stands in `audit_prunes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prune {
    pub(crate) id: String,
    /// Records that it removed, by what stands there.
    pub(crate) removed: u64,
    /// Whether it was ended: nothing is changed in it from then on.
    pub(crate) has_ended: bool,
}

impl Store {
    /// A page of prunes, by id, behind this one; begin with an empty text. An empty answer means
    /// that there are no more, or that the tables are from before there was pruning.
    pub(crate) async fn prunes(&self, after: &str) -> Result<Vec<Prune>, StoreError> {
        let mut reader = self.pool.take().await?;
        let found = prunes(&mut reader, &self.pool.tables, after).await;
        self.pool.give(reader, found)
    }

    /// How many leaves of removed records there are in all trails, counted up to `max`.
    pub(crate) async fn count_emptied(&self, max: u64) -> Result<u64, StoreError> {
        let mut reader = self.pool.take().await?;
        let found = count_emptied(&mut reader, &self.pool.tables, max).await;
        self.pool.give(reader, found)
    }
}

async fn prunes(reader: &mut Reader<'_>, tables: &Tables, after: &str) -> sqlx::Result<Vec<Prune>> {
    let name = tables.name("prunes");
    if !has_table(reader, tables, &name).await? {
        return Ok(Vec::new());
    }
    let mut sql = Sql::new(tables.dialect);
    sql.push(&format!(
        "SELECT id, removed, ended FROM {name} WHERE id > "
    ));
    sql.bind(Value::Text(after.to_owned()));
    sql.push(&format!(" ORDER BY id LIMIT {PAGE}"));
    let kinds = [Kind::Text, Kind::Number, Kind::Number];
    let rows = reader.link.rows(sql.done(&kinds)).await?;
    let read = rows.into_iter().map(|mut row| {
        Ok(Prune {
            id: row.text()?,
            removed: row.number()?,
            has_ended: row.optional_number()?.is_some(),
        })
    });
    read.collect()
}

async fn count_emptied(reader: &mut Reader<'_>, tables: &Tables, max: u64) -> sqlx::Result<u64> {
    let name = tables.name("emptied");
    if !has_table(reader, tables, &name).await? {
        return Ok(0);
    }
    let max = max.min(i64::MAX.unsigned_abs());
    let mut sql = Sql::new(tables.dialect);
    sql.push(&format!(
        "SELECT count(*) FROM (SELECT number FROM {name} LIMIT {max}) AS kept"
    ));
    let rows = reader.link.rows(sql.done(&[Kind::Number])).await?;
    rows.into_iter()
        .next()
        .map_or(Ok(0), |mut row| row.number())
}
