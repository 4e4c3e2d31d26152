//! The thread that looks after a trail: writes down what happened to it, adopts what dead processes
//! left, prunes, warns.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    time::{Duration, Instant},
};

use crate::{
    capture::Recorder,
    delivery::Supervisor,
    journal::{Base, Events, Journal, Keep, TrailEvent},
    stats::PruneStats,
};

use super::{about, adoption::Adoption, outbox::LeftOvers, upkeep::Upkeep};

/// How many of the journal's events may wait to be written down.
const EVENTS: usize = 1024;

/// How often folded records are looked for; those of a minute are due when it is over.
const FOLDED_EVERY: Duration = Duration::from_secs(1);

/// Something for the keeper to do.
#[derive(Debug)]
enum Duty {
    WriteDown(TrailEvent),
    Stop,
}

/// The other side of the keeper's thread.
#[derive(Debug)]
pub(super) struct KeeperHandle {
    duties: SyncSender<Duty>,
    shared: Arc<Shared>,
    stopped: AtomicBool,
}

/// What the keeper tells the handle.
#[derive(Debug, Default)]
pub(super) struct Shared {
    events_dropped: AtomicU64,
    /// Reasons for `Degraded` that no sink tells, by what they are about.
    concerns: Mutex<Vec<(&'static str, String)>>,
    ended: Mutex<bool>,
    ending: Condvar,
    prunes: Mutex<PruneStats>,
    /// Whether a store's hold may be about what lies in the journal.
    is_held: AtomicBool,
}

/// The queue between the journal and the keeper, made before either.
#[derive(Debug)]
pub(super) struct Duties {
    sender: SyncSender<Duty>,
    receiver: Receiver<Duty>,
    shared: Arc<Shared>,
}

/// How often the keeper does what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rhythm {
    /// Looks for trails that nobody holds.
    pub(super) adopt: Duration,
    /// Prunes, and looks at the room that is left.
    pub(super) tidy: Duration,
    /// Verifies the own trail.
    pub(super) verify: Duration,
}

/// What the keeper works with.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) base: Base,
    pub(super) journal: Arc<Journal>,
    pub(super) recorder: Recorder,
    pub(super) delivery: Arc<Supervisor>,
    pub(super) keep: Keep,
    pub(super) rhythm: Rhythm,
    /// Directories of trails that the start found broken and told of.
    pub(super) left: Vec<PathBuf>,
    pub(super) left_overs: LeftOvers,
}

impl Shared {
    /// Replaces all concerns about one subject.
    pub(super) fn concern(&self, subject: &'static str, reasons: impl IntoIterator<Item = String>) {
        let mut concerns = self.concerns.lock().unwrap_or_else(PoisonError::into_inner);
        concerns.retain(|(about, _)| *about != subject);
        concerns.extend(reasons.into_iter().map(|reason| (subject, reason)));
    }

