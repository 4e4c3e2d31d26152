//! Removing what may go, in small steps.

use std::time::{Duration, Instant};

use super::{
    Plan, Report, Retention, RetentionError, SYSTEM, Schedule,
    step::{LOWEST, Walk},
    tables::{self, Key, Tables, TablesError},
    walk::time_of,
};
use crate::clock::{RecordId, Timestamp};

/// Removes from a store what a policy lets go; places and releases holds.
///
/// It writes: on PostgreSQL it needs the login of the tables' owner, on MySQL `DELETE`. Tables of
/// an older format are brought up to date when it opens them.
///
/// Number and leaf of every removed record stay, so that
/// [`verify::store`](crate::verify::store) computes the same tree as before. Whatever is removed is
/// noted in the table `audit_prunes` in the same transaction; [`Report::record`] is for the trail.
#[derive(Debug)]
pub struct Pruner {
    pub(super) tables: Box<dyn Tables>,
    by: String,
    idle: Duration,
}

/// How far back the look for a record goes that shows the clock to be right.
const SETTLED: Duration = Duration::from_secs(24 * 60 * 60);

/// How far back such a look goes at most.
const FARTHEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

impl Pruner {
    /// The default of [`idle`](Self::idle): 3 days. A trail writes by itself every day, and a
    /// machine may be off for a weekend.
    pub const IDLE: Duration = Duration::from_secs(3 * 24 * 60 * 60);

    /// Opens the store that an address names, for writing: `sqlite://audit.db`,
    /// `postgres://owner@db/docs`, `mysql://…`.
    ///
    /// # Errors
    ///
    /// [`RetentionError::Address`] for a mistake in the address, [`RetentionError::NoStore`] when
    /// there are no tables, [`RetentionError::Unusable`] when
    /// the store cannot be reached, or its tables cannot be brought up to date by this user.
    pub async fn open(address: &str) -> Result<Self, RetentionError> {
        let mut pruner = Self::at(address)?;
        let opened = pruner.tables.open().await;
        opened.map_err(|error| pruner.failed(error))?;
        Ok(pruner)
    }

    /// As [`open`](Self::open), connecting when something is asked for.
    pub(crate) fn at(address: &str) -> Result<Self, RetentionError> {
        Ok(Self {
            tables: tables::at(address)?,
            by: SYSTEM.to_owned(),
            idle: Self::IDLE,
        })
    }

    /// Who prunes, for the records of it. Default: the system.
    #[must_use]
    pub fn by(mut self, who: impl Into<String>) -> Self {
        self.by = who.into();
        self
    }

    /// How long nothing may have been recorded, at any time between the policy's
    /// [floor](Retention::floor) and a day ago, before a prune believes that the clock is wrong, and
    /// refuses. At least a day; default: [`IDLE`](Self::IDLE).
    ///
    /// A machine whose clock jumped years ahead would empty the store otherwise: it leaves a hole in
    /// time, which it cannot fill by what it records afterwards. What is a little longer than this
    /// may go unnoticed, twice this does not. Longer for a service that was off.
    #[must_use]
    pub const fn idle(mut self, time: Duration) -> Self {
        self.idle = time;
        self
    }

    /// Whether the user of the address may remove records.
    ///
    /// # Errors
    ///
    /// [`RetentionError::Unusable`] when not.
    pub async fn may_prune(&mut self) -> Result<(), RetentionError> {
        let may = self.tables.may_remove().await;
        may.map_err(|error| self.failed(error))
    }

