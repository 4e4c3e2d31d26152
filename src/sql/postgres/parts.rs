//! The parts of the records by month.
//!
//! A part is made beside the table and then attached: that waits for nobody who reads or writes the
//! other parts, and keeps nobody waiting but readers of the default part, for a moment.

use sqlx::{AssertSqlSafe, PgConnection, Postgres, Row, Transaction, postgres::PgRow};

use super::{Names, PostgresDatabase, fault};
use crate::sql::{
    database::Database,
    fault::{Fault, foreign},
};

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
    /// The months that something is in the way of, and what.
    pub(super) left: Vec<String>,
}

/// How many months one call gives parts to; a clock that jumped about can have filled many.
const MOST_MONTHS: usize = 1200;

/// The lowest id.
const FIRST: &str = "00000000-0000-0000-0000-000000000000";

/// Fewer months ahead than this are told.
const FEW_MONTHS: i64 = 2;

/// So many rows of the default part are counted.
const MOST_ROWS: i64 = 1000;

/// The columns of a [`Month`], for a `month` that is a time stamp at its beginning. An id begins
/// with its milliseconds in 48 bits, which end within a month of the year 10889.
const MONTH: &str = "'y' || to_char(month, 'FMYYYY') || 'm' || to_char(month, 'MM'), \
    (lpad(to_hex((extract(epoch FROM month) * 1000)::bigint), 12, '0') \
        || repeat('0', 20))::uuid::text, \
    (CASE WHEN extract(epoch FROM month + interval '1 month') * 1000 > 281474976710655 \
        THEN repeat('f', 32) \
        ELSE lpad(to_hex((extract(epoch FROM month + interval '1 month') * 1000)::bigint), 12, '0') \
            || repeat('0', 20) END)::uuid::text";

/// From the month before, for what was recorded before the tables were made, to 12 months ahead.
const AHEAD: &str = "generate_series( \
    date_trunc('month', now() AT TIME ZONE 'UTC') - interval '1 month', \
    date_trunc('month', now() AT TIME ZONE 'UTC') + interval '12 months', \
    interval '1 month') AS month";

/// The part of a month, whatever its name is, if it is one of the records `$1`. A table that only
/// has the name, such as one that was detached, is none.
const PART: &str = "SELECT FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid \
    WHERE inhparent = to_regclass($1) \
    AND pg_get_expr(part.relpartbound, part.oid) = format('FOR VALUES FROM (%L) TO (%L)', low, high)";

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

