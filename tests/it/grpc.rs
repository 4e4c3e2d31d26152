//! gRPC hides its end: in the trailers, in the head when there is no body, or nowhere.

use std::{convert::Infallible, pin::pin};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode},
    routing::post as on_post,
};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use tower::{Layer, ServiceExt, service_fn};
use tower_audit::{
    AuditScope, Record, assert_recorded,
    policy::{Policy, Rule},
    record::{Assurance, Outcome},
    testing::{
        TestTrail,
        disk::{Call, Fault},
        json,
    },
};

use crate::support::web::{Broken, Line, Script, post, step};

const METHOD: &str = "/docs.Documents/Create";

fn call(path: &str) -> Request<Body> {
    let mut request = post(path);
    let grpc = HeaderValue::from_static("application/grpc");
    request.headers_mut().insert("content-type", grpc);
    request
}

fn code(value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(
        "grpc-status",
        HeaderValue::from_bytes(value.as_bytes()).unwrap(),
    );
    headers
}

fn respond(head: HeaderMap, lines: Vec<Line>) -> Response<Script> {
    let mut response = Script::respond(lines);
    let grpc = HeaderValue::from_static("application/grpc+proto");
    response.headers_mut().insert("content-type", grpc);
    response.headers_mut().extend(head);
    response
}

fn only(trail: &TestTrail) -> Record {
    let mut records = trail.records();
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(trail.audit().stats().open_scopes, 0);
    records.remove(0)
}

/// The code in the head, whether there is a message, the code in the trailers (empty: trailers without
/// one), and what that means.
type Row = (
    Option<&'static str>,
    bool,
    Option<&'static str>,
    Outcome,
    Option<&'static str>,
);

const ROWS: [Row; 14] = [
    (None, true, Some("0"), Outcome::Success, None),
    (None, true, Some("5"), Outcome::Failure, Some("NOT_FOUND")),
    (
        None,
        false,
        Some("7"),
        Outcome::Denied,
        Some("PERMISSION_DENIED"),
    ),
    (
        None,
        false,
        Some("1"),
        Outcome::Cancelled,
        Some("CANCELLED"),
    ),
    // Trailers only: in the head.
    (
        Some("16"),
        false,
        None,
        Outcome::Denied,
        Some("UNAUTHENTICATED"),
    ),
    (Some("0"), false, None, Outcome::Success, None),
    (
        Some("13"),
        false,
        Some("0"),
        Outcome::Error,
        Some("INTERNAL"),
    ),
    // Nowhere.
    (None, true, None, Outcome::Error, Some("UNKNOWN")),
    (None, false, None, Outcome::Error, Some("UNKNOWN")),
    (None, false, Some(""), Outcome::Error, Some("UNKNOWN")),
    // Garbage.
    (None, false, Some("zero"), Outcome::Error, Some("UNKNOWN")),
    (None, false, Some("4711"), Outcome::Error, Some("UNKNOWN")),
    (None, false, Some("\u{e9}"), Outcome::Error, Some("UNKNOWN")),
    (Some("\u{e9}"), false, Some("0"), Outcome::Success, None),
];

fn answer((head, message, trailers, ..): Row) -> Response<Script> {
    let message = message.then_some(Line::Data("a"));
    let trailers = trailers.map(|text| match text {
        "" => Line::Trailers(HeaderMap::new()),
        text => Line::Trailers(code(text)),
    });
    let lines = message.into_iter().chain(trailers).collect();
    respond(head.map(code).unwrap_or_default(), lines)
}

// Trap C6.
#[tokio::test]
async fn the_outcome_is_what_grpc_says_wherever_it_says_it() {
    for row in ROWS {
        let trail = TestTrail::start();
        let service = trail
            .audit()
            .layer()
            .layer(service_fn(move |_: Request<Body>| {
                std::future::ready(Ok::<_, Infallible>(answer(row)))
            }));
        let response = service.oneshot(call(METHOD)).await.unwrap();
        response.into_body().collect().await.unwrap();
        let record = only(&trail);
        let fault = record.error.and_then(|error| error.code);
        let found = (record.outcome, fault.as_deref());
        assert_eq!(found, (Some(row.3), row.4), "{row:?}");
        assert_eq!(record.action, "docs.Documents/Create", "{row:?}");
    }
}

