//! The outbox on a database server: the same promises as on SQLite.

use std::future::pending;

use sqlx::AssertSqlSafe;
use tokio::sync::oneshot;
use tower_audit::{
    AuditScope, assert_recorded,
    outbox::OutboxError,
    testing::{TestTrail, disk::TestDisk},
};
use uuid::Uuid;

use super::create;
use crate::support::services;

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

// A service's role often may not make tables.
#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_role_that_may_only_write_rows_opens_a_table_that_is_there() {
    use tower_audit::outbox::PostgresOutbox;

    let Some(url) = services::postgres() else {
        return;
    };
    let owner = sqlx::PgPool::connect(&url).await.unwrap();
    let id = Uuid::new_v4().simple().to_string();
    let id = id.split_at(16).0;
    let (role, schema) = (format!("r{id}"), format!("s{id}"));
    let run = async |sql: String| sqlx::raw_sql(AssertSqlSafe(sql)).execute(&owner).await;
    run(format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'rows-only'; CREATE SCHEMA {schema}; \
         GRANT USAGE ON SCHEMA {schema} TO {role}"
    ))
    .await
    .unwrap();
    let (_, place) = url.rsplit_once('@').unwrap();
    let theirs = format!("postgres://{role}:rows-only@{place}?schema={schema}");
    let error = PostgresOutbox::open(&theirs).await.unwrap_err();
    assert!(matches!(error, OutboxError::Database { .. }), "{error:?}");

    PostgresOutbox::open(&format!("{url}?schema={schema}"))
        .await
        .unwrap();
    run(format!(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.audit_outbox TO {role}"
    ))
    .await
    .unwrap();
    PostgresOutbox::open(&theirs).await.unwrap();
    run(format!("DROP SCHEMA {schema} CASCADE; DROP ROLE {role}"))
        .await
        .unwrap();
}
