//! The handle that a service holds, and everything behind it.

mod about;
mod adoption;
mod builder;
mod commit;
mod config;
mod health;
mod keeper;
mod key;
#[cfg(feature = "tracing")]
mod listening;
#[cfg(not(feature = "tracing"))]
#[path = "listening_off.rs"]
mod listening;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "_sql")]
mod outbox;
#[cfg(not(feature = "_sql"))]
#[path = "outbox_off.rs"]
mod outbox;
mod prometheus;
#[cfg(feature = "_sql")]
mod retention;
#[cfg(not(feature = "_sql"))]
#[path = "retention_off.rs"]
mod retention;
mod shutdown;
mod sinks;
mod start;
mod upkeep;
#[cfg(feature = "viewer")]
mod viewing;
#[cfg(not(feature = "viewer"))]
#[path = "viewing_off.rs"]
mod viewing;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    capture::{Alive, AuditLayer, Inventory, Job, Recorder},
    clock::RecordId,
    delivery::Supervisor,
    journal::{CommitError, Journal, Receipt, Rejected, Urgency, block_on},
    record::{Origin, Record},
    stats::Stats,
};

pub use builder::{AuditBuilder, OnDamage, SinkOptions};
pub use commit::Commit;
pub use health::Health;
pub use shutdown::{ShutdownReport, SinkReport};
pub use sinks::{SinkAnswer, SinkTestError, Sinks};
pub use start::StartError;

use keeper::KeeperHandle;

/// The audit trail of one service instance; cloning it is cheap.
///
/// Call [`shutdown`](Self::shutdown) at the end. When the last clone is dropped without it, and the
/// last open scope with it, what was recorded is committed then and there, for 5 seconds at most.
///
/// The noun `audit` is the trail's own: a service's action `audit.x` becomes `service.audit.x`.
///
/// ```
/// # async fn run(dir: std::path::PathBuf) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tower_audit::{Actor, Audit, Record, Target};
///
/// let audit = Audit::builder("docs").dir(dir).start().await?;
///
/// // In the journal's buffer; never waits.
/// audit.record(Record::new("document.view").actor(Actor::user("146")))?;
///
/// // On disk before this returns; the receipt proves it.
/// let receipt = audit
///     .commit(Record::new("document.delete").actor(Actor::user("146")).target(Target::new("document", "4cq1")))
///     .await?;
/// assert_eq!(receipt.tree_size, receipt.number + 1);
///
/// let report = audit.shutdown(Duration::from_secs(5)).await;
/// assert!(report.in_order);
/// # Ok(()) }
/// # let dir = tempfile::tempdir().unwrap();
/// # tokio::runtime::Runtime::new().unwrap().block_on(run(dir.path().into())).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Audit {
    handle: Arc<Handle>,
}

/// Shuts the trail down when the last clone is gone.
#[derive(Debug)]
struct Handle {
    parts: Arc<Parts>,
}

/// Everything that runs.
#[derive(Debug)]
struct Parts {
    journal: Arc<Journal>,
    recorder: Recorder,
    delivery: Arc<Supervisor>,
    keeper: KeeperHandle,
    remover: outbox::Remover,
    keeping: retention::Handle,
    viewers: viewing::Viewers,
    begun: Instant,
}

/// How long dropping the last handle may take.
const DROP_LIMIT: Duration = Duration::from_secs(5);

impl Audit {
    /// Begins the configuration of a trail for the service of this name (`service.name` in
    /// OpenTelemetry's terms).
    pub fn builder(service: impl Into<String>) -> AuditBuilder {
        AuditBuilder::new(service.into())
    }

