//! A follower: reads trails, hands batches to one sink, and never forgets where it is.
//!
//! It is a [`step`](Follower::step) that says what to do next. The thread around it
//! ([`worker`](super::worker)) only waits.

use std::sync::Arc;

use tokio::{sync::watch, time::Instant};
use uuid::Uuid;

use super::{
    Options, Surroundings,
    call::{Failure, call, caught_now},
    event::{Reporter, What},
    feed::{Feed, Saving, Stage},
    hand::Hand,
    source::Source,
    stats::{Ledger, Standing},
    trouble::{Moment, Trouble},
};
use crate::{
    clock::Timestamp,
    sink::{Limits, Sink, SinkFuture},
    stats::SinkState,
};

/// What the supervisor wants; a follower compares it with what it does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Control {
    /// The trails to follow, the own one first.
    pub sources: Vec<Arc<dyn Source>>,
    /// Whether to deliver.
    pub pace: Pace,
    /// Raised to make a waiting follower try at once.
    pub nudge: u64,
    /// Set once: leave, and do not wait for an answer beyond this.
    pub stop: Option<std::time::Instant>,
}

impl Control {
    fn follows(&self, trail: Uuid) -> bool {
        let mut sources = self.sources.iter();
        sources.any(|source| source.origin().trail == trail)
    }
}

/// Whether to deliver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Deliver.
    #[default]
    Running,
    /// Stand still; the cursors stay.
    Paused,
}

/// What to do after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Step again.
    Again,
    /// Nothing to deliver: step again when a durable mark moves, on a command, or then.
    Idle(Option<Instant>),
    /// Nothing may be delivered: step again on a command, or then. New records change nothing.
    Rest(Option<Instant>),
    /// Leave.
    Stop,
}

/// Delivers trails to one sink.
pub(crate) struct Follower {
    pub(crate) name: String,
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) around: Surroundings,
    pub(crate) options: Options,
    pub(crate) control: watch::Receiver<Control>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) reporter: Reporter,
    pub(crate) feeds: Vec<Feed>,
    pub(crate) hand: Option<Held>,
    pub(crate) trouble: Trouble,
    /// Records refused since the sink last took one.
    pub(crate) refused_in_row: usize,
    limits: Limits,
    orders: Control,
    turn: usize,
}

/// The batch in hand and the feed it came from.
pub(crate) struct Held {
    pub(crate) feed: usize,
    pub(crate) hand: Hand,
}

/// What came of the look for something to deliver.
enum Picked {
    /// There is a batch in hand.
    Batch,
    /// Something was done, and there may be more.
    Progress,
    /// Nothing, until then at the latest.
    Nothing(Option<Instant>),
}

impl Follower {
    pub(crate) fn new(
        name: String,
        sink: Box<dyn Sink>,
        around: Surroundings,
        options: Options,
        mut control: watch::Receiver<Control>,
        ledger: Arc<Ledger>,
    ) -> Self {
        // What stands there at the beginning is news as well.
        control.mark_changed();
        let reporter = Reporter::new(name.clone(), Arc::clone(&around.listener));
        let mut follower = Self {
            name,
            sink,
            around,
            options,
            control,
            ledger,
            reporter,
            feeds: Vec::new(),
            hand: None,
            trouble: Trouble::new(),
            refused_in_row: 0,
            limits: Limits::default(),
            orders: Control::default(),
            turn: 0,
        };
        follower.introduce();
        follower
    }

    fn introduce(&mut self) {
        let sink = &self.sink;
        match caught_now(|| (sink.kind(), sink.address(), sink.limits())) {
            Ok((kind, address, limits)) => {
                self.ledger.describe(kind, address);
                self.limits = Limits::new(limits.max_records, limits.max_bytes);
            }
            Err(message) => self.panicked(message),
        }
    }

