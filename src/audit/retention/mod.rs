//! Retention inside a service: a store is pruned at regular times, and the trail says what was done.

mod due;
mod thread;

use std::{path::PathBuf, sync::Arc};

pub(super) use self::thread::Handle;
use super::{Audit, AuditBuilder, builder::SinkToAdd, keeper::Shared, start::StartError};
use crate::{
    capture::Recorder,
    disk::SharedDisk,
    journal::Base,
    retention::{self, Beside, Hold, Pruner, Report, Retention, RetentionError, Schedule},
};

/// What the builder was given.
#[derive(Debug, Default)]
pub(super) struct Given(Option<(Retention, Schedule)>);

impl Given {
    /// Whether it can be used.
    pub(super) fn check(&self) -> Result<(), StartError> {
        let Some((retention, schedule)) = &self.0 else {
            return Ok(());
        };
        let wrong = |error: RetentionError| StartError::Config {
            setting: "retention",
            reason: error.to_string(),
        };
        retention.check().map_err(wrong)?;
        schedule.check().map_err(wrong)?;
        Pruner::at(schedule.store()).map(drop).map_err(wrong)
    }

    pub(super) fn start(
        self,
        recorder: &Recorder,
        shared: &Arc<Shared>,
        base: &Base,
        sinks: &[SinkToAdd],
    ) -> Result<Handle, StartError> {
        let Some((retention, schedule)) = self.0 else {
            return Ok(Handle::default());
        };
        // Until the store says that there are none, there may be holds.
        shared.hold(true);
        let keeping = Keeping {
            retention,
            schedule,
            recorder: recorder.clone(),
            shared: Arc::clone(shared),
            disk: Arc::clone(&base.disk),
            dir: base.dir.clone(),
            files: files(sinks),
        };
        thread::start(keeping).map_err(StartError::Thread)
    }
}

/// What the thread works with.
struct Keeping {
    retention: Retention,
    schedule: Schedule,
    recorder: Recorder,
    shared: Arc<Shared>,
    disk: SharedDisk,
    /// The base directory of the trails.
    dir: PathBuf,
    /// The files of file sinks.
    files: Vec<PathBuf>,
}

/// The files that sinks write to, whose rotated ones lie beside them.
fn files(sinks: &[SinkToAdd]) -> Vec<PathBuf> {
    let files = sinks.iter().map(|sink| retention::file_of(&*sink.sink));
    files.flatten().collect()
}

impl AuditBuilder {
    /// Removes old records from a store at regular times, and writes down what was removed
    /// (`audit.prune`). Default: everything is kept. Only with the feature of a database.
    ///
    /// When it fails, the trail is [`Degraded`](crate::Health::Degraded) and says why; that the user
    /// of the store's address may not remove anything is told at the start.
    ///
    /// What the policy says of the journal replaces the age of
    /// [`keep_delivered`](Self::keep_delivered); what is said later wins.
    pub fn retention(mut self, retention: Retention, schedule: Schedule) -> Self {
        if let Some(age) = retention.delivered_journal() {
            self.keep.delivered_age = age;
        }
        self.retention = Given(Some((retention, schedule)));
        self
    }
}

impl Audit {
    /// Writes down a prune that was run elsewhere, as by a [`Pruner`] of this program:
    /// `audit.prune`, and `audit.retention_changed` when it was another policy than the time before.
    /// False when the trail does not take records.
    #[must_use = "whether it is in the trail"]
    pub fn record_prune(&self, report: &Report) -> bool {
        let recorder = &self.parts().recorder;
        let change = report.change_record().map(|record| recorder.own(record));
        let prune = recorder.own(report.record());
        prune.is_some() && change.is_none_or(|change| change.is_some())
    }

    /// Writes down what was removed of dead letters and rotated files: `audit.prune`. False when the
    /// trail does not take records.
    #[must_use = "whether it is in the trail"]
    pub fn record_beside(&self, beside: &Beside, by: &str) -> bool {
        self.parts().recorder.own(beside.record(by)).is_some()
    }

    /// Writes down a hold: `audit.hold`, or `audit.release` for one that was released. False when
    /// the trail does not take records.
    #[must_use = "whether it is in the trail"]
    pub fn record_hold(&self, hold: &Hold) -> bool {
        self.parts().recorder.own(hold.record()).is_some()
    }
}
