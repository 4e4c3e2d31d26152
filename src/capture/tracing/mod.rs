//! What `tracing` sees becomes records: spans and events of the target `audit`.
//!
//! The user's view is `docs/tracing.md`, which is the documentation of [`AuditTracing`]. Inside:
//! `layer` answers the subscriber, `fields` and `value` read what
//! they carry, `apply` puts it into a record, `span` keeps what a span said so far,
//! `trail` is where its records go, `self_test` finds out whether anything arrives.
//!
//! Invariant: no lock is held while a value is formatted or a record appended. Both run foreign
//! code, which may use `tracing` itself.

mod apply;
mod fields;
mod layer;
mod self_test;
mod span;
mod trail;
mod value;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tracing::level_filters::LevelFilter;

use super::Recorder;
use self_test::Seen;
use trail::Door;

pub(crate) use self_test::SelfTest;

#[doc = include_str!("../../../docs/tracing.md")]
#[derive(Clone, Default)]
pub struct AuditTracing {
    shared: Arc<Shared>,
    level_hint: Option<LevelFilter>,
}

/// What all clones share.
#[derive(Debug, Default)]
struct Shared {
    door: Door,
    counters: Counters,
    seen: Seen,
}

#[derive(Debug, Default)]
struct Counters {
    ignored_fields: AtomicU64,
    ignored_events: AtomicU64,
    early_dropped: AtomicU64,
    refused: AtomicU64,
}

/// What an [`AuditTracing`] left out so far, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TracingCounts {
    /// Fields of audit spans and events that have no documented name, or no value that fits it.
    pub ignored_fields: u64,
    /// Audit events without an `action`, outside any audit span, request and job.
    pub ignored_events: u64,
    /// Records from before the trail was attached, beyond the
    /// [`MAX_EARLY`](AuditTracing::MAX_EARLY) that are kept.
    pub early_dropped: u64,
    /// Records that the trail did not take: its queue was full, or it was shut down.
    pub refused: u64,
}

impl AuditTracing {
    /// The records that are kept until a trail is attached.
    pub const MAX_EARLY: usize = trail::MAX_EARLY;

    /// A layer without a trail; what it sees is kept until one is attached.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells the subscriber that nothing beyond this level is of interest. Default: no hint.
    ///
    /// Without it, each `trace!` of the whole process comes as far as this layer, some 35 ns,
    /// unless a filter of the whole subscriber stops it. With it, those cost nothing, but **a plain
    /// `fmt` layer beside this one loses its own lines beyond the level too**: give that one a
    /// filter of its own (`.with_filter(…)`), which the subscriber then goes by.
    ///
    /// It counts in the clone that is installed. Audit spans and events beyond it are lost.
    #[must_use]
    pub const fn level_hint(mut self, level: LevelFilter) -> Self {
        self.level_hint = Some(level);
        self
    }

    /// What was left out so far.
    #[must_use]
    pub fn counts(&self) -> TracingCounts {
        let counters = &self.shared.counters;
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TracingCounts {
            ignored_fields: load(&counters.ignored_fields),
            ignored_events: load(&counters.ignored_events),
            early_dropped: load(&counters.early_dropped),
            refused: load(&counters.refused),
        }
    }

    /// From now on records go to this trail; what waited for one goes first.
    pub(crate) fn attach(&self, recorder: &Recorder) {
        for early in self.shared.door.attach(recorder) {
            self.shared.append(recorder, early);
        }
    }

    /// Whether audit spans and events of this thread arrive here; if not, why.
    pub(crate) fn self_test(&self) -> SelfTest {
        self_test::run(self)
    }
}

impl fmt::Debug for AuditTracing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditTracing")
            .field("level_hint", &self.level_hint)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}
