//! The front door of the journal: admit, append, wait. The only part that capture sees.
//!
//! A caller brings a line that it serialised and hashed itself. Under the one lock stands only what
//! must be in order: giving the number, copying the bytes, counting. The writer takes the whole
//! buffer at once, so a slow disk makes groups larger, not the lock slower.

use std::{
    collections::HashMap,
    fmt,
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
    event::{Events, TrailEvent},
    group::{Committed, Fate, Group, Ticket},
    line::{Control, Intent, MAX_LINE, Prepared},
    recovery::Recovered,
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
    /// The intents that were opened and not settled, synced or not, with the bytes of their lines.
    open: HashMap<Uuid, usize>,
    open_bytes: usize,
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
    /// `since`: when the first line of the group was appended.
    pub(crate) fn new(group: &Group, records: u64, since: Instant) -> Self {
        Self {
            since,
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
    events: Events,
    pub(crate) writer_panics: AtomicU64,
}

impl fmt::Debug for Shared {
    /// Never what waits: it is records, and reading it would take the one lock.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nobody waits for a sync, until one holds. Lets everybody go who waits now.
    ///
    /// Logs only with the lock released: a subscriber may block, or record something itself.
    pub(crate) fn fail(&self, mut state: MutexGuard<'_, State>, since: Timestamp, cause: &str) {
        let is_news = state.failing.is_none();
        if is_news {
            state.failing = Some(Failing {
                since,
                cause: cause.to_owned(),
            });
        }
        self.failing.store(true, Ordering::Release);
        drop(state);
        self.wake_all();
        if is_news {
            tracing::error!(target: "tower_audit", cause, "the audit trail cannot be written; records wait in memory");
        }
    }

    pub(crate) fn clear_failing(&self, state: &mut State) -> Option<Failing> {
        self.failing.store(false, Ordering::Release);
        state.failing.take()
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Acquire)
    }

    /// Hands an event over; who takes it must not take the writer down.
    pub(crate) fn tell(&self, event: TrailEvent) {
        let send = || self.events.send(event);
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(send)).is_err() {
            self.writer_panics.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lets everybody go who still waits.
    fn wake_all(&self) {
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
        let open: HashMap<_, _> = first.open.into_iter().collect();
        let state = State {
            front: Group::default(),
            spare: None,
            next: first.next,
            open_bytes: open.values().sum(),
            open,
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

/// What a recovered trail begins with.
#[derive(Debug)]
pub(crate) struct FirstGroup {
    /// The next number to give.
    pub(crate) next: u64,
    /// Numbers below it are durable already.
    pub(crate) durable: u64,
    /// Intents that nobody settled, with the bytes of their lines.
    pub(crate) open: Vec<(Uuid, usize)>,
    /// The lines that were carried over; no records of this run.
    pub(crate) in_flight: InFlight,
}

impl FirstGroup {
    pub(crate) fn of(recovered: &Recovered) -> Self {
        let open = recovered.still_open();
        Self {
            next: recovered.next(),
            durable: recovered.tree.size(),
            open: open.iter().map(|(id, line)| (*id, line.len())).collect(),
            in_flight: InFlight::new(&recovered.carry, 0, Instant::now()),
        }
    }

    /// Of a new trail: its first segment is made before anybody appends.
    pub(crate) fn empty(group: &Group) -> Self {
        Self {
            next: 0,
            durable: 0,
            open: Vec::new(),
            in_flight: InFlight::new(group, 0, Instant::now()),
        }
    }
}

impl State {
    fn let_in(&mut self, settings: &Settings) -> Result<(), Rejected> {
        if self.closed {
            self.counts.rejected_closed += 1;
            return Err(Rejected::Closed);
        }
        self.room(settings)
    }

    fn room(&mut self, settings: &Settings) -> Result<(), Rejected> {
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
        // From when the first of them was appended: they wait for the group before, too.
        let since = self.front_since.take().unwrap_or_else(Instant::now);
        self.in_flight = Some(InFlight::new(&group, group.leaves.len() as u64, since));
        group
    }

    /// The group in flight is durable. Returns how many records of this run it had.
    pub(crate) fn landed(&mut self, head: TreeHead) -> u64 {
        let records = self.in_flight.take().map_or(0, |flight| flight.records);
        self.counts.stored += records;
        self.counts.commits += 1;
        debug_assert!(
            head.size <= self.next,
            "the tree grows only by what was numbered"
        );
        records
    }

    /// The oldest group that waits, if it has waited for longer than anybody should.
    fn oldest(&self, settings: &Settings) -> Option<Arc<Fate>> {
        let timeout = settings.commit_timeout;
        if let Some(flight) = &self.in_flight {
            return (flight.since.elapsed() >= timeout).then(|| Arc::clone(&flight.fate));
        }
        // Nobody took it: the writer hangs elsewhere, such as where it takes the reserve again.
        let late = self.front_since?.elapsed() >= timeout.saturating_add(settings.buffered_delay);
        late.then(|| Arc::clone(&self.front.fate))
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
