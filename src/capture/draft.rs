//! Drafts: a record that is written into the service's own database, before its work has ended.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{
    clock::{RecordId, Timestamp},
    journal::{Prepared, Rejected, Urgency},
    record::{Draft, Owner, Record, Standing},
};

use super::{
    AuditScope,
    recorder::{Appended, Recorder, of_service},
};

/// What capture and the outbox of a trail say to each other.
#[derive(Debug, Default)]
pub(crate) struct Drafts {
    outbox: OnceLock<Attached>,
    /// Rows that are left for the next start, because the queue was full.
    kept: AtomicU64,
}

#[derive(Debug)]
struct Attached {
    owner: Owner,
    settled: mpsc::Sender<Settled>,
}

/// A drafted record that is in the trail: its row may go once the record is durable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settled {
    pub(crate) id: RecordId,
    /// Durable when the trail's mark is above it.
    pub(crate) number: u64,
}

impl Drafts {
    /// From now on drafts are `owner`'s, and `settled` is told when a row may go.
    pub(crate) fn attach(&self, owner: Owner, settled: mpsc::Sender<Settled>) {
        // Once: a trail is started once.
        let _ = self.outbox.set(Attached { owner, settled });
    }

    pub(crate) fn kept(&self) -> u64 {
        self.kept.load(Ordering::Relaxed)
    }

    /// The record of a drafted scope was appended. Never waits: a row that is not told of stays
    /// until the next start.
    pub(super) fn settled(&self, appended: &Appended) {
        let Some(Attached { settled, .. }) = self.outbox.get() else {
            return;
        };
        let Some(number) = appended.ticket.number else {
            return;
        };
        let id = appended.id;
        if settled.try_send(Settled { id, number }).is_err() {
            self.kept.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn owner(&self) -> Option<Owner> {
        self.outbox.get().map(|attached| attached.owner)
    }
}

/// What a draft is made of.
pub(super) struct Unfinished {
    pub(super) record: Record,
    pub(super) id: RecordId,
    pub(super) begun: Timestamp,
    pub(super) is_finished: bool,
    pub(super) is_skipped: bool,
}

impl AuditScope {
    /// What is known so far, for an outbox: to be written into the transaction of the change, under
    /// the id that the record will have.
    ///
    /// Make it as late as can be, just before the commit. It is what the trail will hold when the
    /// process dies after the commit and before the record is durable: then with the outcome that
    /// the scope says by now, or else `unknown`. In every other case the record is the scope's own,
    /// with what really happened.
    pub fn draft(&self) -> Draft {
        self.recorder().draft(self.unfinished(), &self.secrets())
    }
}

impl Recorder {
    fn draft(&self, unfinished: Unfinished, secrets: &[&str]) -> Draft {
        let standing = match self.drafts().owner() {
            None => Standing::NoOutbox,
            Some(_) if unfinished.is_skipped => Standing::Skipped,
            Some(_) if unfinished.is_finished => Standing::Finished,
            Some(_) => Standing::Open,
        };
        let nobody = Owner {
            trail: Uuid::nil(),
            run: Uuid::nil(),
        };
        let owner = self.drafts().owner().unwrap_or(nobody);
        let mut record = unfinished.record;
        // As for the trail itself: the bytes rest in a database, and may never be written again.
        self.rules().mask(&mut record, secrets);
        let id = (unfinished.id, unfinished.begun);
        Draft::new(record, id, self.service(), (owner, standing))
    }

    /// Appends a record that a dead process left in an outbox, as it stands there.
    pub(crate) fn left_over(&self, record: Record, id: RecordId) -> Result<Appended, Rejected> {
        let now = self.now();
        let finished = of_service(record).finish(id, now, self.service());
        let line = Prepared::new(finished.json, None);
        let ticket = self.inbox().append_own(&line, Urgency::Durable, now)?;
        Ok(Appended { id, ticket })
    }
}
