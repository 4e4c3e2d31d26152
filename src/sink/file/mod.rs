//! A sink that writes JSON Lines to a file.

mod active;
mod builder;
#[cfg(feature = "zstd")]
mod compress;
#[cfg(not(feature = "zstd"))]
#[path = "compress_off.rs"]
mod compress;
mod fault;
#[cfg(test)]
mod faulty;
mod line;
mod probe;
pub(crate) mod rotate;
mod tail;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

pub(super) use self::builder::from_address;
pub use self::builder::{FileSinkBuilder, FileSinkError};
use self::{
    active::{Active, Medium, Opened},
    rotate::Rotation,
    tail::Budget,
};
use super::{Batch, Limits, Sink, SinkError, SinkFuture};
use crate::{
    clock::Timestamp,
    disk::{Disk, DiskLock, StdDisk},
    format::{Format, Starts},
    record::Origin,
};

/// Writes records to a file, one JSON object a line.
///
/// ```json
/// {"trail":"0199a3c8-…","n":41,"h":"9f86d0…","record":{"id":"0199…","action":"document.create",…}}
/// ```
///
/// | field | is |
/// |---|---|
/// | `trail` | the trail's id |
/// | `n` | the record's number in its trail |
/// | `h` | its RFC 6962 leaf hash, over exactly the bytes of `record` |
/// | `record` | the record, byte for byte as it is in the journal |
///
/// In another [format](FileSinkBuilder::format) a line begins with these as well, so what follows
/// holds for each, and for a file with lines of several. Only native lines can be proven: what is
/// hashed is the record's own bytes.
///
/// # What holds
///
/// - A batch is written at once and synced (`fdatasync`) before it is acknowledged. After a crash
///   or an error, what is not whole is cut off before anything else is written, so that no line is
///   torn and none is there twice: the last line of a trail says how far it came.
/// - Files are made with mode 0600. Directories are not made.
/// - **Rotation** by size or age happens between batches, so a batch is always in one file; one
///   that is larger than the limit is a file of its own. `audit.jsonl` becomes
///   `audit.jsonl.0000000001`. By default nothing is rotated and nothing is removed.
/// - **logrotate** may rename, remove or copy and truncate the file instead: that is noticed before
///   each batch. With `copytruncate` it may lose what is written between its copy and its cut;
///   prefer `create`. Use one rotation or the other: a trail is searched for in the rotated files
///   of this sink only.
/// - One process writes a file: beside it lies `<name>.lock`, which is never removed. A second
///   process is blocked until the first ends; `{instance}` in the name gives each its own.
///
/// # What it costs
///
/// Every call blocks its thread while the disk works, and while a rotated file is compressed. A
/// follower has a thread of its own, so that delays nobody else; do not call it on a thread that
/// has other work. At a start the position is searched backwards through at most
/// [`SEARCH_BYTES`](Self::SEARCH_BYTES) of the file and the rotated ones, newest first; a trail
/// that is not found there is left to the cursor file.
///
/// # When it waits
///
/// A full or failing disk: the batch is tried again. A missing directory, a missing permission, a
/// file that this sink did not write, another process: blocked, with the reason, until somebody
/// acts. A record with a line break between its fields is refused.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
    rotation: Rotation,
    format: Format,
    lock: Option<Box<dyn DiskLock>>,
    active: Option<Active>,
    /// The lines of one batch; kept for the next.
    buffer: Vec<u8>,
    wrap: fn(File) -> Box<dyn Medium>,
}

impl FileSink {
    /// How much is looked through for the position of a trail: 64 MiB, counted before compression.
    pub const SEARCH_BYTES: u64 = 64 * 1024 * 1024;

    /// What is kept of the buffer after a large batch.
    const BUFFER_BYTES: usize = 4 * 1024 * 1024;

    /// A sink on this file. Without further settings it is neither rotated nor compressed.
    #[must_use]
    pub fn builder(path: impl Into<PathBuf>) -> FileSinkBuilder {
        FileSinkBuilder::new(path.into())
    }

