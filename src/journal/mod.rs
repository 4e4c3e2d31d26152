//! The journal: the trail on disk, which is the queue, the file and the evidence in one.
//!
//! # What is promised
//!
//! - A record whose [`Ticket`] resolved to a tree head is on stable storage and survives the
//!   process, the kernel and the power, as far as the disk keeps what it acknowledged.
//! - Numbers are given without gaps, in the order of appending, and never again to another record
//!   that was durable.
//! - A file that another run wrote is never appended to, cut or renamed. Nothing is ever silently
//!   dropped: what does not fit is refused to its caller, or counted as lost and written down.
//!
//! # What is lost in which failure
//!
//! - `kill -9`, power: lines whose sync had not returned. Nobody was told that they were durable.
//! - A disk that fails: nothing, as long as the process lives and memory lasts; then what did not
//!   fit, counted.
//!
//! The format of the files is in `docs/journal-format.md`.

mod error;
mod event;
mod group;
mod inbox;
pub(crate) mod line;
mod opening;
pub(crate) mod prune;
mod reader;
mod recovery;
mod reserve;
pub(crate) mod segment;
pub(crate) mod trails;
mod writer;

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::{clock::Clock, disk::SharedDisk, record::Origin};

pub use error::{CommitError, Rejected};
pub(crate) use error::{Damage, OpenError};
pub(crate) use event::{Events, Outage, TrailEvent};
pub(crate) use group::{Committed, Ticket, block_on};
pub(crate) use inbox::{Admission, Counts, Inbox, Urgency};
use inbox::{FirstGroup, InFlight, Shared, State, Stop};
pub(crate) use line::Prepared;
pub(crate) use opening::{Base, Before, Left, Opened, Settled, newest_segment};
pub(crate) use prune::{Keep, Plan, SegmentInfo};
pub(crate) use reader::{Chunk, Entry, Gap, GapKind, Most, Reader};
pub(crate) use recovery::{Recovered, Torn, recover};
use trails::Held;
use writer::{Hand, Next, Pace, Writer};

/// The limits and times of one trail.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// A segment that would grow past this many bytes is followed by a new one.
    pub(crate) segment_bytes: u64,
    /// A group of this many bytes is written without waiting for more.
    pub(crate) group_bytes: usize,
    /// How long a `Buffered` record waits for company.
    pub(crate) buffered_delay: Duration,
    /// Bytes that may wait before new work is turned away.
    pub(crate) queue_limit: usize,
    /// Bytes that may wait before even admitted work is lost.
    pub(crate) memory_limit: usize,
    /// Intents that may be open at a time.
    pub(crate) max_open_intents: usize,
    /// How long anybody waits for a sync.
    pub(crate) commit_timeout: Duration,
    /// Space kept for the day the volume is full, in bytes.
    pub(crate) reserve_bytes: u64,
    /// The pause after a second failed attempt; it doubles up to [`retry_max`](Self::retry_max).
    pub(crate) retry_min: Duration,
    pub(crate) retry_max: Duration,
}

/// How long the writer of a trail that was dropped without being closed goes on trying.
const DROP_LIMIT: Duration = Duration::from_secs(5);

impl Default for Settings {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            segment_bytes: 32 * MIB as u64,
            group_bytes: MIB,
            buffered_delay: Duration::from_millis(5),
            queue_limit: 16 * MIB,
            memory_limit: 64 * MIB,
            max_open_intents: 10_000,
            commit_timeout: Duration::from_secs(5),
            reserve_bytes: 4 * MIB as u64,
            retry_min: Duration::from_millis(50),
            retry_max: Duration::from_secs(5),
        }
    }
}

/// A trail that this process writes.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(crate) origin: Origin,
    /// The numbers below it were in the trail when it was opened.
    pub(crate) recovered: u64,
    held: Arc<Held>,
    inbox: Inbox,
    shared: Arc<Shared>,
    watch: Arc<Watch>,
    threads: Mutex<Threads>,
}

#[derive(Debug, Default)]
struct Threads {
    writer: Option<JoinHandle<Next>>,
    watch: Option<JoinHandle<()>>,
}

/// Ends the watch thread.
#[derive(Debug, Default)]
struct Watch {
    ended: Mutex<bool>,
    changed: Condvar,
}

/// How a trail was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// Everything is durable and the end is marked.
    InOrder,
    /// The time was up; what [`Counts::queued`] says is only in memory.
    GaveUp,
}

/// What a new trail or a recovered one begins with.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) disk: SharedDisk,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) origin: Origin,
    pub(crate) held: Held,
    /// What the trail held; `None` when it is new.
    pub(crate) recovered: Option<Recovered>,
    /// The highest generation of any file in it.
    pub(crate) generation: u64,
    pub(crate) events: Events,
}

