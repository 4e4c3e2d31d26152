//! Delivery: from the journal to each sink, in order, without loss.
//!
//! # What is promised
//!
//! - Every durable record of a trail reaches every sink, unless it is *dead* (refused for good, and
//!   kept in the dead letters) or *missed* (pruned or damaged before the sink could have it). The
//!   sum of the four is in [`SinkStats`](crate::stats::SinkStats) at every moment.
//! - Within one trail, in order. A sink that keeps its own position gets each record once; any
//!   other at least once: after an unclear answer, or a crash, a batch may come again.
//! - A sink that fails, hangs, blocks or panics delays nobody else. Each has a thread and a runtime
//!   of its own; what waits for it waits on the disk, so that memory holds one batch per sink.
//!
//! # In what order
//!
//! A batch is read, offered, and answered. Only then the cursor moves: first the dead letters are
//! durable, then the counters move, then the cursor file is written. A crash between any two makes
//! a batch come again, which the sink's own position, or the dead letters, turn into nothing.
//!
//! # Who wins
//!
//! At the start, and after every call that failed, the sink is asked for its position; what it
//! answers wins over the cursor file. So a batch whose answer was lost is not doubled, and a
//! database restored from a backup is refilled. An answer beyond the end of the trail is a reason
//! to stop: see `feed`.
//!
//! # What it does not do
//!
//! A sink that blocks its thread inside one poll cannot be interrupted, only left behind at the
//! end. A process built with `panic = "abort"` dies of a sink's panic.

mod backoff;
mod call;
pub(crate) mod cursor;
pub(crate) mod dead_letter;
mod event;
#[cfg(test)]
mod fake;
mod feed;
mod follower;
mod hand;
mod journal_source;
mod name;
mod offer;
mod pick;
mod probe;
pub(crate) mod replay;
mod source;
mod stats;
mod supervisor;
#[cfg(test)]
mod tests;
mod trouble;
mod try_out;
mod worker;

use std::{fmt, sync::Arc, time::Duration};

pub(crate) use event::{DeliveryEvent, Listener, What};
pub(crate) use journal_source::JournalSource;
pub(crate) use name::SinkName;
pub(crate) use probe::{Answer, Tested, test_batch};
pub(crate) use source::Source;
pub(crate) use stats::Standing;
pub(crate) use supervisor::{Ending, Supervisor};
pub(crate) use try_out::{Tried, Trying, try_out};

use crate::{clock::Clock, disk::SharedDisk};

/// What delivery to one sink is allowed to take.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// How long a sink may take for one answer. Default 30 s: longer than a slow bulk insert,
    /// shorter than an operator's patience.
    pub call_timeout: Duration,
    /// Where a sink begins that has neither a position nor a cursor. Default: the oldest record.
    pub start_at: StartAt,
    /// How large the dead letters of one trail may grow before delivery is blocked.
    /// Default 64 MiB: a thousand of the largest records, a hundred thousand usual ones.
    pub dead_letter_bytes: u64,
    /// Refusals in a row that mean the sink, not the records, is at fault. Default 100.
    pub refusals_in_row: usize,
    /// How long calls fail before it is called an outage. Default 5 s: what passes sooner is in
    /// the counter of retries, and two records in the trail for each hiccup help nobody.
    pub outage_after: Duration,
    /// Whether cursors and dead letters are kept.
    pub keeping: Keeping,
    /// Whether the sink's own position is asked for.
    pub positions: Positions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            call_timeout: Duration::from_secs(30),
            start_at: StartAt::Oldest,
            dead_letter_bytes: 64 * 1024 * 1024,
            refusals_in_row: 100,
            outage_after: Duration::from_secs(5),
            keeping: Keeping::Files,
            positions: Positions::Asked,
        }
    }
}

/// Where a new sink begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartAt {
    /// At the oldest record that is kept.
    Oldest,
    /// At what is committed next.
    Now,
}

/// Whether a follower leaves anything on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// Cursors and dead letters, beside the trail.
    Files,
    /// Nothing: a replay.
    Nothing,
}

/// Whether a sink decides what it still wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Positions {
    /// It is asked.
    Asked,
    /// It gets what it is given: dead letters lie before its position.
    Ignored,
}

/// What delivery stands on; a test brings its own.
#[derive(Clone)]
pub(crate) struct Surroundings {
    /// Where cursors and dead letters are kept.
    pub disk: SharedDisk,
    /// The time that people read.
    pub clock: Arc<dyn Clock>,
    /// Who is told.
    pub listener: Listener,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}
