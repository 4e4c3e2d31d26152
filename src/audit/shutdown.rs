//! The end of a trail's run, and the report of it.

use std::{
    fmt,
    time::{Duration, Instant},
};

use crate::{delivery::Ending, journal::Closed, stats::SinkStats};

use super::{Parts, about};

/// The part of a shutdown's time that open scopes may use.
const WORK_SHARE: f64 = 0.75;

/// What the disk is given for the last commit even when the time is up.
const GRACE: Duration = Duration::from_secs(1);

/// A longer time-out means: as long as it takes.
pub(super) const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What is safe and what is not after a shutdown.
#[must_use = "the report says what is not stored or not delivered"]
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Everything that was recorded is durable, and the trail's end is marked.
    pub in_order: bool,
    /// Records made durable in this run.
    pub stored: u64,
    /// Records that did not fit into memory while the disk failed.
    pub lost: u64,
    /// Records that are only in memory: the disk did not take them in time.
    pub unstored: u64,
    /// Scopes that were still open when the time was up; their records are refused.
    pub unfinished: u64,
    /// What each sink still lacks; it stays in the journal for the next start.
    pub sinks: Vec<SinkReport>,
}

/// How far one sink is at the end.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct SinkReport {
    /// The sink's name.
    pub name: String,
    /// Records it confirmed in this run.
    pub delivered: u64,
    /// Durable records that wait for it.
    pub undelivered: u64,
    /// Records it refused in this run.
    pub dead: u64,
    /// It blocked its thread, which was left behind; it may still store what it had in hand.
    pub stuck: bool,
}

impl SinkReport {
    pub(super) fn of(sink: SinkStats, stuck: bool) -> Self {
        Self {
            name: sink.name,
            delivered: sink.delivered,
            undelivered: sink.pending,
            dead: sink.dead,
            stuck,
        }
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.in_order {
            "closed in order"
        } else {
            "not closed in order"
        };
        write!(f, "audit trail {end}: {} stored", self.stored)?;
        for (count, what) in [
            (self.unstored, "only in memory"),
            (self.lost, "lost"),
            (self.unfinished, "unfinished"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        for sink in &self.sinks {
            write!(f, "; {}: {} delivered", sink.name, sink.delivered)?;
            if sink.undelivered > 0 {
                write!(f, ", {} wait in the journal", sink.undelivered)?;
            }
            if sink.stuck {
                write!(f, ", stuck")?;
            }
            if sink.dead > 0 {
                write!(f, ", {} refused", sink.dead)?;
            }
        }
        Ok(())
    }
}

impl Parts {
    /// Blocks for `timeout` at most, and [`GRACE`] beyond it where the disk needs that.
    pub(super) fn shutdown(&self, timeout: Duration) -> ShutdownReport {
        let timeout = timeout.min(LONGEST);
        let begun = Instant::now();
        let deadline = begun + timeout;
        // A server that waits for its connections would wait for live views for ever.
        self.viewers.close();
        // Work that hangs must not cost what was recorded: the disk and the sinks need time too.
        let unfinished = self.journal.refuse(begun + timeout.mul_f64(WORK_SHARE));
        let commit_by = deadline.max(Instant::now() + GRACE);
        // The step that it is at ends, and what it did is written down.
        self.keeping.stop(begun + timeout.mul_f64(WORK_SHARE));
        // What happened to the last groups is written down before the keeper goes.
        self.journal.settle(commit_by);
        if self.keeper.stop(commit_by) {
            // No work is open, or it is refused; what it was refused before is written now.
            self.recorder.write_folded();
            let counts = self.journal.inbox().counts();
            self.recorder.own(about::stopped(&counts, unfinished));
        }
        let closed = self.journal.close(commit_by);
        let left = || deadline.saturating_duration_since(Instant::now());
        // What it leaves in a locked database is found at the next start; the sinks wait for this.
        self.remover.stop(Instant::now() + left() / 4);
        self.delivery.drain(left());
        let ended = self.delivery.stop(left());
        let stuck = |name: &str| {
            let mut left_behind = ended
                .iter()
                .filter(|sink| sink.ending == Ending::LeftBehind);
            left_behind.any(|sink| sink.sink == name)
        };
        let sinks = self.delivery.stats();
        let counts = self.journal.inbox().counts();
        ShutdownReport {
            in_order: closed == Closed::InOrder && unfinished == 0,
            stored: counts.stored,
            lost: counts.lost,
            unstored: counts.queued,
            unfinished,
            sinks: sinks
                .into_iter()
                .map(|sink| {
                    let is_stuck = stuck(&sink.name);
                    SinkReport::of(sink, is_stuck)
                })
                .collect(),
        }
    }
}
