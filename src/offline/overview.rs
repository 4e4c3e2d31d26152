//! What is in a journal, without reading all of it.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::{
    clock::Timestamp,
    delivery::{
        SinkName,
        cursor::{CursorFile, Found},
        dead_letter,
    },
    disk::{self, Disk, SharedDisk, StdDisk},
    evidence::TreeHead,
    journal::{
        line::{self, Control, Head, Line},
        segment::{self, Lines, RawLine, SegmentName},
        trails as dirs,
    },
    record::Origin,
};

use super::OfflineError;

/// What is in one trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TrailOverview {
    /// The trail; absent when nothing there says which it is.
    pub trail: Option<Uuid>,
    /// Its directory.
    #[serde(serialize_with = "lossy")]
    pub dir: PathBuf,
    /// The service that wrote it last.
    pub service: Option<String>,
    /// The instance of that service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Whether a process holds it at the moment: a service that runs.
    pub held: bool,
    /// Its segments.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The first number that is there.
    pub first: u64,
    /// Committed records that are there, if nothing is damaged: `size - first`.
    pub records: u64,
    /// The last commit.
    pub head: Option<TreeHead>,
    /// When the oldest segment was begun.
    pub began: Option<Timestamp>,
    /// When the last commit was made.
    pub committed_at: Option<Timestamp>,
    /// Whether the last run ended in order. A trail that is held has not ended.
    pub ended: bool,
    /// What is known of each sink, by name.
    pub sinks: Vec<SinkOverview>,
}

/// What a trail keeps about one sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SinkOverview {
    /// The sink's name in the service.
    pub name: String,
    /// The next number it wants, as its cursor file says. One that keeps its own position may be
    /// further.
    pub next: Option<u64>,
    /// Committed records that it does not have.
    pub behind: Option<u64>,
    /// Records that it refused, in its dead letters.
    pub dead_letters: u64,
    /// What is wrong with its cursor file or dead letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
}

/// Looks at the trails of a directory: all below a base directory, or the one that it is.
///
/// Reads the names of all segments, and the last one; nothing is checked that
/// [`verify`](crate::verify) checks. Whether a trail is held is found out by asking for a shared
/// lock on it, which is given back at once.
///
/// # Errors
///
/// When a file cannot be read, or there is no trail.
pub fn trails(dir: impl AsRef<Path>) -> Result<Vec<TrailOverview>, OfflineError> {
    let disk: SharedDisk = Arc::new(StdDisk);
    let trails = find(&*disk, dir.as_ref())?;
    trails.iter().map(|dir| look(&disk, dir)).collect()
}

/// The directories of the trails in or below a directory, oldest first.
pub(super) fn find(disk: &dyn Disk, dir: &Path) -> Result<Vec<PathBuf>, OfflineError> {
    dirs::find(disk, dir)
        .map_err(OfflineError::io("list", dir))?
        .ok_or_else(|| OfflineError::NotAJournal { dir: dir.into() })
}

fn look(disk: &SharedDisk, dir: &Path) -> Result<TrailOverview, OfflineError> {
    let failed = |error| OfflineError::io("read", dir)(error);
    let Ends {
        names,
        bytes,
        oldest,
        newest,
    } = Ends::read(&**disk, dir).map_err(failed)?;
    let trail = newest
        .origin
        .as_ref()
        .map(|origin| origin.trail)
        .or_else(|| dirs::named(dir));
    let first = names.iter().map(|name| name.start).min().unwrap_or(0);
    let size = newest.head.map_or(first, |head| head.size);
    let sinks = match trail {
        Some(trail) => sinks(disk, dir, trail, size).map_err(failed)?,
        None => Vec::new(),
    };
    Ok(TrailOverview {
        trail,
        dir: dir.into(),
        service: newest.origin.as_ref().map(|origin| origin.service.clone()),
        instance: newest.origin.and_then(|origin| origin.instance),
        held: disk::is_locked(&dirs::lock_of(dir)).map_err(failed)?,
        segments: names.len() as u64,
        bytes,
        first,
        records: size.saturating_sub(first),
        head: newest.head,
        began: oldest,
        committed_at: newest.committed_at,
        ended: newest.ended,
        sinks,
    })
}

/// What the first and the last segment say.
struct Ends {
    names: Vec<SegmentName>,
    bytes: u64,
    oldest: Option<Timestamp>,
    newest: Newest,
}

/// The end of a trail.
#[derive(Debug, Default)]
pub(super) struct Newest {
    pub(super) origin: Option<Origin>,
    pub(super) head: Option<TreeHead>,
    committed_at: Option<Timestamp>,
    ended: bool,
}

