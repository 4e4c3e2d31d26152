//! What every way of capturing shares: the front door, the time, the ids, the service's name.

use std::{
    any::Any,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    clock::{Clock, IdSource, RecordId, Timestamp},
    journal::{Inbox, Prepared, Receiving, Rejected, Ticket, Urgency},
    record::{Action, Outcome, Record, Service},
};

use super::{Rules, draft::Drafts};

/// Finishes records on the caller's thread and hands them to the journal.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    /// One count to keep for each request, not seven.
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    inbox: Inbox,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    service: Service,
    rules: Rules,
    tallies: Tallies,
    drafts: Drafts,
}

/// What is counted where records are made.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    /// Records of which something was cut.
    pub(crate) truncated: AtomicU64,
    /// Work whose answer was given although its record was not durable yet.
    pub(crate) served_unsynced: AtomicU64,
    /// Setters that came after the record was written.
    pub(crate) late_setters: AtomicU64,
    /// The trail's own records that were not taken.
    pub(crate) own_refused: AtomicU64,
    /// Requests that left no record, as the policy says.
    pub(crate) skipped: AtomicU64,
    /// Further records of requests that a rule skips.
    pub(crate) skipped_further: AtomicU64,
    /// Requests that were refused because their record could not be kept.
    pub(crate) refused: AtomicU64,
    /// Requests that ran although there was no room for their record when they began.
    pub(crate) not_admitted: AtomicU64,
    /// Responses whose body broke after their record was written.
    pub(crate) broken_bodies: AtomicU64,
    /// Those among them whose client had too much strict work.
    pub(crate) turned_away: AtomicU64,
    /// Panics that were kept from a request: of a layer's closure, or while its record was written.
    pub(crate) hook_panics: AtomicU64,
    /// Requests whose rule asked for `Strict` or `Refuse` when they had run.
    pub(crate) late_rules: AtomicU64,
    /// Requests of which nobody knew the address of the peer.
    pub(crate) no_peer: AtomicU64,
}

/// Keeps the trail running as long as a piece of work may still write to it.
#[derive(Clone)]
pub(crate) struct Alive(
    #[expect(dead_code, reason = "held, never read")] Arc<dyn Any + Send + Sync>,
);

impl Alive {
    pub(crate) fn new(what: Arc<dyn Any + Send + Sync>) -> Self {
        Self(what)
    }
}

impl fmt::Debug for Alive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Alive")
    }
}

/// A record that was appended.
#[derive(Debug)]
pub(crate) struct Appended {
    pub(crate) id: RecordId,
    pub(crate) ticket: Ticket,
}

impl Appended {
    /// Waits until the record is durable.
    pub(crate) fn receiving(self) -> Receiving {
        Receiving::new(self.id, self.ticket)
    }
}

/// Whether the record belongs to work that was let in before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It may be refused when the queue is full.
    New,
    /// It may be refused when the queue is full, but not because the door is closed.
    Further,
    /// It is taken as long as there is memory.
    Admitted,
    /// The trail writes about itself: as admitted work, with room of its own.
    Own,
}

/// How a record is appended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner<'a> {
    /// The intent that it settles.
    pub(super) closes: Option<Uuid>,
    pub(super) urgency: Urgency,
    pub(super) standing: Standing,
    /// Texts that must not be in it.
    pub(super) secrets: &'a [&'a str],
}

impl Manner<'_> {
    pub(super) const fn new(standing: Standing, urgency: Urgency) -> Self {
        Self {
            closes: None,
            urgency,
            standing,
            secrets: &[],
        }
    }
}

