//! Finds the trail that this process continues, and what other processes left behind.

use std::{path::PathBuf, sync::Arc, time::Instant};

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    clock::{Clock, Timestamp},
    disk::SharedDisk,
    record::Origin,
};

use super::{
    Closed, Events, Inbox, Journal, Opening, Prepared, Settings, Torn, Urgency,
    error::{Damage, OpenError},
    prune,
    recovery::{Recovered, recover},
    segment,
    trails::{self, Held},
};

/// A base directory and how trails below it are written.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    pub(crate) disk: SharedDisk,
    pub(crate) dir: PathBuf,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) service: String,
    pub(crate) instance: Option<String>,
    pub(crate) events: Events,
}

/// The trail of this process, and how its last run ended.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) journal: Journal,
    /// `None` for a new trail.
    pub(crate) before: Option<Before>,
    /// Trails that cannot be continued. They are left as they are.
    pub(crate) left: Vec<Left>,
}

/// How the run before ended.
#[derive(Debug)]
pub(crate) struct Before {
    pub(crate) clean: bool,
    /// When the last commit that is known to have held was made.
    pub(crate) committed_at: Timestamp,
    /// Whole records after it, carried over.
    pub(crate) carried: u64,
    pub(crate) torn: Option<Torn>,
    /// Intents that nobody settled.
    pub(crate) unsettled: Vec<(Uuid, Box<RawValue>)>,
}

/// A trail that was not opened, and why.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) dir: PathBuf,
    pub(crate) error: OpenError,
}

/// A trail of a dead process, held and recovered.
#[derive(Debug)]
pub(crate) struct Orphan {
    origin: Origin,
    held: Held,
    recovered: Recovered,
}

/// An orphan that is settled: it grows no more.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) origin: Origin,
    pub(crate) dir: PathBuf,
    /// All its numbers are below it.
    pub(crate) size: u64,
    /// Nobody else takes the trail while this lives.
    _held: Arc<Held>,
}

impl Before {
    fn of(recovered: &Recovered) -> Self {
        Self {
            clean: recovered.clean,
            committed_at: recovered.committed_at,
            carried: recovered.carry.leaves.len() as u64,
            torn: recovered.torn.clone(),
            unsettled: recovered.unsettled(),
        }
    }
}

impl Orphan {
    /// How its last run ended.
    pub(crate) fn before(&self) -> Before {
        Before::of(&self.recovered)
    }

    /// How many records it holds.
    #[cfg(test)]
    pub(crate) fn next(&self) -> u64 {
        self.recovered.next()
    }
}

impl Left {
    /// The place that does not hold, if that is why.
    pub(crate) const fn damage(&self) -> Option<&Damage> {
        match &self.error {
            OpenError::Damaged(damage) => Some(damage),
            _ => None,
        }
    }
}

/// Generation and length of a trail's newest segment, to see whether anything was written since.
pub(crate) fn newest_segment(base: &Base, id: Uuid) -> Option<(u64, u64)> {
    let dir = trails::dir_of(&base.dir, id);
    let (names, _) = segment::list(&*base.disk, &dir).ok()?;
    let newest = names.last()?;
    let stat = base.disk.stat(&dir.join(newest.file())).ok()?;
    Some((newest.generation, stat.len))
}

impl Base {
    /// Continues the newest trail that nobody holds, or makes one.
    ///
    /// # Errors
    ///
    /// Only when the base directory cannot be made, listed, locked or written: a mistake of ours or
    /// of the configuration. A damaged trail is left as it is and another begins.
    pub(crate) fn open(&self, new: Uuid) -> Result<Opened, OpenError> {
        trails::prepare(&*self.disk, &self.dir)?;
        let ids = trails::list(&*self.disk, &self.dir).map_err(OpenError::io("list", &self.dir))?;
        let mut left = Vec::new();
        for id in ids.into_iter().rev() {
            let found = match trails::hold(&*self.disk, &self.dir, id) {
                Ok(None) => continue,
                Ok(Some(held)) => self.recover(&held).map(|found| (held, found)),
                Err(error) => Err(error),
            };
            match found {
                Ok((held, (recovered, generation))) => {
                    let before = recovered.as_ref().map(Before::of);
                    let journal = self.start(held, recovered, generation)?;
                    return Ok(Opened {
                        journal,
                        before,
                        left,
                    });
                }
                Err(error) => left.push(Left {
                    dir: self.trail_dir(id),
                    error,
                }),
            }
        }
        let held = trails::create(&*self.disk, &self.dir, new)?;
        let journal = self.start(held, None, 0)?;
        Ok(Opened {
            journal,
            before: None,
            left,
        })
    }

