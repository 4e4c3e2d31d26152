//! `AuditTracing`, with the subscriber of one thread.

mod attached;
#[cfg(feature = "axum")]
mod requests;
mod spans;
mod values;

use tower_audit::{Actor, AuditTracing, Record, testing::TestTrail};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt;

/// A trail that listens to this thread, until the guard is dropped.
fn listening() -> (TestTrail, AuditTracing, DefaultGuard) {
    let tracing = AuditTracing::new();
    let subscriber = tracing_subscriber::registry().with(tracing.clone());
    let guard = tracing::subscriber::set_default(subscriber);
    let trail = TestTrail::with(|builder| builder.tracing(tracing.clone()));
    (trail, tracing, guard)
}

/// Runs the work as a request does: in a scope without an action.
async fn request<T>(trail: &TestTrail, work: impl Future<Output = T>) -> T {
    let mut draft = Record::default().actor(Actor::user("146"));
    draft.context.request_id = Some("r-1".into());
    trail.audit().scope(draft).run(work).await
}

fn actions(trail: &TestTrail) -> Vec<String> {
    let records = trail.records().into_iter();
    records
        .map(|record| record.action.as_str().to_owned())
        .collect()
}
