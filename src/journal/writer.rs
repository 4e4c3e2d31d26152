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
    hand::Hand,
    line::{Commit, Control, FORMAT, Head},
    pace::Pace,
    reserve::Reserve,
    segment::{OpenSegment, SegmentName},
    state::{Shared, State},
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

/// Failures since the last commit that held.
#[derive(Debug)]
pub(crate) struct Trouble {
    since: Timestamp,
    cause: String,
    failures: u64,
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

impl Writer {
    /// Runs until the trail is stopped; a panic inside costs the segment, not the trail.
    pub(crate) fn run(mut self) -> Next {
        let end = loop {
            match caught(|| self.step()) {
                Some(Next::Again) => {}
                Some(end) => break end,
                None => {
                    self.shared.writer_panics.fetch_add(1, Ordering::Relaxed);
                    caught(|| self.failed(&io::Error::other("the writer panicked")));
                    // Never without a pause: what panicked may do so each time.
                    if self.back_off(self.failures().max(2)) == Next::GaveUp {
                        break Next::GaveUp;
                    }
                }
            }
        };
        self.shared.lock().writer_ended = true;
        self.shared.idle.notify_all();
        if end == Next::GaveUp {
            let since = self.trouble.as_ref().map(|trouble| trouble.since);
            let cause = "the trail was shut down before it could be written";
            let state = self.shared.lock();
            self.shared
                .fail(state, since.unwrap_or(self.pace.wall), cause);
        }
        end
    }

    /// Takes a group if none is in hand, and tries to write it once.
    pub(crate) fn step(&mut self) -> Next {
        if self.hand.is_none() {
            let Some(group) = self.take() else {
                return self.end();
            };
            self.hand = Some(Hand::new(group, &self.tree));
        }
        match self.write() {
            Ok(()) => {
                self.landed();
                Next::Again
            }
            Err(error) => {
                self.failed(&error);
                self.back_off(self.failures())
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
        let now = self.clock.now();
        let Some(hand) = &mut self.hand else {
            return Ok(());
        };
        let room = self.shared.settings.segment_bytes;
        match &mut self.segment {
            Some(segment) if segment.grown() + hand.lines as u64 <= room => {
                hand.seal(segment.groups() + 1, now);
                segment.append(&*self.disk, &hand.group.bytes)
            }
            _ => {
                hand.seal(1, now);
                self.roll()
            }
        }
    }

    /// Makes a new segment that begins with the group in hand.
    fn roll(&mut self) -> io::Result<()> {
        self.generation += 1;
        let name = SegmentName {
            generation: self.generation,
            start: self.tree.size(),
        };
        let mut head = Vec::with_capacity(1024);
        Control::Head(Box::new(self.head(name))).write(&mut head);
        for line in self.open.values() {
            head.extend_from_slice(line);
        }
        let group = self.hand.as_ref().map(|hand| &*hand.group.bytes);
        self.segment = Some(OpenSegment::create(
            &*self.disk,
            &self.held.dir,
            name,
            &head,
            group.unwrap_or_default(),
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
        // First, while the group is still in hand: a foreign clock may panic.
        let step = self.pace.step(&*self.clock);
        let Some(Hand { group, tree, .. }) = self.hand.take() else {
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
        let records = state.landed(head);
        state.spare = Some(group.recycle());
        let trouble = self.trouble_over(&mut state, records);
        // Under the lock: who sees that nothing is in flight finds the events already sent.
        for event in trouble.into_iter().chain(step) {
            shared.tell(event);
        }
        // Under it as well: who sees that nothing waits finds the mark moved. Only our own threads
        // wait for the mark, and their wakers do no more than wake them.
        shared.mark.send_replace(head.size);
        drop(state);
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

    /// What must be written down now that writing works again. `records` are those of this run
    /// that have just become durable.
    fn trouble_over(&mut self, state: &mut State, records: u64) -> Option<TrailEvent> {
        let failing = self.shared.clear_failing(state);
        let losses = state.losses.take();
        let trouble = self.trouble.take();
        let failures = trouble.as_ref().map_or(0, |trouble| trouble.failures);
        let failed = trouble.map(|trouble| (trouble.since, trouble.cause));
        let waited_for = failing.map(|failing| (failing.since, failing.cause));
        // A disk may hang first and fail then: what came first is the cause.
        let first = failed
            .into_iter()
            .chain(waited_for)
            .min_by_key(|first| first.0);
        let Some((start, cause)) = first else {
            return losses.map(|losses| TrailEvent::Lost {
                count: losses.count,
                first: losses.first,
                last: losses.last,
            });
        };
        Some(TrailEvent::Outage(Outage {
            start,
            end: self.pace.wall,
            cause,
            failures,
            waited: records + state.front.leaves.len() as u64,
            // Those from before it began as well, if they are not written down yet.
            lost: losses.map_or(0, |losses| losses.count),
        }))
    }

    /// The group in hand stays there; its segment is given up.
    fn failed(&mut self, error: &io::Error) {
        self.segment = None;
        // Whatever failed, a commit must hold before the trail may be called sound again.
        self.hand
            .get_or_insert_with(|| Hand::new(Group::default(), &self.tree));
        let now = self.clock.now();
        let full = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        );
        if full && self.reserve.release(&*self.disk, &self.held.dir) {
            self.shared.tell(TrailEvent::ReserveReleased { at: now });
        }
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
            self.shared.fail(state, trouble.since, &trouble.cause);
        }
    }

    /// Failures since the last commit that held.
    fn failures(&self) -> u64 {
        self.trouble.as_ref().map_or(0, |trouble| trouble.failures)
    }

    /// Waits before the next attempt, or gives up when the trail is stopped and its time is up.
    fn back_off(&self, failures: u64) -> Next {
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
        let Some(mut segment) = self.segment.take() else {
            return Next::Ended;
        };
        let mut bytes = Vec::new();
        Control::End(Commit {
            head: self.tree.head(),
            group: segment.groups(),
            time: self.clock.now(),
        })
        .write(&mut bytes);
        if let Err(error) = segment.append(&*self.disk, &bytes) {
            // Everything is committed; only the note that the end was in order is missing.
            tracing::warn!(target: "tower_audit", %error, "the end of the audit trail could not be marked");
        }
        Next::Ended
    }
}

/// What `run` gives, or `None` when it panicked.
fn caught<T>(run: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).ok()
}
