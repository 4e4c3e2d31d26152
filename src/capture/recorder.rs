//! What every way of capturing shares: the front door, the time, the ids, the service's name.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    clock::{Clock, IdSource, RecordId, Timestamp},
    journal::{Inbox, Prepared, Rejected, Ticket, Urgency},
    record::{Outcome, Record, Service},
};

/// Finishes records on the caller's thread and hands them to the journal.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    inbox: Inbox,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    service: Arc<Service>,
    /// Records of which something was cut.
    truncated: Arc<AtomicU64>,
}

/// A record that was appended.
#[derive(Debug)]
pub(crate) struct Appended {
    pub(crate) id: RecordId,
    pub(crate) ticket: Ticket,
}

/// Whether the record belongs to work that was let in before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It may be refused when the queue is full.
    New,
    /// It is taken as long as there is memory.
    Admitted,
    /// The trail writes about itself: as admitted work, with room of its own.
    Own,
}

impl Recorder {
    pub(crate) fn new(
        inbox: Inbox,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        service: Service,
    ) -> Self {
        Self {
            inbox,
            clock,
            ids,
            service: Arc::new(service),
            truncated: Arc::default(),
        }
    }

    pub(crate) const fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Records of which something was cut.
    pub(crate) fn truncated(&self) -> u64 {
        self.truncated.load(Ordering::Relaxed)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn new_id(&self, at: Timestamp) -> RecordId {
        self.ids.next(at)
    }

    /// Finishes a record and appends it. The author of a record that says no outcome states a
    /// fact, so it is a success.
    pub(crate) fn record(&self, record: Record, urgency: Urgency) -> Result<Appended, Rejected> {
        let at = self.now();
        self.append(
            stated(record),
            (self.new_id(at), at),
            None,
            urgency,
            Standing::New,
        )
    }

    /// Appends one of the trail's own records. What cannot be taken is counted by the journal.
    pub(crate) fn own(&self, record: Record) -> Option<Appended> {
        let at = self.now();
        self.append(
            stated(record),
            (self.new_id(at), at),
            None,
            Urgency::Buffered,
            Standing::Own,
        )
        .ok()
    }

    /// Appends a finished line of the trail's own, such as a [`verdict`](Self::verdict).
    pub(crate) fn append_own(&self, line: &Prepared) {
        // What cannot be taken is counted by the journal; an unsettled intent stays open.
        let _ = self.inbox.append_own(line, Urgency::Buffered, self.now());
    }

    pub(super) fn append(
        &self,
        record: Record,
        (id, at): (RecordId, Timestamp),
        closes: Option<Uuid>,
        urgency: Urgency,
        standing: Standing,
    ) -> Result<Appended, Rejected> {
        let finished = record.finish(id, at, &self.service);
        self.truncated
            .fetch_add(u64::from(finished.truncated), Ordering::Relaxed);
        let line = Prepared::new(&finished.json, closes);
        let ticket = match standing {
            Standing::New => self.inbox.append(&line, urgency)?,
            Standing::Admitted => self.inbox.append_admitted(&line, urgency, self.now())?,
            Standing::Own => self.inbox.append_own(&line, urgency, self.now())?,
        };
        Ok(Appended {
            id: finished.id,
            ticket,
        })
    }

    /// Appends an intent: the record as far as it is known, with outcome `unknown`.
    pub(crate) fn intend(
        &self,
        record: Record,
        id: RecordId,
        at: Timestamp,
    ) -> Result<Ticket, Rejected> {
        let finished = record
            .outcome(Outcome::Unknown)
            .finish(id, at, &self.service);
        match RawValue::from_string(finished.json) {
            Ok(json) => self.inbox.open(id.as_uuid(), json),
            // Our own serialiser made it.
            Err(_) => Err(Rejected::Lost),
        }
    }

    /// The line that settles an intent which a dead process left open.
    pub(crate) fn verdict(&self, intent: &RawValue, id: Uuid, reason: &str) -> Option<Prepared> {
        let record = Record::from_json(intent.get()).ok()?;
        let own = record.id().filter(|own| own.as_uuid() == id)?;
        let finished =
            record
                .outcome(Outcome::Unknown)
                .reason(reason)
                .finish(own, self.now(), &self.service);
        Some(Prepared::new(&finished.json, Some(id)))
    }
}

fn stated(mut record: Record) -> Record {
    record.outcome.get_or_insert(Outcome::Success);
    record
}
