//! The handler's hand: the record of one piece of work while it is being built.

mod closing;
mod further;
#[cfg(feature = "viewer")]
mod own;

pub(super) use closing::{Closed, Said};
use further::Step;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, atomic::Ordering},
};

use serde::Serialize;

use crate::{
    clock::{RecordId, Timestamp},
    journal::{Admission, Rejected, Ticket},
    record::{Action, Actor, Application, Change, Fault, Outcome, Record, Target, Tenant},
    text::Text,
};

use super::{
    commit::CommitScope,
    current,
    recorder::{Alive, Recorder},
    request::Arrived,
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
    /// Made when it is first needed: most requests leave no record.
    id: OnceLock<RecordId>,
    begun: Timestamp,
    work: Work,
    state: Mutex<State>,
}

/// What the record is about.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are requests, and each of these is in an Arc already"
)]
enum Work {
    Job,
    Request(Arrived),
    /// Requests that a rule skips on arrival: there is never a record.
    Skipped,
}

struct State {
    /// Boxed, and only there once somebody said something: most requests leave no record.
    record: Option<Box<Record>>,
    /// Whether the code that runs said what this is.
    annotated: bool,
    /// Its intent, once that is in the journal.
    intent: Option<Ticket>,
    /// Whether the record is still to be written.
    open: bool,
    /// Held until the record is written: a shutdown waits for it. `None` as well when there was no
    /// room and the work runs all the same.
    admission: Option<Admission>,
    /// A draft of it may be in the service's database.
    drafted: bool,
    /// Further records that end as the work does.
    steps: Vec<Step>,
}

#[expect(
    clippy::must_use_candidate,
    reason = "setters return the scope only to be chained"
)]
impl AuditScope {
    /// The scope of a job; without an admission it is recorded at the end if there is room then.
    pub(super) fn of_job(
        recorder: Recorder,
        alive: Alive,
        record: Record,
        admission: Option<Admission>,
    ) -> Self {
        let record = Some(Box::new(record));
        Self::begin(recorder, alive, record, Work::Job, admission)
    }

    /// The scope of a request; without an admission it is recorded at the end if there is room then.
    pub(super) fn of_request(
        recorder: Recorder,
        alive: Alive,
        request: Arrived,
        record: Option<Box<Record>>,
        admission: Option<Admission>,
    ) -> Self {
        Self::begin(recorder, alive, record, Work::Request(request), admission)
    }

    /// The scope that handlers find where the policy skips: it is finished from the start.
    pub(super) fn skipped(recorder: Recorder, alive: Alive) -> Self {
        Self::begin(recorder, alive, None, Work::Skipped, None)
    }

    /// Whether its record was written: what still carries it is another piece of work.
    pub(super) fn is_over(&self) -> bool {
        !self.is_skipped() && self.is_finished()
    }

    /// Whether it is of requests that the policy skips.
    pub(super) fn is_skipped(&self) -> bool {
        matches!(self.inner.work, Work::Skipped)
    }

    fn begin(
        recorder: Recorder,
        alive: Alive,
        record: Option<Box<Record>>,
        work: Work,
        admission: Option<Admission>,
    ) -> Self {
        let begun = recorder.now();
        let state = Mutex::new(State {
            record,
            annotated: false,
            intent: None,
            open: !matches!(work, Work::Skipped),
            admission,
            drafted: false,
            steps: Vec::new(),
        });
        Self {
            inner: Arc::new(Inner {
                recorder,
                _alive: alive,
                id: OnceLock::new(),
                begun,
                work,
                state,
            }),
        }
    }

    /// The scope of the code that runs on this thread, if it belongs to one.
    ///
    /// It is entered whenever the audited future is polled. A spawned task does not inherit it:
    /// clone the scope into the task.
    #[must_use]
    pub fn current() -> Option<Self> {
        current::current()
    }

