//! The writer: one thread that takes the whole buffer, writes it, syncs it, and wakes who waits.
//!
//! A group goes to the end of the current segment, or makes a new segment: when the current one is
//! full, when there is none yet, and after any failure. After a failed write or sync nothing is
//! known about the file, so it is abandoned, and the same lines go to a new one under the same
//! numbers, whose header supersedes whatever the old file holds of them.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Instant,
};

use uuid::Uuid;

use crate::{
    clock::{Clock, Timestamp},
    disk::SharedDisk,
    evidence::{Tree, TreeHead},
    record::Origin,
};

use super::{
    event::{Outage, TrailEvent},
    group::Group,
    inbox::{Shared, State},
    line::{Commit, Control, FORMAT, Head},
    reserve::Reserve,
    segment::{OpenSegment, SegmentName},
    trails::Held,
};

/// The state of the writer thread.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) disk: SharedDisk,
    /// The lock stays with the thread that writes, whoever else is gone.
    pub(crate) held: Arc<Held>,
    pub(crate) origin: Origin,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) reserve: Reserve,
    /// The generation of the newest segment that was ever tried.
    pub(crate) generation: u64,
    /// The tree over everything durable.
    pub(crate) tree: Tree,
    /// The intents that are durable and not settled, with their lines.
    pub(crate) open: BTreeMap<Uuid, Arc<[u8]>>,
    pub(crate) segment: Option<OpenSegment>,
    /// The group being written; kept here, not on the stack, so that a panic does not lose it.
    pub(crate) hand: Option<Hand>,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) pace: Pace,
}

/// A group that is ready to be written, as often as it takes.
#[derive(Debug)]
pub(crate) struct Hand {
    group: Group,
    /// The tree once this group is durable.
    tree: Tree,
}

/// Failures since the last commit that held.
#[derive(Debug)]
pub(crate) struct Trouble {
    since: Timestamp,
    cause: String,
    failures: u64,
}

/// What the two clocks said at the last commit.
#[derive(Debug)]
pub(crate) struct Pace {
    wall: Timestamp,
    steady: Instant,
}

/// What the thread does after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another step.
    Again,
    /// Nothing is left, and the trail was asked to stop.
    Ended,
    /// The trail was asked to stop and its time is up; something is still in memory.
    GaveUp,
}

/// A wall clock that moved this far against the monotonic one was set, not slewed.
const CLOCK_STEP_US: i64 = 1_000_000;

impl Pace {
    pub(crate) fn start(clock: &dyn Clock) -> Self {
        Self {
            wall: clock.now(),
            steady: Instant::now(),
        }
    }
}

impl Hand {
    /// Ends a group with its commit line. `tree` is what is durable before it.
    pub(crate) fn new(mut group: Group, tree: &Tree, now: Timestamp) -> Self {
        let mut tree = tree.clone();
        for leaf in &group.leaves {
            tree.push(*leaf);
        }
        Control::Commit(Commit {
            head: tree.head(),
            time: now,
        })
        .write(&mut group.bytes);
        Self { group, tree }
    }
}