    fn new(path: PathBuf, rotation: Rotation, format: Format) -> Self {
        Self {
            path,
            rotation,
            format,
            lock: None,
            active: None,
            buffer: Vec::new(),
            wrap: |file| Box::new(file),
        }
    }

    /// Stores a batch: the whole of [`Sink::deliver`].
    fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
        self.encode(batch)?;
        self.hold_lock()?;
        self.make_room(batch.received)?;
        self.open()?;
        let Some(active) = self.active.as_mut() else {
            return Err(SinkError::retry("the file was closed"));
        };
        let written = active.write(&self.buffer, batch.received);
        self.buffer.clear();
        self.buffer.shrink_to(Self::BUFFER_BYTES);
        written.map_err(|error| self.explain("write to", &error))
    }

    fn encode(&mut self, batch: &Batch) -> Result<(), SinkError> {
        let broken: Vec<u64> = batch
            .records
            .iter()
            .filter(|record| record.json.contains(['\n', '\r']))
            .map(|record| record.number)
            .collect();
        if !broken.is_empty() {
            let reason = "a line break inside a record would break the lines of the file";
            return Err(SinkError::refused(broken, reason));
        }
        self.buffer.clear();
        for record in &batch.records {
            line::write(&mut self.buffer, self.format, &batch.origin.trail, record);
        }
        Ok(())
    }

    fn hold_lock(&mut self) -> Result<(), SinkError> {
        if self.lock.is_some() {
            return Ok(());
        }
        let mut name = self.path.as_os_str().to_owned();
        name.push(".lock");
        match StdDisk.lock(Path::new(&name)) {
            Ok(lock) => {
                self.lock = Some(lock);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(SinkError::blocked(format!(
                    "another process writes to {}: put {{instance}} in the name, so that each \
                     has its own",
                    self.path.display()
                )))
            }
            Err(error) => Err(self.explain("lock", &error)),
        }
    }

    /// Gives up a file that is no longer in its place, and rotates one that is full or old.
    fn make_room(&mut self, now: Timestamp) -> Result<(), SinkError> {
        let Some(active) = self.active.as_mut() else {
            // What an earlier process left may be due as well.
            self.open()?;
            return self.rotate_if_due(now);
        };
        match active.is_in_place(&self.path) {
            Ok(true) => self.rotate_if_due(now),
            Ok(false) => {
                // The rest of a failed batch is taken back even where nobody will write again.
                let mended = active.mend();
                mended.map_err(|error| self.explain("mend", &error))?;
                self.active = None;
                Ok(())
            }
            Err(error) => Err(self.explain("look at", &error)),
        }
    }

    fn rotate_if_due(&mut self, now: Timestamp) -> Result<(), SinkError> {
        let batch = self.buffer.len() as u64;
        let Some(active) = self.active.as_mut() else {
            return Ok(());
        };
        if !self
            .rotation
            .is_due(active.length(), active.since(), batch, now)
        {
            return Ok(());
        }
        let turned = active.mend().and_then(|()| rotate::rotate(&self.path));
        turned.map_err(|error| self.explain("rotate", &error))?;
        self.active = None;
        self.open()?;
        self.tidy();
        Ok(())
    }

    /// Makes sure that there is an open file.
    fn open(&mut self) -> Result<(), SinkError> {
        if self.active.is_some() {
            return Ok(());
        }
        let opened = Active::open(&self.path, self.wrap);
        match opened.map_err(|error| self.explain("open", &error))? {
            Opened::Ready { active, cut } => {
                if cut > 0 {
                    let path = self.path.display();
                    tracing::warn!(target: "tower_audit", %path, cut, "cut what a crash left at the end of a file; it is delivered again");
                }
                self.active = Some(active);
                Ok(())
            }
            Opened::Foreign => Err(SinkError::blocked(format!(
                "{} is not a file that this sink wrote: name another one, or move it away",
                self.path.display()
            ))),
        }
    }

    /// Sees to the rotated files. What fails is tried again at the next rotation: a full disk must
    /// not keep records waiting.
    fn tidy(&self) {
        if let Err(error) = rotate::tidy(&self.path, &self.rotation) {
            let path = self.path.display();
            tracing::warn!(target: "tower_audit", %path, %error, "cannot compress or remove a rotated file");
        }
    }

    /// The number behind the last record of a trail.
    fn find(&mut self, origin: &Origin) -> Result<Option<u64>, SinkError> {
        self.hold_lock()?;
        self.open()?;
        let length = self.active.as_ref().map_or(0, Active::length);
        let mut budget = Budget(Self::SEARCH_BYTES);
        let found = self.search(&Starts::of(&origin.trail), length, &mut budget);
        let found = found.map_err(|error| self.explain("read", &error))?;
        Ok(found.and_then(|number| number.checked_add(1)))
    }

    fn search(&self, start: &Starts, length: u64, budget: &mut Budget) -> io::Result<Option<u64>> {
        let file = File::open(&self.path)?;
        let mut found = tail::last_number(&file, length, start, budget)?;
        if !self.rotation.is_ours() {
            return Ok(found);
        }
        for rotated in rotate::rotated(&self.path)?.iter().rev() {
            if found.is_some() || budget.is_spent() {
                break;
            }
            found = if rotated.is_compressed {
                match compress::open(&rotated.path) {
                    Ok(text) => tail::last_number_forwards(text, start, budget)?,
                    // What older files say may be overtaken by this one.
                    Err(error) if error.kind() == io::ErrorKind::Unsupported => break,
                    Err(error) => return Err(error),
                }
            } else {
                let file = File::open(&rotated.path)?;
                let length = file.metadata()?.len();
                tail::last_number(&file, length, start, budget)?
            };
        }
        Ok(found)
    }

    fn explain(&self, doing: &str, error: &io::Error) -> SinkError {
        fault::explain(&self.path, doing, error)
    }
}

