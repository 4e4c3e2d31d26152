//! What follows where the layer cannot see the template of a route, or only late.

use std::convert::Infallible;

use axum::{
    Router,
    body::Body,
    http::{Method, Request, Response, StatusCode},
    routing::post,
};
use tower::{Layer, ServiceExt, service_fn};
use tower_audit::{
    AuditLayer, AuditScope, Outcome, Policy, assert_recorded,
    policy::Rule,
    record::{Assurance, Catalogue, Declaration, OnFailure},
    testing::TestTrail,
};

use crate::support::web::{post as posted, request, step};

async fn done() -> &'static str {
    "done"
}

fn routes() -> Router {
    Router::new().route("/documents/{id}", post(done))
}

async fn proxied(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    if request.uri().path().ends_with("/hangs") {
        std::future::pending::<()>().await;
    }
    Ok(Response::new(Body::empty()))
}

/// Stacks in which the layer learns no template.
fn stacks(layer: &AuditLayer) -> [(&'static str, Router); 4] {
    let outside = |router: Router| Router::new().fallback_service(layer.layer(router));
    let proxy = Router::new().nest_service("/documents", service_fn(proxied));
    [
        ("layer around the router", outside(routes())),
        (
            "fallback",
            Router::new().fallback(done).layer(layer.clone()),
        ),
        ("nested service", proxy.layer(layer.clone())),
        (
            "no router",
            Router::new().fallback_service(layer.layer(service_fn(proxied))),
        ),
    ]
}

#[tokio::test]
async fn a_change_is_recorded_where_no_template_is_seen() {
    let trail = TestTrail::start();
    for (name, stack) in stacks(&trail.audit().layer()) {
        let before = trail.records().len();
        let response = stack.oneshot(posted("/documents/7")).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{name}");
        let records = trail.records();
        assert_eq!(records.len(), before + 1, "{name}");
        let record = records.last().unwrap();
        assert_eq!(record.action, "POST", "{name}");
        assert_eq!(record.outcome, Some(Outcome::Success), "{name}");
    }
}

#[tokio::test]
async fn a_change_that_finds_no_route_leaves_no_record() {
    let trail = TestTrail::start();
    let layer = trail.audit().layer();
    for (request, expected) in [
        (posted("/nowhere"), StatusCode::NOT_FOUND),
        (
            request(Method::PUT, "/documents/7"),
            StatusCode::METHOD_NOT_ALLOWED,
        ),
    ] {
        let response = layer.layer(routes()).oneshot(request).await.unwrap();
        assert_eq!(response.status(), expected);
    }
    assert_eq!(trail.records(), []);
    assert_eq!(trail.audit().stats().skipped, 2);
}

#[tokio::test]
async fn changes_that_nobody_waits_for_are_recorded_and_folded() {
    let policy = Policy::default().flood_per_minute(Some(1));
    let trail = TestTrail::with(|builder| builder.policy(policy));
    let peer = "192.0.2.1".parse().unwrap();
    let layer = trail.audit().layer().peer(move |_| Some(peer));
    for _ in 0..3 {
        let service = layer.layer(service_fn(proxied));
        let mut answer = Box::pin(service.oneshot(posted("/hangs")));
        assert!(step(answer.as_mut()).is_pending());
    }
    assert_recorded!(trail, {"action": "POST", "outcome": "cancelled"});
    assert_eq!(trail.records().len(), 1);
    assert_eq!(trail.audit().stats().folded, 2);
}

async fn learnt(_: AuditScope) -> &'static str {
    "done"
}

/// The layer sees the route only once the handler takes its scope.
async fn answer_late(trail: &TestTrail, path: &str) {
    let routes = Router::new()
        .route("/documents/{id}", post(learnt))
        .route("/health", post(learnt));
    let service = trail.audit().layer().layer(routes);
    service.oneshot(posted(path)).await.unwrap();
}

#[tokio::test]
async fn a_rule_for_a_route_that_is_learnt_late_holds() {
    let documents = Rule::new("documents").route("/documents/{id}");
    let policy = Policy::new().without_defaults().rule(documents);
    let trail = TestTrail::with(|builder| builder.policy(policy));
    answer_late(&trail, "/documents/7").await;
    answer_late(&trail, "/health").await;
    assert_recorded!(trail, {"action": "POST /documents/{id}"});
    assert_eq!(trail.records().len(), 1);
}

