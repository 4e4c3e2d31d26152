//! The lock on a file of the machine.

use std::{
    fs::{self, File, Metadata, TryLockError},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

use super::DiskLock;

/// A file under `flock`.
#[derive(Debug)]
pub(super) struct StdLock(File);

impl StdLock {
    /// Locks a file that was opened under a name; `WouldBlock` when somebody else has it.
    pub(super) fn take(file: File, path: &Path) -> io::Result<Self> {
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let lock = Self(file);
        // Whoever held it may have removed the file since we opened it. Then what we locked has
        // no name, and the next one to come would lock another file.
        let ours = identity(&lock.0.metadata()?);
        match fs::metadata(path) {
            Ok(named) if identity(&named) == ours => Ok(lock),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// Whether somebody has the lock on a file of the machine; nobody has one on a file that is not
/// there.
///
/// Asks for a shared lock and gives it back: whoever wants the lock in that moment is refused.
pub(crate) fn is_locked(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

impl DiskLock for StdLock {}

impl Drop for StdLock {
    fn drop(&mut self) {
        // Closing alone would leave the lock to a child that was forked in this moment, until it
        // closes its copy. If this fails, closing is what remains.
        let _ = self.0.unlock();
    }
}

fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

#[cfg(test)]
mod tests {
    use std::{
        path::PathBuf,
        process::{Command, Stdio},
    };

    use tempfile::TempDir;

    use super::*;
    use crate::disk::{Disk, StdDisk};

    fn scratch() -> (TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        (dir, path)
    }

    fn refused(result: io::Result<impl std::fmt::Debug>) {
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    // trap J4
    #[test]
    fn a_lock_has_one_holder_also_within_a_process() {
        let (_scratch, path) = scratch();
        let first = StdDisk.lock(&path).unwrap();
        refused(StdDisk.lock(&path));
        drop(first);
        StdDisk.lock(&path).unwrap();
    }

    // trap J4
    #[test]
    fn a_lock_is_refused_while_another_process_holds_it() {
        let (_scratch, path) = scratch();
        let file = File::create(&path).unwrap();
        file.try_lock().unwrap();
        // The child inherits the open file, and with it the lock; ours is closed with the command.
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stderr(file)
            .spawn()
            .unwrap();
        let attempt = StdDisk.lock(&path);
        child.kill().unwrap();
        child.wait().unwrap();
        refused(attempt);
        StdDisk.lock(&path).unwrap();
    }

    #[test]
    fn a_lock_goes_with_its_guard_though_a_child_still_has_the_file_open() {
        let (_scratch, path) = scratch();
        let file = File::create(&path).unwrap();
        let inherited = file.try_clone().unwrap();
        let lock = StdLock::take(file, &path).unwrap();
        drop(lock);
        StdDisk.lock(&path).unwrap();
        drop(inherited);
    }

    #[test]
    fn a_file_that_was_removed_before_it_was_locked_is_no_lock() {
        let (_scratch, path) = scratch();
        let stale = File::create(&path).unwrap();
        fs::remove_file(&path).unwrap();
        refused(StdLock::take(stale.try_clone().unwrap(), &path));
        let _holder = StdDisk.lock(&path).unwrap();
        refused(StdLock::take(stale, &path));
    }
}
