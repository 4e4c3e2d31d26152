//! One way through the records of a store, step by step.

use std::time::{Duration, Instant};

use uuid::Uuid;

use super::{
    Hold, Plan, Pruner, Retention, RetentionError,
    tables::{Candidate, Key, Removed, Run, TablesError},
    walk::{Judged, Tally, time_of},
};
use crate::clock::Timestamp;

/// The most records that one step looks at, and that it looks at with their texts.
const PAGE: usize = 1000;
const PAGE_WITH_TEXTS: usize = 200;
/// The fewest, when the database is slow.
const LEAST: usize = 20;
/// How long a step should take at most; the next one is smaller when it did not.
const STEP: Duration = Duration::from_millis(50);
/// At least so long others have the store between two steps, and as long as the step took.
const PAUSE: Duration = Duration::from_millis(5);
/// How often a step is tried that failed for a reason that passes.
const TRIES: u32 = 5;
/// How long is waited before that, times the tries so far.
const RETRY: Duration = Duration::from_millis(200);
/// How often in a row the same page is read again, because what is in it changed.
const MOST_AGAIN: u32 = 1000;
const IN_THE_WAY: &str = "what is to be removed changes, or is not removed, again and again: look \
    for another prune, and for triggers on the tables";
/// Below every id.
pub(super) const LOWEST: Key = [0; 16];

/// One way through the records, from the oldest to the newest that can go.
pub(super) struct Walk<'a> {
    pub(super) pruner: &'a mut Pruner,
    pub(super) retention: &'a Retention,
    pub(super) now: Timestamp,
    pub(super) holds: Vec<Hold>,
    pub(super) tally: Tally,
    /// Parts that go as a whole, and those that were made anew.
    pub(super) parts: Vec<String>,
    pub(super) renewed: Vec<String>,
    step: usize,
    /// Whether others are kept away by a lock, which ends with its connection.
    pub(super) is_locked: bool,
}

impl<'a> Walk<'a> {
    pub(super) async fn new(
        pruner: &'a mut Pruner,
        retention: &'a Retention,
        now: Timestamp,
    ) -> Result<Self, RetentionError> {
        let mut holds = pruner.holds().await?;
        holds.retain(|hold| hold.released.is_none());
        Ok(Self {
            tally: Tally::new(retention),
            pruner,
            retention,
            now,
            holds,
            parts: Vec::new(),
            renewed: Vec::new(),
            step: PAGE,
            is_locked: false,
        })
    }

    pub(super) fn begin_run(&self, by: String) -> Run {
        Run {
            id: Uuid::new_v4().to_string(),
            started: self.now,
            ended: None,
            by,
            digest: self.retention.digest(),
            policy: self.retention.text(),
            removed: 0,
            going: 0,
            oldest: None,
            newest: None,
            counts: String::new(),
            complete: false,
        }
    }

    pub(super) fn fill(&self, run: &mut Run) {
        fill(&self.tally, run);
    }

    /// The next records, and how long reading them took.
    pub(super) async fn page(
        &mut self,
        after: Key,
        up_to: Key,
    ) -> Result<(Vec<Candidate>, Duration), RetentionError> {
        let with_json = !self.holds.is_empty();
        let most = if with_json { PAGE_WITH_TEXTS } else { PAGE };
        let limit = self.step.min(most);
        let mut tries = 0;
        loop {
            let begun = Instant::now();
            let page = self.pruner.tables.page(after, up_to, limit, with_json);
            match page.await {
                Ok(page) => return Ok((page, begun.elapsed())),
                Err(error) => self.passes(error, &mut tries).await?,
            }
        }
    }

    /// Waits after a failure that passes; gives the error back when it does not.
    pub(super) async fn passes(
        &mut self,
        error: TablesError,
        tries: &mut u32,
    ) -> Result<(), RetentionError> {
        let mut error = error;
        loop {
            *tries += 1;
            if error.is_lasting || *tries >= TRIES {
                return Err(self.pruner.failed(error));
            }
            tokio::time::sleep(RETRY * *tries).await;
            match self.lock_again().await {
                Ok(()) => return Ok(()),
                Err(again) => error = again,
            }
        }
    }

