//! The ledger of one sink: every number it was to get is accounted for exactly once.
//!
//! Everything stands under one lock, so that a snapshot is one moment. Each trail has an *account*:
//! the numbers `from..next` have been passed, `next..durable` wait. What was passed is counted by
//! what happened to it. `committed` is taken from `from` and `durable`, `pending` from `next`, the
//! others from events; they agree only if every step of `next` was counted.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use uuid::Uuid;

use super::{probe::Asks, source::Source};
use crate::{
    clock::{Clock, Timestamp},
    stats::{SinkState, SinkStats},
};

/// The counters of one sink, shared between its thread and whoever asks.
#[derive(Debug)]
pub(crate) struct Ledger {
    clock: Arc<dyn Clock>,
    books: Mutex<Books>,
    moved: Condvar,
    asks: Asks,
}

#[derive(Debug, Default)]
struct Books {
    name: String,
    kind: &'static str,
    address: String,
    state: SinkState,
    accounts: Vec<Account>,
    /// What accounts that are closed had committed and passed.
    closed: u64,
    passed: Passed,
    retries: u64,
    panics: u64,
    cursor_failures: u64,
    last_error: Option<String>,
    last_success: Option<Timestamp>,
    last_attempt: Option<Timestamp>,
    /// What the sink answered last; `None` before its first answer.
    answer: Option<Result<(), String>>,
    resent: u64,
    last_refusal: Option<String>,
    concerns: Vec<String>,
    oldest: Option<Timestamp>,
    /// Changes that somebody may wait for.
    changes: u64,
}

#[derive(Debug)]
struct Account {
    source: Arc<dyn Source>,
    standing: Standing,
    from: u64,
    next: u64,
    /// Numbers that were passed and are offered again, because the sink lost them.
    again: u64,
}

/// Whether a follower has found out where it stands in a trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The sink has not said yet what it has; `next` is the best guess.
    Guessed,
    /// `next` holds.
    Known,
}

/// What happened to numbers that a follower has passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Confirmed by the sink.
    pub delivered: u64,
    /// In the dead letters.
    pub dead: u64,
    /// Pruned or damaged.
    pub missed: u64,
    /// Those of `missed` that were damaged.
    pub damaged: u64,
    /// Never asked for; they are not counted anywhere.
    pub unwanted: u64,
}

/// How far a sink has come in one trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// The trail.
    pub trail: Uuid,
    /// The next number it wants; a guess never lies beyond what the sink has confirmed to its cursor.
    pub next: u64,
    /// The trail's durable mark at the same moment.
    pub durable: u64,
    /// Whether the sink has said so in this run.
    pub standing: Standing,
}

