//! The base directory: one trail for this process, and those that nobody holds any more.
//!
//! A trail is a directory `trail-<uuid>` with a lock file that is never removed. Whoever holds the
//! lock writes the trail. The lock is the kernel's: it is gone with the process, however it ends.

use std::{
    io,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use crate::disk::{Disk, DiskLock, read_bounded};

use super::{error::OpenError, segment};

const PREFIX: &str = "trail-";
const LOCK: &str = "lock";

/// A trail whose lock this process holds.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) id: Uuid,
    pub(crate) dir: PathBuf,
    /// Released when dropped.
    pub(crate) lock: Box<dyn DiskLock>,
}

/// The directory of a trail.
pub(crate) fn dir_of(base: &Path, id: Uuid) -> PathBuf {
    base.join(format!("{PREFIX}{id}"))
}

/// The trail that a directory name stands for.
fn parse(name: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(name.strip_prefix(PREFIX)?).ok()?;
    (dir_of(Path::new(""), id) == Path::new(name)).then_some(id)
}

/// The lock file of a trail.
pub(crate) fn lock_of(dir: &Path) -> PathBuf {
    dir.join(LOCK)
}

/// The trails of a directory: the one that it is, or all below it, oldest first. `None`: there is
/// neither a segment nor a trail in it.
pub(crate) fn find(disk: &dyn Disk, dir: &Path) -> io::Result<Option<Vec<PathBuf>>> {
    let (segments, _) = segment::list(disk, dir)?;
    if !segments.is_empty() || named(dir).is_some() {
        return Ok(Some(vec![dir.into()]));
    }
    let ids = list(disk, dir)?;
    let dirs: Vec<PathBuf> = ids.into_iter().map(|id| dir_of(dir, id)).collect();
    Ok((!dirs.is_empty()).then_some(dirs))
}

/// The trail that a directory is named for.
pub(crate) fn named(dir: &Path) -> Option<Uuid> {
    parse(dir.file_name()?.to_str()?)
}

/// Makes the base directory, if it is missing.
pub(crate) fn prepare(disk: &dyn Disk, base: &Path) -> Result<(), OpenError> {
    disk.create_dir(base)
        .map_err(OpenError::io("make the directory", base))
}

/// The ids of all trails below a base, oldest first. Other names are not ours and are left alone.
pub(crate) fn list(disk: &dyn Disk, base: &Path) -> io::Result<Vec<Uuid>> {
    let mut ids: Vec<Uuid> = disk
        .list(base)?
        .into_iter()
        .filter(|entry| entry.is_dir)
        .filter_map(|entry| parse(&entry.name))
        .collect();
    ids.sort_unstable();
    Ok(ids)
}

/// Takes a trail, if nobody holds it.
pub(crate) fn hold(disk: &dyn Disk, base: &Path, id: Uuid) -> Result<Option<Held>, OpenError> {
    let dir = dir_of(base, id);
    let path = lock_of(&dir);
    match disk.lock(&path) {
        Ok(lock) => Ok(Some(Held { id, dir, lock })),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        // Somebody removed the whole trail since it was listed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OpenError::io("lock", path)(error)),
    }
}

/// How many ids are tried for a new trail; each that is not free was taken by another process.
const TRIES: u128 = 64;

/// Makes a trail and takes it, under `id` or, when another process was faster to take what we had
/// just made, under one of the next ids.
pub(crate) fn create(disk: &dyn Disk, base: &Path, id: Uuid) -> Result<Held, OpenError> {
    for more in 0..TRIES {
        let id = Uuid::from_u128(id.as_u128().wrapping_add(more));
        let dir = dir_of(base, id);
        disk.create_dir(&dir)
            .map_err(OpenError::io("make the directory", &dir))?;
        if let Some(held) = hold(disk, base, id)? {
            return Ok(held);
        }
    }
    let taken = io::ErrorKind::WouldBlock.into();
    Err(OpenError::io("lock a new trail below", base)(taken))
}

/// Whether a sink's cursor says that it has read records of this trail.
pub(crate) fn was_read(disk: &dyn Disk, dir: &Path) -> io::Result<bool> {
    const AT_THE_START: &[u8] = b"\"next\":0";
    let cursors = dir.join("cursors");
    let files = match disk.list(&cursors) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        files => files?,
    };
    Ok(files.iter().any(|file| {
        let text = read_bounded(disk, &cursors.join(&file.name), 4096).unwrap_or_default();
        let mut parts = text.windows(AT_THE_START.len());
        !text.is_empty() && !parts.any(|part| part == AT_THE_START)
    }))
}
