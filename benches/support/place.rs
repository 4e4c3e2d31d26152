//! Where a bench writes: below the target folder, on a real disk, removed when it is dropped.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::Fallible;

/// A fresh directory that goes when this is dropped.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    /// An empty directory.
    pub(crate) fn new() -> Fallible<Self> {
        let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let dir = tempfile::Builder::new().prefix("bench-").tempdir_in(base)?;
        Ok(Self(dir))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A path in it.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }
}

/// Removes what a round wrote and waits until the disk has nothing more to write of it, so that
/// no round pays for the one before.
pub(crate) fn settle(path: &Path) -> Fallible<()> {
    match fs::metadata(path)?.is_dir() {
        true => fs::remove_dir_all(path)?,
        false => fs::File::options().write(true).open(path)?.set_len(0)?,
    }
    let parent = path.parent().unwrap_or(path);
    rustix::fs::syncfs(fs::File::open(parent)?)?;
    Ok(())
}

/// The bytes of the files below a path whose names end so.
pub(crate) fn bytes_in(path: &Path, ending: &str) -> io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sum += bytes_in(&entry.path(), ending)?;
        } else if entry.file_name().to_string_lossy().ends_with(ending) {
            sum += entry.metadata()?.len();
        }
    }
    Ok(sum)
}
