//! A receiver that takes some records of a request and rejects others.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::Notify;
use tonic::Status;
use tower_audit::sink::{OtlpCompression, Sink, SinkError};

use super::{
    WAYS, Way,
    receiver::{Receiver, Reply, number},
};
use crate::support::batches::{batch, origin, plain, record};

/// How often each number was taken.
fn times(receiver: &Receiver) -> BTreeMap<u64, usize> {
    let mut times = BTreeMap::new();
    for number in receiver.numbers() {
        *times.entry(number).or_default() += 1;
    }
    times
}

fn refused(error: SinkError) -> (Vec<u64>, String) {
    match error {
        SinkError::Refused { numbers, reason } => (numbers, reason),
        other => panic!("{other:?}"),
    }
}

// trap D5
#[tokio::test]
async fn those_and_only_those_that_are_rejected_are_refused() {
    for way in WAYS {
        let receiver = Receiver::with(|_| Reply::Reject(|log| [3, 700].contains(&number(log))));
        let mut sink = way.sink(&receiver);
        let batch = plain(&origin(1), 0..1000);
        let (numbers, reason) = refused(sink.deliver(&batch).await.unwrap_err());
        assert_eq!(numbers, [3, 700], "{way:?}");
        assert!(
            reason.ends_with(r"rejected them: no room\nfor it"),
            "{reason}"
        );

        let times = times(&receiver);
        assert_eq!(times.len(), 998);
        assert!(!times.contains_key(&3) && !times.contains_key(&700));
        // Seen: 62 requests; a record comes 2.2 times on average, next to a rejected one 5 times.
        let calls = receiver.calls().len();
        let doubles: usize = times.values().map(|times| times - 1).sum();
        assert!(calls < 80, "{calls}");
        assert!(doubles < 1500, "{doubles}");

        // The follower sets the two aside and offers the others again: they are not sent again.
        let mut rest = batch.clone();
        rest.records
            .retain(|record| !numbers.contains(&record.number));
        sink.deliver(&rest).await.unwrap();
        assert_eq!(receiver.calls().len(), calls);
        sink.deliver(&plain(&origin(1), 1000..1010)).await.unwrap();
        assert_eq!(receiver.calls().len(), calls + 1);
    }
}

#[tokio::test]
async fn a_request_that_is_rejected_as_a_whole_is_not_searched() {
    let receiver = Receiver::with(|_| Reply::Reject(|_| true));
    let mut sink = Way::Grpc.sink(&receiver);
    for records in [1, 500] {
        let batch = plain(&origin(1), 0..records);
        let (numbers, _) = refused(sink.deliver(&batch).await.unwrap_err());
        assert_eq!(numbers, (0..records).collect::<Vec<_>>());
    }
    assert_eq!(receiver.calls().len(), 2);
    assert_eq!(receiver.numbers(), [0; 0]);
}

#[tokio::test]
async fn nothing_rejected_is_a_success_whatever_is_said_beside() {
    for way in WAYS {
        let receiver = Receiver::with(|_| Reply::Take("this field is deprecated"));
        let mut sink = way.sink(&receiver);
        sink.deliver(&plain(&origin(1), 0..10)).await.unwrap();
        assert_eq!(receiver.calls().len(), 1);
    }
}

#[tokio::test]
async fn a_number_that_cannot_be_is_no_success() {
    let receiver = Receiver::with(|_| Reply::Count(-1));
    let mut sink = Way::Grpc.sink(&receiver);
    let error = sink.deliver(&plain(&origin(1), 0..10)).await.unwrap_err();
    assert!(
        matches!(&error, SinkError::Retry { after: Some(after), .. } if after.as_secs() == 300),
        "{error:?}"
    );
}

// Each record is tried by itself before it is refused, however the counts mislead.
#[tokio::test]
async fn a_receiver_that_changes_its_mind_loses_nothing() {
    let seen = Arc::new(AtomicUsize::new(0));
    let calls = Arc::clone(&seen);
    // Rejects something each time, and on its own every record is fine.
    let receiver = Receiver::with(move |call| {
        calls.fetch_add(1, Ordering::Relaxed);
        if call.numbers.len() > 1 {
            Reply::Reject(|log| number(log).is_multiple_of(2))
        } else {
            Reply::Take("")
        }
    });
    let mut sink = Way::Http.sink(&receiver);
    sink.deliver(&plain(&origin(1), 0..64)).await.unwrap();
    assert_eq!(times(&receiver).len(), 64);
    assert!(seen.load(Ordering::Relaxed) < 64 * 2);
}

