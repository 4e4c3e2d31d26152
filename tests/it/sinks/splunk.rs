//! The Splunk sink against a receiver that answers as Splunk documents it.

use std::{collections::BTreeSet, sync::atomic::Ordering, time::Duration};

use serde_json::{Value, json};
use tower_audit::sink::{Batch, Sink, SinkError, SplunkSink, SplunkSinkBuilder, url::parse};

use crate::support::{
    batches::{batch, origin, plain, record},
    hec::{Hec, TOKEN},
    receiver::{Receiver, Reply, given_up},
};

fn builder(receiver: &Receiver) -> SplunkSinkBuilder {
    SplunkSink::builder(format!("http://{}", receiver.address())).token(TOKEN)
}

fn ten(from: u64) -> Batch {
    plain(&origin(1), from..from + 10)
}

#[track_caller]
fn blocked(error: &SinkError, expected: &str) {
    let SinkError::Blocked { reason } = error else {
        panic!("{error:?}")
    };
    assert!(reason.contains(expected), "{reason}");
    assert!(!reason.contains(TOKEN), "{reason}");
}

#[track_caller]
fn retry(error: &SinkError, expected: &str) {
    let SinkError::Retry { reason, .. } = error else {
        panic!("{error:?}")
    };
    assert!(reason.contains(expected), "{reason}");
}

#[tokio::test]
async fn a_batch_is_one_post_of_events_as_documented() {
    let (hec, receiver) = Hec::start();
    let url = format!(
        "splunk+http://{}?token={TOKEN}&index=audit&sourcetype=st&source=so&host=ho&gzip=on",
        receiver.address()
    );
    let mut sink = parse(&url).unwrap();
    let batch = ten(0);
    sink.deliver(&batch).await.unwrap();
    assert_eq!(receiver.posts("/services/collector/event").len(), 1);
    let indexed = hec.events();
    for (event, record) in indexed.iter().zip(&batch.records) {
        let micros = 1_795_181_641_000_000 + record.number;
        let expected = json!({
            "time": format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000).parse::<Value>().unwrap(),
            "host": "ho", "source": "so", "sourcetype": "st", "index": "audit",
            "fields": {"trail": "00000000-0000-0000-0000-000000000001",
                "number": record.number.to_string(), "leaf": record.leaf.to_string()},
            "event": {"trail": "00000000-0000-0000-0000-000000000001", "n": record.number,
                "h": record.leaf.to_string(), "record": record.json.parse::<Value>().unwrap()},
        });
        assert_eq!(*event, expected);
    }
    assert_eq!(indexed.len(), 10);
    assert_eq!(
        sink.address(),
        format!("splunk+http://{}", receiver.address())
    );
}

#[tokio::test]
async fn what_is_not_set_comes_from_the_trail() {
    let (hec, receiver) = Hec::start();
    builder(&receiver)
        .build()
        .unwrap()
        .deliver(&ten(0))
        .await
        .unwrap();
    let event = hec.events()[0].clone();
    assert_eq!(event["host"], "web-1");
    assert_eq!(event["source"], "docs");
    assert_eq!(event["sourcetype"], "tower_audit");
    assert!(event.get("index").is_none());
}

// trap D13
#[tokio::test]
async fn a_wrong_token_blocks_and_is_read_anew_so_nothing_is_refused() {
    let (hec, receiver) = Hec::start();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    let mut sink = SplunkSink::builder(format!("http://{}", receiver.address()))
        .token_file(&file)
        .build()
        .unwrap();
    blocked(&sink.deliver(&ten(0)).await.unwrap_err(), "token");
    std::fs::write(&file, "another-token\n").unwrap();
    blocked(&sink.probe().await.unwrap_err(), "Invalid token");
    for _ in 0..3 {
        let error = sink.deliver(&ten(0)).await.unwrap_err();
        blocked(&error, "answers 403");
        blocked(&error, "look at the token");
        assert!(!error.to_string().contains("another-token"), "{error}");
    }
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    sink.probe().await.unwrap();
    sink.deliver(&ten(0)).await.unwrap();
    assert_eq!(hec.numbers(), Vec::from_iter(0..10));
}

