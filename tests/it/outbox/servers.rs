//! The outbox on a database server: the same promises as on SQLite.

use std::future::pending;

use sqlx::AssertSqlSafe;
use tokio::sync::oneshot;
use tower_audit::{
    AuditScope, assert_recorded,
    clock::{Clock as _, RecordId, SystemClock},
    outbox::OutboxError,
    testing::{TestTrail, disk::TestDisk},
};
use uuid::Uuid;

use super::create;
use crate::support::services;

/// The id of a record that began so long ago.
fn id_of_age(seconds: u64) -> String {
    let age = std::time::Duration::from_secs(seconds);
    let at = SystemClock::new().now().saturating_sub(age);
    RecordId::lowest_at(at).to_string()
}

/// A record of another service.
fn stray_record(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","timestamp":"2026-11-20T13:34:01.000000Z","schema":"1.0","service":{{"name":"elsewhere"}},"action":"audit.pruned","category":"audit","outcome":"success"}}"#
    )
}

macro_rules! outbox_on {
    ($server:ident, $database:ty, $outbox:ty) => {
        mod $server {
            use super::*;

            /// A service with tables of its own in a database that others use too.
            struct Service {
                pool: sqlx::Pool<$database>,
                outbox: $outbox,
                prefix: String,
            }

            impl Service {
                async fn new() -> Option<Self> {
                    let url = services::$server()?;
                    let pool = sqlx::Pool::connect(&url).await.unwrap();
                    let id = Uuid::new_v4().simple().to_string();
                    let prefix = format!("t{}_", id.split_at(16).0);
                    let outbox = <$outbox>::open(&format!("{url}?prefix={prefix}")).await;
                    let outbox = outbox.unwrap();
                    let service = Self {
                        pool,
                        outbox,
                        prefix,
                    };
                    service.run("CREATE TABLE documents (name VARCHAR(100))").await;
                    Some(service)
                }

                /// A statement in which the names of the tables get their prefix.
                fn sql(&self, sql: &str) -> AssertSqlSafe<String> {
                    let prefix = &self.prefix;
                    let sql = sql.replace("documents", &format!("{prefix}documents"));
                    AssertSqlSafe(sql.replace("audit_outbox", &format!("{prefix}outbox")))
                }

                async fn run(&self, sql: &str) {
                    let run = sqlx::query(self.sql(sql));
                    run.execute(&self.pool).await.unwrap();
                }

                fn trail(&self, disk: &TestDisk) -> TestTrail {
                    TestTrail::on(disk, |builder| builder.outbox(self.outbox.clone()))
                }

                async fn insert(&self, tx: &mut sqlx::Transaction<'_, $database>) {
                    let insert = sqlx::query(self.sql("INSERT INTO documents VALUES ('Plans')"));
                    insert.execute(&mut **tx).await.unwrap();
                }

                /// A transaction with a change and its record in it.
                async fn changed(&self) -> sqlx::Transaction<'static, $database> {
                    let mut tx = self.pool.begin().await.unwrap();
                    self.insert(&mut tx).await;
                    let draft = AuditScope::current().unwrap().draft();
                    self.outbox.record_in(&mut tx, &draft).await.unwrap();
                    tx
                }

                async fn documents(&self) -> i64 {
                    let count = self.sql("SELECT count(*) FROM documents");
                    sqlx::query_scalar(count).fetch_one(&self.pool).await.unwrap()
                }

                /// What the rows say.
                async fn rows(&self) -> Vec<String> {
                    let rows = self.sql("SELECT record FROM audit_outbox ORDER BY id");
                    sqlx::query_scalar(rows).fetch_all(&self.pool).await.unwrap()
                }
            }

            #[tokio::test]
            async fn a_committed_change_leaves_one_record_and_no_row() {
                let Some(service) = Service::new().await else { return };
                let trail = service.trail(&TestDisk::new());
                let work = async {
                    service.changed().await.commit().await.unwrap();
                    assert_eq!(service.rows().await.len(), 1, "committed with the change");
                };
                trail.audit().scope(create()).run(work).await;
                let _ = trail.shutdown();
                assert_eq!(service.rows().await, [""; 0]);
                assert_recorded!(trail, {"action": "document.create", "outcome": "success"});
                assert_eq!((trail.records().len(), service.documents().await), (1, 1));
            }

            #[tokio::test]
            async fn a_rolled_back_change_leaves_the_attempt_with_its_real_outcome() {
                let Some(service) = Service::new().await else { return };
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
                assert_eq!((trail.records().len(), service.documents().await), (1, 0));
            }

            #[tokio::test]
            async fn a_second_draft_of_the_same_scope_replaces_the_first() {
                let Some(service) = Service::new().await else { return };
                let trail = service.trail(&TestDisk::new());
                let work = async {
                    service.changed().await.commit().await.unwrap();
                    AuditScope::current().unwrap().detail("second", "\u{0}\u{1f600}");
                    service.changed().await.commit().await.unwrap();
                    let draft = AuditScope::current().unwrap().draft();
                    assert_eq!(service.rows().await, [draft.json()], "byte for byte");
                };
                trail.audit().scope(create()).run(work).await;
                let _ = trail.shutdown();
                assert_eq!(service.rows().await, [""; 0]);
            }

            #[tokio::test]
            async fn a_crash_after_the_commit_is_made_good_at_the_next_start() {
                let Some(service) = Service::new().await else { return };
                let disk = TestDisk::new();
                let trail = service.trail(&disk);
                let (committed, reached) = oneshot::channel();
                let work = async {
                    service.changed().await.commit().await.unwrap();
                    let _ = committed.send(disk.after_kill());
                    // The process is gone before the work ends.
                    pending::<()>().await;
                };
                let mut job = Box::pin(trail.audit().scope(create()).run(work));
                let left = tokio::select! {
                    _ = &mut job => panic!("the work ended"),
                    left = reached => left.unwrap(),
                };
                let row = service.rows().await.remove(0);
                let again = service.trail(&left);
                let _ = again.shutdown();
                assert_eq!(service.rows().await, [""; 0]);
                assert_recorded!(again, {"action": "document.create", "outcome": "unknown"});
                let lines = again.lines();
                assert!(lines.iter().any(|line| **line == row), "the row's own bytes");
            }

            #[tokio::test]
            async fn rows_of_a_trail_that_is_elsewhere_are_taken_over_and_what_is_no_record_is_left() {
                let Some(service) = Service::new().await else { return };
                for (seconds, is_record) in [(60, true), (7200, true), (7300, false)] {
                    let id = id_of_age(seconds);
                    let record = if is_record { stray_record(&id) } else { "{}".to_owned() };
                    let stray = "11111111-1111-4111-8111-111111111111";
                    service
                        .run(&format!(
                            "INSERT INTO audit_outbox (id, trail, run, record) \
                             VALUES ('{id}', '{stray}', '{stray}', '{record}')"
                        ))
                        .await;
                }
                let outbox = || {
                    let outbox = tower_audit::outbox::Outbox::from(service.outbox.clone());
                    outbox.abandoned_after(std::time::Duration::from_secs(3600))
                };
                let trail = TestTrail::with(|builder| builder.outbox(outbox()));
                let _ = trail.shutdown();
                assert_eq!(service.rows().await.len(), 2, "the young one, and the one that is none");
                assert_recorded!(trail, {"action": "service.audit.pruned", "outcome": "success"});
                assert_recorded!(trail, {"action": "audit.outbox_left", "outcome": "error"});
            }

            // Trap D10: the caller is told, and what he does next is what happens.
            #[tokio::test]
            async fn a_failed_insert_is_an_error_and_leaves_the_transaction_usable() {
                let Some(service) = Service::new().await else { return };
                let trail = service.trail(&TestDisk::new());
                service.run("DROP TABLE audit_outbox").await;
                let work = async {
                    let mut tx = service.pool.begin().await.unwrap();
                    service.insert(&mut tx).await;
                    let draft = AuditScope::current().unwrap().draft();
                    let error = service.outbox.record_in(&mut tx, &draft).await.unwrap_err();
                    assert!(
                        matches!(&error, OutboxError::Insert { id, .. } if *id == draft.id()),
                        "{error:?}"
                    );
                    service.insert(&mut tx).await;
                    tx.rollback().await.unwrap();
                    assert_eq!(service.documents().await, 0);
                    Err::<(), _>(error)
                };
                let done = trail.audit().scope(create()).try_run(work).await;
                done.unwrap_err();
                let _ = trail.shutdown();
                assert_recorded!(trail, {"action": "document.create", "outcome": "error"});
            }

            #[tokio::test]
            async fn a_database_that_cannot_be_used_is_refused_without_its_password() {
                let Some(url) = services::$server() else { return };
                let (login, place) = url.rsplit_once('@').unwrap();
                let (user, _) = login.rsplit_once(':').unwrap();
                let (server, _) = place.split_once('/').unwrap();
                for wrong in [
                    format!("{user}:hunter2@{place}"),
                    format!("{login}@{server}/nowhere"),
                ] {
                    let error = <$outbox>::open(&wrong).await.unwrap_err();
                    assert!(matches!(&error, OutboxError::Database { .. }), "{error:?}");
                    let told = format!("{error} {error:?}");
                    assert!(told.contains(server) && !told.contains("hunter2"), "{told}");
                    let secret = login.rsplit_once(':').unwrap().1;
                    assert!(!told.contains(secret), "{told}");
                }
            }
        }
    };
}

