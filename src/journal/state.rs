//! What callers and the writer share, under one lock: what waits, what is open, what is counted.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use tokio::sync::watch;
use uuid::Uuid;

use crate::{clock::Timestamp, evidence::TreeHead};

use super::{
    Rejected, Settings,
    event::{Events, TrailEvent},
    group::{Fate, Group},
    recovery::Recovered,
};

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
    pub(super) next: u64,
    /// The intents that were opened and not settled, synced or not, with the bytes of their lines.
    pub(super) open: HashMap<Uuid, usize>,
    pub(super) open_bytes: usize,
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
    pub(crate) fn new(settings: Settings, first: FirstGroup, events: Events) -> Arc<Self> {
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
        Arc::new(Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            idle: Condvar::new(),
            settings,
            failing: AtomicBool::new(false),
            mark: watch::Sender::new(first.durable),
            events,
            writer_panics: AtomicU64::new(0),
        })
    }

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
        let failing = state.failing.take()?;
        // Whoever waited until now was let go; for the rest the time begins anew.
        state.front_since = state.front_since.map(|_| Instant::now());
        Some(failing)
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
    pub(super) fn let_in(&mut self, settings: &Settings) -> Result<(), Rejected> {
        if self.closed {
            self.counts.rejected_closed += 1;
            return Err(Rejected::Closed);
        }
        self.room(settings)
    }

    pub(super) fn room(&mut self, settings: &Settings) -> Result<(), Rejected> {
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

    pub(super) fn lose(&mut self, now: Timestamp) {
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
    pub(super) fn oldest(&self, settings: &Settings) -> Option<Arc<Fate>> {
        let timeout = settings.commit_timeout;
        if let Some(flight) = &self.in_flight {
            return (flight.since.elapsed() >= timeout).then(|| Arc::clone(&flight.fate));
        }
        // Nobody took it: the writer hangs elsewhere, such as where it takes the reserve again.
        let late = self.front_since?.elapsed() >= timeout.saturating_add(settings.buffered_delay);
        late.then(|| Arc::clone(&self.front.fate))
    }
}
