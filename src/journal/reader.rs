//! Reads a trail in order of number, while it is written or long after.
//!
//! A reader holds no lock and moves no cursor. It takes each number from the newest segment that
//! speaks for it. The same number never stands for two records that were both durable: a segment
//! that was abandoned is followed by one that repeats the same lines.
//!
//! A record's hash does not cover its number. So a number that is not the expected one counts only
//! when the line after it agrees.

use std::{io, path::PathBuf};

use crate::{
    disk::SharedDisk,
    evidence::{Hash, TreeHead},
};

use super::{
    line::{self, Control, Line},
    segment::{self, Lines, RawLine, SegmentName},
};

/// A place in a trail, and the file it is read from.
#[derive(Debug)]
pub(crate) struct Reader {
    disk: SharedDisk,
    dir: PathBuf,
    next: u64,
    at: Option<Place>,
}

/// An open segment and where it stops speaking for the trail.
#[derive(Debug)]
struct Place {
    name: SegmentName,
    lines: Lines,
    /// The number of the next record line in this file.
    number: u64,
    superseded_at: Option<u64>,
}

/// A record as it stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) number: u64,
    pub(crate) leaf: Hash,
    pub(crate) json: Box<str>,
}

/// Numbers that cannot be read any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) from: u64,
    /// Exclusive.
    pub(crate) to: u64,
    pub(crate) kind: GapKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GapKind {
    /// The segment is gone: pruned, or removed by somebody else.
    Pruned,
    /// A line does not hold.
    Damaged { file: PathBuf, offset: u64 },
}

/// What one call of [`Reader::read`] found.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) entries: Vec<Entry>,
    pub(crate) gaps: Vec<Gap>,
    /// The number to go on with.
    pub(crate) next: u64,
    /// The head over everything below `next`, when the chunk ends at a commit.
    pub(crate) head: Option<TreeHead>,
}

/// How much one call of [`Reader::read`] returns; one record is always allowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    pub(crate) records: usize,
    pub(crate) bytes: usize,
}

/// What a step over one line found.
enum Step {
    Entry(Entry),
    Head(TreeHead),
    Nothing,
    /// A record before the wanted one.
    Passed,
    /// The next record is larger than the room left; it stays unread.
    TooBig,
    /// A line that does not hold, or has another number than it should; it stays unread.
    Damaged(u64),
    /// This file has nothing more for now.
    Exhausted,
}

impl Reader {
    /// A reader whose first record is number `from`. Touches nothing yet.
    pub(crate) fn open(disk: SharedDisk, dir: PathBuf, from: u64) -> Self {
        Self {
            disk,
            dir,
            next: from,
            at: None,
        }
    }

    /// Reads on, up to the number `until` (exclusive) or the limits, whichever comes first.
    ///
    /// Numbers below `until` are known to be durable: what cannot be found of them is a gap, as
    /// soon as something stands behind it. With `u64::MAX` nothing is known, and the end of what
    /// can be read is the end. Gives less, even nothing, when the files hold less.
    ///
    /// # Errors
    ///
    /// The file system's; the same call may be made again.
    pub(crate) fn read(&mut self, until: u64, most: Most) -> io::Result<Chunk> {
        let mut chunk = Chunk {
            next: self.next,
            ..Chunk::default()
        };
        let mut bytes = 0;
        while self.next < until && chunk.entries.len() < most.records && bytes < most.bytes {
            if !self.seek(&mut chunk, until)? {
                break;
            }
            let room = if chunk.entries.is_empty() {
                usize::MAX
            } else {
                most.bytes - bytes
            };
            match self.step(room)? {
                Step::Entry(entry) => {
                    bytes += entry.json.len();
                    self.next = entry.number + 1;
                    chunk.entries.push(entry);
                }
                Step::TooBig => break,
                Step::Head(head) => chunk.head = Some(head),
                Step::Nothing | Step::Passed => {}
                Step::Damaged(offset) => {
                    if !self.pass_damage(&mut chunk, offset, until)? {
                        break;
                    }
                }
                Step::Exhausted => {
                    if !self.move_on(&mut chunk, until)? {
                        break;
                    }
                }
            }
        }
        self.read_head(&mut chunk)?;
        chunk.next = self.next;
        Ok(chunk)
    }

