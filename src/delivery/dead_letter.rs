//! The dead letters: records that a sink will never take, kept for a person.
//!
//! `<trail>/dead/<sink>.jsonl` holds one line for each, synced before the cursor moves on:
//!
//! ```text
//! {"trail":"0199…","n":41,"h":"<leaf hash>","reason":"…","at":"…","record":{…exact bytes…}}
//! ```
//!
//! A record stands there once, unless the disk failed in the middle of a write. The file is bounded: when it is full,
//! delivery to that sink is blocked until somebody replays and removes it. It may be removed or
//! renamed at any time; the next letter makes a new one.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    clock::Timestamp,
    disk::{DiskFile, SharedDisk},
    evidence::{Hash, leaf_hash},
    sink::Delivery,
};

/// Longer than any line we write: a record of 64 KiB and its frame.
const LONGEST_LINE: usize = 256 * 1024;

/// The dead letters of one sink in one trail.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    disk: SharedDisk,
    path: Option<PathBuf>,
    trail: Uuid,
    max_bytes: u64,
    numbers: BTreeSet<u64>,
}

/// Why a letter was not kept; nothing was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    /// The file would grow past its bound.
    #[error(
        "the dead letters {} are full ({max_bytes} bytes): replay them, then remove the file",
        .path.display()
    )]
    Full {
        /// The file.
        path: PathBuf,
        /// Its bound.
        max_bytes: u64,
    },
    /// The disk failed.
    #[error("the dead letters {} cannot be written", .path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// One line, as it stands in the file.
#[derive(Debug, Serialize, Deserialize)]
struct Line<'a> {
    trail: Uuid,
    n: u64,
    h: Hash,
    #[serde(borrow)]
    reason: std::borrow::Cow<'a, str>,
    at: Timestamp,
    #[serde(borrow)]
    record: &'a RawValue,
}

/// A record that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    /// The record with its number and leaf.
    pub delivery: Delivery,
    /// Why it was refused.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// A line that cannot be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadLine {
    /// Where it begins, in bytes.
    pub offset: u64,
    /// What is wrong with it.
    pub reason: String,
}

impl DeadLetters {
    /// The dead letters of `sink` in the trail that lives in `dir`.
    pub(crate) fn new(
        disk: SharedDisk,
        dir: &Path,
        trail: Uuid,
        sink: &str,
        max_bytes: u64,
    ) -> Self {
        Self {
            disk,
            path: Some(dir.join("dead").join(format!("{sink}.jsonl"))),
            trail,
            max_bytes,
            numbers: BTreeSet::new(),
        }
    }

    /// Remembers what was refused, and keeps nothing on the disk.
    pub(crate) fn nowhere(disk: SharedDisk, trail: Uuid) -> Self {
        Self {
            disk,
            path: None,
            trail,
            max_bytes: u64::MAX,
            numbers: BTreeSet::new(),
        }
    }

    /// The file, for messages.
    pub(crate) fn path(&self) -> PathBuf {
        self.path.clone().unwrap_or_default()
    }

    /// Learns which numbers are in the file; gives back the lines that cannot be believed.
    pub(crate) fn load(&mut self) -> io::Result<Vec<BadLine>> {
        let Some(path) = &self.path else {
            return Ok(Vec::new());
        };
        let mut bad = Vec::new();
        let trail = self.trail;
        let numbers = &mut self.numbers;
        read(&self.disk, path, trail, |line| match line {
            Ok(letter) => {
                numbers.insert(letter.delivery.number);
            }
            Err(line) => bad.push(line),
        })?;
        Ok(bad)
    }

    /// Whether this number is among the dead.
    pub(crate) fn contains(&self, number: u64) -> bool {
        self.numbers.contains(&number)
    }

    /// How many are dead one after the other right before this number, up to `most`.
    pub(crate) fn row_before(&self, number: u64, most: usize) -> usize {
        let before = (0..number).rev().take(most);
        before.take_while(|number| self.contains(*number)).count()
    }