impl Ledger {
    pub(crate) fn new(name: String, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            moved: Condvar::new(),
            asks: Asks::default(),
            books: Mutex::new(Books {
                name,
                ..Books::default()
            }),
        }
    }

    /// What the sink says about itself.
    pub(crate) fn describe(&self, kind: &'static str, address: String) {
        let mut books = self.books();
        books.kind = kind;
        books.address = address;
    }

    /// Opens an account, unless there is one; where it stands is a guess until
    /// [`place`](Self::place).
    pub(crate) fn open(&self, source: Arc<dyn Source>) {
        let mut books = self.books();
        let trail = source.origin().trail;
        if books
            .accounts
            .iter()
            .all(|account| account.source.origin().trail != trail)
        {
            books.accounts.push(Account {
                source,
                standing: Standing::Guessed,
                from: 0,
                next: 0,
                again: 0,
            });
        }
    }

    /// Puts an account at `next`, where the sink says it stands.
    pub(crate) fn place(&self, trail: Uuid, next: u64, standing: Standing) {
        self.change(trail, |account, passed| {
            if account.passed() == 0 {
                // A guess was wrong; nothing has happened to those numbers.
                account.from = next;
            } else if next < account.next {
                account.again = account.again.saturating_add(account.next - next);
            } else {
                let more = next - account.next;
                passed.delivered = passed.delivered.saturating_add(more);
            }
            account.next = next;
            account.standing = standing;
        });
    }

    /// Moves an account on to `next` and counts what happened to the numbers before it.
    pub(crate) fn pass(&self, trail: Uuid, next: u64, what: Passed) {
        self.change(trail, |account, passed| {
            account.next = next;
            account.from = account.from.saturating_add(what.unwanted);
            passed.delivered = passed.delivered.saturating_add(what.delivered);
            passed.dead = passed.dead.saturating_add(what.dead);
            passed.missed = passed.missed.saturating_add(what.missed);
            passed.damaged = passed.damaged.saturating_add(what.damaged);
        });
    }

    /// Closes an account: what waits there is no longer offered.
    pub(crate) fn close(&self, trail: Uuid) {
        let mut books = self.books();
        let found = books
            .accounts
            .iter()
            .position(|account| account.source.origin().trail == trail);
        if let Some(index) = found {
            let account = books.accounts.remove(index);
            books.closed = books.closed.saturating_add(account.passed());
        }
        self.changed(books);
    }

    /// Who waits for a test of the sink.
    pub(crate) fn asks(&self) -> Asks {
        self.asks.clone()
    }

    /// What the sink answered last, or `None` when it never did.
    pub(crate) fn answer(&self) -> Option<Result<(), String>> {
        self.books().answer.clone()
    }

    /// Notes that the sink would take batches, as far as it was asked and nothing waits for it.
    pub(crate) fn answered(&self) {
        let mut books = self.books();
        if books.answer.is_none() {
            books.answer = Some(Ok(()));
            self.changed(books);
        }
    }

    /// Notes that a call begins.
    pub(crate) fn attempted(&self) {
        let now = self.clock.now();
        self.books().last_attempt = Some(now);
    }

    /// Counts records that were offered again, and may be there twice.
    pub(crate) fn resent(&self, records: u64) {
        let mut books = self.books();
        books.resent = books.resent.saturating_add(records);
    }

    /// Keeps what the sink says somebody should see to.
    pub(crate) fn concerns(&self, concerns: Vec<String>) {
        self.books().concerns = concerns;
    }

    /// Counts a failed call and keeps why it failed.
    pub(crate) fn call_failed(&self, reason: String) {
        let mut books = self.books();
        books.retries = books.retries.saturating_add(1);
        books.answer = Some(Err(reason.clone()));
        books.last_error = Some(reason);
        self.changed(books);
    }

    /// Keeps why records were refused for good; the sink takes others.
    pub(crate) fn refused(&self, reason: String) {
        let mut books = self.books();
        books.answer = Some(Err(reason.clone()));
        books.last_refusal = Some(reason.clone());
        books.last_error = Some(reason);
        self.changed(books);
    }

    /// Counts a panic.
    pub(crate) fn panicked(&self) {
        let mut books = self.books();
        books.panics = books.panics.saturating_add(1);
    }

    /// Counts a cursor file that could not be written.
    pub(crate) fn cursor_failed(&self, reason: String) {
        let mut books = self.books();
        books.cursor_failures = books.cursor_failures.saturating_add(1);
        books.last_error = Some(reason);
    }

    /// Keeps the last failure for a person.
    pub(crate) fn failed(&self, reason: String) {
        self.books().last_error = Some(reason);
    }

    /// Notes that the sink confirmed something.
    pub(crate) fn succeeded(&self) {
        let now = self.clock.now();
        let mut books = self.books();
        books.last_success = Some(now);
        books.answer = Some(Ok(()));
        self.changed(books);
    }

    /// Sets how delivery stands.
    pub(crate) fn state(&self, state: SinkState) {
        let mut books = self.books();
        if books.state != state {
            books.state = state;
            self.changed(books);
        }
    }

    /// Sets the time of the oldest record in hand.
    pub(crate) fn oldest(&self, oldest: Option<Timestamp>) {
        self.books().oldest = oldest;
    }

    /// One moment of all counters.
    pub(crate) fn snapshot(&self) -> SinkStats {
        let now = self.clock.now();
        let books = self.books();
        let mut committed = books.closed;
        let mut pending = 0_u64;
        for account in &books.accounts {
            let durable = account.durable();
            committed = committed
                .saturating_add(durable.saturating_add(account.again))
                .saturating_sub(account.from);
            pending = pending.saturating_add(durable.saturating_sub(account.next));
        }
        SinkStats {
            name: books.name.clone(),
            kind: books.kind,
            address: books.address.clone(),
            state: books.state,
            committed,
            delivered: books.passed.delivered,
            pending,
            dead: books.passed.dead,
            missed: books.passed.missed,
            damaged: books.passed.damaged,
            retries: books.retries,
            panics: books.panics,
            cursor_failures: books.cursor_failures,
            last_error: books.last_error.clone(),
            last_attempt: books.last_attempt,
            last_success: books.last_success,
            resent: books.resent,
            last_refusal: books.last_refusal.clone(),
            concerns: books.concerns.clone(),
            lag: books.oldest.map(|oldest| now.since(oldest)),
        }
    }

    /// How far the sink has come in each trail it serves.
    pub(crate) fn positions(&self) -> Vec<Position> {
        let books = self.books();
        let position = |account: &Account| Position {
            trail: account.source.origin().trail,
            next: account.next,
            durable: account.durable(),
            standing: account.standing,
        };
        books.accounts.iter().map(position).collect()
    }

    /// Blocks until `holds`, at most until `deadline`; says whether it holds.
    ///
    /// `holds` is asked after each change, without the lock.
    pub(crate) fn wait(&self, deadline: Instant, holds: impl Fn(&Self) -> bool) -> bool {
        loop {
            let seen = self.books().changes;
            if holds(self) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let unchanged = |books: &mut Books| books.changes == seen;
            drop(self.moved.wait_timeout_while(self.books(), left, unchanged));
        }
    }

    fn change(&self, trail: Uuid, change: impl FnOnce(&mut Account, &mut Passed)) {
        let mut guard = self.books();
        let Books {
            accounts, passed, ..
        } = &mut *guard;
        let account = accounts
            .iter_mut()
            .find(|account| account.source.origin().trail == trail);
        if let Some(account) = account {
            change(account, passed);
        }
        self.changed(guard);
    }

    fn changed(&self, mut books: MutexGuard<'_, Books>) {
        books.changes = books.changes.wrapping_add(1);
        drop(books);
        self.moved.notify_all();
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Invariant: nothing that can panic runs between two writes under this lock.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    /// The durable mark, never below what was passed: a source is asked in its own time.
    fn durable(&self) -> u64 {
        self.source.durable().max(self.next)
    }

    fn passed(&self) -> u64 {
        self.next
            .saturating_add(self.again)
            .saturating_sub(self.from)
    }
}
