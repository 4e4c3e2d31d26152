//! The handler's hand: the record of one piece of work while it is being built.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    task::{Context, Poll},
};

use serde::Serialize;

use crate::{
    clock::{RecordId, Timestamp},
    journal::{Admission, CommitError, Committed, Rejected, Ticket, Urgency},
    record::{Action, Actor, Application, Change, Fault, Outcome, Record, Target, Tenant},
    text::Text,
};

use super::{
    current,
    recorder::{Alive, Appended, Recorder, Standing, of_service},
};

/// The record being built for one job or request.
///
/// Cloning it is cheap, and every clone is the same scope: give one to a spawned task. A setter
/// that comes after the record was finished changes nothing; [`is_finished`](Self::is_finished) tells.
///
/// ```
/// use tower_audit::{AuditScope, record::{Actor, Target}};
///
/// fn rename(id: &str, from: &str, to: &str) {
///     if let Some(scope) = AuditScope::current() {
///         scope.action("document.rename").target(Target::new("document", id)).change("name", from, to);
///     }
/// }
/// # rename("4cq1", "a", "b");
/// ```
#[derive(Clone)]
pub struct AuditScope {
    inner: Arc<Inner>,
}

struct Inner {
    recorder: Recorder,
    /// The trail is not shut down by its last handle while this may still write.
    _alive: Alive,
    id: RecordId,
    begun: Timestamp,
    state: Mutex<State>,
}

struct State {
    record: Record,
    /// Its intent, once that is in the journal.
    intent: Option<Ticket>,
    /// Held until the record is written: a shutdown waits for it.
    admission: Option<Admission>,
}

#[expect(
    clippy::must_use_candidate,
    reason = "setters return the scope only to be chained"
)]
impl AuditScope {
    pub(super) fn new(recorder: Recorder, alive: Alive, record: Record) -> Result<Self, Rejected> {
        let admission = recorder.inbox().admit()?;
        let begun = recorder.now();
        let id = recorder.new_id(begun);
        let state = Mutex::new(State {
            record,
            intent: None,
            admission: Some(admission),
        });
        Ok(Self {
            inner: Arc::new(Inner {
                recorder,
                _alive: alive,
                id,
                begun,
                state,
            }),
        })
    }

    /// The scope of the code that runs on this thread, if it belongs to one.
    ///
    /// It is entered whenever the audited future is polled. A spawned task does not inherit it:
    /// clone the scope into the task.
    #[must_use]
    pub fn current() -> Option<Self> {
        current::current()
    }

    /// The id that the record has, or will have.
    #[must_use]
    pub fn id(&self) -> RecordId {
        self.inner.id
    }

