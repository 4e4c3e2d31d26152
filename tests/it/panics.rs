//! Panics of foreign code: recorded, counted, and never kept from whom they belong to.

use std::convert::Infallible;

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Request, Response, StatusCode},
    routing::post as on_post,
};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};
use tower_audit::{
    Actor, AuditScope, Record, assert_recorded,
    capture::{ActorLayer, Session},
    record::Outcome,
    testing::TestTrail,
};

use crate::support::web::{Line, Script, post};

fn only(trail: &TestTrail) -> Record {
    let mut records = trail.records();
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(trail.audit().stats().open_scopes, 0);
    records.remove(0)
}

// Trap C4: before there is a future at all.
#[tokio::test]
async fn a_panic_in_the_call_itself_is_recorded_and_goes_on() {
    let trail = TestTrail::start();
    let service = trail
        .audit()
        .layer()
        .layer(service_fn(|request: Request<Body>| {
            let scope = request.extensions().get::<AuditScope>().unwrap();
            scope.action("work.do").success();
            assert!(AuditScope::current().is_some());
            if true {
                panic!("in call");
            }
            std::future::ready(Ok::<_, Infallible>(Response::new(Body::empty())))
        }));
    let panic = tokio::spawn(async move { service.oneshot(post("/work")).await.map(drop) });
    assert!(panic.await.unwrap_err().is_panic());
    assert!(AuditScope::current().is_none(), "restored when it unwound");
    let record = only(&trail);
    assert_eq!(
        record.outcome,
        Some(Outcome::Error),
        "whatever it said before"
    );
    assert_eq!(record.error.unwrap().message.unwrap(), "in call");
}

// Trap C4: a panic need not carry a text.
#[tokio::test]
async fn a_panic_without_a_text_is_recorded_as_one() {
    let trail = TestTrail::start();
    let app = Router::new()
        .route("/", on_post(async || -> () { std::panic::panic_any(7) }))
        .layer(trail.audit().layer());
    let panic = tokio::spawn(app.oneshot(post("/"))).await.unwrap_err();
    assert_eq!(
        *panic.into_panic().downcast::<i32>().unwrap(),
        7,
        "as it was"
    );
    assert_recorded!(trail, {"outcome": "error",
        "error": {"type": "panic", "message": "panic without a message"}});
}

// Trap C4: a stream that panics after the head was given changes nothing of the record.
#[tokio::test]
async fn a_panic_in_the_body_goes_on_and_is_counted() {
    let trail = TestTrail::start();
    let app = Router::new()
        .route(
            "/",
            on_post(async || Response::new(Body::new(Script::of([Line::Data("a"), Line::Panic])))),
        )
        .layer(trail.audit().layer());
    let response = app.oneshot(post("/")).await.unwrap();
    let body = tokio::spawn(response.into_body().collect());
    assert!(body.await.unwrap_err().is_panic());
    assert!(AuditScope::current().is_none());
    assert_eq!(only(&trail).outcome, Some(Outcome::Success));
    assert_eq!(trail.audit().stats().broken_bodies, 1);
}

// Trap C4: closures of the layer are foreign code too, and auditing must not change the answer.
#[tokio::test]
async fn closures_that_panic_change_neither_the_answer_nor_whether_it_is_recorded() {
    let trail = TestTrail::start();
    let layer = trail
        .audit()
        .layer()
        .session(Session::with(|_| panic!("session")))
        .peer(|_| panic!("peer"))
        .action(|_| panic!("action"))
        .actor(|_| panic!("actor"))
        .target(|_| panic!("target"))
        .tenant(|_| panic!("tenant"))
        .application(|_| panic!("application"))
        .outcome(|_| panic!("outcome"))
        .route(|_| panic!("route"));
    let app = Router::new()
        .route("/", on_post(|| async { "answer" }))
        .layer(ActorLayer::new(|_| -> Option<Actor> {
            panic!("actor, inside")
        }))
        .layer(layer);
    let response = app.oneshot(post("/")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let body: Bytes = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "answer");
    assert_recorded!(trail, {"action": "POST /", "outcome": "success"});
    only(&trail);
    assert_eq!(trail.audit().stats().hook_panics, 10);
}