    /// Looks whether the line after the last record is its commit.
    fn read_head(&mut self, chunk: &mut Chunk) -> io::Result<()> {
        chunk.head = chunk.head.filter(|head| head.size == self.next);
        while chunk.head.is_none() && !chunk.entries.is_empty() {
            let Some(place) = self.at.as_mut().filter(|place| place.number == self.next) else {
                break;
            };
            // A record, or a line that does not hold, is for the next call.
            match place.peek_control()? {
                Some(Control::Commit(commit)) if commit.head.size == self.next => {
                    chunk.head = Some(commit.head);
                }
                Some(Control::Open(_) | Control::Checkpoint(_)) => {}
                _ => break,
            }
            place.lines.next()?;
        }
        Ok(())
    }

    /// Makes sure a file that speaks for `next` is open. False when there is none yet.
    fn seek(&mut self, chunk: &mut Chunk, until: u64) -> io::Result<bool> {
        let done = |place: &Place, next| place.superseded_at.is_some_and(|at| at <= next);
        if self
            .at
            .as_ref()
            .is_some_and(|place| !done(place, self.next))
        {
            return Ok(true);
        }
        let (names, _) = segment::list(&*self.disk, &self.dir)?;
        let speaks = names.iter().rev().find(|name| name.start <= self.next);
        let Some(name) = speaks else {
            // Everything that begins at or before `next` is gone.
            let Some(first) = names.iter().map(|name| name.start).min() else {
                return Ok(false);
            };
            self.pass(chunk, first.min(until), GapKind::Pruned);
            return Ok(self.next < until && first <= self.next && self.seek(chunk, until)?);
        };
        let file = self.disk.open(&self.dir.join(name.file()))?;
        self.at = Some(Place {
            name: *name,
            lines: Lines::new(file, 0),
            number: name.start,
            superseded_at: segment::superseded_at(&names, name.generation),
        });
        Ok(true)
    }

    fn step(&mut self, room: usize) -> io::Result<Step> {
        let Some(place) = self.at.as_mut() else {
            return Ok(Step::Exhausted);
        };
        let offset = place.lines.offset();
        let step = match place.lines.peek()? {
            RawLine::Whole(bytes) => Self::look(bytes, place.number, self.next, room, offset),
            RawLine::TooLong => Step::Damaged(offset),
            RawLine::Torn(_) | RawLine::End => return Ok(Step::Exhausted),
        };
        if matches!(step, Step::TooBig | Step::Damaged(_)) {
            return Ok(step);
        }
        place.number += u64::from(matches!(step, Step::Entry(_) | Step::Passed));
        place.lines.next()?;
        Ok(step)
    }

    /// What a line means to a reader that expects `number` here and wants `next`.
    fn look(bytes: &[u8], number: u64, next: u64, room: usize, offset: u64) -> Step {
        match line::peek_number(bytes) {
            // Passed over by its number, without being hashed.
            Some(found) if found == number && found < next => return Step::Passed,
            Some(found) if found != number && found < next => return Step::Damaged(offset),
            _ => {}
        }
        match line::decode(bytes) {
            Ok(Line::Record(record)) if record.number != number => Step::Damaged(offset),
            Ok(Line::Record(record)) if record.json.len() > room => Step::TooBig,
            Ok(Line::Record(record)) => Step::Entry(Entry {
                number,
                leaf: record.leaf,
                json: record.json.into(),
            }),
            Ok(Line::Control(Control::Commit(commit))) => Step::Head(commit.head),
            Ok(Line::Control(_)) => Step::Nothing,
            Err(_) => Step::Damaged(offset),
        }
    }