#[tokio::test]
async fn what_was_taken_before_a_fault_is_not_sent_again() {
    let faults = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&faults);
    // The second request of every batch fails once.
    let receiver = Receiver::with(move |call| {
        if call.numbers.first() != Some(&0) && count.fetch_add(1, Ordering::Relaxed) == 0 {
            return Reply::Status(Status::unavailable("not now"));
        }
        Reply::Take("")
    });
    let builder = Way::Grpc.builder(receiver.url()).max_request_bytes(20_000);
    let mut sink = builder.build().unwrap();
    let batch = plain(&origin(1), 0..100);
    let error = sink.deliver(&batch).await.unwrap_err();
    assert!(matches!(&error, SinkError::Retry { .. }), "{error:?}");
    let before = receiver.numbers().len();
    assert!(before > 0 && before < 100, "{before}");
    sink.deliver(&batch).await.unwrap();
    assert_eq!(receiver.numbers(), (0..100).collect::<Vec<_>>());
    // Once it is through nothing is remembered: a replay is sent.
    sink.deliver(&batch).await.unwrap();
    assert_eq!(receiver.numbers().len(), 200);
}

#[tokio::test]
async fn a_batch_that_needs_more_than_one_request_stays_below_the_limit_of_each() {
    const LIMIT: usize = 4 * 1024 * 1024;
    for way in WAYS {
        let receiver = Receiver::new();
        let mut sink = way
            .builder(receiver.url())
            .compression(OtlpCompression::None)
            .build()
            .unwrap();
        // Negative numbers grow most: three bytes of JSON, thirteen of the message.
        let details = format!(r#","details":{{"n":[{}1]}}"#, "-1,".repeat(17_000));
        let records = (0..20).map(|number| record(number, "document.create", &details));
        let batch = batch(&origin(1), records.collect());
        let json: usize = batch.records.iter().map(|record| record.json.len()).sum();
        assert!(json < sink.limits().max_bytes, "{json}");
        sink.deliver(&batch).await.unwrap();
        let calls = receiver.calls();
        assert!(calls.len() > 1, "{way:?}: {}", calls.len());
        for call in calls {
            assert!(call.bytes <= LIMIT, "{way:?}: {}", call.bytes);
        }
        assert_eq!(receiver.numbers(), (0..20).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_receiver_that_takes_less_is_believed_and_nothing_is_doubled() {
    for way in WAYS {
        let receiver = Receiver::with(move |call| match (call.bytes > 50_000, way) {
            (false, _) => Reply::Take(""),
            (true, Way::Http) => Reply::Plain(413, Vec::new(), "too much".into()),
            (true, Way::Grpc) => Reply::Status(Status::resource_exhausted(
                "grpc: received message larger than max (90000 vs. 50000)",
            )),
        });
        let mut sink = way.sink(&receiver);
        let large = format!(r#","reason":"{}""#, "x".repeat(60_000));
        let small = |number| record(number, "document.create", "");
        let mut records: Vec<_> = (0..200).map(small).collect();
        records.push(record(200, "document.create", large));
        records.push(small(201));
        let batch = batch(&origin(1), records);
        let (numbers, reason) = refused(sink.deliver(&batch).await.unwrap_err());
        assert_eq!(numbers, [200], "{way:?}: {reason}");
        let expected: Vec<_> = (0..200).chain([201]).collect();
        assert_eq!(receiver.numbers(), expected, "{way:?}");
    }
}

#[tokio::test]
async fn a_request_that_is_refused_as_such_is_left_to_the_follower_to_halve() {
    for way in WAYS {
        let receiver = Receiver::with(move |call| match (call.numbers.contains(&5), way) {
            (false, _) => Reply::Take(""),
            (true, Way::Http) => Reply::Plain(400, Vec::new(), "bad field".into()),
            (true, Way::Grpc) => Reply::Status(Status::invalid_argument("bad field")),
        });
        let mut sink = way.sink(&receiver);
        let (numbers, reason) = refused(sink.deliver(&plain(&origin(1), 0..10)).await.unwrap_err());
        assert_eq!(numbers, [0; 0]);
        assert!(reason.contains("bad field"), "{reason}");
    }
}

#[tokio::test]
async fn a_cancelled_search_goes_on_where_it_was() {
    let hangs = Arc::new(Notify::new());
    let seen = Arc::clone(&hangs);
    let receiver = Receiver::with(move |call| match call.numbers.as_slice() {
        // The last of the parts hangs, as one that comes too late for the deadline of a call.
        [56, ..] if call.numbers.len() == 8 => {
            seen.notify_one();
            Reply::Hang
        }
        _ => Reply::Reject(|log| number(log) == 1),
    });
    let mut sink = Way::Grpc.sink(&receiver);
    let batch = plain(&origin(1), 0..64);
    tokio::select! {
        answer = sink.deliver(&batch) => panic!("{answer:?}"),
        () = hangs.notified() => {}
    }
    let before = receiver.calls().len();
    let error = sink.deliver(&batch).await.unwrap_err();
    assert_eq!(refused(error).0, [1]);
    let calls = receiver.calls().split_off(before).into_iter();
    let sent: Vec<_> = calls.flat_map(|call| call.numbers).collect();
    let is_open = |number: &u64| *number == 1 || *number >= 56;
    assert!(sent.iter().all(is_open), "{sent:?}");
}
