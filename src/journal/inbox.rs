//! The front door of the journal: admit, append, wait. The only part that capture sees.
//!
//! A caller brings a line that it serialised and hashed itself. Under the one lock stands only what
//! must be in order: giving the number, copying the bytes, counting. The writer takes the whole
//! buffer at once, so a slow disk makes groups larger, not the lock slower.

use std::{
    collections::HashSet,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::watch;
use uuid::Uuid;

use crate::{clock::Timestamp, evidence::TreeHead};

use super::{
    Rejected, Settings,
    event::Events,
    group::{Committed, Fate, Group, Ticket},
    line::{Control, Intent, Prepared},
};

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

/// What the trail counts, in one consistent look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Records handed over and not rejected. `emitted = stored + queued + lost`.
    pub(crate) emitted: u64,
    pub(crate) stored: u64,
    pub(crate) queued: u64,
    pub(crate) lost: u64,
    pub(crate) rejected_full: u64,
    pub(crate) rejected_closed: u64,
    /// Work that was admitted and has not ended.
    pub(crate) admitted: u64,
    pub(crate) open_intents: u64,
    pub(crate) waiting_bytes: u64,
    pub(crate) commits: u64,
    pub(crate) failures: u64,
    pub(crate) timeouts: u64,
}

/// Why and since when nothing can be made durable.
#[derive(Debug, Clone)]
pub(crate) struct Failing {
    pub(crate) since: Timestamp,
    pub(crate) cause: String,
    /// The losses counted before it began.
    pub(crate) lost_before: u64,
}

/// Lines lost for want of memory, not yet written down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Losses {
    pub(crate) count: u64,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) front: Group,
    /// An emptied group whose memory the next front uses.
    pub(crate) spare: Option<Group>,
    next: u64,
    /// Ids of the intents that were opened and not settled, whether synced or not.
    open: HashSet<Uuid>,
    pub(crate) urgent: bool,
    pub(crate) front_since: Option<Instant>,
    pub(crate) in_flight: Option<InFlight>,
    pub(crate) failing: Option<Failing>,
    pub(crate) losses: Option<Losses>,
    pub(crate) closed: bool,
    pub(crate) stop: Option<Stop>,
    pub(crate) writer_waits: bool,
    pub(crate) writer_ended: bool,
    pub(crate) counts: Counts,
}

/// The group that the writer has in hand.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) since: Instant,
    pub(crate) bytes: usize,
    pub(crate) records: u64,
    pub(crate) fate: Arc<Fate>,
}

impl InFlight {
    pub(crate) fn new(group: &Group, records: u64) -> Self {
        Self {
            since: Instant::now(),
            bytes: group.bytes.len(),
            records,
            fate: Arc::clone(&group.fate),
        }
    }
}

/// The writer was asked to end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stop {
    /// When it may give up what still cannot be written.
    pub(crate) give_up: Instant,
}

#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Wakes the writer, and nobody else: it is notified for one.
    pub(crate) work: Condvar,
    /// Wakes those who close the trail.
    pub(crate) idle: Condvar,
    pub(crate) settings: Settings,
    failing: AtomicBool,
    /// Numbers below it are durable.
    pub(crate) mark: watch::Sender<u64>,
    pub(crate) events: Events,
    pub(crate) writer_panics: AtomicU64,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nobody waits for a sync, until one holds.
    pub(crate) fn set_failing(&self, state: &mut State, since: Timestamp, cause: &str) {
        if state.failing.is_none() {
            tracing::error!(target: "tower_audit", cause, "the audit trail cannot be written; records wait in memory");
            state.failing = Some(Failing {
                since,
                cause: cause.to_owned(),
                lost_before: state.counts.lost,
            });
        }
        self.failing.store(true, Ordering::Release);
    }

    pub(crate) fn clear_failing(&self, state: &mut State) -> Option<Failing> {
        self.failing.store(false, Ordering::Release);
        state.failing.take()
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Acquire)
    }

    /// Lets everybody go who still waits.
    pub(crate) fn wake_all(&self) {
        let state = self.lock();
        let front = Arc::clone(&state.front.fate);
        let flying = state
            .in_flight
            .as_ref()
            .map(|flight| Arc::clone(&flight.fate));
        drop(state);
        front.wake();
        if let Some(flying) = flying {
            flying.wake();
        }
    }
}

