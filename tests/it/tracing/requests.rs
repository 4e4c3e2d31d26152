//! Audit spans and events within real requests.

use std::{future::pending, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::Path,
    http::{Request, StatusCode},
    routing::get,
};
use tokio::sync::Notify;
use tower::ServiceExt;
use tower_audit::{
    Actor, AuditScope, AuditTracing, Record, assert_recorded,
    policy::{Policy, Rule},
    testing::TestTrail,
};
use tower_http::timeout::TimeoutLayer;
use tracing::{Instrument, Span, instrument};
use tracing_subscriber::{layer::SubscriberExt, registry};

use super::{actions, listening};

async fn ask(trail: &TestTrail, routes: Router, path: &str) -> StatusCode {
    let request = Request::get(path)
        .header("x-request-id", "r-1")
        .header("authorization", "Bearer CANARY")
        .body(Body::empty())
        .unwrap();
    let app = routes.layer(trail.audit().layer());
    app.oneshot(request).await.unwrap().status()
}

#[instrument(target = "audit", name = "document.view", skip_all, err(Debug), fields(target.id = id))]
async fn view(Path(id): Path<u16>) -> Result<&'static str, StatusCode> {
    let status = StatusCode::from_u16(id).unwrap();
    if status.is_success() {
        Ok("text")
    } else {
        Err(status)
    }
}

// A read is not recorded unless something says what it is, as a span does.
#[tokio::test]
async fn a_span_on_a_handler_names_the_request_and_asks_for_its_record() {
    let (trail, _tracing, _guard) = listening();
    let routes = || {
        Router::new()
            .route("/plain", get(|| async {}))
            .route("/documents/{id}", get(view))
    };
    ask(&trail, routes(), "/plain").await;
    ask(&trail, routes(), "/documents/200").await;
    assert_recorded!(trail, {
        "action": "document.view", "outcome": "success", "targets": [{"type": "document", "id": "200"}],
        "context": {"request_id": "r-1", "http": {"method": "GET", "route": "/documents/{id}", "status": 200}}
    });
    assert_eq!(actions(&trail), ["document.view"]);
}

// Trap C20: `err` on a handler; the status tells a refusal from a fault.
#[tokio::test]
async fn an_error_of_a_handler_is_kept_and_the_status_says_what_it_was() {
    for (status, outcome) in [(401, "denied"), (404, "failure"), (500, "error")] {
        let (trail, _tracing, _guard) = listening();
        let routes = Router::new().route("/documents/{id}", get(view));
        ask(&trail, routes, &format!("/documents/{status}")).await;
        assert_recorded!(trail, {
            "action": "document.view", "outcome": outcome, "error": {"message": status.to_string()}
        });
        assert_eq!(trail.records().len(), 1);
    }
    let (trail, _tracing, _guard) = listening();
    let shown = || async { view(Path(500)).await.unwrap_or("sorry") };
    assert_eq!(
        ask(&trail, Router::new().route("/", get(shown)), "/").await,
        StatusCode::OK
    );
    assert_recorded!(trail, {"outcome": "error", "context": {"http": {"status": 200}}});
}

#[tokio::test]
async fn a_field_says_the_outcome_before_the_status() {
    #[instrument(target = "audit", name = "user.login", skip_all, fields(actor.claimed = "alice", outcome, reason))]
    async fn login() -> &'static str {
        Span::current()
            .record("outcome", "denied")
            .record("reason", "bad password");
        "try again"
    }
    let (trail, _tracing, _guard) = listening();
    ask(&trail, Router::new().route("/login", get(login)), "/login").await;
    assert_recorded!(trail, {
        "action": "user.login", "outcome": "denied", "reason": "bad password",
        "actor": {"type": "anonymous", "claimed": "alice"}
    });
}

// Trap C14: what the request presented is in none of its records.
#[tokio::test]
async fn further_records_carry_the_request_and_none_of_its_secrets() {
    async fn handler() {
        let scope = AuditScope::current().unwrap();
        scope.actor(Actor::user("146"));
        tracing::info!(target: "audit", action = "quota.use", detail.header = "Bearer CANARY");
        tracing::info_span!(target: "audit", "order.place").in_scope(|| ());
        tracing::info_span!(target: "audit", "mail.send", detail.user.password = "CANARY2")
            .in_scope(|| ());
    }
    let (trail, _tracing, _guard) = listening();
    ask(
        &trail,
        Router::new().route("/orders", get(handler)),
        "/orders",
    )
    .await;
    assert_eq!(actions(&trail), ["quota.use", "mail.send", "order.place"]);
    for record in trail.records() {
        assert_eq!(
            record.context.request_id.as_deref(),
            Some("r-1"),
            "{record:?}"
        );
        assert_eq!(record.actor, Some(Actor::user("146")));
        let http = record.context.http.unwrap();
        assert_eq!(http.route.as_deref(), Some("/orders"));
    }
    let text = trail.lines().concat();
    assert!(!text.contains("CANARY"), "{text}");
}

