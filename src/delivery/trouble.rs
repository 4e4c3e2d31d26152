//! A fault that lasts: when to try again, and what to say about it.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    backoff::Backoff,
    event::{Reporter, Throttle, What},
};
use crate::{clock::Timestamp, stats::SinkState};

/// How one thing (a sink, or one of its trails) fares.
#[derive(Debug)]
pub(crate) struct Trouble {
    backoff: Backoff,
    retry_at: Option<Instant>,
    outage: Option<Outage>,
    log: Throttle,
}

/// From the first failure to the first success: one record, when it is over.
#[derive(Debug)]
struct Outage {
    since: Instant,
    start: Timestamp,
    cause: String,
    kind: Kind,
}

/// What an outage is, as far as it is known; it only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// It may pass before anybody would have noticed.
    Short,
    /// It lasts.
    Long,
    /// Somebody must act.
    Blocked,
}

/// The moment of an answer, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// For waits.
    pub instant: Instant,
    /// For people.
    pub at: Timestamp,
}

impl Trouble {
    pub(crate) fn new() -> Self {
        Self {
            backoff: Backoff::new(),
            retry_at: None,
            outage: None,
            log: Throttle::default(),
        }
    }

    /// When to try again, if not at once.
    pub(crate) fn rests_until(&self, now: Instant) -> Option<Instant> {
        self.retry_at.filter(|at| *at > now)
    }

    /// Tries again at once; the next failure waits as before.
    pub(crate) fn hurry(&mut self) {
        self.retry_at = None;
    }

    /// How this fares.
    pub(crate) fn state(&self) -> SinkState {
        match self.outage.as_ref().map(|outage| outage.kind) {
            None => SinkState::Ok,
            Some(Kind::Blocked) => SinkState::Blocked,
            Some(_) => SinkState::Retrying,
        }
    }

    /// A passing fault. It is an outage once it has lasted `patience`.
    ///
    /// What was blocked stays so until it works: another fault does not mean it was repaired.
    pub(crate) fn failed(
        &mut self,
        now: Moment,
        cause: String,
        wish: Option<Duration>,
        patience: Duration,
        reporter: &Reporter,
    ) {
        let wait = match wish {
            Some(after) => self.backoff.wish(after),
            None => self.backoff.next(),
        };
        self.retry_at = Some(now.instant + wait);
        if let Some(failures) = self.log.pass(now.instant) {
            reporter.log_failure(&cause, failures);
        }
        let outage = self.outage(now);
        if now.instant.saturating_duration_since(outage.since) >= patience {
            outage.kind = outage.kind.max(Kind::Long);
        }
        outage.cause = cause;
    }

    /// Somebody must act. Reported once, at once.
    pub(crate) fn blocked(&mut self, now: Moment, reason: String, reporter: &Reporter) {
        self.retry_at = Some(now.instant + self.backoff.blocked());
        let outage = self.outage(now);
        outage.cause.clone_from(&reason);
        if outage.kind != Kind::Blocked {
            outage.kind = Kind::Blocked;
            reporter.tell(What::Blocked {
                start: now.at,
                reason,
            });
        }
    }

    /// It works again; `waited` records are still on their way.
    pub(crate) fn recovered(
        &mut self,
        now: Moment,
        waited: impl FnOnce() -> u64,
        reporter: &Reporter,
    ) {
        self.backoff.reset();
        self.retry_at = None;
        if let Some(outage) = self.outage.take()
            && outage.kind > Kind::Short
        {
            reporter.tell(What::OutageEnded {
                start: outage.start,
                end: now.at,
                cause: outage.cause,
                waited: waited(),
            });
        }
    }

    fn outage(&mut self, now: Moment) -> &mut Outage {
        self.outage.get_or_insert_with(|| Outage {
            since: now.instant,
            start: now.at,
            cause: String::new(),
            kind: Kind::Short,
        })
    }
}