#[tokio::test]
async fn a_busy_collector_is_tried_again() {
    let (hec, receiver) = Hec::start();
    let mut sink = builder(&receiver).build().unwrap();
    hec.busy.store(true, Ordering::SeqCst);
    retry(
        &sink.probe().await.unwrap_err(),
        "HEC is unhealthy, queues are full",
    );
    retry(&sink.deliver(&ten(0)).await.unwrap_err(), "Server is busy");
    hec.busy.store(false, Ordering::SeqCst);
    sink.deliver(&ten(0)).await.unwrap();
    assert_eq!(hec.numbers(), Vec::from_iter(0..10));
}

/// What the collector says of a batch with bad records, and how often it was asked.
async fn refusal(from: usize, bad: &[u64], code: u16) -> (SinkError, usize) {
    let (hec, receiver) = Hec::start();
    hec.counts_from.store(from, Ordering::SeqCst);
    *hec.bad.lock().unwrap() = (bad.to_vec(), code);
    let mut sink = builder(&receiver).build().unwrap();
    let error = sink.deliver(&ten(100)).await.unwrap_err();
    (error, receiver.posts("/services/collector/event").len())
}

#[tokio::test]
async fn exactly_the_event_that_is_turned_down_is_refused() {
    for code in [6, 12, 13, 15] {
        let (error, posts) = refusal(0, &[104, 107], code).await;
        assert!(
            matches!(&error, SinkError::Refused { numbers, reason }
                if *numbers == [104] && reason.contains("Invalid data format")),
            "{code}: {error:?}"
        );
        assert_eq!(posts, 2, "the suspect is sent once more, alone");
    }
}

