//! When a service prunes its store.

use std::time::Duration;

use super::{Pruner, RetentionError};
use crate::clock::Timestamp;

/// Which store a service prunes, and when. Any number of instances may have the same one: one of
/// them prunes, and the others see in the store that it is done.
///
/// A time at which no instance ran is caught up a few minutes after a start. The first time of a
/// store, or of a new policy, is not: it comes when the schedule says.
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
/// How long after a start something missed is caught up: whoever starts has other work first, and
/// one that starts again and again is not to prune each time.
const CATCH_UP: Duration = Duration::from_secs(5 * 60);
/// How far the clock of another instance may be ahead.
const AHEAD: Duration = Duration::from_secs(5 * 60);

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

    /// So long after each time, whichever instance pruned, also before this start; the first time so
    /// long after the start. At least a second.
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

    /// The time up to which a prune that began counts as one of the past; one that is later was
    /// noted by a clock that is wrong, and must not keep others from pruning.
    pub(crate) fn believed(now: Timestamp) -> Timestamp {
        now.saturating_add(AHEAD)
    }

    /// Whether a store whose last whole prune began at this time needs none now, because another
    /// instance did what is due.
    pub(crate) fn is_done(&self, last: Timestamp, now: Timestamp) -> bool {
        match self.when {
            When::Every(time) => last.saturating_add(time) > now,
            When::Daily(hour) => {
                let today = at_hour(hour, now);
                let due = if today > now {
                    today.saturating_sub(DAY)
                } else {
                    today
                };
                last >= due
            }
        }
    }

    /// The next time after a start, when the last whole prune began at this time.
    pub(crate) fn resumed(&self, last: Timestamp, now: Timestamp) -> Timestamp {
        let by_schedule = self.next(now);
        let next = match self.when {
            _ if !self.is_done(last, now) => now.saturating_add(CATCH_UP + self.jitter),
            When::Every(time) => last.saturating_add(time),
            When::Daily(_) => by_schedule,
        };
        next.min(by_schedule)
    }

    /// The next time after this one.
    pub(crate) fn next(&self, after: Timestamp) -> Timestamp {
        match self.when {
            When::Every(time) => after.saturating_add(time),
            When::Daily(hour) => {
                let today = at_hour(hour, after).saturating_add(self.jitter);
                if today > after {
                    today
                } else {
                    today.saturating_add(DAY)
                }
            }
        }
    }
}

/// This hour of the day of a time, in UTC.
fn at_hour(hour: u8, time: Timestamp) -> Timestamp {
    let day = i64::try_from(DAY.as_micros()).unwrap_or(i64::MAX);
    let midnight = time.as_micros().div_euclid(day).saturating_mul(day);
    Timestamp::from_micros(midnight).saturating_add(HOUR * u32::from(hour))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it is the daily one, when the last prune began, now, whether that is enough, and when
    /// the next one is.
    #[rustfmt::skip]
    const RESUMED: [(bool, &str, &str, bool, &str); 11] = [
        (true, "2026-11-21T03:01:00Z", "2026-11-21T12:00:00Z", true, "2026-11-22T03:01:00Z"),
        // By another instance, with less of a delay than ours.
        (true, "2026-11-21T03:00:00Z", "2026-11-21T03:00:30Z", true, "2026-11-21T03:01:00Z"),
        (true, "2026-11-20T03:01:00Z", "2026-11-21T12:00:00Z", false, "2026-11-21T12:06:00Z"),
        (true, "2026-11-20T03:01:00Z", "2026-11-21T02:59:00Z", true, "2026-11-21T03:01:00Z"),
        (true, "2026-11-19T03:01:00Z", "2026-11-21T02:59:00Z", false, "2026-11-21T03:01:00Z"),
        (true, "2026-09-01T03:01:00Z", "2026-11-21T12:00:00Z", false, "2026-11-21T12:06:00Z"),
        // By hand, in the afternoon before.
        (true, "2026-11-20T15:00:00Z", "2026-11-21T12:00:00Z", false, "2026-11-21T12:06:00Z"),
        (false, "2026-11-21T11:00:00Z", "2026-11-21T12:00:00Z", true, "2026-11-21T17:00:00Z"),
        (false, "2026-11-21T06:00:00Z", "2026-11-21T12:00:00Z", false, "2026-11-21T12:05:00Z"),
        (false, "2026-09-01T03:01:00Z", "2026-11-21T12:00:00Z", false, "2026-11-21T12:05:00Z"),
        // By a clock that is a little ahead: no later than after a whole interval.
        (false, "2026-11-21T12:04:00Z", "2026-11-21T12:00:00Z", true, "2026-11-21T18:00:00Z"),
    ];

    #[test]
    fn what_was_missed_is_caught_up_once_and_what_another_did_is_done() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let daily = Schedule {
            jitter: Duration::from_secs(60),
            ..Schedule::daily("sqlite://a.db").at_hour(3)
        };
        let every = Schedule::daily("sqlite://a.db").every(6 * HOUR);
        for (is_daily, last, now, is_done, next) in RESUMED {
            let schedule = if is_daily { &daily } else { &every };
            let (last, now) = (at(last), at(now));
            assert_eq!(schedule.is_done(last, now), is_done, "{last} {now}");
            assert_eq!(schedule.resumed(last, now), at(next), "{last} {now}");
        }
        let often = every.every(Duration::from_secs(60));
        let (last, now) = (at("2026-11-21T11:00:00Z"), at("2026-11-21T12:00:00Z"));
        assert_eq!(often.resumed(last, now), at("2026-11-21T12:01:00Z"));
        assert_eq!(Schedule::believed(now), at("2026-11-21T12:05:00Z"));
    }

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
