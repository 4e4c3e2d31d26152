//! The thread that prunes. Nothing waits for it, and nothing that fails there stops the trail.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    Keeping,
    due::{Due, Task},
};
use crate::{
    clock::Timestamp,
    record::{Fault, Record},
    retention::{self, Beside, Hold, Pruner, RetentionError, SYSTEM},
};

/// How often the clock is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long after a panic.
const PANICKED: Duration = Duration::from_secs(5);

/// What health tells of it is about this.
const SUBJECT: &str = "retention";

/// The other side of the thread; none when there is no policy.
#[derive(Debug, Default)]
pub(in crate::audit) struct Handle(Option<Arc<Ends>>);

#[derive(Debug, Default)]
struct Ends {
    stop: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_stopping: bool,
    has_ended: bool,
}

impl Handle {
    /// Ends the thread after the step that it is at; one that hangs is left behind.
    pub(in crate::audit) fn stop(&self, deadline: Instant) {
        let Some(ends) = &self.0 else { return };
        ends.stop.store(true, Ordering::Release);
        let mut state = ends.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_stopping = true;
        ends.changed.notify_all();
        while !state.has_ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = ends.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Says that the thread ended, however it did.
struct Ending(Arc<Ends>);

impl Drop for Ending {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.has_ended = true;
        self.0.changed.notify_all();
    }
}

/// Starts the thread.
pub(super) fn start(keeping: Keeping) -> io::Result<Handle> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ends = Arc::new(Ends::default());
    // Counted from the start, however late the thread gets its turn.
    let due = Due::new(&keeping.schedule, keeping.recorder.now());
    let routine = Routine {
        keeping,
        ends: Arc::clone(&ends),
        told: None,
        has_asked: false,
    };
    let thread = std::thread::Builder::new().name("audit-retention".into());
    thread.spawn(move || {
        let _ending = Ending(Arc::clone(&routine.ends));
        routine.run(&runtime, due);
        runtime.shutdown_background();
    })?;
    Ok(Handle(Some(ends)))
}

struct Routine {
    keeping: Keeping,
    ends: Arc<Ends>,
    /// The failure that was recorded last: it is told once, not every day.
    told: Option<String>,
    /// Whether it was asked whether this user may prune.
    has_asked: bool,
}

/// What was done, for the trail.
type Done = Result<Vec<Record>, RetentionError>;

impl Routine {
    fn run(mut self, runtime: &tokio::runtime::Runtime, mut due: Due) {
        loop {
            // One panic, in a foreign clock or disk, must not end it for good.
            let turn = AssertUnwindSafe(|| self.turn(runtime, &mut due));
            let wait = if catch_unwind(turn).is_ok() {
                LOOK
            } else {
                let concern = "old records are not removed: a routine panicked; see its log";
                self.keeping.shared.concern(SUBJECT, [concern.to_owned()]);
                PANICKED
            };
            if !self.waits(wait) {
                return;
            }
        }
    }

    /// Does what is due.
    fn turn(&mut self, runtime: &tokio::runtime::Runtime, due: &mut Due) {
        let now = self.keeping.recorder.now();
        let schedule = self.keeping.schedule.clone();
        let task = due.take(&schedule, now);
        let done = match task {
            Task::Prune => self.prune(runtime, now),
            Task::Look => self.look(runtime, now).map(|last| {
                due.resume(&schedule, last, now);
                self.keeping.pruned_at(last);
                Vec::new()
            }),
            Task::Nothing => return,
        };
        if task == Task::Prune && done.as_ref().is_err_and(is_failure) {
            self.keeping.shared.pruned(|stats| stats.failures += 1);
        }
        let ended = self.keeping.recorder.now();
        let is_silent = task == Task::Look && self.has_asked;
        match done {
            Err(error) if passes(&error) => {
                let lasts = due.failed(task, ended);
                let reason = error.to_string();
                tracing::warn!(target: "tower_audit", reason, "the store of the audit trail cannot be used for retention now; it is tried again");
                if lasts && !is_silent {
                    self.told(Err(error));
                }
            }
            done => {
                due.done(&schedule, task, ended);
                self.has_asked = true;
                if !is_silent {
                    self.told(done);
                }
            }
        }
    }

    /// False when it is to end.
    fn waits(&self, time: Duration) -> bool {
        let state = self
            .ends
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let waiting = |state: &mut State| !state.is_stopping;
        let waited = self.ends.changed.wait_timeout_while(state, time, waiting);
        !waited.unwrap_or_else(PoisonError::into_inner).0.is_stopping
    }

