//! What a follower does with the sink's answer.

use tokio::time::Instant;

use super::{
    call::{Failure, call},
    dead_letter::KeepError,
    event::{What, neutral},
    follower::{Follower, Held, stopped},
    probe::Probing,
    trouble::Moment,
};
use crate::sink::SinkError;

impl Follower {
    /// Offers the part in hand to the sink.
    pub(crate) async fn offer(&mut self) {
        if self.is_unsure() && !self.reconcile().await {
            return;
        }
        self.count_resent();
        let Some(part) = self.hand.as_ref().and_then(|held| held.hand.part()) else {
            return self.drop_hand();
        };
        let stop = stopped(self.control.clone());
        let sink = &mut *self.sink;
        self.ledger.attempted();
        let answer = call(|| sink.deliver(part), self.options.call_timeout, stop).await;
        self.note_unclear(&answer);
        match answer {
            Ok(()) => self.stored(),
            Err(Failure::Sink(SinkError::Refused { numbers, reason })) => {
                self.refused(numbers, &neutral(&reason));
            }
            Err(failure) => self.failed(failure),
        }
    }

    /// Remembers how far records may have been stored without a word of it.
    fn note_unclear(&mut self, answer: &Result<(), Failure>) {
        // All others say that nothing was stored.
        let Err(
            Failure::Sink(SinkError::Retry { unsent: false, .. })
            | Failure::TimedOut(_)
            | Failure::Panicked(_),
        ) = answer
        else {
            return;
        };
        let Some(held) = &self.hand else { return };
        let last = held.hand.part().and_then(|part| part.records.last());
        if let (Some(feed), Some(last)) = (self.feeds.get_mut(held.feed), last) {
            feed.unclear_below = feed.unclear_below.max(last.number.saturating_add(1));
        }
    }

    /// Counts what is about to be offered again, once each, where the sink cannot say if it has it.
    fn count_resent(&mut self) {
        let Some(held) = &self.hand else { return };
        let (Some(feed), Some(part)) = (self.feeds.get_mut(held.feed), held.hand.part()) else {
            return;
        };
        let (Some(first), Some(last)) = (part.records.first(), part.records.last()) else {
            return;
        };
        if feed.expected.is_some() || first.number >= feed.unclear_below {
            return;
        }
        let again = feed.resent_below..feed.unclear_below;
        let numbers = part.records.iter().map(|record| record.number);
        let count = numbers.filter(|number| again.contains(number)).count();
        self.ledger.resent(count as u64);
        let below = feed.unclear_below.min(last.number.saturating_add(1));
        feed.resent_below = feed.resent_below.max(below);
    }

    fn stored(&mut self) {
        self.refused_in_row = 0;
        let Some(held) = &mut self.hand else {
            return;
        };
        let index = held.feed;
        let last = held.hand.part().and_then(|part| part.records.last());
        let last = last.map(|record| record.number);
        let step = held.hand.stored();
        if let Some(feed) = self.feeds.get_mut(index)
            && let (Some(expected), Some(last)) = (&mut feed.expected, last)
        {
            *expected = last.saturating_add(1);
        }
        self.ledger.succeeded();
        self.probing = Probing::Answered;
        // First: an outage that is over tells how many waited for its end, these among them.
        self.recovered();
        self.pass(index, step);
        self.let_go();
    }

    /// The sink will never take some records: into the dead letters, or find out which they are.
    fn refused(&mut self, mut numbers: Vec<u64>, reason: &str) {
        let Some(Held { feed: index, hand }) = &mut self.hand else {
            return;
        };
        let index = *index;
        numbers.sort_unstable();
        if hand.named(&numbers).is_empty() {
            if hand.halve() {
                // No fault: the sink answers. The halves are offered at once.
                return self.recovered();
            }
            numbers = hand.part().map_or_else(Vec::new, |part| {
                part.records.iter().map(|record| record.number).collect()
            });
        }
        let run = self.refused_in_row;
        let Some(row) = hand.refusals_in_row(&numbers, run, self.options.refusals_in_row) else {
            let limit = self.options.refusals_in_row;
            return self.blocked(format!(
                "{limit} records in a row were refused, the last because: {reason}"
            ));
        };
        let Some(feed) = self.feeds.get_mut(index) else {
            return;
        };
        let refused = hand.named(&numbers);
        let (first, last) = match (refused.first(), refused.last()) {
            (Some(first), Some(last)) => (first.number, last.number),
            _ => return,
        };
        let count = refused.len() as u64;
        match feed.dead.keep(&refused, reason, self.around.clock.now()) {
            Ok(()) => {}
            Err(full @ KeepError::Full { .. }) => return self.blocked(full.to_string()),
            Err(KeepError::Disk { path, source }) => {
                let path = path.display();
                return self.retry(
                    format!("the dead letters {path} cannot be written: {source}"),
                    None,
                );
            }
        }
        let trail = feed.trail;
        let step = hand.set_aside(&numbers);
        self.refused_in_row = row;
        self.recovered();
        self.ledger.refused(reason.to_owned());
        self.pass(index, step);
        let what = What::DeadLettered {
            trail,
            count,
            first,
            last,
            reason: reason.to_owned(),
        };
        self.reporter.dead_lettered(what, Instant::now());
        self.let_go();
    }

