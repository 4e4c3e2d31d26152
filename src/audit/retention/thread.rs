//! The thread that prunes. Nothing waits for it, and nothing that fails there stops the trail.

use std::{
    io,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    audit::keeper::Shared,
    capture::Recorder,
    clock::Timestamp,
    record::{Fault, Record},
    retention::{Pruner, Retention, RetentionError, Schedule},
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
pub(super) fn start(
    retention: Retention,
    schedule: Schedule,
    recorder: &Recorder,
    shared: &Arc<Shared>,
) -> io::Result<Handle> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ends = Arc::new(Ends::default());
    let keeping = Keeping {
        retention,
        schedule,
        recorder: recorder.clone(),
        shared: Arc::clone(shared),
        ends: Arc::clone(&ends),
        told: None,
    };
    let thread = std::thread::Builder::new().name("audit-retention".into());
    thread.spawn(move || {
        let _ending = Ending(Arc::clone(&keeping.ends));
        keeping.run(&runtime);
        runtime.shutdown_background();
    })?;
    Ok(Handle(Some(ends)))
}

struct Keeping {
    retention: Retention,
    schedule: Schedule,
    recorder: Recorder,
    shared: Arc<Shared>,
    ends: Arc<Ends>,
    /// The failure that was recorded last: it is told once, not every day.
    told: Option<String>,
}

impl Keeping {
    fn run(mut self, runtime: &tokio::runtime::Runtime) {
        self.look(runtime);
        let mut from = self.recorder.now();
        let mut next = self.schedule.next(from);
        while self.waits() {
            let now = self.recorder.now();
            if now < from {
                // The clock was put back: what is due is counted from where it is now.
                next = self.schedule.next(now);
            } else if now >= next {
                self.prune(runtime, now);
                next = self.schedule.next(self.recorder.now());
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
        let store = self.schedule.store().to_owned();
        let looked = runtime.block_on(async {
            let mut pruner = Pruner::open(&store).await?;
            pruner.may_prune().await
        });
        self.told(looked.map(|()| None));
    }

    fn prune(&mut self, runtime: &tokio::runtime::Runtime, now: Timestamp) {
        let (store, idle) = (self.schedule.store().to_owned(), self.schedule.idle_time());
        let ends = Arc::clone(&self.ends);
        let pruned = runtime.block_on(async {
            let mut pruner = Pruner::open(&store).await?.idle(idle);
            let go_on = |_removed| !ends.stop.load(Ordering::Acquire);
            pruner.prune_while(&self.retention, now, go_on).await
        });
        let records = pruned.map(|report| {
            let change = report.change_record();
            Some((change, report.record()))
        });
        self.told(records);
    }

    /// Writes down what was done, or why it was not.
    fn told(&mut self, done: Result<Option<(Option<Record>, Record)>, RetentionError>) {
        match done {
            Ok(records) => {
                self.told = None;
                self.shared.concern(SUBJECT, None);
                if let Some((change, prune)) = records {
                    for record in change.into_iter().chain([prune]) {
                        self.recorder.own(record);
                    }
                }
            }
            // Another instance does it.
            Err(RetentionError::Busy { .. }) => {}
            Err(error) => {
                let reason = error.to_string();
                tracing::warn!(target: "tower_audit", reason, "the store of the audit trail was not pruned");
                let concern = format!("old records are not removed: {reason}");
                self.shared.concern(SUBJECT, [concern]);
                if self.told.as_deref() != Some(reason.as_str()) {
                    let fault = Fault::new(reason.clone()).kind("retention");
                    self.recorder
                        .own(Record::system("audit.prune").error(fault));
                    self.told = Some(reason);
                }
            }
        }
    }
}
