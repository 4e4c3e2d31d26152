//! A change and its record commit together, or not at all; and there is one record, not two.

mod left;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "axum")]
mod requests;
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod servers;

use std::{path::PathBuf, time::Duration};

use sqlx::{
    Connection, Row, Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};
use tempfile::TempDir;
use tower_audit::{
    AuditScope, Record, assert_recorded,
    outbox::{OutboxError, SqliteOutbox},
    testing::{TestTrail, disk::TestDisk},
};

/// A service's database, with a table of its own and the outbox.
struct Service {
    dir: TempDir,
    pool: SqlitePool,
    outbox: SqliteOutbox,
}

fn options(path: PathBuf) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new().filename(path);
    options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(Duration::from_secs(60))
}

impl Service {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pool = SqlitePoolOptions::new()
            .max_connections(2)
            .connect_with(options(dir.path().join("service.db")))
            .await
            .unwrap();
        let create = "CREATE TABLE documents (name TEXT)";
        sqlx::raw_sql(create).execute(&pool).await.unwrap();
        let outbox = SqliteOutbox::open(dir.path().join("service.db"));
        let outbox = outbox.await.unwrap();
        Self { dir, pool, outbox }
    }

    fn trail(&self, disk: &TestDisk) -> TestTrail {
        TestTrail::on(disk, |builder| builder.outbox(self.outbox.clone()))
    }

    async fn begin(&self) -> Transaction<'static, Sqlite> {
        self.pool.begin_with("BEGIN IMMEDIATE").await.unwrap()
    }

    /// A transaction with a change and its record in it.
    async fn changed(&self) -> Transaction<'static, Sqlite> {
        let mut tx = self.begin().await;
        insert(&mut tx).await;
        let draft = AuditScope::current().unwrap().draft();
        self.outbox.record_in(&mut tx, &draft).await.unwrap();
        tx
    }

    async fn count(&self, table: &'static str) -> i64 {
        let count = match table {
            "documents" => "SELECT count(*) FROM documents",
            _ => "SELECT count(*) FROM audit_outbox",
        };
        let row = sqlx::query(count).fetch_one(&self.pool).await.unwrap();
        row.get(0)
    }

    /// What the rows say.
    async fn rows(&self) -> Vec<String> {
        let rows = sqlx::query("SELECT record FROM audit_outbox ORDER BY id");
        let rows = rows.fetch_all(&self.pool).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// The database as a crash of the machine would leave it now; the old process goes on with its own.
    async fn copied(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("service.db");
        sqlx::query("VACUUM INTO ?1")
            .bind(path.to_str().unwrap())
            .execute(&self.pool)
            .await
            .unwrap();
        let pool = SqlitePool::connect_with(options(path.clone()))
            .await
            .unwrap();
        let outbox = SqliteOutbox::open(path).await.unwrap();
        Self { dir, pool, outbox }
    }
}

async fn insert(tx: &mut Transaction<'_, Sqlite>) {
    let insert = sqlx::query("INSERT INTO documents VALUES ('Plans')");
    insert.execute(&mut **tx).await.unwrap();
}

fn create() -> Record {
    Record::new("document.create")
}

#[tokio::test]
async fn a_committed_change_leaves_one_record_and_no_row() {
    let service = Service::new().await;
    let trail = service.trail(&TestDisk::new());
    let work = async {
        AuditScope::current().unwrap().detail("name", "Plans");
        service.changed().await.commit().await.unwrap();
        assert_eq!(service.rows().await.len(), 1, "committed with the change");
    };
    trail.audit().scope(create()).run(work).await;
    let _ = trail.shutdown();
    assert_eq!(service.rows().await, [""; 0]);
    assert_recorded!(trail, {"outcome": "success", "details": {"name": "Plans"}});
    assert_eq!(trail.records().len(), 1);
    assert_eq!(service.count("documents").await, 1);
}

#[tokio::test]
async fn a_rolled_back_change_leaves_the_attempt_with_its_real_outcome() {
    let service = Service::new().await;
    let trail = service.trail(&TestDisk::new());
    let work = async {
        service.changed().await.rollback().await.unwrap();
        Err::<(), _>("the name is taken")
    };
    let done = trail.audit().scope(create()).try_run(work).await;
    assert_eq!(done, Err("the name is taken"));
    assert_eq!(service.rows().await, [""; 0], "gone with the transaction");
    let _ = trail.shutdown();
    assert_recorded!(trail, {"outcome": "error", "error": {"message": "the name is taken"}});
    assert_eq!(trail.records().len(), 1);
}