    /// Does the next thing there is to do: at most one call of the sink that delivers.
    pub(crate) async fn step(&mut self) -> Next {
        let next = self.advance().await;
        self.ledger.state(self.state());
        next
    }

    async fn advance(&mut self) -> Next {
        let now = Instant::now();
        self.reporter.flush_dead(now);
        // A supervisor that is gone has stopped.
        match self.control.has_changed() {
            Ok(true) => self.obey(),
            Ok(false) => {}
            Err(_) => return Next::Stop,
        }
        if self.orders.stop.is_some() {
            return Next::Stop;
        }
        if self.orders.pace == Pace::Paused {
            self.save_all(Saving::Now);
            return Next::Rest(self.reporter.due());
        }
        if let Some(until) = self.trouble.rests_until(now) {
            self.save_all(Saving::Lazily);
            return Next::Rest(Some(until));
        }
        if self.hand.is_none() {
            match self.pick(now).await {
                Picked::Batch => {}
                Picked::Progress => return Next::Again,
                Picked::Nothing(until) => {
                    self.ledger.oldest(None);
                    return Next::Idle(until);
                }
            }
        }
        self.offer().await;
        Next::Again
    }

    /// After a panic of our own: what was in hand is read again.
    ///
    /// Gives the moment of the next try.
    pub(crate) fn recover(&mut self, message: String) -> Instant {
        self.drop_hand();
        self.failed(Failure::Panicked(message));
        let now = Instant::now();
        self.trouble.rests_until(now).unwrap_or(now)
    }

    /// The commands, as far as the follower has seen them.
    pub(crate) fn commands(&self) -> watch::Receiver<Control> {
        self.control.clone()
    }

    /// When a stop that was ordered must be over.
    pub(crate) fn stop_deadline(&self) -> Option<Instant> {
        self.control.borrow().stop.map(Instant::from)
    }

    /// Writes all cursors and closes the sink, whose answer is waited for until `deadline`.
    pub(crate) async fn finish(&mut self, deadline: Instant) {
        self.reporter.flush_held();
        self.save_all(Saving::Now);
        let left = deadline.saturating_duration_since(Instant::now());
        let sink = &mut self.sink;
        let closed = call(|| sink.close(), left, std::future::pending()).await;
        if let Err(failure) = closed {
            let reason = format!("closing: {}", failure.reason());
            tracing::warn!(target: "tower_audit", sink = self.name, reason, "sink was not closed in order");
            self.ledger.failed(reason);
            if let Failure::Panicked(message) = failure {
                self.panicked(message);
            }
        }
    }

    /// Takes up new sources, lets go of others, and forgets waits when told to hurry.
    fn obey(&mut self) {
        let orders = self.control.borrow_and_update().clone();
        if self.orders.nudge != orders.nudge {
            self.trouble.hurry();
            self.feeds.iter_mut().for_each(|feed| feed.trouble.hurry());
        }
        let wanted = |feed: &Feed| orders.follows(feed.trail);
        if !self.feeds.iter().all(wanted) {
            self.save_all(Saving::Now);
            self.drop_hand();
            for feed in self.feeds.extract_if(.., |feed| !wanted(feed)) {
                self.ledger.close(feed.trail);
            }
        }
        for source in &orders.sources {
            let trail = source.origin().trail;
            if self.feeds.iter().any(|feed| feed.trail == trail) {
                continue;
            }
            self.ledger.open(Arc::clone(source));
            let source = Arc::clone(source);
            let feed = Feed::new(source, &self.name, &self.around, &self.options);
            self.feeds.push(feed);
        }
        self.orders = orders;
    }

