//! The trail's own records about a request.

use crate::record::{Outcome, Record};

use super::{AuditScope, Closed};

impl AuditScope {
    /// Appends one of the trail's own records, with where the request came from, and who acts unless
    /// the record says so.
    pub(in crate::capture) fn own(&self, record: Record) {
        let record = self.inherit(record);
        // Counted and logged there.
        let _ = self.inner.recorder.own_without(record, &self.secrets());
    }

    /// Another record says of a refusal what this one would: it is not written, unless somebody waits
    /// for it.
    pub(in crate::capture) fn give_way(&self) {
        let state = self.lock();
        let is_expected = state.intent.is_some() || state.drafted;
        drop(state);
        if !is_expected {
            let closed = self.close_unless(|_, _| false);
            if let Some(mut closed) = closed.filter(Closed::has_steps) {
                let ended = closed.record.clone().outcome(Outcome::Denied);
                self.settle(&mut closed, &ended);
            }
        }
    }
}
