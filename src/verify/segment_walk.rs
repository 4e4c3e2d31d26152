//! The lines of one segment.

use std::io;

use crate::{
    evidence::Hash,
    journal::{
        line::{self, Commit, Control, Line, LineError, RecordLine},
        segment::{Lines, RawLine, SegmentName},
    },
};

use super::{
    Finding, Kind,
    trail::{Trust, Walk},
};

/// A walk through one segment.
pub(super) struct SegmentWalk<'w, 'a> {
    pub(super) walk: &'w mut Walk<'a>,
    pub(super) file: String,
    pub(super) start: u64,
    /// The number at which a later segment takes over; `None` in the newest.
    pub(super) end: Option<u64>,
    /// Where the group begins that is being read.
    pub(super) group: Group,
    /// The groups that were committed.
    pub(super) groups: u64,
    /// Whether a commit was read.
    pub(super) committed: bool,
    /// The newest only: up to here, lines are proven by something after them.
    pub(super) proven_to: u64,
    /// A line did not hold, so a number may be missing before the next one.
    pub(super) after_damage: bool,
    /// The lines that repeat open intents are over.
    begun: bool,
    pub(super) ended: bool,
}

/// Lines since the last commit.
#[derive(Default)]
pub(super) struct Group {
    pub(super) offset: u64,
    pub(super) records: u64,
    /// Those of them that hold.
    good: u64,
    pub(super) lines: u64,
    /// Something was found in it, which explains what follows from it.
    explained: bool,
}

/// What follows a line.
pub(super) enum Next {
    Line,
    Stop,
}

impl<'w, 'a> SegmentWalk<'w, 'a> {
    pub(super) fn new(walk: &'w mut Walk<'a>, name: SegmentName, end: Option<u64>) -> Self {
        walk.report.ended = false;
        Self {
            walk,
            file: name.file(),
            start: name.start,
            end,
            group: Group::default(),
            groups: 0,
            committed: false,
            proven_to: 0,
            after_damage: false,
            begun: false,
            ended: false,
        }
    }

    /// Reads everything after the header.
    pub(super) fn run(&mut self, lines: &mut Lines) -> io::Result<()> {
        loop {
            if self.is_superseded() {
                return self.superseded_rest(lines, true);
            }
            let offset = lines.offset();
            if self.group.lines == 0 {
                self.group.offset = offset;
            }
            let fault = match lines.next()? {
                RawLine::End => break,
                RawLine::Whole(bytes) => match line::decode(bytes) {
                    Ok(line) => match self.line(offset, line) {
                        Next::Line => continue,
                        Next::Stop => return Ok(()),
                    },
                    Err(error) => Fault::of(bytes, error),
                },
                RawLine::Torn(_) => {
                    self.torn(lines, offset)?;
                    break;
                }
                RawLine::TooLong => Fault::too_long(),
            };
            if let Next::Stop = self.broken(lines, offset, fault)? {
                return Ok(());
            }
        }
        self.end_of_file(lines.offset());
        Ok(())
    }

    /// Whether everything that counts was read and committed.
    fn is_superseded(&self) -> bool {
        self.end.is_some_and(|end| self.walk.next >= end)
            && self.committed
            && self.group.records == 0
    }

    fn line(&mut self, offset: u64, line: Line<'_>) -> Next {
        if std::mem::take(&mut self.ended) {
            self.walk.report.ended = false;
            self.find(
                Finding::new(Kind::End, "something follows the line that ends the run"),
                offset,
            );
        }
        let opens = matches!(line, Line::Control(Control::Open(_)));
        if !opens && !std::mem::replace(&mut self.begun, true) {
            let repeated = self.walk.intents.repeated();
            self.intent(repeated, offset);
        }
        self.group.lines += 1;
        match line {
            Line::Record(record) => return self.record(offset, record),
            Line::Control(Control::Open(intent)) => {
                let opened = self.walk.intents.open(intent.id, intent.record.get());
                self.intent(opened, offset);
            }
            Line::Control(Control::Commit(commit)) => self.commit(offset, commit),
            Line::Control(Control::End(end)) => self.end(offset, end),
            Line::Control(Control::Checkpoint(_)) => {}
            Line::Control(Control::Head(_)) => {
                self.find(
                    Finding::new(Kind::Header, "a header stands inside a segment"),
                    offset,
                );
            }
        }
        Next::Line
    }

    fn record(&mut self, offset: u64, record: RecordLine<'_>) -> Next {
        let expected = self.walk.next;
        if let Some(end) = self.end.filter(|end| record.number >= *end) {
            if expected < end {
                self.walk.cut(end, &self.file, offset);
            } else {
                self.not_committed(offset);
            }
            return Next::Stop;
        }
        if record.number != expected {
            self.wrong_number(offset, expected, record.number);
            if record.number < expected {
                return Next::Line;
            }
        }
        self.after_damage = false;
        self.group.records += 1;
        self.group.good += 1;
        self.walk.record(record.number, record.leaf, record.json);
        if let Some(id) = record.closes {
            let closed = self.walk.intents.close(id);
            self.intent(closed, offset);
        }
        Next::Line
    }

