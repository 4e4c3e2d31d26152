//! What a hostile client can put into a request: it harms neither the record nor the answer.

use std::convert::Infallible;

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode},
};
use tower::{Layer, ServiceExt, service_fn};
use tower_audit::{
    AuditScope, HashKey, Record,
    record::Outcome,
    testing::{Canary, TestTrail},
};

use crate::support::{
    curious::{curious, documents, keeping_all},
    web::{post, request},
};

fn only(trail: &TestTrail) -> Record {
    let mut records = trail.records();
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0)
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

// A method is the client's word, and may look like an action: what it is, the field tells.
#[tokio::test]
async fn a_method_that_looks_like_an_action_is_none() {
    for (method, path, expected) in [
        ("user.delete", "/none", "OTHER"),
        ("audit.pruned", "/none", "OTHER"),
        ("document.view", "/documents/7", "OTHER /documents/{id}"),
        ("VERSION-CONTROL", "/none", "VERSION-CONTROL"),
    ] {
        let trail = keeping_all();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let app = documents().layer(curious(&trail));
        let request = request(method.clone(), path);
        app.oneshot(request).await.unwrap();
        let record = only(&trail);
        assert_eq!(record.action, expected);
        let http = record.context.http.unwrap();
        assert_eq!(http.method.unwrap(), method.as_str());
    }
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
