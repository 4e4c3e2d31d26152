//! Which trail is next, and what of it.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    Positions,
    event::What,
    feed::{Feed, Saving, Stage},
    follower::{Follower, Held},
    hand::{Hand, Step},
    probe::Probing,
    source::GapKind,
    stats::Standing,
    trouble::Moment,
};
use crate::{clock::Timestamp, stats::SinkState};

/// What came of the look for something to deliver.
pub(crate) enum Picked {
    /// There is a batch in hand.
    Batch,
    /// Something was done, and there may be more.
    Progress,
    /// Nothing, until then at the latest.
    Nothing(Option<Instant>),
}

impl Follower {
    /// Looks for a batch: every second one is the own trail's, the others take turns.
    pub(crate) async fn pick(&mut self, now: Instant) -> Picked {
        let mut until = self.reporter.due();
        for index in self.order() {
            let Some(feed) = self.feeds.get_mut(index) else {
                continue;
            };
            if let Some(rests) = feed.trouble.rests_until(now) {
                until = earlier(until, Some(rests));
                continue;
            }
            if feed.stage != Stage::Placed && self.place(index).await.is_none() {
                return Picked::Progress;
            }
            if self.take(index) {
                self.turn = self.turn.wrapping_add(1);
                return if self.hand.is_some() {
                    Picked::Batch
                } else {
                    Picked::Progress
                };
            }
        }
        self.save_all(Saving::Lazily);
        let due = self.feeds.iter().filter_map(Feed::save_due).min();
        if self.trouble.state() != SinkState::Ok && self.probing == Probing::Answered {
            // The sink has answered since, and nothing waits on which it could fail again.
            self.recovered();
        }
        Picked::Nothing(earlier(until, due))
    }

    fn order(&self) -> Vec<usize> {
        let others = self.feeds.len().saturating_sub(1);
        let rotated = (0..others).map(|step| 1 + (self.turn / 2 + step) % others);
        if self.turn.is_multiple_of(2) {
            (0..self.feeds.len().min(1)).chain(rotated).collect()
        } else {
            rotated.chain(0..self.feeds.len().min(1)).collect()
        }
    }

    /// Finds out where a feed begins; `None` when it could not.
    async fn place(&mut self, index: usize) -> Option<()> {
        self.load(index)?;
        let Some(position) = self.ask(index).await else {
            self.look_at_oldest();
            return None;
        };
        let now = self.now();
        let feed = self.feeds.get_mut(index)?;
        if let Err(reason) = feed.place(position) {
            self.feed_blocked(index, reason);
            return None;
        }
        let waited = || self.ledger.snapshot().pending;
        feed.trouble.recovered(now, waited, &self.reporter);
        self.ledger
            .place(feed.trail, feed.cursor.next, Standing::Known);
        self.save(index, Saving::Lazily);
        Some(())
    }

    /// Reads the files of a feed, once; `None` when they cannot be.
    pub(crate) fn load(&mut self, index: usize) -> Option<()> {
        let feed = self.feeds.get_mut(index)?;
        if feed.stage != Stage::Unread {
            return Some(());
        }
        let loaded = feed.load(self.options.start_at, &self.reporter);
        let (trail, next) = (feed.trail, feed.cursor.next);
        if let Err(reason) = loaded {
            self.feed_failed(index, reason);
            return None;
        }
        // A destination that refuses everything goes on doing so after a restart.
        let row = feed.dead.row_before(next, self.options.refusals_in_row);
        self.refused_in_row = self.refused_in_row.max(row);
        self.ledger.place(trail, next, Standing::Guessed);
        Some(())
    }

    /// Finds out how old the oldest record is that waits, while none is in hand.
    pub(crate) fn look_at_oldest(&self) {
        if self.hand.is_none() {
            let oldest = self.feeds.iter().filter_map(Feed::peek);
            let oldest = oldest.filter_map(|json| began(&json)).min();
            self.ledger.oldest(oldest);
        }
    }

    /// Asks the sink where it stands in a feed; `None` when it did not say.
    pub(crate) async fn ask(&mut self, index: usize) -> Option<Option<u64>> {
        if self.options.positions == Positions::Ignored {
            return Some(None);
        }
        let source = Arc::clone(&self.feeds.get(index)?.source);
        let answer = self.call(|sink| sink.position(source.origin())).await;
        match answer {
            Ok(position) => Some(position),
            Err(failure) => {
                self.failed(failure);
                None
            }
        }
    }

    /// Reads from a feed; `false` when there is nothing to read.
    fn take(&mut self, index: usize) -> bool {
        let Some(feed) = self.feeds.get_mut(index) else {
            return false;
        };
        let chunk = match feed.read(&self.limits) {
            Ok(None) => return false,
            Ok(Some(chunk)) => chunk,
            Err(error) => {
                self.feed_failed(index, error.to_string());
                return true;
            }
        };
        let now = Moment {
            instant: Instant::now(),
            at: self.around.clock.now(),
        };
        feed.trouble.recovered(now, || 0, &self.reporter);
        let origin = feed.source.origin();
        let chosen = self.options.positions == Positions::Ignored;
        let mut hand = Hand::new(origin, now.at, chunk, chosen, |number| {
            feed.dead.contains(number)
        });
        let step = hand.pass_idle();
        self.ledger.oldest(
            hand.part()
                .and_then(|part| began(&part.records.first()?.json)),
        );
        if hand.part().is_some() {
            self.hand = Some(Held { feed: index, hand });
        }
        self.pass(index, step);
        true
    }

    /// Moves a feed's cursor on, counts, and reports what was missed.
    pub(crate) fn pass(&mut self, index: usize, step: Step) {
        let Some(feed) = self.feeds.get_mut(index) else {
            return;
        };
        let trail = feed.trail;
        feed.cursor.next = step.next;
        self.ledger.pass(trail, step.next, step.passed);
        for gap in step.gaps {
            let (from, to) = (gap.from, gap.to);
            match gap.kind {
                GapKind::Pruned => self.reporter.tell(What::Missed { trail, from, to }),
                GapKind::Damaged { file, offset } => self.reporter.tell(What::Damaged {
                    trail,
                    from,
                    to,
                    file,
                    offset,
                }),
                GapKind::Unwanted => {}
            }
        }
        self.save(index, Saving::Lazily);
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

/// When a record's action began; `None` when the text does not say.
fn began(json: &str) -> Option<Timestamp> {
    #[derive(serde::Deserialize)]
    struct Stamped {
        timestamp: Timestamp,
    }
    let stamped: Stamped = serde_json::from_str(json).ok()?;
    Some(stamped.timestamp)
}
