//! Whether the wall clock was set.

use std::time::Instant;

use crate::clock::{Clock, Timestamp};

use super::TrailEvent;

/// What the two clocks said at the last commit.
#[derive(Debug)]
pub(crate) struct Pace {
    pub(crate) wall: Timestamp,
    steady: Instant,
}

/// A wall clock that moved this far against the monotonic one was set, not slewed.
const CLOCK_STEP_US: i64 = 1_000_000;

impl Pace {
    pub(crate) fn start(clock: &dyn Clock) -> Self {
        Self {
            wall: clock.now(),
            steady: Instant::now(),
        }
    }

    /// What both clocks say now; an event when they do not agree on how long it was.
    pub(crate) fn step(&mut self, clock: &dyn Clock) -> Option<TrailEvent> {
        let now = Self::start(clock);
        let before = std::mem::replace(self, now);
        let steady = self.steady.duration_since(before.steady).as_micros();
        let wall = self
            .wall
            .as_micros()
            .saturating_sub(before.wall.as_micros());
        let by_us = wall.saturating_sub(i64::try_from(steady).unwrap_or(i64::MAX));
        (by_us.saturating_abs() >= CLOCK_STEP_US).then_some(TrailEvent::ClockStep {
            from: before.wall,
            to: self.wall,
            by_us,
        })
    }
}
