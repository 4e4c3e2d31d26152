//! The handler's hand: the record of one piece of work while it is being built.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::{
    clock::{RecordId, Timestamp},
    journal::{Admission, CommitError, Rejected, Urgency},
    record::{Action, Actor, Application, Fault, Outcome, Record, Target, Tenant},
    text::Text,
};

use super::{
    current,
    recorder::{Appended, Recorder, Standing},
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
#[derive(Debug, Clone)]
pub struct AuditScope {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    recorder: Recorder,
    id: RecordId,
    begun: Timestamp,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    record: Record,
    /// An intent of it is in the journal.
    intended: bool,
    /// Held until the record is written: a shutdown waits for it.
    admission: Option<Admission>,
}

#[expect(
    clippy::must_use_candidate,
    reason = "setters return the scope only to be chained"
)]
impl AuditScope {
    pub(super) fn new(recorder: Recorder, record: Record) -> Result<Self, Rejected> {
        let admission = recorder.inbox().admit()?;
        let begun = recorder.now();
        let id = recorder.new_id(begun);
        let state = Mutex::new(State {
            record,
            intended: false,
            admission: Some(admission),
        });
        Ok(Self {
            inner: Arc::new(Inner {
                recorder,
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
        self.update(|record| record.action(action))
    }

    /// Sets who acted.
    pub fn actor(&self, actor: Actor) -> &Self {
        self.update(|record| record.actor(actor))
    }

    /// Adds something that was acted on.
    pub fn target(&self, target: Target) -> &Self {
        self.update(|record| record.target(target))
    }

    /// Sets the customer, organisation or site it belongs to.
    pub fn tenant(&self, tenant: Tenant) -> &Self {
        self.update(|record| record.tenant(tenant))
    }

    /// Sets the client application through which the actor acted.
    pub fn application(&self, application: Application) -> &Self {
        self.update(|record| record.application(application))
    }

    /// Adds a field that was changed; `None` means that it was, or is, not set.
    pub fn change(
        &self,
        field: impl Into<Text>,
        previous: impl Serialize,
        current: impl Serialize,
    ) -> &Self {
        self.update(|record| record.change(field, previous, current))
    }

    /// Sets something else about it; `None` leaves it out.
    pub fn detail(&self, name: impl Into<String>, value: impl Serialize) -> &Self {
        self.update(|record| record.detail(name, value))
    }

    /// Sets how it ended; nothing that is found out later replaces it.
    pub fn outcome(&self, outcome: Outcome) -> &Self {
        self.update(|record| record.outcome(outcome))
    }

    /// Says that it was done.
    pub fn success(&self) -> &Self {
        self.update(Record::success)
    }

    /// Says that it was not done, for a reason that lies with the request.
    pub fn failure(&self, reason: impl Into<Text>) -> &Self {
        self.update(|record| record.failure(reason))
    }

    /// Says that it was not allowed.
    pub fn denied(&self, reason: impl Into<Text>) -> &Self {
        self.update(|record| record.denied(reason))
    }

    /// Says what the fault was, and that it ended in an error unless another outcome is set.
    pub fn error(&self, fault: Fault) -> &Self {
        self.update(|record| record.error(fault))
    }

    /// Sets why it ended so, for a person.
    pub fn reason(&self, reason: impl Into<Text>) -> &Self {
        self.update(|record| record.reason(reason))
    }

    /// Appends a further record of the same work. Actor, tenant, application and context are this
    /// scope's where the record names none. Never waits.
    ///
    /// # Errors
    ///
    /// The record was not taken; it is counted.
    pub fn record(&self, record: Record) -> Result<RecordId, Rejected> {
        let at = self.inner.recorder.now();
        let id = self.inner.recorder.new_id(at);
        let mut record = self.inherit(record);
        record.outcome.get_or_insert(Outcome::Success);
        self.inner
            .recorder
            .append(
                record,
                (id, at),
                None,
                Urgency::Buffered,
                Standing::Admitted,
            )
            .map(|appended| appended.id)
    }

    /// Makes durable what is known so far, as an intent: `Strict` from here on.
    ///
    /// When the process dies before the work ends, the record will be in the trail with outcome
    /// `unknown`. Call it before an effect that must not happen unseen. A second call does nothing.
    ///
    /// # Errors
    ///
    /// The intent is not known to be durable: do not go on with the effect. Dropping the returned
    /// future does not take the intent back.
    pub fn commit(&self) -> CommitScope {
        let mut state = self.lock();
        if state.intended || state.admission.is_none() {
            return CommitScope::done();
        }
        let intent =
            self.inner
                .recorder
                .intend(state.record.clone(), self.inner.id, self.inner.begun);
        state.intended = intent.is_ok();
        CommitScope::new(intent)
    }

    /// Writes the record, once. `conclude` fills in what the work itself did not say.
    pub(super) fn finish(
        &self,
        conclude: impl FnOnce(Record) -> Record,
        urgency: Urgency,
    ) -> Option<Appended> {
        // Kept until the record is appended, so that a shutdown does not close the door before it.
        let (record, closes, _admission) = {
            let mut state = self.lock();
            let admission = state.admission.take()?;
            let record = std::mem::take(&mut state.record);
            state.record = heritage(&record);
            let closes = state.intended.then(|| self.inner.id.as_uuid());
            (record, closes, admission)
        };
        let lasted = self.inner.recorder.now().since(self.inner.begun);
        let mut record = conclude(record);
        record.context = record.context.duration(lasted);
        let id = (self.inner.id, self.inner.begun);
        self.inner
            .recorder
            .append(record, id, closes, urgency, Standing::Admitted)
            .ok()
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

    fn update(&self, change: impl FnOnce(Record) -> Record) -> &Self {
        let mut state = self.lock();
        if state.admission.is_some() {
            let record = std::mem::take(&mut state.record);
            state.record = change(record);
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
    waiting: Result<Option<crate::journal::Committed>, Rejected>,
}

impl CommitScope {
    const fn done() -> Self {
        Self { waiting: Ok(None) }
    }

    fn new(intent: Result<crate::journal::Ticket, Rejected>) -> Self {
        Self {
            waiting: intent.map(|ticket| Some(ticket.committed())),
        }
    }
}

impl Future for CommitScope {
    type Output = Result<(), CommitError>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        match &mut self.waiting {
            Ok(Some(committed)) => std::pin::Pin::new(committed)
                .poll(cx)
                .map(|outcome| outcome.map(|_| ())),
            Ok(None) => std::task::Poll::Ready(Ok(())),
            Err(rejected) => std::task::Poll::Ready(Err((*rejected).into())),
        }
    }
}
