//! What delivery reports: facts that the trail records about itself.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;

use crate::clock::Timestamp;

/// Receives every event, on the thread of the sink it is about. Must not wait.
pub(crate) type Listener = Arc<dyn Fn(DeliveryEvent) + Send + Sync>;

/// Something that an operator or an auditor has to know about one sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeliveryEvent {
    /// The sink's name.
    pub sink: String,
    /// What happened.
    pub what: What,
}

/// What happened to a sink, or to records on their way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// Calls had failed for a while, or until somebody acted, and that is over. Shorter faults only
    /// count as retries.
    OutageEnded {
        /// The first failure.
        start: Timestamp,
        /// The first success.
        end: Timestamp,
        /// The last failure, for a person.
        cause: String,
        /// Records that wait for the sink at its end.
        waited: u64,
    },
    /// Nothing goes on until somebody repairs something.
    Blocked {
        /// When.
        start: Timestamp,
        /// What to repair, for a person.
        reason: String,
    },
    /// Records were refused and are kept in the dead letters.
    DeadLettered {
        /// Their trail.
        trail: Uuid,
        /// How many since the last such event.
        count: u64,
        /// The lowest number among them.
        first: u64,
        /// The highest number among them, inclusive.
        last: u64,
        /// Why the last was refused, for a person.
        reason: String,
    },
    /// Records were pruned before the sink had them.
    Missed {
        /// Their trail.
        trail: Uuid,
        /// The first number.
        from: u64,
        /// The number after the last.
        to: u64,
    },
    /// Records cannot be read; the others go on.
    Damaged {
        /// Their trail.
        trail: Uuid,
        /// The first number.
        from: u64,
        /// The number after the last.
        to: u64,
        /// The segment.
        file: PathBuf,
        /// The byte where the damage begins.
        offset: u64,
    },
    /// The sink confirmed records and then no longer had them; they are delivered again.
    WentBack {
        /// Their trail.
        trail: Uuid,
        /// What the sink has now: the next number it wants.
        to: u64,
        /// What it had.
        from: u64,
    },
    /// A cursor file or a line of the dead letters is damaged and was passed over.
    FileDamaged {
        /// Which.
        file: PathBuf,
        /// How.
        reason: String,
    },
    /// A cursor file cannot be written; delivery goes on.
    CursorUnwritable {
        /// Which.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// The sink, or its follower, panicked; it goes on after a wait.
    Panicked {
        /// How often since the last such event.
        count: u64,
        /// The panic's message, neutralised.
        message: String,
    },
}

/// Lets one of a repeated kind through per [`INTERVAL`](Self::INTERVAL) and counts the others.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    last: Option<Instant>,
    held: u64,
}

impl Throttle {
    /// A fault that repeats for a day leaves 1440 lines, not millions.
    pub(crate) const INTERVAL: Duration = Duration::from_secs(60);

    /// Counts one more; `Some(how many since the last that passed)` when this one may pass.
    pub(crate) fn pass(&mut self, now: Instant) -> Option<u64> {
        self.held = self.held.saturating_add(1);
        if self.due().is_some_and(|due| now < due) {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held))
    }

    /// When the next may pass; `None` when it may at once.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.last.map(|last| last + Self::INTERVAL)
    }
}

/// Sends the events of one sink to the listener, and to the host's log.
pub(crate) struct Reporter {
    sink: String,
    listener: Listener,
    panics: Throttle,
    cursors: Throttle,
    dead: Throttle,
    dead_held: Option<What>,
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter")
            .field("sink", &self.sink)
            .finish_non_exhaustive()
    }
}

impl Reporter {
    pub(crate) fn new(sink: String, listener: Listener) -> Self {
        Self {
            sink,
            listener,
            panics: Throttle::default(),
            cursors: Throttle::default(),
            dead: Throttle::default(),
            dead_held: None,
        }
    }

    /// Reports one fact at once.
    pub(crate) fn tell(&self, what: What) {
        let sink = &self.sink;
        match &what {
            What::OutageEnded { .. } => {
                tracing::info!(target: "tower_audit", sink, event = ?what, "delivery goes on");
            }
            _ => tracing::warn!(target: "tower_audit", sink, event = ?what, "delivery"),
        }
        let sink = sink.clone();
        // The listener is the host's way into its own trail; its panic must not cost us the batch.
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            (self.listener)(DeliveryEvent { sink, what });
        }));
        if told.is_err() {
            tracing::error!(target: "tower_audit", sink = self.sink, "the listener of delivery events panicked");
        }
    }

    /// Logs a failed call; the caller limits how often.
    pub(crate) fn log_failure(&self, cause: &str, failures: u64) {
        let sink = &self.sink;
        tracing::warn!(target: "tower_audit", sink, failures, cause, "delivery failed, trying again");
    }

    /// Reports a panic, at most one a minute.
    pub(crate) fn panicked(&mut self, message: String, now: Instant) {
        if let Some(count) = self.panics.pass(now) {
            self.tell(What::Panicked { count, message });
        }
    }

    /// Reports a cursor that cannot be written, at most one a minute.
    pub(crate) fn cursor_unwritable(&mut self, file: PathBuf, reason: String, now: Instant) {
        if self.cursors.pass(now).is_some() {
            self.tell(What::CursorUnwritable { file, reason });
        }
    }

    /// Reports refused records of one trail, at most once a minute for all together.
    ///
    /// The report becomes a record, which the same sink may refuse too: without the limit the two
    /// would feed each other for ever.
    pub(crate) fn dead_lettered(&mut self, more: What, now: Instant) {
        if let Some(other) = self.hold_dead(more) {
            self.tell(other);
        }
        self.flush_dead(now);
    }

    /// Reports what [`dead_lettered`](Self::dead_lettered) held back, once its time has come.
    pub(crate) fn flush_dead(&mut self, now: Instant) {
        if self.dead_held.is_some()
            && self.dead.pass(now).is_some()
            && let Some(held) = self.dead_held.take()
        {
            self.tell(held);
        }
    }

    /// Reports what was held back, whether its time has come or not.
    pub(crate) fn flush_held(&mut self) {
        if let Some(held) = self.dead_held.take() {
            self.tell(held);
        }
    }

    /// When [`flush_dead`](Self::flush_dead) has something to say.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.dead_held.as_ref().and_then(|_| self.dead.due())
    }

    /// Joins `more` with what is held; gives back what was held of another trail.
    fn hold_dead(&mut self, mut more: What) -> Option<What> {
        let held = self.dead_held.take();
        let joined = match (&held, &mut more) {
            (
                Some(What::DeadLettered {
                    trail: old_trail,
                    count: old_count,
                    first: old_first,
                    last: old_last,
                    ..
                }),
                What::DeadLettered {
                    trail,
                    count,
                    first,
                    last,
                    ..
                },
            ) if old_trail == trail => {
                *count = count.saturating_add(*old_count);
                *first = (*first).min(*old_first);
                *last = (*last).max(*old_last);
                true
            }
            _ => false,
        };
        self.dead_held = Some(more);
        held.filter(|_| !joined)
    }
}

/// A foreign text made safe for a log line and a record: escaped, at most 500 bytes.
pub(crate) fn neutral(text: &str) -> String {
    crate::text::clean(text, 500).0.into_owned()
}
