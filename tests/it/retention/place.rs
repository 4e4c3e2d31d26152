//! A store of a test's own on each database, and records of any age in it.

use std::{fmt::Display, time::Duration};

use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};
use tempfile::TempDir;
use tower_audit::{
    clock::{RecordId, Timestamp},
    evidence::leaf_hash,
    record::Origin,
    retention::Pruner,
    sink::{Batch, Delivery, Sink, url},
};
use uuid::Uuid;

use crate::support::{batches, mariadb::Scratch, postgres};

/// 2026-11-21T00:00:00Z.
pub(super) const NOW: Timestamp = Timestamp::from_micros(1_795_219_200_000_000);

/// As long as stores of tests have no records.
pub(super) const IDLE: Duration = Duration::from_secs(365 * 86_400);

#[derive(Debug)]
pub(super) enum Place {
    Sqlite(TempDir),
    Postgres(postgres::Place),
    Mariadb(Scratch),
}

/// One on each database that there is; those that are missing were said.
pub(super) fn all() -> Vec<Place> {
    let servers = [
        postgres::place().map(Place::Postgres),
        Scratch::new().map(Place::Mariadb),
    ];
    let sqlite = Place::Sqlite(tempfile::tempdir().unwrap());
    [sqlite]
        .into_iter()
        .chain(servers.into_iter().flatten())
        .collect()
}

/// A time so many days and seconds before [`NOW`].
pub(super) fn ago(days: i64, seconds: i64) -> Timestamp {
    Timestamp::from_micros(NOW.as_micros() - (days * 86_400 + seconds) * 1_000_000)
}

/// Record `number`, of this time.
pub(super) fn record(number: u64, at: Timestamp, action: &str, more: impl Display) -> Delivery {
    let lowest = u128::from_be_bytes(*RecordId::lowest_at(at).as_bytes());
    let id = Uuid::from_u128(lowest | u128::from(number));
    let json =
        format!(r#"{{"id":"{id}","timestamp":"{at}","schema":"1.0","action":"{action}"{more}}}"#);
    Delivery::new(number, leaf_hash(json.as_bytes()), json)
}

/// What came when its last record was made.
pub(super) fn batch(origin: &Origin, records: Vec<Delivery>) -> Batch {
    let last = &records.last().unwrap().json;
    let id: RecordId = last[7..43].parse().unwrap();
    let next = records.last().unwrap().number + 1;
    Batch::new(origin.clone(), id.timestamp(), records, next)
}

/// Plain records with a target, of this age and a microsecond apart.
pub(super) fn plain(numbers: std::ops::Range<u64>, days: i64) -> Batch {
    let target = |number| format!(r#","targets":[{{"type":"document","id":"{number}"}}]"#);
    let at = |number: u64| {
        let later = i64::try_from(number).unwrap();
        Timestamp::from_micros(ago(days, 0).as_micros() + later)
    };
    let record = |number| record(number, at(number), "document.create", target(number));
    batch(&batches::origin(1), numbers.map(record).collect())
}

impl Place {
    pub(super) fn address(&self) -> String {
        match self {
            Self::Sqlite(dir) => format!("sqlite://{}", dir.path().join("audit.db").display()),
            Self::Postgres(place) => place.address(),
            Self::Mariadb(scratch) => scratch.url(""),
        }
    }

    pub(super) fn sink(&self) -> Box<dyn Sink> {
        url::parse(&self.address()).unwrap()
    }

    /// Delivers in batches that every sink takes.
    pub(super) async fn put(&self, whole: Batch) {
        let mut sink = self.sink();
        for records in whole.records.chunks(500) {
            let part = batch(&whole.origin, records.to_vec());
            sink.deliver(&part).await.unwrap();
        }
        sink.close().await.unwrap();
    }

    /// One that takes no months without records for a wrong clock.
    pub(super) async fn pruner(&self) -> Pruner {
        self.wary_pruner().await.idle(IDLE)
    }

    /// One that is as it is by default.
    pub(super) async fn wary_pruner(&self) -> Pruner {
        Pruner::open(&self.address()).await.unwrap()
    }

    /// The one number that a query gives.
    pub(super) async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(_) => {
                let mut file = self.file().await;
                let row = sqlx::query(sql).fetch_one(&mut file).await.unwrap();
                file.close().await.unwrap();
                row.get(0)
            }
            Self::Postgres(place) => {
                let mut server = place.connect().await;
                let row = sqlx::query(sql).fetch_one(&mut server).await.unwrap();
                server.close().await.unwrap();
                row.get(0)
            }
            Self::Mariadb(scratch) => {
                let mut server = scratch.open().await;
                let row = sqlx::query(sql).fetch_one(&mut server).await.unwrap();
                server.close().await.unwrap();
                row.get(0)
            }
        }
    }

    pub(super) async fn run(&self, sql: &str) {
        match self {
            Self::Sqlite(_) => {
                let mut file = self.file().await;
                let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut file);
                done.await.unwrap();
                file.close().await.unwrap();
            }
            Self::Postgres(place) => place.run(sql).await,
            Self::Mariadb(scratch) => scratch.run(sql).await,
        }
    }

    async fn file(&self) -> SqliteConnection {
        let address = format!("{}?mode=rwc", self.address());
        SqliteConnection::connect(&address).await.unwrap()
    }

    /// Numbers and leaves of a table, of trail 1, in ascending order.
    pub(super) async fn leaves(&self, table: &str) -> Vec<(u64, [u8; 32])> {
        let sql = format!("SELECT number, leaf FROM {table} ORDER BY number");
        let sql = AssertSqlSafe(sql);
        macro_rules! read {
            ($connection:expr) => {{
                let mut connection = $connection;
                let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                let read =
                    |number: i64, leaf: Vec<u8>| (number.cast_unsigned(), leaf.try_into().unwrap());
                rows.iter()
                    .map(|row| read(row.get(0), row.get(1)))
                    .collect()
            }};
        }
        match self {
            Self::Sqlite(_) => read!(self.file().await),
            Self::Postgres(place) => read!(place.connect().await),
            Self::Mariadb(scratch) => read!(scratch.open().await),
        }
    }

    /// The numbers that are still there.
    pub(super) async fn numbers(&self) -> Vec<u64> {
        let leaves = self.leaves("audit_records").await;
        leaves.into_iter().map(|(number, _)| number).collect()
    }

    /// The root over everything that is, or was, in the store.
    pub(super) async fn root(&self) -> [u8; 32] {
        let mut leaves = self.leaves("audit_records").await;
        leaves.extend(self.leaves("audit_emptied").await);
        leaves.sort_unstable();
        leaves.dedup();
        for (place, (number, _)) in (0..).zip(&leaves) {
            assert_eq!(
                place,
                *number,
                "a leaf is missing, or there are two: {}",
                self.address()
            );
        }
        let leaves: Vec<_> = leaves.into_iter().map(|(_, leaf)| leaf).collect();
        root(&leaves)
    }
}

/// The root over the leaves of these records, by the words of RFC 6962.
pub(super) fn root_of(records: &[Delivery]) -> [u8; 32] {
    let leaves: Vec<_> = records
        .iter()
        .map(|record| *record.leaf.as_bytes())
        .collect();
    root(&leaves)
}

fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf,
        leaves => {
            let half = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(half);
            let parts = [&[1_u8][..], &root(left), &root(right)].concat();
            Sha256::digest(parts).into()
        }
    }
}
