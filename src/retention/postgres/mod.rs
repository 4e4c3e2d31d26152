//! What is only true of PostgreSQL: the guard is told of a prune, and whole months go at once.

mod renew;

use std::{sync::Arc, time::Duration};

use sqlx::{AssertSqlSafe, PgConnection, Row as _};
use uuid::Uuid;

use super::{
    Hold,
    over::tables_over,
    tables::{
        Alike, Candidate, Key, MISSING, OTHER_LEAF, Part, Removed, Run, Tables, TablesError,
        TablesFuture,
    },
    texts::{Style, Texts},
};
use crate::{
    clock::Timestamp,
    sql::{
        database::{Connection, Database},
        fault::OpenError,
        migrate::migrate,
        postgres::PostgresDatabase,
    },
};

const STYLE: Style = Style {
    numbered: true,
    insert_new: ("INSERT", "ON CONFLICT DO NOTHING"),
};

/// The expression of a record's text.
const JSON: &str = "json::text";

/// Said to the guard, which believes it of the tables' owner only.
const PRUNE: &str = "SELECT set_config('audit.prune', pg_current_xact_id()::text, true)";

/// How often the lock that drops a part is asked for, and how long is waited between: those who
/// write or read queue up behind whoever waits for it, so each time is short.
const TRIES: usize = 10;
const BETWEEN: Duration = Duration::from_millis(300);

/// Why a part is left as it is.
const READ: &str = "it is read all the time";
const CAME: &str = "records came into it meanwhile";

/// Whether there is a place to connect to: the server tells.
const fn is_there(_database: &PostgresDatabase) -> bool {
    true
}

fn key(key: Key) -> Uuid {
    Uuid::from_bytes(key)
}

#[expect(clippy::unnecessary_wraps, reason = "other databases keep any bytes")]
fn bytes(stored: Uuid) -> sqlx::Result<Key> {
    Ok(stored.into_bytes())
}

/// What a transaction that removes begins with. Nobody places a hold until it ends.
async fn gate(
    texts: &Texts,
    _database: &PostgresDatabase,
    transaction: &mut PgConnection,
) -> sqlx::Result<()> {
    let holds = &texts.table_of_holds;
    let text = format!("LOCK TABLE {holds} IN SHARE MODE; {PRUNE}");
    sqlx::raw_sql(AssertSqlSafe(text))
        .execute(transaction)
        .await?;
    Ok(())
}

/// Inserting waits for whoever removes by itself.
async fn gate_of_holds(
    _database: &PostgresDatabase,
    _transaction: &mut PgConnection,
) -> sqlx::Result<()> {
    Ok(())
}

impl PostgresTables {
    async fn on_lock(&mut self, function: &str) -> Result<bool, OpenError> {
        let mut connection = self.take().await?;
        let text = format!("SELECT {function}(hashtextextended($1, 0))");
        let row = sqlx::query(AssertSqlSafe(text))
            .bind(format!("tower-audit prune {}", self.texts.records))
            .fetch_one(&mut connection)
            .await?;
        self.connection = Some(connection);
        Ok(row.try_get(0)?)
    }

    async fn try_parts(&mut self, up_to: Key) -> Result<Vec<Part>, OpenError> {
        let mut connection = self.take().await?;
        let sql = "SELECT name, low::uuid, high::uuid, pages FROM ( \
                SELECT format('%I.%I', namespace.nspname, part.relname) AS name, \
                    pg_relation_size(part.oid) / current_setting('block_size')::bigint AS pages, \
                    regexp_match(pg_get_expr(part.relpartbound, part.oid), \
                        'FROM \\(''([0-9a-f-]+)''\\) TO \\(''([0-9a-f-]+)''\\)') AS bounds \
                FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid \
                JOIN pg_namespace AS namespace ON namespace.oid = part.relnamespace \
                WHERE inhparent = to_regclass($1) \
            ) AS parts, LATERAL (SELECT bounds[1] AS low, bounds[2] AS high) AS ends \
            WHERE bounds IS NOT NULL AND high::uuid <= $2 ORDER BY low";
        let rows = sqlx::query(sql)
            .bind(&self.texts.records)
            .bind(key(up_to))
            .fetch_all(&mut connection)
            .await?;
        self.connection = Some(connection);
        let mut parts = Vec::with_capacity(rows.len());
        for row in &rows {
            parts.push(Part {
                name: row.try_get(0)?,
                low: row.try_get::<Uuid, _>(1)?.into_bytes(),
                high: row.try_get::<Uuid, _>(2)?.into_bytes(),
                pages: row.try_get::<i64, _>(3)?.cast_unsigned(),
            });
        }
        Ok(parts)
    }