impl Recorder {
    pub(crate) fn new(
        inbox: Inbox,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        service: Service,
        rules: Rules,
    ) -> Self {
        let shared = Shared {
            inbox,
            clock,
            ids,
            service,
            rules,
            tallies: Tallies::default(),
            drafts: Drafts::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    pub(crate) fn inbox(&self) -> &Inbox {
        &self.shared.inbox
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.shared.rules
    }

    pub(crate) fn drafts(&self) -> &Drafts {
        &self.shared.drafts
    }

    pub(crate) fn service(&self) -> &Service {
        &self.shared.service
    }

    pub(crate) fn tallies(&self) -> &Tallies {
        &self.shared.tallies
    }

    /// Counts one.
    pub(super) fn tally(&self, counter: impl FnOnce(&Tallies) -> &AtomicU64) {
        counter(&self.shared.tallies).fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request of which nobody knows the peer; says so once.
    pub(super) fn no_peer(&self) {
        if self.shared.tallies.no_peer.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(target: "tower_audit", "requests come without the address of their peer: serve with axum's into_make_service_with_connect_info::<SocketAddr>(), or tell the layer with .peer(…)");
        }
    }

    /// Counts a request whose rule asked too late for `Strict` or `Refuse`; says so once.
    pub(super) fn late_rule(&self) {
        if self
            .shared
            .tallies
            .late_rules
            .fetch_add(1, Ordering::Relaxed)
            == 0
        {
            tracing::warn!(target: "tower_audit", "a request ran without the intent or the refusal that its rule asks for, because its route or its action was known only afterwards: put the layer where it sees the route (Router::layer, or .route(…)), and declare the action with its route");
        }
    }

    /// Counts a request whose client has too much strict work; says so once.
    pub(super) fn turned_away(&self) {
        if self
            .shared
            .tallies
            .turned_away
            .fetch_add(1, Ordering::Relaxed)
            == 0
        {
            tracing::warn!(target: "tower_audit", "a client's strict requests are refused for the rest of the minute, because too many of them came to nothing, or are open at once; behind a proxy that is not trusted all clients are one: see AuditLayer::client_address");
        }
    }

    /// Whether both write to the same trail.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    pub(crate) fn new_id(&self, at: Timestamp) -> RecordId {
        self.shared.ids.next(at)
    }

    /// Finishes a record and appends it. The author of a record that says no outcome states a
    /// fact, so it is a success.
    pub(crate) fn record(&self, record: Record, urgency: Urgency) -> Result<Appended, Rejected> {
        let at = self.now();
        let record = of_service(stated(record));
        let manner = Manner::new(Standing::New, urgency);
        self.append(record, (self.new_id(at), at), manner)
    }

    /// Appends one of the trail's own records. What cannot be taken is counted.
    pub(crate) fn own(&self, record: Record) -> Option<Appended> {
        self.own_without(record, &[])
    }

    /// As [`own`](Self::own), of a request that proves itself with these texts.
    pub(super) fn own_without(&self, record: Record, secrets: &[&str]) -> Option<Appended> {
        let at = self.now();
        let manner = Manner {
            secrets,
            ..Manner::new(Standing::Own, Urgency::Buffered)
        };
        let appended = self.append(stated(record), (self.new_id(at), at), manner);
        if let Err(rejected) = &appended {
            self.shared
                .tallies
                .own_refused
                .fetch_add(1, Ordering::Relaxed);
            tracing::warn!(target: "tower_audit", %rejected, "the trail's record about itself was not taken");
        }
        appended.ok()
    }

    /// Appends a finished line of the trail's own, such as a [`verdict`](Self::verdict).
    pub(crate) fn append_own(&self, line: &Prepared) {
        // What cannot be taken is counted by the journal; an unsettled intent stays open.
        let _ = self
            .shared
            .inbox
            .append_own(line, Urgency::Buffered, self.now());
    }

    /// Masks, finishes and appends a record.
    pub(super) fn append(
        &self,
        mut record: Record,
        (id, at): (RecordId, Timestamp),
        manner: Manner<'_>,
    ) -> Result<Appended, Rejected> {
        self.shared.rules.mask(&mut record, manner.secrets);
        let finished = record.finish(id, at, &self.shared.service);
        if finished.truncated {
            self.shared
                .tallies
                .truncated
                .fetch_add(1, Ordering::Relaxed);
        }
        let line = Prepared::new(finished.json, manner.closes);
        let urgency = manner.urgency;
        let ticket = match manner.standing {
            Standing::New => self.shared.inbox.append(&line, urgency)?,
            Standing::Further => self.shared.inbox.append_further(&line, urgency)?,
            Standing::Admitted => self
                .shared
                .inbox
                .append_admitted(&line, urgency, self.now())?,
            Standing::Own => self.shared.inbox.append_own(&line, urgency, self.now())?,
        };
        let id = finished.id;
        Ok(Appended { id, ticket })
    }

    /// Appends an intent: the record as far as it is known, with outcome `unknown`.
    pub(crate) fn intend(
        &self,
        mut record: Record,
        id: RecordId,
        at: Timestamp,
        secrets: &[&str],
    ) -> Result<Ticket, Rejected> {
        self.shared.rules.mask(&mut record, secrets);
        let finished = record
            .outcome(Outcome::Unknown)
            .finish(id, at, &self.shared.service);
        match RawValue::from_string(finished.json) {
            Ok(json) => self.shared.inbox.open(id.as_uuid(), json),
            // Our own serialiser made it.
            Err(_) => Err(Rejected::Lost),
        }
    }

    /// The line that settles an intent which a dead process left open.
    ///
    /// One that cannot be read as a record is settled too, by a record that says so.
    pub(crate) fn verdict(&self, intent: &RawValue, id: Uuid, reason: &str) -> Prepared {
        let now = self.now();
        let read = Record::from_json(intent.get()).map_err(|error| error.to_string());
        let own = |record: Record| match record.id() {
            Some(own) if own.as_uuid() == id => Ok((record.reason(reason.to_owned()), own)),
            _ => Err("it is not under its own id".to_owned()),
        };
        let (record, own) = read.and_then(own).unwrap_or_else(|error| {
            let record = Record::system("audit.intent_unreadable").reason(error);
            let own = RecordId::from_bytes(*id.as_bytes());
            (
                record.detail("intent", id.to_string()),
                own.unwrap_or_else(|_| self.new_id(now)),
            )
        });
        let finished = record
            .outcome(Outcome::Unknown)
            .finish(own, now, &self.shared.service);
        Prepared::new(finished.json, Some(id))
    }
}

fn stated(mut record: Record) -> Record {
    record.outcome.get_or_insert(Outcome::Success);
    record
}

/// The noun `audit` is the trail's own: what it says there is believed, by `verify` too. The same
/// from a service gets another first word.
pub(super) fn of_service(mut record: Record) -> Record {
    if record.action.as_str().starts_with("audit.") {
        record.action = Action::from(format!("service.{}", record.action.as_str()));
    }
    record
}