impl Writer {
    /// Runs until the trail is stopped; a panic inside costs the segment, not the trail.
    pub(crate) fn run(mut self) -> Next {
        let end = loop {
            let step = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.step()));
            match step {
                Ok(Next::Again) => {}
                Ok(end) => break end,
                Err(_) => {
                    self.shared.writer_panics.fetch_add(1, Ordering::Relaxed);
                    self.failed(&io::Error::other("the writer panicked"));
                    if self.back_off() == Next::GaveUp {
                        break Next::GaveUp;
                    }
                }
            }
        };
        let mut state = self.shared.lock();
        state.writer_ended = true;
        if end == Next::GaveUp {
            self.shared.set_failing(
                &mut state,
                self.clock.now(),
                "the trail was shut down before it could be written",
            );
        }
        drop(state);
        self.shared.idle.notify_all();
        self.shared.wake_all();
        end
    }

    /// Takes a group if none is in hand, and tries to write it once.
    pub(crate) fn step(&mut self) -> Next {
        if self.hand.is_none() {
            let Some(group) = self.take() else {
                return self.end();
            };
            self.hand = Some(Hand::new(group, &self.tree, self.clock.now()));
        }
        match self.write() {
            Ok(()) => {
                self.landed();
                Next::Again
            }
            Err(error) => {
                self.failed(&error);
                self.back_off()
            }
        }
    }

    /// Waits for lines; `None` when the trail is stopped and nothing is left.
    fn take(&self) -> Option<Group> {
        let settings = &self.shared.settings;
        let mut state = self.shared.lock();
        loop {
            let wait = match state.front_since {
                None if state.stop.is_some() => return None,
                None => None,
                Some(since) => {
                    let ready = state.urgent
                        || state.stop.is_some()
                        || state.front.bytes.len() >= settings.group_bytes;
                    let left = settings.buffered_delay.saturating_sub(since.elapsed());
                    if ready || left.is_zero() {
                        return Some(state.take_front());
                    }
                    Some(left)
                }
            };
            state.writer_waits = true;
            state = match wait {
                None => self
                    .shared
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    self.shared
                        .work
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
            state.writer_waits = false;
        }
    }

    /// Puts the group in hand on stable storage.
    fn write(&mut self) -> io::Result<()> {
        let Some(hand) = &self.hand else {
            return Ok(());
        };
        let bytes = &hand.group.bytes;
        let room = self.shared.settings.segment_bytes;
        match &mut self.segment {
            Some(segment) if segment.len() + bytes.len() as u64 <= room => {
                segment.append(&*self.disk, bytes)
            }
            _ => self.roll(),
        }
    }

    /// Makes a new segment that begins with the group in hand.
    fn roll(&mut self) -> io::Result<()> {
        let Some(hand) = &self.hand else {
            return Ok(());
        };
        self.generation += 1;
        let name = SegmentName {
            generation: self.generation,
            start: self.tree.size(),
        };
        let mut contents = Vec::with_capacity(hand.group.bytes.len() + 1024);
        Control::Head(Box::new(self.head(name))).write(&mut contents);
        for line in self.open.values() {
            contents.extend_from_slice(line);
        }
        contents.extend_from_slice(&hand.group.bytes);
        self.segment = Some(OpenSegment::create(
            &*self.disk,
            &self.held.dir,
            name,
            &contents,
        )?);
        Ok(())
    }

    fn head(&self, name: SegmentName) -> Head {
        Head {
            format: FORMAT,
            trail: self.origin.trail,
            service: self.origin.service.clone(),
            instance: self.origin.instance.clone(),
            generation: name.generation,
            start: name.start,
            frontier: self.tree.frontier().to_vec(),
            open: self.open.keys().copied().collect(),
            time: self.clock.now(),
        }
    }

    /// The group in hand is durable: everybody may know.
    fn landed(&mut self) {
        let Some(Hand { group, tree }) = self.hand.take() else {
            return;
        };
        self.tree = tree;
        self.open.extend(
            group
                .opened
                .iter()
                .map(|(id, line)| (*id, Arc::clone(line))),
        );
        for id in &group.closed {
            self.open.remove(id);
        }
        let head = self.tree.head();
        let fate = Arc::clone(&group.fate);
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        state.landed(head);
        state.spare = Some(group.recycle());
        let events = self.troubles_over(&mut state);
        // Under the lock: who sees that nothing is in flight finds the events already sent.
        for event in events.into_iter().chain(self.clock_step()) {
            shared.events.send(event);
        }
        drop(state);
        shared.mark.send_replace(head.size);
        self.wake(&fate, head);
        shared.idle.notify_all();
        self.reserve.restore(&*self.disk, &self.held.dir);
    }

    fn wake(&self, fate: &super::group::Fate, head: TreeHead) {
        let panicked = fate.commit(head);
        if panicked > 0 {
            tracing::error!(target: "tower_audit", panicked, "a task's waker panicked on the audit writer thread");
        }
    }

    /// What must be written down now that writing works again.
    fn troubles_over(&mut self, state: &mut State) -> Vec<TrailEvent> {
        let mut events = Vec::new();
        let failing = self.shared.clear_failing(state);
        let losses = state.losses.take();
        let waited = state.front.leaves.len() as u64;
        match (self.trouble.take(), failing, losses) {
            (None, None, None) => {}
            (None, None, Some(losses)) => {
                events.push(TrailEvent::Lost {
                    count: losses.count,
                    first: losses.first,
                    last: losses.last,
                });
            }
            (trouble, failing, losses) => {
                let lost_before = failing.as_ref().map(|failing| failing.lost_before);
                let lost = lost_before.map_or_else(
                    || losses.map_or(0, |losses| losses.count),
                    |before| state.counts.lost - before,
                );
                let since = failing.map(|failing| (failing.since, failing.cause));
                let failures = trouble.as_ref().map_or(0, |trouble| trouble.failures);
                let told = trouble.map(|trouble| (trouble.since, trouble.cause));
                let Some((start, cause)) = told.or(since) else {
                    return events;
                };
                events.push(TrailEvent::Outage(Outage {
                    start,
                    end: self.clock.now(),
                    cause,
                    failures,
                    waited,
                    lost,
                }));
            }
        }
        events
    }

    fn clock_step(&mut self) -> Option<TrailEvent> {
        let now = Pace::start(&*self.clock);
        let before = std::mem::replace(&mut self.pace, now);
        let steady = i64::try_from(self.pace.steady.duration_since(before.steady).as_micros())
            .unwrap_or(i64::MAX);
        let wall = self
            .pace
            .wall
            .as_micros()
            .saturating_sub(before.wall.as_micros());
        let by_us = wall.saturating_sub(steady);
        (by_us.saturating_abs() >= CLOCK_STEP_US).then_some(TrailEvent::ClockStep {
            from: before.wall,
            to: self.pace.wall,
            by_us,
        })
    }

    /// The group in hand stays there; its segment is given up.
    fn failed(&mut self, error: &io::Error) {
        self.segment = None;
        let now = self.clock.now();
        let trouble = self.trouble.get_or_insert_with(|| Trouble {
            since: now,
            cause: error.to_string(),
            failures: 0,
        });
        trouble.failures += 1;
        let mut state = self.shared.lock();
        state.counts.failures += 1;
        // The first failure is tried again at once, in a new segment, before anybody is told.
        if trouble.failures > 1 {
            self.shared
                .set_failing(&mut state, trouble.since, &trouble.cause);
        }
        drop(state);
        if trouble.failures > 1 {
            self.shared.wake_all();
        }
        let full = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        );
        if full && self.reserve.release(&*self.disk, &self.held.dir) {
            self.shared
                .events
                .send(TrailEvent::ReserveReleased { at: now });
        }
    }

    /// Waits before the next attempt, or gives up when the trail is stopped and its time is up.
    fn back_off(&self) -> Next {
        let failures = self.trouble.as_ref().map_or(0, |trouble| trouble.failures);
        let settings = &self.shared.settings;
        let doublings = u32::try_from(failures.saturating_sub(2))
            .unwrap_or(u32::MAX)
            .min(20);
        let pause = settings
            .retry_min
            .saturating_mul(1 << doublings)
            .min(settings.retry_max);
        let began = Instant::now();
        let mut state = self.shared.lock();
        loop {
            let now = Instant::now();
            // Whoever closes the trail waits for this: no long pauses then.
            let until = match failures {
                0 | 1 => began,
                _ if state.closed => began + pause.min(settings.retry_min),
                _ => began + pause,
            };
            if state.stop.is_some_and(|stop| stop.give_up <= now) {
                return Next::GaveUp;
            }
            let wake_at = state.stop.map_or(until, |stop| until.min(stop.give_up));
            let left = wake_at.saturating_duration_since(now);
            if left.is_zero() {
                return Next::Again;
            }
            state = self
                .shared
                .work
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Closes the trail in order.
    fn end(&mut self) -> Next {
        let head = self.tree.head();
        let mut bytes = Vec::new();
        Control::End(Commit {
            head,
            time: self.clock.now(),
        })
        .write(&mut bytes);
        if let Some(mut segment) = self.segment.take()
            && let Err(error) = segment.append(&*self.disk, &bytes)
        {
            // Everything is committed; only the note that the end was in order is missing.
            tracing::warn!(target: "tower_audit", %error, "the end of the audit trail could not be marked");
        }
        Next::Ended
    }
}
