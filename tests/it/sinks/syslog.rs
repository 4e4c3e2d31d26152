//! The syslog sink against rsyslog, and against receivers that misbehave.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::mpsc,
    thread::JoinHandle,
    time::Duration,
};

use serde_json::Value;
use tower_audit::sink::{Sink, SinkError, SyslogSink, url::parse};
use uuid::Uuid;

use crate::support::{
    batches::{batch, origin, plain, record},
    services,
    tls::{acceptor, certificate},
};

/// What is in the file of rsyslog; others write there what they want.
fn read(file: &std::path::Path) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned()
}

/// The messages in the file of rsyslog that have this host name, without their header.
fn bodies(file: &std::path::Path, host: &str) -> Vec<Value> {
    let text = read(file);
    let mark = format!(" {host} docs - audit [audit@32473 ");
    let ours = text.lines().filter(|line| line.contains(&mark));
    ours.map(|line| serde_json::from_str(line.split_once("] ").unwrap().1).unwrap())
        .collect()
}

fn numbers(bodies: &[Value]) -> Vec<u64> {
    bodies
        .iter()
        .map(|body| body["n"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn rsyslog_has_every_record_when_a_batch_is_delivered_plain_and_with_tls() {
    let Some(rsyslog) = services::syslog() else {
        return;
    };
    let certificates = services::certificates().unwrap();
    let ca = certificates.ca.display();
    for url in [
        format!("syslog+tcp://{}?", rsyslog.tcp),
        format!("syslog+tls://{}?ca={ca}&", rsyslog.tls),
    ] {
        let host = format!("test-{}", Uuid::new_v4());
        let mut sink = parse(&format!("{url}hostname={host}")).unwrap();
        sink.probe().await.unwrap();
        for from in [0, 1000, 2000] {
            let sent = plain(&origin(1), from..from + 1000);
            sink.deliver(&sent).await.unwrap();
            let bodies = bodies(&rsyslog.file, &host);
            assert_eq!(numbers(&bodies), Vec::from_iter(0..from + 1000), "{url}");
            let (last, record) = (bodies.last().unwrap(), sent.records.last().unwrap());
            assert_eq!(last["record"], record.json.parse::<Value>().unwrap());
            assert_eq!(last["h"], record.leaf.to_string());
        }
        sink.close().await.unwrap();
    }
}

#[tokio::test]
async fn rsyslog_gets_a_large_record_without_its_details_and_whole_json() {
    let Some(rsyslog) = services::syslog() else {
        return;
    };
    let host = format!("test-{}", Uuid::new_v4());
    let mut sink = parse(&format!("syslog+tcp://{}?hostname={host}", rsyslog.tcp)).unwrap();
    let details = format!(r#","details":{{"text":"{}"}}"#, "x".repeat(60_000));
    sink.deliver(&batch(&origin(1), vec![record(0, "a.b", details)]))
        .await
        .unwrap();
    let bodies = bodies(&rsyslog.file, &host);
    assert_eq!(bodies[0]["record"]["action"], "a.b");
    assert!(bodies[0]["record"].get("details").is_none());
    let text = read(&rsyslog.file);
    let line = text.lines().find(|line| line.contains(&host)).unwrap();
    assert!(
        line.contains(r#" omitted="details"] "#) && line.len() <= 8192,
        "{line}"
    );
}

#[tokio::test]
async fn a_foreign_certificate_and_a_port_without_tls_block_with_the_cause() {
    let plain = Strange::new(|mut stream| {
        stream.write_all(b"220 hello\r\n").unwrap();
        let mut all = Vec::new();
        drop(stream.read_to_end(&mut all));
    });
    let ca = certificate("ca.pem");
    let mut cases = vec![(plain.address.clone(), ca, "does not speak TLS")];
    if let (Some(rsyslog), Some(foreign)) = (services::syslog(), services::certificates()) {
        let ca = foreign.foreign_ca.display().to_string();
        cases.push((
            rsyslog.tls,
            ca,
            "not trusted: name the certificate of who issued it",
        ));
    }
    for (address, ca, expected) in cases {
        let mut sink = parse(&format!("syslog+tls://{address}?ca={ca}")).unwrap();
        let error = sink.probe().await.unwrap_err();
        assert!(
            matches!(&error, SinkError::Blocked { reason } if reason.contains(expected)),
            "{error:?}"
        );
    }
}

/// A receiver of one connection after the other, on a thread; `each` says what it does with one.
struct Strange {
    address: String,
    thread: Option<JoinHandle<()>>,
    stop: mpsc::Sender<()>,
}

impl Strange {
    fn new(mut each: impl FnMut(TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.try_recv().is_ok() {
                    return;
                }
                each(stream.unwrap());
            }
        });
        Self {
            address,
            thread: Some(thread),
            stop,
        }
    }

    fn sink(&self, more: &str) -> Box<dyn Sink> {
        parse(&format!("syslog+tcp://{}{more}", self.address)).unwrap()
    }
}

impl Drop for Strange {
    fn drop(&mut self) {
        self.stop.send(()).unwrap();
        drop(TcpStream::connect(&self.address));
        self.thread.take().unwrap().join().unwrap();
    }
}

#[track_caller]
fn retry(error: &SinkError, expected: &str) {
    let SinkError::Retry { reason, .. } = error else {
        panic!("{error:?}")
    };
    assert!(reason.contains(expected), "{reason}");
}

#[tokio::test]
async fn a_batch_that_the_receiver_has_not_read_is_not_delivered() {
    // It closes with bytes that it has not read, as a process that dies does.
    let receiver = Strange::new(|mut stream| {
        let mut some = [0; 100];
        stream.read_exact(&mut some).unwrap();
    });
    for _ in 0..20 {
        let error = receiver
            .sink("")
            .deliver(&plain(&origin(1), 0..2000))
            .await
            .unwrap_err();
        retry(&error, "127.0.0.1");
    }
}

#[tokio::test]
async fn a_receiver_that_closes_between_two_of_our_packets_has_not_confirmed() {
    // It closes in order, and reads no more than what is there.
    let (go_on, closed) = mpsc::channel();
    let receiver = Strange::new(move |mut stream| {
        stream.shutdown(Shutdown::Both).unwrap();
        stream.set_nonblocking(true).unwrap();
        let mut there = Vec::new();
        // It ends with "nothing there", or with the end of it all.
        let _ = stream.read_to_end(&mut there);
        drop(stream);
        go_on.send(there).unwrap();
    });
    for _ in 0..20 {
        let mut sink = receiver.sink("");
        let answer = sink.deliver(&plain(&origin(1), 0..1)).await;
        let there = String::from_utf8(closed.recv().unwrap()).unwrap();
        match answer {
            Err(SinkError::Retry { .. }) => {}
            // On a busy machine it may come to the connection when all has arrived: then it has it.
            Ok(()) => {
                let (bytes, message) = there.split_once(' ').unwrap();
                assert_eq!(bytes.parse(), Ok(message.len()), "{there:?}");
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_receiver_that_closes_in_the_middle_has_not_confirmed() {
    // More than a system takes for somebody who does not read.
    let receiver = Strange::new(|mut stream| {
        stream.read_exact(&mut [0; 100]).unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
    });
    for _ in 0..20 {
        let mut sink = receiver.sink("");
        let error = sink.deliver(&plain(&origin(1), 0..5000)).await;
        retry(&error.unwrap_err(), "127.0.0.1");
    }
}

#[tokio::test]
async fn a_receiver_that_never_closes_runs_into_the_deadline_and_the_sink_goes_on() {
    let (keep, kept) = mpsc::channel();
    let receiver = Strange::new(move |stream| keep.send(stream).unwrap());
    let mut sink = receiver.sink("");
    let batch = plain(&origin(1), 0..1);
    for _ in 0..2 {
        let limit = Duration::from_millis(200);
        let given_up = tokio::time::timeout(limit, sink.deliver(&batch)).await;
        assert!(given_up.is_err(), "{given_up:?}");
        // Each attempt has a connection of its own; it may be accepted later than it was made.
        kept.recv().unwrap();
        assert!(kept.try_recv().is_err(), "one connection for an attempt");
    }
    let mut sink = receiver.sink("?confirm=none");
    for from in 0..3 {
        sink.deliver(&plain(&origin(1), from..from + 1))
            .await
            .unwrap();
    }
    let stream = kept.recv().unwrap();
    assert!(kept.try_recv().is_err(), "one connection for all batches");
    // What it does not say anything about is not lost as long as it lives.
    drop(sink);
    let mut text = String::new();
    (&stream).read_to_string(&mut text).unwrap();
    assert_eq!(text.matches(" - audit [audit@").count(), 3);
}

#[tokio::test]
async fn without_confirmation_a_connection_that_was_closed_is_noticed_before_the_next_batch() {
    let (keep, kept) = mpsc::channel();
    let receiver = Strange::new(move |stream| keep.send(stream).unwrap());
    let mut sink = receiver.sink("?confirm=none");
    sink.deliver(&plain(&origin(1), 0..1)).await.unwrap();
    let mut first = kept.recv().unwrap();
    let mut some = [0; 64 * 1024];
    assert!(first.read(&mut some).unwrap() > 0);
    first.shutdown(Shutdown::Both).unwrap();
    drop(first);
    sink.deliver(&plain(&origin(1), 1..2)).await.unwrap();
    let mut second = kept.recv().unwrap();
    assert!(second.read(&mut some).unwrap() > 0);
}

#[tokio::test]
async fn with_tls_an_end_that_anybody_could_have_made_confirms_nothing() {
    // Speaks TLS, reads all, and ends the connection without saying so in TLS.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let receiver = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor("server").accept(stream).await.unwrap();
        let mut all = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut all)
            .await
            .unwrap();
        let (tcp, _) = stream.into_inner();
        drop(tcp);
        all.len()
    });
    let ca = certificate("ca.pem");
    let mut sink = SyslogSink::tls("127.0.0.1", address.port()).ca(ca).build();
    let error = sink.deliver(&plain(&origin(1), 0..10)).await.unwrap_err();
    retry(&error, "without saying so in TLS");
    assert!(receiver.await.unwrap() > 1000);
}

#[tokio::test]
async fn what_a_receiver_says_is_not_looked_at() {
    let receiver = Strange::new(|mut stream| {
        stream.write_all(b"220 hello\r\n").unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
    });
    receiver
        .sink("")
        .deliver(&plain(&origin(1), 0..10))
        .await
        .unwrap();
}

#[test]
fn mistakes_in_an_address_are_told() {
    for (address, part, expected) in [
        ("syslog+tcp://h/path", "location", "host:port alone"),
        ("syslog+tcp://u@h", "location", "host:port alone"),
        (
            "syslog+tcp://h?facility=locl0",
            "option facility",
            "did you mean local0?",
        ),
        (
            "syslog+tcp://h?hostname=a%20b",
            "option hostname",
            "printable ASCII",
        ),
        (
            "syslog+tcp://h?max_bytes=100",
            "option max_bytes",
            "at least 2048",
        ),
        (
            "syslog+tcp://h?confirm=yes",
            "option confirm",
            "close or none",
        ),
        (
            "syslog+tcp://h?enterprise=x",
            "option enterprise",
            "enterprise number",
        ),
        ("syslog+tcp://h?format=xml", "option format", "native"),
        ("syslog+tcp://h?ca=/a", "option ca", "syslog+tls"),
        (
            "syslog+tls://h?app-name=a",
            "option",
            "did you mean app_name?",
        ),
    ] {
        let error = parse(address).err().unwrap();
        assert_eq!(error.part, part, "{address}");
        assert!(error.expected.contains(expected), "{address}: {error}");
    }
    for (address, expected) in [
        ("syslog+tcp://h", "syslog+tcp://h:514"),
        ("syslog+tls://[::1]", "syslog+tls://[::1]:6514"),
    ] {
        assert_eq!(parse(address).unwrap().address(), expected);
    }
}
