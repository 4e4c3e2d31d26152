//! The front door of the journal: admit, append, wait. The only part that capture sees.
//!
//! A caller brings a line that it serialised and hashed itself. Under the one lock stands only what
//! must be in order: giving the number, copying the bytes, counting. The writer takes the whole
//! buffer at once, so a slow disk makes groups larger, not the lock slower.

use std::{
    sync::{Arc, MutexGuard, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::sync::watch;
use uuid::Uuid;

use crate::clock::Timestamp;

use super::{
    Rejected, Settings,
    group::{Committed, Fate, Ticket},
    line::{Control, Intent, MAX_LINE, Prepared},
    state::{Counts, Shared, State},
};

/// Room beyond the memory limit that only records of the trail about itself may use, in bytes.
const OWN_ROOM: usize = 1024 * 1024;

/// The most open intents that a header can name, each in at most 64 of its bytes.
const MOST_OPEN: usize = MAX_LINE / 2 / 64;

/// A handle to the front door; cloning it is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Inbox {
    shared: Arc<Shared>,
}

/// How soon a line must be on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Its group starts within [`Settings::buffered_delay`].
    Buffered,
    /// Somebody waits: its group starts as soon as the one before is done.
    Durable,
}

/// Permission to append later, taken when a piece of work starts.
///
/// Its line is taken even when the queue limit is passed by then, so that work that was let in
/// always leaves its record.
#[derive(Debug)]
pub(crate) struct Admission {
    shared: Arc<Shared>,
}

impl Inbox {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Why nothing can be made durable right now.
    pub(crate) fn failing(&self) -> Option<String> {
        // Nearly always false: one load, no lock.
        self.shared.is_failing().then(|| {
            self.shared
                .lock()
                .failing
                .as_ref()
                .map(|failing| failing.cause.clone())
        })?
    }

    /// Since when and why nothing can be made durable.
    pub(crate) fn failing_since(&self) -> Option<(Timestamp, String)> {
        self.shared
            .lock()
            .failing
            .as_ref()
            .map(|failing| (failing.since, failing.cause.clone()))
    }

    /// Lets a piece of work in, if less than the queue limit waits.
    pub(crate) fn admit(&self) -> Result<Admission, Rejected> {
        let mut state = self.shared.lock();
        state.let_in(&self.shared.settings)?;
        state.counts.admitted += 1;
        drop(state);
        Ok(Admission {
            shared: Arc::clone(&self.shared),
        })
    }

    /// Appends a record, if less than the queue limit waits. Never waits itself.
    pub(crate) fn append(&self, line: &Prepared, urgency: Urgency) -> Result<Ticket, Rejected> {
        let mut state = self.shared.lock();
        state.let_in(&self.shared.settings)?;
        self.push(state, line, urgency)
    }

    /// Appends a further record of admitted work: refused like a new one when the queue is full,
    /// but taken while a shutdown waits for that work.
    pub(crate) fn append_further(
        &self,
        line: &Prepared,
        urgency: Urgency,
    ) -> Result<Ticket, Rejected> {
        let mut state = self.shared.lock();
        if state.stop.is_some() {
            state.counts.rejected_closed += 1;
            return Err(Rejected::Closed);
        }
        state.room(&self.shared.settings)?;
        self.push(state, line, urgency)
    }

    /// Appends the record of admitted work: past the queue limit, up to the memory limit; beyond
    /// that the record is lost and counted.
    pub(crate) fn append_admitted(
        &self,
        line: &Prepared,
        urgency: Urgency,
        now: Timestamp,
    ) -> Result<Ticket, Rejected> {
        self.append_within(self.shared.settings.memory_limit, line, urgency, now)
    }

    /// Appends a record of the trail about itself, as [`append_admitted`](Self::append_admitted)
    /// does, with some room beyond the memory limit: memory is full just when there is something
    /// to write down.
    pub(crate) fn append_own(
        &self,
        line: &Prepared,
        urgency: Urgency,
        now: Timestamp,
    ) -> Result<Ticket, Rejected> {
        let limit = self.shared.settings.memory_limit + OWN_ROOM;
        self.append_within(limit, line, urgency, now)
    }

    fn append_within(
        &self,
        limit: usize,
        line: &Prepared,
        urgency: Urgency,
        now: Timestamp,
    ) -> Result<Ticket, Rejected> {
        let mut state = self.shared.lock();
        if state.stop.is_some() {
            state.counts.rejected_closed += 1;
            return Err(Rejected::Closed);
        }
        if state.waiting() + line.len() > limit {
            state.lose(now);
            return Err(Rejected::Lost);
        }
        self.push(state, line, urgency)
    }

