//! A month made anew with the little that stays of it.
//!
//! `TRUNCATE` gives the part an empty file, and what stays is put into that; the old file goes with
//! the commit. The part itself remains, with its owner, rights, guards, bounds and whatever an
//! operator gave to it, so that nothing is attached: no other part, and not the table of all of them,
//! is locked.
//!
//! Rows that were written anew would be invisible to a transaction that took its snapshot before.
//! `COPY … FREEZE` writes rows that every snapshot sees, and may do so in a file that is not yet
//! anybody else's.

use sqlx::{AssertSqlSafe, PgConnection, Row as _, ValueRef as _, postgres::PgValueFormat};
use uuid::Uuid;

use super::{
    CAME, Hold, Key, OpenError, Part, PostgresTables, READ, Removed, Run, copy, count_of, gate,
    key, last_arrival, lock,
};
use crate::sql::{database::Database as _, fault::foreign, postgres::Copy};

/// The most bytes that are put back, as text: they are in memory, and others wait.
const MOST_BYTES: i64 = 32 << 20;

/// How long a statement may take while others wait for it.
const LONGEST: &str = "10s";

/// What records come to.
#[derive(PartialEq, Eq)]
struct Sums {
    count: u64,
    /// As text.
    bytes: i64,
    /// Of all their columns.
    hash: String,
}

impl PostgresTables {
    pub(super) async fn try_renew_part(
        &mut self,
        part: &Part,
        kept: &[Key],
        count: u64,
        known: &[Hold],
        run: &Run,
    ) -> Result<Removed, OpenError> {
        let mut connection = self.take().await?;
        let mut transaction = self.database.begin(&mut connection).await?;
        let renewed = self
            .renew(&mut transaction, part, kept, count, known, run)
            .await;
        let removed = match renewed {
            Ok(Removed::Done) => {
                transaction.commit().await?;
                Removed::Done
            }
            Ok(left) => {
                transaction.rollback().await?;
                left
            }
            // A table that refers to the records, a trigger of somebody else: what is in the way
            // here may not be in the way of removing row by row.
            Err(OpenError::Database(sqlx::Error::Database(error))) => {
                transaction.rollback().await?;
                Removed::Left(foreign(error.message()))
            }
            Err(error) => return Err(error),
        };
        self.connection = Some(connection);
        Ok(removed)
    }

    async fn renew(
        &self,
        transaction: &mut PgConnection,
        part: &Part,
        kept: &[Key],
        count: u64,
        known: &[Hold],
        run: &Run,
    ) -> Result<Removed, OpenError> {
        let left = |why: &str| Ok(Removed::Left(why.to_owned()));
        let texts = &self.texts;
        sqlx::raw_sql(super::PRUNE)
            .execute(&mut *transaction)
            .await?;
        let last = last_arrival(transaction, part).await?;
        if count_of(transaction, part).await? != count {
            return left(CAME);
        }
        let sums = sums_of(transaction, part, kept).await?;
        if sums.count != kept.len() as u64 {
            return left("records were removed from it meanwhile");
        }
        if sums.bytes > MOST_BYTES {
            return left("what stays of it is too large to be put back at once");
        }
        let rows = read(transaction, part, kept).await?;
        copy(texts, part, kept, transaction).await?;
        Self::try_note(texts, transaction, run).await?;
        gate(texts, &self.database, transaction).await?;
        let holds = Self::active(texts, transaction).await?;
        if holds != known {
            return Ok(Removed::Holds(holds));
        }
        if !lock(&[&part.name], transaction).await? {
            return left(READ);
        }
        // From here on nobody adds to it: what came since it was judged must not go.
        if last_arrival(transaction, part).await? != last {
            return left(CAME);
        }
        put_back(transaction, part, rows).await?;
        if sums_of(transaction, part, kept).await? != sums {
            return left("what was put back is not what was there");
        }
        Ok(Removed::Done)
    }
}

/// What these records of a part come to, byte by byte.
async fn sums_of(transaction: &mut PgConnection, part: &Part, kept: &[Key]) -> sqlx::Result<Sums> {
    let text = format!(
        "SELECT count(*), coalesce(sum(octet_length(kept::text)), 0)::bigint, \
         coalesce(sum(hashtextextended(kept::text, 0)), 0)::text \
         FROM {} AS kept WHERE id = ANY($1)",
        part.name
    );
    let row = sqlx::query(AssertSqlSafe(text))
        .bind(uuids(kept))
        .persistent(false)
        .fetch_one(transaction)
        .await?;
    Ok(Sums {
        count: row.try_get::<i64, _>(0)?.cast_unsigned(),
        bytes: row.try_get(1)?,
        hash: row.try_get(2)?,
    })
}

fn uuids(ids: &[Key]) -> Vec<Uuid> {
    ids.iter().copied().map(key).collect()
}

/// These records of a part, with every column that it has, as they are put back.
async fn read(transaction: &mut PgConnection, part: &Part, kept: &[Key]) -> sqlx::Result<Copy> {
    let text = format!("SELECT * FROM {} WHERE id = ANY($1)", part.name);
    let rows = sqlx::query(AssertSqlSafe(text))
        .bind(uuids(kept))
        .persistent(false)
        .fetch_all(transaction)
        .await?;
    let mut copy = Copy::new(kept.len() * 1024);
    for row in &rows {
        copy.row(row.len())?;
        for column in 0..row.len() {
            let value = row.try_get_raw(column)?;
            if value.is_null() {
                copy.null();
            } else if value.format() == PgValueFormat::Binary {
                copy.value(value.as_bytes().map_err(sqlx::Error::Decode)?)?;
            } else {
                return Err(sqlx::Error::Decode("a value in its binary form".into()));
            }
        }
    }
    Ok(copy)
}

/// Empties a part, and puts records into it.
async fn put_back(transaction: &mut PgConnection, part: &Part, rows: Copy) -> sqlx::Result<()> {
    let name = &part.name;
    let text = format!("SET LOCAL statement_timeout = '{LONGEST}'; TRUNCATE TABLE ONLY {name}");
    sqlx::raw_sql(AssertSqlSafe(text))
        .execute(&mut *transaction)
        .await?;
    let text = format!("COPY {name} FROM STDIN (FORMAT binary, FREEZE)");
    let mut sending = transaction.copy_in_raw(&text).await?;
    sending.send(rows.finish()).await?;
    sending.finish().await?;
    Ok(())
}