    /// Says whether there are holds on the store of this trail, as far as is known.
    #[cfg_attr(
        not(feature = "_sql"),
        expect(dead_code, reason = "holds are in databases")
    )]
    pub(super) fn hold(&self, is_held: bool) {
        self.is_held.store(is_held, Ordering::Release);
    }

    /// Takes note of what became of a prune.
    #[cfg_attr(
        not(feature = "_sql"),
        expect(dead_code, reason = "only databases are pruned")
    )]
    pub(super) fn pruned(&self, note: impl FnOnce(&mut PruneStats)) {
        note(&mut self.prunes.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn is_held(&self) -> bool {
        self.is_held.load(Ordering::Acquire)
    }

    fn end(&self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ending.notify_all();
    }

    /// The keeper may be in the middle of a long read; it is not waited for beyond the deadline.
    fn wait_ended(&self, deadline: Instant) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        while !*ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            ended = self
                .ending
                .wait_timeout(ended, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl Duties {
    pub(super) fn new() -> Self {
        let (sender, receiver) = sync_channel(EVENTS);
        Self {
            sender,
            receiver,
            shared: Arc::default(),
        }
    }

    /// Where the journal sends its events: never waits; what does not fit is counted.
    pub(super) fn events(&self) -> Events {
        let (sender, shared) = (self.sender.clone(), Arc::clone(&self.shared));
        Events::new(move |event| {
            if sender.try_send(Duty::WriteDown(event)).is_err() {
                shared.events_dropped.fetch_add(1, Ordering::Relaxed);
            }
        })
    }

    pub(super) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Starts the keeper's thread.
    pub(super) fn start(self, keeper: Keeper) -> std::io::Result<KeeperHandle> {
        let Self {
            sender,
            receiver,
            shared,
        } = self;
        std::thread::Builder::new()
            .name("audit-keeper".into())
            .spawn({
                let shared = Arc::clone(&shared);
                move || {
                    // Told last: who waits for the end may take the keeper's lock next.
                    let _ending = Ending(&shared);
                    keeper.run(&receiver, &shared);
                }
            })?;
        Ok(KeeperHandle {
            duties: sender,
            shared,
            stopped: AtomicBool::new(false),
        })
    }
}

impl KeeperHandle {
    pub(super) fn events_dropped(&self) -> u64 {
        self.shared.events_dropped.load(Ordering::Relaxed)
    }

    pub(super) fn prunes(&self) -> PruneStats {
        let prunes = self.shared.prunes.lock();
        *prunes.unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn concerns(&self) -> Vec<String> {
        let concerns = self
            .shared
            .concerns
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        concerns.iter().map(|(_, reason)| reason.clone()).collect()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Ends the thread once what happened so far is written down. False when it was ended before.
    pub(super) fn stop(&self, deadline: Instant) -> bool {
        if self.stopped.swap(true, Ordering::AcqRel) {
            return false;
        }
        let mut stop = Duty::Stop;
        while let Err(TrySendError::Full(again)) = self.duties.try_send(stop) {
            if Instant::now() >= deadline {
                return true;
            }
            stop = again;
            std::thread::yield_now();
        }
        self.shared.wait_ended(deadline);
        true
    }
}

/// Says that the keeper ended, however it did.
struct Ending<'a>(&'a Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// What the keeper does at regular times, and when next.
struct Schedule {
    adoption: Adoption,
    left_overs: LeftOvers,
    upkeep: Upkeep,
    folded_at: Instant,
    adopt_at: Instant,
    tidy_at: Instant,
    verify_at: Instant,
}

impl Keeper {
    fn run(mut self, duties: &Receiver<Duty>, shared: &Arc<Shared>) {
        // Two at once: what a dead process left is to be delivered now, not in half a minute.
        let now = Instant::now();
        let mut schedule = Schedule {
            adoption: Adoption::default(),
            left_overs: std::mem::take(&mut self.left_overs),
            upkeep: Upkeep::default(),
            folded_at: now + FOLDED_EVERY,
            adopt_at: now,
            tidy_at: now,
            verify_at: now + self.rhythm.verify,
        };
        loop {
            // One panic, in a foreign clock or disk, must not leave the trail unattended.
            let due = AssertUnwindSafe(|| schedule.run_due(&self, shared));
            let next = catch_unwind(due).unwrap_or_else(|_| {
                shared.concern(
                    "keeper",
                    ["a routine of the trail panicked; see its log".into()],
                );
                schedule.put_off(&self.rhythm)
            });
            match duties.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Duty::WriteDown(event)) => drop(self.recorder.own(about::of_trail(&event))),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Duty::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

impl Schedule {
    /// Does what is due; returns when the next thing is.
    fn run_due(&mut self, keeper: &Keeper, shared: &Arc<Shared>) -> Instant {
        let now = Instant::now();
        let rhythm = &keeper.rhythm;
        if self.folded_at <= now {
            self.folded_at = now + FOLDED_EVERY;
            keeper.recorder.write_due();
        }
        if self.adopt_at <= now {
            self.adoption.look(keeper, shared);
            self.left_overs.look(keeper, &self.adoption, shared);
            self.adopt_at = now + self.adoption.interval(rhythm.adopt);
        }
        if self.tidy_at <= now {
            self.tidy_at = now + rhythm.tidy;
            self.upkeep.tidy(keeper, shared);
        }
        if self.verify_at <= now {
            self.verify_at = now + rhythm.verify;
            self.upkeep.verify(keeper, shared);
        }
        self.next()
    }

    fn put_off(&mut self, rhythm: &Rhythm) -> Instant {
        let now = Instant::now();
        self.folded_at = now + FOLDED_EVERY;
        self.adopt_at = now + rhythm.adopt;
        self.tidy_at = now + rhythm.tidy;
        self.verify_at = now + rhythm.verify;
        self.next()
    }

    fn next(&self) -> Instant {
        let others = self.adopt_at.min(self.tidy_at).min(self.verify_at);
        self.folded_at.min(others)
    }
}