impl Inbox {
    pub(crate) fn new(
        settings: Settings,
        first: FirstGroup,
        events: Events,
    ) -> (Self, Arc<Shared>) {
        let state = State {
            front: Group::default(),
            spare: None,
            next: first.next,
            open: first.open.into_iter().collect(),
            urgent: false,
            front_since: None,
            in_flight: Some(first.in_flight),
            failing: None,
            losses: None,
            closed: false,
            stop: None,
            writer_waits: false,
            writer_ended: false,
            counts: Counts::default(),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            work: Condvar::new(),
            idle: Condvar::new(),
            settings,
            failing: AtomicBool::new(false),
            mark: watch::Sender::new(first.durable),
            events,
            writer_panics: AtomicU64::new(0),
        });
        (
            Self {
                shared: Arc::clone(&shared),
            },
            shared,
        )
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

    /// Appends the record of admitted work, or one of the trail's own: past the queue limit, up to
    /// the memory limit; beyond that the record is lost and counted.
    pub(crate) fn append_admitted(
        &self,
        line: &Prepared,
        urgency: Urgency,
        now: Timestamp,
    ) -> Result<Ticket, Rejected> {
        let mut state = self.shared.lock();
        if state.stop.is_some() {
            state.counts.rejected_closed += 1;
            return Err(Rejected::Closed);
        }
        if state.waiting() + line.len() > self.shared.settings.memory_limit {
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
        state.let_in(&self.shared.settings)?;
        if state.open.len() >= self.shared.settings.max_open_intents {
            state.counts.rejected_full += 1;
            return Err(Rejected::Full);
        }
        state.open.insert(id);
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
        line.write(number, &mut state.front.bytes);
        state.front.leaves.push(line.leaf);
        if let Some(id) = line.closes {
            state.open.remove(&id);
            state.front.closed.push(id);
        }
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

    /// Counts time-outs, marks the trail failing and lets the waiters go, when a group has been in
    /// flight for longer than the commit time-out. Called by the trail's watch.
    pub(crate) fn expire(&self, now: Timestamp) {
        let timeout = self.shared.settings.commit_timeout;
        let mut state = self.shared.lock();
        let late = state
            .in_flight
            .as_ref()
            .filter(|flight| flight.since.elapsed() >= timeout);
        let Some(late) = late.map(|flight| Arc::clone(&flight.fate)) else {
            return;
        };
        if state.failing.is_none() {
            state.counts.timeouts += 1;
            self.shared.set_failing(
                &mut state,
                now,
                &format!("no write and sync returned within {timeout:?}"),
            );
        }
        drop(state);
        late.time_out();
        // Those in the group behind it wait for the same disk; they find the trail failing.
        self.shared.wake_all();
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

/// What a recovered trail begins with.
#[derive(Debug)]
pub(crate) struct FirstGroup {
    /// The next number to give.
    pub(crate) next: u64,
    /// Numbers below it are durable already.
    pub(crate) durable: u64,
    pub(crate) open: Vec<Uuid>,
    /// The lines that were carried over; no records of this run.
    pub(crate) in_flight: InFlight,
}

impl State {
    fn let_in(&mut self, settings: &Settings) -> Result<(), Rejected> {
        if self.closed {
            self.counts.rejected_closed += 1;
            return Err(Rejected::Closed);
        }
        if self.waiting() >= settings.queue_limit {
            self.counts.rejected_full += 1;
            return Err(Rejected::Full);
        }
        Ok(())
    }

    /// Bytes that are not durable yet.
    pub(crate) fn waiting(&self) -> usize {
        self.front.bytes.len() + self.in_flight.as_ref().map_or(0, |flight| flight.bytes)
    }

    fn lose(&mut self, now: Timestamp) {
        self.counts.emitted += 1;
        self.counts.lost += 1;
        let losses = self.losses.get_or_insert(Losses {
            count: 0,
            first: now,
            last: now,
        });
        losses.count += 1;
        losses.last = now;
    }

    /// Hands the front group to the writer and puts an empty one in its place.
    pub(crate) fn take_front(&mut self) -> Group {
        let group = std::mem::replace(&mut self.front, self.spare.take().unwrap_or_default());
        self.urgent = false;
        self.front_since = None;
        self.in_flight = Some(InFlight::new(&group, group.leaves.len() as u64));
        group
    }

    /// The group in flight is durable.
    pub(crate) fn landed(&mut self, head: TreeHead) {
        if let Some(flight) = self.in_flight.take() {
            self.counts.stored += flight.records;
        }
        self.counts.commits += 1;
        debug_assert!(
            head.size <= self.next,
            "the tree grows only by what was numbered"
        );
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