    /// Which holds there are; the first time also whether this user may prune at all, so that it is
    /// said now, and not when the first night is over. Later ones are silent: a prune tells.
    ///
    /// Gives when the store was pruned last.
    fn look(
        &self,
        runtime: &tokio::runtime::Runtime,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, RetentionError> {
        let looked = runtime.block_on(async {
            let mut pruner = Pruner::open(self.keeping.schedule.store()).await?;
            let holds = pruner.holds().await?;
            let may = if self.has_asked {
                Ok(())
            } else {
                pruner.may_prune().await
            };
            let last = pruner.last_whole(&self.keeping.retention, now).await?;
            Ok((holds, may.map(|()| last)))
        });
        // Until the store says that there are none, there may be holds.
        let held = looked.as_ref().ok();
        let is_held = held.is_none_or(|(holds, _)| active(holds).next().is_some());
        self.keeping.shared.hold(is_held);
        looked.and_then(|(_, last)| last)
    }

    fn prune(&self, runtime: &tokio::runtime::Runtime, now: Timestamp) -> Done {
        let (keeping, ends) = (&self.keeping, Arc::clone(&self.ends));
        let (report, holds) = runtime.block_on(async {
            let schedule = &keeping.schedule;
            let mut pruner = Pruner::open(schedule.store())
                .await?
                .idle(schedule.idle_time());
            let last = pruner.last_whole(&keeping.retention, now).await?;
            if last.is_some_and(|last| schedule.is_done(last, now)) {
                // Another instance did it; what is on this machine is still this one's.
                keeping.pruned_at(last);
                return Ok((None, pruner.holds().await?));
            }
            let go_on = |_removed| !ends.stop.load(Ordering::Acquire);
            let report = match pruner.prune_while(&keeping.retention, now, go_on).await {
                Ok(report) => Some(report),
                // Another instance does it.
                Err(RetentionError::Busy { .. }) => None,
                Err(error) => return Err(error),
            };
            Ok((report, pruner.holds().await?))
        })?;
        keeping.shared.hold(active(&holds).next().is_some());
        let holds: Vec<Hold> = active(&holds).cloned().collect();
        let beside = keeping.tidy_beside(&holds, now);
        let beside = (!beside.is_empty()).then_some(beside);
        let Some(report) = report else {
            let record = beside.map(|beside| beside.record(SYSTEM));
            return Ok(record.into_iter().collect());
        };
        keeping
            .shared
            .pruned(|stats| stats.removed += report.done.removed);
        keeping.pruned_at(report.complete.then_some(now));
        let prune = report.record().detail("beside", beside);
        Ok(report.change_record().into_iter().chain([prune]).collect())
    }

    /// Writes down what was done, or why it was not.
    fn told(&mut self, done: Done) {
        match done {
            Ok(records) => {
                self.told = None;
                self.keeping.shared.concern(SUBJECT, None);
                self.keeping.shared.pruned(|stats| stats.failing = false);
                for record in records {
                    self.keeping.recorder.own(record);
                }
            }
            Err(error) if !is_failure(&error) => {}
            Err(error) => {
                let reason = error.to_string();
                tracing::warn!(target: "tower_audit", reason, "the store of the audit trail was not pruned");
                let concern = format!("old records are not removed: {reason}");
                self.keeping.shared.concern(SUBJECT, [concern]);
                self.keeping.shared.pruned(|stats| stats.failing = true);
                if self.told.as_deref() != Some(reason.as_str()) {
                    let fault = Fault::new(reason.clone()).kind("retention");
                    self.keeping
                        .recorder
                        .own(Record::system("audit.prune").error(fault));
                    self.told = Some(reason);
                }
            }
        }
    }
}

/// Whether it may work in a while without anybody's help.
const fn passes(error: &RetentionError) -> bool {
    matches!(
        error,
        RetentionError::Unusable {
            is_lasting: false,
            ..
        }
    )
}

/// Whether it is one: where there is no store, nothing was delivered yet.
const fn is_failure(error: &RetentionError) -> bool {
    !matches!(error, RetentionError::NoStore { .. })
}

fn active(holds: &[Hold]) -> impl Iterator<Item = &Hold> {
    holds.iter().filter(|hold| hold.released.is_none())
}

impl Keeping {
    /// Takes note of when the store was pruned to the end, as far as it is known.
    fn pruned_at(&self, at: Option<Timestamp>) {
        self.shared.pruned(|stats| stats.last = stats.last.max(at));
    }

    /// Removes dead letters and rotated files that are old.
    fn tidy_beside(&self, holds: &[Hold], now: Timestamp) -> Beside {
        let files = self.files.iter();
        let rotated = files.filter_map(|file| retention::rotated(file).ok());
        let rotated: Vec<_> = rotated.flatten().collect();
        self.retention
            .tidy_beside(&*self.disk, &self.dir, &rotated, holds, now)
    }
}
