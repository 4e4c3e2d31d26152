//! A follower: reads trails, hands batches to one sink, and never forgets where it is.
//!
//! It is a [`step`](Follower::step) that says what to do next. The thread around it
//! ([`worker`](super::worker)) only waits.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};
use uuid::Uuid;

use super::{
    Options, Surroundings,
    call::{Failure, call, caught_now},
    event::Reporter,
    feed::{Feed, Saving},
    hand::Hand,
    pick::Picked,
    probe::{Asks, Probing},
    source::Source,
    stats::Ledger,
    trouble::Trouble,
};
use crate::{
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
    /// Raised when somebody asks for a test.
    pub asked: u64,
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
    pub(crate) limits: Limits,
    /// Whether the sink has shown that it answers.
    pub(crate) probing: Probing,
    /// When the sink is asked next what somebody should see to.
    pub(crate) concerns_at: Instant,
    /// Who waits for a test.
    pub(crate) asks: Asks,
    orders: Control,
    /// Batches taken up so far.
    pub(crate) turn: usize,
}

/// The batch in hand and the feed it came from.
pub(crate) struct Held {
    pub(crate) feed: usize,
    pub(crate) hand: Hand,
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
        let asks = ledger.asks();
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
            probing: Probing::Due,
            concerns_at: Instant::now(),
            asks,
            orders: Control::default(),
            turn: 0,
        };
        follower.measure();
        follower
    }

    fn measure(&mut self) {
        let sink = &self.sink;
        match caught_now(|| sink.limits()) {
            Ok(limits) => self.limits = Limits::new(limits.max_records, limits.max_bytes),
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
        if self.answer_ask().await {
            return Next::Again;
        }
        if self.probing == Probing::Due && !self.probe().await {
            return Next::Again;
        }
        if self.orders.pace == Pace::Paused {
            self.save_all(Saving::Now);
            self.look_at_oldest();
            if self.probing == Probing::Answered {
                self.ledger.answered();
            }
            return Next::Rest(Some(earliest(self.reporter.due(), now + LOOK_EVERY)));
        }
        if let Some(until) = self.trouble.rests_until(now) {
            self.save_all(Saving::Lazily);
            return Next::Rest(Some(until));
        }
        if self.probing == Probing::Answered && self.concerns_at <= now {
            self.look_for_concerns().await;
        }
        if self.hand.is_none() {
            match self.pick(now).await {
                Picked::Batch => {}
                Picked::Progress => return Next::Again,
                // It failed when it was last asked, and there is no batch to find out with.
                Picked::Nothing(_) if self.probing == Probing::Failed => {
                    self.probing = Probing::Due;
                    return Next::Again;
                }
                Picked::Nothing(until) => {
                    self.ledger.oldest(None);
                    if self.state() == SinkState::Ok {
                        self.ledger.answered();
                    }
                    return Next::Idle(Some(earliest(until, self.concerns_at)));
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

    /// What was read and not passed is read again.
    pub(crate) fn drop_hand(&mut self) {
        if let Some(held) = self.hand.take()
            && let Some(feed) = self.feeds.get_mut(held.feed)
        {
            feed.reread();
        }
    }

    /// Makes one call of the sink under its deadline.
    pub(crate) async fn call<'a, T>(
        &'a mut self,
        make: impl FnOnce(&'a mut dyn Sink) -> SinkFuture<'a, T>,
    ) -> Result<T, Failure> {
        self.ledger.attempted();
        let stop = stopped(self.control.clone());
        let deadline = self.options.call_timeout;
        let sink = &mut *self.sink;
        call(|| make(sink), deadline, stop).await
    }

    pub(crate) fn save(&mut self, index: usize, how: Saving) {
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

    pub(crate) fn save_all(&mut self, how: Saving) {
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

/// How often a paused follower looks how old the oldest record is that waits.
const LOOK_EVERY: Duration = Duration::from_secs(5);

fn earliest(one: Option<Instant>, other: Instant) -> Instant {
    one.map_or(other, |one| one.min(other))
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