#[tokio::test]
async fn a_savepoint_that_is_rolled_back_takes_the_row_along() {
    let service = Service::new().await;
    let trail = service.trail(&TestDisk::new());
    let work = async {
        let mut tx = service.begin().await;
        insert(&mut tx).await;
        let mut savepoint = tx.begin().await.unwrap();
        let draft = AuditScope::current().unwrap().draft();
        service
            .outbox
            .record_in(&mut savepoint, &draft)
            .await
            .unwrap();
        savepoint.rollback().await.unwrap();
        tx.commit().await.unwrap();
    };
    trail.audit().scope(create()).run(work).await;
    assert_eq!(service.rows().await, [""; 0]);
    let _ = trail.shutdown();
    assert_eq!(trail.records().len(), 1);
}

// Trap D11: the row goes through the caller's own connection, so nothing waits for itself.
#[tokio::test]
async fn writing_from_inside_an_open_transaction_waits_for_nobody() {
    let service = Service::new().await;
    let trail = service.trail(&TestDisk::new());
    for _ in 0..50 {
        // While it is open, the rows of those before it wait to be removed.
        let work = async { service.changed().await.commit().await.unwrap() };
        trail.audit().scope(create()).run(work).await;
    }
    let _ = trail.shutdown();
    assert_eq!(service.rows().await, [""; 0]);
    assert_eq!(trail.records().len(), 50);
    assert_eq!(trail.audit().stats().outbox_kept, 0);
}

#[tokio::test]
async fn a_locked_database_keeps_rows_and_delays_nothing() {
    let service = Service::new().await;
    let disk = TestDisk::new();
    let trail = service.trail(&disk);
    let lock = async {
        service.changed().await.commit().await.unwrap();
        service.begin().await
    };
    let lock = trail.audit().scope(create()).run(lock).await;
    let begun = std::time::Instant::now();
    let report = trail.audit().shutdown(Duration::from_secs(5)).await;
    assert!(report.in_order, "{report}");
    // It would wait for the lock for a minute.
    assert!(
        begun.elapsed() < Duration::from_secs(40),
        "{:?}",
        begun.elapsed()
    );
    lock.rollback().await.unwrap();
    // Removed by the next start, unless the thread that was left behind was faster.
    let again = service.trail(&disk.after_kill());
    let _ = again.shutdown();
    assert_eq!(service.rows().await, [""; 0]);
    assert_eq!(again.records().len(), 1);
}

// Trap D10: the caller is told; SQLite undoes the statement, and what was before it stands.
#[tokio::test]
async fn a_failed_insert_is_an_error_and_leaves_the_transaction_usable() {
    let service = Service::new().await;
    let trail = service.trail(&TestDisk::new());
    let work = async {
        let mut tx = service.begin().await;
        insert(&mut tx).await;
        sqlx::raw_sql("DROP TABLE audit_outbox")
            .execute(&mut *tx)
            .await
            .unwrap();
        let draft = AuditScope::current().unwrap().draft();
        let error = service.outbox.record_in(&mut tx, &draft).await.unwrap_err();
        assert!(
            matches!(&error, OutboxError::Insert { id, .. } if *id == draft.id()),
            "{error:?}"
        );
        insert(&mut tx).await;
        tx.rollback().await.unwrap();
        Err::<(), _>(error)
    };
    trail
        .audit()
        .scope(create())
        .try_run(work)
        .await
        .unwrap_err();
    assert_eq!(service.count("documents").await, 0);
    let _ = trail.shutdown();
    assert_recorded!(trail, {"action": "document.create", "outcome": "error"});
}

