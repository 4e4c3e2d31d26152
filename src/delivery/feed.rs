//! One trail on its way to one sink: its cursor, its dead letters, its place.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Options, StartAt, Surroundings,
    cursor::{Cursor, CursorFile, Found},
    dead_letter::DeadLetters,
    event::{Reporter, What},
    source::{Chunk, ReadError, Reading, Source},
    trouble::Trouble,
};
use crate::sink::Limits;

/// Where a cursor that is written lazily may lag behind: what a crash makes the sink be asked for
/// again, at no harm because it keeps its own position.
pub(crate) const LAZY_CURSOR: Duration = Duration::from_secs(5);

/// One trail, as one sink sees it.
pub(crate) struct Feed {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) trail: Uuid,
    pub(crate) stage: Stage,
    pub(crate) cursor: Cursor,
    /// The least that the sink should answer to [`position`](crate::sink::Sink::position), by what
    /// it has confirmed; `None` when it keeps none. A sink that only sees records cannot know of
    /// numbers after the last one that were missed, so it may answer that one plus one.
    pub(crate) expected: Option<u64>,
    /// A call failed since the sink was last asked for its position.
    pub(crate) unsure: bool,
    /// Numbers below this were in a call without a clear answer.
    pub(crate) unclear_below: u64,
    /// Numbers below this that were offered again are counted.
    pub(crate) resent_below: u64,
    pub(crate) dead: DeadLetters,
    pub(crate) trouble: Trouble,
    pub(crate) file: CursorFile,
    /// Where a new sink begins, once that was decided.
    began: Option<u64>,
    saved: Option<Cursor>,
    /// When the cursor was last saved, or last failed to be.
    tried: Instant,
    reading: Option<Box<dyn Reading>>,
}

/// How much is known about where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The files have not been read.
    Unread,
    /// There was no cursor; the sink has not been asked.
    Fresh,
    /// There was a cursor; the sink has not been asked.
    Known,
    /// Delivery goes on at `cursor.next`.
    Placed,
}

/// How the cursor is written while delivery goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Saving {
    /// Only once it is [`LAZY_CURSOR`] old, if the sink keeps its own position.
    Lazily,
    /// Now.
    Now,
}

impl Feed {
    pub(crate) fn new(
        source: Arc<dyn Source>,
        sink: &str,
        around: &Surroundings,
        options: &Options,
    ) -> Self {
        let trail = source.origin().trail;
        let disk = || Arc::clone(&around.disk);
        let bound = options.dead_letter_bytes;
        let (file, dead) = match options.keeping {
            super::Keeping::Files => (
                CursorFile::new(disk(), source.dir(), trail, sink),
                DeadLetters::new(disk(), source.dir(), trail, sink, bound),
            ),
            super::Keeping::Nothing => (
                CursorFile::nowhere(disk(), trail),
                DeadLetters::nowhere(disk(), trail),
            ),
        };
        Self {
            trail,
            stage: Stage::Unread,
            cursor: Cursor::default(),
            expected: None,
            unsure: false,
            unclear_below: 0,
            resent_below: 0,
            dead,
            trouble: Trouble::new(),
            file,
            began: None,
            saved: None,
            tried: Instant::now(),
            reading: None,
            source,
        }
    }

