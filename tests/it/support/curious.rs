//! A service that can be asked for much, and a layer that believes and keeps as much as it can.

use axum::{
    Router,
    body::Body,
    http::{Response, StatusCode},
    routing::{any, get as on_get, post as on_post},
};
use tower_audit::{
    AuditLayer, HashKey,
    capture::{ClientAddress, Session, TrustedProxies},
    policy::{Policy, Rule},
    testing::TestTrail,
};

use super::web::{Line, Script};

/// A layer that believes and keeps as much of a request as can be asked for.
pub(crate) fn curious(trail: &TestTrail) -> AuditLayer {
    let proxies = TrustedProxies::parse("127.0.0.0/8").unwrap();
    trail
        .audit()
        .layer()
        .peer(|_| Some([127, 0, 0, 1].into()))
        .client_address(ClientAddress::behind(proxies))
        .session(Session::cookie("sid"))
}

pub(crate) fn keeping_all() -> TestTrail {
    keeping_under(Rule::new("all"))
}

pub(crate) fn keeping_under(rule: Rule) -> TestTrail {
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

pub(crate) fn documents() -> Router {
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
