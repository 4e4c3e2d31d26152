//! When a service prunes its store.

use std::time::Duration;

use super::{Pruner, RetentionError};
use crate::clock::Timestamp;

/// Which store a service prunes, and when. Any number of instances may have the same one: on a
/// server only one of them prunes at a time.
///
/// ```
/// use tower_audit::retention::Schedule;
///
/// let schedule = Schedule::daily("sqlite:///var/lib/docs/audit.db").at_hour(3);
/// # let _ = schedule;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "give it to `AuditBuilder::retention`"]
pub struct Schedule {
    store: String,
    when: When,
    idle: Duration,
    /// So much later, so that instances do not all begin at once.
    jitter: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// At this hour of the day, in UTC.
    Daily(u8),
    Every(Duration),
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const HOUR: Duration = Duration::from_secs(60 * 60);
/// The most that a daily prune is put off.
const MOST_JITTER: u64 = 10 * 60;

impl Schedule {
    /// Once a day, at 2 o'clock in UTC and up to ten minutes later. `store`: the address, of a user
    /// who may remove records.
    pub fn daily(store: impl Into<String>) -> Self {
        // Any number that another instance does not have.
        let random = u64::try_from(uuid::Uuid::new_v4().as_u128() >> 100).unwrap_or_default();
        Self {
            store: store.into(),
            when: When::Daily(2),
            idle: Pruner::IDLE,
            jitter: Duration::from_secs(random % MOST_JITTER),
        }
    }

    /// At this hour in UTC, 0 to 23.
    pub const fn at_hour(mut self, hour: u8) -> Self {
        self.when = When::Daily(hour);
        self
    }

    /// So long after the start, and after each time; at least a second.
    pub fn every(mut self, interval: Duration) -> Self {
        self.when = When::Every(interval);
        self.jitter = Duration::ZERO;
        self
    }

    /// As [`Pruner::idle`]. Default: [`Pruner::IDLE`].
    pub const fn idle(mut self, time: Duration) -> Self {
        self.idle = time;
        self
    }

    pub(crate) fn store(&self) -> &str {
        &self.store
    }

    pub(crate) const fn idle_time(&self) -> Duration {
        self.idle
    }

    pub(crate) fn check(&self) -> Result<(), RetentionError> {
        let wrong = |reason: &str| {
            Err(RetentionError::Rule {
                key: "schedule",
                reason: reason.to_owned(),
            })
        };
        match self.when {
            When::Daily(hour) if hour > 23 => wrong("an hour of the day is 0 to 23"),
            When::Every(time) if time < Duration::from_secs(1) => wrong("at least a second"),
            When::Daily(_) | When::Every(_) => Ok(()),
        }
    }

    /// The next time after this one.
    pub(crate) fn next(&self, after: Timestamp) -> Timestamp {
        match self.when {
            When::Every(time) => after.saturating_add(time),
            When::Daily(hour) => {
                let day = i64::try_from(DAY.as_micros()).unwrap_or(i64::MAX);
                let midnight = after.as_micros().div_euclid(day).saturating_mul(day);
                let at = HOUR * u32::from(hour) + self.jitter;
                let today = Timestamp::from_micros(midnight).saturating_add(at);
                if today > after {
                    today
                } else {
                    today.saturating_add(DAY)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_one_time_and_an_interval_its_end() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let daily = Schedule {
            jitter: Duration::from_secs(61),
            ..Schedule::daily("sqlite://a.db").at_hour(3)
        };
        for (after, expected) in [
            ("2026-11-21T00:00:00Z", "2026-11-21T03:01:01Z"),
            ("2026-11-21T03:01:00Z", "2026-11-21T03:01:01Z"),
            ("2026-11-21T03:01:01Z", "2026-11-22T03:01:01Z"),
            ("2026-12-31T23:59:59Z", "2027-01-01T03:01:01Z"),
        ] {
            assert_eq!(daily.next(at(after)), at(expected), "{after}");
        }
        let every = Schedule::daily("sqlite://a.db").every(HOUR);
        let after = at("2026-11-21T00:00:00Z");
        assert_eq!(every.next(after), at("2026-11-21T01:00:00Z"));
        for wrong in [daily.at_hour(24), every.every(Duration::ZERO)] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
    }
}
