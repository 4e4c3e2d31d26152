//! A group of records that one sync makes durable, and those who wait for it.

use std::{
    fmt,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
};

use uuid::Uuid;

use crate::evidence::{Hash, TreeHead};

use super::{CommitError, inbox::Inbox};

/// Lines on their way to the disk, in order.
#[derive(Default)]
pub(crate) struct Group {
    pub(crate) bytes: Vec<u8>,
    /// The leaves of the record lines.
    pub(crate) leaves: Vec<Hash>,
    /// Intents opened here, with their whole lines: a new segment repeats those still open.
    pub(crate) opened: Vec<(Uuid, Arc<[u8]>)>,
    /// Intents settled here. An intent is opened before it is settled, so opens apply first.
    pub(crate) closed: Vec<Uuid>,
    pub(crate) fate: Arc<Fate>,
}

impl fmt::Debug for Group {
    /// Never the lines: they are records.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("bytes", &self.bytes.len())
            .field("records", &self.leaves.len())
            .finish_non_exhaustive()
    }
}

impl Group {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Empties the group but keeps its memory, up to a bound, for the next one.
    pub(crate) fn recycle(mut self) -> Self {
        const KEEP: usize = 4 * 1024 * 1024;
        self.bytes.clear();
        self.bytes.shrink_to(KEEP);
        self.leaves.clear();
        self.leaves.shrink_to(KEEP / 256);
        self.opened.clear();
        self.closed.clear();
        self.fate = Arc::default();
        self
    }
}

/// What became of a group; shared with those who wait for it.
#[derive(Debug, Default)]
pub(crate) struct Fate {
    committed: OnceLock<TreeHead>,
    timed_out: AtomicBool,
    waiters: Mutex<Waiters>,
}

#[derive(Debug, Default)]
struct Waiters {
    wakers: Vec<Waker>,
    /// Counts how often the list was emptied: a slot of an earlier round is somebody else's.
    round: u64,
}

/// Where a waker stands: the round and the index in it.
type Slot = (u64, usize);

impl Waiters {
    /// Puts a waker into its slot, or into a new one.
    fn register(&mut self, slot: Option<Slot>, waker: &Waker) -> Slot {
        let own = slot.filter(|(round, _)| *round == self.round);
        if let Some((slot, kept)) = own.and_then(|slot| Some((slot, self.wakers.get_mut(slot.1)?)))
        {
            kept.clone_from(waker);
            return slot;
        }
        self.wakers.push(waker.clone());
        (self.round, self.wakers.len() - 1)
    }

    fn take(&mut self) -> Vec<Waker> {
        self.round += 1;
        std::mem::take(&mut self.wakers)
    }
}

impl Fate {
    /// Says that the group is durable, and wakes everybody. Returns how many wakers panicked.
    pub(crate) fn commit(&self, head: TreeHead) -> u32 {
        let _ = self.committed.set(head);
        self.wake()
    }

    pub(crate) fn time_out(&self) {
        self.timed_out.store(true, Ordering::Release);
    }

    /// Wakes everybody, outside of any lock. Returns how many wakers panicked.
    pub(crate) fn wake(&self) -> u32 {
        let wakers = self
            .waiters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let mut panicked = 0;
        for waiter in wakers {
            // Trap J14: a foreign waker must not take the writer down.
            let woken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| waiter.wake()));
            panicked += u32::from(woken.is_err());
        }
        panicked
    }
}

/// A line that was appended: its place, and the way to wait for its sync.
///
/// Dropping it takes nothing back.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    /// The leaf index; `None` for an intent.
    pub(crate) number: Option<u64>,
    pub(crate) leaf: Hash,
    pub(super) fate: Arc<Fate>,
    pub(super) inbox: Inbox,
}

impl Ticket {
    /// Returns when the group is durable, or when the trail is failing.
    pub(crate) fn committed(self) -> Committed {
        Committed::new(self.fate, self.inbox)
    }
}

/// Waits for one group.
#[derive(Debug)]
pub(crate) struct Committed {
    fate: Arc<Fate>,
    inbox: Inbox,
    /// Where our waker stands in the list, so that a second poll replaces it.
    slot: Option<Slot>,
}

impl Committed {
    pub(super) const fn new(fate: Arc<Fate>, inbox: Inbox) -> Self {
        Self {
            fate,
            inbox,
            slot: None,
        }
    }

    fn outcome(&self) -> Option<Result<TreeHead, CommitError>> {
        if let Some(head) = self.fate.committed.get() {
            return Some(Ok(*head));
        }
        if self.fate.timed_out.load(Ordering::Acquire) {
            let after = self.inbox.settings().commit_timeout;
            return Some(Err(CommitError::TimedOut { after }));
        }
        self.inbox
            .failing()
            .map(|cause| Err(CommitError::Failing { cause }))
    }
}

impl Future for Committed {
    type Output = Result<TreeHead, CommitError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(outcome) = self.outcome() {
            return Poll::Ready(outcome);
        }
        let slot = {
            let mut waiters = self
                .fate
                .waiters
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            waiters.register(self.slot, cx.waker())
        };
        self.slot = Some(slot);
        // The fate may have been sealed between the first look and the registration.
        self.outcome().map_or(Poll::Pending, Poll::Ready)
    }
}

/// Runs a future on a thread that may block. Needs no runtime.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        std::thread::park();
    }
}
