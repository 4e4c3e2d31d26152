//! Counters: one for each way to keep, delay, refuse or lose a record.

use std::time::Duration;

use crate::clock::Timestamp;

/// What one sink has done since this process gave it to the trail.
///
/// Within one snapshot `committed = delivered + pending + dead + missed`. The left side comes from
/// what the trails hold, the right side from what happened to each record, so the sum shows that
/// nothing slipped through.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct SinkStats {
    /// The sink's name in this process; it names the cursor file too.
    pub name: String,
    /// The kind of the sink, such as `sqlite`.
    pub kind: &'static str,
    /// The destination without secrets.
    pub address: String,
    /// How delivery stands.
    pub state: SinkState,
    /// Durable records this sink was to get, counted again when it lost what it had.
    pub committed: u64,
    /// Records the sink has confirmed.
    pub delivered: u64,
    /// Durable records that wait for the sink: its lag in records.
    pub pending: u64,
    /// Records the sink refused, kept in the dead letters.
    pub dead: u64,
    /// Records that were pruned or damaged before the sink had them.
    pub missed: u64,
    /// Those among `missed` that were damaged.
    pub damaged: u64,
    /// Calls that failed and were or will be made again; an unanswered call is one.
    pub retries: u64,
    /// Panics in the sink, caught; each is a retry as well.
    pub panics: u64,
    /// Cursor files that could not be written. Delivery went on; see the sink's last error.
    pub cursor_failures: u64,
    /// The last failure, for a person; it stays after delivery has recovered.
    pub last_error: Option<String>,
    /// Records offered again after an unclear answer, to a sink that keeps no position: these may be
    /// there twice, with the same id.
    pub resent: u64,
    /// Why the last of the `dead` was refused, for a person.
    pub last_refusal: Option<String>,
    /// What somebody should see to before it becomes a fault, as the sink says; asked every minute.
    pub concerns: Vec<String>,
    /// When the sink was last called, whatever came of it.
    pub last_attempt: Option<Timestamp>,
    /// When the sink last confirmed a batch.
    pub last_success: Option<Timestamp>,
    /// The age of the oldest record in hand; `None` when nothing waits.
    pub lag: Option<Duration>,
}

/// How delivery to one sink stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SinkState {
    /// Delivering, or nothing to deliver.
    #[default]
    Ok,
    /// The last call failed; delivery tries again by itself.
    Retrying,
    /// Somebody must repair something; delivery tries again every minute.
    Blocked,
    /// Delivery was paused.
    Paused,
    /// The sink was closed, or its thread was left behind at shutdown.
    Stopped,
}

/// What became of the removal of old records from a store, where this process sees to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct PruneStats {
    /// Records that this process removed, by prunes that ended or were stopped.
    pub removed: u64,
    /// Prunes of this process that failed; what is tried again counts again.
    pub failures: u64,
    /// Whether the last one failed, or this user may not remove anything. Health says why. One that
    /// failed for a reason that passes counts from the third time on.
    pub failing: bool,
    /// When the last prune to the end began under this policy, by this process or by another; as
    /// the store says since the start. `None` when there was none, or nobody prunes here.
    pub last: Option<Timestamp>,
}

/// What one trail has done since it was started.
///
/// Within one snapshot `emitted = stored + queued + lost`.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Records handed over and not refused, the trail's own included.
    pub emitted: u64,
    /// Records made durable.
    pub stored: u64,
    /// Records that wait for the disk.
    pub queued: u64,
    /// Records that did not fit into memory while the disk failed; written down as soon as it works.
    pub lost: u64,
    /// Records and pieces of work refused because the queue was full; their callers were told.
    pub rejected_full: u64,
    /// Records and pieces of work refused after the shutdown began.
    pub rejected_closed: u64,
    /// Records of which something was cut to keep them within their bounds; each says what.
    pub truncated: u64,
    /// Work whose answer was given although its record was not durable yet.
    pub served_unsynced: u64,
    /// Setters of a scope that came after its record was written, and changed nothing.
    pub late_setters: u64,
    /// Rows that stay in the outbox until the next start, because too many waited to be removed.
    pub outbox_kept: u64,
    /// Refused or failed requests without an actor that were folded into a record which counts them.
    pub folded: u64,
    /// Requests without a record, as the policy says.
    pub skipped: u64,
    /// Further records of requests that a rule skips on arrival; not written either.
    pub skipped_further: u64,
    /// Requests answered with 503 before they began, because their record could not be kept.
    pub refused: u64,
    /// Those among `refused` whose client had too much strict work open, or wasted too much of it.
    pub turned_away: u64,
    /// Requests that ran although there was no room for their record when they began.
    pub not_admitted: u64,
    /// Responses whose body broke behind the head, when it was decided what is recorded of them.
    pub broken_bodies: u64,
    /// Panics kept from a request, of a layer's closure or while its record was written; the record went
    /// without what led to them.
    pub hook_panics: u64,
    /// Requests that ran without the intent or the refusal that their rule asks for, because their
    /// route or their action was known only afterwards.
    pub late_rules: u64,
    /// Recorded requests of which nobody knew the address of the peer.
    pub no_peer: u64,
    /// Whether nothing can be made durable right now.
    pub failing: bool,
    /// Admitted work that has not ended.
    pub open_scopes: u64,
    /// Intents without a verdict.
    pub open_intents: u64,
    /// Bytes that wait for the disk.
    pub waiting_bytes: u64,
    /// Groups made durable.
    pub commits: u64,
    /// Writes and syncs that failed.
    pub write_failures: u64,
    /// Times that a sync was overdue.
    pub commit_timeouts: u64,
    /// Panics that the writer survived: of a task's waker, or its own.
    pub writer_panics: u64,
    /// Events of the trail itself that were not written down, because too many came at once.
    pub events_dropped: u64,
    /// The prunes of a store, where this process sees to them.
    pub prunes: PruneStats,
    /// How long the trail runs.
    pub uptime: Duration,
    /// One for each sink.
    pub sinks: Vec<SinkStats>,
}
