//! A binary of its own: it sets the global subscriber, as a service does.

#![cfg(test)]

use std::thread;

use tower_audit::{
    AuditScope, AuditTracing, Health, Record, assert_recorded,
    testing::{TestTrail, disk::TestDisk},
};
use tracing::{Instrument, Span, instrument};
use tracing_subscriber::{
    EnvFilter, Layer, fmt, layer::SubscriberExt, registry, util::SubscriberInitExt,
};

#[instrument(target = "audit", name = "document.import", skip_all)]
async fn import() {
    assert!(AuditScope::current().is_some());
    let carried = Span::current();
    let elsewhere = async {
        assert!(AuditScope::current().is_none(), "a task inherits nothing");
        tracing::info!(target: "audit", action = "page.add");
    };
    tokio::spawn(elsewhere.instrument(carried.clone()))
        .await
        .unwrap();
    let blocking =
        move || carried.in_scope(|| tracing::info!(target: "audit", action = "page.scan"));
    tokio::task::spawn_blocking(blocking).await.unwrap();
    // Nothing was carried over: it belongs to nobody.
    let stray = || tracing::info!(target: "audit", action = "page.lose");
    tokio::task::spawn_blocking(stray).await.unwrap();
}

// Trap C10: explicit carry-over, on threads of a real runtime.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_installs_it_first_starts_and_finds_its_requests_on_any_thread() {
    let tracing = AuditTracing::new();
    registry()
        .with(tracing.clone())
        .with(
            fmt::layer()
                .with_test_writer()
                .with_filter(EnvFilter::new("warn")),
        )
        .init();
    thread::spawn(|| tracing::info!(target: "audit", action = "config.read"))
        .join()
        .unwrap();

    let disk = TestDisk::new();
    let trail = TestTrail::on(&disk, |builder| builder.tracing(tracing.clone()));
    assert_eq!(trail.audit().health(), Health::Ok);
    let mut draft = Record::default();
    draft.context.request_id = Some("r-1".into());
    trail.audit().scope(draft).run(import()).await;

    assert_recorded!(trail, {"action": "config.read"});
    for action in ["document.import", "page.add", "page.scan"] {
        assert_recorded!(trail, {"action": action, "context": {"request_id": "r-1"}});
    }
    let records = trail.records();
    let stray = records
        .iter()
        .find(|record| record.action == "page.lose")
        .unwrap();
    assert_eq!(stray.context.request_id, None);
    assert_eq!(records.len(), 5);
}
