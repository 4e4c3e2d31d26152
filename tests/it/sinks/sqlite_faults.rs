//! The SQLite sink when the file is locked, replaced, damaged, shared or of another version.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use sqlx::Row;
use tower_audit::sink::{Sink, SinkError, SqliteSink};

use super::sqlite::{number, open};
use crate::support::batches::{origin, plain};

async fn run(path: &Path, sql: &'static str) {
    let mut connection = open(path).await;
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
}

fn blocked(result: Result<(), SinkError>) -> String {
    match result {
        Err(SinkError::Blocked { reason }) => reason,
        other => panic!("blocked expected: {other:?}"),
    }
}

#[tokio::test]
async fn the_database_and_its_journals_are_private_durable_and_shrinkable() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.db");
    let mut sink = SqliteSink::new(&path);
    sink.deliver(&plain(&origin(1), 0..3)).await.unwrap();
    for name in ["audit.db", "audit.db-wal", "audit.db-shm"] {
        let mode = fs::metadata(dir.path().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let mut connection = open(&path).await;
    assert_eq!(number(&mut connection, "PRAGMA auto_vacuum").await, 2);
    let row = sqlx::query("PRAGMA journal_mode")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(row.get::<String, _>(0), "wal");
}

// Trap D14: an older copy of the database is put back.
#[tokio::test]
async fn an_older_copy_says_itself_how_far_it_comes_and_is_refilled() {
    let dir = tempfile::tempdir().unwrap();
    let (path, copy) = (dir.path().join("audit.db"), dir.path().join("copy.db"));
    let mut sink = SqliteSink::new(&path);
    sink.deliver(&plain(&origin(1), 0..10)).await.unwrap();
    sink.close().await.unwrap();
    fs::copy(&path, &copy).unwrap();
    sink.deliver(&plain(&origin(1), 10..20)).await.unwrap();
    sink.deliver(&plain(&origin(2), 100..105)).await.unwrap();
    sink.close().await.unwrap();

    fs::rename(&copy, &path).unwrap();
    let mut sink = SqliteSink::new(&path);
    assert_eq!(sink.position(&origin(1)).await, Ok(Some(10)));
    assert_eq!(
        sink.position(&origin(2)).await,
        Ok(Some(0)),
        "a trail the copy never saw"
    );
    sink.deliver(&plain(&origin(1), 10..20)).await.unwrap();
    let mut connection = open(&path).await;
    assert_eq!(
        number(&mut connection, "SELECT count(*) FROM audit_records").await,
        20
    );
}

// Traps D14, J3: the same while the service runs.
#[tokio::test]
async fn a_file_that_was_replaced_or_removed_is_noticed_before_the_next_batch() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.db");
    let mut sink = SqliteSink::new(&path);
    sink.deliver(&plain(&origin(1), 0..10)).await.unwrap();
    for name in ["audit.db", "audit.db-wal", "audit.db-shm"] {
        fs::remove_file(dir.path().join(name)).unwrap();
    }
    let error = sink.deliver(&plain(&origin(1), 10..20)).await.unwrap_err();
    assert!(
        matches!(&error, SinkError::Retry { reason, .. } if reason.contains("replaced")),
        "{error:?}"
    );
    assert_eq!(sink.position(&origin(1)).await, Ok(Some(0)));
    sink.deliver(&plain(&origin(1), 0..20)).await.unwrap();
    let mut connection = open(&path).await;
    assert_eq!(
        number(&mut connection, "SELECT count(*) FROM audit_records").await,
        20
    );
}

// Trap D9: the host's own migrations.
#[tokio::test]
async fn a_database_of_the_host_is_shared_without_touching_its_tables() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("host.db");
    fs::write(&path, "").unwrap();
    run(
        &path,
        "CREATE TABLE _sqlx_migrations (version INTEGER); INSERT INTO _sqlx_migrations VALUES (7);",
    )
    .await;
    let mut sink = SqliteSink::new(&path).table_prefix("trail_".parse().unwrap());
    sink.deliver(&plain(&origin(1), 0..3)).await.unwrap();
    let mut connection = open(&path).await;
    assert_eq!(
        number(&mut connection, "SELECT sum(version) FROM _sqlx_migrations").await,
        7
    );
    assert_eq!(
        number(&mut connection, "SELECT count(*) FROM trail_records").await,
        3
    );
    let audit = "SELECT count(*) FROM sqlite_master WHERE name LIKE '%audit%'";
    assert_eq!(number(&mut connection, audit).await, 0);
}

