//! What a check returns.

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
};

use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::{clock::Timestamp, evidence::TreeHead, text};

use super::{
    Expected, Finding, Kind, Note,
    prunes::{PruneReport, Recorded},
};

/// At most this many findings of one trail are kept; the others are counted.
pub const MAX_FINDINGS: usize = 1000;

/// What is wrong, and what was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// One for each trail and place.
    pub trails: Vec<TrailReport>,
    /// What the prunes of the store removed; absent where there is no store, or were no prunes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prunes: Option<PruneReport>,
}

/// What is wrong with one trail in one place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TrailReport {
    /// The trail; absent when nothing there says which it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trail: Option<Uuid>,
    /// Where it was looked at: the directory, or the address of a store.
    #[serde(serialize_with = "lossy")]
    pub place: PathBuf,
    /// The service that wrote it, as the newest header or the store says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The instance of that service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Segments that were read; 0 in a store.
    pub segments: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Committed records that are there and hold.
    pub records: u64,
    /// Records of a store that a prune removed; their leaves are there and count in the tree.
    pub emptied: u64,
    /// Leaves of removed records whose record came again.
    #[serde(skip)]
    pub(super) came_again: u64,
    /// The prunes that records of the trail tell of.
    #[serde(skip)]
    pub(super) prunes: Recorded,
    /// The first number that is there.
    pub first: u64,
    /// The tree over everything that is committed. Absent when nothing is, or when it cannot be
    /// computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<TreeHead>,
    /// When the last commit was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub committed_at: Option<Timestamp>,
    /// Whether the last run ended in order.
    pub ended: bool,
    /// Intents that nobody settled yet.
    pub open_intents: u64,
    /// The largest tree head given to the check that was found to hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchored: Option<TreeHead>,
    /// Since when nothing outside the trail vouches for it: whoever could rewrite the files could
    /// have rewritten everything from then on. Absent when the anchor covers all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unanchored_since: Option<Timestamp>,
    /// What must not be so, in the order of the files; at most [`MAX_FINDINGS`].
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub more_findings: u64,
    /// What is as it may be.
    pub notes: Vec<Note>,
}

impl Report {
    /// Whether nothing is wrong with anything that was looked at.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.trails.iter().all(TrailReport::holds) && self.prunes.iter().all(PruneReport::holds)
    }

    /// Everything that is wrong.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        let of_prunes = self.prunes.iter().flat_map(|prunes| &prunes.findings);
        let of_trails = self.trails.iter().flat_map(|trail| &trail.findings);
        of_trails.chain(of_prunes)
    }

    /// How many committed records hold.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.trails.iter().map(|trail| trail.records).sum()
    }

    /// How many segments were read.
    #[must_use]
    pub fn segments(&self) -> u64 {
        self.trails.iter().map(|trail| trail.segments).sum()
    }
}

impl TrailReport {
    /// Whether nothing is wrong with it.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.findings.is_empty()
    }

    /// A trail that is expected and is not there.
    pub(super) fn absent(expected: &Expected, place: &Path) -> Self {
        let what = format!(
            "a tree of size {} is expected, and the trail is not here",
            expected.head.size
        );
        Self {
            trail: Some(expected.trail),
            place: place.into(),
            findings: vec![Finding::new(Kind::CutShort, what)],
            ..Self::default()
        }
    }

    pub(super) fn find(&mut self, finding: Finding) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        } else {
            self.more_findings += 1;
        }
    }

    pub(super) fn note(&mut self, note: Note) {
        if self.notes.len() < MAX_FINDINGS {
            self.notes.push(note);
        }
    }

    fn verdict(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.holds() {
            let count = self.findings.len() as u64 + self.more_findings;
            return writeln!(f, "  WRONG: {count} {}", plural(count, "finding"));
        }
        match (self.anchored, self.unanchored_since) {
            (Some(head), None) => {
                writeln!(f, "  holds: consistent, anchored at size {}", head.size)
            }
            (Some(head), Some(since)) => {
                writeln!(
                    f,
                    "  holds: consistent, anchored at size {}, not since {since}",
                    head.size
                )
            }
            (None, Some(since)) => writeln!(f, "  holds: consistent, not anchored since {since}"),
            (None, None) => writeln!(f, "  holds: nothing is committed"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for trail in &self.trails {
            trail.fmt(f)?;
        }
        if let Some(prunes) = &self.prunes {
            prunes.fmt(f)?;
        }
        // A trail in a journal and in a store is one trail.
        let trails: BTreeSet<_> = self.trails.iter().map(|trail| trail.trail).collect();
        let wrong = self.trails.iter().filter(|trail| !trail.holds());
        let wrong: BTreeSet<_> = wrong.map(|trail| trail.trail).collect();
        let count = trails.len() as u64;
        let verdict = match wrong.len() {
            0 => "all hold".to_owned(),
            wrong => format!("{wrong} WRONG"),
        };
        write!(f, "{count} {}: {verdict}", plural(count, "trail"))?;
        let is_wrong = self.prunes.iter().any(|prunes| !prunes.holds());
        f.write_str(if is_wrong { "; prunes WRONG\n" } else { "\n" })
    }
}

impl fmt::Display for TrailReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.trail {
            Some(trail) => write!(f, "trail {trail}")?,
            None => f.write_str("trail without a name")?,
        }
        if let Some(service) = &self.service {
            write!(f, "  {}", clean(service))?;
        }
        if let Some(instance) = &self.instance {
            write!(f, " / {}", clean(instance))?;
        }
        writeln!(f, "\n  {}", clean(&self.place.to_string_lossy()))?;
        write!(f, "  {} {}", self.records, plural(self.records, "record"))?;
        if self.segments > 0 {
            write!(
                f,
                " in {} {}, {} bytes",
                self.segments,
                plural(self.segments, "segment"),
                self.bytes
            )?;
        }
        if self.emptied > 0 {
            write!(f, ", {} removed by prunes", self.emptied)?;
        }
        if self.first > 0 {
            write!(f, ", from number {} on", self.first)?;
        }
        f.write_str("\n")?;
        if let Some(head) = self.head {
            writeln!(f, "  head {}:{}", head.size, head.root)?;
        }
        for note in &self.notes {
            writeln!(f, "  note: {note}")?;
        }
        for finding in &self.findings {
            writeln!(f, "  wrong: {finding}")?;
        }
        if self.more_findings > 0 {
            writeln!(f, "  wrong: and {} more", self.more_findings)?;
        }
        self.verdict(f)
    }
}

/// Outside text in a message: one line that does nothing to a terminal.
pub(super) fn clean(text: &str) -> String {
    text::clean(text, 256).0.into_owned()
}

pub(super) fn plural(count: u64, noun: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{noun}{end}")
}

pub(super) fn leaves_are(count: u64) -> String {
    let words = if count == 1 { "leaf is" } else { "leaves are" };
    format!("{count} {words}")
}

pub(super) fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}