/// The directory that holds a file.
fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

impl Sink for FileSink {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn address(&self) -> String {
        format!("file://{}", self.path.display())
    }

    fn limits(&self) -> Limits {
        match self.format {
            Format::Native => Limits::default(),
            // A line is longer than its record; what a crash leaves of a batch must be found.
            _ => Limits::new(250, 256 * 1024),
        }
    }

    fn position<'a>(&'a mut self, origin: &'a Origin) -> SinkFuture<'a, Option<u64>> {
        Box::pin(async { self.find(origin) })
    }

    fn probe(&mut self) -> SinkFuture<'_, ()> {
        Box::pin(async { self.look() })
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> SinkFuture<'a, ()> {
        Box::pin(async { self.write(batch) })
    }

    fn close(&mut self) -> SinkFuture<'_, ()> {
        Box::pin(async {
            // Everything acknowledged is synced; what is left is to let the next process in.
            self.active = None;
            self.lock = None;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{
        faulty::{Fault, Faulty, NEXT},
        *,
    };
    use crate::{evidence::leaf_hash, sink::Delivery};

    #[test]
    fn a_file_renamed_after_a_failed_batch_keeps_none_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let (path, renamed) = (dir.path().join("audit.jsonl"), dir.path().join("renamed"));
        let mut sink = FileSink::new(path.clone(), Rotation::default(), Format::Native);
        sink.wrap = |file| Box::new(Faulty(file));
        let batch = |number| {
            let origin = Origin::new(Uuid::from_u128(1), "docs", None);
            let record = Delivery::new(number, leaf_hash(b"{}"), "{}");
            Batch::new(origin, Timestamp::from_micros(0), vec![record], number + 1)
        };
        sink.write(&batch(0)).unwrap();
        NEXT.set(Fault::WriteAndCut(9));
        let error = sink.write(&batch(1)).unwrap_err();
        assert!(matches!(error, SinkError::Retry { .. }), "{error:?}");
        NEXT.set(Fault::None);

        std::fs::rename(&path, &renamed).unwrap();
        sink.write(&batch(1)).unwrap();
        let lines = |path| std::fs::read_to_string(path).unwrap().matches('\n').count();
        assert_eq!((lines(&renamed), lines(&path)), (1, 1));
        assert!(std::fs::read_to_string(&renamed).unwrap().ends_with('\n'));
    }
}
