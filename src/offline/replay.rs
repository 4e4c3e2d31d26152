//! Delivers a trail, or what a sink refused of it, to a sink.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::Serialize;
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    clock::SystemClock,
    delivery::{
        JournalSource, SinkName, Source, Surroundings,
        replay::{self, DeadLetterSource, ReplayError, What},
    },
    disk::{SharedDisk, StdDisk},
    journal::segment,
    sink::{Sink, url::UrlError},
    stats::SinkStats,
};

use super::{
    OfflineError,
    overview::{Newest, dead_letters_of, find},
};

/// What is to be delivered once more.
///
/// A whole trail, as far as it is committed when it begins, is given to a sink from the position
/// that the sink itself keeps, if it keeps one, or else from the oldest record. Dead letters are
/// given to it whatever its position is.
///
/// Nothing is written beside the trail: no cursor moves, and what is refused now is only counted.
#[derive(Debug, Clone)]
#[must_use]
pub struct Replay {
    dir: PathBuf,
    dead: Option<String>,
    patience: Duration,
}

/// How the replay of one trail ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Replayed {
    /// The trail.
    pub trail: Uuid,
    /// Records that were there: of a trail, those that the sink did not have.
    pub records: u64,
    /// Records that the sink confirmed.
    pub delivered: u64,
    /// The numbers of those that it refused.
    pub refused: Vec<u64>,
    /// Records that are gone or damaged in the journal.
    pub missed: u64,
    /// Dead letters that cannot be read.
    pub unreadable: u64,
}

impl Replay {
    /// Everything in a directory: all trails below a base directory, or the one that it is.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            dead: None,
            patience: Duration::from_secs(60),
        }
    }

    /// Only what the sink of this name refused, in its dead letters. Default: the whole trail.
    pub fn dead_letters(mut self, sink: impl Into<String>) -> Self {
        self.dead = Some(sink.into());
        self
    }

    /// How long a sink that fails is tried again. Default: a minute.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Delivers to the sinks that `sink` makes, one for each trail, and returns how each ended.
    ///
    /// `progress` is told after each batch how many records are delivered and how many wait.
    /// Blocks; must not be called from within an async runtime.
    ///
    /// # Errors
    ///
    /// When the journal cannot be read, or a sink does not take the records. What was delivered
    /// stays so.
    pub fn run(
        &self,
        mut sink: impl FnMut() -> Result<Box<dyn Sink>, UrlError>,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Vec<Replayed>, OfflineError> {
        let disk: SharedDisk = Arc::new(StdDisk);
        if let Some(name) = &self.dead {
            SinkName::parse(name).map_err(|error| OfflineError::SinkName {
                reason: error.to_string(),
            })?;
        }
        let mut replayed = Vec::new();
        for dir in find(&*disk, &self.dir)? {
            let Some(source) = self.source(&disk, &dir)? else {
                continue;
            };
            replayed.push(self.trail(&disk, source, sink()?, &mut progress)?);
        }
        match &self.dead {
            Some(name) if replayed.is_empty() => {
                Err(OfflineError::NoDeadLetters { sink: name.clone() })
            }
            _ => Ok(replayed),
        }
    }

    fn source(&self, disk: &SharedDisk, dir: &Path) -> Result<Option<Chosen>, OfflineError> {
        let failed = |error| OfflineError::io("read", dir)(error);
        let (names, _) = segment::list(&**disk, dir).map_err(failed)?;
        let newest = Newest::read(&**disk, dir, &names).map_err(failed)?;
        let Some(origin) = newest.origin else {
            return Ok(None);
        };
        let trail = origin.trail;
        if let Some(name) = &self.dead {
            let file = dead_letters_of(dir, name);
            let failed = |error| OfflineError::io("read", &file)(error);
            let (letters, bad) =
                DeadLetterSource::read(disk, origin, dir.into(), &file).map_err(failed)?;
            let unreadable = bad.len() as u64;
            let is_empty = letters.durable() == 0 && unreadable == 0;
            let source: Arc<dyn Source> = Arc::new(letters);
            return Ok((!is_empty).then_some(Chosen {
                trail,
                source,
                what: What::Chosen,
                unreadable,
            }));
        }
        // The sender may go: the trail is read as far as it is now.
        let size = newest.head.map_or(0, |head| head.size);
        let (_, mark) = watch::channel(size);
        let source: Arc<dyn Source> = Arc::new(JournalSource::new(
            Arc::clone(disk),
            origin,
            dir.into(),
            mark,
            size,
        ));
        Ok(Some(Chosen {
            trail,
            source,
            what: What::Trail,
            unreadable: 0,
        }))
    }

    fn trail(
        &self,
        disk: &SharedDisk,
        chosen: Chosen,
        sink: Box<dyn Sink>,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<Replayed, OfflineError> {
        let Chosen {
            trail,
            source,
            what,
            unreadable,
        } = chosen;
        let around = Surroundings {
            disk: Arc::clone(disk),
            clock: Arc::new(SystemClock::new()),
            listener: Arc::new(|_| {}),
        };
        let tell = |stats: &SinkStats| progress(stats.delivered, stats.pending);
        let done = replay::replay(source, what, sink, around, self.patience, tell);
        let done = done.map_err(|error| explain(trail, error))?;
        Ok(Replayed {
            trail,
            records: done.stats.committed,
            delivered: done.stats.delivered,
            refused: done.refused,
            missed: done.stats.missed,
            unreadable,
        })
    }
}

/// What is delivered of one trail.
struct Chosen {
    trail: Uuid,
    source: Arc<dyn Source>,
    what: What,
    unreadable: u64,
}

fn explain(trail: Uuid, error: ReplayError) -> OfflineError {
    let delivered = match &error {
        ReplayError::Blocked { stats, .. } | ReplayError::GaveUp { stats, .. } => stats.delivered,
        ReplayError::Runtime(_) => 0,
    };
    OfflineError::Undelivered {
        trail,
        delivered,
        source: Box::new(error),
    }
}