    /// All of them, ascending.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.numbers.iter().copied()
    }

    /// Keeps all of `refused`, or none; durable when this returns.
    pub(crate) fn keep(
        &mut self,
        refused: &[&Delivery],
        reason: &str,
        at: Timestamp,
    ) -> Result<(), KeepError> {
        if let Some(path) = &self.path {
            let lines = self
                .lines(refused, reason, at)
                .and_then(|lines| self.append(path, &lines));
            match lines {
                Ok(Written::All) => {}
                Ok(Written::NoRoom) => {
                    return Err(KeepError::Full {
                        path: path.clone(),
                        max_bytes: self.max_bytes,
                    });
                }
                Err(source) => {
                    return Err(KeepError::Disk {
                        path: path.clone(),
                        source,
                    });
                }
            }
        }
        self.numbers
            .extend(refused.iter().map(|record| record.number));
        Ok(())
    }

    fn lines(&self, refused: &[&Delivery], reason: &str, at: Timestamp) -> io::Result<Vec<u8>> {
        let mut lines = Vec::new();
        for delivery in refused {
            let line = Line {
                trail: self.trail,
                n: delivery.number,
                h: delivery.leaf,
                reason: reason.into(),
                at,
                record: serde_json::from_str(&delivery.json)?,
            };
            serde_json::to_writer(&mut lines, &line)?;
            lines.push(b'\n');
        }
        Ok(lines)
    }

    fn append(&self, path: &Path, lines: &[u8]) -> io::Result<Written> {
        let dir = path.parent().unwrap_or(path);
        self.disk.create_dir(dir)?;
        // Opened for each letter: letters are rare, and the file may have been moved away.
        let mut file = self.disk.append(path)?;
        let len = file.stat()?.len;
        let size = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        if len > 0 && len.saturating_add(size) > self.max_bytes {
            return Ok(Written::NoRoom);
        }
        if len > 0 && !ends_a_line(&*self.disk.open(path)?, len)? {
            // A crash tore the last line; ours must not be glued to it.
            file.write_all(b"\n")?;
        }
        file.write_all(lines)?;
        file.sync()?;
        self.disk.sync_dir(dir)?;
        Ok(Written::All)
    }
}

enum Written {
    All,
    NoRoom,
}

fn ends_a_line(file: &dyn DiskFile, len: u64) -> io::Result<bool> {
    let mut last = [0];
    let count = file.read_at(&mut last, len.saturating_sub(1))?;
    Ok(count == 1 && last == *b"\n")
}

/// Reads a file of dead letters line by line; a missing file has none.
pub(crate) fn read(
    disk: &SharedDisk,
    path: &Path,
    trail: Uuid,
    mut each: impl FnMut(Result<Letter, BadLine>),
) -> io::Result<()> {
    let file = match disk.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let mut line = Vec::new();
    let (mut begins, mut at) = (0_u64, 0_u64);
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let count = file.read_at(&mut chunk, at)?;
        let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else {
            break;
        };
        for piece in read.split_inclusive(|byte| *byte == b'\n') {
            // One byte too many is enough to be refused by its length; more would be a waste.
            let room = (LONGEST_LINE + 1).saturating_sub(line.len());
            line.extend(piece.iter().take(room));
            at = at.saturating_add(piece.len() as u64);
            if piece.ends_with(b"\n") {
                each(decode(&line, begins, trail));
                line.clear();
                begins = at;
            }
        }
    }
    if !line.is_empty() {
        each(decode(&line, begins, trail));
    }
    Ok(())
}

fn decode(bytes: &[u8], offset: u64, trail: Uuid) -> Result<Letter, BadLine> {
    let bad = |reason: String| BadLine { offset, reason };
    if bytes.len() > LONGEST_LINE {
        return Err(bad("it is longer than any line of ours".to_owned()));
    }
    let line: Line<'_> = serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
    if line.trail != trail {
        return Err(bad("it belongs to another trail".to_owned()));
    }
    let json = line.record.get();
    if leaf_hash(json.as_bytes()) != line.h {
        return Err(bad("its record does not match its leaf hash".to_owned()));
    }
    Ok(Letter {
        delivery: Delivery::new(line.n, line.h, json),
        reason: line.reason.into_owned(),
        at: line.at,
    })
}
