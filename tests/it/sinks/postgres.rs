//! The PostgreSQL sink: all of a batch or none, nothing doubled, nothing overwritten.

use sqlx::Row;
use tower_audit::{
    evidence::{Hash, TreeHead},
    sink::{Sink, SinkError},
};

use crate::support::{
    batches::{batch, id, origin, plain, record},
    postgres::{Place, place},
};

/// The exact text of a record, as it stands in the table.
async fn json(place: &Place, number: u64) -> String {
    let mut connection = place.connect().await;
    let row = sqlx::query("SELECT json::text FROM audit_records WHERE number = $1")
        .bind(i64::try_from(number).unwrap())
        .fetch_one(&mut connection)
        .await
        .unwrap();
    row.get(0)
}

// trap J7
#[tokio::test]
async fn records_arrive_with_their_exact_bytes_columns_and_targets() {
    let Some(place) = place() else { return };
    let more = r#","category":"document","outcome":"denied","service":{"name":"docs","instance":"web-1"},"actor":{"type":"user","id":"146","name":"Toast \u0000 \ud800"},"targets":[{"type":"document","id":"4cq","name":"A"},{"type":"folder","id":"7"},{"type":"nothing"}],"tenant":{"id":"42"},"application":{"id":"web"},"context":{"ip_address":"39.139.42.243","session_id":"s","request_id":"r"}"#;
    let record = record(3, "document.create", more);
    let mut sink = place.sink();
    let batch = batch(&origin(1), vec![record.clone()]);
    sink.deliver(&batch).await.unwrap();

    let mut connection = place.connect().await;
    let row = sqlx::query("SELECT *, json::text AS exact FROM audit_records")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(row.get::<String, _>("exact"), *record.json);
    assert_eq!(row.get::<Vec<u8>, _>("leaf"), record.leaf.as_bytes());
    assert_eq!(row.get::<uuid::Uuid, _>("id"), id(3));
    assert_eq!(row.get::<uuid::Uuid, _>("trail"), origin(1).trail);
    let numbers = ["number", "arrival", "received", "timestamp"];
    assert_eq!(
        numbers.map(|column| row.get::<i64, _>(column)),
        [3, 1, batch.received.as_micros(), 1_795_181_641_000_003]
    );
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
        "Toast \u{fffd} \u{fffd}\u{fffd}\u{fffd}",
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
    assert_eq!(place.number(targets).await, 2);
}

// trap J7: what `jsonb` would change, and what `text` cannot hold.
#[tokio::test]
async fn odd_spellings_keep_their_bytes() {
    let Some(place) = place() else { return };
    let odd = [
        r#","details":{"b":1,"a":2,"b":3}"#,
        r#","details":{"x":1.10,"y":1E400,"z":-0,"n":123456789012345678901234567890}"#,
        r#","details":"\u0000\ud800\udfff\u00e9\/ é 𝄞 \u2028""#,
        ",\"details\" : [ 1 ,\t2 ]",
        r#","actor":{"type":"user","id":"\u0000"},"targets":[{"type":"\u0000","id":"\u0000\ud800"}]"#,
    ];
    let records: Vec<_> = (0..)
        .zip(odd)
        .map(|(number, more)| record(number, "odd.one", more))
        .collect();
    let mut sink = place.sink();
    sink.deliver(&batch(&origin(1), records.clone()))
        .await
        .unwrap();
    for record in &records {
        assert_eq!(json(&place, record.number).await, *record.json);
    }
    // The careful way compares the same bytes.
    sink.deliver(&batch(&origin(1), records)).await.unwrap();
    assert_eq!(place.number("SELECT count(*) FROM audit_records").await, 5);
}

#[tokio::test]
async fn texts_too_long_for_an_index_are_cut_in_the_columns_only() {
    let Some(place) = place() else { return };
    let mut state = 1_u64;
    let mut noise = |length: usize| -> String {
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b'a' + u8::try_from((state >> 33) % 26).unwrap())
        };
        (0..length).map(|_| next()).collect()
    };
    let more = format!(
        r#","actor":{{"type":"{}","id":"{}"}},"targets":[{{"type":"{}","id":"{}"}}],"details":"{}""#,
        noise(9000),
        noise(9000),
        noise(9000),
        noise(9000),
        noise(5_000_000),
    );
    let long = record(0, "big.one", more);
    let mut sink = place.sink();
    sink.deliver(&batch(&origin(1), vec![long.clone()]))
        .await
        .unwrap();
    assert_eq!(json(&place, 0).await, *long.json);
    let cut = "SELECT length(actor_id)::bigint FROM audit_records";
    assert_eq!(place.number(cut).await, 1024);
}

