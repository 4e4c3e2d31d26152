//! Time and ids that a test decides.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::clock::{Clock, IdSource, RecordId, Timestamp};

/// A clock that stands still until it is moved; clones are the same clock.
///
/// ```
/// use std::time::Duration;
/// use tower_audit::{clock::Clock, testing::FixedClock};
///
/// let clock = FixedClock::at("2026-11-20T13:34:01Z".parse()?);
/// clock.advance(Duration::from_secs(60));
/// clock.step_back(Duration::from_micros(1));
/// assert_eq!(clock.now().to_string(), "2026-11-20T13:35:00.999999Z");
/// # Ok::<(), tower_audit::clock::TimestampError>(())
/// ```
#[derive(Debug, Clone)]
pub struct FixedClock(Arc<AtomicI64>);

impl FixedClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.as_micros())))
    }

    /// Shows `now` from here on, be it earlier or later.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_micros(), Ordering::SeqCst);
    }

    /// Moves forward, at most to [`Timestamp::MAX`].
    pub fn advance(&self, by: Duration) {
        self.change(|now| now.saturating_add(by));
    }

    /// Steps back, as a machine's clock does when it is corrected; at most to [`Timestamp::MIN`].
    pub fn step_back(&self, by: Duration) {
        self.change(|now| now.saturating_sub(by));
    }

    fn change(&self, change: impl Fn(Timestamp) -> Timestamp) {
        let change = |micros| change(Timestamp::from_micros(micros)).as_micros();
        self.0.update(Ordering::SeqCst, Ordering::SeqCst, change);
    }
}

impl Default for FixedClock {
    /// A clock that shows 2026-01-01T00:00:00Z.
    fn default() -> Self {
        Self::at(Timestamp::from_micros(1_767_225_600_000_000))
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Ids that count up in place of random bits; clones count together.
///
/// The first id at 2026-01-01T00:00:00Z is `019b76da-a800-7000-8000-000000000000`, the next one
/// ends in `1`.
#[derive(Debug, Clone, Default)]
pub struct FixedIds(Arc<AtomicU64>);

impl FixedIds {
    /// Ids that begin with `0`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl IdSource for FixedIds {
    fn next(&self, at: Timestamp) -> RecordId {
        RecordId::new(at, self.0.fetch_add(1, Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_moves_only_when_it_is_moved() {
        // trap J12
        let clock = FixedClock::default();
        let start = clock.now();
        assert_eq!(start.to_string(), "2026-01-01T00:00:00.000000Z");
        clock.clone().advance(Duration::from_secs(5));
        assert_eq!(clock.now().since(start), Duration::from_secs(5));
        clock.step_back(Duration::from_secs(7));
        assert_eq!(start.since(clock.now()), Duration::from_secs(2));
        clock.set(start);
        assert_eq!(clock.now(), start);
    }

    #[test]
    fn ids_count_up_whatever_the_time() {
        let (clock, ids) = (FixedClock::default(), FixedIds::new());
        assert_eq!(
            ids.next(clock.now()).to_string(),
            "019b76da-a800-7000-8000-000000000000"
        );
        clock.advance(Duration::from_micros(1));
        let second = ids.clone().next(clock.now());
        assert_eq!(second.to_string(), "019b76da-a800-7004-8000-000000000001");
        assert_eq!(second.timestamp(), clock.now());
    }
}