// Trap C6: a body that knows that it has no bytes may have trailers.
#[tokio::test]
async fn the_trailers_of_an_empty_body_say_how_it_ended() {
    let trail = TestTrail::start();
    let service = trail.audit().layer().layer(service_fn(|_: Request<Body>| {
        let trailers = std::future::ready(Some(Ok(code("7"))));
        let body = Empty::<Bytes>::new().with_trailers(trailers);
        let response = Response::builder().header("content-type", "application/grpc");
        std::future::ready(Ok::<_, Infallible>(response.body(body).unwrap()))
    }));
    let response = service.oneshot(call(METHOD)).await.unwrap();
    response.into_body().collect().await.unwrap();
    assert_recorded!(trail, {"outcome": "denied", "error": {"code": "PERMISSION_DENIED"}});
}

// Trap C6: neither trailers nor a body nor a code in the head.
#[tokio::test]
async fn an_answer_that_is_only_a_head_without_a_code_is_no_success() {
    let trail = TestTrail::start();
    let service = trail.audit().layer().layer(service_fn(|_: Request<Body>| {
        let response = Response::builder().header("content-type", "application/grpc");
        std::future::ready(Ok::<_, Infallible>(response.body(Body::empty()).unwrap()))
    }));
    service.oneshot(call(METHOD)).await.unwrap();
    assert_recorded!(trail, {"outcome": "error", "error": {"code": "UNKNOWN"}});
}

// Trap C6: the client is gone before the trailers say how it ended, or the stream broke.
#[tokio::test]
async fn a_stream_that_does_not_come_to_its_trailers_is_no_success() {
    for (lines, outcome) in [
        (vec![Line::Data("a"), Line::Hang], Outcome::Cancelled),
        (vec![Line::Data("a"), Line::Break], Outcome::Error),
    ] {
        let trail = TestTrail::start();
        let service = trail
            .audit()
            .layer()
            .layer(service_fn(move |_: Request<Body>| {
                let response = respond(HeaderMap::new(), lines.clone());
                std::future::ready(Ok::<_, Infallible>(response))
            }));
        let response = service.oneshot(call(METHOD)).await.unwrap();
        assert_eq!(trail.records(), []);
        let mut body = Box::pin(response.into_body());
        body.frame().await.unwrap().unwrap();
        if outcome == Outcome::Error {
            assert_eq!(body.frame().await.unwrap().unwrap_err(), Broken);
        }
        drop(body);
        assert_eq!(only(&trail).outcome, Some(outcome));
    }
}

// Trap C6: the trailers are held, because they are the answer.
#[tokio::test]
async fn trailers_are_held_until_the_record_is_on_disk() {
    let trail = TestTrail::start();
    let service = trail.audit().layer().layer(service_fn(|_: Request<Body>| {
        let lines = vec![Line::Data("a"), Line::Trailers(code("0"))];
        std::future::ready(Ok::<_, Infallible>(respond(HeaderMap::new(), lines)))
    }));
    let response = service.oneshot(call(METHOD)).await.unwrap();
    let mut body = pin!(response.into_body());
    assert!(body.frame().await.unwrap().unwrap().is_data());
    trail.disk().stall(Call::Sync);
    assert!(step(pin!(body.frame())).is_pending());
    assert!(trail.disk().wait_stalled(Call::Sync, 1));
    assert!(step(pin!(body.frame())).is_pending());
    trail.disk().release(Call::Sync);
    let trailers = body.frame().await.unwrap().unwrap();
    assert_eq!(trailers.trailers_ref(), Some(&code("0")));
    assert_eq!(only(&trail).outcome, Some(Outcome::Success));
}

#[tokio::test]
async fn what_closures_and_handlers_say_of_the_outcome_stands_against_the_trailers() {
    let said: [fn(&AuditScope); 2] = [
        |_| {},
        |scope| {
            scope.denied("quota");
        },
    ];
    for (say, expected) in said.into_iter().zip([Outcome::Failure, Outcome::Denied]) {
        let trail = TestTrail::start();
        let layer = trail.audit().layer().outcome(|_| Some(Outcome::Failure));
        let service = layer.layer(service_fn(move |request: Request<Body>| {
            say(request.extensions().get().unwrap());
            let response = respond(HeaderMap::new(), vec![Line::Trailers(code("0"))]);
            std::future::ready(Ok::<_, Infallible>(response))
        }));
        let response = service.oneshot(call(METHOD)).await.unwrap();
        response.into_body().collect().await.unwrap();
        assert_eq!(only(&trail).outcome, Some(expected));
    }
}