    /// What a held trail holds, and the highest generation in it.
    fn recover(&self, held: &Held) -> Result<(Option<Recovered>, u64), OpenError> {
        let (recovered, generation) = recover(&*self.disk, &held.dir)?;
        let reason = match &recovered {
            Some(found) if found.origin.trail != held.id => {
                "it is a copy: its header names another trail"
            }
            // Trap J5: under the same id its numbers would be given again, to other records.
            None if trails::was_read(&*self.disk, &held.dir)
                .map_err(OpenError::io("list", &held.dir))? =>
            {
                "its segments are gone, and sinks have read it"
            }
            _ => return Ok((recovered, generation)),
        };
        Err(OpenError::Damaged(Damage {
            file: held.dir.clone(),
            offset: 0,
            reason: reason.into(),
            last_good: None,
        }))
    }

    fn start(
        &self,
        held: Held,
        recovered: Option<Recovered>,
        generation: u64,
    ) -> Result<Journal, OpenError> {
        prune::sweep(&*self.disk, &held.dir).map_err(OpenError::io("tidy", &held.dir))?;
        // The last run may have died before the name of its last segment was durable. What was
        // recovered from it is about to be called durable, and the next segment begins behind it.
        self.disk
            .sync_dir(&held.dir)
            .map_err(OpenError::io("sync", &held.dir))?;
        Journal::start(Opening {
            disk: Arc::clone(&self.disk),
            clock: Arc::clone(&self.clock),
            settings: self.settings.clone(),
            origin: Origin::new(held.id, self.service.clone(), self.instance.clone()),
            held,
            recovered,
            generation,
            events: self.events.clone(),
        })
    }

    /// Takes a trail that nobody holds, to deliver what is left in it. `None`: somebody holds it,
    /// or nothing was ever committed in it.
    ///
    /// # Errors
    ///
    /// It cannot be read or is damaged; it is left as it is.
    pub(crate) fn take_orphan(&self, id: Uuid) -> Result<Option<Orphan>, OpenError> {
        let Some(held) = trails::hold(&*self.disk, &self.dir, id)? else {
            return Ok(None);
        };
        let (recovered, _) = self.recover(&held)?;
        Ok(recovered.map(|recovered| Orphan {
            origin: recovered.origin.clone(),
            held,
            recovered,
        }))
    }

    /// Closes an orphan's open intents with `verdicts`, makes everything in it durable, and ends it.
    ///
    /// A trail that was closed in order is not touched.
    ///
    /// # Errors
    ///
    /// The trail cannot be written before `deadline`; it is given back as it is.
    pub(crate) fn settle(
        &self,
        orphan: Orphan,
        verdicts: &[Prepared],
        deadline: Instant,
    ) -> Result<Settled, OpenError> {
        let Orphan {
            origin,
            held,
            recovered,
            ..
        } = orphan;
        let dir = held.dir.clone();
        if recovered.clean && verdicts.is_empty() {
            let size = recovered.tree.size();
            return Ok(Settled {
                origin,
                dir,
                size,
                _held: Arc::new(held),
            });
        }
        let generation = recovered.generation;
        let journal = self.start(held, Some(recovered), generation)?;
        for verdict in verdicts {
            // Cannot be full: nothing else writes here. If it could, the intent stays open.
            let _ = journal
                .inbox()
                .append_admitted(verdict, Urgency::Durable, self.clock.now());
        }
        let size = *journal.inbox().mark().borrow();
        match journal.close(deadline) {
            Closed::InOrder => {
                let size = (*journal.inbox().mark().borrow()).max(size);
                Ok(Settled {
                    origin,
                    dir,
                    size,
                    _held: journal.held(),
                })
            }
            Closed::GaveUp => {
                let cause = journal
                    .inbox()
                    .failing()
                    .unwrap_or_else(|| "no answer in time".into());
                Err(OpenError::io("settle", dir)(std::io::Error::other(cause)))
            }
        }
    }

    /// Where a trail of this id is, if there is one.
    pub(crate) fn trail_dir(&self, id: Uuid) -> PathBuf {
        trails::dir_of(&self.dir, id)
    }

    /// The other trails below the base, held or not.
    pub(crate) fn others(&self, own: Uuid) -> Result<Vec<Uuid>, OpenError> {
        let ids = trails::list(&*self.disk, &self.dir).map_err(OpenError::io("list", &self.dir))?;
        Ok(ids.into_iter().filter(|id| *id != own).collect())
    }
}

impl Opened {
    pub(crate) fn inbox(&self) -> &Inbox {
        self.journal.inbox()
    }

    #[cfg(test)]
    pub(crate) fn dir(&self) -> &std::path::Path {
        self.journal.dir()
    }
}