    async fn try_alike(&mut self, part: &Part) -> Result<Vec<Alike>, OpenError> {
        let mut connection = self.take().await?;
        let text = format!(
            "SELECT action, category, count(*), min(timestamp), max(timestamp), max(received) \
             FROM {} GROUP BY action, category",
            part.name
        );
        let rows = sqlx::query(AssertSqlSafe(text))
            .persistent(false)
            .fetch_all(&mut connection)
            .await?;
        self.connection = Some(connection);
        let mut alike = Vec::with_capacity(rows.len());
        for row in &rows {
            alike.push(Alike {
                action: row.try_get(0)?,
                category: row.try_get(1)?,
                count: row.try_get::<i64, _>(2)?.cast_unsigned(),
                oldest: Timestamp::from_micros(row.try_get(3)?),
                newest: Timestamp::from_micros(row.try_get(4)?),
                received: Timestamp::from_micros(row.try_get(5)?),
            });
        }
        Ok(alike)
    }

    async fn try_drop_part(
        &mut self,
        part: &Part,
        count: u64,
        known: &[Hold],
        run: &Run,
    ) -> Result<Removed, OpenError> {
        let mut connection = self.take().await?;
        let texts = &self.texts;
        let mut transaction = self.database.begin(&mut connection).await?;
        sqlx::raw_sql(PRUNE).execute(&mut *transaction).await?;
        let last = last_arrival(&mut transaction, part).await?;
        let mut left;
        if count_of(&mut transaction, part).await? == count {
            copy(texts, part, &[], &mut transaction).await?;
            Self::try_note(texts, &mut transaction, run).await?;
            gate(texts, &self.database, &mut transaction).await?;
            let holds = Self::active(texts, &mut transaction).await?;
            left = (holds != known).then_some(Removed::Holds(holds));
            let whole = format!("{}_default", texts.records);
            let tables = [&*format!("ONLY {}", texts.records), &part.name, &whole];
            if left.is_none() && !lock(&tables, &mut transaction).await? {
                left = Some(Removed::Left(READ.to_owned()));
            }
        } else {
            left = Some(Removed::Left(CAME.to_owned()));
        }
        // From here on nobody adds to it: what came since the copy was made must not go.
        if left.is_none() && last_arrival(&mut transaction, part).await? != last {
            left = Some(Removed::Left(CAME.to_owned()));
        }
        if let Some(left) = left {
            transaction.rollback().await?;
            self.connection = Some(connection);
            return Ok(left);
        }
        let text = format!("DROP TABLE {}", part.name);
        sqlx::raw_sql(AssertSqlSafe(text))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        self.connection = Some(connection);
        Ok(Removed::Done)
    }
}

/// The last arrival in a part, read from its index: others wait meanwhile.
async fn last_arrival(transaction: &mut PgConnection, part: &Part) -> sqlx::Result<i64> {
    let text = format!("SELECT coalesce(max(arrival), 0) FROM {}", part.name);
    let row = sqlx::query_scalar(AssertSqlSafe(text)).persistent(false);
    row.fetch_one(transaction).await
}

/// How many records a part holds.
async fn count_of(transaction: &mut PgConnection, part: &Part) -> sqlx::Result<u64> {
    let text = format!("SELECT count(*) FROM {}", part.name);
    let row = sqlx::query_scalar::<_, i64>(AssertSqlSafe(text)).persistent(false);
    row.fetch_one(transaction).await.map(i64::cast_unsigned)
}