    /// A call that stored nothing for certain.
    pub(crate) fn failed(&mut self, failure: Failure) {
        let reason = failure.reason();
        match failure {
            Failure::Stopped => {}
            Failure::Sink(SinkError::Blocked { reason }) => self.blocked(neutral(&reason)),
            Failure::Sink(SinkError::Retry { reason, after, .. }) => {
                self.retry(neutral(&reason), after);
            }
            Failure::Sink(SinkError::Refused { .. }) | Failure::TimedOut(_) => {
                self.retry(reason, None);
            }
            Failure::Panicked(message) => {
                self.panicked(message);
                self.retry(reason, None);
            }
        }
        // Whether it was stored, or the destination was exchanged meanwhile, only the sink knows.
        for feed in &mut self.feeds {
            feed.unsure = true;
        }
    }

    fn retry(&mut self, reason: String, after: Option<std::time::Duration>) {
        self.ledger.call_failed(reason.clone());
        let (now, patience) = (self.now(), self.options.outage_after);
        self.trouble
            .failed(now, reason, after, patience, &self.reporter);
    }

    fn blocked(&mut self, reason: String) {
        self.ledger.call_failed(reason.clone());
        let now = self.now();
        self.trouble.blocked(now, reason, &self.reporter);
    }

    pub(crate) fn recovered(&mut self) {
        let now = self.now();
        let ledger = &self.ledger;
        self.trouble
            .recovered(now, || ledger.snapshot().pending, &self.reporter);
    }

    /// Counts a panic and reports it.
    pub(crate) fn panicked(&mut self, message: String) {
        self.ledger.panicked();
        self.reporter.panicked(message, Instant::now());
    }

    /// One trail cannot be read, or its files cannot; the others go on.
    pub(crate) fn feed_failed(&mut self, index: usize, reason: String) {
        self.ledger.failed(reason.clone());
        let (now, patience) = (self.now(), self.options.outage_after);
        if let Some(feed) = self.feeds.get_mut(index) {
            feed.trouble
                .failed(now, reason, None, patience, &self.reporter);
        }
    }

    /// One trail waits for somebody to act; the others go on.
    pub(crate) fn feed_blocked(&mut self, index: usize, reason: String) {
        // A try that failed, like any other: a drain waits for one, not for its whole time.
        self.ledger.call_failed(reason.clone());
        let now = self.now();
        if let Some(feed) = self.feeds.get_mut(index) {
            feed.trouble.blocked(now, reason, &self.reporter);
        }
    }

    fn is_unsure(&self) -> bool {
        let feed = self
            .hand
            .as_ref()
            .and_then(|held| self.feeds.get(held.feed));
        feed.is_some_and(|feed| feed.unsure)
    }

    /// After a failed call: asks the sink what it has; `false` when the part is not to be offered.
    async fn reconcile(&mut self) -> bool {
        let Some(index) = self.hand.as_ref().map(|held| held.feed) else {
            return false;
        };
        let Some(position) = self.ask(index).await else {
            return false;
        };
        let Some(feed) = self.feeds.get_mut(index) else {
            return false;
        };
        feed.unsure = false;
        let Some(position) = position else {
            return true;
        };
        let position = position.max(feed.cursor.start);
        let expected = feed
            .expected
            .unwrap_or(feed.cursor.next)
            .max(feed.cursor.start);
        feed.expected = Some(position);
        if let Err(reason) = feed.not_ahead(position) {
            self.hand = None;
            self.feed_blocked(index, reason);
            return false;
        }
        if position < expected {
            self.went_back(index, position);
            return false;
        }
        if let Some(held) = &mut self.hand {
            let step = held.hand.stored_below(position);
            self.pass(index, step);
            self.let_go();
        }
        self.hand.is_some()
    }

    /// The sink lost what it had confirmed: from there on everything comes again.
    fn went_back(&mut self, index: usize, to: u64) {
        self.hand = None;
        let Some(feed) = self.feeds.get_mut(index) else {
            return;
        };
        let (trail, from) = (feed.trail, feed.cursor.next);
        feed.go_back(to);
        self.ledger.place(trail, to, super::stats::Standing::Known);
        self.reporter.tell(What::WentBack { trail, to, from });
    }

    /// Lets go of a hand that is empty.
    fn let_go(&mut self) {
        if self
            .hand
            .as_ref()
            .is_some_and(|held| held.hand.part().is_none())
        {
            self.hand = None;
        }
    }

    /// Now, on both clocks.
    pub(crate) fn now(&self) -> Moment {
        Moment {
            instant: Instant::now(),
            at: self.around.clock.now(),
        }
    }
}
