//! What operators and their tools ask of the trail.

use std::time::Duration;

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use tower_audit::{Audit, Health};

/// `/ready` for a load balancer, `/metrics` for Prometheus. Not for everybody: a reason can name hosts.
pub(crate) fn router(audit: &Audit) -> Router {
    Router::new()
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(audit.clone())
}

/// 503 only while records cannot be kept: a sink that is down costs nobody an answer.
async fn ready(State(audit): State<Audit>) -> (StatusCode, Json<Health>) {
    let health = audit.health();
    let status = if health.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(health))
}

async fn metrics(State(audit): State<Audit>) -> String {
    audit.prometheus()
}

/// Says once whether each sink would take records. The service runs meanwhile.
pub(crate) async fn tell_of_sinks(audit: Audit) {
    for sink in audit.sinks().report(Duration::from_secs(30)).await {
        println!("sink {sink}");
    }
}

/// Warnings, for whoever runs the demo.
pub(crate) fn log() {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::WARN)
        .init();
}
