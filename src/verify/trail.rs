//! The walk through one trail: segment after segment, as their headers say that they follow.

use std::{io, path::Path};

use uuid::Uuid;

use crate::{
    clock::Timestamp,
    disk::Disk,
    evidence::{Hash, Tree, TreeHead},
    journal::{
        line::{self, Control, Head, Line, LineError},
        segment::{self, Lines, RawLine, SegmentName},
    },
    record::Origin,
};

use super::{
    Finding, Kind, Note, NoteKind,
    anchors::Anchors,
    gaps::Gaps,
    intents::Intents,
    report::{TrailReport, clean},
    segment_walk::SegmentWalk,
};

/// Everything known between two lines.
pub(super) struct Walk<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) dir: &'a Path,
    pub(super) report: TrailReport,
    pub(super) anchors: Anchors,
    pub(super) intents: Intents,
    pub(super) tree: Tree,
    pub(super) trust: Trust,
    /// The number that the next record must have.
    pub(super) next: u64,
    /// Told how many bytes were read.
    pub(super) read: &'a mut dyn FnMut(u64),
    gaps: Gaps,
    /// The name of the trail that the directory gives.
    named: Option<Uuid>,
    /// Whether a segment was read that counts.
    begun: bool,
    /// The anchor at the last commit.
    anchored: Option<TreeHead>,
    /// The sink that has read furthest, and the number that it wants next.
    pub(super) furthest: Option<(String, u64)>,
}

/// What [`Walk::tree`] is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Made of records that hold.
    Sound,
    /// A damaged record's leaf hash was taken as it is written; the next commit decides.
    Provisional,
    /// Not known until the next header.
    Lost,
}

