//! Further records of the same work: written at once, or as steps that end as the work does.

use std::{sync::atomic::Ordering, time::Duration};

use crate::{
    clock::{RecordId, Timestamp},
    journal::{Rejected, Urgency},
    record::{Context, Outcome, Record},
};

use super::{
    super::{
        recorder::{Manner, Standing, of_service},
        session::RawSession,
    },
    AuditScope, Closed,
};

/// Steps that wait for the end of one piece of work.
const MOST_STEPS: usize = 100;

/// A record that waits for the end of its work.
pub(in crate::capture) struct Step {
    record: Record,
    id: (RecordId, Timestamp),
}

impl AuditScope {
    /// Appends a further record of the same work. Actor, tenant, application and context are this
    /// scope's where the record names none. Never waits. Where a rule skips the request on arrival,
    /// its further records are skipped and counted too.
    ///
    /// Where it holds only if all of the work goes well, it is a [`step`](Self::step).
    ///
    /// # Errors
    ///
    /// The record was not taken; it is counted.
    pub fn record(&self, mut record: Record) -> Result<RecordId, Rejected> {
        record.outcome.get_or_insert(Outcome::Success);
        self.further(record, self.inner.recorder.now(), None)
    }

    /// Adds a further record that ends as the work does: one of several changes in a transaction, one
    /// of the checks of a sign-in.
    ///
    /// It is written at the end, before the record of the work. Where it names no outcome it gets that
    /// of the work, and where that is no success the error and the reason too, unless it has its own.
    /// So work that fails, panics or is dropped leaves no step that claims a success. Actor, tenant,
    /// application and context are what the scope has by then, where the record names none. The steps
    /// of a request are written even if a rule skips the request at its end.
    ///
    /// Its time is that of this call. Until the end it is in memory only: a crash takes it, also from
    /// work whose intent is durable. At most 100 wait; what comes after them is written at once, as
    /// `unknown` where it names no outcome.
    ///
    /// ```
    /// use tower_audit::{AuditScope, Record};
    ///
    /// fn transfer(scope: &AuditScope) -> Result<(), tower_audit::Rejected> {
    ///     scope.step(Record::new("account.debit"))?;
    ///     scope.step(Record::new("account.credit"))?;
    ///     // Stands whatever becomes of the rest.
    ///     scope.record(Record::new("transfer.request"))?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Rejected::Finished`] if the record of the work is written already; it is counted. Beyond the
    /// 100: the record was not taken.
    pub fn step(&self, record: Record) -> Result<RecordId, Rejected> {
        let recorder = &self.inner.recorder;
        let at = recorder.now();
        if self.is_skipped() {
            return self.further(record, at, None);
        }
        let id = recorder.new_id(at);
        let mut state = self.lock();
        if !state.open {
            let tallies = recorder.tallies();
            tallies.late_setters.fetch_add(1, Ordering::Relaxed);
            return Err(Rejected::Finished);
        }
        if state.steps.len() < MOST_STEPS {
            let id = (id, at);
            state.steps.push(Step { record, id });
            return Ok(id.0);
        }
        drop(state);
        let mut record = self.inherit(record);
        // Nobody knows yet.
        record.outcome.get_or_insert(Outcome::Unknown);
        self.append_further(record, (id, at), None)
    }

    /// Appends a further record of something that began at `at`, and took this long.
    pub(in crate::capture) fn further(
        &self,
        record: Record,
        at: Timestamp,
        lasted: Option<Duration>,
    ) -> Result<RecordId, Rejected> {
        let recorder = &self.inner.recorder;
        if self.is_skipped() {
            // Nothing was taken of the request, so nothing could be masked or told of it.
            recorder.tally(|tallies| &tallies.skipped_further);
            return Ok(recorder.new_id(at));
        }
        let mut record = self.inherit(record);
        record.context.duration = lasted.or(record.context.duration);
        self.append_further(record, (recorder.new_id(at), at), None)
    }

    /// Writes the steps of a closed scope, whose work ended like this.
    pub(in crate::capture) fn settle(&self, closed: &mut Closed, ended: &Record) {
        for Step { record, id } in closed.take_steps() {
            let mut record = self.inherit(record);
            if record.outcome.is_none() {
                follow(&mut record, ended);
            }
            // What the journal does not take it counts itself.
            let _ = self.append_further(record, id, closed.set_session.as_ref());
        }
    }

    /// Appends what has all that it inherits.
    fn append_further(
        &self,
        record: Record,
        id: (RecordId, Timestamp),
        set_session: Option<&RawSession>,
    ) -> Result<RecordId, Rejected> {
        let record = of_service(record);
        let mut secrets = self.secrets();
        secrets.extend(set_session.and_then(RawSession::as_str));
        let manner = Manner {
            secrets: &secrets,
            ..Manner::new(Standing::Further, Urgency::Buffered)
        };
        let appended = self.inner.recorder.append(record, id, manner);
        appended.map(|appended| appended.id)
    }

    pub(super) fn inherit(&self, mut record: Record) -> Record {
        let bare = record.context == Context::default();
        if let Some(own) = &self.lock().record {
            record.actor = record.actor.or_else(|| own.actor.clone());
            record.tenant = record.tenant.or_else(|| own.tenant.clone());
            record.application = record.application.or_else(|| own.application.clone());
            if bare {
                record.context = own.context.clone();
            }
        }
        if let Some(request) = self.request().filter(|_| bare) {
            request.give_context(&mut record, self.rules());
        }
        record
    }
}

/// Ends a step as its work ended.
fn follow(step: &mut Record, ended: &Record) {
    step.outcome = ended.outcome;
    if ended.outcome != Some(Outcome::Success) {
        step.error = step.error.take().or_else(|| ended.error.clone());
        step.reason = step.reason.take().or_else(|| ended.reason.clone());
    }
}
