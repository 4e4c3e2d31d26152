//! The file that is being written: a batch goes behind everything, whole and synced, or not at all.

use std::{
    fmt::Debug,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
    time::UNIX_EPOCH,
};

use super::tail;
use crate::{
    clock::Timestamp,
    disk::{Disk, StdDisk},
};

/// What is asked of an open file, so that a test can let it fail.
pub(super) trait Medium: Debug + Send {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;
    fn sync(&mut self) -> io::Result<()>;
    fn cut(&mut self, length: u64) -> io::Result<()>;
    fn length(&self) -> io::Result<u64>;
}

impl Medium for File {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        Write::write_all(self, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

/// The open file.
#[derive(Debug)]
pub(super) struct Active {
    medium: Box<dyn Medium>,
    identity: (u64, u64),
    /// Up to here the file consists of whole batches that were synced.
    good: u64,
    /// What lies behind `good` is the rest of a batch that failed.
    torn: bool,
    /// Since when the file is written to; none for an empty one.
    since: Option<Timestamp>,
}

/// What was found when the file was opened.
#[derive(Debug)]
pub(super) enum Opened {
    Ready {
        active: Active,
        /// How many bytes were cut, because a crash left them.
        cut: u64,
    },
    /// Neither an empty file nor one that this sink wrote.
    Foreign,
}

impl Active {
    /// Opens the file, makes it when it is missing, and cuts what a crash left behind.
    pub(super) fn open(path: &Path, wrap: fn(File) -> Box<dyn Medium>) -> io::Result<Opened> {
        let file = open_or_make(path)?;
        let found = file.metadata()?;
        if !found.is_file() {
            return Ok(Opened::Foreign);
        }
        let Some(good) = tail::whole_length(&file, found.len())? else {
            return Ok(Opened::Foreign);
        };
        if good < found.len() {
            file.set_len(good)?;
            file.sync_data()?;
        }
        Ok(Opened::Ready {
            active: Self {
                medium: wrap(file),
                identity: (found.dev(), found.ino()),
                good,
                torn: false,
                since: (good > 0).then(|| began(&found)),
            },
            cut: found.len() - good,
        })
    }

    /// Whether the file still has its name and its length, or was renamed, removed or emptied.
    pub(super) fn is_in_place(&self, path: &Path) -> io::Result<bool> {
        let named = match fs::metadata(path) {
            Ok(named) => named,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let same = (named.dev(), named.ino()) == self.identity;
        Ok(same && (self.torn || named.len() == self.good))
    }

    /// Takes back what a failed batch left, under whatever name the file has by now.
    pub(super) fn mend(&mut self) -> io::Result<()> {
        if self.torn {
            // A file that somebody else has emptied must not be made longer.
            if self.medium.length()? > self.good {
                self.medium.cut(self.good)?;
            }
            self.torn = false;
        }
        Ok(())
    }

    /// Writes a batch and syncs it. After an error the file is as it was, or will be
    /// [mended](Self::mend) before anything else is written.
    pub(super) fn write(&mut self, batch: &[u8], received: Timestamp) -> io::Result<()> {
        self.mend()?;
        self.torn = true;
        match self.try_write(batch) {
            Ok(()) => {
                self.good += batch.len() as u64;
                self.torn = false;
                self.since.get_or_insert(received);
                Ok(())
            }
            Err(error) => {
                // If this fails too, the next call does it; that error is the same trouble.
                let _ = self.mend();
                Err(error)
            }
        }
    }

    fn try_write(&mut self, batch: &[u8]) -> io::Result<()> {
        self.medium.write_all(batch)?;
        self.medium.sync()?;
        // Emptied while it was written to: whoever did that may have missed this batch.
        if self.medium.length()? < self.good + batch.len() as u64 {
            return Err(io::Error::other(
                "the file was emptied while it was written to",
            ));
        }
        Ok(())
    }

    pub(super) const fn length(&self) -> u64 {
        self.good
    }

    pub(super) const fn since(&self) -> Option<Timestamp> {
        self.since
    }
}

fn open_or_make(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).append(true).mode(0o600);
    // Opened only if it is a file: opening a pipe would wait for somebody at its other end.
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => File::open("/dev/null"),
        Ok(_) => options.open(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let file = options.create_new(true).open(path)?;
            StdDisk.sync_dir(super::directory_of(path))?;
            Ok(file)
        }
        Err(error) => Err(error),
    }
}

/// When the file was made, as far as the file system knows.
fn began(found: &fs::Metadata) -> Timestamp {
    let began = found.created().or_else(|_| found.modified());
    let micros = began
        .ok()
        .and_then(|began| began.duration_since(UNIX_EPOCH).ok())
        .and_then(|since| i64::try_from(since.as_micros()).ok());
    Timestamp::from_micros(micros.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::file::faulty::{Fault, Faulty, NEXT};

    fn open(path: &Path) -> Active {
        match Active::open(path, |file| Box::new(Faulty(file))).unwrap() {
            Opened::Ready { active, .. } => active,
            Opened::Foreign => panic!("ours expected"),
        }
    }

    const NOW: Timestamp = Timestamp::from_micros(0);

    // Traps J1, J2, for a file: whatever fails, nothing is torn and nothing is doubled.
    #[test]
    fn a_batch_that_failed_is_taken_back_before_it_comes_again() {
        for fault in [
            Fault::Write(0),
            Fault::Write(3),
            Fault::Sync,
            Fault::WriteAndCut(3),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("audit.jsonl");
            let mut active = open(&path);
            active.write(b"first\n", NOW).unwrap();
            NEXT.set(fault);
            active.write(b"second\n", NOW).unwrap_err();
            active.write(b"second\n", NOW).unwrap_err();
            NEXT.set(Fault::None);
            assert!(active.is_in_place(&path).unwrap(), "{fault:?}");
            active.write(b"second\n", NOW).unwrap();
            assert_eq!(
                fs::read_to_string(&path).unwrap(),
                "first\nsecond\n",
                "{fault:?}"
            );
        }
    }

    #[test]
    fn the_rest_of_a_failed_batch_is_taken_back_after_a_rename_too() {
        let dir = tempfile::tempdir().unwrap();
        let (path, renamed) = (
            dir.path().join("audit.jsonl"),
            dir.path().join("audit.jsonl.1"),
        );
        let mut active = open(&path);
        active.write(b"first\n", NOW).unwrap();
        NEXT.set(Fault::WriteAndCut(3));
        active.write(b"second\n", NOW).unwrap_err();
        NEXT.set(Fault::None);
        fs::rename(&path, &renamed).unwrap();
        assert!(!active.is_in_place(&path).unwrap());
        active.mend().unwrap();
        assert_eq!(fs::read_to_string(&renamed).unwrap(), "first\n");
    }

    // Trap J3: copytruncate in the middle of a batch.
    #[test]
    fn a_batch_into_a_file_that_is_being_emptied_is_not_acknowledged() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let mut active = open(&path);
        active.write(b"first\n", NOW).unwrap();
        NEXT.set(Fault::Emptied);
        active.write(b"second\n", NOW).unwrap_err();
        NEXT.set(Fault::None);
        assert!(!active.is_in_place(&path).unwrap());
    }
}
