//! Run with `cargo bench --features mysql --bench mysql [-- [--quick]]` after `scripts/services up`.
//!
//! Batches of records into MariaDB, by the sink alone, against two plain bulk writes of the same
//! values into the same tables, in the same transactions, all ready in memory: multi-row `INSERT`
//! as prepared statements, and as text.

mod support;

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, MySqlConnection};
use support::{
    Asked, Bar, Fallible, Series, Taken, Unit, Watch, compare,
    journal::batches,
    place::Place,
    plain_mysql::{Plain, Way},
};
use tower_audit::sink::{Batch, MysqlSink, Sink};

fn main() -> Fallible<()> {
    let asked = Asked::read();
    let Some(url) = url() else {
        return Err("no MariaDB: run scripts/services up".into());
    };
    let place = Place::new()?;
    let records = asked.or_quick(100_000, 5_000);
    let limits = MysqlSink::new(&url)?.limits();
    let batches = batches(&place, records, limits)?;
    let plain = Plain::new(&batches)?;
    let (mut sink, mut prepared, mut text) =
        (Series::default(), Series::default(), Series::default());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for round in 0..asked.or_quick(6, 3) {
        // By turns first, second and third: what one leaves to the disk the next one pays for.
        for turn in 0..3 {
            let (way, series) = match (round + turn) % 3 {
                0 => (None, &mut sink),
                1 => (Some(Way::Prepared), &mut prepared),
                _ => (Some(Way::Text), &mut text),
            };
            let taken = runtime.block_on(async {
                match way {
                    None => deliver(&url, &batches).await,
                    Some(way) => write(&url, &plain, way).await,
                }
            })?;
            series.rate(plain.records(), taken);
        }
    }
    let bar = Bar::AtLeast {
        bar: 0.8,
        aim: 0.95,
    };
    for (name, series) in [("prepared", &prepared), ("as text", &text)] {
        let title = format!("The sink on MariaDB, {records} records");
        let reference = format!("multi-row INSERT, {name}, of the same values from memory");
        compare(&title, Unit::PerSecond, &sink, (&reference, series), bar);
    }
    Ok(())
}

/// As the tests find it.
fn url() -> Option<String> {
    if let Ok(url) = std::env::var("AUDIT_TEST_MARIADB_URL") {
        return Some(url);
    }
    let left = concat!(env!("CARGO_MANIFEST_DIR"), "/target/services/urls");
    let urls = std::fs::read_to_string(left).ok()?;
    let mut lines = urls.lines();
    lines.find_map(|line| line.strip_prefix("MARIADB_URL=").map(str::to_owned))
}

/// An empty database, and its URL; the server has nothing left to write from before.
async fn fresh(url: &str) -> Fallible<String> {
    let sql = "DROP DATABASE IF EXISTS bench; CREATE DATABASE bench; \
               SET GLOBAL innodb_max_dirty_pages_pct = 0";
    run(url, sql).await?;
    let dirty = "SELECT CAST(variable_value AS SIGNED) FROM information_schema.global_status \
                 WHERE variable_name = 'Innodb_buffer_pool_pages_dirty'";
    let mut connection = MySqlConnection::connect(url).await?;
    while sqlx::query_scalar::<_, i64>(dirty)
        .fetch_one(&mut connection)
        .await?
        > 50
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    connection.close().await?;
    run(url, "SET GLOBAL innodb_max_dirty_pages_pct = 90").await?;
    let (server, _) = url.rsplit_once('/').ok_or("no database in the URL")?;
    Ok(format!("{server}/bench"))
}

async fn run(url: &str, sql: &'static str) -> Fallible<()> {
    let mut connection = MySqlConnection::connect(url).await?;
    let done = sqlx::raw_sql(AssertSqlSafe(sql));
    done.execute(&mut connection).await?;
    Ok(connection.close().await?)
}

async fn deliver(url: &str, batches: &[Batch]) -> Fallible<Taken> {
    let mut sink = MysqlSink::new(&fresh(url).await?)?;
    let first = batches.first().ok_or("no batches")?;
    // Makes the tables.
    sink.position(&first.origin).await?;
    let watch = Watch::start();
    for batch in batches {
        sink.deliver(batch).await?;
    }
    let taken = watch.taken();
    sink.close().await?;
    run(url, "DROP DATABASE bench").await?;
    Ok(taken)
}

async fn write(url: &str, plain: &Plain, way: Way) -> Fallible<Taken> {
    let mut connection = plain.open(&fresh(url).await?).await?;
    let watch = Watch::start();
    plain.write(&mut connection, way).await?;
    let taken = watch.taken();
    connection.close().await?;
    run(url, "DROP DATABASE bench").await?;
    Ok(taken)
}
