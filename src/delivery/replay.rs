//! Delivers what is there to one sink, once, and says how it went.
//!
//! The same follower does it, without a trace on the disk: no cursor is moved, no dead letter kept.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    runtime,
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    Keeping, Options, Positions, Surroundings,
    call::caught,
    dead_letter::{self, BadLine},
    follower::{Control, Follower, Next},
    source::{Chunk, Gap, GapKind, ReadError, Reading, Source},
    stats::Ledger,
    worker::CLOSE_GRACE,
};
use crate::{
    disk::SharedDisk,
    record::Origin,
    sink::{Delivery, Limits, Sink},
    stats::{SinkState, SinkStats},
};

/// What is replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// A whole trail. A sink that keeps its position is asked for it, and gets only what it has not.
    Trail,
    /// Chosen records, such as dead letters: the sink gets them whatever its position is.
    Chosen,
}

/// How a replay ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replayed {
    /// The last counters. `dead` are those that the sink refused; they are kept nowhere.
    pub stats: SinkStats,
    /// The numbers of those.
    pub refused: Vec<u64>,
}

/// Why a replay did not get to the end; what was delivered stays delivered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// Somebody must repair something first.
    #[error("the sink is blocked after {} records: {reason}", .stats.delivered)]
    Blocked {
        /// What to repair.
        reason: String,
        /// The last counters.
        stats: Box<SinkStats>,
    },
    /// The sink, or the trail, failed for too long.
    #[error("nothing went on for {patience:?} after {} records: {reason}", .stats.delivered)]
    GaveUp {
        /// The last failure.
        reason: String,
        /// How long it was tried.
        patience: Duration,
        /// The last counters.
        stats: Box<SinkStats>,
    },
    /// No runtime could be made.
    #[error("the system gives no runtime")]
    Runtime(#[source] io::Error),
}

/// Delivers all of `source`, as it is now, to `sink`.
///
/// Blocks; must not be called from within an async runtime. A fault that passes is waited for,
/// until nothing has gone on for `patience`. `progress` is called after each batch.
///
/// # Errors
///
/// When the sink is blocked, or `patience` is over.
pub(crate) fn replay(
    source: Arc<dyn Source>,
    what: What,
    sink: Box<dyn Sink>,
    around: Surroundings,
    patience: Duration,
    mut progress: impl FnMut(&SinkStats),
) -> Result<Replayed, ReplayError> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ReplayError::Runtime)?;
    let outcome = runtime.block_on(run(source, what, sink, around, patience, &mut progress));
    runtime.shutdown_timeout(CLOSE_GRACE);
    outcome
}

async fn run(
    source: Arc<dyn Source>,
    what: What,
    sink: Box<dyn Sink>,
    around: Surroundings,
    patience: Duration,
    progress: &mut impl FnMut(&SinkStats),
) -> Result<Replayed, ReplayError> {
    let options = Options {
        keeping: Keeping::Nothing,
        positions: match what {
            What::Trail => Positions::Asked,
            What::Chosen => Positions::Ignored,
        },
        ..Options::default()
    };
    let ledger = Arc::new(Ledger::new("replay".to_owned(), Arc::clone(&around.clock)));
    let control = watch::Sender::new(Control {
        sources: vec![source],
        ..Control::default()
    });
    let orders = control.subscribe();
    let mut follower = Follower::new(
        "replay".to_owned(),
        sink,
        around,
        options,
        orders,
        Arc::clone(&ledger),
    );
    let outcome = deliver_all(&mut follower, &ledger, patience, progress).await;
    let refused = follower.feeds.iter().flat_map(|feed| feed.dead.numbers());
    let refused = refused.collect();
    follower.finish(Instant::now() + CLOSE_GRACE).await;
    outcome.map(|stats| Replayed { stats, refused })
}