    /// Begins the configuration of a trail as a deployment says it: [`builder`](Self::builder), with
    /// [`environment`](AuditBuilder::environment).
    ///
    /// This is what a deployed service begins with. Without any variable it keeps its trail in
    /// `./audit` and ships it nowhere; `AUDIT_DIR` and `AUDIT_SINKS` say where else.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use tower_audit::Audit;
    ///
    /// // AUDIT_DIR=/var/lib/docs/audit
    /// // AUDIT_SINKS="sqlite:///var/lib/docs/audit.db otlp+grpc://collector:4317"
    /// let audit = Audit::from_env("docs").version(env!("CARGO_PKG_VERSION")).start().await?;
    ///
    /// // A sink that does not answer keeps no service from starting; this tells of it.
    /// for sink in audit.sinks().report(Duration::from_secs(5)).await {
    ///     eprintln!("{sink}");
    /// }
    /// # Ok(()) }
    /// ```
    pub fn from_env(service: impl Into<String>) -> AuditBuilder {
        Self::builder(service).environment()
    }

    /// Appends a record to the journal's buffer, whose group is written within 5 ms. Never waits.
    ///
    /// A record that says no outcome is a `success`. A crash can take the records of the last
    /// milliseconds; where that matters, use [`commit`](Self::commit).
    ///
    /// # Errors
    ///
    /// The record was not taken; it is counted in [`stats`](Self::stats).
    pub fn record(&self, record: Record) -> Result<RecordId, Rejected> {
        self.parts()
            .recorder
            .record(record, Urgency::Buffered)
            .map(|appended| appended.id)
    }

    /// Appends a record at once and returns a future that waits until it is durable.
    ///
    /// Needs no particular runtime. Dropping the future does not take the record back.
    ///
    /// # Errors
    ///
    /// [`CommitError::Rejected`]: the record was not taken. Any other: it waits in memory and is
    /// written as soon as the disk lets it, unless the process ends before.
    pub fn commit(&self, record: Record) -> Commit {
        Commit::new(self.parts().recorder.record(record, Urgency::Durable))
    }

    /// Makes everything durable that was recorded so far, on any thread.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit).
    pub async fn flush(&self) -> Result<(), CommitError> {
        match self.parts().journal.inbox().flush() {
            Some(committed) => committed.await.map(drop),
            None => Ok(()),
        }
    }

    /// As [`commit`](Self::commit), for a thread that may block: a command line, a start-up.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit).
    pub fn commit_blocking(&self, record: Record) -> Result<Receipt, CommitError> {
        block_on(self.commit(record))
    }

    /// A piece of work that leaves one record, whatever its end: a job, a command, a start-up.
    ///
    /// ```
    /// # async fn run(audit: tower_audit::Audit) -> Result<(), tower_audit::CommitError> {
    /// use tower_audit::{AuditScope, Record};
    ///
    /// let removed = audit
    ///     .scope(Record::system("backup.prune"))
    ///     .run(async {
    ///         let removed = 3;
    ///         if let Some(scope) = AuditScope::current() {
    ///             scope.detail("removed", removed);
    ///         }
    ///         removed
    ///     })
    ///     .await;
    /// assert_eq!(removed, 3);
    ///
    /// // Not begun unless its intent is on disk.
    /// audit.scope(Record::system("key.rotate")).strict().run(async {}).await?;
    /// # Ok(()) }
    /// # let dir = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// #     let audit = tower_audit::Audit::builder("docs").dir(dir.path()).start().await.unwrap();
    /// #     run(audit).await.unwrap();
    /// # });
    /// ```
    pub fn scope(&self, record: Record) -> Job {
        let handle = Arc::clone(&self.handle);
        Job::new(self.parts().recorder.clone(), Alive::new(handle), record)
    }

    /// The layer that records requests into this trail.
    pub fn layer(&self) -> AuditLayer {
        let handle = Arc::clone(&self.handle);
        AuditLayer::new(self.parts().recorder.clone(), Alive::new(handle))
    }

    /// The routes of the service, and what policy and catalogue say about each: those that the
    /// builder was [told](AuditBuilder::routes), that the catalogue declares, and that requests came
    /// on.
    ///
    /// Names that handlers give, instead of the catalogue, are known once a request came.
    ///
    /// ```
    /// # async fn run(dir: std::path::PathBuf) -> Result<(), Box<dyn std::error::Error>> {
    /// let routes = [("GET", "/documents"), ("POST", "/documents")];
    /// let audit = tower_audit::Audit::builder("docs").dir(dir).routes(routes).start().await?;
    /// println!("{}", audit.inventory());
    /// # Ok(()) }
    /// # let dir = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(dir.path().into())).unwrap();
    /// ```
    #[must_use]
    pub fn inventory(&self) -> Inventory {
        Inventory::of(self.parts().recorder.rules())
    }

