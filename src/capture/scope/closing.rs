//! The end of a scope: its record is taken out once, and appended.

use std::sync::atomic::Ordering;

use crate::{
    clock::Timestamp,
    journal::{Admission, Rejected, Urgency},
    record::Record,
};

use super::{
    super::{
        Rules,
        conclusion::Conclusion,
        draft::Unfinished,
        recorder::{Appended, Manner, Recorder, Standing, of_service},
        request::Arrived,
        session::RawSession,
    },
    AuditScope, State, Work,
    further::Step,
};

/// What a change to a draft is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::capture) enum Said {
    /// What is done: by saying so, the code asks for the record.
    What,
    /// Who does it, and for whom.
    Who,
}

/// What a scope held when it was closed.
pub(in crate::capture) struct Closed {
    pub(in crate::capture) record: Box<Record>,
    intent: bool,
    drafted: bool,
    admission: Option<Admission>,
    steps: Vec<Step>,
    /// The session that the response sets: as secret as the one that the request presented.
    pub(in crate::capture) set_session: Option<RawSession>,
}

impl Closed {
    /// Whether an intent waits for its verdict.
    pub(in crate::capture) const fn has_intent(&self) -> bool {
        self.intent
    }

    /// Whether it must be written: an intent waits for its verdict, or a row in an outbox for the
    /// record.
    pub(in crate::capture) const fn is_expected(&self) -> bool {
        self.intent || self.drafted
    }

    /// Whether records wait that end as the work does: [`AuditScope::settle`].
    pub(in crate::capture) const fn has_steps(&self) -> bool {
        !self.steps.is_empty()
    }

    pub(super) fn take_steps(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }
}

impl AuditScope {
    /// Writes the record of a job, once.
    pub(in crate::capture) fn finish(
        &self,
        conclusion: Conclusion,
        urgency: Urgency,
    ) -> Option<Appended> {
        // Kept until the record is appended, so that a shutdown does not close the door before it.
        let mut closed = self.close_unless(|_, _| false)?;
        let record = conclusion.of(of_service(std::mem::take(&mut *closed.record)));
        self.settle(&mut closed, &record);
        self.write(record, &closed, urgency).ok()
    }

    /// Takes the record out, once. It stays open when `keep_open`, asked under the lock, says so.
    pub(in crate::capture) fn close_unless(
        &self,
        keep_open: impl FnOnce(Option<&Record>, bool) -> bool,
    ) -> Option<Closed> {
        let mut state = self.lock();
        if !state.open || keep_open(state.record.as_deref(), state.annotated) {
            return None;
        }
        state.open = false;
        let record = state.record.take();
        state.record = record.as_deref().map(heritage);
        let record = record.unwrap_or_default();
        Some(Closed {
            record,
            intent: state.intent.is_some(),
            drafted: state.drafted,
            admission: state.admission.take(),
            steps: std::mem::take(&mut state.steps),
            set_session: None,
        })
    }

    /// Appends the record of a closed scope.
    pub(in crate::capture) fn write(
        &self,
        mut record: Record,
        closed: &Closed,
        urgency: Urgency,
    ) -> Result<Appended, Rejected> {
        let recorder = &self.inner.recorder;
        record.context.duration = Some(self.lasted());
        // What was let in is always taken, and so is what an intent or a row of an outbox waits for;
        // the rest stands at the door once more.
        let standing = match closed.admission {
            None if !closed.is_expected() => Standing::New,
            _ => Standing::Admitted,
        };
        let mut secrets = self.secrets();
        secrets.extend(closed.set_session.as_ref().and_then(RawSession::as_str));
        let manner = Manner {
            closes: closed.intent.then(|| self.id().as_uuid()),
            secrets: &secrets,
            ..Manner::new(standing, urgency)
        };
        let appended = recorder.append(record, (self.id(), self.inner.begun), manner)?;
        if closed.drafted {
            recorder.drafts().settled(&appended);
        }
        Ok(appended)
    }

    /// Whether it belongs to this trail.
    pub(in crate::capture) fn is_of(&self, recorder: &Recorder) -> bool {
        self.inner.recorder.is_same(recorder)
    }

    /// Asks once more whether there is room; true when there is, or was.
    pub(in crate::capture) fn admit_late(&self) -> bool {
        let mut state = self.lock();
        if state.admission.is_none() {
            state.admission = self.inner.recorder.inbox().admit().ok();
        }
        state.admission.is_some()
    }

    /// Learns the template of the route from within.
    pub(in crate::capture) fn learn(&self, parts: &http::request::Parts) {
        if let Some(request) = self.request() {
            request.learn(parts);
        }
    }

    pub(in crate::capture) fn lasted(&self) -> std::time::Duration {
        self.inner.recorder.now().since(self.inner.begun)
    }

    pub(in crate::capture) fn begun(&self) -> Timestamp {
        self.inner.begun
    }

    /// What is known of the request; `None` for a job.
    pub(in crate::capture) fn request(&self) -> Option<&Arrived> {
        match &self.inner.work {
            Work::Request(request) => Some(request),
            Work::Job | Work::Skipped => None,
        }
    }

    pub(in crate::capture) fn recorder(&self) -> &Recorder {
        &self.inner.recorder
    }

    pub(super) fn rules(&self) -> &Rules {
        self.inner.recorder.rules()
    }

    /// Texts that must not be in any record of this work.
    pub(in crate::capture) fn secrets(&self) -> Vec<&str> {
        self.request().map(Arrived::secrets).unwrap_or_default()
    }

    /// What is known so far, for a draft; from now on the outbox is told when the record is there.
    pub(in crate::capture) fn unfinished(&self) -> Unfinished {
        let mut state = self.lock();
        state.drafted = true;
        Unfinished {
            record: self.so_far(&state),
            id: self.id(),
            begun: self.inner.begun,
            is_finished: !state.open,
            is_skipped: self.is_skipped(),
        }
    }

    /// The record as it is when nobody sees the end.
    pub(super) fn so_far(&self, state: &State) -> Record {
        let mut record = state.record.as_deref().cloned().unwrap_or_default();
        if let Some(request) = self.request() {
            request.complete_so_far(&mut record, state.annotated, self.rules());
        }
        of_service(record)
    }

    /// The work's answer is given although its record is not durable yet.
    pub(in crate::capture) fn served_unsynced(&self) {
        let tallies = self.inner.recorder.tallies();
        tallies.served_unsynced.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a finished scope still gives to further records of the same work.
fn heritage(record: &Record) -> Box<Record> {
    let mut heritage = Record::default();
    heritage.actor.clone_from(&record.actor);
    heritage.tenant.clone_from(&record.tenant);
    heritage.application.clone_from(&record.application);
    heritage.context.clone_from(&record.context);
    Box::new(heritage)
}