    fn wrong_number(&mut self, offset: u64, expected: u64, found: u64) {
        if found < expected {
            let what = format!(
                "record {found} stands where {expected} belongs: repeated, or moved from its place"
            );
            self.find(Finding::new(Kind::Order, what).number(found), offset);
            return;
        }
        if !self.after_damage {
            let what = format!(
                "record {found} stands where {expected} belongs: what was between is missing, or moved from its place"
            );
            self.find(Finding::new(Kind::Order, what).number(expected), offset);
        }
        self.walk.next = found;
        self.walk.trust = Trust::Lost;
        self.walk.intents.lose_sight();
    }

    fn commit(&mut self, offset: u64, commit: Commit) {
        if self.agrees(offset, commit, Kind::Root) {
            self.walk.report.head = Some(commit.head);
        } else if self.walk.trust == Trust::Lost {
            // The last one known stays, or a later header gives it.
            self.walk.report.head = None;
        }
        self.counts(offset, commit.group);
        self.walk.committed(commit.head.size, commit.time);
        self.walk.report.records += self.group.good;
        self.committed = true;
        self.group = Group::default();
    }

    /// Whether a commit is that of the next group; without one before it, a whole group is missing,
    /// or two are one.
    pub(super) fn counts(&mut self, offset: u64, group: u64) {
        let expected = self.groups + 1;
        if group != expected && !self.group.explained {
            let what = format!(
                "the commit of group {group} stands at byte {offset}, where that of group {expected} belongs: \
                 a commit is missing, or stands again"
            );
            let number = self.walk.next.saturating_sub(self.group.records);
            let place = if self.group.lines > 1 {
                self.group.offset
            } else {
                offset
            };
            self.find(Finding::new(Kind::Order, what).number(number), place);
        }
        self.groups = group;
    }

    /// Whether a commit names the tree that was read; says so when not.
    pub(super) fn agrees(&mut self, offset: u64, commit: Commit, kind: Kind) -> bool {
        let Some(head) = self.walk.sound_head() else {
            return false;
        };
        let provisional = self.walk.trust == Trust::Provisional;
        if commit.head == head {
            // The leaf hash that was taken as it stood is the one that was committed.
            self.walk.trust = Trust::Sound;
            return true;
        }
        // Without a record since the last commit that held, it is this line that is wrong.
        let place = if self.group.records > 0 {
            self.walk.trust = Trust::Lost;
            self.group.offset
        } else {
            offset
        };
        // A damaged record explains it, and was found.
        if !provisional {
            let what = format!(
                "the line at byte {offset} says {} records with root {}, and there are {} with root {}: \
                 something since byte {place} was changed",
                commit.head.size, commit.head.root, head.size, head.root
            );
            let number = self.walk.next.saturating_sub(self.group.records);
            self.find(Finding::new(kind, what).number(number), place);
        }
        false
    }

    fn end(&mut self, offset: u64, end: Commit) {
        if self.group.records > 0 {
            let what = "the run is ended with records that no commit is over";
            self.find(Finding::new(Kind::End, what), offset);
        } else {
            self.agrees(offset, end, Kind::End);
            self.ends_after(offset, end.group);
        }
        self.ended = true;
        self.walk.report.ended = true;
        self.group = Group::default();
    }

    /// Whether the last group is the one that the line that ends a run knows.
    pub(super) fn ends_after(&mut self, offset: u64, group: u64) {
        if group != self.groups && !self.group.explained {
            let what = format!(
                "the run ended after {group} groups, and {} are here",
                self.groups
            );
            self.find(Finding::new(Kind::End, what), offset);
        }
    }

    fn intent(&mut self, result: Result<(), String>, offset: u64) {
        if let Err(what) = result {
            self.find(Finding::new(Kind::Intent, what), offset);
            // Whatever is wrong, the next header says what is open; one finding is enough.
            self.walk.intents.lose_sight();
        }
    }

    pub(super) fn find(&mut self, finding: Finding, offset: u64) {
        self.group.explained = true;
        self.walk.report.find(finding.at(&self.file, offset));
    }
}

/// Why a line does not hold, and what can be said about it all the same.
pub(super) struct Fault {
    pub(super) reason: String,
    /// The number and the leaf hash that stand in it.
    pub(super) stated: Option<(u64, Hash)>,
    pub(super) has_zeros: bool,
}

impl Fault {
    /// Much of a group may be lost in a crash, so that zeros follow each other.
    fn too_long() -> Self {
        Self {
            reason: "the line is longer than any that is written".into(),
            stated: None,
            has_zeros: true,
        }
    }

    fn of(bytes: &[u8], error: LineError) -> Self {
        let stated = line::peek_number(bytes).and_then(|number| {
            let before = format!("{{\"n\":{number},\"h\":\"").len();
            Some((number, Hash::parse_hex(bytes.get(before..before + 64)?)?))
        });
        Self {
            reason: error.to_string(),
            stated,
            has_zeros: bytes.contains(&0),
        }
    }
}