    /// Every counter, in one look. Within one snapshot `emitted = stored + queued + lost`, and for
    /// each sink `committed = delivered + pending + dead + missed`.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.parts().stats()
    }

    /// Whether the trail keeps its promises right now, and why not.
    #[must_use]
    pub fn health(&self) -> Health {
        health::of(self.parts())
    }

    /// The counters in the text format that Prometheus reads.
    #[must_use]
    pub fn prometheus(&self) -> String {
        prometheus::text(&self.stats())
    }

    /// The id of this instance's trail and the name it is kept under.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.parts().journal.origin
    }

    /// The directory of this instance's trail.
    #[must_use]
    pub fn trail_dir(&self) -> &std::path::Path {
        self.parts().journal.dir()
    }

    /// Refuses new work, waits for open scopes, commits everything, and delivers with the time that
    /// is left.
    ///
    /// Open scopes may use three quarters of the time. The last commit is given a second more than
    /// the time-out, if it needs it. A call after the first reports what is known. Cancelling the
    /// future does not stop the shutdown.
    pub async fn shutdown(&self, timeout: Duration) -> ShutdownReport {
        let parts = Arc::clone(self.parts());
        start::off_the_runtime(move || parts.shutdown(timeout)).await
    }

    /// As [`shutdown`](Self::shutdown), for a thread that may block.
    pub fn shutdown_blocking(&self, timeout: Duration) -> ShutdownReport {
        self.parts().shutdown(timeout)
    }

    fn parts(&self) -> &Arc<Parts> {
        &self.handle.parts
    }
}

impl Parts {
    fn stats(&self) -> Stats {
        let counts = self.journal.inbox().counts();
        let tallies = self.recorder.tallies();
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            emitted: counts.emitted,
            stored: counts.stored,
            queued: counts.queued,
            lost: counts.lost,
            rejected_full: counts.rejected_full,
            rejected_closed: counts.rejected_closed,
            truncated: load(&tallies.truncated),
            served_unsynced: load(&tallies.served_unsynced),
            late_setters: load(&tallies.late_setters),
            outbox_kept: self.recorder.drafts().kept(),
            folded: self.recorder.rules().flood.folded(),
            skipped: load(&tallies.skipped),
            skipped_further: load(&tallies.skipped_further),
            refused: load(&tallies.refused),
            turned_away: load(&tallies.turned_away),
            not_admitted: load(&tallies.not_admitted),
            broken_bodies: load(&tallies.broken_bodies),
            hook_panics: load(&tallies.hook_panics),
            late_rules: load(&tallies.late_rules),
            no_peer: load(&tallies.no_peer),
            failing: self.journal.inbox().failing().is_some(),
            open_scopes: counts.admitted,
            open_intents: counts.open_intents,
            waiting_bytes: counts.waiting_bytes,
            commits: counts.commits,
            write_failures: counts.failures,
            commit_timeouts: counts.timeouts,
            writer_panics: self.journal.inbox().writer_panics(),
            prunes: self.keeper.prunes(),
            events_dropped: self.keeper.events_dropped() + load(&tallies.own_refused),
            uptime: self.begun.elapsed(),
            sinks: self.delivery.stats(),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.parts.keeper.is_stopped() {
            return;
        }
        let parts = Arc::clone(&self.parts);
        // Trap J14: a waker may drop the last handle on the writer thread, which cannot wait for itself.
        if self.parts.journal.is_own_thread() {
            let finish = std::thread::Builder::new().name("audit-shutdown".into());
            if let Err(error) = finish.spawn(move || drop(parts.shutdown(DROP_LIMIT))) {
                tracing::error!(target: "tower_audit", %error, "the audit trail could not be shut down in order");
            }
            return;
        }
        let report = parts.shutdown(DROP_LIMIT);
        if !report.in_order {
            tracing::error!(target: "tower_audit", %report, "the audit trail was dropped and could not be closed in order");
        }
    }
}
