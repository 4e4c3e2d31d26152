//! The client's answer, compared through a real server with and without the layer.

use tower_audit::{
    policy::{Policy, Rule, Until},
    record::Assurance,
    testing::TestTrail,
};

use crate::support::{
    curious::{curious, documents, keeping_under},
    web::{exchange, serve},
};

fn with(method: &str, path: &str, headers: &[u8], body: &str) -> Vec<u8> {
    let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
    let length = match body.len() {
        0 => String::new(),
        length => format!("content-length: {length}\r\n"),
    };
    let rest = format!("{length}\r\n{body}");
    [head.as_bytes(), headers, rest.as_bytes()].concat()
}

/// The bytes of requests, clean and not; each on a connection of its own.
fn requests() -> Vec<(&'static str, Vec<u8>)> {
    let agent = format!("user-agent: {}\r\n", "a".repeat(300_000)).into_bytes();
    let chain = format!("x-forwarded-for: {}\r\n", vec!["10.0.0.1"; 1000].join(",")).into_bytes();
    let lines = "forwarded: for=10.0.0.1\r\n".repeat(90).into_bytes();
    vec![
        ("a write", with("POST", "/documents/7", b"", "")),
        ("a read", with("GET", "/documents/7", b"", "")),
        ("HEAD", with("HEAD", "/documents/7", b"", "")),
        ("a body", with("POST", "/upload", b"", "some text")),
        ("no content", with("GET", "/empty", b"", "")),
        ("a stream", with("GET", "/stream", b"", "")),
        ("HEAD of a stream", with("HEAD", "/stream", b"", "")),
        ("an error", with("GET", "/fails", b"", "")),
        ("no route", with("POST", "/none", b"", "")),
        ("an unknown method", with("PURGE", "/documents/7", b"", "")),
        (
            "a large user agent",
            with("POST", "/documents/7", &agent, ""),
        ),
        ("a long chain", with("POST", "/documents/7", &chain, "")),
        ("many lines", with("POST", "/documents/7", &lines, "")),
        (
            "bytes that are no text",
            with(
                "POST",
                "/documents/7",
                b"user-agent: \xff\xfe\x80\r\nx-request-id: \xc0\r\n",
                "",
            ),
        ),
        (
            "NUL",
            with("POST", "/documents/7", b"user-agent: a\0b\r\n", ""),
        ),
        (
            "an escaped NUL",
            with("POST", "/documents/%00%ff?q=%00", b"", ""),
        ),
        (
            "a cookie out of order",
            with("POST", "/documents/7", b"cookie: ;;=;sid=\"\x80\r\n", ""),
        ),
        (
            "a broken traceparent",
            with("POST", "/documents/7", b"traceparent: 00-x\r\n", ""),
        ),
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n".to_vec()),
        (
            "a body that is not there",
            with("POST", "/upload", b"content-length: x\r\n", ""),
        ),
    ]
}

/// An answer without the one line that tells the time.
fn without_date(answer: Vec<u8>) -> String {
    let text = String::from_utf8_lossy(&answer).into_owned();
    let lines = text.split_inclusive("\r\n");
    lines.filter(|line| !line.starts_with("date: ")).collect()
}

// Trap C15: the client's answer is the same byte for byte, with the layer and without, whatever the rule.
#[tokio::test]
async fn the_answer_is_the_same_with_and_without_the_layer() {
    let without = serve(documents()).await;
    for rule in [
        Rule::new("all"),
        Rule::new("all").until(Until::Body),
        Rule::new("all").assurance(Assurance::Strict),
        Rule::new("all").skip(),
    ] {
        let skips = rule.skips();
        let trail = if skips {
            TestTrail::with(|builder| builder.policy(Policy::new().rule(rule)))
        } else {
            keeping_under(rule)
        };
        let with = serve(documents().layer(curious(&trail))).await;
        for (name, request) in requests() {
            let expected = without_date(exchange(without, &request).await);
            let answer = without_date(exchange(with, &request).await);
            assert_eq!(answer, expected, "{name}");
            // Even what is no HTTP is answered, so an empty answer compares nothing.
            assert!(expected.starts_with("HTTP/1.1 "), "{name}: {expected:?}");
        }
        let least = if skips { 0 } else { 15 };
        assert!(trail.records().len() >= least);
        assert_eq!(trail.audit().stats().hook_panics, 0);
    }
}
