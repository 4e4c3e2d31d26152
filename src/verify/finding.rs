//! What a check finds: a kind for programs, words and a place for people.

use std::fmt;

use serde::{Serialize, Serializer};

/// Something that must not be so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What sort of thing it is.
    pub kind: Kind,
    /// How sure it is.
    pub certainty: Certainty,
    /// The file in the trail's directory; absent in a store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Where the first line that can be wrong begins, in bytes from the start of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// The first record that is concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// What was found, and what should be there.
    pub what: String,
}

/// The sorts of findings. Each has one word in JSON and in what a person reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// A line is not what was written: its form, its leaf hash or its check sum does not hold.
    Damaged,
    /// A record stands where another belongs: left out, repeated, or out of order.
    Order,
    /// Numbers are missing that nothing declares: a segment, or the end of one.
    Missing,
    /// The oldest segments are gone, and no record of the trail says that they were pruned.
    MissingHead,
    /// A commit names another tree than the records before it make.
    Root,
    /// A segment begins with another tree than the segments before it make.
    Frontier,
    /// A header does not fit its file, its trail or the segments before it.
    Header,
    /// A part that is long done has no commit over it.
    Uncommitted,
    /// An intent was lost, changed, repeated, or settled without being open.
    Intent,
    /// Something follows the line that ends a run, or that line names another tree.
    End,
    /// The trail is shorter than a tree head or receipt that was given, or than a sink's cursor.
    CutShort,
    /// The trail is not the one of which a tree head or receipt was given.
    Unexpected,
    /// A tree head or receipt that was given cannot be checked any more.
    Unchecked,
    /// The file is of a format that only a newer version can read. Nothing after it was checked.
    Newer,
    /// A record's bytes in a store are not those of its leaf hash.
    Leaf,
    /// A column of a store is not what the record says.
    Column,
    /// A record stands twice.
    Duplicate,
    /// The cursor of a store is not where its records end.
    Cursor,
    /// Journal and store do not hold the same record under a number.
    Differs,
    /// A record that the store must have by its cursor is only in the journal.
    NotInStore,
    /// A record that the store has is beyond the end of the journal.
    NotInJournal,
    /// What prunes are said to have removed is not what is missing.
    Prunes,
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Certainty {
    /// Two things that were written together contradict each other. No crash makes this.
    Certain,
    /// A crash or an earlier finding may explain it; look at the place.
    Suspected,
}

/// Something to know that is as it may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Note {
    /// What sort of thing it is.
    pub kind: NoteKind,
    /// The file in the trail's directory; absent in a store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Where it begins, in bytes from the start of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// What was found.
    pub what: String,
}

/// The sorts of notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum NoteKind {
    /// Whole lines after the last commit: being written, or left by a process that died.
    InFlight,
    /// The last line of the newest segment is cut: being written, or left by a crash.
    Torn,
    /// The rest of a segment that was abandoned; a later one repeats what was good of it.
    Superseded,
    /// Old segments are gone, as a record of the trail declares.
    Pruned,
    /// Nothing was ever committed.
    Empty,
    /// Intents that nobody settled yet.
    OpenIntents,
    /// The tree cannot be followed across a place; it goes on from what a header says.
    Unlinked,
    /// A store never got some records, as a record declares.
    Undelivered,
    /// One of the two places that were compared does not have this trail.
    OnlyHere,
    /// Prunes are said to have removed more records than leaves are kept, as it may be.
    Prunes,
}

impl Finding {
    pub(super) fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self {
            kind,
            certainty: Certainty::Certain,
            file: None,
            offset: None,
            number: None,
            what: what.into(),
        }
    }

    pub(super) fn at(mut self, file: &str, offset: u64) -> Self {
        self.file = Some(file.to_owned());
        self.offset = Some(offset);
        self
    }

    pub(super) fn number(mut self, number: u64) -> Self {
        self.number = Some(number);
        self
    }

    pub(super) fn suspected(mut self) -> Self {
        self.certainty = Certainty::Suspected;
        self
    }
}

impl Note {
    pub(super) fn new(kind: NoteKind, what: impl Into<String>) -> Self {
        Self {
            kind,
            file: None,
            offset: None,
            what: what.into(),
        }
    }

    pub(super) fn at(mut self, file: &str, offset: u64) -> Self {
        self.file = Some(file.to_owned());
        self.offset = Some(offset);
        self
    }
}

impl Kind {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::Order => "order",
            Self::Missing => "missing",
            Self::MissingHead => "missing_head",
            Self::Root => "root",
            Self::Frontier => "frontier",
            Self::Header => "header",
            Self::Uncommitted => "uncommitted",
            Self::Intent => "intent",
            Self::End => "end",
            Self::CutShort => "cut_short",
            Self::Unexpected => "unexpected",
            Self::Unchecked => "unchecked",
            Self::Newer => "newer",
            Self::Leaf => "leaf",
            Self::Column => "column",
            Self::Duplicate => "duplicate",
            Self::Cursor => "cursor",
            Self::Differs => "differs",
            Self::NotInStore => "not_in_store",
            Self::NotInJournal => "not_in_journal",
            Self::Prunes => "prunes",
        }
    }
}

impl NoteKind {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InFlight => "in_flight",
            Self::Torn => "torn",
            Self::Superseded => "superseded",
            Self::Pruned => "pruned",
            Self::Empty => "empty",
            Self::OpenIntents => "open_intents",
            Self::Unlinked => "unlinked",
            Self::Undelivered => "undelivered",
            Self::OnlyHere => "only_here",
            Self::Prunes => "prunes",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.certainty == Certainty::Suspected {
            f.write_str("suspected: ")?;
        }
        f.write_str(self.kind.as_str())?;
        place(f, self.file.as_deref(), self.offset)?;
        if let Some(number) = self.number {
            write!(f, ", number {number}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        place(f, self.file.as_deref(), self.offset)?;
        write!(f, ": {}", self.what)
    }
}

fn place(f: &mut fmt::Formatter<'_>, file: Option<&str>, offset: Option<u64>) -> fmt::Result {
    match (file, offset) {
        (Some(file), Some(offset)) => write!(f, " in {file} at byte {offset}"),
        (Some(file), None) => write!(f, " in {file}"),
        _ => Ok(()),
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Serialize for NoteKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