/// Keeps the leaves of what goes of a part, which is all but `kept`, and removes its targets. Keeps
/// nobody waiting.
async fn copy(
    texts: &Texts,
    part: &Part,
    kept: &[Key],
    transaction: &mut PgConnection,
) -> Result<(), OpenError> {
    let going = |column: &str| match kept {
        [] => "TRUE".to_owned(),
        // Looked up by their hashes; `<> ALL` compares with each before version 15.
        kept => format!("{column} NOT IN (SELECT unnest({}))", list(kept)),
    };
    let leaves = texts.keep_leaves_of(&format!("{} WHERE {}", part.name, going("id")));
    sqlx::raw_sql(AssertSqlSafe(leaves))
        .execute(&mut *transaction)
        .await?;
    let others = texts.other_leaves_of(&part.name, &format!("AND {}", going("found.id")));
    let others: i64 = sqlx::query_scalar(AssertSqlSafe(others))
        .persistent(false)
        .fetch_one(&mut *transaction)
        .await?;
    if others > 0 {
        return Err(OpenError::Repair(OTHER_LEAF.to_owned()));
    }
    let (targets, going) = (&texts.targets, going("record"));
    let text = format!("DELETE FROM {targets} WHERE record >= $1 AND record < $2 AND {going}");
    sqlx::query(AssertSqlSafe(text))
        .bind(key(part.low))
        .bind(key(part.high))
        .persistent(false)
        .execute(transaction)
        .await?;
    Ok(())
}

/// Ids as they stand in SQL.
fn list(ids: &[Key]) -> String {
    let ids: Vec<_> = ids.iter().map(|id| key(*id).to_string()).collect();
    format!("'{{{}}}'::uuid[]", ids.join(","))
}

/// Takes tables for itself, for a moment. False when somebody is always there.
async fn lock(tables: &[&str], transaction: &mut PgConnection) -> sqlx::Result<bool> {
    let tables: String = tables
        .iter()
        .map(|table| format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; "))
        .collect();
    let text = format!(
        "SAVEPOINT waiting; SET LOCAL lock_timeout = '200ms'; {tables}\
         SET LOCAL lock_timeout = '15s'"
    );
    for tried in 0..TRIES {
        if tried > 0 {
            tokio::time::sleep(BETWEEN).await;
        }
        match sqlx::raw_sql(AssertSqlSafe(text.clone()))
            .execute(&mut *transaction)
            .await
        {
            Ok(_) => return Ok(true),
            Err(sqlx::Error::Database(error))
                if error.code().is_some_and(|code| code == "55P03") =>
            {
                sqlx::raw_sql("ROLLBACK TO SAVEPOINT waiting")
                    .execute(&mut *transaction)
                    .await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

tables_over!(PostgresTables, PostgresDatabase, {
    fn lock(&mut self) -> TablesFuture<'_, bool> {
        Box::pin(async {
            let done = self.on_lock("pg_try_advisory_lock").await;
            done.map_err(|error| self.error(error))
        })
    }

    fn unlock(&mut self) -> TablesFuture<'_, ()> {
        Box::pin(async {
            let done = self.on_lock("pg_advisory_unlock").await;
            done.map(drop).map_err(|error| self.error(error))
        })
    }

    fn parts(&mut self, up_to: Key) -> TablesFuture<'_, Vec<Part>> {
        Box::pin(async move {
            let parts = self.try_parts(up_to).await;
            parts.map_err(|error| self.error(error))
        })
    }

    fn alike<'a>(&'a mut self, part: &'a Part) -> TablesFuture<'a, Vec<Alike>> {
        Box::pin(async move {
            let alike = self.try_alike(part).await;
            alike.map_err(|error| self.error(error))
        })
    }

    fn drop_part<'a>(
        &'a mut self,
        part: &'a Part,
        count: u64,
        known: &'a [Hold],
        run: &'a Run,
    ) -> TablesFuture<'a, Removed> {
        Box::pin(async move {
            let dropped = self.try_drop_part(part, count, known, run).await;
            dropped.map_err(|error| self.error(error))
        })
    }

    fn renew_part<'a>(
        &'a mut self,
        part: &'a Part,
        kept: &'a [Key],
        count: u64,
        known: &'a [Hold],
        run: &'a Run,
    ) -> TablesFuture<'a, Removed> {
        Box::pin(async move {
            let renewed = self.try_renew_part(part, kept, count, known, run).await;
            renewed.map_err(|error| self.error(error))
        })
    }
});