    /// Whether the record was written; setters change nothing any more.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.lock().admission.is_none()
    }

    /// Sets what was done.
    pub fn action(&self, action: impl Into<Action>) -> &Self {
        let action = action.into();
        self.update(|record| record.action = action)
    }

    /// Sets who acted.
    pub fn actor(&self, actor: Actor) -> &Self {
        self.update(|record| record.actor = Some(actor))
    }

    /// Adds something that was acted on.
    pub fn target(&self, target: Target) -> &Self {
        self.update(|record| record.targets.push(target))
    }

    /// Sets the customer, organisation or site it belongs to.
    pub fn tenant(&self, tenant: Tenant) -> &Self {
        self.update(|record| record.tenant = Some(tenant))
    }

    /// Sets the client application through which the actor acted.
    pub fn application(&self, application: Application) -> &Self {
        self.update(|record| record.application = Some(application))
    }

    /// Adds a field that was changed; `None` means that it was, or is, not set.
    pub fn change(
        &self,
        field: impl Into<Text>,
        previous: impl Serialize,
        current: impl Serialize,
    ) -> &Self {
        // Foreign code runs here, before the lock is taken: it may panic, or use this scope.
        let change = Change::new(field, previous, current);
        self.update(|record| record.changes.push(change))
    }

    /// Sets something else about it; `None` leaves it out.
    pub fn detail(&self, name: impl Into<String>, value: impl Serialize) -> &Self {
        // As above: a value becomes JSON before the lock is taken.
        let name = name.into();
        let mut value = Record::default().detail(name.clone(), value).details;
        self.update(|record| {
            record.details.remove(&name);
            record.details.append(&mut value);
        })
    }

    /// Sets how it ended; nothing that is found out later replaces it.
    pub fn outcome(&self, outcome: Outcome) -> &Self {
        self.update(|record| record.outcome = Some(outcome))
    }

    /// Says that it was done.
    pub fn success(&self) -> &Self {
        self.outcome(Outcome::Success)
    }

    /// Says that it was not done, for a reason that lies with the request.
    pub fn failure(&self, reason: impl Into<Text>) -> &Self {
        self.reason(reason).outcome(Outcome::Failure)
    }

    /// Says that it was not allowed.
    pub fn denied(&self, reason: impl Into<Text>) -> &Self {
        self.reason(reason).outcome(Outcome::Denied)
    }

    /// Says what the fault was, and that it ended in an error unless another outcome is set.
    pub fn error(&self, fault: Fault) -> &Self {
        self.update(|record| {
            record.error = Some(fault);
            record.outcome.get_or_insert(Outcome::Error);
        })
    }

    /// Sets why it ended so, for a person.
    pub fn reason(&self, reason: impl Into<Text>) -> &Self {
        let reason = reason.into();
        self.update(|record| record.reason = Some(reason))
    }

    /// Appends a further record of the same work. Actor, tenant, application and context are this
    /// scope's where the record names none. Never waits.
    ///
    /// # Errors
    ///
    /// The record was not taken; it is counted.
    pub fn record(&self, record: Record) -> Result<RecordId, Rejected> {
        let recorder = &self.inner.recorder;
        let at = recorder.now();
        let mut record = of_service(self.inherit(record));
        record.outcome.get_or_insert(Outcome::Success);
        let id = (recorder.new_id(at), at);
        let appended = recorder.append(record, id, None, Urgency::Buffered, Standing::Further);
        appended.map(|appended| appended.id)
    }

    /// Makes durable what is known so far, as an intent: `Strict` from here on.
    ///
    /// When the process dies before the work ends, the record will be in the trail with outcome
    /// `unknown`. Call it before an effect that must not happen unseen. Another call waits for the
    /// same intent.
    ///
    /// # Errors
    ///
    /// The intent is not known to be durable, or the record was written already: do not go on with
    /// the effect. Dropping the returned future does not take the intent back.
    pub fn commit(&self) -> CommitScope {
        let mut state = self.lock();
        if let Some(intent) = &state.intent {
            return CommitScope::new(Ok(intent.clone()));
        }
        if state.admission.is_none() {
            return CommitScope::new(Err(Rejected::Finished));
        }
        let draft = of_service(state.record.clone());
        let intent = self
            .inner
            .recorder
            .intend(draft, self.inner.id, self.inner.begun);
        state.intent = intent.as_ref().ok().cloned();
        CommitScope::new(intent)
    }

    /// Writes the record, once.
    pub(super) fn finish(&self, conclusion: Conclusion, urgency: Urgency) -> Option<Appended> {
        // Kept until the record is appended, so that a shutdown does not close the door before it.
        let (record, closes, _admission) = {
            let mut state = self.lock();
            let admission = state.admission.take()?;
            let record = std::mem::take(&mut state.record);
            state.record = heritage(&record);
            let closes = state.intent.is_some().then(|| self.inner.id.as_uuid());
            (record, closes, admission)
        };
        let recorder = &self.inner.recorder;
        let mut record = conclusion.of(of_service(record));
        let lasted = recorder.now().since(self.inner.begun);
        record.context = record.context.duration(lasted);
        let id = (self.inner.id, self.inner.begun);
        recorder
            .append(record, id, closes, urgency, Standing::Admitted)
            .ok()
    }

    /// The work's answer is given although its record is not durable yet.
    pub(super) fn served_unsynced(&self) {
        let tallies = self.inner.recorder.tallies();
        tallies.served_unsynced.fetch_add(1, Ordering::Relaxed);
    }

    fn inherit(&self, mut record: Record) -> Record {
        let state = self.lock();
        let own = &state.record;
        record.actor = record.actor.or_else(|| own.actor.clone());
        record.tenant = record.tenant.or_else(|| own.tenant.clone());
        record.application = record.application.or_else(|| own.application.clone());
        if record.context == crate::record::Context::default() {
            record.context = own.context.clone();
        }
        record
    }

    /// Changes the draft. `change` only moves values: it runs under the lock.
    fn update(&self, change: impl FnOnce(&mut Record)) -> &Self {
        let mut state = self.lock();
        if state.admission.is_some() {
            change(&mut state.record);
        } else {
            let tallies = self.inner.recorder.tallies();
            tallies.late_setters.fetch_add(1, Ordering::Relaxed);
        }
        drop(state);
        self
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for AuditScope {
    /// Never the record: Debug output ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditScope")
            .field("id", &self.inner.id)
            .finish_non_exhaustive()
    }
}

/// What the end of the work says about the outcome, where the work itself did not.
#[derive(Debug)]
pub(super) enum Conclusion {
    /// It ended in order, or was dropped.
    Ended(Outcome),
    /// It returned an error.
    Failed(Fault),
    /// It panicked: what it said of its outcome before is no longer true.
    Panicked(Fault),
    /// It was never begun.
    NotBegun(String),
}

impl Conclusion {
    fn of(self, mut record: Record) -> Record {
        match self {
            Self::Ended(outcome) => {
                record.outcome.get_or_insert(outcome);
            }
            Self::Failed(fault) => {
                record.error.get_or_insert(fault);
                record.outcome.get_or_insert(Outcome::Error);
            }
            Self::Panicked(fault) => return record.outcome(Outcome::Error).error(fault),
            Self::NotBegun(reason) => return record.outcome(Outcome::Error).reason(reason),
        }
        record
    }
}

/// What a finished scope still gives to further records of the same work.
fn heritage(record: &Record) -> Record {
    let mut heritage = Record::default();
    heritage.actor.clone_from(&record.actor);
    heritage.tenant.clone_from(&record.tenant);
    heritage.application.clone_from(&record.application);
    heritage.context.clone_from(&record.context);
    heritage
}

/// Waits until an intent is durable; made by [`AuditScope::commit`].
#[must_use = "the intent is durable only when this future says so"]
#[derive(Debug)]
pub struct CommitScope {
    waiting: Result<Committed, Rejected>,
}

impl CommitScope {
    fn new(intent: Result<Ticket, Rejected>) -> Self {
        Self {
            waiting: intent.map(Ticket::committed),
        }
    }
}

impl Future for CommitScope {
    type Output = Result<(), CommitError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.waiting {
            Ok(committed) => Pin::new(committed).poll(cx).map_ok(|_| ()),
            Err(rejected) => Poll::Ready(Err((*rejected).into())),
        }
    }
}
