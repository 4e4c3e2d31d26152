//! The MySQL sink against a real server: all of a batch or none, nothing doubled or overwritten.

use sqlx::Row;
use tower_audit::{
    evidence::{Hash, TreeHead},
    sink::{MysqlSink, Sink, SinkError},
};

use crate::support::{
    batches::{batch, id, origin, plain, record},
    mariadb::Scratch,
};

fn sink(scratch: &Scratch) -> MysqlSink {
    MysqlSink::new(&scratch.url("")).unwrap()
}

const RECORDS: &str = "SELECT COUNT(*) FROM audit_records";

/// The numbers that a refusal names.
fn refused(result: Result<(), SinkError>) -> Vec<u64> {
    match result {
        Err(SinkError::Refused { numbers, reason }) => {
            assert!(!reason.contains("hunter2"), "{reason}");
            numbers
        }
        other => panic!("refused expected: {other:?}"),
    }
}

#[tokio::test]
async fn records_arrive_with_their_exact_bytes_columns_and_targets() {
    let Some(scratch) = Scratch::new() else {
        return;
    };
    let json = r#","category":"document","outcome":"denied","service":{"name":"docs","instance":"web-1"},"actor":{"type":"user","id":"146","name":"Töast \u0000 \ud800 😀"},"targets":[{"type":"document","id":"4cq","name":"A"},{"type":"folder","id":"7 "},{"type":"nameless"}],"tenant":{"id":"42"},"application":{"id":"web"},"context":{"ip_address":"39.139.42.243","session_id":"s","request_id":"r"},"details":{"a":"\\ ' \" \n ÿ 😀 \u0000"}  "#;
    let record = record(3, "document.create", json);
    let batch = batch(&origin(1), vec![record.clone()]);
    sink(&scratch).deliver(&batch).await.unwrap();

    let mut connection = scratch.open().await;
    let row = sqlx::query("SELECT * FROM audit_records")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(row.get::<String, _>("json"), *record.json);
    assert_eq!(row.get::<Vec<u8>, _>("leaf"), record.leaf.as_bytes());
    assert_eq!(row.get::<Vec<u8>, _>("id"), id(3).as_bytes());
    assert_eq!(row.get::<Vec<u8>, _>("trail"), origin(1).trail.as_bytes());
    let numbers =
        ["number", "arrival", "received", "timestamp"].map(|column| row.get::<i64, _>(column));
    let received = batch.received.as_micros();
    assert_eq!(numbers, [3, 1, received, 1_795_181_641_000_003]);
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
        "Töast \0 \u{fffd}\u{fffd}\u{fffd} 😀",
        "42",
        "web",
        "docs",
        "web-1",
        "39.139.42.243",
        "s",
        "r",
    ];
    assert_eq!(texts, expected);
    let targets = "SELECT COUNT(*) FROM audit_targets WHERE (type, id) IN (('document','4cq'),('folder','7'))";
    assert_eq!(scratch.number(targets).await, 2);
}

#[tokio::test]
async fn a_trail_keeps_its_cursor_and_the_latest_head_that_came_with_a_batch() {
    let Some(scratch) = Scratch::new() else {
        return;
    };
    let head = |size, byte| Some(TreeHead::new(size, Hash::from_bytes([byte; 32])));
    let mut sink = sink(&scratch);
    for (numbers, head) in [
        (0..2, head(2, 8)),
        (2..4, head(4, 9)),
        (0..2, head(2, 8)),
        (4..5, None),
    ] {
        let batch = plain(&origin(1), numbers).head(head);
        sink.deliver(&batch).await.unwrap();
    }
    let mut connection = scratch.open().await;
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
    let Some(scratch) = Scratch::new() else {
        return;
    };
    let mut first = sink(&scratch);
    assert_eq!(first.position(&origin(1)).await, Ok(Some(0)));
    first.deliver(&plain(&origin(1), 0..500)).await.unwrap();
    first.close().await.unwrap();

    let mut second = sink(&scratch);
    assert_eq!(second.position(&origin(1)).await, Ok(Some(500)));
    assert_eq!(second.position(&origin(2)).await, Ok(Some(0)));
}

#[tokio::test]
async fn a_batch_that_comes_twice_is_stored_once() {
    let Some(scratch) = Scratch::new() else {
        return;
    };
    let mut sink = sink(&scratch);
    // The last is a replay of old records, which does not move the cursor back.
    for numbers in [0..300, 200..400, 0..10] {
        sink.deliver(&plain(&origin(1), numbers)).await.unwrap();
    }
    assert_eq!(sink.position(&origin(1)).await, Ok(Some(400)));
    assert_eq!(scratch.number(RECORDS).await, 400);
    let last = "SELECT MAX(arrival) FROM audit_records";
    assert_eq!(scratch.number(last).await, 400);
}

