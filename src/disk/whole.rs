//! Small files that are read whole and replaced whole.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::Disk;

/// Reads a whole file of at most `limit` bytes; `InvalidData` when it is longer.
pub(crate) fn read_bounded(disk: &dyn Disk, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let file = disk.open(path)?;
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = file.read_at(&mut chunk, bytes.len() as u64)?;
        let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else {
            return Ok(bytes);
        };
        if read.len() > limit - bytes.len() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("file is longer than {limit} bytes"),
            ));
        }
        bytes.extend_from_slice(read);
    }
}

/// Replaces a small file so that a reader, or a crash, sees the old bytes or the new ones.
///
/// The new bytes go to `<path>.new` first, so only one caller at a time may replace a file. When
/// this fails, readers have the old bytes, unless it was the sync of the directory that failed:
/// then they have the new ones, and a crash may still bring the old ones back.
pub(crate) fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let fresh = PathBuf::from(name);
    // A crash may have left one behind, and its bytes may be anything.
    remove_if_there(disk, &fresh)?;
    if let Err(error) = write_fresh(disk, &fresh, bytes).and_then(|()| disk.rename(&fresh, path)) {
        // On a full disk the room counts. What stays is removed by the next call, so the first
        // error is the one to tell.
        let _ = remove_if_there(disk, &fresh);
        return Err(error);
    }
    disk.sync_dir(directory_of(path))
}

fn write_fresh(disk: &dyn Disk, fresh: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = disk.create_new(fresh)?;
    file.write_all(bytes)?;
    file.sync()
}

fn remove_if_there(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The directory that a path is in; the parent of a bare name is the empty path, which is none.
pub(super) fn directory_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}
