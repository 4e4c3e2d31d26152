//! What the journal wants written down about itself; `audit` turns each into a record.

use std::{fmt, sync::Arc};

use crate::clock::Timestamp;

/// Something that happened to the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TrailEvent {
    /// Writing works again after it did not.
    Outage(Outage),
    /// Records were lost for want of memory while the trail was not failing.
    Lost {
        count: u64,
        first: Timestamp,
        last: Timestamp,
    },
    /// The wall clock moved against the monotonic one by this many µs.
    ClockStep {
        from: Timestamp,
        to: Timestamp,
        by_us: i64,
    },
    /// The volume was full: the reserve file was given back so that the outage can be written.
    ReserveReleased { at: Timestamp },
}

/// A time in which nothing could be made durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outage {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) cause: String,
    /// Writes that failed.
    pub(crate) failures: u64,
    /// Records that waited in memory when writing worked again.
    pub(crate) waited: u64,
    /// Records that did not fit into memory.
    pub(crate) lost: u64,
}

/// Where events go: a function that must neither wait nor call back into the journal.
#[derive(Clone)]
pub(crate) struct Events(Arc<dyn Fn(TrailEvent) + Send + Sync>);

impl Events {
    pub(crate) fn new(take: impl Fn(TrailEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    pub(crate) fn send(&self, event: TrailEvent) {
        (self.0)(event);
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}
