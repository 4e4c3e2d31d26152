//! The thread that looks after a trail: writes down what happened to it, adopts what dead processes
//! left, prunes, warns.

use std::{
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
};

use super::{about, adoption::Adoption, upkeep::Upkeep};

/// How many of the journal's events may wait to be written down.
const EVENTS: usize = 1024;

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
}

impl Shared {
    /// Replaces all concerns about one subject.
    pub(super) fn concern(&self, subject: &'static str, reasons: impl IntoIterator<Item = String>) {
        let mut concerns = self.concerns.lock().unwrap_or_else(PoisonError::into_inner);
        concerns.retain(|(about, _)| *about != subject);
        concerns.extend(reasons.into_iter().map(|reason| (subject, reason)));
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
            if let Err(TrySendError::Full(_)) = sender.try_send(Duty::WriteDown(event)) {
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
                    keeper.run(&receiver, &shared);
                    shared.end();
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

impl Keeper {
    fn run(self, duties: &Receiver<Duty>, shared: &Arc<Shared>) {
        let mut adoption = Adoption::default();
        let mut upkeep = Upkeep::default();
        // Both at once: what a dead process left is to be delivered now, not in half a minute.
        let (mut adopt_at, mut tidy_at) = (Instant::now(), Instant::now());
        let mut verify_at = Instant::now() + self.rhythm.verify;
        loop {
            let now = Instant::now();
            if adopt_at <= now {
                adoption.look(&self, shared);
                adopt_at = now + adoption.interval(self.rhythm.adopt);
            }
            if tidy_at <= now {
                upkeep.tidy(&self, shared);
                tidy_at = now + self.rhythm.tidy;
            }
            if verify_at <= now {
                upkeep.verify(&self, shared);
                verify_at = now + self.rhythm.verify;
            }
            let next = adopt_at.min(tidy_at).min(verify_at);
            match duties.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Duty::WriteDown(event)) => drop(self.recorder.own(about::of_trail(&event))),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Duty::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}
