//! How long to wait before the next try.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

/// The first wait after a failure: long enough for a connection to be made anew, short enough that
/// nobody notices.
pub(crate) const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait between tries: a repaired destination is noticed within a minute, and one that
/// is down for a day costs 1500 calls.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Between tries while somebody must act; as [`LONGEST_WAIT`], because hurry does not help.
pub(crate) const BLOCKED_WAIT: Duration = Duration::from_secs(60);
/// The longest wish of a destination that is honoured. Beyond it a wrong `Retry-After` (a date read
/// as seconds) would stop delivery for good.
pub(crate) const LONGEST_WISH: Duration = Duration::from_secs(300);

/// Waits that double from [`FIRST_WAIT`] to [`LONGEST_WAIT`], each by chance up to half shorter, so
/// that instances which failed together do not come back together.
#[derive(Debug)]
pub(crate) struct Backoff {
    failures: u32,
    random: u64,
}

impl Backoff {
    /// A back-off with its own random sequence.
    pub(crate) fn new() -> Self {
        // Every `RandomState` is keyed differently; that is all the chance a back-off needs.
        Self::seeded(RandomState::new().build_hasher().finish())
    }

    /// A back-off with a given random sequence.
    pub(crate) const fn seeded(random: u64) -> Self {
        Self {
            failures: 0,
            random,
        }
    }

    /// The wait after one more failure.
    pub(crate) fn next(&mut self) -> Duration {
        let full = FIRST_WAIT
            .saturating_mul(1 << self.failures.min(16))
            .min(LONGEST_WAIT);
        self.failures = self.failures.saturating_add(1);
        full / 2 + self.up_to(full / 2)
    }

    /// The wait that a destination asked for: at least [`FIRST_WAIT`], at most [`LONGEST_WISH`].
    pub(crate) fn wish(&mut self, after: Duration) -> Duration {
        self.failures = self.failures.saturating_add(1);
        after.clamp(FIRST_WAIT, LONGEST_WISH)
    }

    /// The wait while somebody must act: a minute, by chance up to a tenth longer.
    pub(crate) fn blocked(&mut self) -> Duration {
        BLOCKED_WAIT + self.up_to(BLOCKED_WAIT / 10)
    }

    /// Begins again with the shortest wait.
    pub(crate) const fn reset(&mut self) {
        self.failures = 0;
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        // SplitMix64.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.random;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^= value >> 31;
        let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(value % micros.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_minute_and_begin_again_after_success() {
        let mut backoff = Backoff::seeded(7);
        for failure in 0..20 {
            let full = (FIRST_WAIT * 2_u32.pow(failure.min(15))).min(LONGEST_WAIT);
            let wait = backoff.next();
            assert!(wait >= full / 2 && wait <= full, "{failure}: {wait:?}");
        }
        backoff.reset();
        let wait = backoff.next();
        assert!(wait <= FIRST_WAIT, "{wait:?}");
    }

    #[test]
    fn two_followers_do_not_wait_alike() {
        let mut one = Backoff::new();
        let mut other = Backoff::new();
        let waits = |backoff: &mut Backoff| (0..8).map(|_| backoff.next()).collect::<Vec<_>>();
        assert_ne!(waits(&mut one), waits(&mut other));
    }

    #[test]
    fn a_wish_is_honoured_up_to_five_minutes_and_never_a_hot_loop() {
        for (given, expected) in [
            (Duration::ZERO, FIRST_WAIT),
            (Duration::from_secs(7), Duration::from_secs(7)),
            (Duration::from_secs(86_400), Duration::from_secs(300)),
        ] {
            assert_eq!(Backoff::seeded(1).wish(given), expected, "{given:?}");
        }
    }
}