    /// When the store was last pruned to the end under this policy, as far as a clock that says
    /// `now` believes it.
    pub(crate) async fn last_whole(
        &mut self,
        retention: &Retention,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, RetentionError> {
        let up_to = Schedule::believed(now);
        let last = self.tables.last_whole(&retention.digest(), up_to).await;
        last.map_err(|error| self.failed(error))
    }

    /// The store, without secrets.
    #[must_use]
    pub fn address(&self) -> String {
        self.tables.address()
    }

    pub(super) fn failed(&self, error: TablesError) -> RetentionError {
        if error.is_missing {
            return RetentionError::NoStore {
                address: self.tables.address(),
            };
        }
        RetentionError::Unusable {
            address: self.tables.address(),
            reason: error.reason,
            is_lasting: error.is_lasting,
        }
    }

    /// What a prune would remove now. Changes nothing, and is recorded nowhere.
    ///
    /// # Errors
    ///
    /// As [`prune`](Self::prune).
    pub async fn plan(
        &mut self,
        retention: &Retention,
        now: Timestamp,
    ) -> Result<Plan, RetentionError> {
        let up_to = self.begin(retention, now).await?;
        let mut walk = Walk::new(self, retention, now).await?;
        if let Some(up_to) = up_to {
            walk.plan_parts(up_to).await?;
            let mut after = LOWEST;
            while let Some(last) = walk.look(after, up_to).await? {
                after = last;
            }
        }
        walk.finish(up_to).await
    }

    /// Removes what may go, in small steps, each a transaction of its own, with pauses in which
    /// others write. Dropped at any time, it has removed whole steps, and the next one goes on.
    ///
    /// `now` is what ages are counted to. A clock that is behind removes less; for one that is
    /// ahead see [`idle`](Self::idle).
    ///
    /// # Errors
    ///
    /// [`RetentionError`]: a policy that is wrong, another prune that runs, a clock that cannot be
    /// believed, a database that fails. What was removed before is noted in the store.
    pub async fn prune(
        &mut self,
        retention: &Retention,
        now: Timestamp,
    ) -> Result<Report, RetentionError> {
        self.prune_while(retention, now, |_removed| true).await
    }

    /// As [`prune`](Self::prune), and asks before each step whether to go on, with how many records
    /// were removed so far.
    ///
    /// # Errors
    ///
    /// As [`prune`](Self::prune).
    pub async fn prune_while(
        &mut self,
        retention: &Retention,
        now: Timestamp,
        go_on: impl FnMut(u64) -> bool + Send,
    ) -> Result<Report, RetentionError> {
        let up_to = self.begin(retention, now).await?;
        let locked = self.tables.lock().await;
        if !locked.map_err(|error| self.failed(error))? {
            return Err(RetentionError::Busy {
                address: self.tables.address(),
            });
        }
        let report = self.run(retention, now, up_to, go_on).await;
        // A connection that is gone has no lock.
        drop(self.tables.unlock().await);
        report
    }

    async fn run(
        &mut self,
        retention: &Retention,
        now: Timestamp,
        up_to: Option<Key>,
        mut go_on: impl FnMut(u64) -> bool + Send,
    ) -> Result<Report, RetentionError> {
        let before = self.tables.last_policy().await;
        let before = before.map_err(|error| self.failed(error))?;
        let by = self.by.clone();
        let begun = Instant::now();
        let mut walk = Walk::new(self, retention, now).await?;
        walk.is_locked = true;
        let mut run = walk.begin_run(by);
        let mut complete = true;
        let mut left = Vec::new();
        if let Some(up_to) = up_to {
            complete = walk
                .take_parts(up_to, &mut run, &mut go_on, &mut left)
                .await?
                && walk.remove_all(up_to, &mut run, &mut go_on).await?;
        }
        run.complete = complete;
        run.ended = Some(now.saturating_add(begun.elapsed()));
        walk.fill(&mut run);
        let noted = walk.pruner.tables.note(&run).await;
        let removed = noted.map_err(|error| walk.pruner.failed(error))?;
        let renewed = std::mem::take(&mut walk.renewed);
        let mut done = walk.finish(up_to).await?;
        // What stands in the store, and not what was counted here: see `Tables::note`.
        done.removed = removed;
        let policy_text = retention.text();
        Ok(Report {
            id: run.id,
            by: run.by,
            complete,
            renewed,
            left,
            previous_policy: before.filter(|(digest, _)| *digest != done.policy),
            policy_text,
            done,
        })
    }

    /// Checks what must hold before anything is looked at; gives the highest id that can go.
    async fn begin(
        &mut self,
        retention: &Retention,
        now: Timestamp,
    ) -> Result<Option<Key>, RetentionError> {
        retention.check()?;
        let Some(horizon) = retention.horizon(now) else {
            return Ok(None);
        };
        let can_go = self.newest_up_to(horizon).await?.is_some();
        match self.hole(retention.floor_time(), now).await? {
            Some(hole) if can_go => Err(hole),
            // Without anything that could go there is nothing that a clock could do.
            Some(_) => Ok(None),
            // Also when nothing can go: a part that has nothing in it any more does.
            None => Ok(Some(*RecordId::highest_at(horizon).as_bytes())),
        }
    }

    /// The newest time in which nothing was recorded, as the refusal that it is a reason for.
    ///
    /// Looks back as far as the floor, and not only a day: the machine with the wrong clock records
    /// too.
    async fn hole(
        &mut self,
        floor: Duration,
        now: Timestamp,
    ) -> Result<Option<RetentionError>, RetentionError> {
        let idle = self.idle.max(SETTLED);
        let earliest = now.saturating_sub(floor.min(FARTHEST));
        let mut at = now.saturating_sub(SETTLED);
        loop {
            let newest = self.newest_up_to(at).await?.map(time_of);
            let before = at.saturating_sub(idle);
            if newest.is_none_or(|newest| newest < before) {
                return Ok(Some(RetentionError::Clock {
                    address: self.tables.address(),
                    now,
                    until: at,
                    newest,
                    idle,
                }));
            }
            if before <= earliest {
                return Ok(None);
            }
            at = before;
        }
    }

    async fn newest_up_to(&mut self, at: Timestamp) -> Result<Option<Key>, RetentionError> {
        let id = *RecordId::highest_at(at).as_bytes();
        let found = self.tables.newest_up_to(id).await;
        found.map_err(|error| self.failed(error))
    }
}
