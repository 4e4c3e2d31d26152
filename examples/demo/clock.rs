//! Clocks that do not show the machine's time: for pictures, and for a past that is made up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use tower_audit::clock::{Clock, SystemClock, Timestamp};

/// Begins at a time, and goes on from there.
#[derive(Debug)]
pub(crate) struct Begun {
    at: Option<Timestamp>,
    since: Instant,
}

impl Begun {
    /// `None`: the machine's clock.
    pub(crate) fn at(at: Option<Timestamp>) -> Self {
        let since = Instant::now();
        Self { at, since }
    }
}

impl Clock for Begun {
    fn now(&self) -> Timestamp {
        match self.at {
            Some(at) => at.saturating_add(self.since.elapsed()),
            None => SystemClock::new().now(),
        }
    }
}

/// Stands where it was put; clones are the same clock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Put(Arc<AtomicI64>);

impl Put {
    pub(crate) fn to(&self, at: Timestamp) {
        self.0.store(at.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for Put {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}
