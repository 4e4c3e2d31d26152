//! The thread that lets nobody wait for longer than the commit time-out.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use crate::clock::Clock;

use super::Inbox;

/// Lets nobody wait longer than the commit time-out, as long as the writer lives.
#[derive(Debug, Default)]
pub(super) struct Watch {
    ended: Mutex<bool>,
    changed: Condvar,
}

impl Watch {
    /// Looks at regular times whether somebody waits for too long.
    pub(super) fn run(&self, inbox: &Inbox, clock: &dyn Clock) {
        while self.wait(inbox.expiry_interval()) {
            // No lock is held, and a panic ends nothing: it runs a foreign clock and foreign wakers.
            let expire = || inbox.expire(clock.now());
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(expire));
        }
    }

    /// Waits for one interval; false when it is over.
    fn wait(&self, interval: Duration) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout_while(ended, interval, |ended| !*ended);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }

    pub(super) fn end(&self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}

/// Ends the watch when the writer ends, however it does.
#[derive(Debug)]
pub(super) struct WatchEnds(pub(super) Arc<Watch>);

impl Drop for WatchEnds {
    fn drop(&mut self) {
        self.0.end();
    }
}
