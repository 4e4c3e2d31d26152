//! A value that a test can wait for.

use std::{
    fmt::Debug,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Longer than anything takes on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

/// A value behind a lock that rings when it may have changed.
#[derive(Debug, Default)]
pub(super) struct Waiting<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T: Debug> Waiting<T> {
    pub(super) fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            changed: Condvar::new(),
        }
    }

    pub(super) fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        read(&self.lock())
    }

    pub(super) fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Blocks until `holds`; fails the test after half a minute.
    #[track_caller]
    pub(super) fn wait_until(&self, what: &str, holds: impl Fn(&T) -> bool) {
        let waits = |value: &mut T| !holds(value);
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), PATIENCE, waits);
        let (value, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
        if outcome.timed_out() {
            let seen = format!("{:#?}", *value);
            drop(value);
            #[expect(clippy::panic, reason = "this is how a test fails")]
            {
                panic!("waited {PATIENCE:?} in vain until {what}; last seen: {seen}");
            }
        }
    }

    /// Blocks the thread while `holds`, for ever if need be.
    pub(super) fn wait_while(&self, holds: impl Fn(&T) -> bool) {
        let waits = |value: &mut T| holds(value);
        drop(self.changed.wait_while(self.lock(), waits));
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        // A question that panics leaves the value as it was.
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
