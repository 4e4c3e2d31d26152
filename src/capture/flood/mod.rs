//! Folds floods: many refused requests of one client become one record that counts them.
//!
//! Anybody can be refused as often as they like, so records of refused and failed requests without
//! an actor must not fill the disk, nor the memory. In each minute a client's first ones, as many as
//! the policy says, are written one by one; what comes after is counted, and written as one record
//! for each action, outcome and status when the minute is over.
//!
//! | what is bounded, in a minute | at most | beyond |
//! |---|---|---|
//! | records of one client, one by one | the policy's rate | folded |
//! | records of all clients, one by one | [`CLIENTS_AT_FULL_RATE`] times that | folded |
//! | clients told apart | [`CLIENTS`] | together they are one more client, without address |
//! | kinds of one client told apart | [`KINDS`] | folded by outcome alone, as `request.flood` |
//! | folded records | [`FOLDS`], and one for each outcome | folded by outcome alone, without address |
//!
//! A client is an IPv4 address, or the /64 network of an IPv6 address, because one machine can have
//! all addresses of that. Those whose address is not known are one client.
//!
//! Nothing is dropped: each request is in exactly one record, alone or in a `count`. A crash takes
//! the counts of the minute that was not over.

mod fold;
mod recording;
#[cfg(test)]
mod tests;
mod window;

use std::{
    fmt,
    net::IpAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{clock::Timestamp, record::Record};

use fold::Fold;
pub(super) use recording::is_foldable;
pub(super) use window::Client;
use window::Window;

/// How long requests are counted together.
const MINUTE: Duration = Duration::from_secs(60);

/// What is due is given to a request's own thread when nobody else asked for it for so long.
const OVERDUE: Duration = Duration::from_secs(5);

/// How much of it one request is given.
const PORTION: usize = 32;

/// Clients whose records may all be written one by one in a minute, at the policy's rate.
const CLIENTS_AT_FULL_RATE: u64 = 100;

/// Clients that are told apart.
const CLIENTS: usize = 4096;

/// Kinds of requests of one client that are told apart.
const KINDS: usize = 8;

/// Folded records in which clients are told apart. With texts of [`fold::TEXT_BYTES`] in each they
/// take 8 MiB at most.
const FOLDS: usize = 4096;

/// What was seen of each client in the current minute; bounded.
#[derive(Default)]
pub(crate) struct Flood {
    state: Mutex<State>,
    folded: AtomicU64,
}

struct State {
    window: Window,
    /// Of minutes that are over.
    due: Vec<Fold>,
    /// When the last of them ended.
    due_since: Timestamp,
    /// The last counts were taken: nothing may be folded any more.
    drained: bool,
}

/// What to do with the record of a refused or failed request without an actor.
#[derive(Debug)]
pub(crate) enum Passed {
    /// Write it.
    Record(Box<Record>),
    /// It is counted in a record that comes later.
    Folded,
}

impl Flood {
    /// Lets the record of a request that began at `begun` pass, or counts it. `per_minute` is the
    /// policy's rate. The records beside it are overdue, for the caller to append.
    fn pass(
        &self,
        address: Option<IpAddr>,
        record: Box<Record>,
        begun: Timestamp,
        now: Timestamp,
        per_minute: u32,
    ) -> (Passed, Vec<Record>) {
        let mut state = self.lock();
        state.turn(now);
        let overdue = state.overdue(now);
        let passes = state.drained || state.window.admits(address, per_minute);
        if !passes {
            state.window.fold(address, &record, begun);
        }
        // The record is dropped, and the others are built, outside the lock.
        drop(state);
        let overdue = records(overdue);
        if passes {
            return (Passed::Record(record), overdue);
        }
        self.folded.fetch_add(1, Ordering::Relaxed);
        (Passed::Folded, overdue)
    }

    /// The records of minutes that ended before `now`, to be appended by whoever asks.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<Record> {
        let mut state = self.lock();
        state.turn(now);
        let due = std::mem::take(&mut state.due);
        drop(state);
        records(due)
    }

    /// All that is folded, ended or not: for a shutdown. Nothing is folded after it.
    pub(crate) fn drain(&self) -> Vec<Record> {
        let mut state = self.lock();
        state.drained = true;
        let mut due = std::mem::take(&mut state.due);
        let last = std::mem::replace(&mut state.window, Window::beginning(Timestamp::MIN));
        drop(state);
        due.extend(last.into_folds());
        records(due)
    }

    /// How many requests were folded so far.
    pub(crate) fn folded(&self) -> u64 {
        self.folded.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Flood {
    /// Never who was seen: Debug output ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flood")
            .field("folded", &self.folded)
            .finish_non_exhaustive()
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            // Over at once.
            window: Window::beginning(Timestamp::MIN),
            due: Vec::new(),
            due_since: Timestamp::MIN,
            drained: false,
        }
    }
}

impl State {
    /// Begins a new minute if this one is over.
    fn turn(&mut self, now: Timestamp) {
        if self.window.is_over(now) {
            let ended = std::mem::replace(&mut self.window, Window::beginning(now));
            self.due.extend(ended.into_folds());
            self.due_since = now;
        }
    }

    /// Some of what nobody asked for: the trail's own thread may be in the middle of a long read.
    fn overdue(&mut self, now: Timestamp) -> Vec<Fold> {
        if self.due.is_empty() || now.since(self.due_since) < OVERDUE {
            return Vec::new();
        }
        self.due.split_off(self.due.len().saturating_sub(PORTION))
    }
}

/// In the order in which their first requests began.
fn records(mut folds: Vec<Fold>) -> Vec<Record> {
    folds.sort_unstable_by_key(Fold::first);
    folds.into_iter().map(Fold::into_record).collect()
}