impl Ends {
    fn read(disk: &dyn Disk, dir: &Path) -> io::Result<Self> {
        let (names, _) = segment::list(disk, dir)?;
        let mut bytes = 0;
        for name in &names {
            bytes += if_there(disk.stat(&dir.join(name.file())))?.map_or(0, |stat| stat.len);
        }
        let oldest = match names
            .iter()
            .min_by_key(|name| (name.start, name.generation))
        {
            Some(name) => if_there(header(disk, &dir.join(name.file())))?.flatten(),
            None => None,
        };
        let newest = Newest::read(disk, dir, &names)?;
        let oldest = oldest.map(|head| head.time);
        Ok(Self {
            names,
            bytes,
            oldest,
            newest,
        })
    }
}

impl Newest {
    /// Reads the newest segment, up to its last commit.
    pub(super) fn read(disk: &dyn Disk, dir: &Path, names: &[SegmentName]) -> io::Result<Self> {
        let mut newest = Self::default();
        let Some(name) = names.last() else {
            return Ok(newest);
        };
        let mut lines = Lines::new(disk.open(&dir.join(name.file()))?, 0);
        loop {
            let bytes = match lines.next()? {
                RawLine::End | RawLine::Torn(_) => return Ok(newest),
                RawLine::TooLong => continue,
                RawLine::Whole(bytes) => bytes,
            };
            // Records are passed over without being hashed.
            if line::peek_number(bytes).is_some() {
                newest.ended = false;
                continue;
            }
            match line::decode(bytes) {
                Ok(Line::Control(Control::Head(head))) => newest.origin = Some(origin(*head)),
                Ok(Line::Control(Control::Commit(commit))) => {
                    newest.head = Some(commit.head);
                    newest.committed_at = Some(commit.time);
                }
                Ok(Line::Control(Control::End(_))) => newest.ended = true,
                _ => {}
            }
        }
    }
}

fn origin(head: Head) -> Origin {
    Origin::new(head.trail, head.service, head.instance)
}

fn header(disk: &dyn Disk, path: &Path) -> io::Result<Option<Head>> {
    let mut lines = Lines::new(disk.open(path)?, 0);
    let RawLine::Whole(bytes) = lines.next()? else {
        return Ok(None);
    };
    Ok(match line::decode(bytes) {
        Ok(Line::Control(Control::Head(head))) => Some(*head),
        _ => None,
    })
}

/// A file that was pruned since it was listed is nothing.
fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Everything that has a cursor or a dead letter.
fn sinks(disk: &SharedDisk, dir: &Path, trail: Uuid, size: u64) -> io::Result<Vec<SinkOverview>> {
    let mut names = BTreeSet::new();
    for (folder, end) in [("cursors", ".json"), ("dead", ".jsonl")] {
        let entries = if_there(disk.list(&dir.join(folder)))?.unwrap_or_default();
        let stems = entries
            .iter()
            .filter_map(|entry| entry.name.strip_suffix(end));
        names.extend(
            stems
                .filter(|name| SinkName::parse(name).is_ok())
                .map(str::to_owned),
        );
    }
    names
        .into_iter()
        .map(|name| sink(disk, dir, trail, size, name))
        .collect()
}

fn sink(
    disk: &SharedDisk,
    dir: &Path,
    trail: Uuid,
    size: u64,
    name: String,
) -> io::Result<SinkOverview> {
    let mut damage = None;
    let next = match CursorFile::new(Arc::clone(disk), dir, trail, &name).load()? {
        Found::Cursor(cursor) => Some(cursor.next),
        Found::Absent => None,
        Found::Damaged(reason) => {
            damage = Some(format!("the cursor file does not hold: {reason}"));
            None
        }
    };
    let mut dead_letters = 0;
    dead_letter::read(
        disk,
        &dead_letters_of(dir, &name),
        trail,
        |letter| match letter {
            Ok(_) => dead_letters += 1,
            Err(line) => {
                damage = Some(format!(
                    "the dead letter at byte {} does not hold: {}",
                    line.offset, line.reason
                ))
            }
        },
    )?;
    let behind = next.map(|next| size.saturating_sub(next));
    Ok(SinkOverview {
        name,
        next,
        behind,
        dead_letters,
        damage,
    })
}

/// Where the records are that a sink refused.
pub(super) fn dead_letters_of(dir: &Path, sink: &str) -> PathBuf {
    dir.join("dead").join(format!("{sink}.jsonl"))
}

fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}
