//! The thread that prunes. Nothing waits for it, and nothing that fails there stops the trail.

use std::{
    io,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::Keeping;
use crate::{
    clock::Timestamp,
    record::{Fault, Record},
    retention::{Beside, Hold, Pruner, RetentionError},
};

/// How often the clock is looked at.
const LOOK: Duration = Duration::from_secs(1);

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
    let routine = Routine {
        keeping,
        ends: Arc::clone(&ends),
        told: None,
    };
    let thread = std::thread::Builder::new().name("audit-retention".into());
    thread.spawn(move || {
        let _ending = Ending(Arc::clone(&routine.ends));
        routine.run(&runtime);
        runtime.shutdown_background();
    })?;
    Ok(Handle(Some(ends)))
}

struct Routine {
    keeping: Keeping,
    ends: Arc<Ends>,
    /// The failure that was recorded last: it is told once, not every day.
    told: Option<String>,
}

impl Routine {
    fn run(mut self, runtime: &tokio::runtime::Runtime) {
        let mut from = self.keeping.recorder.now();
        self.look(runtime);
        let mut next = self.keeping.schedule.next(from);
        while self.waits() {
            let now = self.keeping.recorder.now();
            if now < from {
                // The clock was put back: what is due is counted from where it is now.
                next = self.keeping.schedule.next(now);
            } else if now >= next {
                self.prune(runtime, now);
                next = self.keeping.schedule.next(self.keeping.recorder.now());
            }
            from = now;
        }
    }

    /// False when it is to end.
    fn waits(&self) -> bool {
        let state = self
            .ends
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let waiting = |state: &mut State| !state.is_stopping;
        let waited = self.ends.changed.wait_timeout_while(state, LOOK, waiting);
        !waited.unwrap_or_else(PoisonError::into_inner).0.is_stopping
    }

    /// Whether this user may prune at all: said now, and not when the first night is over.
    fn look(&mut self, runtime: &tokio::runtime::Runtime) {
        let looked = runtime.block_on(async {
            let mut pruner = Pruner::open(self.keeping.schedule.store()).await?;
            let holds = pruner.holds().await?;
            self.keeping.shared.hold(active(&holds).next().is_some());
            pruner.may_prune().await
        });
        self.told(looked.map(|()| Vec::new()));
    }

    fn prune(&mut self, runtime: &tokio::runtime::Runtime, now: Timestamp) {
        let (keeping, ends) = (&self.keeping, Arc::clone(&self.ends));
        let pruned = runtime.block_on(async {
            let schedule = &keeping.schedule;
            let mut pruner = Pruner::open(schedule.store())
                .await?
                .idle(schedule.idle_time());
            let go_on = |_removed| !ends.stop.load(Ordering::Acquire);
            let report = pruner.prune_while(&keeping.retention, now, go_on).await?;
            Ok((report, pruner.holds().await?))
        });
        let records = pruned.map(|(report, holds)| {
            keeping.shared.hold(active(&holds).next().is_some());
            let holds: Vec<Hold> = active(&holds).cloned().collect();
            let beside = keeping.tidy_beside(&holds, now);
            let beside = (!beside.is_empty()).then_some(beside);
            let prune = report.record().detail("beside", beside);
            report.change_record().into_iter().chain([prune]).collect()
        });
        self.told(records);
    }

    /// Writes down what was done, or why it was not.
    fn told(&mut self, done: Result<Vec<Record>, RetentionError>) {
        match done {
            Ok(records) => {
                self.told = None;
                self.keeping.shared.concern(SUBJECT, None);
                for record in records {
                    self.keeping.recorder.own(record);
                }
            }
            // Another instance does it; or nothing was delivered yet.
            Err(RetentionError::Busy { .. } | RetentionError::NoStore { .. }) => {}
            Err(error) => {
                let reason = error.to_string();
                tracing::warn!(target: "tower_audit", reason, "the store of the audit trail was not pruned");
                let concern = format!("old records are not removed: {reason}");
                self.keeping.shared.concern(SUBJECT, [concern]);
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

fn active(holds: &[Hold]) -> impl Iterator<Item = &Hold> {
    holds.iter().filter(|hold| hold.released.is_none())
}

impl Keeping {
    /// Removes dead letters and rotated files that are old.
    fn tidy_beside(&self, holds: &[Hold], now: Timestamp) -> Beside {
        #[cfg(feature = "file")]
        let rotated: Vec<_> = self
            .files
            .iter()
            .filter_map(|path| crate::sink::file::rotate::with_times(path).ok())
            .flatten()
            .collect();
        #[cfg(not(feature = "file"))]
        let rotated = {
            let _ = &self.files;
            Vec::new()
        };
        self.retention
            .tidy_beside(&*self.disk, &self.dir, &rotated, holds, now)
    }
}
