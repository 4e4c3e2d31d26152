//! The sink that posts signed JSON.

use std::{
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use serde_json::Value;
use tower_audit::{
    clock::Timestamp,
    sink::{Sink, SinkError, WebhookSink, url::parse},
    testing::FixedClock,
};

use crate::support::{
    batches::{START, origin, plain},
    receiver::{Receiver, Reply, given_up},
    tls::certificate,
};

fn sink(receiver: &Receiver) -> WebhookSink {
    let url = format!("http://{}/in?key=hunter2", receiver.address());
    WebhookSink::builder(url).build().unwrap()
}

fn accepting() -> Receiver {
    Receiver::start(|_| Reply::plain(200, ""))
}

/// The error of a delivery to a receiver that answers like this.
async fn error_of(reply: Reply) -> SinkError {
    let receiver = Receiver::start(move |_| reply.clone());
    let mut sink = sink(&receiver);
    let error = sink.deliver(&plain(&origin(1), 0..3)).await.unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
    error
}

#[track_caller]
fn blocked(error: &SinkError, expected: &str) {
    let SinkError::Blocked { reason } = error else {
        panic!("{error:?}")
    };
    assert!(reason.contains(expected), "{reason}");
}

#[tokio::test]
async fn a_batch_is_one_post_whose_headers_name_it() {
    let receiver = accepting();
    let batch = plain(&origin(1), 5..8);
    let mut sink = sink(&receiver);
    sink.deliver(&batch).await.unwrap();
    let [seen] = &receiver.seen()[..] else {
        panic!()
    };
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str()),
        ("POST", "/in?key=hunter2")
    );
    assert_eq!(seen.header("content-type"), "application/json");
    let id = "audit_00000000-0000-0000-0000-000000000001_5_7_3";
    assert_eq!(seen.header("webhook-id"), id);
    assert_eq!(seen.header("idempotency-key"), id);
    assert!(seen.headers.get("webhook-signature").is_none());
    let body: Vec<Value> = serde_json::from_str(&seen.body).unwrap();
    for (event, record) in body.iter().zip(&batch.records) {
        assert_eq!(event["n"], record.number);
        assert_eq!(event["h"], record.leaf.to_string());
        assert_eq!(
            event["record"],
            serde_json::from_str::<Value>(&record.json).unwrap()
        );
    }
    assert_eq!(body.len(), 3);
    assert_eq!(sink.address(), format!("http://{}/…", receiver.address()));
}

#[tokio::test]
async fn lines_are_one_event_each_and_a_packed_body_is_the_same() {
    let receiver = accepting();
    let batch = plain(&origin(1), 0..3);
    for gzip in ["on", "off"] {
        let url = format!("http://{}/?body=lines&gzip={gzip}", receiver.address());
        parse(&url).unwrap().deliver(&batch).await.unwrap();
    }
    let [packed, plain] = &receiver.seen()[..] else {
        panic!()
    };
    assert_eq!(packed.body, plain.body);
    assert!(packed.raw.len() < plain.raw.len());
    assert_eq!(packed.header("content-type"), "application/x-ndjson");
    let records: Vec<String> = plain
        .body
        .lines()
        .map(|line| {
            let event: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
            event["record"].to_string()
        })
        .collect();
    assert_eq!(records.len(), 3);
    assert!(plain.body.ends_with("}\n"));
}

