//! What each answer of a receiver means, and what a person is told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use prost::Message;
use tonic::{Code, Status};
use tower_audit::sink::{Sink, SinkError};

use super::{
    WAYS, Way,
    receiver::{Call, Receiver, Reply},
};
use crate::support::{
    batches::{origin, plain},
    port::Port,
};

async fn deliver(way: Way, receiver: &Receiver) -> SinkError {
    let mut sink = way.sink(receiver);
    sink.deliver(&plain(&origin(1), 0..10)).await.unwrap_err()
}

pub(super) fn blocked(error: SinkError) -> String {
    match error {
        SinkError::Blocked { reason } => reason,
        other => panic!("{other:?}"),
    }
}

pub(super) fn retry(error: SinkError) -> (String, Option<Duration>) {
    match error {
        SinkError::Retry { reason, after, .. } => (reason, after),
        other => panic!("{other:?}"),
    }
}

// trap D13
#[tokio::test]
async fn a_wrong_token_blocks_and_the_right_one_heals_without_a_restart() {
    let allow = |call: &Call| {
        call.headers
            .get("authorization")
            .is_some_and(|token| token == "Bearer right")
    };
    for way in WAYS {
        let receiver = Receiver::with(move |call| match (allow(call), way) {
            (true, _) => Reply::Take(""),
            (false, Way::Http) => Reply::Plain(401, Vec::new(), "bad token: hunter2".into()),
            (false, Way::Grpc) => Reply::Status(Status::unauthenticated("bad token: hunter2")),
        });
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "hunter2\n").unwrap();
        let mut sink = way
            .builder(receiver.url())
            .token_file(&file)
            .build()
            .unwrap();
        let batch = plain(&origin(1), 0..10);
        for error in [sink.probe().await, sink.deliver(&batch).await] {
            let reason = blocked(error.unwrap_err());
            assert!(reason.contains("bad token: ***"), "{reason}");
            assert!(reason.contains(&receiver.address.to_string()), "{reason}");
            assert!(!reason.contains("hunter2"), "{reason}");
        }
        std::fs::remove_file(&file).unwrap();
        let reason = blocked(sink.deliver(&batch).await.unwrap_err());
        assert!(
            reason.contains("token") && reason.contains("cannot be read"),
            "{reason}"
        );
        std::fs::write(&file, "right\n").unwrap();
        sink.deliver(&batch).await.unwrap();
        assert_eq!(receiver.numbers(), (0..10).collect::<Vec<_>>(), "{way:?}");
    }
}

#[tokio::test]
async fn a_probe_shows_the_credentials_and_leaves_nothing() {
    for way in WAYS {
        let receiver = Receiver::new();
        let mut sink = way.builder(receiver.url()).token("t").build().unwrap();
        sink.probe().await.unwrap();
        let calls = receiver.calls();
        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0].headers["authorization"], "Bearer t");
        let paths = [("grpc", Way::Grpc), ("/v1/logs", Way::Http)];
        assert!(paths.contains(&(&calls[0].path, way)), "{:?}", calls[0]);
        assert_eq!(receiver.numbers(), [0; 0]);
    }
}

#[tokio::test]
async fn a_receiver_that_asks_for_patience_gets_it() {
    #[derive(Clone, PartialEq, Message)]
    struct Details {
        #[prost(message, repeated, tag = "3")]
        details: Vec<Any>,
    }
    #[derive(Clone, PartialEq, Message)]
    struct Any {
        #[prost(string, tag = "1")]
        type_url: String,
        #[prost(bytes = "vec", tag = "2")]
        value: Vec<u8>,
    }
    #[derive(Clone, PartialEq, Message)]
    struct RetryInfo {
        #[prost(message, optional, tag = "1")]
        delay: Option<Seconds>,
    }
    #[derive(Clone, PartialEq, Message)]
    struct Seconds {
        #[prost(int64, tag = "1")]
        seconds: i64,
    }
    let info = RetryInfo {
        delay: Some(Seconds { seconds: 7 }),
    };
    let details = Details {
        details: vec![Any {
            type_url: "type.googleapis.com/google.rpc.RetryInfo".into(),
            value: info.encode_to_vec(),
        }],
    };
    let details = details.encode_to_vec();
    for code in [Code::Unavailable, Code::ResourceExhausted] {
        let details = details.clone();
        let receiver = Receiver::with(move |_| {
            let details = Bytes::from(details.clone());
            Reply::Status(Status::with_details(code, "busy", details))
        });
        let (reason, after) = retry(deliver(Way::Grpc, &receiver).await);
        assert!(reason.contains("busy"), "{reason}");
        assert_eq!(after, Some(Duration::from_secs(7)));
    }
    for status in [429, 503] {
        let receiver = Receiver::with(move |_| {
            Reply::Plain(status, vec![("retry-after", "7".into())], Bytes::new())
        });
        for way in WAYS {
            let (_, after) = retry(deliver(way, &receiver).await);
            assert_eq!(after, Some(Duration::from_secs(7)), "{way:?} {status}");
        }
    }
}

