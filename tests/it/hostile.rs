//! What a hostile client can put into a request: it harms neither the record nor the answer.

use std::convert::Infallible;

use axum::{
    Router,
    body::Body,
    http::{HeaderName, HeaderValue, Request, Response, StatusCode},
    routing::{any, get as on_get, post as on_post},
};
use tower::{Layer, ServiceExt, service_fn};
use tower_audit::{
    AuditLayer, AuditScope, HashKey, Record,
    capture::{ClientAddress, Session, TrustedProxies},
    policy::{Policy, Rule, Until},
    record::{Assurance, Outcome},
    testing::{Canary, TestTrail},
};

use crate::support::web::{Line, Script, exchange, post, serve};

fn only(trail: &TestTrail) -> Record {
    let mut records = trail.records();
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0)
}

/// A layer that believes and keeps as much of a request as can be asked for.
fn curious(trail: &TestTrail) -> AuditLayer {
    let proxies = TrustedProxies::parse("127.0.0.0/8").unwrap();
    trail
        .audit()
        .layer()
        .peer(|_| Some([127, 0, 0, 1].into()))
        .client_address(ClientAddress::behind(proxies))
        .session(Session::cookie("sid"))
}

fn keeping_all() -> TestTrail {
    keeping_under(Rule::new("all"))
}

fn keeping_under(rule: Rule) -> TestTrail {
    let rule = rule
        .keep_path()
        .keep_query("q")
        .keep_header("x-told")
        .parameter("id")
        .target_parameter("document", "id");
    TestTrail::with(|builder| {
        builder
            .policy(Policy::new().rule(rule))
            .hash_key(HashKey::new("k1", &[7; 32]))
    })
}

fn documents() -> Router {
    Router::new()
        .route("/documents/{id}", any(|| async { "the answer" }))
        .route(
            "/upload",
            on_post(|body: String| async move { body.len().to_string() }),
        )
        .route(
            "/stream",
            on_get(|| async {
                let lines = [Line::Data("one"), Line::Pause, Line::Data("two")];
                Response::new(Body::new(Script::of(lines)))
            }),
        )
        .route("/empty", on_get(|| async { StatusCode::NO_CONTENT }))
        .route("/fails", on_get(|| async { StatusCode::BAD_GATEWAY }))
}

fn header(name: &'static str, value: &[u8]) -> (HeaderName, HeaderValue) {
    (
        HeaderName::from_static(name),
        HeaderValue::from_bytes(value).unwrap(),
    )
}

async fn send(trail: &TestTrail, path: &str, headers: Vec<(HeaderName, HeaderValue)>) -> Record {
    let mut request = post(path);
    for (name, value) in headers {
        request.headers_mut().append(name, value);
    }
    let response = documents()
        .layer(curious(trail))
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    only(trail)
}

// Trap C12: an id that a client could choose would hide its record behind another.
#[tokio::test]
async fn the_id_is_ours_whatever_the_client_calls_its_request() {
    let trail = keeping_all();
    let theirs = "01a1fa76-0012-711a-aecf-99143b01cce8";
    let names = [
        "x-request-id",
        "x-correlation-id",
        "audit-id",
        "x-audit-id",
        "idempotency-key",
    ];
    let headers = names
        .into_iter()
        .map(|name| header(name, theirs.as_bytes()));
    let record = send(&trail, "/documents/7", headers.collect()).await;
    assert_ne!(record.id().unwrap().to_string(), theirs);
    assert_eq!(record.context.request_id.unwrap(), theirs);
}

/// Everything that stands on a trail's disk.
fn all_bytes(trail: &TestTrail) -> Vec<u8> {
    assert!(trail.shutdown().in_order);
    let paths = trail.disk().paths();
    assert!(!paths.is_empty());
    let files = paths
        .iter()
        .filter_map(|path| trail.disk().bytes(path).ok());
    files.flatten().collect()
}

// Trap C14: the id of a session is a live credential, the old one and the new.
#[tokio::test]
async fn a_session_is_in_no_byte_of_the_trail_wherever_the_handler_writes_it() {
    let (old, new) = (Canary::new("old"), Canary::new("new"));
    let (before, after) = (encoded(&old), encoded(&new));
    let (says, sets) = (before.clone(), after.clone());
    let trail = keeping_all();
    let service = service_fn(move |request: Request<Body>| {
        let scope = request.extensions().get::<AuditScope>().unwrap();
        scope
            .action("user.login")
            .detail("note", format!("from {says} to {sets}"))
            .detail("list", [&says, &sets])
            .change("state", &says, &sets)
            .failure(format!("no such session: {says}, {sets}"));
        let cookie = format!("sid={sets}; HttpOnly");
        let response = Response::builder().header("set-cookie", cookie);
        std::future::ready(Ok::<_, Infallible>(response.body(Body::empty()).unwrap()))
    });
    let mut request = post("/login");
    let cookie = HeaderValue::from_str(&format!("a=b; sid={before}")).unwrap();
    request.headers_mut().insert("cookie", cookie);
    let service = curious(&trail).layer(service);
    service.oneshot(request).await.unwrap();
    let record = only(&trail);
    let hash =
        |id: &str| HashKey::new("k1", &[7; 32]).hash(tower_audit::Purpose::Session, id.as_bytes());
    assert_eq!(record.context.session_id, Some(hash(&after)));
    assert_eq!(record.context.previous_session_id, Some(hash(&before)));
    let bytes = all_bytes(&trail);
    for canary in [&before, &after] {
        assert_eq!(Canary::of(canary).find_in(&bytes), None, "{record:?}");
    }
}

