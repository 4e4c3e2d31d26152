//! What the thread that prunes does next, and how patient it is.

use std::time::Duration;

use crate::{clock::Timestamp, retention::Schedule};

/// How often the holds of the store are read: one that was placed keeps what is on this machine
/// from then on.
const HOLDS: Duration = Duration::from_secs(5 * 60);
/// How long is waited after the first failure that passes; twice as long after each further one.
const FIRST_WAIT: Duration = Duration::from_secs(60);
/// The longest wait.
const LAST_WAIT: Duration = Duration::from_secs(60 * 60);
/// From which failure in a row on it is told.
const LASTED: u32 = 3;

/// When what is to be done, by the trail's clock.
#[derive(Debug)]
pub(super) struct Due {
    /// When the clock was looked at last.
    seen: Timestamp,
    prune: Timestamp,
    look: Timestamp,
    /// Whether it was seen when the store was pruned last: once after a start. From then on this
    /// process knows, and what fails again and again must not look missed again and again.
    is_resumed: bool,
    /// Failures in a row that pass, of prunes and of looks.
    prunes_failed: u32,
    looks_failed: u32,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Prune,
    /// To see which holds there are.
    Look,
    Nothing,
}

impl Due {
    /// At the start, or counted anew.
    pub(super) fn new(schedule: &Schedule, now: Timestamp) -> Self {
        Self {
            seen: now,
            prune: schedule.next(now),
            look: now,
            is_resumed: false,
            prunes_failed: 0,
            looks_failed: 0,
        }
    }

    /// What is due now; it is taken for done, and the next time is set.
    pub(super) fn take(&mut self, schedule: &Schedule, now: Timestamp) -> Task {
        if now < self.seen {
            // The clock was put back: what is due is counted from where it is now.
            (self.prune, self.look) = (schedule.next(now), now);
        }
        self.seen = now;
        if now >= self.prune {
            self.prune = schedule.next(now);
            self.look = now.saturating_add(HOLDS);
            Task::Prune
        } else if now >= self.look {
            self.look = now.saturating_add(HOLDS);
            Task::Look
        } else {
            Task::Nothing
        }
    }

    /// The store was seen, and when it was pruned last: what was missed before this start, or is
    /// due earlier than counted from it.
    pub(super) fn resume(&mut self, schedule: &Schedule, last: Option<Timestamp>, now: Timestamp) {
        let is_first = !std::mem::replace(&mut self.is_resumed, true);
        if let Some(last) = last.filter(|_| is_first) {
            self.prune = self.prune.min(schedule.resumed(last, now));
        }
    }

    /// What was taken is over, or a person must act first: the next one is by the schedule.
    pub(super) fn done(&mut self, schedule: &Schedule, task: Task, now: Timestamp) {
        *self.failures(task) = 0;
        if task == Task::Prune {
            self.prune = schedule.next(now);
        }
    }

    /// It failed for a reason that passes, and is tried again soon; whether that lasts by now.
    pub(super) fn failed(&mut self, task: Task, now: Timestamp) -> bool {
        let failures = self.failures(task);
        let doubled = FIRST_WAIT.saturating_mul(1_u32 << (*failures).min(16));
        *failures = failures.saturating_add(1);
        let lasts = *failures >= LASTED;
        let again = now.saturating_add(doubled.min(LAST_WAIT));
        match task {
            Task::Prune => self.prune = self.prune.min(again),
            Task::Look | Task::Nothing => self.look = again,
        }
        lasts
    }