fn every_call(assurance: Assurance) -> Policy {
    Policy::new().rule(Rule::new("all").assurance(assurance))
}

#[tokio::test]
async fn a_strict_call_that_cannot_be_kept_is_refused_in_grpc_s_words() {
    let trail = TestTrail::with(|builder| builder.policy(every_call(Assurance::Strict)));
    trail
        .disk()
        .inject(Fault::eio([Call::Sync]).until_cleared());
    let service = trail
        .audit()
        .layer()
        .layer(service_fn(async |_: Request<Body>| {
            unreachable!("the handler of a refused call");
            #[expect(unreachable_code, reason = "says the type")]
            Ok::<_, Infallible>(Script::respond([]))
        }));
    let response = service.oneshot(call(METHOD)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "gRPC has no other");
    assert_eq!(response.headers()["grpc-status"], "14");
    assert_eq!(response.headers()["content-type"], "application/grpc");
    assert!(http_body::Body::is_end_stream(response.body()));
    trail.disk().clear_faults();
    let _ = trail.shutdown();
    assert_recorded!(trail, {"outcome": "error",
        "reason": "not begun: its record could not be kept", "error": {"code": "UNAVAILABLE"},
        "context": {"http": {"status": 200}}});
    assert_eq!(trail.audit().stats().refused, 1);
}

// Trap R8: what says that it is gRPC, and is not, leaves neither its path nor an action of its own.
#[tokio::test]
async fn a_path_is_believed_to_be_a_method_only_when_the_answer_is_grpc_s() {
    let rest = || {
        Router::new()
            .route("/documents/{id}", on_post(|| async {}))
            .route("/files/{*rest}", on_post(|| async {}))
    };
    for (path, expected) in [
        ("/documents/7", json!({"action": "POST /documents/{id}"})),
        ("/files/secret", json!({"action": "POST /files/{*rest}"})),
        (
            "/reset/secret",
            json!({"action": "POST", "outcome": "failure"}),
        ),
        ("/secret", json!({"action": "POST"})),
        ("/audit.pruned/secret", json!({"action": "POST"})),
    ] {
        let policy = Policy::new().rule(Rule::new("all"));
        let trail = TestTrail::with(|builder| builder.policy(policy));
        let app = rest().layer(trail.audit().layer());
        let _ = app.oneshot(call(path)).await.unwrap();
        tower_audit::testing::expect_recorded(&trail, &expected);
        only(&trail);
        let lines = trail.lines();
        assert!(
            !lines.iter().any(|line| line.contains("secret")),
            "{path}: {lines:?}"
        );
    }
}

#[tokio::test]
async fn a_call_of_a_method_that_does_not_exist_leaves_no_name() {
    let trail = TestTrail::start();
    let service = trail.audit().layer().layer(service_fn(|_: Request<Body>| {
        std::future::ready(Ok::<_, Infallible>(respond(code("12"), Vec::new())))
    }));
    service.oneshot(call("/made.Up/ByTheClient")).await.unwrap();
    let record = only(&trail);
    assert_eq!(record.action, "POST");
    assert_eq!(record.context.http.unwrap().route, None);
}

// The noun `audit` is the trail's own, whoever names the action.
#[tokio::test]
async fn no_client_and_no_closure_can_write_in_the_trail_s_name() {
    let trail = TestTrail::start();
    let grpc = service_fn(|_: Request<Body>| {
        std::future::ready(Ok::<_, Infallible>(respond(code("0"), Vec::new())))
    });
    let service = trail.audit().layer().layer(grpc);
    service.oneshot(call("/audit.pruned/x")).await.unwrap();
    let named = trail
        .audit()
        .layer()
        .action(|_| Some("audit.export".into()));
    let mut request = call(METHOD);
    *request.method_mut() = Method::POST;
    named.layer(grpc).oneshot(request).await.unwrap();
    let actions = trail.records().into_iter().map(|record| record.action);
    let actions: Vec<_> = actions.map(|action| action.as_str().to_owned()).collect();
    assert_eq!(actions, ["service.audit.pruned/x", "service.audit.export"]);
}
