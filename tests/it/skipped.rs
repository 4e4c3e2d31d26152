//! A rule that skips a request changes nothing of what its handler does or answers.

use axum::{
    Router,
    http::{Request, StatusCode},
    routing::post,
};
use tower::ServiceExt as _;
use tower_audit::{
    AuditScope, Policy, Record, assert_recorded, policy::Rule, record::Outcome, testing::TestTrail,
};

use crate::support::web;

fn skipping() -> TestTrail {
    let skip = Rule::new("documents").route("/documents/**").skip();
    TestTrail::with(|builder| builder.policy(Policy::new().rule(skip)))
}

/// As the README writes a handler: an intent on disk, or nothing is done.
async fn rename(scope: AuditScope) -> StatusCode {
    scope.action("document.rename");
    if scope.commit().await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    match scope.record(Record::new("document.index").detail("token", "4cq1mN0000000001")) {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[tokio::test]
async fn a_handler_that_commits_answers_as_it_would_if_it_were_recorded() {
    let (skipped, recorded) = (skipping(), TestTrail::start());
    for trail in [&skipped, &recorded] {
        let routes = Router::new().route("/documents/{id}", post(rename));
        let app = routes.layer(trail.audit().layer());
        let answer = app.oneshot(web::post("/documents/7")).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
    assert_eq!(skipped.records(), []);
    assert_eq!(recorded.records().len(), 2);
    let stats = skipped.audit().stats();
    assert_eq!((stats.skipped, stats.skipped_further), (1, 1));
}

#[tokio::test]
async fn two_skipped_requests_do_not_share_an_id() {
    let trail = skipping();
    let id = |scope: AuditScope| async move { scope.id().to_string() };
    let app = Router::new()
        .route("/documents/{id}", post(id))
        .layer(trail.audit().layer());
    let mut ids = Vec::new();
    for _ in 0..2 {
        let answer = app
            .clone()
            .oneshot(web::post("/documents/7"))
            .await
            .unwrap();
        ids.push(axum::body::to_bytes(answer.into_body(), 100).await.unwrap());
    }
    assert_ne!(ids[0], ids[1]);
}

/// Whose word it is that a request is gRPC: anybody's.
fn says_grpc(mut request: Request<axum::body::Body>) -> Request<axum::body::Body> {
    let kind = "application/grpc".parse().unwrap();
    request.headers_mut().insert("content-type", kind);
    request
}

#[tokio::test]
async fn a_header_does_not_hide_a_request_from_a_layer_around_the_router() {
    let trail = TestTrail::start();
    let taught = Router::new().route("/documents/{id}", post(|_: Option<AuditScope>| async {}));
    let around = tower::ServiceBuilder::new()
        .layer(trail.audit().layer())
        .service(taught);
    around
        .oneshot(says_grpc(web::post("/documents/7")))
        .await
        .unwrap();
    assert_recorded!(trail, {
        "action": "POST /documents/{id}", "outcome": "success",
        "context": {"http": {"route": "/documents/{id}"}}
    });
}

// Trap R8.
#[tokio::test]
async fn a_refused_call_of_no_known_method_leaves_no_path() {
    let trail = TestTrail::start();
    let denied = Router::new().fallback(|| async { StatusCode::UNAUTHORIZED });
    let app = tower::ServiceBuilder::new()
        .layer(trail.audit().layer())
        .service(denied);
    app.oneshot(says_grpc(web::post("/secret.Canary/Token")))
        .await
        .unwrap();
    let record = trail.records().remove(0);
    assert_eq!(record.outcome, Some(Outcome::Denied));
    let lines = trail.lines().join("\n");
    assert!(!lines.contains("Canary"), "{lines}");
    assert_eq!(trail.audit().inventory().routes, []);
}
