//! The SQLite sink: all of a batch or none, nothing doubled, nothing overwritten.

use std::path::Path;

use sqlx::{ConnectOptions, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use tower_audit::{
    evidence::{Hash, TreeHead},
    sink::{Sink, SinkError, SqliteSink},
};

use crate::support::batches::{batch, id, origin, plain, record};

pub(super) async fn open(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path);
    options.disable_statement_logging().connect().await.unwrap()
}

pub(super) async fn number(connection: &mut SqliteConnection, sql: &'static str) -> i64 {
    let row = sqlx::query(sql).fetch_one(connection).await.unwrap();
    row.get(0)
}

#[tokio::test]
async fn records_arrive_with_their_exact_bytes_columns_and_targets() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.db");
    let json = r#","category":"document","outcome":"denied","service":{"name":"docs","instance":"web-1"},"actor":{"type":"user","id":"146","name":"Toast \u0000 \ud800"},"targets":[{"type":"document","id":"4cq","name":"A"},{"type":"folder","id":"7"}],"tenant":{"id":"42"},"application":{"id":"web"},"context":{"ip_address":"39.139.42.243","session_id":"s","request_id":"r"}"#;
    let record = record(3, "document.create", json);
    let mut sink = SqliteSink::new(&path);
    let batch = batch(&origin(1), vec![record.clone()]);
    sink.deliver(&batch).await.unwrap();

    let mut connection = open(&path).await;
    let row = sqlx::query("SELECT * FROM audit_records")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(row.get::<String, _>("json"), *record.json);
    assert_eq!(row.get::<Vec<u8>, _>("leaf"), record.leaf.as_bytes());
    assert_eq!(row.get::<Vec<u8>, _>("id"), id(3).as_bytes());
    assert_eq!(row.get::<Vec<u8>, _>("trail"), origin(1).trail.as_bytes());
    assert_eq!(
        (row.get::<i64, _>("number"), row.get::<i64, _>("arrival")),
        (3, 1)
    );
    assert_eq!(row.get::<i64, _>("received"), batch.received.as_micros());
    assert_eq!(row.get::<i64, _>("timestamp"), 1_795_181_641_000_003);
    let texts = [
        "action",
        "category",
        "outcome",
        "actor_type",
        "actor_id",
        "actor_name",
        "tenant",
        "application",
        "service",
        "instance",
        "ip",
        "session",
        "request_id",
    ]
    .map(|column| row.get::<String, _>(column));
    let expected = [
        "document.create",
        "document",
        "denied",
        "user",
        "146",
        "Toast \0 \u{fffd}\u{fffd}\u{fffd}",
        "42",
        "web",
        "docs",
        "web-1",
        "39.139.42.243",
        "s",
        "r",
    ];
    assert_eq!(texts, expected);
    let targets = "SELECT count(*) FROM audit_targets WHERE (type, id) IN (('document','4cq'),('folder','7'))";
    assert_eq!(number(&mut connection, targets).await, 2);
}

#[tokio::test]
async fn a_trail_keeps_its_cursor_and_the_latest_head_that_came_with_a_batch() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.db");
    let head = |size, byte| Some(TreeHead::new(size, Hash::from_bytes([byte; 32])));
    let mut sink = SqliteSink::new(&path);
    for (numbers, head) in [
        (0..2, head(2, 8)),
        (2..4, head(4, 9)),
        (0..2, head(2, 8)),
        (4..5, None),
    ] {
        let batch = plain(&origin(1), numbers).head(head);
        sink.deliver(&batch).await.unwrap();
    }
    let mut connection = open(&path).await;
    let trail = sqlx::query("SELECT * FROM audit_trails")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(
        (trail.get::<i64, _>("next"), trail.get::<i64, _>("size")),
        (5, 4)
    );
    assert_eq!(trail.get::<Vec<u8>, _>("root"), [9; 32]);
    assert_eq!(trail.get::<String, _>("service"), "docs");
}