#[tokio::test]
async fn no_template_on_arrival_is_not_no_route() {
    let nowhere = Rule::new("nowhere").matched(false).skip();
    let trail = TestTrail::with(|builder| builder.policy(Policy::new().rule(nowhere)));
    answer_late(&trail, "/documents/7").await;
    answer_late(&trail, "/nowhere").await;
    assert_recorded!(trail, {"action": "POST /documents/{id}"});
    assert_eq!(trail.records().len(), 1);
    assert_eq!(trail.audit().stats().skipped, 1);
}

#[tokio::test]
async fn a_rule_that_skips_a_route_holds_when_it_is_learnt_late() {
    let health = Rule::new("health").route("/health").skip();
    let trail = TestTrail::with(|builder| builder.policy(Policy::new().rule(health)));
    answer_late(&trail, "/health").await;
    assert_eq!(trail.records(), []);
}

#[tokio::test]
async fn an_inner_layer_records_what_the_outer_one_skipped_on_a_wrong_route() {
    let health = Rule::new("health").route("/health").skip();
    let trail = TestTrail::with(|builder| builder.policy(Policy::new().rule(health)));
    let layer = trail.audit().layer();
    let mistaken = layer.clone().route(|_| Some("/health".into()));
    let service = mistaken.layer(routes().layer(layer));
    service.oneshot(posted("/documents/7")).await.unwrap();
    assert_recorded!(trail, {"action": "POST /documents/{id}"});
}

fn strict() -> Policy {
    let documents = Rule::new("documents").route("/documents/{id}");
    Policy::new().rule(documents.assurance(Assurance::Strict))
}

#[tokio::test]
async fn strict_for_a_route_that_is_learnt_late_is_counted() {
    let trail = TestTrail::with(|builder| builder.policy(strict()));
    answer_late(&trail, "/health").await;
    assert_eq!(trail.audit().stats().late_rules, 0);
    answer_late(&trail, "/documents/7").await;
    assert_eq!(trail.audit().stats().late_rules, 1);
    assert_recorded!(trail, {"action": "POST /documents/{id}"});
}

#[tokio::test]
async fn strict_for_a_route_that_is_seen_is_not_counted_as_late() {
    let trail = TestTrail::with(|builder| builder.policy(strict()));
    let app = routes().layer(trail.audit().layer());
    app.oneshot(posted("/documents/7")).await.unwrap();
    assert_eq!(trail.audit().stats().late_rules, 0);
}

#[tokio::test]
async fn refuse_for_a_route_that_is_learnt_late_is_counted() {
    let documents = Rule::new("documents").route("/documents/{id}");
    let policy = Policy::new().rule(documents.on_failure(OnFailure::Refuse));
    let trail = TestTrail::with(|builder| builder.policy(policy));
    answer_late(&trail, "/documents/7").await;
    assert_eq!(trail.audit().stats().late_rules, 1);
}

/// A handler that names what the catalogue declares strict on another route.
async fn name_late(trail: &TestTrail, path: &str) {
    let deletes = |scope: AuditScope| async move {
        scope.action("document.delete");
        "done"
    };
    let commits = |scope: AuditScope| async move {
        scope.action("document.delete").commit().await.unwrap();
        "done"
    };
    let app = Router::new()
        .route("/named", post(deletes))
        .route("/committed", post(commits))
        .layer(trail.audit().layer());
    app.oneshot(posted(path)).await.unwrap();
}

#[tokio::test]
async fn a_strict_action_that_a_handler_names_late_is_counted_unless_it_commits() {
    let delete = Declaration::new("document.delete")
        .route("DELETE", "/documents/{id}")
        .assurance(Assurance::Strict);
    let catalogue = Catalogue::new([delete]).unwrap();
    let trail = TestTrail::with(|builder| builder.catalogue(catalogue));
    name_late(&trail, "/committed").await;
    assert_eq!(trail.audit().stats().late_rules, 0);
    name_late(&trail, "/named").await;
    assert_eq!(trail.audit().stats().late_rules, 1);
}