#[cfg(feature = "postgres")]
outbox_on!(
    postgres,
    sqlx::Postgres,
    tower_audit::outbox::PostgresOutbox
);

#[cfg(feature = "mysql")]
outbox_on!(mariadb, sqlx::MySql, tower_audit::outbox::MysqlOutbox);

// The server rolls a whole transaction back by itself when it is the victim of a deadlock. What
// the caller does then must not be taken for a commit of all of it.
#[cfg(feature = "mysql")]
#[tokio::test]
async fn a_deadlock_is_an_error_of_the_insert_and_of_the_commit() {
    use sqlx::{Acquire as _, MySqlPool};
    use tower_audit::outbox::MysqlOutbox;

    use crate::support::mariadb::Scratch;

    let Some(scratch) = Scratch::new() else {
        return;
    };
    let pool = MySqlPool::connect(&scratch.url("")).await.unwrap();
    let outbox = MysqlOutbox::open(&scratch.url("")).await.unwrap();
    let run = "CREATE TABLE documents (id INT PRIMARY KEY, name INT); \
               INSERT INTO documents VALUES (1, 0), (2, 0), (3, 0), (4, 0)";
    scratch.run(run).await;
    let trail = TestTrail::with(|builder| builder.outbox(outbox.clone()));
    let work = async {
        let draft = AuditScope::current().unwrap().draft();
        let mut ours = pool.begin().await.unwrap();
        let mut theirs = pool.begin().await.unwrap();
        let change = "UPDATE documents SET name = 1 WHERE id = 1";
        sqlx::query(change).execute(&mut *ours).await.unwrap();
        // The one that changed more is spared.
        let more = "UPDATE documents SET name = 2 WHERE id > 1";
        sqlx::query(more).execute(&mut *theirs).await.unwrap();
        outbox.record_in(&mut theirs, &draft).await.unwrap();
        let theirs = async {
            let change = "UPDATE documents SET name = 2 WHERE id = 1";
            let wanted = theirs.acquire().await.unwrap();
            sqlx::query(change).execute(wanted).await.unwrap();
            theirs.commit().await.unwrap();
        };
        let (error, ()) = tokio::join!(outbox.record_in(&mut ours, &draft), theirs);
        let error = error.unwrap_err();
        assert!(matches!(&error, OutboxError::Insert { .. }), "{error:?}");
        ours.commit().await.unwrap_err();
    };
    trail.audit().scope(create()).run(work).await;
    let ours = "SELECT COUNT(*) FROM documents WHERE name = 1";
    assert_eq!(scratch.number(ours).await, 0);
}