/// Why a walk stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// A file that was listed is gone: pruned meanwhile, or lost.
    Gone(String),
    Io(String, io::Error),
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        disk: &'a dyn Disk,
        dir: &'a Path,
        named: Option<Uuid>,
        anchors: Anchors,
        read: &'a mut dyn FnMut(u64),
    ) -> Self {
        let report = TrailReport {
            trail: named,
            place: dir.into(),
            ..TrailReport::default()
        };
        Self {
            disk,
            dir,
            report,
            anchors,
            intents: Intents::default(),
            tree: Tree::default(),
            trust: Trust::Sound,
            next: 0,
            read,
            gaps: Gaps::default(),
            named,
            begun: false,
            anchored: None,
            furthest: None,
        }
    }

    /// Reads every segment; `names` is sorted by generation.
    pub(super) fn run(mut self, names: &[SegmentName]) -> Result<TrailReport, Stop> {
        for (index, name) in names.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|before| names.get(before));
            self.place_of(*name, before);
            let end = segment::superseded_at(names, name.generation);
            if !self.segment(*name, end)? {
                return Ok(self.report);
            }
        }
        if names.is_empty() {
            self.report
                .note(Note::new(NoteKind::Empty, "there is no segment"));
        }
        Ok(self.finish())
    }

    /// Whether a segment stands where it may, by its name alone.
    fn place_of(&mut self, name: SegmentName, before: Option<&SegmentName>) {
        let Some(before) = before else { return };
        if name.generation == before.generation {
            let what = format!(
                "two segments have generation {}: {} is the other",
                name.generation,
                before.file()
            );
            self.report
                .find(Finding::new(Kind::Header, what).at(&name.file(), 0));
        }
        if name.start < before.start {
            let what = format!(
                "it begins at {}, before {}, which is older",
                name.start,
                before.file()
            );
            self.report
                .find(Finding::new(Kind::Header, what).at(&name.file(), 0));
        }
    }

    /// Reads one segment. False: what follows cannot be read by this version.
    fn segment(&mut self, name: SegmentName, end: Option<u64>) -> Result<bool, Stop> {
        let file = name.file();
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => Stop::Gone(file.clone()),
            _ => Stop::Io(file.clone(), error),
        };
        let open = self.disk.open(&self.dir.join(&file)).map_err(failed)?;
        let mut lines = Lines::new(open, 0);
        self.report.segments += 1;
        if end.is_some_and(|end| end <= name.start) {
            SegmentWalk::new(self, name, end)
                .superseded_whole(&mut lines)
                .map_err(failed)?;
        } else {
            let head = match Self::head(&mut lines).map_err(failed)? {
                Ok(head) => Some(head),
                Err(error) => {
                    self.report.find(bad_header(error).at(&file, 0));
                    if matches!(error, LineError::Newer(_)) {
                        return Ok(false);
                    }
                    None
                }
            };
            self.begin(name, head);
            SegmentWalk::new(self, name, end)
                .run(&mut lines)
                .map_err(failed)?;
        }
        let bytes = lines.offset();
        self.report.bytes += bytes;
        (self.read)(bytes);
        Ok(true)
    }

    /// Whose segment a file is, if its header can be read.
    pub(super) fn origin(disk: &dyn Disk, path: &Path) -> Option<Origin> {
        let mut lines = Lines::new(disk.open(path).ok()?, 0);
        let head = Self::head(&mut lines).ok()?.ok()?;
        Some(Origin::new(head.trail, head.service, head.instance))
    }

    fn head(lines: &mut Lines) -> io::Result<Result<Head, LineError>> {
        Ok(match lines.next()? {
            RawLine::Whole(bytes) => match line::decode(bytes) {
                Ok(Line::Control(Control::Head(head))) => Ok(*head),
                Ok(_) => Err(LineError::Form),
                Err(error) => Err(error),
            },
            _ => Err(LineError::Form),
        })
    }

    /// Takes over what a header says, as far as it fits.
    fn begin(&mut self, name: SegmentName, head: Option<Head>) {
        let file = name.file();
        let first = !std::mem::replace(&mut self.begun, true);
        let hole = self.next < name.start;
        if hole {
            let kind = if first {
                Kind::MissingHead
            } else {
                Kind::Missing
            };
            self.gaps.missing(kind, self.next, name.start, &file);
            self.trust = Trust::Lost;
            self.next = name.start;
        }
        let Some(head) = head else {
            self.intents.lose_sight();
            return;
        };
        self.identity(&head, name);
        self.follow(&head, hole, &file);
        if let Err(what) = self.intents.begin(&head.open, first || hole) {
            self.report
                .find(Finding::new(Kind::Intent, what).at(&file, 0));
        }
        if first {
            self.report.first = name.start;
            self.report.unanchored_since = Some(head.time);
        }
        self.report.service = Some(head.service);
        self.report.instance = head.instance;
    }

    /// Goes on with the tree of a header, and compares it with the one that was read.
    fn follow(&mut self, head: &Head, hole: bool, file: &str) {
        self.next = head.start;
        let Some(tree) = Tree::from_frontier(head.start, head.frontier.clone()) else {
            let what = "the frontier of the tree does not fit the number the segment begins with";
            self.report
                .find(Finding::new(Kind::Header, what).at(file, 0));
            self.trust = Trust::Lost;
            return;
        };
        let size = tree.size();
        if self.trust == Trust::Sound && self.tree.size() == size && self.tree != tree {
            let (ours, theirs) = (self.tree.root(), tree.root());
            let what = format!(
                "the segments before make a tree of size {size} with root {ours}, and this one begins \
                 with root {theirs}: one of both was rewritten"
            );
            self.report
                .find(Finding::new(Kind::Frontier, what).at(file, 0).number(size));
        } else if self.trust != Trust::Sound && !hole {
            let what = format!(
                "the tree is not known up to here; it goes on from what the header says at size {size}"
            );
            self.report
                .note(Note::new(NoteKind::Unlinked, what).at(file, 0));
        }
        self.tree = tree;
        self.trust = Trust::Sound;
        self.anchors.tree(&self.tree, &mut self.report);
    }

    /// Whether a header belongs to this file and this trail.
    fn identity(&mut self, head: &Head, name: SegmentName) {
        let mut wrong = |what: String| {
            self.report
                .find(Finding::new(Kind::Header, what).at(&name.file(), 0))
        };
        if (head.start, head.generation) != (name.start, name.generation) {
            let made = SegmentName {
                start: head.start,
                generation: head.generation,
            };
            wrong(format!(
                "the header was written for a file named {}",
                made.file()
            ));
        }
        match self.named {
            Some(named) if named != head.trail => {
                wrong(format!("the segment belongs to trail {}", head.trail))
            }
            _ => {
                self.named = Some(head.trail);
                self.report.trail = Some(head.trail);
            }
        }
    }

    /// A segment ends at `offset`, and the next one begins only at number `to`.
    pub(super) fn cut(&mut self, to: u64, file: &str, offset: u64) {
        self.gaps.cut(self.next, to, file, offset);
        self.next = to;
        self.trust = Trust::Lost;
        self.intents.lose_sight();
    }

    /// A commit at `time` over `size` records was read.
    pub(super) fn committed(&mut self, size: u64, time: Timestamp) {
        self.report.committed_at = Some(time);
        let held = self.anchors.held;
        let grown = std::mem::replace(&mut self.anchored, held) != held;
        self.report.unanchored_since = match self.report.unanchored_since {
            _ if held.is_some_and(|held| held.size >= size) => None,
            Some(since) if !grown => Some(since),
            _ => Some(time),
        };
    }

    /// A record line that holds, under the number that belongs there.
    pub(super) fn record(&mut self, number: u64, leaf: Hash, json: &str) {
        self.anchors.leaf(number, leaf, &mut self.report);
        self.gaps.record(number, json);
        self.report.prunes.record(json);
        self.leaf(leaf);
    }

    /// The next leaf of the tree.
    pub(super) fn leaf(&mut self, leaf: Hash) {
        self.next += 1;
        if self.trust == Trust::Lost {
            return;
        }
        self.tree.push(leaf);
        self.anchors.tree(&self.tree, &mut self.report);
    }

    /// The tree if it is made of what was read.
    pub(super) fn sound_head(&self) -> Option<TreeHead> {
        (self.trust != Trust::Lost).then(|| self.tree.head())
    }

    fn finish(mut self) -> TrailReport {
        std::mem::take(&mut self.gaps).finish(&mut self.report);
        let size = self
            .report
            .head
            .map_or(self.next, |head| head.size.max(self.next));
        if let Some((sink, next)) = self.furthest.take().filter(|(_, next)| *next > size) {
            let what = format!(
                "sink {} has read up to number {next}, and the trail ends before {size}: its end is missing",
                clean(&sink)
            );
            self.report
                .find(Finding::new(Kind::CutShort, what).number(size));
        }
        self.anchors.finish(size, &mut self.report);
        self.report.anchored = self.anchors.held;
        self.report.open_intents = self.intents.count();
        if self.report.open_intents > 0 {
            let what = format!(
                "{} {} no verdict yet",
                self.report.open_intents,
                if self.report.open_intents == 1 {
                    "intent has"
                } else {
                    "intents have"
                }
            );
            self.report.note(Note::new(NoteKind::OpenIntents, what));
        }
        self.report
    }
}

fn bad_header(error: LineError) -> Finding {
    match error {
        LineError::Newer(format) => {
            let what = format!(
                "the segment has format {format}, and this version reads format {} and older: use a newer tower-audit",
                line::FORMAT
            );
            Finding::new(Kind::Newer, what)
        }
        error => Finding::new(Kind::Damaged, format!("the header does not hold: {error}")),
    }
}
