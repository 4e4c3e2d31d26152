//! The parts of the records by month.
//!
//! A part is made beside the table and then attached: that waits for nobody who reads or writes the
//! other parts, and keeps nobody waiting but readers of the default part, for a moment.

use sqlx::{AssertSqlSafe, PgConnection, Postgres, Row, Transaction, postgres::PgRow};

use super::{Names, PostgresDatabase};
use crate::sql::database::Database;

/// A month's part: what its name ends with, and the ids it holds, from `low` to below `high`.
struct Month {
    name: String,
    low: String,
    high: String,
}

/// What was in the default part and has a part of its own now.
#[derive(Debug, Default)]
pub(super) struct Moved {
    pub(super) parts: usize,
    pub(super) rows: u64,
}

/// How many months one call gives parts to; a clock that jumped about can have filled many.
const MOST_MONTHS: usize = 1200;

/// Fewer months ahead than this are told.
const FEW_MONTHS: i64 = 2;

/// So many rows of the default part are counted.
const MOST_ROWS: i64 = 1000;

/// The columns of a [`Month`], for a `month` that is a time stamp at its beginning. An id begins
/// with its milliseconds in 48 bits.
const MONTH: &str = "'y' || to_char(month, 'FMYYYY') || 'm' || to_char(month, 'MM'), \
    (lpad(to_hex((extract(epoch FROM month) * 1000)::bigint), 12, '0') \
        || repeat('0', 20))::uuid::text, \
    (lpad(to_hex((extract(epoch FROM month + interval '1 month') * 1000)::bigint), 12, '0') \
        || repeat('0', 20))::uuid::text";

/// From the month before, for what was recorded before the tables were made, to 12 months ahead.
const AHEAD: &str = "generate_series( \
    date_trunc('month', now() AT TIME ZONE 'UTC') - interval '1 month', \
    date_trunc('month', now() AT TIME ZONE 'UTC') + interval '12 months', \
    interval '1 month') AS month";

/// The names of the parts that are there, without what they begin with: `$2`, in the schema `$1`.
const MADE: &str = "SELECT substr(class.relname::text, length($2) + 1) FROM pg_class AS class \
    JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace \
    WHERE namespace.nspname = $1 AND starts_with(class.relname::text, $2)";

/// Whether this user owns the records, and so may make parts of them.
pub(super) async fn may_make(connection: &mut PgConnection, names: &Names) -> sqlx::Result<bool> {
    sqlx::query(
        "SELECT pg_has_role(class.relowner, 'USAGE') AND \
         has_schema_privilege(class.relnamespace, 'CREATE') \
         FROM pg_class AS class WHERE class.oid = to_regclass($1)",
    )
    .bind(format!("{names}records"))
    .fetch_one(connection)
    .await?
    .try_get(0)
}

/// Makes the parts that are missing up to 12 months ahead, where nothing is in the way.
pub(super) async fn make_ahead(
    database: &PostgresDatabase,
    connection: &mut PgConnection,
) -> sqlx::Result<()> {
    let names = &database.names;
    if missing(connection, names).await?.is_empty() {
        return Ok(());
    }
    let mut locked = lock(database, connection).await?;
    // Again, now that nobody else makes any.
    let months = missing(&mut locked, names).await?;
    for month in &months {
        make(&mut locked, names, month).await?;
        attach(&mut locked, names, month).await?;
    }
    locked.commit().await
}