/// Verifies as the documentation says, in another language.
fn verify(secret: &[u8], id: &str, timestamp: &str, body: &[u8]) -> String {
    let script = r#"
import base64, hashlib, hmac, sys
secret, id, timestamp = bytes.fromhex(sys.argv[1]), sys.argv[2], sys.argv[3]
signed = b".".join([id.encode(), timestamp.encode(), sys.stdin.buffer.read()])
print("v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode())
"#;
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut python = Command::new("python3")
        .args(["-c", script, &hex, id, timestamp])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(python.stdin.as_mut().unwrap(), body).unwrap();
    let output = python.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn the_signature_is_what_python_computes_over_the_bytes_that_were_sent() {
    let receiver = accepting();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    // 24 bytes in base 64.
    std::fs::write(&file, "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX\n").unwrap();
    let url = format!("http://{}/", receiver.address());
    let clock = Arc::new(FixedClock::at(Timestamp::from_micros(START)));
    let builder = WebhookSink::builder(url).clock(clock).gzip();
    let mut sink = builder.secret_file(&file).build().unwrap();
    sink.deliver(&plain(&origin(1), 0..3)).await.unwrap();
    // Changed at run time, without a restart.
    std::fs::write(&file, "hunter2").unwrap();
    sink.deliver(&plain(&origin(1), 3..6)).await.unwrap();
    let bytes: Vec<u8> = (0..24).collect();
    for (seen, secret) in receiver.seen().iter().zip([&bytes[..], b"hunter2"]) {
        assert_eq!(
            seen.header("webhook-timestamp"),
            (START / 1_000_000).to_string()
        );
        let (id, timestamp) = (seen.header("webhook-id"), seen.header("webhook-timestamp"));
        let expected = verify(secret, id, timestamp, &seen.raw);
        assert_eq!(seen.header("webhook-signature"), expected);
    }
}

#[tokio::test]
async fn own_headers_come_from_the_address_and_from_a_file_and_are_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("headers");
    std::fs::write(&file, "Authorization: Bearer hunter2\nX-Two: 2\n").unwrap();
    let receiver = Receiver::start(|seen| {
        // A server that repeats what it was sent.
        Reply::plain(
            403,
            format!("no access for {}", seen.header("authorization")),
        )
    });
    let (address, file) = (receiver.address(), file.display().to_string());
    let url = format!("http://{address}/?header=X-One:%201&headers_file={file}");
    let mut sink = parse(&url).unwrap();
    let error = sink.deliver(&plain(&origin(1), 0..1)).await.unwrap_err();
    blocked(
        &error,
        "answers 403: no access for ***; look at the credentials",
    );
    let [seen] = &receiver.seen()[..] else {
        panic!()
    };
    assert_eq!((seen.header("x-one"), seen.header("x-two")), ("1", "2"));
    std::fs::remove_file(file).unwrap();
    let error = sink.deliver(&plain(&origin(1), 0..1)).await.unwrap_err();
    blocked(&error, "headers");
}

#[tokio::test]
async fn mistakes_in_an_address_are_told_without_secrets() {
    for (address, part, expected) in [
        ("https://u:hunter2@h/", "location", "_file"),
        ("https://h/?body=xml", "option body", "array or lines"),
        ("https://h/?gzip=1", "option gzip", "on or off"),
        ("https://h/?format=xml", "option format", "native"),
        ("https://h/?header=hunter2", "option header", "Name: value"),
        (
            "https://h/?header=Host:hunter2",
            "option header",
            "Name: value",
        ),
        (
            "https://h/?secret=hunter2&secret_file=/a",
            "option secret",
            "either",
        ),
        ("http://h/?ca=/a", "option ca", "https"),
        (
            "https://h/?sekret=hunter2",
            "option",
            "did you mean secret?",
        ),
    ] {
        let error = parse(address).err().unwrap();
        assert_eq!(error.part, part, "{address}");
        assert!(error.expected.contains(expected), "{address}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{address}: {error}");
    }
}

#[tokio::test]
async fn what_a_server_answers_is_told_apart() {
    blocked(
        &error_of(Reply::plain(401, "expired")).await,
        "answers 401: expired",
    );
    let page = Reply::with(200, "content-type", "text/html", "<h1>Log in</h1>");
    // It may have taken the records all the same: rarely tried again, and counted as unclear.
    let unclear = error_of(page).await;
    assert!(
        matches!(&unclear, SinkError::Retry { after: Some(after), reason, .. }
            if after.as_secs() == 300 && reason.contains("it is a web page")),
        "{unclear:?}"
    );
    let elsewhere = Reply::with(307, "location", "https://other.example/x?t=hunter2", "");
    blocked(
        &error_of(elsewhere).await,
        "redirect to other.example; name the final address",
    );
    let refused = error_of(Reply::plain(400, "field x is missing")).await;
    assert!(
        matches!(&refused, SinkError::Refused { numbers, reason }
            if numbers.is_empty() && reason.contains("field x is missing")),
        "{refused:?}"
    );
    let busy = error_of(Reply::with(503, "retry-after", "7", "busy")).await;
    assert!(
        matches!(&busy, SinkError::Retry { after: Some(after), .. } if after.as_secs() == 7),
        "{busy:?}"
    );
    let closed = error_of(Reply::Close).await;
    assert!(matches!(closed, SinkError::Retry { .. }), "{closed:?}");
}

#[tokio::test]
async fn an_answer_of_megabytes_is_read_to_64_kib_and_counts_by_its_status() {
    let receiver = Receiver::start(|_| Reply::Endless(200));
    let mut sink = sink(&receiver);
    for from in [0, 3] {
        sink.deliver(&plain(&origin(1), from..from + 3))
            .await
            .unwrap();
    }
    let error = error_of(Reply::Endless(500)).await;
    assert!(matches!(error, SinkError::Retry { .. }), "{error:?}");
    assert!(error.to_string().len() < 600, "{error}");
}

// trap D2
#[tokio::test]
async fn a_call_that_is_given_up_leaves_a_sink_that_works() {
    let hangs = Arc::new(AtomicBool::new(true));
    let hung = Arc::clone(&hangs);
    let receiver = Receiver::start(move |_| {
        if hung.load(Ordering::SeqCst) {
            Reply::Hang
        } else {
            Reply::plain(204, "")
        }
    });
    let mut sink = sink(&receiver);
    let batch = plain(&origin(1), 0..3);
    given_up(sink.deliver(&batch), || !receiver.seen().is_empty()).await;
    hangs.store(false, Ordering::SeqCst);
    sink.deliver(&batch).await.unwrap();
    let ids: Vec<String> = receiver
        .seen()
        .iter()
        .map(|seen| seen.header("webhook-id").to_owned())
        .collect();
    assert_eq!(ids[0], ids[1], "the same batch has the same id");
}

#[tokio::test]
async fn certificates_that_are_not_to_be_trusted_block_with_the_cause() {
    let trusting = |receiver: &Receiver| {
        let url = format!(
            "https://{}/?ca={}",
            receiver.address(),
            certificate("ca.pem")
        );
        parse(&url).unwrap()
    };
    let batch = plain(&origin(1), 0..1);
    let good = Receiver::start_tls("server", |_| Reply::plain(200, ""));
    let mut sink = trusting(&good);
    sink.probe().await.unwrap();
    sink.deliver(&batch).await.unwrap();
    for (name, expected) in [
        (
            "foreign",
            "not trusted: name the certificate of who issued it with ca=",
        ),
        ("expired", "has expired"),
        ("elsewhere", "another name"),
    ] {
        let receiver = Receiver::start_tls(name, |_| Reply::plain(200, ""));
        let mut sink = trusting(&receiver);
        blocked(&sink.probe().await.unwrap_err(), expected);
        blocked(&sink.deliver(&batch).await.unwrap_err(), expected);
        assert!(receiver.seen().is_empty(), "{name}");
    }
    // Plain HTTP behind an address that promises TLS.
    let receiver = accepting();
    let url = format!(
        "https://{}/?ca={}",
        receiver.address(),
        certificate("ca.pem")
    );
    let error = parse(&url).unwrap().probe().await.unwrap_err();
    blocked(&error, "does not speak TLS");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_again_and_found_when_it_is() {
    let mut receiver = accepting();
    let mut sink = sink(&receiver);
    sink.deliver(&plain(&origin(1), 0..3)).await.unwrap();
    receiver.stop();
    let error = sink.deliver(&plain(&origin(1), 3..6)).await.unwrap_err();
    assert!(matches!(error, SinkError::Retry { .. }), "{error:?}");
    let error = sink.probe().await.unwrap_err();
    let expected = format!(
        "no connection to {}: connection refused",
        receiver.address()
    );
    assert_eq!(error, SinkError::retry(expected).unsent());
    receiver.start_again();
    sink.deliver(&plain(&origin(1), 3..6)).await.unwrap();

    let nowhere = parse("http://no-such-host.invalid/x?").err();
    assert!(nowhere.is_some(), "an empty option is a mistake");
    let error = parse("http://no-such-host.invalid/x")
        .unwrap()
        .probe()
        .await
        .unwrap_err();
    assert!(
        matches!(&error, SinkError::Retry { reason, .. } if reason.contains("no-such-host.invalid:80")),
        "{error:?}"
    );
}

#[tokio::test]
async fn one_connection_serves_many_batches() {
    let ports = Arc::new(Mutex::new(std::collections::BTreeSet::new()));
    let count = Arc::new(AtomicUsize::new(0));
    let (kept, counted) = (Arc::clone(&ports), Arc::clone(&count));
    let receiver = Receiver::start(move |seen| {
        counted.fetch_add(1, Ordering::SeqCst);
        kept.lock().unwrap().insert(seen.peer);
        Reply::plain(200, "")
    });
    let mut sink = sink(&receiver);
    for from in 0..10 {
        sink.deliver(&plain(&origin(1), from..from + 1))
            .await
            .unwrap();
    }
    assert_eq!(
        (count.load(Ordering::SeqCst), ports.lock().unwrap().len()),
        (10, 1)
    );
}