/// A canary in the characters of a cookie.
fn encoded(canary: &Canary) -> String {
    canary.text().replace(['/', '+'], "-")
}

// A service that sets its cookie with every answer does not begin a session each time.
#[tokio::test]
async fn a_session_that_is_only_set_again_has_no_previous_one() {
    let trail = keeping_all();
    let service = curious(&trail).layer(service_fn(|_: Request<Body>| {
        let response = Response::builder().header("set-cookie", "sid=the-same; Path=/");
        std::future::ready(Ok::<_, Infallible>(response.body(Body::empty()).unwrap()))
    }));
    let mut request = post("/");
    let cookie = HeaderValue::from_static("sid=the-same");
    request.headers_mut().insert("cookie", cookie);
    service.oneshot(request).await.unwrap();
    let context = only(&trail).context;
    assert!(context.session_id.is_some());
    assert_eq!(context.previous_session_id, None);
}

// Trap C15: cut, and the cut is marked with what there was.
#[tokio::test]
async fn a_megabyte_of_header_is_cut_and_marked() {
    const MEGABYTE: usize = 1 << 20;
    for (name, field) in [
        ("user-agent", "context.user_agent"),
        ("x-request-id", "context.request_id"),
        ("x-told", "details.http.headers.x-told"),
    ] {
        let trail = keeping_all();
        let value = "a".repeat(MEGABYTE);
        let record = send(&trail, "/documents/7", vec![header(name, value.as_bytes())]).await;
        let line = trail.lines().last().unwrap().clone();
        assert!(line.len() < 32 * 1024, "{name}: {} bytes", line.len());
        assert!(!record.truncated.is_empty(), "{name}, {field}: {line}");
        assert_eq!(record.outcome, Some(Outcome::Success), "{name}");
        assert!(trail.audit().stats().truncated >= 1, "{name}");
    }
}

// Trap C15.
#[tokio::test]
async fn a_thousand_forwarded_entries_are_bounded_and_the_nearest_is_found() {
    let chain: Vec<_> = (0..1000)
        .map(|n| format!("10.{}.{}.7", n / 256, n % 256))
        .collect();
    let trail = keeping_all();
    let line = format!("{}, 192.0.2.7", chain.join(", "));
    let record = send(
        &trail,
        "/documents/7",
        vec![header("x-forwarded-for", line.as_bytes())],
    )
    .await;
    assert_eq!(record.context.ip_address.unwrap(), "192.0.2.7");
    assert!(
        record.context.forwarded.len() <= 16,
        "{:?}",
        record.context.forwarded
    );
}

/// Characters that break a line, drive a terminal, turn or hide what a person reads.
const HARMFUL: &str = "a\u{2028}b\u{2029}c\u{202e}d\u{200b}e\u{feff}f\u{9b}g\u{85}h\u{2066}i";

// Traps C15, C16: in each field that a header, a path or a query fills.
#[tokio::test]
async fn nothing_that_a_client_sends_reaches_a_record_unescaped() {
    let escaped = "%00%0d%0a%1b%5b31m%e2%80%a8%e2%80%ae%ff%c0%80";
    let path = format!("/documents/{escaped}?q={escaped}");
    for name in [
        "user-agent",
        "x-request-id",
        "x-forwarded-for",
        "traceparent",
        "x-told",
        "cookie",
    ] {
        for value in [
            HARMFUL.as_bytes(),
            b"\xff\xfe\xc0\x80 \xed\xa0\x80",
            b"tab\there",
        ] {
            let trail = keeping_all();
            let mut value = value.to_vec();
            if name == "cookie" {
                value.splice(0..0, *b"sid=");
            }
            let record = send(&trail, &path, vec![header(name, &value)]).await;
            assert_eq!(record.outcome, Some(Outcome::Success));
            assert_eq!(record.targets.len(), 1, "{record:?}");
            for line in trail.lines() {
                let unsafe_char = line.chars().find(|char| is_harmful(*char));
                assert_eq!(unsafe_char, None, "{name}: {line:?}");
                let value: serde_json::Value = serde_json::from_str(&line).unwrap();
                assert_clean(&value);
            }
        }
    }
}

fn is_harmful(char: char) -> bool {
    char.is_control()
        || HARMFUL
            .chars()
            .any(|harmful| harmful == char && !char.is_ascii_alphabetic())
}

/// Also what JSON would hide behind an escape of its own.
fn assert_clean(value: &serde_json::Value) {
    match value {
        serde_json::Value::String(text) => {
            assert_eq!(
                text.chars().find(|char| is_harmful(*char)),
                None,
                "{text:?}"
            );
        }
        serde_json::Value::Array(list) => list.iter().for_each(assert_clean),
        serde_json::Value::Object(map) => map.iter().for_each(|(key, value)| {
            assert_eq!(key.chars().find(|char| is_harmful(*char)), None, "{key:?}");
            assert_clean(value);
        }),
        _ => {}
    }
}

/// The bytes of requests, clean and not; each on a connection of its own.
fn requests() -> Vec<(&'static str, Vec<u8>)> {
    let with = |method: &str, path: &str, headers: &[u8], body: &str| {
        let mut bytes =
            format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n").into_bytes();
        bytes.extend_from_slice(headers);
        if !body.is_empty() {
            bytes.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body.as_bytes());
        bytes
    };
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