    /// The id that the record has, or will have. In a request that a rule skips on arrival there is
    /// no record, and every call gives another id.
    #[must_use]
    pub fn id(&self) -> RecordId {
        let Inner {
            id,
            recorder,
            begun,
            ..
        } = &*self.inner;
        if self.is_skipped() {
            // Requests that are skipped share a scope, and must not share an id.
            return recorder.new_id(recorder.now());
        }
        *id.get_or_init(|| recorder.new_id(*begun))
    }

    /// Whether the record was written; setters change nothing any more.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        !self.lock().open
    }

    /// Sets what was done.
    pub fn action(&self, action: impl Into<Action>) -> &Self {
        let action = action.into();
        self.annotate(|record| record.action = action)
    }

    /// Sets who acted.
    pub fn actor(&self, actor: Actor) -> &Self {
        self.update(|record| record.actor = Some(actor))
    }

    /// Adds something that was acted on.
    pub fn target(&self, target: Target) -> &Self {
        self.annotate(|record| record.targets.push(target))
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
        self.annotate(|record| record.changes.push(change))
    }

    /// Sets something else about it; `None` leaves it out.
    pub fn detail(&self, name: impl Into<String>, value: impl Serialize) -> &Self {
        // As above: a value becomes JSON before the lock is taken.
        let name = name.into();
        let mut value = Record::default().detail(name.clone(), value).details;
        self.annotate(|record| {
            record.details.remove(&name);
            record.details.append(&mut value);
        })
    }

    /// Sets how it ended; nothing that is found out later replaces it.
    pub fn outcome(&self, outcome: Outcome) -> &Self {
        self.annotate(|record| record.outcome = Some(outcome))
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
        self.annotate(|record| {
            record.error = Some(fault);
            record.outcome.get_or_insert(Outcome::Error);
        })
    }

    /// Sets why it ended so, for a person.
    pub fn reason(&self, reason: impl Into<Text>) -> &Self {
        let reason = reason.into();
        self.annotate(|record| record.reason = Some(reason))
    }

    /// Makes durable what is known so far, as an intent: `Strict` from here on.
    ///
    /// When the process dies before the work ends, the record will be in the trail with outcome
    /// `unknown`. Call it before an effect that must not happen unseen. Another call waits for the
    /// same intent.
    ///
    /// In a request that a rule skips on arrival there is no record, so there is nothing to wait for:
    /// the rules of an operator do not change what a handler answers.
    ///
    /// # Errors
    ///
    /// The intent is not known to be durable, or the record was written already: do not go on with
    /// the effect. Dropping the returned future does not take the intent back.
    pub fn commit(&self) -> CommitScope {
        if self.is_skipped() {
            return CommitScope::skipped();
        }
        let mut state = self.lock();
        if !state.open {
            return CommitScope::new(Err(Rejected::Finished));
        }
        if let Some(intent) = &state.intent {
            return CommitScope::new(Ok(intent.clone()));
        }
        let draft = self.so_far(&state);
        let (id, begun) = (self.id(), self.inner.begun);
        let secrets = self.secrets();
        let recorder = &self.inner.recorder;
        let intent = recorder.intend(draft, id, begun, &secrets);
        state.intent = intent.as_ref().ok().cloned();
        CommitScope::new(intent)
    }

    /// Changes what the record says the work is.
    fn annotate(&self, change: impl FnOnce(&mut Record)) -> &Self {
        self.amend(Said::What, change)
    }

    /// Changes who the record says it was, and for whom.
    fn update(&self, change: impl FnOnce(&mut Record)) -> &Self {
        self.amend(Said::Who, change)
    }

    /// Changes the draft. `change` only moves values: it runs under the lock.
    pub(super) fn amend(&self, said: Said, change: impl FnOnce(&mut Record)) -> &Self {
        let mut state = self.lock();
        if state.open {
            change(state.record.get_or_insert_default());
            state.annotated |= said == Said::What;
        } else if !self.is_skipped() {
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
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
