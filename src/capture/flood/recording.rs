//! How folded records get into the trail.

use std::net::IpAddr;

use super::Passed;
use crate::{
    capture::{
        Recorder,
        recorder::{Manner, Standing},
    },
    clock::Timestamp,
    journal::Urgency,
    record::{ActorType, Outcome, Record},
};

impl Recorder {
    /// Lets the record of a refused or failed request without an actor pass, or counts it.
    ///
    /// `begun` is when the request began. Nothing is folded where the policy says so.
    pub(crate) fn pass(
        &self,
        address: Option<IpAddr>,
        record: Box<Record>,
        begun: Timestamp,
    ) -> Passed {
        let rules = self.rules();
        let Some(per_minute) = rules.policy.folds_above() else {
            return Passed::Record(record);
        };
        let now = self.now();
        let (passed, overdue) = rules.flood.pass(address, record, begun, now, per_minute);
        self.folded(overdue);
        passed
    }

    /// Writes the folded records of minutes that are over.
    pub(crate) fn write_due(&self) {
        self.folded(self.rules().flood.due(self.now()));
    }

    /// Writes all folded records, at the end.
    pub(crate) fn write_folded(&self) {
        self.folded(self.rules().flood.drain());
    }

    /// Their requests were admitted, so they are taken like the records of those. Each has the time
    /// of its first request.
    fn folded(&self, records: Vec<Record>) {
        for record in records {
            let at = record.first.unwrap_or_else(|| self.now());
            let manner = Manner::new(Standing::Admitted, Urgency::Buffered);
            // What cannot be taken is counted by the journal.
            let _ = self.append(record, (self.new_id(at), at), manner);
        }
    }
}

/// Anybody can make any number of these: refused or failed, by nobody in particular.
pub(in crate::capture) fn is_foldable(record: &Record) -> bool {
    let nobody = record.actor.as_ref().is_none_or(|actor| match actor.kind {
        ActorType::Anonymous => true,
        ActorType::Unknown => actor.id.is_none(),
        _ => false,
    });
    let done = matches!(
        record.outcome,
        Some(Outcome::Success | Outcome::Unknown) | None
    );
    nobody && !done
}
