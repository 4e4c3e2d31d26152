//! A trail that listens to `tracing`: attached at the start, after a test of the filters.

use crate::{
    capture::{AuditTracing, Recorder, SelfTest},
    record::{Outcome, Record},
};

use super::{AuditBuilder, keeper::Shared};

/// The layer to attach, and what its test said.
#[derive(Debug, Default)]
pub(super) struct Listening {
    tracing: Option<AuditTracing>,
    tested: Option<SelfTest>,
}

impl AuditBuilder {
    /// Makes records of the spans and events of target `audit` that this layer sees. Default: none.
    ///
    /// The start tests, on the thread that calls it, whether they pass the subscriber's filters.
    /// When they do not, the trail starts all the same: an error is logged, health is `Degraded`,
    /// and the record `audit.tracing_filtered` names the cause.
    ///
    /// A layer that was attached to another trail writes to this one from then on.
    pub fn tracing(mut self, tracing: AuditTracing) -> Self {
        self.listening.tracing = Some(tracing);
        self
    }
}

impl Listening {
    /// Tests the filters of the calling thread.
    pub(super) fn test(&mut self) {
        self.tested = self.tracing.as_ref().map(AuditTracing::self_test);
        if let Some(SelfTest::Failed(cause)) = &self.tested {
            tracing::error!(target: "tower_audit", cause, "audit spans and events do not reach the audit trail");
        }
    }

    /// Opens the way to the trail.
    pub(super) fn attach(&self, recorder: &Recorder, shared: &Shared) {
        if let Some(SelfTest::Failed(cause)) = &self.tested {
            let reason = format!("audit spans and events do not arrive: {cause}");
            shared.concern("tracing", [reason.clone()]);
            let filtered = Record::system("audit.tracing_filtered").outcome(Outcome::Error);
            recorder.own(filtered.reason(reason));
        }
        if let Some(tracing) = &self.tracing {
            tracing.attach(recorder);
        }
    }
}