    /// Looks for a batch: every second one is the own trail's, the others take turns.
    async fn pick(&mut self, now: Instant) -> Picked {
        let mut until = self.reporter.due();
        for index in self.order() {
            let Some(feed) = self.feeds.get_mut(index) else {
                continue;
            };
            until = earlier(until, feed.save_due());
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
        Picked::Nothing(until)
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
        let feed = self.feeds.get_mut(index)?;
        if feed.stage == Stage::Unread {
            let loaded = feed.load(self.options.start_at, &self.reporter);
            let (trail, next) = (feed.trail, feed.cursor.next);
            if let Err(reason) = loaded {
                self.feed_failed(index, reason);
                return None;
            }
            self.ledger.place(trail, next, Standing::Guessed);
        }
        let position = self.ask(index).await?;
        let feed = self.feeds.get_mut(index)?;
        if let Err(reason) = feed.place(position) {
            self.feed_blocked(index, reason);
            return None;
        }
        self.ledger
            .place(feed.trail, feed.cursor.next, Standing::Known);
        self.save(index, Saving::Lazily);
        Some(())
    }

    /// Asks the sink where it stands in a feed; `None` when it did not say.
    pub(crate) async fn ask(&mut self, index: usize) -> Option<Option<u64>> {
        if self.options.positions == super::Positions::Ignored {
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
        let mut hand = Hand::new(origin, now.at, chunk, |number| feed.dead.contains(number));
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
    pub(crate) fn pass(&mut self, index: usize, step: super::hand::Step) {
        let Some(feed) = self.feeds.get_mut(index) else {
            return;
        };
        let trail = feed.trail;
        feed.cursor.next = step.next;
        self.ledger.pass(trail, step.next, step.passed);
        for gap in step.gaps {
            let (from, to) = (gap.from, gap.to);
            match gap.kind {
                super::source::GapKind::Pruned => {
                    self.reporter.tell(What::Missed { trail, from, to })
                }
                super::source::GapKind::Damaged { file, offset } => {
                    self.reporter.tell(What::Damaged {
                        trail,
                        from,
                        to,
                        file,
                        offset,
                    })
                }
                super::source::GapKind::Unwanted => {}
            }
        }
        self.save(index, Saving::Lazily);
    }

    /// What was read and not passed is read again.
    pub(crate) fn drop_hand(&mut self) {
        if let Some(held) = self.hand.take()
            && let Some(feed) = self.feeds.get_mut(held.feed)
        {
            feed.reread();
        }
    }

    /// Makes one call of the sink under its deadline.
    async fn call<'a, T>(
        &'a mut self,
        make: impl FnOnce(&'a mut dyn Sink) -> SinkFuture<'a, T>,
    ) -> Result<T, Failure> {
        let stop = stopped(self.control.clone());
        let deadline = self.options.call_timeout;
        let sink = &mut *self.sink;
        call(|| make(sink), deadline, stop).await
    }

    fn save(&mut self, index: usize, how: Saving) {
        let Some(feed) = self.feeds.get_mut(index) else {
            return;
        };
        if let Err(reason) = feed.save(how) {
            self.ledger.cursor_failed(reason.clone());
            let file = feed.file.path();
            let now = Instant::now();
            self.reporter.cursor_unwritable(file, reason, now);
        }
    }

    fn save_all(&mut self, how: Saving) {
        for index in 0..self.feeds.len() {
            self.save(index, how);
        }
    }

    fn state(&self) -> SinkState {
        if self.orders.pace == Pace::Paused {
            return SinkState::Paused;
        }
        let troubles = self.feeds.iter().map(|feed| feed.trouble.state());
        let mut states = troubles.chain([self.trouble.state()]);
        states
            .clone()
            .find(|state| *state == SinkState::Blocked)
            .or_else(|| states.find(|state| *state == SinkState::Retrying))
            .unwrap_or(SinkState::Ok)
    }
}

/// Over once a stop was ordered and its deadline has passed.
pub(crate) async fn stopped(mut control: watch::Receiver<Control>) {
    loop {
        let stop = control.borrow_and_update().stop;
        if let Some(deadline) = stop {
            return tokio::time::sleep_until(deadline.into()).await;
        }
        if control.changed().await.is_err() {
            return;
        }
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
