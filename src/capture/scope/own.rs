//! The trail's own records about a request.

use crate::record::Record;

use super::AuditScope;

impl AuditScope {
    /// Appends one of the trail's own records, with where the request came from, and who acts unless
    /// the record says so.
    pub(in crate::capture) fn own(&self, record: Record) {
        let record = self.inherit(record);
        // Counted and logged there.
        let _ = self.inner.recorder.own_without(record, &self.secrets());
    }

    /// Another record says what this one would: it is not written, unless somebody waits for it.
    pub(in crate::capture) fn give_way(&self) {
        let state = self.lock();
        let is_expected = state.intent.is_some() || state.drafted;
        drop(state);
        if !is_expected {
            drop(self.close_unless(|_, _| false));
        }
    }
}
