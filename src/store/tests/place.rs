//! Databases with some of everything.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU32, Ordering},
};

use uuid::Uuid;

use crate::{
    address::Address,
    clock::{RecordId, Timestamp},
    evidence::{Hash, leaf_hash},
    record::Origin,
    sql::{
        database::{Connection, Database},
        group::Group,
        location::file::FileLocation,
        migrate::migrate,
        mysql::MysqlDatabase,
        postgres::PostgresDatabase,
        rows::Row,
        sqlite::SqliteDatabase,
        write::{End, write},
    },
    store::{link::Place, pool::Pool},
};

pub(super) const RECORDS: i64 = 2400;
const ACTIONS: [&str; 4] = ["user.login", "user.logout", "userx.y", "document.create"];

/// A record's text; its time is its number.
pub(super) fn json(number: i64) -> String {
    let at = Timestamp::from_micros(1_000_000 + number);
    let id = RecordId::lowest_at(at);
    let action = ACTIONS[usize::try_from(number).unwrap() % ACTIONS.len()];
    let outcome = if number % 50 == 0 {
        "denied"
    } else {
        "success"
    };
    let mut json =
        format!(r#"{{"id":"{id}","timestamp":"{at}","action":"{action}","outcome":"{outcome}""#);
    write!(
        json,
        r#","actor":{{"id":"{}"}},"tenant":{{"id":"{}"}},"context":{{"session_id":"s{}"}}"#,
        number % 7,
        number % 3,
        number % 90
    )
    .unwrap();
    write!(
        json,
        r#","targets":[{{"type":"document","id":"{}"}},{{"type":"folder","id":"{}"}}]}}"#,
        number % 20,
        number % 9
    )
    .unwrap();
    json
}

/// The records of most tests, with their numbers.
pub(super) fn usual() -> Vec<(i64, String)> {
    (0..RECORDS).map(|number| (number, json(number))).collect()
}

async fn fill<D: Database>(database: &D, records: &[(i64, String)]) -> Connection<D> {
    let mut connection = database.connect().await.unwrap();
    migrate(database, &mut connection).await.unwrap();
    let origin = Origin::new(Uuid::from_u128(1), "docs", None);
    let leaves = records.iter().map(|(_, json)| leaf_hash(json.as_bytes()));
    let leaves: Vec<Hash> = leaves.collect();
    let rows = records.iter().zip(&leaves).map(|((number, json), leaf)| {
        let number = number.cast_unsigned();
        Row::new(number, leaf.as_bytes(), json).unwrap()
    });
    let rows: Vec<Row<'_>> = rows.collect();
    let group = Group {
        origin: &origin,
        received: Timestamp::from_micros(0),
        next: records.last().unwrap().0.cast_unsigned() + 1,
        head: None,
        rows,
        chosen: false,
    };
    write(database, &mut connection, &group, 0, End::Commit)
        .await
        .unwrap();
    connection
}

/// A pool on a filled database, and what removes it.
pub(super) struct Filled {
    pub(super) name: &'static str,
    pub(super) pool: Pool,
    dir: Option<tempfile::TempDir>,
}

impl Filled {
    fn new(name: &'static str, place: Place, dir: Option<tempfile::TempDir>) -> Self {
        Self {
            name,
            pool: Pool::new(place, std::time::Duration::from_secs(10)),
            dir,
        }
    }
}

/// A plan must not depend on whether an operator ran `ANALYZE`.
pub(super) async fn sqlite(analyzed: bool) -> Filled {
    sqlite_of(analyzed, &usual()).await
}

pub(super) async fn sqlite_of(analyzed: bool, records: &[(i64, String)]) -> Filled {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.db");
    let mut connection = fill(&SqliteDatabase::new(&path), records).await;
    if analyzed {
        let done = sqlx::query("ANALYZE").execute(&mut connection).await;
        done.unwrap();
    }
    let prefix = crate::sql::TablePrefix::default();
    let place = Place::Sqlite(FileLocation { path, prefix });
    Filled::new("SQLite", place, Some(dir))
}

/// A schema, or a prefix, that no other test has.
fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("plans_{}_{next}", std::process::id())
}

/// As `tests/it/support/services.rs` finds it.
fn found(name: &str) -> Option<String> {
    let given = std::env::var(format!("AUDIT_TEST_{name}")).ok();
    let urls = concat!(env!("CARGO_MANIFEST_DIR"), "/target/services/urls");
    let value = given.or_else(|| {
        let urls = std::fs::read_to_string(urls).ok()?;
        let mut lines = urls.lines().filter_map(|line| line.split_once('='));
        lines
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned())
    });
    let required = std::env::var_os("AUDIT_TEST_REQUIRE").is_some_and(|value| value == "1");
    assert!(value.is_some() || !required, "skipped: no {name}");
    value
}

pub(super) async fn postgres(analyzed: bool) -> Option<Filled> {
    postgres_of(analyzed, &usual()).await
}

pub(super) async fn postgres_of(analyzed: bool, records: &[(i64, String)]) -> Option<Filled> {
    let url = format!("{}?schema={}", found("POSTGRES_URL")?, unique());
    let address = || Address::parse(&url, &["postgres"]).unwrap();
    let database = PostgresDatabase::from_address(address()).unwrap();
    let mut connection = fill(&database, records).await;
    if analyzed {
        let sql = format!("ANALYZE {}", database.table("records"));
        let sql = sqlx::AssertSqlSafe(sql);
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    let place = Place::Postgres(database.into());
    Some(Filled::new("PostgreSQL", place, None))
}

pub(super) async fn mariadb() -> Option<Filled> {
    mariadb_of(&usual()).await
}

pub(super) async fn mariadb_of(records: &[(i64, String)]) -> Option<Filled> {
    let url = format!("{}?prefix={}_", found("MARIADB_URL")?, unique());
    let address = || Address::parse(&url, &["mysql"]).unwrap();
    let database = MysqlDatabase::from_address(address()).unwrap();
    drop(fill(&database, records).await);
    let place = Place::Mysql(database.into());
    Some(Filled::new("MariaDB", place, None))
}

impl Filled {
    /// The file of SQLite.
    pub(super) fn file(&self) -> std::path::PathBuf {
        self.dir.as_ref().unwrap().path().join("audit.db")
    }

    /// Removes the tables of a server.
    pub(super) async fn remove(self) {
        match Pool::into_place(self.pool) {
            Place::Sqlite(_) => {}
            Place::Postgres(database) => {
                let mut connection = database.connect().await.unwrap();
                let base = database.table("");
                let schema = base.split('.').next().unwrap();
                let sql = format!("DROP SCHEMA {schema} CASCADE");
                let sql = sqlx::AssertSqlSafe(sql);
                sqlx::query(sql).execute(&mut connection).await.unwrap();
            }
            Place::Mysql(database) => {
                let mut connection = database.connect().await.unwrap();
                let tables = [
                    "schema",
                    "arrival",
                    "records",
                    "targets",
                    "checkpoints",
                    "trails",
                ];
                let tables = tables.map(|table| database.table(table)).join(", ");
                let sql = sqlx::AssertSqlSafe(format!("DROP TABLE {tables}"));
                sqlx::query(sql).execute(&mut connection).await.unwrap();
            }
        }
    }
}