    /// Reads the cursor and the dead letters, and finds the best guess of where to begin.
    ///
    /// # Errors
    ///
    /// What failed, for a person; try again.
    pub(crate) fn load(&mut self, start_at: StartAt, reporter: &Reporter) -> Result<(), String> {
        let path = self.file.path();
        let cannot = |error| format!("cannot read {}: {error}", path.display());
        let found = self.file.load().map_err(cannot)?;
        let dead_path = self.dead.path();
        let bad = self
            .dead
            .load()
            .map_err(|error| format!("cannot read {}: {error}", dead_path.display()))?;
        if let Some(line) = bad.first() {
            let reason = format!(
                "{} bad lines, first at {}: {}",
                bad.len(),
                line.offset,
                line.reason
            );
            reporter.tell(What::FileDamaged {
                file: dead_path,
                reason,
            });
        }
        match found {
            Found::Cursor(cursor) => {
                self.cursor = cursor;
                self.saved = Some(cursor);
                self.stage = Stage::Known;
            }
            Found::Absent => {
                self.begin(start_at)?;
            }
            Found::Damaged(reason) => {
                let file = self.file.path();
                reporter.tell(What::FileDamaged { file, reason });
                // Not from now, even if the sink once began so: what lies between would be lost.
                self.begin(StartAt::Oldest)?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, start_at: StartAt) -> Result<(), String> {
        let next = match (self.began, start_at) {
            (Some(began), _) => began,
            (None, StartAt::Now) => self.source.durable(),
            (None, StartAt::Oldest) => self.oldest().map_err(|error| error.to_string())?,
        };
        self.began = Some(next);
        self.cursor = Cursor {
            start: next,
            next,
            ahead: None,
        };
        if start_at == StartAt::Now {
            // "Now" must mean the same after a restart, or what comes between is lost.
            self.save(Saving::Now)?;
        }
        self.stage = Stage::Fresh;
        Ok(())
    }

    /// The first number that was not pruned.
    fn oldest(&self) -> Result<u64, ReadError> {
        let durable = self.source.durable();
        if durable == 0 {
            return Ok(0);
        }
        let chunk = self.source.open(0).read(durable, &Limits::new(1, 1))?;
        let pruned = chunk
            .gaps
            .first()
            .filter(|gap| gap.from == 0 && gap.kind == super::source::GapKind::Pruned);
        Ok(pruned.map_or(0, |gap| gap.to))
    }

    /// The first record that waits, while it is not known whether the sink has it.
    pub(crate) fn peek(&self) -> Option<Box<str>> {
        let (next, durable) = (self.cursor.next, self.source.durable());
        if next >= durable {
            return None;
        }
        let read = self.source.open(next).read(durable, &Limits::new(1, 1));
        Some(read.ok()?.records.pop()?.json)
    }

    /// Decides where to begin, by what the sink says it wants next.
    ///
    /// # Errors
    ///
    /// Why nothing may be delivered until somebody acts.
    pub(crate) fn place(&mut self, position: Option<u64>) -> Result<(), String> {
        let fresh = self.stage == Stage::Fresh;
        let next = match position {
            None => self.cursor.next,
            // A new sink has no wish of its own.
            Some(0) if fresh => self.cursor.next,
            // It has records of a time before our cursor file.
            Some(position) if fresh => {
                self.cursor.start = self.cursor.start.min(position);
                position
            }
            // It was never to get what lies before its start.
            Some(position) => position.max(self.cursor.start),
        };
        self.not_ahead(next)?;
        self.cursor.next = next;
        self.expected = position;
        self.unsure = false;
        self.reading = None;
        self.stage = Stage::Placed;
        Ok(())
    }

    /// Refuses a position that lies beyond the trail.
    ///
    /// The refusal outlives a restart: once new records have taken those numbers, the position
    /// alone would look right, and they would never be delivered.
    pub(crate) fn not_ahead(&mut self, next: u64) -> Result<(), String> {
        let known = self.source.known();
        let still = self.cursor.ahead == Some(next);
        if next <= known && !still {
            self.cursor.ahead = None;
            return Ok(());
        }
        self.cursor.ahead = Some(next);
        self.stage = Stage::Unread;
        self.reading = None;
        let trail = self.trail;
        let mut reason = format!(
            "the sink has the records of trail {trail} up to number {next}, the journal has them up \
             to {known}: was the journal restored from an older copy? Restore a newer one, or \
             remove the records of this trail from the sink and then its cursor file {}",
            self.file.path().display()
        );
        if let Err(error) = self.save(Saving::Now) {
            reason = format!("{reason} ({error})");
        }
        Err(reason)
    }

    /// Reads the next chunk; `None` when there is nothing below the durable mark.
    pub(crate) fn read(&mut self, limits: &Limits) -> Result<Option<Chunk>, ReadError> {
        let from = self.cursor.next;
        let durable = self.source.durable();
        if from >= durable {
            return Ok(None);
        }
        let mut reading = self
            .reading
            .take()
            .unwrap_or_else(|| self.source.open(from));
        let chunk = reading.read(durable, limits)?;
        chunk.check(from, durable)?;
        if chunk.next == from {
            return Err(ReadError {
                reason: format!(
                    "the journal gives nothing at number {from}, below its durable mark {durable}"
                ),
            });
        }
        self.reading = Some(reading);
        Ok(Some(chunk))
    }

    /// Reads anew from the cursor: what was read and not passed comes again.
    pub(crate) fn reread(&mut self) {
        self.reading = None;
    }

    /// Moves the cursor back to what the sink still has.
    pub(crate) fn go_back(&mut self, next: u64) {
        self.cursor.next = next;
        self.reading = None;
    }

    /// Writes the cursor if it has moved and `how` asks for it.
    ///
    /// # Errors
    ///
    /// What failed, for a person. Delivery goes on: a sink that keeps its own position loses
    /// nothing by it, and any other gets again, after a restart, what it got since the last cursor
    /// that was written. To stop instead would make a full disk worse: what is not delivered
    /// cannot be pruned.
    pub(crate) fn save(&mut self, how: Saving) -> Result<(), String> {
        if self.saved == Some(self.cursor) {
            return Ok(());
        }
        let early = self.tried.elapsed() < LAZY_CURSOR;
        if how == Saving::Lazily && self.expected.is_some() && early {
            return Ok(());
        }
        self.tried = Instant::now();
        self.file
            .save(self.cursor)
            .map_err(|error| format!("cannot write {}: {error}", self.file.path().display()))?;
        self.saved = Some(self.cursor);
        Ok(())
    }

    /// When a cursor that has moved is to be written; `None` when it is.
    pub(crate) fn save_due(&self) -> Option<Instant> {
        let moved = self.stage == Stage::Placed && self.saved != Some(self.cursor);
        moved.then(|| self.tried + LAZY_CURSOR)
    }
}