    const fn failures(&mut self, task: Task) -> &mut u32 {
        match task {
            Task::Prune => &mut self.prunes_failed,
            Task::Look | Task::Nothing => &mut self.looks_failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many prunes are taken up to a time, when each succeeds.
    fn prunes(due: &mut Due, schedule: &Schedule, from: u64, to: u64) -> Vec<u64> {
        let mut taken = Vec::new();
        for now in from..=to {
            let task = due.take(schedule, at(now));
            if task == Task::Prune {
                taken.push(now);
            }
            if task != Task::Nothing {
                due.done(schedule, task, at(now));
            }
        }
        taken
    }

    #[test]
    fn a_start_catches_up_once_and_a_clock_that_jumps_makes_one_prune() {
        let schedule = Schedule::daily("sqlite://a.db").every(Duration::from_secs(3600));
        let long_ago = START.saturating_sub(Duration::from_secs(86_400));
        let mut due = Due::new(&schedule, START);
        assert_eq!(due.take(&schedule, START), Task::Look);
        due.resume(&schedule, Some(long_ago), START);
        due.done(&schedule, Task::Look, START);
        // A later look that finds the same old prune, as where each one fails, changes nothing.
        assert_eq!(prunes(&mut due, &schedule, 1, 300), [300]);
        due.resume(&schedule, Some(long_ago), at(300));
        assert_eq!(prunes(&mut due, &schedule, 301, 3899), [0; 0]);
        assert_eq!(prunes(&mut due, &schedule, 3900, 3900), [3900]);
        // Ten days ahead, and back again.
        assert_eq!(prunes(&mut due, &schedule, 864_000, 864_010), [864_000]);
        assert_eq!(prunes(&mut due, &schedule, 4000, 7599), [0; 0]);
        assert_eq!(prunes(&mut due, &schedule, 7600, 7600), [7600]);
    }

    #[test]
    fn a_service_that_starts_more_often_than_it_prunes_prunes_all_the_same() {
        let schedule = Schedule::daily("sqlite://a.db").every(Duration::from_secs(3600));
        let (mut last, mut taken) = (START, Vec::new());
        for start in (0..20_000).step_by(600) {
            let mut due = Due::new(&schedule, at(start));
            due.resume(&schedule, Some(last), at(start));
            for now in prunes(&mut due, &schedule, start, start + 599) {
                last = at(now);
                taken.push(now);
            }
        }
        assert_eq!(taken, [3900, 7500, 11_100, 14_700, 18_300]);
    }

    const START: Timestamp = Timestamp::from_micros(1_795_219_200_000_000);

    fn at(seconds: u64) -> Timestamp {
        START.saturating_add(Duration::from_secs(seconds))
    }

    #[test]
    fn what_fails_for_a_moment_is_tried_again_after_minutes_and_told_when_it_lasts() {
        let schedule = Schedule::daily("sqlite://a.db").every(Duration::from_secs(86_400));
        let mut due = Due::new(&schedule, START);
        assert_eq!(due.take(&schedule, START), Task::Look);
        due.done(&schedule, Task::Look, START);
        assert_eq!(due.take(&schedule, at(299)), Task::Nothing);
        assert_eq!(due.take(&schedule, at(300)), Task::Look);
        let mut now = 86_400;
        assert_eq!(due.take(&schedule, at(now)), Task::Prune);
        let mut waits = Vec::new();
        for is_told in [false, false, true, true, true, true, true, true] {
            assert_eq!(due.failed(Task::Prune, at(now)), is_told);
            let before = now;
            loop {
                now += 1;
                match due.take(&schedule, at(now)) {
                    Task::Prune => break,
                    // That the holds can be read makes no prune of it.
                    task => due.done(&schedule, task, at(now)),
                }
            }
            waits.push((now - before).div_euclid(60));
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        due.done(&schedule, Task::Prune, at(now));
        assert!(!due.failed(Task::Prune, at(now)), "the next is a first one");
    }

    #[test]
    fn a_try_is_never_later_than_the_schedule_and_a_clock_that_went_back_is_followed() {
        let schedule = Schedule::daily("sqlite://a.db").every(Duration::from_secs(10));
        let mut due = Due::new(&schedule, START);
        assert_eq!(due.take(&schedule, at(10)), Task::Prune);
        due.failed(Task::Prune, at(10));
        assert_eq!(due.take(&schedule, at(20)), Task::Prune);
        let earlier = START.saturating_sub(Duration::from_secs(1000));
        assert_eq!(due.take(&schedule, earlier), Task::Look);
        let then = earlier.saturating_add(Duration::from_secs(10));
        assert_eq!(due.take(&schedule, then), Task::Prune);
    }
}
