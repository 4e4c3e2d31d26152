//! What happens to every service one day.

use std::time::Duration;

use tower_audit::{AuditScope, Target};

/// `GET /slow`: takes 5 seconds. When the client leaves before, the record says `cancelled`.
pub(crate) async fn slow(scope: AuditScope) -> &'static str {
    scope.action("report.build");
    scope.target(Target::of_kind("documents"));
    tokio::time::sleep(Duration::from_secs(5)).await;
    "nothing to report\n"
}

/// `POST /panic`: recorded as an error, under the name of its route; the panic goes on as it would
/// without an audit trail.
#[expect(clippy::panic, reason = "to show what becomes of it")]
pub(crate) async fn panic() {
    panic!("on purpose");
}

/// `GET /health`: a rule of the policy says that it leaves no record.
pub(crate) async fn health() -> &'static str {
    "ok\n"
}
