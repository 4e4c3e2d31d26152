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
mod hand;
mod inbox;
pub(crate) mod line;
mod opening;
mod pace;
pub(crate) mod prune;
mod reader;
mod receipt;
mod recovery;
mod reserve;
pub(crate) mod segment;
mod state;
pub(crate) mod trails;
mod watch;
mod writer;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{JoinHandle, ThreadId},
    time::{Duration, Instant},
};

use crate::{clock::Clock, disk::SharedDisk, record::Origin};

pub(crate) use error::OpenError;
pub use error::{CommitError, Rejected};
pub(crate) use event::{Events, Outage, TrailEvent};
pub(crate) use group::{Committed, Ticket, block_on};
use hand::Hand;
pub(crate) use inbox::{Admission, Inbox, Urgency};
pub(crate) use line::Prepared;
pub(crate) use opening::{Base, Before, Left, Opened, Settled, newest_segment};
use pace::Pace;
pub(crate) use prune::{Keep, Plan, SegmentInfo};
#[cfg(feature = "_sql")]
pub(crate) use reader::Entry;
pub(crate) use reader::{Gap, GapKind, Most, Reader};
pub use receipt::Receipt;
pub(crate) use receipt::Receiving;
pub(crate) use recovery::{Recovered, Torn};
use reserve::Reserve;
pub(crate) use state::Counts;
use state::{FirstGroup, Shared, State, Stop};
use trails::Held;
use watch::{Watch, WatchEnds};
use writer::{Next, Writer};

/// The limits and times of one trail.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// A segment that would grow past this many bytes is followed by a new one. Its header, and
    /// the open intents that it repeats, do not count.
    pub(crate) segment_bytes: u64,
    /// A group of this many bytes is written without waiting for more.
    pub(crate) group_bytes: usize,
    /// How long a `Buffered` record waits for company.
    pub(crate) buffered_delay: Duration,
    /// Bytes that may wait before new work is turned away.
    pub(crate) queue_limit: usize,
    /// Bytes that may wait before even admitted work is lost.
    pub(crate) memory_limit: usize,
    /// Intents that may be open at a time; their lines together also stay below
    /// [`queue_limit`](Self::queue_limit).
    pub(crate) max_open_intents: usize,
    /// How long anybody waits for a sync.
    pub(crate) commit_timeout: Duration,
    /// Space kept for the day the volume is full, in bytes.
    pub(crate) reserve_bytes: u64,
    /// How often space that was given back is asked for again.
    pub(crate) reserve_pause: Duration,
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
            reserve_pause: Duration::from_secs(30),
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
    clock: Arc<dyn Clock>,
    watch: Arc<Watch>,
    threads: Mutex<Threads>,
    /// The threads that a waker of somebody else may run on.
    own_threads: Vec<ThreadId>,
}

#[derive(Debug, Default)]
struct Threads {
    writer: Option<JoinHandle<Next>>,
    watch: Option<JoinHandle<()>>,
}

/// How a trail was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// Everything is durable. The end is marked too, unless the disk failed just then.
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
        let reserve = Reserve::take(
            &*disk,
            &held.dir,
            settings.reserve_bytes,
            settings.reserve_pause,
        );
        let first = recovered.as_ref().map(FirstGroup::of);
        let (tree, open, carry) =
            recovered.map_or_else(Default::default, |from| (from.tree, from.open, from.carry));
        let first = first.unwrap_or_else(|| FirstGroup::empty(&carry));
        let recovered = first.next;
        let shared = Shared::new(settings, first, events);
        let inbox = Inbox::new(Arc::clone(&shared));
        let writer = Writer {
            hand: Some(Hand::new(carry, &tree)),
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
        let mut journal = Self {
            origin,
            recovered,
            held,
            inbox,
            shared,
            clock,
            watch: Arc::default(),
            threads: Mutex::default(),
            own_threads: Vec::new(),
        };
        // From here on an error drops the journal, which ends the threads that run by then.
        journal.spawn(writer)?;
        tracing::debug!(target: "tower_audit", trail = %journal.origin.trail, "audit trail opened");
        Ok(journal)
    }

    fn spawn(&mut self, writer: Writer) -> Result<(), OpenError> {
        let watch = Arc::clone(&self.watch);
        let writer = spawn("audit-writer", &self.held, move || {
            let _ended = WatchEnds(watch);
            writer.run()
        })?;
        self.own_threads.push(writer.thread().id());
        let threads = self.threads.get_mut();
        let threads = threads.unwrap_or_else(PoisonError::into_inner);
        threads.writer = Some(writer);
        let (watch, inbox, clock) = (
            Arc::clone(&self.watch),
            self.inbox.clone(),
            Arc::clone(&self.clock),
        );
        let watch = spawn("audit-watch", &self.held, move || {
            watch.run(&inbox, &*clock);
        })?;
        self.own_threads.push(watch.thread().id());
        threads.watch = Some(watch);
        Ok(())
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
        let watch = self.threads().watch.take();
        // Trap J14: the last handle may be dropped by a waker that runs on that thread.
        if let Some(thread) = watch.filter(|_| !self.is_own_thread()) {
            let _ = thread.join();
        }
        closed
    }

    /// Whether this is a thread of the trail itself, which must not wait for it.
    pub(crate) fn is_own_thread(&self) -> bool {
        self.own_threads.contains(&std::thread::current().id())
    }

    fn threads(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
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
        // The lock is not held while waiting: the writer may be just about to close the trail.
        let writer = self.threads().writer.take();
        let Some(writer) = writer else {
            return self.closed_before();
        };
        if self.is_own_thread() {
            return Closed::GaveUp;
        }
        if !self.wait_until(deadline, |state| state.writer_ended) {
            // It hangs in a system call; the thread is left behind, and nobody waits for it.
            let now = self.clock.now();
            let cause = "the trail was shut down while the disk did not answer";
            self.shared.fail(self.shared.lock(), now, cause);
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
        self.shared.lock().stop.get_or_insert_with(|| Stop {
            give_up: Instant::now() + DROP_LIMIT,
        });
        self.shared.work.notify_all();
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