impl Journal {
    /// Starts the writer of a trail. Its first act is a new segment with what was carried over, so
    /// an unwritable trail shows as failing, not as an error here.
    pub(crate) fn start(opening: Opening) -> Result<Self, OpenError> {
        let Opening {
            disk,
            clock,
            settings,
            origin,
            held,
            recovered,
            generation,
            events,
        } = opening;
        let held = Arc::new(held);
        let reserve = reserve::Reserve::take(&*disk, &held.dir, settings.reserve_bytes);
        let (tree, open, carry) =
            recovered.map_or_else(Default::default, |from| (from.tree, from.open, from.carry));
        let first = FirstGroup {
            in_flight: InFlight::new(&carry, 0),
            next: tree.size() + carry.leaves.len() as u64,
            durable: tree.size(),
            open: open
                .keys()
                .chain(carry.opened.iter().map(|(id, _)| id))
                .copied()
                .collect(),
        };
        let recovered = first.next;
        let (inbox, shared) = Inbox::new(settings, first, events);
        let writer = Writer {
            hand: Some(Hand::new(carry, &tree, clock.now())),
            disk,
            held: Arc::clone(&held),
            origin: origin.clone(),
            pace: Pace::start(&*clock),
            clock: Arc::clone(&clock),
            shared: Arc::clone(&shared),
            reserve,
            generation,
            tree,
            open,
            segment: None,
            trouble: None,
        };
        let watch = Arc::new(Watch::default());
        let threads = Threads {
            writer: Some(spawn("audit-writer", &held, move || writer.run())?),
            watch: Some(spawn("audit-watch", &held, {
                let (watch, inbox) = (Arc::clone(&watch), inbox.clone());
                move || watch.run(&inbox, &*clock)
            })?),
        };
        tracing::debug!(target: "tower_audit", trail = %origin.trail, "audit trail opened");
        Ok(Self {
            origin,
            recovered,
            held,
            inbox,
            shared,
            watch,
            threads: Mutex::new(threads),
        })
    }

    pub(crate) const fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    pub(crate) fn dir(&self) -> &std::path::Path {
        &self.held.dir
    }

    /// Refuses new work, and waits until `deadline` at most for what was admitted. Returns how much
    /// of that is still open.
    pub(crate) fn refuse(&self, deadline: Instant) -> u64 {
        self.inbox.close();
        self.wait_for_admitted(deadline);
        self.inbox.counts().admitted
    }

    /// Refuses new work, commits everything and marks the end.
    ///
    /// Blocks until `deadline` at most. Another call returns at once with the same answer as far
    /// as it is known.
    pub(crate) fn close(&self, deadline: Instant) -> Closed {
        self.refuse(deadline);
        let mut state = self.shared.lock();
        if state.stop.is_none() {
            state.stop = Some(Stop { give_up: deadline });
        }
        drop(state);
        self.shared.work.notify_all();
        let closed = self.join_writer(deadline);
        self.watch.end();
        let watch = self
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .watch
            .take();
        if let Some(thread) =
            watch.filter(|thread| thread.thread().id() != std::thread::current().id())
        {
            let _ = thread.join();
        }
        closed
    }

    /// Whether this is the thread that writes the trail, which must not wait for itself.
    pub(crate) fn is_writer_thread(&self) -> bool {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads
            .writer
            .as_ref()
            .is_some_and(|writer| writer.thread().id() == std::thread::current().id())
    }

    /// Gives the lock on, once the trail is closed.
    fn held(&self) -> Arc<Held> {
        Arc::clone(&self.held)
    }

    /// Waits until everything appended is durable and its events are sent, or until `deadline`.
    pub(crate) fn settle(&self, deadline: Instant) {
        // Nobody waits for this sync, but it is asked for: buffered records must not hold us up.
        drop(self.inbox.flush());
        let settled = |state: &State| state.waiting() == 0 || state.writer_ended;
        self.wait_until(deadline, settled);
    }

    fn wait_for_admitted(&self, deadline: Instant) {
        self.wait_until(deadline, |state| {
            state.counts.admitted == 0 || state.stop.is_some()
        });
    }

    /// Waits for what the writer or the end of admitted work changes; false when time is up.
    fn wait_until(&self, deadline: Instant, holds: impl Fn(&State) -> bool) -> bool {
        let mut state = self.shared.lock();
        while !holds(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let idle = &self.shared.idle;
            state = idle
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    fn join_writer(&self, deadline: Instant) -> Closed {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(writer) = threads.writer.take() else {
            return self.closed_before();
        };
        // Trap J14: the last handle may be dropped by a waker that runs on the writer itself.
        if writer.thread().id() == std::thread::current().id() {
            return Closed::GaveUp;
        }
        if !self.wait_until(deadline, |state| state.writer_ended) {
            // It is stuck in a system call; the thread is left behind and the operating system ends it.
            return Closed::GaveUp;
        }
        match writer.join() {
            Ok(Next::Ended) => Closed::InOrder,
            _ => Closed::GaveUp,
        }
    }

    fn closed_before(&self) -> Closed {
        let nothing_left = self.inbox.counts().queued == 0;
        if nothing_left {
            Closed::InOrder
        } else {
            Closed::GaveUp
        }
    }
}

impl Drop for Journal {
    /// Asks the writer to end without waiting for it; [`close`](Self::close) is the way to wait.
    fn drop(&mut self) {
        self.inbox.close();
        self.shared.lock().stop.get_or_insert(Stop {
            give_up: Instant::now() + DROP_LIMIT,
        });
        self.shared.work.notify_all();
        self.watch.end();
    }
}

impl Watch {
    /// Looks at regular times whether a group is overdue.
    fn run(&self, inbox: &Inbox, clock: &dyn Clock) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        while !*ended {
            let interval = inbox.expiry_interval();
            ended = self
                .changed
                .wait_timeout(ended, interval)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            if !*ended {
                inbox.expire(clock.now());
            }
        }
    }

    fn end(&self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    held: &Held,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, OpenError> {
    let thread = std::thread::Builder::new().name(name.into());
    thread
        .spawn(run)
        .map_err(OpenError::io("start a thread for", &held.dir))
}

#[cfg(test)]
mod tests;