    /// The connection that failed had the lock: another one may prune since.
    async fn lock_again(&mut self) -> Result<(), TablesError> {
        if self.is_locked && !self.pruner.tables.lock().await? {
            return Err(TablesError {
                reason: "the connection was lost, and another prune is running since".to_owned(),
                is_lasting: false,
                is_missing: false,
            });
        }
        Ok(())
    }

    /// Counts what would become of the next page; gives the id that it ends with.
    pub(super) async fn look(
        &mut self,
        after: Key,
        up_to: Key,
    ) -> Result<Option<Key>, RetentionError> {
        let (page, took) = self.page(after, up_to).await?;
        self.tally = self.judge(&self.tally, &page).tally;
        rest(took).await;
        Ok(page.last().map(|last| last.id))
    }

    /// A tally with a page of records in it.
    pub(super) fn judge(&self, tally: &Tally, page: &[Candidate]) -> Judged {
        tally.judge(page, self.retention, &self.holds, self.now)
    }

    pub(super) async fn remove_all(
        &mut self,
        up_to: Key,
        run: &mut Run,
        go_on: &mut (impl FnMut(u64) -> bool + Send),
    ) -> Result<bool, RetentionError> {
        let mut after = LOWEST;
        let mut again = 0;
        loop {
            if !go_on(self.tally.removed) {
                return Ok(false);
            }
            let (page, took) = self.page(after, up_to).await?;
            let Some(last) = page.last().map(|last| last.id) else {
                return Ok(true);
            };
            let judged = self.judge(&self.tally, &page);
            if judged.going.is_empty() {
                self.tally = judged.tally;
                rest(took).await;
            } else if !self.remove(judged, run).await? {
                // Other holds, or another prune: the same page again.
                again += 1;
                if again > MOST_AGAIN {
                    let error = TablesError::lasting(IN_THE_WAY);
                    return Err(self.pruner.failed(error));
                }
                continue;
            }
            again = 0;
            after = last;
        }
    }

    /// Removes what was judged; false when there are other holds by now, or some of it is gone.
    async fn remove(&mut self, judged: Judged, run: &mut Run) -> Result<bool, RetentionError> {
        let Judged { going, tally, .. } = judged;
        let mut noted = run.clone();
        fill(&tally, &mut noted);
        let mut tries = 0;
        let begun = Instant::now();
        loop {
            let removed = self.pruner.tables.remove(&going, &self.holds, &noted).await;
            match removed {
                Ok(Removed::Done) => break,
                Ok(Removed::Holds(holds)) => {
                    self.holds = holds;
                    return Ok(false);
                }
                Ok(Removed::Others) => return Ok(false),
                Ok(Removed::Left(reason)) => {
                    let error = TablesError::lasting(reason);
                    return Err(self.pruner.failed(error));
                }
                Err(error) => self.passes(error, &mut tries).await?,
            }
        }
        self.tally = tally;
        *run = noted;
        let took = begun.elapsed();
        self.step = match took {
            took if took > STEP => (self.step / 2).max(LEAST),
            took if took < STEP / 2 => (self.step * 2).min(PAGE),
            _ => self.step,
        };
        rest(took).await;
        Ok(true)
    }

    pub(super) async fn finish(self, up_to: Option<Key>) -> Result<Plan, RetentionError> {
        let Self { pruner, tally, .. } = self;
        let remaining = match tally.oldest_kept {
            Some(kept) => Some(kept),
            None => {
                let above = pruner.tables.oldest_above(up_to.unwrap_or(LOWEST)).await;
                above.map_err(|error| pruner.failed(error))?
            }
        };
        Ok(Plan {
            address: pruner.tables.address(),
            now: self.now,
            policy: self.retention.digest(),
            rules: tally.rules,
            holds: self.holds.len(),
            removed: tally.removed,
            oldest: tally.oldest,
            newest: tally.newest,
            oldest_remaining: remaining.map(time_of),
            parts: self.parts,
        })
    }
}

/// Leaves the store to others for as long as it was busy.
pub(super) async fn rest(took: Duration) {
    tokio::time::sleep(took.max(PAUSE)).await;
}

pub(super) fn fill(tally: &Tally, run: &mut Run) {
    run.going = tally.removed - run.removed;
    run.removed = tally.removed;
    run.oldest = tally.oldest;
    run.newest = tally.newest;
    run.counts = tally.counts();
}