    /// The open file gives nothing more: another may speak for `next` by now.
    fn move_on(&mut self, chunk: &mut Chunk, until: u64) -> io::Result<bool> {
        let Some(at) = self.look_for_successor()? else {
            return Ok(false);
        };
        if at <= self.next {
            self.at = None;
            return Ok(true);
        }
        let Some(place) = self.at.as_mut() else {
            return Ok(false);
        };
        // The writer may have filled the file, and left it, between the last look into it and the
        // look for its successor. By now it is as long as it will ever be.
        if matches!(place.lines.peek()?, RawLine::Whole(_) | RawLine::TooLong) {
            return Ok(true);
        }
        // The file ends before the place where the next one begins: lines are missing.
        let offset = place.lines.offset();
        let file = self.dir.join(place.name.file());
        self.pass(chunk, at.min(until), GapKind::Damaged { file, offset });
        self.at = None;
        Ok(true)
    }

    /// Passes over a line that does not hold, up to the next one that does; false when there is
    /// none and nothing is known to be missing.
    fn pass_damage(&mut self, chunk: &mut Chunk, offset: u64, until: u64) -> io::Result<bool> {
        let successor = self.look_for_successor()?;
        if successor.is_some_and(|at| at <= self.next) {
            // The torn end of an abandoned segment: the next one repeats these lines.
            self.at = None;
            return Ok(true);
        }
        let Some(place) = self.at.as_mut() else {
            return Ok(true);
        };
        let end = successor.unwrap_or(until).min(until);
        // Damage among records that were delivered before costs nothing: the next good one is ours.
        let Some(to) = place.next_good(self.next, end)?.or_else(|| known(end)) else {
            return Ok(false);
        };
        let file = self.dir.join(place.name.file());
        self.pass(chunk, to, GapKind::Damaged { file, offset });
        Ok(true)
    }

    /// The number at which a later segment takes over from the open one.
    fn look_for_successor(&mut self) -> io::Result<Option<u64>> {
        let Some(place) = self.at.as_mut() else {
            return Ok(None);
        };
        let (names, _) = segment::list(&*self.disk, &self.dir)?;
        place.superseded_at = segment::superseded_at(&names, place.name.generation);
        Ok(place.superseded_at)
    }

    fn pass(&mut self, chunk: &mut Chunk, to: u64, kind: GapKind) {
        if to > self.next {
            chunk.gaps.push(Gap {
                from: self.next,
                to,
                kind,
            });
            self.next = to;
            chunk.head = None;
        }
    }
}

/// A number that something stands behind.
fn known(number: u64) -> Option<u64> {
    (number < u64::MAX).then_some(number)
}

impl Place {
    /// The number of the next record line that holds, at or above `from` and below `until`; leaves
    /// it unread. Begins at a line that does not hold or has an unexpected number.
    fn next_good(&mut self, from: u64, until: u64) -> io::Result<Option<u64>> {
        // Each line that was passed over may have been a record, and no line was two.
        let mut possible = self.number;
        loop {
            let number = match self.lines.peek()? {
                RawLine::End | RawLine::Torn(_) => return Ok(None),
                RawLine::TooLong => None,
                RawLine::Whole(bytes) => match line::decode(bytes) {
                    Ok(Line::Record(record)) => Some(record.number),
                    _ => None,
                },
            };
            let offset = self.lines.offset();
            self.lines.next()?;
            if let Some(number) = number.filter(|number| (from..until).contains(number))
                && self.agrees(number, possible)?
            {
                self.lines.back_to(offset);
                self.number = number;
                return Ok(Some(number));
            }
            possible += 1;
        }
    }

    /// Whether what stands behind a record line agrees with its number; where nothing does,
    /// whether enough lines stand before it.
    fn agrees(&mut self, number: u64, possible: u64) -> io::Result<bool> {
        let behind = match self.lines.peek()? {
            RawLine::Whole(bytes) => line::decode(bytes).ok(),
            _ => None,
        };
        Ok(match behind {
            Some(Line::Record(record)) => record.number == number + 1,
            Some(Line::Control(Control::Commit(commit))) => commit.head.size == number + 1,
            _ => number <= possible,
        })
    }

    /// The next line, if it is a control line that holds.
    fn peek_control(&mut self) -> io::Result<Option<Control>> {
        Ok(match self.lines.peek()? {
            RawLine::Whole(bytes) => match line::decode(bytes) {
                Ok(Line::Control(control)) => Some(control),
                _ => None,
            },
            _ => None,
        })
    }
}