// Traps C21, C3: a time-out inside answers; one outside drops the request.
#[tokio::test(start_paused = true)]
async fn a_span_that_a_timeout_ended_leaves_the_end_to_the_request() {
    #[instrument(target = "audit", name = "report.make", skip_all, ret)]
    async fn make() {
        part().await;
    }
    #[instrument(target = "audit", name = "report.part", skip_all, ret)]
    async fn part() {
        pending::<()>().await;
    }
    let limit = Duration::from_secs(1);
    let routes = || Router::new().route("/reports", get(make));
    let (trail, _tracing, _guard) = listening();
    let inside = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, limit);
    ask(&trail, routes().layer(inside), "/reports").await;
    assert_recorded!(trail, {"action": "report.make", "outcome": "failure", "context": {"http": {"status": 408}}});
    assert_recorded!(trail, {"action": "report.part", "outcome": "unknown", "context": {"request_id": "r-1"}});
    assert_eq!(trail.records().len(), 2);

    let (trail, _tracing, _guard) = listening();
    tokio::time::timeout(limit, ask(&trail, routes(), "/reports"))
        .await
        .unwrap_err();
    assert_recorded!(trail, {"action": "report.make", "outcome": "cancelled"});
    assert_recorded!(trail, {"action": "report.part", "outcome": "unknown"});
    assert_eq!(trail.records().len(), 2);
}

// Trap C10.
#[tokio::test]
async fn a_task_that_carries_the_span_belongs_to_the_request_after_its_answer_too() {
    let (trail, _tracing, _guard) = listening();
    let (answered, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (wait, tell) = (Arc::clone(&answered), Arc::clone(&done));
    let handler = || async move {
        let span = tracing::info_span!(target: "audit", "document.import");
        let work = async move {
            wait.notified().await;
            tracing::info!(target: "audit", action = "page.add", detail.page = 1);
            tell.notify_one();
        };
        tokio::spawn(work.instrument(span));
        tokio::task::spawn_blocking(|| assert!(AuditScope::current().is_none()))
            .await
            .unwrap();
    };
    ask(
        &trail,
        Router::new().route("/import", get(handler)),
        "/import",
    )
    .await;
    answered.notify_one();
    done.notified().await;
    assert_eq!(actions(&trail), ["document.import", "page.add"]);
    assert_recorded!(trail, {"action": "page.add", "context": {"request_id": "r-1"}, "details": {"page": 1}});
}

#[tokio::test]
async fn facts_without_a_span_are_the_requests_and_who_alone_asks_for_no_record() {
    let (trail, _tracing, _guard) = listening();
    let who = || async { tracing::info!(target: "audit", { actor.id = 146 }, "it is her") };
    ask(&trail, Router::new().route("/who", get(who)), "/who").await;
    assert_eq!(actions(&trail), [""; 0]);
    let what = || async { tracing::info!(target: "audit", { detail.pages = 3 }, "read") };
    ask(&trail, Router::new().route("/what", get(what)), "/what").await;
    assert_recorded!(trail, {"action": "GET /what", "details": {"pages": 3}});
}

#[tokio::test]
async fn a_request_that_the_policy_skips_has_no_record_of_its_span_either() {
    #[instrument(target = "audit", name = "health.check", skip_all, ret)]
    async fn health() {
        tracing::info!(target: "audit", { detail.disk = "ok" }, "checked");
    }
    let tracing = AuditTracing::new();
    let _guard = tracing::subscriber::set_default(registry().with(tracing.clone()));
    let health_checks = Policy::new().rule(Rule::new("health checks").route("/health").skip());
    let trail = TestTrail::with(|builder| builder.tracing(tracing).policy(health_checks));
    ask(
        &trail,
        Router::new().route("/health", get(health)),
        "/health",
    )
    .await;
    assert_eq!(actions(&trail), [""; 0]);
}

// Trap R7: the handler of a real request, without `skip_all`.
#[tokio::test]
async fn an_argument_of_a_handler_never_reaches_the_trail() {
    #[instrument(target = "audit", name = "user.login")]
    async fn login(Path((user, password)): Path<(String, String)>) -> String {
        (user.len() + password.len()).to_string()
    }
    let (trail, _tracing, _guard) = listening();
    let routes = Router::new().route("/login/{user}/{password}", get(login));
    ask(&trail, routes, "/login/alice/CANARY").await;
    let only: Vec<Record> = trail.records();
    assert_eq!(only.len(), 1);
    assert_eq!(only[0].action, "user.login");
    let text = trail.lines().concat();
    assert!(
        !text.contains("CANARY") && !text.contains("alice"),
        "{text}"
    );
}