#[tokio::test]
async fn a_newer_minor_format_is_used_and_a_newer_major_one_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.db");
    let mut sink = SqliteSink::new(&path);
    sink.deliver(&plain(&origin(1), 0..3)).await.unwrap();
    sink.close().await.unwrap();
    run(
        &path,
        "INSERT INTO audit_schema VALUES (8, '0008_more', 1, 7, 0)",
    )
    .await;
    sink.deliver(&plain(&origin(1), 3..5)).await.unwrap();
    sink.close().await.unwrap();
    run(
        &path,
        "INSERT INTO audit_schema VALUES (9, '0009_other', 2, 0, 0)",
    )
    .await;
    let reason = blocked(sink.deliver(&plain(&origin(1), 5..6)).await);
    assert!(
        reason.contains("format 2.0") && reason.contains("use a newer tower-audit"),
        "{reason}"
    );
}

#[tokio::test]
async fn what_a_person_must_repair_blocks_with_the_way_out_and_goes_on_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let batch = plain(&origin(1), 0..3);

    let mut sink = SqliteSink::new(dir.path().join("missing/audit.db"));
    let reason = blocked(sink.deliver(&batch).await);
    assert!(
        reason.contains("missing/audit.db") && reason.contains("directory must exist"),
        "{reason}"
    );
    fs::create_dir(dir.path().join("missing")).unwrap();
    assert_eq!(sink.deliver(&batch).await, Ok(()));

    let mut sink = SqliteSink::new(dir.path().join("missing"));
    let reason = blocked(sink.deliver(&batch).await);
    assert!(reason.contains("cannot be opened"), "{reason}");

    let text = dir.path().join("notes.txt");
    fs::write(&text, "this is no database, whatever its name says").unwrap();
    let reason = blocked(SqliteSink::new(&text).deliver(&batch).await);
    assert!(reason.contains("not a SQLite database"), "{reason}");

    let path = dir.path().join("altered.db");
    let mut sink = SqliteSink::new(&path);
    sink.deliver(&batch).await.unwrap();
    run(&path, "DROP TABLE audit_trails").await;
    let reason = blocked(sink.deliver(&plain(&origin(1), 3..4)).await);
    assert!(reason.contains("not as tower-audit made them"), "{reason}");
}

#[tokio::test]
async fn a_locked_database_is_tried_again_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.db");
    let mut sink = SqliteSink::new(&path).busy_timeout(std::time::Duration::from_millis(1));
    sink.deliver(&plain(&origin(1), 0..3)).await.unwrap();
    let mut other = open(&path).await;
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    let error = sink.deliver(&plain(&origin(1), 3..6)).await.unwrap_err();
    assert!(matches!(&error, SinkError::Retry { .. }), "{error:?}");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(sink.deliver(&plain(&origin(1), 3..6)).await, Ok(()));
    assert_eq!(
        number(&mut other, "SELECT count(*) FROM audit_records").await,
        6
    );
}

#[tokio::test]
async fn a_cancelled_delivery_leaves_nothing_half_done() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.db");
    let mut sink = SqliteSink::new(&path);
    sink.deliver(&plain(&origin(1), 0..3)).await.unwrap();
    for polls in 1..40 {
        let batch = plain(&origin(1), 3..303);
        let mut delivery = sink.deliver(&batch);
        for _ in 0..polls {
            let done = std::future::poll_fn(|context| {
                std::task::Poll::Ready(delivery.as_mut().poll(context).is_ready())
            });
            if done.await {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(sink.deliver(&plain(&origin(1), 3..303)).await, Ok(()));
    let mut connection = open(&path).await;
    assert_eq!(
        number(&mut connection, "SELECT count(*) FROM audit_records").await,
        303
    );
    assert_eq!(
        number(
            &mut connection,
            "SELECT count(DISTINCT number) FROM audit_records"
        )
        .await,
        303
    );
}

// Trap D15: arrivals are in the order of commits, and are never given again.
#[tokio::test]
async fn an_arrival_is_never_given_twice_even_when_the_newest_records_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.db");
    let mut sink = SqliteSink::new(&path);
    sink.deliver(&plain(&origin(1), 0..5)).await.unwrap();
    run(&path, "DELETE FROM audit_records WHERE arrival > 2").await;
    sink.deliver(&plain(&origin(1), 5..6)).await.unwrap();
    let mut connection = open(&path).await;
    assert_eq!(
        number(&mut connection, "SELECT max(arrival) FROM audit_records").await,
        6
    );
}