#[tokio::test]
async fn what_is_no_receiver_of_logs_blocks_or_is_asked_rarely() {
    let page = || vec![("content-type", "text/html; charset=utf-8".to_owned())];
    let to = vec![("location", "https://user:hunter2@other.example/".to_owned())];
    let kind = |kind: &str| vec![("content-type", kind.to_owned())];
    let large = Bytes::from(vec![b'<'; 3 * 1024 * 1024]);
    for (status, headers, body) in [
        (200, page(), Bytes::from("<h1>Log in</h1>")),
        (200, page(), large.clone()),
        (
            200,
            kind("application/json"),
            Bytes::from(r#"{"status":"received"}"#),
        ),
        (200, kind("application/json"), large.clone()),
        (200, kind("text/plain"), Bytes::from("ok")),
        (
            200,
            kind("application/x-protobuf"),
            Bytes::from("\u{7}no message"),
        ),
        (302, to, Bytes::new()),
        (404, page(), Bytes::from("not here")),
        (405, Vec::new(), Bytes::new()),
        (403, Vec::new(), large.clone()),
    ] {
        for way in WAYS {
            let (headers, body) = (headers.clone(), body.clone());
            let receiver =
                Receiver::with(move |_| Reply::Plain(status, headers.clone(), body.clone()));
            let mut sink = way.sink(&receiver);
            for answer in [
                sink.probe().await,
                sink.deliver(&plain(&origin(1), 0..10)).await,
            ] {
                let reason = match answer.unwrap_err() {
                    // What was answered with a success may have been taken: tried again, rarely.
                    SinkError::Retry { reason, after, .. } if status == 200 => {
                        assert_eq!(after, Some(Duration::from_secs(300)), "{way:?} {reason}");
                        reason
                    }
                    error => blocked(error),
                };
                assert!(reason.contains(&status.to_string()), "{way:?} {reason}");
                assert!(
                    reason.contains(&receiver.address.to_string()),
                    "{way:?} {reason}"
                );
                assert!(
                    !reason.contains("hunter2") && reason.len() < 700,
                    "{reason}"
                );
            }
        }
    }
}

#[tokio::test]
async fn an_answer_of_megabytes_is_not_read_to_its_end_nor_repeated() {
    let large = Bytes::from(vec![b'x'; 5 * 1024 * 1024]);
    for status in [400, 500] {
        let body = large.clone();
        let receiver = Receiver::with(move |_| Reply::Plain(status, Vec::new(), body.clone()));
        let error = deliver(Way::Http, &receiver).await.to_string();
        assert!(error.len() < 500, "{}", error.len());
    }
    let message = "y".repeat(5000);
    let receiver = Receiver::with(move |_| Reply::Status(Status::internal(message.clone())));
    let (reason, _) = retry(deliver(Way::Grpc, &receiver).await);
    assert!(reason.len() < 500, "{}", reason.len());
}

#[tokio::test]
async fn answers_in_json_and_without_a_body_are_understood() {
    let json = || vec![("content-type", "application/json".to_owned())];
    let rejected = r#"{"partialSuccess":{"rejectedLogRecords":"10","errorMessage":"no"}}"#;
    for (headers, body, is_taken) in [
        (Vec::new(), "", true),
        (json(), "{}", true),
        (json(), r#"{"partialSuccess":{}}"#, true),
        (
            json(),
            r#"{"partialSuccess":{"errorMessage":"careful"}}"#,
            true,
        ),
        (json(), rejected, false),
        (
            json(),
            r#"{"partialSuccess":{"rejectedLogRecords":10}}"#,
            false,
        ),
    ] {
        let headers = headers.clone();
        let receiver = Receiver::with(move |_| {
            Reply::Plain(200, headers.clone(), Bytes::from_static(body.as_bytes()))
        });
        let mut sink = Way::Http.sink(&receiver);
        match sink.deliver(&plain(&origin(1), 0..10)).await {
            Ok(()) => assert!(is_taken, "{body}"),
            Err(SinkError::Refused { numbers, .. }) => {
                assert!(!is_taken && numbers.len() == 10, "{body}: {numbers:?}");
            }
            Err(other) => panic!("{body}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn nobody_at_the_address_is_a_passing_fault() {
    let port = Port::new();
    let address = port.address();
    for way in WAYS {
        let builder = way.builder(format!("http://{address}"));
        let mut sink = builder.build().unwrap();
        let error = sink.deliver(&plain(&origin(1), 0..1)).await.unwrap_err();
        let expected = format!("no connection to {address}: connection refused");
        assert_eq!(error, SinkError::retry(expected).unsent(), "{way:?}");
    }
}

#[tokio::test]
async fn a_receiver_that_comes_back_is_found_again() {
    let calls = Arc::new(AtomicUsize::new(0));
    for way in WAYS {
        let count = Arc::clone(&calls);
        let receiver = Receiver::with(move |_| {
            if count.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
                return Reply::Plain(503, Vec::new(), Bytes::new());
            }
            Reply::Take("")
        });
        let mut sink = way.sink(&receiver);
        let batch = plain(&origin(1), 0..10);
        retry(sink.deliver(&batch).await.unwrap_err());
        sink.deliver(&batch).await.unwrap();
        assert_eq!(receiver.numbers().len(), 10);
    }
}
