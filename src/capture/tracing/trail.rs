//! Where records go: to the trail, or into a small store until there is one.

use std::{
    fmt,
    sync::{Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use crate::{
    capture::{
        AuditScope, Recorder,
        recorder::{Manner, Standing, of_service},
    },
    clock::{Clock, SystemClock, Timestamp},
    journal::Urgency,
    record::Record,
};

use super::Shared;

/// The records that are kept until a trail is attached. Each has at most 64 KiB of text.
pub(super) const MAX_EARLY: usize = 256;

/// A record that is ready but for its id.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) record: Record,
    pub(super) begun: Timestamp,
    /// How long it took; `None` for an event.
    pub(super) lasted: Option<Duration>,
}

/// The way to the trail, if one is attached.
///
/// It holds a [`Recorder`], which keeps no trail alive: what comes after the trail's shutdown is
/// refused at the journal's front door.
pub(super) struct Door(Mutex<State>);

enum State {
    Waiting(Vec<Ready>),
    Attached(Recorder),
}

impl Default for Door {
    fn default() -> Self {
        Self(Mutex::new(State::Waiting(Vec::new())))
    }
}

impl Door {
    /// Opens the door to another trail, and answers what waited.
    pub(super) fn attach(&self, recorder: &Recorder) -> Vec<Ready> {
        let attached = State::Attached(recorder.clone());
        let before = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *state, attached)
        };
        match before {
            State::Waiting(early) => early,
            State::Attached(_) => Vec::new(),
        }
    }

    /// The trail's, or the system's while there is none.
    pub(super) fn now(&self) -> Timestamp {
        match self.recorder() {
            Some(recorder) => recorder.now(),
            None => SystemClock::new().now(),
        }
    }

    fn recorder(&self) -> Option<Recorder> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Attached(recorder) => Some(recorder.clone()),
            State::Waiting(_) => None,
        }
    }

    /// Gives the record back with the way to the trail, or keeps it; `Err` when it is one too many.
    fn pass(&self, ready: Ready) -> Result<Option<(Recorder, Ready)>, Full> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Attached(recorder) => Ok(Some((recorder.clone(), ready))),
            State::Waiting(early) if early.len() < MAX_EARLY => {
                early.push(ready);
                Ok(None)
            }
            State::Waiting(_) => Err(Full),
        }
    }
}

/// As many wait as may.
struct Full;

impl Shared {
    /// Writes a record: as a further one of its scope, or as one of the trail. Never waits.
    pub(super) fn write(&self, scope: Option<&AuditScope>, ready: Ready) {
        if let Some(scope) = scope {
            let appended = scope.further(ready.record, ready.begun, ready.lasted);
            return self.count_refused(appended.is_err());
        }
        match self.door.pass(ready) {
            Ok(Some((recorder, ready))) => self.append(&recorder, ready),
            Ok(None) => {}
            Err(Full) => {
                self.counters.early_dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn append(&self, recorder: &Recorder, ready: Ready) {
        let mut record = of_service(ready.record);
        record.context.duration = ready.lasted;
        let id = (recorder.new_id(ready.begun), ready.begun);
        let manner = Manner::new(Standing::New, Urgency::Buffered);
        let appended = recorder.append(record, id, manner);
        self.count_refused(appended.is_err());
    }

    fn count_refused(&self, refused: bool) {
        let counter = &self.counters.refused;
        counter.fetch_add(u64::from(refused), Ordering::Relaxed);
    }
}

impl fmt::Debug for Door {
    /// Never the records: Debug output ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attached = self.recorder().is_some();
        f.debug_struct("Door").field("attached", &attached).finish()
    }
}
