//! The calls that reach the disk, and the record of them.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use super::TestDisk;

/// A kind of call; each method of [`Disk`](crate::disk::Disk) and
/// [`DiskFile`](crate::disk::DiskFile) is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Call {
    /// `Disk::create_dir`
    CreateDir,
    /// `Disk::list`
    List,
    /// `Disk::create_new`
    CreateNew,
    /// `Disk::open`
    Open,
    /// `Disk::append`
    Append,
    /// `Disk::stat`
    Stat,
    /// `Disk::rename`
    Rename,
    /// `Disk::remove`
    Remove,
    /// `Disk::remove_dir`
    RemoveDir,
    /// `Disk::sync_dir`
    SyncDir,
    /// `Disk::lock`
    Lock,
    /// `Disk::space`
    Space,
    /// `Disk::kind`
    Kind,
    /// `DiskFile::write_all`
    Write,
    /// `DiskFile::sync`
    Sync,
    /// `DiskFile::read_at`
    Read,
    /// `DiskFile::stat`
    StatOpen,
    /// `DiskFile::allocate`
    Allocate,
}

impl Call {
    /// Every call that changes the disk, or makes a change durable.
    pub const CHANGES: [Self; 11] = [
        Self::CreateDir,
        Self::CreateNew,
        Self::Append,
        Self::Rename,
        Self::Remove,
        Self::RemoveDir,
        Self::SyncDir,
        Self::Lock,
        Self::Write,
        Self::Sync,
        Self::Allocate,
    ];
}

/// One call that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Operation {
    /// What was called.
    pub call: Call,
    /// On what: of an open file, the name it was opened by; of a rename, the old name.
    pub path: PathBuf,
    /// How many bytes were to be written, read or allocated.
    pub bytes: u64,
    /// How it failed.
    pub error: Option<io::ErrorKind>,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.call, self.path.display())?;
        if self.bytes > 0 {
            write!(f, " {} bytes", self.bytes)?;
        }
        match self.error {
            Some(error) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}

impl TestDisk {
    /// How many calls of this kind were made, those that failed or still wait included.
    #[must_use]
    pub fn count(&self, call: Call) -> u64 {
        self.state().count(call)
    }

    /// The calls that came back since the start or [`clear_log`](Self::clear_log), in that order.
    #[must_use]
    pub fn log(&self) -> Vec<Operation> {
        self.state().log.clone()
    }

    /// Forgets the log; the counts stay.
    pub fn clear_log(&self) {
        self.state().log.clear();
    }
}

impl Operation {
    pub(super) fn new<T>(call: Call, path: &Path, bytes: u64, result: &io::Result<T>) -> Self {
        Self {
            call,
            path: path.to_path_buf(),
            bytes,
            error: result.as_ref().err().map(io::Error::kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{disk::Disk, testing::disk::Fault};

    #[test]
    fn the_log_tells_what_was_done_in_order() {
        let disk = TestDisk::new();
        let mut file = disk.create_new(Path::new("file")).unwrap();
        disk.inject(Fault::enospc([Call::Write]));
        file.write_all(b"12").unwrap_err();
        file.sync().unwrap();
        let told: Vec<_> = disk.log().iter().map(Operation::to_string).collect();
        assert_eq!(
            told,
            [
                "CreateNew file",
                "Write file 2 bytes: no storage space",
                "Sync file"
            ]
        );
        disk.clear_log();
        assert_eq!(disk.log(), []);
        assert_eq!(disk.count(Call::Write), 1);
    }
}