    /// Appends an intent: what is about to happen, to be settled by a record that closes it.
    pub(crate) fn open(
        &self,
        id: Uuid,
        json: Box<serde_json::value::RawValue>,
    ) -> Result<Ticket, Rejected> {
        let mut line = Vec::with_capacity(json.get().len() + 128);
        let leaf = crate::evidence::leaf_hash(json.get().as_bytes());
        Control::Open(Intent { id, record: json }).write(&mut line);
        let mut state = self.shared.lock();
        let settings = &self.shared.settings;
        state.let_in(settings)?;
        // Each new segment repeats what is open, so that is bounded like what waits.
        let crowded = state.open.len() >= settings.max_open_intents.min(MOST_OPEN)
            || state.open_bytes + line.len() > settings.queue_limit;
        if crowded {
            state.counts.rejected_full += 1;
            return Err(Rejected::Full);
        }
        state.open_bytes += line.len();
        state.open.insert(id, line.len());
        state.front.bytes.extend_from_slice(&line);
        state.front.opened.push((id, line.into()));
        let fate = self.wake_writer(&mut state, Urgency::Durable);
        Ok(Ticket {
            number: None,
            leaf,
            fate,
            inbox: self.clone(),
        })
    }

    fn push(
        &self,
        mut guard: MutexGuard<'_, State>,
        line: &Prepared,
        urgency: Urgency,
    ) -> Result<Ticket, Rejected> {
        let state = &mut *guard;
        let number = state.next;
        state.next += 1;
        // Invariant: a line settles only an intent that is open where it stands. Recovery tells a
        // damaged id by it.
        let settled = line
            .closes
            .and_then(|id| Some((id, state.open.remove(&id)?)));
        if let Some((id, bytes)) = settled {
            state.open_bytes -= bytes;
            state.front.closed.push(id);
            line.write(number, &mut state.front.bytes);
        } else {
            line.write_plain(number, &mut state.front.bytes);
        }
        state.front.leaves.push(line.leaf);
        state.counts.emitted += 1;
        let fate = self.wake_writer(state, urgency);
        drop(guard);
        Ok(Ticket {
            number: Some(number),
            leaf: line.leaf,
            fate,
            inbox: self.clone(),
        })
    }

    /// Tells the writer what it must know, and wakes it only when that changes what it does.
    fn wake_writer(&self, state: &mut State, urgency: Urgency) -> Arc<Fate> {
        let first = state.front_since.is_none();
        if first {
            state.front_since = Some(Instant::now());
        }
        let newly_urgent = urgency == Urgency::Durable && !state.urgent;
        state.urgent |= newly_urgent;
        let full = state.front.bytes.len() >= self.shared.settings.group_bytes;
        if state.writer_waits && (first || newly_urgent || full) {
            state.writer_waits = false;
            self.shared.work.notify_one();
        }
        Arc::clone(&state.front.fate)
    }

    /// From now on only admitted work may append.
    pub(crate) fn close(&self) {
        self.shared.lock().closed = true;
        // The writer may be in a pause that is too long now.
        self.shared.work.notify_all();
    }

    /// Asks for a sync of everything appended so far; `None` when it is durable already.
    pub(crate) fn flush(&self) -> Option<Committed> {
        let mut state = self.shared.lock();
        let fate = if state.front.is_empty() {
            Arc::clone(&state.in_flight.as_ref()?.fate)
        } else {
            self.wake_writer(&mut state, Urgency::Durable)
        };
        drop(state);
        Some(Committed::new(fate, self.clone()))
    }

    /// A receiver of the durable mark: the numbers below it are on stable storage.
    pub(crate) fn mark(&self) -> watch::Receiver<u64> {
        self.shared.mark.subscribe()
    }

    pub(crate) fn counts(&self) -> Counts {
        let state = self.shared.lock();
        let flying = state.in_flight.as_ref().map_or(0, |group| group.records);
        Counts {
            queued: state.front.leaves.len() as u64 + flying,
            open_intents: state.open.len() as u64,
            waiting_bytes: state.waiting() as u64,
            ..state.counts
        }
    }

    /// Panics that the writer survived.
    pub(crate) fn writer_panics(&self) -> u64 {
        self.shared.writer_panics.load(Ordering::Relaxed)
    }

    /// Counts time-outs, marks the trail failing and lets the waiters go, when the oldest line that
    /// waits has done so for longer than the commit time-out. Called by the trail's watch.
    pub(crate) fn expire(&self, now: Timestamp) {
        let timeout = self.shared.settings.commit_timeout;
        let mut state = self.shared.lock();
        let Some(late) = state.oldest(&self.shared.settings) else {
            return;
        };
        if state.failing.is_none() {
            state.counts.timeouts += 1;
        }
        late.time_out();
        // Those in the group behind it wait for the same disk; they find the trail failing.
        let cause = format!("no write and sync returned within {timeout:?}");
        self.shared.fail(state, now, &cause);
    }

    /// How often [`expire`](Self::expire) should be called so that nobody waits much longer than
    /// the time-out.
    pub(crate) fn expiry_interval(&self) -> Duration {
        (self.shared.settings.commit_timeout / 8).max(Duration::from_millis(1))
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.counts.admitted -= 1;
        let idle = state.closed && state.counts.admitted == 0;
        drop(state);
        if idle {
            // A shutdown may wait for the last admitted work.
            self.shared.idle.notify_all();
        }
    }
}
