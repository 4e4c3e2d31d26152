//! Counters: one for each way to keep, delay, refuse or lose a record.

use std::time::Duration;

use crate::clock::Timestamp;

/// What one sink has done since this process gave it to the trail.
///
/// Within one snapshot `committed = delivered + pending + dead + missed`. The left side comes from
/// what the trails hold, the right side from what happened to each record, so the sum shows that
/// nothing slipped through.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// When the sink last confirmed a batch.
    pub last_success: Option<Timestamp>,
    /// The age of the oldest record in hand; `None` when nothing waits.
    pub lag: Option<Duration>,
}

/// How delivery to one sink stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SinkState {
    /// Delivering, or nothing to deliver.
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