#[tokio::test]
async fn other_bytes_under_the_same_id_are_refused_by_number_and_nothing_is_stored() {
    let Some(scratch) = Scratch::new() else {
        return;
    };
    let mut sink = sink(&scratch);
    let stored = plain(&origin(1), 0..3);
    sink.deliver(&stored).await.unwrap();

    let forged = vec![record(2, "hunter2", ""), record(3, "new.one", "")];
    let forged = batch(&origin(1), forged);
    assert_eq!(refused(sink.deliver(&forged).await), [2]);
    // To a collation, a text with a space behind it is the same text.
    let mut spaced = stored.records[1].clone();
    spaced.json = format!("{} ", spaced.json).into();
    let spaced = batch(&origin(1), vec![spaced]);
    assert_eq!(refused(sink.deliver(&spaced).await), [1]);
    // Another record in the same place of the trail.
    let mut usurper = record(7, "new.one", "");
    usurper.number = 1;
    let usurper = batch(&origin(1), vec![usurper]);
    assert_eq!(refused(sink.deliver(&usurper).await), [1]);
    assert_eq!(scratch.number(RECORDS).await, 3);
}

#[tokio::test]
async fn texts_that_are_no_records_are_refused_by_number() {
    let Some(scratch) = Scratch::new() else {
        return;
    };
    let mut records = plain(&origin(1), 0..4).records;
    records[1].json = "{}".into();
    records[3].json = "hunter2".into();
    let batch = batch(&origin(1), records);
    assert_eq!(refused(sink(&scratch).deliver(&batch).await), [1, 3]);
}

#[tokio::test]
async fn what_is_longer_than_a_column_is_cut_there_and_whole_in_the_json() {
    let Some(scratch) = Scratch::new() else {
        return;
    };
    let long = "é😀".repeat(300);
    let huge = "y".repeat(5_000_000);
    let more = format!(
        r#","actor":{{"type":"user","id":"{long}"}},"targets":[{{"type":"{long}","id":"{long}"}}],"details":{{"x":"{huge}"}}"#
    );
    let record = record(0, "big.one", more);
    let batch = batch(&origin(1), vec![record.clone()]);
    sink(&scratch).deliver(&batch).await.unwrap();

    let mut connection = scratch.open().await;
    let row = sqlx::query("SELECT actor_id, json FROM audit_records")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(row.get::<String, _>(0), "é😀".repeat(128));
    assert!(row.get::<String, _>(1) == *record.json, "the bytes differ");
}

#[tokio::test]
async fn a_test_event_leaves_nothing() {
    let Some(scratch) = Scratch::new() else {
        return;
    };
    let mut sink = sink(&scratch);
    sink.test(&plain(&origin(1), 0..1)).await.unwrap();
    assert_eq!(scratch.number(RECORDS).await, 0);
    assert_eq!(sink.position(&origin(1)).await, Ok(Some(0)));
    sink.deliver(&plain(&origin(1), 0..1)).await.unwrap();
    let arrival = "SELECT arrival FROM audit_records";
    assert_eq!(scratch.number(arrival).await, 1);
}

// Trap D15.
#[tokio::test]
async fn who_follows_the_arrivals_misses_nothing_while_several_write() {
    let Some(scratch) = Scratch::new() else {
        return;
    };
    sink(&scratch).probe().await.unwrap();
    let writers: Vec<_> = (1..=3)
        .map(|trail| {
            let mut sink = sink(&scratch);
            tokio::spawn(async move {
                for first in (0..400).step_by(20) {
                    let batch = plain(&origin(trail), first..first + 20);
                    // Ids of their own, or they would be taken for the same records.
                    let records = batch.records.iter().map(|record| {
                        let json = record.json.replace("-8000-", &format!("-8{trail:03x}-"));
                        tower_audit::sink::Delivery::new(record.number, record.leaf, json)
                    });
                    let batch = self::batch(&batch.origin, records.collect());
                    sink.deliver(&batch).await.unwrap();
                }
            })
        })
        .collect();

    let mut connection = scratch.open().await;
    let mut last = 0;
    let mut written = false;
    while !written {
        // Looked at before reading: what is read after the last commit is everything.
        written = writers.iter().all(tokio::task::JoinHandle::is_finished);
        let newer =
            sqlx::query("SELECT arrival FROM audit_records WHERE arrival > ? ORDER BY arrival");
        let rows = newer.bind(last).fetch_all(&mut connection).await.unwrap();
        for row in rows {
            let arrival: i64 = row.get(0);
            assert_eq!(arrival, last + 1, "one became visible later");
            last = arrival;
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(last, 3 * 400);
}

#[tokio::test]
async fn chosen_records_do_not_move_the_position_past_others_that_never_came() {
    let Some(scratch) = Scratch::new() else {
        return;
    };
    let mut sink = sink(&scratch);
    sink.deliver(&plain(&origin(1), 0..40)).await.unwrap();
    let letter = plain(&origin(1), 50..51).chosen(true);
    // The second time it is there already.
    for _ in 0..2 {
        sink.deliver(&letter).await.unwrap();
        assert_eq!(sink.position(&origin(1)).await, Ok(Some(40)));
    }
    sink.deliver(&plain(&origin(1), 40..60)).await.unwrap();
    assert_eq!(sink.position(&origin(1)).await, Ok(Some(60)));
    assert_eq!(scratch.number(RECORDS).await, 60);
}