#[tokio::test]
async fn a_draft_that_nobody_would_take_back_is_refused() {
    let service = Service::new().await;
    let without = TestTrail::start();
    let work = async { AuditScope::current().unwrap() };
    let scope = without.audit().scope(create()).run(work).await;
    let mut tx = service.begin().await;
    let error = service.outbox.record_in(&mut tx, &scope.draft()).await;
    assert!(matches!(error, Err(OutboxError::NotStarted)), "{error:?}");

    let trail = service.trail(&TestDisk::new());
    let work = async { AuditScope::current().unwrap() };
    let scope = trail.audit().scope(create()).run(work).await;
    let error = service.outbox.record_in(&mut tx, &scope.draft()).await;
    assert!(
        matches!(error, Err(OutboxError::Finished { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_second_draft_of_the_same_scope_replaces_the_first() {
    let service = Service::new().await;
    let trail = service.trail(&TestDisk::new());
    let work = async {
        service.changed().await.commit().await.unwrap();
        AuditScope::current().unwrap().detail("second", true);
        service.changed().await.commit().await.unwrap();
        let rows = service.rows().await;
        assert!(rows.len() == 1 && rows[0].contains("second"), "{rows:?}");
    };
    trail.audit().scope(create()).run(work).await;
    let _ = trail.shutdown();
    assert_eq!(service.rows().await, [""; 0]);
}

// A task that goes on after its request; no transaction of SQLite keeps the removal waiting here.
#[tokio::test]
async fn a_row_that_comes_after_its_record_is_removed_too() {
    let service = Service::new().await;
    let trail = service.trail(&TestDisk::new());
    let work = async { AuditScope::current().unwrap().draft() };
    let draft = trail.audit().scope(create()).run(work).await;
    // A second record, whose row is removed after the first one's was looked for.
    let work = async { service.changed().await.commit().await.unwrap() };
    trail.audit().scope(create()).run(work).await;
    while !service.rows().await.is_empty() {
        tokio::task::yield_now().await;
    }
    let mut tx = service.begin().await;
    service.outbox.record_in(&mut tx, &draft).await.unwrap();
    tx.commit().await.unwrap();
    let _ = trail.shutdown();
    assert_eq!(service.rows().await, [""; 0]);
    assert_eq!(trail.records().len(), 2);
}

// Trap D9: no table of migrations is made or touched, and no other table than its own.
#[tokio::test]
async fn the_outbox_makes_one_table_and_keeps_what_is_there() {
    let service = Service::new().await;
    SqliteOutbox::open(service.dir.path().join("service.db"))
        .await
        .unwrap();
    let tables = "SELECT group_concat(name) FROM (SELECT name FROM sqlite_master \
                  WHERE type = 'table' ORDER BY name)";
    let row = sqlx::query(tables).fetch_one(&service.pool).await.unwrap();
    assert_eq!(row.get::<String, _>(0), "audit_outbox,documents");
}

#[tokio::test]
async fn the_documented_insert_is_all_that_another_library_needs() {
    let page = include_str!("../../../docs/same-transaction.md");
    let insert = page
        .lines()
        .find(|line| line.starts_with("INSERT INTO"))
        .unwrap();
    let service = Service::new().await;
    let trail = service.trail(&TestDisk::new());
    let work = async {
        let draft = AuditScope::current().unwrap().draft();
        let insert = sqlx::query(insert)
            .bind(draft.id().to_string())
            .bind(draft.trail().to_string())
            .bind(draft.run().to_string())
            .bind(draft.json());
        insert.execute(&service.pool).await.unwrap();
        assert_eq!(service.rows().await, [draft.json()]);
    };
    trail.audit().scope(create()).run(work).await;
    let _ = trail.shutdown();
    assert_eq!(service.rows().await, [""; 0]);
    assert_eq!(trail.records().len(), 1);
}

#[tokio::test]
async fn a_database_that_is_not_there_or_holds_another_table_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let missing = SqliteOutbox::open(dir.path().join("none.db")).await;
    assert!(
        matches!(missing, Err(OutboxError::Database { .. })),
        "{missing:?}"
    );
    let other = dir.path().join("other.db");
    let pool = SqlitePool::connect_with(options(other.clone()))
        .await
        .unwrap();
    sqlx::raw_sql("CREATE TABLE audit_outbox (id TEXT)")
        .execute(&pool)
        .await
        .unwrap();
    let error = SqliteOutbox::open(other).await.unwrap_err();
    assert!(error.to_string().contains("other.db"), "{error}");
}