#[tokio::test]
async fn a_good_event_is_not_refused_where_a_version_counts_from_one() {
    let (error, _) = refusal(1, &[104], 6).await;
    assert!(
        matches!(&error, SinkError::Refused { numbers, .. } if numbers.is_empty()),
        "{error:?}"
    );
    // Beyond the end.
    let (error, _) = refusal(1, &[109], 6).await;
    assert!(
        matches!(&error, SinkError::Refused { numbers, .. } if numbers.is_empty()),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_wrong_index_blocks() {
    let (hec, receiver) = Hec::start();
    let mut sink = builder(&receiver).index("nowhere").build().unwrap();
    blocked(&sink.deliver(&ten(0)).await.unwrap_err(), "make the index");
    assert!(hec.numbers().is_empty());
}

#[tokio::test]
async fn an_acknowledged_batch_is_asked_for_until_it_is_indexed() {
    let (hec, receiver) = Hec::start();
    hec.acknowledges.store(true, Ordering::SeqCst);
    hec.delay.store(3, Ordering::SeqCst);
    let mut sink = builder(&receiver).acknowledged().build().unwrap();
    sink.probe().await.unwrap();
    sink.deliver(&ten(0)).await.unwrap();
    sink.deliver(&ten(10)).await.unwrap();
    assert_eq!(hec.numbers(), Vec::from_iter(0..20));
    let asked = receiver.posts("/services/collector/ack");
    let bodies: Vec<&str> = asked.iter().map(|seen| seen.body.as_str()).collect();
    let zero = r#"{"acks":[0]}"#;
    assert_eq!(bodies, [zero, zero, zero, zero, zero, r#"{"acks":[1]}"#]);
    let seen = receiver.seen();
    let acked = seen.iter().filter(|seen| seen.method == "POST");
    let channels: BTreeSet<&str> = acked
        .map(|seen| seen.header("x-splunk-request-channel"))
        .collect();
    assert_eq!(channels.len(), 1, "{channels:?}");
}

#[tokio::test]
async fn a_batch_that_waits_for_its_acknowledgement_is_not_sent_again() {
    let (hec, receiver) = Hec::start();
    hec.acknowledges.store(true, Ordering::SeqCst);
    hec.delay.store(usize::MAX, Ordering::SeqCst);
    let mut sink = builder(&receiver).acknowledged().build().unwrap();
    let batch = ten(0);
    // The first question, before the batch, is whether the token has acknowledgement at all.
    let asks = || receiver.posts("/services/collector/ack").len() > 1;
    given_up(sink.deliver(&batch), asks).await;
    hec.delay.store(2, Ordering::SeqCst);
    sink.deliver(&batch).await.unwrap();
    assert_eq!(receiver.posts("/services/collector/event").len(), 1);
    assert_eq!(hec.numbers(), Vec::from_iter(0..10));
}

#[tokio::test]
async fn a_batch_that_is_not_acknowledged_in_time_is_sent_again() {
    let (hec, receiver) = Hec::start();
    hec.acknowledges.store(true, Ordering::SeqCst);
    hec.delay.store(usize::MAX, Ordering::SeqCst);
    let limit = Duration::from_millis(200);
    let mut sink = builder(&receiver)
        .acknowledged()
        .acknowledged_within(limit)
        .build()
        .unwrap();
    for sent in 1..=2 {
        let error = sink.deliver(&ten(0)).await.unwrap_err();
        retry(&error, "not yet indexed the records 0 to 9");
        assert_eq!(receiver.posts("/services/collector/event").len(), sent);
    }
}

#[tokio::test]
async fn acknowledgement_that_only_one_side_wants_blocks_before_anything_is_indexed() {
    let (hec, receiver) = Hec::start();
    let mut sink = builder(&receiver).acknowledged().build().unwrap();
    blocked(&sink.probe().await.unwrap_err(), "write ack=off");
    blocked(&sink.deliver(&ten(0)).await.unwrap_err(), "write ack=off");
    hec.acknowledges.store(true, Ordering::SeqCst);
    let mut sink = builder(&receiver).build().unwrap();
    blocked(&sink.probe().await.unwrap_err(), "write ack=on");
    blocked(&sink.deliver(&ten(0)).await.unwrap_err(), "write ack=on");
    assert!(hec.numbers().is_empty());
}

#[tokio::test]
async fn another_service_at_the_address_is_found_out() {
    for (is_success, reply) in [
        (true, Reply::plain(200, "ok")),
        (
            true,
            Reply::with(200, "content-type", "text/html", "<h1>Log in</h1>"),
        ),
        (false, Reply::plain(404, "")),
        (
            false,
            Reply::with(302, "location", "https://other.example/", ""),
        ),
    ] {
        let answer = reply.clone();
        let receiver = Receiver::start(move |_| answer.clone());
        let mut sink = builder(&receiver).build().unwrap();
        for error in [sink.probe().await, sink.deliver(&ten(0)).await] {
            match error.unwrap_err() {
                // A success that is none: it may have taken the events, so it is asked rarely.
                SinkError::Retry { after, reason, .. } if is_success => {
                    assert_eq!(after.map(|after| after.as_secs()), Some(300), "{reason}");
                    assert!(reason.contains("address"), "{reason}");
                }
                error => blocked(&error, "address"),
            }
        }
    }
}

#[tokio::test]
async fn a_record_without_a_time_of_ours_gets_that_of_splunk() {
    let (hec, receiver) = Hec::start();
    let mut sink = builder(&receiver).build().unwrap();
    let mut strange = record(0, "a", "");
    strange.json = r#"{"timestamp":5}"#.into();
    sink.deliver(&batch(&origin(1), vec![strange]))
        .await
        .unwrap();
    assert!(hec.events()[0].get("time").is_none());
}

#[test]
fn mistakes_in_an_address_are_told_without_secrets() {
    for (address, part, expected) in [
        ("splunk+https://h", "option token", "token_file="),
        (
            "splunk+https://h?token=hunter2&ack=yes",
            "option ack",
            "on or off",
        ),
        (
            "splunk+https://h?token=hunter2&index=",
            "option index",
            "a name",
        ),
        (
            "splunk+https://h?token=hunter2&indx=a",
            "option",
            "did you mean index?",
        ),
        ("splunk+https://u:hunter2@h?token=a", "location", "_file"),
        (
            "splunk+https://h/services/collector?token=hunter2",
            "location",
            "leave out /services/collector",
        ),
        ("splunk+http://h?token=hunter2&ca=/a", "option ca", "https"),
    ] {
        let error = parse(address).err().unwrap();
        assert_eq!(error.part, part, "{address}");
        assert!(error.expected.contains(expected), "{address}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{address}: {error}");
    }
    let sink = parse("splunk+https://h/proxy/?token=hunter2").unwrap();
    assert_eq!(sink.address(), "splunk+https://h:8088");
}
