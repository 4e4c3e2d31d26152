//! What is only true of the outbox on PostgreSQL.

use std::{future::poll_fn, pin::pin, task::Poll};

use sqlx::AssertSqlSafe;
use tower_audit::{
    AuditScope,
    outbox::{OutboxError, PostgresOutbox},
    testing::{TestTrail, disk::TestDisk},
};
use uuid::Uuid;

use super::create;
use crate::support::services;

// Trap D10: in a transaction that is lost already, what comes after must not be committed alone.
#[tokio::test]
async fn a_transaction_that_is_lost_or_given_up_stays_one_transaction() {
    let Some(url) = services::postgres() else {
        return;
    };
    let id = Uuid::new_v4().simple().to_string();
    let prefix = format!("t{}_", id.split_at(16).0);
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let outbox = PostgresOutbox::open(&format!("{url}?prefix={prefix}"))
        .await
        .unwrap();
    let table = format!("{prefix}documents");
    let tables = format!("CREATE TABLE {table} (name text)");
    sqlx::raw_sql(AssertSqlSafe(tables))
        .execute(&pool)
        .await
        .unwrap();
    let insert = || {
        sqlx::raw_sql(AssertSqlSafe(format!(
            "INSERT INTO {table} VALUES ('Plans')"
        )))
    };
    let trail = TestTrail::on(&TestDisk::new(), |builder| builder.outbox(outbox.clone()));
    let work = async {
        let draft = AuditScope::current().unwrap().draft();
        let mut lost = pool.begin().await.unwrap();
        sqlx::raw_sql("SELECT 1 / 0")
            .execute(&mut *lost)
            .await
            .unwrap_err();
        outbox.record_in(&mut lost, &draft).await.unwrap_err();
        insert().execute(&mut *lost).await.unwrap_err();
        lost.rollback().await.unwrap();

        for polls in 1..8 {
            let mut given_up = pool.begin().await.unwrap();
            let mut left = polls;
            {
                let mut call = pin!(outbox.record_in(&mut given_up, &draft));
                poll_fn(|context| {
                    left -= 1;
                    match call.as_mut().poll(context) {
                        Poll::Pending if left > 0 => Poll::Pending,
                        _ => Poll::Ready(()),
                    }
                })
                .await;
            }
            insert().execute(&mut *given_up).await.unwrap();
            given_up.rollback().await.unwrap();
        }
        let count = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        let count: i64 = sqlx::query_scalar(count).fetch_one(&pool).await.unwrap();
        assert_eq!(count, 0, "what was rolled back is not there");
    };
    trail.audit().scope(create()).run(work).await;
    let _ = trail.shutdown();
}

// A service's role often may not make tables.
#[tokio::test]
async fn a_role_that_may_only_write_rows_opens_a_table_that_is_there() {
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