#[tokio::test]
async fn the_position_is_kept_with_the_records_of_each_trail() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = SqliteSink::new(dir.path().join("audit.db"));
    assert_eq!(sink.position(&origin(1)).await, Ok(Some(0)));
    sink.deliver(&plain(&origin(1), 0..500)).await.unwrap();
    sink.close().await.unwrap();

    let mut sink = SqliteSink::new(dir.path().join("audit.db"));
    assert_eq!(sink.position(&origin(1)).await, Ok(Some(500)));
    assert_eq!(sink.position(&origin(2)).await, Ok(Some(0)));
}

#[tokio::test]
async fn a_batch_that_comes_twice_is_stored_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.db");
    let mut sink = SqliteSink::new(&path);
    sink.deliver(&plain(&origin(1), 0..300)).await.unwrap();
    sink.deliver(&plain(&origin(1), 200..400)).await.unwrap();
    // A replay of old records does not move the cursor back.
    sink.deliver(&plain(&origin(1), 0..10)).await.unwrap();

    assert_eq!(sink.position(&origin(1)).await, Ok(Some(400)));
    let mut connection = open(&path).await;
    assert_eq!(
        number(&mut connection, "SELECT count(*) FROM audit_records").await,
        400
    );
    assert_eq!(
        number(&mut connection, "SELECT max(arrival) FROM audit_records").await,
        400
    );
}

#[tokio::test]
async fn other_bytes_under_the_same_id_are_refused_by_number_and_nothing_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.db");
    let mut sink = SqliteSink::new(&path);
    sink.deliver(&plain(&origin(1), 0..3)).await.unwrap();

    let forged = batch(
        &origin(1),
        vec![record(2, "other.action", ""), record(3, "new.one", "")],
    );
    let error = sink.deliver(&forged).await.unwrap_err();
    let SinkError::Refused { numbers, reason } = &error else {
        panic!("refused expected: {error:?}");
    };
    assert_eq!(numbers, &[2]);
    assert!(!reason.contains("other.action"), "{reason}");
    let mut connection = open(&path).await;
    assert_eq!(
        number(&mut connection, "SELECT count(*) FROM audit_records").await,
        3
    );
}

#[tokio::test]
async fn another_record_in_the_same_place_of_a_trail_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = SqliteSink::new(dir.path().join("audit.db"));
    sink.deliver(&plain(&origin(1), 0..3)).await.unwrap();
    let mut usurper = record(7, "new.one", "");
    usurper.number = 1;
    let error = sink
        .deliver(&batch(&origin(1), vec![usurper]))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, SinkError::Refused { numbers, .. } if numbers == &[1]),
        "{error:?}"
    );
}

#[tokio::test]
async fn texts_that_are_no_records_are_refused_by_number() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = SqliteSink::new(dir.path().join("audit.db"));
    let mut records = plain(&origin(1), 0..4).records;
    records[1].json = "{}".into();
    records[3].json = "hunter2".into();
    let error = sink.deliver(&batch(&origin(1), records)).await.unwrap_err();
    let SinkError::Refused { numbers, reason } = &error else {
        panic!("refused expected: {error:?}");
    };
    assert_eq!(numbers, &[1, 3]);
    assert!(!reason.contains("hunter2"), "{reason}");
}

#[tokio::test]
async fn a_record_of_megabytes_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.db");
    let mut sink = SqliteSink::new(&path);
    let huge = format!(r#","details":{{"x":"{}"}}"#, "y".repeat(5_000_000));
    sink.deliver(&batch(&origin(1), vec![record(0, "big.one", huge)]))
        .await
        .unwrap();
    let mut connection = open(&path).await;
    assert!(number(&mut connection, "SELECT length(json) FROM audit_records").await > 5_000_000);
}

#[tokio::test]
async fn chosen_records_do_not_move_the_position_past_others_that_never_came() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = SqliteSink::new(dir.path().join("audit.db"));
    sink.deliver(&plain(&origin(1), 0..40)).await.unwrap();
    let letter = plain(&origin(1), 50..51).chosen(true);
    // The second time it is there already.
    for _ in 0..2 {
        sink.deliver(&letter).await.unwrap();
        assert_eq!(sink.position(&origin(1)).await, Ok(Some(40)));
    }
    sink.deliver(&plain(&origin(1), 40..60)).await.unwrap();
    assert_eq!(sink.position(&origin(1)).await, Ok(Some(60)));
}
