//! Before the start, and after the shutdown.

use serde_json::json;
use tower_audit::{AuditTracing, assert_recorded, testing::TestTrail};
use tracing_subscriber::layer::SubscriberExt;

use super::{actions, listening};

#[test]
fn what_comes_before_the_start_is_kept_up_to_a_bound_and_written_by_it() {
    let tracing = AuditTracing::new();
    let _guard =
        tracing::subscriber::set_default(tracing_subscriber::registry().with(tracing.clone()));
    for n in 0..AuditTracing::MAX_EARLY + 3 {
        tracing::info!(target: "audit", action = "config.read", detail.n = n);
    }
    assert_eq!(tracing.counts().early_dropped, 3);
    let trail = TestTrail::with(|builder| builder.tracing(tracing.clone()));
    let numbers: Vec<_> = trail
        .records()
        .iter()
        .map(|record| record.details["n"].clone())
        .collect();
    let kept: Vec<_> = (0..AuditTracing::MAX_EARLY).map(|n| json!(n)).collect();
    assert_eq!(numbers, kept);
}

#[test]
fn after_the_shutdown_records_are_counted_until_another_trail_is_attached() {
    let (trail, tracing, _guard) = listening();
    let _ = trail.shutdown();
    tracing::info!(target: "audit", action = "config.read");
    assert_eq!(tracing.counts().refused, 1);
    let next = TestTrail::with(|builder| builder.tracing(tracing.clone()));
    tracing::info!(target: "audit", action = "config.write");
    assert_eq!(actions(&next), ["config.write"]);
}

#[test]
fn the_layer_keeps_no_trail_alive() {
    let (trail, tracing, _guard) = listening();
    let disk = trail.disk().clone();
    drop(trail);
    tracing::info!(target: "audit", action = "config.read");
    assert_eq!(tracing.counts().refused, 1);
    let next = TestTrail::on(&disk, |builder| builder);
    assert_recorded!(next, {"action": "audit.start", "details": {"last_run": "in order"}});
}

#[test]
fn an_event_that_nobody_can_place_is_counted() {
    let (trail, tracing, _guard) = listening();
    tracing::info!(target: "audit", "somebody logged in");
    tracing::info!(target: "auditor", action = "not.ours");
    tracing::info!(action = "not.ours");
    assert_eq!(actions(&trail), [""; 0]);
    assert_eq!(tracing.counts().ignored_events, 1);
}