/// The months ahead that have no part, and no rows in the default part.
async fn missing(connection: &mut PgConnection, names: &Names) -> sqlx::Result<Vec<Month>> {
    let sql = format!(
        "SELECT name, low, high FROM (SELECT {MONTH} FROM {AHEAD}) AS wanted (name, low, high) \
         WHERE name NOT IN ({MADE}) AND NOT EXISTS ( \
             SELECT FROM {names}records_default WHERE id >= low::uuid AND id < high::uuid \
         ) ORDER BY low"
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(names.schema.as_str())
        .bind(format!("{}records_", names.prefix))
        .fetch_all(connection)
        .await?;
    rows.iter().map(month).collect()
}

/// Gives every row of the default part a part of its own month.
pub(super) async fn empty_default(
    database: &PostgresDatabase,
    connection: &mut PgConnection,
) -> sqlx::Result<Moved> {
    let names = &database.names;
    let first = format!(
        "SELECT {MONTH} FROM (SELECT date_trunc('month', to_timestamp( \
             ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0 \
         ) AT TIME ZONE 'UTC') FROM {names}records_default ORDER BY id LIMIT 1) AS oldest (month)"
    );
    let mut moved = Moved::default();
    while moved.parts < MOST_MONTHS {
        let mut locked = lock(database, connection).await?;
        let row = sqlx::query(AssertSqlSafe(first.clone()))
            .fetch_optional(&mut *locked)
            .await?;
        let Some(row) = row else {
            break;
        };
        let month = month(&row)?;
        moved.rows += give_part(&mut locked, names, &month).await?;
        locked.commit().await?;
        moved.parts += 1;
    }
    Ok(moved)
}

/// Moves what the default part has of a month into a part of its own.
async fn give_part(locked: &mut PgConnection, names: &Names, month: &Month) -> sqlx::Result<u64> {
    let Month { name, low, high } = month;
    make(locked, names, month).await?;
    // Nothing more comes in meanwhile; and the guard is told that the owner removes these rows.
    let clear = format!(
        "LOCK TABLE {names}records_default IN ACCESS EXCLUSIVE MODE; \
         SELECT set_config('audit.prune', pg_current_xact_id()::text, true)"
    );
    sqlx::raw_sql(AssertSqlSafe(clear))
        .execute(&mut *locked)
        .await?;
    let text = format!(
        "WITH moved AS ( \
             DELETE FROM {names}records_default \
             WHERE id >= '{low}' AND id < '{high}' RETURNING * \
         ) INSERT INTO {names}records_{name} SELECT * FROM moved"
    );
    let done = sqlx::query(AssertSqlSafe(text))
        .execute(&mut *locked)
        .await?;
    attach(locked, names, month).await?;
    Ok(done.rows_affected())
}

async fn make(locked: &mut PgConnection, names: &Names, month: &Month) -> sqlx::Result<()> {
    let text = format!(
        "CREATE TABLE {names}records_{} (LIKE {names}records INCLUDING ALL)",
        month.name
    );
    sqlx::raw_sql(AssertSqlSafe(text)).execute(locked).await?;
    Ok(())
}

/// Makes a table part of the records. Its indexes become parts of theirs, and the guard by row is
/// taken over; the one against `TRUNCATE` is not.
async fn attach(locked: &mut PgConnection, names: &Names, month: &Month) -> sqlx::Result<()> {
    let Month { name, low, high } = month;
    let prefix = &names.prefix;
    let text = format!(
        "ALTER TABLE {names}records ATTACH PARTITION {names}records_{name} \
         FOR VALUES FROM ('{low}') TO ('{high}'); \
         CREATE TRIGGER {prefix}keep_all BEFORE TRUNCATE ON {names}records_{name} \
         FOR EACH STATEMENT EXECUTE FUNCTION {names}guard()"
    );
    sqlx::raw_sql(AssertSqlSafe(text)).execute(locked).await?;
    Ok(())
}

/// The lock of all changes to these tables, with less patience than a migration has: whoever reads
/// the default part must not keep the writers waiting behind us.
async fn lock<'c>(
    database: &PostgresDatabase,
    connection: &'c mut PgConnection,
) -> sqlx::Result<Transaction<'c, Postgres>> {
    let mut locked = database.lock(connection).await?;
    sqlx::query("SET LOCAL lock_timeout = '5s'")
        .execute(&mut *locked)
        .await?;
    Ok(locked)
}

fn month(row: &PgRow) -> sqlx::Result<Month> {
    Ok(Month {
        name: row.try_get(0)?,
        low: row.try_get(1)?,
        high: row.try_get(2)?,
    })
}

/// What somebody should see to before it slows down: rows in the default part, months that run out.
pub(super) async fn concerns(
    connection: &mut PgConnection,
    names: &Names,
) -> sqlx::Result<Vec<String>> {
    let mut concerns = Vec::new();
    let sql = format!(
        "SELECT count(*) FROM (SELECT FROM {names}records_default LIMIT {MOST_ROWS}) AS stray"
    );
    let stray: i64 = sqlx::query(AssertSqlSafe(sql))
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
    if stray > 0 {
        let more = if stray == MOST_ROWS { " or more" } else { "" };
        concerns.push(format!(
            "{stray}{more} records are in the default part, outside of every month; {WAY_OUT}"
        ));
    }
    let sql = format!(
        "SELECT count(*) FILTER (WHERE name IN ({MADE})) \
         FROM (SELECT {MONTH}, month FROM {AHEAD}) AS wanted (name, low, high, month) \
         WHERE month > now() AT TIME ZONE 'UTC'"
    );
    let ahead: i64 = sqlx::query(AssertSqlSafe(sql))
        .bind(names.schema.as_str())
        .bind(format!("{}records_", names.prefix))
        .fetch_one(connection)
        .await?
        .try_get(0)?;
    if ahead < FEW_MONTHS {
        concerns.push(format!(
            "there are monthly parts for {ahead} of the months to come; {WAY_OUT}"
        ));
    }
    Ok(concerns)
}

const WAY_OUT: &str = "run `tower-audit migrate URL` as the owner of the tables";