#[tokio::test]
async fn a_trail_keeps_its_cursor_and_the_latest_head_that_came_with_a_batch() {
    let Some(place) = place() else { return };
    let head = |size, byte| Some(TreeHead::new(size, Hash::from_bytes([byte; 32])));
    let mut sink = place.sink();
    for (numbers, head) in [
        (0..2, head(2, 8)),
        (2..4, head(4, 9)),
        (0..2, head(2, 8)),
        (4..5, None),
    ] {
        let batch = plain(&origin(1), numbers).head(head);
        sink.deliver(&batch).await.unwrap();
    }
    let mut connection = place.connect().await;
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
    let Some(place) = place() else { return };
    let mut sink = place.sink();
    assert_eq!(sink.position(&origin(1)).await, Ok(Some(0)));
    sink.deliver(&plain(&origin(1), 0..500)).await.unwrap();
    sink.close().await.unwrap();

    let mut sink = place.sink();
    assert_eq!(sink.position(&origin(1)).await, Ok(Some(500)));
    assert_eq!(sink.position(&origin(2)).await, Ok(Some(0)));
}

#[tokio::test]
async fn a_batch_that_comes_twice_is_stored_once() {
    let Some(place) = place() else { return };
    let mut sink = place.sink();
    sink.deliver(&plain(&origin(1), 0..300)).await.unwrap();
    sink.deliver(&plain(&origin(1), 200..400)).await.unwrap();
    // A replay of old records does not move the cursor back.
    sink.deliver(&plain(&origin(1), 0..10)).await.unwrap();

    assert_eq!(sink.position(&origin(1)).await, Ok(Some(400)));
    assert_eq!(
        place.number("SELECT count(*) FROM audit_records").await,
        400
    );
    assert_eq!(
        place.number("SELECT max(arrival) FROM audit_records").await,
        400
    );
}

#[tokio::test]
async fn what_the_cursor_does_not_know_is_found_by_its_id() {
    let Some(place) = place() else { return };
    let mut sink = place.sink();
    sink.deliver(&plain(&origin(1), 0..300)).await.unwrap();
    place.run("DELETE FROM audit_trails").await;
    // Asked for, as by every caller that was told that the tables are older than they were.
    assert_eq!(sink.position(&origin(1)).await, Ok(Some(0)));
    sink.deliver(&plain(&origin(1), 0..310)).await.unwrap();
    assert_eq!(
        place.number("SELECT count(*) FROM audit_records").await,
        310
    );
    assert_eq!(
        place.number("SELECT max(arrival) FROM audit_records").await,
        310
    );
}

#[tokio::test]
async fn other_bytes_under_the_same_id_are_refused_by_number_and_nothing_is_stored() {
    let Some(place) = place() else { return };
    let mut sink = place.sink();
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
    assert_eq!(place.number("SELECT count(*) FROM audit_records").await, 3);
}

#[tokio::test]
async fn another_record_in_the_same_place_of_a_trail_is_refused() {
    let Some(place) = place() else { return };
    let mut sink = place.sink();
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
async fn a_test_is_taken_back_and_a_probe_leaves_nothing() {
    let Some(place) = place() else { return };
    let mut sink = place.sink();
    sink.probe().await.unwrap();
    sink.test(&plain(&origin(1), 0..1)).await.unwrap();
    for table in ["records", "targets", "trails"] {
        let sql = format!("SELECT count(*) FROM audit_{table}");
        assert_eq!(place.number(&sql).await, 0, "{table}");
    }
    sink.deliver(&plain(&origin(1), 0..1)).await.unwrap();
    assert_eq!(
        place.number("SELECT max(arrival) FROM audit_records").await,
        1
    );
}

#[tokio::test]
async fn chosen_records_do_not_move_the_position_past_others_that_never_came() {
    let Some(place) = place() else { return };
    let mut sink = place.sink();
    sink.deliver(&plain(&origin(1), 0..40)).await.unwrap();
    let letter = plain(&origin(1), 50..51).chosen(true);
    // The second time it is there already.
    for _ in 0..2 {
        sink.deliver(&letter).await.unwrap();
        assert_eq!(sink.position(&origin(1)).await, Ok(Some(40)));
    }
    sink.deliver(&plain(&origin(1), 40..60)).await.unwrap();
    assert_eq!(sink.position(&origin(1)).await, Ok(Some(60)));
    assert_eq!(place.number("SELECT count(*) FROM audit_records").await, 60);
}
