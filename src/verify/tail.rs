//! Where the lines of a segment stop to hold, and what that means there.

use std::io;

use crate::journal::{
    line::{self, Control, Line},
    segment::{Lines, RawLine},
};

use super::{
    Finding, Kind, Note, NoteKind,
    report::plural,
    segment_walk::{Fault, Next, SegmentWalk},
    trail::Trust,
};

impl SegmentWalk<'_, '_> {
    /// A line does not hold.
    pub(super) fn broken(
        &mut self,
        lines: &mut Lines,
        offset: u64,
        fault: Fault,
    ) -> io::Result<Next> {
        let sealed =
            self.end.is_some() || !self.committed || self.ended || self.is_proven(lines, offset)?;
        let finding = Finding::new(Kind::Damaged, fault.reason.clone()).number(self.walk.next);
        if !sealed {
            // Trap J11: what a crash tears is cut, or reads as zeros; a changed byte is neither.
            if fault.has_zeros {
                self.tail(
                    NoteKind::Torn,
                    "a line that was never acknowledged does not hold",
                    offset,
                );
            } else {
                self.find(finding.suspected(), offset);
            }
            self.walk.intents.lose_sight();
            while !matches!(lines.next()?, RawLine::End | RawLine::Torn(_)) {}
            self.uncommitted_tail();
            return Ok(Next::Stop);
        }
        self.find(finding, offset);
        self.group.lines += 1;
        self.after_damage = true;
        match fault.stated {
            Some((number, leaf)) if number == self.walk.next => {
                self.group.records += 1;
                self.after_damage = false;
                self.walk.leaf(leaf);
                if self.walk.trust == Trust::Sound {
                    self.walk.trust = Trust::Provisional;
                }
            }
            _ => {}
        }
        // It could have opened or settled one.
        self.walk.intents.lose_sight();
        Ok(Next::Line)
    }

    /// The newest segment: whether the writer went on after something that stands after this.
    fn is_proven(&mut self, lines: &mut Lines, offset: u64) -> io::Result<bool> {
        if offset < self.proven_to {
            return Ok(true);
        }
        let file = self.walk.disk.open(&self.walk.dir.join(&self.file))?;
        let mut ahead = Lines::new(file, lines.offset());
        let mut commit = None;
        loop {
            let place = ahead.offset();
            let decoded = match ahead.next()? {
                RawLine::End | RawLine::Torn(_) => return Ok(self.proven_to > offset),
                RawLine::TooLong => continue,
                RawLine::Whole(bytes) => line::decode(bytes),
            };
            match decoded {
                Ok(Line::Control(Control::End(_))) => self.proven_to = place,
                Ok(line) => {
                    self.proven_to = commit.unwrap_or(self.proven_to);
                    match line {
                        // The commit of the group that does not hold is missing, and was proven.
                        Line::Control(Control::Commit(found)) if found.group > self.groups + 1 => {
                            self.proven_to = place;
                        }
                        Line::Control(Control::Commit(found)) if found.group > self.groups => {
                            commit = Some(place);
                        }
                        _ => {}
                    }
                }
                Err(_) => {}
            }
        }
    }

    /// The file ends within a line.
    pub(super) fn torn(&mut self, lines: &Lines, offset: u64) -> io::Result<()> {
        let bytes = lines.end()?.saturating_sub(offset);
        if self.end.is_some() || !self.committed || self.ended {
            let what = format!("the file ends within a line, after {bytes} of its bytes");
            self.find(
                Finding::new(Kind::Damaged, what).number(self.walk.next),
                offset,
            );
        } else {
            self.tail(
                NoteKind::Torn,
                "the last line is not whole: it is being written, or a crash cut it",
                offset,
            );
        }
        Ok(())
    }

    fn tail(&mut self, kind: NoteKind, what: &str, offset: u64) {
        self.walk
            .report
            .note(Note::new(kind, what).at(&self.file, offset));
    }

    /// Nothing more can be read.
    pub(super) fn end_of_file(&mut self, offset: u64) {
        match self.end {
            None => self.uncommitted_tail(),
            Some(end) if self.walk.next < end => {
                self.walk.cut(end, &self.file, offset);
            }
            Some(_) => self.not_committed(offset),
        }
        if self.end.is_none() && !self.committed {
            self.find(
                Finding::new(
                    Kind::Uncommitted,
                    "a segment has its name only with its first commit, and this one has none",
                ),
                offset,
            );
        }
    }

    /// The newest segment: whole lines that no commit is over are not part of the trail yet.
    fn uncommitted_tail(&mut self) {
        if self.group.lines > 0 {
            let what = format!(
                "{} {} with {} {} after the last commit: being written, or left by a crash",
                self.group.lines,
                plural(self.group.lines, "line"),
                self.group.records,
                plural(self.group.records, "record"),
            );
            let offset = self.group.offset;
            self.tail(NoteKind::InFlight, &what, offset);
        }
    }

    /// The next segment takes over at a place where this one has no commit.
    pub(super) fn not_committed(&mut self, offset: u64) {
        if self.walk.trust == Trust::Lost {
            return;
        }
        let what = format!(
            "the next segment goes on at number {}, and this one has no commit there",
            self.end.unwrap_or_default()
        );
        self.find(Finding::new(Kind::Uncommitted, what), offset);
        self.walk.trust = Trust::Lost;
    }

    /// Reads a segment of which a later one repeats all that counts.
    pub(super) fn superseded_whole(&mut self, lines: &mut Lines) -> io::Result<()> {
        if let RawLine::Whole(bytes) = lines.next()?
            && let Ok(Line::Control(Control::Head(head))) = line::decode(bytes)
        {
            self.walk.intents.superseded_head(&head.open);
            return self.superseded_rest(lines, self.walk.next == self.start);
        }
        self.tail(
            NoteKind::Superseded,
            "the header does not hold; a later segment stands in for this one",
            0,
        );
        Ok(())
    }

    /// Reads what comes after the last number that counts, as far as it holds.
    ///
    /// `same_tree`: the tree that was read is the one that it goes on from.
    pub(super) fn superseded_rest(&mut self, lines: &mut Lines, same_tree: bool) -> io::Result<()> {
        loop {
            let offset = lines.offset();
            let RawLine::Whole(bytes) = lines.next()? else {
                if lines.end()? > offset {
                    self.superseded_note(offset);
                }
                return Ok(());
            };
            match line::decode(bytes) {
                Ok(Line::Record(_)) => {
                    self.superseded_note(offset);
                    return Ok(());
                }
                Ok(Line::Control(control)) => {
                    match &control {
                        Control::Commit(commit) if same_tree => {
                            self.agrees(offset, *commit, Kind::Root);
                            self.counts(offset, commit.group);
                        }
                        Control::End(end) if same_tree => {
                            self.agrees(offset, *end, Kind::End);
                            self.ends_after(offset, end.group);
                        }
                        _ => {}
                    }
                    self.group.lines += 1;
                    let is_commit = matches!(control, Control::Commit(_));
                    let opens = match &control {
                        Control::Open(intent) => Some((intent.id, intent.record.get())),
                        _ => None,
                    };
                    self.walk.intents.superseded_line(opens, is_commit);
                }
                Err(_) => {
                    self.superseded_note(offset);
                    return Ok(());
                }
            }
        }
    }

    fn superseded_note(&mut self, offset: u64) {
        self.tail(
            NoteKind::Superseded,
            "the rest was given up; the next segment stands in for it",
            offset,
        );
    }
}