/// The names of all parts, as they stand in SQL.
pub(super) async fn all(connection: &mut PgConnection, names: &Names) -> sqlx::Result<Vec<String>> {
    let sql = "SELECT format('%I.%I', namespace.nspname, part.relname) \
         FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid \
         JOIN pg_namespace AS namespace ON namespace.oid = part.relnamespace \
         WHERE inhparent = to_regclass($1)";
    let rows = sqlx::query(sql)
        .bind(format!("{names}records"))
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Makes the parts that are missing up to 12 months ahead, where no rows are in the way; says of
/// which months something else is.
pub(super) async fn make_ahead(
    database: &PostgresDatabase,
    connection: &mut PgConnection,
) -> sqlx::Result<Vec<String>> {
    let names = &database.names;
    let mut left = Vec::new();
    for month in missing(connection, names).await? {
        let mut locked = lock(database, connection).await?;
        // Again, now that nobody else makes any.
        let missing = missing(&mut locked, names).await?;
        if missing.iter().all(|other| other.low != month.low) {
            locked.rollback().await?;
            continue;
        }
        match make_part(&mut locked, names, &month).await {
            Ok(()) => locked.commit().await?,
            Err(error) => {
                left.push(left_out(&month, error)?);
                locked.rollback().await?;
            }
        }
    }
    Ok(left)
}

async fn make_part(locked: &mut PgConnection, names: &Names, month: &Month) -> sqlx::Result<()> {
    make(locked, names, month).await?;
    attach(locked, names, month).await
}

/// Why a month has no part; an error that passes, or is not about the month, stays one.
fn left_out(month: &Month, error: sqlx::Error) -> sqlx::Result<String> {
    let fault = fault::fault(&error);
    match (&error, fault) {
        (sqlx::Error::Database(_), Fault::Repair(_) | Fault::Refused | Fault::Constraint) => {
            let Month { name, low, high } = month;
            let what = match &error {
                sqlx::Error::Database(error) => foreign(error.message()),
                _ => String::new(),
            };
            Ok(format!(
                "no part {name} from {low} to {high} could be made: {what}"
            ))
        }
        _ => Err(error),
    }
}

/// The months ahead that have no part, and no rows in the default part.
async fn missing(connection: &mut PgConnection, names: &Names) -> sqlx::Result<Vec<Month>> {
    let sql = format!(
        "SELECT name, low, high FROM (SELECT {MONTH} FROM {AHEAD}) AS wanted (name, low, high) \
         WHERE NOT EXISTS ({PART}) AND NOT EXISTS ( \
             SELECT FROM {names}records_default WHERE id >= low::uuid AND id < high::uuid \
         ) ORDER BY low"
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(format!("{names}records"))
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
         ) AT TIME ZONE 'UTC') FROM {names}records_default WHERE id >= $1::uuid \
         ORDER BY id LIMIT 1) AS oldest (month)"
    );
    let mut moved = Moved::default();
    let mut from = FIRST.to_owned();
    for _ in 0..MOST_MONTHS {
        let mut locked = lock(database, connection).await?;
        let row = sqlx::query(AssertSqlSafe(first.clone()))
            .bind(&from)
            .fetch_optional(&mut *locked)
            .await?;
        let Some(row) = row else {
            break;
        };
        let month = month(&row)?;
        match give_part(&mut locked, names, &month).await {
            Ok(rows) => {
                locked.commit().await?;
                moved.rows += rows;
                moved.parts += 1;
            }
            // One month that something is in the way of does not keep the others waiting.
            Err(error) => {
                moved.left.push(left_out(&month, error)?);
                locked.rollback().await?;
            }
        }
        from = month.high;
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
/// taken over; the one against `TRUNCATE` is not. Nor are rights: what the owner lets somebody do to
/// every new table is taken back, all but reading.
async fn attach(locked: &mut PgConnection, names: &Names, month: &Month) -> sqlx::Result<()> {
    let Month { name, low, high } = month;
    let prefix = &names.prefix;
    let text = format!(
        "ALTER TABLE {names}records ATTACH PARTITION {names}records_{name} \
         FOR VALUES FROM ('{low}') TO ('{high}'); \
         CREATE TRIGGER {prefix}keep_all BEFORE TRUNCATE ON {names}records_{name} \
         FOR EACH STATEMENT EXECUTE FUNCTION {names}guard(); \
         DO $take$ DECLARE who text; BEGIN \
             FOR who IN SELECT DISTINCT CASE acl.grantee WHEN 0 THEN 'PUBLIC' \
                     ELSE quote_ident(pg_get_userbyid(acl.grantee)) END \
                 FROM pg_class AS class, aclexplode(class.relacl) AS acl \
                 WHERE class.oid = '{names}records_{name}'::regclass AND acl.grantee <> class.relowner \
             LOOP EXECUTE 'REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER \
                 ON {names}records_{name} FROM ' || who; END LOOP; \
         END $take$"
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
        "SELECT count(*) FILTER (WHERE EXISTS ({PART})) \
         FROM (SELECT {MONTH}, month FROM {AHEAD}) AS wanted (name, low, high, month) \
         WHERE month > now() AT TIME ZONE 'UTC'"
    );
    let ahead: i64 = sqlx::query(AssertSqlSafe(sql))
        .bind(format!("{names}records"))
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