async fn deliver_all(
    follower: &mut Follower,
    ledger: &Ledger,
    patience: Duration,
    progress: &mut impl FnMut(&SinkStats),
) -> Result<SinkStats, ReplayError> {
    let mut pending = u64::MAX;
    let mut moved = Instant::now();
    loop {
        let next = match caught(follower.step()).await {
            Ok(next) => next,
            Err(message) => Next::Rest(Some(follower.recover(message))),
        };
        let stats = ledger.snapshot();
        let reason = || stats.last_error.clone().unwrap_or_default();
        if stats.pending != pending {
            (pending, moved) = (stats.pending, Instant::now());
            progress(&stats);
        }
        if stats.state == SinkState::Blocked {
            let reason = reason();
            let stats = Box::new(stats);
            return Err(ReplayError::Blocked { reason, stats });
        }
        let until = match next {
            Next::Again => continue,
            Next::Idle(_) if stats.state == SinkState::Ok => return Ok(stats),
            Next::Stop => return Ok(stats),
            Next::Idle(until) | Next::Rest(until) => until,
        };
        if moved.elapsed() >= patience {
            return Err(ReplayError::GaveUp {
                reason: reason(),
                patience,
                stats: Box::new(stats),
            });
        }
        let limit = moved + patience;
        sleep_until(until.map_or(limit, |until| until.min(limit))).await;
    }
}

/// The dead letters of one sink in one trail, as they are now, in memory.
#[derive(Debug)]
pub(crate) struct DeadLetterSource {
    origin: Origin,
    dir: PathBuf,
    letters: Arc<BTreeMap<u64, Delivery>>,
}

impl DeadLetterSource {
    /// Reads the dead letters in `file`, which lies in the trail `dir` of this origin.
    ///
    /// Lines that cannot be believed are given back beside it.
    ///
    /// # Errors
    ///
    /// When the file cannot be read. One that is missing has no letters.
    pub(crate) fn read(
        disk: &SharedDisk,
        origin: Origin,
        dir: PathBuf,
        file: &Path,
    ) -> io::Result<(Self, Vec<BadLine>)> {
        let (mut letters, mut bad) = (BTreeMap::new(), Vec::new());
        dead_letter::read(disk, file, origin.trail, |line| match line {
            Ok(letter) => {
                letters.insert(letter.delivery.number, letter.delivery);
            }
            Err(line) => bad.push(line),
        })?;
        let letters = Arc::new(letters);
        let source = Self {
            origin,
            dir,
            letters,
        };
        Ok((source, bad))
    }
}

impl Source for DeadLetterSource {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn dir(&self) -> &Path {
        &self.dir
    }

    fn durable(&self) -> u64 {
        let last = self.letters.last_key_value();
        last.map_or(0, |(number, _)| number.saturating_add(1))
    }

    fn open(&self, from: u64) -> Box<dyn Reading> {
        Box::new(LetterReading {
            letters: Arc::clone(&self.letters),
            next: from,
        })
    }
}

struct LetterReading {
    letters: Arc<BTreeMap<u64, Delivery>>,
    next: u64,
}

impl Reading for LetterReading {
    fn read(&mut self, until: u64, limits: &Limits) -> Result<Chunk, ReadError> {
        let mut chunk = Chunk {
            records: Vec::new(),
            gaps: Vec::new(),
            next: self.next,
            head: None,
        };
        let mut bytes = 0;
        for (number, letter) in self.letters.range(self.next..until) {
            bytes += letter.json.len();
            let full = chunk.records.len() >= limits.max_records || bytes > limits.max_bytes;
            if full && !chunk.records.is_empty() {
                break;
            }
            if *number > chunk.next {
                chunk.gaps.push(Gap {
                    from: chunk.next,
                    to: *number,
                    kind: GapKind::Unwanted,
                });
            }
            chunk.records.push(letter.clone());
            chunk.next = number.saturating_add(1);
        }
        self.next = chunk.next;
        Ok(chunk)
    }
}
