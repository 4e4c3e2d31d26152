//! The cursor file: where a sink stands in one trail.
//!
//! `<trail>/cursors/<sink>.json` holds one line:
//!
//! ```text
//! {"cursor":{"trail":"0199…","sink":"splunk","start":0,"next":4711},"sum":"<64 digits>"}
//! ```
//!
//! | field | meaning |
//! |---|---|
//! | `trail`, `sink` | whose cursor this is; a copied file is not believed |
//! | `start` | the first number the sink was ever to get of this trail |
//! | `next` | every number below is delivered, dead-lettered or missed |
//! | `ahead` | there only after the sink claimed to have more than the trail: the next number it wanted then |
//! | `sum` | SHA-256 (as of a record) over the exact bytes of `cursor` |
//!
//! It is replaced whole, by rename, so that a crash leaves the old or the new one. One that is
//! damaged is reported and taken as absent: the sink then gets the trail from the oldest record
//! kept, which is "at least once", never a loss.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    disk::{self, SharedDisk},
    evidence::{Hash, leaf_hash},
};

/// Longer than any cursor, short enough to read without thought.
const LONGEST: usize = 4096;

/// What a cursor file says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The first number the sink was ever to get.
    pub start: u64,
    /// Every number below is done with.
    pub next: u64,
    /// The next number a sink wanted when it claimed to have more than the trail.
    pub ahead: Option<u64>,
}

/// Where one cursor is kept; nowhere for a replay.
#[derive(Debug)]
pub(crate) struct CursorFile {
    disk: SharedDisk,
    path: Option<PathBuf>,
    trail: Uuid,
    sink: String,
}

/// What was found on the disk.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A cursor whose sum holds.
    Cursor(Cursor),
    /// No file: a new sink.
    Absent,
    /// A file that cannot be believed, and why.
    Damaged(String),
}

#[derive(Serialize, Deserialize)]
struct Content<'a> {
    trail: Uuid,
    sink: &'a str,
    start: u64,
    next: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ahead: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    #[serde(borrow)]
    cursor: &'a RawValue,
    sum: Hash,
}

impl CursorFile {
    /// The cursor of `sink` in the trail that lives in `dir`.
    pub(crate) fn new(disk: SharedDisk, dir: &Path, trail: Uuid, sink: &str) -> Self {
        let path = dir.join("cursors").join(format!("{sink}.json"));
        Self {
            disk,
            path: Some(path),
            trail,
            sink: sink.to_owned(),
        }
    }

    /// A cursor that is kept nowhere.
    pub(crate) fn nowhere(disk: SharedDisk, trail: Uuid) -> Self {
        Self {
            disk,
            path: None,
            trail,
            sink: String::new(),
        }
    }

    /// The file, for messages.
    pub(crate) fn path(&self) -> PathBuf {
        self.path.clone().unwrap_or_default()
    }

    /// Reads the cursor.
    ///
    /// # Errors
    ///
    /// When the disk fails; that is no reason to begin anew, so it is not "damaged".
    pub(crate) fn load(&self) -> io::Result<Found> {
        let Some(path) = &self.path else {
            return Ok(Found::Absent);
        };
        match disk::read_bounded(&*self.disk, path, LONGEST) {
            Ok(bytes) => Ok(self
                .decode(&bytes)
                .map_or_else(Found::Damaged, Found::Cursor)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Absent),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Ok(Found::Damaged(error.to_string()))
            }
            Err(error) => Err(error),
        }
    }

    /// Replaces the cursor; durable when this returns.
    pub(crate) fn save(&self, cursor: Cursor) -> io::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        if let Some(dir) = path.parent() {
            self.disk.create_dir(dir)?;
        }
        disk::replace(&*self.disk, path, &self.encode(cursor)?)
    }

    fn encode(&self, cursor: Cursor) -> io::Result<Vec<u8>> {
        let content = serde_json::value::to_raw_value(&Content {
            trail: self.trail,
            sink: &self.sink,
            start: cursor.start,
            next: cursor.next,
            ahead: cursor.ahead,
        })?;
        let sum = leaf_hash(content.get().as_bytes());
        let mut bytes = serde_json::to_vec(&Sealed {
            cursor: &content,
            sum,
        })?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    fn decode(&self, bytes: &[u8]) -> Result<Cursor, String> {
        let sealed: Sealed<'_> =
            serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if leaf_hash(sealed.cursor.get().as_bytes()) != sealed.sum {
            return Err("its check sum does not hold".to_owned());
        }
        let content: Content<'_> =
            serde_json::from_str(sealed.cursor.get()).map_err(|error| error.to_string())?;
        if content.trail != self.trail || content.sink != self.sink {
            return Err("it belongs to another trail or sink".to_owned());
        }
        Ok(Cursor {
            start: content.start,
            next: content.next,
            ahead: content.ahead,
        })
    }
}
